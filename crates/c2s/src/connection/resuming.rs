//! A stream that goes on where another one ended (XEP-0198 §5): the session of a former connection.

use actix::AsyncContext;
use rookery_session::stream_management::{Asker, Command, Failed, Reply, Resume};
use rookery_session::{NotResumed, Resumed, Takeover};
use rookery_stanza::Condition;
use rookery_stream::Input;
use rookery_xml::Element;

use super::binding::Attached;
use super::{Connection, Ctx, Phase};
use crate::metrics::CloseReason;

impl Connection {
    /// Asks the session for itself, if this client may. Nothing is read until it has answered.
    pub(super) fn resume(&mut self, request: &Element, ctx: &mut Ctx) {
        let failed = match Command::parse(request) {
            Ok(Some(Command::Resume(request))) => match self.ask_for(&request, ctx) {
                Ok(()) => return,
                Err(failed) => failed,
            },
            _ => Failed::new(Condition::BadRequest),
        };
        self.resumed(Err(NotResumed::Failed(failed)), ctx);
    }

    fn ask_for(&self, request: &Resume, ctx: &Ctx) -> Result<(), Failed> {
        let asker = Asker {
            account: self.negotiation.account(),
            bound: false,
        };
        let session = self
            .edge
            .sessions
            .resumable
            .find(asker, &request.previous)?;
        let takeover = Takeover::new(request, ctx.address().recipient());
        // A fresh clone of an address always has a place in the mailbox (actix grants each sender one), so
        // that only a session that has just ended refuses.
        let sent = session.try_send(takeover);
        sent.map_err(|_| Failed::new(Condition::ItemNotFound))
    }

    /// The session has answered.
    pub(super) fn resumed(&mut self, answer: Result<Box<Resumed>, NotResumed>, ctx: &mut Ctx) {
        match answer {
            Ok(resumed) => {
                if self.phase != Phase::Open || self.negotiation.is_ending() {
                    // Nobody takes it, and so it waits again.
                    return;
                }
                let Resumed {
                    claim,
                    budget,
                    jid,
                    reply,
                } = *resumed;
                let stream = self.negotiation.stream_id();
                tracing::debug!(stream, %jid, peer = %self.about.peer, "session resumed");
                self.attached = Attached::resumed(claim, budget, &self.edge);
                self.tell(Input::Resumed { jid, reply }, ctx);
                self.release();
            }
            Err(NotResumed::Failed(failed)) => {
                let reply = Reply::Failed(failed).to_element();
                self.tell(Input::ResumeRefused(reply), ctx);
            }
            Err(NotResumed::Error(error)) => {
                self.closing(CloseReason::StreamError);
                self.tell(Input::Shutdown(*error), ctx);
            }
        }
    }
}
