//! Changes of a batch: what runs ask for.

use std::sync::Arc;

use rookery_delivery::SessionId;
use rookery_stanza::BareJid;

use crate::claims::Room;
use crate::command::{Change, Event, Named, OnConflict, Outcome};
use crate::members::{Incarnation, Members};
use crate::sessions::{MAX_SESSIONS_OF_ACCOUNT, Place, Route, RouteList};
use crate::table::Table;

/// A change that is being carried out.
pub(crate) struct Applying<'a> {
    table: &'a Table,
    members: &'a Members,
    index: u64,
    by: Incarnation,
    events: &'a mut Vec<Event>,
}

// === impl Applying ===

impl<'a> Applying<'a> {
    /// Changes that a run asks for in the entry at this index.
    pub(crate) fn new(
        table: &'a Table,
        members: &'a Members,
        (index, by): (u64, Incarnation),
        events: &'a mut Vec<Event>,
    ) -> Self {
        Self {
            table,
            members,
            index,
            by,
            events,
        }
    }

    /// Carries out the next of them.
    pub(crate) fn change(&mut self, change: Change) -> Outcome {
        match change {
            Change::Bind(named, conflict) => self.bind(&named, conflict),
            Change::Unbind(named) => self.unbind(named),
            Change::Presence(named, priority) => {
                self.alter(&named, |route| route.priority = priority)
            }
            Change::Entrust(named, custodian) if self.members.is_alive(custodian) => {
                self.alter(&named, |route| route.custodian = Some(custodian))
            }
            Change::Entrust(..) => Outcome::Unknown,
            Change::ClaimRoom { room } => self.claim(&room),
            Change::SetStandby { room, standby } => self.stand_by(&room, standby),
            Change::ReleaseRoom { room, epoch, to } => self.release(room, epoch, to),
            Change::Attach { domain, stream } => self.attach(domain, stream),
            Change::Detach { domain, stream } => self.detach(&domain, stream),
        }
    }

    fn bind(&mut self, named: &Named, conflict: OnConflict) -> Outcome {
        let place = self.place(named.session);
        let table = self.table.sessions.read();
        let (outcome, event) = table.change(&named.account, self.members, |routes| {
            bind(routes, named, place, conflict)
        });
        drop(table);
        self.events.extend(event);
        outcome
    }

    /// A session that stops makes room for the one that waits.
    fn unbind(&mut self, named: Named) -> Outcome {
        let found = self.found(&named);
        let table = self.table.sessions.read();
        let promoted = table.change(&named.account, self.members, |routes| {
            let at = routes.iter().position(found)?;
            let had = routes
                .iter()
                .position(|route| route.resource == named.resource)
                == Some(at);
            routes.remove(at);
            let next = routes.iter().find(|route| route.resource == named.resource);
            Some(next.filter(|_| had).map(|route| route.place))
        });
        drop(table);
        let Some(promoted) = promoted else {
            return Outcome::Unknown;
        };
        if let Some(session) = promoted {
            self.events.push(Event::Promoted {
                account: named.account,
                resource: named.resource,
                session,
            });
        }
        Outcome::Done
    }

    fn alter(&self, named: &Named, alter: impl FnOnce(&mut Route)) -> Outcome {
        let found = self.found(named);
        let table = self.table.sessions.read();
        table.change(&named.account, self.members, |routes| {
            let found = routes.iter_mut().find(|route| found(route));
            found.map_or(Outcome::Unknown, |route| {
                alter(route);
                Outcome::Done
            })
        })
    }

    fn claim(&self, room: &BareJid) -> Outcome {
        let rooms = self.table.rooms.read();
        match rooms.get(room, self.members) {
            Some(Room { owner, epoch, .. }) if owner == self.by => Outcome::Claimed { epoch },
            Some(Room { owner, epoch, .. }) => Outcome::Elsewhere { owner, epoch },
            None => {
                let epoch = self.index;
                let (owner, standby) = (self.by, None);
                rooms.put(
                    room,
                    Room {
                        owner,
                        standby,
                        epoch,
                    },
                );
                Outcome::Claimed { epoch }
            }
        }
    }

