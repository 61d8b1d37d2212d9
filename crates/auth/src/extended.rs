//! XEP-0388: what a login gets besides being a login: tokens (XEP-0484), and tasks to do first (XEP-0480).

use rookery_stanza::BareJid;
use rookery_storage::{ScramHash, ScramKeys, StoreError};
use rookery_stream::SaslCondition;
use rookery_xml::Element;

use crate::authenticator::{Authenticator, Refusal};
use crate::clients::tokens::Refused;
use crate::clients::{Arrival, TokenFailure};
use crate::exchange::{Outcome, Success};
use crate::identity::Claim;
use crate::login::{Login, Tasks};
use crate::mechanism::Mechanism;
use crate::metrics::LoginResult;
use crate::password::Salts;
use crate::upgrade::{self, Upgrade};

impl Authenticator {
    /// Judges a client that logs in with a token (XEP-0484 §"Client authenticates using FAST").
    pub(crate) async fn find_tokens(
        &self,
        login: &mut Login,
        claim: &Claim,
    ) -> Result<Outcome, Refusal> {
        let malformed = || Refusal::from(SaslCondition::MalformedRequest);
        let (Some(mechanism), Some(wishes)) = (login.mechanism(), login.wishes().cloned()) else {
            return Err(malformed());
        };
        // §"Client responsibilities".
        let Some(agent) = wishes.agent.as_deref() else {
            return Err(malformed());
        };
        let nobody = BareJid::from_prepared(login.host());
        let account = claim.account().unwrap_or(&nobody);
        check_from(login, account)?;
        let clients = &self.inner.clients;
        let held = clients.hold(account, agent, mechanism.name()).await;
        let held = held.map_err(|_| Refusal::temporary(LoginResult::StoreError))?;
        let mut place = None;
        let outcome = login.with_exchange(|exchange, _| {
            let (outcome, found) = exchange.found_tokens(&held.tokens);
            place = found;
            outcome
        });
        let (Outcome::Success(mut success), Some(place)) = (outcome, place) else {
            return Err(SaslCondition::NotAuthorized.into());
        };
        let wanted = wanted_token(login);
        let granted = clients.used(held, place, &wishes, wanted.as_deref()).await;
        success.grants = granted.map_err(|failure| match failure {
            TokenFailure::Refused(Refused::Expired) => SaslCondition::CredentialsExpired.into(),
            TokenFailure::Refused(Refused::Replayed) => SaslCondition::NotAuthorized.into(),
            TokenFailure::Store(error) => {
                tracing::warn!(%account, %error, "a token was not taken");
                Refusal::temporary(LoginResult::StoreError)
            }
        })?;
        Ok(Outcome::Success(success))
    }

    /// Grants a client that logs in by XEP-0388 what it gets along with it.
    pub(crate) async fn conclude(
        &self,
        login: &mut Login,
        outcome: Result<Outcome, Refusal>,
    ) -> Result<Outcome, Refusal> {
        let Ok(Outcome::Success(success)) = outcome else {
            return outcome;
        };
        if login.wishes().is_none() {
            return Ok(Outcome::Success(success));
        }
        check_from(login, &success.account)?;
        let later = wanted_upgrades(login, success.mechanism);
        if !later.is_empty() {
            return self.ask_for_keys(login, success, later);
        }
        self.admit_client(login, success).await
    }

    /// Has the client make the next of these keys, or lets it in when there are none left.
    fn ask_for_keys(
        &self,
        login: &mut Login,
        mut success: Success,
        mut later: Vec<ScramHash>,
    ) -> Result<Outcome, Refusal> {
        let Some(hash) = later.pop() else {
            return Ok(Outcome::Success(success));
        };
        let salts = Salts::random().map_err(|_| Refusal::internal())?;
        let data = success.data.take();
        login.set_tasks(Tasks {
            success,
            now: Upgrade::new(hash, salts.sha256, self.inner.iterations),
            later,
            begun: false,
        });
        let task = upgrade::name(hash);
        Ok(Outcome::Task { data, task })
    }

