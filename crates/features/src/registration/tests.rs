//! Registration, with passwords that are really hashed.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use rookery_extension::{
    AccountView, Addressee, BeforeLogin as _, EmptyRoster, Features, Host, IqMethod,
    IqRequest as _, Kept, NoSessions, Order, Outcome,
};
use rookery_stanza::payload::data_form::Form;
use rookery_stanza::{Jid, Kind};
use rookery_storage::memory::MemoryStore;
use rookery_storage::{
    AccountStore as _, Credentials, RosterStore as _, RosterUpdate, RosterWrite,
};
use rookery_xml::Element;

use super::*;
use crate::fixture::{Scene, juliet, montague, parts_on, store};

const GET: &str = "<query xmlns='jabber:iq:register'/>";

type Got = Result<Option<Element>, StanzaError>;

/// A host that allows new accounts.
struct Office {
    registration: Registration,
    store: Arc<MemoryStore>,
    host: Arc<Host>,
}

impl Office {
    fn new() -> Self {
        Self::with(&Config::default())
    }

    fn with(config: &Config) -> Self {
        let store = store();
        Self {
            registration: Registration::new(config, &parts_on(store.clone())),
            store,
            host: Arc::new(Host {
                registration: true,
                ..montague()
            }),
        }
    }

    /// Somebody without an account asks or fills in.
    async fn newcomer(&self, method: IqMethod, query: &str, last: u8) -> Got {
        let peer = IpAddr::V4(Ipv4Addr::new(192, 0, 2, last));
        let payload = Element::parse_str(query).unwrap();
        let newcomers = &self.registration.newcomers;
        newcomers.handle(method, payload, &self.host, peer).await
    }

    async fn register(&self, name: &str, password: &str) -> Got {
        let query = fields(name, password);
        self.newcomer(IqMethod::Set, &query, 1).await
    }

    /// Juliet asks or fills in.
    async fn user(&self, method: IqMethod, query: &str) -> Outcome {
        let payload = Element::parse_str(query).unwrap();
        let from = Jid::parse("juliet@montague.lit/balcony").unwrap();
        let context = IqContext {
            method,
            from: &from,
            addressee: &Addressee::Host,
            host: &self.host,
            account: AccountView {
                jid: &juliet(),
                kept: Kept::NOTHING,
                roster: &EmptyRoster,
                sessions: &NoSessions,
                available: true,
                now: 0,
            },
            features: &Features::default(),
        };
        let request = match RegistrationRequest::parse(method, &payload) {
            Ok(request) => request,
            Err(error) => return Outcome::from(Err(error)),
        };
        match self.registration.changes.handle(request, context) {
            Answer::Now(answer) => Outcome::from(answer),
            Answer::Later(answer) => Outcome::from(answer.await),
            Answer::Ordered(outcome) => outcome.await,
            Answer::Results(_) => panic!("registration has no results"),
        }
    }

    async fn credentials(&self) -> Credentials {
        let found = self.store.credentials(&juliet()).await;
        found.unwrap().unwrap()
    }
}

fn fields(name: &str, password: &str) -> String {
    format!(
        "<query xmlns='jabber:iq:register'><username>{name}</username>\
         <password>{password}</password></query>"
    )
}

fn submitted(kind: &str, name: &str, password: &str) -> String {
    format!(
        "<query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='submit'>\
         <field var='FORM_TYPE'><value>{kind}</value></field>\
         <field var='username'><value>{name}</value></field>\
         <field var='password'><value>{password}</value></field></x></query>"
    )
}

fn refused(got: Got) -> Condition {
    got.unwrap_err().condition
}

#[tokio::test]
async fn newcomers_are_told_what_to_fill_in_by_s3_1_in_both_ways() {
    let got = Office::new().newcomer(IqMethod::Get, GET, 1).await;
    let query = got.unwrap().unwrap();
    let form = query.children().find_map(Form::parse).unwrap();
    assert_eq!(form.kind(), Some(NAMESPACE));
    for field in ["username", "password"] {
        assert!(query.child(field, NAMESPACE).is_some());
        assert!(form.field(field).unwrap().required);
    }
    assert!(query.child("registered", NAMESPACE).is_none());
}

