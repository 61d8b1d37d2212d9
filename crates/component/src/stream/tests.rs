//! Streams of components, as they must go (XEP-0114 §3; RFC 6120 §4).

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

const HEADER: &str = "<stream:stream xmlns='jabber:component:accept' \
    xmlns:stream='http://etherx.jabber.org/streams' to='Plays.shakespeare.lit'>";
const PLAYS: &str = "plays.shakespeare.lit";
const ID: &str = "3BF96D32";

#[derive(Debug)]
struct Plays(Secret);

impl Directory for Plays {
    fn secret(&self, component: &str) -> Option<Secret> {
        (component == PLAYS).then(|| self.0.clone())
    }
}

struct Peer {
    stream: Stream,
    now: Instant,
}

/// What a stream wanted, as far as tests look at it.
#[derive(Debug, Default)]
struct Answered {
    sent: String,
    opened: Option<String>,
    stanzas: Vec<Stanza>,
    faults: Vec<StanzaFault>,
    ending: Option<Ending>,
    disconnects: bool,
}

impl Peer {
    #[expect(
        clippy::disallowed_methods,
        reason = "any moment will do, and nothing waits"
    )]
    fn new() -> Self {
        let directory = Arc::new(Plays(Secret::new("test")));
        let now = Instant::now();
        let config = Arc::new(Config::default());
        Self {
            stream: Stream::new(config, directory, ID.to_owned(), now),
            now,
        }
    }

    /// A peer that has proved to be the component.
    fn open() -> Self {
        let mut peer = Self::new();
        peer.send(HEADER);
        let answered = peer.send("<handshake>aaee83c26aeeafcbabeabfcbcd50df997e0a2a1e</handshake>");
        assert_eq!(answered.opened.as_deref(), Some(PLAYS));
        assert_eq!(answered.sent, "<handshake/>");
        peer
    }

    fn send(&mut self, text: &str) -> Answered {
        let mut effects = Vec::new();
        self.stream.receive(text.as_bytes(), self.now, &mut effects);
        answered(effects)
    }

    fn wait(&mut self, seconds: u64) -> Answered {
        self.now += Duration::from_secs(seconds);
        let mut effects = Vec::new();
        self.stream.tick(self.now, &mut effects);
        answered(effects)
    }
}

fn answered(effects: Vec<Effect>) -> Answered {
    let mut answered = Answered::default();
    for effect in effects {
        match effect {
            Effect::Send(bytes) => {
                answered.sent.push_str(std::str::from_utf8(&bytes).unwrap());
            }
            Effect::Opened(component) => answered.opened = Some(component),
            Effect::Stanza(stanza) => answered.stanzas.push(stanza),
            Effect::Fault(fault) => answered.faults.push(*fault),
            Effect::Closing(ending) => answered.ending = Some(ending),
            Effect::Disconnect => answered.disconnects = true,
        }
    }
    answered
}

impl Answered {
    fn condition(&self) -> Option<StreamCondition> {
        match &self.ending {
            Some(Ending::Error(error)) => Some(error.condition),
            _ => None,
        }
    }
}

