//! XEP-0198 §4: which stanzas of the client the server has taken over.
//!
//! A stanza counts when it is *settled*: durable, handed over, or answered. Stanzas settle in any order; the
//! count that the client is told covers the first of them without a gap, so that what it says is true of
//! each stanza before it.

use std::collections::VecDeque;

/// The stanzas that a client has sent since it enabled stream management. Counts are never wrapped in here,
/// only on the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inbound {
    /// Stanzas that came.
    pub(super) received: u64,
    /// The first so many of them are settled.
    pub(super) settled: u64,
    /// Of those after them, which are settled. The first is never; there are at most as many as have come.
    ahead: VecDeque<bool>,
    /// How many had come when the client last asked.
    pub(super) asked: u64,
    /// The count that the client was last told.
    pub(super) answered: u64,
}

/// More stanzas than any server has under way for one client.
const MOST_AHEAD: u64 = 1 << 20;

/// More stanzas than any client sends.
const MOST: u64 = 1 << 62;

// === impl Inbound ===

impl Inbound {
    /// A stanza has come: its number, counted from 1.
    pub fn received(&mut self) -> u64 {
        self.received += 1;
        self.received
    }

    /// The stanza of this number is settled. True if the client is to be told: it had asked, and everything
    /// that it had sent until then is settled now.
    pub fn settle(&mut self, number: u64) -> bool {
        self.mark(number);
        let owes = self.answered < self.asked && self.asked <= self.settled;
        if owes {
            self.answered = self.settled;
        }
        owes
    }

    /// Marks a number, and moves on over all that are settled. One that is settled already, or has not come,
    /// changes nothing.
    fn mark(&mut self, number: u64) {
        if number <= self.settled || number > self.received {
            return;
        }
        let place = usize::try_from(number - self.settled - 1).unwrap_or(usize::MAX);
        while self.ahead.len() <= place {
            self.ahead.push_back(false);
        }
        if let Some(mark) = self.ahead.get_mut(place) {
            *mark = true;
        }
        while self.ahead.front() == Some(&true) {
            self.ahead.pop_front();
            self.settled += 1;
        }
    }

    /// The client asks: the count to answer with, at once.
    pub fn asked(&mut self) -> u32 {
        self.asked = self.received;
        self.answered = self.settled;
        self.handled()
    }

    /// The client is told the count without having asked.
    pub fn told(&mut self) -> u32 {
        self.answered = self.settled;
        self.handled()
    }

    /// How many stanzas are settled without a gap, modulo 2^32: the `h` on the wire.
    pub fn handled(&self) -> u32 {
        wire(self.settled)
    }

    /// How many stanzas have come and do not count yet.
    pub fn unsettled(&self) -> u64 {
        self.received - self.settled
    }

    /// The numbers of those that are settled although one before them is not, rising.
    pub(super) fn ahead(&self) -> impl Iterator<Item = u64> {
        let first = self.settled + 1;
        let marks = (first..).zip(&self.ahead);
        marks.filter_map(|(number, settled)| settled.then_some(number))
    }

    /// The counts of a session that was written down. `None` if they contradict each other.
    pub(super) fn restore(
        (received, settled): (u64, u64),
        ahead: &[u64],
        (asked, answered): (u64, u64),
    ) -> Option<Self> {
        let mut inbound = Self {
            received,
            settled,
            ahead: VecDeque::new(),
            asked,
            answered,
        };
        // Numbers rise: what is far ahead shall not cost memory that no stanza ever took.
        let gaps_fit = ahead
            .last()
            .is_none_or(|last| last.saturating_sub(settled) <= MOST_AHEAD && *last <= received);
        let is_sound = received < MOST
            && settled <= received
            && asked <= received
            && answered <= settled
            && gaps_fit;
        if !is_sound
            || !ahead.is_sorted()
            || ahead.first().is_some_and(|first| *first <= settled + 1)
        {
            return None;
        }
        for number in ahead {
            inbound.mark(*number);
        }
        Some(inbound)
    }
}

