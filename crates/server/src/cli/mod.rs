//! The command `rookery` and its subcommands.

mod bench;
mod documents;
mod door;
mod exit;
mod import;
mod log;
mod output;
mod password;
mod user;

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

pub use exit::{Exit, Failure};

use crate::build;
use crate::config::{self, Loaded, Sources, example, reference};
use crate::run;

const AFTER_HELP: &str = "\
Without a command the server is started. Without a configuration it is a development server on loopback.

Exit codes:
  0  done
  1  failed: something went wrong that may go well another time
  2  the command line or the configuration is wrong
  3  refused: asking again changes nothing (the account exists, or does not)
  4  the running server does not answer
  5  done in part: some lines of an import were refused";

/// Rookery, an XMPP server.
#[derive(Debug, Parser)]
#[command(name = "rookery", version = build::VERSION, after_help = AFTER_HELP)]
struct Cli {
    /// The configuration; else rookery.toml in the working directory, if there is one
    #[arg(long, global = true, value_name = "FILE", env = "ROOKERY_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server until it is told to end (SIGTERM, SIGINT)
    Serve,
    /// Check a configuration and print everything that is wrong with it
    CheckConfig {
        /// The configuration
        file: PathBuf,
    },
    /// Print documents about the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Manage accounts, by the running server or, when none runs, in the store
    #[command(subcommand)]
    User(user::UserCommand),
    /// Look through the message log, and repair it, while no server runs
    #[command(subcommand)]
    Log(log::LogCommand),
    /// Put load on any XMPP server and measure what it does
    Bench(Box<rookery_bench::Command>),
    /// Print documents about the metrics
    #[command(subcommand)]
    Metrics(MetricsCommand),
    /// Print documents about the supported standards
    #[command(subcommand, hide = true)]
    Docs(DocsCommand),
    /// Print which program this is
    Version,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Every key with its default and meaning, as a document
    Reference,
    /// A configuration file with every key and its default
    Example,
}

#[derive(Debug, Subcommand)]
enum MetricsCommand {
    /// Every metric with its labels, for programs
    List {
        /// How
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Every metric with its labels, as a document
    Reference,
}

#[derive(Debug, Subcommand)]
enum DocsCommand {
    /// The table of supported standards
    Support,
    /// The DOAP file
    Doap,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Runs the command that the process was started with; says on standard error what went wrong.
pub fn run() -> Exit {
    match execute(Cli::parse()) {
        Ok(()) => Exit::Done,
        Err(failure) => {
            output::complain(&failure.to_string());
            failure.exit()
        }
    }
}

fn execute(cli: Cli) -> Result<(), Failure> {
    let file = cli.config;
    match cli.command.unwrap_or(Command::Serve) {
        Command::Serve => Ok(run::serve(load(file)?)?),
        Command::CheckConfig { file } => check_config(file),
        Command::Config(ConfigCommand::Reference) => output::print(&reference::text()),
        Command::Config(ConfigCommand::Example) => output::print(&example::text()),
        Command::User(command) => user::execute(command, &load(file)?.config),
        Command::Log(command) => log::execute(command, &load(file)?.config),
        Command::Bench(command) => bench::execute(&command),
        Command::Metrics(MetricsCommand::List {
            format: Format::Text,
        }) => output::print(&documents::metrics_text()?),
        Command::Metrics(MetricsCommand::List {
            format: Format::Json,
        }) => output::print(&documents::metrics_json()?),
        Command::Metrics(MetricsCommand::Reference) => {
            output::print(&documents::metrics_reference()?)
        }
        Command::Docs(DocsCommand::Support) => output::print(&documents::support()?),
        Command::Docs(DocsCommand::Doap) => output::print(&documents::doap()?),
        Command::Version => output::print(&format!("{}\n", build::line())),
    }
}

/// The configuration by the file, or the usual one, and the environment.
fn load(file: Option<PathBuf>) -> Result<Loaded, Failure> {
    let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    let variables = std::env::vars_os()
        .map(|(name, value)| (text(name), text(value)))
        .collect();
    Ok(config::load(&Sources { file, variables })?)
}

fn check_config(file: PathBuf) -> Result<(), Failure> {
    let name = file.display().to_string();
    let loaded = load(Some(file))?;
    run::check_certificates(&loaded.config)?;
    run::check_components(&loaded.config)?;
    output::print(&format!("{name}: all is well\n"))
}
