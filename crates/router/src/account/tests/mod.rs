//! Scenes with several accounts, played without actors: the world below does what a shard does, and checks
//! after every input that no account's memory differs from the store.

mod bind;
mod iq;
mod message;
mod offline;
mod presence;
mod random;
mod roster;
mod subscription;
mod world;
