//! Whatever element comes, each payload is refused, or says the same when it is written and read again.

use proptest::prelude::*;
use rookery_xml::Element;
use std::fmt::Debug;

use super::archive::{Finish, Metadata, Preferences, Query, QueryResult};
use super::carbon::{Carbon, Switch};
use super::client_state::ClientState;
use super::forwarded::Forwarded;
use super::hint::Hint;
use super::result_set::{SetRequest, SetResult};
use super::retraction::{Retract, Retracted};
use super::stanza_id::{OriginId, StanzaId};
use crate::{BareJid, MessageType, Stanza, ns};

/// The elements that payloads are made of, each with what may stand in it.
const ELEMENTS: &[(&str, &str)] = &[
    ("query", ns::ARCHIVE),
    ("fin", ns::ARCHIVE),
    ("result", ns::ARCHIVE),
    ("metadata", ns::ARCHIVE),
    ("start", ns::ARCHIVE),
    ("end", ns::ARCHIVE),
    ("prefs", ns::ARCHIVE),
    ("always", ns::ARCHIVE),
    ("never", ns::ARCHIVE),
    ("jid", ns::ARCHIVE),
    ("flip-page", ns::ARCHIVE),
    ("set", ns::RESULT_SET),
    ("max", ns::RESULT_SET),
    ("after", ns::RESULT_SET),
    ("before", ns::RESULT_SET),
    ("index", ns::RESULT_SET),
    ("first", ns::RESULT_SET),
    ("last", ns::RESULT_SET),
    ("count", ns::RESULT_SET),
    ("x", ns::DATA_FORMS),
    ("sent", ns::CARBONS),
    ("received", ns::CARBONS),
    ("enable", ns::CARBONS),
    ("forwarded", ns::FORWARD),
    ("delay", ns::DELAY),
    ("message", ns::CLIENT),
    ("stanza-id", ns::STANZA_ID),
    ("origin-id", ns::STANZA_ID),
    ("retract", ns::RETRACTION),
    ("retracted", ns::RETRACTION),
    ("store", ns::HINTS),
    ("inactive", ns::CLIENT_STATE),
];

const ATTRIBUTES: &[&str] = &[
    "id",
    "by",
    "queryid",
    "node",
    "default",
    "complete",
    "stable",
    "timestamp",
    "stamp",
    "index",
    "type",
    "from",
    "to",
];

const VALUES: &[&str] = &[
    "",
    "1",
    "0",
    "true",
    "false",
    "-1",
    " 7 ",
    "a@b",
    "A@B/c",
    "@",
    "always",
    "roster",
    "submit",
    "chat",
    "2010-07-10T23:08:25Z",
    "2010-07-10T23:08:25.1+01:00",
    "99999999999999999999",
];

const FIELDS: &[&str] = &[
    "with",
    "start",
    "end",
    "before-id",
    "after-id",
    "ids",
    "include-groupchat",
    "other",
];

fn one_of(list: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(list)
}

/// A form that was filled in for a query.
fn filled() -> impl Strategy<Value = Element> {
    let field = (one_of(FIELDS), one_of(VALUES));
    prop::collection::vec(field, 0..4).prop_map(|fields| {
        let of = |name: &'static str, value: &'static str| {
            let value = Element::new("value", ns::DATA_FORMS).with_text(value);
            Element::new("field", ns::DATA_FORMS)
                .with_attribute("var", name)
                .with_child(value)
        };
        let form = Element::new("x", ns::DATA_FORMS)
            .with_attribute("type", "submit")
            .with_child(of("FORM_TYPE", ns::ARCHIVE));
        let add = |form: Element, (name, value)| form.with_child(of(name, value));
        fields.into_iter().fold(form, add)
    })
}

fn element() -> impl Strategy<Value = Element> {
    let leaf = (
        prop::sample::select(ELEMENTS),
        prop::collection::vec((one_of(ATTRIBUTES), one_of(VALUES)), 0..3),
        prop::option::of(one_of(VALUES)),
    )
        .prop_map(|((name, namespace), attributes, text)| {
            let mut element = Element::new(name, namespace);
            for (name, value) in attributes {
                element.set_attribute(name, value);
            }
            if let Some(text) = text {
                element.push_text(text);
            }
            element
        });
    leaf.prop_recursive(4, 24, 4, |inner| {
        let children = prop::collection::vec(inner.clone(), 0..4);
        (inner, children, prop::option::weighted(0.2, filled())).prop_map(
            |(parent, children, form)| {
                let parent = children.into_iter().fold(parent, Element::with_child);
                form.into_iter().fold(parent, Element::with_child)
            },
        )
    })
}

/// What can be read is written, and read again as the same.
fn holds<T: PartialEq + Debug, E: Debug>(
    element: &Element,
    parse: impl Fn(&Element) -> Result<T, E>,
    write: impl Fn(&T) -> Element,
) {
    if let Ok(read) = parse(element) {
        let written = write(&read).to_bytes("");
        let again = Element::parse_str(std::str::from_utf8(&written).unwrap()).unwrap();
        assert_eq!(parse(&again).unwrap(), read);
    }
}

/// The same for what has no reason to be refused but that it is something else.
fn holds_if<T: PartialEq + Debug>(
    element: &Element,
    parse: impl Fn(&Element) -> Option<T>,
    write: impl Fn(&T) -> Element,
) {
    holds(element, |element| parse(element).ok_or(()), write);
}

/// The first child of a message.
fn payload_of(carrier: &Stanza) -> Element {
    carrier.children().unwrap().swap_remove(0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn what_is_read_says_the_same_when_written(element in element()) {
        let account = BareJid::parse("a@b").unwrap();
        holds(&element, SetRequest::parse, SetRequest::to_element);
        holds(&element, SetResult::parse, SetResult::to_element);
        holds(&element, StanzaId::parse, StanzaId::to_element);
        holds(&element, OriginId::parse, OriginId::to_element);
        holds(&element, Retract::parse, Retract::to_element);
        holds(&element, Retracted::parse, Retracted::to_element);
        holds(&element, Query::parse, Query::to_element);
        holds(&element, Finish::parse, Finish::to_element);
        holds(&element, Metadata::parse, Metadata::to_element);
        holds(&element, Preferences::parse, Preferences::to_element);
        holds(&element, QueryResult::parse, |result| payload_of(&result.to_message()));
        holds(&element, Carbon::parse, |carbon| {
            payload_of(&carbon.clone().into_message(&account, MessageType::Chat))
        });
        holds(&element, Forwarded::parse, |forwarded| {
            let mut written = Vec::new();
            forwarded.write(&mut written);
            Element::parse_str(std::str::from_utf8(&written).unwrap()).unwrap()
        });
        holds_if(&element, Hint::parse, |hint| hint.to_element());
        holds_if(&element, Switch::parse, |switch| switch.to_element());
        holds_if(&element, ClientState::parse, |state| state.to_element());
    }
}
