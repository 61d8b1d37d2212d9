//! What becomes of a message: the one table of what is archived, kept, carbon-copied and pushed.
//!
//! A message is judged by its type and by the names of its payloads, without a look into them. Its payloads
//! say what it carries ([`Content`]: the strongest of them counts), `Row::of` is the table, and hints
//! (XEP-0334) change what the table says.

#[cfg(test)]
mod tests;

use rookery_stanza::payload::carbon::PRIVATE;
use rookery_stanza::payload::hint::Hint;
use rookery_stanza::{Jid, Kind, MessageType, PayloadName, Stanza, ns};

/// Whose copy of a message is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The account that sends it.
    Sender,
    /// The account that it is addressed to.
    Recipient,
}

/// What becomes of a message on one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Treatment {
    /// It stands in the archive of the account (XEP-0313 §6.1.1).
    pub archived: bool,
    /// It is kept until a client of the recipient has it (XEP-0160 §3); never so on the sender's side.
    pub owed: bool,
    /// Whether the account's other clients get a copy (XEP-0280 §6.1).
    pub copies: Copies,
    /// Whether it wakes the devices of a recipient that is away (XEP-0357); never so on the sender's side.
    pub push: Push,
}

/// Whether a message is eligible for carbon copies (XEP-0280 §6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copies {
    /// No client gets one.
    No,
    /// Each client that enabled carbons gets one.
    Yes,
    /// It is an error: copied if the message that it answers was.
    AsTheOriginal,
}

/// Whether a message wakes devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Push {
    /// It waits until a client comes by itself.
    No,
    /// It wakes them: there is something to read.
    Alert,
    /// It wakes them at once: somebody calls.
    Call,
}

/// What a message carries, from the weakest to the strongest; the strongest payload counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Content {
    /// Nothing, or only what accompanies content: a thread, ids, requests for receipts.
    Nothing,
    /// What is of interest only now: a chat state (XEP-0085), real-time text (XEP-0301).
    Momentary,
    /// Payloads that nobody here knows.
    Other,
    /// A subject (RFC 6121 §5.2.4).
    Subject,
    /// A receipt (XEP-0184).
    Receipt,
    /// A displayed marker (XEP-0333).
    Marker,
    /// An invitation to a room, or what a room or its occupants say beside the conversation (XEP-0249,
    /// XEP-0045 §7.8).
    Invitation,
    /// A body (RFC 6121 §5.2.3).
    Body,
    /// A file or the address of one (XEP-0447, XEP-0066).
    File,
    /// A body that only its recipients can read (XEP-0384, XEP-0373, XEP-0380, XEP-0027, RFC 3923).
    Encrypted,
    /// More about a file that was shared before (XEP-0447 §3.3).
    FileSource,
    /// How a call goes on: it rings, is taken, declined, over (XEP-0353 §3.2 to §3.7).
    CallProgress,
    /// Somebody calls (XEP-0353 §3.1).
    Call,
    /// Reactions to an earlier message (XEP-0444).
    Reaction,
    /// Another wording of an earlier message (XEP-0308).
    Correction,
    /// An earlier message is taken back (XEP-0424).
    Retraction,
}

/// One row of the table: what becomes of a content in a message of type `normal` or `chat`.
struct Row {
    archived: bool,
    owed: bool,
    /// Whether it is copied in a message of type `normal`; in one of type `chat`, everything is.
    copied: bool,
    push: Push,
}

/// What the payloads of a message say.
struct Marks {
    content: Content,
    /// There is one that is typically used in conversations, or an invitation: what makes a message of any
    /// type but `groupchat` eligible for carbon copies (XEP-0280 §6.1).
    conversational: bool,
    /// It has to do with a room (XEP-0280 §6.1).
    room: bool,
    /// It asks for no carbon copies (XEP-0280 §9).
    private: bool,
    no_copy: bool,
    no_store: bool,
    no_permanent_store: bool,
    store: bool,
}

const MARKERS: &str = "urn:xmpp:chat-markers:0";
const CALLS: &str = "urn:xmpp:jingle-message:0";
const DIRECT_INVITATION: &str = "jabber:x:conference";
const ROOM_USER: &str = "http://jabber.org/protocol/muc#user";

// === impl Row ===

