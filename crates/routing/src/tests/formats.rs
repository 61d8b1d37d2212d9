//! The formats of log and snapshot, byte by byte: what one version wrote, every later one reads.

use std::fmt::Write;
use std::sync::Arc;

use proptest::prelude::*;
use rookery_delivery::SessionId;

use super::{Cluster, VERSIONS, named, parts};
use crate::command::{Answer, Change, Command, OnConflict, Outcome, Refusal};
use crate::entry::EntryError;
use crate::members::{Incarnation, MemberId};
use crate::sessions::Place;
use crate::snapshot::{Restoring, SnapshotError};

/// One of each change.
fn changes() -> Vec<Change> {
    let room = parts("balcony@rooms.example.com").0;
    let (standby, to) = (Some(Incarnation(4)), Some(Incarnation(4)));
    let juliet = || named("juliet@example.com/balcony", 300);
    let (domain, stream) = (Box::<str>::from("push.example.com"), SessionId(300));
    vec![
        Change::Bind(juliet(), OnConflict::Displace),
        Change::Bind(juliet(), OnConflict::Yield),
        Change::Unbind(juliet()),
        Change::Presence(juliet(), Some(-5)),
        Change::Presence(juliet(), None),
        Change::Entrust(juliet(), Incarnation(4)),
        Change::ClaimRoom { room: room.clone() },
        Change::SetStandby {
            room: room.clone(),
            standby,
        },
        Change::SetStandby {
            room: room.clone(),
            standby: None,
        },
        Change::ReleaseRoom {
            room,
            epoch: 1000,
            to,
        },
        Change::Attach {
            domain: domain.clone(),
            stream,
        },
        Change::Detach { domain, stream },
    ]
}

/// One of each command.
fn commands() -> Vec<Command> {
    let address: Arc<str> = "node-1:7000".into();
    vec![
        Command::Admit {
            admission: 0x0123_4567,
            address: Arc::clone(&address),
            versions: VERSIONS,
        },
        Command::Register {
            member: MemberId(7),
            nonce: 0x89ab,
            address,
            versions: VERSIONS,
        },
        Command::Serve(MemberId(7)),
        Command::Drain(MemberId(7)),
        Command::Down(Incarnation(3)),
        Command::Remove(MemberId(7)),
        Command::Finalize(2),
        Command::Batch {
            by: Incarnation(3),
            changes: changes(),
        },
        Command::Found {
            admission: 1,
            address: "node-1:7000".into(),
            versions: VERSIONS,
        },
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _written = write!(hex, "{byte:02x}");
        hex
    })
}

#[test]
fn entries_of_version_1_are_what_they_were() {
    let written: String = commands()
        .iter()
        .map(|command| hex(&command.encode()) + "\n")
        .collect();
    assert_eq!(written, include_str!("entries-1.hex"));
}

#[test]
fn entries_of_version_1_are_read() {
    let read: Vec<Command> = include_str!("entries-1.hex")
        .lines()
        .map(|line| Command::decode(&bytes(line)).unwrap())
        .collect();
    assert_eq!(read, commands());
}

#[test]
fn snapshots_of_version_1_are_what_they_were_and_are_read() {
    let mut cluster = Cluster::of(2);
    cluster.bind(1, "juliet@example.com/balcony", 10);
    cluster.bind(2, "juliet@example.com/balcony", 20);
    for change in changes().into_iter().skip(6).take(5) {
        cluster.change(2, change);
    }
    let written: String = cluster
        .table
        .snapshot()
        .frames()
        .map(|frame| hex(&frame) + "\n")
        .collect();
    assert_eq!(written, include_str!("snapshot-1.hex"));
    let mut restoring = Restoring::new();
    for line in written.lines() {
        restoring.frame(&bytes(line)).unwrap();
    }
    let restored = Cluster::default();
    restored.table.install(restoring).unwrap();
    assert_eq!(restored.table.members(), cluster.table.members());
    assert_eq!(restored.owner("juliet@example.com/balcony"), Some((1, 10)));
    assert_eq!(restored.table.component("push.example.com").len(), 1);
    let room = parts("balcony@rooms.example.com").0;
    assert_eq!(restored.table.room(&room), cluster.table.room(&room));
}

#[test]
fn an_answer_is_read_as_it_was_written() {
    let (owner, epoch) = (Incarnation(3), 70);
    let place = Place {
        run: owner,
        session: SessionId(5),
    };
    let answers = [
        Answer::Admitted(MemberId(4)),
        Answer::Registered(owner),
        Answer::Done,
        Answer::Changed(vec![
            Outcome::Done,
            Outcome::Pending(place),
            Outcome::Conflict(place),
            Outcome::Full,
            Outcome::Unknown,
            Outcome::Claimed { epoch },
            Outcome::Elsewhere { owner, epoch },
        ]),
        Answer::Refused(Refusal::NoMember),
        Answer::Refused(Refusal::NoRun),
        Answer::Refused(Refusal::Version {
            active: 3,
            min: 1,
            max: 2,
        }),
        Answer::Refused(Refusal::Founded),
        Answer::Refused(Refusal::Running),
    ];
    for answer in answers {
        assert_eq!(Answer::decode(&answer.encode()), Ok(answer));
    }
    assert!(Answer::decode(&[]).is_err());
}

#[test]
fn an_entry_that_is_newer_or_unknown_is_refused_and_never_skipped() {
    assert_eq!(Command::decode(&[0x08, 0x02]), Err(EntryError::Newer(2)));
    let unknown = EntryError::Field("no command that this node knows");
    assert_eq!(
        Command::decode(&[0x08, 0x01, 0xfa, 0x01, 0x00]),
        Err(unknown)
    );
    let unknown = EntryError::Field("no change that this node knows");
    let change = [
        0x08, 0x01, 0x4a, 0x07, 0x08, 0x03, 0x12, 0x03, 0xfa, 0x01, 0x00,
    ];
    assert_eq!(Command::decode(&change), Err(unknown));
}

#[test]
fn frames_without_a_first_one_or_of_a_newer_version_are_refused() {
    let missing = SnapshotError::Field("the first frame is missing");
    assert_eq!(Restoring::new().frame(&[]), Err(missing.clone()));
    assert_eq!(
        Cluster::default().table.install(Restoring::new()),
        Err(missing)
    );
    let newer = [0x0a, 0x02, 0x08, 0x02];
    assert_eq!(Restoring::new().frame(&newer), Err(SnapshotError::Newer(2)));
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.map(byte).collect()
}

proptest! {
    #[test]
    fn bytes_of_a_stranger_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _read = Command::decode(&bytes);
        let mut restoring = Restoring::new();
        let _read = restoring.frame(&bytes);
    }
}
