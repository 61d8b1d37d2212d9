//! Rules for reading an archive.

use rookery_stanza::Jid;

use super::{
    START, add, archive, exchanged, fill, ids, jid, kept, matching, message, owed, page, romeo, row,
};
use crate::error::StoreError;
use crate::message_log::{
    End, Filter, MessageLog, NewMessage, Origin, PAGE_BYTES, PageQuery, Paged, Purpose, RowId, Span,
};

/// Page by page from either end; what is seen is everything, once.
pub async fn pages_lead_through_the_archive_both_ways(
    log: &impl MessageLog,
) -> Result<(), StoreError> {
    let all = fill(log, 7).await?;
    let mut forward: Vec<RowId> = Vec::new();
    for (size, complete) in [(3, false), (3, false), (1, true)] {
        let query = PageQuery {
            after: forward.last().copied(),
            limit: 3,
            ..PageQuery::default()
        };
        let page = page(log, query).await?;
        assert_eq!((page.rows.len(), page.complete), (size, complete));
        forward.extend(ids(&page.rows));
    }
    assert_eq!(forward, all);

    let mut backward: Vec<RowId> = Vec::new();
    for (size, complete) in [(3, false), (3, false), (1, true)] {
        let query = PageQuery {
            before: backward.first().copied(),
            end: End::Newest,
            limit: 3,
            ..PageQuery::default()
        };
        let page = page(log, query).await?;
        assert_eq!((page.rows.len(), page.complete), (size, complete));
        backward.splice(0..0, ids(&page.rows));
    }
    assert_eq!(backward, all);
    Ok(())
}

/// However many rows are asked for, their payloads come to little more than a page may have; and to say so is to say
/// that there are more.
pub async fn a_page_of_large_messages_has_fewer_rows(
    log: &impl MessageLog,
) -> Result<(), StoreError> {
    let all: Vec<NewMessage> = (0..40)
        .map(|mark| {
            let mut message = message(mark);
            message.payload = vec![b'x'; PAGE_BYTES / 16 + 1].into();
            for row in &mut message.rows {
                row.purpose = Purpose::Both(Vec::new());
            }
            message
        })
        .collect();
    log.append(all).await?;
    let mut seen = 0;
    for end in [End::Oldest, End::Newest] {
        let (mut after, mut before) = (None, None);
        for (size, complete) in [(16, false), (16, false), (8, true)] {
            let query = PageQuery {
                after,
                before,
                end,
                limit: 250,
                ..PageQuery::default()
            };
            let page = page(log, query).await?;
            assert_eq!((page.rows.len(), page.complete), (size, complete));
            seen += page.rows.len();
            match end {
                End::Oldest => after = page.rows.last().map(|row| row.id),
                End::Newest => before = page.rows.first().map(|row| row.id),
            }
        }
    }
    assert_eq!(seen, 80, "everything from either end");
    let mut after = None;
    for size in [16, 16, 8, 0] {
        let rows = log.read_owed(&romeo(), after, 250).await?;
        assert_eq!(rows.len(), size);
        after = rows.last().map(|row| row.id).or(after);
    }
    assert_eq!(log.list_owed(&romeo(), None, 250).await?.len(), 40);
    Ok(())
}

/// Between two rows; and a page of nothing tells whether there is anything (RSM, XEP-0059 §2.7).
pub async fn a_page_ends_at_its_limits(log: &impl MessageLog) -> Result<(), StoreError> {
    let all = fill(log, 6).await?;
    let [first, second, third, fourth, .., last] = all.as_slice() else {
        return Err(StoreError::Corrupt("not six".to_owned()));
    };
    for end in [End::Oldest, End::Newest] {
        let between = |after: &RowId, before: &RowId, limit| PageQuery {
            after: Some(*after),
            before: Some(*before),
            end,
            limit,
            ..PageQuery::default()
        };
        let found = page(log, between(first, fourth, 2)).await?;
        assert_eq!(ids(&found.rows), [*second, *third]);
        assert!(found.complete);
        let found = page(log, between(first, last, 0)).await?;
        assert_eq!((found.rows.len(), found.complete), (0, false));
        let found = page(log, between(first, second, 0)).await?;
        assert_eq!((found.rows.len(), found.complete), (0, true));
        let found = page(log, between(fourth, first, 5)).await?;
        assert_eq!((found.rows.len(), found.complete), (0, true));
    }
    Ok(())
}

