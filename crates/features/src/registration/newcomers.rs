//! XEP-0077 §3.1.1: accounts for those who have not authenticated.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use parking_lot::Mutex;
use rookery_auth::{AccountError, Accounts};
use rookery_extension::{BeforeLogin, Host, IqMethod, IqRequest};
use rookery_lifecycle::{AddressLimiter, Clock};
use rookery_stanza::{BareJid, Condition, StanzaError};
use rookery_telemetry::CounterFamily2;
use rookery_xml::Element;

use super::form::{self, RegistrationRequest, Submission};
use super::{Action, Config, Done, NAMESPACE, stanza_error};
use crate::Parts;

/// The stream feature (§8).
const STREAM_FEATURE: &str = "http://jabber.org/features/iq-register";

/// How many names may be tried for each account that may be made.
const TRIES: u32 = 10;

/// Makes accounts.
#[derive(Clone, Debug)]
pub(super) struct Newcomers {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    accounts: Accounts,
    clock: Clock,
    reserved: BTreeSet<String>,
    made: Mutex<AddressLimiter>,
    tried: Mutex<AddressLimiter>,
    counted: CounterFamily2<Action, Done>,
}

// === impl Newcomers ===

impl Newcomers {
    pub(super) fn new(
        config: &Config,
        parts: &Parts,
        counted: CounterFamily2<Action, Done>,
    ) -> Self {
        let limiter = |events| {
            let limiter = AddressLimiter::new(events, config.window(), config.addresses);
            Mutex::new(limiter)
        };
        Self {
            inner: Arc::new(Inner {
                accounts: parts.accounts.clone(),
                clock: parts.clock.clone(),
                reserved: config.reserved(),
                made: limiter(config.accounts_per_address),
                tried: limiter(config.accounts_per_address.saturating_mul(TRIES)),
                counted,
            }),
        }
    }
}

// === impl BeforeLogin ===

impl BeforeLogin for Newcomers {
    fn namespace(&self) -> &'static str {
        NAMESPACE
    }

    fn announcement(&self) -> Element {
        Element::new("register", STREAM_FEATURE)
    }

    /// §11: a password does not travel in the clear.
    fn is_open(&self, host: &Host, secure: bool) -> bool {
        host.registration && secure
    }

    fn handle(
        &self,
        method: IqMethod,
        payload: Element,
        host: &Arc<Host>,
        peer: IpAddr,
    ) -> BoxFuture<'static, Result<Option<Element>, StanzaError>> {
        let submission = match (payload.name(), RegistrationRequest::parse(method, &payload)) {
            ("query", Ok(RegistrationRequest::Fields)) => {
                return ready(Ok(Some(form::empty()))).boxed();
            }
            ("query", Ok(RegistrationRequest::Submit(submission))) => submission,
            // §3.2: there is nothing to remove.
            ("query", Ok(RegistrationRequest::Remove)) => {
                return ready(Err(Condition::UnexpectedRequest.into())).boxed();
            }
            ("query", Err(error)) => return ready(Err(error)).boxed(),
            _ => return ready(Err(Condition::ServiceUnavailable.into())).boxed(),
        };
        let (inner, host) = (self.inner.clone(), host.clone());
        let registration = async move {
            let result = inner.register(submission, &host, peer).await;
            let (done, answer) = match result {
                Ok(account) => {
                    tracing::info!(%account, %peer, "account registered");
                    (Done::Ok, Ok(None))
                }
                Err((done, error)) => (done, Err(error)),
            };
            inner.counted.of(Action::Register, done).increment();
            answer
        };
        registration.boxed()
    }
}

// === impl Inner ===

impl Inner {
    async fn register(
        &self,
        submission: Submission,
        host: &Host,
        peer: IpAddr,
    ) -> Result<BareJid, (Done, StanzaError)> {
        let refused = |error: AccountError| {
            (
                Done::of::<()>(&Err(error)),
                StanzaError::new(Condition::NotAcceptable),
            )
        };
        let failed = |error: AccountError| {
            let told = stanza_error(&error);
            (Done::of::<()>(&Err(error)), told)
        };
        let Some((username, password)) = submission.complete() else {
            return Err((Done::Refused, Condition::NotAcceptable.into()));
        };
        let address = format!("{username}@{}", host.name());
        let account = self.accounts.address(&address).map_err(refused)?;
        if self.reserved.contains(account.local().unwrap_or_default()) {
            let error = StanzaError::new(Condition::NotAcceptable);
            return Err((Done::Refused, error.with_text("this name cannot be taken")));
        }
        self.admit(&self.tried, peer)?;
        if self
            .accounts
            .exists(account.as_str())
            .await
            .map_err(failed)?
        {
            return Err((Done::Refused, Condition::Conflict.into()));
        }
        self.admit(&self.made, peer)?;
        self.accounts
            .create(&address, password)
            .await
            .map_err(failed)
    }

    fn admit(
        &self,
        limiter: &Mutex<AddressLimiter>,
        peer: IpAddr,
    ) -> Result<(), (Done, StanzaError)> {
        if limiter.lock().admit(peer, self.clock.now()) {
            return Ok(());
        }
        let error = StanzaError::new(Condition::ResourceConstraint);
        let text = "too many accounts from your address; try again later";
        Err((Done::Limited, error.with_text(text)))
    }
}
