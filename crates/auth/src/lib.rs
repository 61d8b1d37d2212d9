//! Accounts, credentials and the SASL mechanisms as state machines.
