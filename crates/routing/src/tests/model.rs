//! Random histories, applied to the table and to a list of routes.

use proptest::collection::vec;
use proptest::prelude::*;
use rookery_delivery::SessionId;

use super::Cluster;
use crate::snapshot::{Restoring, Snapshot};
use crate::{
    Answer, Change, Command, Incarnation, MemberId, Named, OnConflict, Outcome, Place, Refusal,
    Route, Table,
};

const ACCOUNTS: [&str; 4] = [
    "juliet@a.example",
    "romeo@a.example",
    "juliet@b.example",
    "a.example",
];
const RESOURCES: [&str; 3] = ["balcony", "orchard", ""];

/// All that the table says of sessions, as one list in the order of binding.
#[derive(Clone, Debug, Default)]
struct Model {
    routes: Vec<(usize, Route)>,
    alive: Vec<u32>,
}

/// What a run asks for: which run, account, resource and session.
#[derive(Clone, Copy, Debug)]
struct Whom {
    by: u32,
    account: usize,
    resource: usize,
    session: u64,
}

#[derive(Clone, Debug)]
enum Step {
    Bind(Whom, OnConflict),
    Unbind(Whom),
    Presence(Whom, Option<i8>),
    Entrust(Whom, u32),
    Down(u32),
    Sweep,
    Snapshot,
}

impl Whom {
    fn named(self) -> Named {
        let Self {
            account,
            resource,
            session,
            ..
        } = self;
        Named {
            account: ACCOUNTS[account].parse().unwrap(),
            resource: RESOURCES[resource].into(),
            session: SessionId(session),
        }
    }

    fn place(self) -> Place {
        Place {
            run: Incarnation(self.by),
            session: SessionId(self.session),
        }
    }
}

impl Model {
    fn is_alive(&self, run: Incarnation) -> bool {
        self.alive.contains(&run.0)
    }

    fn of(&self, account: usize) -> Vec<Route> {
        let routes = self.routes.iter().filter(|(of, _)| *of == account);
        let live = routes.filter(|(_, route)| self.is_alive(route.acting()));
        live.map(|(_, route)| route.clone()).collect()
    }

    fn bind(&mut self, whom: Whom, conflict: OnConflict) -> Outcome {
        let (resource, place) = (RESOURCES[whom.resource], whom.place());
        let same: Vec<Place> = self
            .of(whom.account)
            .into_iter()
            .filter(|route| &*route.resource == resource)
            .map(|route| route.place)
            .collect();
        let owner = same.first().copied();
        let outcome = match (owner, same.contains(&place), conflict) {
            (None, _, _) => Outcome::Done,
            (Some(owner), true, _) if owner == place => return Outcome::Done,
            (Some(owner), true, _) => return Outcome::Pending(owner),
            (Some(owner), false, OnConflict::Yield) => return Outcome::Conflict(owner),
            (Some(owner), false, OnConflict::Displace) => Outcome::Pending(owner),
        };
        let alive = self.alive.clone();
        self.routes.retain(|(of, route)| {
            *of != whom.account
                || &*route.resource != resource
                || Some(route.place) == owner
                || !alive.contains(&route.acting().0)
        });
        let route = Route {
            resource: resource.into(),
            place,
            priority: None,
            custodian: None,
        };
        self.routes.push((whom.account, route));
        outcome
    }

    fn find(&self, whom: Whom) -> Option<usize> {
        let by = Incarnation(whom.by);
        self.routes.iter().position(|(of, route)| {
            *of == whom.account
                && &*route.resource == RESOURCES[whom.resource]
                && route.place.session.0 == whom.session
                && (route.place.run == by || route.custodian == Some(by))
                && self.is_alive(route.acting())
        })
    }

    fn alter(&mut self, whom: Whom, alter: impl FnOnce(&mut Route)) -> Outcome {
        match self.find(whom) {
            Some(at) => {
                alter(&mut self.routes[at].1);
                Outcome::Done
            }
            None => Outcome::Unknown,
        }
    }

    /// What the change is answered, and what it does.
    fn change(&mut self, step: &Step) -> Option<(Whom, Change, Outcome)> {
        match *step {
            Step::Bind(whom, conflict) => {
                let change = Change::Bind(whom.named(), conflict);
                Some((whom, change, self.bind(whom, conflict)))
            }
            Step::Unbind(whom) => {
                let found = self.find(whom).map(|at| self.routes.remove(at));
                let outcome = found.map_or(Outcome::Unknown, |_| Outcome::Done);
                Some((whom, Change::Unbind(whom.named()), outcome))
            }
            Step::Presence(whom, priority) => {
                let change = Change::Presence(whom.named(), priority);
                let outcome = self.alter(whom, |route| route.priority = priority);
                Some((whom, change, outcome))
            }
            Step::Entrust(whom, custodian) => {
                let custodian = Incarnation(custodian);
                let change = Change::Entrust(whom.named(), custodian);
                let outcome = if self.is_alive(custodian) {
                    self.alter(whom, |route| route.custodian = Some(custodian))
                } else {
                    Outcome::Unknown
                };
                Some((whom, change, outcome))
            }
            Step::Down(_) | Step::Sweep | Step::Snapshot => None,
        }
    }

