//! Scenes with several accounts, played without actors: the world below does what a shard does, and checks
//! after every input that no account's memory differs from the store.

mod appending;
mod bind;
mod carbons;
mod iq;
mod message;
mod owed;
mod points;
mod presence;
mod random;
mod roster;
mod rows;
mod subscription;
mod survey;
mod waiting;
mod world;

/// A mistake in the state machine, for tests of what it costs: fails on a stanza with the id `mistake`.
pub(super) fn mistake(input: &super::Input) {
    if let super::Input::Received(stanza, _) = input
        && !stanza.is_error()
    {
        assert_ne!(stanza.id.as_deref(), Some("mistake"));
    }
}
