//! Phones: their connections break and come back, or do not; what was said meanwhile waits for them, is found
//! in the archive, is copied to their other device, and calls them.

use std::cell::Cell;
use std::time::Duration;

use rookery_testkit::{Client, ClientError, Received, Server};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::Soak;

const SM: &str = "urn:xmpp:sm:3";
const CLIENT: &str = "jabber:client";
/// Somebody says something to a phone this often.
const PACE: Duration = Duration::from_millis(100);
/// What a phone hears before its connection breaks.
const HEARD: u32 = 30;
/// How long it is away then. The server keeps its session for `resume_timeout_seconds`, which is longer.
const AWAY: Duration = Duration::from_secs(1);
/// Every so many times it has forgotten its stream: the session that waits for it ends by itself.
const FORGETS: u32 = 4;

pub(crate) fn phone(number: usize) -> String {
    format!("phone{number}")
}

pub(crate) fn caller(number: usize) -> String {
    format!("caller{number}")
}

/// The account that plays the push service of all phones.
pub(crate) const SERVICE: &str = "service";

/// What the server does for phones has happened so often.
#[derive(Debug, Default)]
pub(crate) struct Phones {
    resumed: Cell<u64>,
    pages: Cell<u64>,
    copies: Cell<u64>,
    calls: Cell<u64>,
}

/// A phone with its stream.
struct Phone {
    client: Client,
    id: String,
    received: u32,
}

// === impl Phones ===

impl Phones {
    /// All of it did happen.
    pub(crate) fn assert_used(&self) {
        for count in [&self.resumed, &self.pages, &self.copies, &self.calls] {
            assert!(count.get() > 0, "{self:?}");
        }
        println!("{self:?}");
    }
}

fn count(cell: &Cell<u64>) {
    cell.set(cell.get() + 1);
}

// === impl Phone ===

impl Phone {
    async fn begin(server: &Server, name: &str) -> Result<Self, ClientError> {
        Self::enable(server.log_in(name, "phone").await?).await
    }

    /// Enables everything, and becomes available.
    async fn enable(mut client: Client) -> Result<Self, ClientError> {
        client
            .send(format!("<enable xmlns='{SM}' resume='true'/>"))
            .await?;
        let enabled = client.until(|it| it.is("enabled", SM)).await?;
        let mut phone = Self {
            client,
            id: enabled.attribute("id").unwrap_or_default().to_owned(),
            received: 0,
        };
        let push = format!(
            "<iq type='set' id='p'><enable xmlns='urn:xmpp:push:0' jid='{SERVICE}@localhost/app' node='n'/></iq>"
        );
        let all = "<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq><presence/>";
        phone.client.send(format!("{push}{all}")).await?;
        Ok(phone)
    }

    /// Resumes the stream, or begins anew.
    async fn come_back(
        soak: &Soak,
        name: &str,
        (id, received): (String, u32),
    ) -> Result<Self, ClientError> {
        let mut client = Client::connect(soak.server.c2s).await?;
        client.open("localhost").await?;
        client
            .start_tls(&soak.server.trust(&[])?, "localhost")
            .await?;
        client.open("localhost").await?;
        client.authenticate(name, Server::PASSWORD).await?;
        client.open("localhost").await?;
        let resume = format!("<resume xmlns='{SM}' previd='{id}' h='{received}'/>");
        client.send(resume).await?;
        if client.element().await?.is("resumed", SM) {
            count(&soak.phones.resumed);
            return Ok(Self {
                client,
                id,
                received,
            });
        }
        client.bind("phone").await?;
        Self::enable(client).await
    }

    /// Hears so much, acknowledges it, and looks at the last page of its archive.
    async fn live(&mut self, soak: &Soak) -> Result<(), ClientError> {
        let query = "<iq type='set' id='m'><query xmlns='urn:xmpp:mam:2'>\
                     <set xmlns='http://jabber.org/protocol/rsm'><max>20</max><before/></set></query></iq>";
        self.client.send(query).await?;
        let before = self.received;
        while self.received < before + HEARD {
            let element = self.client.element().await?;
            if element.namespace() == CLIENT {
                self.received += 1;
            }
            if element.name() == "iq" && element.attribute("id") == Some("m") {
                count(&soak.phones.pages);
            }
            if element.child("sent", "urn:xmpp:carbons:2").is_some() {
                count(&soak.phones.copies);
            }
            if element.is("r", SM) || self.received.is_multiple_of(10) {
                let acknowledge = format!("<a xmlns='{SM}' h='{}'/>", self.received);
                self.client.send(acknowledge).await?;
            }
        }
        Ok(())
    }
}

/// A phone, until the end. Its connection breaks in the middle of whatever comes.
pub(crate) async fn carries(soak: &Soak, number: usize) {
    let name = phone(number);
    let mut phone = Phone::begin(&soak.server, &name).await.unwrap();
    let mut journeys = 0;
    while soak.goes_on() {
        phone.live(soak).await.unwrap();
        let former = (phone.id.clone(), phone.received);
        drop(phone);
        journeys += 1;
        let back = Instant::now() + AWAY;
        tokio::time::sleep_until(back).await;
        phone = match journeys % FORGETS {
            0 => Phone::begin(&soak.server, &name).await.unwrap(),
            _ => Phone::come_back(soak, &name, former).await.unwrap(),
        };
        soak.vitals.visited();
    }
    phone.client.log_out().await.unwrap();
}

/// Talks to a phone until a while after the end, from the account of somebody else and from its other device.
pub(crate) async fn calls(soak: &Soak, number: usize) {
    let to = format!("{}@localhost", phone(number));
    let mut caller = soak.server.log_in(&caller(number), "desk").await.unwrap();
    let mut device = soak.server.log_in(&phone(number), "desk").await.unwrap();
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Phones hear something until they notice the end.
    let end = soak.end + 3 * AWAY;
    while Instant::now() < end {
        tokio::select! {
            _ = pace.tick() => {
                caller.tell(&to, "and another thing").await.unwrap();
                device.tell("talker0@localhost", "from my desk").await.unwrap();
            }
            received = caller.receive() => assert!(matches!(received, Ok(Received::Element(_)))),
        }
    }
    caller.log_out().await.unwrap();
    device.log_out().await.unwrap();
}

/// Takes the calls for phones, as a push service does.
pub(crate) async fn serves(soak: &Soak) {
    let mut service = soak.server.log_in(SERVICE, "app").await.unwrap();
    let end = soak.end + 3 * AWAY;
    while let Ok(received) = service.receive_until(end).await {
        let Received::Element(iq) = received else {
            panic!("{received:?}");
        };
        if iq.name() != "iq" || iq.attribute("type") != Some("set") {
            continue;
        }
        count(&soak.phones.calls);
        let (from, id) = (iq.attribute("from").unwrap(), iq.attribute("id").unwrap());
        let answer = format!("<iq type='result' to='{from}' id='{id}'/>");
        service.send(answer).await.unwrap();
    }
    service.log_out().await.unwrap();
}
