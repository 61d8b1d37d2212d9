//! The record of a contact or a request (RFC 6121 §2, §3).

use prost::Message;
use rookery_stanza::BareJid;

use super::{Record, RecordError};
use crate::roster::{RosterItem, Subscription};

#[derive(Clone, PartialEq, Message)]
struct RosterItemMessage {
    #[prost(string, tag = "1")]
    jid: String,
    #[prost(string, optional, tag = "2")]
    name: Option<String>,
    #[prost(string, repeated, tag = "3")]
    groups: Vec<String>,
    #[prost(enumeration = "SubscriptionMessage", tag = "4")]
    subscription: i32,
    #[prost(bool, tag = "5")]
    pending_out: bool,
    #[prost(bool, tag = "6")]
    approved: bool,
    #[prost(bytes = "vec", optional, tag = "7")]
    pending_in: Option<Vec<u8>>,
    #[prost(bool, tag = "8")]
    listed: bool,
    #[prost(uint64, tag = "9")]
    changed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
enum SubscriptionMessage {
    None = 0,
    To = 1,
    From = 2,
    Both = 3,
}

// === impl RosterItem ===

impl Record for RosterItem {
    const NAME: &'static str = "roster item";
    const VERSION: u32 = 1;

    fn encode_body(&self) -> Vec<u8> {
        let message = RosterItemMessage {
            jid: self.jid.as_str().to_owned(),
            name: self.name.clone(),
            groups: self.groups.clone(),
            subscription: SubscriptionMessage::from(self.subscription).into(),
            pending_out: self.pending_out,
            approved: self.approved,
            pending_in: self.pending_in.clone(),
            listed: self.listed,
            changed: self.changed,
        };
        message.encode_to_vec()
    }

    fn decode_body(body: &[u8]) -> Result<Self, RecordError> {
        let message = RosterItemMessage::decode(body)?;
        let subscription = SubscriptionMessage::try_from(message.subscription)
            .map_err(|_| RecordError::Field("the state of the subscription is unknown"))?;
        Ok(Self {
            jid: BareJid::parse(&message.jid)
                .map_err(|_| RecordError::Field("the contact is not a bare JID"))?,
            name: message.name,
            groups: message.groups,
            subscription: subscription.into(),
            pending_out: message.pending_out,
            approved: message.approved,
            pending_in: message.pending_in,
            listed: message.listed,
            changed: message.changed,
        })
    }
}

// === impl SubscriptionMessage ===

impl From<Subscription> for SubscriptionMessage {
    fn from(subscription: Subscription) -> Self {
        match subscription {
            Subscription::None => Self::None,
            Subscription::To => Self::To,
            Subscription::From => Self::From,
            Subscription::Both => Self::Both,
        }
    }
}

impl From<SubscriptionMessage> for Subscription {
    fn from(message: SubscriptionMessage) -> Self {
        match message {
            SubscriptionMessage::None => Self::None,
            SubscriptionMessage::To => Self::To,
            SubscriptionMessage::From => Self::From,
            SubscriptionMessage::Both => Self::Both,
        }
    }
}
