//! XEP-0494: what the owner of an account is told of its clients, and how one loses its access.

use rookery_stanza::{BareJid, ClientId};
use rookery_storage::record::Record as _;
use rookery_storage::{Client, DataWrite, StoreError};

use super::{Clients, KIND, tokens};
use crate::metrics::TokenEvent;

/// A client that has logged in to an account. Times are seconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownClient {
    /// Its id.
    pub id: ClientId,
    /// When it first logged in.
    pub first_seen: u64,
    /// When it logged in last, give or take an hour.
    pub last_seen: u64,
    /// The name of the software.
    pub software: Option<String>,
    /// The name of the device.
    pub device: Option<String>,
    /// Whether it has shown that it knows the password that the account has now.
    pub knows_password: bool,
    /// Whether it has a token that is good now.
    pub has_token: bool,
}

/// What came of taking a client's access back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// It has none any more.
    Done,
    /// There is no such client.
    Unknown,
    /// It knows the password, which has to be changed first (§"Revoking access").
    KnowsPassword,
}

// === impl Clients ===

impl Clients {
    /// The clients of an account, in no particular order: those that can log in, and others that were seen not too
    /// long ago.
    pub async fn list(&self, account: &BareJid) -> Result<Vec<KnownClient>, StoreError> {
        let salt = self.salt(account).await?;
        let records = self.inner.store.read_data(account, KIND, None).await?;
        let now = self.now();
        let mut known = Vec::with_capacity(records.len());
        for datum in records {
            let (Ok(id), Ok(client)) = (datum.name.parse(), Client::from_record(&datum.value))
            else {
                tracing::warn!(%account, client = datum.name, "a client cannot be read");
                continue;
            };
            let has_token = tokens::has_any(&client, &salt, now);
            let seen = now.saturating_sub(client.last_seen) <= self.inner.config.forget_seconds;
            if has_token || seen {
                known.push(KnownClient {
                    id,
                    first_seen: client.first_seen,
                    last_seen: client.last_seen,
                    knows_password: client.knows_password && client.salt == salt,
                    has_token,
                    software: client.software,
                    device: client.device,
                });
            }
        }
        Ok(known)
    }

    /// Takes the access of a client back, with its tokens; afterwards it is not known any more. Its sessions are
    /// not ended by this.
    pub async fn revoke(&self, account: &BareJid, id: ClientId) -> Result<Revocation, StoreError> {
        let _writing = self.write_alone(id).await;
        let salt = self.salt(account).await?;
        let Some(client) = self.read(account, id).await? else {
            return Ok(Revocation::Unknown);
        };
        if client.knows_password && client.salt == salt {
            return Ok(Revocation::KnowsPassword);
        }
        let name = id.to_string();
        let remove = DataWrite::Remove { kind: KIND, name };
        self.write(account, vec![remove]).await?;
        self.count(TokenEvent::Revoked);
        Ok(Revocation::Done)
    }

    /// The salt of the account's password.
    async fn salt(&self, account: &BareJid) -> Result<Vec<u8>, StoreError> {
        let credentials = self.inner.store.credentials(account).await?;
        let salt = credentials.map(|credentials| credentials.sha1.salt);
        Ok(salt.unwrap_or_default())
    }
}
