//! The cores of sessions, homes and the message log in a world without time, threads and sockets: chance decides what
//! happens next, faults included, and after each step the server's promises must hold. One seed is one history, bit for
//! bit.
//!
//! `SIMULATION_SEED=N` lives one history; `SIMULATION_SEEDS=N` as many. `SIMULATION_STRICT=1` also checks that a session is
//! handed what one stream sent to one address in its order whatever other sessions had: not each history holds that.
//!
//! # Many nodes
//! A [`node::Node`] is all that one process has in memory, and all that a crash of it takes away. It knows of no other:
//! what leaves a home is an event that the node puts into a queue of its own (`mail`, `asked`, `confirms`, `told`), and
//! [`world::World::acts`] lists what may happen next in any of them. A second node is a second value with the same disk
//! (the shared store) and its own clients' connections. What it adds is one more kind of queue: from each node to each other
//! one, in order, cut and joined at will, with what has not been acknowledged sent again; an event for an account whose
//! home is elsewhere goes there instead of into `mail`. Where a home is, each node looks up in its own copy of the table
//! of routes, which is one more core, applied with a delay that differs from node to node. The promises do not change,
//! since they are about clients, accounts and the log and not about nodes: what is new is that two homes of one account
//! must never both append, which the epoch of the log decides, and that each hazard of a home that moves is counted here
//! like the others.

#![cfg(test)]

mod client;
mod disk;
mod hazard;
mod mutant;
mod node;
mod promises;
mod random;
mod reading;
mod session;
mod world;

use std::thread;

use crate::hazard::{Hazards, LEAST};
use crate::mutant::Mutant;
use crate::world::World;

/// Histories in each run of the tests.
const SEEDS: u64 = 2000;

/// In as many histories each mistake has to be found.
const ENOUGH: u64 = 400;

#[expect(
    clippy::disallowed_methods,
    reason = "whoever replays a history says which"
)]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Whether the order is checked as well in which a session is handed what came in between its own times.
fn is_strict() -> bool {
    setting("SIMULATION_STRICT").is_some()
}

fn live(seed: u64, mutant: Option<Mutant>) -> (Result<(), String>, Hazards) {
    let mut world = World::new(seed, mutant);
    (world.run(), world.hazards)
}

/// Lives these histories, on two threads.
fn live_all(seeds: u64) -> (Vec<String>, Hazards) {
    let part = |first: u64| {
        let (mut broken, mut hazards) = (Vec::new(), Hazards::default());
        for seed in (first..seeds).step_by(2) {
            let (result, met) = live(seed, None);
            broken.extend(result.err());
            hazards.add(&met);
        }
        (broken, hazards)
    };
    thread::scope(|scope| {
        let other = scope.spawn(|| part(1));
        let (mut broken, mut hazards) = part(0);
        let (more, met) = other.join().unwrap();
        broken.extend(more);
        hazards.add(&met);
        (broken, hazards)
    })
}

#[test]
fn every_promise_holds_whatever_happens() {
    if let Some(seed) = setting("SIMULATION_SEED") {
        let mut world = World::new(seed, None);
        world.record();
        let result = world.run();
        for line in world.history() {
            println!("{line}");
        }
        return result.unwrap();
    }
    let seeds = setting("SIMULATION_SEEDS").unwrap_or(SEEDS);
    let (broken, hazards) = live_all(seeds);
    let mut rare = Vec::new();
    for (hazard, least) in LEAST {
        let (times, least) = (hazards.of(*hazard), least * seeds / 10_000);
        println!("{times:>9}  {hazard:?}, at least {least}");
        if times < least {
            rare.push(*hazard);
        }
    }
    for broken in broken.iter().take(20) {
        println!("{broken}");
    }
    assert!(
        broken.is_empty(),
        "{} of {seeds} histories broke a promise; SIMULATION_SEED=N replays one: {}",
        broken.len(),
        broken[0]
    );
    assert!(rare.is_empty(), "these happened too seldom: {rare:?}");
}

#[test]
fn every_mistake_is_found() {
    let find = |mutant: Mutant| (0..ENOUGH).find_map(|seed| live(seed, Some(mutant)).0.err());
    let missed = mutant::ALL.iter().filter(|mutant| {
        let found = find(**mutant);
        println!("{mutant:?}: {found:?}");
        found.is_none()
    });
    let missed: Vec<_> = missed.collect();
    assert!(missed.is_empty(), "nobody finds {missed:?}");
}

#[test]
fn one_seed_is_one_history() {
    for seed in 0..20 {
        let trace = || {
            let mut world = World::new(seed, None);
            (world.run(), world.trace)
        };
        assert_eq!(trace(), trace(), "seed {seed}");
    }
}
