//! XEP-0388: the extensible SASL profile on the wire, with what clients ask for in one step (XEP-0386, XEP-0480,
//! XEP-0484).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use rookery_stanza::{BareJid, Jid, date, ns};
use rookery_xml::{Element, XML_NAMESPACE};

use crate::effect::{Bind2, TokenUse, Wishes};
use crate::input::GrantedToken;
use crate::sasl::{Initial, SaslCondition};

/// The most characters that are kept of the name of a software or a device.
const NAME: usize = 64;
/// The most upgrade tasks that one client does in one authentication; there are not more.
const UPGRADES: usize = 4;

/// What a client sends in the course of an authentication. It may hold a password, and is not shown.
pub(crate) enum Request {
    /// `<authenticate/>`.
    Authenticate(Box<Authenticate>),
    /// `<response/>`.
    Response(Vec<u8>),
    /// `<abort/>`.
    Abort,
    /// `<next/>`: the name of the task.
    Next(String),
    /// `<task-data/>`: its payload.
    TaskData(Option<Element>),
}

/// `<authenticate/>`.
pub(crate) struct Authenticate {
    /// Empty where the client named none.
    pub(crate) mechanism: String,
    /// Not judged yet: an error in it counts only for a mechanism that is offered.
    pub(crate) initial: Initial,
    /// What the authenticator is told.
    pub(crate) wishes: Wishes,
    /// The stream that it would go on with.
    pub(crate) resume: Option<Element>,
    /// The resource that it asks for.
    pub(crate) bind: Option<BindRequest>,
}

/// `<bind/>` (XEP-0386 §"Performing the bind").
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct BindRequest {
    /// What the client calls itself.
    pub(crate) tag: Option<String>,
    /// What it wants of its session.
    pub(crate) bind2: Bind2,
    /// Whether it says that nobody looks at it (XEP-0352).
    pub(crate) inactive: bool,
}

// === impl Request ===

impl Request {
    /// Reads an element of the namespace of XEP-0388; `None` if clients send no such element.
    pub(crate) fn read(
        element: &Element,
        from: Option<&BareJid>,
    ) -> Option<Result<Self, SaslCondition>> {
        Some(Ok(match element.name() {
            "authenticate" => {
                Self::Authenticate(Box::new(Authenticate::read(element, from.cloned())))
            }
            "response" => return Some(data(element).map(Self::Response)),
            "abort" => Self::Abort,
            "next" => Self::Next(element.attribute("task").unwrap_or_default().to_owned()),
            "task-data" => Self::TaskData(element.children().next().cloned()),
            _ => return None,
        }))
    }
}

// === impl Authenticate ===

impl Authenticate {
    fn read(element: &Element, from: Option<BareJid>) -> Self {
        let child = |name, namespace| element.child(name, namespace);
        let agent = child("user-agent", ns::SASL2);
        let name = |of| {
            let text = agent?.child(of, ns::SASL2)?.text();
            let text: String = text.trim().chars().take(NAME).collect();
            Some(text).filter(|text| !text.is_empty())
        };
        let upgrades = element
            .children()
            .filter(|child| child.is("upgrade", ns::SASL_UPGRADE));
        let wishes = Wishes {
            from,
            agent: agent.and_then(|agent| uuid(agent.attribute("id")?)),
            software: name("software"),
            device: name("device"),
            token: child("request-token", ns::FAST)
                .and_then(|request| request.attribute("mechanism").map(str::to_owned)),
            fast: child("fast", ns::FAST).map(token_use),
            upgrades: upgrades
                .take(UPGRADES)
                .map(|upgrade| upgrade.text().into_owned())
                .collect(),
        };
        Self {
            mechanism: element
                .attribute("mechanism")
                .unwrap_or_default()
                .to_owned(),
            initial: child("initial-response", ns::SASL2).map(data).transpose(),
            wishes,
            resume: child("resume", ns::STREAM_MANAGEMENT).cloned(),
            bind: child("bind", ns::BIND2).map(BindRequest::read),
        }
    }
}

// === impl BindRequest ===

impl BindRequest {
    fn read(element: &Element) -> Self {
        let tag = element.child("tag", ns::BIND2).map(Element::text);
        Self {
            tag: tag
                .filter(|tag| !tag.is_empty())
                .map(std::borrow::Cow::into_owned),
            bind2: Bind2 {
                carbons: element.child("enable", ns::CARBONS).is_some(),
                enable: element.child("enable", ns::STREAM_MANAGEMENT).cloned(),
            },
            inactive: element.child("inactive", ns::CLIENT_STATE).is_some(),
        }
    }

