//! XEP-0115 §6.3: the capabilities of the server itself. Clients that know them already need not ask.

use rookery_extension::{Features, Host, Stage, StreamFeature};
use rookery_stanza::ns;
use rookery_xml::Element;

use super::verification::{Algorithm, Info};
use crate::disco::info;

/// Identifies the software (§4).
pub(super) const SOFTWARE: &str = "urn:uuid:6d7f0f6e-3c07-4b51-9d0c-7a1f5e2b8c44";

/// Announces them in the stream features.
#[derive(Debug)]
pub(super) struct OwnCapabilities;

// === impl StreamFeature ===

impl StreamFeature for OwnCapabilities {
    /// §6.3.
    fn advertise(&self, stage: Stage, host: &Host, features: &Features) -> Option<Element> {
        let Stage::Binding = stage else { return None };
        let info = info::of_host(host, features);
        let caps = Element::new("c", ns::CAPS)
            .with_attribute("hash", "sha-1")
            .with_attribute("node", SOFTWARE)
            .with_attribute("ver", verification_string(&info));
        Some(caps)
    }
}

/// The node under which exactly this answer to disco#info can be asked for (§6.2).
pub(crate) fn node(info: &Element) -> String {
    format!("{SOFTWARE}#{}", verification_string(info))
}

/// With the hash function that everybody has (§9.1).
pub(super) fn verification_string(info: &Element) -> String {
    Info::read(info).verification_string(Algorithm::Sha1)
}
