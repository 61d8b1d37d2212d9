//! Connections of components (XEP-0114).

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};

use rookery_testkit::{Client, ClientError, Received};
use sha1::{Digest as _, Sha1};

use crate::row::Stage;
use crate::template::COMPONENT;

/// The component that there is.
pub(crate) const NAME: &str = "harm.localhost";
const SECRET: &str = "something wicked";

/// The settings of a server that has the component.
pub(crate) fn settings(address: SocketAddr) -> String {
    format!(
        "[listener.component]\naddress = [\"{address}\"]\n\
         [[component]]\nname = \"{NAME}\"\nsecret = \"{SECRET}\"\n"
    )
}

/// An address of loopback that nobody listens on.
pub(crate) fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

/// A connection at a stage.
pub(crate) async fn bring(
    address: SocketAddr,
    source: IpAddr,
    stage: Stage,
) -> Result<Client, ClientError> {
    let mut client = Client::connect_from(source, address).await?;
    if stage == Stage::Component {
        return Ok(client);
    }
    client
        .send(format!("<stream:stream to='{NAME}' {COMPONENT}>"))
        .await?;
    let header = match client.receive().await? {
        Received::Header(header) => header,
        received => return Err(unexpected("a header", received)),
    };
    if stage == Stage::Greeted {
        return Ok(client);
    }
    let id = header.split("id='").nth(1).unwrap_or_default();
    let id = id.split('\'').next().unwrap_or_default();
    client.send(handshake(id)).await?;
    let answer = client.element().await?;
    if answer.name() == "handshake" {
        return Ok(client);
    }
    Err(unexpected("<handshake/>", Received::Element(answer)))
}

/// The proof for the stream of this id.
fn handshake(id: &str) -> String {
    let digest = Sha1::digest(format!("{id}{SECRET}"));
    let digits: Vec<String> = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("<handshake>{}</handshake>", digits.concat())
}

fn unexpected(expected: &'static str, received: Received) -> ClientError {
    ClientError::Unexpected {
        expected,
        received: Box::new(received),
    }
}
