//! What befalls a server process, and what its clients notice.

#![cfg(test)]
