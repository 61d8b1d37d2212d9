//! The embedded message log passes the suite of all message logs, and keeps what it was given when it is opened again.

#![cfg(test)]

use std::fs;
use std::num::{NonZeroU32, NonZeroUsize};
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use rookery_stanza::{BareJid, Jid};
use rookery_storage::StoreError;
use rookery_storage::message_log::{
    Appended, Filter, IngressId, MessageLog, NewMessage, NewRow, Opened, Page, PageQuery, Paged,
    Purpose, Retention, Row, RowId, Tail,
};
use rookery_storage_embedded::{EmbeddedLog, LogConfig, OpenError, check_log, repair_log};
use rookery_telemetry::Registry;
use tempfile::TempDir;

/// When the first message is received.
const START: u64 = 1_700_000_000_000;
/// An hour, in milliseconds.
const HOUR: u64 = 60 * 60 * 1000;

/// A log with the folder that it lives in.
struct Lodging {
    log: Arc<EmbeddedLog>,
    folder: TempDir,
}

impl Lodging {
    fn open(config: &LogConfig) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = open(folder.path(), config).unwrap();
        Self { log, folder }
    }

    /// Closes the log, does something to its files, and opens it again.
    async fn reopen(&mut self, meanwhile: impl FnOnce(&Path)) {
        self.log.close().await;
        meanwhile(self.folder.path());
        self.log = open(self.folder.path(), &LogConfig::default()).unwrap();
    }

    fn segments(&self) -> Vec<u64> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let names = entries.filter_map(|entry| entry.unwrap().file_name().into_string().ok());
        let number = |name: String| {
            let number = name.strip_prefix("messages-")?.strip_suffix(".log")?;
            number.parse().ok()
        };
        let mut numbers: Vec<u64> = names.filter_map(number).collect();
        numbers.sort_unstable();
        numbers
    }
}

impl Deref for Lodging {
    type Target = EmbeddedLog;

    fn deref(&self) -> &EmbeddedLog {
        &self.log
    }
}

rookery_storage::message_log_suite!(async || Lodging::open(&LogConfig::default()));

fn open(folder: &Path, config: &LogConfig) -> Result<Arc<EmbeddedLog>, OpenError> {
    EmbeddedLog::open(folder, config, &Registry::new())
}

fn small_segments() -> LogConfig {
    LogConfig {
        segment_bytes: NonZeroU32::new(64 << 10).unwrap(),
        index_delay_seconds: 0,
        clearing: Duration::from_millis(20),
        ..LogConfig::default()
    }
}

fn romeo() -> BareJid {
    BareJid::parse("romeo@montague.example").unwrap()
}

fn message(mark: u64, purpose: Purpose) -> NewMessage {
    NewMessage {
        ingress: IngressId {
            session: 1,
            count: mark,
        },
        received: START + mark,
        origin: None,
        payload: format!("{mark:0>1000}").into(),
        rows: vec![NewRow {
            account: romeo(),
            epoch: 0,
            with: Jid::parse("juliet@capulet.example/balcony").unwrap(),
            purpose,
        }],
    }
}

async fn add(log: &EmbeddedLog, mark: u64, purpose: Purpose) -> RowId {
    let appended = log.append(vec![message(mark, purpose)]).await.unwrap();
    let [Appended::At(id)] = appended.as_slice() else {
        panic!("not appended: {appended:?}");
    };
    *id
}

async fn fill(log: &EmbeddedLog, marks: std::ops::Range<u64>) -> Vec<RowId> {
    let mut ids = Vec::new();
    let messages = marks.map(|mark| message(mark, Purpose::Archive));
    let messages: Vec<NewMessage> = messages.collect();
    // What is appended at once lies in one segment.
    for some in messages.chunks(20) {
        for appended in log.append(some.to_vec()).await.unwrap() {
            match appended {
                Appended::At(id) => ids.push(id),
                other => panic!("not appended: {other:?}"),
            }
        }
    }
    ids
}

async fn archive(log: &EmbeddedLog) -> Vec<Row> {
    let query = PageQuery {
        limit: 1_000_000,
        ..PageQuery::default()
    };
    match log.page(&romeo(), query).await.unwrap() {
        Paged::Page(Page { rows, .. }) => rows,
        Paged::NoSuchRow(id) => panic!("no row {id}"),
    }
}

fn ids(rows: &[Row]) -> Vec<RowId> {
    rows.iter().map(|row| row.id).collect()
}

