//! Who sends: with stream management, so that it knows what is acknowledged; or without, as most did once.

use std::cell::RefCell;

use rookery_testkit::{Client, ClientError};

use super::moment::Chance;
use super::pair::{Pair, Window};
use super::{Round, friend_of, name_of_sender};
use crate::managed::{Managed, Return, SM, count};
use crate::stage::text;

/// Messages that a sender sends without having heard that they are acknowledged.
const WINDOW: usize = 20;
const CLIENT: &str = "jabber:client";

/// A sender with stream management, and its stream.
struct Sender<'a> {
    round: &'a Round<'a>,
    index: usize,
    pair: &'a RefCell<Pair>,
    managed: Managed,
    window: Window,
}

/// Sends until the server is gone.
pub(super) async fn send(
    round: &Round<'_>,
    index: usize,
    pair: &RefCell<Pair>,
    mut chance: Chance,
) -> Result<(), ClientError> {
    if index % 10 == 9 {
        return send_without_acknowledgements(round, index, pair, &mut chance).await;
    }
    let mut sender = Sender::begin(round, index, pair).await?;
    loop {
        while sender.window.waiting.len() < WINDOW {
            let number = pair.borrow().sent + 1;
            pair.borrow_mut().sent = number;
            let bytes = usize::try_from(chance.below(600)).unwrap_or_default();
            sender.window.waiting.push_back((number, bytes));
            sender.tell(number, bytes).await?;
            if chance.once_in(4) {
                break;
            }
        }
        sender.ask().await?;
        if chance.once_in(round.cuts) {
            // The connection breaks while the server still works on what came by it.
            drop(sender);
            sender = Sender::begin(round, index, pair).await?;
        }
        sender.until_acknowledged().await?;
        round.moment.happened();
    }
}

/// Sends one message after the other, and waits for the answer to a question between them.
async fn send_without_acknowledgements(
    round: &Round<'_>,
    index: usize,
    pair: &RefCell<Pair>,
    chance: &mut Chance,
) -> Result<(), ClientError> {
    let name = name_of_sender(index);
    let server = round.server;
    let account = (name.as_str(), "localhost");
    let password = rookery_testkit::Server::PASSWORD;
    let mut client = Client::log_in(server.c2s, &round.trust, account, password, "here").await?;
    loop {
        for _ in 0..=chance.below(4) {
            let number = pair.borrow().sent + 1;
            pair.borrow_mut().sent = number;
            client.send(message(index, number, 100)).await?;
        }
        client.ping("localhost").await?;
        round.moment.happened();
    }
}

fn message(index: usize, number: u64, bytes: usize) -> String {
    let (to, text) = (friend_of(index), text(number, bytes));
    format!("<message to='{to}' type='chat' id='{number}'><body>{text}</body></message>")
}

// === impl Sender ===

impl<'a> Sender<'a> {
    /// Resumes the stream that it had, and sends again what did not arrive; or begins anew. Then it stays
    /// unknown what arrived, and other numbers are used from now on.
    async fn begin(
        round: &'a Round<'a>,
        index: usize,
        pair: &'a RefCell<Pair>,
    ) -> Result<Self, ClientError> {
        let (server, trust, name) = (round.server, &round.trust, name_of_sender(index));
        let former = pair.borrow_mut().sender.take();
        let mut window = Window::default();
        let managed = match former {
            None => Managed::log_in(server, trust, &name).await?,
            Some((former, before)) => {
                match Managed::come_back(server, trust, &name, former).await? {
                    Return::Anew(managed) => {
                        pair.borrow_mut().failed += 1;
                        managed
                    }
                    Return::Resumed(managed, count) => {
                        window = before;
                        pair.borrow_mut().resumed += 1;
                        window.settle(count);
                        managed
                    }
                }
            }
        };
        let mut sender = Self {
            round,
            index,
            pair,
            managed,
            window,
        };
        sender.note();
        for (number, bytes) in sender.window.waiting.clone() {
            sender.tell(number, bytes).await?;
        }
        sender.ask().await?;
        Ok(sender)
    }

    /// Notes how the stream can be resumed.
    fn note(&self) {
        let stream = (self.managed.former(), self.window.clone());
        self.pair.borrow_mut().sender = Some(stream);
    }

    async fn tell(&mut self, number: u64, bytes: usize) -> Result<(), ClientError> {
        self.note();
        let message = message(self.index, number, bytes);
        self.managed.client.send(message).await
    }

    async fn ask(&mut self) -> Result<(), ClientError> {
        self.managed.client.send(format!("<r xmlns='{SM}'/>")).await
    }

    /// Waits for an acknowledgement of something. The answer to a question can be that nothing new is: then
    /// one comes unasked.
    async fn until_acknowledged(&mut self) -> Result<(), ClientError> {
        let before = self.window.acknowledged;
        while self.window.acknowledged == before && !self.window.waiting.is_empty() {
            let element = self.managed.next().await?;
            if element.is("a", SM) {
                let mut pair = self.pair.borrow_mut();
                pair.acknowledge(&mut self.window, count(&element));
            } else if element.is("message", CLIENT) {
                assert_eq!(element.attribute("type"), Some("error"), "{element:?}");
                self.pair.borrow_mut().refuse(&element);
                self.round.refused.happened();
            } else if element.is("r", SM) {
                self.managed.acknowledge().await?;
            }
            self.note();
        }
        Ok(())
    }
}
