//! Messages that are appended.

use rookery_stanza::BareJid;
use rookery_storage::message_log::{
    Appended, IngressId, MessageLog, NewMessage, NewRow, Purpose, RowId,
};
use rookery_storage::{Credentials, ScramKeys, StoreError};

/// When the first message is received, in milliseconds since 1970.
pub(crate) const START: u64 = 1_700_000_000_000;

pub(crate) fn account(text: &str) -> BareJid {
    BareJid::parse(text).unwrap()
}

/// A message for the archive of an account, and owed to it.
pub(crate) fn message(account: &BareJid, count: u64) -> NewMessage {
    NewMessage {
        ingress: IngressId { session: 1, count },
        received: START + count,
        origin: None,
        payload: format!("<message id='{count}'/>").into(),
        rows: vec![NewRow {
            account: account.clone(),
            epoch: 0,
            with: account.clone().into(),
            purpose: Purpose::Both(Vec::new()),
        }],
    }
}

pub(crate) async fn append(
    log: &impl MessageLog,
    message: NewMessage,
) -> Result<RowId, StoreError> {
    match log.append(vec![message]).await?.as_slice() {
        [Appended::At(id) | Appended::Repeat(id)] => Ok(*id),
        other => panic!("{other:?}"),
    }
}

/// How many rows an account is owed.
pub(crate) async fn owed(log: &impl MessageLog, account: &BareJid) -> usize {
    log.read_owed(account, None, 100_000).await.unwrap().len()
}

pub(crate) fn credentials() -> Credentials {
    let keys = ScramKeys {
        salt: vec![1],
        iterations: 1,
        stored_key: vec![2],
        server_key: vec![3],
    };
    Credentials {
        sha1: keys.clone(),
        sha256: keys.clone(),
        sha512: keys,
    }
}
