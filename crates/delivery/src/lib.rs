//! What it is to hand over a stanza: ports between sessions and homes, permits and budgets.