/// `item-not-found` to the client (XEP-0313 §4.1.3, §4.4).
pub async fn a_page_beside_a_row_that_is_not_there_is_refused(
    log: &impl MessageLog,
) -> Result<(), StoreError> {
    fill(log, 3).await?;
    let waiting = add(log, kept(message(3), &owed())).await?;
    for id in [RowId::next(None, START, 1), waiting] {
        let (after, before) = (Some(id), Some(id));
        let queries = [
            PageQuery {
                after,
                ..PageQuery::default()
            },
            PageQuery {
                before,
                ..PageQuery::default()
            },
        ];
        for query in queries {
            assert_eq!(log.page(&romeo(), query).await?, Paged::NoSuchRow(id));
        }
    }
    Ok(())
}

/// Whoever guesses when a row was appended has not guessed its id.
pub async fn an_id_is_known_only_whole(log: &impl MessageLog) -> Result<(), StoreError> {
    let id = add(log, message(0)).await?;
    let guessed = RowId::from_halves(id.order(), id.salt() ^ 1);
    assert_eq!(log.rows(&romeo(), vec![guessed]).await?, [None]);
    let after = PageQuery {
        after: Some(guessed),
        ..PageQuery::default()
    };
    assert_eq!(log.page(&romeo(), after).await?, Paged::NoSuchRow(guessed));
    assert!(!log.replace(&romeo(), guessed, "gone".into()).await?);
    Ok(())
}

/// A bare address finds all of its resources, a full one only itself (XEP-0313 §4.1.1).
pub async fn rows_are_found_by_correspondent(log: &impl MessageLog) -> Result<(), StoreError> {
    let correspondents = [
        "juliet@capulet.example/balcony",
        "juliet@capulet.example",
        "juliet@capulet.example/chamber",
        "capulet.example",
        "nurse@capulet.example/balcony",
    ];
    let mut found = vec![Vec::new(); correspondents.len()];
    for mark in 0..20 {
        for (count, with) in (0..).zip(correspondents) {
            let number = mark * 5 + count;
            let id = add(log, exchanged(message(number), with)).await?;
            if let Some(found) = found.get_mut(usize::try_from(count).unwrap_or_default()) {
                found.push(id);
            }
        }
    }
    let [balcony, bare, chamber, host, nurse] = found.as_slice() else {
        return Err(StoreError::Corrupt("not five".to_owned()));
    };
    let mut juliet = [balcony.as_slice(), bare, chamber].concat();
    juliet.sort();
    for (with, expected) in [
        ("juliet@capulet.example", &juliet),
        ("juliet@capulet.example/balcony", balcony),
        ("juliet@capulet.example/chamber", chamber),
        ("capulet.example", host),
        ("nurse@capulet.example", nurse),
        ("nurse@capulet.example/balcony", nurse),
        ("nurse@capulet.example/chamber", &Vec::new()),
        ("capulet.example/balcony", &Vec::new()),
    ] {
        let filter = by(Some(jid(with)), None, None);
        assert_eq!(&matching(log, filter.clone()).await?, expected, "{with}");
        let query = PageQuery {
            filter,
            end: End::Newest,
            limit: 3,
            ..PageQuery::default()
        };
        let newest = expected.iter().skip(expected.len().saturating_sub(3));
        assert_eq!(
            ids(&page(log, query).await?.rows),
            newest.copied().collect::<Vec<_>>()
        );
    }
    Ok(())
}

fn by(with: Option<Jid>, start: Option<u64>, end: Option<u64>) -> Filter {
    Filter { with, start, end }
}

