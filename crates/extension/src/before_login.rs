//! The extension point for requests of clients that have not authenticated (XEP-0077).

use std::net::IpAddr;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use rookery_stanza::StanzaError;
use rookery_xml::Element;

use crate::host::Host;
use crate::iq::IqMethod;

/// Answers IQ requests of one namespace on streams that are not authenticated yet.
///
/// Such streams have strict limits, and no address of their own; nothing else of them is answered.
pub trait BeforeLogin: Send + Sync + 'static {
    /// The namespace of the payloads.
    fn namespace(&self) -> &'static str;

    /// What stands among the stream features where requests are taken.
    fn announcement(&self) -> Element;

    /// Whether requests are taken at all on this host; `secure` tells whether the stream is encrypted.
    fn is_open(&self, host: &Host, secure: bool) -> bool;

    /// Answers one request. `peer` is the client's address.
    fn handle(
        &self,
        method: IqMethod,
        payload: Element,
        host: &Arc<Host>,
        peer: IpAddr,
    ) -> BoxFuture<'static, Result<Option<Element>, StanzaError>>;
}
