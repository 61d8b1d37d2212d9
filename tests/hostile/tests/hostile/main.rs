//! The table of hostile inputs, row by row, against a real server: each gets the condition that the standard
//! names, and after each the server still serves others.
//!
//! The rows are in `table`; `table/README.md` says how they are written.

#![cfg(test)]

mod acts;
mod company;
mod component;
mod judge;
mod row;
mod scram;
mod template;

use std::collections::BTreeSet;

use futures_util::FutureExt as _;
use futures_util::future::join_all;

use crate::acts::ACTS;
use crate::company::{Company, Witness};
use crate::row::{Row, Stage};

/// Acts wait more than they do.
const ACTS_AT_ONCE: usize = 4;
/// No row less than this may be left.
const ROWS: usize = 200;

/// Plays a row, and says what went wrong.
async fn play(company: &Company, number: (usize, usize), row: &Row) -> Result<(), String> {
    let source = company::source(number.0, number.1);
    if row.stage == Stage::Act {
        let act = ACTS.iter().find(|(name, _)| row.sent == [*name]);
        let (_, act) = act.ok_or("there is no such act")?;
        return act(company, source)
            .await
            .map_err(|error| error.to_string());
    }
    let user = format!("hostile-{}", row.theme);
    let brought = match row.stage {
        Stage::Component | Stage::Greeted | Stage::Joined => {
            component::bring(company.components, source, row.stage).await
        }
        stage => Company::bring(&company.server, source, &user, stage).await,
    };
    let mut client = brought.map_err(|error| format!("before anything hostile: {error}"))?;
    for (text, outcome) in row.sent.iter().zip(&row.outcomes) {
        let bytes = template::expand(text, &user, client.jid());
        judge::sent(client.send(bytes).await)?;
        judge::judge(&mut client, row.stage, outcome).await?;
    }
    Ok(())
}

/// Plays the rows of a theme, one after the other, and what takes time several at once.
async fn theme(company: &Company, number: usize, rows: &[Row]) -> Vec<String> {
    let mut failures = Vec::new();
    let name = rows.first().map_or("", |row| row.theme);
    let mut witnesses = Vec::new();
    for server in [&company.server, &company.frugal] {
        witnesses.push(Witness::arrive(server, &format!("witness-{name}")).await);
    }
    let (acts, rows): (Vec<_>, Vec<_>) = rows
        .iter()
        .enumerate()
        .partition(|(_, row)| row.stage == Stage::Act);
    let groups = rows.chunks(1).chain(acts.chunks(ACTS_AT_ONCE));
    for group in groups {
        let play = group
            .iter()
            .map(|(index, row)| play(company, (number, *index), row));
        for ((_, row), played) in group.iter().zip(join_all(play).await) {
            failures.extend(played.err().map(|it| row.failure(&it)));
        }
        // Rows that are no acts are at the first server.
        let at_hand = match group[0].1.stage {
            Stage::Act => witnesses.len(),
            _ => 1,
        };
        for witness in witnesses.iter_mut().take(at_hand) {
            let served = witness.is_served().await.err();
            failures.extend(served.map(|it| group[0].1.failure(&it)));
        }
    }
    failures
}

#[tokio::test]
async fn each_hostile_input_gets_what_the_standard_names_and_others_are_served() {
    let themes = Row::all();
    let names = themes
        .iter()
        .filter_map(|rows| rows.first())
        .map(|row| row.theme);
    let accounts = names.flat_map(|name| [format!("hostile-{name}"), format!("witness-{name}")]);
    let company = Company::gather(accounts.chain(acts::accounts()).collect()).await;
    let play = themes.iter().enumerate();
    let play = play.map(|(number, rows)| theme(&company, number, rows).boxed_local());
    let failures = join_all(play).await.concat();
    assert!(
        failures.is_empty(),
        "{} rows fail:\n{}",
        failures.len(),
        failures.join("\n")
    );
    for server in company.servers() {
        let mut witness = Witness::arrive(server, "friend").await;
        assert_eq!(witness.is_served().await, Ok(()));
        assert_eq!(
            server.metric("rookery_panics_total").await.unwrap(),
            Some(0.0)
        );
    }
}

#[test]
fn each_row_has_a_name_of_its_own_and_there_are_enough() {
    let rows = Row::all().concat();
    let names: BTreeSet<_> = rows.iter().map(|row| (row.theme, row.id)).collect();
    assert_eq!(names.len(), rows.len());
    assert!(rows.len() >= ROWS, "{}", rows.len());
}

#[test]
fn each_act_is_a_row_and_each_row_of_that_kind_an_act() {
    let rows = Row::all().concat();
    let rows = rows.iter().filter(|row| row.stage == Stage::Act);
    let rows: BTreeSet<_> = rows.flat_map(|row| row.sent.clone()).collect();
    let acts: BTreeSet<_> = ACTS.iter().map(|(name, _)| *name).collect();
    assert_eq!(rows, acts);
    assert_eq!(acts.len(), ACTS.len());
}
