//! What a connection has yet to send, in order, and what becomes of it when the connection ends.

use std::collections::VecDeque;

use bytes::Bytes;
use rookery_delivery::{Custody, Delivery};
use rookery_stanza::{Kind, RowId};

/// Plain text is passed to the transport in pieces of about this size: one TLS record.
const PIECE: usize = 16 * 1024;

/// The queue of one connection. The session's budget bounds the stanzas in it; of what the stream itself says
/// there is little as long as no more is read from a client that leaves it unread.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    queue: VecDeque<Item>,
    raw_bytes: usize,
    // Deliveries whose bytes the transport has, but the socket may not have taken.
    in_transport: Vec<Delivery>,
    in_transport_bytes: usize,
    // Deliveries that will not be passed to the transport any more.
    aside: Vec<Delivery>,
}

#[derive(Debug)]
enum Item {
    Raw(Bytes),
    Delivery(Delivery),
}

/// What the socket has taken since it was last asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flushed {
    /// Bytes of stanzas to give back to the budget.
    pub(crate) bytes: usize,
    /// The rows of the account's log among them, in order.
    pub(crate) rows: Vec<RowId>,
}

// === impl Outgoing ===

impl Outgoing {
    /// Queues bytes of the stream itself: headers, features, errors, keepalives.
    pub(crate) fn push_raw(&mut self, bytes: Bytes) {
        self.raw_bytes += bytes.len();
        self.queue.push_back(Item::Raw(bytes));
    }

    /// Queues stanzas.
    pub(crate) fn push(&mut self, batch: Vec<Delivery>) {
        self.queue.extend(batch.into_iter().map(Item::Delivery));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// How many bytes of the stream itself wait.
    pub(crate) fn raw_bytes(&self) -> usize {
        self.raw_bytes
    }

    /// Writes the next piece of the queue into `plaintext`.
    pub(crate) fn next_piece(&mut self, plaintext: &mut Vec<u8>) {
        while plaintext.len() < PIECE {
            match self.queue.pop_front() {
                None => break,
                Some(Item::Raw(bytes)) => {
                    self.raw_bytes -= bytes.len();
                    plaintext.extend_from_slice(&bytes);
                }
                Some(Item::Delivery(delivery)) => {
                    delivery.stanza.write(plaintext);
                    self.in_transport_bytes += delivery.stanza.size();
                    if is_returnable(&delivery) {
                        self.in_transport.push(delivery);
                    }
                }
            }
        }
        if self.queue.is_empty() {
            self.queue = VecDeque::new();
        }
    }

    /// The socket has taken everything that was passed to the transport.
    pub(crate) fn flushed(&mut self) -> Flushed {
        let rows = self
            .in_transport
            .iter()
            .filter_map(|delivery| delivery.custody.row())
            .collect();
        self.in_transport = Vec::new();
        Flushed {
            bytes: std::mem::take(&mut self.in_transport_bytes),
            rows,
        }
    }

    /// Drops what has not been passed on, and keeps it for [`undelivered`](Self::undelivered): a client
    /// that does not read is told of its end without the rest.
    pub(crate) fn set_aside(&mut self) {
        let queue = std::mem::take(&mut self.queue);
        self.raw_bytes = 0;
        let deliveries = queue.into_iter().filter_map(|item| match item {
            Item::Delivery(delivery) => Some(delivery),
            Item::Raw(_) => None,
        });
        self.aside.extend(deliveries.filter(is_returnable));
    }

    /// What the client did not get, in order.
    pub(crate) fn undelivered(&mut self) -> Vec<Delivery> {
        self.set_aside();
        let mut undelivered = std::mem::take(&mut self.in_transport);
        undelivered.append(&mut self.aside);
        undelivered
    }
}

/// Whether anybody would miss it: messages find another way, and requests want an answer. Presence and
/// results are for this client only.
fn is_returnable(delivery: &Delivery) -> bool {
    match delivery.stanza.kind {
        Kind::Message(_) => delivery.custody != Custody::Copy,
        Kind::Iq(kind) => kind.is_request(),
        Kind::Presence(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use rookery_stanza::{MessageType, PresenceType, Stanza};

    use super::*;

    fn message(id: &str, row: Option<u64>) -> Delivery {
        let stanza = Stanza::message(MessageType::Chat).with_id(id);
        Delivery {
            custody: row.map_or(Custody::Session, |row| Custody::Log(id_of(row))),
            ..Delivery::from(stanza)
        }
    }

    fn id_of(row: u64) -> RowId {
        RowId::from_halves(row, 0)
    }

    #[test]
    fn what_the_socket_has_not_taken_is_returned_in_order() {
        let mut outgoing = Outgoing::default();
        outgoing.push(vec![
            message("1", None),
            Stanza::presence(PresenceType::Available).into(),
        ]);
        outgoing.next_piece(&mut Vec::new());
        outgoing.push(vec![message("2", None)]);
        let ids: Vec<_> = outgoing
            .undelivered()
            .into_iter()
            .map(|d| d.stanza.id)
            .collect();
        assert_eq!(ids, [Some("1".into()), Some("2".into())]);
    }

    #[test]
    fn what_was_set_aside_stays_undelivered_when_the_rest_is_flushed() {
        let mut outgoing = Outgoing::default();
        outgoing.push(vec![message("1", None)]);
        outgoing.next_piece(&mut Vec::new());
        outgoing.push(vec![message("2", None)]);
        outgoing.set_aside();
        outgoing.flushed();
        let ids: Vec<_> = outgoing
            .undelivered()
            .into_iter()
            .map(|d| d.stanza.id)
            .collect();
        assert_eq!(ids, [Some("2".into())]);
    }

    #[test]
    fn what_the_socket_has_taken_is_confirmed_row_by_row() {
        let mut outgoing = Outgoing::default();
        outgoing.push(vec![
            message("1", Some(7)),
            message("2", Some(8)),
            message("3", None),
        ]);
        outgoing.next_piece(&mut Vec::new());
        assert_eq!(outgoing.flushed().rows, [id_of(7), id_of(8)]);
        assert_eq!(outgoing.flushed(), Flushed::default());
        assert!(outgoing.undelivered().is_empty());
    }

    #[test]
    fn pieces_end_near_the_size_of_a_record() {
        let mut outgoing = Outgoing::default();
        outgoing.push_raw(Bytes::from(vec![b' '; PIECE]));
        outgoing.push(vec![message("1", None)]);
        let mut piece = Vec::new();
        outgoing.next_piece(&mut piece);
        assert_eq!(piece.len(), PIECE);
        assert!(!outgoing.is_empty());
    }
}
