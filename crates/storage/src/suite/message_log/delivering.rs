//! Rules for rows that are owed.

use super::{add, all_owed, archive, exchanged, fill, ids, kept, message, owed, romeo, row};
use crate::error::StoreError;
use crate::message_log::{MessageLog, Purpose, Row, RowId};

/// Owed rows are those that wait, from the oldest on.
pub async fn owed_rows_are_read_in_order_and_in_pages(
    log: &impl MessageLog,
) -> Result<(), StoreError> {
    let mut expected = Vec::new();
    for mark in 0..5 {
        let routed = Purpose::Both(vec![format!("resource {mark}")]);
        let waiting = kept(message(2 * mark), &routed);
        let id = add(log, waiting.clone()).await?;
        expected.extend(row(&waiting, id));
        add(log, message(2 * mark + 1)).await?;
    }
    let mut read = Vec::new();
    for size in [2, 2, 1, 0] {
        let after = read.last().map(|row: &Row| row.id);
        let page = log.read_owed(&romeo(), after, 2).await?;
        assert_eq!(page.len(), size);
        read.extend(page);
    }
    assert_eq!(read, expected);
    Ok(())
}

/// In any order, and at once.
pub async fn a_confirmed_row_is_not_owed(log: &impl MessageLog) -> Result<(), StoreError> {
    let mut waiting: Vec<RowId> = Vec::new();
    for mark in 0..10 {
        waiting.push(add(log, kept(message(mark), &owed())).await?);
    }
    for confirmed in [vec![7], vec![0, 1], vec![], vec![5, 2, 7]] {
        let rows = confirmed
            .iter()
            .filter_map(|nth| waiting.get(*nth))
            .copied();
        log.confirm(&romeo(), rows.collect()).await?;
    }
    let left = [3, 4, 6, 8, 9].iter().filter_map(|nth| waiting.get(*nth));
    assert_eq!(all_owed(log).await?, left.copied().collect::<Vec<_>>());
    Ok(())
}

/// It stays where it is, and is read as what it is now.
pub async fn confirming_takes_nothing_from_the_archive(
    log: &impl MessageLog,
) -> Result<(), StoreError> {
    let purpose = Purpose::Both(vec!["orchard".to_owned()]);
    let id = add(log, kept(message(0), &purpose)).await?;
    log.confirm(&romeo(), vec![id]).await?;
    assert_eq!(log.rows(&romeo(), vec![id]).await?, [row(&message(0), id)]);
    assert_eq!(all_owed(log).await?, []);
    Ok(())
}

/// With archiving off, a row is owed and nothing else.
pub async fn a_row_that_is_only_owed_is_not_in_the_archive(
    log: &impl MessageLog,
) -> Result<(), StoreError> {
    let id = add(log, kept(message(0), &owed())).await?;
    let archived = fill_after(log).await?;
    assert_eq!(archive(log).await?, archived);
    assert_eq!(all_owed(log).await?, [id]);
    assert_eq!(log.rows(&romeo(), vec![id]).await?, [None]);
    log.confirm(&romeo(), vec![id]).await?;
    assert_eq!(all_owed(log).await?, []);
    assert_eq!(archive(log).await?, archived);
    Ok(())
}

async fn fill_after(log: &impl MessageLog) -> Result<Vec<RowId>, StoreError> {
    Ok(vec![
        add(log, message(1)).await?,
        add(log, message(2)).await?,
    ])
}

/// For a client that looks at what waits before it fetches anything (XEP-0013 §2.3).
pub async fn owed_rows_are_listed_without_their_payloads(
    log: &impl MessageLog,
) -> Result<(), StoreError> {
    add(log, message(9)).await?;
    for (mark, with) in (0..).zip(["juliet@capulet.example/balcony", "nurse@capulet.example"]) {
        add(log, exchanged(kept(message(mark), &owed()), with)).await?;
    }
    let rows = log.read_owed(&romeo(), None, 10).await?;
    let headers: Vec<_> = rows.into_iter().map(Row::into_header).collect();
    assert_eq!(log.list_owed(&romeo(), None, 10).await?, headers);
    assert_eq!(
        log.list_owed(&romeo(), None, 1).await?,
        headers.get(..1).unwrap_or_default()
    );
    let after = headers.first().map(|header| header.id);
    assert_eq!(
        log.list_owed(&romeo(), after, 10).await?,
        headers.get(1..).unwrap_or_default()
    );
    Ok(())
}

/// Whether or not they are in the archive as well (XEP-0013 §2.4).
pub async fn owed_rows_are_found_by_their_ids(log: &impl MessageLog) -> Result<(), StoreError> {
    let (waiting, both) = (
        kept(message(0), &owed()),
        kept(message(1), &Purpose::Both(Vec::new())),
    );
    let first = add(log, waiting.clone()).await?;
    let second = add(log, both.clone()).await?;
    let archived = add(log, message(2)).await?;
    let guessed = RowId::from_halves(first.order(), !first.salt());
    let wanted = vec![second, archived, guessed, first];
    let expected = [row(&both, second), None, None, row(&waiting, first)];
    assert_eq!(log.owed_rows(&romeo(), wanted).await?, expected);
    log.confirm(&romeo(), vec![second]).await?;
    assert_eq!(log.owed_rows(&romeo(), vec![second]).await?, [None]);
    Ok(())
}

/// Not known, not owed, or confirmed before.
pub async fn confirmations_of_other_ids_change_nothing(
    log: &impl MessageLog,
) -> Result<(), StoreError> {
    let nobody = RowId::next(None, 0, 0);
    log.confirm(&romeo(), vec![nobody]).await?;
    let archived = fill(log, 3).await?;
    let waiting = add(log, kept(message(3), &owed())).await?;
    let guessed = RowId::from_halves(waiting.order(), !waiting.salt());
    let mut confirmed = archived.clone();
    confirmed.extend([nobody, guessed]);
    log.confirm(&romeo(), confirmed).await?;
    assert_eq!(ids(&log.read_owed(&romeo(), None, 10).await?), [waiting]);
    assert_eq!(archive(log).await?, archived);
    Ok(())
}
