//! Plays many scenes: finds them, starts a server for each configuration, and reports.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use futures_util::StreamExt as _;
use futures_util::stream;
use rookery_testkit::{Options, Server};

use crate::authorities::Authorities;
use crate::mishap::Failure;
use crate::scene::Scene;
use crate::stage::Stage;

/// How many servers are there at once, and how many scenes are played on each.
const SERVERS: usize = 3;
const STAGES: usize = 12;
/// How many lines of the server's log a failure shows.
const LOG_LINES: usize = 10;
/// What every server gets: passwords that are quick to check, and patience with many clients from one address.
const ENVIRONMENT: [(&str, &str); 5] = [
    ("ROOKERY_LOG_LEVEL", "warn"),
    ("ROOKERY_AUTH_ITERATIONS", "4096"),
    ("ROOKERY_AUTH_FAILURES_PER_ADDRESS", "10000"),
    ("ROOKERY_LIMITS_UNAUTHENTICATED_PER_ADDRESS", "10000"),
    ("ROOKERY_STREAM_CLOSE_TIMEOUT_SECONDS", "2"),
];

/// Scenes to play.
#[derive(Debug, Default)]
pub struct Company {
    scenes: Vec<Scene>,
}

/// How a scene went.
#[derive(Debug)]
pub struct Outcome {
    /// The name of the scene.
    pub scene: String,
    /// What went wrong, to be read by people.
    pub failure: Option<String>,
}

/// The configuration and environment of a server.
type Setting = (String, Vec<(String, String)>);

// === impl Company ===

impl Company {
    /// Reads the scenes of a folder whose names contain one of the filters, or all if there are none.
    ///
    /// # Errors
    /// What cannot be read, and scripts that are no scripts.
    pub fn find(folder: &Path, filters: &[String]) -> io::Result<Self> {
        let mut scenes = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let is_scene = path.extension().is_some_and(|ending| ending == "scene");
            let is_wanted = filters.is_empty() || filters.iter().any(|part| name.contains(part));
            if is_scene && is_wanted {
                let text = std::fs::read_to_string(&path)?;
                let scene = Scene::parse(&name, &text)
                    .map_err(|error| io::Error::other(format!("{name}.scene: {error}")))?;
                scenes.push(scene);
            }
        }
        scenes.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(Self { scenes })
    }

    /// A company that plays these scenes.
    pub fn of(scenes: Vec<Scene>) -> Self {
        Self { scenes }
    }

    /// Plays all scenes.
    ///
    /// # Errors
    /// A server that does not start.
    pub async fn play(&self) -> io::Result<Vec<Outcome>> {
        let mut groups: BTreeMap<Setting, Vec<(String, &Scene)>> = BTreeMap::new();
        for (number, scene) in self.scenes.iter().enumerate() {
            let setting = (scene.configuration.clone(), scene.environment.clone());
            let suffix = format!("-s{number:03}");
            groups.entry(setting).or_default().push((suffix, scene));
        }
        let plays = groups
            .iter()
            .map(|(setting, scenes)| play_group(setting, scenes));
        let played: Vec<_> = stream::iter(plays)
            .buffer_unordered(SERVERS)
            .collect()
            .await;
        let mut outcomes = Vec::new();
        for of_group in played {
            outcomes.extend(of_group?);
        }
        outcomes.sort_by(|one, other| one.scene.cmp(&other.scene));
        Ok(outcomes)
    }
}

/// Plays the scenes that share a server.
async fn play_group(
    (extra, variables): &Setting,
    scenes: &[(String, &Scene)],
) -> io::Result<Vec<Outcome>> {
    let environment = ENVIRONMENT
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .chain(variables.iter().cloned())
        .collect();
    let accounts = scenes
        .iter()
        .flat_map(|(suffix, scene)| {
            let accounts = scene.accounts.iter();
            accounts.map(move |local| format!("{local}{suffix}"))
        })
        .chain(["stagehand".to_owned()])
        .collect();
    let authorities = Authorities::asked_for(extra)?;
    let extra = match &authorities {
        Some(authorities) => authorities.configure(extra),
        None => extra.clone(),
    };
    let server = Server::start(Options {
        extra,
        accounts,
        environment,
        ..Options::default()
    })
    .await?;
    let trust = server.trust(&["xmpp-client"])?;
    let plays = stream::iter(scenes).map(|(suffix, scene)| {
        let mut stage = Stage::new(&server, &trust, &scene.accounts, suffix);
        if let Some(authorities) = &authorities {
            stage.certify(authorities);
        }
        play_scene(&server, stage, scene)
    });
    Ok(plays.buffer_unordered(STAGES).collect().await)
}

async fn play_scene(server: &Server, mut stage: Stage<'_>, scene: &Scene) -> Outcome {
    let failure = stage.play(scene).await.err();
    let show = |failure: Failure| {
        let log = server.log();
        let lines: Vec<_> = log.lines().rev().take(LOG_LINES).collect();
        let log: Vec<_> = lines.into_iter().rev().collect();
        stage.restore(&format!(
            "{failure}\n  the server's log:\n    {}",
            log.join("\n    ")
        ))
    };
    Outcome {
        scene: scene.name.clone(),
        failure: failure.map(show),
    }
}
