//! XEP-0280 §6.1: an error is copied if the message that it answers was.
//!
//! An error need not hold the message that it answers (XEP-0280 §10.3, RFC 6120 §8.3.1), so that an account
//! remembers which of its last messages were copied.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};

use rookery_stanza::{Jid, Stanza};

use crate::classification::{Copies, Side, Treatment};

/// The last messages of an account that were copied.
#[derive(Debug)]
pub struct CopiedMessages {
    /// A hash of each, the oldest first. That two are equal is less likely than anything that could go wrong else, and
    /// one error would be copied too many.
    marks: VecDeque<u64>,
    most: usize,
    hasher: RandomState,
}

// === impl CopiedMessages ===

impl CopiedMessages {
    /// Remembers as many messages.
    pub fn new(most: usize) -> Self {
        Self {
            marks: VecDeque::new(),
            most,
            hasher: RandomState::new(),
        }
    }

    /// Whether a message is copied to the account's other clients. It is remembered if it is one that may be answered
    /// with an error.
    pub fn copies(&mut self, message: &Stanza, treatment: Treatment, side: Side) -> bool {
        let contact = match side {
            Side::Sender => message.to.as_ref(),
            Side::Recipient => message.from.as_ref(),
        };
        let mark = self.mark(contact, message.id.as_deref());
        match treatment.copies {
            Copies::No => false,
            Copies::Yes => {
                if let Some(mark) = mark {
                    self.remember(mark);
                }
                true
            }
            Copies::AsTheOriginal => mark.is_some_and(|mark| self.marks.contains(&mark)),
        }
    }

    fn remember(&mut self, mark: u64) {
        if self.marks.len() >= self.most {
            self.marks.pop_front();
        }
        self.marks.push_back(mark);
    }

    /// What a message and an error about it have in common: the contact, with whichever resource, and the id.
    fn mark(&self, contact: Option<&Jid>, id: Option<&str>) -> Option<u64> {
        Some(self.hasher.hash_one((contact?.bare_str(), id?)))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const OUT: &str = "<message from='romeo@montague.lit/orchard' to='juliet@capulet.lit'";
    const BACK: &str =
        "<message type='error' to='romeo@montague.lit/orchard' from='juliet@capulet.lit";

    fn copied(memory: &mut CopiedMessages, xml: &str, side: Side) -> bool {
        let stanza = Stanza::parse_again(Bytes::from(xml.to_owned())).unwrap();
        let treatment = Treatment::of(&stanza, side);
        memory.copies(&stanza, treatment, side)
    }

    #[test]
    fn error_is_copied_if_its_original_was_s6_1() {
        let mut memory = CopiedMessages::new(8);
        let sent = format!("{OUT} id='1' type='chat'><body/></message>");
        let unknown = format!("{OUT} id='2'><x xmlns='urn:example:x'/></message>");
        assert!(copied(&mut memory, &sent, Side::Sender));
        assert!(!copied(&mut memory, &unknown, Side::Sender));
        for (error, expected) in [
            (format!("{BACK}' id='1'/>"), true),
            (format!("{BACK}/balcony' id='1'/>"), true),
            (format!("{BACK}' id='2'/>"), false),
            (format!("{BACK}'/>"), false),
            (format!("{BACK}.example' id='1'/>"), false),
        ] {
            assert_eq!(
                copied(&mut memory, &error, Side::Recipient),
                expected,
                "{error}"
            );
        }
    }

    #[test]
    fn error_of_an_own_client_is_copied_as_well_s6_1() {
        let mut memory = CopiedMessages::new(8);
        let received = "<message from='juliet@capulet.lit/balcony' to='romeo@montague.lit' id='1'><body/></message>";
        assert!(copied(&mut memory, received, Side::Recipient));
        let error = format!("{OUT} id='1' type='error'/>");
        assert!(copied(&mut memory, &error, Side::Sender));
    }

    #[test]
    fn only_the_last_messages_are_remembered() {
        let mut memory = CopiedMessages::new(2);
        for id in 1..=3 {
            copied(
                &mut memory,
                &format!("{OUT} id='{id}' type='chat'/>"),
                Side::Sender,
            );
        }
        let mut is_known = |id| {
            copied(
                &mut memory,
                &format!("{BACK}' id='{id}'/>"),
                Side::Recipient,
            )
        };
        assert_eq!([is_known(1), is_known(2), is_known(3)], [false, true, true]);
    }
}
