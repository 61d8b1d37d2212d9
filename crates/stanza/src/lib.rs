//! The vocabulary of XMPP: addresses, stanzas, errors and shared payloads.
