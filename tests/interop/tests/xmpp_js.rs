//! xmpp.js, a library for JavaScript. The scenes are in the folder `xmpp_js`, one process for each.

use std::path::Path;
use std::process::Command;

use rookery_testkit::Server;

use crate::process::Process;
use crate::slixmpp;
use crate::stage::Stage;

/// A scene of a script.
fn scene(stage: &Stage, script: &str, scene: &str) -> Command {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let library = manifest.join("../../target/node/node_modules/@xmpp/client/index.js");
    assert!(
        library.exists(),
        "xmpp.js is not installed in target/node: `.ci/setup test` does it, and `make test` runs that"
    );
    let mut command = Command::new("node");
    command
        .arg(manifest.join("xmpp_js").join(script))
        .arg(scene)
        .arg(stage.home.path().join("notes"))
        .env("TEST_XMPP_JS", library)
        .env("TEST_PASSWORD", Server::PASSWORD)
        .env(
            "TEST_SERVICE",
            format!("xmpps://localhost:{}", stage.server.c2s_tls.port()),
        )
        .env("NODE_EXTRA_CA_CERTS", stage.authority());
    command
}

/// Plays a scene of a script.
fn play(stage: &Stage, script: &str, name: &str) {
    let (status, output) = Process::start(&mut scene(stage, script, name)).end();
    assert!(status.success(), "{output}\n{}", stage.server.log());
    assert!(output.contains("all went well"), "{output}");
}

#[tokio::test]
async fn logs_in_and_comes_back_with_a_token_in_one_step() {
    let stage = Stage::set().await;
    play(&stage, "login.mjs", "in_one_step");
}

#[tokio::test]
async fn finds_what_was_said_page_by_page() {
    let stage = Stage::set().await;
    play(&stage, "archive.mjs", "pages");
}

#[tokio::test]
async fn sees_what_its_other_device_sends_and_receives() {
    let stage = Stage::set().await;
    play(&stage, "devices.mjs", "carbons");
}

#[tokio::test]
async fn is_killed_and_takes_its_stream_up_again() {
    let stage = Stage::set().await;
    play(&stage, "devices.mjs", "killed");
    let resumed = "rookery_sm_resumptions_total{result=\"ok\"}";
    stage.server.until_metric(resumed, 1.0).await.unwrap();
}

#[tokio::test]
async fn is_called_by_a_component_of_slixmpp_when_it_is_away() {
    let stage = Stage::set().await;
    let mut service = Process::start(&mut slixmpp::scene(&stage, "component.py", "is_told"));
    service.until("attached");
    play(&stage, "devices.mjs", "push");
    service.until("node=xyz secret=s3 count=1");
    let (status, output) = service.end();
    assert!(status.success(), "{output}");
}
