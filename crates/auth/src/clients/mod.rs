//! The clients of accounts: which there are (XEP-0494), and the tokens that they log in with (XEP-0484).
//!
//! A client is an installation that gives itself a name (XEP-0388 §"Initiation"). What is kept of it is a record of
//! its account, which goes with the account; what it may do by its tokens ends when the account's password changes,
//! since the record names the salt of that password.
//!
//! * `identity` makes ids, resources and tokens from the server's secret;
//! * `tokens` says what becomes of a client's tokens, without I/O.

mod identity;
mod listing;
pub(crate) mod tokens;

use std::fmt;
use std::sync::Arc;

use rookery_lifecycle::Clock;
use rookery_stanza::{BareJid, ClientId};
use rookery_storage::record::Record as _;
use rookery_storage::{Client, DataUpdate, DataWrite, DataWritten, Store, StoreError, Token};
use rookery_stream::{GrantedToken, Grants, Wishes};
use rookery_telemetry::CounterFamily;
use tokio::sync::{Mutex, MutexGuard};

use self::identity::Seal;
pub use self::listing::{KnownClient, Revocation};
use self::tokens::{Issue, PLACES, Place, Refused};
use crate::config::{ClientsConfig, Config, FastConfig};
use crate::hashed_token::Secret;
use crate::metrics::TokenEvent;

/// The kind of the records.
const KIND: &str = "client";
/// How many clients can be written at once; two that share a place wait for each other.
const PLACES_TO_WRITE: usize = 64;
/// After how many seconds it is written down again that a client was seen.
const SEEN: u64 = 3600;

/// The clients of all accounts. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct Clients {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn Store>,
    seal: Seal,
    clock: Clock,
    fast: FastConfig,
    config: ClientsConfig,
    events: CounterFamily<TokenEvent>,
    writing: [Mutex<()>; PLACES_TO_WRITE],
}

/// A client that logs in with a token, and that nobody else writes meanwhile.
pub(crate) struct Held<'a> {
    _writing: MutexGuard<'a, ()>,
    account: BareJid,
    id: ClientId,
    client: Client,
    salt: Vec<u8>,
    /// Its tokens, made up where there is none.
    pub(crate) tokens: [Candidate; 2],
}

/// A token that the client may have.
pub(crate) struct Candidate {
    /// The token.
    pub(crate) secret: Secret,
    /// Where it is, unless it is made up.
    pub(crate) place: Option<Place>,
}

/// Who has logged in without a token.
pub(crate) struct Arrival<'a> {
    /// The account.
    pub(crate) account: &'a BareJid,
    /// The salt of the password that the account had when its keys were read.
    pub(crate) salt: Option<&'a [u8]>,
    /// Whether the client has shown that it knows the password.
    pub(crate) knows_password: bool,
    /// What it says and wants.
    pub(crate) wishes: &'a Wishes,
    /// The mechanism that it may have a token for, if it wants one.
    pub(crate) token: Option<&'a str>,
}

/// Why a login with a token fails although the client has the token.
#[derive(Debug)]
pub(crate) enum TokenFailure {
    /// See there.
    Refused(Refused),
    /// It could not be written down that the token was used.
    Store(StoreError),
}

// === impl Clients ===

