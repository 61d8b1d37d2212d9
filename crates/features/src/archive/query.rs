//! Queries of an archive (§4), and where it begins and ends (§5).

use std::fmt;
use std::sync::Arc;

use futures_util::FutureExt;
use rookery_archive::ArchiveQuery;
use rookery_archive::query::Results as Found;
use rookery_archive::query::{Answer as LogAnswer, Context, Limits, Next, Question, metadata};
use rookery_extension::{Answer, IqContext, IqHandler, IqMethod, IqRequest, Results, Scope};
use rookery_lifecycle::Clock;
use rookery_stanza::payload::archive::{Metadata, Query, form};
use rookery_stanza::{BareJid, StanzaError, ns};
use rookery_storage::StoreError;
use rookery_storage::message_log::MessageLog;
use rookery_telemetry::{Counter, CounterFamily, Histogram, label};
use rookery_xml::Element;

use super::{Config, SCOPE, admit};
use crate::Parts;
use crate::account_records::refusal;

/// Answers queries.
pub(super) struct QueryHandler {
    log: Arc<dyn MessageLog>,
    limits: Limits,
    clock: Clock,
    metrics: Metrics,
}

/// Answers requests for metadata.
pub(super) struct MetadataHandler {
    log: Arc<dyn MessageLog>,
}

/// `<query/>`.
pub(super) enum QueryRequest {
    /// Which fields are there (§4.1.5)?
    Form,
    /// Which messages match (§4)?
    Query(Box<Query>),
}

/// `<metadata/>`.
pub(super) struct MetadataRequest;

#[derive(Clone, Debug)]
struct Metrics {
    queries: CounterFamily<Ended>,
    messages: Counter,
    duration: Histogram,
}

label! {
    /// How a query ended.
    enum Ended("result") {
        /// Everything that was asked for was sent.
        Sent = "sent",
        /// It asks for what is not there, or for what is not done here, or the store fails.
        Refused = "refused",
        /// The client reads too slowly, or is gone.
        GivenUp = "given_up",
    }
}

// === impl QueryHandler ===

impl QueryHandler {
    pub(super) fn new(config: &Config, parts: &Parts) -> Self {
        let metrics = &parts.metrics;
        Self {
            log: Arc::clone(&parts.log),
            limits: config.limits(),
            clock: parts.clock.clone(),
            metrics: Metrics {
                queries: metrics.counters(
                    "archive_queries_total",
                    "How many queries of archives were there, and how did they end?",
                ),
                messages: metrics.counter(
                    "archive_results_total",
                    "How many messages were sent as results of such queries?",
                ),
                duration: metrics.histogram(
                    "archive_query_duration_seconds",
                    "How long does a query take until its page is read?",
                ),
            },
        }
    }

    /// Sends the page, then says which it was (§4.3).
    fn answer(&self, query: Query, context: &IqContext<'_>) -> Answer {
        let account = context.account.jid.clone();
        let parties = Context {
            archive: &account,
            asker: context.from,
        };
        let (query, question) = match ArchiveQuery::new(query, parties, &self.limits) {
            Ok(taken) => taken,
            Err(error) => {
                self.metrics.queries.of(Ended::Refused).increment();
                return Answer::Now(Err(error));
            }
        };
        let (log, clock, metrics) = (
            Arc::clone(&self.log),
            self.clock.clone(),
            self.metrics.clone(),
        );
        Answer::Results(Results::new(move |mut asker| async move {
            let began = clock.now();
            let found = ask(&*log, &account, query, question).await;
            metrics.duration.observe(clock.now() - began);
            let mut found =
                found.inspect_err(|_| metrics.queries.of(Ended::Refused).increment())?;
            let messages = found.len();
            let sent = asker.send(&mut found).await;
            metrics.messages.add((messages - found.len()) as u64);
            let ended = if sent.is_ok() {
                Ended::Sent
            } else {
                Ended::GivenUp
            };
            metrics.queries.of(ended).increment();
            sent.map(|()| Some(found.finish().to_element()))
        }))
    }
}

/// Asks the log whatever the query needs to know.
async fn ask(
    log: &dyn MessageLog,
    account: &BareJid,
    mut query: ArchiveQuery,
    mut question: Question,
) -> Result<Found, StanzaError> {
    loop {
        let answer = put(log, account, question).await;
        match query.answered(answer.map_err(|error| refusal(&error))?)? {
            Next::Ask(next, another) => (query, question) = (next, another),
            Next::Send(found) => return Ok(found),
        }
    }
}

/// Puts one question to the log.
async fn put(
    log: &dyn MessageLog,
    account: &BareJid,
    question: Question,
) -> Result<LogAnswer, StoreError> {
    Ok(match question {
        Question::Rows(ids) => LogAnswer::Rows(log.rows(account, ids).await?),
        Question::Page(page) => LogAnswer::Page(log.page(account, page).await?),
        Question::Count(filter, limit) => {
            LogAnswer::Count(log.count(account, filter, limit).await?)
        }
    })
}

// === impl MetadataHandler ===

impl MetadataHandler {
    pub(super) fn new(parts: &Parts) -> Self {
        Self {
            log: Arc::clone(&parts.log),
        }
    }
}

// === impl IqHandler ===

impl IqHandler for QueryHandler {
    type Request = QueryRequest;
    const SCOPE: Scope = SCOPE;

    fn handle(&self, request: QueryRequest, context: IqContext<'_>) -> Answer {
        if let Err(error) = admit(&context) {
            return Answer::Now(Err(error));
        }
        match request {
            QueryRequest::Form => Answer::Now(Ok(Some(form()))),
            QueryRequest::Query(query) => self.answer(*query, &context),
        }
    }
}

impl IqHandler for MetadataHandler {
    type Request = MetadataRequest;
    const SCOPE: Scope = SCOPE;

    fn handle(&self, MetadataRequest: MetadataRequest, context: IqContext<'_>) -> Answer {
        if let Err(error) = admit(&context) {
            return Answer::Now(Err(error));
        }
        let (log, account) = (Arc::clone(&self.log), context.account.jid.clone());
        let span = async move {
            let span = log.span(&account).await.map_err(|error| refusal(&error))?;
            Ok(Some(metadata(span).to_element()))
        };
        Answer::Later(span.boxed())
    }
}

// === impl IqRequest ===

impl IqRequest for QueryRequest {
    const NAME: &'static str = Query::NAME;
    const NAMESPACE: &'static str = ns::ARCHIVE;

    fn parse(method: IqMethod, payload: &Element) -> Result<Self, StanzaError> {
        match method {
            IqMethod::Get => Ok(Self::Form),
            IqMethod::Set => match Query::parse(payload) {
                Ok(query) => Ok(Self::Query(Box::new(query))),
                Err(error) => Err(StanzaError::new(error.condition()).with_text(error.to_string())),
            },
        }
    }
}

impl IqRequest for MetadataRequest {
    const NAME: &'static str = Metadata::NAME;
    const NAMESPACE: &'static str = ns::ARCHIVE;

    fn parse(method: IqMethod, _payload: &Element) -> Result<Self, StanzaError> {
        method.must_be(IqMethod::Get)?;
        Ok(Self)
    }
}

impl fmt::Debug for QueryHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryHandler")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for MetadataHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetadataHandler").finish_non_exhaustive()
    }
}
