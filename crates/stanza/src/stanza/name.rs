//! The names of a stanza's first-level children.

use crate::ns;
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// Names of children met all the time, kept without allocation.
const KNOWN_NAMES: &[&str] = &[
    "body",
    "query",
    "active",
    "composing",
    "paused",
    "inactive",
    "gone",
    "thread",
    "subject",
    "request",
    "received",
    "origin-id",
    "store",
    "no-store",
    "c",
    "show",
    "status",
    "priority",
    "x",
    "ping",
    "error",
    "delay",
    "encrypted",
    "bind",
    "time",
];

/// The expanded name of one first-level child.
#[derive(Clone, PartialEq, Eq)]
pub struct PayloadName {
    namespace: Cow<'static, str>,
    name: Cow<'static, str>,
    /// Where the child begins and ends in the payload; a stanza is smaller than 4 GiB.
    start: u32,
    end: u32,
}

impl PayloadName {
    /// The name of the child that takes this range of the payload.
    pub(super) fn new(namespace: &str, name: &str, range: Range<usize>) -> Self {
        Self {
            namespace: intern(namespace, ns::OF_PAYLOADS),
            name: intern(name, KNOWN_NAMES),
            start: u32::try_from(range.start).unwrap_or(u32::MAX),
            end: u32::try_from(range.end).unwrap_or(u32::MAX),
        }
    }

    /// The namespace; that of an unprefixed child without a declaration is `jabber:client`.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The local name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// True if the child has this name.
    pub fn is(&self, name: &str, namespace: &str) -> bool {
        self.name == name && self.namespace == namespace
    }

    /// The bytes of the child in the payload.
    pub(super) fn range(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// The same child, after `removed` bytes before it are gone.
    pub(super) fn moved_back(&self, removed: usize) -> Self {
        let removed = u32::try_from(removed).unwrap_or(u32::MAX);
        Self {
            start: self.start.saturating_sub(removed),
            end: self.end.saturating_sub(removed),
            ..self.clone()
        }
    }
}

impl fmt::Debug for PayloadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}{}", self.namespace, self.name)
    }
}

/// The entry of `known` that equals `text`, or a copy.
fn intern(text: &str, known: &'static [&'static str]) -> Cow<'static, str> {
    match known.iter().find(|entry| **entry == text) {
        Some(entry) => Cow::Borrowed(entry),
        None => Cow::Owned(text.to_owned()),
    }
}
