//! The stream management of a session, written down.

use prost::Message;
use rookery_delivery::{Custody, Delivery};
use rookery_stanza::{RowId, Stanza};
use rookery_storage::record::{Record, RecordError};

use super::outbound::Outbound;
use super::{Inbound, Limits, Managed, Resumption, SmId, StreamManagement, Unacknowledged};

#[derive(Clone, PartialEq, Message)]
struct StreamManagementMessage {
    /// Nothing while it is not enabled.
    #[prost(message, optional, tag = "1")]
    managed: Option<ManagedMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct ManagedMessage {
    #[prost(message, optional, tag = "1")]
    resumption: Option<ResumptionMessage>,
    #[prost(uint64, tag = "2")]
    received: u64,
    #[prost(uint64, tag = "3")]
    settled: u64,
    #[prost(uint64, repeated, tag = "4")]
    ahead: Vec<u64>,
    #[prost(uint64, tag = "5")]
    asked: u64,
    #[prost(uint64, tag = "6")]
    answered: u64,
    #[prost(uint64, tag = "7")]
    acknowledged: u64,
    #[prost(message, repeated, tag = "8")]
    queue: Vec<UnacknowledgedMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct ResumptionMessage {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(uint32, tag = "2")]
    max: u32,
    #[prost(uint64, optional, tag = "3")]
    detached: Option<u64>,
}

#[derive(Clone, PartialEq, Message)]
struct UnacknowledgedMessage {
    /// The stanza as it is written to a client.
    #[prost(bytes = "vec", tag = "1")]
    xml: Vec<u8>,
    /// The halves of the id of its row, if the log owes it.
    #[prost(uint64, optional, tag = "2")]
    order: Option<u64>,
    #[prost(uint64, tag = "3")]
    sent: u64,
    #[prost(fixed64, tag = "4")]
    salt: u64,
    /// Nobody misses it.
    #[prost(bool, tag = "5")]
    copy: bool,
}

/// What one session knows of its stream. Limits are not part of it: they are those of the server that reads
/// it ([`StreamManagement::with_limits`]). A question to the client that is open is forgotten.
impl Record for StreamManagement {
    const NAME: &'static str = "stream management";
    const VERSION: u32 = 1;

    fn encode_body(&self) -> Vec<u8> {
        StreamManagementMessage {
            managed: self.managed.as_ref().map(Managed::to_message),
        }
        .encode_to_vec()
    }

    fn decode_body(body: &[u8]) -> Result<Self, RecordError> {
        let StreamManagementMessage { managed } = StreamManagementMessage::decode(body)?;
        Ok(Self {
            limits: Limits::default(),
            managed: managed.map(Managed::from_message).transpose()?,
        })
    }
}

impl Managed {
    fn to_message(&self) -> ManagedMessage {
        let inbound = &self.inbound;
        ManagedMessage {
            resumption: self.resumption.as_ref().map(Resumption::to_message),
            received: inbound.received,
            settled: inbound.settled,
            ahead: inbound.ahead().collect(),
            asked: inbound.asked,
            answered: inbound.answered,
            acknowledged: self.outbound.acknowledged(),
            queue: self
                .outbound
                .unacknowledged()
                .map(Unacknowledged::to_message)
                .collect(),
        }
    }

    fn from_message(message: ManagedMessage) -> Result<Self, RecordError> {
        let counts = (message.received, message.settled);
        let told = (message.asked, message.answered);
        let inbound = Inbound::restore(counts, &message.ahead, told);
        let queue = message
            .queue
            .into_iter()
            .map(Unacknowledged::from_message)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            inbound: inbound.ok_or(RecordError::Field("its counts contradict each other"))?,
            outbound: Outbound::restore(message.acknowledged, queue),
            resumption: message.resumption.map(Resumption::from_message),
        })
    }
}

impl Resumption {
    fn to_message(&self) -> ResumptionMessage {
        ResumptionMessage {
            id: self.id.as_str().to_owned(),
            max: self.max,
            detached: self.detached,
        }
    }

    fn from_message(message: ResumptionMessage) -> Self {
        Self {
            id: SmId::new(message.id),
            max: message.max,
            detached: message.detached,
        }
    }
}

impl Unacknowledged {
    fn to_message(&self) -> UnacknowledgedMessage {
        let mut xml = Vec::with_capacity(self.delivery.stanza.size());
        self.delivery.stanza.write(&mut xml);
        let row = self.delivery.custody.row();
        UnacknowledgedMessage {
            xml,
            order: row.map(RowId::order),
            salt: row.map_or(0, RowId::salt),
            copy: self.delivery.custody == Custody::Copy,
            sent: self.sent,
        }
    }

    fn from_message(message: UnacknowledgedMessage) -> Result<Self, RecordError> {
        let stanza = Stanza::parse_again(message.xml.into())
            .map_err(|_| RecordError::Field("a stanza in it cannot be read"))?;
        let mut delivery = Delivery::from(stanza);
        delivery.custody = match message.order {
            Some(order) => Custody::Log(RowId::from_halves(order, message.salt)),
            None if message.copy => Custody::Copy,
            None => Custody::Session,
        };
        Ok(Self {
            delivery,
            sent: message.sent,
        })
    }
}
