//! One client session: logging in, and moving stanzas with buffers that are used again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf as _, BytesMut};
use memchr::memmem;
use rookery_xml::{Frame, Limits, Scanner};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::accounts::{self, Accounts};
use crate::error::BenchError;
use crate::management::{self, Management};
use crate::options::{LogIn, Mechanism, Mode, Options};
use crate::sasl::Profile;
use crate::scram::{Exchange, Hash};
use crate::transport::{Tls, Transport};

/// The room for what one read brings.
const READ: usize = 16 * 1024;
/// What a peer that sends nonsense is quoted with, at most.
const QUOTE: usize = 200;

/// A client session.
#[derive(Debug)]
pub(crate) struct Session {
    transport: Transport,
    input: BytesMut,
    /// What the next [`flush`](Self::flush) sends.
    pub(crate) output: Vec<u8>,
    scanner: Scanner,
    limits: Limits,
    /// Stream management, once it is enabled.
    management: Option<Box<Management>>,
}

/// What all logins of a run share.
#[derive(Debug)]
pub(crate) struct Login {
    pub(crate) options: Options,
    tls: Option<Tls>,
    pub(crate) accounts: Accounts,
}

// === impl Session ===

impl Session {
    fn new(transport: Transport) -> Self {
        let limits = Limits {
            max_stanza_bytes: 1 << 20,
            ..Limits::default()
        };
        Self {
            transport,
            input: BytesMut::new(),
            output: Vec::new(),
            scanner: Scanner::new(&limits),
            limits,
            management: None,
        }
    }

    /// Sends what stands in `output`, and asks whether it has come, if streams are managed.
    pub(crate) async fn flush(&mut self) -> Result<(), BenchError> {
        if !self.output.is_empty() {
            if self.management.is_some() {
                self.output.extend_from_slice(management::REQUEST);
            }
            self.transport.write_all(&self.output).await?;
            self.transport.flush().await?;
            self.output.clear();
        }
        Ok(())
    }

    pub(crate) async fn send(&mut self, text: &str) -> Result<(), BenchError> {
        self.output.extend_from_slice(text.as_bytes());
        self.flush().await
    }

    /// Waits for bytes. It may be dropped at any time without losing any.
    pub(crate) async fn fill(&mut self) -> Result<(), BenchError> {
        if let Some(management) = &mut self.management
            && !management.answers.is_empty()
        {
            while !management.answers.is_empty() {
                self.transport.write_buf(&mut management.answers).await?;
            }
            self.transport.flush().await?;
        }
        self.input.reserve(READ);
        match self.transport.read_buf(&mut self.input).await? {
            0 => Err(BenchError::Closed),
            _ => Ok(()),
        }
    }

    /// Shows `see` each stanza that has come whole, and forgets it.
    pub(crate) fn stanzas(
        &mut self,
        mut see: impl FnMut(&[u8]) -> Result<(), BenchError>,
    ) -> Result<(), BenchError> {
        while let Some(len) = self.whole()? {
            see(self.input.get(..len).unwrap_or_default())?;
            self.input.advance(len);
        }
        Ok(())
    }

    /// The length of the stanza at the start of the input, if one has come whole. What is no stanza is
    /// removed.
    fn whole(&mut self) -> Result<Option<usize>, BenchError> {
        while !self.input.is_empty() {
            match self.scanner.scan(&self.input)? {
                None => break,
                Some(Frame::Stanza { len }) => {
                    let element = self.input.get(..len).unwrap_or_default();
                    let management = self.management.as_mut();
                    if !management.is_some_and(|management| management.takes(element)) {
                        return Ok(Some(len));
                    }
                    self.input.advance(len);
                }
                Some(Frame::End { .. }) => return Err(BenchError::Closed),
                Some(Frame::Header { len } | Frame::Whitespace { len }) => self.input.advance(len),
            }
        }
        Ok(None)
    }

    /// The next stanza, as text.
    async fn stanza(&mut self) -> Result<String, BenchError> {
        loop {
            if let Some(len) = self.whole()? {
                let bytes = self.input.split_to(len);
                return Ok(String::from_utf8_lossy(&bytes).into_owned());
            }
            self.fill().await?;
        }
    }

