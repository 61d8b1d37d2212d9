//! Answers that come with messages of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rookery_delivery::{Close, Custody, Delivery, Refused, SessionPort};
use rookery_extension::{
    Answer, Asker, Feature, IqContext, IqHandler, IqMethod, IqRequest, Registry, Relation, Results,
    Scope, Spec,
};
use rookery_stanza::{Condition, MessageType, Stanza, StanzaError};
use rookery_xml::Element;
use tokio::time::{Instant, timeout};

use super::super::results::Reader;
use super::net::{Net, run};
use crate::config::Config;

/// Answers `<results xmlns='test'/>` with two messages before the answer.
pub(super) struct Telling;

pub(super) struct ResultsRequest;

impl IqRequest for ResultsRequest {
    const NAME: &'static str = "results";
    const NAMESPACE: &'static str = "test";

    fn parse(_: IqMethod, _: &Element) -> Result<Self, StanzaError> {
        Ok(Self)
    }
}

impl IqHandler for Telling {
    type Request = ResultsRequest;
    const SCOPE: Scope = Scope {
        host: false,
        account: Some(Relation::Own),
    };

    fn handle(&self, _: ResultsRequest, context: IqContext<'_>) -> Answer {
        let to = context.from.clone();
        Answer::Results(Results::new(|mut asker| async move {
            let mut results = (1..=2).map(|id: u8| numbered(id).with_to(to.clone()));
            asker.send(&mut results).await?;
            Ok(None)
        }))
    }
}

impl Feature for Telling {
    fn spec(&self) -> Spec {
        Spec {
            name: "telling",
            ..Spec::EMPTY
        }
    }

    fn install(self: Box<Self>, registry: &mut Registry) {
        registry.iq(*self);
    }
}

fn numbered(id: u8) -> Stanza {
    Stanza::message(MessageType::Normal).with_id(id.to_string())
}

#[test]
fn results_come_before_the_answer_and_only_to_the_session_that_asked_by_xep0313_s4() {
    run(async {
        let net = Net::new(Config::default()).await;
        let account = net.account(0, 0);
        let mut romeo = net.connect(&account, "orchard").await;
        let mut other = net.connect(&account, "garden").await;
        net.submit(
            &romeo,
            &["<iq type='get' id='a'><results xmlns='test'/></iq>"],
        );
        for expected in ["<message", "<message", "<iq"] {
            let next = romeo.next().await;
            assert!(next.starts_with(expected), "{next}");
        }
        assert_eq!(other.drain(), 0);
    });
}

#[test]
fn nobody_else_gets_results_of_an_account() {
    run(async {
        let net = Net::new(Config::default()).await;
        let mut juliet = net.connect(&net.account(1, 0), "balcony").await;
        let asked = format!(
            "<iq type='get' id='a' to='{}'><results xmlns='test'/></iq>",
            net.account(0, 0)
        );
        net.submit(&juliet, &[&asked]);
        let answer = juliet.next().await;
        assert!(answer.contains("<service-unavailable"), "{answer}");
    });
}

/// A session whose client reads when it is told to.
#[derive(Debug, Default)]
struct Slow {
    queued: AtomicUsize,
    taken: Mutex<Vec<Delivery>>,
}

impl Slow {
    fn reads(&self) -> usize {
        self.queued.store(0, Ordering::Relaxed);
        std::mem::take(&mut *self.taken.lock()).len()
    }
}

impl SessionPort for Slow {
    fn deliver(&self, batch: Vec<Delivery>) -> Result<(), Refused> {
        let bytes = batch.iter().map(|delivery| delivery.stanza.size()).sum();
        assert!(batch.iter().all(|it| it.custody == Custody::Copy));
        self.queued.fetch_add(bytes, Ordering::Relaxed);
        self.taken.lock().extend(batch);
        Ok(())
    }

    fn close(&self, _: Close) {}

    fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }
}

/// Messages of a kilobyte each.
fn kilobytes(count: usize) -> impl Iterator<Item = Stanza> + Send {
    let body = || Element::new("body", "jabber:client").with_text("x".repeat(1024));
    (0..count).map(move |_| Stanza::message(MessageType::Chat).with_payload(body()))
}

#[tokio::test(start_paused = true)]
async fn results_wait_while_the_client_has_enough_to_read() {
    let slow = Arc::new(Slow::default());
    let port: Arc<dyn SessionPort> = slow.clone();
    let mut reader = Reader::new(&port);
    let (mut messages, mut taken) = (kilobytes(400), 0);
    let mut sent = reader.send(&mut messages);
    let sent = loop {
        if let Ok(sent) = timeout(Duration::from_secs(1), &mut sent).await {
            break sent;
        }
        assert!(slow.queued() <= 128 * 1024);
        taken += slow.reads();
    };
    assert_eq!((taken + slow.reads(), sent), (400, Ok(())));
}

#[tokio::test(start_paused = true)]
async fn one_result_that_is_larger_than_the_mark_waits_for_an_empty_queue() {
    let slow = Arc::new(Slow::default());
    let port: Arc<dyn SessionPort> = slow.clone();
    slow.queued.store(1, Ordering::Relaxed);
    let body = Element::new("body", "jabber:client").with_text("x".repeat(200 * 1024));
    let large = Stanza::message(MessageType::Chat).with_payload(body);
    let mut reader = Reader::new(&port);
    let mut large = [large].into_iter();
    let mut sent = reader.send(&mut large);
    assert!(timeout(Duration::from_secs(1), &mut sent).await.is_err());
    assert_eq!(slow.taken.lock().len(), 0);
    slow.reads();
    assert_eq!(sent.await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_query_whose_client_reads_nothing_or_is_gone_is_given_up() {
    let slow: Arc<dyn SessionPort> = Arc::new(Slow::default());
    let began = Instant::now();
    let mut reader = Reader::new(&slow);
    let refused = reader.send(&mut kilobytes(400)).await.unwrap_err();
    assert_eq!(refused.condition, Condition::ResourceConstraint);
    assert!(began.elapsed() >= Duration::from_secs(30));
    drop(slow);
    let late = timeout(Duration::from_secs(1), reader.send(&mut kilobytes(1))).await;
    assert_eq!(
        late.unwrap().unwrap_err().condition,
        Condition::RecipientUnavailable
    );
}
