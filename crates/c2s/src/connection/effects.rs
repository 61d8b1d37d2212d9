//! Carries out what a stream wants done.

use actix::ActorContext;
use rookery_delivery::Load;
use rookery_session::{Aside, FromClient, Said};
use rookery_stanza::{Stanza, StanzaFault, StreamCondition, StreamError};
use rookery_stream::{Effect, Ending, Input};
use rookery_tls::HandshakeResult;

use super::{Connection, Ctx, Phase};
use crate::metrics::CloseReason;

/// What is for the session, in order.
#[derive(Default)]
struct Batch {
    stanzas: Vec<Stanza>,
    asides: Vec<Aside>,
}

impl Batch {
    /// A stanza, of about so many.
    fn stanza(&mut self, stanza: Stanza, expected: usize) {
        if self.stanzas.is_empty() {
            self.stanzas.reserve_exact(expected);
        }
        self.stanzas.push(stanza);
    }

    fn aside(&mut self, what: Said) {
        let behind = self.stanzas.len();
        self.asides.push(Aside { behind, what });
    }
}

impl Connection {
    /// Carries out effects in their order; what is for the session travels as one batch.
    pub(super) fn carry_out(&mut self, effects: Vec<Effect>, ctx: &mut Ctx) {
        let mut batch = Batch::default();
        // As many as there are effects, mostly.
        let stanzas = effects.len();
        for effect in effects {
            match effect {
                Effect::Stanza(stanza) => batch.stanza(stanza, stanzas),
                Effect::Nonza(element) => batch.aside(Said::Nonza(element)),
                Effect::Send(bytes) => self.outgoing.push_raw(bytes),
                Effect::StanzaFault(fault) => batch.aside(self.refused(&fault)),
                Effect::StartTls => self.start_tls(ctx),
                Effect::Sasl(request) => self.sasl(request, ctx),
                Effect::BeforeLogin(request) => self.before_login(request, ctx),
                Effect::Authenticated(account) => self.authenticated(&account, ctx),
                Effect::Bind(wish) => self.bind(wish, ctx),
                Effect::Resume(request) => self.resume(&request, ctx),
                Effect::Closing(ending) => {
                    self.submit(std::mem::take(&mut batch), ctx);
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
        self.submit(batch, ctx);
    }

    /// The answer to a stanza that could not be read. The session sends it, since it counts both.
    fn refused(&self, fault: &StanzaFault) -> Said {
        let reply = fault.reply();
        if reply.is_some() {
            self.edge.answered(fault.stanza.kind, fault.error.condition);
        }
        Said::Fault(reply.map(Box::new))
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

    fn submit(&mut self, batch: Batch, ctx: &mut Ctx) {
        let Batch { stanzas, asides } = batch;
        if stanzas.is_empty() && asides.is_empty() {
            return;
        }
        let Some(attached) = &self.attached else {
            return;
        };
        let load = Load {
            stanzas: stanzas.len() + asides.len(),
            bytes: stanzas.iter().map(Stanza::size).sum(),
        };
        let from_client = FromClient {
            link: attached.link,
            stanzas,
            asides,
            permit: attached.credit.take(load, self.read.into_std()),
        };
        if attached.session.try_send(from_client).is_err() {
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
        Ending::Error(_) | Ending::Exceeded(..) => CloseReason::StreamError,
        Ending::Requested => CloseReason::Shutdown,
        Ending::StartTlsRefused | Ending::NoTls => CloseReason::Tls,
    }
}
