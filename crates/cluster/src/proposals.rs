//! What one run changes in the table: in order, and all that waits at once.
//!
//! One batch is under way at a time, so that what a session asked for first happens first; what is asked for
//! meanwhile makes the next one. A quiet node does not wait for a batch to fill.

use std::sync::Arc;

use rookery_lifecycle::{ScopeClosed, TaskScope};
use rookery_routing::{Answer, Change, Command, Incarnation, Outcome, Refusal};
use tokio::sync::{mpsc, oneshot};

use crate::member::{Member, ProposeError};

/// As many changes are in a batch at most.
const BATCH: usize = 512;

/// As many changes wait at most; who proposes more waits until there is room.
const QUEUE: usize = 8192;

/// The way to the log for the changes of one run. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Proposals {
    queue: mpsc::Sender<Proposal>,
}

#[derive(Debug)]
struct Proposal {
    change: Change,
    answer: oneshot::Sender<Result<Outcome, NotChanged>>,
}

/// Why a change was not made, or is not known to have been made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotChanged {
    /// The run is over: the others have given this node up.
    #[error("{0}")]
    Refused(Refusal),
    /// It is not known to be in the log.
    #[error(transparent)]
    Unknown(#[from] ProposeError),
    /// The node is being stopped.
    #[error("the node is being stopped")]
    Stopped,
}

// === impl Proposals ===

impl Proposals {
    pub(crate) fn start(
        member: Arc<Member>,
        by: Incarnation,
        scope: &TaskScope,
    ) -> Result<Self, ScopeClosed> {
        let (queue, waiting) = mpsc::channel(QUEUE);
        scope.spawn("proposals", run(member, by, waiting))?;
        Ok(Self { queue })
    }

    /// Makes a change, and answers when the table of this node has it.
    ///
    /// # Errors
    /// When it was not made, or is not known to have been made. It may be proposed again.
    pub async fn change(&self, change: Change) -> Result<Outcome, NotChanged> {
        let (answer, answered) = oneshot::channel();
        let proposal = Proposal { change, answer };
        let sent = self.queue.send(proposal).await;
        sent.map_err(|_| NotChanged::Stopped)?;
        answered.await.unwrap_or(Err(NotChanged::Stopped))
    }
}

async fn run(member: Arc<Member>, by: Incarnation, mut waiting: mpsc::Receiver<Proposal>) {
    let mut batch = Vec::with_capacity(BATCH);
    while waiting.recv_many(&mut batch, BATCH).await > 0 {
        let (changes, answers): (Vec<_>, Vec<_>) = batch
            .drain(..)
            .map(|proposal| (proposal.change, proposal.answer))
            .unzip();
        let proposed = member.propose(&Command::Batch { by, changes }).await;
        let outcomes = match proposed {
            Ok(Answer::Changed(outcomes)) => outcomes.into_iter().map(Ok).collect(),
            Ok(Answer::Refused(refusal)) => vec![Err(NotChanged::Refused(refusal)); answers.len()],
            Ok(_) => vec![Err(NotChanged::Refused(Refusal::NoRun)); answers.len()],
            Err(error) => vec![Err(NotChanged::Unknown(error)); answers.len()],
        };
        for (answer, outcome) in answers.into_iter().zip(outcomes) {
            // Whoever asked has gone.
            drop(answer.send(outcome));
        }
    }
}
