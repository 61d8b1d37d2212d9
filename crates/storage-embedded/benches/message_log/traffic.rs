//! Messages between many accounts.

use std::cell::Cell;

use bytes::Bytes;
use rookery_stanza::{BareJid, Jid};
use rookery_storage::message_log::{IngressId, NewMessage, NewRow, Purpose};
use tokio::time::Instant;

/// Accounts that messages are spread over.
pub(crate) const ACCOUNTS: u64 = 10_000;
/// Bytes of a message.
pub(crate) const PAYLOAD: usize = 300;
/// When the first message is received.
pub(crate) const START: u64 = 1_700_000_000_000;

/// Messages between accounts, each with two rows.
pub(crate) struct Traffic {
    accounts: Vec<BareJid>,
    addresses: Vec<Jid>,
    next: Cell<u64>,
    payload: Bytes,
    begun: Instant,
}

impl Traffic {
    pub(crate) fn new() -> Self {
        let accounts: Vec<BareJid> = (0..ACCOUNTS).map(account).collect();
        let address = |account: &BareJid| account.with_resource("phone").expect("a resource");
        Self {
            addresses: accounts.iter().map(address).collect(),
            accounts,
            next: Cell::new(0),
            payload: vec![b'x'; PAYLOAD].into(),
            begun: Instant::now(),
        }
    }

    fn pair(&self) -> (u64, usize, usize) {
        let number = self.next.get();
        self.next.set(number + 1);
        let pick = |number: u64| usize::try_from(number % ACCOUNTS).unwrap_or_default();
        (
            number,
            pick(number.wrapping_mul(7919)),
            pick(number.wrapping_mul(104_729) + 1),
        )
    }

    /// The next message, with a row for its sender and one that its recipient is owed.
    pub(crate) fn message(&self) -> (BareJid, NewMessage) {
        let (number, from, to) = self.pair();
        let row = |of: usize, with: usize, purpose| NewRow {
            account: self.accounts.get(of).expect("an account").clone(),
            epoch: 0,
            with: self.addresses.get(with).expect("an address").clone(),
            purpose,
        };
        let received = self.begun.elapsed().as_millis();
        let message = NewMessage {
            ingress: IngressId {
                session: from as u64,
                count: number,
            },
            received: START + u64::try_from(received).unwrap_or_default(),
            origin: None,
            payload: self.payload.clone(),
            rows: vec![
                row(from, to, Purpose::Archive),
                row(to, from, Purpose::Both(vec!["phone".to_owned()])),
            ],
        };
        (self.accounts.get(to).expect("an account").clone(), message)
    }
}

/// One of the accounts.
pub(crate) fn account(number: u64) -> BareJid {
    BareJid::parse(&format!("user{number}@montague.example")).expect("a valid address")
}
