//! Reading a stanza from the bytes of a stream.

use super::content::Content;
use super::payload::TRUSTED;
use super::{IqType, Kind, MessageType, PayloadName, PresenceType, Stanza};
use crate::{Condition, Jid, StanzaError, ns};
use bytes::Bytes;
use rookery_xml::{Element, Limits, StreamNamespaces, Top, TopAttribute, XmlError, read_top};
use std::ops::Range;

/// Why bytes are not a stanza. All but [`Stanza`](Self::Stanza) end the stream.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// Not XML as XMPP allows it.
    #[error(transparent)]
    Xml(#[from] XmlError),
    /// A message, presence or iq of another namespace than `jabber:client` (RFC 6120 §4.9.3.10).
    #[error("the stanza is not in the namespace jabber:client")]
    InvalidNamespace,
    /// Neither message nor presence nor iq (RFC 6120 §4.9.3.24).
    #[error("the element is not a stanza")]
    UnsupportedStanzaType,
    /// The sender's own address is none (RFC 6120 §8.1.2.1, §4.9.3.9).
    #[error("the sender's address is malformed")]
    InvalidFrom,
    /// A stanza with a fault of its own: the sender gets a stanza error, and the stream goes on.
    #[error("the stanza is faulty: {}", .0.error)]
    Stanza(Box<StanzaFault>),
}

/// A stanza that cannot be processed, as far as it could be read.
#[derive(Debug)]
pub struct StanzaFault {
    /// Kind, id and good addresses; without payload. Where the type is none that the standard knows, it is
    /// one that may be answered with an error.
    pub stanza: Stanza,
    /// What is wrong.
    pub error: StanzaError,
}

impl StanzaFault {
    /// The stanza error to send back; `None` when there is nothing to answer (RFC 6120 §8.3.1, rule 8). A
    /// recipient's address that was malformed is not given back as the sender's (rule 2): `from` is left to
    /// the caller.
    pub fn reply(&self) -> Option<Stanza> {
        self.stanza.error_reply(&self.error)
    }
}

impl Stanza {
    /// Reads one complete stanza of a stream, as it stands between two others.
    ///
    /// The payload keeps the bytes of `frame`, unless they need the stream's header to be understood: then
    /// they are written anew, with the namespaces declared where they are used.
    ///
    /// # Errors
    /// See [`ParseError`].
    pub fn parse(
        frame: Bytes,
        namespaces: &StreamNamespaces,
        limits: &Limits,
    ) -> Result<Self, ParseError> {
        let top = read_top(&frame, namespaces, limits)?;
        if top.plain && top.borrowed_prefixes.is_empty() {
            return read(&frame, &top);
        }
        // What was added are declarations; the rest has passed the limits of its stream.
        Self::parse_again(Element::parse(&frame, namespaces, limits)?.to_bytes(ns::CLIENT))
    }

    /// Reads what [`write`](Self::write) wrote. It has passed the limits of the stream that it came from; what
    /// the server added since, such as the sender, shall not make it unreadable.
    ///
    /// # Errors
    /// See [`ParseError`].
    pub fn parse_again(written: Bytes) -> Result<Self, ParseError> {
        let namespaces = StreamNamespaces::with_default(ns::CLIENT);
        read(&written, &read_top(&written, &namespaces, &TRUSTED)?)
    }
}

/// The attributes of a stanza, not yet understood.
#[derive(Default)]
struct Attributes<'a> {
    to: Option<&'a str>,
    from: Option<&'a str>,
    id: Option<&'a str>,
    type_name: Option<&'a str>,
    lang: Option<&'a str>,
    /// Everything else, as written.
    others: Vec<Range<usize>>,
}

impl<'a> Attributes<'a> {
    fn of(top: &'a Top<'_>) -> Self {
        let mut all = Self::default();
        for attribute in &top.attributes {
            match all.field(attribute) {
                Some(field) => *field = Some(&attribute.value),
                None => all.others.push(attribute.range.clone()),
            }
        }
        // The default namespace is that of the stream; declarations of prefixes may be used inside.
        let prefixes = top
            .declarations
            .iter()
            .filter(|declaration| !declaration.prefix.is_empty());
        all.others
            .extend(prefixes.map(|declaration| declaration.range.clone()));
        all
    }

