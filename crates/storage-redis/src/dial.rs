//! Makes connections: finds the primary, speaks TLS, logs in, makes the scripts known.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, Cmd, ConnectionAddr, IntoConnectionInfo,
    Pipeline, RedisConnectionInfo, TlsCertificates, Value,
};

use crate::address::Address;
use crate::config::{Config, ConfigError, Mode};
use crate::failure::{self, Failure};
use crate::reply;
use crate::scripts::Scripts;

/// Why the store cannot be opened. That no server answers is no reason: that is told by its health.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A setting is wrong.
    #[error("store.redis.{0}")]
    Config(#[from] ConfigError),
    /// A file cannot be used.
    #[error("store.redis.{key}: {} {what}", path.display())]
    File {
        /// The key that names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is the matter with it.
        what: String,
    },
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Randomness(getrandom::Error),
    /// Tasks cannot be started.
    #[error(transparent)]
    Scope(#[from] rookery_lifecycle::ScopeClosed),
}

/// Which server to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The one at this address.
    At(Address),
    /// The one that the Sentinels name.
    Primary,
}

/// What makes connections.
#[derive(Debug)]
pub(crate) struct Dialer {
    config: Arc<Config>,
    scripts: Arc<Scripts>,
}

// === impl Dialer ===

impl Dialer {
    /// Looks whether what is needed is there.
    pub(crate) async fn prepare(
        config: Arc<Config>,
        scripts: Arc<Scripts>,
    ) -> Result<Self, OpenError> {
        config.validate()?;
        let dialer = Self { config, scripts };
        for key in ["password_file", "sentinel_password_file"] {
            dialer.secret(key).await?;
        }
        if dialer.config.addresses().iter().any(|address| address.tls) {
            let certificates = dialer.certificates().await?;
            // Only looks at the certificates.
            let nowhere = ConnectionAddr::TcpTls {
                host: "localhost".to_owned(),
                port: 1,
                insecure: false,
                tls_params: None,
            };
            Client::build_with_tls(nowhere, certificates)
                .map_err(|error| dialer.unusable(&error.to_string()))?;
        }
        Ok(dialer)
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// A connection that is logged in, to a primary, which has the scripts.
    pub(crate) async fn dial(&self, target: &Target) -> Result<MultiplexedConnection, Failure> {
        let address = match target {
            Target::At(address) => address.clone(),
            Target::Primary => self.primary().await?,
        };
        let mut connection = self.connect(&address, "password_file").await?;
        let mut pipe = Pipeline::new();
        pipe.cmd("ROLE");
        for script in self.scripts.all() {
            pipe.add_command(script.load());
        }
        let answers = ask(&mut connection, &pipe).await?;
        let role = answers.into_iter().next().map(reply::list);
        let role = role.transpose().map_err(Failure::Refused)?;
        let role = role
            .and_then(|role| role.into_iter().next())
            .map(reply::text);
        match role.transpose().map_err(Failure::Refused)?.as_deref() {
            Some("master") => Ok(connection),
            _ => Err(Failure::Lost(format!("{address} is no primary"))),
        }
    }

    /// A connection that is logged in, to any server.
    pub(crate) async fn connect(
        &self,
        address: &Address,
        password: &'static str,
    ) -> Result<MultiplexedConnection, Failure> {
        let refused = |error: &OpenError| Failure::Lost(error.to_string());
        let password = self
            .secret(password)
            .await
            .map_err(|error| refused(&error))?;
        let (host, port) = (address.host.clone(), address.port);
        let certificates = if address.tls {
            Some(self.certificates().await.map_err(|error| refused(&error))?)
        } else {
            None
        };
        let to = if address.tls {
            ConnectionAddr::TcpTls {
                host,
                port,
                insecure: false,
                tls_params: None,
            }
        } else {
            ConnectionAddr::Tcp(host, port)
        };
        let client = self.client(to, certificates, password)?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(millis(self.config.connect_timeout_ms.get())))
            .set_response_timeout(Some(self.config.response()));
        let connected = client
            .get_multiplexed_async_connection_with_config(&config)
            .await;
        connected.map_err(|error| match Failure::from(error) {
            Failure::Lost(text) => Failure::Lost(format!("{address}: {text}")),
            other => other,
        })
    }

