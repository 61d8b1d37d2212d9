//! A server process of its own for each test.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::authority::Issued;
use crate::client::{Client, ClientError};
use crate::transport::Trust;

/// How long a server may take to come up or to go.
const PATIENCE: Duration = Duration::from_secs(60);
const TICK: Duration = Duration::from_millis(20);

/// What a test wants to be different from the defaults.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Further configuration, as TOML after the tables that the test kit writes.
    pub extra: String,
    /// Accounts at `localhost` to make before the server starts.
    pub accounts: Vec<String>,
    /// Environment variables for the process.
    pub environment: Vec<(String, String)>,
    /// Where its data lies, if not in a folder that is removed with the server.
    pub data: Option<PathBuf>,
    /// A command that the server is started by: it gets the command of the server as its last arguments,
    /// and must become it (`exec`).
    pub under: Vec<String>,
}

/// A running server. It is killed when it is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    directory: TempDir,
    data: PathBuf,
    options: Options,
    /// Where clients connect with STARTTLS.
    pub c2s: SocketAddr,
    /// Where clients connect with TLS.
    pub c2s_tls: SocketAddr,
    /// Where operators look.
    pub ops: SocketAddr,
}

// === impl Server ===

impl Server {
    /// The password of every account that a test makes.
    pub const PASSWORD: &'static str = "r0m30-and-juliet";

    /// Starts a server on free ports of loopback, in a directory of its own, for the host `localhost`.
    pub async fn start(options: Options) -> io::Result<Self> {
        let directory = tempfile::tempdir()?;
        let [c2s, c2s_tls, ops] = [free_port()?, free_port()?, free_port()?];
        let mut config = String::new();
        let data = options.data.clone();
        let data = data.unwrap_or_else(|| directory.path().join("data"));
        writeln!(config, "data_dir = {}", toml_string(&data)).map_err(io::Error::other)?;
        let tables = [("c2s", c2s), ("c2s_tls", c2s_tls), ("ops", ops)];
        for (listener, address) in tables {
            writeln!(config, "[listener.{listener}]\naddress = [\"{address}\"]")
                .map_err(io::Error::other)?;
        }
        config.push_str(&options.extra);
        if !options.extra.contains("[[host]]") {
            config.push_str("\n[[host]]\nname = \"localhost\"\n");
        }
        std::fs::write(directory.path().join("rookery.toml"), config)?;
        let accounts: Vec<_> = options
            .accounts
            .iter()
            .map(|user| format!("{user}@localhost"))
            .collect();
        import(directory.path(), &accounts, &options.environment)?;
        let child = spawn(directory.path(), &options)?;
        let mut server = Self {
            child,
            directory,
            data,
            options,
            c2s,
            c2s_tls,
            ops,
        };
        server.ready().await?;
        Ok(server)
    }

    /// Kills the process as `kill -9` does.
    pub fn kill(&mut self) -> io::Result<ExitStatus> {
        self.child.kill()?;
        self.child.wait()
    }

    /// Asks the process to leave in order (SIGTERM), and waits until it has.
    pub async fn terminate(&mut self) -> io::Result<ExitStatus> {
        self.signal("TERM")?;
        self.exited().await
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) -> io::Result<()> {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", name, &pid]).status()?;
        if status.success() {
            Ok(())
        } else {
            Err(io::Error::other("kill failed"))
        }
    }