    /// The resource for this client of `account`: what it calls itself, then what the server made
    /// (§"Resource identifier generation"). A tag that no resource may have is left out.
    pub(crate) fn resource(&self, account: &BareJid, made: String) -> String {
        let tagged = self.tag.as_ref().map(|tag| format!("{tag}/{made}"));
        tagged
            .filter(|resource| account.with_resource(resource).is_ok())
            .unwrap_or(made)
    }
}

/// `<fast/>` (XEP-0484 §"Client authenticates using FAST").
fn token_use(fast: &Element) -> TokenUse {
    TokenUse {
        count: fast
            .attribute("count")
            .and_then(|count| count.trim().parse().ok()),
        invalidate: matches!(fast.attribute("invalidate"), Some("1" | "true")),
    }
}

/// A UUID by the schema of XEP-0388, in lower case. The name of a client that is none is left out, as if the
/// client had not given itself one.
fn uuid(text: &str) -> Option<String> {
    const LENGTH: usize = 36;
    let fits = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    let is_uuid = text.len() == LENGTH && text.bytes().enumerate().all(fits);
    is_uuid.then(|| text.to_ascii_lowercase())
}

/// The data of an element: base64 without white space; no text is no bytes (§"SASL Data Encoding").
fn data(element: &Element) -> Result<Vec<u8>, SaslCondition> {
    if element.children().next().is_some() {
        return Err(SaslCondition::MalformedRequest);
    }
    STANDARD
        .decode(&*element.text())
        .map_err(|_| SaslCondition::IncorrectEncoding)
}

/// `<challenge/>`.
pub(crate) fn challenge(data: &[u8]) -> Bytes {
    element("challenge")
        .with_text(STANDARD.encode(data))
        .to_bytes(ns::CLIENT)
}

/// `<continue/>`, with one task.
pub(crate) fn proceed(data: Option<&[u8]>, task: &str) -> Bytes {
    let tasks = element("tasks").with_child(element("task").with_text(task));
    with_data(element("continue"), data)
        .with_child(tasks)
        .to_bytes(ns::CLIENT)
}

/// `<task-data/>`.
pub(crate) fn task_data(payload: Element) -> Bytes {
    element("task-data")
        .with_child(payload)
        .to_bytes(ns::CLIENT)
}

/// `<bound/>` (XEP-0386 §"Performing the bind"), with what the archive holds and the answer to `<enable/>`.
pub(crate) fn bound(outcomes: Vec<Element>) -> Element {
    let bound = Element::new("bound", ns::BIND2);
    outcomes.into_iter().fold(bound, Element::with_child)
}

/// `<success/>`, with the token and what came of what the client asked for along with it.
pub(crate) fn success(
    data: Option<&[u8]>,
    identity: &Jid,
    token: Option<GrantedToken>,
    outcomes: Vec<Element>,
) -> Bytes {
    let identity = element("authorization-identifier").with_text(identity.as_str());
    let mut success = with_data(element("success"), data).with_child(identity);
    for outcome in outcomes {
        success.push(outcome);
    }
    if let Some(GrantedToken { token, expiry }) = token {
        let granted = Element::new("token", ns::FAST)
            .with_attribute("expiry", date::format(expiry))
            .with_attribute("token", token);
        success.push(granted);
    }
    success.to_bytes(ns::CLIENT)
}

/// `<failure/>`; its condition is that of RFC 6120 §6.5.
pub(crate) fn failure(condition: SaslCondition, text: Option<&str>) -> Bytes {
    let mut failure = element("failure").with_child(Element::new(condition.as_str(), ns::SASL));
    if let Some(text) = text {
        let text = element("text")
            .with_attribute_ns("lang", XML_NAMESPACE, "en")
            .with_text(text);
        failure.push(text);
    }
    failure.to_bytes(ns::CLIENT)
}

fn with_data(element: Element, data: Option<&[u8]>) -> Element {
    match data {
        None => element,
        Some(data) => {
            let additional = Element::new("additional-data", ns::SASL2);
            element.with_child(additional.with_text(STANDARD.encode(data)))
        }
    }
}

