//! The rules for records of features.

use rookery_stanza::BareJid;

use super::{account, credentials, jid};
use crate::data::{DataUpdate, DataWrite, DataWritten, Datum, Term};
use crate::error::StoreError;
use crate::{DataStore, Store};

const CARD: &str = "card";
const NOTE: &str = "note";

fn put(kind: &'static str, name: &str, value: &[u8]) -> DataWrite {
    DataWrite::Put {
        kind,
        name: name.to_owned(),
        value: value.to_vec(),
        terms: Vec::new(),
    }
}

/// A record that is found by these terms.
fn put_found(name: &str, terms: &[(&'static str, &str)]) -> DataWrite {
    let term = |(field, text): &(&'static str, &str)| Term {
        field,
        text: (*text).to_owned(),
    };
    DataWrite::Put {
        kind: CARD,
        name: name.to_owned(),
        value: name.as_bytes().to_vec(),
        terms: terms.iter().map(term).collect(),
    }
}

fn remove(kind: &'static str, name: &str) -> DataWrite {
    DataWrite::Remove {
        kind,
        name: name.to_owned(),
    }
}

fn datum(kind: &str, name: &str, value: &[u8]) -> Datum {
    Datum {
        kind: kind.to_owned(),
        name: name.to_owned(),
        value: value.to_vec(),
    }
}

async fn update(
    store: &impl DataStore,
    account: &BareJid,
    limit: u64,
    writes: Vec<DataWrite>,
) -> Result<DataWritten, StoreError> {
    let update = DataUpdate {
        account: account.clone(),
        writes,
        limit,
    };
    store.update_data(update).await
}

/// Makes changes that there is room for.
async fn change(
    store: &impl DataStore,
    account: &BareJid,
    writes: Vec<DataWrite>,
) -> Result<(), StoreError> {
    let written = update(store, account, u64::MAX, writes).await?;
    assert_eq!(written, DataWritten::Done);
    Ok(())
}

/// An account is loaded with the records of the kinds that were asked for, in order, every byte of them.
pub async fn records_come_back_with_the_account(store: &impl Store) -> Result<(), StoreError> {
    let romeo = account(store, "romeo@montague.example").await?;
    let all: Vec<u8> = (0..=u8::MAX).collect();
    let writes = vec![
        put(NOTE, "b", &all),
        put(NOTE, "a", b""),
        put(CARD, "", b"1"),
    ];
    change(store, &romeo, writes).await?;
    let loaded = |kinds: &'static [&'static str]| {
        let romeo = &romeo;
        async move {
            let state = store.load_account(romeo, kinds).await?;
            Ok::<_, StoreError>(state.map(|state| state.data))
        }
    };
    let notes = [datum(NOTE, "a", b""), datum(NOTE, "b", &all)];
    assert_eq!(loaded(&[NOTE]).await?.as_deref(), Some(&notes[..]));
    let [first, second] = notes;
    let both = [datum(CARD, "", b"1"), first, second];
    assert_eq!(loaded(&[NOTE, CARD]).await?.as_deref(), Some(&both[..]));
    assert_eq!(loaded(&[]).await?.as_deref(), Some(&[][..]));
    Ok(())
}

/// There is one record of a kind and name.
pub async fn a_record_takes_the_place_of_the_one_before(
    store: &impl Store,
) -> Result<(), StoreError> {
    let romeo = account(store, "romeo@montague.example").await?;
    change(store, &romeo, vec![put(NOTE, "a", b"1")]).await?;
    change(store, &romeo, vec![put(NOTE, "a", b"2")]).await?;
    let read = store.read_data(&romeo, NOTE, None).await?;
    assert_eq!(read, [datum(NOTE, "a", b"2")]);
    Ok(())
}

/// Records are read all together or one by one.
pub async fn records_are_read_by_kind_and_name(store: &impl Store) -> Result<(), StoreError> {
    let romeo = account(store, "romeo@montague.example").await?;
    let writes = vec![
        put(NOTE, "b", b"2"),
        put(NOTE, "a", b"1"),
        put(CARD, "a", b"3"),
    ];
    change(store, &romeo, writes).await?;
    let (first, second) = (datum(NOTE, "a", b"1"), datum(NOTE, "b", b"2"));
    let read = store.read_data(&romeo, NOTE, None).await?;
    assert_eq!(read, [first, second.clone()]);
    assert_eq!(store.read_data(&romeo, NOTE, Some("b")).await?, [second]);
    assert_eq!(store.read_data(&romeo, NOTE, Some("")).await?, []);
    Ok(())
}

/// Without an account nothing is found, and nothing is written.
pub async fn there_are_no_records_without_an_account(store: &impl Store) -> Result<(), StoreError> {
    let nobody = jid("nobody@montague.example");
    let written = update(store, &nobody, u64::MAX, vec![put(NOTE, "a", b"1")]).await?;
    assert_eq!(written, DataWritten::NoSuchAccount);
    assert_eq!(store.load_account(&nobody, &[NOTE]).await?, None);
    account(store, "nobody@montague.example").await?;
    assert_eq!(store.read_data(&nobody, NOTE, None).await?, []);
    Ok(())
}

/// The limit counts what the account has afterwards, names included; too much of it changes nothing.
pub async fn an_update_beyond_the_limit_changes_nothing(
    store: &impl Store,
) -> Result<(), StoreError> {
    let romeo = account(store, "romeo@montague.example").await?;
    let fits = update(store, &romeo, 6, vec![put(NOTE, "a", b"12345")]).await?;
    assert_eq!(fits, DataWritten::Done);
    let writes = vec![put(CARD, "b", b""), remove(NOTE, "b")];
    assert_eq!(update(store, &romeo, 6, writes).await?, DataWritten::Full);
    let writes = vec![remove(NOTE, "a"), put(NOTE, "c", b"123456")];
    assert_eq!(update(store, &romeo, 6, writes).await?, DataWritten::Full);
    let read = store.read_data(&romeo, NOTE, None).await?;
    assert_eq!(read, [datum(NOTE, "a", b"12345")]);
    assert_eq!(store.read_data(&romeo, CARD, None).await?, []);
    Ok(())
}

/// Who is above a limit that was lowered may still take away.
pub async fn an_update_that_makes_room_is_always_made(
    store: &impl Store,
) -> Result<(), StoreError> {
    let romeo = account(store, "romeo@montague.example").await?;
    change(store, &romeo, vec![put(NOTE, "a", &[0; 100])]).await?;
    let less = update(store, &romeo, 10, vec![put(NOTE, "a", &[0; 50])]).await?;
    assert_eq!(less, DataWritten::Done);
    let same = update(store, &romeo, 10, vec![put(NOTE, "a", &[1; 50])]).await?;
    assert_eq!(same, DataWritten::Full);
    Ok(())
}

/// Later writes of one update win.
pub async fn writes_to_records_are_made_in_order(store: &impl Store) -> Result<(), StoreError> {
    let romeo = account(store, "romeo@montague.example").await?;
    let writes = vec![
        put(NOTE, "a", b"1"),
        DataWrite::Clear { kind: NOTE },
        put(NOTE, "b", b"2"),
        put(NOTE, "c", b"3"),
        remove(NOTE, "c"),
        remove(NOTE, "d"),
    ];
    change(store, &romeo, writes).await?;
    let read = store.read_data(&romeo, NOTE, None).await?;
    assert_eq!(read, [datum(NOTE, "b", b"2")]);
    Ok(())
}

/// Nobody sees or changes the records of others.
pub async fn records_are_apart(store: &impl Store) -> Result<(), StoreError> {
    let romeo = account(store, "romeo@montague.example").await?;
    let juliet = account(store, "juliet@capulet.example").await?;
    change(store, &romeo, vec![put(NOTE, "a", b"1")]).await?;
    change(store, &juliet, vec![put(NOTE, "a", b"2")]).await?;
    change(store, &romeo, vec![DataWrite::Clear { kind: NOTE }]).await?;
    assert_eq!(store.read_data(&romeo, NOTE, None).await?, []);
    let read = store.read_data(&juliet, NOTE, None).await?;
    assert_eq!(read, [datum(NOTE, "a", b"2")]);
    Ok(())
}

/// A search finds those of a host that have all terms, in the order of their localparts, up to a limit.
pub async fn records_are_found_by_the_beginnings_of_their_terms(
    store: &impl Store,
) -> Result<(), StoreError> {
    let people = [
        ("romeo@montague.example", "romeo", "montague"),
        ("benvolio@montague.example", "ben", "montague"),
        ("lady@montague.example", "lady", "montagu_"),
        ("rosaline@capulet.example", "rosaline", "montague"),
    ];
    for (address, first, last) in people {
        let person = account(store, address).await?;
        let writes = vec![put_found(first, &[("first", first), ("last", last)])];
        change(store, &person, writes).await?;
    }
    let hidden = account(store, "hidden@montague.example").await?;
    change(store, &hidden, vec![put(CARD, "hidden", b"")]).await?;
    let found = |terms: &[(&'static str, &str)], limit| {
        let term = |(field, text): &(&'static str, &str)| Term {
            field,
            text: (*text).to_owned(),
        };
        let terms = terms.iter().map(term).collect();
        async move {
            let found = store.find_data("montague.example", CARD, terms, limit);
            let names = found.await?.into_iter().map(|(jid, datum)| {
                assert_eq!(datum.name.as_bytes(), datum.value);
                (jid.to_string(), datum.name)
            });
            Ok::<_, StoreError>(names.map(|(_, name)| name).collect::<Vec<_>>())
        }
    };
    assert_eq!(found(&[("last", "montague")], 9).await?, ["ben", "romeo"]);
    assert_eq!(found(&[("last", "montagu_")], 9).await?, ["lady"]);
    assert_eq!(found(&[("first", "r"), ("last", "m")], 9).await?, ["romeo"]);
    assert_eq!(found(&[("last", "romeo")], 9).await?, Vec::<String>::new());
    assert_eq!(found(&[], 2).await?, ["ben", "lady"]);
    Ok(())
}

/// Terms go with their record, and with their account.
pub async fn what_is_gone_is_found_no_more(store: &impl Store) -> Result<(), StoreError> {
    let count = || async {
        let found = store.find_data("montague.example", CARD, Vec::new(), 9);
        Ok::<_, StoreError>(found.await?.len())
    };
    let romeo = account(store, "romeo@montague.example").await?;
    change(store, &romeo, vec![put_found("a", &[("first", "romeo")])]).await?;
    assert_eq!(count().await?, 1);
    change(store, &romeo, vec![put(CARD, "a", b"")]).await?;
    assert_eq!(count().await?, 0);
    change(store, &romeo, vec![put_found("a", &[("first", "romeo")])]).await?;
    assert!(store.delete_account(&romeo).await?);
    assert_eq!(count().await?, 0);
    let created = vec![(romeo.clone(), credentials(1))];
    store.create_accounts(created).await?;
    assert_eq!(store.read_data(&romeo, CARD, None).await?, []);
    Ok(())
}
