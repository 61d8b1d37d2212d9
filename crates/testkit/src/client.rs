//! A client that says exactly what it is told to say, and shows exactly what it is told.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use rookery_xml::{Element, Frame, Limits, Scanner, StreamNamespaces, XmlError, read_header};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout_at};

use crate::transport::{Transport, Trust};

/// How long a client waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);
const STREAM: &str = "http://etherx.jabber.org/streams";

/// A client's connection.
#[derive(Debug)]
pub struct Client {
    transport: Transport,
    buffer: BytesMut,
    raw: Bytes,
    scanner: Scanner,
    limits: Limits,
    namespaces: StreamNamespaces,
    jid: Option<String>,
}

/// What the server sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// The header of its stream, as it was written.
    Header(String),
    /// A first-level element.
    Element(Element),
    /// The end of its stream.
    StreamEnd,
    /// The end of the connection.
    Closed,
}

/// Why a client could not go on.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    /// Nothing came in time.
    #[error("nothing came in time")]
    Silence,
    /// The server sent XML that is not allowed in a stream.
    #[error("the server sent bad XML: {0}")]
    Xml(#[from] XmlError),
    /// Something else came than what was needed.
    #[error("expected {expected}, received {received:?}")]
    Unexpected {
        /// What was needed.
        expected: &'static str,
        /// What came.
        received: Box<Received>,
    },
}

// === impl Client ===

