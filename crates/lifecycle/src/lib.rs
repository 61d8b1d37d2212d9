//! What a part is given to live: clock, task scope, drain signal.
