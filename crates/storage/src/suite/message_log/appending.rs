//! Rules for appending: ids, repeats, fences.

use bytes::Bytes;

use super::{
    HOUR, START, add, add_all, all_owed, archive, fill, jid, juliet, kept, message, open, owed,
    page, romeo, row,
};
use crate::error::StoreError;
use crate::message_log::{
    Appended, MessageLog, NewRow, Opened, PageQuery, Purpose, Retention, RowId, Tail,
};

/// Every field and every byte comes back.
pub async fn rows_come_back_as_they_were_appended(log: &impl MessageLog) -> Result<(), StoreError> {
    let all: Vec<u8> = (0..=u8::MAX).cycle().take(300_000).collect();
    let routed = vec!["balcony".to_owned(), "ċhamber".to_owned()];
    let mut expected = Vec::new();
    for (mark, bytes) in (0..).zip([Vec::new(), vec![0], all]) {
        for (nth, purpose) in (0..).zip([Purpose::Archive, Purpose::Both(routed.clone())]) {
            let mut message = kept(message(2 * mark + nth), &purpose);
            message.payload = Bytes::from(bytes.clone());
            message.ingress.session = u64::MAX;
            let id = add(log, message.clone()).await?;
            expected.extend(row(&message, id));
        }
    }
    let query = PageQuery {
        limit: 10,
        ..PageQuery::default()
    };
    assert_eq!(page(log, query).await?.rows, expected);
    Ok(())
}

/// An id is greater than the last one of its log under any clock.
pub async fn ids_rise_under_a_clock_that_goes_back(
    log: &impl MessageLog,
) -> Result<(), StoreError> {
    let mut ids = Vec::new();
    for (count, time) in (0..).zip([5 * HOUR, 0, 2, 5 * HOUR, 9 * HOUR, 1]) {
        let mut message = message(count);
        message.received = time;
        ids.push(add(log, message).await?);
    }
    assert!(ids.is_sorted_by(|a, b| a.order() < b.order()), "{ids:?}");
    assert_eq!(ids.first().map(|id| id.time()), Some(5 * HOUR));
    assert_eq!(archive(log).await?, ids);
    Ok(())
}

/// What comes a second time within an hour is answered with the first row.
pub async fn a_second_append_of_an_ingress_id_is_answered_with_the_first_row(
    log: &impl MessageLog,
) -> Result<(), StoreError> {
    let ids = fill(log, 3).await?;
    for (mark, id) in (0..).zip(&ids) {
        let mut again = message(mark);
        again.received += HOUR - 1000;
        let answer = log.append(vec![again]).await?;
        assert_eq!(answer, [Appended::Repeat(*id)], "message {mark}");
    }
    assert_eq!(archive(log).await?, ids);
    // Within one batch, too; and what comes after a gap is no repeat.
    let (new, gap) = (message(4), message(3));
    let answers = log.append(vec![new.clone(), new, gap]).await?;
    let [
        Appended::At(first),
        Appended::Repeat(second),
        Appended::At(_),
    ] = answers.as_slice()
    else {
        return Err(StoreError::Corrupt(format!("{answers:?}")));
    };
    assert_eq!(first, second);
    Ok(())
}

/// Also when it has been delivered meanwhile and was for no archive.
pub async fn an_ingress_id_is_remembered_although_its_row_is_kept_no_more(
    log: &impl MessageLog,
) -> Result<(), StoreError> {
    let message = kept(message(0), &owed());
    let id = add(log, message.clone()).await?;
    log.confirm(&romeo(), vec![id]).await?;
    let now = START + HOUR - 1000;
    log.trim(&romeo(), Retention::forever(now), 100).await?;
    let answer = log.append(vec![message]).await?;
    assert_eq!(answer, [Appended::Repeat(id)]);
    assert_eq!(all_owed(log).await?, [], "nothing is owed again");
    Ok(())
}

