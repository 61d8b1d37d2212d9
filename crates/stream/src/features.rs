//! Stream features on the wire (RFC 6120 §4.3.2).

use std::borrow::Cow;

use bytes::Bytes;
use rookery_stanza::ns;
use rookery_xml::Element;

use crate::config::Config;
use crate::service::{Inline, Mechanisms};

/// What features begin with, on a stream whose header bound the prefix `stream`.
pub(crate) const START: &[u8] = b"<stream:features>";
/// What they end with.
pub(crate) const END: &[u8] = b"</stream:features>";

/// Features as they stand between the tags of `<stream:features/>` on the streams of clients.
pub fn write_features(features: &[Element]) -> Bytes {
    let mut out = Vec::new();
    for feature in features {
        feature.write(ns::CLIENT, &mut out);
    }
    out.into()
}

/// STARTTLS (RFC 6120 §5.4.1).
pub(crate) fn starttls(required: bool) -> Element {
    let starttls = Element::new("starttls", ns::TLS);
    if required {
        starttls.with_child(Element::new("required", ns::TLS))
    } else {
        starttls
    }
}

/// SASL mechanisms (RFC 6120 §6.4.1), with the types of channel binding (XEP-0440). Without a mechanism
/// there is no such feature.
pub(crate) fn mechanisms(offer: &Mechanisms) -> Vec<Element> {
    if offer.names.is_empty() {
        return Vec::new();
    }
    let mut mechanisms = Element::new("mechanisms", ns::SASL);
    for name in &offer.names {
        mechanisms.push(Element::new("mechanism", ns::SASL).with_text(name));
    }
    let mut features = vec![mechanisms];
    if !offer.channel_bindings.is_empty() {
        let mut types = Element::new("sasl-channel-binding", ns::CHANNEL_BINDING);
        for name in &offer.channel_bindings {
            let binding = Element::new("channel-binding", ns::CHANNEL_BINDING);
            types.push(binding.with_attribute("type", Cow::Borrowed(*name)));
        }
        features.push(types);
    }
    features
}

/// XEP-0388, with what can be had in one step: a resource (XEP-0386), another stream (XEP-0198), a token
/// (XEP-0484). Without a
/// mechanism there is no such feature.
pub(crate) fn authentication(offer: &Mechanisms, inline: &Inline) -> Option<Element> {
    if offer.names.is_empty() {
        return None;
    }
    let named = |names: &mut dyn Iterator<Item = &str>, into: Element, name, namespace| {
        names.fold(into, |into, text| {
            into.with_child(Element::new(name, namespace).with_text(text))
        })
    };
    let mut names = offer.names.iter().map(|name| &**name);
    let authentication = Element::new("authentication", ns::SASL2);
    let mut authentication = named(&mut names, authentication, "mechanism", ns::SASL2);
    let mut features = Element::new("inline", ns::BIND2);
    for namespace in &inline.bind {
        let feature = Element::new("feature", ns::BIND2);
        features.push(feature.with_attribute("var", Cow::Borrowed(*namespace)));
    }
    let bind = Element::new("bind", ns::BIND2).with_child(features);
    let mut along = Element::new("inline", ns::SASL2).with_child(bind);
    if inline.resume {
        along.push(Element::new("sm", ns::STREAM_MANAGEMENT));
    }
    if !offer.tokens.is_empty() {
        let fast = Element::new("fast", ns::FAST);
        let mut tokens = offer.tokens.iter().copied();
        along.push(named(&mut tokens, fast, "mechanism", ns::FAST));
    }
    authentication.push(along);
    let mut upgrades = offer.upgrades.iter().copied();
    Some(named(
        &mut upgrades,
        authentication,
        "upgrade",
        ns::SASL_UPGRADE,
    ))
}

/// Resource binding (RFC 6120 §7.4).
pub(crate) fn bind() -> Element {
    Element::new("bind", ns::BIND)
}

/// XEP-0198: Stream Management (§2).
pub(crate) fn stream_management() -> Element {
    Element::new("sm", ns::STREAM_MANAGEMENT)
}

/// XEP-0478: Stream Limits Advertisement.
pub(crate) fn limits(config: &Config, authenticated: bool) -> Element {
    let number =
        |name: &'static str, value: String| Element::new(name, ns::STREAM_LIMITS).with_text(value);
    let max_bytes = config.limits(authenticated).max_stanza_bytes.to_string();
    let limits =
        Element::new("limits", ns::STREAM_LIMITS).with_child(number("max-bytes", max_bytes));
    match config.keepalive() {
        Some(idle) if authenticated => {
            limits.with_child(number("idle-seconds", idle.as_secs().to_string()))
        }
        _ => limits,
    }
}
