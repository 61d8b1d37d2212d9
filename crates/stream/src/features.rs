//! Stream features on the wire (RFC 6120 §4.3.2).

use std::borrow::Cow;

use bytes::Bytes;
use rookery_stanza::ns;
use rookery_xml::Element;

use crate::config::Config;
use crate::service::Mechanisms;

/// The features element around these, on a stream whose header bound the prefix `stream`.
pub(crate) fn write(features: &[Element]) -> Bytes {
    let mut out = b"<stream:features>".to_vec();
    for feature in features {
        feature.write(ns::CLIENT, &mut out);
    }
    out.extend_from_slice(b"</stream:features>");
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