    /// The next stanza, which has to be an element of this name.
    pub(crate) async fn expect(&mut self, name: &'static str) -> Result<String, BenchError> {
        let stanza = self.stanza().await?;
        let element = stanza.strip_prefix('<').unwrap_or_default();
        if element.starts_with(name) {
            Ok(stanza)
        } else {
            Err(BenchError::Unexpected(name, quote(&stanza)))
        }
    }

    /// Sends a request, and gives the answer with the same id. What comes before it is left behind.
    pub(crate) async fn ask(&mut self, id: &str, request: &str) -> Result<String, BenchError> {
        self.send(request).await?;
        let quoted = [format!("id='{id}'"), format!("id=\"{id}\"")];
        loop {
            let stanza = self.stanza().await?;
            if stanza.starts_with("<iq") && quoted.iter().any(|id| stanza.contains(id)) {
                return Ok(stanza);
            }
        }
    }

    /// Enables stream management (XEP-0198 §3).
    async fn enable_management(&mut self) -> Result<(), BenchError> {
        self.send(management::ENABLE).await?;
        self.expect("enabled").await?;
        self.management = Some(Box::default());
        Ok(())
    }

    /// Opens a stream, and gives the features.
    async fn open(&mut self, domain: &str) -> Result<String, BenchError> {
        self.scanner = Scanner::new(&self.limits);
        self.send(&header(domain)).await?;
        self.expect("stream:features").await
    }

    /// Tells a relay which connection this is, and takes it for a stream that is open.
    async fn greet_relay(&mut self, index: u32) -> Result<(), BenchError> {
        self.scanner.scan(header("").as_bytes())?;
        self.send(&format!("{index:07}\n")).await
    }

    /// Closes the stream, and waits for the server to do the same.
    pub(crate) async fn leave(mut self, options: &Options) -> Result<(), BenchError> {
        if options.is_relay() {
            return Ok(());
        }
        // After the end of a stream nothing is asked.
        self.management = None;
        let goodbye = async {
            self.send("</stream:stream>").await?;
            loop {
                self.stanzas(|_| Ok(()))?;
                self.fill().await?;
            }
        };
        match timeout(options.patience(), goodbye).await {
            Ok(Err(BenchError::Closed | BenchError::Connection(_)) | Ok(())) => Ok(()),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(BenchError::Silence),
        }
    }

    /// Proves who the user is, in the way of one of the two profiles.
    pub(crate) async fn authenticate(
        &mut self,
        login: &Login,
        index: u32,
        features: &str,
        profile: Profile,
    ) -> Result<(), BenchError> {
        let options = &login.options;
        let name = options.mechanism.name();
        if !profile.offers(features, name) {
            return Err(BenchError::NotOffered(name));
        }
        let user = accounts::user(options, index);
        let hash = match options.mechanism {
            Mechanism::Plain => {
                let message = format!("\0{user}\0{}", options.password);
                self.send(&profile.begin(name, &message)).await?;
                return self.succeed(&user, profile).await.map(drop);
            }
            Mechanism::ScramSha1 => Hash::Sha1,
            Mechanism::ScramSha256 => Hash::Sha256,
            Mechanism::None => return Ok(()),
        };
        let exchange = Exchange::new(hash, &user, &nonce()?);
        self.send(&profile.begin(name, &exchange.first())).await?;
        let challenge = self.expect("challenge").await?;
        let mut keys = login.accounts.keys(index);
        let last = exchange.prove(&decoded(&challenge)?, &options.password, &mut keys)?;
        login.accounts.keep(index, keys);
        self.send(&profile.respond(&last.message)).await?;
        let success = self.succeed(&user, profile).await?;
        if last.is_answered_by(&decoded(&success)?) {
            Ok(())
        } else {
            Err(BenchError::Scram("the server does not know the password"))
        }
    }

