//! RFC 6120 streams without I/O: framing, negotiation, both close handshakes.