fn written(stanza: &Stanza) -> String {
    let mut out = Vec::new();
    stanza.write(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn header_is_answered_with_the_name_of_the_component_and_an_id_by_s3() {
    let answered = Peer::new().send(HEADER);
    assert_eq!(
        answered.sent,
        "<?xml version='1.0'?><stream:stream from='plays.shakespeare.lit' id='3BF96D32' \
         xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams'>"
    );
    assert_eq!(answered.ending, None);
}

#[test]
fn unknown_component_gets_header_error_and_end_by_s3() {
    for to in [
        "to='other.lit'",
        "to='a@plays.shakespeare.lit'",
        "",
        "to=''",
    ] {
        let header = HEADER.replace("to='Plays.shakespeare.lit'", to);
        let answered = Peer::new().send(&header);
        assert_eq!(answered.condition(), Some(StreamCondition::HostUnknown));
        let (head, error) = answered.sent.split_once("<stream:error>").unwrap();
        assert!(head.starts_with("<?xml version='1.0'?><stream:stream id='"));
        assert!(
            error.ends_with("</stream:error></stream:stream>"),
            "{error}"
        );
    }
}

#[test]
fn other_namespaces_are_invalid_by_s3() {
    for other in ["jabber:client", "jabber:component:connect", ""] {
        let header = HEADER.replace("jabber:component:accept", other);
        let answered = Peer::new().send(&header);
        assert_eq!(
            answered.condition(),
            Some(StreamCondition::InvalidNamespace)
        );
    }
    let answered = Peer::new().send(&HEADER.replace("http://etherx.jabber.org/streams", "x"));
    assert_eq!(
        answered.condition(),
        Some(StreamCondition::InvalidNamespace)
    );
}

#[test]
fn wrong_proof_is_not_authorized_by_s3() {
    for wrong in [
        "<handshake>AAEE83C26AEEAFCBABEABFCBCD50DF997E0A2A1E</handshake>",
        "<handshake>aaee83c26aeeafcbabeabfcbcd50df997e0a2a1f</handshake>",
        "<handshake/>",
        "<handshake xmlns='x'>aaee83c26aeeafcbabeabfcbcd50df997e0a2a1e</handshake>",
        "<message from='plays.shakespeare.lit' to='a@b'/>",
    ] {
        let mut peer = Peer::new();
        peer.send(HEADER);
        let answered = peer.send(wrong);
        assert_eq!(answered.condition(), Some(StreamCondition::NotAuthorized));
        assert_eq!(answered.opened, None);
        let after = peer.send("<handshake>aaee83c26aeeafcbabeabfcbcd50df997e0a2a1e</handshake>");
        assert_eq!(after.opened, None, "the stream is over");
    }
}

#[test]
fn stanzas_become_those_of_clients_without_being_rewritten() {
    let mut peer = Peer::open();
    let answered = peer.send(
        "<message from='romeo@plays.shakespeare.lit/orchard' to='juliet@capulet.lit' type='chat'>\
         <body>I dreamt</body><x xmlns='y'/></message>",
    );
    let [stanza] = &answered.stanzas[..] else {
        panic!("one stanza")
    };
    assert!(stanza.has("body", ns::CLIENT) && stanza.has("x", "y"));
    assert_eq!(stanza.payload(), "<body>I dreamt</body><x xmlns='y'/>");
}

#[test]
fn stanzas_that_name_their_namespace_mean_the_same() {
    let mut peer = Peer::open();
    for stanza in [
        "<message xmlns='jabber:component:accept' from='plays.shakespeare.lit' to='a@b'><body>1</body></message>",
        "<message from='plays.shakespeare.lit' to='a@b'><body xmlns='jabber:component:accept'>1</body></message>",
        "<message xmlns='jabber:client' from='plays.shakespeare.lit' to='a@b'><body>1</body></message>",
    ] {
        let answered = peer.send(stanza);
        assert_eq!(
            written(&answered.stanzas[0]),
            "<message from='plays.shakespeare.lit' to='a@b'><body>1</body></message>"
        );
    }
}

#[test]
fn prefixes_of_the_header_are_declared_where_they_are_used() {
    let mut peer = Peer::new();
    peer.send(&HEADER.replace("to=", "xmlns:c='jabber:component:accept' xmlns:q='y' to="));
    peer.send("<handshake>aaee83c26aeeafcbabeabfcbcd50df997e0a2a1e</handshake>");
    let message =
        "<message from='plays.shakespeare.lit' to='a@b'><c:body>1</c:body><q:x/></message>";
    let answered = peer.send(message);
    assert!(answered.stanzas[0].has("body", ns::CLIENT), "{answered:?}");
    assert!(answered.stanzas[0].has("x", "y"));
}

#[test]
fn sender_is_of_the_domain_of_the_component_by_s3() {
    for (from, condition) in [
        ("from='romeo@montague.lit'", StreamCondition::InvalidFrom),
        (
            "from='x.plays.shakespeare.lit'",
            StreamCondition::InvalidFrom,
        ),
        ("from='shakespeare.lit'", StreamCondition::InvalidFrom),
        ("from='@'", StreamCondition::InvalidFrom),
        ("", StreamCondition::ImproperAddressing),
    ] {
        let answered = Peer::open().send(&format!("<message {from} to='a@b'/>"));
        assert_eq!(answered.condition(), Some(condition), "{from}");
        assert!(answered.stanzas.is_empty());
    }
}

#[test]
fn recipient_is_there_by_s3() {
    let answered = Peer::open().send("<message from='plays.shakespeare.lit'/>");
    assert_eq!(
        answered.condition(),
        Some(StreamCondition::ImproperAddressing)
    );
}

#[test]
fn faulty_stanza_is_answered_and_the_stream_goes_on() {
    let mut peer = Peer::open();
    let answered = peer.send("<iq from='plays.shakespeare.lit' to='a@b' type='what' id='1'/>");
    assert_eq!(answered.faults.len(), 1);
    let answered = peer.send("<message from='plays.shakespeare.lit' to='@'/>");
    assert_eq!(answered.faults.len(), 1);
    assert_eq!(
        peer.send("<presence from='plays.shakespeare.lit' to='a@b'/>")
            .stanzas
            .len(),
        1
    );
    let answered = peer.send("<iq from='montague.lit' to='@' type='get' id='1'/>");
    assert_eq!(answered.condition(), Some(StreamCondition::InvalidFrom));
}

#[test]
fn other_elements_are_unsupported_by_rfc6120_s4_9_3_24() {
    for other in ["<handshake/>", "<route/>", "<x xmlns='y'/>"] {
        let answered = Peer::open().send(other);
        assert_eq!(
            answered.condition(),
            Some(StreamCondition::UnsupportedStanzaType)
        );
    }
}

#[test]
fn both_sides_end_a_stream_by_rfc6120_s4_4() {
    let answered = Peer::open().send("</stream:stream>");
    assert_eq!(answered.ending, Some(Ending::ByPeer));
    assert_eq!(answered.sent, "</stream:stream>");
    assert!(answered.disconnects);

    let error =
        "<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>";
    let mut peer = Peer::open();
    let answered = peer.send(error);
    assert_eq!(answered.ending, Some(Ending::ByPeer));
    assert!(!answered.disconnects);
    assert!(peer.send("</stream:stream>").disconnects);
}

#[test]
fn whoever_proves_nothing_has_little_time_and_few_bytes_by_rfc6120_s13_12() {
    let mut peer = Peer::new();
    peer.send(HEADER);
    assert_eq!(peer.wait(29).condition(), None);
    assert_eq!(
        peer.wait(1).condition(),
        Some(StreamCondition::ConnectionTimeout)
    );
    assert!(peer.wait(5).disconnects);

    let mut peer = Peer::new();
    peer.send(HEADER);
    let answered = peer.send(&" ".repeat(70_000));
    assert_eq!(answered.condition(), Some(StreamCondition::PolicyViolation));
    let mut peer = Peer::new();
    let large = format!("{HEADER}<handshake>{}", "a".repeat(20_000));
    assert_eq!(
        peer.send(&large).condition(),
        Some(StreamCondition::PolicyViolation)
    );
}

#[test]
fn silence_is_probed_with_a_space_by_rfc6120_s4_6_1() {
    let mut peer = Peer::open();
    assert_eq!(peer.wait(299).sent, "");
    assert_eq!(peer.wait(1).sent, " ");
    assert_eq!(peer.wait(299).sent, "");
}

#[test]
fn many_stanzas_at_once_are_taken_in_turns() {
    let mut peer = Peer::open();
    let presence = "<presence from='plays.shakespeare.lit' to='a@b'/>";
    let mut taken = peer.send(&presence.repeat(200)).stanzas.len();
    assert!(taken < 100 && peer.stream.has_more());
    while peer.stream.has_more() {
        taken += peer.send("").stanzas.len();
    }
    assert_eq!(taken, 200);
}

#[test]
fn xml_that_is_refused_has_its_condition_by_rfc6120_s11() {
    let answered = Peer::open().send("<!-- -->");
    assert_eq!(answered.condition(), Some(StreamCondition::RestrictedXml));
    let answered = Peer::new().send("<a><b></a>");
    assert_eq!(
        answered.condition(),
        Some(StreamCondition::InvalidNamespace)
    );
}

/// Pieces that streams of components are made of, and of which they are not.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let texts = [
        "<message from='a@plays.shakespeare.lit' to='b@example.com'><body>x</body></message>",
        "<message from='plays.shakespeare.lit' to='@' id='1'><body/></message>",
        "<iq xmlns='jabber:component:accept' from='plays.shakespeare.lit' to='x.y' type='get'/>",
        "<c:presence xmlns:c='jabber:component:accept' from='plays.shakespeare.lit' to='x.y'/>",
        "<message from='localhost' to='b@example.com'/>",
        "<handshake/>",
        "<x><y/></x>",
        "<stream:error/>",
        "</stream:stream>",
        "<!-- -->",
        "<message from='plays.shakespeare.lit' to='b@example.com'>",
        "</message>",
        " ",
        HEADER,
    ];
    let piece = prop_oneof![
        8 => proptest::sample::select(texts.to_vec()).prop_map(|text| text.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..8),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// What becomes of bytes that come in parts of at most this size.
fn heard(mut peer: Peer, bytes: &[u8], part: usize) -> (Vec<String>, String, bool, bool) {
    let mut effects = Vec::new();
    for part in bytes.chunks(part.max(1)) {
        peer.stream.receive(part, peer.now, &mut effects);
        while peer.stream.has_more() {
            peer.stream.receive(&[], peer.now, &mut effects);
        }
    }
    let all = answered(effects);
    let stanzas = all.stanzas.iter().map(written).collect();
    (stanzas, all.sent, all.opened.is_some(), all.disconnects)
}

proptest! {
    #[test]
    fn what_a_component_says_means_the_same_however_it_is_cut(bytes in pieces(), part in 1_usize..40) {
        let whole = heard(Peer::open(), &bytes, bytes.len());
        prop_assert_eq!(&whole, &heard(Peer::open(), &bytes, part));
        for stanza in &whole.0 {
            let read = Stanza::parse_again(stanza.clone().into()).unwrap();
            let from = read.from.unwrap();
            prop_assert_eq!(from.domain(), PLAYS);
            prop_assert!(read.to.is_some());
        }
    }

    #[test]
    fn nobody_becomes_a_component_without_the_proof(bytes in pieces(), part in 1_usize..40) {
        let mut peer = Peer::new();
        peer.send(HEADER);
        for peer in [Peer::new(), peer] {
            let (stanzas, _, opened, _) = heard(peer, &bytes, part);
            prop_assert!(stanzas.is_empty() && !opened);
        }
    }
}
