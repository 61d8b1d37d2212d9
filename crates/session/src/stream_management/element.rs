//! XEP-0198: the elements that are exchanged, which are no stanzas and are never counted.

use rookery_stanza::{Condition, ns};
use rookery_xml::Element;

use super::resumption::SmId;

/// What a client sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `<enable/>` (§3).
    Enable(Enable),
    /// `<resume/>` (§5).
    Resume(Resume),
    /// `<r/>`: asks how many stanzas were handled (§4).
    Request,
    /// `<a/>`: says how many stanzas the client has handled, modulo 2^32 (§4).
    Answer(u32),
}

/// `<enable/>` (§3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Enable {
    /// The client wants to be able to resume the stream.
    pub resume: bool,
    /// For how long at most, in seconds.
    pub max: Option<u32>,
}

/// `<resume/>` (§5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resume {
    /// The stream to resume.
    pub previous: SmId,
    /// How many stanzas of that stream the client has handled, modulo 2^32.
    pub handled: u32,
}

/// What the server sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// `<enabled/>` (§3).
    Enabled(Option<Resumable>),
    /// `<resumed/>` (§5).
    Resumed {
        /// The stream that was resumed.
        previous: SmId,
        /// How many stanzas of the client were handled, modulo 2^32.
        handled: u32,
    },
    /// `<failed/>` (§6).
    Failed(Failed),
    /// `<r/>` (§4).
    Request,
    /// `<a/>`: how many stanzas of the client were handled, modulo 2^32 (§4).
    Answer(u32),
}

/// What `<enabled/>` says of a stream that can be resumed (§3, §5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resumable {
    /// What to resume it by.
    pub id: SmId,
    /// For how many seconds after its connection was lost.
    pub max: u32,
    /// Where to connect for it, as `host:port` or `host` (RFC 6120 §4.9.3.19).
    pub location: Option<Box<str>>,
}

/// Why nothing was enabled or resumed (§6); the stream goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed {
    /// The reason.
    pub condition: Condition,
    /// How many stanzas were handled of a session that cannot be resumed any more, modulo 2^32 (§5).
    pub handled: Option<u32>,
}

/// An element that is not as its schema says (§13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ElementError {
    /// An `<enable/>`, whose answer is `<failed/>`.
    #[error("the attributes of enable are malformed")]
    Enable,
    /// A `<resume/>`, whose answer is `<failed/>`.
    #[error("resume needs a previd, and a number as h")]
    Resume,
    /// An `<a/>`: what it acknowledges is not known.
    #[error("a needs a number as h")]
    Answer,
}

// === impl Command ===

impl Command {
    /// Reads an element. `None`: it is none that a client sends.
    ///
    /// # Errors
    /// See [`ElementError`].
    pub fn parse(element: &Element) -> Result<Option<Self>, ElementError> {
        if element.namespace() != ns::STREAM_MANAGEMENT {
            return Ok(None);
        }
        let command = match element.name() {
            "enable" => Self::Enable(Enable::parse(element).ok_or(ElementError::Enable)?),
            "resume" => Self::Resume(Resume::parse(element).ok_or(ElementError::Resume)?),
            "r" => Self::Request,
            "a" => Self::Answer(handled(element).ok_or(ElementError::Answer)?),
            _ => return Ok(None),
        };
        Ok(Some(command))
    }
}

impl Enable {
    fn parse(element: &Element) -> Option<Self> {
        let resume = match element.attribute("resume") {
            None | Some("false" | "0") => false,
            Some("true" | "1") => true,
            Some(_) => return None,
        };
        let max = match element.attribute("max") {
            None => None,
            Some(seconds) => Some(positive(seconds)?),
        };
        Some(Self { resume, max })
    }
}

impl Resume {
    fn parse(element: &Element) -> Option<Self> {
        Some(Self {
            previous: SmId::new(element.attribute("previd")?),
            handled: handled(element)?,
        })
    }
}

// === impl Reply ===

impl Reply {
    /// The element.
    pub fn to_element(&self) -> Element {
        let named = |name: &'static str| Element::new(name, ns::STREAM_MANAGEMENT);
        match self {
            Self::Enabled(None) => named("enabled"),
            Self::Enabled(Some(resumable)) => {
                let enabled = named("enabled")
                    .with_attribute("id", resumable.id.as_str().to_owned())
                    .with_attribute("resume", "true")
                    .with_attribute("max", resumable.max.to_string());
                match &resumable.location {
                    Some(location) => enabled.with_attribute("location", location.to_string()),
                    None => enabled,
                }
            }
            Self::Resumed { previous, handled } => named("resumed")
                .with_attribute("h", handled.to_string())
                .with_attribute("previd", previous.as_str().to_owned()),
            Self::Failed(failed) => failed.to_element(),
            Self::Request => named("r"),
            Self::Answer(handled) => named("a").with_attribute("h", handled.to_string()),
        }
    }
}

// === impl Failed ===

impl Failed {
    /// Sent in the wrong order: before binding, a second time (§3).
    pub const OUT_OF_ORDER: Self = Self::new(Condition::UnexpectedRequest);

    /// A failure with this reason.
    pub const fn new(condition: Condition) -> Self {
        Self {
            condition,
            handled: None,
        }
    }

