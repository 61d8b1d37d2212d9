//! What the child writes and confirms, and whether a store still holds it.

use std::collections::BTreeMap;
use std::path::Path;

use futures_util::future::join_all;
use rookery_stanza::BareJid;
use rookery_storage::{
    AccountStore, Append, Appended, Created, Credentials, DataStore, OfflineLimit, OfflineMessage,
    OfflineStore, RosterItem, RosterStore, RosterUpdate, RosterWrite, ScramKeys, Subscription,
};
use rookery_storage_embedded::EmbeddedStore;
use rookery_telemetry::Registry;

use crate::child;

/// The name of the test that is the child's work.
pub(crate) const WRITER: &str = "workload::writes_and_confirms_until_it_is_killed";
/// Accounts that the child writes for, all at once.
const ACCOUNTS: usize = 8;

/// What a child has confirmed, by account.
#[derive(Debug, Default)]
pub(crate) struct Confirmed {
    /// The mark of each message by its position.
    appended: BTreeMap<String, BTreeMap<u64, u64>>,
    /// Up to where messages may be gone, since their removal was begun.
    removing: BTreeMap<String, u64>,
    /// Up to where messages are gone.
    removed: BTreeMap<String, u64>,
    /// The roster's version.
    roster: BTreeMap<String, u64>,
    created: Vec<String>,
}

fn jid(text: &str) -> BareJid {
    BareJid::parse(text).unwrap()
}

pub(crate) fn credentials() -> Credentials {
    let keys = ScramKeys {
        salt: vec![1; 16],
        iterations: 10_000,
        stored_key: vec![2; 32],
        server_key: vec![3; 32],
    };
    Credentials {
        sha1: keys.clone(),
        sha256: keys.clone(),
        sha512: keys,
    }
}

/// A message of a size of its own that can be told by its mark.
pub(crate) fn message(mark: u64) -> OfflineMessage {
    let length = usize::try_from(mark.wrapping_mul(2_654_435_761) % 3000).unwrap();
    let mut xml = format!("<message><body>{mark}</body></message>").into_bytes();
    xml.resize(xml.len() + length, b' ');
    OfflineMessage {
        received: mark,
        xml,
    }
}

/// Appends a message and gives its position.
pub(crate) async fn append(
    store: &EmbeddedStore,
    account: &BareJid,
    mark: u64,
) -> Result<u64, rookery_storage::StoreError> {
    let append = Append {
        account: account.clone(),
        message: message(mark),
    };
    match store
        .append_offline(vec![append], OfflineLimit::NONE)
        .await?
        .as_slice()
    {
        [Appended::At(position)] => Ok(*position),
        other => panic!("not appended: {other:?}"),
    }
}

// === the child ===

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the work of a process that other tests start and kill"]
async fn writes_and_confirms_until_it_is_killed() {
    let Some(path) = child::store() else { return };
    let store = EmbeddedStore::open(&path, &child::config(), &Registry::new()).unwrap();
    println!();
    join_all((0..ACCOUNTS).map(|number| live(&store, number))).await;
}

/// The life of one account, for ever.
async fn live(store: &EmbeddedStore, number: usize) {
    let account = jid(&format!("user{number}@montague.example"));
    store
        .create_accounts(vec![(account.clone(), credentials())])
        .await
        .unwrap();
    println!("created {account}");
    let last = store
        .read_offline(&account, 0, usize::MAX)
        .await
        .unwrap()
        .pop();
    let first = last.map_or(1, |queued| queued.message.received + 1);
    for mark in first.. {
        let position = append(store, &account, mark).await.unwrap();
        println!("appended {account} {position} {mark}");
        if mark.is_multiple_of(7) {
            update_roster(store, &account).await;
        }
        if mark.is_multiple_of(20) {
            let up_to = position - 10;
            println!("removing {account} {up_to}");
            store.remove_offline(&account, up_to).await.unwrap();
            println!("removed {account} {up_to}");
        }
        if mark.is_multiple_of(25) {
            let another = jid(&format!("{mark}-{account}"));
            let created = store
                .create_accounts(vec![(another.clone(), credentials())])
                .await;
            if created.unwrap() == [Created::New] {
                println!("created {another}");
            }
        }
    }
}

