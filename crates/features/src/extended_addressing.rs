//! XEP-0033: Extended Stanza Addressing.
//!
//! A client sends one stanza to the host, which sends it on to everybody whom it names. The copies are the
//! client's: each goes the way of a stanza that the client sent itself.

use std::collections::BTreeSet;

use rookery_extension::{
    AccountView, Feature, Host, HostHandler, Registry, Spec, Standard, Status,
};
use rookery_stanza::{Condition, Jid, Kind, MessageType, PresenceType, Stanza, StanzaError};
use rookery_telemetry::{Counter, CounterFamily, label};
use rookery_xml::Element;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ConfigError, Parts};

/// The namespace of addresses, which is also the feature.
const NAMESPACE: &str = "http://jabber.org/protocol/address";

/// `[features.extended_addressing]`: stanzas to many, which clients send once (XEP-0033).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The most addresses of one stanza: 21 to 99. A stanza with more gets `not-acceptable`.
    pub max_addresses: usize,
    /// The most bytes of all copies of one stanza together. A stanza with more gets `not-acceptable`.
    pub max_bytes: usize,
}

/// Sends stanzas on.
#[derive(Debug)]
pub struct ExtendedAddressing {
    config: Config,
    copies: Counter,
    refused: CounterFamily<Reason>,
}

label! {
    /// Why a stanza to many was returned.
    enum Reason("reason") {
        /// Its addresses are not as they should be.
        Malformed = "malformed",
        /// It has too many, or its copies are too large.
        TooMany = "too_many",
        /// It is nothing that may be sent to many.
        Forbidden = "forbidden",
    }
}

/// What an address is for (§4.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    To,
    Cc,
    Bcc,
    /// `replyto`, `replyroom` and `ofrom`: not somebody to send to.
    Other,
    NoReply,
}

/// One `<address/>` (§4).
#[derive(Debug)]
struct Address {
    role: Role,
    /// To whom the stanza is to be sent, unless somebody has done so already.
    receiver: Option<Jid>,
    element: Element,
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Self {
            max_addresses: 50,
            max_bytes: 1024 * 1024,
        }
    }
}

impl Config {
    /// §9: "more than 20 and less than 100".
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        if !(21..=99).contains(&self.max_addresses) {
            let key = "extended_addressing.max_addresses";
            return Err(ConfigError::new(key, "must be from 21 to 99"));
        }
        ConfigError::at_least_one("extended_addressing.max_bytes", self.max_bytes)
    }
}

// === impl ExtendedAddressing ===

impl ExtendedAddressing {
    pub(crate) fn new(config: &Config, parts: &Parts) -> Self {
        Self {
            config: config.clone(),
            copies: parts.metrics.counter(
                "multicast_copies_total",
                "How many copies are made of stanzas that clients send to many?",
            ),
            refused: parts.metrics.counters(
                "multicast_refused_total",
                "Why are stanzas to many returned?",
            ),
        }
    }

    /// The copies, in the order of the addresses.
    fn copies(&self, stanza: &Stanza) -> Result<Vec<Stanza>, (Reason, StanzaError)> {
        let addresses = self.addresses(stanza)?;
        let mut stripped = stanza.clone();
        stripped.retain(|child| !(child.namespace() == NAMESPACE && child.name() == "addresses"));
        let open = with_addresses(&stripped, &addresses, None);
        let mut seen = BTreeSet::new();
        let mut copies = Vec::new();
        // Whoever is named twice gets one copy, and is not shown to be a blind one's receiver as well.
        let blind_last = |blind: bool| {
            let of_kind = addresses.iter();
            of_kind.filter(move |address| (address.role == Role::Bcc) == blind)
        };
        for address in blind_last(false).chain(blind_last(true)) {
            let Some(receiver) = &address.receiver else {
                continue;
            };
            if !seen.insert(receiver) {
                continue;
            }
            let copy = match address.role {
                Role::Bcc => with_addresses(&stripped, &addresses, Some(&address.element)),
                _ => open.clone(),
            };
            copies.push(copy.with_to(receiver.clone()));
        }
        if copies.iter().map(Stanza::size).sum::<usize>() > self.config.max_bytes {
            let error = StanzaError::new(Condition::NotAcceptable);
            return Err((Reason::TooMany, error.with_text("too large for so many")));
        }
        Ok(copies)
    }

