//! Records keep their bytes: what one version of the server wrote, the next one reads.

use proptest::prelude::*;
use prost::Message;
use rookery_stanza::BareJid;

use super::{Enclosing, Record};
use crate::client::{Client, Token};
use crate::credentials::{Credentials, ScramKeys};
use crate::error::StoreError;
use crate::offline::OfflineMessage;
use crate::roster::{RosterItem, Subscription};

fn keys(fill: u8) -> ScramKeys {
    ScramKeys {
        salt: vec![fill; 2],
        iterations: 10_000,
        stored_key: vec![fill + 1; 3],
        server_key: vec![fill + 2; 3],
    }
}

fn credentials() -> Credentials {
    Credentials {
        sha1: keys(0x10),
        sha256: keys(0x20),
        sha512: keys(0x30),
    }
}

fn item() -> RosterItem {
    RosterItem {
        jid: BareJid::parse("romeo@montague.example").unwrap(),
        name: Some("Romeo".to_owned()),
        groups: vec!["Friends".to_owned(), "Montagues".to_owned()],
        subscription: Subscription::Both,
        pending_out: true,
        approved: true,
        pending_in: Some(b"<presence/>".to_vec()),
        listed: true,
        changed: 300,
    }
}

fn message() -> OfflineMessage {
    OfflineMessage {
        received: 1_000_000,
        xml: b"<message/>".to_vec(),
    }
}

fn client() -> Client {
    Client {
        salt: vec![1; 2],
        first_seen: 300,
        last_seen: 301,
        software: Some("A".to_owned()),
        device: None,
        knows_password: true,
        current: Some(Token {
            seed: vec![2; 2],
            mechanism: "HT".to_owned(),
            issued: 4,
            expires: 5,
            count: 6,
        }),
        fresh: None,
    }
}

/// What must be read for ever: never change these, add to them.
#[test]
fn golden_bytes_are_written_and_read() {
    let credentials_record = b"\x08\x01\x12\x39\
        \x0a\x11\x0a\x02\x10\x10\x10\x90\x4e\x1a\x03\x11\x11\x11\x22\x03\x12\x12\x12\
        \x12\x11\x0a\x02\x20\x20\x10\x90\x4e\x1a\x03\x21\x21\x21\x22\x03\x22\x22\x22\
        \x1a\x11\x0a\x02\x30\x30\x10\x90\x4e\x1a\x03\x31\x31\x31\x22\x03\x32\x32\x32";
    assert_eq!(credentials().to_record(), credentials_record);
    assert_eq!(
        Credentials::from_record(credentials_record),
        Ok(credentials())
    );

    let item_record = b"\x08\x01\x12\x4b\
        \x0a\x16romeo@montague.example\x12\x05Romeo\
        \x1a\x07Friends\x1a\x09Montagues\x20\x03\x28\x01\x30\x01\
        \x3a\x0b<presence/>\x40\x01\x48\xac\x02";
    assert_eq!(item().to_record(), item_record);
    assert_eq!(RosterItem::from_record(item_record), Ok(item()));

    let message_record = b"\x08\x01\x12\x10\x08\xc0\x84\x3d\x12\x0a<message/>";
    assert_eq!(message().to_record(), message_record);
    assert_eq!(OfflineMessage::from_record(message_record), Ok(message()));

    let client_record = b"\x08\x01\x12\x1f\
        \x0a\x02\x01\x01\x10\xac\x02\x18\xad\x02\x22\x01A\x30\x01\
        \x3a\x0e\x0a\x02\x02\x02\x12\x02HT\x18\x04\x20\x05\x28\x06";
    assert_eq!(client().to_record(), client_record);
    assert_eq!(Client::from_record(client_record), Ok(client()));
}

#[test]
fn a_record_of_a_newer_version_says_what_to_do() {
    let newer = Enclosing {
        version: 2,
        body: vec![0xff],
    }
    .encode_to_vec();
    let Err(StoreError::Corrupt(reason)) = OfflineMessage::from_record(&newer) else {
        panic!("a newer record was read");
    };
    assert!(
        reason.contains("offline message: it has version 2"),
        "{reason}"
    );
    assert!(reason.contains("a newer rookery wrote it"), "{reason}");
}

#[test]
fn a_field_that_is_not_known_yet_is_skipped() {
    let mut body = message().encode_body();
    body.extend_from_slice(b"\x7a\x03new");
    let record = Enclosing { version: 1, body }.encode_to_vec();
    assert_eq!(OfflineMessage::from_record(&record), Ok(message()));
}

#[test]
fn a_record_without_a_version_is_damaged() {
    let record = Enclosing {
        version: 0,
        body: message().encode_body(),
    }
    .encode_to_vec();
    assert!(matches!(
        OfflineMessage::from_record(&record),
        Err(StoreError::Corrupt(_))
    ));
    assert!(matches!(
        OfflineMessage::from_record(b""),
        Err(StoreError::Corrupt(_))
    ));
}

#[test]
fn a_record_with_a_state_that_is_not_known_is_damaged() {
    let record = b"\x08\x01\x12\x07\x0a\x03a.b\x20\x09";
    assert!(matches!(
        RosterItem::from_record(record),
        Err(StoreError::Corrupt(_))
    ));
}

proptest! {
    #[test]
    fn every_message_comes_back(received: u64, xml: Vec<u8>) {
        let message = OfflineMessage { received, xml };
        prop_assert_eq!(OfflineMessage::from_record(&message.to_record()), Ok(message));
    }

    #[test]
    fn every_item_comes_back(
        name: Option<String>,
        groups: Vec<String>,
        pending_in: Option<Vec<u8>>,
        flags: [bool; 3],
        changed: u64,
    ) {
        let [pending_out, approved, listed] = flags;
        let item = RosterItem {
            name, groups, pending_out, approved, pending_in, listed, changed, ..item()
        };
        prop_assert_eq!(RosterItem::from_record(&item.to_record()), Ok(item));
    }

    #[test]
    fn no_bytes_whatever_cause_more_than_an_error(bytes: Vec<u8>) {
        drop(Credentials::from_record(&bytes));
        drop(RosterItem::from_record(&bytes));
        drop(OfflineMessage::from_record(&bytes));
    }
}
