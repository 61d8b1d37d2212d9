//! A client's session: pure core and actor.
