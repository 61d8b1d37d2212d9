//! What clients do again and again.

use rookery_xml::{Element, escape_text};

use crate::client::{Client, ClientError};

const CLIENT: &str = "jabber:client";

// === impl Client ===

impl Client {
    /// The next element that matches. What comes before it is left behind.
    pub async fn until(
        &mut self,
        mut matches: impl FnMut(&Element) -> bool,
    ) -> Result<Element, ClientError> {
        loop {
            let element = self.element().await?;
            if matches(&element) {
                return Ok(element);
            }
        }
    }

    /// Becomes available, and waits until the server shows it.
    pub async fn become_available(&mut self, priority: i8) -> Result<(), ClientError> {
        let presence = format!("<presence><priority>{priority}</priority></presence>");
        self.send(presence).await?;
        let own = self.jid().to_owned();
        let shown =
            |it: &Element| it.is("presence", CLIENT) && it.attribute("from") == Some(own.as_str());
        self.until(shown).await?;
        Ok(())
    }

    /// Sends a chat message.
    pub async fn tell(&mut self, to: &str, body: &str) -> Result<(), ClientError> {
        let mut message = format!("<message to='{to}' type='chat'><body>").into_bytes();
        escape_text(body, &mut message);
        message.extend_from_slice(b"</body></message>");
        self.send(message).await
    }

    /// The next message.
    pub async fn hear(&mut self) -> Result<Element, ClientError> {
        self.until(|it| it.is("message", CLIENT)).await
    }

    /// Sends a request, and gives the answer. What comes before it is left behind.
    ///
    /// `id` is that of the request, and of the answer.
    pub async fn ask(
        &mut self,
        id: &str,
        request: impl AsRef<[u8]>,
    ) -> Result<Element, ClientError> {
        self.send(request).await?;
        self.until(|it| it.is("iq", CLIENT) && it.attribute("id") == Some(id))
            .await
    }

    /// Asks an address whether it is there (XEP-0199), and gives the answer.
    pub async fn ping(&mut self, to: &str) -> Result<Element, ClientError> {
        let request =
            format!("<iq to='{to}' type='get' id='ping'><ping xmlns='urn:xmpp:ping'/></iq>");
        self.ask("ping", request).await
    }

    /// Closes the stream, and waits until the server has closed its own and the connection.
    pub async fn log_out(mut self) -> Result<(), ClientError> {
        self.send("</stream:stream>").await?;
        self.closed().await
    }
}
