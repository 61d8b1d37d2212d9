//! How streams and connections end.

use rookery_testkit::ClientError;

use crate::actor::Heard;
use crate::mishap::Mishap;
use crate::scene::{Action, Role};

use super::{HOST, STAGE, Stage, different};

impl Stage<'_> {
    /// Ends a stream or a connection, or sees it end.
    pub(super) async fn end(&mut self, name: &str, action: &Action) -> Result<(), Mishap> {
        match action {
            Action::StreamEnds => {
                self.hear_that(name, "</stream:stream>", |heard| {
                    matches!(heard, Heard::StreamEnd)
                })
                .await
            }
            Action::StreamEndsWith(condition) => self.stream_ends_with(name, condition).await,
            Action::ConnectionEnds => self.hear_end_of_connection(name).await,
            Action::HandshakeFails => self.handshake_fails(name).await,
            Action::CloseStream => {
                self.say(name, b"</stream:stream>").await?;
                self.hear_that(name, "</stream:stream>", |heard| {
                    matches!(heard, Heard::StreamEnd)
                })
                .await?;
                self.hear_end_of_connection(name).await
            }
            Action::Disconnect => self.disconnect(name).await,
            Action::LogInAgain => {
                let Role::Client { local, resource } = self.actor(name)?.role.clone() else {
                    return Err(Mishap::Script("has no resource to log in with".to_owned()));
                };
                let local = self.names.local(&local);
                let client = self.log_in(&local, &resource).await?;
                self.actor(name)?.reconnect(client);
                Ok(())
            }
            _ => Err(Mishap::Script("this is not an end".to_owned())),
        }
    }

    async fn stream_ends_with(&mut self, name: &str, condition: &str) -> Result<(), Mishap> {
        let expected = format!("<stream:error><{condition}/></stream:error>");
        let mut heard = self.actor(name)?.hear().await?;
        // A server opens its stream before it refuses the other (RFC 6120 §4.9.1.2).
        if heard.is_header() {
            heard = self.actor(name)?.hear().await?;
        }
        if !heard.is_stream_error(condition) {
            return Err(different(&expected, &heard));
        }
        self.hear_that(name, "</stream:stream>", |heard| {
            matches!(heard, Heard::StreamEnd)
        })
        .await?;
        // The connection may be gone already.
        drop(self.say(name, b"</stream:stream>").await);
        self.hear_end_of_connection(name).await
    }

    async fn hear_that(
        &mut self,
        name: &str,
        expected: &str,
        is_it: impl Fn(&Heard) -> bool,
    ) -> Result<(), Mishap> {
        let heard = self.actor(name)?.hear().await?;
        if is_it(&heard) {
            Ok(())
        } else {
            Err(different(expected, &heard))
        }
    }

    async fn hear_end_of_connection(&mut self, name: &str) -> Result<(), Mishap> {
        self.hear_that(name, "the end of the connection", |heard| {
            matches!(heard, Heard::Closed)
        })
        .await?;
        self.actor(name)?.leave();
        Ok(())
    }

    /// What comes is an alert, to the library of TLS or in place of XML, or nothing any more.
    async fn handshake_fails(&mut self, name: &str) -> Result<(), Mishap> {
        let actor = self.actor(name)?;
        let heard = actor.hear().await;
        actor.leave();
        match heard {
            Err(Mishap::Client(ClientError::Io(_) | ClientError::Xml(_))) | Ok(Heard::Closed) => {
                Ok(())
            }
            Ok(heard) => Err(different("an alert of TLS", &heard)),
            Err(mishap) => Err(mishap),
        }
    }

    /// Drops a connection, and asks for its session until there is none.
    async fn disconnect(&mut self, name: &str) -> Result<(), Mishap> {
        let actor = self.actor(name)?;
        let jid = actor.jid().map(str::to_owned);
        if let Some(client) = actor.leave() {
            client.abort();
        }
        let Some(jid) = jid else { return Ok(()) };
        let mut asker = self.log_in("stagehand", &self.names.suffix).await?;
        let request = format!(
            "<iq type='get' id='{STAGE}gone' to='{jid}'><ping xmlns='urn:xmpp:ping'/></iq>\
             <iq type='get' id='{STAGE}ping' to='{HOST}'><ping xmlns='urn:xmpp:ping'/></iq>"
        );
        let gone = format!("{STAGE}gone");
        loop {
            asker.send(&request).await?;
            if asker.element().await?.attribute("id") == Some(&gone) {
                return Ok(());
            }
        }
    }
}
