//! An account's routes as bytes: what lies in an arena.
//!
//! A record is the account's host (a number), its localpart, how many routes there are, and each of them: the
//! resource, the run, the session, the priority, and the custodian if there is one. Numbers are varints, texts
//! have their length before them. It is no part of any format: it never leaves the process.

use std::hash::Hash;

use rookery_delivery::SessionId;
use rookery_stanza::BareJid;

use super::{Place, Route};
use crate::members::Incarnation;

/// An account by the number of its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key<'a> {
    domain: u32,
    /// Empty for an account that is a host: no localpart is.
    local: &'a str,
}

/// The routes in a record, in the order in which they were bound.
#[derive(Clone, Debug)]
pub(crate) struct Routes<'a> {
    left: u64,
    reader: Reader<'a>,
}

/// Reads a record from its front. At its end there are zeros and empty texts; the records are this module's own.
#[derive(Clone, Copy, Debug)]
struct Reader<'a>(&'a [u8]);

/// What the byte before the priority says.
const AVAILABLE: u8 = 1;
const ENTRUSTED: u8 = 2;

// === impl Key ===

impl<'a> Key<'a> {
    pub(crate) fn new(domain: u32, local: Option<&'a str>) -> Self {
        let local = local.unwrap_or_default();
        Self { domain, local }
    }

    /// The number of its host, and its localpart, which is empty if there is none.
    pub(crate) fn parts(self) -> (u32, &'a str) {
        (self.domain, self.local)
    }

    /// The account, when these are the names of the hosts.
    pub(crate) fn account(self, domains: &[Box<str>]) -> Option<BareJid> {
        let domain = domains.get(usize::try_from(self.domain).ok()?)?;
        let text = match self.local {
            "" => domain.to_string(),
            local => format!("{local}@{domain}"),
        };
        Some(BareJid::from_prepared(&text))
    }
}

/// Writes the record of an account at the end of `arena`.
pub(crate) fn write(arena: &mut Vec<u8>, key: Key<'_>, routes: &[Route]) {
    put_varint(arena, u64::from(key.domain));
    put_text(arena, key.local);
    put_varint(arena, routes.len() as u64);
    for route in routes {
        put_text(arena, &route.resource);
        put_varint(arena, u64::from(route.place.run.0));
        put_varint(arena, route.place.session.0);
        let available = route.priority.map_or(0, |_| AVAILABLE);
        let entrusted = route.custodian.map_or(0, |_| ENTRUSTED);
        arena.push(available | entrusted);
        arena.extend(route.priority.unwrap_or_default().to_le_bytes());
        if let Some(custodian) = route.custodian {
            put_varint(arena, u64::from(custodian.0));
        }
    }
}

/// Reads the record at the front of `bytes`: whose it is, and its routes.
pub(crate) fn read(bytes: &[u8]) -> (Key<'_>, Routes<'_>) {
    let mut reader = Reader(bytes);
    let key = reader.key();
    let left = reader.varint();
    (key, Routes { left, reader })
}

/// The length of the record at the front of `bytes`.
pub(crate) fn length(bytes: &[u8]) -> usize {
    let (_, mut routes) = read(bytes);
    routes.by_ref().for_each(drop);
    bytes.len() - routes.reader.0.len()
}

fn put_varint(arena: &mut Vec<u8>, mut value: u64) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            return arena.push(low & 0x7f);
        }
        arena.push(low | 0x80);
    }
}

fn put_text(arena: &mut Vec<u8>, text: &str) {
    put_varint(arena, text.len() as u64);
    arena.extend_from_slice(text.as_bytes());
}

// === impl Routes ===

impl Iterator for Routes<'_> {
    type Item = Route;

    fn next(&mut self) -> Option<Route> {
        self.next_route().map(|(resource, route)| Route {
            resource: resource.into(),
            ..route
        })
    }
}

impl<'a> Routes<'a> {
    /// The next route without its resource, and the resource: nothing is allocated.
    pub(crate) fn next_route(&mut self) -> Option<(&'a str, Route)> {
        self.left = self.left.checked_sub(1)?;
        let reader = &mut self.reader;
        let resource = reader.text();
        let place = Place {
            run: reader.run(),
            session: SessionId(reader.varint()),
        };
        let flags = reader.byte();
        let priority = i8::from_le_bytes([reader.byte()]);
        let route = Route {
            resource: Box::default(),
            place,
            priority: (flags & AVAILABLE != 0).then_some(priority),
            custodian: (flags & ENTRUSTED != 0).then(|| reader.run()),
        };
        Some((resource, route))
    }
}

// === impl Reader ===

impl<'a> Reader<'a> {
    fn key(&mut self) -> Key<'a> {
        let domain = u32::try_from(self.varint()).unwrap_or(u32::MAX);
        let local = self.text();
        Key { domain, local }
    }

    fn run(&mut self) -> Incarnation {
        Incarnation(u32::try_from(self.varint()).unwrap_or(u32::MAX))
    }

    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    fn varint(&mut self) -> u64 {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte();
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        value
    }

    fn text(&mut self) -> &'a str {
        let length = usize::try_from(self.varint()).unwrap_or(usize::MAX);
        let Some((text, rest)) = self.0.split_at_checked(length) else {
            return "";
        };
        self.0 = rest;
        str::from_utf8(text).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let route = |resource: &str, session, priority, custodian| Route {
            resource: resource.into(),
            place: Place {
                run: Incarnation(300),
                session: SessionId(session),
            },
            priority,
            custodian,
        };
        let routes = [
            route("orchard", 0, None, None),
            route("☎", u64::MAX, Some(-128), Some(Incarnation(u32::MAX))),
            route(&"x".repeat(1023), 128, Some(127), None),
        ];
        let mut arena = Vec::new();
        write(&mut arena, Key::new(7, Some("juliet")), &routes);
        let end = arena.len();
        arena.extend([0xff; 3]);
        let (key, read) = read(&arena);
        assert_eq!(key, Key::new(7, Some("juliet")));
        assert_eq!(read.collect::<Vec<_>>(), routes);
        assert_eq!(length(&arena), end);
    }

    #[test]
    fn an_ordinary_session_takes_few_bytes() {
        let mut arena = Vec::new();
        let route = Route {
            resource: "Conversations.3kQx".into(),
            place: Place {
                run: Incarnation(90),
                session: SessionId(5_000_000),
            },
            priority: Some(0),
            custodian: None,
        };
        write(&mut arena, Key::new(0, Some("juliet.capulet")), &[route]);
        assert_eq!(arena.len(), 1 + 15 + 1 + 19 + 1 + 4 + 2);
    }
}
