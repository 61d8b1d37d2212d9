//! Structured logs on standard error, as text for people or JSON for machines.
//!
//! Fields carry stream and session ids; message bodies and secrets never reach a log.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// `[log]`: what is written to standard error, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The least important level that is written: `error`, `warn`, `info`, `debug` or `trace`; or a
    /// comma-separated list of `target=level` for single parts, such as `info,rookery_c2s=debug`.
    pub level: String,
    /// `text` for people, `json` for machines.
    pub format: Format,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One line of text for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The level is not one that we know.
    #[error("log.level: \"{level}\" is not a level: use error, warn, info, debug or trace")]
    Level {
        /// What was configured.
        level: String,
    },
    /// Logging was set up before.
    #[error("logging is set up already")]
    Twice(#[from] TryInitError),
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
            format: Format::Text,
        }
    }
}

impl Config {
    /// Checks the level without setting anything up.
    pub fn validate(&self) -> Result<(), LogError> {
        self.filter().map(drop)
    }

    fn filter(&self) -> Result<EnvFilter, LogError> {
        let unknown = || LogError::Level {
            level: self.level.clone(),
        };
        let is_level = |level: &str| level.parse::<tracing::level_filters::LevelFilter>().is_ok();
        let valid = self.level.split(',').all(|directive| {
            is_level(
                directive
                    .rsplit_once('=')
                    .map_or(directive, |(_, level)| level)
                    .trim(),
            )
        });
        if !valid {
            return Err(unknown());
        }
        // The HTTP library tells of its start at the level at which an operator hears of events.
        EnvFilter::try_new(format!("actix_server=warn,{}", self.level)).map_err(|_| unknown())
    }
}

/// Sets up logging for the process; called once, by the binary.
pub fn init(config: &Config) -> Result<(), LogError> {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(config.filter()?)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
    match config.format {
        Format::Text => builder.finish().try_init()?,
        Format::Json => builder.json().flatten_event(true).finish().try_init()?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_level_is_refused_by_name() {
        let config = Config {
            level: "loud".to_owned(),
            ..Config::default()
        };
        assert!(
            config
                .validate()
                .unwrap_err()
                .to_string()
                .contains("\"loud\"")
        );
        let config = Config {
            level: "info,rookery_c2s=debug".to_owned(),
            ..Config::default()
        };
        config.validate().unwrap();
    }
}
