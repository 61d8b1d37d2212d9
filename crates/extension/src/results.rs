//! Answers that come with messages of their own (XEP-0313 §4, XEP-0013 §2.4).

use std::any::Any;
use std::fmt;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rookery_stanza::{Stanza, StanzaError};
use rookery_xml::Element;

use crate::order::Order;

/// Results of a request of the account's own session, which are sent to it one after the other, before the answer.
///
/// Nobody misses them when the session ends: the client asks again. Several such requests of one session are answered
/// one after the other, in their order.
pub struct Results {
    /// What is done before they are begun, in order.
    pub orders: Vec<Order>,
    answering: Answering,
}

/// What sends the results and makes the answer.
type Answering = Box<dyn FnOnce(Box<dyn Asker>) -> BoxFuture<'static, Answered> + Send>;

/// The payload of the answer, if it has one, or an error.
type Answered = Result<Option<Element>, StanzaError>;

/// The session that asked.
pub trait Asker: Send {
    /// Sends it these stanzas, as fast as its client takes them; one is made when there is room for it.
    ///
    /// # Errors
    /// The session has ended, or its client takes nothing: whoever answers gives up.
    fn send<'a>(
        &'a mut self,
        results: &'a mut (dyn Iterator<Item = Stanza> + Send),
    ) -> BoxFuture<'a, Result<(), StanzaError>>;
}

// === impl Results ===

impl Results {
    /// Results that `answering` sends, and what it answers then.
    pub fn new<F>(answering: impl FnOnce(Box<dyn Asker>) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Answered> + Send + 'static,
    {
        Self {
            orders: Vec::new(),
            answering: Box::new(|asker| answering(asker).boxed()),
        }
    }

    /// The same, with another answer in place of a panic.
    pub(crate) fn contained(self, failed: fn(Box<dyn Any + Send>) -> Answered) -> Self {
        let Self { orders, answering } = self;
        let answering: Answering = Box::new(move |asker| {
            let answer = AssertUnwindSafe(async move { answering(asker).await });
            let contained = answer.catch_unwind();
            contained
                .map(move |answer| answer.unwrap_or_else(failed))
                .boxed()
        });
        Self { orders, answering }
    }

    /// Sends them and makes the answer.
    pub fn answer(self, asker: Box<dyn Asker>) -> BoxFuture<'static, Answered> {
        (self.answering)(asker)
    }
}

impl fmt::Debug for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Results")
            .field("orders", &self.orders)
            .finish_non_exhaustive()
    }
}
