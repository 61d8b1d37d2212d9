//! Servers and clients as the tests of this folder need them.

use rookery_testkit::{Client, ClientError, Options, Server};
use rookery_xml::Element;

/// Options with accounts of these names.
pub(crate) fn with_accounts<T: ToString>(names: &[T]) -> Options {
    Options {
        accounts: names.iter().map(ToString::to_string).collect(),
        ..Options::default()
    }
}

/// A client that is logged in and available.
pub(crate) async fn available(server: &Server, user: &str, priority: i8) -> Client {
    let mut client = server.log_in(user, "here").await.unwrap();
    client.become_available(priority).await.unwrap();
    client
}

/// A client that has logged in over direct TLS.
pub(crate) async fn log_in_direct(server: &Server, user: &str) -> Result<Client, ClientError> {
    let trust = server.trust(&["xmpp-client"])?;
    let mut client = Client::connect_tls(server.c2s_tls, &trust, "localhost").await?;
    client.open("localhost").await?;
    client.authenticate(user, Server::PASSWORD).await?;
    client.open("localhost").await?;
    client.bind("direct").await?;
    Ok(client)
}

/// The number at the beginning of a message's text.
pub(crate) fn number(message: &Element) -> u64 {
    let body = message.child("body", "jabber:client").unwrap().text();
    let digits = body.split(' ').next().unwrap();
    digits.parse().unwrap()
}

/// A text that begins with a number and has about this many bytes.
pub(crate) fn text(number: u64, bytes: usize) -> String {
    format!("{number} {}", "ä".repeat(bytes / 2))
}

/// The name of the condition in a stanza error.
pub(crate) fn condition(stanza: &Element) -> Option<&str> {
    let error = stanza.child("error", "jabber:client")?;
    let named = "urn:ietf:params:xml:ns:xmpp-stanzas";
    let condition = error
        .children()
        .find(|it| it.namespace() == named && it.name() != "text");
    condition.map(Element::name)
}