    /// Waits until the process has ended.
    pub async fn exited(&mut self) -> io::Result<ExitStatus> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                return Err(io::Error::other(format!(
                    "the server does not end:\n{}",
                    self.log()
                )));
            }
            tokio::time::sleep(TICK).await;
        }
    }

    /// Starts the process again on its data, after it has ended.
    pub async fn restart(&mut self) -> io::Result<()> {
        self.child = spawn(self.directory.path(), &self.options)?;
        self.ready().await
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The folder with the configuration.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The server's `data_dir`.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Whom a client of this server trusts.
    pub fn trust(&self, alpn: &[&str]) -> io::Result<Trust> {
        Trust::pem_file(&self.data.join("tls/ca.pem"), alpn).map_err(io::Error::other)
    }

    /// Whom a client of this server trusts that shows it a certificate.
    pub fn trust_with(&self, own: &Issued) -> io::Result<Trust> {
        let pem = std::fs::read(self.data.join("tls/ca.pem"))?;
        Trust::pem_with(&pem, &[], own).map_err(io::Error::other)
    }

    /// Runs a `rookery` command against this server.
    pub fn command(&self, arguments: &[&str]) -> io::Result<std::process::Output> {
        let config = self.directory.path().join("rookery.toml");
        Command::new(binary()?)
            .args(arguments)
            .arg("--config")
            .arg(config)
            .output()
    }

    /// A client that is logged in with STARTTLS.
    pub async fn log_in(&self, user: &str, resource: &str) -> Result<Client, ClientError> {
        let trust = self.trust(&[])?;
        Client::log_in(
            self.c2s,
            &trust,
            (user, "localhost"),
            Self::PASSWORD,
            resource,
        )
        .await
    }

    /// What the server has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// Gets a page of the ops listener: status and body.
    pub async fn get(&self, path: &str) -> io::Result<(u16, String)> {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut socket = TcpStream::connect(self.ops).await?;
        let request =
            format!("GET {path} HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await?;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::other("no HTTP status"))?;
        Ok((status, body.to_owned()))
    }

    /// The value of a metric: of one series, by its name with labels as it is exposed; by a name without
    /// labels, that of all its series together.
    pub async fn metric(&self, name: &str) -> io::Result<Option<f64>> {
        let (_, body) = self.get("/metrics").await?;
        let value = |line: &str| {
            let (series, value) = line.rsplit_once(' ')?;
            let labels = series.strip_prefix(name)?;
            let is_meant = labels.is_empty() || (labels.starts_with('{') && !name.contains('{'));
            is_meant.then(|| value.parse::<f64>().ok()).flatten()
        };
        Ok(body.lines().filter_map(value).reduce(|a, b| a + b))
    }

    /// Waits until a metric has a value, and fails with the last one seen when it never has.
    pub async fn until_metric(&self, name: &str, value: f64) -> io::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let last = self.metric(name).await?;
            if last.is_some_and(|last| (last - value).abs() < f64::EPSILON) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(io::Error::other(format!("{name} is {last:?}, not {value}")));
            }
            tokio::time::sleep(TICK).await;
        }
    }

    /// Waits until the server says that it is ready.
    async fn ready(&mut self) -> io::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Ok((200, _)) = self.get("/readyz").await {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(io::Error::other(format!(
                    "{status} at start:\n{}",
                    self.log()
                )));
            }
            if Instant::now() > deadline {
                return Err(io::Error::other(format!(
                    "not ready in time:\n{}",
                    self.log()
                )));
            }
            tokio::time::sleep(TICK).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn import(
    directory: &Path,
    accounts: &[String],
    environment: &[(String, String)],
) -> io::Result<()> {
    if accounts.is_empty() {
        return Ok(());
    }
    let list = directory.join("accounts");
    let lines: Vec<_> = accounts
        .iter()
        .map(|jid| format!("{jid} {}", Server::PASSWORD))
        .collect();
    std::fs::write(&list, lines.join("\n"))?;
    let output = Command::new(binary()?)
        .args(["user", "import"])
        .arg(&list)
        .arg("--config")
        .arg(directory.join("rookery.toml"))
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(
        String::from_utf8_lossy(&output.stderr).into_owned(),
    ))
}

fn spawn(directory: &Path, options: &Options) -> io::Result<Child> {
    let log = File::options()
        .create(true)
        .append(true)
        .open(directory.join("log"))?;
    let binary = binary()?;
    let mut words = options.under.iter().map(OsStr::new);
    let mut command = Command::new(words.next().unwrap_or(binary.as_ref()));
    if !options.under.is_empty() {
        command.args(words).arg(&binary);
    }
    command
        .arg("serve")
        .arg("--config")
        .arg(directory.join("rookery.toml"))
        .envs(
            options
                .environment
                .iter()
                .map(|(name, value)| (name, value)),
        )
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
}

/// The binary beside the test that runs: `target/<profile>/rookery`.
fn binary() -> io::Result<PathBuf> {
    let test = std::env::current_exe()?;
    let binary = test
        .ancestors()
        .nth(2)
        .map(|profile| profile.join("rookery"));
    binary.filter(|binary| binary.exists()).ok_or_else(|| {
        io::Error::other("the server is not built: run `cargo build -p rookery-server` first")
    })
}

/// A path as a basic string of TOML.
fn toml_string(path: &Path) -> String {
    let text = path.display().to_string();
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A port that nobody listens on, outside of the range from which systems take the ports of outgoing
/// connections: one of those could take it before the server does.
fn free_port() -> io::Result<SocketAddr> {
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for attempt in 0..100 {
        let random = RandomState::new().hash_one(attempt) % 20_000;
        let port = 10_000 + u16::try_from(random).map_err(io::Error::other)?;
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(listener) => return listener.local_addr(),
            Err(error) => last = error,
        }
    }
    Err(last)
}
