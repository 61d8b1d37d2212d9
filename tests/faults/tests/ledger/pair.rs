//! What two people have said and heard, whatever befell them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rookery_xml::Element;

use crate::managed::Former;
use crate::stage::number;

const SID: &str = "urn:xmpp:sid:0";

/// What one pair has said and heard.
#[derive(Clone, Debug, Default)]
pub(super) struct Pair {
    /// The last number that was sent.
    pub(super) sent: u64,
    /// The numbers that were acknowledged.
    acknowledged: BTreeSet<u64>,
    /// The numbers that came back with an error.
    refused: BTreeSet<u64>,
    /// The numbers in the order in which they were first heard.
    heard: Vec<u64>,
    /// The id of each number that was heard, and the number of each id.
    ids: BTreeMap<u64, String>,
    numbers: BTreeMap<String, u64>,
    /// What went against the promise, in words.
    broken: Vec<String>,
    /// How often a stream was resumed, and how often that was refused.
    pub(super) resumed: u64,
    pub(super) failed: u64,
    /// How many messages came more than once.
    pub(super) repeated: u64,
    /// What the friend's last stream could be resumed by.
    pub(super) friend: Option<Former>,
    /// What the sender's last stream could be resumed by, and what became of its messages.
    pub(super) sender: Option<(Former, Window)>,
}

/// The messages of a stream that are not acknowledged.
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    /// How many were.
    pub(super) acknowledged: u64,
    /// Those that were when the stream was resumed. Errors that the client had not received come behind that,
    /// so that nothing is promised before the next acknowledgement.
    settled: Vec<u64>,
    /// The numbers of the others, in the order in which they were sent, and their bytes.
    pub(super) waiting: VecDeque<(u64, usize)>,
}

// === impl Window ===

impl Window {
    /// So much of what was sent has arrived, as the server says when it resumes the stream.
    pub(super) fn settle(&mut self, count: u64) {
        while self.acknowledged < count {
            let (number, _) = self.waiting.pop_front().unwrap();
            self.settled.push(number);
            self.acknowledged += 1;
        }
    }
}

// === impl Pair ===

impl Pair {
    /// A message was heard.
    pub(super) fn hear(&mut self, message: &Element) {
        let number = number(message);
        let id = message
            .children()
            .find(|child| child.is("stanza-id", SID))
            .and_then(|id| id.attribute("id"))
            .unwrap_or_default()
            .to_owned();
        match self.ids.get(&number) {
            Some(first) if *first != id => self.broken.push(format!("{number} has two ids")),
            Some(_) => self.repeated += 1,
            None => self.hear_first(number, id),
        }
    }

    fn hear_first(&mut self, number: u64, id: String) {
        // What nobody was promised needs no id where there is no archive.
        if !id.is_empty()
            && let Some(other) = self.numbers.insert(id.clone(), number)
        {
            self.broken.push(format!("{other} and {number} are {id}"));
        }
        if self.heard.last().is_some_and(|last| *last > number) {
            let last = self.heard.last();
            self.broken.push(format!("{number} comes after {last:?}"));
        }
        self.heard.push(number);
        self.ids.insert(number, id);
    }

    /// So much of what was sent in a stream is acknowledged.
    pub(super) fn acknowledge(&mut self, window: &mut Window, count: u64) {
        window.settle(count);
        self.acknowledged.extend(window.settled.drain(..));
    }

    /// A message came back: it is not promised any more. That has to be said before it is acknowledged.
    pub(super) fn refuse(&mut self, error: &Element) {
        let number = error.attribute("id").unwrap().parse().unwrap();
        if self.acknowledged.contains(&number) {
            let said = format!("{number} came back after it was acknowledged");
            self.broken.push(said);
        }
        self.refused.insert(number);
    }

    /// What was acknowledged and never heard.
    pub(super) fn missing(&self) -> Vec<u64> {
        let promised = self.acknowledged.difference(&self.refused);
        promised
            .filter(|number| !self.ids.contains_key(number))
            .copied()
            .collect()
    }

    /// What went against the promise, in words.
    pub(super) fn broken(&self) -> Vec<String> {
        let has_no_id = |number: &&u64| self.ids.get(number).is_some_and(String::is_empty);
        let without = self.acknowledged.iter().filter(has_no_id);
        let without = without.map(|number| format!("{number} has no id"));
        self.broken.iter().cloned().chain(without).collect()
    }

    pub(super) fn counts(&self) -> [u64; 3] {
        let counts = [
            self.acknowledged.len(),
            self.refused.len(),
            self.heard.len(),
        ];
        counts.map(|count| count as u64)
    }
}
