//! Queries of XEP-0313, asked of a log in memory.

mod model;

use rookery_stanza::payload::archive::Finish;
use rookery_stanza::payload::result_set::SetRequest;
use rookery_stanza::{Stanza, ns};
use rookery_storage::message_log::{
    Appended, IngressId, MemoryLog, MessageLog, NewMessage, NewRow, Purpose,
};
use tokio::runtime::{Builder, Runtime};

use super::*;

/// When the first message is received; each comes a second after the one before.
const START: u64 = 1_278_803_305_000;
const SECOND: u64 = 1_000;

const LIMITS: Limits = Limits {
    default_page: 3,
    largest_page: 5,
    ids: 4,
    count: 10,
};

fn juliet() -> BareJid {
    BareJid::parse("juliet@capulet.lit").unwrap()
}

fn jid(text: &str) -> Jid {
    Jid::parse(text).unwrap()
}

fn runtime() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

/// Juliet's archive.
struct Archive {
    log: MemoryLog,
    ids: Vec<RowId>,
    runtime: Runtime,
}

/// What a client got.
#[derive(Debug, PartialEq)]
struct Got {
    /// The places of the messages in the archive, in the order in which they came.
    places: Vec<usize>,
    finish: Finish,
}

impl Archive {
    /// With one message for each of these correspondents.
    fn with(correspondents: &[&str]) -> Self {
        let mut archive = Self {
            log: MemoryLog::new(),
            ids: Vec::new(),
            runtime: runtime(),
        };
        for (number, with) in (0..).zip(correspondents) {
            archive.append(number, with, Purpose::Archive);
        }
        archive
    }

    fn append(&mut self, number: u64, with: &str, purpose: Purpose) {
        let message = NewMessage {
            ingress: IngressId {
                session: 1,
                count: number,
            },
            received: START + number * SECOND,
            origin: None,
            payload: format!("<message from='{with}' to='juliet@capulet.lit' id='{number}'/>")
                .into(),
            rows: vec![NewRow {
                account: juliet(),
                epoch: 0,
                with: jid(with),
                purpose,
            }],
        };
        let appended = self
            .runtime
            .block_on(self.log.append(vec![message]))
            .unwrap();
        match appended[..] {
            [Appended::At(id)] => self.ids.push(id),
            ref other => panic!("{other:?}"),
        }
    }

    fn id(&self, place: usize) -> Box<str> {
        self.ids[place].to_string().into()
    }

    /// Plays the part of whoever asks the log.
    fn results(&self, query: Query) -> Result<Results, StanzaError> {
        let asker = jid("juliet@capulet.lit/chamber");
        let context = Context {
            archive: &juliet(),
            asker: &asker,
        };
        let (mut query, mut question) = ArchiveQuery::new(query, context, &LIMITS)?;
        loop {
            let answer = self.runtime.block_on(self.answer(question));
            match query.answered(answer)? {
                Next::Send(results) => return Ok(results),
                Next::Ask(next, another) => (query, question) = (next, another),
            }
        }
    }

    async fn answer(&self, question: Question) -> Answer {
        match question {
            Question::Rows(ids) => Answer::Rows(self.log.rows(&juliet(), ids).await.unwrap()),
            Question::Page(page) => Answer::Page(self.log.page(&juliet(), page).await.unwrap()),
            Question::Count(filter, limit) => {
                Answer::Count(self.log.count(&juliet(), filter, limit).await.unwrap())
            }
        }
    }

    fn ask(&self, query: Query) -> Result<Got, Condition> {
        let results = self.results(query).map_err(|error| error.condition)?;
        let finish = results.finish().clone();
        let place = |message: Stanza| {
            let result = message.child("result", ns::ARCHIVE).unwrap().unwrap();
            let id = result.attribute("id").unwrap();
            self.ids
                .iter()
                .position(|known| known.to_string() == id)
                .unwrap()
        };
        let places = results.map(place).collect::<Vec<_>>();
        Ok(Got { places, finish })
    }

