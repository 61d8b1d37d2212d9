//! Clients that change what the server keeps, all at once, until the server is gone; and whether the next
//! server still has what they were told.
//!
//! What is taken for a promise:
//! * the result of a roster set says that the change is durable;
//! * an answer from an account's address, to whom asks after a message to that account, says that the
//!   message is durable: what one sends to one account is handled in order, and whatever follows a message
//!   that is being kept waits for the store;
//! * an account that `rookery user add` has made against the running server is there.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::{join, join_all};
use rookery_testkit::{Client, ClientError, Options, Server};
use tokio::sync::Notify;

use crate::stage::{available, number, text};

const WRITERS: usize = 4;
/// Messages between two questions.
const BURST: usize = 5;

/// Everything that clients were told, since the first server.
#[derive(Debug, Default)]
pub(crate) struct Confirmed {
    /// The last number that was given to anything.
    last: Cell<u64>,
    done: RefCell<Vec<Done>>,
    accounts: RefCell<Vec<String>>,
}

/// What one writer was told.
#[derive(Clone, Debug, Default)]
struct Done {
    /// The contacts in its roster.
    contacts: BTreeSet<u64>,
    /// The messages that wait for its friend.
    waiting: BTreeSet<u64>,
}

/// Tells when enough is done.
struct Goal {
    left: Cell<usize>,
    reached: Notify,
}

/// A server that the workload can live on.
pub(crate) fn options() -> Options {
    let both = |index| [writer(index), friend(index)];
    Options {
        accounts: (0..WRITERS).flat_map(both).collect(),
        extra: "[router]\nroster_items = 100000\noffline_messages = 100000\noffline_bytes = 1000000000\n".to_owned(),
        ..Options::default()
    }
}

fn writer(index: usize) -> String {
    format!("writer{index}")
}

/// Whom the writer writes to: never there while it does.
fn friend(index: usize) -> String {
    format!("friend{index}")
}

// === impl Confirmed ===

impl Confirmed {
    /// How much was confirmed.
    pub(crate) fn count(&self) -> u64 {
        self.last.get()
    }

    /// Makes an account, works until so many things are confirmed, and kills the server while the work goes
    /// on.
    pub(crate) async fn work(&self, server: &mut Server, steps: usize) {
        self.work_until_killed(server, steps).await;
        server.exited().await.unwrap();
    }

    async fn work_until_killed(&self, server: &Server, steps: usize) {
        self.done.borrow_mut().resize(WRITERS, Done::default());
        let goal = Goal {
            left: Cell::new(steps),
            reached: Notify::new(),
        };
        let mut clients = Vec::new();
        for index in 0..WRITERS {
            clients.push(server.log_in(&writer(index), "desk").await.unwrap());
        }
        self.make_account(server);
        // It ends when the server does.
        let write = async |(index, client)| self.write(client, index, &goal).await.unwrap_err();
        let kill = async {
            goal.reached.notified().await;
            server.signal("KILL").unwrap();
        };
        join(join_all(clients.into_iter().enumerate().map(write)), kill).await;
    }

    fn number(&self) -> u64 {
        self.last.set(self.last.get() + 1);
        self.last.get()
    }

    fn make_account(&self, server: &Server) {
        let name = format!("new{}", self.number());
        let jid = format!("{name}@localhost");
        let output = server
            .command(&["user", "add", &jid, "--password", Server::PASSWORD])
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        self.accounts.borrow_mut().push(name);
    }

    /// Writes for ever.
    async fn write(
        &self,
        mut client: Client,
        index: usize,
        goal: &Goal,
    ) -> Result<(), ClientError> {
        let friend = format!("{}@localhost", friend(index));
        loop {
            let mut burst = BTreeSet::new();
            for _ in 0..BURST {
                let number = self.number();
                let bytes = usize::try_from(number * 997 % 3000).unwrap();
                client.tell(&friend, &text(number, bytes)).await?;
                burst.insert(number);
            }
            client.ping(&friend).await?;
            self.done.borrow_mut()[index].waiting.append(&mut burst);
            goal.step();

            let number = self.number();
            let answer = client.ask("set", add_contact(number)).await?;
            assert_eq!(answer.attribute("type"), Some("result"), "{answer:?}");
            self.done.borrow_mut()[index].contacts.insert(number);
            goal.step();
        }
    }

    /// Asserts that a server has everything.
    pub(crate) async fn assert_all_there(&self, server: &Server) {
        let done = self.done.borrow().clone();
        for (index, done) in done.iter().enumerate() {
            let mut client = server.log_in(&writer(index), "desk").await.unwrap();
            assert_contacts(&mut client, &done.contacts).await;
            self.assert_messages(server, &mut client, index, &done.waiting)
                .await;
            client.log_out().await.unwrap();
        }
        let accounts = self.accounts.borrow().clone();
        for name in accounts {
            server.log_in(&name, "desk").await.unwrap();
        }
    }

    /// Lets the friend come and hear what waits for it: all of `waiting`, in order. More may come: what was
    /// not confirmed, and what was not known to be heard.
    async fn assert_messages(
        &self,
        server: &Server,
        writer: &mut Client,
        index: usize,
        waiting: &BTreeSet<u64>,
    ) {
        let name = friend(index);
        let end = self.number();
        writer
            .tell(&format!("{name}@localhost"), &text(end, 0))
            .await
            .unwrap();
        let mut client = available(server, &name, 0).await;
        let mut heard = Vec::new();
        while heard.last() != Some(&end) {
            heard.push(number(&client.hear().await.unwrap()));
        }
        client.log_out().await.unwrap();
        assert!(heard.is_sorted_by(|a, b| a < b), "out of order: {heard:?}");
        let heard = BTreeSet::from_iter(heard);
        let missing: Vec<_> = waiting.difference(&heard).collect();
        assert!(missing.is_empty(), "missing for {name}: {missing:?}");
        self.done.borrow_mut()[index].waiting.clear();
    }
}

// === impl Goal ===

impl Goal {
    fn step(&self) {
        let left = self.left.get();
        if left == 1 {
            self.reached.notify_one();
        }
        self.left.set(left.saturating_sub(1));
    }
}

fn add_contact(number: u64) -> String {
    format!(
        "<iq type='set' id='set'><query xmlns='jabber:iq:roster'>\
         <item jid='{number}@elsewhere.example' name='{number}'/></query></iq>"
    )
}

async fn assert_contacts(client: &mut Client, expected: &BTreeSet<u64>) {
    let roster = "jabber:iq:roster";
    let request = format!("<iq type='get' id='get'><query xmlns='{roster}'/></iq>");
    let answer = client.ask("get", request).await.unwrap();
    let query = answer.child("query", roster).unwrap();
    let there: BTreeMap<&str, &str> = query
        .children()
        .filter_map(|item| Some((item.attribute("name")?, item.attribute("jid")?)))
        .collect();
    for number in expected.iter().map(u64::to_string) {
        let jid = format!("{number}@elsewhere.example");
        assert_eq!(there.get(number.as_str()), Some(&jid.as_str()), "{there:?}");
    }
}
