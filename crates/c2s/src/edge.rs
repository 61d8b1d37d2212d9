//! What all connections share.

use std::sync::Arc;

use actix::ArbiterHandle;
use rookery_auth::Authenticator;
use rookery_delivery::Homes;
use rookery_lifecycle::{Clock, DrainSignal};
use rookery_stanza::{Condition, Kind};
use rookery_stream::StartTls;
use rookery_tls::Acceptor;

use crate::admission::Admission;
use crate::metrics::Metrics;
use crate::newcomers::Newcomers;
use crate::pace::Rates;
use crate::service::ClientService;
use crate::turnstile::Turnstile;

/// What all connections of a node share. There is one of it, and everything in it is cheap to reach.
#[derive(Debug)]
pub(crate) struct Edge {
    /// The arbiters, in the order in which the homes count them.
    pub(crate) arbiters: Vec<ArbiterHandle>,
    pub(crate) admission: Admission,
    pub(crate) turnstile: Turnstile,
    pub(crate) authenticator: Authenticator,
    pub(crate) clock: Clock,
    /// When the node stops.
    pub(crate) drain: DrainSignal,
    pub(crate) homes: Arc<dyn Homes>,
    pub(crate) metrics: Metrics,
    /// How much those may do who are not logged in.
    pub(crate) newcomers: Newcomers,
    /// How fast clients are read from.
    pub(crate) rates: Rates,
    pub(crate) service: Arc<ClientService>,
    /// What sessions share.
    pub(crate) sessions: Arc<rookery_session::Surroundings>,
    pub(crate) session_metrics: Arc<rookery_session::Metrics>,
    pub(crate) stream: Arc<rookery_stream::Config>,
    /// What the listener without TLS asks for.
    pub(crate) policy: StartTls,
    /// Makes TLS sessions after STARTTLS.
    pub(crate) starttls: Acceptor,
    /// Makes TLS sessions for direct TLS.
    pub(crate) direct: Acceptor,
}

// === impl Edge ===

impl Edge {
    /// A stanza was answered with an error before it came to a session.
    pub(crate) fn answered(&self, kind: Kind, condition: Condition) {
        self.session_metrics.shared.answered(kind, condition);
    }
}