    /// Asks: the places, and whether nothing is left.
    fn places(&self, query: Query) -> (Vec<usize>, bool) {
        let got = self.ask(query).unwrap();
        let ends = got.finish.page.ends;
        let (mut lowest, mut highest) = (None, None);
        for place in &got.places {
            lowest = Some(lowest.unwrap_or(*place).min(*place));
            highest = Some(highest.unwrap_or(*place).max(*place));
        }
        assert_eq!(
            ends.as_ref().map(|ends| ends.first.clone()),
            lowest.map(|place| self.id(place))
        );
        assert_eq!(
            ends.map(|ends| ends.last),
            highest.map(|place| self.id(place))
        );
        (got.places, got.finish.complete)
    }
}

/// A query for a page.
fn page(max: u32, place: Place) -> Query {
    Query {
        page: SetRequest {
            max: Some(max),
            place,
        },
        ..Query::default()
    }
}

const ROMEO: &str = "romeo@montague.lit/orchard";
const NURSE: &str = "nurse@capulet.lit/chamber";

#[test]
fn messages_come_in_order_and_as_they_were_s4_2() {
    let archive = Archive::with(&[ROMEO, NURSE]);
    let query = Query {
        query_id: Some("f27".into()),
        ..Query::default()
    };
    let mut results = archive.results(query).unwrap();
    let mut written = Vec::new();
    results.next().unwrap().write(&mut written);
    assert_eq!(
        String::from_utf8(written).unwrap(),
        format!(
            "<message from='juliet@capulet.lit' to='juliet@capulet.lit/chamber'>\
             <result xmlns='urn:xmpp:mam:2' queryid='f27' id='{}'><forwarded xmlns='urn:xmpp:forward:0'>\
             <delay xmlns='urn:xmpp:delay' stamp='2010-07-10T23:08:25Z'/>\
             <message xmlns='jabber:client' from='romeo@montague.lit/orchard' to='juliet@capulet.lit' id='0'/>\
             </forwarded></result></message>",
            archive.id(0)
        )
    );
    assert_eq!(results.len(), 1);
    let fin = results.finish().to_element().to_bytes("");
    assert_eq!(
        String::from_utf8(fin.to_vec()).unwrap(),
        format!(
            "<fin xmlns='urn:xmpp:mam:2' complete='true'><set xmlns='http://jabber.org/protocol/rsm'>\
             <first>{}</first><last>{}</last></set></fin>",
            archive.id(0),
            archive.id(1)
        )
    );
}

#[test]
fn an_empty_archive_answers_with_nothing_s4_1() {
    let got = Archive::with(&[]).ask(Query::default()).unwrap();
    let finish = Finish {
        complete: true,
        ..Finish::default()
    };
    assert_eq!((got.places, got.finish), (Vec::new(), finish));
}

#[test]
fn pages_lead_forwards_and_backwards_s4_3() {
    let archive = Archive::with(&[ROMEO; 7]);
    assert_eq!(archive.places(Query::default()), (vec![0, 1, 2], false));
    assert_eq!(archive.places(page(2, Place::First)), (vec![0, 1], false));
    assert_eq!(
        archive.places(page(2, Place::After(archive.id(1)))),
        (vec![2, 3], false)
    );
    assert_eq!(
        archive.places(page(2, Place::After(archive.id(4)))),
        (vec![5, 6], true)
    );
    assert_eq!(archive.places(page(2, Place::Last)), (vec![5, 6], false));
    assert_eq!(
        archive.places(page(2, Place::Before(archive.id(5)))),
        (vec![3, 4], false)
    );
    assert_eq!(
        archive.places(page(2, Place::Before(archive.id(2)))),
        (vec![0, 1], true)
    );
    assert_eq!(
        archive.places(page(2, Place::After(archive.id(6)))),
        (vec![], true)
    );
    assert_eq!(
        archive.places(page(900, Place::First)),
        (vec![0, 1, 2, 3, 4], false),
        "as many as allowed"
    );
    assert_eq!(
        archive.places(page(2, Place::Index(0))),
        (vec![0, 1], false)
    );
}

