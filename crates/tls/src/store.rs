//! The certificates of all hosts, kept current, and the choice among them by SNI (RFC 6066 §3).

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use rookery_lifecycle::Clock;
use rookery_telemetry::Registry;
use rustls::CipherSuite;
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;

use crate::acceptor::Acceptor;
use crate::certificate::Pair;
use crate::client_trust::{Verifier, verifier};
use crate::config::{Config, HostConfig, MinimumVersion};
use crate::error::CertificateError;
use crate::files::Kept;
use crate::metrics::{Metrics, ReloadResult};

/// Holds the certificates that the configuration names, and reloads them.
#[derive(Debug)]
pub struct CertificateStore {
    provider: Arc<CryptoProvider>,
    min_version: MinimumVersion,
    clock: Clock,
    metrics: Metrics,
    files: Mutex<Files>,
    current: RwLock<Arc<Loaded>>,
}

/// One certificate in use, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateInfo {
    /// The configuration table that names it.
    pub table: String,
    /// The file with its chain.
    pub path: PathBuf,
    /// The DNS names and addresses that it is made out to.
    pub names: Vec<String>,
    /// When it expires, in seconds since 1970-01-01T00:00:00Z.
    pub not_after: i64,
}

/// What a reload did. Files that have not changed since the last look are not in it.
#[derive(Debug, Default)]
pub struct ReloadReport {
    /// The tables whose new files are in use.
    pub changed: Vec<String>,
    /// The tables whose new files are bad, and why; what was loaded before stays in use.
    pub refused: Vec<(String, CertificateError)>,
}

/// All certificates as they were at one moment; never changes.
#[derive(Debug)]
pub(crate) struct Loaded {
    exact: HashMap<String, Arc<Pair>>,
    /// By what follows `*.` in their names.
    wildcard: HashMap<String, Arc<Pair>>,
    fallback: Arc<Pair>,
    client_verifier: Verifier,
}

/// The files, what they held when they were last looked at, and what is in use of it.
#[derive(Debug)]
struct Files {
    /// At least one. The last one is for clients that name no host, or none that we know.
    sources: Vec<Source>,
    client_trust: Option<Kept<Verifier>>,
    /// What was found last and cannot be used, by its table.
    bad: BTreeSet<String>,
}

/// One certificate and who uses it.
#[derive(Debug)]
struct Source {
    table: String,
    /// In ASCII and lower case.
    hosts: Vec<String>,
    pair: Kept<Arc<Pair>>,
}

const CLIENT_TRUST: &str = "tls.client_ca";

/// The cryptography, with its cipher suites in the order in which the server prefers them.
///
/// With TLS 1.3 that is AES-128-GCM first, which every peer speaks (RFC 8446 §9.1). A handshake hashes much:
/// processors have instructions for its SHA-256, but seldom for the SHA-384 that AES-256-GCM comes with.
fn provider() -> CryptoProvider {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider
        .cipher_suites
        .sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
    provider
}

// === impl CertificateStore ===

impl CertificateStore {
    /// Loads everything that the configuration names. `hosts` are all hosts of the server: one without a
    /// certificate of its own uses the one of `default`.
    pub fn load(
        default: &Config,
        hosts: &[(String, HostConfig)],
        clock: Clock,
        registry: &Registry,
    ) -> Result<Arc<Self>, CertificateError> {
        let provider = Arc::new(provider());
        let files = Files::load(default, hosts, &provider)?;
        let store = Self {
            min_version: default.min_version,
            current: RwLock::new(Arc::new(files.loaded()?)),
            files: Mutex::new(files),
            metrics: Metrics::new(registry),
            provider,
            clock,
        };
        {
            let files = store.files.lock();
            for source in &files.sources {
                source.log(store.now());
            }
            store.measure(&files);
        }
        store.metrics.all_good(store.now());
        Ok(Arc::new(store))
    }

    /// An acceptor whose sessions offer these application protocols: `xmpp-client` for direct TLS
    /// (XEP-0368 §3), none for STARTTLS.
    pub fn acceptor(self: &Arc<Self>, alpn: &[&str]) -> Acceptor {
        Acceptor::new(Arc::clone(self), alpn)
    }