    /// Where an attribute that is defined for all stanzas goes (RFC 6120 §8.1).
    fn field(&mut self, attribute: &TopAttribute<'_>) -> Option<&mut Option<&'a str>> {
        match (&*attribute.namespace, attribute.name) {
            ("", "to") => Some(&mut self.to),
            ("", "from") => Some(&mut self.from),
            ("", "id") => Some(&mut self.id),
            ("", "type") => Some(&mut self.type_name),
            (ns::XML, "lang") => Some(&mut self.lang),
            _ => None,
        }
    }
}

/// Makes a stanza of a top element whose content stands for itself.
fn read(frame: &Bytes, top: &Top<'_>) -> Result<Stanza, ParseError> {
    let attributes = Attributes::of(top);
    let (kind, known_type) = kind(top, attributes.type_name)?;
    let mut stanza = Stanza::new(kind);
    stanza.id = attributes.id.map(Into::into);
    let lacks_id = matches!(kind, Kind::Iq(_)) && stanza.id.is_none();
    if lacks_id {
        // RFC 6120 §8.2.3, rule 3: whatever is wrong with it, the answer has an id, which is empty then.
        stanza.id = Some("".into());
    }
    stanza.lang = attributes.lang.map(Into::into);
    let from = attributes.from.map(Jid::parse).transpose();
    stanza.from = from.map_err(|_| ParseError::InvalidFrom)?;
    match attributes.to.map(Jid::parse).transpose() {
        Ok(to) => stanza.to = to,
        Err(error) => return Err(fault(stanza, Condition::JidMalformed, error.to_string())),
    }
    if !known_type {
        return Err(fault(
            stanza,
            Condition::BadRequest,
            "the type is missing or unknown",
        ));
    }
    if let Kind::Iq(iq_type) = kind {
        check_iq(&mut stanza, iq_type, lacks_id, top)?;
    }
    let payload = if top.content.is_empty() {
        Bytes::new()
    } else {
        frame.slice(top.content.clone())
    };
    let names = top
        .children
        .iter()
        .map(|child| {
            let offset = top.content.start;
            let range = child.range.start - offset..child.range.end - offset;
            PayloadName::new(&child.namespace, child.name, range)
        })
        .collect();
    stanza.content = Content::new(verbatim(frame, &attributes.others), payload, names);
    Ok(stanza)
}

/// The kind of a stanza by its name and type; and whether the type is one that the standard knows.
fn kind(top: &Top<'_>, type_name: Option<&str>) -> Result<(Kind, bool), ParseError> {
    let kind = match top.name {
        "message" => Some(Kind::Message(
            type_name.map(MessageType::from_name).unwrap_or_default(),
        )),
        "presence" => match type_name {
            None => Some(Kind::Presence(PresenceType::Available)),
            Some(name) => PresenceType::from_name(name).map(Kind::Presence),
        },
        "iq" => type_name.and_then(IqType::from_name).map(Kind::Iq),
        _ => return Err(ParseError::UnsupportedStanzaType),
    };
    if top.namespace != ns::CLIENT {
        return Err(ParseError::InvalidNamespace);
    }
    let to_be_answered = if top.name == "iq" {
        Kind::Iq(IqType::Get)
    } else {
        Kind::Presence(PresenceType::Available)
    };
    Ok((kind.unwrap_or(to_be_answered), kind.is_some()))
}

/// RFC 6120 §8.2.3: an IQ has an id (rule 1), and a request exactly one child (rule 5).
fn check_iq(
    stanza: &mut Stanza,
    iq_type: IqType,
    lacks_id: bool,
    top: &Top<'_>,
) -> Result<(), ParseError> {
    let text = if lacks_id {
        "an iq has an id"
    } else if iq_type.is_request() && top.children.len() != 1 {
        "a request has exactly one child element"
    } else {
        return Ok(());
    };
    Err(fault(
        std::mem::replace(stanza, Stanza::new(stanza.kind)),
        Condition::BadRequest,
        text,
    ))
}

/// These ranges of a frame, each with a space before it.
fn verbatim(frame: &Bytes, ranges: &[Range<usize>]) -> Bytes {
    let mut out = Vec::new();
    for range in ranges {
        out.push(b' ');
        out.extend_from_slice(frame.get(range.clone()).unwrap_or_default());
    }
    out.into()
}

fn fault(
    stanza: Stanza,
    condition: Condition,
    text: impl Into<std::borrow::Cow<'static, str>>,
) -> ParseError {
    let error = StanzaError::new(condition).with_text(text);
    ParseError::Stanza(Box::new(StanzaFault { stanza, error }))
}
