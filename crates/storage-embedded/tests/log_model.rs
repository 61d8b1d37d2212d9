//! Whatever is done to a log in whatever order, it says the same as the model in memory: however much of it the index
//! contains at the time.

#![cfg(test)]

use std::sync::Arc;

use proptest::prelude::*;
use rookery_stanza::{BareJid, Jid};
use rookery_storage::message_log::{
    Appended, End, Filter, Header, IngressId, MemoryLog, MessageLog, NewMessage, NewRow, Origin,
    Page, PageQuery, Paged, Purpose, Retention, Row, RowId,
};
use rookery_storage_embedded::{EmbeddedLog, LogConfig};
use rookery_telemetry::Registry;

/// When the first message is received.
const START: u64 = 1_700_000_000_000;
/// Accounts, and their correspondents.
const ADDRESSES: [&str; 4] = [
    "romeo@montague.example/orchard",
    "juliet@capulet.example/balcony",
    "juliet@capulet.example/chamber",
    "nurse@capulet.example",
];

/// Something that is done to the log of one of the accounts; rows are named by their number.
#[derive(Clone, Debug)]
enum Step {
    Append {
        accounts: Vec<usize>,
        with: usize,
        purpose: Purpose,
        count: u64,
        later: u64,
    },
    Confirm(usize, Vec<usize>),
    Replace(usize, usize),
    Trim(usize, Retention),
    Erase(usize),
    Open(usize, u64),
    /// The index comes up to here.
    Index,
    Look(usize),
}

/// A log and the model of it. The random halves of ids differ; so rows have numbers, by which both find theirs.
struct Both {
    log: Arc<EmbeddedLog>,
    model: MemoryLog,
    rows: Vec<(RowId, RowId)>,
    epochs: [u64; 4],
    now: u64,
}

fn step() -> impl Strategy<Value = Step> {
    let account = 0..3_usize;
    let purpose = prop_oneof![
        3 => Just(Purpose::Archive),
        1 => Just(Purpose::Delivery(vec!["orchard".to_owned()])),
        2 => Just(Purpose::Both(Vec::new())),
    ];
    let append = (
        prop::collection::vec(account.clone(), 1..4),
        0..4_usize,
        purpose,
        0..60_u64,
        0..3_u64,
    );
    let append = append.prop_map(|(accounts, with, purpose, count, later)| Step::Append {
        accounts,
        with,
        purpose,
        count,
        later,
    });
    let rows = prop::collection::vec(any::<usize>(), 0..4);
    let retention = (0..40_u64, 1..20_usize, 0..40_u64).prop_map(|(age, rows, owed)| Retention {
        now: 0,
        age,
        rows,
        owed,
    });
    prop_oneof![
        12 => append,
        4 => (account.clone(), rows).prop_map(|(account, rows)| Step::Confirm(account, rows)),
        2 => (account.clone(), any::<usize>()).prop_map(|(account, row)| Step::Replace(account, row)),
        1 => (account.clone(), retention).prop_map(|(account, keep)| Step::Trim(account, keep)),
        1 => account.clone().prop_map(Step::Erase),
        1 => (account.clone(), 0..3_u64).prop_map(|(account, epoch)| Step::Open(account, epoch)),
        2 => Just(Step::Index),
        4 => account.prop_map(Step::Look),
    ]
}

fn account(number: usize) -> BareJid {
    address(number).bare()
}

fn address(number: usize) -> Jid {
    Jid::parse(ADDRESSES[number]).unwrap()
}

/// What is the same in both.
fn seen(row: &Row) -> (u64, IngressId, u64, Jid, Purpose, Vec<u8>) {
    let Row {
        id,
        ingress,
        received,
        with,
        purpose,
        payload,
    } = row.clone();
    (
        id.order(),
        ingress,
        received,
        with,
        purpose,
        payload.to_vec(),
    )
}

fn all_seen(rows: &[Row]) -> Vec<(u64, IngressId, u64, Jid, Purpose, Vec<u8>)> {
    rows.iter().map(seen).collect()
}

