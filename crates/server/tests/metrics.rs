//! What `/metrics` of a running server says, and whether it says it by the rules of Prometheus.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rookery_testkit::{Client, Options, Server};

/// More series than this are too many for one node.
const BUDGET: usize = 8_000;

/// What is told after two clients talked.
const AFTERWARDS: [(&str, f64); 20] = [
    ("sessions{host=\"localhost\",state=\"active\"}", 2.0),
    ("users_online{host=\"localhost\"}", 2.0),
    ("sessions_by_security", 2.0),
    ("logins_total", 2.0),
    ("login_duration_seconds_count{profile=\"legacy\"}", 2.0),
    (
        "stanzas_total{direction=\"in\",kind=\"message\",origin=\"c2s\",type=\"chat\"}",
        3.0,
    ),
    (
        "stanzas_total{direction=\"in\",kind=\"presence\",origin=\"c2s\",type=\"available\"}",
        1.0,
    ),
    (
        "stanzas_total{direction=\"out\",kind=\"message\",origin=\"c2s\",type=\"chat\"}",
        1.0,
    ),
    (
        "stanzas_total{direction=\"out\",kind=\"message\",origin=\"c2s\",type=\"error\"}",
        2.0,
    ),
    (
        "stanza_errors_total{condition=\"jid-malformed\",kind=\"message\"}",
        1.0,
    ),
    (
        "stanza_errors_total{condition=\"remote-server-not-found\",kind=\"message\"}",
        1.0,
    ),
    (
        "message_delivery_duration_seconds_count{path=\"offline\"}",
        1.0,
    ),
    // Bob's message, and the error for Alice.
    (
        "message_delivery_duration_seconds_count{path=\"local\"}",
        2.0,
    ),
    ("messages_lost_total", 0.0),
    ("messages_in_flight", 0.0),
    ("mailbox_messages", 0.0),
    ("store_queue_operations", 0.0),
    ("session_queue_bytes", 0.0),
    ("config_last_reload_successful", 1.0),
    ("build_info", 1.0),
];

async fn server(accounts: &[&str]) -> Server {
    let accounts = accounts.iter().map(|&account| account.to_owned()).collect();
    let options = Options {
        extra: "\n[auth]\niterations = 4096\n".to_owned(),
        accounts,
        ..Options::default()
    };
    Server::start(options).await.unwrap()
}

/// Sends a request that the server answers after everything before it.
async fn wait(client: &mut Client, id: &str) {
    let ping =
        format!("<iq type='get' id='{id}' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>");
    client.send(ping).await.unwrap();
    while client.element().await.unwrap().attribute("id") != Some(id) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_tell_what_two_clients_have_done() {
    let server = server(&["alice", "bob", "carol"]).await;
    let mut alice = server.log_in("alice", "phone").await.unwrap();
    let mut bob = server.log_in("bob", "desk").await.unwrap();
    bob.send("<presence/>").await.unwrap();
    wait(&mut bob, "p1").await;
    let body = "<body>Wherefore art thou?</body>";
    for to in ["bob@localhost", "carol@localhost"] {
        let message = format!("<message to='{to}' type='chat'>{body}</message>");
        alice.send(message).await.unwrap();
    }
    // The first cannot be read; the second can, and its recipient is not served.
    alice.send("<message to='@'/>").await.unwrap();
    let abroad = "<message to='romeo@elsewhere.example' type='chat'/>";
    alice.send(abroad).await.unwrap();
    wait(&mut alice, "p2").await;
    while bob.element().await.unwrap().name() != "message" {}

    for (series, value) in AFTERWARDS {
        let series = format!("rookery_{series}");
        server.until_metric(&series, value).await.unwrap();
    }
    let of_stanzas = "rookery_stanza_bytes_sum{direction=\"in\",origin=\"c2s\"}";
    assert!(server.metric(of_stanzas).await.unwrap() > Some(200.0));
    let since = "rookery_config_last_reload_success_timestamp_seconds";
    assert!(server.metric(since).await.unwrap() > Some(1.7e9));
    let in_memory = "rookery_actors{actor=\"account\"}";
    server.until_metric(in_memory, 3.0).await.unwrap();

    drop((alice, bob));
    for gone in [
        "rookery_sessions",
        "rookery_users_online",
        "rookery_sessions_by_security",
    ] {
        server.until_metric(gone, 0.0).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_its_client_gives_up_is_counted() {
    let options = Options {
        extra: "\n[stream]\nnegotiation_timeout_seconds = 1\nclose_timeout_seconds = 1\n"
            .to_owned(),
        ..Options::default()
    };
    let server = Server::start(options).await.unwrap();
    let trust = server.trust(&[]).unwrap();
    let mut client = Client::connect(server.c2s).await.unwrap();
    client.open("localhost").await.unwrap();
    client.start_tls(&trust, "localhost").await.unwrap();
    client.open("localhost").await.unwrap();
    let auth = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-256'>biwsbj1hLHI9Yg==</auth>";
    client.send(auth).await.unwrap();
    let late = "rookery_logins_total{mechanism=\"SCRAM-SHA-256\",profile=\"legacy\",result=\"timeout\",transport=\"tcp\"}";
    server.until_metric(late, 1.0).await.unwrap();
}

/// A family as it is exposed.
#[derive(Default)]
struct Exposed {
    kind: String,
    help: String,
    series: BTreeSet<String>,
}

/// Reads the text format, and fails on what `promtool check metrics` complains of.
fn checked(text: &str) -> BTreeMap<String, Exposed> {
    let mut families: BTreeMap<String, Exposed> = BTreeMap::new();
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').unwrap();
            let family = families.entry(name.to_owned()).or_default();
            assert!(family.help.is_empty(), "{name} is explained twice");
            help.clone_into(&mut family.help);
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            let family = families.entry(name.to_owned()).or_default();
            assert!(family.kind.is_empty(), "{name} has two types");
            kind.clone_into(&mut family.kind);
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<f64>().is_ok(), "{line}");
            let name = series.split_once('{').map_or(series, |(name, _)| name);
            let of_histogram = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| {
                let name = name.strip_suffix(suffix)?;
                families.get(name)?.kind.eq("histogram").then_some(name)
            });
            let family = families.get_mut(of_histogram.unwrap_or(name));
            let family = family.unwrap_or_else(|| panic!("{line} has no HELP and TYPE"));
            assert!(
                family.series.insert(series.to_owned()),
                "{series} comes twice"
            );
        }
    }
    for (name, family) in &families {
        check(name, family);
    }
    families
}