impl Client {
    /// Connects, and says nothing.
    pub async fn connect(address: SocketAddr) -> Result<Self, ClientError> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        Ok(Self::over(Transport::Plain(socket)))
    }

    /// Connects with a receive buffer of about this size, and says nothing: what this client does not read
    /// is soon felt by the server.
    pub async fn connect_narrow(address: SocketAddr, bytes: u32) -> Result<Self, ClientError> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(bytes)?;
        Ok(Self::over(Transport::Plain(socket.connect(address).await?)))
    }

    /// Connects from an address of this machine, as if it were somebody else, and says nothing.
    pub async fn connect_from(source: IpAddr, address: SocketAddr) -> Result<Self, ClientError> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(source, 0))?;
        let socket = socket.connect(address).await?;
        socket.set_nodelay(true)?;
        Ok(Self::over(Transport::Plain(socket)))
    }

    /// Connects with TLS from the first byte (XEP-0368), and says nothing in it.
    pub async fn connect_tls(
        address: SocketAddr,
        trust: &Trust,
        host: &str,
    ) -> Result<Self, ClientError> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        Ok(Self::over(trust.secure(socket, host).await?))
    }

    fn over(transport: Transport) -> Self {
        let limits = Limits {
            max_stanza_bytes: 16 << 20,
            max_depth: 512,
            ..Limits::default()
        };
        Self {
            transport,
            buffer: BytesMut::new(),
            raw: Bytes::new(),
            scanner: Scanner::new(&limits),
            limits,
            namespaces: StreamNamespaces::default(),
            jid: None,
        }
    }

    /// The full JID, once a resource is bound.
    pub fn jid(&self) -> &str {
        self.jid.as_deref().unwrap_or_default()
    }

    /// The last first-level element that was received, as the server wrote it.
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// The channel binding `tls-exporter` of a connection with TLS (RFC 9266 §2).
    pub fn exporter(&self) -> Option<[u8; 32]> {
        self.transport.exporter()
    }

    /// The certificate of the server, as DER, on a connection with TLS.
    pub fn certificate(&self) -> Option<&[u8]> {
        self.transport.certificate()
    }

    /// Sends bytes as they are.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> Result<(), ClientError> {
        self.transport.write_all(bytes.as_ref()).await?;
        self.transport.flush().await?;
        Ok(())
    }

    /// Ends the connection in the middle of whatever it is in.
    pub fn abort(self) {
        drop(self);
    }

    /// Ends the sending side of the connection.
    pub async fn shut_down(&mut self) -> Result<(), ClientError> {
        self.transport.shutdown().await?;
        Ok(())
    }

    /// What comes next, or `Silence`.
    pub async fn receive(&mut self) -> Result<Received, ClientError> {
        self.receive_until(Instant::now() + PATIENCE).await
    }

    /// What comes next before `deadline`, or `Silence`.
    pub async fn receive_until(&mut self, deadline: Instant) -> Result<Received, ClientError> {
        loop {
            if let Some(received) = self.next_buffered()? {
                return Ok(received);
            }
            let read = self.transport.read_buf(&mut self.buffer);
            let read = timeout_at(deadline, read)
                .await
                .map_err(|_| ClientError::Silence)?;
            match read {
                Ok(0) => return Ok(Received::Closed),
                Ok(_) => {}
                Err(error) if is_end(&error) => return Ok(Received::Closed),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn next_buffered(&mut self) -> Result<Option<Received>, ClientError> {
        while !self.buffer.is_empty() {
            let Some(frame) = self.scanner.scan(&self.buffer)? else {
                break;
            };
            match frame {
                Frame::Whitespace { len } => drop(self.buffer.split_to(len)),
                Frame::Header { len } => {
                    let header = self.buffer.split_to(len);
                    self.namespaces = read_header(&header, &self.limits)?.namespaces;
                    let text = String::from_utf8_lossy(&header).into_owned();
                    return Ok(Some(Received::Header(text)));
                }
                Frame::Stanza { len } => {
                    self.raw = self.buffer.split_to(len).freeze();
                    let element = Element::parse(&self.raw, &self.namespaces, &self.limits)?;
                    return Ok(Some(Received::Element(element)));
                }
                Frame::End { len } => {
                    drop(self.buffer.split_to(len));
                    return Ok(Some(Received::StreamEnd));
                }
            }
        }
        Ok(None)
    }

    /// The next element.
    pub async fn element(&mut self) -> Result<Element, ClientError> {
        match self.receive().await? {
            Received::Element(element) => Ok(element),
            received => Err(unexpected("an element", received)),
        }
    }

    /// Waits for the end of the connection. What comes before it is left behind.
    pub async fn closed(&mut self) -> Result<(), ClientError> {
        while self.receive().await? != Received::Closed {}
        Ok(())
    }

    /// Opens a stream to `host` and gives the features.
    pub async fn open(&mut self, host: &str) -> Result<Element, ClientError> {
        self.restart();
        self.send(format!(
            "<?xml version='1.0'?><stream:stream to='{host}' version='1.0' xml:lang='en' \
             xmlns='jabber:client' xmlns:stream='{STREAM}'>"
        ))
        .await?;
        match self.receive().await? {
            Received::Header(_) => {}
            received => return Err(unexpected("a stream header", received)),
        }
        let features = self.element().await?;
        if features.is("features", STREAM) {
            return Ok(features);
        }
        Err(unexpected("stream features", Received::Element(features)))
    }

    /// Expects a new stream header from the server.
    pub fn restart(&mut self) {
        self.scanner = Scanner::new(&self.limits);
    }

    /// Starts TLS in an open stream (RFC 6120 §5).
    pub async fn start_tls(&mut self, trust: &Trust, host: &str) -> Result<(), ClientError> {
        self.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
            .await?;
        let answer = self.element().await?;
        if !answer.is("proceed", "urn:ietf:params:xml:ns:xmpp-tls") {
            return Err(unexpected("<proceed/>", Received::Element(answer)));
        }
        match std::mem::replace(&mut self.transport, Transport::Gone) {
            Transport::Plain(socket) => self.transport = trust.secure(socket, host).await?,
            transport => self.transport = transport,
        }
        Ok(())
    }

    /// Authenticates with PLAIN (RFC 4616) in an open stream.
    pub async fn authenticate(&mut self, user: &str, password: &str) -> Result<(), ClientError> {
        let message = STANDARD.encode(format!("\0{user}\0{password}"));
        self.send(format!(
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{message}</auth>"
        ))
        .await?;
        let answer = self.element().await?;
        if answer.is("success", "urn:ietf:params:xml:ns:xmpp-sasl") {
            return Ok(());
        }
        Err(unexpected("<success/>", Received::Element(answer)))
    }

    /// Binds a resource in an open stream.
    pub async fn bind(&mut self, resource: &str) -> Result<(), ClientError> {
        let bind = "urn:ietf:params:xml:ns:xmpp-bind";
        self.send(format!(
            "<iq type='set' id='bind'><bind xmlns='{bind}'><resource>{resource}</resource></bind></iq>"
        ))
        .await?;
        let answer = self.element().await?;
        let jid = answer
            .child("bind", bind)
            .and_then(|bound| bound.child("jid", bind));
        let Some(jid) = jid else {
            return Err(unexpected("a bound resource", Received::Element(answer)));
        };
        self.jid = Some(jid.text().into_owned());
        Ok(())
    }

    /// Connects with STARTTLS, authenticates and binds.
    pub async fn log_in(
        address: SocketAddr,
        trust: &Trust,
        account: (&str, &str),
        password: &str,
        resource: &str,
    ) -> Result<Self, ClientError> {
        let mut client = Self::connect(address).await?;
        client
            .secure_and_bind(trust, account, password, resource)
            .await?;
        Ok(client)
    }

    /// Starts TLS on a new connection, authenticates and binds.
    pub async fn secure_and_bind(
        &mut self,
        trust: &Trust,
        account: (&str, &str),
        password: &str,
        resource: &str,
    ) -> Result<(), ClientError> {
        let (user, host) = account;
        self.open(host).await?;
        self.start_tls(trust, host).await?;
        self.open(host).await?;
        self.authenticate(user, password).await?;
        self.open(host).await?;
        self.bind(resource).await
    }
}

fn unexpected(expected: &'static str, received: Received) -> ClientError {
    ClientError::Unexpected {
        expected,
        received: Box::new(received),
    }
}

/// An end of the connection, however rude.
fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
    )
}
