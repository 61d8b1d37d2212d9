//! The gate, with stanzas as clients write them and with random histories.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rookery_delivery::{Custody, Delivery};
use rookery_stanza::payload::carbon::{Carbon, Direction};
use rookery_stanza::payload::client_state::ClientState;
use rookery_stanza::{BareJid, Jid, Kind, MessageType, PresenceType, RowId, Stanza};

use super::{Config, Gate, Passed};

const AVAILABLE: &str = "<presence from='romeo@montague.lit/orchard' id='available'/>";
const AWAY: &str =
    "<presence from='romeo@montague.lit/orchard' id='away'><show>away</show></presence>";
const GONE: &str = "<presence from='romeo@montague.lit/orchard' id='gone' type='unavailable'/>";
const NURSE: &str = "<presence from='nurse@capulet.lit/hall' id='nurse'/>";
const COMPOSING: &str = "<message from='romeo@montague.lit/orchard' type='chat' id='composing'>\
     <composing xmlns='http://jabber.org/protocol/chatstates'/><no-store xmlns='urn:xmpp:hints'/></message>";
const PAUSED: &str = "<message from='romeo@montague.lit/orchard' type='chat' id='paused'>\
     <paused xmlns='http://jabber.org/protocol/chatstates'/></message>";
const BODY: &str = "<message from='romeo@montague.lit/orchard' type='chat' id='body'><body>Soft!</body>\
     <active xmlns='http://jabber.org/protocol/chatstates'/></message>";

fn delivery(xml: &str) -> Delivery {
    Delivery::from(Stanza::parse_again(xml.to_owned().into()).unwrap())
}

fn inactive() -> Gate {
    let mut gate = Gate::default();
    assert!(gate.indicate(ClientState::Inactive).is_empty());
    gate
}

fn ids(deliveries: &[Delivery]) -> Vec<&str> {
    let ids = deliveries.iter().map(|delivery| &delivery.stanza.id);
    ids.map(|id| id.as_deref().unwrap()).collect()
}

fn deliver(gate: &mut Gate, stanzas: &[&str]) -> Passed {
    let batch = stanzas.iter().map(|xml| delivery(xml)).collect();
    gate.deliver(batch, &Config::default())
}

/// Whether a stanza is sent to an inactive client at once.
fn passes(xml: &str) -> bool {
    !deliver(&mut inactive(), &[xml]).send.is_empty()
}

#[test]
fn each_stream_begins_active_s5() {
    let mut gate = Gate::default();
    assert!(gate.is_open());
    let passed = deliver(&mut gate, &[AVAILABLE, COMPOSING, BODY]);
    assert_eq!(ids(&passed.send), ["available", "composing", "body"]);
    assert_eq!(gate.waiting().count(), 0);
}

#[test]
fn presence_waits_until_the_client_is_active_and_is_then_the_latest_s3_2() {
    let mut gate = inactive();
    let passed = deliver(&mut gate, &[AVAILABLE, NURSE, AWAY, GONE]);
    assert!(passed.send.is_empty());
    assert_eq!(passed.replaced, 2);
    let replaced = [AVAILABLE, AWAY].map(|xml| delivery(xml).stanza.size());
    assert_eq!(passed.replaced_bytes, replaced.iter().sum::<usize>());
    assert_eq!(ids(&gate.indicate(ClientState::Active)), ["nurse", "gone"]);
    assert!(gate.is_open());
    assert_eq!(ids(&deliver(&mut gate, &[AVAILABLE]).send), ["available"]);
}

#[test]
fn of_chat_states_the_last_waits_s3_2() {
    let mut gate = inactive();
    assert_eq!(deliver(&mut gate, &[COMPOSING, AWAY, PAUSED]).replaced, 1);
    assert_eq!(ids(&gate.indicate(ClientState::Active)), ["away", "paused"]);
}

#[test]
fn what_is_important_takes_along_what_came_before_it() {
    let mut gate = inactive();
    assert!(deliver(&mut gate, &[AVAILABLE, COMPOSING]).send.is_empty());
    let passed = deliver(&mut gate, &[NURSE, BODY, GONE]);
    assert_eq!(
        ids(&passed.send),
        ["available", "composing", "nurse", "body"]
    );
    assert_eq!(ids(&gate.indicate(ClientState::Active)), ["gone"]);
}

#[test]
fn an_inactive_client_that_says_so_again_gets_nothing_s4_2() {
    let mut gate = inactive();
    deliver(&mut gate, &[AVAILABLE]);
    assert!(gate.indicate(ClientState::Inactive).is_empty());
    assert_eq!(gate.waiting().count(), 1);
}

