//! XEP-0054: vcard-temp.
//!
//! What is in a vCard is its owner's affair, except for the photo, whose hash goes into the presence of the
//! account's clients (`vcard_avatar.rs`).

use futures_util::FutureExt;
use rookery_extension::{
    Addressee, Answer, ContactKind, Feature, Host, IqContext, IqHandler, IqMethod, IqRequest, Keep,
    Order, Outcome, Registry, Relation, Scope, Spec, Standard, Status,
};
use rookery_stanza::{BareJid, Condition, StanzaError};
use rookery_storage::DataWrite;
use rookery_storage::record::Record;
use rookery_xml::Element;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::account_records::{AccountRecords, StoredElement, refusal};
use crate::vcard_avatar::{self, PhotoHash};
use crate::{ConfigError, user_search};

/// The namespace of vCards, which is also the feature.
pub(crate) const NAMESPACE: &str = "vcard-temp";

/// The kind of the record; an account has one.
pub(crate) const KIND: &str = "vcard";

/// `[features.vcard]`: what people tell about themselves (XEP-0054), a photo among it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The most bytes of a vCard with its photo, which is a third larger than its file; a larger one gets
    /// `not-acceptable`.
    pub max_bytes: usize,
}

/// Keeps vCards and shows them.
#[derive(Debug)]
pub struct VCard {
    max_bytes: usize,
    records: AccountRecords,
}

/// What somebody wants (§3).
pub enum VCardRequest {
    /// To see it.
    Get,
    /// To put this one in its place.
    Set(Element),
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Self {
            max_bytes: 128 * 1024,
        }
    }
}

impl Config {
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        ConfigError::at_least_one("vcard.max_bytes", self.max_bytes)
    }
}

// === impl VCard ===

impl VCard {
    pub(crate) fn new(config: &Config, records: &AccountRecords) -> Self {
        Self {
            max_bytes: config.max_bytes,
            records: records.clone(),
        }
    }

    /// §3.1, §3.3. An account that shows none cannot be told from one that does not exist.
    fn get(&self, account: BareJid, relation: Relation) -> Answer {
        let records = self.records.clone();
        let read = async move {
            match records.read(&account, KIND, None).await?.first() {
                Some(datum) => {
                    let read = StoredElement::from_record(&datum.value);
                    Ok(Some(read.map_err(|error| refusal(&error))?.0))
                }
                None if relation == Relation::Own => Ok(Some(Element::new("vCard", NAMESPACE))),
                None => Err(Condition::ServiceUnavailable.into()),
            }
        };
        Answer::Later(read.boxed())
    }

    /// §3.2. The hash of the photo changes together with the vCard.
    fn set(&self, account: BareJid, vcard: Element) -> Answer {
        let photo = PhotoHash::of(&vcard);
        let write = write(vcard);
        if matches!(&write, DataWrite::Put { value, .. } if value.len() > self.max_bytes) {
            let error = StanzaError::new(Condition::NotAcceptable);
            return Answer::Now(Err(error.with_text("the vCard is too large")));
        }
        let records = self.records.clone();
        let change = async move {
            let writes = vec![write, vcard_avatar::write(photo.as_ref())];
            match records.write(account, writes).await {
                Ok(()) => Outcome {
                    answer: Ok(None),
                    before: vec![Order::Keep(Keep::new(photo))],
                    after: Vec::new(),
                },
                Err(error) => Outcome::from(Err(error)),
            }
        };
        Answer::Ordered(change.boxed())
    }
}

/// Keeps a vCard, or nothing where it says nothing.
fn write(vcard: Element) -> DataWrite {
    let (kind, name) = (KIND, String::new());
    if vcard.children().next().is_none() {
        return DataWrite::Remove { kind, name };
    }
    let terms = user_search::terms(&vcard);
    DataWrite::Put {
        kind,
        name,
        value: StoredElement(vcard).to_record(),
        terms,
    }
}

/// The vCard of a host (§3.3, note): its name, and the people behind it.
fn of_host(host: &Host) -> Element {
    let said = |name: &'static str, text: &str| Element::new(name, NAMESPACE).with_text(text);
    let vcard = Element::new("vCard", NAMESPACE)
        .with_child(said("FN", host.name()))
        .with_child(said("JABBERID", host.name()));
    let people = host.contacts.addresses.get(&ContactKind::Admin);
    let addresses = people
        .into_iter()
        .flatten()
        .filter_map(|uri| uri.strip_prefix("mailto:"));
    addresses.fold(vcard, |vcard, address| {
        let email = Element::new("EMAIL", NAMESPACE).with_child(said("USERID", address));
        vcard.with_child(email)
    })
}

// === impl Feature ===

impl Feature for VCard {
    fn spec(&self) -> Spec {
        Spec {
            name: "vcard",
            source: file!(),
            standards: &[Standard {
                document: "XEP-0054",
                title: "vcard-temp",
                version: "1.3.0",
                status: Status::Complete,
                note: "",
            }],
            host_features: &[NAMESPACE],
            account_features: &[NAMESPACE],
            ..Spec::EMPTY
        }
    }

    fn install(self: Box<Self>, registry: &mut Registry) {
        registry.iq(*self);
    }
}

// === impl IqHandler ===

impl IqHandler for VCard {
    type Request = VCardRequest;
    // §5: a vCard is there for the whole world to read.
    const SCOPE: Scope = Scope {
        host: true,
        account: Some(Relation::Stranger),
    };