#[test]
fn a_flipped_page_is_the_same_page_s4_3_4() {
    let archive = Archive::with(&[ROMEO; 7]);
    for (place, forward) in [(Place::First, [0, 1, 2]), (Place::Last, [4, 5, 6])] {
        let query = page(3, place);
        assert_eq!(archive.places(query.clone()), (forward.to_vec(), false));
        let flipped = Query {
            flip: true,
            ..query
        };
        let backward = forward.iter().rev().copied().collect();
        assert_eq!(archive.places(flipped), (backward, false));
    }
}

#[test]
fn messages_are_found_by_correspondent_s4_1_1() {
    let own = "juliet@capulet.lit/balcony";
    let archive = Archive::with(&[ROMEO, NURSE, "romeo@montague.lit/garden", own]);
    let with = |text: &str| Query {
        with: Some(jid(text)),
        ..Query::default()
    };
    assert_eq!(archive.places(with("romeo@montague.lit")).0, [0, 2]);
    assert_eq!(archive.places(with("romeo@montague.lit/garden")).0, [2]);
    assert_eq!(
        archive.places(with("juliet@capulet.lit")).0,
        [3],
        "what she sent herself"
    );
    assert_eq!(archive.places(with("tybalt@capulet.lit")), (vec![], true));
}

#[test]
fn messages_are_found_by_time_s4_1_2() {
    let archive = Archive::with(&[ROMEO; 5]);
    let at = |place: u64| Some(i64::try_from(START + place * SECOND).unwrap());
    let between = |start, end| Query {
        start,
        end,
        ..page(5, Place::First)
    };
    assert_eq!(archive.places(between(at(3), None)).0, [3, 4]);
    assert_eq!(archive.places(between(None, at(1))).0, [0, 1]);
    assert_eq!(archive.places(between(at(1), at(1))).0, [1]);
    assert_eq!(archive.places(between(at(2), at(1))).0, [0; 0]);
    assert_eq!(archive.places(between(Some(-5), Some(-1))).0, [0; 0]);
}

#[test]
fn messages_are_found_by_id_s4_1_3() {
    let archive = Archive::with(&[ROMEO; 7]);
    let id = |place| Some(archive.id(place));
    let between = |after_id, before_id, query| Query {
        after_id,
        before_id,
        ..query
    };
    let first = page(5, Place::First);
    assert_eq!(
        archive.places(between(id(2), None, first.clone())).0,
        [3, 4, 5, 6]
    );
    assert_eq!(
        archive.places(between(id(2), id(5), first.clone())).0,
        [3, 4]
    );
    assert_eq!(archive.places(between(None, id(2), first)).0, [0, 1]);
    let last = page(2, Place::Last);
    assert_eq!(archive.places(between(None, id(5), last)).0, [3, 4]);
    let next = page(2, Place::After(archive.id(3)));
    assert_eq!(
        archive.places(between(id(1), id(6), next)),
        (vec![4, 5], true),
        "both bounds hold"
    );
    let ids = |places: &[usize], query: Query| Query {
        ids: places.iter().map(|place| archive.id(*place)).collect(),
        ..query
    };
    let all = page(5, Place::First);
    assert_eq!(
        archive.places(ids(&[4, 1, 4], all.clone())),
        (vec![1, 4], true)
    );
    assert_eq!(
        archive.places(ids(&[4, 1, 6], page(2, Place::First))),
        (vec![1, 4], false)
    );
    assert_eq!(
        archive.places(ids(&[4, 1, 6], page(2, Place::Last))),
        (vec![4, 6], false)
    );
    assert_eq!(
        archive.places(ids(&[4, 1, 6], page(2, Place::After(archive.id(4))))),
        (vec![6], true)
    );
    assert_eq!(
        archive.places(between(id(2), None, ids(&[4, 1], all))),
        (vec![4], true)
    );
}

