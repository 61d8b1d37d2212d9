//! Values that mean something to Redis, to its scripts, or to hash tags, are only values here.

use rookery_stanza::Jid;
use rookery_storage::message_log::{Filter, MessageLog, PageQuery, Paged, Purpose};
use rookery_storage::{AccountStore, DataStore, DataUpdate, DataWrite, DataWritten, Datum, Term};

use crate::messages::{account, append, credentials, message};
use crate::servers::Lodging;

const ACCOUNTS: [&str; 8] = [
    "}@a.example",
    "{@a.example",
    "{}@a.example",
    "}.rows@a.example",
    "%7d@a.example",
    "*?[a]@a.example",
    "(@a.example",
    "\u{434}\u{436}@a.example",
];

#[tokio::test(flavor = "multi_thread")]
async fn accounts_with_odd_names_are_apart_and_have_everything() {
    let lodging = Lodging::alone().await;
    let accounts: Vec<_> = ACCOUNTS.iter().map(|text| account(text)).collect();
    let new = accounts
        .iter()
        .map(|account| (account.clone(), credentials()))
        .collect();
    lodging.create_accounts(new).await.unwrap();
    for (nth, one) in (0..).zip(&accounts) {
        append(&*lodging.store, message(one, nth)).await.unwrap();
    }
    for (nth, one) in (0..).zip(&accounts) {
        let rows = lodging.read_owed(one, None, 10).await.unwrap();
        assert_eq!(rows.len(), 1, "{one}");
        assert_eq!(rows[0].payload, message(one, nth).payload);
    }
    let mut expected: Vec<_> = accounts
        .iter()
        .map(|account| account.local().unwrap().to_owned())
        .collect();
    expected.sort();
    for list in [
        lodging.list_accounts("a.example", None, 100).await.unwrap(),
        lodging.logs("a.example", None, 100).await.unwrap(),
    ] {
        let listed: Vec<_> = list
            .iter()
            .map(|account| account.local().unwrap().to_owned())
            .collect();
        assert_eq!(listed, expected);
    }
    for (before, after) in expected.iter().zip(&expected[1..]) {
        let next = lodging.logs("a.example", Some(before), 1).await.unwrap();
        assert_eq!(next[0].local(), Some(after.as_str()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_byte_of_a_row_survives() {
    let lodging = Lodging::alone().await;
    let romeo = account("romeo@montague.example");
    let long = vec![0xff; 70_000];
    let payloads = [
        &b""[..],
        b"\r\n*1\r\n$8\r\nFLUSHALL\r\n",
        b"\0\0",
        b"'); redis.call('FLUSHALL') --",
        &long,
    ];
    for (nth, payload) in (0..).zip(payloads) {
        let mut message = message(&romeo, nth);
        message.payload = payload.to_vec().into();
        message.rows[0].with = Jid::parse("juliet@capulet.example/}{ \u{1F409} *").unwrap();
        message.rows[0].purpose = Purpose::Both(vec!["}{ \u{1F409}".to_owned(), String::new()]);
        append(&*lodging.store, message.clone()).await.unwrap();
        let with = Some(message.rows[0].with.clone());
        let query = PageQuery {
            filter: Filter {
                with,
                ..Filter::default()
            },
            limit: 100,
            ..PageQuery::default()
        };
        let Paged::Page(page) = lodging.page(&romeo, query).await.unwrap() else {
            panic!()
        };
        let row = page.rows.last().unwrap();
        assert_eq!(
            (&row.payload, &row.purpose),
            (&message.payload, &message.rows[0].purpose)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_terms_of_records_may_be_anything() {
    let lodging = Lodging::alone().await;
    let romeo = account("romeo@montague.example");
    lodging
        .create_accounts(vec![(romeo.clone(), credentials())])
        .await
        .unwrap();
    for name in [
        "",
        "1 2",
        "\0",
        "a\0b\0c\0d",
        "\u{ffff}",
        "(",
        "[",
        "-",
        "+",
    ] {
        let text = format!("{name}text");
        let update = DataUpdate {
            account: romeo.clone(),
            writes: vec![DataWrite::Put {
                kind: "note",
                name: name.to_owned(),
                value: name.as_bytes().to_vec(),
                terms: vec![Term {
                    field: "first",
                    text: text.replace('\0', ""),
                }],
            }],
            limit: u64::MAX,
        };
        assert_eq!(lodging.update_data(update).await, Ok(DataWritten::Done));
        let datum = Datum {
            kind: "note".to_owned(),
            name: name.to_owned(),
            value: name.as_bytes().to_vec(),
        };
        assert_eq!(
            lodging.read_data(&romeo, "note", Some(name)).await,
            Ok(vec![datum.clone()])
        );
        let terms = vec![Term {
            field: "first",
            text: text.replace('\0', ""),
        }];
        let found = lodging
            .find_data("montague.example", "note", terms, 10)
            .await
            .unwrap();
        assert!(
            found.contains(&(romeo.clone(), datum)),
            "{name:?}: {found:?}"
        );
    }
    assert!(lodging.delete_account(&romeo).await.unwrap());
    let found = lodging
        .find_data("montague.example", "note", Vec::new(), 10)
        .await
        .unwrap();
    assert_eq!(found, []);
}