    /// Waits for the success; gives what has the additional data in it.
    async fn succeed(&mut self, user: &str, profile: Profile) -> Result<String, BenchError> {
        let success = match self.expect("success").await {
            Err(BenchError::Unexpected(_, answer)) => {
                return Err(BenchError::Login(user.to_owned(), answer));
            }
            other => other?,
        };
        if profile.binds() {
            self.expect("stream:features").await?;
        }
        profile.additional(success)
    }
}

// === impl Login ===

impl Login {
    pub(crate) fn new(options: Options) -> Result<Self, BenchError> {
        let tls = match options.mode {
            Mode::Plain => None,
            Mode::Starttls | Mode::Tls => Some(Tls::new(&options)?),
        };
        Ok(Self {
            options,
            tls,
            accounts: Accounts::new(),
        })
    }

    /// Connects, authenticates and binds.
    pub(crate) async fn log_in(&self, index: u32) -> Result<Session, BenchError> {
        let attempt = async {
            let mut session = self.attempt(index).await?;
            if self.options.stream_management {
                session.enable_management().await?;
            }
            Ok(session)
        };
        timeout(self.options.patience(), attempt)
            .await
            .map_err(|_| BenchError::Silence)?
    }

    async fn attempt(&self, index: u32) -> Result<Session, BenchError> {
        let options = &self.options;
        let mut transport = Transport::connect(options.server, options.source(index)).await?;
        if options.mode == Mode::Tls
            && let Some(tls) = &self.tls
        {
            transport = tls.secure(transport).await?;
        }
        let mut session = Session::new(transport);
        if options.is_relay() {
            session.greet_relay(index).await?;
            return Ok(session);
        }
        let mut features = session.open(&options.domain).await?;
        if options.mode == Mode::Starttls
            && let Some(tls) = &self.tls
        {
            session
                .send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
                .await?;
            session.expect("proceed").await?;
            let transport = std::mem::replace(&mut session.transport, Transport::Gone);
            session.transport = tls.secure(transport).await?;
            features = session.open(&options.domain).await?;
        }
        let profile = match options.login {
            LogIn::Sasl2 => Profile::Sasl2,
            LogIn::Sasl => Profile::Sasl,
        };
        session
            .authenticate(self, index, &features, profile)
            .await?;
        if profile.binds() {
            return Ok(session);
        }
        session.open(&options.domain).await?;
        let request = "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
                       <resource>bench</resource></bind></iq>";
        let answer = session.ask("bind", request).await?;
        if memmem::find(answer.as_bytes(), b"<jid>").is_none() {
            return Err(BenchError::Unexpected("a bound resource", quote(&answer)));
        }
        Ok(session)
    }
}

/// What opens a stream.
fn header(domain: &str) -> String {
    format!(
        "<?xml version='1.0'?><stream:stream to='{domain}' version='1.0' xmlns='jabber:client' \
         xmlns:stream='http://etherx.jabber.org/streams'>"
    )
}

/// A fresh nonce.
pub(crate) fn nonce() -> Result<String, BenchError> {
    let mut bytes = [0; 18];
    getrandom::fill(&mut bytes).map_err(|error| std::io::Error::other(error.to_string()))?;
    Ok(STANDARD.encode(bytes))
}

/// The text of an element without children, out of base 64.
pub(crate) fn decoded(element: &str) -> Result<String, BenchError> {
    let text = element
        .split_once('>')
        .and_then(|(_, rest)| rest.split_once('<'));
    let bytes = text.and_then(|(text, _)| STANDARD.decode(text.trim()).ok());
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    text.ok_or(BenchError::Scram("the server's message is not base 64"))
}

fn quote(stanza: &str) -> String {
    stanza.chars().take(QUOTE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_challenge_is_decoded() {
        let text = decoded("<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>cj0x</challenge>");
        assert_eq!(text.unwrap(), "r=1");
        assert!(decoded("<challenge/>").is_err());
    }

    #[test]
    fn an_answer_that_goes_on_for_ever_is_quoted_in_part() {
        assert_eq!(quote(&"ü".repeat(1000)).chars().count(), QUOTE);
    }
}