fn check(name: &str, family: &Exposed) {
    let Exposed { kind, help, series } = family;
    assert!(!help.is_empty() && !series.is_empty(), "{name} is empty");
    assert_eq!(
        kind == "counter",
        name.ends_with("_total"),
        "{name} is a {kind}"
    );
    let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    assert!(name.bytes().all(is_name), "{name}");
    for bad in ["_bucket", "_sum", "_count"] {
        assert!(
            !name.ends_with(bad),
            "{name} looks like a part of a histogram"
        );
    }
    for (unit, base) in [
        ("milliseconds", "seconds"),
        ("minutes", "seconds"),
        ("kilobytes", "bytes"),
        ("percent", "ratio"),
    ] {
        assert!(!name.contains(unit), "{name}: {base} are the unit");
    }
    if kind == "histogram" {
        let is_unit = name.ends_with("_seconds") || name.ends_with("_bytes");
        assert!(is_unit, "{name} does not name its unit");
        let endless = series
            .iter()
            .filter(|series| series.contains("le=\"+Inf\""));
        let counts = series.iter().filter(|series| series.contains("_count"));
        assert_eq!(endless.count(), counts.count(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_keep_to_the_rules_and_to_their_reference() {
    let server = server(&[]).await;
    let (_, text) = server.get("/metrics").await.unwrap();
    let families = checked(&text);
    let series: usize = families.values().map(|family| family.series.len()).sum();
    let said = format!("rookery_metrics_series {series}\n");
    assert!(text.contains(&said), "{series} are not what is said");
    assert!(series < BUDGET, "{series} series are too many");

    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operations/metrics.md");
    let reference = std::fs::read_to_string(reference).unwrap();
    let described: BTreeMap<&str, &str> = reference
        .lines()
        .filter_map(|line| {
            let (name, rest) = line.strip_prefix("| `")?.split_once("` | ")?;
            Some((name, rest.split_once(" | ")?.0))
        })
        .collect();
    let exposed: BTreeMap<&str, &str> = families
        .iter()
        .map(|(name, family)| (name.as_str(), family.kind.as_str()))
        .collect();
    for (name, kind) in &exposed {
        assert_eq!(
            described.get(name),
            Some(kind),
            "{name}: run cargo xtask docs"
        );
    }
    assert_eq!(exposed.len(), described.len(), "run cargo xtask docs");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_operators_are_told_to_watch_exists() {
    let server = server(&[]).await;
    let (_, text) = server.get("/metrics").await.unwrap();
    let families = checked(&text);
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operations/running.md");
    let page = std::fs::read_to_string(page).unwrap();
    let is_part = |byte: char| byte.is_ascii_alphanumeric() || byte == '_';
    let named: BTreeSet<&str> = page
        .split(|byte| !is_part(byte))
        .filter(|word| word.starts_with("rookery_") || word.starts_with("process_"))
        .collect();
    assert!(named.len() > 20, "{named:?}");
    for name in named {
        let whole = ["_bucket", "_count"]
            .iter()
            .find_map(|part| name.strip_suffix(part));
        let known =
            families.contains_key(name) || whole.is_some_and(|name| families.contains_key(name));
        assert!(known, "there is no {name}");
    }
}