    fn client(
        &self,
        address: ConnectionAddr,
        certificates: Option<TlsCertificates>,
        password: Option<String>,
    ) -> Result<Client, Failure> {
        let mut settings = RedisConnectionInfo::default()
            .set_db(i64::from(self.config.database))
            .set_skip_set_lib_name();
        if let Some(password) = password {
            settings = settings.set_password(password);
            if let Some(user) = &self.config.user {
                settings = settings.set_username(user);
            }
        }
        let info = address.into_connection_info()?.set_redis_settings(settings);
        Ok(match certificates {
            Some(certificates) => Client::build_with_tls(info, certificates)?,
            None => Client::open(info)?,
        })
    }

    /// Asks the Sentinels in turn who the primary is.
    async fn primary(&self) -> Result<Address, Failure> {
        let mut last = Failure::Lost("no sentinel is known".to_owned());
        for sentinel in self.config.addresses() {
            match self.ask_sentinel(&sentinel).await {
                Ok(address) => return Ok(address),
                Err(failure) => last = failure,
            }
        }
        Err(last)
    }

    async fn ask_sentinel(&self, sentinel: &Address) -> Result<Address, Failure> {
        let mut connection = self.connect(sentinel, "sentinel_password_file").await?;
        let name = &self.config.sentinel_master;
        let mut pipe = Pipeline::new();
        pipe.cmd("SENTINEL")
            .arg("get-master-addr-by-name")
            .arg(name);
        let answer = ask(&mut connection, &pipe).await?;
        let answer = reply::one(answer)
            .and_then(reply::list)
            .map_err(Failure::Refused)?;
        let texts: Result<Vec<String>, _> = answer.into_iter().map(reply::text).collect();
        match texts.map_err(Failure::Refused)?.as_slice() {
            [host, port] => {
                let port = port
                    .parse()
                    .map_err(|_| Failure::Lost("the primary has no port".to_owned()))?;
                Ok(Address {
                    host: host.clone(),
                    port,
                    tls: sentinel.tls,
                })
            }
            _ => Err(Failure::Lost(format!(
                "the sentinel at {sentinel} knows no {name:?}"
            ))),
        }
    }

    /// The servers of the cluster: from which slot to which, and where.
    pub(crate) async fn slots(
        &self,
        known: &[Address],
    ) -> Result<Vec<(u16, u16, Address)>, Failure> {
        let mut last = Failure::Lost("no server of the cluster is known".to_owned());
        for address in known {
            let asked = async {
                let mut connection = self.connect(address, "password_file").await?;
                let mut pipe = Pipeline::new();
                pipe.add_command(cluster_slots());
                let answer = reply::one(ask(&mut connection, &pipe).await?);
                answer
                    .and_then(|answer| ranges(answer, address))
                    .map_err(Failure::Refused)
            };
            match asked.await {
                Ok(ranges) if ranges.is_empty() => {
                    last = Failure::Later(format!("{address} knows no slots"));
                }
                Ok(ranges) => return Ok(ranges),
                Err(failure) => last = failure,
            }
        }
        Err(last)
    }

    /// The first line of the file that a key names.
    async fn secret(&self, key: &'static str) -> Result<Option<String>, OpenError> {
        let path = match key {
            "password_file" => &self.config.password_file,
            _ => &self.config.sentinel_password_file,
        };
        let Some(path) = path else { return Ok(None) };
        let bytes = file(key, path).await?;
        let text = String::from_utf8(bytes).ok();
        let line = text.and_then(|text| Some(text.lines().next()?.trim_end().to_owned()));
        match line.filter(|line| !line.is_empty()) {
            Some(line) => Ok(Some(line)),
            None => Err(OpenError::File {
                key,
                path: path.clone(),
                what: "must have the password in its first line".to_owned(),
            }),
        }
    }

