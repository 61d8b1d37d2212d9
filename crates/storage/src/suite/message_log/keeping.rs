//! Rules for what is replaced, what goes, and what stays.

use super::{
    HOUR, START, add, add_all, all_owed, archive, fill, juliet, kept, message, open, owed, romeo,
    row,
};
use crate::error::StoreError;
use crate::message_log::{
    Appended, MessageLog, NewRow, Opened, Purpose, Retention, RowId, Tail, Trimmed,
};

/// A retracted message (XEP-0424 §5): everything but the payload stays, and other logs keep theirs.
pub async fn a_tombstone_takes_the_place_of_a_payload(
    log: &impl MessageLog,
) -> Result<(), StoreError> {
    let mut original = kept(message(0), &Purpose::Both(vec!["orchard".to_owned()]));
    let juliets = NewRow {
        account: juliet(),
        ..message(0).rows.remove(0)
    };
    original.rows.push(juliets);
    let ids = add_all(log, original.clone()).await?;
    let [romeos, juliets] = ids.as_slice() else {
        return Err(StoreError::Corrupt(format!("{ids:?}")));
    };
    assert!(log.replace(&romeo(), *romeos, "a tombstone".into()).await?);
    original.payload = "a tombstone".into();
    let read = log.rows(&romeo(), vec![*romeos]).await?;
    assert_eq!(read, [row(&original, *romeos)]);
    assert_eq!(log.read_owed(&romeo(), None, 10).await?.len(), 1);
    let read = log.rows(&juliet(), vec![*juliets]).await?;
    assert_eq!(read, [row(&message(0), *juliets)]);

    let nobody = RowId::next(None, 0, 0);
    assert!(!log.replace(&romeo(), nobody, "no row".into()).await?);
    let waiting = add(log, kept(message(1), &owed())).await?;
    assert!(log.replace(&romeo(), waiting, "owed".into()).await?);
    log.confirm(&romeo(), vec![waiting]).await?;
    assert!(!log.replace(&romeo(), waiting, "not kept".into()).await?);
    Ok(())
}

/// Those that are older than they may become.
pub async fn rows_leave_the_archive_by_age(log: &impl MessageLog) -> Result<(), StoreError> {
    let all = fill(log, 6).await?;
    let retention = Retention {
        age: HOUR,
        ..Retention::forever(START + 4 + HOUR)
    };
    let trimmed = log.trim(&romeo(), retention, 100).await?;
    let expected = Trimmed {
        removed: 4,
        ..Trimmed::default()
    };
    assert_eq!(trimmed, expected);
    let left: Vec<RowId> = all.iter().skip(4).copied().collect();
    assert_eq!(archive(log).await?, left);
    let again = log.trim(&romeo(), retention, 100).await?;
    assert_eq!(again, Trimmed::default());
    Ok(())
}

/// The newest stay.
pub async fn rows_leave_the_archive_by_number(log: &impl MessageLog) -> Result<(), StoreError> {
    let all = fill(log, 6).await?;
    add(log, kept(message(6), &owed())).await?;
    let retention = Retention {
        rows: 2,
        ..Retention::forever(START)
    };
    assert_eq!(log.trim(&romeo(), retention, 100).await?.removed, 4);
    let left: Vec<RowId> = all.iter().skip(4).copied().collect();
    assert_eq!(archive(log).await?, left);
    let none = Retention {
        rows: 0,
        ..retention
    };
    assert_eq!(log.trim(&romeo(), none, 100).await?.removed, 2);
    assert_eq!(archive(log).await?, []);
    Ok(())
}

/// Retention of the archive takes nothing from anybody who has not had it.
pub async fn an_owed_row_leaves_the_archive_and_is_owed_still(
    log: &impl MessageLog,
) -> Result<(), StoreError> {
    let both = Purpose::Both(vec!["orchard".to_owned()]);
    let id = add(log, kept(message(0), &both)).await?;
    let retention = Retention {
        age: HOUR,
        rows: 0,
        ..Retention::forever(START + 5 * HOUR)
    };
    let expected = Trimmed {
        removed: 1,
        ..Trimmed::default()
    };
    assert_eq!(log.trim(&romeo(), retention, 100).await?, expected);
    assert_eq!(archive(log).await?, []);
    let still = kept(message(0), &Purpose::Delivery(vec!["orchard".to_owned()]));
    let read = log.read_owed(&romeo(), None, 10).await?;
    assert_eq!(read.first(), row(&still, id).as_ref());
    Ok(())
}