/// After an hour it is a new message.
pub async fn an_ingress_id_is_forgotten_after_an_hour(
    log: &impl MessageLog,
) -> Result<(), StoreError> {
    let first = add(log, message(0)).await?;
    let mut again = message(0);
    again.received += HOUR + 1;
    let second = add(log, again).await?;
    assert!(first < second);
    Ok(())
}

/// Sender and recipient have a row each for the same message, whoever appends first.
pub async fn an_ingress_id_counts_for_one_log_only(
    log: &impl MessageLog,
) -> Result<(), StoreError> {
    add(log, message(0)).await?;
    let mut other = message(0);
    for row in &mut other.rows {
        row.account = juliet();
    }
    add(log, other).await?;
    assert_eq!(archive(log).await?.len(), 1);
    Ok(())
}

/// One message, a row for each account.
pub async fn rows_of_one_message_go_to_several_logs(
    log: &impl MessageLog,
) -> Result<(), StoreError> {
    let mut message = message(0);
    message.rows.push(NewRow {
        account: juliet(),
        epoch: 0,
        with: jid("romeo@montague.example/orchard"),
        purpose: owed(),
    });
    let ids = add_all(log, message.clone()).await?;
    let [romeos, juliets] = ids.as_slice() else {
        return Err(StoreError::Corrupt(format!("{ids:?}")));
    };
    assert_ne!(
        romeos.salt(),
        juliets.salt(),
        "one id tells nothing of the other"
    );
    let rows = log.rows(&romeo(), vec![*romeos]).await?;
    assert_eq!(rows, [row(&message, *romeos)]);
    message.rows.remove(0);
    let rows = log.read_owed(&juliet(), None, 10).await?;
    assert_eq!(rows.first(), row(&message, *juliets).as_ref());
    Ok(())
}

/// So a caller knows whose row each answer is.
pub async fn answers_to_appending_are_in_the_order_of_the_rows(
    log: &impl MessageLog,
) -> Result<(), StoreError> {
    let id = add(log, message(1)).await?;
    let mut fenced = message(3);
    for row in &mut fenced.rows {
        row.epoch = 9;
    }
    let (first, last) = (message(2), message(4));
    let answers = log.append(vec![first, message(1), fenced, last]).await?;
    let [
        first,
        Appended::Repeat(repeat),
        Appended::Fenced { epoch: 0 },
        last,
    ] = answers.as_slice()
    else {
        return Err(StoreError::Corrupt(format!("{answers:?}")));
    };
    assert_eq!(*repeat, id);
    assert!(matches!((first, last), (Appended::At(a), Appended::At(b)) if a < b));
    Ok(())
}

/// A home that has been followed by another cannot append any more.
pub async fn appends_of_another_epoch_are_refused(log: &impl MessageLog) -> Result<(), StoreError> {
    let first = add(log, message(0)).await?;
    open(log, 5).await?;
    for epoch in [0, 4, 6] {
        let mut message = message(1);
        for row in &mut message.rows {
            row.epoch = epoch;
        }
        let answer = log.append(vec![message]).await?;
        assert_eq!(answer, [Appended::Fenced { epoch: 5 }], "epoch {epoch}");
    }
    assert_eq!(archive(log).await?, [first]);
    let mut message = message(1);
    for row in &mut message.rows {
        row.epoch = 5;
    }
    let second = add(log, message).await?;
    assert_eq!(archive(log).await?, [first, second]);
    Ok(())
}

/// Epochs only rise.
pub async fn an_older_home_cannot_open_a_log(log: &impl MessageLog) -> Result<(), StoreError> {
    let home = Opened::Home(Tail::default());
    assert_eq!(open(log, 5).await?, home);
    assert_eq!(open(log, 4).await?, Opened::Fenced { epoch: 5 });
    assert_eq!(open(log, 5).await?, home, "the same home may ask again");
    assert_eq!(open(log, u64::MAX >> 1).await?, home);
    Ok(())
}

