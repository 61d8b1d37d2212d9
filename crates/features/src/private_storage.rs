//! XEP-0049: Private XML Storage.
//!
//! Bookmarks (XEP-0048), notes and settings of clients are such elements; nothing is known of any.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::FutureExt;
use rookery_extension::{
    Answer, Feature, IqContext, IqHandler, IqMethod, IqRequest, Outcome, Registry, Relation, Scope,
    Spec, Standard, Status,
};
use rookery_stanza::{BareJid, Condition, StanzaError};
use rookery_storage::DataWrite;
use rookery_storage::record::Record;
use rookery_xml::Element;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ConfigError;
use crate::account_records::{AccountRecords, StoredElement, refusal};

const NAMESPACE: &str = "jabber:iq:private";

/// The kind of the records; the name of each is that of the element, behind its namespace in braces.
const KIND: &str = "private";

/// `[features.private_storage]`: what clients keep on the server for themselves (XEP-0049): bookmarks,
/// notes, settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The most bytes of one element; a larger one gets `not-acceptable`.
    pub max_element_bytes: usize,
    /// The most elements of an account; a request for more gets `resource-constraint`.
    pub max_elements: usize,
}

/// Keeps elements of clients.
#[derive(Debug)]
pub struct PrivateStorage {
    config: Config,
    records: AccountRecords,
}

/// What a client wants (§2.2).
pub enum PrivateRequest {
    /// The elements of these names.
    Get(Vec<Element>),
    /// These elements in place of those of the same names.
    Set(Vec<Element>),
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Self {
            max_element_bytes: 64 * 1024,
            max_elements: 100,
        }
    }
}

impl Config {
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        ConfigError::at_least_one("private_storage.max_element_bytes", self.max_element_bytes)?;
        ConfigError::at_least_one("private_storage.max_elements", self.max_elements)
    }
}

// === impl PrivateStorage ===

impl PrivateStorage {
    pub(crate) fn new(config: &Config, records: &AccountRecords) -> Self {
        Self {
            config: config.clone(),
            records: records.clone(),
        }
    }

    fn set(&self, account: BareJid, elements: Vec<Element>) -> Answer {
        let mut names: Vec<String> = elements.iter().map(record_name).collect();
        let writes: Vec<DataWrite> = elements.into_iter().map(write).collect();
        let too_large = |write: &DataWrite| match write {
            DataWrite::Put { value, .. } => value.len() > self.config.max_element_bytes,
            _ => false,
        };
        if writes.iter().any(too_large) {
            let error = StanzaError::new(Condition::NotAcceptable);
            return Answer::Now(Err(error.with_text("the element is too large")));
        }
        let (records, most) = (self.records.clone(), self.config.max_elements);
        let change = async move {
            let kept = records.read(&account, KIND, None).await?;
            names.extend(kept.into_iter().map(|datum| datum.name));
            names.sort_unstable();
            names.dedup();
            if names.len() > most {
                let error = StanzaError::new(Condition::ResourceConstraint);
                return Err(error.with_text("too many elements"));
            }
            records.write(account, writes).await.map(|()| None)
        };
        Answer::Ordered(change.map(Outcome::from).boxed())
    }

    /// Reads once, however many elements are asked for.
    fn get(&self, account: BareJid, asked: Vec<Element>) -> Answer {
        let records = self.records.clone();
        let read = async move {
            let only = match asked.as_slice() {
                [only] => Some(record_name(only)),
                _ => None,
            };
            let kept = records.read(&account, KIND, only.as_deref()).await?;
            let kept: BTreeMap<String, Vec<u8>> = kept
                .into_iter()
                .map(|datum| (datum.name, datum.value))
                .collect();
            let mut query = Element::new("query", NAMESPACE);
            for empty in asked {
                query.push(match kept.get(&record_name(&empty)) {
                    Some(value) => {
                        let read = StoredElement::from_record(value);
                        read.map_err(|error| refusal(&error))?.0
                    }
                    None => Element::new(empty.name().to_owned(), empty.namespace().to_owned()),
                });
            }
            Ok(Some(query))
        };
        Answer::Later(read.boxed())
    }
}

/// What an element is kept as.
fn record_name(element: &Element) -> String {
    format!("{{{}}}{}", element.namespace(), element.name())
}

/// Keeps an element, or nothing where it is empty: that is what a client gets which asks for one that is not
/// there.
fn write(element: Element) -> DataWrite {
    let (kind, name) = (KIND, record_name(&element));
    let empty = element.attributes().next().is_none()
        && element.children().next().is_none()
        && element.text().is_empty();
    if empty {
        return DataWrite::Remove { kind, name };
    }
    DataWrite::Put {
        kind,
        name,
        value: StoredElement(element).to_record(),
        terms: Vec::new(),
    }
}

