//! Conformance scenes: plays that say who sends what and who receives what.
//!
//! A scene is a text file below `scenes/`, named after the section of the standard that it shows. It is
//! played against a real server process ([`Company`]), with accounts of its own, so that scenes can be played
//! side by side. `scenes/README.md` tells how scenes are written; [`Scene::parse`] reads them, [`Stage`]
//! plays them.

mod actor;
mod authorities;
mod company;
mod expectation;
mod mishap;
mod scene;
mod script;
mod speech;
mod stage;

pub use company::{Company, Outcome};
pub use mishap::{Failure, Mishap};
pub use scene::{Action, Certificate, Manner, Nature, Role, Scene, Step};
pub use script::ScriptError;
pub use stage::Stage;
