//! Stream errors (RFC 6120 §4.9): the conditions, and the `<stream:error/>` element.

use super::text_element;
use crate::ns;
use bytes::Bytes;
use rookery_xml::Element;
use std::borrow::Cow;
use std::fmt;

/// One row for each condition: its documentation, variant and name on the wire.
macro_rules! conditions {
    ($($(#[$doc:meta])+ $variant:ident = $name:literal;)+) => {
        /// Why a stream ends: the defined conditions of RFC 6120 §4.9.3.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum StreamCondition {
            $($(#[$doc])+ $variant,)+
        }

        impl StreamCondition {
            /// All conditions, in the order of RFC 6120.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name on the wire.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

conditions! {
    /// §4.9.3.1: XML that cannot be processed, where no condition about XML says more.
    BadFormat = "bad-format";
    /// §4.9.3.2: a namespace prefix that is not supported, or none where one is needed.
    BadNamespacePrefix = "bad-namespace-prefix";
    /// §4.9.3.3: a new stream, or a new claim of the same resource, takes this one's place.
    Conflict = "conflict";
    /// §4.9.3.4: the peer has been silent for too long.
    ConnectionTimeout = "connection-timeout";
    /// §4.9.3.5: the host in the header's `to` is no longer served here.
    HostGone = "host-gone";
    /// §4.9.3.6: the host in the header's `to` is not served here.
    HostUnknown = "host-unknown";
    /// §4.9.3.7: a stanza between servers without `to` or `from`, or with one that is malformed.
    ImproperAddressing = "improper-addressing";
    /// §4.9.3.8: the server has an internal error.
    InternalServerError = "internal-server-error";
    /// §4.9.3.9: the `from` address is not the one that was authenticated or is not valid.
    InvalidFrom = "invalid-from";
    /// §4.9.3.10: the stream's namespace or its content namespace is not supported.
    InvalidNamespace = "invalid-namespace";
    /// §4.9.3.11: XML that a server which validates by schema refuses.
    InvalidXml = "invalid-xml";
    /// §4.9.3.12: stanzas or requests before authentication, or without the right to send them.
    NotAuthorized = "not-authorized";
    /// §4.9.3.13: XML that is not well-formed, or not namespace-well-formed.
    NotWellFormed = "not-well-formed";
    /// §4.9.3.14: a policy of the service is violated, for instance by a stanza too large.
    PolicyViolation = "policy-violation";
    /// §4.9.3.15: another host that is needed could not be reached.
    RemoteConnectionFailed = "remote-connection-failed";
    /// §4.9.3.16: the stream has to be opened anew, for instance after its keys were exhausted.
    Reset = "reset";
    /// §4.9.3.17: the server lacks the resources for this stream.
    ResourceConstraint = "resource-constraint";
    /// §4.9.3.18: XML that §11.1 forbids: comments, processing instructions, DTDs, entities.
    RestrictedXml = "restricted-xml";
    /// §4.9.3.19: the service is to be found at another host.
    SeeOtherHost = "see-other-host";
    /// §4.9.3.20: the server is shutting down.
    SystemShutdown = "system-shutdown";
    /// §4.9.3.21: none of the others; used with an application-specific condition.
    UndefinedCondition = "undefined-condition";
    /// §4.9.3.22: an encoding other than UTF-8.
    UnsupportedEncoding = "unsupported-encoding";
    /// §4.9.3.23: a mandatory feature that the peer does not support.
    UnsupportedFeature = "unsupported-feature";
    /// §4.9.3.24: a first-level element that is not understood.
    UnsupportedStanzaType = "unsupported-stanza-type";
    /// §4.9.3.25: a version of XMPP that is not supported.
    UnsupportedVersion = "unsupported-version";
}

impl StreamCondition {
    /// The condition of this name. One that is not known is treated as `undefined-condition` (RFC 6120
    /// §4.9.2).
    pub fn from_name(name: &str) -> Self {
        let known = Self::ALL
            .iter()
            .copied()
            .find(|condition| condition.as_str() == name);
        known.unwrap_or(Self::UndefinedCondition)
    }
}

/// A stream error (RFC 6120 §4.9.2). It always ends its stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamError {
    /// Why the stream ends.
    pub condition: StreamCondition,
    /// Where to go instead, with `see-other-host`: a domain or an address, with or without a port (RFC 6120
    /// §4.9.3.19).
    pub host: Option<Box<str>>,
    /// More detail for a person who looks for the cause; never interpreted.
    pub text: Option<Cow<'static, str>>,
    /// The application-specific condition (RFC 6120 §4.9.4).
    pub application: Option<Box<Element>>,
}

impl StreamError {
    /// An error of this condition.
    pub fn new(condition: StreamCondition) -> Self {
        Self {
            condition,
            host: None,
            text: None,
            application: None,
        }
    }

    /// `see-other-host` with the place to go to (RFC 6120 §4.9.3.19). The caller sends it only where the
    /// stream is protected by TLS.
    pub fn see_other_host(host: impl Into<Box<str>>) -> Self {
        Self {
            host: Some(host.into()),
            ..Self::new(StreamCondition::SeeOtherHost)
        }
    }

    /// With a text in English.
    pub fn with_text(mut self, text: impl Into<Cow<'static, str>>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// With an application-specific condition, which is in a namespace of its own.
    pub fn with_application(mut self, application: Element) -> Self {
        self.application = Some(Box::new(application));
        self
    }

    /// The `<error/>` element, in the namespace of streams.
    pub fn to_element(&self) -> Element {
        let mut condition = Element::new(self.condition.as_str(), ns::STREAM_ERRORS);
        if let Some(host) = &self.host {
            condition = condition.with_text(&**host);
        }
        let mut error = Element::new("error", ns::STREAM).with_child(condition);
        if let Some(text) = &self.text {
            error.push(text_element(text, ns::STREAM_ERRORS));
        }
        if let Some(application) = &self.application {
            error.push((**application).clone());
        }
        error
    }

    /// Reads an `<error/>` element. A condition that is missing or unknown is taken for
    /// `undefined-condition`.
    pub fn parse(error: &Element) -> Self {
        let defined = error
            .children()
            .find(|child| child.namespace() == ns::STREAM_ERRORS && child.name() != "text");
        let host = defined
            .map(|child| child.text())
            .filter(|text| !text.trim().is_empty());
        let application = error
            .children()
            .find(|child| !matches!(child.namespace(), ns::STREAM_ERRORS | ns::STREAM));
        Self {
            condition: defined.map_or(StreamCondition::UndefinedCondition, |child| {
                StreamCondition::from_name(child.name())
            }),
            host: host.map(|text| text.trim().into()),
            text: error
                .child("text", ns::STREAM_ERRORS)
                .map(|text| Cow::Owned(text.text().into_owned())),
            application: application.cloned().map(Box::new),
        }
    }

    /// The bytes of the error on a stream whose header bound the prefix `stream` (RFC 6120 §4.8.5).
    pub fn to_bytes(&self) -> Bytes {
        let mut out = b"<stream:error>".to_vec();
        for child in self.to_element().children() {
            // No namespace equals the default namespace given here, so each child declares its own.
            child.write("", &mut out);
        }
        out.extend_from_slice(b"</stream:error>");
        out.into()
    }
}

impl From<StreamCondition> for StreamError {
    fn from(condition: StreamCondition) -> Self {
        Self::new(condition)
    }
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.condition.as_str())?;
        match &self.text {
            Some(text) => write!(f, ": {text}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for StreamError {}