/// Both ends are part of the time that is asked for (XEP-0313 §4.1.2).
pub async fn rows_are_found_by_time(log: &impl MessageLog) -> Result<(), StoreError> {
    let all = fill(log, 10).await?;
    let between =
        |from: usize, to: usize| all.iter().take(to).skip(from).copied().collect::<Vec<_>>();
    for (start, end, expected) in [
        (Some(START + 3), None, between(3, 10)),
        (None, Some(START + 3), between(0, 4)),
        (Some(START + 2), Some(START + 5), between(2, 6)),
        (Some(START + 5), Some(START + 2), Vec::new()),
        (Some(u64::MAX), None, Vec::new()),
        (Some(0), Some(u64::MAX), all.clone()),
    ] {
        assert_eq!(matching(log, by(None, start, end)).await?, expected);
        let juliet = Some(jid("juliet@capulet.example"));
        assert_eq!(matching(log, by(juliet, start, end)).await?, expected);
    }
    Ok(())
}

/// An exact number while it is small.
pub async fn rows_are_counted_up_to_a_limit(log: &impl MessageLog) -> Result<(), StoreError> {
    fill(log, 10).await?;
    add(log, kept(message(10), &owed())).await?;
    let count = async |filter, limit| log.count(&romeo(), filter, limit).await;
    assert_eq!(count(Filter::default(), 100).await?, 10);
    assert_eq!(count(Filter::default(), 4).await?, 4);
    let juliet = by(
        Some(jid("juliet@capulet.example")),
        Some(START + 2),
        Some(START + 4),
    );
    assert_eq!(count(juliet, 100).await?, 3);
    Ok(())
}

/// In the order in which they are asked for (XEP-0313 §4.1.3).
pub async fn rows_are_found_by_their_ids(log: &impl MessageLog) -> Result<(), StoreError> {
    let all = fill(log, 3).await?;
    let nobody = RowId::next(None, 0, 0);
    let wanted = all.iter().rev().copied().chain([nobody]).collect();
    let rows = log.rows(&romeo(), wanted).await?;
    let expected = (0..).zip(&all).map(|(mark, id)| row(&message(mark), *id));
    let mut expected: Vec<_> = expected.collect();
    expected.reverse();
    expected.push(None);
    assert_eq!(rows, expected);
    Ok(())
}

/// Rows that are only owed are no part of it.
pub async fn an_archive_has_two_ends(log: &impl MessageLog) -> Result<(), StoreError> {
    assert_eq!(log.span(&romeo()).await?, None);
    add(log, kept(message(100), &owed())).await?;
    assert_eq!(log.span(&romeo()).await?, None);
    let all = fill(log, 1).await?;
    let first = all.first().copied();
    let span = |first, last| Some(Span { first, last });
    assert_eq!(log.span(&romeo()).await?, first.and_then(|id| span(id, id)));
    let last = add(log, message(101)).await?;
    add(log, kept(message(102), &owed())).await?;
    assert_eq!(
        log.span(&romeo()).await?,
        first.and_then(|first| span(first, last))
    );
    assert_eq!(archive(log).await?.len(), 2);
    Ok(())
}

/// What a message takes back it names by the `id` that its sender gave it (XEP-0424 §4): newest first, since a sender may
/// use an id again.
pub async fn rows_are_found_by_what_their_sender_called_them(
    log: &impl MessageLog,
) -> Result<(), StoreError> {
    let (juliet, nurse) = (super::juliet(), jid("nurse@capulet.example").bare());
    let origin = Origin::of("message 1");
    let first = add(log, message(1)).await?;
    add(log, message(2)).await?;
    let mut again = exchanged(message(3), "juliet@capulet.example");
    again.origin = Some(origin);
    let second = add(log, again).await?;
    let mut waiting = kept(message(4), &owed());
    waiting.origin = Some(origin);
    add(log, waiting).await?;
    let mut nurses = exchanged(message(5), "nurse@capulet.example/kitchen");
    nurses.origin = None;
    add(log, nurses).await?;
    let found = log.by_origin(&romeo(), &juliet, origin, 10).await?;
    assert_eq!(ids(&found), [second, first]);
    assert_eq!(found.last(), row(&message(1), first).as_ref());
    let found = log.by_origin(&romeo(), &juliet, origin, 1).await?;
    assert_eq!(ids(&found), [second]);
    assert_eq!(log.by_origin(&romeo(), &nurse, origin, 10).await?, []);
    let unknown = Origin::of("message 9");
    assert_eq!(log.by_origin(&romeo(), &juliet, unknown, 10).await?, []);
    assert_eq!(log.by_origin(&juliet, &romeo(), origin, 10).await?, []);
    Ok(())
}