#[tokio::test]
async fn a_log_that_is_opened_again_is_what_it_was() {
    let mut log = Lodging::open(&LogConfig::default());
    let both = Purpose::Both(vec!["balcony".to_owned()]);
    let archived = fill(&log, 0..100).await;
    let waiting = add(&log, 100, both.clone()).await;
    let had = add(&log, 101, both).await;
    log.confirm(&romeo(), vec![had]).await.unwrap();
    log.replace(&romeo(), archived[5], "a tombstone".into())
        .await
        .unwrap();
    log.open(&romeo(), 7).await.unwrap();
    let before = archive(&log).await;
    log.reopen(|_| ()).await;

    assert_eq!(archive(&log).await, before);
    assert_eq!(before[5].payload, "a tombstone");
    let owed = log.read_owed(&romeo(), None, 10).await.unwrap();
    assert_eq!(ids(&owed), [waiting]);
    let again = log
        .append(vec![message(3, Purpose::Archive)])
        .await
        .unwrap();
    assert_eq!(again, [Appended::Fenced { epoch: 7 }]);
    let tail = Tail {
        last: Some(had),
        owed: 1,
    };
    assert_eq!(log.open(&romeo(), 7).await, Ok(Opened::Home(tail)));
    let mut again = message(3, Purpose::Archive);
    again.rows[0].epoch = 7;
    let again = log.append(vec![again]).await.unwrap();
    assert_eq!(again, [Appended::Repeat(archived[3])]);
}

#[tokio::test]
async fn an_index_that_is_gone_is_made_again_from_the_log() {
    let mut log = Lodging::open(&small_segments());
    fill(&log, 0..500).await;
    let had = add(&log, 500, Purpose::Both(Vec::new())).await;
    log.confirm(&romeo(), vec![had]).await.unwrap();
    let before = archive(&log).await;
    assert!(log.segments().len() > 5);
    log.reopen(remove_index).await;
    assert_eq!(archive(&log).await, before);
    assert_eq!(log.read_owed(&romeo(), None, 10).await, Ok(Vec::new()));
}

/// Messages for somebody else, so that segments fill.
async fn fill_for(log: &EmbeddedLog, account: &BareJid, marks: std::ops::Range<u64>) {
    for mark in marks {
        let mut message = message(mark, Purpose::Archive);
        message.rows[0].account = account.clone();
        log.append(vec![message]).await.unwrap();
    }
}

fn remove_index(folder: &Path) {
    for name in ["messages.db", "messages.db-wal", "messages.db-shm"] {
        drop(fs::remove_file(folder.join(name)));
    }
}

#[tokio::test]
async fn an_index_that_is_made_again_knows_what_given_up_segments_said() {
    let mut log = Lodging::open(&small_segments());
    let juliet = BareJid::parse("juliet@capulet.example").unwrap();
    let nurse = BareJid::parse("nurse@capulet.example").unwrap();
    // A row that stays, and one of an account that is erased, in the first segment.
    let waiting = add(&log, 0, Purpose::Both(Vec::new())).await;
    fill_for(&log, &nurse, 0..1).await;
    // The segment that says so goes, for all the rest of it is removed.
    fill_for(&log, &juliet, 0..100).await;
    log.erase(&nurse).await.unwrap();
    log.open(&romeo(), 7).await.unwrap();
    fill_for(&log, &juliet, 100..400).await;
    let segments = log.segments();
    assert!(segments.len() > 4);
    let retention = Retention {
        rows: 1,
        ..Retention::forever(START + 2 * HOUR)
    };
    while log.trim(&juliet, retention, 100).await.unwrap().more {}
    until(|| !log.segments().contains(&segments[2])).await;
    until(|| !log.segments().contains(&segments[0])).await;
    log.reopen(remove_index).await;

    let owed = log.read_owed(&romeo(), None, 10).await.unwrap();
    assert_eq!(ids(&owed), [waiting]);
    assert_eq!(log.span(&nurse).await, Ok(None));
    let fenced = log.append(vec![message(1, Purpose::Archive)]).await;
    assert_eq!(fenced, Ok(vec![Appended::Fenced { epoch: 7 }]));
}