#[test]
fn ids_that_are_not_in_the_archive_are_errors_s4_1_3_s4_3_2() {
    let mut archive = Archive::with(&[ROMEO; 3]);
    archive.append(3, ROMEO, Purpose::Delivery(Vec::new()));
    let kept = archive.id(3);
    for id in [
        "28482-98726-73623",
        "0123456789abcdef0123456789abcdef",
        &kept,
    ] {
        let id: Box<str> = id.into();
        let known = archive.id(1);
        let queries = [
            page(1, Place::After(id.clone())),
            page(1, Place::Before(id.clone())),
            Query {
                after_id: Some(id.clone()),
                ..Query::default()
            },
            Query {
                before_id: Some(id.clone()),
                ..Query::default()
            },
            Query {
                ids: vec![known.clone(), id.clone()],
                ..Query::default()
            },
            // The bound that matters less has to be there too.
            Query {
                after_id: Some(id.clone()),
                ..page(1, Place::After(known.clone()))
            },
            Query {
                before_id: Some(id.clone()),
                ..page(1, Place::Before(known.clone()))
            },
            Query {
                ids: vec![known.clone()],
                ..page(1, Place::After(id.clone()))
            },
            Query {
                after_id: Some(id),
                ..page(0, Place::First)
            },
        ];
        for query in queries {
            assert_eq!(
                archive.ask(query.clone()),
                Err(Condition::ItemNotFound),
                "{query:?}"
            );
        }
    }
}

#[test]
fn number_of_messages_is_told_without_them_xep0059_s2_7() {
    let archive = Archive::with(&[ROMEO, NURSE, ROMEO]);
    let count = |query| {
        let got = archive.ask(query).unwrap();
        assert_eq!(got.places, [0; 0]);
        (got.finish.page.count, got.finish.complete)
    };
    assert_eq!(count(page(0, Place::First)), (Some(3), false));
    let with = Query {
        with: Some(jid("romeo@montague.lit")),
        ..page(0, Place::Last)
    };
    assert_eq!(count(with), (Some(2), false));
    let nobody = Query {
        with: Some(jid("tybalt@capulet.lit")),
        ..page(0, Place::First)
    };
    assert_eq!(count(nobody), (Some(0), true));
    let bounded = Query {
        after_id: Some(archive.id(2)),
        ..page(0, Place::First)
    };
    assert_eq!(count(bounded), (None, true));
    let many = Archive::with(&[ROMEO; 10])
        .ask(page(0, Place::First))
        .unwrap();
    assert_eq!(
        many.finish.page.count, None,
        "nobody counts a large archive"
    );
}

#[test]
fn what_cannot_be_answered_is_refused() {
    let archive = Archive::with(&[ROMEO]);
    let node = Query {
        node: Some("princely_musings".into()),
        ..Query::default()
    };
    assert_eq!(archive.ask(node), Err(Condition::FeatureNotImplemented));
    assert_eq!(
        archive.ask(page(1, Place::Index(1))),
        Err(Condition::FeatureNotImplemented)
    );
    let ids = Query {
        ids: vec![archive.id(0); 5],
        ..Query::default()
    };
    assert_eq!(archive.ask(ids), Err(Condition::NotAcceptable));
}

#[test]
fn nobody_reads_the_archive_of_somebody_else_s8_1() {
    let asker = jid("romeo@montague.lit/orchard");
    let context = Context {
        archive: &juliet(),
        asker: &asker,
    };
    let refused = ArchiveQuery::new(Query::default(), context, &LIMITS).unwrap_err();
    assert_eq!(refused.condition, Condition::Forbidden);
}

#[test]
fn an_answer_to_another_question_is_an_internal_error() {
    let asker = jid("juliet@capulet.lit/chamber");
    let context = Context {
        archive: &juliet(),
        asker: &asker,
    };
    let (query, _) = ArchiveQuery::new(Query::default(), context, &LIMITS).unwrap();
    let refused = query.answered(Answer::Count(1)).unwrap_err();
    assert_eq!(refused.condition, Condition::InternalServerError);
}

#[test]
fn metadata_tells_the_ends_of_the_archive_s5() {
    let archive = Archive::with(&[ROMEO; 3]);
    let span = archive
        .runtime
        .block_on(archive.log.span(&juliet()))
        .unwrap();
    let extent = metadata(span).extent.unwrap();
    assert_eq!(
        (extent.start.id, extent.end.id),
        (archive.id(0), archive.id(2))
    );
    assert_eq!(extent.end.timestamp - extent.start.timestamp, 2_000);
    assert_eq!(metadata(None).extent, None);
}
