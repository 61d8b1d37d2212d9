//! What no single key can say: settings that exclude or need each other.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use rookery_stanza::BareJid;
use rookery_stream::StartTls;

use super::sections::{Component, Config, Contact, Host};

/// A secret that is shorter is soon guessed.
pub const SHORTEST_SECRET: usize = 8;

/// More threads than any machine has processors.
const MOST_THREADS: usize = 1024;

/// Fewer logins at one time than this would let a few slow clients keep all others out.
const FEWEST_LOGINS: usize = 16;

/// The key and what is wrong with it, for everything that is.
pub(super) fn check(config: &Config) -> Vec<(String, String)> {
    let mut found = Findings::default();
    found.hosts(&config.host);
    found.components(config);
    found.pair(
        "tls",
        config.tls.certificate.is_some(),
        config.tls.key.is_some(),
    );
    if config.tls.client_crl.is_some() && config.tls.client_ca.is_none() {
        found.add(
            "tls.client_crl",
            "is of no use without tls.client_ca; set both or none",
        );
    }
    found.listeners(config);
    found.of_crates(config);
    for (key, threads) in [
        ("runtime.arbiters", config.runtime.arbiters),
        ("runtime.control_threads", config.runtime.control_threads),
    ] {
        if threads > MOST_THREADS {
            found.add(key, format!("must be at most {MOST_THREADS}"));
        }
    }
    if config.limits.logins_in_progress < FEWEST_LOGINS {
        found.add(
            "limits.logins_in_progress",
            format!("must be at least {FEWEST_LOGINS}"),
        );
    }
    if config.shutdown.timeout_seconds == 0 {
        found.add("shutdown.timeout_seconds", "must be at least 1");
    }
    found.all
}

#[derive(Default)]
struct Findings {
    all: Vec<(String, String)>,
}

// === impl Findings ===

impl Findings {
    fn add(&mut self, key: impl Into<String>, text: impl Into<String>) {
        self.all.push((key.into(), text.into()));
    }

    fn hosts(&mut self, hosts: &[Host]) {
        if hosts.is_empty() {
            self.add(
                "host",
                "there must be at least one; add [[host]] with a name",
            );
        }
        let mut names = BTreeSet::new();
        for (index, host) in hosts.iter().enumerate() {
            let at = |key: &str| format!("host.{index}.{key}");
            match domain(&host.name) {
                Ok(name) if !names.insert(name.clone()) => {
                    self.add(
                        at("name"),
                        format!("{name} is served by another [[host]] already"),
                    );
                }
                Ok(_) => {}
                Err(text) => self.add(at("name"), text),
            }
            let tls = &host.tls;
            self.pair(&at("tls"), tls.certificate.is_some(), tls.key.is_some());
            for address in host.outages.iter().filter(|address| !is_uri(address)) {
                let text = format!(
                    "\"{address}\" is not a URI; write it like https://status.example.net/example.json"
                );
                self.add(at("outages"), text);
            }
            for (kind, addresses) in host.contact.by_kind() {
                for address in addresses.iter().filter(|address| !is_uri(address)) {
                    let text = format!(
                        "\"{address}\" is not a URI; write it like mailto:someone@example.org"
                    );
                    self.add(at(&format!("contact.{kind}")), text);
                }
            }
        }
    }

    fn components(&mut self, config: &Config) {
        let hosts = config
            .host
            .iter()
            .filter_map(|host| domain(&host.name).ok());
        let mut names: BTreeMap<String, &str> = hosts.map(|name| (name, "[[host]]")).collect();
        for (index, component) in config.component.iter().enumerate() {
            let at = |key: &str| format!("component.{index}.{key}");
            match domain_of(component) {
                Ok(name) => {
                    if let Some(other) = names.insert(name.clone(), "another [[component]]") {
                        self.add(at("name"), format!("{name} is served by {other} already"));
                    }
                }
                Err(text) => self.add(at("name"), text),
            }
            match (component.secret.as_str(), &component.secret_file) {
                ("", None) => self.add(
                    at("secret"),
                    "is missing; set it, or secret_file to a file that holds it",
                ),
                ("", Some(_)) => {}
                (_, Some(_)) => self.add(at("secret"), "is of no use beside secret_file; set one"),
                (secret, None) if secret.chars().count() < SHORTEST_SECRET => self.add(
                    at("secret"),
                    format!("must have at least {SHORTEST_SECRET} characters"),
                ),
                _ => {}
            }
        }
    }

