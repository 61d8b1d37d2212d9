//! XEP-0313: Message Archive Management, with the preferences of XEP-0441.

mod metadata;
mod preferences;
mod query;
mod result;

pub use metadata::{Extent, Mark, Metadata, MetadataError};
pub use preferences::{Policy, Preferences, PreferencesError};
pub use query::{Query, QueryError, form};
pub use result::{Finish, FinishError, QueryResult, ResultError};