/// The last id and how much is owed.
pub async fn a_new_home_is_told_the_end_of_the_log(
    log: &impl MessageLog,
) -> Result<(), StoreError> {
    let mut last = None;
    for mark in 0..4 {
        last = Some(add(log, kept(message(mark), &owed())).await?);
    }
    assert_eq!(open(log, 1).await?, Opened::Home(Tail { last, owed: 4 }));
    log.confirm(&romeo(), last.into_iter().collect()).await?;
    assert_eq!(open(log, 2).await?, Opened::Home(Tail { last, owed: 3 }));
    Ok(())
}

/// Also of a log that was never written, and although the last row is not kept any more.
pub async fn the_end_of_a_log_is_told_to_whoever_asks(
    log: &impl MessageLog,
) -> Result<(), StoreError> {
    assert_eq!(log.tail(&romeo()).await?, Tail::default());
    assert_eq!(log.logs("montague.example", None, 10).await?, []);
    add(log, message(0)).await?;
    let first = add(log, kept(message(1), &owed())).await?;
    let last = add(log, kept(message(2), &owed())).await?;
    let tail = |owed| Tail {
        last: Some(last),
        owed,
    };
    assert_eq!(log.tail(&romeo()).await?, tail(2));
    assert_eq!(log.tail(&juliet()).await?, Tail::default());
    log.confirm(&romeo(), vec![last]).await?;
    assert_eq!(log.tail(&romeo()).await?, tail(1));
    log.confirm(&romeo(), vec![first]).await?;
    log.trim(&romeo(), Retention::forever(START + 2 * HOUR), 100)
        .await?;
    assert_eq!(log.tail(&romeo()).await?, tail(0));
    log.erase(&romeo()).await?;
    assert_eq!(log.tail(&romeo()).await?, Tail::default());
    Ok(())
}

/// As when somebody writes to himself: his row as the sender, and the one that he is owed.
pub async fn several_rows_for_one_log_become_one_for_all_their_reasons(
    log: &impl MessageLog,
) -> Result<(), StoreError> {
    let mut twice = message(0);
    for routed in [vec!["orchard"], vec!["balcony", "orchard"]] {
        let routed = routed.into_iter().map(str::to_owned).collect();
        twice.rows.push(NewRow {
            account: romeo(),
            epoch: 0,
            with: jid("romeo@montague.example"),
            purpose: Purpose::Delivery(routed),
        });
    }
    twice.rows.push(NewRow {
        account: juliet(),
        ..message(0).rows.remove(0)
    });
    let answers = log.append(vec![twice.clone()]).await?;
    let [
        Appended::At(id),
        Appended::Repeat(second),
        Appended::Repeat(third),
        Appended::At(_),
    ] = answers.as_slice()
    else {
        return Err(StoreError::Corrupt(format!("{answers:?}")));
    };
    assert_eq!((id, id), (second, third));
    let routed = vec!["orchard".to_owned(), "balcony".to_owned()];
    let expected = row(&kept(message(0), &Purpose::Both(routed)), *id);
    assert_eq!(log.read_owed(&romeo(), None, 10).await?.pop(), expected);
    assert_eq!(archive(log).await?, [*id]);
    // A repeat has no more reasons than what it repeats.
    let again = kept(message(1), &Purpose::Archive);
    let first = add(log, again.clone()).await?;
    let answer = log.append(vec![kept(again, &owed())]).await?;
    assert_eq!(answer, [Appended::Repeat(first)]);
    assert_eq!(all_owed(log).await?, [*id]);
    Ok(())
}

/// What one log has is not in another.
pub async fn logs_are_apart(log: &impl MessageLog) -> Result<(), StoreError> {
    let ids: Vec<RowId> = fill(log, 3).await?;
    assert_eq!(log.span(&juliet()).await?, None);
    assert_eq!(log.read_owed(&juliet(), None, 10).await?, []);
    assert_eq!(log.rows(&juliet(), ids.clone()).await?, [None, None, None]);
    log.confirm(&juliet(), ids.clone()).await?;
    log.erase(&juliet()).await?;
    assert_eq!(archive(log).await?, ids);
    Ok(())
}
