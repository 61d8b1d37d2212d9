//! The record: one line for each case, with the reason for what it costs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;

use super::{BASELINE, InstructionsError, RECORD, wrong};
use crate::finding::Finding;
use crate::repository::Repository;

const HEADER: &str = "\
# What each case of benches/instructions costs. `cargo xtask instructions` fails when one costs more than a tenth
# more; `cargo xtask instructions --record \"why\"` writes what changed by more than a tenth, with the reason.
";

/// What a case costs once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cost {
    pub(super) instructions: u64,
    pub(super) allocations: u64,
}

/// The record.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Baseline {
    /// Of the machine that it was made on.
    pub(super) architecture: String,
    cases: BTreeMap<String, Entry>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    instructions: u64,
    allocations: u64,
    because: String,
}

// === impl Cost ===

impl Cost {
    /// Whether this is more than a tenth above the other, in instructions or in allocations.
    fn exceeds(self, other: Self) -> bool {
        self.instructions * 10 > other.instructions * 11
            || self.allocations * 10 > other.allocations * 11
    }
}

// === impl Baseline ===

impl Baseline {
    /// Reads the record; an absent one is empty.
    pub(super) fn read(repository: &Repository) -> Result<Self, InstructionsError> {
        if !repository.holds(BASELINE) {
            return Ok(Self {
                architecture: std::env::consts::ARCH.to_owned(),
                cases: BTreeMap::new(),
            });
        }
        let text = repository.text(BASELINE)?.unwrap_or_default();
        Ok(toml::from_str(&text)?)
    }

    /// What a case cost.
    pub(super) fn cost(&self, case: &str) -> Option<Cost> {
        self.cases.get(case).map(|entry| Cost {
            instructions: entry.instructions,
            allocations: entry.allocations,
        })
    }

    /// Cases that cost more than a tenth more, that are not recorded, or that are no more.
    pub(super) fn compare(&self, costs: &BTreeMap<String, Cost>) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (case, cost) in costs {
            match self.cost(case) {
                None => findings.push(wrong(format!("has no {case:?}; {RECORD}"))),
                Some(before) if cost.exceeds(before) => findings.push(wrong(format!(
                    "{case:?} costs {} instructions and {} allocations, recorded are {} and {}; mend that, or {RECORD}",
                    cost.instructions, cost.allocations, before.instructions, before.allocations
                ))),
                Some(_) => {}
            }
        }
        let gone = self.cases.keys().filter(|case| !costs.contains_key(*case));
        findings.extend(gone.map(|case| wrong(format!("there is no case {case:?}; {RECORD}"))));
        findings
    }

    /// How many cases cost a tenth less than recorded.
    pub(super) fn improved(&self, costs: &BTreeMap<String, Cost>) -> usize {
        let improved = |(case, cost): &(&String, &Cost)| {
            self.cost(case).is_some_and(|before| before.exceeds(**cost))
        };
        costs.iter().filter(improved).count()
    }

    /// Enters what changed by more than a tenth, and says how many those are.
    pub(super) fn update(&mut self, costs: &BTreeMap<String, Cost>, reason: &str) -> usize {
        std::env::consts::ARCH.clone_into(&mut self.architecture);
        self.cases.retain(|case, _| costs.contains_key(case));
        let mut changed = 0;
        for (case, cost) in costs {
            let same = self
                .cost(case)
                .is_some_and(|before| !cost.exceeds(before) && !before.exceeds(*cost));
            if !same {
                changed += 1;
                let entry = Entry {
                    instructions: cost.instructions,
                    allocations: cost.allocations,
                    because: reason.trim().to_owned(),
                };
                self.cases.insert(case.clone(), entry);
            }
        }
        changed
    }

    /// The record as it is written.
    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "{HEADER}architecture = {:?}\n\n[cases]\n",
            self.architecture
        );
        for (case, entry) in &self.cases {
            let Entry {
                instructions,
                allocations,
                because,
            } = entry;
            let because = toml::Value::from(because.as_str());
            // A string takes everything.
            writeln!(
                text,
                "{case:?} = {{ instructions = {instructions}, allocations = {allocations}, because = {because} }}"
            )
            .unwrap_or_default();
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn costs(instructions: u64, allocations: u64) -> BTreeMap<String, Cost> {
        let cost = Cost {
            instructions,
            allocations,
        };
        BTreeMap::from([("scan: a message".to_owned(), cost)])
    }

    fn recorded(instructions: u64, allocations: u64) -> Baseline {
        let mut baseline = Baseline {
            architecture: String::new(),
            cases: BTreeMap::new(),
        };
        assert_eq!(
            baseline.update(&costs(instructions, allocations), "first"),
            1
        );
        baseline
    }

    #[test]
    fn a_jump_of_more_than_a_tenth_is_found() {
        let baseline = recorded(1000, 10);
        assert!(baseline.compare(&costs(1100, 11)).is_empty());
        assert_eq!(baseline.compare(&costs(1101, 10)).len(), 1);
        assert_eq!(baseline.compare(&costs(1000, 12)).len(), 1);
        assert_eq!(recorded(1000, 0).compare(&costs(1000, 1)).len(), 1);
    }

    #[test]
    fn cases_without_a_record_and_records_without_a_case_are_found() {
        let baseline = recorded(1000, 10);
        assert_eq!(baseline.compare(&BTreeMap::new()).len(), 1);
        let other = BTreeMap::from([("other".to_owned(), costs(1, 1)["scan: a message"])]);
        assert_eq!(baseline.compare(&other).len(), 2);
    }

    #[test]
    fn only_what_changed_gets_the_new_reason() {
        let mut baseline = recorded(1000, 10);
        assert_eq!(baseline.update(&costs(1050, 10), "noise"), 0);
        assert_eq!(baseline.cost("scan: a message").unwrap().instructions, 1000);
        assert_eq!(baseline.improved(&costs(800, 10)), 1);
        assert_eq!(baseline.update(&costs(800, 10), "a \"better\" scanner"), 1);
        let text = baseline.text();
        let read: Baseline = toml::from_str(&text).unwrap();
        assert_eq!(
            read.cases["scan: a message"].because,
            "a \"better\" scanner"
        );
        assert_eq!(read.text(), text);
    }
}
