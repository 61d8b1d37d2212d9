//! The components of the configuration, with their secrets.

use rookery_component::{Components, Credentials, Secret};
use rookery_stanza::BareJid;
use rookery_telemetry::Registry;
use zeroize::Zeroizing;

use super::error::StartError;
use crate::config::{self, Component, Config, Problems, SHORTEST_SECRET, Sources};

/// All components, none of them connected.
pub(super) fn load(config: &Config, registry: &Registry) -> Result<Components, StartError> {
    let limits = &config.listener.component;
    Ok(Components::new(credentials(config)?, limits, registry))
}

/// Why secrets were not read again.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReloadError {
    /// The configuration is wrong.
    #[error("{0}")]
    Config(Problems),
    /// A file cannot be used.
    #[error(transparent)]
    Secret(#[from] StartError),
}

/// Reads the configuration again, and takes the secrets in it into use: how many are other ones now. A component that
/// is new in it, or is there no more, needs a restart.
pub(super) fn reload(components: &Components, sources: &Sources) -> Result<usize, ReloadError> {
    let config = config::load(sources).map_err(ReloadError::Config)?.config;
    Ok(components.change_secrets(credentials(&config)?))
}

/// Reads the secrets, to see whether they can be read.
///
/// # Errors
/// The first secret that cannot be used.
pub fn check(config: &Config) -> Result<(), StartError> {
    credentials(config).map(drop)
}

/// The prepared domains of a configuration that was checked.
pub(super) fn names(config: &Config) -> impl Iterator<Item = String> {
    config.component.iter().filter_map(name)
}

fn name(component: &Component) -> Option<String> {
    let jid = BareJid::parse(&component.name).ok()?;
    Some(jid.domain().to_owned())
}

fn credentials(config: &Config) -> Result<Vec<Credentials>, StartError> {
    let named = |(index, component)| {
        let name = name(component)?;
        Some(secret(index, component).map(|secret| Credentials { name, secret }))
    };
    config
        .component
        .iter()
        .enumerate()
        .filter_map(named)
        .collect()
}

fn secret(index: usize, component: &Component) -> Result<Secret, StartError> {
    let Some(path) = &component.secret_file else {
        return Ok(Secret::new(&component.secret));
    };
    let unusable = |what: String| StartError::ComponentSecret {
        index,
        path: path.clone(),
        what,
    };
    let text = std::fs::read_to_string(path)
        .map_err(|error| unusable(format!("cannot be read: {error}")))?;
    let text = Zeroizing::new(text);
    let secret = text.trim();
    if secret.chars().count() < SHORTEST_SECRET {
        return Err(unusable(format!(
            "must hold at least {SHORTEST_SECRET} characters"
        )));
    }
    Ok(Secret::new(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_file(text: &str) -> (Config, tempfile::NamedTempFile) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let config = Config {
            component: vec![Component {
                name: "Irc.Example.org".to_owned(),
                secret_file: Some(file.path().to_owned()),
                ..Component::default()
            }],
            ..Config::default()
        };
        (config, file)
    }

    #[test]
    fn a_secret_stands_in_a_file_with_a_line_end() {
        let (config, _file) = with_file("correct horse\n");
        let right = Credentials {
            name: "irc.example.org".to_owned(),
            secret: Secret::new("correct horse"),
        };
        assert_eq!(credentials(&config).unwrap(), [right]);
    }

    #[test]
    fn a_file_without_a_secret_is_named_with_its_key() {
        let (config, file) = with_file("\n");
        let error = check(&config).unwrap_err().to_string();
        let path = file.path().display();
        assert_eq!(
            error,
            format!("component.0.secret_file: {path} must hold at least 8 characters")
        );
        drop(file);
        let error = check(&config).unwrap_err().to_string();
        assert!(error.contains("cannot be read"), "{error}");
    }
}
