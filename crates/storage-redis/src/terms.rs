//! What records are found by: in the record's account, where it is true, and in lists of the host, which lead there.
//!
//! A list is on another server than the account, perhaps, and the two cannot change in one step. So an entry is there
//! before its record is, and goes after it: it may be there too long, and whoever follows it looks.

use futures_util::future::try_join_all;
use prost::Message;
use redis::cmd;
use rookery_stanza::BareJid;
use rookery_storage::{StoreError, Term};

use crate::keys::{self, PARTS};
use crate::queue::Crowded;
use crate::reply;
use crate::wire::Wire;

/// How many entries of one part are looked through for one term.
const ENTRIES: usize = 10_000;
/// What ends each part of an entry; no XML has it in it.
const END: char = '\0';

/// The terms of a record, as they are stored.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Terms {
    #[prost(message, repeated, tag = "1")]
    terms: Vec<TermMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct TermMessage {
    #[prost(string, tag = "1")]
    field: String,
    #[prost(string, tag = "2")]
    text: String,
}

/// An entry of the list of a kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) kind: String,
    pub(crate) member: String,
}

// === impl Terms ===

impl Terms {
    pub(crate) fn of(terms: &[Term]) -> Self {
        let message = |term: &Term| TermMessage {
            field: term.field.to_owned(),
            text: term.text.clone(),
        };
        Self {
            terms: terms.iter().map(message).collect(),
        }
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        self.encode_to_vec()
    }

    pub(crate) fn read(bytes: &[u8]) -> Result<Self, StoreError> {
        Self::decode(bytes)
            .map_err(|error| StoreError::Corrupt(format!("the terms of a record: {error}")))
    }

    /// Whether the record has, for each of `wanted`, a term that begins with it.
    pub(crate) fn have(&self, wanted: &[Term]) -> bool {
        let has = |wanted: &Term| {
            let mut terms = self.terms.iter();
            terms.any(|term| term.field == wanted.field && term.text.starts_with(&wanted.text))
        };
        !self.terms.is_empty() && wanted.iter().all(has)
    }

    /// The entries that lead to a record.
    pub(crate) fn entries(&self, account: &BareJid, kind: &str, name: &str) -> Vec<Entry> {
        let local = account.local().unwrap_or_default();
        let entry = |term: &TermMessage| Entry {
            kind: kind.to_owned(),
            member: format!("{}{END}{}{END}{local}{END}{name}", term.field, term.text),
        };
        self.terms.iter().map(entry).collect()
    }
}

/// Puts entries into the lists of the account's host.
pub(crate) async fn enter(
    wire: &Wire,
    account: &BareJid,
    entries: Vec<Entry>,
) -> Result<(), StoreError> {
    change(wire, account, entries, true).await
}

/// Takes entries out of the lists of the account's host.
pub(crate) async fn leave(
    wire: &Wire,
    account: &BareJid,
    entries: Vec<Entry>,
) -> Result<(), StoreError> {
    change(wire, account, entries, false).await
}

async fn change(
    wire: &Wire,
    account: &BareJid,
    entries: Vec<Entry>,
    enter: bool,
) -> Result<(), StoreError> {
    let part = wire.part(
        account.domain(),
        keys::part(account.local().unwrap_or_default()),
    );
    let command = |entry: Entry| {
        let mut command = cmd(if enter { "ZADD" } else { "ZREM" });
        command.arg(part.of_kind("found", &entry.kind));
        if enter {
            command.arg(0);
        }
        command.arg(entry.member);
        command
    };
    let commands: Vec<_> = entries.into_iter().map(command).collect();
    if !commands.is_empty() {
        wire.write(&part, commands, Crowded::Refuse).await?;
    }
    Ok(())
}

/// The entries of all records of an account.
pub(crate) async fn of_account(
    wire: &Wire,
    account: &BareJid,
    kinds: &[String],
) -> Result<Vec<Entry>, StoreError> {
    let keys = wire.keys(account);
    let commands = kinds.iter().map(|kind| {
        let mut command = cmd("HGETALL");
        command.arg(keys.of_kind("terms", kind));
        command
    });
    let commands: Vec<_> = commands.collect();
    let mut entries = Vec::new();
    if commands.is_empty() {
        return Ok(entries);
    }
    for (kind, answer) in kinds.iter().zip(wire.read(&keys, commands).await?) {
        for (name, terms) in reply::pairs(answer)? {
            let terms = Terms::read(&reply::bytes(terms)?)?;
            entries.extend(terms.entries(account, kind, &reply::text(name)?));
        }
    }
    Ok(entries)
}

/// Localparts and names of the records of a kind that may have all terms, in their order.
pub(crate) async fn find(
    wire: &Wire,
    host: &str,
    kind: &str,
    terms: &[Term],
) -> Result<Vec<(String, String)>, StoreError> {
    let parts = (0..PARTS).map(|part| find_in(wire, host, kind, terms, part));
    let mut found: Vec<_> = try_join_all(parts).await?.into_iter().flatten().collect();
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

async fn find_in(
    wire: &Wire,
    host: &str,
    kind: &str,
    terms: &[Term],
    part: u8,
) -> Result<Vec<(String, String)>, StoreError> {
    let keys = wire.part(host, part);
    // The longest text leads to the fewest; the record says whether it has the others.
    let longest = terms.iter().max_by_key(|term| term.text.len());
    let mut command = cmd("ZRANGEBYLEX");
    command.arg(keys.of_kind("found", kind));
    match longest {
        None => command.arg("-").arg("+"),
        Some(term) => {
            let begin = format!("[{}{END}{}", term.field, term.text);
            // No UTF-8 has this byte in it.
            let end = [
                format!("({}{END}{}", term.field, term.text).as_bytes(),
                b"\xff",
            ]
            .concat();
            command.arg(begin).arg(end)
        }
    };
    command.arg("LIMIT").arg(0).arg(ENTRIES);
    let answer = reply::one(wire.read(&keys, vec![command]).await?)?;
    let mut found = Vec::new();
    for member in reply::list(answer)? {
        let member = reply::text(member)?;
        let mut parts = member.splitn(4, END).skip(2);
        if let (Some(local), Some(name)) = (parts.next(), parts.next()) {
            found.push((local.to_owned(), name.to_owned()));
        }
    }
    Ok(found)
}
