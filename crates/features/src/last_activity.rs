//! XEP-0012: Last Activity.
//!
//! When the last resource of an account becomes unavailable, the time and the status are written down.
//! Requests to a full JID are delivered like any other and answered by the client.

use prost::Message;
use rookery_extension::{
    AccountData, AccountView, Addressee, Answer, Feature, IqContext, IqHandler, IqMethod,
    IqRequest, Keep, Order, PresenceEvent, Registry, Relation, Scope, SessionEvents, Spec,
    Standard, Status,
};
use rookery_lifecycle::Clock;
use rookery_stanza::{Condition, Kind, PresenceType, Stanza, StanzaError, ns};
use rookery_storage::record::{Record, RecordError};
use rookery_storage::{DataUpdate, DataWrite, Datum, StoreError};
use rookery_xml::Element;

/// The namespace of the request, which is also the feature.
const NAMESPACE: &str = "jabber:iq:last";

/// The kind of the record; an account that was here once has one.
const KIND: &str = "last_activity";

/// The most bytes of a status that are remembered.
const MAX_STATUS_BYTES: usize = 1024;

/// Tells since when hosts run, and accounts are away.
#[derive(Debug)]
pub struct LastActivity {
    answers: Answers,
}

/// Answers requests.
#[derive(Debug)]
struct Answers {
    clock: Clock,
    started: u64,
}

/// Notices when accounts leave.
#[derive(Debug)]
struct Departures;

/// Asks for it (§2).
#[derive(Debug)]
struct LastRequest;

/// When the last resource of an account became unavailable, and what it said then. Kept while there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Departure {
    /// In unix milliseconds.
    at: u64,
    status: String,
}

#[derive(Clone, PartialEq, Message)]
struct DepartureMessage {
    #[prost(uint64, tag = "1")]
    at: u64,
    #[prost(string, tag = "2")]
    status: String,
}

// === impl LastActivity ===

impl LastActivity {
    /// Hosts run from now on.
    pub fn new(clock: Clock) -> Self {
        let started = clock.unix_millis();
        Self {
            answers: Answers { clock, started },
        }
    }
}

/// What is answered (§2): seconds, and the status if there is one.
fn query(milliseconds: u64, status: &str) -> Element {
    Element::new("query", NAMESPACE)
        .with_attribute("seconds", (milliseconds / 1000).to_string())
        .with_text(status)
}

// === impl Feature ===

impl Feature for LastActivity {
    fn spec(&self) -> Spec {
        Spec {
            name: "last_activity",
            source: file!(),
            standards: &[Standard {
                document: "XEP-0012",
                title: "Last Activity",
                version: "2.0",
                status: Status::Partial,
                note: "Requests of strangers to a full JID are handled like all others of theirs.",
            }],
            host_features: &[NAMESPACE],
            account_features: &[NAMESPACE],
            ..Spec::EMPTY
        }
    }

    fn install(self: Box<Self>, registry: &mut Registry) {
        registry.account_data::<Departure>();
        registry.session_events(Departures);
        registry.iq(self.answers);
    }
}

// === impl IqHandler ===

impl IqHandler for Answers {
    type Request = LastRequest;
    const SCOPE: Scope = Scope {
        host: true,
        account: Some(Relation::Stranger),
    };

    fn handle(&self, LastRequest: LastRequest, context: IqContext<'_>) -> Answer {
        let account = context.account;
        Answer::Now(match context.addressee {
            // §5.
            Addressee::Host => {
                let up = self.clock.unix_millis().saturating_sub(self.started);
                Ok(Some(query(up, "")))
            }
            // §3, §8.
            Addressee::Account(_, Relation::Stranger) => Err(Condition::Forbidden.into()),
            // §3: somebody is there; one's own requests come from somebody who is.
            Addressee::Account(_, Relation::Own) => Ok(Some(query(0, ""))),
            Addressee::Account(..) if account.available => Ok(Some(query(0, ""))),
            Addressee::Account(..) => match account.kept.get::<Departure>() {
                Some(departure) => {
                    let away = account.now.saturating_sub(departure.at);
                    Ok(Some(query(away, &departure.status)))
                }
                None => Err(Condition::ItemNotFound.into()), // never here
            },
        })
    }
}

// === impl IqRequest ===

impl IqRequest for LastRequest {
    const NAME: &'static str = "query";
    const NAMESPACE: &'static str = NAMESPACE;

    fn parse(method: IqMethod, _payload: &Element) -> Result<Self, StanzaError> {
        method.must_be(IqMethod::Get)?;
        Ok(Self)
    }
}

// === impl SessionEvents ===

impl SessionEvents for Departures {
    fn presence(&self, event: PresenceEvent<'_>, account: AccountView<'_>) -> Vec<Order> {
        match event.stanza.kind {
            Kind::Presence(PresenceType::Unavailable) if !account.available => {
                let departure = Departure {
                    at: account.now,
                    status: status(event.stanza),
                };
                let update = DataUpdate {
                    account: account.jid.clone(),
                    writes: vec![departure.write()],
                    limit: u64::MAX, // one small record, which no client chooses to have
                };
                let kept = Keep::new(Some(departure));
                vec![Order::Keep(kept), Order::Store(update)]
            }
            // Who is there needs no memory of having been away.
            Kind::Presence(PresenceType::Available)
                if account.kept.get::<Departure>().is_some() =>
            {
                vec![Order::Keep(Keep::new(None::<Departure>))]
            }
            _ => Vec::new(),
        }
    }
}