/// Adds a contact named after the roster's new version.
async fn update_roster(store: &EmbeddedStore, account: &BareJid) {
    let state = store.load_account(account, &[]).await.unwrap().unwrap();
    let version = state.roster.version + 1;
    let item = RosterItem {
        jid: jid(&format!("{version}@capulet.example")),
        name: None,
        groups: Vec::new(),
        subscription: Subscription::Both,
        pending_out: false,
        approved: false,
        pending_in: None,
        listed: true,
        changed: version,
    };
    let writes = vec![RosterWrite::Put(item)];
    let update = RosterUpdate {
        account: account.clone(),
        version,
        floor: 0,
        writes,
    };
    assert!(store.update_roster(update).await.unwrap());
    println!("roster {account} {version}");
}

// === the parent ===

impl Confirmed {
    /// Adds what a child wrote.
    pub(crate) fn add(&mut self, lines: &str) {
        for line in lines.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let number = |index: usize| words[index].parse().unwrap();
            let account = || words[1].to_owned();
            match words[0] {
                "created" => self.created.push(account()),
                "appended" => {
                    let queue = self.appended.entry(account()).or_default();
                    queue.insert(number(2), number(3));
                }
                "removing" => drop(self.removing.insert(account(), number(2))),
                "removed" => drop(self.removed.insert(account(), number(2))),
                "roster" => drop(self.roster.insert(account(), number(2))),
                // What the test framework says about the child.
                _ => {}
            }
        }
    }

    /// How much was confirmed.
    pub(crate) fn count(&self) -> usize {
        self.appended.values().map(BTreeMap::len).sum::<usize>() + self.created.len()
    }

    /// What was confirmed and is not there, and what is there and cannot be; one line for each.
    pub(crate) async fn missing_from(&self, store: &EmbeddedStore) -> Vec<String> {
        let mut missing = Vec::new();
        for account in &self.created {
            if !store.account_exists(&jid(account)).await.unwrap() {
                missing.push(format!("account {account}"));
            }
        }
        for (account, queue) in &self.appended {
            let stored = store
                .read_offline(&jid(account), 0, usize::MAX)
                .await
                .unwrap();
            let stored: BTreeMap<u64, OfflineMessage> = stored
                .into_iter()
                .map(|queued| (queued.position, queued.message))
                .collect();
            let removing = self.removing.get(account).copied().unwrap_or(0);
            for (position, mark) in queue.range(removing + 1..) {
                if stored.get(position) != Some(&message(*mark)) {
                    missing.push(format!("message {mark} of {account} at {position}"));
                }
            }
            let removed = self.removed.get(account).copied().unwrap_or(0);
            if let Some((position, _)) = stored.range(..=removed).next() {
                missing.push(format!("the removal of {account} at {position}"));
            }
        }
        for (account, version) in &self.roster {
            let state = store.load_account(&jid(account), &[]).await.unwrap();
            let roster = state.unwrap_or_default().roster;
            if roster.version < *version {
                missing.push(format!("version {version} of the roster of {account}"));
            }
            if roster.items.len() as u64 != roster.version {
                missing.push(format!("a part of an update of the roster of {account}"));
            }
        }
        missing
    }
}

/// Checks the closed file itself: its structure, its references, and the sums that it keeps.
pub(crate) fn check_file(path: &Path) {
    let connection = rusqlite::Connection::open(path).unwrap();
    let integrity: String = connection
        .pragma_query_value(None, "integrity_check", |row| row.get(0))
        .unwrap();
    assert_eq!(integrity, "ok");
    let count = |sql: &str| {
        connection
            .query_row(sql, [], |row| row.get::<_, i64>(0))
            .unwrap()
    };
    assert_eq!(count("SELECT count(*) FROM pragma_foreign_key_check"), 0);
    let wrong_sums = "SELECT count(*) FROM accounts WHERE (offline_held, offline_bytes) <>
        (SELECT count(*), coalesce(sum(length(record)), 0) FROM offline_messages WHERE account = id)";
    assert_eq!(count(wrong_sums), 0);
}
