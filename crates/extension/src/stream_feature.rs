//! The extension point for elements among the stream features (RFC 6120 §4.3.2).

use rookery_xml::Element;

use crate::features::Features;
use crate::host::Host;

/// Where in the negotiation a feature set is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The stream is secure enough, and the client has yet to authenticate.
    Authentication,
    /// The client is authenticated and has yet to bind a resource.
    Binding,
}

/// Announces something that is negotiated outside of the core protocol, or only stated.
pub trait StreamFeature: Send + Sync + 'static {
    /// The element to announce at this stage, if any.
    fn advertise(&self, stage: Stage, host: &Host, features: &Features) -> Option<Element>;
}
