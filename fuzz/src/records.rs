//! Records of the store: what can be read is written and read back as the same value; everything else is
//! corrupt, and never unavailable.

use std::fmt::Debug;

use rookery_storage::record::Record;
use rookery_storage::{Client, Credentials, OfflineMessage, RosterItem, StoreError};

/// Tries one record as each kind of value.
pub fn check(bytes: &[u8]) {
    check_as::<Client>(bytes);
    check_as::<Credentials>(bytes);
    check_as::<OfflineMessage>(bytes);
    check_as::<RosterItem>(bytes);
}

fn check_as<R: Record + PartialEq + Debug>(bytes: &[u8]) {
    match R::from_record(bytes) {
        Ok(value) => {
            let record = value.to_record();
            assert_eq!(
                R::from_record(&record).as_ref(),
                Ok(&value),
                "another value"
            );
        }
        Err(StoreError::Corrupt(reason)) => assert!(reason.starts_with(R::NAME), "{reason}"),
        Err(StoreError::Unavailable(reason)) => assert_eq!(reason, "", "it will never be better"),
    }
}
