//! Stream management (XEP-0198): whatever a client says, counts are true, and a stream that is resumed has every
//! stanza once and in order.
//!
//! Each line is something that happens: an element of the client; `>`, and a stanza is sent to it; `<`, and one of
//! its own comes; `*`, and the oldest of those is settled; `+`, and the last one is; `!`, and the connection is lost.
//! Whatever resumes the stream has its id.

use std::collections::BTreeSet;
use std::time::Duration;

use rookery_delivery::Delivery;
use rookery_session::stream_management::{
    Command, Effect, Limits, Reply, Resumable, ResumeError, SmId, StreamManagement, Unacknowledged,
};
use rookery_stanza::{MessageType, Stanza};
use rookery_xml::Element;
use tokio::time::Instant;

/// The most lines that are played.
const LINES: usize = 400;

/// A stream, and what has to be true of it.
struct Play {
    management: StreamManagement,
    now: Instant,
    /// The stanzas that were sent since it was enabled, and how many of them the client has, as it says.
    sent: u64,
    confirmed: u64,
    /// The stanzas of the client since then, and which of them are not settled.
    received: u64,
    unsettled: BTreeSet<u64>,
    /// What the client was told last.
    told: u32,
}

/// Plays one stream.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let mut play = Play {
        management: StreamManagement::new(limits()),
        now: Instant::now(),
        sent: 0,
        confirmed: 0,
        received: 0,
        unsettled: BTreeSet::new(),
        told: 0,
    };
    for line in text.lines().take(LINES) {
        if !play.goes_on_after(line) {
            break;
        }
        play.assert_true();
    }
    let left = play.management.into_unacknowledged();
    assert!(
        left.iter().map(number).eq(play.confirmed + 1..=play.sent),
        "another way is found for what the client does not have, and nothing else"
    );
}

fn limits() -> Limits {
    Limits {
        stanzas: 20,
        bytes: 4000,
        ask_after_stanzas: 3,
        answer_within: Duration::from_secs(60),
        ask_again_after: Duration::from_secs(10),
    }
}

/// The number of a stanza that was sent.
fn number(stanza: &Unacknowledged) -> u64 {
    number_of(&stanza.delivery)
}

fn number_of(delivery: &Delivery) -> u64 {
    let number = delivery.stanza.id.as_ref().and_then(|id| id.parse().ok());
    number.unwrap_or_default()
}

// === impl Play ===

impl Play {
    /// False when the stream has ended.
    fn goes_on_after(&mut self, line: &str) -> bool {
        self.now += Duration::from_secs(1);
        match line {
            ">" => self.send(),
            "<" => {
                if let Some(number) = self.management.received() {
                    self.received += 1;
                    self.unsettled.insert(number);
                }
            }
            "*" => self.settle(self.unsettled.first().copied()),
            "+" => self.settle(self.unsettled.last().copied()),
            "!" => drop(self.management.detach(1)),
            _ => return self.hear(line),
        }
        true
    }

    fn send(&mut self) {
        let number = self.sent + 1;
        let message = Stanza::message(MessageType::Chat).with_id(number.to_string());
        let delivery = Delivery::from(message);
        if self.management.is_enabled() && self.management.has_room(std::slice::from_ref(&delivery))
        {
            self.management.sent(&delivery, number);
            self.sent = number;
            self.management.flushed(self.now);
        }
    }

    fn settle(&mut self, number: Option<u64>) {
        let Some(number) = number else { return };
        self.unsettled.remove(&number);
        if let Some(reply) = self.management.settled(number) {
            self.told(&reply);
        }
    }

    fn hear(&mut self, line: &str) -> bool {
        let Ok(element) = Element::parse_str(line) else {
            return true;
        };
        let effects = match Command::parse(&element) {
            Ok(Some(Command::Enable(enable))) => {
                let offer = Resumable {
                    id: SmId::new("id"),
                    max: 300,
                    location: None,
                };
                self.management.enable(enable, true, Some(offer))
            }
            Ok(Some(Command::Resume(resume))) => return self.resume(resume.handled),
            Ok(Some(Command::Request)) => vec![self.management.requested()],
            Ok(Some(Command::Answer(handled))) => self.management.answered(handled, self.now),
            Ok(None) => Vec::new(),
            Err(error) => vec![StreamManagement::malformed(error)],
        };
        effects.into_iter().all(|effect| match effect {
            Effect::Reply(reply) => {
                self.told(&reply);
                true
            }
            Effect::Confirmed(stanzas) => {
                self.confirm(&stanzas);
                true
            }
            Effect::Fail(_) => false,
        })
    }

    fn resume(&mut self, handled: u32) -> bool {
        match self.management.resume(handled) {
            Ok(resumed) => {
                self.confirm(&resumed.confirmed);
                assert!(
                    resumed
                        .again
                        .iter()
                        .map(number_of)
                        .eq(self.confirmed + 1..=self.sent),
                    "what the client does not have is sent again"
                );
                self.told(&resumed.reply);
                assert!(self.unsettled.is_empty(), "it would come a second time");
                true
            }
            Err(ResumeError::TooHigh(_)) => {
                assert!(u64::from(handled) > self.sent || u64::from(handled) < self.confirmed);
                false
            }
            Err(ResumeError::Unsettled(count)) => {
                assert_eq!(count, self.unsettled.len() as u64);
                true
            }
            Err(ResumeError::NotResumable) => {
                assert!(self.management.id().is_none());
                true
            }
        }
    }

    /// The client has these: the next ones, in order.
    fn confirm(&mut self, stanzas: &[Unacknowledged]) {
        for stanza in stanzas {
            self.confirmed += 1;
            assert_eq!(number(stanza), self.confirmed);
        }
    }

    /// What the client is told reads back as an element, and counts what is settled and nothing behind it.
    fn told(&mut self, reply: &Reply) {
        let written = reply.to_element().to_bytes("");
        let read = std::str::from_utf8(&written).ok();
        assert!(read.is_some_and(|text| Element::parse_str(text).is_ok()));
        if let Reply::Answer(handled) | Reply::Resumed { handled, .. } = reply {
            let first = self.unsettled.first().copied();
            let settled = self.received - first.map_or(0, |first| self.received - first + 1);
            assert_eq!(u64::from(*handled), settled, "{:?}", self.unsettled);
            assert!(*handled >= self.told, "a count goes back");
            self.told = *handled;
        }
    }

    fn assert_true(&self) {
        let waiting = self.management.unacknowledged().map(number);
        assert!(waiting.eq(self.confirmed + 1..=self.sent));
        let (stanzas, bytes) = self.management.waiting();
        assert!(stanzas <= limits().stanzas && bytes <= limits().bytes);
    }
}