    /// Looks at all files and takes those that have changed into use, for sessions from now on. Bad ones
    /// are reported, logged and counted once; what was loaded before stays in use. Blocks on files.
    pub fn reload(&self) -> ReloadReport {
        let mut files = self.files.lock();
        let mut report = ReloadReport::default();
        for source in &mut files.sources {
            let refreshed = source.pair.refresh(self.now(), |paths, contents| {
                Pair::make(paths, contents, &self.provider).map(Arc::new)
            });
            if matches!(refreshed, Some(Ok(()))) {
                source.log(self.now());
            }
            report.add(&source.table, refreshed);
        }
        if let Some(trust) = &mut files.client_trust {
            let refreshed = trust.refresh(self.now(), |paths, contents| {
                verifier(paths, contents, &self.provider)
            });
            report.add(CLIENT_TRUST, refreshed);
        }
        if !report.changed.is_empty() {
            match files.loaded() {
                Ok(loaded) => *self.current.write() = Arc::new(loaded),
                Err(error) => report.refused.push(("tls".to_owned(), error)),
            }
            self.measure(&files);
        }
        report.tell(&self.metrics);
        self.judge(&mut files, &report);
        report
    }

    /// The certificates in use.
    pub fn certificates(&self) -> Vec<CertificateInfo> {
        self.files.lock().sources.iter().map(Source::info).collect()
    }

    pub(crate) fn loaded(&self) -> Arc<Loaded> {
        Arc::clone(&self.current.read())
    }

    pub(crate) fn provider(&self) -> &Arc<CryptoProvider> {
        &self.provider
    }

    pub(crate) fn min_version(&self) -> MinimumVersion {
        self.min_version
    }

    fn now(&self) -> i64 {
        i64::try_from(self.clock.unix_millis() / 1000).unwrap_or(i64::MAX)
    }

    /// Says whether everything that was found is in use.
    fn judge(&self, files: &mut Files, report: &ReloadReport) {
        files.bad.retain(|table| !report.changed.contains(table));
        let refused = report.refused.iter().map(|(table, _)| table.clone());
        files.bad.extend(refused);
        if !files.bad.is_empty() {
            self.metrics.something_bad();
        } else if !report.changed.is_empty() {
            self.metrics.all_good(self.now());
        }
    }

    fn measure(&self, files: &Files) {
        let soonest = files
            .sources
            .iter()
            .map(|source| source.info().not_after)
            .min();
        self.metrics.not_after.set(soonest.unwrap_or_default());
    }
}

// === impl Loaded ===

impl Loaded {
    /// The pair for the host that a client asks for: the host's own, one with this name, one with a
    /// wildcard for it, the default.
    pub(crate) fn pair(&self, sni: Option<&str>) -> &Arc<Pair> {
        let exact = sni.and_then(|host| self.exact.get(host));
        let wildcard = || {
            let (_, parent) = sni?.split_once('.')?;
            self.wildcard.get(parent)
        };
        exact.or_else(wildcard).unwrap_or(&self.fallback)
    }

    pub(crate) fn client_verifier(&self) -> Verifier {
        Arc::clone(&self.client_verifier)
    }
}

impl ResolvesServerCert for Loaded {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.pair(hello.server_name()).certified))
    }
}

// === impl Files ===

