//! A server for those who try it: on loopback, with two accounts, and told how to connect.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::net::SocketAddr;

use rookery_admin::{NewUser, Request, Response, Secret};

use super::directory::write_private;
use super::error::StartError;
use super::node::Node;
use crate::config::Loaded;

const HOST: &str = "localhost";
const NAMES: [&str; 2] = ["alice", "bob"];
/// Characters of a password: 80 bits.
const LENGTH: usize = 16;
/// Without those that are taken for others.
const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";

/// Whether a server is one for development: nobody has written a configuration, it serves `localhost`,
/// and no other machine can reach it.
pub(super) fn is_meant(loaded: &Loaded) -> bool {
    let listener = &loaded.config.listener;
    let mut addresses = listener.c2s.address.iter().chain(&listener.c2s_tls.address);
    let hosts = &loaded.config.host;
    loaded.file.is_none()
        && hosts.iter().all(|host| host.name == HOST)
        && addresses.all(|address| address.ip().is_loopback())
}

/// Makes the accounts at the first start, and says what a newcomer needs.
pub(super) async fn welcome(node: &Node) -> Result<(), StartError> {
    let path = node.directory().development_accounts();
    let accounts = match std::fs::read_to_string(&path) {
        Ok(accounts) => accounts,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let accounts = make_accounts(node).await?;
            write_private(&path, accounts.as_bytes())?;
            accounts
        }
        Err(source) => return Err(StartError::File { path, source }),
    };
    let text = text(node, &accounts);
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(StartError::Output)
}

/// Makes the accounts that are not there: a line each.
async fn make_accounts(node: &Node) -> Result<String, StartError> {
    let mut accounts = String::new();
    for name in NAMES {
        let (jid, password) = (format!("{name}@{HOST}"), password()?);
        let user = NewUser {
            jid: jid.clone(),
            password: Secret(password.clone()),
        };
        match node.operations().perform(Request::AddUser(user)).await {
            Response::Done => writeln!(accounts, "{jid} {password}").unwrap_or_default(),
            other => tracing::warn!(jid, ?other, "no account for development is made"),
        }
    }
    Ok(accounts)
}

fn password() -> Result<String, StartError> {
    let mut random = [0; LENGTH];
    getrandom::fill(&mut random).map_err(StartError::Randomness)?;
    let letter = |byte: &u8| LETTERS.get(usize::from(*byte) % LETTERS.len());
    Ok(random
        .iter()
        .filter_map(letter)
        .copied()
        .map(char::from)
        .collect())
}

fn text(node: &Node, accounts: &str) -> String {
    let config = node.config();
    let mut text = String::from("\nRookery is ready: a development server on this machine.\n\n");
    let mut line = |name: &str, value: &str| {
        writeln!(text, "  {name:<14}{value}").unwrap_or_default();
    };
    let mut known = accounts
        .lines()
        .filter_map(|account| account.split_once(' '))
        .peekable();
    let first = known.peek().copied();
    for (index, (jid, password)) in known.enumerate() {
        let name = if index == 0 { "accounts" } else { "" };
        line(name, &format!("{jid}   password {password}"));
    }
    let listening = node.listening();
    line("STARTTLS", &addresses(&listening.starttls));
    line("direct TLS", &addresses(&listening.direct));
    let authority = node.directory().tls().join("ca.pem");
    line(
        "authority",
        &format!(
            "{} (the certificate's; clients have to trust it)",
            authority.display()
        ),
    );
    if let Some(address) = node.operators().first() {
        line("metrics", &format!("http://{address}/metrics"));
    }
    line("data", &config.data_dir.display().to_string());
    if let (Some((jid, password)), Some(address)) = (first, listening.starttls.first()) {
        let (ca, port) = (authority.display(), address.port());
        let examples = format!(
            "\nFrom another terminal:\n\n  \
             echo hello | SSL_CERT_FILE={ca} go-sendxmpp -u {jid} -p {password} -j {address} bob@{HOST}\n  \
             profanity   and there   /connect {jid} server {ip} port {port} tls trust\n",
            ip = address.ip(),
        );
        text.push_str(&examples);
    }
    text.push_str("\nCtrl-C ends it. To set up a server for others: rookery config example > rookery.toml\n\n");
    text
}

fn addresses(addresses: &[SocketAddr]) -> String {
    let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    if addresses.is_empty() {
        "off".to_owned()
    } else {
        addresses.join(", ")
    }
}