#[tokio::test]
async fn an_index_that_is_made_again_has_nothing_of_an_erased_log_but_of_the_one_after_it() {
    let mut log = Lodging::open(&small_segments());
    let juliet = BareJid::parse("juliet@capulet.example").unwrap();
    // One row keeps the first segment, many rows keep it from being emptied.
    fill(&log, 0..30).await;
    let nurse = BareJid::parse("nurse@capulet.example").unwrap();
    fill_for(&log, &nurse, 0..5).await;
    fill_for(&log, &juliet, 0..100).await;
    let before = log.segments();
    log.erase(&nurse).await.unwrap();
    fill_for(&log, &nurse, 7..8).await;
    fill_for(&log, &juliet, 100..200).await;
    log.trim(
        &juliet,
        Retention {
            rows: 1,
            ..Retention::forever(START + 2 * HOUR)
        },
        1000,
    )
    .await
    .unwrap();
    let said = *before.last().unwrap();
    until(|| !log.segments().contains(&said)).await;
    assert!(log.segments().contains(&before[0]));
    log.reopen(remove_index).await;
    assert_eq!(log.count(&nurse, Filter::default(), 10).await, Ok(1));
    assert_eq!(log.count(&romeo(), Filter::default(), 100).await, Ok(30));
}

#[tokio::test]
async fn a_segment_that_is_missing_is_named_at_the_start() {
    let log = Lodging::open(&LogConfig::default());
    fill(&log, 0..10).await;
    log.close().await;
    fs::remove_file(log.folder.path().join("messages-0000000001.log")).unwrap();
    let error = open(log.folder.path(), &LogConfig::default()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("messages-0000000001.log is missing"),
        "{error}"
    );
}

#[tokio::test]
async fn a_log_is_open_once() {
    let log = Lodging::open(&LogConfig::default());
    let error = open(log.folder.path(), &LogConfig::default()).unwrap_err();
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    log.close().await;
    open(log.folder.path(), &LogConfig::default()).unwrap();
}

#[tokio::test]
async fn a_closed_log_refuses_what_comes_later() {
    let log = Lodging::open(&LogConfig::default());
    log.close().await;
    log.close().await;
    let closed = |error| matches!(error, StoreError::Unavailable(_));
    let append = log.append(vec![message(0, Purpose::Archive)]).await;
    assert!(append.is_err_and(closed));
    assert!(log.span(&romeo()).await.is_err_and(closed));
}

#[tokio::test]
async fn who_finds_no_room_waits_and_nobody_overtakes() {
    let config = LogConfig {
        queue: NonZeroUsize::new(3).unwrap(),
        queue_bytes: NonZeroU32::new(2000).unwrap(),
        batch: NonZeroUsize::new(2).unwrap(),
        ..LogConfig::default()
    };
    let log = Lodging::open(&config);
    // Most take more than half of the room; some take more than there is.
    let message = |mark: u64| {
        let mut message = message(mark, Purpose::Archive);
        message.payload = vec![b'x'; usize::try_from(mark % 7).unwrap() * 500].into();
        message
    };
    let all = join_all((0..200).map(|mark| log.append(vec![message(mark)]))).await;
    let all: Vec<Vec<Appended>> = all.into_iter().map(Result::unwrap).collect();
    let appended = archive(&log).await;
    assert_eq!(appended.len(), 200);
    for (mark, (row, answer)) in (0..).zip(appended.iter().zip(&all)) {
        assert_eq!(row.ingress.count, mark);
        assert_eq!(answer[..], [Appended::At(row.id)]);
    }
}

#[tokio::test]
async fn a_damaged_record_costs_only_itself() {
    let mut log = Lodging::open(&LogConfig::default());
    let rows = fill(&log, 0..3).await;
    log.reopen(|folder| {
        let path = folder.join("messages-0000000001.log");
        let mut bytes = fs::read(&path).unwrap();
        let at = bytes
            .windows(3)
            .position(|window| window == b"001")
            .unwrap();
        bytes[at] = b'7';
        fs::write(path, bytes).unwrap();
    })
    .await;
    let read = async |id| log.rows(&romeo(), vec![id]).await;
    assert!(read(rows[0]).await.is_ok_and(|rows| rows[0].is_some()));
    assert!(
        read(rows[1])
            .await
            .is_err_and(|error| matches!(error, StoreError::Corrupt(_)))
    );
    assert!(read(rows[2]).await.is_ok_and(|rows| rows[0].is_some()));
}

