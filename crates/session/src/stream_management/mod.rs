//! XEP-0198: Stream Management.
//!
//! [`StreamManagement`] is what one session knows: which stanzas of the client are taken over
//! ([`Inbound`]), which the client has not acknowledged ([`Outbound`]), and whether the stream can be resumed
//! ([`may_resume`]). It outlives the connection, and is written down as one record.
//!
//! It knows no clock, no connection and no store: whoever holds it tells it what happens, and does what it
//! answers. Ids of streams are given to it, because they have to be unguessable.

mod element;
mod inbound;
mod metrics;
mod outbound;
mod record;
mod resumption;
#[cfg(test)]
mod tests;

use rookery_delivery::Delivery;
use rookery_stanza::{Condition, Stanza, StreamCondition, StreamError};
use tokio::time::Instant;

pub use element::{Command, ElementError, Enable, Failed, Reply, Resumable, Resume};
pub use inbound::Inbound;
pub use metrics::{Attempt, DetachedEnd, Metrics, Mode};
pub use outbound::{Due, Limits, Outbound, TooHigh, Unacknowledged};
pub use resumption::{Asker, Former, SmId, may_resume};

/// The stream management of one session.
#[derive(Debug, Default)]
pub struct StreamManagement {
    limits: Limits,
    managed: Option<Managed>,
}

/// What there is once it is enabled.
#[derive(Debug)]
struct Managed {
    inbound: Inbound,
    outbound: Outbound,
    resumption: Option<Resumption>,
}

/// A stream that can be resumed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Resumption {
    id: SmId,
    /// For how many seconds after the connection was lost.
    max: u32,
    /// When it was lost, in unix milliseconds; `None` while there is one.
    detached: Option<u64>,
}

/// What to do now.
#[derive(Debug)]
pub enum Effect {
    /// Write this to the client, behind what was sent before.
    Reply(Reply),
    /// The client has these stanzas.
    Confirmed(Vec<Unacknowledged>),
    /// End the stream, and with it the session.
    Fail(Box<StreamError>),
}

/// A stream that is resumed (§5).
#[derive(Debug)]
pub struct Resumed {
    /// `<resumed/>`, which is written first.
    pub reply: Reply,
    /// What the client has, as it says.
    pub confirmed: Vec<Unacknowledged>,
    /// What is then sent again, in order. It stays unacknowledged.
    pub again: Vec<Delivery>,
}

/// Why a stream is not resumed after all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResumeError {
    /// It cannot be resumed at all.
    #[error("the stream was not made to be resumed")]
    NotResumable,
    /// Stanzas that came over the former connection are not settled yet. The count would not cover them, and
    /// the client would send them a second time: it has to wait until they are.
    #[error("{0} stanzas of the former connection are not settled yet")]
    Unsettled(u64),
    /// The client acknowledges what it was never sent (§6). The new stream ends with this error; the former
    /// one stays as it was.
    #[error(transparent)]
    TooHigh(#[from] TooHigh),
}

// === impl StreamManagement ===