impl Files {
    fn load(
        default: &Config,
        hosts: &[(String, HostConfig)],
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, CertificateError> {
        let mut sources = Vec::new();
        let mut others = Vec::new();
        for (host, config) in hosts {
            let table = format!("host[{host}].tls");
            let host = ascii(host);
            match pair_paths(&table, config.certificate.as_ref(), config.key.as_ref())? {
                Some(paths) => sources.push(Source::load(table, vec![host], paths, provider)?),
                None => others.push(host),
            }
        }
        match pair_paths("tls", default.certificate.as_ref(), default.key.as_ref())? {
            Some(paths) => sources.push(Source::load("tls".to_owned(), others, paths, provider)?),
            None if others.is_empty() && !sources.is_empty() => sources.rotate_left(1),
            None => {
                return Err(CertificateError::NotConfigured {
                    table: "tls".to_owned(),
                });
            }
        }
        let client_trust = default.client_ca.as_ref().map(|ca| {
            let paths = [Some(ca), default.client_crl.as_ref()];
            let paths = paths.into_iter().flatten().cloned().collect();
            Kept::load(paths, |paths, contents| verifier(paths, contents, provider))
        });
        Ok(Self {
            sources,
            client_trust: client_trust.transpose()?,
            bad: BTreeSet::new(),
        })
    }

    fn loaded(&self) -> Result<Loaded, CertificateError> {
        let fallback = self.sources.last().map(|source| &source.pair.value);
        let fallback = fallback.ok_or_else(|| CertificateError::NotConfigured {
            table: "tls".to_owned(),
        })?;
        let mut loaded = Loaded {
            exact: HashMap::new(),
            wildcard: HashMap::new(),
            fallback: Arc::clone(fallback),
            client_verifier: match &self.client_trust {
                Some(trust) => Arc::clone(&trust.value),
                None => WebPkiClientVerifier::no_client_auth(),
            },
        };
        for Source { hosts, pair, .. } in &self.sources {
            for host in hosts {
                loaded.exact.insert(host.clone(), Arc::clone(&pair.value));
            }
        }
        for Source { pair, .. } in &self.sources {
            for name in &pair.value.facts.names {
                let (map, name) = match name.strip_prefix("*.") {
                    Some(parent) => (&mut loaded.wildcard, parent),
                    None => (&mut loaded.exact, name.as_str()),
                };
                map.entry(name.to_owned())
                    .or_insert_with(|| Arc::clone(&pair.value));
            }
        }
        Ok(loaded)
    }
}

// === impl Source ===

impl Source {
    fn load(
        table: String,
        hosts: Vec<String>,
        paths: Vec<PathBuf>,
        provider: &CryptoProvider,
    ) -> Result<Self, CertificateError> {
        let pair = Kept::load(paths, |paths, contents| {
            Pair::make(paths, contents, provider).map(Arc::new)
        })?;
        Ok(Self { table, hosts, pair })
    }

    fn info(&self) -> CertificateInfo {
        CertificateInfo {
            table: self.table.clone(),
            path: self.pair.paths().first().cloned().unwrap_or_default(),
            names: self.pair.value.facts.names.clone(),
            not_after: self.pair.value.facts.not_after.timestamp(),
        }
    }

    /// Says what is in use, and warns of what clients will not accept.
    fn log(&self, now: i64) {
        let facts = &self.pair.value.facts;
        let CertificateInfo {
            table, path, names, ..
        } = self.info();
        let (path, not_before, not_after) = (path.display(), facts.not_before, facts.not_after);
        tracing::info!(table, %path, ?names, %not_after, "certificate loaded");
        if not_after.timestamp() < now {
            tracing::warn!(table, %path, %not_after, "the certificate has expired and clients will refuse it: renew it");
        }
        if not_before.timestamp() > now {
            tracing::warn!(table, %path, %not_before, "the certificate is not valid yet: check the clock, or wait");
        }
        for host in self.hosts.iter().filter(|host| !facts.cover(host)) {
            tracing::warn!(table, %path, host, ?names, "the certificate does not name the host and clients will refuse it");
        }
    }
}

// === impl ReloadReport ===

impl ReloadReport {
    fn add(&mut self, table: &str, refreshed: Option<Result<(), CertificateError>>) {
        match refreshed {
            None => {}
            Some(Ok(())) => self.changed.push(table.to_owned()),
            Some(Err(error)) => self.refused.push((table.to_owned(), error)),
        }
    }

    fn tell(&self, metrics: &Metrics) {
        for table in &self.changed {
            tracing::info!(table, "new files are in use");
            metrics.reloads.of(ReloadResult::Ok).increment();
        }
        for (table, error) in &self.refused {
            tracing::error!(table, %error, "new files are bad; what was loaded before stays in use");
            metrics.reloads.of(ReloadResult::Error).increment();
        }
    }
}

/// Both paths, or neither.
fn pair_paths(
    table: &str,
    certificate: Option<&PathBuf>,
    key: Option<&PathBuf>,
) -> Result<Option<Vec<PathBuf>>, CertificateError> {
    let missing = match (certificate, key) {
        (Some(certificate), Some(key)) => return Ok(Some(vec![certificate.clone(), key.clone()])),
        (None, None) => return Ok(None),
        (Some(_), None) => "key",
        (None, Some(_)) => "certificate",
    };
    Err(CertificateError::Incomplete {
        table: table.to_owned(),
        missing,
    })
}

/// A host as it stands in certificates and in SNI: ASCII and lower case (RFC 5890 §2.3.2.1).
pub(crate) fn ascii(host: &str) -> String {
    idna::domain_to_ascii(host).unwrap_or_else(|_| host.to_ascii_lowercase())
}
