//! The record keeps its bytes: what one version of the server wrote, the next one reads.

use proptest::prelude::*;
use rookery_storage::StoreError;
use rookery_storage::record::Record;

use super::super::{Outbound, SmId, StreamManagement};
use super::{delivery, enabled, ids, with_queue};
use crate::stream_management::{Inbound, Managed};

/// What must be read for ever: never change these, add to them.
const GOLDEN: &[u8] = b"\x08\x01\x12\x4b\x0a\x49\
    \x0a\x14\x0a\x0fsome-long-sm-id\x10\xac\x02\
    \x10\x03\x18\x01\x22\x01\x03\x28\x02\x30\x01\x38\x05\
    \x42\x24\x0a\x1d<message id='1' type='chat'/>\x10\x07\x18\xe9\x07";

fn golden() -> StreamManagement {
    let mut management = enabled();
    let managed = management.managed.as_mut().unwrap();
    managed.inbound = Inbound::restore((3, 1), &[3], (2, 1)).unwrap();
    managed.outbound = Outbound::restore(5, Vec::new());
    managed.outbound.sent(delivery(1, Some(7)), 1001);
    management
}

#[test]
fn golden_bytes_are_written_and_read() {
    assert_eq!(golden().to_record(), GOLDEN);
    let read = StreamManagement::from_record(GOLDEN).unwrap();
    assert_eq!(read.to_record(), GOLDEN);
    assert_eq!(read.id(), Some(&SmId::new("some-long-sm-id")));
    assert_eq!(read.handled(), Some(1));
    assert_eq!(ids(&read.into_unacknowledged()), ["1"]);
}

#[test]
fn what_is_not_enabled_is_written_as_such() {
    let record = StreamManagement::default().to_record();
    assert_eq!(record, b"\x08\x01");
    assert!(!StreamManagement::from_record(&record).unwrap().is_enabled());
}

#[test]
fn session_without_a_connection_is_still_known_when_it_expires() {
    let mut management = with_queue(2);
    management.detach(1_000_000);
    let mut read = StreamManagement::from_record(&management.to_record()).unwrap();
    assert_eq!(read.expires(), Some(1_300_000));
    assert_eq!(read.waiting(), management.waiting());
    assert_eq!(ids(&read.resume(1).unwrap().confirmed), ["1"]);
}

#[test]
fn counts_that_contradict_each_other_are_corrupt() {
    let mut management = golden();
    let Managed { inbound, .. } = management.managed.as_mut().unwrap();
    inbound.settled = 9;
    let read = StreamManagement::from_record(&management.to_record());
    assert!(matches!(read, Err(StoreError::Corrupt(_))));
}

proptest! {
    #[test]
    fn no_bytes_whatever_cause_more_than_an_error(bytes: Vec<u8>) {
        let _read = StreamManagement::from_record(&bytes);
    }

    #[test]
    fn damage_is_an_error_or_another_session(place in 0..GOLDEN.len(), byte: u8) {
        let mut damaged = GOLDEN.to_vec();
        damaged[place] = byte;
        if let Ok(mut read) = StreamManagement::from_record(&damaged) {
            let _used = (read.received(), read.expires(), read.waiting(), read.resume(5));
            let again = StreamManagement::from_record(&read.to_record()).unwrap();
            prop_assert_eq!(again.to_record(), read.to_record());
        }
    }
}
