//! One TLS session of a server, without I/O (RFC 5246, RFC 8446).

use std::io::{BufRead, Write};
use std::sync::Arc;

use bytes::BytesMut;
use rustls::{HandshakeKind, ProtocolVersion, ServerConfig, ServerConnection};

use crate::client_identity::xmpp_addresses;
use crate::error::TlsError;
use crate::store::Loaded;

/// The server's side of one TLS session. Whoever owns the socket moves the bytes.
///
/// What is given to [`send`](Self::send) stays here, encrypted, until [`take_output`](Self::take_output):
/// a caller that takes the output after each batch, and stops making batches while the socket does not
/// take them, keeps it empty. At rest a session holds nothing but its keys and a buffer of 4 KiB.
#[derive(Debug)]
pub struct TlsSession {
    connection: ServerConnection,
    loaded: Arc<Loaded>,
    /// What is to be sent is of no use before the next thing that is sent.
    can_wait: bool,
    peer_closed: bool,
}

/// What a handshake agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsInfo {
    /// `1.2` or `1.3`; `none` before the handshake.
    pub version: &'static str,
    /// The name of the cipher suite as the IANA registry has it.
    pub cipher: &'static str,
    /// The host that the client asked for, in lower case (RFC 6066 §3).
    pub sni: Option<String>,
    /// The application protocol that was agreed on (RFC 7301).
    pub alpn: Option<Vec<u8>>,
    /// Whether an earlier session was resumed.
    pub resumed: bool,
    /// The channel binding `tls-server-end-point` (RFC 5929 §4), where it is defined.
    pub server_end_point: Option<Vec<u8>>,
    /// The client's verified certificate chain as DER, its own certificate first; empty without one.
    pub peer_certificates: Vec<Vec<u8>>,
    /// The XMPP addresses in the client's certificate (RFC 6120 §13.7.1.4), unprepared.
    pub peer_addresses: Vec<String>,
}

// === impl TlsSession ===

impl TlsSession {
    pub(crate) fn new(config: Arc<ServerConfig>, loaded: Arc<Loaded>) -> Result<Self, TlsError> {
        let mut connection = ServerConnection::new(config)?;
        // The caller bounds what it sends; a second bound here could only cut a batch in two.
        connection.set_buffer_limit(None);
        Ok(Self {
            connection,
            loaded,
            can_wait: false,
            peer_closed: false,
        })
    }

    /// Takes what the socket gave, drives the handshake, and appends what it decrypts to `plaintext`.
    ///
    /// Bytes after the peer's `close_notify` are dropped. After an error the session is over; plaintext
    /// that came before the error has been appended all the same.
    pub fn receive(
        &mut self,
        mut ciphertext: &[u8],
        plaintext: &mut BytesMut,
    ) -> Result<(), TlsError> {
        let was_handshaking = self.is_handshaking();
        self.can_wait = false;
        while !ciphertext.is_empty() {
            // Fails only when plaintext has not been taken, and it is taken in each round.
            match self.connection.read_tls(&mut ciphertext) {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
            let processed = self.connection.process_new_packets();
            self.take_plaintext(plaintext);
            self.peer_closed |= processed?.peer_has_closed();
        }
        // Of TLS 1.3 only tickets follow the client's Finished (RFC 8446 §4.6.1); of TLS 1.2 the server's own.
        let is_complete = was_handshaking && !self.is_handshaking();
        self.can_wait = is_complete && self.version() == "1.3";
        Ok(())
    }

    /// Encrypts `plaintext`. The ciphertext waits for [`take_output`](Self::take_output).
    pub fn send(&mut self, plaintext: &[u8]) -> Result<(), TlsError> {
        if self.connection.is_handshaking() {
            return Err(TlsError::Handshaking);
        }
        self.connection
            .writer()
            .write_all(plaintext)
            .map_err(|error| TlsError::Protocol(rustls::Error::General(error.to_string())))
    }

    /// Appends to `out` what the socket is to send at once: handshake, alerts. Tickets wait for the first thing
    /// that is said, and travel with it.
    pub fn take_urgent_output(&mut self, out: &mut Vec<u8>) {
        if !self.can_wait {
            self.take_output(out);
        }
    }

    /// Appends to `out` what the socket is to send: handshake, tickets, ciphertext, alerts.
    pub fn take_output(&mut self, out: &mut Vec<u8>) {
        while self.connection.wants_write() {
            if self.connection.write_tls(out).is_err() {
                break; // does not happen: a vector takes everything
            }
        }
    }

    /// Whether there is something for the socket to send.
    pub fn has_output(&self) -> bool {
        self.connection.wants_write()
    }

    /// Whether the handshake is not complete yet.
    pub fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Whether the next thing to arrive makes keys be exchanged and signed for, which is most of what a handshake
    /// costs: of TLS 1.3 that is the `ClientHello` alone, unless another one was asked for (RFC 8446 §4.1.4).
    pub fn awaits_key_exchange(&self) -> bool {
        use HandshakeKind::{Full, Resumed};
        let is_through = self.version() == "1.3"
            && matches!(self.connection.handshake_kind(), Some(Full | Resumed));
        self.is_handshaking() && !is_through
    }

    /// Queues `close_notify`: nothing is sent after it (RFC 8446 §6.1).
    pub fn close(&mut self) {
        self.connection.send_close_notify();
    }

    /// Whether the peer has sent `close_notify`. An end of the socket without it is a truncation.
    pub fn peer_closed(&self) -> bool {
        self.peer_closed
    }

    /// The version of TLS: `1.2` or `1.3`; `none` before the handshake.
    pub fn version(&self) -> &'static str {
        match self.connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "1.3",
            Some(ProtocolVersion::TLSv1_2) => "1.2",
            _ => "none",
        }
    }

    /// What the handshake agreed on.
    pub fn info(&self) -> TlsInfo {
        let sni = self.connection.server_name();
        let peer = self.connection.peer_certificates().unwrap_or_default();
        TlsInfo {
            version: self.version(),
            cipher: self
                .connection
                .negotiated_cipher_suite()
                .and_then(|suite| suite.suite().as_str())
                .unwrap_or("none"),
            sni: sni.map(str::to_owned),
            alpn: self.connection.alpn_protocol().map(<[u8]>::to_vec),
            resumed: self.connection.handshake_kind() == Some(HandshakeKind::Resumed),
            server_end_point: (!self.is_handshaking())
                .then(|| self.loaded.pair(sni).end_point.clone())
                .flatten(),
            peer_certificates: peer
                .iter()
                .map(|certificate| certificate.to_vec())
                .collect(),
            peer_addresses: peer
                .first()
                .map(|own| xmpp_addresses(own))
                .unwrap_or_default(),
        }
    }

    /// The channel binding `tls-exporter` (RFC 9266 §2); none before the handshake is complete.
    ///
    /// It is unique for TLS 1.3, and for TLS 1.2 with an extended master secret, without which no
    /// handshake succeeds here.
    pub fn export_channel_binding(&self) -> Option<[u8; 32]> {
        self.connection
            .export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b""))
            .ok()
    }

    fn take_plaintext(&mut self, plaintext: &mut BytesMut) {
        let mut reader = self.connection.reader();
        // An error means that there is nothing to read now.
        while let Ok(chunk) = reader.fill_buf() {
            let length = chunk.len();
            if length == 0 {
                break;
            }
            plaintext.extend_from_slice(chunk);
            reader.consume(length);
        }
    }
}
