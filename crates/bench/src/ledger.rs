//! The books of one flow of numbered stanzas: what was lost, repeated, reordered.

use std::collections::BTreeSet;

use serde::Serialize;

/// How many missing numbers are remembered of one flow; what is missing beyond counts as lost for good.
const REMEMBERED: usize = 1 << 16;

/// The books of one flow, at its receiver. The sender numbers from 0 without gaps.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// The number that is due next.
    next: u64,
    /// Numbers that were passed over.
    missing: BTreeSet<u64>,
    forgotten: u64,
    received: u64,
    repeated: u64,
    reordered: u64,
}

/// The sum of the books of many flows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Balance {
    /// Stanzas sent.
    pub sent: u64,
    /// Stanzas received, each counted once.
    pub received: u64,
    /// Stanzas that never came.
    pub lost: u64,
    /// Stanzas that came again.
    pub repeated: u64,
    /// Stanzas that came after one that was sent later.
    pub reordered: u64,
    /// Stanzas that were returned with an error.
    pub refused: u64,
}

// === impl Ledger ===

impl Ledger {
    /// Enters a stanza that has come.
    pub(crate) fn receive(&mut self, number: u64) {
        if number < self.next {
            if self.missing.remove(&number) {
                self.reordered += 1;
                self.received += 1;
            } else {
                self.repeated += 1;
            }
            return;
        }
        let room = REMEMBERED.saturating_sub(self.missing.len());
        let gap = number - self.next;
        let remembered = gap.min(u64::try_from(room).unwrap_or(u64::MAX));
        self.missing.extend(self.next..self.next + remembered);
        self.forgotten += gap - remembered;
        self.next = number.saturating_add(1);
        self.received += 1;
    }

    /// Stanzas that have come, each counted once.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// Closes the books: `sent` stanzas were sent.
    pub(crate) fn close(&self, sent: u64) -> Balance {
        let passed_over = u64::try_from(self.missing.len()).unwrap_or(u64::MAX);
        Balance {
            sent,
            received: self.received,
            lost: passed_over + self.forgotten + sent.saturating_sub(self.next),
            repeated: self.repeated,
            reordered: self.reordered,
            refused: 0,
        }
    }
}

// === impl Balance ===

impl Balance {
    /// Adds the books of another flow.
    pub(crate) fn add(&mut self, other: Self) {
        self.sent += other.sent;
        self.received += other.received;
        self.lost += other.lost;
        self.repeated += other.repeated;
        self.reordered += other.reordered;
        self.refused += other.refused;
    }

    /// Whether everything came, once and in order.
    pub fn is_clean(&self) -> bool {
        self.lost == 0 && self.repeated == 0 && self.reordered == 0 && self.refused == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn books(numbers: &[u64], sent: u64) -> Balance {
        let mut ledger = Ledger::default();
        for &number in numbers {
            ledger.receive(number);
        }
        ledger.close(sent)
    }

    fn balance(sent: u64, received: u64, lost: u64, repeated: u64, reordered: u64) -> Balance {
        Balance {
            sent,
            received,
            lost,
            repeated,
            reordered,
            refused: 0,
        }
    }

    #[test]
    fn a_flow_that_comes_whole_and_in_order_is_clean() {
        let books = books(&[0, 1, 2, 3], 4);
        assert_eq!(books, balance(4, 4, 0, 0, 0));
        assert!(books.is_clean());
    }

    #[test]
    fn what_never_comes_is_lost_at_the_beginning_in_the_middle_and_at_the_end() {
        assert_eq!(books(&[], 3), balance(3, 0, 3, 0, 0));
        assert_eq!(books(&[1, 3], 6), balance(6, 2, 4, 0, 0));
    }

    #[test]
    fn what_comes_late_is_reordered_once_and_not_lost() {
        assert_eq!(books(&[0, 2, 1, 3], 4), balance(4, 4, 0, 0, 1));
        assert_eq!(books(&[3, 2, 1, 0], 4), balance(4, 4, 0, 0, 3));
    }

    #[test]
    fn what_comes_again_is_repeated_and_not_received_twice() {
        assert_eq!(books(&[0, 1, 1, 0, 2], 3), balance(3, 3, 0, 2, 0));
        assert_eq!(books(&[0, 2, 1, 1], 3), balance(3, 3, 0, 1, 1));
    }

    #[test]
    fn gaps_larger_than_the_memory_are_lost_all_the_same() {
        assert_eq!(
            books(&[1_000_000], 1_000_001),
            balance(1_000_001, 1, 1_000_000, 0, 0)
        );
    }

    #[test]
    fn balances_add_up() {
        let mut sum = balance(4, 3, 1, 0, 0);
        sum.add(balance(2, 2, 0, 1, 1));
        assert_eq!(sum, balance(6, 5, 1, 1, 1));
        assert!(!sum.is_clean());
    }
}