    async fn certificates(&self) -> Result<TlsCertificates, OpenError> {
        let tls = &self.config.tls;
        let root_cert = match &tls.ca {
            Some(path) => Some(file("tls.ca", path).await?),
            None => None,
        };
        let client_tls = match (&tls.certificate, &tls.key) {
            (Some(certificate), Some(key)) => Some(ClientTlsConfig {
                client_cert: file("tls.certificate", certificate).await?,
                client_key: file("tls.key", key).await?,
            }),
            _ => None,
        };
        Ok(TlsCertificates {
            client_tls,
            root_cert,
        })
    }

    fn unusable(&self, what: &str) -> OpenError {
        let tls = &self.config.tls;
        let path = tls.ca.as_ref().or(tls.certificate.as_ref()).cloned();
        OpenError::File {
            key: "tls",
            path: path.unwrap_or_default(),
            what: format!("cannot be used: {what}"),
        }
    }

    /// Whether servers are found as a cluster.
    pub(crate) fn is_cluster(&self) -> bool {
        self.config.mode == Mode::Cluster
    }
}

/// Sends commands and waits for all answers; the first that is an error is the failure.
pub(crate) async fn ask(
    connection: &mut MultiplexedConnection,
    pipe: &Pipeline,
) -> Result<Vec<Value>, Failure> {
    let values = send(connection, pipe).await?;
    match failure::among(&values) {
        Some(failure) => Err(failure),
        None => Ok(values),
    }
}

/// Sends commands and waits for all answers, among which may be errors.
pub(crate) async fn send(
    connection: &mut MultiplexedConnection,
    pipe: &Pipeline,
) -> Result<Vec<Value>, Failure> {
    let count = pipe.cmd_iter().count();
    let values = connection.send_packed_commands(pipe, 0, count).await?;
    if values.len() == count {
        Ok(values)
    } else {
        Err(Failure::Lost(format!(
            "{} answers to {count} commands",
            values.len()
        )))
    }
}

fn cluster_slots() -> Cmd {
    let mut cmd = redis::cmd("CLUSTER");
    cmd.arg("SLOTS");
    cmd
}

/// Reads the answer to `CLUSTER SLOTS`.
fn ranges(
    answer: Value,
    asked: &Address,
) -> Result<Vec<(u16, u16, Address)>, rookery_storage::StoreError> {
    let mut ranges = Vec::new();
    for range in reply::list(answer)? {
        let mut range = reply::list(range)?.into_iter();
        let (Some(from), Some(to), Some(primary)) = (range.next(), range.next(), range.next())
        else {
            continue;
        };
        let mut primary = reply::list(primary)?.into_iter();
        let host = primary
            .next()
            .map(reply::maybe_bytes)
            .transpose()?
            .flatten();
        let host = host
            .and_then(|host| String::from_utf8(host).ok())
            .unwrap_or_default();
        let port = primary.next().map(|port| reply::int(&port)).transpose()?;
        let short = |number| u16::try_from(number).unwrap_or_default();
        let address = Address {
            // A server that does not know its own name means the one that it was asked by.
            host: if host.is_empty() || host == "?" {
                asked.host.clone()
            } else {
                host
            },
            port: short(port.unwrap_or_default()),
            tls: asked.tls,
        };
        ranges.push((short(reply::int(&from)?), short(reply::int(&to)?), address));
    }
    Ok(ranges)
}

async fn file(key: &'static str, path: &Path) -> Result<Vec<u8>, OpenError> {
    let read: io::Result<Vec<u8>> = tokio::fs::read(path).await;
    read.map_err(|error| OpenError::File {
        key,
        path: path.to_owned(),
        what: format!("cannot be read: {error}"),
    })
}

fn millis(count: u32) -> Duration {
    Duration::from_millis(u64::from(count))
}
