//! The servers under attack, the attackers' connections, and somebody who only wants to talk meanwhile.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use rookery_testkit::{Client, ClientError, Options, Server};
use tokio::time::timeout;

use crate::component;
use crate::row::Stage;

/// Somebody else is served within this time, whatever goes on.
const TIMELY: Duration = Duration::from_secs(5);

/// What a row works with.
pub(crate) struct Company {
    /// With its settings as they are shipped, and a component.
    pub(crate) server: Server,
    /// Where components of that server connect.
    pub(crate) components: SocketAddr,
    /// With little patience.
    pub(crate) hurried: Server,
    /// With little room for everything; anybody may make an account.
    pub(crate) frugal: Server,
}

/// Somebody who is served all the time.
pub(crate) struct Witness {
    client: Client,
}

// === impl Company ===

impl Company {
    /// Servers with these accounts.
    pub(crate) async fn gather(accounts: Vec<String>) -> Self {
        let options = |extra: &str| Options {
            accounts: accounts.clone(),
            extra: format!("[log]\nlevel = \"warn\"\n[auth]\niterations = 4096\n{extra}"),
            ..Options::default()
        };
        let hurried = "failures_per_address = 3\n[limits]\nunauthenticated_per_address = 20\n[stream]\n\
                       negotiation_timeout_seconds = 4\nclose_timeout_seconds = 1\n";
        let frugal = "[session]\nmax_outgoing_bytes = 262144\n[session.client_state]\nmax_bytes = 65536\n[router]\nsessions_per_account = 5\n\
                      roster_items = 20\nroster_bytes = 2000\nsubscription_requests = 3\n\
                      offline_messages = 3\n[features]\nbytes_per_account = 20000\n\
                      [features.vcard]\nmax_bytes = 4096\n[features.private_storage]\n\
                      max_element_bytes = 4096\nmax_elements = 10\n[features.blocking]\n\
                      max_items = 20\n[features.registration]\naccounts_per_address = 2\n\
                      [[host]]\nname = \"localhost\"\nregistration = true\n";
        let components = component::free_address().unwrap();
        let component = component::settings(components);
        Self {
            server: Server::start(options(&component)).await.unwrap(),
            components,
            hurried: Server::start(options(hurried)).await.unwrap(),
            frugal: Server::start(options(frugal)).await.unwrap(),
        }
    }

    /// A server that serves nobody else, with these settings.
    pub(crate) async fn alone(settings: &str, accounts: &[&str]) -> io::Result<Server> {
        Server::start(Options {
            accounts: accounts.iter().map(|name| (*name).to_owned()).collect(),
            extra: format!("[log]\nlevel = \"warn\"\n{settings}"),
            ..Options::default()
        })
        .await
    }

    /// The servers that many rows share.
    pub(crate) fn servers(&self) -> [&Server; 3] {
        [&self.server, &self.hurried, &self.frugal]
    }

    /// A connection of `user` at a stage, from an address of its own, and with a resource of its own: what was
    /// still on its way to the session of another row is no matter of this one.
    pub(crate) async fn bring(
        server: &Server,
        source: IpAddr,
        user: &str,
        stage: Stage,
    ) -> Result<Client, ClientError> {
        let mut client = Client::connect_from(source, server.c2s).await?;
        if stage == Stage::Tcp {
            return Ok(client);
        }
        client.open("localhost").await?;
        if stage == Stage::Clear {
            return Ok(client);
        }
        client.start_tls(&server.trust(&[])?, "localhost").await?;
        client.restart();
        if stage == Stage::Tls {
            return Ok(client);
        }
        client.open("localhost").await?;
        if stage == Stage::Secured {
            return Ok(client);
        }
        client.authenticate(user, Server::PASSWORD).await?;
        client.restart();
        if stage == Stage::Authenticated {
            return Ok(client);
        }
        client.open("localhost").await?;
        if stage == Stage::Bound {
            client.bind(&format!("harm-{source}")).await?;
        }
        Ok(client)
    }
}

/// An address for each row: failures of one are not held against another.
pub(crate) fn source(theme: usize, row: usize) -> IpAddr {
    let byte = |number: usize| u8::try_from(number).unwrap();
    IpAddr::V4(Ipv4Addr::new(127, 1 + byte(theme), 1, 1 + byte(row)))
}

// === impl Witness ===

impl Witness {
    pub(crate) async fn arrive(server: &Server, user: &str) -> Self {
        let mut client = server.log_in(user, "witness").await.unwrap();
        client.become_available(0).await.unwrap();
        Self { client }
    }

    /// Fails if the server does not carry a message and answer a request in time.
    pub(crate) async fn is_served(&mut self) -> Result<(), String> {
        let jid = self.client.jid().to_owned();
        let talk = async {
            self.client.tell(&jid, "still there?").await?;
            self.client.hear().await?;
            self.client.ping("localhost").await
        };
        match timeout(TIMELY, talk).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(format!("somebody else is not served: {error}")),
            Err(_) => Err("somebody else is not served in time".to_owned()),
        }
    }
}
