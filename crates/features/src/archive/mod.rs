//! XEP-0313: Message Archive Management.
//!
//! The home of an account appends to its log; here it is asked. What a query means is decided in [`rookery_archive`].
//!
//! * `query`: the queries of clients (§4) and the ends of an archive (§5);
//! * `preferences`: with whom messages are archived (XEP-0441);
//! * `retention`: what leaves the archives (§3.2).

mod config;
mod preferences;
mod query;
pub mod retention;
#[cfg(test)]
mod tests;

use rookery_extension::{
    Feature, Host, IqContext, Registry, Relation, Scope, Spec, Standard, Status,
};
use rookery_stanza::{Condition, StanzaError, ns};

pub use config::{Config, ConfigError};

use crate::Parts;
use crate::account_records::AccountRecords;
use preferences::{Kept, PreferencesHandler, Wishes};
use query::{MetadataHandler, QueryHandler};

/// Announced where the fields and pages of §4.1.3 and §4.3.4 are understood, and the metadata of §5.
const EXTENDED: &str = "urn:xmpp:mam:2#extended";

/// Announced where `include-groupchat` is understood (§7).
const GROUPCHAT_FIELD: &str = "urn:xmpp:mam:2#groupchat-field";

/// Announced where tombstones take the place of messages that were taken back (XEP-0424 §4).
const TOMBSTONES: &str = "urn:xmpp:message-retract:1#tombstone";

/// What clients ask of their archives.
#[derive(Debug)]
pub struct Archive {
    query: QueryHandler,
    metadata: MetadataHandler,
    preferences: PreferencesHandler,
}

/// Everybody is answered, since §8.1 has a word for those who may not read: it is the same whether there is such an
/// account or not.
const SCOPE: Scope = Scope {
    host: false,
    account: Some(Relation::Stranger),
};

// === impl Archive ===

impl Archive {
    pub(crate) fn new(config: &Config, records: &AccountRecords, parts: &Parts) -> Self {
        // What the task of retention counts is there before it runs.
        drop(retention::Metrics::register(&parts.metrics));
        Self {
            query: QueryHandler::new(config, parts),
            metadata: MetadataHandler::new(parts),
            preferences: PreferencesHandler::new(config, records),
        }
    }
}

/// Refuses those who may not ask, and everybody where nothing is archived.
///
/// # Errors
/// `forbidden` (§8.1), or `service-unavailable`, as if nothing understood the request.
fn admit(context: &IqContext<'_>) -> Result<(), StanzaError> {
    if !context.is_own() {
        return Err(Condition::Forbidden.into());
    }
    if !context.host.archive {
        return Err(Condition::ServiceUnavailable.into());
    }
    Ok(())
}

/// What the accounts of a host announce (§7; XEP-0359 §3; XEP-0424 §4). Their messages have ids also where nothing is
/// archived: until a client has them.
fn account_features(host: &Host) -> &'static [&'static str] {
    if host.archive {
        &[
            ns::ARCHIVE,
            EXTENDED,
            GROUPCHAT_FIELD,
            ns::STANZA_ID,
            TOMBSTONES,
        ]
    } else {
        &[ns::STANZA_ID]
    }
}

// === impl Feature ===

impl Feature for Archive {
    fn spec(&self) -> Spec {
        Spec {
            name: "archive",
            source: "crates/features/src/archive",
            standards: &[
                Standard {
                    document: "XEP-0313",
                    title: "Message Archive Management",
                    version: "1.1.3",
                    status: Status::Complete,
                    note: "Of accounts. Messages of rooms are in the archives of the rooms.",
                },
                Standard {
                    document: "XEP-0441",
                    title: "Message Archive Management Preferences",
                    version: "0.2.0",
                    status: Status::Complete,
                    note: "Who is in both lists is not archived.",
                },
                Standard {
                    document: "XEP-0059",
                    title: "Result Set Management",
                    version: "1.0",
                    status: Status::Partial,
                    note: "In queries of archives; pages are not found by their index.",
                },
                Standard {
                    document: "XEP-0359",
                    title: "Unique and Stable Stanza IDs",
                    version: "0.7.0",
                    status: Status::Complete,
                    note: "Of messages that are archived, or that a client has yet to receive.",
                },
                Standard {
                    document: "XEP-0424",
                    title: "Message Retraction",
                    version: "0.4.2",
                    status: Status::Partial,
                    note: "Tombstones in the archives of accounts; there are no rooms yet.",
                },
            ],
            switched_account_features: account_features,
            ..Spec::EMPTY
        }
    }

    fn install(self: Box<Self>, registry: &mut Registry) {
        registry.account_data::<Kept>();
        registry.archiving(Wishes);
        registry.iq(self.query);
        registry.iq(self.metadata);
        registry.iq(self.preferences);
    }
}