impl Clients {
    pub(crate) fn new(
        config: &Config,
        store: Arc<dyn Store>,
        clock: Clock,
        secret: [u8; 32],
        events: CounterFamily<TokenEvent>,
    ) -> Self {
        let inner = Inner {
            store,
            seal: Seal::new(secret),
            clock,
            fast: config.fast.clone(),
            config: config.clients.clone(),
            events,
            writing: std::array::from_fn(|_| Mutex::new(())),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Whom a client is that says this of itself.
    fn identify(&self, account: &BareJid, agent: &str) -> Grants {
        Grants {
            client: Some(self.inner.seal.client(account, agent)),
            resource: Some(self.inner.seal.resource(account, agent)),
            token: None,
        }
    }

    /// The tokens that a client has for a mechanism. It takes the same for an account or a client that does not
    /// exist.
    pub(crate) async fn hold(
        &self,
        account: &BareJid,
        agent: &str,
        mechanism: &str,
    ) -> Result<Held<'_>, StoreError> {
        let inner = &self.inner;
        let id = inner.seal.client(account, agent);
        let writing = self.write_alone(id).await;
        let credentials = inner.store.credentials(account).await?;
        let client = self.read(account, id).await?.unwrap_or_default();
        let tokens = PLACES.map(|place| {
            let token = tokens::at(&client, place, mechanism);
            let made_up = Token {
                seed: Vec::new(),
                mechanism: String::new(),
                issued: 0,
                expires: 0,
                count: 0,
            };
            let place = token.is_some().then_some(place);
            Candidate {
                secret: inner.seal.token(account, id, token.unwrap_or(&made_up)),
                place: place.filter(|_| credentials.is_some()),
            }
        });
        Ok(Held {
            _writing: writing,
            account: account.clone(),
            id,
            client,
            salt: credentials
                .map(|credentials| credentials.sha1.salt)
                .unwrap_or_default(),
            tokens,
        })
    }

    /// A client has logged in with the token at this place. It is written down before the client knows.
    pub(crate) async fn used(
        &self,
        held: Held<'_>,
        place: Place,
        wishes: &Wishes,
        wanted: Option<&str>,
    ) -> Result<Grants, TokenFailure> {
        let now = self.now();
        let used = wishes.fast.unwrap_or_default();
        let mut client = held.client.clone();
        if let Err(refused) = tokens::take(&mut client, place, used, &held.salt, now) {
            self.count(match refused {
                Refused::Expired => TokenEvent::Expired,
                Refused::Replayed => TokenEvent::Replayed,
            });
            return Err(TokenFailure::Refused(refused));
        }
        let due = || tokens::due(&client, &self.inner.fast, now).filter(|_| !used.invalidate);
        let mechanism = wanted.map(str::to_owned).or_else(due);
        let mut grants = Grants {
            token: mechanism.and_then(|mechanism| {
                self.issue(&held.account, held.id, &mut client, &mechanism, now)
            }),
            client: Some(held.id),
            resource: wishes
                .agent
                .as_deref()
                .map(|agent| self.inner.seal.resource(&held.account, agent)),
        };
        if used.invalidate {
            self.count(TokenEvent::Invalidated);
        }
        update(&mut client, wishes, now);
        if client == held.client {
            return Ok(grants);
        }
        let written = self.write(&held.account, vec![put(held.id, &client)]).await;
        match written.map_err(TokenFailure::Store)? {
            DataWritten::Done => Ok(grants),
            // The account is going: what it is given is worth nothing.
            DataWritten::NoSuchAccount | DataWritten::Full => {
                grants.token = None;
                Ok(grants)
            }
        }
    }

    /// A client has logged in by another way. When it cannot be remembered it is let in all the same, without a
    /// token.
    pub(crate) async fn arrived(&self, arrival: Arrival<'_>) -> Grants {
        let Some(agent) = arrival.wishes.agent.as_deref() else {
            return Grants::default();
        };
        let mut grants = self.identify(arrival.account, agent);
        let (Some(id), Some(salt)) = (grants.client, arrival.salt) else {
            return grants;
        };
        if arrival.token.is_none() && !self.inner.config.remember {
            return grants;
        }
        match self.remember(&arrival, id, salt).await {
            Ok(token) => grants.token = token,
            Err(error) => {
                tracing::warn!(account = %arrival.account, %error, "a client could not be remembered");
            }
        }
        grants
    }

    async fn remember(
        &self,
        arrival: &Arrival<'_>,
        id: ClientId,
        salt: &[u8],
    ) -> Result<Option<GrantedToken>, StoreError> {
        let (account, now) = (arrival.account, self.now());
        let _writing = self.write_alone(id).await;
        let known = self.read(account, id).await?;
        let mut client = known.clone().unwrap_or(Client {
            first_seen: now,
            ..Client::default()
        });
        if client.salt != salt {
            client = Client {
                salt: salt.to_vec(),
                knows_password: false,
                current: None,
                fresh: None,
                ..client
            };
        }
        client.knows_password |= arrival.knows_password;
        update(&mut client, arrival.wishes, now);
        let token = arrival
            .token
            .and_then(|mechanism| self.issue(account, id, &mut client, mechanism, now));
        if known.as_ref() == Some(&client) {
            return Ok(None);
        }
        let mut writes = vec![put(id, &client)];
        if known.is_none() {
            writes.extend(self.make_room(account, now).await?);
        }
        match self.write(account, writes).await? {
            DataWritten::Done => Ok(token),
            DataWritten::NoSuchAccount | DataWritten::Full => Ok(None),
        }
    }

    /// Forgets clients that were not seen for too long, and as many more as there must be for one to come.
    async fn make_room(&self, account: &BareJid, now: u64) -> Result<Vec<DataWrite>, StoreError> {
        let records = self.inner.store.read_data(account, KIND, None).await?;
        let mut seen: Vec<(u64, String)> = records
            .into_iter()
            .map(|datum| {
                // What cannot be read is of no use to anybody.
                let client = Client::from_record(&datum.value).unwrap_or_default();
                (client.last_seen, datum.name)
            })
            .collect();
        seen.sort_unstable();
        let keep = self.inner.config.per_account.saturating_sub(1);
        let over = seen.len().saturating_sub(keep);
        let forget = self.inner.config.forget_seconds;
        let gone = seen.into_iter().enumerate().filter(|(at, (last_seen, _))| {
            let evicted = *at < over;
            if evicted {
                self.count(TokenEvent::Evicted);
            }
            evicted || now.saturating_sub(*last_seen) > forget
        });
        Ok(gone
            .map(|(_, (_, name))| DataWrite::Remove { kind: KIND, name })
            .collect())
    }

    /// Gives the client a token, unless the system has no randomness.
    fn issue(
        &self,
        account: &BareJid,
        id: ClientId,
        client: &mut Client,
        mechanism: &str,
        now: u64,
    ) -> Option<GrantedToken> {
        let mut seed = [0; 16];
        if let Err(error) = getrandom::fill(&mut seed) {
            tracing::error!(%error, "the system gives no random numbers");
            return None;
        }
        let new = Issue {
            mechanism,
            seed,
            now,
        };
        tokens::issue(client, &new, &self.inner.fast);
        self.count(TokenEvent::Issued);
        let token = client.fresh.as_ref()?;
        let secret = self.inner.seal.token(account, id, token);
        Some(GrantedToken {
            token: secret.0.to_string(),
            expiry: i64::try_from(token.expires.saturating_mul(1000)).unwrap_or(i64::MAX),
        })
    }

    /// Waits until nobody else writes this client.
    async fn write_alone(&self, id: ClientId) -> MutexGuard<'_, ()> {
        let [first, others @ ..] = &self.inner.writing;
        let [byte, ..] = id.bytes();
        let place = usize::from(byte) % PLACES_TO_WRITE;
        let place = place.checked_sub(1).and_then(|place| others.get(place));
        place.unwrap_or(first).lock().await
    }

