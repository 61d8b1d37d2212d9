//! Where a stanza goes: the routing decision, and the home of each account (RFC 6121).