    /// Reads the addresses. One that is wrong returns the stanza, before anybody has got it (§6, step 5).
    fn addresses(&self, stanza: &Stanza) -> Result<Vec<Address>, (Reason, StanzaError)> {
        let malformed = |condition: Condition| (Reason::Malformed, condition.into());
        let children = stanza.children();
        let children = children.map_err(|_| malformed(Condition::BadRequest))?;
        let mut headers = children
            .iter()
            .filter(|child| child.is("addresses", NAMESPACE));
        let (Some(header), None) = (headers.next(), headers.next()) else {
            return Err(malformed(Condition::BadRequest));
        };
        let elements: Vec<_> = header
            .children()
            .filter(|child| child.is("address", NAMESPACE))
            .collect();
        if elements.len() > self.config.max_addresses {
            return Err((Reason::TooMany, Condition::NotAcceptable.into()));
        }
        let addresses: Result<Vec<_>, _> = elements.into_iter().map(Address::read).collect();
        addresses.map_err(malformed)
    }
}

/// The stanza with all addresses but the blind ones, each marked as delivered (§4.5, §4.6.3), and with the
/// one blind address of its receiver.
fn with_addresses(stripped: &Stanza, addresses: &[Address], blind: Option<&Element>) -> Stanza {
    let mut header = Element::new("addresses", NAMESPACE);
    for address in addresses.iter().filter(|address| address.role != Role::Bcc) {
        let element = address.element.clone();
        header.push(match address.role {
            Role::To | Role::Cc => element.with_attribute("delivered", "true"),
            _ => element,
        });
    }
    if let Some(blind) = blind {
        header.push(blind.clone());
    }
    let mut copy = stripped.clone();
    copy.append(header);
    copy
}

// === impl Address ===

impl Address {
    fn read(element: &Element) -> Result<Self, Condition> {
        let role = match element.attribute("type") {
            Some("to") => Role::To,
            Some("cc") => Role::Cc,
            Some("bcc") => Role::Bcc,
            Some("replyto" | "replyroom" | "ofrom") => Role::Other,
            Some("noreply") => Role::NoReply,
            _ => return Err(Condition::BadRequest),
        };
        let jid = element.attribute("jid");
        let receiver = match (jid, element.attribute("uri"), role) {
            (None, None, Role::NoReply) => None,
            // §4: both at once, or none, which a multicast service cannot send to.
            (Some(_), Some(_), _) | (None, None, _) => return Err(Condition::BadRequest),
            // §4.2: other networks cannot be reached, but somebody may be named there.
            (None, Some(_), Role::To | Role::Cc | Role::Bcc) => {
                return Err(Condition::JidMalformed);
            }
            (None, Some(_), _) => None,
            (Some(jid), None, _) => Some(Jid::parse(jid).map_err(|_| Condition::JidMalformed)?),
        };
        let is_receiver = matches!(role, Role::To | Role::Cc | Role::Bcc);
        let is_delivered = element.attribute("delivered") == Some("true");
        Ok(Self {
            role,
            receiver: receiver.filter(|_| is_receiver && !is_delivered),
            element: element.clone(),
        })
    }
}

// === impl Feature ===

impl Feature for ExtendedAddressing {
    fn spec(&self) -> Spec {
        Spec {
            name: "extended_addressing",
            source: file!(),
            standards: &[Standard {
                document: "XEP-0033",
                title: "Extended Stanza Addressing",
                version: "1.2.1",
                status: Status::Complete,
                note: "For users of the server; `uri` addresses are not delivered to.",
            }],
            host_features: &[NAMESPACE],
            ..Spec::EMPTY
        }
    }

