//! The rules for messages kept for accounts that are away.

use rookery_stanza::BareJid;

use super::{account, jid};
use crate::error::StoreError;
use crate::offline::{Append, Appended, OfflineLimit, OfflineMessage, Queued};
use crate::record::Record;
use crate::{OfflineStore, Store};

fn message(mark: u64) -> OfflineMessage {
    let xml = format!("<message to='romeo@montague.example'><body>{mark}</body></message>");
    OfflineMessage {
        received: 1_700_000_000_000 + mark,
        xml: xml.into_bytes(),
    }
}

fn append(account: &BareJid, mark: u64) -> Append {
    Append {
        account: account.clone(),
        message: message(mark),
    }
}

fn at_most(messages: usize) -> OfflineLimit {
    OfflineLimit {
        messages,
        ..OfflineLimit::NONE
    }
}

/// Appends one message that there is room for, and gives its position.
async fn add(store: &impl OfflineStore, account: &BareJid, mark: u64) -> Result<u64, StoreError> {
    let appended = store
        .append_offline(vec![append(account, mark)], OfflineLimit::NONE)
        .await?;
    let [Appended::At(position)] = appended.as_slice() else {
        return Err(StoreError::Corrupt(format!(
            "message {mark} was not appended: {appended:?}"
        )));
    };
    Ok(*position)
}

/// An account is loaded with word of whether messages are kept for it.
pub async fn an_account_knows_whether_messages_are_kept(
    store: &impl Store,
) -> Result<(), StoreError> {
    let romeo = account(store, "romeo@montague.example").await?;
    let known = || async {
        let state = store.load_account(&romeo, &[]).await?;
        Ok::<_, StoreError>(state.map(|state| state.has_messages))
    };
    assert_eq!(known().await?, Some(false));
    let first = add(store, &romeo, 1).await?;
    let last = add(store, &romeo, 2).await?;
    store.remove_offline(&romeo, first).await?;
    assert_eq!(known().await?, Some(true));
    store.remove_offline(&romeo, last).await?;
    assert_eq!(known().await?, Some(false));
    Ok(())
}

/// Messages come back as they were appended, with their positions.
pub async fn messages_come_back_in_order(store: &impl Store) -> Result<(), StoreError> {
    let romeo = account(store, "romeo@montague.example").await?;
    let mut expected = Vec::new();
    for mark in 0..20 {
        expected.push(Queued {
            position: add(store, &romeo, mark).await?,
            message: message(mark),
        });
    }
    assert!(
        expected.is_sorted_by(|a, b| a.position < b.position),
        "positions rise"
    );
    assert_eq!(store.read_offline(&romeo, 0, 100).await?, expected);
    Ok(())
}

/// A message is bytes; the store changes none of them.
pub async fn every_byte_of_a_message_survives(store: &impl Store) -> Result<(), StoreError> {
    let romeo = account(store, "romeo@montague.example").await?;
    let all: Vec<u8> = (0..=u8::MAX).cycle().take(300_000).collect();
    for xml in [Vec::new(), vec![0], all] {
        let message = OfflineMessage {
            received: u64::MAX,
            xml,
        };
        let append = Append {
            account: romeo.clone(),
            message: message.clone(),
        };
        store
            .append_offline(vec![append], OfflineLimit::NONE)
            .await?;
        let last = store.read_offline(&romeo, 0, 10).await?.pop();
        assert_eq!(last.map(|queued| queued.message), Some(message));
    }
    Ok(())
}

/// Reading starts after a position and ends at the limit.
pub async fn a_queue_is_read_in_pages(store: &impl Store) -> Result<(), StoreError> {
    let romeo = account(store, "romeo@montague.example").await?;
    for mark in 0..5 {
        add(store, &romeo, mark).await?;
    }
    let (mut after, mut pages, mut marks) = (0, 0, Vec::new());
    loop {
        let page = store.read_offline(&romeo, after, 2).await?;
        let Some(last) = page.last() else { break };
        after = last.position;
        pages += 1;
        marks.extend(
            page.into_iter()
                .map(|queued| queued.message.received - 1_700_000_000_000),
        );
    }
    assert_eq!((pages, marks), (3, vec![0, 1, 2, 3, 4]));
    assert_eq!(store.read_offline(&romeo, 0, 0).await?, []);
    assert_eq!(store.read_offline(&romeo, u64::MAX, 10).await?, []);
    Ok(())
}

/// A position is never given twice, so that a message is never removed for another.
pub async fn positions_rise_even_when_the_queue_was_emptied(
    store: &impl Store,
) -> Result<(), StoreError> {
    let romeo = account(store, "romeo@montague.example").await?;
    let first = add(store, &romeo, 0).await?;
    let second = add(store, &romeo, 1).await?;
    store.remove_offline(&romeo, first).await?;
    let left = store.read_offline(&romeo, 0, 10).await?;
    assert_eq!(
        left,
        [Queued {
            position: second,
            message: message(1)
        }]
    );
    store.remove_offline(&romeo, u64::MAX).await?;
    assert_eq!(store.read_offline(&romeo, 0, 10).await?, []);
    let third = add(store, &romeo, 2).await?;
    assert!(third > second, "{third} follows {second}");
    store.remove_offline(&romeo, second).await?;
    assert_eq!(store.read_offline(&romeo, 0, 10).await?.len(), 1);
    Ok(())
}

