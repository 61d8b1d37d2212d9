//! XEP-0313: how a query of an account's archive is answered.
//!
//! [`ArchiveQuery`] turns what a client asks into questions to the log ([`Question`]), one after the other, and their
//! answers ([`Answer`]) into what the client gets ([`Results`]). It asks the log for keys and pages only, so that
//! nothing it does depends on how much an archive holds. It is pure: whoever holds it asks the log, and sends
//! the results as fast as the client takes them.

mod results;
#[cfg(test)]
mod tests;

use rookery_stanza::payload::archive::Query;
use rookery_stanza::payload::result_set::Place;
use rookery_stanza::{BareJid, Condition, Jid, StanzaError};
use rookery_storage::message_log::{End, Filter, PageQuery, Paged, Row, RowId};

pub use results::{Results, metadata};

/// How much one query may bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Messages of a page whose size the client leaves open.
    pub default_page: usize,
    /// The most messages of a page (§4.3.1).
    pub largest_page: usize,
    /// The most ids that a query may name (§4.1.3).
    pub ids: usize,
    /// How far messages are counted for a client that asks for their number (XEP-0059 §2.7). If there are more, it is
    /// not told how many.
    pub count: usize,
}

/// Who asks, and whose archive.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The account that the archive belongs to.
    pub archive: &'a BareJid,
    /// The full JID of the client that asks.
    pub asker: &'a Jid,
}

/// A query that is being answered.
#[derive(Debug)]
pub struct ArchiveQuery {
    results: Results,
    state: State,
}

/// What is known, and what is asked next.
#[derive(Debug)]
enum State {
    /// These ids have to be in the archive; then a page is asked for.
    Checking(PageQuery),
    /// The rows with the first so many ids are wanted, if they match; those behind them have to be there.
    Selecting(usize, PageQuery),
    /// A page was asked for.
    Paging,
    /// A number was asked for.
    Counting(usize),
}

/// What to ask the log of the account; each is a method of
/// [`MessageLog`](rookery_storage::message_log::MessageLog).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// `rows`.
    Rows(Vec<RowId>),
    /// `page`.
    Page(PageQuery),
    /// `count`.
    Count(Filter, usize),
}

/// What the log answers.
#[derive(Debug)]
pub enum Answer {
    /// To [`Question::Rows`].
    Rows(Vec<Option<Row>>),
    /// To [`Question::Page`].
    Page(Paged),
    /// To [`Question::Count`].
    Count(usize),
}

/// What comes of an answer.
#[derive(Debug)]
pub enum Next {
    /// Another question.
    Ask(ArchiveQuery, Question),
    /// The results.
    Send(Results),
}

/// The bounds that a query names, each a row of the archive.
#[derive(Clone, Copy, Debug, Default)]
struct Bounds {
    /// Only rows after each of these.
    after: [Option<RowId>; 2],
    /// Only rows before each of these.
    before: [Option<RowId>; 2],
}

// === impl ArchiveQuery ===

impl ArchiveQuery {
    /// Takes up a query, with the first question to the log.
    ///
    /// # Errors
    /// `forbidden` for an archive of somebody else (§8.1); `item-not-found` for an id that is none (§4.1.3, §4.3.2);
    /// `feature-not-implemented` for a node (§6.1.3), and for a page by its index (XEP-0059 §2.6), which would have to be
    /// counted; `not-acceptable` for too many ids.
    pub fn new(
        query: Query,
        context: Context<'_>,
        limits: &Limits,
    ) -> Result<(Self, Question), StanzaError> {
        if context.asker.bare() != *context.archive {
            return Err(Condition::Forbidden.into());
        }
        if query.node.is_some() {
            return Err(Condition::FeatureNotImplemented.into());
        }
        if query.ids.len() > limits.ids {
            let text = format!("a query may name {} ids", limits.ids);
            return Err(StanzaError::new(Condition::NotAcceptable).with_text(text));
        }
        let bounds = Bounds::of(&query)?;
        let ids = query
            .ids
            .iter()
            .map(|id| row_id(id))
            .collect::<Result<Vec<_>, _>>()?;
        let page = page_query(&query, bounds, limits)?;
        let results = Results::new(query, context);
        let counts = page.limit == 0 && ids.is_empty() && bounds.is_open();
        let (state, question) = if counts {
            let question = Question::Count(page.filter, limits.count);
            (State::Counting(limits.count), question)
        } else if !ids.is_empty() {
            let wanted = ids.len();
            let all = ids.into_iter().chain(bounds.all()).collect();
            (State::Selecting(wanted, page), Question::Rows(all))
        } else if bounds.are_covered_by(&page) {
            (State::Paging, Question::Page(page))
        } else {
            (
                State::Checking(page),
                Question::Rows(bounds.all().collect()),
            )
        };
        Ok((Self { results, state }, question))
    }

