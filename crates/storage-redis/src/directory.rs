//! The lists of a host: its accounts, and the accounts that have a log. Each list is cut into parts, so that no one server
//! has all of it.

use futures_util::future::try_join_all;
use redis::cmd;
use rookery_stanza::BareJid;
use rookery_storage::StoreError;

use crate::keys::{self, PARTS};
use crate::queue::Crowded;
use crate::reply;
use crate::wire::Wire;

/// A list.
#[derive(Clone, Copy, Debug)]
pub(crate) enum List {
    /// The accounts of a host. Some may be in it that do not exist.
    Accounts,
    /// Those that have a log.
    Logs,
}

// === impl List ===

impl List {
    fn name(self) -> &'static str {
        match self {
            Self::Accounts => "accounts",
            Self::Logs => "logs",
        }
    }
}

/// Puts accounts into a list.
pub(crate) async fn enter(wire: &Wire, list: List, account: &BareJid) -> Result<(), StoreError> {
    let local = account.local().unwrap_or_default();
    let part = wire.part(account.domain(), keys::part(local));
    let mut command = cmd("ZADD");
    command.arg(part.key(list.name())).arg(0).arg(local);
    wire.write(&part, vec![command], Crowded::Wait)
        .await
        .map(drop)
}

/// Takes an account out of a list.
pub(crate) async fn leave(wire: &Wire, list: List, account: &BareJid) -> Result<(), StoreError> {
    let local = account.local().unwrap_or_default();
    let part = wire.part(account.domain(), keys::part(local));
    let mut command = cmd("ZREM");
    command.arg(part.key(list.name())).arg(local);
    wire.write(&part, vec![command], Crowded::Wait)
        .await
        .map(drop)
}

/// Up to `limit` accounts of a list, in the order of their localparts, those after `after`.
pub(crate) async fn page(
    wire: &Wire,
    list: List,
    host: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<BareJid>, StoreError> {
    let from = after.map_or_else(|| "-".to_owned(), |after| format!("({after}"));
    let parts = (0..PARTS).map(|part| {
        let keys = wire.part(host, part);
        let mut command = cmd("ZRANGEBYLEX");
        command.arg(keys.key(list.name())).arg(&from).arg("+");
        command.arg("LIMIT").arg(0).arg(limit);
        async move { wire.read(&keys, vec![command]).await }
    });
    let mut locals = Vec::new();
    for answer in try_join_all(parts).await? {
        for local in reply::list(reply::one(answer)?)? {
            locals.push(reply::text(local)?);
        }
    }
    locals.sort_unstable();
    locals.truncate(limit);
    locals.iter().map(|local| address(host, local)).collect()
}

/// The account of this name.
pub(crate) fn address(host: &str, local: &str) -> Result<BareJid, StoreError> {
    let text = if local.is_empty() {
        host.to_owned()
    } else {
        format!("{local}@{host}")
    };
    BareJid::parse(&text)
        .map_err(|error| StoreError::Corrupt(format!("the name of an account: {error}")))
}