/// The limit holds for each queue, and for what it holds now.
pub async fn a_full_queue_takes_no_more_until_there_is_room(
    store: &impl Store,
) -> Result<(), StoreError> {
    let romeo = account(store, "romeo@montague.example").await?;
    let juliet = account(store, "juliet@capulet.example").await?;
    let messages = vec![
        append(&romeo, 0),
        append(&romeo, 1),
        append(&romeo, 2),
        append(&juliet, 3),
    ];
    let appended = store.append_offline(messages, at_most(2)).await?;
    let [
        Appended::At(first),
        Appended::At(_),
        Appended::QueueFull,
        Appended::At(_),
    ] = appended.as_slice()
    else {
        return Err(StoreError::Corrupt(format!(
            "the limit is not kept: {appended:?}"
        )));
    };
    assert_eq!(
        store
            .append_offline(vec![append(&juliet, 4)], at_most(0))
            .await?,
        [Appended::QueueFull]
    );

    store.remove_offline(&romeo, *first).await?;
    store.remove_offline(&romeo, *first).await?;
    let appended = store
        .append_offline(vec![append(&romeo, 5), append(&romeo, 6)], at_most(2))
        .await?;
    assert!(
        matches!(appended.as_slice(), [Appended::At(_), Appended::QueueFull]),
        "room for one: {appended:?}"
    );
    assert_eq!(store.read_offline(&romeo, 0, 10).await?.len(), 2);
    Ok(())
}

/// The limit on bytes holds for each queue, counts the records, and knows what was removed.
pub async fn a_queue_holds_no_more_bytes_than_it_may(store: &impl Store) -> Result<(), StoreError> {
    let romeo = account(store, "romeo@montague.example").await?;
    let juliet = account(store, "juliet@capulet.example").await?;
    let large = |account: &BareJid| {
        let mut large = append(account, 1);
        large.message.xml = vec![b'x'; 100_000];
        large
    };
    let bytes = |append: Append| append.message.to_record().len() as u64;
    let limit = OfflineLimit {
        messages: usize::MAX,
        bytes: bytes(large(&romeo)) + bytes(append(&romeo, 0)),
    };
    let messages = vec![
        append(&romeo, 0),
        large(&romeo),
        append(&romeo, 2),
        large(&juliet),
        large(&juliet),
    ];
    let appended = store.append_offline(messages, limit).await?;
    let [
        Appended::At(first),
        Appended::At(second),
        Appended::QueueFull,
        Appended::At(_),
        Appended::QueueFull,
    ] = appended.as_slice()
    else {
        return Err(StoreError::Corrupt(format!(
            "the limit is not kept: {appended:?}"
        )));
    };
    store.remove_offline(&romeo, *first).await?;
    let again = store.append_offline(vec![large(&romeo)], limit).await?;
    assert_eq!(again, [Appended::QueueFull]);
    store.remove_offline(&romeo, *second).await?;
    let again = store.append_offline(vec![large(&romeo)], limit).await?;
    assert!(matches!(again.as_slice(), [Appended::At(_)]), "{again:?}");
    Ok(())
}

/// Each message has its answer, in the order of the messages.
pub async fn answers_to_appending_are_in_order(store: &impl Store) -> Result<(), StoreError> {
    let romeo = account(store, "romeo@montague.example").await?;
    let nobody = jid("nobody@montague.example");
    let messages = vec![append(&nobody, 0), append(&romeo, 1), append(&nobody, 2)];
    let appended = store.append_offline(messages, at_most(1)).await?;
    assert!(
        matches!(
            appended.as_slice(),
            [
                Appended::NoSuchAccount,
                Appended::At(_),
                Appended::NoSuchAccount
            ]
        ),
        "{appended:?}"
    );
    assert_eq!(store.append_offline(Vec::new(), at_most(1)).await?, []);
    Ok(())
}

/// What is read or removed for one account is not another's.
pub async fn queues_are_apart(store: &impl Store) -> Result<(), StoreError> {
    let romeo = account(store, "romeo@montague.example").await?;
    let cousin = account(store, "romeo@capulet.example").await?;
    add(store, &romeo, 1).await?;
    add(store, &cousin, 2).await?;
    store.remove_offline(&romeo, u64::MAX).await?;
    assert_eq!(store.read_offline(&romeo, 0, 10).await?, []);
    let left = store.read_offline(&cousin, 0, 10).await?;
    assert_eq!(
        left.into_iter()
            .map(|queued| queued.message)
            .collect::<Vec<_>>(),
        [message(2)]
    );
    Ok(())
}

/// Reading and removing where there is no account finds nothing and is no failure.
pub async fn a_queue_without_an_account_is_empty(store: &impl Store) -> Result<(), StoreError> {
    let nobody = jid("nobody@montague.example");
    store.remove_offline(&nobody, 10).await?;
    assert_eq!(store.read_offline(&nobody, 0, 10).await?, []);
    Ok(())
}
