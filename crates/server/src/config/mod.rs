//! The configuration: the settings of all crates, put together; a TOML file with the environment laid
//! over it.
//!
//! [`Config`] is the shape, [`Keys`] what can be said (read from its schema), [`load`] reads what was
//! said and reports every problem at once, and [`mod@reference`] and [`mod@example`] print it for people.

mod check;
mod environment;
pub mod example;
mod file;
mod keys;
mod load;
mod problem;
pub mod reference;
mod sections;

#[cfg(test)]
mod tests;

pub use check::SHORTEST_SECRET;
pub use keys::{Key, Keys, Kind, Section};
pub use load::{Loaded, Sources, load, parse};
pub use problem::{Origin, Problem, Problems};
pub use sections::{
    Component, Config, Contact, Host, HttpListener, Listeners, Runtime, Shutdown, Store, StoreKind,
};