    /// Keeps the keys that a client has made, and goes on (XEP-0480 §"Performing the upgrade"). Keys of a password
    /// that was changed meanwhile are dropped.
    pub(crate) async fn keep_keys(
        &self,
        login: &mut Login,
        tasks: Tasks,
        keys: ScramKeys,
    ) -> Result<Outcome, Refusal> {
        let (store, account) = (&self.inner.store, &tasks.success.account);
        let failed = |_: StoreError| Refusal::temporary(LoginResult::StoreError);
        let before = store.credentials(account).await.map_err(failed)?;
        if let Some(before) = before
            && login.known().salt.as_ref() == Some(&before.sha1.salt)
        {
            let after = before.clone().with_keys(tasks.now.hash(), keys);
            let kept = store.replace_credentials(account, before, after).await;
            kept.map_err(failed)?;
        }
        if tasks.later.is_empty() {
            return self.admit_client(login, tasks.success).await;
        }
        self.ask_for_keys(login, tasks.success, tasks.later)
    }

    /// Takes note of a client that has shown who it is, and gives it what it may have.
    async fn admit_client(
        &self,
        login: &mut Login,
        mut success: Success,
    ) -> Result<Outcome, Refusal> {
        let Some(wishes) = login.wishes() else {
            return Ok(Outcome::Success(success));
        };
        let token = wanted_token(login);
        let arrival = Arrival {
            account: &success.account,
            salt: login.known().salt.as_deref(),
            knows_password: success.mechanism.shows_password(),
            wishes,
            token: token.as_deref(),
        };
        success.grants = self.inner.clients.arrived(arrival).await;
        Ok(Outcome::Success(success))
    }
}

/// Checks that the client is whom the header of its stream has named (XEP-0388 §"Initiation"). A domain alone names
/// no account.
fn check_from(login: &Login, account: &BareJid) -> Result<(), Refusal> {
    let from = login.wishes().and_then(|wishes| wishes.from.as_ref());
    let is_another = |from: &BareJid| {
        from != account && (from.local().is_some() || from.domain() != account.domain())
    };
    if from.is_some_and(is_another) {
        return Err(SaslCondition::InvalidAuthzid.into());
    }
    Ok(())
}

/// The keys that the client is ready to make, the next one last: those that are outdated, for who has shown that it
/// knows the password. Whoever has a token only must not get more than that.
fn wanted_upgrades(login: &Login, mechanism: Mechanism) -> Vec<ScramHash> {
    let Some(wishes) = login.wishes().filter(|_| mechanism.shows_password()) else {
        return Vec::new();
    };
    let is_wanted = |hash: &&ScramHash| {
        let name = upgrade::name(**hash);
        wishes.upgrades.iter().any(|wanted| wanted == name)
    };
    let outdated = login.known().outdated.iter().filter(is_wanted);
    outdated.copied().collect()
}

/// `<next/>`: the client begins the task that it was told to do.
pub(crate) fn begin_task(login: &mut Login, task: &str) -> Result<Outcome, Refusal> {
    let tasks = login.take_tasks();
    let is_it = |tasks: &Tasks| upgrade::name(tasks.now.hash()) == task && !tasks.begun;
    let Some(mut tasks) = tasks.filter(is_it) else {
        return Err(SaslCondition::MalformedRequest.into());
    };
    tasks.begun = true;
    let payload = tasks.now.ask();
    login.set_tasks(tasks);
    Ok(Outcome::TaskData(payload))
}

/// `<task-data/>`: the client has done it.
pub(crate) fn finish_task(
    login: &mut Login,
    payload: Option<&Element>,
) -> Result<(Tasks, ScramKeys), Refusal> {
    let Some(tasks) = login.take_tasks().filter(|tasks| tasks.begun) else {
        return Err(SaslCondition::MalformedRequest.into());
    };
    let keys = tasks.now.finish(payload)?;
    Ok((tasks, keys))
}

/// The mechanism that the client wants a token for, if it may have one.
fn wanted_token(login: &Login) -> Option<String> {
    let wanted = login.wishes()?.token.as_deref()?;
    let offered = login.offer().tokens().iter();
    let mut names = offered.map(|mechanism| mechanism.name());
    names.find(|name| *name == wanted).map(str::to_owned)
}