// === impl Feature ===

impl Feature for PrivateStorage {
    fn spec(&self) -> Spec {
        Spec {
            name: "private_storage",
            source: file!(),
            standards: &[Standard {
                document: "XEP-0049",
                title: "Private XML Storage",
                version: "1.2",
                status: Status::Complete,
                note: "One element of each name and namespace, whichever the namespace.",
            }],
            host_features: &[NAMESPACE],
            ..Spec::EMPTY
        }
    }

    fn install(self: Box<Self>, registry: &mut Registry) {
        registry.iq(*self);
    }
}

// === impl IqHandler ===

impl IqHandler for PrivateStorage {
    type Request = PrivateRequest;
    // §4: nobody but the account itself.
    const SCOPE: Scope = Scope {
        host: false,
        account: Some(Relation::Own),
    };

    fn handle(&self, request: PrivateRequest, context: IqContext<'_>) -> Answer {
        let account = context.account.jid.clone();
        match request {
            PrivateRequest::Get(asked) => self.get(account, asked),
            PrivateRequest::Set(elements) => self.set(account, elements),
        }
    }
}

// === impl IqRequest ===

impl IqRequest for PrivateRequest {
    const NAME: &'static str = "query";
    const NAMESPACE: &'static str = NAMESPACE;

    /// §2.3: at least one element in a namespace of its own; a request for data names one namespace only.
    /// Two elements of one name would be two values of one record.
    fn parse(method: IqMethod, payload: &Element) -> Result<Self, StanzaError> {
        let mut elements: Vec<Element> = payload.children().cloned().collect();
        let foreign = |element: &Element| !matches!(element.namespace(), "" | NAMESPACE);
        match method {
            IqMethod::Get if elements.is_empty() => Err(Condition::BadRequest.into()),
            _ if elements.is_empty() || !elements.iter().all(foreign) => {
                Err(Condition::NotAcceptable.into())
            }
            IqMethod::Get => {
                let one = elements.iter().zip(elements.iter().skip(1));
                if one.clone().any(|(a, b)| a.namespace() != b.namespace()) {
                    return Err(Condition::BadRequest.into());
                }
                // Each once, or the answer could be much larger than what is kept.
                let mut names = BTreeSet::new();
                elements.retain(|element| names.insert(element.name().to_owned()));
                Ok(Self::Get(elements))
            }
            IqMethod::Set => {
                let mut names: Vec<String> = elements.iter().map(record_name).collect();
                names.sort_unstable();
                names.dedup();
                if names.len() < elements.len() {
                    return Err(Condition::BadRequest.into());
                }
                Ok(Self::Set(elements))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Got, Scene};

    fn query(children: &str) -> String {
        format!("<query xmlns='jabber:iq:private'>{children}</query>")
    }

    fn set(scene: &Scene, children: &str) -> Got {
        scene.tell_account(&query(children), Relation::Own)
    }

    fn get(scene: &Scene, children: &str) -> Element {
        scene.account_says(&query(children), Relation::Own)
    }

    fn condition(got: Got) -> Option<Condition> {
        Some(got?.err()?.condition)
    }

    const EXODUS: &str = "<exodus xmlns='exodus:prefs'><defaultnick>Hamlet</defaultnick></exodus>";
    const BOOKMARKS: &str = "<storage xmlns='storage:bookmarks'>\
        <conference name='Council' autojoin='true' jid='council@conference.underhill.org'>\
        <nick>Puck</nick></conference></storage>";

    #[test]
    fn element_is_kept_and_got_back_by_s2_3() {
        let scene = Scene::new();
        assert_eq!(set(&scene, EXODUS), Some(Ok(None)));
        let got = get(&scene, "<exodus xmlns='exodus:prefs'/>");
        assert_eq!(got, Element::parse_str(&query(EXODUS)).unwrap());
    }

    #[test]
    fn bookmarks_of_xep_0048_are_such_an_element() {
        let scene = Scene::new();
        set(&scene, EXODUS);
        assert_eq!(set(&scene, BOOKMARKS), Some(Ok(None)));
        let got = get(&scene, "<storage xmlns='storage:bookmarks'/>");
        assert_eq!(got, Element::parse_str(&query(BOOKMARKS)).unwrap());
    }

    #[test]
    fn element_that_is_not_there_is_empty() {
        let asked = "<exodus xmlns='exodus:prefs'/>";
        assert_eq!(
            get(&Scene::new(), asked),
            Element::parse_str(&query(asked)).unwrap()
        );
    }

    #[test]
    fn later_element_takes_the_place_of_the_one_of_its_name() {
        let scene = Scene::new();
        set(&scene, EXODUS);
        let second = "<exodus xmlns='exodus:prefs'><x/></exodus>";
        set(&scene, second);
        let got = get(&scene, "<exodus xmlns='exodus:prefs'/>");
        assert_eq!(got, Element::parse_str(&query(second)).unwrap());
        set(&scene, "<exodus xmlns='exodus:prefs'/>");
        let got = get(&scene, "<exodus xmlns='exodus:prefs'/>");
        assert_eq!(got.children().next().unwrap().children().count(), 0);
    }

    #[test]
    fn request_without_a_child_gets_the_conditions_of_s2_3() {
        let scene = Scene::new();
        assert_eq!(
            condition(scene.ask_own_account(&query(""))),
            Some(Condition::BadRequest)
        );
        assert_eq!(condition(set(&scene, "")), Some(Condition::NotAcceptable));
    }

    #[test]
    fn child_without_a_namespace_of_its_own_is_not_acceptable_by_s2_3() {
        let scene = Scene::new();
        for child in ["<exodus/>", "<exodus xmlns=''/>"] {
            assert_eq!(
                condition(set(&scene, child)),
                Some(Condition::NotAcceptable)
            );
            let got = scene.ask_own_account(&query(child));
            assert_eq!(condition(got), Some(Condition::NotAcceptable));
        }
    }

    #[test]
    fn one_namespace_is_asked_for_at_a_time_by_s2_3() {
        let two = query("<a xmlns='urn:a'/><a xmlns='urn:b'/>");
        assert_eq!(
            condition(Scene::new().ask_own_account(&two)),
            Some(Condition::BadRequest)
        );
    }

    #[test]
    fn elements_of_one_namespace_are_kept_together_by_s2_3() {
        let scene = Scene::new();
        let both = "<a xmlns='urn:a'>1</a><b xmlns='urn:a'>2</b>";
        assert_eq!(set(&scene, both), Some(Ok(None)));
        let got = get(&scene, "<a xmlns='urn:a'/><b xmlns='urn:a'/>");
        assert_eq!(got, Element::parse_str(&query(both)).unwrap());
    }

    #[test]
    fn element_that_is_asked_for_again_and_again_is_answered_once() {
        let scene = Scene::new();
        set(&scene, "<a xmlns='urn:a'>1</a>");
        let got = get(&scene, &"<a xmlns='urn:a'/><b xmlns='urn:a'/>".repeat(3));
        let once = query("<a xmlns='urn:a'>1</a><b xmlns='urn:a'/>");
        assert_eq!(got, Element::parse_str(&once).unwrap());
    }

    #[test]
    fn nobody_reads_or_writes_the_elements_of_others_by_s4() {
        let scene = Scene::new();
        set(&scene, EXODUS);
        for relation in [Relation::Subscriber, Relation::Stranger] {
            assert_eq!(scene.ask_account(&query(EXODUS), relation), None);
            assert_eq!(scene.tell_account(&query(EXODUS), relation), None);
        }
    }

    #[test]
    fn element_has_a_limit() {
        let scene = Scene::with_config(&crate::Config {
            private_storage: Config {
                max_element_bytes: 100,
                max_elements: 2,
            },
            ..crate::Config::default()
        });
        let large = format!("<a xmlns='urn:a'>{}</a>", "x".repeat(100));
        assert_eq!(
            condition(set(&scene, &large)),
            Some(Condition::NotAcceptable)
        );
        set(&scene, "<a xmlns='urn:a'>1</a><b xmlns='urn:a'>2</b>");
        let third = set(&scene, "<c xmlns='urn:a'>3</c>");
        assert_eq!(condition(third), Some(Condition::ResourceConstraint));
        assert_eq!(
            set(&scene, "<a xmlns='urn:a'>4</a>"),
            Some(Ok(None)),
            "not one more"
        );
    }

    #[test]
    fn account_has_a_limit() {
        let scene = Scene::with_config(&crate::Config {
            bytes_per_account: 200,
            ..crate::Config::default()
        });
        let large = format!("<a xmlns='urn:a'>{}</a>", "x".repeat(200));
        assert_eq!(
            condition(set(&scene, &large)),
            Some(Condition::ResourceConstraint)
        );
        assert_eq!(set(&scene, "<a xmlns='urn:a'>1</a>"), Some(Ok(None)));
    }
}
