//! What follows when the store has answered.

use bytes::Bytes;
use rookery_extension::Outcome;
use rookery_stanza::{ParseError, RowId, Stanza};
use rookery_storage::message_log::Row;

use super::effect::{Change, Effects, Step, Write};
use super::survey::Survey;
use super::{Account, Scene};

/// The store's answer to one change.
#[derive(Debug)]
pub(crate) enum Stored {
    /// It is durable.
    Done,
    /// The message is durable, and this is the id of its row.
    At(RowId),
    /// There is no room, or no such account.
    Refused,
    /// The store failed: the change was made or it was not.
    Failed,
    /// The rows that were asked for.
    Page(Vec<Row>),
    /// What the log holds.
    Surveyed(Box<Survey>),
    /// What a feature found and did.
    Outcome(Box<Outcome>),
}

impl Account {
    /// Takes the store's answer to a write, and adds what is to be done now.
    pub(crate) fn stored(
        &mut self,
        write: Write,
        answer: Stored,
        scene: &Scene<'_>,
        step: &mut Step,
    ) {
        let Write {
            change,
            then,
            refused,
            failed,
        } = write;
        match (change, answer) {
            (Change::Read(_), Stored::Page(page)) => self.page(page, step),
            (Change::Read(_), _) => self.page_failed(step),
            (Change::Survey(session), Stored::Surveyed(survey)) => {
                self.surveyed(session, *survey, step);
            }
            (Change::Append(append), Stored::At(row)) => self.appended(*append, row, scene, step),
            (Change::Append(append), _) => append.failed(step.now()),
            (Change::Roster(update), Stored::Done) => {
                self.roster.apply(update);
                step.append(then);
            }
            (Change::Ask(asking), Stored::Outcome(outcome)) => {
                self.concluded(*asking.request, *outcome, scene, step);
            }
            (Change::Data(update), Stored::Refused | Stored::Failed) => {
                tracing::warn!(account = %update.account, "records of a feature were not written");
            }
            (_, Stored::Refused) => step.append(refused),
            (_, Stored::Done) => step.append(then),
            (_, _) => step.append(failed),
        }
    }
}

impl Account {
    /// What is to be done about a step while the store cannot be asked: each of its writes has failed.
    pub(crate) fn not_stored(&mut self, asked: Step, scene: &Scene<'_>) -> Effects {
        let mut step = Step {
            effects: asked.effects,
            writes: Vec::new(),
        };
        for (write, after) in asked.writes {
            self.stored(write, Stored::Failed, scene, &mut step);
            step.append(after);
        }
        // Who is told of a failure does not ask the store again.
        step.effects
    }
}

impl Step {
    /// Adds effects at the end.
    pub(crate) fn append(&mut self, mut effects: Effects) {
        self.now().0.append(&mut effects.0);
    }
}

/// A stanza as it is stored: as it would be written to a client.
pub(super) fn write(stanza: &Stanza) -> Vec<u8> {
    let mut xml = Vec::with_capacity(stanza.size());
    stanza.write(&mut xml);
    xml
}

/// A stanza that was stored.
pub(super) fn read(xml: impl Into<Bytes>) -> Result<Stanza, ParseError> {
    Stanza::parse_again(xml.into())
}
