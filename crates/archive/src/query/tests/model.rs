//! Every query beside a model of the standard.

use proptest::prelude::*;
use rookery_stanza::payload::result_set::SetRequest;

use super::*;

/// What the standard says, without any cleverness.
fn model(archive: &Archive, correspondents: &[&str], query: &Query) -> (Vec<usize>, bool) {
    let place_of = |id: &str| {
        archive
            .ids
            .iter()
            .position(|known| known.to_string() == id)
            .unwrap()
    };
    let time = |place: usize| i64::try_from(START + place as u64 * SECOND).unwrap();
    let (mut from, mut to) = (0, correspondents.len());
    if let Some(id) = &query.after_id {
        from = from.max(place_of(id) + 1);
    }
    if let Some(id) = &query.before_id {
        to = to.min(place_of(id));
    }
    let mut last = false;
    match &query.page.place {
        Place::After(id) => from = from.max(place_of(id) + 1),
        Place::Before(id) => (to, last) = (to.min(place_of(id)), true),
        Place::Last => last = true,
        _ => {}
    }
    let wanted = |place: &usize| {
        query
            .with
            .as_ref()
            .is_none_or(|with| correspondents[*place] == with.as_str())
            && query.start.is_none_or(|start| start <= time(*place))
            && query.end.is_none_or(|end| time(*place) <= end)
            && (query.ids.is_empty() || query.ids.contains(&archive.id(*place)))
    };
    let mut places = (from..to).filter(wanted).collect::<Vec<_>>();
    let limit = query
        .page
        .max
        .map_or(LIMITS.default_page, |max| max as usize)
        .min(LIMITS.largest_page);
    let complete = places.len() <= limit;
    if last {
        places.drain(..places.len().saturating_sub(limit));
    } else {
        places.truncate(limit);
    }
    if query.flip {
        places.reverse();
    }
    (places, complete)
}

proptest! {
    #[test]
    fn every_query_is_answered_as_the_standard_says(
        whom in prop::collection::vec(any::<bool>(), 1..12),
        with in prop::option::of(any::<bool>()),
        times in (prop::option::of(0_i64..12), prop::option::of(0_i64..12)),
        bounds in (any::<Option<prop::sample::Index>>(), any::<Option<prop::sample::Index>>()),
        ids in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        max in prop::option::of(0_u32..8),
        place in prop::option::of((any::<prop::sample::Index>(), 0..3)),
        flip: bool,
    ) {
        let correspondents = whom.iter().map(|romeo| if *romeo { ROMEO } else { NURSE }).collect::<Vec<_>>();
        let archive = Archive::with(&correspondents);
        let id = |index: prop::sample::Index| archive.id(index.index(correspondents.len()));
        let time = |second: i64| i64::try_from(START).unwrap() + second * 1_000;
        let place = match place {
            None => Place::First,
            Some((_, 0)) => Place::Last,
            Some((index, 1)) => Place::After(id(index)),
            Some((index, _)) => Place::Before(id(index)),
        };
        let query = Query {
            with: with.map(|romeo| jid(if romeo { ROMEO } else { NURSE })),
            start: times.0.map(time),
            end: times.1.map(time),
            after_id: bounds.0.map(id),
            before_id: bounds.1.map(id),
            ids: ids.into_iter().map(id).collect(),
            page: SetRequest { max, place },
            flip,
            ..Query::default()
        };
        prop_assert_eq!(archive.places(query.clone()), model(&archive, &correspondents, &query));
    }
}
