//! XEP-0055: Jabber Search.
//!
//! On hosts that allow it, users find each other by what stands in their vCards (`vcard.rs`). Texts are
//! compared folded, from their beginning.

use std::sync::Arc;

use futures_util::FutureExt;
use rookery_extension::{
    Answer, Feature, Host, IqContext, IqHandler, IqMethod, IqRequest, Registry, Scope, Spec,
    Standard, Status,
};
use rookery_stanza::payload::data_form::{Field, FieldType, Form, FormType};
use rookery_stanza::{BareJid, Condition, StanzaError, ns};
use rookery_storage::record::Record as _;
use rookery_storage::{Datum, Store, Term};
use rookery_telemetry::Counter;
use rookery_xml::Element;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

use crate::account_records::{StoredElement, refusal};
use crate::{ConfigError, Parts, vcard};

/// The namespace of the requests, which is also the feature.
const NAMESPACE: &str = "jabber:iq:search";

/// The fields of §5.2, with their names for people and their places in a vCard.
const FIELDS: [SearchField; 4] = [
    SearchField::new("first", "Given name", &["N", "GIVEN"]),
    SearchField::new("last", "Family name", &["N", "FAMILY"]),
    SearchField::new("nick", "Nickname", &["NICKNAME"]),
    SearchField::new("email", "Email address", &["EMAIL", "USERID"]),
];

/// How many texts of one field of a vCard can be searched for.
const TEXTS: usize = 5;

/// How many characters of a text can be searched for.
const CHARACTERS: usize = 100;

/// `[features.user_search]`: how users find each other (XEP-0055). Whether they may is said for each host,
/// by `user_search` in its `[[host]]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The most users that one search finds.
    pub max_results: usize,
}

/// Finds users.
#[derive(Debug)]
pub struct UserSearch {
    max_results: usize,
    store: Arc<dyn Store>,
    searches: Counter,
}

/// What somebody wants (§2).
pub enum SearchRequest {
    /// To know by what users can be found.
    Fields,
    /// To find those that match all that was filled in.
    Search {
        /// What was filled in.
        terms: Vec<Term>,
        /// Whether that was a data form, and is answered by one (§3).
        form: bool,
    },
}

#[derive(Clone, Copy, Debug)]
struct SearchField {
    name: &'static str,
    label: &'static str,
    path: &'static [&'static str],
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Self { max_results: 50 }
    }
}

impl Config {
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        ConfigError::at_least_one("user_search.max_results", self.max_results)
    }
}

// === impl UserSearch ===

impl UserSearch {
    pub(crate) fn new(config: &Config, parts: &Parts) -> Self {
        Self {
            max_results: config.max_results,
            store: parts.store.clone(),
            searches: parts.metrics.counter(
                "user_searches_total",
                "How often do users search for others?",
            ),
        }
    }

    fn search(&self, host: &Host, terms: Vec<Term>, form: bool) -> Answer {
        if terms.is_empty() {
            // Everybody is no answer.
            let error = StanzaError::new(Condition::NotAcceptable);
            return Answer::Now(Err(error.with_text("fill in at least one field")));
        }
        self.searches.increment();
        let (store, host, limit) = (self.store.clone(), host.name().to_owned(), self.max_results);
        let search = async move {
            let found = store.find_data(&host, vcard::KIND, terms, limit).await;
            let found = found.map_err(|error| refusal(&error))?;
            let users: Vec<_> = found.iter().filter_map(user).collect();
            Ok(Some(if form {
                form_results(&users)
            } else {
                field_results(&users)
            }))
        };
        Answer::Later(search.boxed())
    }
}

/// What a vCard can be found by.
pub(crate) fn terms(vcard: &Element) -> Vec<Term> {
    let of_field = |field: SearchField| {
        let texts = field.texts(vcard).take(TEXTS);
        let folded = texts.filter_map(move |text| field.term(&text));
        folded.collect::<Vec<_>>()
    };
    FIELDS.into_iter().flat_map(of_field).collect()
}

/// A text as it is compared: without regard to case and to forms of the same characters.
fn fold(text: &str) -> String {
    let lower = text.trim().nfkc().flat_map(char::to_lowercase);
    lower.nfkc().take(CHARACTERS).collect()
}

/// A user who was found, and what there is to show.
fn user((account, datum): &(BareJid, Datum)) -> Option<(&BareJid, Element)> {
    let vcard = StoredElement::from_record(&datum.value).ok()?;
    Some((account, vcard.0))
}

/// Results as the elements of §2.
fn field_results(users: &[(&BareJid, Element)]) -> Element {
    let mut query = Element::new("query", NAMESPACE);
    for (account, vcard) in users {
        let mut item = Element::new("item", NAMESPACE).with_attribute("jid", account.to_string());
        for field in FIELDS {
            item.push(Element::new(field.name, NAMESPACE).with_text(field.text(vcard)));
        }
        query.push(item);
    }
    query
}

