//! Real clients that nobody here wrote, against a real server process: each logs in, sees presence, sends
//! and receives. A client that is not installed fails its tests; `.ci/setup test` installs them all.

#![cfg(test)]

mod go_sendxmpp;
mod process;
mod profanity;
mod slixmpp;
mod stage;
mod xmpp_js;