    /// Takes the answer to the question that was asked last.
    ///
    /// # Errors
    /// `item-not-found` if a row that the query names is not in the archive (§4.1.3, §4.3.2).
    pub fn answered(self, answer: Answer) -> Result<Next, StanzaError> {
        let Self { results, state } = self;
        match (state, answer) {
            (State::Checking(page), Answer::Rows(rows)) => {
                all_there(rows)?;
                let state = State::Paging;
                Ok(Next::Ask(Self { results, state }, Question::Page(page)))
            }
            (State::Selecting(wanted, page), Answer::Rows(rows)) => {
                let mut rows = all_there(rows)?;
                rows.truncate(wanted);
                let (rows, complete) = select(rows, &page);
                Ok(Next::Send(results.with_page(rows, complete)))
            }
            (State::Paging, Answer::Page(Paged::Page(page))) => {
                Ok(Next::Send(results.with_page(page.rows, page.complete)))
            }
            (State::Paging, Answer::Page(Paged::NoSuchRow(_))) => {
                Err(Condition::ItemNotFound.into())
            }
            (State::Counting(limit), Answer::Count(count)) => {
                Ok(Next::Send(results.with_count(count, limit)))
            }
            _ => Err(Condition::InternalServerError.into()),
        }
    }
}

/// The page that a query wants (§4.3).
fn page_query(query: &Query, bounds: Bounds, limits: &Limits) -> Result<PageQuery, StanzaError> {
    let end = match query.page.place {
        Place::First | Place::After(_) | Place::Index(0) => End::Oldest,
        Place::Before(_) | Place::Last => End::Newest,
        Place::Index(_) => return Err(Condition::FeatureNotImplemented.into()),
    };
    let size = match query.page.max {
        Some(max) => usize::try_from(max).unwrap_or(usize::MAX),
        None => limits.default_page,
    };
    let time = |time: i64| u64::try_from(time).unwrap_or(0);
    Ok(PageQuery {
        filter: Filter {
            with: query.with.clone(),
            start: query.start.map(time),
            end: query.end.map(time),
        },
        after: bounds.after.into_iter().flatten().max(),
        before: bounds.before.into_iter().flatten().min(),
        end,
        limit: size.min(limits.largest_page),
    })
}

/// The page of rows that were named by their ids, and whether it is all of them. Each is there once, in the order of
/// the archive.
fn select(mut rows: Vec<Row>, page: &PageQuery) -> (Vec<Row>, bool) {
    let times = page.filter.first_order()..page.filter.end_order();
    rows.retain(|row| {
        page.filter.matches(&row.with)
            && times.contains(&row.id.order())
            && page.after.is_none_or(|after| after < row.id)
            && page.before.is_none_or(|before| row.id < before)
    });
    rows.sort_by_key(|row| row.id);
    rows.dedup_by_key(|row| row.id);
    let complete = rows.len() <= page.limit;
    match page.end {
        End::Oldest => rows.truncate(page.limit),
        End::Newest => drop(rows.drain(..rows.len().saturating_sub(page.limit))),
    }
    (rows, complete)
}

/// The rows, if each of them is in the archive.
fn all_there(rows: Vec<Option<Row>>) -> Result<Vec<Row>, StanzaError> {
    let rows: Option<Vec<_>> = rows.into_iter().collect();
    rows.ok_or_else(|| Condition::ItemNotFound.into())
}

/// The id of a row. A text that is no id is not in the archive.
fn row_id(text: &str) -> Result<RowId, StanzaError> {
    text.parse().map_err(|_| Condition::ItemNotFound.into())
}

// === impl Bounds ===

impl Bounds {
    /// The bounds of the form (§4.1.3) and of the page (§4.3.2).
    fn of(query: &Query) -> Result<Self, StanzaError> {
        let id = |text: &Option<Box<str>>| text.as_deref().map(row_id).transpose();
        let (mut after, mut before) = (None, None);
        match &query.page.place {
            Place::After(id) => after = Some(row_id(id)?),
            Place::Before(id) => before = Some(row_id(id)?),
            Place::First | Place::Last | Place::Index(_) => {}
        }
        Ok(Self {
            after: [id(&query.after_id)?, after],
            before: [id(&query.before_id)?, before],
        })
    }

    fn all(self) -> impl Iterator<Item = RowId> {
        self.after.into_iter().chain(self.before).flatten()
    }

    fn is_open(self) -> bool {
        self.all().next().is_none()
    }

    /// Whether the log finds out by itself if one of them is not in the archive.
    fn are_covered_by(self, page: &PageQuery) -> bool {
        self.all()
            .all(|id| page.after == Some(id) || page.before == Some(id))
    }
}

// === impl Limits ===

impl Default for Limits {
    fn default() -> Self {
        Self {
            default_page: 50,
            largest_page: 250,
            ids: 250,
            count: 10_000,
        }
    }
}