/// Runs a work with a log whose index somebody else holds, so that it cannot be written.
async fn with_a_locked_index(work: impl AsyncFnOnce(&EmbeddedLog)) {
    let log = Lodging::open(&LogConfig::default());
    let other = rusqlite::Connection::open(log.folder.path().join("messages.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    work(&log).await;
    other.execute_batch("ROLLBACK").unwrap();
    log.close().await;
}

#[tokio::test]
async fn no_read_waits_for_the_index() {
    with_a_locked_index(async |log| {
        let archived = fill(log, 0..10).await;
        let waiting = add(log, 10, Purpose::Both(Vec::new())).await;
        let had = add(log, 11, Purpose::Both(Vec::new())).await;
        log.confirm(&romeo(), vec![had]).await.unwrap();
        let payload = "a tombstone".into();
        let replaced = log.replace(&romeo(), archived[3], payload).await;
        assert_eq!(replaced, Ok(true));
        let tail = Tail {
            last: Some(had),
            owed: 1,
        };
        assert_eq!(log.tail(&romeo()).await, Ok(tail));
        let owed = log.read_owed(&romeo(), None, 10).await.unwrap();
        assert_eq!(ids(&owed), [waiting]);
        assert_eq!(archive(log).await.len(), 12);
        let rows = log.rows(&romeo(), vec![archived[3]]).await.unwrap();
        assert!(
            rows.iter()
                .flatten()
                .any(|row| row.payload == "a tombstone")
        );
        let repeat = log.append(vec![message(0, Purpose::Archive)]).await;
        assert_eq!(repeat, Ok(vec![Appended::Repeat(archived[0])]));
        assert_eq!(log.open(&romeo(), 7).await, Ok(Opened::Home(tail)));
        log.erase(&romeo()).await.unwrap();
        assert_eq!(log.span(&romeo()).await, Ok(None));
    })
    .await;
}

#[tokio::test]
async fn damage_before_acknowledged_messages_is_not_taken_for_the_end() {
    let log = Lodging::open(&LogConfig::default());
    for mark in 0..3 {
        add(&log, mark, Purpose::Archive).await;
    }
    // As after a crash: nothing of it was put into the index.
    let folder = tempfile::tempdir().unwrap();
    let name = "messages-0000000001.log";
    let mut bytes = fs::read(log.folder.path().join(name)).unwrap();
    let copy = |bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    copy(&bytes);
    let whole = open(folder.path(), &LogConfig::default()).unwrap();
    assert_eq!(archive(&whole).await.len(), 3);
    whole.close().await;

    let at = bytes
        .windows(3)
        .position(|window| window == b"001")
        .unwrap();
    bytes[at] = b'7';
    copy(&bytes);
    fs::remove_file(folder.path().join("messages.db")).unwrap();
    let error = open(folder.path(), &LogConfig::default()).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, OpenError::Corrupt { .. }), "{text}");
    assert!(
        text.contains(name) && text.contains("acknowledged"),
        "{text}"
    );
    log.close().await;
}

/// Waits until the indexer, which clears up once in a while, has given segments up.
async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn what_retention_has_removed_gives_its_room_back() {
    let mut log = Lodging::open(&small_segments());
    let waiting = add(&log, 0, Purpose::Both(Vec::new())).await;
    fill(&log, 1..1000).await;
    let first = log.segments()[0];
    assert!(log.segments().len() > 10);
    let retention = Retention {
        rows: 10,
        ..Retention::forever(START + 2 * HOUR)
    };
    while log.trim(&romeo(), retention, 100).await.unwrap().more {}
    // The oldest row is owed still, and has to move out of its segment first.
    until(|| !log.segments().contains(&first) && log.segments().len() < 5).await;
    let owed = log.read_owed(&romeo(), None, 10).await.unwrap();
    assert_eq!(ids(&owed), [waiting]);
    assert_eq!(owed[0].payload, message(0, Purpose::Archive).payload);
    let left = archive(&log).await;
    assert_eq!(left.len(), 10);
    log.reopen(|_| ()).await;
    assert_eq!(archive(&log).await, left);
    assert_eq!(log.read_owed(&romeo(), None, 10).await, Ok(owed));
}

#[tokio::test]
async fn an_erased_log_gives_its_room_back() {
    let log = Lodging::open(&small_segments());
    fill(&log, 0..1000).await;
    log.erase(&romeo()).await.unwrap();
    until(|| log.segments().len() < 4).await;
    let rest = fill(&log, 0..10).await;
    assert_eq!(ids(&archive(&log).await), rest);
    assert_eq!(log.count(&romeo(), Filter::default(), 100).await, Ok(10));
}

// === looking through, and repairing ===

/// Damages every record that has one of these marks.
fn damage(folder: &Path, marks: &[&[u8]]) {
    for name in fs::read_dir(folder).unwrap() {
        let path = name.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "log") {
            continue;
        }
        let mut bytes = fs::read(&path).unwrap();
        for mark in marks {
            let found = bytes.windows(mark.len()).position(|some| some == *mark);
            if let Some(at) = found {
                bytes[at] = b'x';
            }
        }
        fs::write(path, bytes).unwrap();
    }
}

