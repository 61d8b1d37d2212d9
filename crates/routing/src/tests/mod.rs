//! The table against a model that is too simple to be wrong, and what its parts promise.

mod formats;
mod model;
mod rules;

use std::sync::Arc;

use rookery_delivery::SessionId;
use rookery_stanza::BareJid;

use crate::{
    Answer, Change, Command, Event, Incarnation, MemberId, Named, OnConflict, Outcome, Table,
    VersionRange,
};

const VERSIONS: VersionRange = VersionRange { min: 1, max: 2 };

/// A table, and the log that made it.
#[derive(Debug, Default)]
struct Cluster {
    table: Table,
    log: Vec<Command>,
    events: Vec<Event>,
}

impl Cluster {
    /// A cluster of so many nodes, with a run each.
    fn of(nodes: u64) -> Self {
        let mut cluster = Self::default();
        for node in 0..nodes {
            cluster.start(node);
        }
        cluster.events.clear();
        cluster
    }

    /// A node joins, and serves.
    fn start(&mut self, admission: u64) -> (MemberId, Incarnation) {
        let address: Arc<str> = format!("node-{admission}:7000").into();
        let admit = Command::Admit {
            admission,
            address: Arc::clone(&address),
            versions: VERSIONS,
        };
        let Answer::Admitted(member) = self.apply(admit) else {
            panic!("not admitted");
        };
        let nonce = self.log.len() as u64;
        let register = Command::Register {
            member,
            nonce,
            address,
            versions: VERSIONS,
        };
        let Answer::Registered(run) = self.apply(register) else {
            panic!("not registered");
        };
        self.apply(Command::Serve(member));
        (member, run)
    }

    fn apply(&mut self, command: Command) -> Answer {
        self.log.push(command.clone());
        let index = self.log.len() as u64;
        self.table.apply(index, command, &mut self.events)
    }

    /// One change of a run.
    fn change(&mut self, by: u32, change: Change) -> Outcome {
        let by = Incarnation(by);
        match self.apply(Command::Batch {
            by,
            changes: vec![change],
        }) {
            Answer::Changed(mut outcomes) => outcomes.remove(0),
            other => panic!("{other:?}"),
        }
    }

    fn bind(&mut self, by: u32, jid: &str, session: u64) -> Outcome {
        self.change(by, bind(jid, session, OnConflict::Displace))
    }

    fn unbind(&mut self, by: u32, jid: &str, session: u64) -> Outcome {
        self.change(by, Change::Unbind(named(jid, session)))
    }

    fn events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Who has the resource: the run that acts, and the session.
    fn owner(&self, jid: &str) -> Option<(u32, u64)> {
        let (account, resource) = parts(jid);
        let (place, acting) = self.table.session(&account, &resource)?;
        Some((acting.0, place.session.0))
    }
}

fn bind(jid: &str, session: u64, conflict: OnConflict) -> Change {
    Change::Bind(named(jid, session), conflict)
}

fn named(jid: &str, session: u64) -> Named {
    let (account, resource) = parts(jid);
    Named {
        account,
        resource,
        session: SessionId(session),
    }
}

fn parts(jid: &str) -> (BareJid, Box<str>) {
    let (account, resource) = jid.split_once('/').unwrap_or((jid, ""));
    (account.parse().unwrap(), resource.into())
}
