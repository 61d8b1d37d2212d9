//! Components that take more than they are given, at servers of their own.

use std::error::Error;
use std::net::{IpAddr, SocketAddr};

use rookery_testkit::{Client, ClientError, Received, Server};
use tokio::time::timeout;

use super::{LONG, Verdict, bound, check, has_error, received};
use crate::company::{self, Company, Witness};
use crate::component::{self, NAME};
use crate::row::Stage;

/// How many messages a component sends without a pause.
const FLOOD: usize = 20_000;

/// How often one address may connect in a minute.
const ATTEMPTS: usize = 10;

/// A server with the component, and where that connects.
async fn with_component(
    more: &str,
    accounts: &[&str],
) -> Result<(Server, SocketAddr), Box<dyn Error>> {
    let address = component::free_address()?;
    let settings = component::settings(address).replacen(
        "[listener.component]\n",
        &format!("[listener.component]\n{more}"),
        1,
    );
    Ok((Company::alone(&settings, accounts).await?, address))
}

pub(super) async fn secrets_are_guessed_only_so_often(
    _company: &Company,
    source: IpAddr,
) -> Verdict {
    let limit = format!("connections_per_address_and_minute = {ATTEMPTS}\n");
    let (server, address) = with_component(&limit, &[]).await?;
    // A slow machine gives some attempts back meanwhile.
    let mut refused = false;
    for _ in 0..3 * ATTEMPTS {
        // Accepted by the system, and closed by the server without a word.
        let mut guess = match component::bring(address, source, Stage::Greeted).await {
            Ok(guess) => guess,
            Err(ClientError::Unexpected { received, .. }) if *received == Received::Closed => {
                refused = true;
                break;
            }
            Err(ClientError::Io(_)) => {
                refused = true;
                break;
            }
            Err(error) => return Err(error.into()),
        };
        guess.send("<handshake>guess</handshake>").await?;
        // It does not wait for the end: with time, attempts are given back.
        check(guess.element().await?.name() == "error", "no error")?;
    }
    check(refused, "all guesses are listened to")?;
    component::bring(address, company::source(98, 1), Stage::Joined).await?;
    let rates = "rookery_component_attempts_total{outcome=\"rate\"}";
    check(
        server.metric(rates).await? >= Some(1.0),
        "it is not counted",
    )
}

pub(super) async fn who_never_proves_anything_is_let_go(
    _company: &Company,
    source: IpAddr,
) -> Verdict {
    let address = component::free_address()?;
    let settings = component::settings(address);
    let hurry =
        format!("[stream]\nnegotiation_timeout_seconds = 2\nclose_timeout_seconds = 1\n{settings}");
    let _server = Company::alone(&hurry, &[]).await?;
    for stage in [Stage::Component, Stage::Greeted] {
        let mut silent = component::bring(address, source, stage).await?;
        let told = received(&mut silent).await?;
        let reason = told.first().and_then(|error| error.children().next());
        let named = reason.map(rookery_xml::Element::name);
        check(
            named == Some("connection-timeout"),
            format!("{stage:?}: {named:?}"),
        )?;
    }
    Ok(())
}

pub(super) async fn a_component_that_floods_loses_nothing_and_disturbs_nobody(
    _company: &Company,
    source: IpAddr,
) -> Verdict {
    let (server, address) = with_component("", &["flooder", "friend"]).await?;
    let mut component = component::bring(address, source, Stage::Joined).await?;
    let mut victim = bound(&server, company::source(98, 2), "flooder").await?;
    let mut witness = Witness::arrive(&server, "friend").await;
    let flood = async {
        for first in (0..FLOOD).step_by(100) {
            let message = |id| {
                format!(
                    "<message from='{NAME}' to='{}' id='{id}'><body>x</body></message>",
                    victim.jid()
                )
            };
            let batch: String = (first..first + 100).map(message).collect();
            component.send(batch).await?;
        }
        Ok::<_, ClientError>(component)
    };
    let jid = victim.jid().to_owned();
    check(!jid.is_empty(), "no victim")?;
    let (flooded, served) = tokio::join!(timeout(LONG, flood), witness.is_served());
    let component = flooded??;
    served?;
    let read = async {
        for id in 0..FLOOD {
            let message = victim.element().await?;
            if message.attribute("id") != Some(id.to_string().as_str()) {
                return Ok(Some(id));
            }
        }
        Ok::<_, ClientError>(None)
    };
    let missed = timeout(LONG, read).await??;
    drop(component);
    check(missed.is_none(), format!("message {missed:?} is missing"))
}

pub(super) async fn who_writes_to_a_component_that_does_not_read_is_told(
    _company: &Company,
    source: IpAddr,
) -> Verdict {
    let (server, address) = with_component("queue_bytes = 100000\n", &["writer"]).await?;
    let deaf = component::bring(address, source, Stage::Joined).await?;
    let mut writer = bound(&server, company::source(98, 3), "writer").await?;
    let body = "x".repeat(50_000);
    let told = async {
        loop {
            writer
                .send(format!(
                    "<message to='{NAME}' type='chat' id='m'><body>{body}</body></message>\
                     <iq to='localhost' type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>"
                ))
                .await?;
            if has_been_told(&mut writer).await? {
                return Ok::<_, ClientError>(());
            }
        }
    };
    timeout(LONG, told).await??;
    drop(deaf);
    Ok(())
}

/// Whether an error comes before the answer to the ping.
async fn has_been_told(writer: &mut Client) -> Result<bool, ClientError> {
    let answer = writer.element().await?;
    if answer.attribute("id") == Some("p") {
        return Ok(false);
    }
    writer.element().await?;
    Ok(has_error(&answer, "remote-server-timeout"))
}
