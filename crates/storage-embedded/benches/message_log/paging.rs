//! Pages of an account with very many rows.

use bytes::Bytes;
use rookery_stanza::Jid;
use rookery_storage::message_log::{
    Appended, End, Filter, IngressId, MessageLog, NewMessage, NewRow, PageQuery, Paged, Purpose,
    RowId,
};
use rookery_storage_embedded::EmbeddedLog;
use tokio::time::Instant;

use crate::measured::{delays, micros, millis};
use crate::traffic::{PAYLOAD, START, account};
use crate::{folder, open_log};

/// The correspondent that three messages were exchanged with.
const RARE: &str = "rare@capulet.example";

async fn fill(log: &EmbeddedLog, rows: u64) -> Vec<RowId> {
    let payload = Bytes::from(vec![b'x'; PAYLOAD]);
    let message = |number: u64| {
        let with = match number {
            number if number % (rows / 3).max(1) == 7 => format!("{RARE}/balcony"),
            number => format!("friend{}@capulet.example/{}", number % 50, number % 3),
        };
        NewMessage {
            ingress: IngressId {
                session: number % 50,
                count: number,
            },
            received: START + number * 1000,
            origin: None,
            payload: payload.clone(),
            rows: vec![NewRow {
                account: account(0),
                epoch: 0,
                with: Jid::parse(&with).expect("a valid address"),
                purpose: Purpose::Archive,
            }],
        }
    };
    let mut ids = Vec::new();
    let mut number = 0;
    while number < rows {
        let batch = (number..rows.min(number + 4096)).map(message);
        let appended = log.append(batch.collect()).await.expect("room");
        number += appended.len() as u64;
        ids.extend(appended.iter().filter_map(|appended| match appended {
            Appended::At(id) => Some(*id),
            _ => None,
        }));
    }
    ids
}

pub(crate) async fn paging(rows: u64) {
    let folder = folder();
    let log = open_log(folder.path());
    let started = Instant::now();
    let ids = fill(&log, rows).await;
    log.span(&account(0)).await.expect("an archive");
    println!(
        "\n{rows} rows for one account were appended and indexed in {:?}\n",
        started.elapsed()
    );
    println!("| page of 50 | rows found | p50 ms | p99 ms | max ms |");
    println!("|---|---|---|---|---|");
    for (what, query) in queries(rows, ids.get(ids.len() / 2).copied()) {
        measure_page(&log, what, query).await;
    }
    log.close().await;
}

fn queries(rows: u64, middle: Option<RowId>) -> [(&'static str, PageQuery); 9] {
    let page = |with: &str, after, end| PageQuery {
        filter: Filter {
            with: Jid::parse(with).ok(),
            ..Filter::default()
        },
        after,
        before: None,
        end,
        limit: 50,
    };
    let mut by_time = page("", None, End::Oldest);
    by_time.filter.start = Some(START + rows * 500);
    let rare = format!("{RARE}/balcony");
    let friend = "friend7@capulet.example";
    [
        ("the last", page("", None, End::Newest)),
        ("the first", page("", None, End::Oldest)),
        ("in the middle, after an id", page("", middle, End::Oldest)),
        ("from a time on", by_time),
        ("with somebody rare", page(RARE, None, End::Oldest)),
        (
            "with somebody rare, full address",
            page(&rare, None, End::Newest),
        ),
        ("with a friend, the last", page(friend, None, End::Newest)),
        (
            "with a friend, full address, after an id",
            page(&format!("{friend}/1"), middle, End::Oldest),
        ),
        (
            "with a stranger",
            page("stranger@capulet.example", None, End::Oldest),
        ),
    ]
}

async fn measure_page(log: &EmbeddedLog, what: &str, query: PageQuery) {
    let mut delays = delays();
    let mut found = 0;
    for _ in 0..500 {
        let asked = Instant::now();
        let page = log.page(&account(0), query.clone()).await.expect("a page");
        delays.saturating_record(micros(asked));
        found = match page {
            Paged::Page(page) => page.rows.len(),
            Paged::NoSuchRow(_) => 0,
        };
    }
    println!(
        "| {what} | {found} | {} | {} | {} |",
        millis(delays.value_at_quantile(0.5)),
        millis(delays.value_at_quantile(0.99)),
        millis(delays.max()),
    );
}
