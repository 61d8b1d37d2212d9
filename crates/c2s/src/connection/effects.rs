//! Carries out what a stream wants done.

use actix::ActorContext;
use rookery_delivery::Load;
use rookery_session::FromClient;
use rookery_stanza::{Stanza, StanzaFault, StreamCondition, StreamError};
use rookery_stream::{Effect, Ending, Input};
use rookery_tls::HandshakeResult;

use super::{Connection, Ctx, Phase};
use crate::metrics::CloseReason;

impl Connection {
    /// Carries out effects in their order; the stanzas among them travel as one batch.
    pub(super) fn carry_out(&mut self, effects: Vec<Effect>, ctx: &mut Ctx) {
        let mut stanzas = Vec::new();
        for effect in effects {
            match effect {
                Effect::Stanza(stanza) => stanzas.push(stanza),
                Effect::Send(bytes) => self.outgoing.push_raw(bytes),
                Effect::StanzaFault(fault) => self.refuse(&fault),
                Effect::StartTls => self.start_tls(ctx),
                Effect::Sasl(request) => self.sasl(request, ctx),
                Effect::BeforeLogin(request) => self.before_login(request, ctx),
                Effect::Authenticated(account) => self.authenticated(&account, ctx),
                Effect::Bind { resource } => self.bind(resource, ctx),
                Effect::Closing(ending) => {
                    self.submit(std::mem::take(&mut stanzas), ctx);
                    self.edge.metrics.stream_errors.count(&ending);
                    if ending == Ending::NoTls && self.phase == Phase::Open {
                        self.count_handshake(HandshakeResult::Timeout);
                    }
                    let reason = reason(&ending);
                    if let (CloseReason::Timeout, Some(login)) = (reason, &self.login) {
                        self.edge.authenticator.timed_out(login);
                    }
                    self.closing(reason);
                    if self.phase != Phase::Closing(CloseReason::Shutdown) {
                        self.let_session_go();
                    }
                }
                Effect::Disconnect => self.disconnect(),
            }
        }
        self.submit(stanzas, ctx);
    }

    /// Answers a stanza that could not be read. The answer does not come from the session, and takes nothing
    /// from its budget.
    fn refuse(&mut self, fault: &StanzaFault) {
        if let Some(reply) = fault.reply() {
            self.edge.answered(fault.stanza.kind, fault.error.condition);
            let mut bytes = Vec::new();
            reply.write(&mut bytes);
            self.outgoing.push_raw(bytes.into());
        }
    }

    /// What was queued in clear goes out before TLS begins.
    fn start_tls(&mut self, ctx: &mut Ctx) {
        self.pass_on();
        if let Err(error) = self.transport.secure(&self.edge.starttls) {
            tracing::error!(peer = %self.about.peer, %error, "no TLS session for a connection");
            self.closing(CloseReason::Internal);
            ctx.stop();
        }
    }

    fn submit(&mut self, stanzas: Vec<Stanza>, ctx: &mut Ctx) {
        if stanzas.is_empty() {
            return;
        }
        let Some(attached) = &self.attached else {
            return;
        };
        let load = Load {
            stanzas: stanzas.len(),
            bytes: stanzas.iter().map(Stanza::size).sum(),
        };
        let permit = attached.credit.take(load, self.read.into_std());
        if attached
            .session
            .try_send(FromClient { stanzas, permit })
            .is_err()
        {
            // The credit bounds what waits in the session's mailbox far below its capacity, so only a
            // session that died of a panic refuses: the client has to begin anew.
            tracing::error!(peer = %self.about.peer, "the session is gone");
            self.closing(CloseReason::Internal);
            let error = StreamError::new(StreamCondition::InternalServerError);
            self.tell(Input::Shutdown(error), ctx);
        }
    }

    fn disconnect(&mut self) {
        let reason = self.phase.reason().unwrap_or(CloseReason::Client);
        self.phase = Phase::Disconnecting(reason);
    }
}

fn reason(ending: &Ending) -> CloseReason {
    match ending {
        Ending::ByPeer | Ending::PeerError(_) => CloseReason::Client,
        Ending::Error(error) if error.condition == StreamCondition::ConnectionTimeout => {
            CloseReason::Timeout
        }
        Ending::Error(_) => CloseReason::StreamError,
        Ending::Requested => CloseReason::Shutdown,
        Ending::StartTlsRefused | Ending::NoTls => CloseReason::Tls,
    }
}
