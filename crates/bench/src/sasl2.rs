//! Logging in by XEP-0388 and XEP-0386: the resource comes with the authentication, and there is no second header.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::accounts;
use crate::error::BenchError;
use crate::options::Mechanism;
use crate::scram::{Exchange, Hash};
use crate::session::{Login, Session, decoded, nonce};

/// What is asked for along with the authentication.
const BIND: &str = "<bind xmlns='urn:xmpp:bind:0'><tag>bench</tag></bind>";

impl Session {
    /// Authenticates, and has a resource afterwards.
    pub(crate) async fn authenticate_and_bind(
        &mut self,
        login: &Login,
        index: u32,
        features: &str,
    ) -> Result<(), BenchError> {
        let options = &login.options;
        let name = options.mechanism.name();
        let offered = features.split_once("<authentication xmlns='urn:xmpp:sasl:2'");
        let wanted = format!("<mechanism>{name}</mechanism>");
        if !offered.is_some_and(|(_, offered)| offered.contains(&wanted)) {
            return Err(BenchError::NotOffered(name));
        }
        let user = accounts::user(options, index);
        let hash = match options.mechanism {
            Mechanism::Plain => {
                let message = format!("\0{user}\0{}", options.password);
                self.begin_sasl2(name, &message).await?;
                return self.succeed_bound(&user).await.map(drop);
            }
            Mechanism::ScramSha1 => Hash::Sha1,
            Mechanism::ScramSha256 => Hash::Sha256,
            Mechanism::None => return Ok(()),
        };
        let exchange = Exchange::new(hash, &user, &nonce()?);
        self.begin_sasl2(name, &exchange.first()).await?;
        let challenge = self.expect("challenge").await?;
        let mut keys = login.accounts.keys(index);
        let last = exchange.prove(&decoded(&challenge)?, &options.password, &mut keys)?;
        login.accounts.keep(index, keys);
        let response = STANDARD.encode(&last.message);
        self.send(&format!(
            "<response xmlns='urn:xmpp:sasl:2'>{response}</response>"
        ))
        .await?;
        let success = self.succeed_bound(&user).await?;
        if last.is_answered_by(&decoded(&success)?) {
            Ok(())
        } else {
            Err(BenchError::Scram("the server does not know the password"))
        }
    }

    async fn begin_sasl2(&mut self, mechanism: &str, message: &str) -> Result<(), BenchError> {
        let message = STANDARD.encode(message);
        self.send(&format!(
            "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='{mechanism}'>\
             <initial-response>{message}</initial-response>{BIND}</authenticate>"
        ))
        .await
    }

    /// Waits for the success and the features behind it; gives the additional data.
    async fn succeed_bound(&mut self, user: &str) -> Result<String, BenchError> {
        let success = self.succeed(user).await?;
        self.expect("stream:features").await?;
        let is_bound = success.contains("<bound xmlns='urn:xmpp:bind:0'");
        let data = success.find("<additional-data>");
        let data = data.and_then(|begin| success.get(begin..));
        match (is_bound, data) {
            (true, Some(data)) => Ok(data.to_owned()),
            (true, None) => Ok(String::new()),
            (false, _) => Err(BenchError::Unexpected("a bound resource", success)),
        }
    }
}
