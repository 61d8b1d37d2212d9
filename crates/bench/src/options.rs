//! The command line of `rookery bench`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use crate::error::BenchError;
use crate::stamp;

/// `rookery bench`: puts load on any XMPP server and measures what it does.
#[derive(Clone, Debug, Args)]
pub struct Command {
    /// What is to be done.
    #[command(subcommand)]
    pub scenario: Scenario,
    /// How.
    #[command(flatten)]
    pub options: Options,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub enum Scenario {
    /// Print the accounts that a run needs, for `rookery user import -`
    Accounts,
    /// Make each account and its neighbours in a ring contacts of each other; `idle` and `presence` need it
    Rosters,
    /// Log in once with every account, and measure that
    Login,
    /// Log in with every second account, ask for the roster, be available; measure memory for each session
    Idle {
        /// Logins before the first look at the memory
        #[arg(long, default_value_t = 50)]
        warm_up_logins: u32,
    },
    /// Log in with every second account and lose the connections; measure memory for each session that waits for its
    /// client, and for each message that waits in it. Needs --stream-management
    Away {
        /// Messages that are sent to each
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=1000))]
        waiting: u32,
    },
    /// Send numbered messages from the first account of each pair to the second
    Chat {
        /// Closed loop: messages of a pair that are under way at any time
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        in_flight: u32,
        /// Open loop: messages a second of all pairs together, however long they take
        #[arg(long, conflicts_with = "in_flight", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
        rate: Option<u32>,
        /// Bytes of a body
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(stamp::LENGTH as i64..=60_000))]
        body: u32,
    },
    /// Each account changes its status again when all its contacts have seen the last one
    Presence,
    /// Log in, be available and leave, again and again
    Churn,
}

/// How a scenario is run, and against what.
#[derive(Clone, Debug, Serialize, Args)]
pub struct Options {
    /// Where the server listens
    #[arg(
        long,
        global = true,
        default_value = "127.0.0.1:5222",
        value_name = "IP:PORT"
    )]
    pub server: SocketAddr,
    /// The domain of the accounts, and the name that the certificate must have
    #[arg(long, global = true, default_value = "localhost")]
    pub domain: String,
    /// How the connection is secured
    #[arg(long, global = true, value_enum, default_value_t = Mode::Starttls)]
    pub mode: Mode,
    /// The authorities that are trusted to have issued the certificate, in PEM
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "insecure")]
    pub ca: Option<String>,
    /// Trust any certificate
    #[arg(long, global = true)]
    pub insecure: bool,
    /// How to authenticate
    #[arg(long, global = true, value_enum, default_value_t = Mechanism::ScramSha1)]
    pub mechanism: Mechanism,
    /// By which protocol to log in
    #[arg(long, global = true, value_enum, default_value_t = LogIn::Sasl)]
    pub login: LogIn,
    /// Enable stream management (XEP-0198) after each login: acknowledge what comes, and ask about what is sent
    #[arg(long, global = true)]
    pub stream_management: bool,
    /// How many accounts take part; `chat` makes half as many pairs of them
    #[arg(long, global = true, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub users: u32,
    /// The number of the first account
    #[arg(long, global = true, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=8_000_000))]
    pub first: u32,
    /// The name of an account; %d stands for its number
    #[arg(long, global = true, default_value = "user%d", value_name = "PATTERN")]
    pub user: String,
    /// The password of all accounts
    #[arg(long, global = true, default_value = "benchmark")]
    #[serde(skip)]
    pub password: String,
    /// How many contacts an account has: half before it, half behind it in the ring of accounts
    #[arg(long, global = true, default_value_t = 20, value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub contacts: u32,
    /// Seconds that are measured
    #[arg(long, global = true, default_value_t = 6, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub seconds: u64,
    /// Seconds before them
    #[arg(long, global = true, default_value_t = 2, value_parser = clap::value_parser!(u64).range(0..=3600))]
    pub warm_up: u64,
    /// Seconds of rest before memory is measured, and after which missing stanzas count as lost
    #[arg(long, global = true, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub settle: u64,
    /// Logins in progress at any time
    #[arg(long, global = true, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub parallel: u32,
    /// Logins begun a second, at most
    #[arg(long, global = true, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub login_rate: Option<u32>,
    /// Addresses to connect from, in turn
    #[arg(long, global = true, value_delimiter = ',', value_name = "IP,...")]
    pub source: Vec<IpAddr>,
    /// The server's process, to measure what it and its children use
    #[arg(long, global = true)]
    pub pid: Option<u32>,
    /// Threads of the generator
    #[arg(long, global = true, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: u16,
    /// Write the report as JSON as well; - writes it to standard output, instead of the table
    #[arg(long, global = true, value_name = "FILE")]
    #[serde(skip)]
    pub json: Option<String>,
}

