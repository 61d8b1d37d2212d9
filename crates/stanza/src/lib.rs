//! The vocabulary of XMPP: addresses, stanzas, errors and shared payloads.
//!
//! * [`jid`]: addresses (RFC 7622), [`Jid`] and [`BareJid`];
//! * [`stanza`]: message, presence and iq (RFC 6120 §8), with the payload kept as the bytes received;
//! * [`error`]: stanza errors (RFC 6120 §8.3) and stream errors (§4.9);
//! * [`payload`]: typed payloads that more than one feature needs;
//! * [`date`]: dates and times on the wire (XEP-0082);
//! * [`ns`]: the names of all namespaces in use.

mod client_id;
pub mod date;
pub mod error;
pub mod jid;
pub mod ns;
pub mod payload;
mod row_id;
pub mod stanza;

pub use client_id::{ClientId, NotAClientId};
pub use error::{Condition, ErrorType, StanzaError, StreamCondition, StreamError};
pub use jid::{BareJid, Jid, JidError};
pub use row_id::{NotARowId, RowId};
pub use stanza::{
    IqType, Kind, MessageType, ParseError, PayloadName, PresenceType, Stanza, StanzaFault,
};
