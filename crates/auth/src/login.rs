//! Logging in on one stream: what is offered, the running exchange, and the attempts that failed.

use std::net::IpAddr;

use rookery_storage::ScramHash;
use rookery_stream::{SaslCondition, Wishes};
use rookery_xml::Element;

use crate::exchange::{Context, Exchange, Outcome, Success};
use crate::mechanism::Mechanism;
use crate::metrics::{Profile, Transport};
use crate::offer::Offer;
use crate::upgrade::Upgrade;

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
    /// What the client says along with it by XEP-0388.
    wishes: Option<Box<Wishes>>,
    /// What is known of the account since its keys were read.
    known: Known,
    /// What there is to do after the exchange.
    tasks: Option<Tasks>,
}

/// What a login knows of its account.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// The salt of the password that the account had.
    pub(crate) salt: Option<Vec<u8>>,
    /// The keys that are older than new ones would be.
    pub(crate) outdated: Vec<ScramHash>,
}

/// What a client has to do after its exchange (XEP-0480), and what waits until then.
#[derive(Debug)]
pub(crate) struct Tasks {
    /// Who the client is.
    pub(crate) success: Success,
    /// The keys that it makes now.
    pub(crate) now: Upgrade,
    /// Those that it makes later, the next one last.
    pub(crate) later: Vec<ScramHash>,
    /// Whether it has begun.
    pub(crate) begun: bool,
}

/// What the client asks for (RFC 6120 §6.4). Base 64 is removed, and a lone `=` is an empty message.
pub enum Request {
    /// `<auth/>`. If an exchange runs, it is discarded (§6.4.2).
    Start {
        /// The value of `mechanism`.
        mechanism: String,
        /// The initial response, if there is one.
        initial: Option<Vec<u8>>,
        /// What the client says along with it by XEP-0388; `None` by RFC 6120.
        wishes: Option<Box<Wishes>>,
    },
    /// `<response/>`.
    Response(Vec<u8>),
    /// `<abort/>`.
    Abort,
    /// `<next/>`, with the name of a task (XEP-0388 §"Continue").
    Next(String),
    /// `<task-data/>`, with its payload.
    TaskData(Option<Element>),
}

/// What the client is told (RFC 6120 §6.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// `<challenge/>`, with this in base 64.
    Challenge(Vec<u8>),
    /// `<success/>`, with the data in base 64.
    Success(Success),
    /// `<continue/>` (XEP-0388 §"Continue").
    Continue {
        /// Additional data with success of the mechanism.
        data: Option<Vec<u8>>,
        /// The name of the task.
        task: &'static str,
    },
    /// `<task-data/>`, with this payload.
    TaskData(Element),
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
            wishes: None,
            known: Known::default(),
            tasks: None,
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

    /// What the client says along with it by XEP-0388.
    pub(crate) fn wishes(&self) -> Option<&Wishes> {
        self.0.wishes.as_deref()
    }

    /// Takes note of that.
    pub(crate) fn set_wishes(&mut self, wishes: Option<Box<Wishes>>) {
        self.0.wishes = wishes;
    }

    /// What is known of the account.
    pub(crate) fn known(&self) -> &Known {
        &self.0.known
    }

    /// Takes note of that.
    pub(crate) fn set_known(&mut self, known: Known) {
        self.0.known = known;
    }

    /// What there is to do after the exchange; taken out, to be put back if it is not done.
    pub(crate) fn take_tasks(&mut self) -> Option<Tasks> {
        self.0.tasks.take()
    }

    /// Takes note of that.
    pub(crate) fn set_tasks(&mut self, tasks: Tasks) {
        self.0.tasks = Some(tasks);
    }

    /// By which protocol the client logs in.
    pub fn profile(&self) -> Profile {
        match self.wishes() {
            None => Profile::Legacy,
            Some(wishes) if wishes.fast.is_some() => Profile::Fast,
            Some(_) => Profile::Sasl2,
        }
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
            Self::Next(task) => write!(f, "Next({task:?})"),
            Self::TaskData(_) => f.write_str("TaskData"),
        }
    }
}
