//! What a client gets that has asked (XEP-0313 §4.2, §4.3, §5).

use std::vec;

use rookery_stanza::payload::archive::{Extent, Finish, Mark, Metadata, Query, QueryResult};
use rookery_stanza::payload::delay::Delay;
use rookery_stanza::payload::forwarded::Forwarded;
use rookery_stanza::payload::result_set::{Ends, SetResult};
use rookery_stanza::{BareJid, Jid, Stanza};
use rookery_storage::message_log::{Row, RowId, Span};

use super::Context;

/// The results of a query: an iterator of the messages to send, in their order. They are made one by one, so that
/// they can wait for a client that reads slowly. When all are sent, [`finish`](Self::finish) is the payload of
/// the answer.
#[derive(Debug)]
pub struct Results {
    archive: BareJid,
    asker: Jid,
    query_id: Option<Box<str>>,
    /// From the end to the beginning (§4.3.4).
    flip: bool,
    rows: vec::IntoIter<Row>,
    finish: Finish,
}

// === impl Results ===

impl Results {
    /// Results that are not known yet.
    pub(super) fn new(query: Query, context: Context<'_>) -> Self {
        Self {
            archive: context.archive.clone(),
            asker: context.asker.clone(),
            query_id: query.query_id,
            flip: query.flip,
            rows: Vec::new().into_iter(),
            finish: Finish::default(),
        }
    }

    /// With a page of rows, oldest first. The ends of a page are the same in whichever order it is sent (§4.3.4).
    pub(super) fn with_page(self, rows: Vec<Row>, complete: bool) -> Self {
        let ends = rows.first().zip(rows.last()).map(|(first, last)| Ends {
            first: first.id.to_string().into(),
            index: None,
            last: last.id.to_string().into(),
        });
        Self {
            rows: rows.into_iter(),
            finish: Finish {
                complete,
                unstable: false,
                page: SetResult { ends, count: None },
            },
            ..self
        }
    }

    /// With a number alone; one that reached the limit of counting is not told.
    pub(super) fn with_count(self, count: usize, limit: usize) -> Self {
        Self {
            finish: Finish {
                complete: count == 0,
                unstable: false,
                page: SetResult {
                    ends: None,
                    count: (count < limit).then_some(count as u64),
                },
            },
            ..self
        }
    }

    /// The payload of the answer, which follows the last result (§4).
    pub fn finish(&self) -> &Finish {
        &self.finish
    }

    /// The message that carries a row (§4.2).
    fn message(&self, row: Row) -> Stanza {
        let result = QueryResult {
            query_id: self.query_id.clone(),
            id: row.id.to_string().into(),
            message: Forwarded {
                delay: Some(Delay {
                    from: None,
                    stamp: unix(row.received),
                    reason: None,
                }),
                stanza: row.payload,
            },
        };
        result
            .to_message()
            .with_from(self.archive.to_jid())
            .with_to(self.asker.clone())
    }
}

impl Iterator for Results {
    type Item = Stanza;

    fn next(&mut self) -> Option<Stanza> {
        let row = if self.flip {
            self.rows.next_back()
        } else {
            self.rows.next()
        };
        row.map(|row| self.message(row))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rows.size_hint()
    }
}

impl ExactSizeIterator for Results {}

/// What there is to say about an archive with these ends (§5).
pub fn metadata(span: Option<Span>) -> Metadata {
    let mark = |id: RowId| Mark {
        id: id.to_string().into(),
        timestamp: unix(id.time()),
    };
    Metadata {
        extent: span.map(|span| Extent {
            start: mark(span.first),
            end: mark(span.last),
        }),
    }
}

fn unix(time: u64) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}