    fn stand_by(&self, room: &BareJid, standby: Option<Incarnation>) -> Outcome {
        let rooms = self.table.rooms.read();
        match rooms.get(room, self.members) {
            Some(found) if found.owner == self.by => {
                rooms.put(room, Room { standby, ..found });
                Outcome::Done
            }
            _ => Outcome::Unknown,
        }
    }

    fn release(&mut self, room: BareJid, epoch: u64, to: Option<Incarnation>) -> Outcome {
        let rooms = self.table.rooms.read();
        let found = rooms.get(&room, self.members);
        if found.is_none_or(|found| (found.owner, found.epoch) != (self.by, epoch)) {
            return Outcome::Unknown;
        }
        match to.filter(|run| self.members.is_alive(*run)) {
            Some(owner) => {
                let epoch = self.index;
                let standby = None;
                rooms.put(
                    &room,
                    Room {
                        owner,
                        standby,
                        epoch,
                    },
                );
                self.events.push(Event::Given { room, owner, epoch });
            }
            None => rooms.remove(&room),
        }
        Outcome::Done
    }

    fn attach(&self, domain: Box<str>, stream: SessionId) -> Outcome {
        let place = self.place(stream);
        let mut components = self.table.components.write();
        let streams = Arc::make_mut(&mut components).entry(domain).or_default();
        streams.retain(|stream| self.members.is_alive(stream.run) && *stream != place);
        streams.push(place);
        Outcome::Done
    }

    fn detach(&self, domain: &str, stream: SessionId) -> Outcome {
        let place = self.place(stream);
        let mut components = self.table.components.write();
        let components = Arc::make_mut(&mut components);
        let Some(streams) = components.get_mut(domain) else {
            return Outcome::Unknown;
        };
        let before = streams.len();
        streams.retain(|stream| *stream != place);
        let found = streams.len() < before;
        if streams.is_empty() {
            components.remove(domain);
        }
        if found {
            Outcome::Done
        } else {
            Outcome::Unknown
        }
    }

    fn place(&self, session: SessionId) -> Place {
        let run = self.by;
        Place { run, session }
    }

    /// Whether a route is the session that the proposer names: its own, or one that is entrusted to it.
    fn found(&self, named: &Named) -> impl Fn(&Route) -> bool + use<> {
        let (by, session, resource) = (self.by, named.session, named.resource.clone());
        move |route| {
            route.place.session == session
                && route.resource == resource
                && (route.place.run == by || route.custodian == Some(by))
        }
    }
}

/// A session wants a resource: the routes of its account afterwards, its answer, and what another has to know.
fn bind(
    routes: &mut RouteList,
    named: &Named,
    place: Place,
    conflict: OnConflict,
) -> (Outcome, Option<Event>) {
    let of_resource = |route: &&Route| route.resource == named.resource;
    let mut others = routes.iter().filter(of_resource).map(|route| route.place);
    let (owner, waiting) = (others.next(), others.next());
    let (account, resource) = (named.account.clone(), named.resource.clone());
    let route = Route {
        resource: resource.clone(),
        place,
        priority: None,
        custodian: None,
    };
    match owner {
        Some(owner) if owner == place => (Outcome::Done, None),
        Some(owner) if waiting == Some(place) => (Outcome::Pending(owner), None),
        Some(owner) if conflict == OnConflict::Yield => (Outcome::Conflict(owner), None),
        Some(owner) => {
            // At most one waits: the one that asked last.
            routes.retain(|route| Some(route.place) != waiting || route.resource != resource);
            routes.push(route);
            let event = match waiting {
                Some(session) => Event::Overtaken {
                    account,
                    resource,
                    session,
                },
                None => Event::Displaced {
                    account,
                    resource,
                    session: owner,
                    by: place,
                },
            };
            (Outcome::Pending(owner), Some(event))
        }
        None if routes.len() >= MAX_SESSIONS_OF_ACCOUNT => (Outcome::Full, None),
        None => {
            routes.push(route);
            (Outcome::Done, None)
        }
    }
}
