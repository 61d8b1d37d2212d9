//! A client with stream management (XEP-0198), and the connection that it loses.

use rookery_testkit::{Client, ClientError, Server};
use rookery_xml::Element;

/// The namespace of XEP-0198.
pub(crate) const SM: &str = "urn:xmpp:sm:3";

/// A client with stream management.
pub(crate) struct Managed {
    pub(crate) client: Client,
    pub(crate) id: String,
    /// What it has received of what counts.
    pub(crate) received: u32,
    /// What it has sent since it enabled stream management.
    pub(crate) sent: u64,
}

// === impl Managed ===

impl Managed {
    /// Logs in and enables stream management.
    pub(crate) async fn log_in(server: &Server, name: &str) -> Result<Self, ClientError> {
        Self::enable(server.log_in(name, "here").await?).await
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
            sent: 0,
        })
    }

    /// Resumes a stream on another connection, or begins anew. Whether it was resumed.
    pub(crate) async fn come_back(
        server: &Server,
        name: &str,
        former: (String, u32),
    ) -> Result<(Self, bool), ClientError> {
        let mut client = Client::connect(server.c2s).await?;
        let trust = server.trust(&[])?;
        client.open("localhost").await?;
        client.start_tls(&trust, "localhost").await?;
        client.open("localhost").await?;
        client.authenticate(name, Server::PASSWORD).await?;
        client.open("localhost").await?;
        let (id, received) = former;
        client
            .send(format!(
                "<resume xmlns='{SM}' previd='{id}' h='{received}'/>"
            ))
            .await?;
        let answer = client.element().await?;
        if answer.is("resumed", SM) {
            let resumed = Self {
                client,
                id,
                received,
                sent: 0,
            };
            return Ok((resumed, true));
        }
        assert!(answer.is("failed", SM), "{answer:?}");
        client.bind("here").await?;
        Ok((Self::enable(client).await?, false))
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
}
