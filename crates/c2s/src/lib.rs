//! Client listeners and the connection actor, over TCP and TLS.