#[test]
fn whatever_is_not_known_to_be_able_to_wait_is_important() {
    for important in [
        BODY,
        "<presence from='romeo@montague.lit' type='subscribe'/>",
        "<presence from='romeo@montague.lit' type='subscribed'/>",
        "<presence from='romeo@montague.lit' type='unsubscribe'/>",
        "<presence from='romeo@montague.lit' type='unsubscribed'/>",
        "<presence from='coven@chat.lit/witch' type='error'/>",
        "<iq from='capulet.lit' type='result' id='ping'/>",
        "<iq from='capulet.lit' type='set' id='push'><query xmlns='jabber:iq:roster'/></iq>",
        "<message from='romeo@montague.lit' type='error'>\
         <composing xmlns='http://jabber.org/protocol/chatstates'/></message>",
        "<message from='romeo@montague.lit'><subject>Balcony</subject></message>",
        "<message from='romeo@montague.lit'><received xmlns='urn:xmpp:receipts' id='1'/></message>",
        "<message from='romeo@montague.lit'><displayed xmlns='urn:xmpp:chat-markers:0' id='1'/></message>",
        "<message from='romeo@montague.lit'><propose xmlns='urn:xmpp:jingle-message:0' id='1'/></message>",
        "<message from='romeo@montague.lit'><x xmlns='urn:example:x'/></message>",
        "<message from='romeo@montague.lit'/>",
        "<presence/>",
    ] {
        assert!(passes(important), "{important}");
    }
}

#[test]
fn what_the_log_owes_does_not_wait() {
    let mut chat_state = delivery(COMPOSING);
    chat_state.custody = Custody::Log(RowId::from_halves(7, 7));
    let passed = inactive().deliver(vec![chat_state], &Config::default());
    assert_eq!(passed.send.len(), 1);
}

#[test]
fn presence_of_rooms_waits_and_each_counts_xep0045_s7_2() {
    let occupant = |id: &str, payload: &str| {
        format!(
            "<presence from='coven@chat.lit/witch' id='{id}'>\
             <x xmlns='http://jabber.org/protocol/muc#user'>{payload}</x></presence>"
        )
    };
    let item = "<item affiliation='member' role='participant'/>";
    let mut gate = inactive();
    let both = [occupant("1", item), occupant("2", item)];
    assert!(deliver(&mut gate, &[&both[0], &both[1]]).send.is_empty());
    let oneself = occupant("3", &format!("{item}<status code='110'/>"));
    assert_eq!(
        ids(&deliver(&mut gate, &[&oneself]).send),
        ["1", "2", "3"],
        "a client that joins waits for it"
    );
}

#[test]
fn real_time_text_waits_as_a_whole_xep0301_s4_2() {
    let text = |id: u8| {
        format!(
            "<message from='romeo@montague.lit/orchard' type='chat' id='{id}'>\
             <rtt xmlns='urn:xmpp:rtt:0' seq='{id}'><t>x</t></rtt></message>"
        )
    };
    let mut gate = inactive();
    let texts = [text(1), text(2)];
    assert!(deliver(&mut gate, &[&texts[0], &texts[1]]).send.is_empty());
    assert_eq!(ids(&gate.indicate(ClientState::Active)), ["1", "2"]);
}

#[test]
fn copies_wait_if_their_originals_would_xep0280() {
    let copied = |xml: &str, direction: Direction| {
        let account = BareJid::parse("juliet@capulet.lit").unwrap();
        let copy = Carbon::new(direction, &delivery(xml).stanza);
        let copy = copy.into_message(&account, MessageType::Chat);
        let mut gate = inactive();
        let passed = gate.deliver(vec![copy.into()], &Config::default());
        passed.send.len()
    };
    for direction in [Direction::Sent, Direction::Received] {
        assert_eq!(copied(COMPOSING, direction), 0);
        assert_eq!(copied(BODY, direction), 1);
    }
}

#[test]
fn with_more_than_may_wait_all_of_it_is_sent() {
    let small = Config {
        max_stanzas: 2,
        ..Config::default()
    };
    let mut gate = inactive();
    let batch = || [AVAILABLE, NURSE].map(delivery).to_vec();
    let passed = gate.deliver(batch(), &small);
    assert!(passed.send.is_empty() && !passed.overflowed);
    let passed = gate.deliver(vec![delivery(AWAY)], &small);
    assert!(passed.send.is_empty(), "one was replaced");
    let passed = gate.deliver(vec![delivery(COMPOSING), delivery(PAUSED)], &small);
    assert_eq!(ids(&passed.send), ["nurse", "away", "composing"]);
    assert!(passed.overflowed);
    assert_eq!(ids(&gate.open()), ["paused"]);

    let no_bytes = Config {
        max_bytes: 0,
        ..Config::default()
    };
    assert_eq!(inactive().deliver(batch(), &no_bytes).send.len(), 2);
}

#[test]
fn operator_chooses_what_waits_s3_2() {
    let config = Config {
        hold_presence: false,
        hold_chat_states: false,
        ..Config::default()
    };
    for xml in [AVAILABLE, COMPOSING] {
        assert_eq!(
            inactive().deliver(vec![delivery(xml)], &config).send.len(),
            1
        );
    }
}

#[test]
fn what_waits_when_the_connection_ends_is_not_lost_and_a_resumed_client_is_active_s5_2() {
    let mut gate = inactive();
    deliver(&mut gate, &[AVAILABLE, COMPOSING]);
    let waiting: Vec<Delivery> = gate.waiting().cloned().collect();
    assert_eq!(ids(&waiting), ["available", "composing"]);
    assert_eq!(ids(&gate.open()), ["available", "composing"]);
    assert!(gate.is_open() && gate.open().is_empty());
}