    fn pair(&mut self, table: &str, certificate: bool, key: bool) {
        match (certificate, key) {
            (true, false) => {
                self.add(
                    format!("{table}.key"),
                    "is missing; tls.certificate needs its key",
                );
            }
            (false, true) => {
                self.add(
                    format!("{table}.certificate"),
                    "is missing; tls.key is of no use alone",
                );
            }
            _ => {}
        }
    }

    fn listeners(&mut self, config: &Config) {
        let c2s = &config.listener.c2s;
        let open: Vec<_> = c2s
            .address
            .iter()
            .filter(|address| !address.ip().is_loopback())
            .collect();
        if c2s.starttls != StartTls::Required
            && let Some(address) = open.first()
        {
            let text = format!(
                "must be \"required\", since {address} can be reached from other machines: what \
                 clients say would be readable on the way; or listen on loopback only"
            );
            self.add("listener.c2s.starttls", text);
        }
        let component = &config.listener.component;
        let remote = component.address.iter().find(|it| !it.ip().is_loopback());
        if let Some(address) = remote
            && !component.allow_remote
        {
            let text = format!(
                "{address} can be reached from other machines, and what is said there is not encrypted: \
                 listen on loopback, or set allow_remote = true where the network is trusted"
            );
            self.add("listener.component.address", text);
        }
        let listeners: [(&str, &[SocketAddr]); 4] = [
            ("listener.c2s.address", &c2s.address),
            ("listener.c2s_tls.address", &config.listener.c2s_tls.address),
            ("listener.component.address", &component.address),
            ("listener.ops.address", &config.listener.ops.address),
        ];
        let mut taken = BTreeMap::new();
        for (key, addresses) in listeners {
            // Port 0 is whichever is free.
            for address in addresses.iter().filter(|address| address.port() != 0) {
                if let Some(other) = taken.insert(*address, key) {
                    self.add(key, format!("{address} is used by {other} already"));
                }
            }
        }
    }

    /// What the crates check themselves.
    fn of_crates(&mut self, config: &Config) {
        if let Err(error) = config.stream.validate() {
            self.add(
                format!("stream.{}", error.key),
                format!("must be {}", error.allowed),
            );
        }
        if let Err(error) = config.session.validate() {
            self.add(
                format!("session.{}", error.key),
                format!("must be {}", error.allowed),
            );
        }
        if let Err(error) = config.store.log.validate() {
            self.add(
                format!("store.log.{}", error.key),
                format!("must be {}", error.allowed),
            );
        }
        if let Err(error) = config.store.redis.validate() {
            self.add(format!("store.redis.{}", error.key), error.what);
        }
        self.keyed(config.auth.validate().err());
        self.keyed(config.listener.component.validate().err());
        self.keyed(config.log.validate().err());
        self.keyed(config.features.validate().err());
        self.keyed(config.archive.validate().err());
    }

    /// An error whose message begins with its key: `auth.retries must be …`, `log.level: …`.
    fn keyed(&mut self, error: Option<impl ToString>) {
        let Some(message) = error.map(|error| error.to_string()) else {
            return;
        };
        match message.split_once(' ') {
            Some((key, text)) => self.add(key.trim_end_matches(':'), text),
            None => self.add("", message),
        }
    }
}

/// The prepared domain of a component.
fn domain_of(component: &Component) -> Result<String, String> {
    if component.name.is_empty() {
        let text = "is missing; every [[component]] has a name, the domain that it serves";
        return Err(text.to_owned());
    }
    domain(&component.name)
}

/// The prepared domain of a host.
fn domain(name: &str) -> Result<String, String> {
    if name.is_empty() {
        return Err("is missing; every [[host]] has a name, the domain that it serves".to_owned());
    }
    match BareJid::parse(name) {
        Ok(jid) if jid.local().is_none() => Ok(jid.domain().to_owned()),
        Ok(_) => Err(format!(
            "\"{name}\" is not a domain; leave out what stands before the @"
        )),
        Err(error) => Err(format!("\"{name}\" is not a domain: {error}")),
    }
}

/// Whether a text begins like a URI (RFC 3986 §3.1) and goes on.
fn is_uri(text: &str) -> bool {
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    };
    text.split_once(':').is_some_and(|(scheme, rest)| {
        is_scheme(scheme) && !rest.is_empty() && !text.contains(char::is_whitespace)
    })
}

// === impl Contact ===

impl Contact {
    /// The addresses, by the names of their keys.
    pub fn by_kind(&self) -> [(&'static str, &[String]); 7] {
        [
            ("abuse", &self.abuse),
            ("admin", &self.admin),
            ("feedback", &self.feedback),
            ("sales", &self.sales),
            ("security", &self.security),
            ("status", &self.status),
            ("support", &self.support),
        ]
    }
}
