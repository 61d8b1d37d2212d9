//! Waits until nothing is on its way any more, without waiting for time.

use std::collections::BTreeMap;

use rookery_xml::Element;

use crate::actor::Attention;
use crate::mishap::Mishap;

use super::{HOST, STAGE, Stage};

/// How often everybody asks everybody. What somebody says can cause at most this many things, each caused by
/// the one before: a presence is broadcast, makes a probe, which is answered.
const ROUNDS: usize = 3;

impl Stage<'_> {
    /// Everybody who is logged in asks every account and everybody else, several times over. When all are
    /// answered, everything that was caused by what was said before has arrived.
    pub(super) async fn everybody_asks(&mut self) -> Result<(), Mishap> {
        for _ in 0..ROUNDS {
            self.round += 1;
            let mark = format!("{STAGE}{}-", self.round);
            let present: Vec<_> = self
                .actors
                .iter()
                .filter_map(|(name, actor)| Some((name.clone(), actor.jid()?.to_owned())))
                .collect();
            let accounts: Vec<_> = self
                .names
                .accounts
                .iter()
                .map(|local| format!("{}@{HOST}", self.names.local(local)))
                .chain([HOST.to_owned()])
                .collect();
            for (name, _) in &present {
                let questions = questions(&mark, &accounts, &present);
                // Whoever is gone shows it when listened to.
                drop(self.say(name, questions.as_bytes()).await);
            }
            // How many messages each client has yet to get.
            let clients = present.iter().map(|(_, jid)| (jid.clone(), present.len()));
            let mut messages: BTreeMap<String, usize> = clients.collect();
            for (name, jid) in &present {
                let answers = accounts.len();
                self.hear_answers(name, jid, &mark, answers, &mut messages)
                    .await?;
            }
            for (name, jid) in &present {
                self.hear_messages(name, jid, &mark, &mut messages).await?;
            }
        }
        Ok(())
    }

    /// Listens until all accounts have answered. A message that its client is not to have has come back by
    /// then: its account was asked after it.
    async fn hear_answers(
        &mut self,
        name: &str,
        jid: &str,
        mark: &str,
        mut answers: usize,
        messages: &mut BTreeMap<String, usize>,
    ) -> Result<(), Mishap> {
        let is_last = |element: &Element| {
            if !is_of_round(element, mark) {
                return attention(element);
            }
            match element.name() {
                "message" => count_message(element, jid, messages),
                _ => answers -= 1,
            }
            if answers == 0 {
                Attention::Done
            } else {
                Attention::Drop
            }
        };
        self.actor(name)?.listen_for(is_last).await
    }

    /// Listens until the client has all messages that did not come back.
    async fn hear_messages(
        &mut self,
        name: &str,
        jid: &str,
        mark: &str,
        messages: &mut BTreeMap<String, usize>,
    ) -> Result<(), Mishap> {
        let has_all = |messages: &BTreeMap<String, usize>| messages.get(jid) == Some(&0);
        if has_all(messages) {
            return Ok(());
        }
        let is_last = |element: &Element| {
            if !is_of_round(element, mark) {
                return attention(element);
            }
            count_message(element, jid, messages);
            if has_all(messages) {
                Attention::Done
            } else {
                Attention::Drop
            }
        };
        self.actor(name)?.listen_for(is_last).await
    }
}

/// Whether it is a message or an answer of this round.
fn is_of_round(element: &Element, mark: &str) -> bool {
    let id = element.attribute("id").unwrap_or_default();
    id.starts_with(mark) && element.attribute("type") != Some("get")
}

/// What is done with anything else: the scene does not see what other rounds brought.
fn attention(element: &Element) -> Attention {
    let id = element.attribute("id").unwrap_or_default();
    if id.starts_with(STAGE) {
        Attention::Drop
    } else {
        Attention::Keep
    }
}

/// A message has come to `jid`: one that it has to get, or one that came back from where it does not arrive.
fn count_message(message: &Element, jid: &str, messages: &mut BTreeMap<String, usize>) {
    let arrives = match message.attribute("type") {
        Some("error") => message.attribute("from").unwrap_or_default(),
        _ => jid,
    };
    if let Some(left) = messages.get_mut(arrives) {
        *left = left.saturating_sub(1);
    }
}

/// A message to each client, and an IQ to each account.
fn questions(mark: &str, accounts: &[String], present: &[(String, String)]) -> String {
    let ping = "<ping xmlns='urn:xmpp:ping'/>";
    let to_account = |(index, jid): (usize, &String)| {
        format!("<iq type='get' id='{mark}{index}' to='{jid}'>{ping}</iq>")
    };
    let to_client = |(_, jid): &(String, String)| {
        format!("<message id='{mark}m' to='{jid}'><stage xmlns='urn:stage'/></message>")
    };
    let accounts = accounts.iter().enumerate().map(to_account);
    present.iter().map(to_client).chain(accounts).collect()
}
