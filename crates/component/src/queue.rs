//! What waits for one component, and what of it the component has, without I/O.
//!
//! The queue belongs to the component and not to its connection: when a newer connection takes its place,
//! what the old one has not written goes on by the new one, in order.

use std::collections::VecDeque;

use rookery_delivery::Outward;
use rookery_stanza::Kind;

/// How much may wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    pub(crate) stanzas: usize,
    pub(crate) bytes: usize,
}

/// Names one connection, unlike any other of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConnectionId(pub(crate) u64);

/// What waits for a component, and its connection.
#[derive(Debug)]
pub(crate) struct Queue {
    room: Room,
    owner: Option<ConnectionId>,
    waiting: VecDeque<Outward>,
    /// Written into the owner's buffer, each with where it ends there.
    handed: VecDeque<(u64, Outward)>,
    /// Bytes of both.
    bytes: usize,
}

// === impl Queue ===

impl Queue {
    pub(crate) fn new(room: Room) -> Self {
        Self {
            room,
            owner: None,
            waiting: VecDeque::new(),
            handed: VecDeque::new(),
            bytes: 0,
        }
    }

    /// The connection that writes what waits.
    pub(crate) fn owner(&self) -> Option<ConnectionId> {
        self.owner
    }

    /// Bytes of what the component does not have yet.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether nothing waits to be written.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether a stanza of this size may wait. One that is larger than all of the room may wait alone.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        let stanzas = self.waiting.len() + self.handed.len();
        let fits = self.bytes.saturating_add(bytes) <= self.room.bytes || stanzas == 0;
        fits && stanzas < self.room.stanzas
    }

    pub(crate) fn push(&mut self, outward: Outward) {
        self.bytes += outward.stanza.size();
        self.waiting.push_back(outward);
    }

    /// A connection has proved to be the component's: it writes what waits from now on, beginning with what
    /// the connection before it has not got rid of.
    pub(crate) fn take_over(&mut self, owner: ConnectionId) -> Option<ConnectionId> {
        for (_, outward) in std::mem::take(&mut self.handed).into_iter().rev() {
            self.waiting.push_front(outward);
        }
        self.owner.replace(owner)
    }

    /// Writes what waits to the end of the owner's buffer, until that has `piece` bytes. `before` is how many
    /// bytes the connection has written before the buffer.
    pub(crate) fn write(&mut self, before: u64, buffer: &mut Vec<u8>, piece: usize) {
        while buffer.len() < piece
            && let Some(outward) = self.waiting.pop_front()
        {
            outward.stanza.write(buffer);
            let end = before.saturating_add(buffer.len() as u64);
            self.handed.push_back((end, outward));
        }
    }

    /// The owner's connection has taken this many bytes in all: the kinds of the stanzas that are through.
    pub(crate) fn written(&mut self, bytes: u64) -> Vec<Kind> {
        let mut kinds = Vec::new();
        while self.handed.front().is_some_and(|(end, _)| *end <= bytes)
            && let Some((_, outward)) = self.handed.pop_front()
        {
            self.bytes = self.bytes.saturating_sub(outward.stanza.size());
            kinds.push(outward.stanza.kind);
        }
        if self.handed.is_empty() && self.waiting.is_empty() {
            (self.handed, self.waiting) = (VecDeque::new(), VecDeque::new());
        }
        kinds
    }

    /// The owner is gone and nobody is in its place: what the component did not get, in order.
    pub(crate) fn abandon(&mut self) -> Vec<Outward> {
        self.owner = None;
        self.bytes = 0;
        let handed = std::mem::take(&mut self.handed).into_iter();
        let waiting = std::mem::take(&mut self.waiting);
        handed.map(|(_, outward)| outward).chain(waiting).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rookery_stanza::{MessageType, Stanza};

    use super::*;

    const ROOM: Room = Room {
        stanzas: 4,
        bytes: 1_000,
    };

    fn message(id: usize) -> Outward {
        Outward {
            stanza: Stanza::message(MessageType::Chat).with_id(id.to_string()),
            permit: None,
        }
    }

    fn ids(batch: &[Outward]) -> Vec<usize> {
        let id = |outward: &Outward| outward.stanza.id.as_deref().unwrap().parse().unwrap();
        batch.iter().map(id).collect()
    }

    #[test]
    fn a_full_queue_has_no_room_by_number_and_by_bytes() {
        let mut queue = Queue::new(ROOM);
        assert!(queue.has_room(5_000), "alone");
        queue.push(message(0));
        assert!(!queue.has_room(5_000));
        for id in 1..4 {
            assert!(queue.has_room(80));
            queue.push(message(id));
        }
        assert!(!queue.has_room(80));
    }

    #[test]
    fn only_what_was_taken_whole_is_written() {
        let mut queue = Queue::new(ROOM);
        queue.take_over(ConnectionId(1));
        (0..3).for_each(|id| queue.push(message(id)));
        let mut buffer = Vec::new();
        queue.write(7, &mut buffer, usize::MAX);
        let end = 7 + buffer.len() as u64;
        assert_eq!(queue.written(end - 1).len(), 2);
        assert_eq!(ids(&queue.abandon()), [2]);
    }

    #[test]
    fn a_newer_connection_goes_on_where_the_older_one_was() {
        let mut queue = Queue::new(ROOM);
        assert_eq!(queue.take_over(ConnectionId(1)), None);
        (0..2).for_each(|id| queue.push(message(id)));
        queue.write(0, &mut Vec::new(), usize::MAX);
        queue.push(message(2));
        assert_eq!(queue.take_over(ConnectionId(2)), Some(ConnectionId(1)));
        assert_eq!(ids(&queue.abandon()), [0, 1, 2]);
        assert_eq!((queue.bytes(), queue.owner()), (0, None));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_doubled_or_reordered(steps in prop::collection::vec((0_u8..4, 1_usize..200), 0..80)) {
            let mut queue = Queue::new(Room { stanzas: usize::MAX, bytes: usize::MAX });
            let (mut pushed, mut through) = (0, 0);
            let (mut connections, mut sent, mut taken) = (0, 0_u64, 0_u64);
            for (step, amount) in steps {
                match step {
                    0 => {
                        queue.push(message(pushed));
                        pushed += 1;
                    }
                    1 => {
                        let mut buffer = Vec::new();
                        queue.write(sent, &mut buffer, amount);
                        sent += buffer.len() as u64;
                    }
                    2 => {
                        taken = sent.min(taken + amount as u64);
                        through += queue.written(taken).len();
                    }
                    _ => {
                        connections += 1;
                        queue.take_over(ConnectionId(connections));
                        (sent, taken) = (0, 0);
                    }
                }
            }
            let rest = queue.abandon();
            prop_assert_eq!(ids(&rest), (through..pushed).collect::<Vec<_>>());
        }
    }
}