/// Results as a data form (§3).
fn form_results(users: &[(&BareJid, Element)]) -> Element {
    let mut form = Form::of_kind(FormType::Result, NAMESPACE).to_element();
    let field = |name, label, kind| {
        Element::new("field", ns::DATA_FORMS)
            .with_attribute("var", name)
            .with_attribute("label", label)
            .with_attribute("type", kind)
    };
    let mut reported =
        Element::new("reported", ns::DATA_FORMS).with_child(field("jid", "Address", "jid-single"));
    for SearchField { name, label, .. } in FIELDS {
        reported.push(field(name, label, "text-single"));
    }
    form.push(reported);
    let value = |name: &'static str, text: String| {
        let value = Element::new("value", ns::DATA_FORMS).with_text(text);
        Element::new("field", ns::DATA_FORMS)
            .with_attribute("var", name)
            .with_child(value)
    };
    for (account, vcard) in users {
        let jid = value("jid", account.to_string());
        let mut item = Element::new("item", ns::DATA_FORMS).with_child(jid);
        for field in FIELDS {
            item.push(value(field.name, field.text(vcard)));
        }
        form.push(item);
    }
    Element::new("query", NAMESPACE).with_child(form)
}

/// By what users can be found, in both ways (§2, §3).
fn fields() -> Element {
    const INSTRUCTIONS: &str = "Fill in what you know; the beginning of a name is enough.";
    let instructions = Element::new("instructions", NAMESPACE).with_text(INSTRUCTIONS);
    let mut query = Element::new("query", NAMESPACE).with_child(instructions);
    let mut form = Form::of_kind(FormType::Form, NAMESPACE)
        .with_title("Search for users")
        .with_instructions(INSTRUCTIONS);
    for SearchField { name, label, .. } in FIELDS {
        query.push(Element::new(name, NAMESPACE));
        let field = Field::new(name)
            .with_type(FieldType::TextSingle)
            .with_label(label);
        form = form.with_field(field);
    }
    query.with_child(form.to_element())
}

// === impl SearchField ===

impl SearchField {
    const fn new(name: &'static str, label: &'static str, path: &'static [&'static str]) -> Self {
        Self { name, label, path }
    }

    /// Its texts in a vCard, in order.
    fn texts(self, vcard: &Element) -> impl Iterator<Item = String> + use<'_> {
        let mut places = vec![vcard];
        for name in self.path {
            let children = places.iter().flat_map(|place| place.children());
            places = children
                .filter(|child| child.is(name, vcard::NAMESPACE))
                .collect();
        }
        places.into_iter().map(|place| place.text().into_owned())
    }

    /// The text to show, if there is one.
    fn text(self, vcard: &Element) -> String {
        self.texts(vcard).next().unwrap_or_default()
    }

    fn term(self, text: &str) -> Option<Term> {
        let (field, text) = (self.name, fold(text));
        (!text.is_empty()).then_some(Term { field, text })
    }
}

// === impl Feature ===

impl Feature for UserSearch {
    fn spec(&self) -> Spec {
        Spec {
            name: "user_search",
            source: file!(),
            standards: &[Standard {
                document: "XEP-0055",
                title: "Jabber Search",
                version: "1.3",
                status: Status::Complete,
                note: "Off until a host allows it; finds the host's own users.",
            }],
            switched_host_features: |host| if host.user_search { &[NAMESPACE] } else { &[] },
            ..Spec::EMPTY
        }
    }

    fn install(self: Box<Self>, registry: &mut Registry) {
        registry.iq(*self);
    }
}

// === impl IqHandler ===

impl IqHandler for UserSearch {
    type Request = SearchRequest;
    const SCOPE: Scope = Scope {
        host: true,
        account: None,
    };

    fn handle(&self, request: SearchRequest, context: IqContext<'_>) -> Answer {
        let host = context.host;
        if !host.user_search {
            return Answer::Now(Err(Condition::ServiceUnavailable.into()));
        }
        if context.from.domain() != host.name() {
            return Answer::Now(Err(Condition::Forbidden.into()));
        }
        match request {
            SearchRequest::Fields => Answer::Now(Ok(Some(fields()))),
            SearchRequest::Search { terms, form } => self.search(host, terms, form),
        }
    }
}

// === impl IqRequest ===

impl IqRequest for SearchRequest {
    const NAME: &'static str = "query";
    const NAMESPACE: &'static str = NAMESPACE;

    fn parse(method: IqMethod, payload: &Element) -> Result<Self, StanzaError> {
        if method == IqMethod::Get {
            return Ok(Self::Fields);
        }
        let form = payload.children().find_map(Form::parse);
        let is_wrong = |form: &Form| {
            form.form_type != FormType::Submit || form.kind().is_some_and(|kind| kind != NAMESPACE)
        };
        if form.as_ref().is_some_and(is_wrong) {
            return Err(Condition::BadRequest.into());
        }
        let text = |name: &'static str| match &form {
            Some(form) => form.value(name).map(str::to_owned),
            None => Some(payload.child(name, NAMESPACE)?.text().into_owned()),
        };
        let terms = FIELDS.into_iter();
        Ok(Self::Search {
            terms: terms
                .filter_map(|field| field.term(&text(field.name)?))
                .collect(),
            form: form.is_some(),
        })
    }
}

