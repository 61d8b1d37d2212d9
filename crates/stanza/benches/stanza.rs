//! What one stanza costs: reading, writing, answering.
fn main() {}