    fn to_element(self) -> Element {
        let reason = Element::new(self.condition.as_str(), ns::STANZA_ERRORS);
        let failed = Element::new("failed", ns::STREAM_MANAGEMENT).with_child(reason);
        match self.handled {
            Some(handled) => failed.with_attribute("h", handled.to_string()),
            None => failed,
        }
    }
}

/// The attribute `h`: an `xs:unsignedInt`.
fn handled(element: &Element) -> Option<u32> {
    digits(element.attribute("h")?)?.parse().ok()
}

/// An `xs:positiveInteger`; one that is too large is the largest that there is.
fn positive(text: &str) -> Option<u32> {
    let digits = digits(text)?.trim_start_matches('0');
    (!digits.is_empty()).then(|| digits.parse().unwrap_or(u32::MAX))
}

/// Decimal digits, and nothing else but the white space around them that XML Schema takes away.
fn digits(text: &str) -> Option<&str> {
    let text = text.trim_matches([' ', '\t', '\n', '\r']);
    let all = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    all.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(xml: &str) -> Result<Option<Command>, ElementError> {
        let with_namespace = xml.replacen(' ', " xmlns='urn:xmpp:sm:3' ", 1);
        Command::parse(&Element::parse_str(&with_namespace).unwrap())
    }

    fn written(reply: &Reply) -> String {
        String::from_utf8(reply.to_element().to_bytes("").to_vec()).unwrap()
    }

    #[test]
    fn client_enables_with_or_without_resumption_s3() {
        let enable = |resume, max| Ok(Some(Command::Enable(Enable { resume, max })));
        assert_eq!(parse("<enable />"), enable(false, None));
        assert_eq!(parse("<enable resume='true'/>"), enable(true, None));
        assert_eq!(
            parse("<enable resume='1' max='600'/>"),
            enable(true, Some(600))
        );
        assert_eq!(parse("<enable resume='0'/>"), enable(false, None));
        assert_eq!(
            parse("<enable max='99999999999999999999'/>"),
            enable(false, Some(u32::MAX))
        );
        for bad in ["resume='yes'", "max='0'", "max='-1'", "max=''", "max='1.5'"] {
            assert_eq!(
                parse(&format!("<enable {bad}/>")),
                Err(ElementError::Enable)
            );
        }
    }

    #[test]
    fn client_resumes_by_id_and_count_s5() {
        assert_eq!(
            parse("<resume h='4294967295' previd='some-long-sm-id'/>"),
            Ok(Some(Command::Resume(Resume {
                previous: SmId::new("some-long-sm-id"),
                handled: u32::MAX,
            })))
        );
        for bad in [
            "h='1'",
            "previd='a'",
            "h='x' previd='a'",
            "h='4294967296' previd='a'",
        ] {
            assert_eq!(
                parse(&format!("<resume {bad}/>")),
                Err(ElementError::Resume)
            );
        }
    }

    #[test]
    fn acknowledgements_have_a_count_s4() {
        assert_eq!(parse("<r />"), Ok(Some(Command::Request)));
        assert_eq!(parse("<a h='0'/>"), Ok(Some(Command::Answer(0))));
        assert_eq!(parse("<a h=' 7 '/>"), Ok(Some(Command::Answer(7))));
        for bad in ["", "h=''", "h='-1'", "h='+1'", "h='4294967296'", "h='1e3'"] {
            assert_eq!(parse(&format!("<a {bad}/>")), Err(ElementError::Answer));
        }
        assert_eq!(parse("<enabled />"), Ok(None));
        let other = Element::parse_str("<r xmlns='urn:xmpp:sm:2'/>").unwrap();
        assert_eq!(Command::parse(&other), Ok(None));
    }

    #[test]
    fn server_writes_the_examples_of_s3_to_s6() {
        let id = SmId::new("some-long-sm-id");
        let rows = [
            (Reply::Enabled(None), "<enabled xmlns='urn:xmpp:sm:3'/>"),
            (
                Reply::Enabled(Some(Resumable {
                    id: id.clone(),
                    max: 600,
                    location: Some("[2001:41D0:1:A49b::1]:9222".into()),
                })),
                "<enabled xmlns='urn:xmpp:sm:3' id='some-long-sm-id' resume='true' max='600' \
                 location='[2001:41D0:1:A49b::1]:9222'/>",
            ),
            (
                Reply::Resumed {
                    previous: id,
                    handled: 7,
                },
                "<resumed xmlns='urn:xmpp:sm:3' h='7' previd='some-long-sm-id'/>",
            ),
            (
                Reply::Failed(Failed::OUT_OF_ORDER),
                "<failed xmlns='urn:xmpp:sm:3'>\
                 <unexpected-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>",
            ),
            (
                Reply::Failed(Failed {
                    handled: Some(9),
                    ..Failed::new(Condition::ItemNotFound)
                }),
                "<failed xmlns='urn:xmpp:sm:3' h='9'>\
                 <item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>",
            ),
            (Reply::Request, "<r xmlns='urn:xmpp:sm:3'/>"),
            (Reply::Answer(10), "<a xmlns='urn:xmpp:sm:3' h='10'/>"),
        ];
        for (reply, expected) in rows {
            assert_eq!(written(&reply), expected);
        }
    }
}
