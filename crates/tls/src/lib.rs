//! Certificates, reload, SNI and TLS sessions without I/O, over rustls.
