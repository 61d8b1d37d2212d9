//! SASL and TLS of a connection, between its stream and the authenticator.

use std::panic::AssertUnwindSafe;

use actix::fut::wrap_future;
use actix::{ActorFutureExt, AsyncContext};
use futures_util::FutureExt;
use rookery_auth::{Login, Origin, Reply, Request, Step};
use rookery_delivery::Limit;
use rookery_extension::IqMethod;
use rookery_stanza::{Condition, IqType, Kind, StanzaError, StreamCondition, StreamError};
use rookery_stream::{EarlyRequest, Input, SaslReply, SaslRequest};
use rookery_tls::{HandshakeResult, TlsSession};
use rookery_xml::Element;

use super::actor::ConnectionActor;
use super::{Connection, Ctx};
use crate::facts::Established;
use crate::metrics::{CloseReason, Listener};
use crate::security::Secured;
use crate::transport::TransportError;

impl Connection {
    /// A read belonged to a handshake, which may be done with it, or have failed.
    pub(super) fn handshake(&mut self, error: Option<&TransportError>, ctx: &mut Ctx) {
        if let Some(error) = error {
            let result = match error {
                TransportError::Tls(error) => error.handshake_result(),
                TransportError::Socket(_) => HandshakeResult::Other,
            };
            return self.count_handshake(result);
        }
        if self.transport.is_handshaking() {
            return;
        }
        let Some(tls) = self.transport.tls() else {
            return;
        };
        let info = tls.info();
        let result = if info.resumed {
            HandshakeResult::Resumed
        } else {
            HandshakeResult::Ok
        };
        self.count_handshake(result);
        self.edge
            .metrics
            .handshake_seconds
            .of(self.about.listener)
            .observe(self.about.accepted.elapsed());
        tracing::debug!(
            peer = %self.about.peer,
            version = info.version,
            cipher = info.cipher,
            "TLS established"
        );
        let established = Established::by(tls, info);
        if let Some(newcomer) = &mut self.newcomer {
            newcomer.tls = Some(established.for_login);
        }
        self.tell(Input::TlsEstablished(established.for_stream), ctx);
    }

    pub(super) fn count_handshake(&self, result: HandshakeResult) {
        let handshakes = &self.edge.metrics.handshakes;
        handshakes.of(self.about.listener, result).increment();
    }

    /// Asks the authenticator. Nothing is read until it has answered.
    pub(super) fn sasl(&mut self, request: SaslRequest, ctx: &mut Ctx) {
        let begins = matches!(request, SaslRequest::Start { .. });
        if begins && self.edge.admission.is_short_of_memory() {
            self.edge.session_metrics.shared.exceeded(Limit::Memory);
            self.closing(CloseReason::Policy);
            let error = StreamError::new(StreamCondition::ResourceConstraint)
                .with_text("the server is short of memory; try again later");
            return self.tell(Input::Shutdown(error), ctx);
        }
        let login = self.login.take().unwrap_or_else(|| self.begin_login());
        let request = match request {
            SaslRequest::Start {
                mechanism,
                initial,
                wishes,
            } => Request::Start {
                mechanism,
                initial,
                wishes,
            },
            SaslRequest::Response(response) => Request::Response(response),
            SaslRequest::Abort => Request::Abort,
            SaslRequest::Next(task) => Request::Next(task),
            SaslRequest::TaskData(payload) => Request::TaskData(payload),
        };
        let reply_wanted = !matches!(request, Request::Abort);
        match self.edge.authenticator.step(login, request) {
            Step::Done(login, reply) if reply_wanted => self.replied(login, reply, ctx),
            Step::Done(login, _) => self.login = Some(login),
            Step::Pending(step) => {
                let replied =
                    |(login, reply): (Login, Reply), act: &mut ConnectionActor, ctx: &mut Ctx| {
                        let Some(connection) = &mut act.connection else {
                            return;
                        };
                        connection.replied(login, reply, ctx);
                    };
                ctx.spawn(wrap_future(step).map(replied));
            }
        }
    }

    /// Answers a request of a client that has not authenticated. Nothing is read until then.
    pub(super) fn before_login(&mut self, request: EarlyRequest, ctx: &mut Ctx) {
        let EarlyRequest { is_set, payload } = request;
        let method = if is_set { IqMethod::Set } else { IqMethod::Get };
        let (service, secure) = (&self.edge.service, self.negotiation.tls().is_some());
        let host = service
            .hosts
            .get(self.negotiation.host().unwrap_or_default());
        let handled = host.and_then(|host| {
            let features = &service.features;
            let handler = features.before_login(payload.namespace(), host, secure)?;
            Some(handler.handle(method, payload.clone(), host, self.about.peer.ip()))
        });
        let Some(answer) = handled else {
            let error = Condition::ServiceUnavailable.into();
            return self.answered(method, Err(error), ctx);
        };
        let contained = AssertUnwindSafe(answer).catch_unwind();
        let answered =
            move |answer: std::thread::Result<_>, act: &mut ConnectionActor, ctx: &mut Ctx| {
                let failed = |_| Err(Condition::InternalServerError.into());
                if let Some(connection) = &mut act.connection {
                    connection.answered(method, answer.unwrap_or_else(failed), ctx);
                }
            };
        ctx.spawn(wrap_future(contained).map(answered));
    }

    fn answered(
        &mut self,
        method: IqMethod,
        answer: Result<Option<Element>, StanzaError>,
        ctx: &mut Ctx,
    ) {
        if let Err(error) = &answer {
            let kind = match method {
                IqMethod::Get => IqType::Get,
                IqMethod::Set => IqType::Set,
            };
            self.edge.answered(Kind::Iq(kind), error.condition);
        }
        self.tell(Input::Answered(answer), ctx);
    }

    fn begin_login(&self) -> Login {
        let host = self.negotiation.host().unwrap_or_default();
        let tls = self.newcomer.as_ref().and_then(|one| one.tls.clone());
        let origin = Origin {
            address: self.about.peer.ip(),
            transport: match self.about.listener {
                Listener::C2s => rookery_auth::Transport::Tcp,
                Listener::C2sTls => rookery_auth::Transport::Tls,
            },
        };
        self.edge.authenticator.begin(host, tls, origin)
    }

    fn replied(&mut self, login: Login, reply: Reply, ctx: &mut Ctx) {
        let reply = match reply {
            Reply::Challenge(challenge) => {
                self.login = Some(login);
                SaslReply::Challenge(challenge)
            }
            Reply::Continue { data, task } => {
                self.login = Some(login);
                SaslReply::Continue { data, task }
            }
            Reply::TaskData(payload) => {
                self.login = Some(login);
                SaslReply::TaskData(payload)
            }
            Reply::Success(success) => {
                self.about.profile = login.profile();
                self.about.place.authenticated();
                let version = self.transport.tls().map(TlsSession::version);
                self.about.secured = Some(Secured::new(version, &success));
                SaslReply::Success {
                    data: success.data,
                    jid: success.account,
                    grants: success.grants,
                }
            }
            Reply::Failure {
                condition,
                text,
                close,
            } => {
                self.login = Some(login);
                if close {
                    self.closing(CloseReason::StreamError);
                }
                let text = text.map(str::to_owned);
                SaslReply::Failure {
                    condition,
                    text,
                    fatal: close,
                }
            }
        };
        self.tell(Input::Sasl(reply), ctx);
    }
}