fn element(name: &'static str) -> Element {
    Element::new(name, ns::SASL2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(inside: &str) -> Authenticate {
        let xml = format!(
            "<authenticate xmlns='{}' mechanism='PLAIN'>{inside}</authenticate>",
            ns::SASL2
        );
        let element = Element::parse_str(&xml).unwrap();
        match Request::read(&element, None).unwrap().unwrap() {
            Request::Authenticate(authenticate) => *authenticate,
            _ => panic!("not <authenticate/>"),
        }
    }

    #[test]
    fn an_initial_response_is_absent_or_empty_or_there_xep0388() {
        let initial = |inside: &str| read(inside).initial;
        assert_eq!(initial(""), Ok(None));
        assert_eq!(initial("<initial-response/>"), Ok(Some(vec![])));
        assert_eq!(
            initial("<initial-response>AGE=</initial-response>"),
            Ok(Some(b"\0a".to_vec()))
        );
        for bad in ["=", "A", " AGE=", "AGE=\n"] {
            assert_eq!(
                initial(&format!("<initial-response>{bad}</initial-response>")),
                Err(SaslCondition::IncorrectEncoding),
                "{bad:?}"
            );
        }
        assert_eq!(
            initial("<initial-response><x/></initial-response>"),
            Err(SaslCondition::MalformedRequest)
        );
    }

    #[test]
    fn a_user_agent_is_known_by_a_uuid_and_by_no_other_text_xep0388() {
        let agent = |id: &str| {
            let inside = format!(
                "<user-agent id='{id}'><software> AwesomeXMPP</software><device>{}</device></user-agent>",
                "\u{e4}".repeat(100)
            );
            read(&inside).wishes
        };
        let known = agent("D4565fa7-4d72-4749-b3d3-740edbf87770");
        assert_eq!(
            known.agent.as_deref(),
            Some("d4565fa7-4d72-4749-b3d3-740edbf87770")
        );
        assert_eq!(known.software.as_deref(), Some("AwesomeXMPP"));
        assert_eq!(known.device.unwrap().chars().count(), NAME);
        for id in ["", "d4565fa7", "d4565fa7-4d72-4749-b3d3-740edbf8777g"] {
            assert_eq!(agent(id).agent, None, "{id:?}");
        }
        assert_eq!(read("").wishes, Wishes::default());
    }

    #[test]
    fn what_is_asked_for_in_one_step_is_read_xep0386_xep0480_xep0484() {
        let asked = read(
            "<bind xmlns='urn:xmpp:bind:0'><tag>AwesomeXMPP</tag><enable xmlns='urn:xmpp:carbons:2'/>\
             <inactive xmlns='urn:xmpp:csi:0'/></bind>\
             <request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-ENDP'/>\
             <fast xmlns='urn:xmpp:fast:0' count='123' invalidate='true'/>\
             <upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-256</upgrade>",
        );
        let bind = asked.bind.unwrap();
        assert_eq!(bind.tag.as_deref(), Some("AwesomeXMPP"));
        assert!(bind.bind2.carbons && bind.inactive);
        assert_eq!(asked.wishes.token.as_deref(), Some("HT-SHA-256-ENDP"));
        let fast = TokenUse {
            count: Some(123),
            invalidate: true,
        };
        assert_eq!(asked.wishes.fast, Some(fast));
        assert_eq!(asked.wishes.upgrades, ["UPGR-SCRAM-SHA-256"]);
    }

    #[test]
    fn a_tag_comes_first_unless_no_resource_may_have_it_xep0386() {
        let account = BareJid::parse("juliet@example.com").unwrap();
        let resource = |tag: &str| {
            let bind = BindRequest {
                tag: Some(tag.to_owned()),
                ..BindRequest::default()
            };
            bind.resource(&account, "rQ7L".to_owned())
        };
        assert_eq!(resource("AwesomeXMPP"), "AwesomeXMPP/rQ7L");
        assert_eq!(resource("\u{7}"), "rQ7L");
        assert_eq!(resource(&"x".repeat(1023)), "rQ7L");
    }

    #[test]
    fn success_says_who_the_client_is_and_what_it_gets_xep0388_xep0484() {
        let jid = Jid::parse("juliet@example.com/a").unwrap();
        let token = GrantedToken {
            token: "secret".to_owned(),
            expiry: 1_584_023_775_000,
        };
        let text = success(Some(b"v=1"), &jid, Some(token), vec![bound(Vec::new())]);
        assert_eq!(
            String::from_utf8(text.to_vec()).unwrap(),
            "<success xmlns='urn:xmpp:sasl:2'><additional-data>dj0x</additional-data>\
             <authorization-identifier>juliet@example.com/a</authorization-identifier>\
             <bound xmlns='urn:xmpp:bind:0'/>\
             <token xmlns='urn:xmpp:fast:0' expiry='2020-03-12T14:36:15Z' token='secret'/></success>"
        );
    }
}