impl StreamManagement {
    /// Stream management that is not enabled yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            managed: None,
        }
    }

    /// With the limits of this server, after it was read from a record.
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Whether the client has enabled it.
    pub fn is_enabled(&self) -> bool {
        self.managed.is_some()
    }

    /// The client enables it (§3). `offer` is what the stream could be resumed by; `None` where it cannot
    /// be.
    pub fn enable(&mut self, enable: Enable, bound: bool, offer: Option<Resumable>) -> Vec<Effect> {
        if self.is_enabled() {
            let error = StreamError::new(StreamCondition::PolicyViolation)
                .with_text("stream management is enabled already");
            return vec![
                Effect::Reply(Reply::Failed(Failed::OUT_OF_ORDER)),
                Effect::Fail(Box::new(error)),
            ];
        }
        if !bound {
            return vec![Effect::Reply(Reply::Failed(Failed::OUT_OF_ORDER))];
        }
        let offer = offer.filter(|_| enable.resume).map(|offer| Resumable {
            max: offer.max.min(enable.max.unwrap_or(u32::MAX)),
            ..offer
        });
        self.managed = Some(Managed {
            inbound: Inbound::default(),
            outbound: Outbound::default(),
            resumption: offer.as_ref().map(Resumption::new),
        });
        vec![Effect::Reply(Reply::Enabled(offer))]
    }

    /// A stanza of the client has come: the number to settle it by. `None`: it does not count.
    pub fn received(&mut self) -> Option<u64> {
        Some(self.managed.as_mut()?.inbound.received())
    }

    /// A stanza of the client is durable, handed over or answered: an `<a/>` if the client waits for it (§4).
    pub fn settled(&mut self, number: u64) -> Option<Reply> {
        let inbound = &mut self.managed.as_mut()?.inbound;
        inbound
            .settle(number)
            .then(|| Reply::Answer(inbound.handled()))
    }

    /// `<r/>`: the client asks (§4). It is answered at once, with what counts now.
    pub fn requested(&mut self) -> Effect {
        Effect::Reply(match &mut self.managed {
            Some(managed) => Reply::Answer(managed.inbound.asked()),
            None => Reply::Failed(Failed::OUT_OF_ORDER),
        })
    }

    /// `<a/>`: the client has handled so many stanzas (§4, §6).
    pub fn answered(&mut self, handled: u32, now: Instant) -> Vec<Effect> {
        let Some(managed) = &mut self.managed else {
            return vec![Effect::Reply(Reply::Failed(Failed::OUT_OF_ORDER))];
        };
        match managed.outbound.acknowledge(handled) {
            Err(too_high) => vec![Effect::Fail(Box::new(too_high.into()))],
            Ok(confirmed) => {
                let mut effects = Vec::with_capacity(2);
                if !confirmed.is_empty() {
                    effects.push(Effect::Confirmed(confirmed));
                }
                if managed.outbound.ask_on(now, &self.limits) {
                    effects.push(Effect::Reply(Reply::Request));
                }
                effects
            }
        }
    }

    /// The client sent an element of this protocol that is malformed (§6).
    pub fn malformed(error: ElementError) -> Effect {
        match error {
            ElementError::Enable | ElementError::Resume => {
                Effect::Reply(Reply::Failed(Failed::new(Condition::BadRequest)))
            }
            ElementError::Answer => Effect::Fail(Box::new(
                StreamError::new(StreamCondition::InvalidXml).with_text(error.to_string()),
            )),
        }
    }

    /// Whether a batch may be sent. While stream management is not enabled, nothing is kept and everything
    /// may.
    pub fn has_room(&self, batch: &[Delivery]) -> bool {
        let managed = self.managed.as_ref();
        managed.is_none_or(|managed| managed.outbound.has_room(batch, &self.limits))
    }

    /// A stanza is about to be sent, at `now` in unix milliseconds: it is kept until the client has
    /// acknowledged it.
    pub fn sent(&mut self, delivery: &Delivery, now: u64) {
        if let Some(managed) = &mut self.managed {
            managed.outbound.sent(delivery.clone(), now);
        }
    }

    /// The client has answered a request that it was sent: when the session ends, nobody else has to.
    pub fn answers(&mut self, answer: &Stanza) {
        if let Some(managed) = &mut self.managed {
            managed.outbound.answered(answer);
        }
    }

    /// A batch was handed to the connection: `<r/>` if it is time to ask (§4).
    pub fn flushed(&mut self, now: Instant) -> Option<Reply> {
        let outbound = &mut self.managed.as_mut()?.outbound;
        outbound.ask(now, &self.limits).then_some(Reply::Request)
    }

    /// When [`due`](Self::due) has an answer, if nothing happens before.
    pub fn deadline(&self) -> Option<Instant> {
        self.managed.as_ref()?.outbound.deadline(&self.limits)
    }

    /// What is to be done at `now`.
    pub fn due(&mut self, now: Instant) -> Due {
        self.managed.as_mut().map_or(Due::Nothing, |managed| {
            managed.outbound.due(now, &self.limits)
        })
    }

    /// The connection is gone without `</stream:stream>`, at `now` in unix milliseconds. True if the stream
    /// can be resumed (§7).
    pub fn detach(&mut self, now: u64) -> bool {
        let Some(managed) = &mut self.managed else {
            return false;
        };
        managed.outbound.detach();
        match &mut managed.resumption {
            Some(resumption) => {
                resumption.detached = Some(now);
                true
            }
            None => false,
        }
    }

    /// When a stream without a connection can no longer be resumed, in unix milliseconds.
    pub fn expires(&self) -> Option<u64> {
        let resumption = self.managed.as_ref()?.resumption.as_ref()?;
        let max = u64::from(resumption.max) * 1000;
        Some(resumption.detached?.saturating_add(max))
    }

    /// For how many seconds after its connection was lost the stream can be resumed.
    pub fn max(&self) -> Option<u32> {
        let resumption = self.managed.as_ref()?.resumption.as_ref()?;
        Some(resumption.max)
    }

    /// What the stream is resumed by.
    pub fn id(&self) -> Option<&SmId> {
        let resumption = self.managed.as_ref()?.resumption.as_ref()?;
        Some(&resumption.id)
    }

    /// The client resumes the stream on another connection (§5), as [`may_resume`] allowed. A connection that
    /// the stream still has is to be closed with `conflict`.
    ///
    /// # Errors
    /// See [`ResumeError`]; nothing has changed then.
    pub fn resume(&mut self, handled: u32) -> Result<Resumed, ResumeError> {
        let managed = self.managed.as_mut().ok_or(ResumeError::NotResumable)?;
        let resumption = managed
            .resumption
            .as_mut()
            .ok_or(ResumeError::NotResumable)?;
        match managed.inbound.unsettled() {
            0 => {}
            unsettled => return Err(ResumeError::Unsettled(unsettled)),
        }
        let confirmed = managed.outbound.acknowledge(handled)?;
        managed.outbound.detach();
        resumption.detached = None;
        Ok(Resumed {
            reply: Reply::Resumed {
                previous: resumption.id.clone(),
                handled: managed.inbound.told(),
            },
            confirmed,
            again: managed
                .outbound
                .unacknowledged()
                .map(|stanza| stanza.delivery.clone())
                .collect(),
        })
    }

    /// How many stanzas of the client count, modulo 2^32: what `<failed/>` says of a stream that is over (§5).
    pub fn handled(&self) -> Option<u32> {
        Some(self.managed.as_ref()?.inbound.handled())
    }

    /// The stanzas that wait for the client: their number and bytes.
    pub fn waiting(&self) -> (usize, usize) {
        let outbound = self.managed.as_ref().map(|managed| &managed.outbound);
        outbound.map_or((0, 0), |outbound| (outbound.len(), outbound.bytes()))
    }

    /// What waits for the client, in order.
    pub fn unacknowledged(&self) -> impl Iterator<Item = &Unacknowledged> {
        let managed = self.managed.iter();
        managed.flat_map(|managed| managed.outbound.unacknowledged())
    }

    /// The session ends: what the client has not acknowledged, in order, goes another way (§4).
    pub fn into_unacknowledged(self) -> Vec<Unacknowledged> {
        let managed = self.managed;
        managed.map_or_else(Vec::new, |managed| managed.outbound.into_unacknowledged())
    }
}

// === impl Resumption ===

impl Resumption {
    fn new(offer: &Resumable) -> Self {
        Self {
            id: offer.id.clone(),
            max: offer.max,
            detached: None,
        }
    }
}