/// The beginning of the status that comes with a presence (RFC 6121 §4.7.2.2).
fn status(presence: &Stanza) -> String {
    let status = presence.child("status", ns::CLIENT).ok().flatten();
    let mut status = status.map_or_else(String::new, |status| status.text().into_owned());
    let whole = (0..=MAX_STATUS_BYTES).rev();
    let end = whole.into_iter().find(|at| status.is_char_boundary(*at));
    status.truncate(end.unwrap_or_default());
    status
}

// === impl Departure ===

impl Departure {
    fn write(&self) -> DataWrite {
        DataWrite::Put {
            kind: KIND,
            name: String::new(),
            value: self.to_record(),
            terms: Vec::new(),
        }
    }
}

impl Record for Departure {
    const NAME: &'static str = "last activity";
    const VERSION: u32 = 1;

    fn encode_body(&self) -> Vec<u8> {
        let message = DepartureMessage {
            at: self.at,
            status: self.status.clone(),
        };
        message.encode_to_vec()
    }

    fn decode_body(body: &[u8]) -> Result<Self, RecordError> {
        let DepartureMessage { at, status } = DepartureMessage::decode(body)?;
        Ok(Self { at, status })
    }
}

impl AccountData for Departure {
    const KIND: &'static str = KIND;

    fn read(records: &[Datum]) -> Result<Option<Self>, StoreError> {
        let departure = records.first().map(|datum| Self::from_record(&datum.value));
        departure.transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Got, Scene};

    const LAST: &str = "<query xmlns='jabber:iq:last'/>";
    const GONE: &str = "<presence type='unavailable'><status>Heading Home</status></presence>";

    /// Seconds and status.
    fn told(got: Got) -> (u64, String) {
        let query = got.unwrap().unwrap().unwrap();
        let seconds = query.attribute("seconds").unwrap().parse().unwrap();
        (seconds, query.text().into_owned())
    }

    /// An account that left at second 100.
    fn left() -> Scene {
        let scene = Scene::new();
        scene.broadcast("<presence/>", true);
        scene.at(100_000);
        scene.broadcast(GONE, false);
        scene.at(1_003_999);
        scene
    }

    #[test]
    fn account_that_left_says_when_and_with_which_status_by_s3() {
        let got = left().ask_account(LAST, Relation::Subscriber);
        assert_eq!(told(got), (903, "Heading Home".to_owned()));
    }

    #[test]
    fn it_is_remembered_when_the_account_leaves_memory() {
        let scene = left();
        scene.load_again();
        let got = scene.ask_account(LAST, Relation::Subscriber);
        assert_eq!(told(got), (903, "Heading Home".to_owned()));
    }

    #[test]
    fn account_that_is_there_says_nothing_but_zero_by_s3() {
        let scene = left();
        scene.broadcast("<presence/>", true);
        let got = scene.ask_account(LAST, Relation::Subscriber);
        assert_eq!(told(got), (0, String::new()));
        // One of several resources left.
        scene.broadcast(GONE, true);
        let got = scene.ask_account(LAST, Relation::Subscriber);
        assert_eq!(told(got), (0, String::new()));
    }

    #[test]
    fn ones_own_account_is_there_by_s3() {
        assert_eq!(told(left().ask_own_account(LAST)), (0, String::new()));
    }

    #[test]
    fn strangers_learn_nothing_by_s3_and_s8() {
        for scene in [left(), Scene::new()] {
            let got = scene.ask_account(LAST, Relation::Stranger);
            assert_eq!(got, Some(Err(Condition::Forbidden.into())));
        }
    }

    #[test]
    fn account_that_never_was_there_has_no_last_activity() {
        let got = Scene::new().ask_account(LAST, Relation::Subscriber);
        assert_eq!(got, Some(Err(Condition::ItemNotFound.into())));
    }

    #[test]
    fn long_status_is_cut_between_characters() {
        let scene = Scene::new();
        let long = "é".repeat(2000);
        let gone = format!("<presence type='unavailable'><status>a{long}</status></presence>");
        scene.broadcast(&gone, false);
        let (_, status) = told(scene.ask_account(LAST, Relation::Subscriber));
        assert_eq!(status.len(), MAX_STATUS_BYTES - 1);
    }

    #[tokio::test(start_paused = true)]
    async fn host_says_how_long_it_runs_by_s5() {
        let scene = Scene::new();
        tokio::time::advance(std::time::Duration::from_secs(123)).await;
        assert_eq!(told(scene.ask_host(LAST)), (123, String::new()));
    }

    #[test]
    fn it_is_only_asked_for_by_s2() {
        let bad = Some(Err(Condition::BadRequest.into()));
        assert_eq!(Scene::new().tell_host(LAST), bad);
    }

    #[test]
    fn hosts_and_accounts_announce_it_by_s6() {
        let scene = Scene::new();
        assert!(scene.host_announces("jabber:iq:last"));
        assert!(scene.account_announces("jabber:iq:last"));
    }
}
