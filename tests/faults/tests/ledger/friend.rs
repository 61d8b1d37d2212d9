//! Who hears: each in a way of its own.

use std::cell::RefCell;

use rookery_testkit::{Client, ClientError, Received, Server};
use rookery_xml::Element;

use super::moment::Chance;
use super::pair::Pair;
use super::{Round, name_of_friend};
use crate::managed::{Managed, Return, SM};

/// How somebody uses its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Habit {
    /// Acknowledges now and then, loses its connection, and comes back at once.
    Faithful,
    /// Loses its connection and comes back a good while later: its session waits.
    Late,
    /// Never acknowledges anything.
    Silent,
    /// Has no stream management and stays.
    Plain,
    /// Has no stream management, leaves in order, and comes back a good while later.
    Visitor,
}

// === impl Habit ===

impl Habit {
    /// Everybody in turn.
    pub(super) fn of(index: usize) -> Self {
        match index % 8 {
            0 | 3 | 6 => Self::Faithful,
            1 | 5 => Self::Late,
            2 => Self::Silent,
            4 => Self::Plain,
            _ => Self::Visitor,
        }
    }
}

/// Hears until the server is gone.
pub(super) async fn hear(
    round: &Round<'_>,
    index: usize,
    pair: &RefCell<Pair>,
    chance: Chance,
) -> Result<(), ClientError> {
    match (round.habit)(index) {
        Habit::Plain | Habit::Visitor => hear_plainly(round, index, pair, chance).await,
        habit => hear_managed(round, index, pair, chance, habit).await,
    }
}

async fn hear_managed(
    round: &Round<'_>,
    index: usize,
    pair: &RefCell<Pair>,
    mut chance: Chance,
    habit: Habit,
) -> Result<(), ClientError> {
    let mut managed = begin(round, index, pair).await?;
    loop {
        let element = managed.next().await?;
        listen(pair, &element);
        pair.borrow_mut().friend = Some(managed.former());
        let asked = element.is("r", SM) || chance.once_in(20);
        if asked && habit != Habit::Silent {
            managed.acknowledge().await?;
        }
        if chance.once_in(round.cuts) {
            // The connection that it has breaks.
            drop(managed);
            round.moment.happened();
            if habit == Habit::Late {
                round.moment.passes(round.absence).await;
            }
            managed = begin(round, index, pair).await?;
        }
    }
}

/// Resumes what the friend had, or begins anew and becomes available.
async fn begin(
    round: &Round<'_>,
    index: usize,
    pair: &RefCell<Pair>,
) -> Result<Managed, ClientError> {
    let (server, trust, name) = (round.server, &round.trust, name_of_friend(index));
    let former = pair.borrow_mut().friend.take();
    let managed = match former {
        None => Managed::log_in(server, trust, &name).await?,
        Some(former) => match Managed::come_back(server, trust, &name, former).await? {
            Return::Resumed(managed, _) => {
                pair.borrow_mut().resumed += 1;
                pair.borrow_mut().friend = Some(managed.former());
                return Ok(managed);
            }
            Return::Anew(managed) => {
                pair.borrow_mut().failed += 1;
                managed
            }
        },
    };
    pair.borrow_mut().friend = Some(managed.former());
    managed.available().await
}

async fn hear_plainly(
    round: &Round<'_>,
    index: usize,
    pair: &RefCell<Pair>,
    mut chance: Chance,
) -> Result<(), ClientError> {
    loop {
        let mut client = log_in(round, index).await?;
        client.send("<presence/>").await?;
        loop {
            let element = client.element().await?;
            listen(pair, &element);
            if (round.habit)(index) == Habit::Visitor && chance.once_in(round.cuts) {
                break;
            }
        }
        // What comes before the end of the stream has come.
        client.send("</stream:stream>").await?;
        while let Received::Element(element) = client.receive().await? {
            listen(pair, &element);
        }
        round.moment.happened();
        round.moment.passes(round.absence).await;
    }
}

async fn log_in(round: &Round<'_>, index: usize) -> Result<Client, ClientError> {
    let (server, name) = (round.server, name_of_friend(index));
    let account = (name.as_str(), "localhost");
    Client::log_in(server.c2s, &round.trust, account, Server::PASSWORD, "here").await
}

/// Hears what is left, up to a message of its own to itself: what waits for an account comes in order.
pub(super) async fn hear_the_rest(round: &Round<'_>, index: usize, pair: &RefCell<Pair>) {
    let mut client = log_in(round, index).await.unwrap();
    client.send("<presence/>").await.unwrap();
    let to = format!("{}@localhost", name_of_friend(index));
    let end = format!("<message to='{to}' type='chat' id='end'><body>0</body></message>");
    client.send(end).await.unwrap();
    loop {
        let element = client.element().await.unwrap();
        if element.attribute("id") == Some("end") {
            return;
        }
        listen(pair, &element);
    }
}

fn listen(pair: &RefCell<Pair>, element: &Element) {
    if element.is("message", "jabber:client") {
        pair.borrow_mut().hear(element);
    }
}
