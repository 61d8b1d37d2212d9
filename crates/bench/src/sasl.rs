//! The two profiles of SASL: RFC 6120 §6, and XEP-0388 with XEP-0386, by which the resource comes with the
//! authentication and there is no second header.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::error::BenchError;

/// How mechanisms are offered, begun and ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// RFC 6120 §6.
    Sasl,
    /// XEP-0388, with a resource by XEP-0386.
    Sasl2,
}

/// What is asked for along with the authentication.
const BIND: &str = "<bind xmlns='urn:xmpp:bind:0'><tag>bench</tag></bind>";

// === impl Profile ===

impl Profile {
    /// Whether a resource comes with the authentication.
    pub(crate) fn binds(self) -> bool {
        self == Self::Sasl2
    }

    /// Whether these stream features offer the mechanism.
    pub(crate) fn offers(self, features: &str, mechanism: &str) -> bool {
        let offered = match self {
            Self::Sasl => Some(features),
            Self::Sasl2 => features
                .split_once("<authentication xmlns='urn:xmpp:sasl:2'")
                .map(|(_, offered)| offered),
        };
        let wanted = format!("<mechanism>{mechanism}</mechanism>");
        offered.is_some_and(|offered| offered.contains(&wanted))
    }

    /// What begins an exchange.
    pub(crate) fn begin(self, mechanism: &str, message: &str) -> String {
        let message = STANDARD.encode(message);
        let namespace = self.namespace();
        match self {
            Self::Sasl => {
                format!("<auth xmlns='{namespace}' mechanism='{mechanism}'>{message}</auth>")
            }
            Self::Sasl2 => format!(
                "<authenticate xmlns='{namespace}' mechanism='{mechanism}'>\
                 <initial-response>{message}</initial-response>{BIND}</authenticate>"
            ),
        }
    }

    /// What answers a challenge.
    pub(crate) fn respond(self, message: &str) -> String {
        let message = STANDARD.encode(message);
        format!(
            "<response xmlns='{}'>{message}</response>",
            self.namespace()
        )
    }

    /// The part of a success that has the additional data.
    pub(crate) fn additional(self, success: String) -> Result<String, BenchError> {
        if self == Self::Sasl {
            return Ok(success);
        }
        if !success.contains("<bound xmlns='urn:xmpp:bind:0'") {
            return Err(BenchError::Unexpected("a bound resource", success));
        }
        let data = success.find("<additional-data>");
        let data = data.and_then(|begin| success.get(begin..));
        Ok(data.unwrap_or_default().to_owned())
    }

    fn namespace(self) -> &'static str {
        match self {
            Self::Sasl => "urn:ietf:params:xml:ns:xmpp-sasl",
            Self::Sasl2 => "urn:xmpp:sasl:2",
        }
    }
}