#[tokio::test]
async fn fields_and_form_make_an_account_by_s3_1_and_s4() {
    let office = Office::new();
    assert_eq!(office.register("Romeo", "pencil").await, Ok(None));
    let form = submitted(NAMESPACE, "nurse", "pencil");
    assert_eq!(office.newcomer(IqMethod::Set, &form, 1).await, Ok(None));
    for account in ["romeo@montague.lit", "nurse@montague.lit"] {
        let account = BareJid::parse(account).unwrap();
        assert!(office.store.account_exists(&account).await.unwrap());
    }
}

#[tokio::test]
async fn name_that_is_taken_is_a_conflict_by_s3_1() {
    let got = Office::new().register("Juliet", "pencil").await;
    assert_eq!(refused(got), Condition::Conflict);
}

#[tokio::test]
async fn what_is_missing_empty_or_not_allowed_is_not_acceptable_by_s3_1() {
    let office = Office::new();
    for (name, password) in [
        ("romeo", ""),
        ("", "pencil"),
        ("ro meo", "pencil"),
        ("romeo@montague.lit", "pencil"),
        ("Postmaster", "pencil"),
        ("romeo", "\u{200E}\u{627}1"),
    ] {
        let got = office.register(name, password).await;
        assert_eq!(refused(got), Condition::NotAcceptable, "{name} {password}");
    }
    let without = "<query xmlns='jabber:iq:register'><username>romeo</username></query>";
    let got = office.newcomer(IqMethod::Set, without, 1).await;
    assert_eq!(refused(got), Condition::NotAcceptable);
}

#[tokio::test]
async fn an_address_makes_no_more_accounts_than_it_may_in_a_while_s3_1_1() {
    let office = Office::with(&Config {
        accounts_per_address: 1,
        ..Config::default()
    });
    assert_eq!(office.register("a", "pencil").await, Ok(None));
    let error = office.register("b", "pencil").await.unwrap_err();
    assert_eq!(error.condition, Condition::ResourceConstraint);
    assert_eq!(error.error_type, rookery_stanza::ErrorType::Wait);
    let query = fields("b", "pencil");
    let other = office.newcomer(IqMethod::Set, &query, 2).await;
    assert_eq!(other, Ok(None), "others are not concerned");
}

#[tokio::test]
async fn an_address_tries_no_more_names_than_it_may_in_a_while_s3_1_1() {
    let office = Office::with(&Config {
        accounts_per_address: 1,
        ..Config::default()
    });
    for _ in 0..10 {
        let got = office.register("juliet", "pencil").await;
        assert_eq!(refused(got), Condition::Conflict);
    }
    let got = office.register("juliet", "pencil").await;
    assert_eq!(refused(got), Condition::ResourceConstraint);
}

#[tokio::test]
async fn newcomers_have_nothing_to_remove_by_s3_2() {
    let remove = "<query xmlns='jabber:iq:register'><remove/></query>";
    let got = Office::new().newcomer(IqMethod::Set, remove, 1).await;
    assert_eq!(refused(got), Condition::UnexpectedRequest);
}

#[tokio::test]
async fn newcomers_are_let_in_only_where_the_host_allows_it_and_over_tls_by_s11() {
    let office = Office::new();
    let newcomers = &office.registration.newcomers;
    assert!(newcomers.is_open(&office.host, true));
    assert!(!newcomers.is_open(&office.host, false));
    assert!(!newcomers.is_open(&montague(), true), "off by default");
    let scene = Scene::new();
    assert_eq!(
        scene
            .features
            .announced_before_login(&office.host, true)
            .len(),
        1
    );
    assert!(
        scene
            .features
            .announced_before_login(&scene.host, true)
            .is_empty()
    );
}

#[tokio::test]
async fn users_are_told_that_they_are_registered_by_s3_1() {
    let Outcome { answer, .. } = Office::new().user(IqMethod::Get, GET).await;
    let query = answer.unwrap().unwrap();
    assert!(query.child("registered", NAMESPACE).is_some());
    assert_eq!(query.child("username", NAMESPACE).unwrap().text(), "juliet");
    assert_eq!(query.child("password", NAMESPACE).unwrap().text(), "");
}