    fn handle(&self, request: VCardRequest, context: IqContext<'_>) -> Answer {
        match (request, context.addressee) {
            (VCardRequest::Get, Addressee::Host) => Answer::Now(Ok(Some(of_host(context.host)))),
            (VCardRequest::Get, Addressee::Account(account, relation)) => {
                self.get(account.clone(), *relation)
            }
            (VCardRequest::Set(vcard), Addressee::Account(account, Relation::Own)) => {
                self.set(account.clone(), vcard)
            }
            // §3.2.
            (VCardRequest::Set(_), _) => Answer::Now(Err(Condition::Forbidden.into())),
        }
    }
}

// === impl IqRequest ===

impl IqRequest for VCardRequest {
    const NAME: &'static str = "vCard";
    const NAMESPACE: &'static str = NAMESPACE;

    fn parse(method: IqMethod, payload: &Element) -> Result<Self, StanzaError> {
        Ok(match method {
            IqMethod::Get => Self::Get,
            IqMethod::Set => Self::Set(payload.clone()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Got, Scene, host_with_contacts};

    const GET: &str = "<vCard xmlns='vcard-temp'/>";
    const JULIET: &str =
        "<vCard xmlns='vcard-temp'><FN>Juliet</FN><N><GIVEN>Juliet</GIVEN></N></vCard>";

    fn parsed(vcard: &str) -> Element {
        Element::parse_str(vcard).unwrap()
    }

    fn condition(got: Got) -> Option<Condition> {
        Some(got?.err()?.condition)
    }

    fn with_vcard() -> Scene {
        let scene = Scene::new();
        assert_eq!(scene.tell_account(JULIET, Relation::Own), Some(Ok(None)));
        scene
    }

    #[test]
    fn own_vcard_is_kept_and_got_back_by_s3_1() {
        assert_eq!(
            with_vcard().account_says(GET, Relation::Own),
            parsed(JULIET)
        );
    }

    #[test]
    fn without_a_vcard_ones_own_is_empty_by_s3_1() {
        assert_eq!(Scene::new().account_says(GET, Relation::Own), parsed(GET));
    }

    #[test]
    fn update_takes_the_place_of_the_whole_vcard_by_s3_2() {
        let scene = with_vcard();
        let update = "<vCard xmlns='vcard-temp'><DESC>new</DESC></vCard>";
        scene.tell_account(update, Relation::Own);
        assert_eq!(scene.account_says(GET, Relation::Own), parsed(update));
        scene.tell_account(GET, Relation::Own);
        assert_eq!(scene.account_says(GET, Relation::Own), parsed(GET));
    }

    #[test]
    fn nobody_sets_the_vcard_of_another_by_s3_2() {
        let scene = with_vcard();
        for relation in [Relation::Subscriber, Relation::Stranger] {
            let answer = scene.tell_account(GET, relation);
            assert_eq!(condition(answer), Some(Condition::Forbidden));
        }
        assert_eq!(
            condition(scene.tell_host(JULIET)),
            Some(Condition::Forbidden)
        );
        assert_eq!(scene.account_says(GET, Relation::Own), parsed(JULIET));
    }

    #[test]
    fn anybody_sees_it_by_s3_3_and_s5() {
        let scene = with_vcard();
        for relation in [Relation::Subscriber, Relation::Stranger] {
            assert_eq!(scene.account_says(GET, relation), parsed(JULIET));
        }
    }

    #[test]
    fn account_without_one_answers_as_if_it_did_not_exist_by_s3_3() {
        for relation in [Relation::Subscriber, Relation::Stranger] {
            let answer = Scene::new().ask_account(GET, relation);
            assert_eq!(condition(answer), Some(Condition::ServiceUnavailable));
        }
    }

    #[test]
    fn host_has_one_by_s3_3() {
        let vcard = Scene::new().host_says(GET);
        assert_eq!(vcard.child("FN", NAMESPACE).unwrap().text(), "montague.lit");
        let mut host = host_with_contacts();
        let admin = vec![
            "xmpp:a@b".to_owned(),
            "mailto:prince@montague.lit".to_owned(),
        ];
        host.contacts.addresses.insert(ContactKind::Admin, admin);
        let vcard = Scene::with_host(host).host_says(GET);
        let email = vcard.child("EMAIL", NAMESPACE).unwrap();
        let address = email.child("USERID", NAMESPACE).unwrap();
        assert_eq!(address.text(), "prince@montague.lit");
    }

    #[test]
    fn vcard_has_a_limit() {
        let scene = Scene::with_config(&crate::Config {
            vcard: Config { max_bytes: 100 },
            ..crate::Config::default()
        });
        let large = format!(
            "<vCard xmlns='vcard-temp'><DESC>{}</DESC></vCard>",
            "x".repeat(100)
        );
        let answer = scene.tell_account(&large, Relation::Own);
        assert_eq!(
            answer.unwrap().unwrap_err().condition,
            Condition::NotAcceptable
        );
        assert_eq!(scene.account_says(GET, Relation::Own), parsed(GET));
    }

    #[test]
    fn hosts_and_accounts_announce_it_by_s4() {
        let scene = Scene::new();
        assert!(scene.host_announces("vcard-temp"));
        assert!(scene.account_announces("vcard-temp"));
    }
}