    fn forget_dead(&mut self) {
        let alive = self.alive.clone();
        self.routes
            .retain(|(_, route)| alive.contains(&route.acting().0));
    }
}

fn step() -> impl Strategy<Value = Step> {
    let whom = || {
        let parts = (1..=3u32, 0..ACCOUNTS.len(), 0..RESOURCES.len(), 1..=4u64);
        parts.prop_map(|(by, account, resource, session)| Whom {
            by,
            account,
            resource,
            session,
        })
    };
    let conflict = prop_oneof![Just(OnConflict::Displace), Just(OnConflict::Yield)];
    prop_oneof![
        8 => (whom(), conflict).prop_map(|(whom, conflict)| Step::Bind(whom, conflict)),
        6 => whom().prop_map(Step::Unbind),
        3 => (whom(), any::<Option<i8>>()).prop_map(|(whom, priority)| Step::Presence(whom, priority)),
        2 => (whom(), 1..=3u32).prop_map(|(whom, custodian)| Step::Entrust(whom, custodian)),
        1 => (1..=3u32).prop_map(Step::Down),
        1 => Just(Step::Sweep),
        1 => Just(Step::Snapshot),
    ]
}

/// Takes the step in both, and compares what they answer.
fn take(cluster: &mut Cluster, model: &mut Model, step: &Step) {
    match *step {
        Step::Down(run) => {
            model.alive.retain(|alive| *alive != run);
            cluster.apply(Command::Down(Incarnation(run)));
        }
        Step::Sweep => {
            let before = model.routes.len();
            model.forget_dead();
            let swept = (0..Table::PARTS).map(|part| cluster.table.sweep(part).len());
            assert_eq!(swept.sum::<usize>(), before - model.routes.len());
        }
        Step::Snapshot => {
            model.forget_dead();
            let restoring = frames(&cluster.table.snapshot());
            cluster.table.install(restoring).unwrap();
        }
        Step::Bind(whom, _)
        | Step::Unbind(whom)
        | Step::Presence(whom, _)
        | Step::Entrust(whom, _)
            if !model.is_alive(Incarnation(whom.by)) =>
        {
            let by = Incarnation(whom.by);
            let changes = Vec::new();
            let answer = cluster.apply(Command::Batch { by, changes });
            assert_eq!(answer, Answer::Refused(Refusal::NoRun));
        }
        _ => {
            let (whom, change, outcome) = model.change(step).unwrap();
            assert_eq!(cluster.change(whom.by, change), outcome);
        }
    }
}

fn frames(snapshot: &Snapshot) -> Restoring {
    let mut restoring = Restoring::new();
    for frame in snapshot.frames() {
        restoring.frame(&frame).unwrap();
    }
    restoring
}

fn check(cluster: &Cluster, model: &Model) {
    for (index, name) in ACCOUNTS.iter().enumerate() {
        let account = name.parse().unwrap();
        let routes = model.of(index);
        assert_eq!(cluster.table.routes(&account), routes, "{name}");
        for resource in RESOURCES {
            let owner = routes.iter().find(|route| &*route.resource == resource);
            let owner = owner.map(|route| (route.place, route.acting()));
            assert_eq!(cluster.table.session(&account, resource), owner);
        }
        if let Some(oldest) = routes.first() {
            let member = MemberId(u64::from(oldest.acting().0 - 1) * 3 + 1);
            assert_eq!(cluster.table.home(&account), Some(member));
        }
    }
}

proptest! {
    #[test]
    fn the_table_says_what_a_list_of_routes_says(steps in vec(step(), 1..120)) {
        let mut cluster = Cluster::of(3);
        let mut model = Model { alive: vec![1, 2, 3], ..Model::default() };
        for step in steps {
            take(&mut cluster, &mut model, &step);
            check(&cluster, &model);
        }
    }

    #[test]
    fn a_snapshot_does_not_change_while_the_table_does(
        before in vec(step(), 1..60),
        after in vec(step(), 1..60),
    ) {
        let mut cluster = Cluster::of(3);
        let mut model = Model { alive: vec![1, 2, 3], ..Model::default() };
        for step in before {
            take(&mut cluster, &mut model, &step);
        }
        let snapshot = cluster.table.snapshot();
        let (frozen, applied) = (model.clone(), cluster.table.applied());
        for step in after {
            take(&mut cluster, &mut model, &step);
        }
        let restored = Cluster::default();
        restored.table.install(frames(&snapshot)).unwrap();
        prop_assert_eq!(restored.table.applied(), applied);
        check(&restored, &frozen);
    }

    #[test]
    fn the_same_log_makes_the_same_table(steps in vec(step(), 1..60)) {
        let mut cluster = Cluster::of(3);
        let mut model = Model { alive: vec![1, 2, 3], ..Model::default() };
        for step in steps {
            if !matches!(step, Step::Snapshot | Step::Sweep) {
                take(&mut cluster, &mut model, &step);
            }
        }
        let mut again = Cluster::default();
        for command in cluster.log {
            let bytes = command.encode();
            again.apply(Command::decode(&bytes).unwrap());
        }
        check(&again, &model);
    }
}
