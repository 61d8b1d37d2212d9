//! Carries requests out.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use rookery_auth::{AccountError, Accounts, NewAccount};
use rookery_stanza::BareJid;
use rookery_telemetry::{Label, Registry};

use crate::metrics::{Method, Metrics};
use crate::request::{MOST_USERS, NewUser, Request, Response};

/// The sessions of accounts, as far as administration is concerned.
#[async_trait]
pub trait Sessions: Send + Sync + fmt::Debug {
    /// Ends all sessions of an account, because it is gone or its password is another.
    async fn end(&self, account: &BareJid);
}

/// Everything that an operator can do. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Operations {
    accounts: Accounts,
    hosts: Arc<[String]>,
    sessions: Option<Arc<dyn Sessions>>,
    metrics: Metrics,
}

// === impl Operations ===

impl Operations {
    /// Operations on these accounts of these hosts, whose sessions are reached by `sessions`; there are
    /// none while no server runs.
    pub fn new(
        accounts: Accounts,
        hosts: Vec<String>,
        sessions: Option<Arc<dyn Sessions>>,
        registry: &Registry,
    ) -> Self {
        let metrics = Metrics::register(registry);
        Self {
            accounts,
            hosts: hosts.into(),
            sessions,
            metrics,
        }
    }

    /// Carries a request out.
    pub async fn perform(&self, request: Request) -> Response {
        let method = Method::of(&request);
        let response = match request {
            Request::AddUser(user) => done(self.add(user).await),
            Request::DeleteUser { jid } => done(self.delete(&jid).await),
            Request::SetPassword(user) => done(self.set_password(user).await),
            Request::UserExists { jid } => match self.accounts.exists(&jid).await {
                Ok(exists) => Response::Exists { exists },
                Err(error) => refusal(&error),
            },
            Request::ListHosts => Response::Hosts {
                hosts: self.hosts.to_vec(),
            },
            Request::ListUsers { host, after } => self.list(&host, after.as_deref()).await,
            Request::ImportUsers { users } => self.import(users).await,
        };
        tracing::info!(
            operation = method.value(),
            outcome = outcome(&response),
            "administration"
        );
        self.metrics.count(method, &response);
        response
    }

    async fn add(&self, user: NewUser) -> Result<(), AccountError> {
        self.accounts
            .create(&user.jid, user.password.0)
            .await
            .map(drop)
    }

    async fn delete(&self, jid: &str) -> Result<(), AccountError> {
        let account = self.accounts.delete(jid).await?;
        self.end_sessions(&account).await;
        Ok(())
    }

    async fn set_password(&self, user: NewUser) -> Result<(), AccountError> {
        let account = self.accounts.address(&user.jid)?;
        self.accounts
            .set_password(&user.jid, user.password.0)
            .await?;
        self.end_sessions(&account).await;
        Ok(())
    }

    async fn end_sessions(&self, account: &BareJid) {
        if let Some(sessions) = &self.sessions {
            sessions.end(account).await;
        }
    }

    async fn list(&self, host: &str, after: Option<&str>) -> Response {
        let prepared = BareJid::parse(host).map(|jid| jid.domain().to_owned());
        let Some(host) = prepared.ok().filter(|host| self.hosts.contains(host)) else {
            return refusal(&AccountError::UnknownHost(host.to_owned()));
        };
        match self.accounts.list(&host, after, MOST_USERS).await {
            Ok(users) => Response::Users {
                users: users.iter().map(BareJid::to_string).collect(),
            },
            Err(error) => refusal(&error),
        }
    }

    async fn import(&self, users: Vec<NewUser>) -> Response {
        if users.len() > MOST_USERS {
            let reason = format!("at most {MOST_USERS} accounts can be imported in one request");
            return Response::Refused { reason };
        }
        let new = |user: NewUser| NewAccount {
            jid: user.jid,
            password: user.password.0,
        };
        let answers = self
            .accounts
            .import(users.into_iter().map(new).collect())
            .await;
        let reason = |answer: Result<BareJid, AccountError>| answer.err().map(|e| e.to_string());
        Response::Imported {
            refused: answers.into_iter().map(reason).collect(),
        }
    }
}

fn done(result: Result<(), AccountError>) -> Response {
    match result {
        Ok(()) => Response::Done,
        Err(error) => refusal(&error),
    }
}

/// Whether asking again may help.
fn refusal(error: &AccountError) -> Response {
    let reason = error.to_string();
    match error {
        AccountError::Store(_) | AccountError::Hashing(_) | AccountError::Randomness(_) => {
            Response::Failed { reason }
        }
        AccountError::Address(_)
        | AccountError::NoLocalpart
        | AccountError::UnknownHost(_)
        | AccountError::Password(_)
        | AccountError::Exists
        | AccountError::NoSuchAccount => Response::Refused { reason },
    }
}

fn outcome(response: &Response) -> &'static str {
    match response {
        Response::Refused { .. } => "refused",
        Response::Failed { .. } => "failed",
        _ => "done",
    }
}
