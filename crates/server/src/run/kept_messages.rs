//! Messages that an earlier version kept for accounts that are away: into the message log, once.

use rookery_stanza::{BareJid, Stanza};
use rookery_storage::message_log::{IngressId, MessageLog, NewMessage, NewRow, Origin, Purpose};
use rookery_storage::{OfflineStore, Queued, StoreError};
use rookery_storage_embedded::EmbeddedStore;

/// Accounts, and messages of one, that are moved at once.
const PAGE: usize = 256;

/// What all ids begin with of messages that are moved: one that was moved before the end of an attempt is not
/// appended again by the next.
const SESSION: u64 = u64::from_be_bytes(*b"offline:");

/// Moves them all. When there are none, which is nearly always, that costs one question.
pub(super) async fn move_into_log(
    store: &EmbeddedStore,
    log: &dyn MessageLog,
) -> Result<(), StoreError> {
    loop {
        let accounts = store.accounts_with_offline(PAGE).await?;
        if accounts.is_empty() {
            return Ok(());
        }
        for account in accounts {
            let queue = store.read_offline(&account, 0, PAGE).await?;
            let Some(last) = queue.last().map(|queued| queued.position) else {
                continue;
            };
            let messages = queue.into_iter().map(|queued| row(&account, queued));
            log.append(messages.collect()).await?;
            store.remove_offline(&account, last).await?;
            tracing::info!(%account, "messages of an earlier version were moved into the message log");
        }
    }
}

/// A message that is owed, and in no archive: an earlier version had none.
fn row(account: &BareJid, queued: Queued) -> NewMessage {
    let Queued { position, message } = queued;
    let stanza = Stanza::parse_again(message.xml.clone().into()).ok();
    let id = stanza.as_ref().and_then(|stanza| stanza.id.as_deref());
    let origin = id.map(Origin::of);
    NewMessage {
        ingress: IngressId {
            session: SESSION,
            count: position,
        },
        received: message.received,
        origin,
        payload: message.xml.into(),
        rows: vec![NewRow {
            account: account.clone(),
            epoch: 0,
            with: stanza
                .and_then(|stanza| stanza.from)
                .unwrap_or_else(|| account.to_jid()),
            purpose: Purpose::Delivery(Vec::new()),
        }],
    }
}

#[cfg(test)]
mod tests {
    use rookery_storage::message_log::MemoryLog;
    use rookery_storage::{
        AccountStore, Append, Credentials, OfflineLimit, OfflineMessage, ScramKeys,
    };
    use rookery_telemetry::Registry;

    use super::*;

    #[tokio::test]
    async fn messages_of_an_earlier_version_are_owed_in_order_and_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store");
        let config = rookery_storage_embedded::Config::default();
        let store = EmbeddedStore::open(&path, &config, &Registry::new()).unwrap();
        let account = BareJid::parse("juliet@example.com").unwrap();
        let keys = || ScramKeys {
            salt: vec![],
            iterations: 1,
            stored_key: vec![],
            server_key: vec![],
        };
        let credentials = Credentials {
            sha1: keys(),
            sha256: keys(),
            sha512: keys(),
        };
        let made = store.create_accounts(vec![(account.clone(), credentials)]);
        made.await.unwrap();
        let xml = |number| format!("<message from='romeo@example.com/o' id='{number}'/>");
        let append = |number: u64| Append {
            account: account.clone(),
            message: OfflineMessage {
                received: number,
                xml: xml(number).into_bytes(),
            },
        };
        let appended = store.append_offline((0..600).map(append).collect(), OfflineLimit::NONE);
        appended.await.unwrap();
        let log = MemoryLog::new();
        move_into_log(&store, &log).await.unwrap();
        move_into_log(&store, &log).await.unwrap();
        let owed = log.read_owed(&account, None, 1000).await.unwrap();
        let received: Vec<u64> = owed.iter().map(|row| row.received).collect();
        assert_eq!(received, (0..600).collect::<Vec<_>>());
        assert_eq!(owed[7].payload, xml(7));
        assert_eq!(owed[7].with.as_str(), "romeo@example.com/o");
        store.close().await;
    }
}