/// How the connection is secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// TLS is negotiated in the stream (RFC 6120 §5).
    Starttls,
    /// TLS from the first byte (XEP-0368).
    Tls,
    /// Not at all.
    Plain,
}

/// How to authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Mechanism {
    /// SCRAM-SHA-1 (RFC 5802).
    #[value(name = "scram-sha-1")]
    ScramSha1,
    /// SCRAM-SHA-256 (RFC 7677).
    #[value(name = "scram-sha-256")]
    ScramSha256,
    /// PLAIN (RFC 4616).
    Plain,
    /// None at all: there is no XMPP server but a relay that moves bytes between the connections of a pair,
    /// `crates/bench/examples/relay.rs`. For `login` (which is the TLS handshake then), `idle` and `chat`.
    None,
}

/// By which protocol to log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum LogIn {
    /// SASL and resource binding (RFC 6120 §6, §7).
    Sasl,
    /// Both in one step (XEP-0388, XEP-0386).
    Sasl2,
}

// === impl Scenario ===

impl Scenario {
    /// As on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Accounts => "accounts",
            Self::Rosters => "rosters",
            Self::Login => "login",
            Self::Idle { .. } => "idle",
            Self::Away { .. } => "away",
            Self::Chat { .. } => "chat",
            Self::Presence => "presence",
            Self::Churn => "churn",
        }
    }
}

// === impl Options ===

impl Options {
    /// Refuses what makes no sense.
    pub(crate) fn check(&self, scenario: Scenario) -> Result<(), BenchError> {
        let ring = matches!(scenario, Scenario::Rosters | Scenario::Presence);
        if !self.user.contains("%d") && self.users > 1 {
            return Err(BenchError::Options(
                "--user needs a %d when there are several accounts",
            ));
        }
        if matches!(scenario, Scenario::Chat { .. }) && self.users < 2 {
            return Err(BenchError::Options("chat needs at least two accounts"));
        }
        if ring && (self.users <= self.contacts || !self.contacts.is_multiple_of(2)) {
            return Err(BenchError::Options(
                "--contacts must be even, and fewer than --users",
            ));
        }
        let memory = matches!(scenario, Scenario::Idle { .. } | Scenario::Away { .. });
        if memory && self.pid.is_none() {
            return Err(BenchError::Options("idle and away need the server's --pid"));
        }
        if matches!(scenario, Scenario::Away { .. }) && !self.stream_management {
            return Err(BenchError::Options("away needs --stream-management"));
        }
        let needs_server = ring || matches!(scenario, Scenario::Churn);
        if self.is_relay() && (needs_server || self.mode == Mode::Starttls) {
            return Err(BenchError::Options(
                "--mechanism none is for login, idle and chat, with --mode tls or plain",
            ));
        }
        if self.is_relay() && self.stream_management {
            return Err(BenchError::Options("a relay manages no streams"));
        }
        if self.mode != Mode::Plain && self.ca.is_none() && !self.insecure {
            return Err(BenchError::Options("TLS needs --ca or --insecure"));
        }
        Ok(())
    }

    /// Whether there is no server but a relay that moves bytes.
    pub(crate) fn is_relay(&self) -> bool {
        self.mechanism == Mechanism::None
    }

