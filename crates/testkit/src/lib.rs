//! What tests need: a scripted client, a server process, certificates.
