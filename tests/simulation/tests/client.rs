//! A client: what it has, and what it makes of what it reads.

use std::collections::VecDeque;

use rookery_session::stream_management::{Reply, SmId};
use rookery_stanza::{BareJid, Jid, Kind, PresenceType, Stanza, ns};
use rookery_xml::Element;

use crate::promises::{Promises, StreamId};
use crate::reading;
use crate::session::{Link, Said, ToConnection};

/// When a client acknowledges what it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acks {
    Never,
    Sometimes,
    WhenAsked,
}

/// What a client sends to the server.
#[derive(Debug)]
pub(crate) enum Up {
    Bind,
    Resume(SmId, u32),
    Said(Said),
    End,
}

/// A client.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) account: BareJid,
    pub(crate) jid: Jid,
    /// It uses stream management.
    pub(crate) manages: bool,
    pub(crate) carbons: bool,
    pub(crate) priority: i8,
    pub(crate) acks: Acks,
    /// It does not read now.
    pub(crate) stalled: bool,
    pub(crate) link: Option<Link>,
    /// It has asked to resume its stream, and says nothing before it is answered.
    pub(crate) resuming: bool,
    /// What it takes for its stream; also while it has no connection, if it can be resumed.
    pub(crate) stream: Option<Stream>,
}

/// A stream, as the client sees it.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) id: StreamId,
    /// What it is resumed by.
    pub(crate) resumption: Option<SmId>,
    enabled: bool,
    /// Stanzas that it got.
    pub(crate) handled: u32,
    /// The count that it told.
    pub(crate) told: u32,
    /// What it sent and was not told of.
    sent: VecDeque<Stanza>,
    /// The count that it was told.
    acknowledged: u32,
}

impl Client {
    /// Whether it can send.
    pub(crate) fn is_online(&self) -> bool {
        self.link.is_some() && self.stream.is_some() && !self.resuming
    }

    /// Its presence.
    pub(crate) fn presence(&self) -> Stanza {
        let priority = Element::new("priority", ns::CLIENT).with_text(self.priority.to_string());
        Stanza::presence(PresenceType::Available).with_payload(priority)
    }

    /// Sends a stanza.
    pub(crate) fn say(&mut self, stanza: Stanza, up: &mut VecDeque<Up>) {
        if let Some(stream) = &mut self.stream
            && self.manages
        {
            stream.sent.push_back(stanza.clone());
        }
        up.push_back(Up::Said(Said::Stanza(stanza)));
    }

    /// Acknowledges what it got, if it had not yet.
    pub(crate) fn acknowledge(&mut self, up: &mut VecDeque<Up>) -> bool {
        let stream = self.stream.as_mut().filter(|stream| stream.enabled);
        let is_news = stream.is_some_and(|stream| stream.told != stream.handled);
        if is_news {
            self.answer(up);
        }
        is_news
    }

    fn answer(&mut self, up: &mut VecDeque<Up>) {
        if let Some(stream) = &mut self.stream {
            stream.told = stream.handled;
            up.push_back(Up::Said(Said::Answer(stream.handled)));
        }
    }

    /// What it begins a connection with.
    pub(crate) fn open(&mut self) -> Up {
        let stream = self.stream.as_ref();
        self.resuming = stream.is_some();
        match stream.and_then(|stream| Some((stream.resumption.clone()?, stream.handled))) {
            Some((id, handled)) => Up::Resume(id, handled),
            None => Up::Bind,
        }
    }

    /// Its connection is lost.
    pub(crate) fn cut(&mut self) {
        self.link = None;
        if self
            .stream
            .as_ref()
            .is_some_and(|stream| stream.resumption.is_none())
        {
            self.stream = None;
        }
    }