/// A count as it is written: modulo 2^32 (§4).
#[expect(
    clippy::cast_possible_truncation,
    reason = "counts are taken modulo 2^32 by XEP-0198 §4"
)]
pub(super) const fn wire(count: u64) -> u32 {
    count as u32
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn stanza_counts_when_all_before_it_are_settled_s4() {
        let mut inbound = Inbound::default();
        assert_eq!(
            [inbound.received(), inbound.received(), inbound.received()],
            [1, 2, 3]
        );
        inbound.settle(3);
        inbound.settle(2);
        assert_eq!((inbound.handled(), inbound.unsettled()), (0, 3));
        inbound.settle(1);
        assert_eq!((inbound.handled(), inbound.unsettled()), (3, 0));
    }

    #[test]
    fn request_is_answered_at_once_and_once_more_when_all_is_settled_s4() {
        let mut inbound = Inbound::default();
        inbound.received();
        inbound.received();
        inbound.settle(1);
        assert_eq!(inbound.asked(), 1);
        inbound.received();
        assert!(inbound.settle(2), "what had come when it asked is settled");
        assert!(!inbound.settle(3), "it did not ask since");
        assert_eq!(inbound.asked(), 3);
        assert!(!inbound.settle(3), "it has been told");
    }

    #[test]
    fn numbers_that_make_no_sense_change_nothing() {
        let mut inbound = Inbound::default();
        inbound.received();
        for number in [0, 2, u64::MAX] {
            assert!(!inbound.settle(number));
        }
        assert_eq!(inbound.handled(), 0);
        inbound.settle(1);
        inbound.settle(1);
        assert_eq!(inbound.handled(), 1);
    }

    #[test]
    fn count_begins_again_after_2_to_the_32_s4() {
        let near = u64::from(u32::MAX) - 1;
        let mut inbound = Inbound::restore((near, near), &[], (near, near)).unwrap();
        let mut heard = Vec::new();
        for _ in 0..3 {
            let number = inbound.received();
            inbound.settle(number);
            heard.push(inbound.asked());
        }
        assert_eq!(heard, [u32::MAX, 0, 1]);
    }

    #[test]
    fn counts_that_contradict_each_other_are_refused() {
        assert!(Inbound::restore((5, 3), &[5], (5, 3)).is_some());
        assert!(
            Inbound::restore((3, 5), &[], (0, 0)).is_none(),
            "more settled than came"
        );
        assert!(
            Inbound::restore((5, 3), &[4], (0, 0)).is_none(),
            "the next is no gap"
        );
        assert!(
            Inbound::restore((5, 3), &[6], (0, 0)).is_none(),
            "settled and never came"
        );
        assert!(
            Inbound::restore((5, 0), &[4, 3], (0, 0)).is_none(),
            "out of order"
        );
        assert!(
            Inbound::restore((u64::MAX, 0), &[u64::MAX], (0, 0)).is_none(),
            "too far ahead"
        );
        assert!(Inbound::restore((u64::MAX, u64::MAX), &[], (0, 0)).is_none());
        assert!(Inbound::restore((5, 3), &[], (6, 0)).is_none());
        assert!(Inbound::restore((5, 3), &[], (0, 4)).is_none());
    }

    proptest! {
        #[test]
        fn count_is_that_of_a_set_of_numbers(settled in prop::collection::vec(0_u64..40, 0..60), received in 0_u64..30) {
            let mut inbound = Inbound::default();
            for _ in 0..received {
                inbound.received();
            }
            let mut model = BTreeSet::new();
            for number in settled {
                inbound.settle(number);
                if (1..=received).contains(&number) {
                    model.insert(number);
                }
                let count = (1..=received).take_while(|number| model.contains(number)).count();
                prop_assert_eq!(u64::from(inbound.handled()), count as u64);
                let beyond: Vec<u64> = model.iter().copied().filter(|number| *number > count as u64).collect();
                prop_assert_eq!(inbound.ahead().collect::<Vec<_>>(), beyond.clone());
                let again = Inbound::restore((inbound.received, inbound.settled), &beyond, (inbound.asked, inbound.answered));
                prop_assert_eq!(again, Some(inbound.clone()));
            }
        }
    }
}