    /// The address that the connection of an account comes from.
    pub(crate) fn source(&self, index: u32) -> Option<IpAddr> {
        let sources = self.source.len().max(1);
        self.source
            .get(usize::try_from(index).ok()? % sources)
            .copied()
    }

    /// How long anything may take that is not measured.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_secs(self.settle.max(20))
    }

    /// The neighbours of an account in the ring.
    pub(crate) fn neighbours(&self, index: u32) -> impl Iterator<Item = u32> {
        let users = self.users;
        let half = self.contacts / 2;
        (1..=half).flat_map(move |step| [(index + step) % users, (index + users - step) % users])
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            server: (Ipv4Addr::LOCALHOST, 5222).into(),
            domain: "localhost".to_owned(),
            mode: Mode::Starttls,
            ca: None,
            insecure: false,
            mechanism: Mechanism::ScramSha1,
            login: LogIn::Sasl,
            stream_management: false,
            users: 200,
            first: 0,
            user: "user%d".to_owned(),
            password: "benchmark".to_owned(),
            contacts: 20,
            seconds: 6,
            warm_up: 2,
            settle: 5,
            parallel: 32,
            login_rate: None,
            source: Vec::new(),
            pid: None,
            threads: 1,
            json: None,
        }
    }
}

impl Mechanism {
    /// As SASL calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ScramSha1 => "SCRAM-SHA-1",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::Plain => "PLAIN",
            Self::None => "no login",
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser};

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        command: Command,
    }

    fn parse(line: &str) -> Result<Command, clap::Error> {
        Cli::try_parse_from(line.split(' ')).map(|cli| cli.command)
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_stand_before_and_behind_the_scenario() {
        let command =
            parse("bench --users 10 chat --in-flight 1 --mode tls --source 127.0.0.2,127.0.0.3");
        let command = command.unwrap();
        let Scenario::Chat {
            in_flight: 1,
            rate: None,
            body: 100,
        } = command.scenario
        else {
            panic!("{command:?}");
        };
        let options = command.options;
        assert_eq!((options.users, options.mode), (10, Mode::Tls));
        assert_eq!(options.source(3), Some([127, 0, 0, 3].into()));
        assert_eq!(Options::default().source(3), None);
    }

    #[test]
    fn what_is_left_out_is_as_documented() {
        let command = parse("bench login").unwrap();
        let defaults = Options::default();
        assert_eq!(format!("{:?}", command.options), format!("{defaults:?}"));
    }

    #[test]
    fn a_relay_is_measured_without_logins() {
        let check = |line: &str| {
            let command = parse(line).unwrap();
            command.options.check(command.scenario)
        };
        assert!(check("bench chat --mechanism none --mode plain").is_ok());
        assert!(check("bench login --mechanism none --mode tls --insecure").is_ok());
        assert!(check("bench chat --mechanism none --insecure").is_err());
        assert!(check("bench presence --mechanism none --mode plain").is_err());
    }

    #[test]
    fn contradictions_are_refused() {
        assert!(parse("bench chat --in-flight 2 --rate 5").is_err());
        assert!(parse("bench chat --body 3").is_err());
        assert!(parse("bench login --ca x --insecure").is_err());
        assert!(parse("bench").is_err());
        let plain = Options {
            mode: Mode::Plain,
            ..Options::default()
        };
        plain.check(Scenario::Presence).unwrap();
        plain
            .check(Scenario::Idle { warm_up_logins: 0 })
            .unwrap_err();
        Options::default().check(Scenario::Login).unwrap_err();
        let few = Options { users: 20, ..plain };
        few.check(Scenario::Rosters).unwrap_err();
    }

    #[test]
    fn neighbours_are_mutual_and_as_many_as_there_are_contacts() {
        let options = Options::default();
        for index in [0, 7, 199] {
            let neighbours: Vec<_> = options.neighbours(index).collect();
            assert_eq!(neighbours.len(), 20);
            assert!(
                neighbours
                    .iter()
                    .all(|it| options.neighbours(*it).any(|it| it == index))
            );
        }
    }
}
