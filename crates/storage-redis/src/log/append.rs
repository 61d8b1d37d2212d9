//! Opens logs, and appends to them.

use futures_util::future::try_join_all;
use redis::{Cmd, Value};
use rookery_stanza::BareJid;
use rookery_storage::StoreError;
use rookery_storage::message_log::{Appended, IngressId, NewMessage, NewRow, Opened, RowId, Tail};
use rookery_storage::record::Record;

use super::place;
use super::record::Stored;
use crate::directory::{self, List};
use crate::keys::Keys;
use crate::queue::Crowded;
use crate::reply;
use crate::store::RedisStore;

/// A row to append, with the reasons of all that become this one.
struct Joined {
    row: NewRow,
    /// How many answers come of it, and which.
    answers: Vec<usize>,
}

/// A command that appends a row, and which answers come of it.
type Appending = (Cmd, Vec<usize>);

impl RedisStore {
    /// Makes the caller the home of an account.
    pub(super) async fn open_log(
        &self,
        account: &BareJid,
        epoch: u64,
    ) -> Result<Opened, StoreError> {
        let keys = self.wire.keys(account);
        let mut command = self
            .wire
            .scripts
            .open
            .call(&[keys.key("home"), keys.key("owed")]);
        command.arg(digits(epoch));
        let answer = reply::one(self.wire.write(&keys, vec![command], Crowded::Wait).await?)?;
        let mut answer = reply::list(answer)?.into_iter();
        let mut next = || answer.next().unwrap_or_default();
        if reply::text(next())? == "f" {
            return Ok(Opened::Fenced {
                epoch: number(&reply::text(next())?)?,
            });
        }
        let last = last(next(), next(), next())?;
        let owed = reply::int(&next())?;
        if next() == Value::Nil {
            self.list_log(account, &keys).await?;
        }
        Ok(Opened::Home(Tail { last, owed }))
    }

    /// The end of a log.
    pub(super) async fn log_tail(&self, account: &BareJid) -> Result<Tail, StoreError> {
        let keys = self.wire.keys(account);
        let mut home = redis::cmd("HMGET");
        home.arg(keys.key("home")).arg("ms").arg("seq").arg("salt");
        let mut owed = redis::cmd("ZCARD");
        owed.arg(keys.key("owed"));
        let [home, owed] = reply::exactly(self.wire.read(&keys, vec![home, owed]).await?)?;
        let [time, row, salt] = reply::exactly(reply::list(home)?)?;
        Ok(Tail {
            last: last(time, row, salt)?,
            owed: reply::int(&owed)?,
        })
    }

    /// Appends messages: everything that goes to one account as one request, in order.
    pub(super) async fn append_all(
        &self,
        messages: &[NewMessage],
    ) -> Result<Vec<Appended>, StoreError> {
        let mut asked: Vec<(BareJid, Vec<Appending>)> = Vec::new();
        let mut count = 0;
        for message in messages {
            for joined in join(message, &mut count) {
                let keys = self.wire.keys(&joined.row.account);
                let command = self.appending(message, &joined.row, &keys)?;
                let one = (command, joined.answers);
                match asked
                    .iter_mut()
                    .find(|(account, _)| *account == joined.row.account)
                {
                    Some((_, commands)) => commands.push(one),
                    None => asked.push((joined.row.account, vec![one])),
                }
            }
        }
        let requests = asked
            .into_iter()
            .map(|(account, rows)| self.append_to(account, rows));
        let mut answers = vec![Appended::Fenced { epoch: 0 }; count];
        for (nth, answer) in try_join_all(requests).await?.into_iter().flatten() {
            if let Some(place) = answers.get_mut(nth) {
                *place = answer;
            }
        }
        let rows = answers
            .iter()
            .filter(|answer| matches!(answer, Appended::At(_)))
            .count();
        self.wire.metrics.appended(rows as u64);
        Ok(answers)
    }