    fn install(self: Box<Self>, registry: &mut Registry) {
        registry.host_handler(*self);
    }
}

// === impl HostHandler ===

impl HostHandler for ExtendedAddressing {
    fn handle(
        &self,
        stanza: &Stanza,
        _host: &std::sync::Arc<Host>,
        _account: AccountView<'_>,
    ) -> Option<Result<Vec<Stanza>, StanzaError>> {
        if !stanza.has("addresses", NAMESPACE) {
            return None;
        }
        // §3: to the service itself. Requests for subscriptions are not for many.
        let is_allowed = match stanza.kind {
            Kind::Message(MessageType::Error) | Kind::Presence(PresenceType::Error) => return None,
            Kind::Message(_)
            | Kind::Presence(PresenceType::Available | PresenceType::Unavailable) => {
                stanza.to.as_ref().is_some_and(Jid::is_bare)
            }
            Kind::Presence(_) | Kind::Iq(_) => false,
        };
        let copies = if is_allowed {
            self.copies(stanza)
        } else {
            Err((Reason::Forbidden, Condition::Forbidden.into()))
        };
        Some(match copies {
            Ok(copies) => {
                self.copies.add(copies.len().try_into().unwrap_or(u64::MAX));
                Ok(copies)
            }
            Err((reason, error)) => {
                self.refused.of(reason).increment();
                Err(error)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Scene;

    type Copies = Option<Result<Vec<Stanza>, StanzaError>>;

    fn addressed(addresses: &str) -> Copies {
        sent("message", "", addresses)
    }

    fn sent(kind: &str, attributes: &str, addresses: &str) -> Copies {
        Scene::new().to_host(&format!(
            "<{kind} from='juliet@montague.lit/balcony' to='montague.lit' {attributes}>\
             <addresses xmlns='{NAMESPACE}'>{addresses}</addresses><body>hi</body></{kind}>"
        ))
    }

    fn copies(addresses: &str) -> Vec<Stanza> {
        addressed(addresses).unwrap().unwrap()
    }

    fn refused(got: Copies) -> Condition {
        got.unwrap().unwrap_err().condition
    }

    fn receivers(copies: &[Stanza]) -> Vec<&str> {
        copies
            .iter()
            .map(|copy| copy.to.as_ref().unwrap().as_str())
            .collect()
    }

    fn payload(copy: &Stanza) -> &str {
        std::str::from_utf8(copy.payload()).unwrap()
    }

    #[test]
    fn everybody_gets_a_copy_with_what_s4_5_and_s4_6_3_demand() {
        let copies = copies(
            "<address type='to' jid='romeo@montague.lit/orchard' desc='R'/>\
             <address type='bcc' jid='nurse@montague.lit'/>\
             <address type='cc' jid='paris@montague.lit'/>\
             <address type='bcc' jid='tybalt@montague.lit'/>\
             <address type='replyto' jid='juliet@montague.lit'/><address type='noreply'/>",
        );
        assert_eq!(
            receivers(&copies),
            [
                "romeo@montague.lit/orchard",
                "paris@montague.lit",
                "nurse@montague.lit",
                "tybalt@montague.lit"
            ]
        );
        let open = payload(&copies[0]);
        assert_eq!(open, payload(&copies[1]));
        assert_eq!(open.matches("delivered='true'").count(), 2, "{open}");
        assert!(open.contains("<body>hi</body>") && open.contains("desc='R'"));
        assert!(open.contains("noreply") && open.contains("replyto"));
        assert!(!open.contains("bcc"), "{open}");
        let blind = payload(&copies[2]);
        assert!(
            blind.contains("nurse") && !blind.contains("tybalt"),
            "{blind}"
        );
        assert_eq!(blind.matches("delivered='true'").count(), 2, "{blind}");
        let from = copies[0].from.as_ref().unwrap();
        assert_eq!(from.as_str(), "juliet@montague.lit/balcony", "§3");
    }

    #[test]
    fn what_was_delivered_is_not_delivered_again_s4_5() {
        let copies = copies(
            "<address type='to' jid='romeo@montague.lit' delivered='true'/>\
             <address type='bcc' jid='nurse@montague.lit' delivered='true'/>\
             <address type='cc' jid='paris@montague.lit'/>",
        );
        assert_eq!(receivers(&copies), ["paris@montague.lit"]);
        assert!(!payload(&copies[0]).contains("nurse"));
    }

    #[test]
    fn whoever_is_named_twice_gets_one_copy_and_never_as_a_blind_one() {
        let copies = copies(
            "<address type='bcc' jid='romeo@montague.lit'/>\
             <address type='to' jid='romeo@montague.lit'/>\
             <address type='cc' jid='Romeo@montague.lit'/>",
        );
        assert_eq!(receivers(&copies), ["romeo@montague.lit"]);
        assert!(!payload(&copies[0]).contains("bcc"));
    }

    #[test]
    fn addresses_that_break_the_rules_of_s4_return_the_stanza() {
        use Condition::{BadRequest, JidMalformed};
        let good = "<address type='to' jid='romeo@montague.lit'/>";
        for (address, condition) in [
            ("<address jid='a@b'/>", BadRequest),
            ("<address type='all' jid='a@b'/>", BadRequest),
            ("<address type='to'/>", BadRequest),
            ("<address type='replyto' desc='me'/>", BadRequest),
            ("<address type='to' jid='a@b' uri='sip:a@b'/>", BadRequest),
            ("<address type='to' uri='sip:a@b'/>", JidMalformed),
            ("<address type='cc' jid='@'/>", JidMalformed),
        ] {
            assert_eq!(
                refused(addressed(&[good, address].concat())),
                condition,
                "{address}"
            );
        }
        let twice = format!("</addresses><addresses xmlns='{NAMESPACE}'>");
        assert_eq!(refused(addressed(&twice)), BadRequest);
    }

    #[test]
    fn too_many_addresses_are_not_acceptable_s9() {
        let many = |count| "<address type='to' jid='romeo@montague.lit'/>".repeat(count);
        assert_eq!(copies(&many(50)).len(), 1);
        assert_eq!(refused(addressed(&many(51))), Condition::NotAcceptable);
    }

    #[test]
    fn copies_that_are_too_large_together_are_not_acceptable_s9() {
        let address = |n| format!("<address type='bcc' jid='a{n}@montague.lit'/>");
        let addresses: String = (0..50).map(address).collect();
        let text = "x".repeat(25_000);
        let got = Scene::new().to_host(&format!(
            "<message to='montague.lit'><addresses xmlns='{NAMESPACE}'>{addresses}</addresses>\
             <body>{text}</body></message>"
        ));
        assert_eq!(refused(got), Condition::NotAcceptable);
    }

    #[test]
    fn presence_is_sent_on_but_no_request_for_a_subscription_s5_1() {
        let to = "<address type='bcc' jid='romeo@montague.lit'/>";
        let copies = sent("presence", "", to).unwrap().unwrap();
        assert_eq!(receivers(&copies), ["romeo@montague.lit"]);
        assert_eq!(
            sent("presence", "type='unavailable'", to)
                .unwrap()
                .unwrap()
                .len(),
            1
        );
        let subscribe = sent("presence", "type='subscribe'", to);
        assert_eq!(refused(subscribe), Condition::Forbidden);
    }

    #[test]
    fn errors_and_stanzas_without_addresses_are_left_to_others() {
        let to = "<address type='to' jid='romeo@montague.lit'/>";
        assert!(sent("message", "type='error'", to).is_none());
        let plain = "<message to='montague.lit'><body>hi</body></message>";
        assert!(Scene::new().to_host(plain).is_none());
    }

    #[test]
    fn host_announces_it_by_s2_1() {
        assert!(Scene::new().host_announces(NAMESPACE));
    }

    #[test]
    fn limits_stay_within_s9() {
        for max_addresses in [20, 100] {
            let config = Config {
                max_addresses,
                ..Config::default()
            };
            assert!(config.validate().is_err());
        }
    }
}