/// Repairs a closed log, which was found to have these losses, by account and id.
fn repaired(folder: &Path) -> Vec<RowId> {
    let found = check_log(folder).unwrap();
    assert!(!found.is_whole(), "{found}");
    assert_eq!(repair_log(folder).unwrap(), found);
    let again = check_log(folder).unwrap();
    assert!(again.is_whole(), "{again}");
    let lost = found.losses.iter().flat_map(|loss| &loss.rows);
    lost.map(|row| {
        assert_eq!(row.account, romeo().as_str());
        row.id
    })
    .collect()
}

#[tokio::test]
async fn a_log_that_is_whole_is_found_to_be_so_and_is_looked_at_by_one_process_only() {
    let log = Lodging::open(&small_segments());
    fill(&log, 0..300).await;
    let folder = log.folder.path();
    let in_use = check_log(folder).map(|found| found.to_string());
    assert!(matches!(in_use, Err(OpenError::InUse { .. })), "{in_use:?}");
    log.close().await;
    let found = check_log(folder).unwrap();
    assert!(found.is_whole() && found.records == 300, "{found}");
    let before = archive_files(folder);
    assert!(repair_log(folder).unwrap().is_whole());
    assert_eq!(archive_files(folder), before, "nothing was written");
}

fn archive_files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let mut files: Vec<(String, Vec<u8>)> = entries
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read(entry.path()).unwrap())
        })
        .filter(|(name, _)| name.contains("messages-"))
        .collect();
    files.sort();
    files
}

#[tokio::test]
async fn a_repaired_log_has_lost_what_was_damaged_and_nothing_else() {
    let mut log = Lodging::open(&small_segments());
    let ids = fill(&log, 0..300).await;
    let mut lost = Vec::new();
    log.reopen(|folder| {
        damage(folder, &[b"0000120", b"0000201", b"0000202", b"0000203"]);
        lost = repaired(folder);
        let kept = fs::read_dir(folder).unwrap();
        let kept = kept.filter(|entry| {
            let name = entry.as_ref().unwrap().file_name().into_string().unwrap();
            name.ends_with(".damaged")
        });
        assert!(kept.count() > 0, "the damaged files are kept");
    })
    .await;
    assert_eq!(lost, [ids[120], ids[201], ids[202], ids[203]]);
    let left: Vec<RowId> = ids.into_iter().filter(|id| !lost.contains(id)).collect();
    assert_eq!(self::ids(&archive(&log).await), left);
    let next = add(&log, 300, Purpose::Archive).await;
    assert!(left.iter().all(|id| *id < next));
}

#[tokio::test]
async fn a_log_that_does_not_open_does_so_when_it_was_repaired() {
    let log = Lodging::open(&LogConfig::default());
    for mark in 0..6 {
        add(&log, mark, Purpose::Archive).await;
    }
    // As after a crash: nothing of it was put into the index.
    let folder = tempfile::tempdir().unwrap();
    let name = "messages-0000000001.log";
    fs::copy(log.folder.path().join(name), folder.path().join(name)).unwrap();
    log.close().await;
    damage(folder.path(), &[b"0000002"]);
    assert!(open(folder.path(), &LogConfig::default()).is_err());
    let lost = repaired(folder.path());
    assert!(lost.is_empty(), "the index knew nothing of it");
    let log = open(folder.path(), &LogConfig::default()).unwrap();
    let marks = archive(&log).await.into_iter();
    let marks: Vec<u64> = marks.map(|row| row.ingress.count).collect();
    assert_eq!(marks, [0, 1, 3, 4, 5]);
    log.close().await;
}

#[tokio::test]
async fn the_end_of_a_file_and_a_whole_file_that_are_gone_are_named() {
    let mut log = Lodging::open(&small_segments());
    let ids = fill(&log, 0..300).await;
    let mut lost = Vec::new();
    let segments = log.segments();
    log.reopen(|folder| {
        let file = |number: usize| folder.join(format!("messages-{:010}.log", segments[number]));
        let bytes = fs::read(file(0)).unwrap();
        let last = bytes.iter().rposition(|byte| *byte != 0).unwrap();
        fs::write(file(0), &bytes[..last - 500]).unwrap();
        let mut bytes = fs::read(file(1)).unwrap();
        bytes[..20].fill(7);
        fs::write(file(1), bytes).unwrap();
        fs::remove_file(file(2)).unwrap();
        lost = repaired(folder);
    })
    .await;
    lost.sort();
    assert!(lost.len() > 20 && lost.len() < 200, "{}", lost.len());
    let left: Vec<RowId> = ids.into_iter().filter(|id| !lost.contains(id)).collect();
    assert_eq!(self::ids(&archive(&log).await), left);
}
