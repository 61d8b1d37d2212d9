//! Somebody on stage: a connection, and what has arrived on it and was not yet looked at.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use rookery_testkit::{Client, Received};
use rookery_xml::Element;
use tokio::time::Instant;

use crate::expectation::{self, STREAM};
use crate::mishap::Mishap;
use crate::scene::Role;

/// How long an actor waits for what must come.
const PATIENCE: Duration = Duration::from_secs(10);

/// An actor.
#[derive(Debug)]
pub(crate) struct Actor {
    pub(crate) role: Role,
    client: Option<Client>,
    inbox: VecDeque<Heard>,
    /// Whether the next thing to be said is the header of a new stream.
    fresh: bool,
}

/// Something that was received.
#[derive(Clone, Debug)]
pub(crate) enum Heard {
    /// An element, or the header of a stream; and the bytes of an element.
    Element(Element, Bytes),
    /// The end of the stream.
    StreamEnd,
    /// The end of the connection.
    Closed,
}

// === impl Actor ===

impl Actor {
    pub(crate) fn new(role: Role, client: Option<Client>) -> Self {
        let fresh = matches!(role, Role::Connection { .. } | Role::Certified(_));
        Self {
            role,
            client,
            inbox: VecDeque::new(),
            fresh,
        }
    }

    /// The connection, while there is one.
    pub(crate) fn client(&mut self) -> Result<&mut Client, Mishap> {
        let absent = || Mishap::Script("is not connected".to_owned());
        self.client.as_mut().ok_or_else(absent)
    }

    /// The full JID of a client that is logged in and connected.
    pub(crate) fn jid(&self) -> Option<&str> {
        let jid = self.client.as_ref()?.jid();
        (!jid.is_empty()).then_some(jid)
    }

    /// Says whether the next thing to be said is the header of a new stream.
    pub(crate) fn expect_header(&mut self, fresh: bool) {
        self.fresh = fresh;
    }

    /// Connects anew.
    pub(crate) fn reconnect(&mut self, client: Client) {
        self.client = Some(client);
        self.inbox.clear();
    }

    /// Drops the connection.
    pub(crate) fn leave(&mut self) -> Option<Client> {
        self.client.take()
    }

    /// Says these bytes.
    pub(crate) async fn say(&mut self, bytes: &[u8]) -> Result<(), Mishap> {
        let fresh = std::mem::take(&mut self.fresh);
        let client = self.client()?;
        if fresh {
            client.restart();
        }
        client.send(bytes).await?;
        Ok(())
    }

    /// What comes next, that was not yet looked at.
    pub(crate) async fn hear(&mut self) -> Result<Heard, Mishap> {
        match self.inbox.pop_front() {
            Some(heard) => Ok(heard),
            None => self.listen().await,
        }
    }

    /// What comes next from the connection.
    async fn listen(&mut self) -> Result<Heard, Mishap> {
        let client = self.client()?;
        let heard = match client.receive_until(Instant::now() + PATIENCE).await? {
            Received::Element(element) => Heard::Element(element, client.raw().clone()),
            Received::Header(text) => {
                let header = expectation::parse(&text).unwrap_or_default();
                let header = header.into_iter().next();
                Heard::Element(header.ok_or(Mishap::Script(text))?, Bytes::new())
            }
            Received::StreamEnd => Heard::StreamEnd,
            Received::Closed => Heard::Closed,
        };
        if let Heard::Element(element, _) = &heard {
            let is_restart = element.is("success", "urn:ietf:params:xml:ns:xmpp-sasl");
            self.fresh |= is_restart;
        }
        Ok(heard)
    }

    /// Listens until `is_awaited` has been satisfied, and keeps everything else for later.
    pub(crate) async fn listen_for(
        &mut self,
        mut is_awaited: impl FnMut(&Element) -> Attention,
    ) -> Result<(), Mishap> {
        loop {
            let heard = self.listen().await?;
            let attention = match &heard {
                Heard::Element(element, _) => is_awaited(element),
                Heard::StreamEnd => Attention::Keep,
                Heard::Closed => {
                    self.inbox.push_back(heard);
                    return Ok(());
                }
            };
            match attention {
                Attention::Done => return Ok(()),
                Attention::Drop => {}
                Attention::Keep => self.inbox.push_back(heard),
            }
        }
    }

    /// Everything that was not yet looked at.
    pub(crate) fn unread(&mut self) -> VecDeque<Heard> {
        std::mem::take(&mut self.inbox)
    }
}

/// What is done with something that came.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Attention {
    /// It is looked at later.
    Keep,
    /// It does not matter.
    Drop,
    /// It is the last thing that was waited for.
    Done,
}

// === impl Heard ===

impl Heard {
    /// As XML.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Element(element, _) => written(element),
            Self::StreamEnd => "</stream:stream>".to_owned(),
            Self::Closed => "the end of the connection".to_owned(),
        }
    }

    /// Whether it is a stream error of this condition.
    pub(crate) fn is_stream_error(&self, condition: &str) -> bool {
        let namespace = "urn:ietf:params:xml:ns:xmpp-streams";
        match self {
            Self::Element(element, _) => {
                element.is("error", STREAM) && element.child(condition, namespace).is_some()
            }
            _ => false,
        }
    }

    pub(crate) fn is_header(&self) -> bool {
        matches!(self, Self::Element(element, _) if element.is("stream", STREAM))
    }
}

/// An element as XML, to be read by people.
pub(crate) fn written(element: &Element) -> String {
    String::from_utf8_lossy(&element.to_bytes("jabber:client")).into_owned()
}
