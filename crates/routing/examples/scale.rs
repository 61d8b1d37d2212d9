//! How a table of many sessions behaves: memory, time to apply, to take a snapshot, to write and to install it.
//!
//! `cargo run --release -p rookery-routing --example scale -- 10000000`

#![expect(clippy::print_stdout, reason = "that is what it is for")]

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rookery_delivery::SessionId;
use rookery_routing::snapshot::Restoring;
use rookery_routing::{
    Answer, Change, Command, Incarnation, Named, OnConflict, Table, VersionRange,
};
use rookery_stanza::BareJid;

const NODES: u32 = 30;
const BATCH: u32 = 256;
const NAMES: [&str; 4] = ["alice", "bartholomew", "chris", "dora"];
const CLIENTS: [&str; 4] = [
    "Conversations.a8Fq",
    "gajim.3JK2PQ0Z",
    "dino.51f0c3a7",
    "Monal-iOS.9c41e0",
];

/// A table, and how long its log is.
#[derive(Default)]
struct Node {
    table: Table,
    index: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let sessions: u32 = match std::env::args().nth(1) {
        Some(count) => count.parse()?,
        None => 1_000_000,
    };
    let mut node = Node::default();
    node.join();
    bind_all(&mut node, sessions)?;
    snapshot(&mut node, sessions)?;
    end_a_run(&mut node);
    Ok(())
}

impl Node {
    fn apply(&mut self, command: Command) -> Answer {
        self.index += 1;
        let mut events = Vec::new();
        self.table.apply(self.index, command, &mut events)
    }

    fn join(&mut self) {
        let versions = VersionRange { min: 1, max: 1 };
        for number in 0..NODES {
            let address: Arc<str> = format!("node-{number}:7000").into();
            let admitted = self.apply(Command::Admit {
                admission: number.into(),
                address: Arc::clone(&address),
                versions,
            });
            if let Answer::Admitted(member) = admitted {
                self.apply(Command::Register {
                    member,
                    nonce: 1,
                    address,
                    versions,
                });
                self.apply(Command::Serve(member));
            }
        }
    }
}

fn bind_all(node: &mut Node, sessions: u32) -> Result<(), Box<dyn Error>> {
    let before = resident()?;
    let mut time = Duration::ZERO;
    let mut first = 0;
    while first < sessions {
        let last = sessions.min(first + BATCH);
        let by = Incarnation(first / BATCH % NODES + 1);
        let changes = (first..last).map(bind).collect();
        let began = now();
        node.apply(Command::Batch { by, changes });
        time += began.elapsed();
        first = last;
    }
    println!("bound in {time:?}: {:?} each", time / sessions);
    println!(
        "bytes each: {} allocated, {} resident",
        node.table.session_bytes() / usize::try_from(sessions)?,
        (resident()? - before) / u64::from(sessions)
    );
    Ok(())
}

fn snapshot(node: &mut Node, sessions: u32) -> Result<(), Box<dyn Error>> {
    let began = now();
    let snapshot = node.table.snapshot();
    println!("snapshot taken in {:?}", began.elapsed());
    let mut slowest = Duration::ZERO;
    for number in 0..1000 {
        let changes = vec![bind(sessions + number * 7)];
        let by = Incarnation(1);
        let began = now();
        node.apply(Command::Batch { by, changes });
        slowest = slowest.max(began.elapsed());
    }
    println!("the slowest of a thousand binds while it is there: {slowest:?}");
    let began = now();
    let frames: Vec<Vec<u8>> = snapshot.frames().collect();
    let bytes: usize = frames.iter().map(Vec::len).sum();
    let each = bytes / usize::try_from(sessions)?;
    println!("written in {:?}: {each} bytes each", began.elapsed());
    drop(snapshot);
    let began = now();
    let mut restoring = Restoring::new();
    for frame in &frames {
        restoring.frame(frame)?;
    }
    Table::new().install(restoring)?;
    println!("read and installed in {:?}", began.elapsed());
    Ok(())
}

fn end_a_run(node: &mut Node) {
    let began = now();
    node.apply(Command::Down(Incarnation(2)));
    println!("a run down in {:?}", began.elapsed());
    let began = now();
    let swept: usize = (0..Table::PARTS)
        .map(|part| node.table.sweep(part).len())
        .sum();
    println!("its {swept} sessions swept in {:?}", began.elapsed());
}

/// People with a client each; every tenth has two.
fn bind(number: u32) -> Change {
    let person = number - number / 10;
    let pick = |list: [&'static str; 4]| list.into_iter().cycle().nth((number % 4) as usize);
    let name = pick(NAMES).unwrap_or_default();
    let account = format!("{name}.{person:x}@example.com");
    Change::Bind(
        Named {
            account: BareJid::from_prepared(&account),
            resource: pick(CLIENTS).unwrap_or_default().into(),
            session: SessionId(number.into()),
        },
        OnConflict::Displace,
    )
}

/// Bytes of memory that the process has.
fn resident() -> Result<u64, Box<dyn Error>> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = statm.split(' ').nth(1).ok_or("no such field")?.parse()?;
    Ok(pages * 4096)
}

#[expect(clippy::disallowed_methods, reason = "it measures")]
fn now() -> Instant {
    Instant::now()
}
