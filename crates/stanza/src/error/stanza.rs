//! Stanza errors (RFC 6120 §8.3): the conditions with their usual types, and the `<error/>` element.

use super::text_element;
use crate::{Jid, ns};
use rookery_xml::Element;
use std::borrow::Cow;
use std::fmt;

/// What the sender of a stanza can do about its error (RFC 6120 §8.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorType {
    /// Retry after providing credentials.
    Auth,
    /// Do not retry: the error cannot be remedied.
    Cancel,
    /// Proceed: the condition was only a warning.
    Continue,
    /// Retry after changing the data sent.
    Modify,
    /// Retry after waiting: the error is temporary.
    Wait,
}

impl ErrorType {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Cancel => "cancel",
            Self::Continue => "continue",
            Self::Modify => "modify",
            Self::Wait => "wait",
        }
    }

    /// The type of this name on the wire.
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::Auth,
            Self::Cancel,
            Self::Continue,
            Self::Modify,
            Self::Wait,
        ]
        .into_iter()
        .find(|error_type| error_type.as_str() == name)
    }
}

/// One row for each condition: its documentation, variant, name on the wire and usual type.
macro_rules! conditions {
    ($($(#[$doc:meta])+ $variant:ident = $name:literal, $error_type:ident;)+) => {
        /// What is wrong with a stanza: the defined conditions of RFC 6120 §8.3.3.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[expect(clippy::enum_variant_names, reason = "the name is undefined-condition in RFC 6120")]
        pub enum Condition {
            $($(#[$doc])+ $variant,)+
        }

        impl Condition {
            /// All conditions, in the order of RFC 6120.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name on the wire.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// The type that RFC 6120 recommends for this condition; where it names two, the first.
            pub fn default_type(self) -> ErrorType {
                match self {
                    $(Self::$variant => ErrorType::$error_type,)+
                }
            }
        }
    };
}

conditions! {
    /// §8.3.3.1: the stanza does not conform to its schema or cannot be processed.
    BadRequest = "bad-request", Modify;
    /// §8.3.3.2: a resource with the same name or address exists.
    Conflict = "conflict", Cancel;
    /// §8.3.3.3: the feature is not implemented by the recipient or a server.
    FeatureNotImplemented = "feature-not-implemented", Cancel;
    /// §8.3.3.4: the sender does not have the permission.
    Forbidden = "forbidden", Auth;
    /// §8.3.3.5: the recipient can no longer be contacted at this address.
    Gone = "gone", Cancel;
    /// §8.3.3.6: the server has an internal error.
    InternalServerError = "internal-server-error", Cancel;
    /// §8.3.3.7: the addressed JID or the item requested cannot be found. Not to be used where it would
    /// tell of presence that the sender may not see.
    ItemNotFound = "item-not-found", Cancel;
    /// §8.3.3.8: an address violates the rules of RFC 7622.
    JidMalformed = "jid-malformed", Modify;
    /// §8.3.3.9: the request does not meet the recipient's criteria.
    NotAcceptable = "not-acceptable", Modify;
    /// §8.3.3.10: nobody is allowed to do this.
    NotAllowed = "not-allowed", Cancel;
    /// §8.3.3.11: the sender has to provide (better) credentials first.
    NotAuthorized = "not-authorized", Auth;
    /// §8.3.3.12: a policy of the service is violated.
    PolicyViolation = "policy-violation", Modify;
    /// §8.3.3.13: the recipient is temporarily unavailable. Not to be used where it would tell of presence
    /// that the sender may not see.
    RecipientUnavailable = "recipient-unavailable", Wait;
    /// §8.3.3.14: requests for this go to another address, for the time being.
    Redirect = "redirect", Modify;
    /// §8.3.3.15: registration is necessary first.
    RegistrationRequired = "registration-required", Auth;
    /// §8.3.3.16: the recipient's server does not exist or cannot be resolved.
    RemoteServerNotFound = "remote-server-not-found", Cancel;
    /// §8.3.3.17: the recipient's server could not be reached in time.
    RemoteServerTimeout = "remote-server-timeout", Wait;
    /// §8.3.3.18: the server or the recipient is too busy.
    ResourceConstraint = "resource-constraint", Wait;
    /// §8.3.3.19: the service is not provided.
    ServiceUnavailable = "service-unavailable", Cancel;
    /// §8.3.3.20: a subscription is necessary first.
    SubscriptionRequired = "subscription-required", Auth;
    /// §8.3.3.21: none of the others; used with an application-specific condition. Any type may go with it.
    UndefinedCondition = "undefined-condition", Cancel;
    /// §8.3.3.22: the request was not expected at this time.
    UnexpectedRequest = "unexpected-request", Wait;
}

impl Condition {
    /// The condition of this name. One that is not known is treated as `undefined-condition` (RFC 6120
    /// §8.3.2).
    pub fn from_name(name: &str) -> Self {
        let known = Self::ALL
            .iter()
            .copied()
            .find(|condition| condition.as_str() == name);
        known.unwrap_or(Self::UndefinedCondition)
    }
}

/// A stanza error: what an `<error/>` element says (RFC 6120 §8.3.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StanzaError {
    /// What the sender can do about it.
    pub error_type: ErrorType,
    /// What is wrong.
    pub condition: Condition,
    /// The new address, as a URI, with `gone` and `redirect` (RFC 6120 §8.3.3.5, §8.3.3.14).
    pub address: Option<Box<str>>,
    /// More detail for a person who looks for the cause; never interpreted.
    pub text: Option<Cow<'static, str>>,
    /// Who found the error (RFC 6120 §8.3.1, rule 5).
    pub by: Option<Jid>,
    /// The application-specific condition (RFC 6120 §8.3.4).
    pub application: Option<Box<Element>>,
}

impl StanzaError {
    /// An error of this condition, with its usual type.
    pub fn new(condition: Condition) -> Self {
        Self {
            error_type: condition.default_type(),
            condition,
            address: None,
            text: None,
            by: None,
            application: None,
        }
    }

    /// With another type than the usual one.
    pub fn with_type(mut self, error_type: ErrorType) -> Self {
        self.error_type = error_type;
        self
    }

    /// With a text in English.
    pub fn with_text(mut self, text: impl Into<Cow<'static, str>>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// With the address of who found the error.
    pub fn with_by(mut self, by: impl Into<Jid>) -> Self {
        self.by = Some(by.into());
        self
    }

    /// With an application-specific condition, which is in a namespace of its own.
    pub fn with_application(mut self, application: Element) -> Self {
        self.application = Some(Box::new(application));
        self
    }

    /// The `<error/>` element, in the namespace of client streams.
    pub fn to_element(&self) -> Element {
        let mut condition = Element::new(self.condition.as_str(), ns::STANZA_ERRORS);
        if let Some(address) = &self.address {
            condition = condition.with_text(&**address);
        }
        let mut error = Element::new("error", ns::CLIENT)
            .with_attribute("type", self.error_type.as_str())
            .with_child(condition);
        if let Some(by) = &self.by {
            error.set_attribute("by", by.to_string());
        }
        if let Some(text) = &self.text {
            error.push(text_element(text, ns::STANZA_ERRORS));
        }
        if let Some(application) = &self.application {
            error.push((**application).clone());
        }
        error
    }

    /// Reads an `<error/>` element. What is missing or unknown is taken for `undefined-condition` and the
    /// condition's usual type.
    pub fn parse(error: &Element) -> Self {
        let defined = error
            .children()
            .find(|child| child.namespace() == ns::STANZA_ERRORS && child.name() != "text");
        let condition = defined.map_or(Condition::UndefinedCondition, |child| {
            Condition::from_name(child.name())
        });
        let address = defined
            .map(|child| child.text())
            .filter(|text| !text.trim().is_empty());
        let application = error
            .children()
            .find(|child| !matches!(child.namespace(), ns::STANZA_ERRORS | ns::CLIENT | ""));
        Self {
            error_type: error
                .attribute("type")
                .and_then(ErrorType::from_name)
                .unwrap_or(condition.default_type()),
            condition,
            address: address.map(|text| text.trim().into()),
            text: error
                .child("text", ns::STANZA_ERRORS)
                .map(|text| Cow::Owned(text.text().into_owned())),
            by: error.attribute("by").and_then(|by| Jid::parse(by).ok()),
            application: application.cloned().map(Box::new),
        }
    }
}

impl From<Condition> for StanzaError {
    fn from(condition: Condition) -> Self {
        Self::new(condition)
    }
}

impl fmt::Display for StanzaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.condition.as_str())?;
        match &self.text {
            Some(text) => write!(f, ": {text}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for StanzaError {}