/// What happens to a gate.
#[derive(Clone, Debug)]
enum Event {
    /// The home delivers stanzas: from whom, and what.
    Deliver(Vec<(u8, What)>),
    Indicate(ClientState),
    /// The connection is lost.
    Detach,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Presence(PresenceType),
    Room,
    ChatState,
    Body,
    /// A chat state that the log owes.
    Owed,
    Iq,
}

fn written(sender: u8, what: What, id: usize) -> Delivery {
    let (name, kind, payload) = match what {
        What::Presence(kind) => ("presence", kind.as_str(), ""),
        What::Room => (
            "presence",
            None,
            "<x xmlns='http://jabber.org/protocol/muc#user'/>",
        ),
        What::ChatState | What::Owed => (
            "message",
            Some("chat"),
            "<active xmlns='http://jabber.org/protocol/chatstates'/>",
        ),
        What::Body => ("message", Some("chat"), "<body>x</body>"),
        What::Iq => ("iq", Some("get"), "<ping xmlns='urn:xmpp:ping'/>"),
    };
    let kind = kind
        .map(|kind| format!(" type='{kind}'"))
        .unwrap_or_default();
    let xml = format!("<{name} from='{sender}@capulet.lit/x' id='{id}'{kind}>{payload}</{name}>");
    let mut delivery = delivery(&xml);
    if what == What::Owed {
        delivery.custody = Custody::Log(RowId::from_halves(id as u64, 0));
    }
    delivery
}

fn number(delivery: &Delivery) -> usize {
    delivery.stanza.id.as_deref().unwrap().parse().unwrap()
}

fn event() -> impl Strategy<Value = Event> {
    let what = prop_oneof![
        4 => Just(What::Presence(PresenceType::Available)),
        2 => Just(What::Presence(PresenceType::Unavailable)),
        1 => Just(What::Presence(PresenceType::Subscribe)),
        2 => Just(What::Room),
        4 => Just(What::ChatState),
        1 => Just(What::Body),
        1 => Just(What::Owed),
        1 => Just(What::Iq),
    ];
    let batch = prop::collection::vec((0..3_u8, what), 0..6);
    prop_oneof![
        8 => batch.prop_map(Event::Deliver),
        1 => Just(Event::Indicate(ClientState::Active)),
        3 => Just(Event::Indicate(ClientState::Inactive)),
        1 => Just(Event::Detach),
    ]
}

/// The last presence of each sender.
fn presence(deliveries: &[Delivery]) -> BTreeMap<Jid, usize> {
    let presence = deliveries
        .iter()
        .filter(|delivery| matches!(delivery.stanza.kind, Kind::Presence(_)));
    presence
        .map(|delivery| (delivery.stanza.from.clone().unwrap(), number(delivery)))
        .collect()
}

proptest! {
    /// All that was delivered arrives, in the order in which it was, without what a later one replaced: so the
    /// client ends with the presence and the chat states that it would have without the gate.
    #[test]
    fn nothing_is_lost_overtaken_or_out_of_date(
        events in prop::collection::vec(event(), 1..30),
        max_stanzas in 0..8_usize,
    ) {
        let config = Config { max_stanzas, ..Config::default() };
        let mut gate = Gate::default();
        let (mut delivered, mut arrived) = (Vec::new(), Vec::new());
        let mut replaced = 0;
        for event in events {
            match event {
                Event::Deliver(stanzas) => {
                    let numbered = stanzas.into_iter().enumerate();
                    let batch: Vec<Delivery> = numbered
                        .map(|(at, (sender, what))| written(sender, what, delivered.len() + at))
                        .collect();
                    delivered.extend(batch.iter().cloned());
                    let passed = gate.deliver(batch, &config);
                    replaced += passed.replaced;
                    arrived.extend(passed.send);
                    prop_assert!(gate.waiting().count() <= max_stanzas);
                }
                Event::Indicate(state) => arrived.extend(gate.indicate(state)),
                Event::Detach => arrived.extend(gate.open()),
            }
            prop_assert_eq!(arrived.len() + gate.waiting().count() + replaced, delivered.len());
        }
        arrived.extend(gate.open());

        let numbers: Vec<usize> = arrived.iter().map(number).collect();
        prop_assert!(numbers.is_sorted(), "{numbers:?}");
        prop_assert_eq!(presence(&arrived), presence(&delivered));
        for missing in delivered.iter().filter(|it| numbers.binary_search(&number(it)).is_err()) {
            let same = |later: &&Delivery| {
                later.stanza.from == missing.stanza.from
                    && std::mem::discriminant(&later.stanza.kind) == std::mem::discriminant(&missing.stanza.kind)
                    && number(later) > number(missing)
            };
            prop_assert!(arrived.iter().any(|later| same(&later)), "{missing:?}");
            let momentary = missing.stanza.names().iter().all(|name| name.name() == "active");
            prop_assert!(momentary && missing.custody.row().is_none(), "{missing:?}");
        }
    }
}
