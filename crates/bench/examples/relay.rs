//! The floor under every figure of `rookery bench`: a program that moves the bytes and reads none of them.
//!
//! `relay ADDRESS [CERTIFICATE KEY]` listens there, with TLS from the first byte when it has a certificate.
//! The first eight bytes of a connection are its number, and what it sends from then on goes to the other
//! connection of its pair: 0 and 1, 2 and 3, and so on. `rookery bench --mechanism none` speaks that.
#![expect(
    clippy::print_stdout,
    reason = "whoever starts it waits until it listens"
)]

use std::cell::RefCell;
use std::collections::HashMap;
use std::error::Error;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::ready;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf, ReadHalf, WriteHalf,
    split,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{LocalSet, spawn_local};
use tokio_rustls::TlsAcceptor;

/// The number that a connection begins with: seven digits and a newline.
const NUMBER: usize = 8;

trait Bytes: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Bytes for T {}

type Connection = Box<dyn Bytes>;

/// What all connections share. All of them live on one thread, which is the cheapest way.
struct Relay {
    tls: Option<TlsAcceptor>,
    /// Connections whose other half has not sent yet, by the number of that other half.
    waiting: RefCell<HashMap<u32, WriteHalf<Connection>>>,
    arrived: Notify,
    /// Lent to whoever reads, so that a connection that waits has no buffer.
    room: RefCell<Box<[u8]>>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().ok_or("no address to listen on")?;
    let tls = match (arguments.next(), arguments.next()) {
        (Some(certificate), Some(key)) => Some(acceptor(&certificate, &key)?),
        _ => None,
    };
    // A system that refuses refuses a connection later.
    drop(rlimit::increase_nofile_limit(u64::MAX));
    let relay = Rc::new(Relay {
        tls,
        waiting: RefCell::default(),
        arrived: Notify::new(),
        room: RefCell::new(vec![0; 64 * 1024].into_boxed_slice()),
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, listen(relay, address))?;
    Ok(())
}

fn acceptor(certificate: &str, key: &str) -> Result<TlsAcceptor, Box<dyn Error>> {
    let chain = CertificateDer::pem_file_iter(certificate)?.collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_file(key)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn listen(relay: Rc<Relay>, address: String) -> io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    println!("listening");
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        // A connection that ends takes nothing with it; the generator keeps the books.
        spawn_local(carry(relay.clone(), socket));
    }
}

/// Moves what a connection sends to the other one of its pair.
async fn carry(relay: Rc<Relay>, socket: TcpStream) -> io::Result<()> {
    let mut connection: Connection = match &relay.tls {
        Some(tls) => Box::new(tls.accept(socket).await?),
        None => Box::new(socket),
    };
    let mut number = [0; NUMBER];
    connection.read_exact(&mut number).await?;
    let number = String::from_utf8_lossy(&number).trim().parse();
    let number: u32 = number.map_err(io::Error::other)?;
    let (mut reader, writer) = split(connection);
    relay.waiting.borrow_mut().insert(number ^ 1, writer);
    relay.arrived.notify_waiters();
    let mut bytes = relay.read(&mut reader).await?;
    let mut partner = relay.partner(number).await;
    while !bytes.is_empty() {
        partner.write_all(&bytes).await?;
        partner.flush().await?;
        bytes = relay.read(&mut reader).await?;
    }
    partner.shutdown().await
}

// === impl Relay ===

impl Relay {
    /// What one read brings; nothing at the end.
    async fn read(&self, from: &mut ReadHalf<Connection>) -> io::Result<Vec<u8>> {
        poll_fn(|cx| {
            let mut room = self.room.borrow_mut();
            let mut buffer = ReadBuf::new(&mut room);
            ready!(Pin::new(&mut *from).poll_read(cx, &mut buffer))?;
            Ok(buffer.filled().to_vec()).into()
        })
        .await
    }

    /// The way to the other connection of a pair, as soon as that is there.
    async fn partner(&self, number: u32) -> WriteHalf<Connection> {
        loop {
            let arrived = self.arrived.notified();
            if let Some(partner) = self.waiting.borrow_mut().remove(&number) {
                return partner;
            }
            arrived.await;
        }
    }
}
