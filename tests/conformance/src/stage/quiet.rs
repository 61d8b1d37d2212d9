//! Waits until nothing is on its way any more, without waiting for time.

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
            for (name, _) in &present {
                let answers = accounts.len() + present.len();
                self.hear_answers(name, &mark, answers).await?;
            }
        }
        Ok(())
    }

    async fn hear_answers(&mut self, name: &str, mark: &str, answers: usize) -> Result<(), Mishap> {
        let mut left = answers;
        let is_answer = |element: &Element| {
            let id = element.attribute("id").unwrap_or_default();
            if !id.starts_with(mark) || element.attribute("type") == Some("get") {
                return if id.starts_with(STAGE) {
                    Attention::Drop
                } else {
                    Attention::Keep
                };
            }
            let is_bounced =
                element.name() == "message" && element.attribute("type") == Some("error");
            left -= usize::from(!is_bounced);
            if left == 0 {
                Attention::Done
            } else {
                Attention::Drop
            }
        };
        self.actor(name)?.listen_for(is_answer).await
    }
}

/// An IQ to each account and a message to each client.
fn questions(mark: &str, accounts: &[String], present: &[(String, String)]) -> String {
    let ping = "<ping xmlns='urn:xmpp:ping'/>";
    let to_account = |(index, jid): (usize, &String)| {
        format!("<iq type='get' id='{mark}{index}' to='{jid}'>{ping}</iq>")
    };
    let to_client = |(_, jid): &(String, String)| {
        format!("<message id='{mark}m' to='{jid}'><stage xmlns='urn:stage'/></message>")
    };
    let accounts = accounts.iter().enumerate().map(to_account);
    accounts.chain(present.iter().map(to_client)).collect()
}
