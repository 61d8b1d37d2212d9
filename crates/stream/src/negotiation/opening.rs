//! Stream headers and features (RFC 6120 §4.2, §4.3, §4.7).

use std::time::Instant;

use rookery_stanza::{BareJid, Jid, StreamCondition, StreamError, ns};
use rookery_xml::{Element, StreamNamespaces, read_header};

use super::{Negotiation, OpenStream, Security, State};
use crate::config::StartTls;
use crate::effect::Effect;
use crate::features;
use crate::header::{self, Addressed, Greeting, Version};
use crate::service::Stage;

impl Negotiation {
    /// Answers the client's header with ours, and then with features or an error (§4.9.1.2).
    pub(super) fn open(&mut self, header: &[u8], now: Instant, effects: &mut Vec<Effect>) {
        let header = match read_header(header, self.framing.limits()) {
            Ok(header) => header,
            Err(refused) => return self.fail(refused.into(), now, effects),
        };
        let (greeting, fault) = Greeting::read(header);
        let (host, fault) = match (self.choose_host(&greeting), fault) {
            (Ok(host), fault) => (Some(host), fault),
            (Err(_), Some(fault)) => (None, Some(fault)),
            (Err(condition), None) => (None, Some(condition.into())),
        };
        let fault = fault.or_else(|| self.check_identity(&greeting, host.as_deref()));
        self.answer(greeting, host, effects);
        if let Some(error) = fault {
            return self.fail(error.into(), now, effects);
        }
        self.state = State::Features;
        self.redirect_if_open(now, effects);
        if !self.is_ending() {
            self.send_features(effects);
        }
    }

    /// Sends the server's header, where the client's could not be read or did not come yet (§4.9.1.2).
    pub(super) fn answer_unasked(&mut self, effects: &mut Vec<Effect>) {
        let greeting = Greeting {
            to: Addressed::Nobody,
            from: None,
            lang: None,
            version: Version::Numbers(1, 0),
            namespaces: StreamNamespaces::default(),
        };
        self.answer(greeting, None, effects);
    }

    fn answer(&mut self, greeting: Greeting, host: Option<String>, effects: &mut Vec<Effect>) {
        let host = host.unwrap_or_else(|| self.service.default_host().to_owned());
        let id = self.service.stream_id();
        let mut out = Vec::with_capacity(256);
        header::write(
            &host,
            greeting.from.as_ref(),
            &id,
            greeting.version,
            &mut out,
        );
        effects.push(Effect::Send(out.into()));
        self.stream = Some(OpenStream {
            id: id.into(),
            host: host.into(),
            from: greeting.from.map(|from| from.bare()),
            lang: greeting.lang,
            namespaces: greeting.namespaces,
        });
    }

    /// The host that the client asks for (§4.7.2). A client that names none gets the one that it named to
    /// TLS, or authenticated at, or else the default host.
    fn choose_host(&self, greeting: &Greeting) -> Result<String, StreamCondition> {
        match &greeting.to {
            Addressed::Host(host) if self.service.serves(host) => Ok(host.clone()),
            Addressed::Host(_) | Addressed::Malformed => Err(StreamCondition::HostUnknown),
            Addressed::Nobody => {
                let authenticated = self.account.as_ref().map(BareJid::domain);
                let named = || self.tls().and_then(|tls| tls.server_name.as_deref());
                let host = authenticated
                    .or_else(|| named().filter(|name| self.service.serves(name)))
                    .unwrap_or_else(|| self.service.default_host());
                Ok(host.to_owned())
            }
        }
    }

    /// Once the client is authenticated, its headers name the host and the account that it is authenticated
    /// for (§4.9.3.9, §6.4.6).
    ///
    /// Inside of TLS a claim to be of another domain is refused before that (XEP-0388 §"SASL mechanism
    /// negotiation").
    fn check_identity(&self, greeting: &Greeting, host: Option<&str>) -> Option<StreamError> {
        let Some(account) = &self.account else {
            let foreign = |from: &Jid| host.is_some_and(|host| host != from.domain());
            let foreign = self.tls.is_some() && greeting.from.as_ref().is_some_and(foreign);
            return foreign.then(|| StreamCondition::InvalidFrom.into());
        };
        if host.is_some_and(|host| host != account.domain()) {
            let error = StreamError::new(StreamCondition::NotAuthorized);
            return Some(error.with_text("authenticated at another host"));
        }
        let claimed = greeting.from.as_ref().map(Jid::bare);
        let differs =
            claimed.is_some_and(|from| !super::authentication::is_claim_of(&from, account));
        differs.then(|| StreamCondition::InvalidFrom.into())
    }

    /// §4.3.2: what the client may or must negotiate now.
    pub(super) fn send_features(&mut self, effects: &mut Vec<Effect>) {
        let Some(stream) = &self.stream else { return };
        let (host, tls) = (&*stream.host, self.tls());
        let mut out = features::START.to_vec();
        let mut write = |feature: Element| feature.write(ns::CLIENT, &mut out);
        if self.is_bound() {
            write(features::limits(&self.config, true));
            out.extend_from_slice(&self.service.features(host, Stage::Bound, tls));
        } else if self.account.is_some() {
            write(features::bind());
            write(features::stream_management());
            write(features::limits(&self.config, true));
            out.extend_from_slice(&self.service.features(host, Stage::Binding, tls));
        } else {
            let starttls = self.offered_starttls();
            if let Some(starttls) = starttls {
                write(features::starttls(starttls == StartTls::Required));
            }
            // §5.3.1: where TLS is mandatory, nothing else is offered beside it.
            if starttls != Some(StartTls::Required) {
                let offer = self.service.offer(host, tls);
                out.extend_from_slice(offer.features());
                features::limits(&self.config, false).write(ns::CLIENT, &mut out);
                out.extend_from_slice(&self.service.features(host, Stage::Authentication, tls));
                self.offered = Some(offer);
            }
        }
        out.extend_from_slice(features::END);
        effects.push(Effect::Send(out.into()));
    }

    /// Whether, and how, STARTTLS is offered: never on a stream that is protected (§5.4.3.3, rule 5).
    pub(super) fn offered_starttls(&self) -> Option<StartTls> {
        match self.security {
            Security::StartTls(mode) if self.tls.is_none() && self.account.is_none() => {
                (mode != StartTls::Off).then_some(mode)
            }
            _ => None,
        }
    }

    /// §4.9.3.19: a client is sent elsewhere only on a stream that is open, and not before it is protected
    /// if it can be.
    pub(super) fn redirect_if_open(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        if self.stream.is_none() || self.is_ending() || self.offered_starttls().is_some() {
            return;
        }
        if let Some(host) = self.redirect.take() {
            self.fail(StreamError::see_other_host(host).into(), now, effects);
        }
    }
}
