//! What a chat message costs from the bytes of a read to a stanza.
fn main() {}
