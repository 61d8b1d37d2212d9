//! What a connection has yet to send, in order, and what becomes of it when the connection ends.

use std::collections::VecDeque;

use bytes::Bytes;
use rookery_delivery::Delivery;
use rookery_stanza::{RowId, Stanza};

/// Plain text is passed to the transport in pieces of about this size: one TLS record.
const PIECE: usize = 16 * 1024;

/// About how many stanzas are one piece at most, unless they are very short.
const AT_ONCE: usize = 64;

/// The queue of one connection. The session's budget bounds the stanzas in it; of what the stream itself says
/// there is little as long as no more is read from a client that leaves it unread.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    queue: VecDeque<Item>,
    // Bytes of all that is in it.
    queued_bytes: usize,
    // Bytes that the transport has, but the socket may not have taken.
    passed_bytes: usize,
    // Deliveries among them.
    in_transport: Vec<Delivery>,
    // Deliveries that will not be passed to the transport any more.
    aside: Vec<Delivery>,
}

/// One thing to send.
#[derive(Debug)]
pub(crate) enum Item {
    /// Of the stream itself: headers, features, errors, keepalives; or of its management.
    Raw(Bytes),
    /// A stanza that goes back when it cannot be sent.
    Delivery(Delivery),
    /// A stanza that the session keeps until the client acknowledges it (XEP-0198).
    Kept(Stanza),
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
    /// Queues bytes of the stream itself.
    pub(crate) fn push_raw(&mut self, bytes: Bytes) {
        self.push([Item::Raw(bytes)]);
    }

    /// Queues what comes next.
    pub(crate) fn push(&mut self, items: impl IntoIterator<Item = Item>) {
        let items = items.into_iter();
        self.queue.reserve(items.size_hint().0);
        for item in items {
            self.queued_bytes += item.size();
            self.queue.push_back(item);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// How many bytes the socket has not taken.
    pub(crate) fn bytes(&self) -> usize {
        self.queued_bytes.saturating_add(self.passed_bytes)
    }

    /// Writes the next piece of the queue into `plaintext`.
    pub(crate) fn next_piece(&mut self, plaintext: &mut Vec<u8>) {
        plaintext.reserve(self.queued_bytes.min(PIECE));
        self.in_transport.reserve(self.queue.len().min(AT_ONCE));
        while plaintext.len() < PIECE {
            let Some(item) = self.queue.pop_front() else {
                break;
            };
            self.queued_bytes -= item.size();
            self.passed_bytes += item.size();
            match item {
                Item::Raw(bytes) => plaintext.extend_from_slice(&bytes),
                Item::Kept(stanza) => stanza.write(plaintext),
                Item::Delivery(delivery) => {
                    delivery.stanza.write(plaintext);
                    self.in_transport.push(delivery);
                }
            }
        }
        if self.queue.is_empty() {
            self.queue = VecDeque::new();
        }
    }

    /// The socket has taken everything that was passed to the transport.
    pub(crate) fn flushed(&mut self) -> Flushed {
        self.passed_bytes = 0;
        let taken = std::mem::take(&mut self.in_transport);
        let rows = taken.iter().filter_map(|delivery| delivery.custody.row());
        Flushed {
            bytes: taken.iter().map(|delivery| delivery.stanza.size()).sum(),
            rows: rows.collect(),
        }
    }

    /// Drops what has not been passed on, and keeps it for [`undelivered`](Self::undelivered): a client
    /// that does not read is told of its end without the rest.
    pub(crate) fn set_aside(&mut self) {
        let queue = std::mem::take(&mut self.queue);
        self.queued_bytes = 0;
        self.aside
            .extend(queue.into_iter().filter_map(Item::delivery));
    }

    /// What the client did not get, in order.
    pub(crate) fn undelivered(&mut self) -> Vec<Delivery> {
        self.set_aside();
        let mut undelivered = std::mem::take(&mut self.in_transport);
        undelivered.append(&mut self.aside);
        undelivered
    }
}

// === impl Item ===

impl Item {
    fn size(&self) -> usize {
        match self {
            Self::Raw(bytes) => bytes.len(),
            Self::Delivery(delivery) => delivery.stanza.size(),
            Self::Kept(stanza) => stanza.size(),
        }
    }

    /// What goes back when it is not sent.
    pub(crate) fn delivery(self) -> Option<Delivery> {
        match self {
            Self::Delivery(delivery) => Some(delivery),
            Self::Raw(_) | Self::Kept(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use rookery_delivery::Custody;
    use rookery_stanza::MessageType;

    use super::*;

    fn message(id: &str, row: Option<u64>) -> Item {
        let stanza = Stanza::message(MessageType::Chat).with_id(id);
        Item::Delivery(Delivery {
            custody: row.map_or(Custody::Session, |row| Custody::Log(id_of(row))),
            ..Delivery::from(stanza)
        })
    }

    fn id_of(row: u64) -> RowId {
        RowId::from_halves(row, 0)
    }

    #[test]
    fn what_the_socket_has_not_taken_is_returned_in_order() {
        let mut outgoing = Outgoing::default();
        let kept = Stanza::message(MessageType::Chat).with_id("kept");
        outgoing.push([message("1", None), Item::Kept(kept)]);
        outgoing.next_piece(&mut Vec::new());
        outgoing.push_raw(Bytes::from_static(b"<r/>"));
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