    /// Reads one thing. False: the connection is over.
    pub(crate) fn read(
        &mut self,
        what: &ToConnection,
        up: &mut VecDeque<Up>,
        promises: &mut Promises,
    ) -> bool {
        match what {
            ToConnection::Bound(Ok(key)) => {
                self.stream = Some(Stream::new(StreamId(key.id.0)));
                if self.manages {
                    up.push_back(Up::Said(Said::Enable));
                }
                let presence = self.presence();
                self.say(presence, up);
            }
            ToConnection::Deliver(delivery) | ToConnection::Kept(delivery) => {
                self.receive(&delivery.stanza, up, promises);
            }
            ToConnection::Reply(reply) => self.reply(reply, up, promises),
            ToConnection::Resumed(_, reply) => {
                self.resuming = false;
                self.reply(reply, up, promises);
                let again = self
                    .stream
                    .iter()
                    .flat_map(|stream| stream.sent.iter().cloned());
                up.extend(again.map(|stanza| Up::Said(Said::Stanza(stanza))));
            }
            ToConnection::NotResumed(failed) => {
                if let Some(handled) = failed.as_ref().and_then(|failed| failed.handled) {
                    self.acknowledged(handled, promises);
                }
                self.stream = None;
                self.resuming = false;
                up.push_back(Up::Bind);
            }
            ToConnection::Bound(Err(_)) | ToConnection::Close => {
                self.link = None;
                self.stream = None;
                return false;
            }
            ToConnection::Abandon => {
                self.cut();
                return false;
            }
        }
        true
    }

    fn reply(&mut self, reply: &Reply, up: &mut VecDeque<Up>, promises: &mut Promises) {
        match reply {
            Reply::Enabled(offer) => {
                if let Some(stream) = &mut self.stream {
                    stream.enabled = true;
                    stream.resumption = offer.as_ref().map(|offer| offer.id.clone());
                }
            }
            Reply::Request if self.acks == Acks::WhenAsked => self.answer(up),
            Reply::Answer(handled) | Reply::Resumed { handled, .. } => {
                self.acknowledged(*handled, promises);
            }
            Reply::Request | Reply::Failed(_) => {}
        }
    }

    /// The server has handled so many stanzas.
    fn acknowledged(&mut self, handled: u32, promises: &mut Promises) {
        let Some(stream) = &mut self.stream else {
            return;
        };
        while stream.acknowledged != handled {
            stream.acknowledged = stream.acknowledged.wrapping_add(1);
            let Some(stanza) = stream.sent.pop_front() else {
                return promises.break_with(|| format!("{handled} stanzas were not sent"));
            };
            let number = reading::number(&stanza);
            let message = number.and_then(|number| promises.messages.get_mut(&number));
            if let Some(message) = message {
                message.counted = true;
            }
        }
    }

    fn receive(&mut self, stanza: &Stanza, up: &mut VecDeque<Up>, promises: &mut Promises) {
        let Some(stream) = &mut self.stream else {
            return;
        };
        stream.handled += u32::from(stream.enabled);
        let id = stream.id;
        let number = reading::number(stanza);
        match (stanza.kind, number) {
            (Kind::Message(_), _) if stanza.is_error() => {}
            (Kind::Message(_), number) => match (reading::carbon(stanza), number) {
                (Some(sent), _) => {
                    if let Some(number) = reading::number_in(stanza.payload()) {
                        promises.copy(&self.account, id, number, sent);
                    }
                }
                (None, Some(number)) => {
                    let row = reading::row(stanza, &self.account);
                    let is_delayed = stanza.has("delay", ns::DELAY);
                    promises.message(&self.account, id, number, (row, is_delayed));
                }
                (None, None) => {}
            },
            (Kind::Iq(kind), number) if kind.is_request() => {
                let asked = number.and_then(|number| promises.requests.get_mut(&number));
                if let Some(asked) = asked {
                    asked.left_to_client = true;
                }
                self.say(stanza.result_reply(None), up);
            }
            (Kind::Iq(_), Some(number)) => promises.answered(number),
            _ => {}
        }
    }
}

impl Stream {
    fn new(id: StreamId) -> Self {
        Self {
            id,
            resumption: None,
            enabled: false,
            handled: 0,
            told: 0,
            sent: VecDeque::new(),
            acknowledged: 0,
        }
    }
}
