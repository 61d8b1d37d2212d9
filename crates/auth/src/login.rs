//! Logging in on one stream: what is offered, the running exchange, and the attempts that failed.

use std::net::IpAddr;

use rookery_stream::SaslCondition;

use crate::exchange::{Context, Exchange, Outcome, Success};
use crate::mechanism::Mechanism;
use crate::metrics::Transport;
use crate::offer::Offer;

/// The state of logging in on one stream, from its features to success. Drop it then. Cheap to move.
#[derive(Debug)]
pub struct Login(Box<Progress>);

/// Whence a client comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Its address, which failed logins are remembered by.
    pub address: IpAddr,
    /// What its stream runs on.
    pub transport: Transport,
}

#[derive(Debug)]
struct Progress {
    origin: Origin,
    context: Context,
    exchange: Option<Exchange>,
}

/// What the client asks for (RFC 6120 §6.4). Base 64 is removed, and a lone `=` is an empty message.
pub enum Request {
    /// `<auth/>`. If an exchange runs, it is discarded (§6.4.2).
    Start {
        /// The value of `mechanism`.
        mechanism: String,
        /// The initial response, if there is one.
        initial: Option<Vec<u8>>,
    },
    /// `<response/>`.
    Response(Vec<u8>),
    /// `<abort/>`.
    Abort,
}

/// What the client is told (RFC 6120 §6.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// `<challenge/>`, with this in base 64.
    Challenge(Vec<u8>),
    /// `<success/>`, with the data in base 64.
    Success(Success),
    /// `<failure/>`.
    Failure {
        /// The condition (§6.5).
        condition: SaslCondition,
        /// Words for people.
        text: Option<&'static str>,
        /// Whether the stream is to be closed after it, and no other attempt allowed (§6.4.5).
        close: bool,
    },
}

// === impl Login ===

impl Login {
    pub(crate) fn new(origin: Origin, context: Context) -> Self {
        Self(Box::new(Progress {
            origin,
            context,
            exchange: None,
        }))
    }

    /// What the stream features have listed.
    pub fn offer(&self) -> &Offer {
        &self.0.context.offer
    }

    /// The host that is logged in to.
    pub fn host(&self) -> &str {
        &self.0.context.host
    }

    /// Whence the client comes.
    pub fn origin(&self) -> Origin {
        self.0.origin
    }

    /// The mechanism of the running exchange.
    pub fn mechanism(&self) -> Option<Mechanism> {
        self.0.exchange.as_ref().map(Exchange::mechanism)
    }

    /// Begins an exchange, or ends the one that runs.
    pub(crate) fn set_exchange(&mut self, exchange: Option<Exchange>) {
        self.0.exchange = exchange;
    }

    /// Hands something to the running exchange. Without one, a response is out of place (§6.4.3).
    pub(crate) fn with_exchange(
        &mut self,
        step: impl FnOnce(&mut Exchange, &Context) -> Outcome,
    ) -> Outcome {
        let Progress {
            context, exchange, ..
        } = &mut *self.0;
        match exchange {
            Some(exchange) => step(exchange, context),
            None => Outcome::Failure(SaslCondition::MalformedRequest.into()),
        }
    }
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Messages may hold a password.
        match self {
            Self::Start { mechanism, .. } => write!(f, "Start({mechanism:?})"),
            Self::Response(_) => f.write_str("Response"),
            Self::Abort => f.write_str("Abort"),
        }
    }
}
