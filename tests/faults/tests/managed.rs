//! A client with stream management (XEP-0198), and the connection that it loses.

use rookery_testkit::{Client, ClientError, Server, Trust};
use rookery_xml::Element;

/// The namespace of XEP-0198.
pub(crate) const SM: &str = "urn:xmpp:sm:3";

/// A client with stream management.
pub(crate) struct Managed {
    pub(crate) client: Client,
    pub(crate) id: String,
    /// What it has received of what counts.
    pub(crate) received: u32,
}

/// What a stream can be resumed by: its id, and how much of what counts has come.
pub(crate) type Former = (String, u32);

/// What came of a try to resume a stream.
pub(crate) enum Return {
    /// It goes on. So much of what the client sent has arrived.
    Resumed(Managed, u64),
    /// It does not, and another one has begun.
    Anew(Managed),
}

// === impl Managed ===

impl Managed {
    /// Logs in and enables stream management.
    pub(crate) async fn log_in(
        server: &Server,
        trust: &Trust,
        name: &str,
    ) -> Result<Self, ClientError> {
        let mut client = authenticated(server, trust, name).await?;
        client.bind("here").await?;
        Self::enable(client).await
    }

    async fn enable(mut client: Client) -> Result<Self, ClientError> {
        client
            .send(format!("<enable xmlns='{SM}' resume='true'/>"))
            .await?;
        let enabled = client.until(|it| it.is("enabled", SM)).await?;
        Ok(Self {
            client,
            id: enabled.attribute("id").unwrap_or_default().to_owned(),
            received: 0,
        })
    }

    /// Resumes a stream on another connection, or begins anew.
    pub(crate) async fn come_back(
        server: &Server,
        trust: &Trust,
        name: &str,
        former: Former,
    ) -> Result<Return, ClientError> {
        let mut client = authenticated(server, trust, name).await?;
        let (id, received) = former;
        client
            .send(format!(
                "<resume xmlns='{SM}' previd='{id}' h='{received}'/>"
            ))
            .await?;
        let answer = client.element().await?;
        if answer.is("resumed", SM) {
            let managed = Self {
                client,
                id,
                received,
            };
            return Ok(Return::Resumed(managed, count(&answer)));
        }
        assert!(answer.is("failed", SM), "{answer:?}");
        client.bind("here").await?;
        Ok(Return::Anew(Self::enable(client).await?))
    }

    /// The next stanza or answer. Stanzas are counted.
    pub(crate) async fn next(&mut self) -> Result<Element, ClientError> {
        let element = self.client.element().await?;
        if element.namespace() == "jabber:client" {
            self.received = self.received.wrapping_add(1);
        }
        Ok(element)
    }

    pub(crate) async fn available(mut self) -> Result<Self, ClientError> {
        self.client.send("<presence/>").await?;
        Ok(self)
    }

    pub(crate) async fn acknowledge(&mut self) -> Result<(), ClientError> {
        let received = self.received;
        self.client
            .send(format!("<a xmlns='{SM}' h='{received}'/>"))
            .await
    }

    /// What it could be resumed by.
    pub(crate) fn former(&self) -> Former {
        (self.id.clone(), self.received)
    }
}

/// The count in an answer.
pub(crate) fn count(answer: &Element) -> u64 {
    answer.attribute("h").unwrap().parse().unwrap()
}

/// A client before it binds a resource or resumes a stream.
async fn authenticated(server: &Server, trust: &Trust, name: &str) -> Result<Client, ClientError> {
    let mut client = Client::connect(server.c2s).await?;
    client.open("localhost").await?;
    client.start_tls(trust, "localhost").await?;
    client.open("localhost").await?;
    client.authenticate(name, Server::PASSWORD).await?;
    client.open("localhost").await?;
    Ok(client)
}
