//! What cannot be opened ends in an error that says what to do.

#![cfg(test)]

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use rookery_stanza::BareJid;
use rookery_storage::{
    AccountStore, Append, Appended, Credentials, DataStore, DataUpdate, DataWrite, DataWritten,
    OfflineLimit, OfflineMessage, OfflineStore, ScramKeys,
};
use rookery_storage_embedded::{Config, EmbeddedStore, OpenError};
use rookery_telemetry::Registry;

fn open(path: &Path) -> Result<Arc<EmbeddedStore>, OpenError> {
    EmbeddedStore::open(path, &Config::default(), &Registry::new())
}

/// The words of the error that opening ends in.
fn refusal(path: &Path) -> String {
    open(path).unwrap_err().to_string()
}

/// Makes a store with 1000 accounts and closes it.
async fn make(path: &Path) {
    let store = open(path).unwrap();
    let keys = ScramKeys {
        salt: vec![1; 16],
        iterations: 10_000,
        stored_key: vec![2; 64],
        server_key: vec![3; 64],
    };
    let credentials = Credentials {
        sha1: keys.clone(),
        sha256: keys.clone(),
        sha512: keys,
    };
    let account = |number| BareJid::parse(&format!("user{number}@montague.example")).unwrap();
    let accounts = (0..1000)
        .map(|number| (account(number), credentials.clone()))
        .collect();
    store.create_accounts(accounts).await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn a_store_in_use_names_the_process_and_is_free_after_closing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let store = open(&path).unwrap();
    let words = refusal(&path);
    assert!(
        words.contains(&format!("in use by process {}", std::process::id())),
        "{words}"
    );
    store.close().await;
    open(&path).unwrap().close().await;
}

#[tokio::test]
async fn only_its_user_can_read_a_store() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.sqlite");
    let store = open(&path).unwrap();
    for file in ["store.sqlite", "store.sqlite-wal", "store.sqlite-shm"] {
        let mode = fs::metadata(directory.path().join(file))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    store.close().await;
}

#[tokio::test]
async fn a_store_of_the_first_schema_is_brought_up_to_date() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.sqlite");
    let first = rusqlite::Connection::open(&path).unwrap();
    first
        .execute_batch(include_str!("../src/schema/1.sql"))
        .unwrap();
    first
        .execute_batch(
            "PRAGMA application_id = 0x526f6f6b; PRAGMA user_version = 1;
             INSERT INTO accounts (host, local, offline_last, offline_held)
             VALUES ('montague.example', 'romeo', 1, 1);
             INSERT INTO offline_messages SELECT id, 1, zeroblob(100) FROM accounts;",
        )
        .unwrap();
    drop(first);

    let store = open(&path).unwrap();
    let romeo = BareJid::parse("romeo@montague.example").unwrap();
    assert_eq!(store.account_exists(&romeo).await, Ok(true));
    let update = DataUpdate {
        account: romeo.clone(),
        writes: vec![DataWrite::Put {
            kind: "note",
            name: String::new(),
            value: b"1".to_vec(),
            terms: Vec::new(),
        }],
        limit: 1,
    };
    assert_eq!(store.update_data(update).await, Ok(DataWritten::Done));
    let state = store.load_account(&romeo, &["note"]).await.unwrap();
    assert_eq!(state.map(|state| state.data.len()), Some(1));
    let message = OfflineMessage {
        received: 0,
        xml: Vec::new(),
    };
    let append = |account: &BareJid| Append {
        account: account.clone(),
        message: message.clone(),
    };
    let limit = OfflineLimit {
        messages: 10,
        bytes: 100,
    };
    let appended = store.append_offline(vec![append(&romeo)], limit).await;
    assert_eq!(appended, Ok(vec![Appended::QueueFull]), "bytes are known");
    store.remove_offline(&romeo, 1).await.unwrap();
    let appended = store.append_offline(vec![append(&romeo)], limit).await;
    assert_eq!(appended, Ok(vec![Appended::At(2)]));
    store.close().await;
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    make(&path).await;
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    connection.close().unwrap();
    let before = fs::read(&path).unwrap();
    let words = refusal(&path);
    assert!(
        words.contains("schema version 99") && words.contains("newer rookery"),
        "{words}"
    );
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn the_database_of_another_program_is_refused_and_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .execute_batch("CREATE TABLE photographs (id INTEGER PRIMARY KEY)")
        .unwrap();
    connection.close().unwrap();
    let before = fs::read(&path).unwrap();
    assert!(refusal(&path).contains("is not a store of rookery"));
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let text = "Dear diary, ".repeat(1000);
    fs::write(&path, &text).unwrap();
    assert!(refusal(&path).contains("is not a store of rookery"));
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test]
async fn a_damaged_file_is_refused_wherever_the_damage_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    make(&path).await;
    let whole = fs::read(&path).unwrap();
    let pages = whole.len() / 4096;
    assert!(pages > 20, "{pages} pages");
    for page in [1, pages / 2, pages - 1] {
        fs::write(&path, &whole).unwrap();
        let mut file = fs::File::options().write(true).open(&path).unwrap();
        file.seek(SeekFrom::Start(page as u64 * 4096)).unwrap();
        file.write_all(&[0xa5; 4096]).unwrap();
        let words = refusal(&path);
        assert!(
            words.contains("is damaged") && words.contains("backup"),
            "page {page}: {words}"
        );
    }
    fs::write(&path, whole.split_at(whole.len() / 2).0).unwrap();
    let words = refusal(&path);
    assert!(words.contains("is damaged"), "cut in half: {words}");
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("missing/store.db");
    let words = refusal(&path);
    assert!(
        words.contains("missing/store.db cannot be written"),
        "{words}"
    );
    assert!(words.contains("its directory must exist"), "{words}");
}