impl Row {
    /// The table.
    #[rustfmt::skip]
    #[expect(clippy::match_same_arms, reason = "each row of the table stands by itself")]
    fn of(content: Content) -> Self {
        const YES: bool = true;
        const NO: bool = false;
        match content {
            //                                 archived  owed  copied  push
            Content::Nothing      => Self::new(NO,       YES,  NO,     Push::No),
            Content::Momentary    => Self::new(NO,       NO,   NO,     Push::No),
            Content::Other        => Self::new(NO,       YES,  NO,     Push::No),
            Content::Subject      => Self::new(YES,      YES,  NO,     Push::Alert),
            Content::Receipt      => Self::new(YES,      YES,  YES,    Push::No),
            Content::Marker       => Self::new(YES,      YES,  YES,    Push::No),
            Content::Invitation   => Self::new(YES,      YES,  YES,    Push::Alert),
            Content::Body         => Self::new(YES,      YES,  YES,    Push::Alert),
            Content::File         => Self::new(YES,      YES,  YES,    Push::Alert),
            Content::Encrypted    => Self::new(YES,      YES,  YES,    Push::Alert),
            Content::FileSource   => Self::new(YES,      YES,  YES,    Push::No),
            Content::CallProgress => Self::new(YES,      YES,  YES,    Push::No),
            Content::Call         => Self::new(YES,      YES,  YES,    Push::Call),
            Content::Reaction     => Self::new(YES,      YES,  YES,    Push::No),
            Content::Correction   => Self::new(YES,      YES,  YES,    Push::No),
            Content::Retraction   => Self::new(YES,      YES,  YES,    Push::No),
        }
    }

    fn new(archived: bool, owed: bool, copied: bool, push: Push) -> Self {
        Self {
            archived,
            owed,
            copied,
            push,
        }
    }
}

// === impl Content ===

impl Content {
    /// What these payloads carry. A room's `<x/>` (XEP-0045) accompanies a private message, or is an
    /// invitation: that it is one if there is nothing else.
    pub fn of(names: &[PayloadName]) -> Self {
        Marks::of(names).content
    }

    /// What a payload of this name is.
    #[rustfmt::skip]
    #[expect(clippy::match_same_arms, reason = "each standard has a line of its own")]
    fn of_name(namespace: &str, name: &str) -> Self {
        match (namespace, name) {
            (ns::CLIENT, "body") => Self::Body,
            (ns::CLIENT, "subject") => Self::Subject,
            (ns::CLIENT, "thread") => Self::Nothing,

            (ns::RETRACTION | "urn:xmpp:message-retract:0", "retract") => Self::Retraction,
            ("urn:xmpp:message-correct:0", "replace") => Self::Correction,
            ("urn:xmpp:reactions:0", "reactions") => Self::Reaction,

            (CALLS, "propose") => Self::Call,
            (CALLS, _) => Self::CallProgress,

            ("eu.siacs.conversations.axolotl" | "urn:xmpp:omemo:1" | "urn:xmpp:omemo:2", "encrypted") => Self::Encrypted,
            ("urn:xmpp:eme:0", "encryption") => Self::Encrypted,
            ("urn:xmpp:openpgp:0", "openpgp") => Self::Encrypted,
            ("jabber:x:encrypted", "x") => Self::Encrypted,
            (ns::E2E, "e2e") => Self::Encrypted,

            ("urn:xmpp:sfs:0", "file-sharing") => Self::File,
            ("urn:xmpp:sfs:0", "sources") => Self::FileSource,
            ("jabber:x:oob", "x") => Self::File,

            (DIRECT_INVITATION, "x") => Self::Invitation,

            (MARKERS, "markable") => Self::Nothing,
            (MARKERS, _) => Self::Marker,
            (ns::RECEIPTS, "received") => Self::Receipt,
            (ns::RECEIPTS, _) => Self::Nothing,

            (ns::CHAT_STATES, _) => Self::Momentary,
            ("urn:xmpp:rtt:0", "rtt") => Self::Momentary,

            (ns::STANZA_ID | ns::DELAY | ns::HINTS | ns::CARBONS | ROOM_USER, _) => Self::Nothing,
            ("urn:xmpp:occupant-id:0", "occupant-id") => Self::Nothing,
            ("urn:xmpp:fallback:0", "fallback") => Self::Nothing,
            ("urn:xmpp:reply:0", "reply") => Self::Nothing,
            ("urn:xmpp:message-attaching:1", "attach-to") => Self::Nothing,
            ("http://jabber.org/protocol/nick", "nick") => Self::Nothing,
            ("http://jabber.org/protocol/address", "addresses") => Self::Nothing,

            _ => Self::Other,
        }
    }
}

// === impl Marks ===