    async fn read(&self, account: &BareJid, id: ClientId) -> Result<Option<Client>, StoreError> {
        let name = id.to_string();
        let records = self
            .inner
            .store
            .read_data(account, KIND, Some(&name))
            .await?;
        let record = records
            .first()
            .map(|datum| Client::from_record(&datum.value));
        record.transpose()
    }

    async fn write(
        &self,
        account: &BareJid,
        writes: Vec<DataWrite>,
    ) -> Result<DataWritten, StoreError> {
        let update = DataUpdate {
            account: account.clone(),
            writes,
            // Their number is bounded, and each is small.
            limit: i64::MAX.unsigned_abs(),
        };
        self.inner.store.update_data(update).await
    }

    /// Seconds since 1970.
    fn now(&self) -> u64 {
        self.inner.clock.unix_millis() / 1000
    }

    fn count(&self, event: TokenEvent) {
        self.inner.events.of(event).increment();
    }
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients")
            .field("config", &self.inner.config)
            .finish_non_exhaustive()
    }
}

fn put(id: ClientId, client: &Client) -> DataWrite {
    DataWrite::Put {
        kind: KIND,
        name: id.to_string(),
        value: client.to_record(),
        terms: Vec::new(),
    }
}

/// Takes note of what a client says of itself, and that it was seen, unless that is not long ago.
fn update(client: &mut Client, wishes: &Wishes, now: u64) {
    if now.saturating_sub(client.last_seen) >= SEEN {
        client.last_seen = now;
    }
    if wishes.software.is_some() {
        client.software.clone_from(&wishes.software);
    }
    if wishes.device.is_some() {
        client.device.clone_from(&wishes.device);
    }
}