#[cfg(test)]
mod tests {
    use rookery_extension::Relation;

    use super::*;
    use crate::fixture::{Scene, montague};

    const JULIET: &str = "<vCard xmlns='vcard-temp'>\
        <N><FAMILY>Capulet</FAMILY><GIVEN>Juliet</GIVEN></N><NICKNAME>JuliC</NICKNAME>\
        <EMAIL><USERID>juliet@shakespeare.lit</USERID></EMAIL>\
        <EMAIL><USERID>other@shakespeare.lit</USERID></EMAIL></vCard>";

    fn with_juliet() -> Scene {
        let scene = Scene::with_host(Host {
            user_search: true,
            ..montague()
        });
        assert_eq!(scene.tell_account(JULIET, Relation::Own), Some(Ok(None)));
        scene
    }

    fn search(fields: &str) -> Result<Option<Element>, StanzaError> {
        let search = format!("<query xmlns='jabber:iq:search'>{fields}</query>");
        with_juliet().tell_host(&search).unwrap()
    }

    fn found(fields: &str) -> Element {
        search(fields).unwrap().unwrap()
    }

    #[test]
    fn fields_are_told_in_both_ways_s2_s3() {
        let query = with_juliet().host_says("<query xmlns='jabber:iq:search'/>");
        let form = query.children().find_map(Form::parse).unwrap();
        assert_eq!(form.kind(), Some(NAMESPACE));
        for field in ["first", "last", "nick", "email"] {
            assert!(query.child(field, NAMESPACE).is_some(), "{field}");
            assert!(form.field(field).is_some(), "{field}");
        }
    }

    #[test]
    fn whoever_matches_is_found_with_all_fields_s2() {
        let expected = "<query xmlns='jabber:iq:search'><item jid='juliet@montague.lit'>\
            <first>Juliet</first><last>Capulet</last><nick>JuliC</nick>\
            <email>juliet@shakespeare.lit</email></item></query>";
        let expected = Element::parse_str(expected).unwrap();
        for fields in [
            "<last>Capulet</last>",
            "<last> capu</last><first>JUL</first>",
            "<nick>ｊulic</nick>",
            "<email>other@</email>",
        ] {
            assert_eq!(found(fields), expected, "{fields}");
        }
    }

    #[test]
    fn nobody_found_is_an_empty_query_s2() {
        for fields in [
            "<last>Montague</last>",
            "<last>Capulet</last><first>Romeo</first>",
        ] {
            assert_eq!(found(fields), Element::new("query", NAMESPACE), "{fields}");
        }
    }

    #[test]
    fn a_form_is_answered_by_a_form_s3() {
        let form = "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>\
            <value>jabber:iq:search</value></field>\
            <field var='last'><value>capulet</value></field></x>";
        let query = found(form);
        let x = query.child("x", ns::DATA_FORMS).unwrap();
        assert_eq!(x.attribute("type"), Some("result"));
        assert_eq!(
            x.children().filter(|child| child.name() == "item").count(),
            1
        );
        let reported = x.child("reported", ns::DATA_FORMS).unwrap();
        assert_eq!(reported.children().count(), 5);
        let other = form.replace("jabber:iq:search", "jabber:iq:register");
        assert_eq!(search(&other).unwrap_err().condition, Condition::BadRequest);
    }

    #[test]
    fn a_search_for_nothing_finds_not_everybody() {
        for fields in ["", "<last/>", "<x-gender>male</x-gender>"] {
            let error = search(fields).unwrap_err();
            assert_eq!(error.condition, Condition::NotAcceptable, "{fields}");
        }
    }

    #[test]
    fn host_that_does_not_allow_it_neither_announces_nor_answers_it() {
        let scene = Scene::new();
        assert!(!scene.host_announces(NAMESPACE));
        let answer = scene.ask_host("<query xmlns='jabber:iq:search'/>").unwrap();
        assert_eq!(answer.unwrap_err().condition, Condition::ServiceUnavailable);
        assert!(with_juliet().host_announces(NAMESPACE));
    }

    #[test]
    fn texts_are_folded_and_bounded() {
        assert_eq!(fold("  ＪＵＬＩＥＴ \u{130}x"), "juliet i\u{307}x");
        assert_eq!(fold(&"x".repeat(1000)).len(), CHARACTERS);
        let many = "<NICKNAME>a</NICKNAME>".repeat(50);
        let vcard = format!("<vCard xmlns='vcard-temp'>{many}</vCard>");
        assert_eq!(terms(&Element::parse_str(&vcard).unwrap()).len(), TEXTS);
    }
}