    /// Appends rows to one log.
    async fn append_to(
        &self,
        account: BareJid,
        rows: Vec<Appending>,
    ) -> Result<Vec<(usize, Appended)>, StoreError> {
        let keys = self.wire.keys(&account);
        let (commands, places): (Vec<Cmd>, Vec<Vec<usize>>) = rows.into_iter().unzip();
        let values = self.wire.write(&keys, commands, Crowded::Wait).await?;
        let (mut answers, mut listed) = (Vec::new(), true);
        for (value, places) in values.into_iter().zip(places) {
            let answer = Answer::read(&reply::text(value)?)?;
            listed &= answer.listed;
            let first = answer.appended;
            let further = match first {
                Appended::At(id) => Appended::Repeat(id),
                other => other,
            };
            let each = std::iter::once(first).chain(std::iter::repeat(further));
            answers.extend(places.into_iter().zip(each));
        }
        if !listed {
            self.list_log(&account, &keys).await?;
        }
        Ok(answers)
    }

    /// Puts a log into the list of its host. It is not confirmed that a log has something before it is there, so that
    /// none is forgotten.
    async fn list_log(&self, account: &BareJid, keys: &Keys) -> Result<(), StoreError> {
        directory::enter(&self.wire, List::Logs, account).await?;
        let mut command = redis::cmd("HSET");
        command.arg(keys.key("home")).arg("listed").arg(1);
        self.wire
            .write(keys, vec![command], Crowded::Wait)
            .await
            .map(drop)
    }

    fn appending(
        &self,
        message: &NewMessage,
        row: &NewRow,
        keys: &Keys,
    ) -> Result<Cmd, StoreError> {
        let salt = self.salt()?;
        let names = [
            "home", "rows", "index", "owed", "waiting", "seen:0", "seen:1",
        ]
        .map(|name| keys.key(name));
        let mut command = self.wire.scripts.append.call(&names);
        let IngressId { session, count } = message.ingress;
        command
            .arg(digits(row.epoch))
            .arg(format!("{session:016x}{count:016x}"))
            .arg(RowId::next(None, message.received, 0).time())
            .arg(digits(salt))
            .arg(u8::from(row.purpose.is_archived()))
            .arg(u8::from(row.purpose.is_owed()))
            .arg(place::of_correspondent(&row.with.bare()))
            .arg(place::ending(&row.with, message.origin))
            .arg(Stored::of(message, row, salt).to_record());
        Ok(command)
    }
}

/// The rows of a message, those for one log of one epoch joined; their answers are counted from `count` on.
fn join(message: &NewMessage, count: &mut usize) -> Vec<Joined> {
    let mut all: Vec<Joined> = Vec::with_capacity(message.rows.len());
    for row in &message.rows {
        let same = |joined: &&mut Joined| {
            joined.row.account == row.account && joined.row.epoch == row.epoch
        };
        match all.iter_mut().find(same) {
            Some(joined) => {
                joined.row.purpose = joined.row.purpose.clone().and(&row.purpose);
                joined.answers.push(*count);
            }
            None => all.push(Joined {
                row: row.clone(),
                answers: vec![*count],
            }),
        }
        *count += 1;
    }
    all
}

/// What is answered to an append.
struct Answer {
    appended: Appended,
    listed: bool,
}

// === impl Answer ===

impl Answer {
    fn read(text: &str) -> Result<Self, StoreError> {
        if let Some(epoch) = text.strip_prefix('f') {
            let appended = Appended::Fenced {
                epoch: number(epoch)?,
            };
            return Ok(Self {
                appended,
                listed: true,
            });
        }
        let odd = || StoreError::Corrupt(format!("{text:?} is no answer to an append"));
        let id = place::id(text.get(2..).ok_or_else(odd)?)?;
        let appended = match text.get(..1) {
            Some("a") => Appended::At(id),
            Some("r") => Appended::Repeat(id),
            _ => return Err(odd()),
        };
        Ok(Self {
            appended,
            listed: text.get(1..2) == Some("1"),
        })
    }
}

/// The last id, if there is one.
fn last(time: Value, row: Value, salt: Value) -> Result<Option<RowId>, StoreError> {
    if time == Value::Nil {
        return Ok(None);
    }
    let row = reply::stored(row)?;
    let order = place::order(&format!(
        "{}-{}",
        reply::stored(time)?,
        row.saturating_add(1)
    ))?;
    Ok(Some(RowId::from_halves(
        order,
        number(&reply::text(salt)?)?,
    )))
}

/// A number in digits that sort as the numbers do.
fn digits(number: u64) -> String {
    format!("{number:016x}")
}

fn number(digits: &str) -> Result<u64, StoreError> {
    u64::from_str_radix(digits, 16)
        .map_err(|_| StoreError::Corrupt(format!("{digits:?} is no number")))
}