#[tokio::test]
async fn users_change_their_password_by_s3_3_and_stay() {
    for query in [
        fields("juliet", "new"),
        submitted("jabber:iq:register:changepassword", "juliet", "new"),
        submitted(NAMESPACE, "juliet", "new"),
    ] {
        let office = Office::new();
        let before = office.credentials().await;
        let Outcome {
            answer,
            before: _,
            after,
        } = office.user(IqMethod::Set, &query).await;
        assert_eq!(answer, Ok(None), "{query}");
        assert!(after.is_empty());
        assert_ne!(office.credentials().await, before);
    }
}

#[tokio::test]
async fn a_password_is_never_changed_to_nothing_by_s3_3() {
    let office = Office::new();
    let before = office.credentials().await;
    for query in [
        fields("juliet", ""),
        "<query xmlns='jabber:iq:register'><password>new</password></query>".to_owned(),
        submitted("jabber:iq:register:cancel", "juliet", "new"),
    ] {
        let Outcome { answer, .. } = office.user(IqMethod::Set, &query).await;
        assert_eq!(refused(answer), Condition::BadRequest, "{query}");
    }
    let Outcome { answer, .. } = office.user(IqMethod::Set, &fields("romeo", "new")).await;
    assert_eq!(
        refused(answer),
        Condition::NotAcceptable,
        "a second account"
    );
    assert_eq!(office.credentials().await, before);
}

#[tokio::test]
async fn removal_is_answered_then_told_to_contacts_then_ends_all_sessions_by_s3_2() {
    let office = Office::new();
    let romeo = BareJid::parse("romeo@montague.lit").unwrap();
    let item = RosterItem {
        jid: romeo.clone(),
        name: None,
        groups: Vec::new(),
        subscription: Subscription::Both,
        pending_out: false,
        approved: false,
        pending_in: None,
        listed: true,
        changed: 1,
    };
    let update = RosterUpdate {
        account: juliet(),
        version: 1,
        floor: 0,
        writes: vec![RosterWrite::Put(item)],
    };
    office.store.update_roster(update).await.unwrap();
    let remove = "<query xmlns='jabber:iq:register'><remove/></query>";
    let outcome = office.user(IqMethod::Set, remove).await;
    assert_eq!(outcome.answer, Ok(None));
    assert!(outcome.before.is_empty());
    let [
        Order::Send(first),
        Order::Send(second),
        Order::End(Close::NotAuthorized),
    ] = &outcome.after[..]
    else {
        panic!("{:?}", outcome.after)
    };
    for (farewell, kind) in [
        (first, PresenceType::Unsubscribed),
        (second, PresenceType::Unsubscribe),
    ] {
        assert_eq!(farewell.kind, Kind::Presence(kind));
        assert_eq!(farewell.to, Some(romeo.to_jid()));
        assert_eq!(farewell.from, Some(juliet().to_jid()));
    }
    assert!(!office.store.account_exists(&juliet()).await.unwrap());
    let again = office.user(IqMethod::Set, remove).await;
    assert_eq!(refused(again.answer), Condition::RegistrationRequired);
}

#[tokio::test]
async fn remove_stands_alone_by_s3_2() {
    let query = "<query xmlns='jabber:iq:register'><remove/><username>juliet</username></query>";
    let Outcome { answer, .. } = Office::new().user(IqMethod::Set, query).await;
    assert_eq!(refused(answer), Condition::BadRequest);
}

#[tokio::test]
async fn what_the_operator_does_not_allow_is_not_allowed_by_s3_2_and_s3_3() {
    let office = Office::with(&Config {
        change_password: false,
        remove_account: false,
        ..Config::default()
    });
    let remove = "<query xmlns='jabber:iq:register'><remove/></query>";
    for query in [&fields("juliet", "new"), remove] {
        let Outcome { answer, .. } = office.user(IqMethod::Set, query).await;
        assert_eq!(refused(answer), Condition::NotAllowed);
    }
}

#[test]
fn limits_and_names_are_checked() {
    assert_eq!(Config::default().validate(), Ok(()));
    let config = Config {
        reserved_names: vec!["a@b".to_owned()],
        ..Config::default()
    };
    assert_eq!(
        config.validate().unwrap_err().key,
        "registration.reserved_names"
    );
    let config = Config {
        accounts_per_address: 0,
        ..Config::default()
    };
    assert!(config.validate().is_err());
}
