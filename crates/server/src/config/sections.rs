//! The shape of the configuration. The comments are the text of the reference.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

pub use rookery_component::Component;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Everything that can be configured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The directory that holds everything the server keeps: accounts, messages, secrets, the
    /// development certificate. It is made at the first start, readable by the server's user only. Like
    /// every path it is relative to the working directory.
    pub data_dir: PathBuf,
    /// The hosts.
    pub host: Vec<Host>,
    /// The components.
    pub component: Vec<Component>,
    /// The listeners.
    pub listener: Listeners,
    /// The certificates.
    pub tls: rookery_tls::Config,
    /// The store.
    pub store: Store,
    /// The log.
    pub log: rookery_telemetry::LogConfig,
    /// The runtime.
    pub runtime: Runtime,
    /// The end.
    pub shutdown: Shutdown,
    /// The administration.
    pub admin: rookery_admin::Config,
    /// The passwords.
    pub auth: rookery_auth::Config,
    /// The connections.
    pub limits: rookery_c2s::Limits,
    /// The streams.
    pub stream: rookery_stream::Config,
    /// The sessions.
    pub session: rookery_session::Config,
    /// The accounts.
    pub router: rookery_router::Config,
    /// The features.
    pub features: rookery_features::Config,
    /// The archives.
    pub archive: rookery_features::archive::Config,
}

/// `[[host]]`: a domain that is served. More hosts are more tables, each with its own certificate and
/// switches. `ROOKERY_HOST=a.example,b.example` names the hosts from the environment; a host that has a
/// table in the file keeps its settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Host {
    /// The domain, as it stands in the addresses of its accounts.
    pub name: String,
    /// Whether anybody may make an account from a client, before logging in (XEP-0077); how many is limited
    /// by `[features.registration]`. Where this is off, accounts are made with `rookery user add`.
    pub registration: bool,
    /// Whether users who are logged in here find each other by name, nickname and email address, as far as
    /// these stand in their vCards (XEP-0055).
    pub user_search: bool,
    /// Whether accounts may have privacy lists (XEP-0016), for old clients; others block by address, which needs no
    /// switch (XEP-0191). Lists that were made go on to hold when this is turned off.
    pub privacy_lists: bool,
    /// Whether messages of this host's accounts are archived (XEP-0313); what `[archive]` says if it is left out.
    pub archive: Option<bool>,
    /// URIs of documents that tell about outages of this host, best on another machine. Clients remember
    /// them and look there when they cannot connect (XEP-0455).
    pub outages: Vec<String>,
    /// The certificate.
    pub tls: rookery_tls::HostConfig,
    /// The ways to log in.
    pub auth: rookery_auth::HostConfig,
    /// The people.
    pub contact: Contact,
}

/// `[host.contact]`: how to reach the people behind the host, as URIs such as
/// `mailto:abuse@example.org` or `xmpp:admin@example.org`. Clients and other operators can ask for them
/// (XEP-0157).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Contact {
    /// Where to report abuse.
    pub abuse: Vec<String>,
    /// Who runs the server.
    pub admin: Vec<String>,
    /// Where to send feedback.
    pub feedback: Vec<String>,
    /// Who sells.
    pub sales: Vec<String>,
    /// Where to report security problems.
    pub security: Vec<String>,
    /// Where the state of the service is shown.
    pub status: Vec<String>,
    /// Who helps users.
    pub support: Vec<String>,
}

/// Where the server listens.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Listeners {
    /// STARTTLS.
    pub c2s: rookery_c2s::StartTlsListener,
    /// Direct TLS.
    pub c2s_tls: rookery_c2s::DirectTlsListener,
    /// Components.
    pub component: rookery_component::Listener,
    /// HTTP for clients.
    pub http: HttpListener,
    /// HTTP for operators.
    pub ops: rookery_web::OpsListener,
}

/// `[listener.http]`: reserved for clients that speak HTTP. Nothing listens here in this version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HttpListener {
    /// Addresses that a later version listens on; not bound in this version.
    pub address: Vec<SocketAddr>,
}

/// `[store]`: where accounts, rosters and messages are kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// `embedded`: in files in `data_dir`, for one node. `redis`: in Redis.
    pub kind: StoreKind,
    /// The embedded store.
    pub embedded: rookery_storage_embedded::Config,
    /// The message log.
    pub log: rookery_storage_embedded::LogConfig,
    /// Redis.
    pub redis: rookery_storage_redis::Config,
}

/// Which store keeps everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StoreKind {
    /// In files in `data_dir`.
    #[default]
    Embedded,
    /// In Redis.
    Redis,
}

/// `[runtime]`: the threads.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Runtime {
    /// How many threads carry connections and sessions; 0 is one for each processor.
    pub arbiters: usize,
    /// How many threads do everything else: the store, password hashing, HTTP; 0 is one for each
    /// processor, and at least two.
    pub control_threads: usize,
}

/// `[shutdown]`: how the server ends after SIGTERM or SIGINT. A second signal ends it at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Shutdown {
    /// How long the end may take in all, in seconds: closing every client's stream with
    /// `system-shutdown`, and writing what is to be kept.
    pub timeout_seconds: u64,
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        let host = Host {
            name: "localhost".to_owned(),
            ..Host::default()
        };
        Self {
            data_dir: PathBuf::from("rookery-data"),
            host: vec![host],
            component: Vec::new(),
            listener: Listeners::default(),
            tls: rookery_tls::Config::default(),
            store: Store::default(),
            log: rookery_telemetry::LogConfig::default(),
            runtime: Runtime::default(),
            shutdown: Shutdown::default(),
            admin: rookery_admin::Config::default(),
            auth: rookery_auth::Config::default(),
            limits: rookery_c2s::Limits::default(),
            stream: rookery_stream::Config::default(),
            session: rookery_session::Config::default(),
            router: rookery_router::Config::default(),
            features: rookery_features::Config::default(),
            archive: rookery_features::archive::Config::default(),
        }
    }
}

impl Config {
    /// The socket that `rookery user` and other commands reach the running server by.
    pub fn admin_socket(&self) -> PathBuf {
        let configured = self.admin.socket.clone();
        configured.unwrap_or_else(|| self.data_dir.join("admin.sock"))
    }
}

// === impl HttpListener ===

impl Default for HttpListener {
    fn default() -> Self {
        Self {
            address: vec![SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5280)],
        }
    }
}

// === impl Shutdown ===

impl Default for Shutdown {
    fn default() -> Self {
        Self {
            timeout_seconds: 30,
        }
    }
}