/// What was owed for too long is lost, and whoever asked for it is told how much.
pub async fn an_owed_row_is_given_up_only_by_count(
    log: &impl MessageLog,
) -> Result<(), StoreError> {
    add(log, kept(message(0), &owed())).await?;
    let both = add(log, kept(message(1), &Purpose::Both(Vec::new()))).await?;
    let young = add(log, kept(message(10), &owed())).await?;
    let retention = Retention {
        owed: HOUR,
        ..Retention::forever(START + 5 + HOUR)
    };
    let expected = Trimmed {
        lost: 1,
        ..Trimmed::default()
    };
    assert_eq!(log.trim(&romeo(), retention, 100).await?, expected);
    assert_eq!(all_owed(log).await?, [young]);
    assert_eq!(archive(log).await?, [both]);
    Ok(())
}

/// It is not owed any more, and neither lost then nor when it leaves the archive; one that leaves both at once is.
pub async fn a_row_that_is_still_in_the_archive_is_not_lost(
    log: &impl MessageLog,
) -> Result<(), StoreError> {
    let both = Purpose::Both(Vec::new());
    add(log, kept(message(0), &both)).await?;
    let mut retention = Retention {
        owed: HOUR,
        ..Retention::forever(START + 2 * HOUR)
    };
    let nothing = Trimmed::default();
    assert_eq!(log.trim(&romeo(), retention, 100).await?, nothing);
    assert_eq!(
        (all_owed(log).await?, archive(log).await?.len()),
        (vec![], 1)
    );
    retention.age = HOUR;
    let removed = Trimmed {
        removed: 1,
        ..nothing
    };
    assert_eq!(log.trim(&romeo(), retention, 100).await?, removed);
    add(log, kept(message(1), &both)).await?;
    let lost = Trimmed { lost: 1, ..removed };
    assert_eq!(log.trim(&romeo(), retention, 100).await?, lost);
    Ok(())
}

/// No step is longer than it is told, and each says whether there is more.
pub async fn retention_goes_in_steps(log: &impl MessageLog) -> Result<(), StoreError> {
    fill(log, 10).await?;
    let retention = Retention {
        rows: 1,
        ..Retention::forever(START)
    };
    let mut steps = Vec::new();
    loop {
        let step = log.trim(&romeo(), retention, 4).await?;
        steps.push(step.removed);
        if !step.more {
            break;
        }
    }
    assert_eq!(steps, [4, 4, 1]);
    assert_eq!(archive(log).await?.len(), 1);
    Ok(())
}

/// An id is never minted twice, also when the log is empty and the clock goes back.
pub async fn ids_rise_although_all_rows_are_gone(log: &impl MessageLog) -> Result<(), StoreError> {
    let last = fill(log, 3).await?.last().copied();
    let retention = Retention {
        age: 0,
        ..Retention::forever(START + 5 * HOUR)
    };
    assert_eq!(log.trim(&romeo(), retention, 100).await?.removed, 3);
    let mut early = message(9);
    early.received = 0;
    let next = add(log, early).await?;
    assert!(last < Some(next), "{next} comes after {last:?}");
    Ok(())
}

/// Rows, what is owed, the epoch, and what was remembered.
pub async fn an_erased_log_is_gone(log: &impl MessageLog) -> Result<(), StoreError> {
    fill(log, 3).await?;
    add(log, kept(message(3), &owed())).await?;
    open(log, 5).await?;
    log.erase(&romeo()).await?;
    assert_eq!(archive(log).await?, []);
    assert_eq!(all_owed(log).await?, []);
    assert_eq!(log.span(&romeo()).await?, None);
    assert_eq!(log.logs("montague.example", None, 10).await?, []);
    let answer = log.append(vec![message(0)]).await?;
    assert!(matches!(answer.as_slice(), [Appended::At(_)]), "{answer:?}");
    assert_eq!(archive(log).await?.len(), 1);
    let Opened::Home(Tail { owed: 0, .. }) = open(log, 1).await? else {
        return Err(StoreError::Corrupt("something is left".to_owned()));
    };
    Ok(())
}

/// In the order of the localparts.
pub async fn logs_are_listed_by_host_in_pages(log: &impl MessageLog) -> Result<(), StoreError> {
    let names = ["b@a.example", "a@a.example", "a@b.example", "c@a.example"];
    for (mark, name) in (0..).zip(names) {
        let mut message = message(mark);
        for row in &mut message.rows {
            row.account = super::jid(name).bare();
        }
        add(log, message).await?;
    }
    log.open(&super::jid("d@a.example").bare(), 3).await?;
    let names = async |after, limit| -> Result<Vec<String>, StoreError> {
        let logs = log.logs("a.example", after, limit).await?;
        Ok(logs.iter().map(ToString::to_string).collect())
    };
    assert_eq!(names(None, 2).await?, ["a@a.example", "b@a.example"]);
    assert_eq!(names(Some("b"), 10).await?, ["c@a.example", "d@a.example"]);
    Ok(())
}