impl Marks {
    fn of(names: &[PayloadName]) -> Self {
        let mut marks = Self {
            content: Content::Nothing,
            conversational: false,
            room: false,
            private: false,
            no_copy: false,
            no_store: false,
            no_permanent_store: false,
            store: false,
        };
        for payload in names {
            marks.add(payload.namespace(), payload.name());
        }
        if marks.room && matches!(marks.content, Content::Nothing | Content::Other) {
            marks.content = Content::Invitation;
            marks.conversational = true;
        }
        marks
    }

    fn add(&mut self, namespace: &str, name: &str) {
        match Hint::of(namespace, name) {
            Some(Hint::NoCopy) => self.no_copy = true,
            Some(Hint::NoStore) => self.no_store = true,
            Some(Hint::NoPermanentStore) => self.no_permanent_store = true,
            Some(Hint::Store) => self.store = true,
            None => {}
        }
        match (namespace, name) {
            (ns::CARBONS, PRIVATE) => self.private = true,
            (ROOM_USER, "x") => self.room = true,
            (ns::RECEIPTS | ns::CHAT_STATES | MARKERS | DIRECT_INVITATION, _) => {
                self.conversational = true;
            }
            _ => {}
        }
        self.content = self.content.max(Content::of_name(namespace, name));
    }
}

// === impl Treatment ===

impl Treatment {
    /// Nothing is done but to deliver the message.
    pub const NONE: Self = Self {
        archived: false,
        owed: false,
        copies: Copies::No,
        push: Push::No,
    };

    /// For an account or a host that does not archive: only what is owed is kept.
    pub fn without_archive(self) -> Self {
        Self {
            archived: false,
            ..self
        }
    }

    /// What becomes of a message on one side; [`NONE`](Self::NONE) for any other stanza.
    pub fn of(stanza: &Stanza, side: Side) -> Self {
        let Kind::Message(kind) = stanza.kind else {
            return Self::NONE;
        };
        let marks = Marks::of(stanza.names());
        let treatment = match kind {
            // RFC 6121 §8.5.2 never stores one; the archive of its room has it (XEP-0313 §6.1.2).
            MessageType::Groupchat => Self::NONE,
            // Hints in an error are those of the message that it answers (XEP-0334 §5).
            MessageType::Error => Self {
                copies: if marks.private {
                    Copies::No
                } else {
                    Copies::AsTheOriginal
                },
                ..Self::NONE
            },
            MessageType::Normal | MessageType::Chat | MessageType::Headline => {
                Self::of_content(kind, &marks)
                    .without_reflection(stanza, &marks, side)
                    .with_hints(kind, &marks)
            }
        };
        match side {
            Side::Recipient => treatment,
            Side::Sender => Self {
                owed: false,
                push: Push::No,
                ..treatment
            },
        }
    }

    /// What the table says. A headline is of interest only now (XEP-0160 §3, XEP-0313 §6.1.1).
    fn of_content(kind: MessageType, marks: &Marks) -> Self {
        let row = Row::of(marks.content);
        let copied = match kind {
            MessageType::Chat => true,
            MessageType::Normal => row.copied || marks.conversational,
            _ => marks.conversational,
        };
        let stored = kind != MessageType::Headline;
        Self {
            archived: row.archived && stored,
            owed: row.owed && stored,
            copies: if copied { Copies::Yes } else { Copies::No },
            push: if stored { row.push } else { Push::No },
        }
    }

    /// Private messages in a room reach each client of a recipient by themselves; those to a room are copied
    /// whatever they carry (XEP-0280 §6.1).
    fn without_reflection(self, stanza: &Stanza, marks: &Marks, side: Side) -> Self {
        let occupant = match side {
            Side::Sender => &stanza.to,
            Side::Recipient => &stanza.from,
        };
        let is_private = marks.room
            && marks.content != Content::Invitation
            && occupant.as_ref().is_some_and(Jid::is_full);
        let copies = match side {
            _ if !is_private => self.copies,
            Side::Sender => Copies::Yes,
            Side::Recipient => Copies::No,
        };
        Self { copies, ..self }
    }

    /// Hints: what asks for less is stronger than what asks for more (XEP-0334 §4).
    fn with_hints(mut self, kind: MessageType, marks: &Marks) -> Self {
        if marks.private || marks.no_copy {
            self.copies = Copies::No;
        }
        if marks.no_store {
            // What is not there when the device comes is no reason to wake it.
            return Self {
                archived: false,
                owed: false,
                push: Push::No,
                ..self
            };
        }
        if marks.store {
            self.archived = true;
            self.owed |= kind != MessageType::Headline;
        }
        if marks.no_permanent_store {
            self.archived = false;
        }
        self
    }
}