impl Both {
    fn new() -> (Self, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        // Nothing is indexed but when the test says so.
        let config = LogConfig {
            index_delay_seconds: 60,
            ..LogConfig::default()
        };
        let log = EmbeddedLog::open(folder.path(), &config, &Registry::new()).unwrap();
        let both = Self {
            log,
            model: MemoryLog::new(),
            rows: Vec::new(),
            epochs: [0; 4],
            now: START,
        };
        (both, folder)
    }

    fn pick(&self, number: usize) -> Option<(RowId, RowId)> {
        let number = number.checked_rem(self.rows.len())?;
        self.rows.get(number).copied()
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Append {
                accounts,
                with,
                purpose,
                count,
                later,
            } => {
                self.now += later;
                let message = self.message(&accounts, with, &purpose, count);
                self.append(message).await;
            }
            Step::Confirm(number, rows) => {
                let rows: Vec<_> = rows.into_iter().filter_map(|row| self.pick(row)).collect();
                let (ours, theirs) = rows.into_iter().unzip();
                self.log.confirm(&account(number), ours).await.unwrap();
                self.model.confirm(&account(number), theirs).await.unwrap();
            }
            Step::Replace(number, row) => {
                let of = account(number);
                if let Some((ours, theirs)) = self.pick(row) {
                    let ours = self.log.replace(&of, ours, "tombstone".into());
                    let theirs = self.model.replace(&of, theirs, "tombstone".into());
                    assert_eq!(ours.await, theirs.await);
                }
            }
            Step::Trim(number, retention) => {
                let retention = Retention {
                    now: self.now,
                    ..retention
                };
                let ours = self.log.trim(&account(number), retention, 1000).await;
                let theirs = self.model.trim(&account(number), retention, 1000).await;
                assert_eq!(ours, theirs);
            }
            Step::Erase(number) => {
                self.log.erase(&account(number)).await.unwrap();
                self.model.erase(&account(number)).await.unwrap();
                self.epochs[number] = 0;
            }
            Step::Open(number, epoch) => {
                let ours = self.log.open(&account(number), epoch).await.unwrap();
                let theirs = self.model.open(&account(number), epoch).await.unwrap();
                assert_eq!(
                    std::mem::discriminant(&ours),
                    std::mem::discriminant(&theirs)
                );
                self.epochs[number] = self.epochs[number].max(epoch);
            }
            Step::Index => {
                let ours = self.log.logs("capulet.example", None, 10).await;
                assert_eq!(ours, self.model.logs("capulet.example", None, 10).await);
            }
            Step::Look(number) => self.look(&account(number)).await,
        }
    }

    fn message(
        &self,
        accounts: &[usize],
        with: usize,
        purpose: &Purpose,
        count: u64,
    ) -> NewMessage {
        let row = |number: &usize| NewRow {
            account: account(*number),
            epoch: self.epochs[*number],
            with: address(with),
            purpose: purpose.clone(),
        };
        NewMessage {
            ingress: IngressId {
                session: count % 3,
                count,
            },
            received: self.now,
            origin: Some(Origin::of(&format!("{}", count % 5))),
            payload: format!("{count} at {}", self.now).into(),
            rows: accounts.iter().map(row).collect(),
        }
    }

    async fn append(&mut self, message: NewMessage) {
        let ours = self.log.append(vec![message.clone()]).await.unwrap();
        let theirs = self.model.append(vec![message]).await.unwrap();
        for (ours, theirs) in ours.iter().zip(&theirs) {
            match (ours, theirs) {
                (Appended::At(one), Appended::At(other)) => {
                    assert_eq!(one.order(), other.order());
                    self.rows.push((*one, *other));
                }
                (Appended::Repeat(one), Appended::Repeat(other)) => {
                    assert!(self.rows.contains(&(*one, *other)));
                }
                (one, other) => assert_eq!(one, other),
            }
        }
    }

    /// Asks both everything about one account.
    async fn look(&self, account: &BareJid) {
        let (ours, theirs) = (self.log.tail(account), self.model.tail(account));
        let (ours, theirs) = (ours.await.unwrap(), theirs.await.unwrap());
        let order = |id: Option<RowId>| id.map(RowId::order);
        assert_eq!(
            (ours.owed, order(ours.last)),
            (theirs.owed, order(theirs.last))
        );
        let (ours, theirs) = (self.log.span(account), self.model.span(account));
        let orders =
            |span: rookery_storage::message_log::Span| (span.first.order(), span.last.order());
        assert_eq!(
            ours.await.unwrap().map(orders),
            theirs.await.unwrap().map(orders)
        );
        self.look_at_owed(account).await;
        let (ours, theirs) = self.rows.iter().copied().unzip();
        let ours: Vec<Option<Row>> = self.log.rows(account, ours).await.unwrap();
        let theirs = self.model.rows(account, theirs).await.unwrap();
        let rows = |rows: Vec<Option<Row>>| {
            rows.iter()
                .map(|row| row.as_ref().map(seen))
                .collect::<Vec<_>>()
        };
        assert_eq!(rows(ours), rows(theirs));
        for with in [None, Some(address(1)), Some(address(2).bare().to_jid())] {
            self.look_at_pages(account, with).await;
        }
        for limit in [1, 100] {
            let (with, origin) = (address(1).bare(), Origin::of("3"));
            let ours = self
                .log
                .by_origin(account, &with, origin, limit)
                .await
                .unwrap();
            let theirs = self
                .model
                .by_origin(account, &with, origin, limit)
                .await
                .unwrap();
            assert_eq!(all_seen(&ours), all_seen(&theirs));
        }
    }

    async fn look_at_owed(&self, account: &BareJid) {
        let middle = self.pick(usize::MAX);
        for (after, limit) in [(None, 2), (middle, 3), (None, 1000)] {
            let ours = self
                .log
                .read_owed(account, after.map(|ids| ids.0), limit)
                .await
                .unwrap();
            let theirs = self
                .model
                .read_owed(account, after.map(|ids| ids.1), limit)
                .await
                .unwrap();
            assert_eq!(all_seen(&ours), all_seen(&theirs));
            let listed = self
                .log
                .list_owed(account, after.map(|ids| ids.0), limit)
                .await
                .unwrap();
            let headers: Vec<Header> = ours.into_iter().map(Row::into_header).collect();
            assert_eq!(listed, headers);
        }
    }

    async fn look_at_pages(&self, account: &BareJid, with: Option<Jid>) {
        let filter = Filter {
            with,
            start: Some(START + 3),
            end: None,
        };
        let ours = self.log.count(account, filter.clone(), 20).await;
        assert_eq!(ours, self.model.count(account, filter.clone(), 20).await);
        let middle = self.pick(usize::MAX / 2);
        for (beside, end) in [
            (None, End::Oldest),
            (None, End::Newest),
            (middle, End::Newest),
        ] {
            let query = |beside| PageQuery {
                filter: filter.clone(),
                after: None,
                before: beside,
                end,
                limit: 4,
            };
            let ours = self
                .log
                .page(account, query(beside.map(|ids| ids.0)))
                .await
                .unwrap();
            let theirs = self
                .model
                .page(account, query(beside.map(|ids| ids.1)))
                .await
                .unwrap();
            match (ours, theirs) {
                (Paged::Page(ours), Paged::Page(theirs)) => {
                    let seen = |page: &Page| (page.complete, all_seen(&page.rows));
                    assert_eq!(seen(&ours), seen(&theirs));
                }
                (Paged::NoSuchRow(_), Paged::NoSuchRow(_)) => {}
                (ours, theirs) => panic!("{ours:?} and {theirs:?}"),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn the_log_says_what_its_model_says(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (mut both, _folder) = Both::new();
            for step in steps {
                both.take(step).await;
            }
            for number in 0..3 {
                both.look(&account(number)).await;
            }
            both.log.close().await;
        });
    }
}
