//! slixmpp, a library for Python. The scenes are in the folder `clients`, one process for each.

use std::path::{Path, PathBuf};
use std::process::Command;

use rookery_testkit::Server;

use crate::process::Process;
use crate::stage::{SECRET, Stage};

/// A scene of a script.
pub(crate) fn scene(stage: &Stage, script: &str, scene: &str) -> Command {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(python(manifest));
    command
        .arg(manifest.join("clients").join(script))
        .arg(scene)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("TEST_PASSWORD", Server::PASSWORD)
        .env("TEST_C2S", stage.server.c2s.to_string())
        .env("TEST_C2S_TLS", stage.server.c2s_tls.to_string())
        .env("TEST_COMPONENT", stage.component.to_string())
        .env("TEST_SECRET", SECRET)
        .env("TEST_CA", stage.authority())
        .env("TEST_OTHER_CA", stage.other_authority());
    command
}

/// Plays a scene of a script, on a server of its own, which is still there.
async fn play(script: &str, name: &str) -> Stage {
    let stage = Stage::set().await;
    let (status, output) = Process::start(&mut scene(&stage, script, name)).end();
    assert!(status.success(), "{output}\n{}", stage.server.log());
    assert!(output.contains("all went well"), "{output}");
    stage
}

/// The interpreter of the environment that `.ci/setup test` makes, with slixmpp in it.
fn python(manifest: &Path) -> PathBuf {
    let python = manifest.join("../../target/venv/bin/python");
    assert!(
        python.exists(),
        "slixmpp is not installed in target/venv: `.ci/setup test` does it, and `make test` runs that"
    );
    python
}

#[tokio::test]
async fn logs_in_over_starttls_with_the_certificate_checked() {
    play("login.py", "starttls").await;
}

#[tokio::test]
async fn logs_in_over_direct_tls_with_the_certificate_checked() {
    play("login.py", "direct_tls").await;
}

#[tokio::test]
async fn logs_in_by_each_mechanism_that_it_knows() {
    play("login.py", "mechanisms").await;
}

#[tokio::test]
async fn logs_in_with_tls_1_2_and_a_channel_binding_of_the_past() {
    play("login.py", "tls_1_2").await;
}

#[tokio::test]
async fn is_refused_with_a_wrong_password() {
    play("login.py", "wrong_password").await;
}

#[tokio::test]
async fn refuses_a_server_whose_authority_it_does_not_trust() {
    play("login.py", "wrong_authority").await;
}

#[tokio::test]
async fn keeps_a_roster_on_all_its_devices() {
    play("contacts.py", "roster").await;
}

#[tokio::test]
async fn subscribes_and_sees_contacts_come_and_go() {
    play("contacts.py", "subscriptions").await;
}

#[tokio::test]
async fn talks_both_ways_in_every_script() {
    play("chat.py", "both_ways").await;
}

#[tokio::test]
async fn passes_encrypted_messages_on_untouched() {
    play("chat.py", "secrets").await;
}

#[tokio::test]
async fn reaches_the_device_that_is_meant() {
    play("chat.py", "devices").await;
}

#[tokio::test]
async fn hears_later_what_was_said_while_it_was_away() {
    play("chat.py", "away").await;
}

#[tokio::test]
async fn is_told_what_the_server_and_others_are_and_can_do() {
    let stage = play("questions.py", "scene").await;
    // And tells the server the same, which is what it had announced.
    let verified = "rookery_capabilities_answers_total{outcome=\"verified\"}";
    stage.server.until_metric(verified, 1.0).await.unwrap();
}

#[tokio::test]
async fn keeps_out_whom_it_blocks() {
    play("keeping.py", "blocking").await;
}

#[tokio::test]
async fn shows_its_vcard_and_its_photo() {
    play("keeping.py", "vcards").await;
}

#[tokio::test]
async fn finds_its_bookmarks_again() {
    play("keeping.py", "private_data").await;
}

#[tokio::test]
async fn tells_its_friends_when_it_left() {
    play("keeping.py", "leaving").await;
}

#[tokio::test]
async fn finds_what_was_said_page_by_page() {
    play("archive.py", "pages").await;
}

#[tokio::test]
async fn has_nothing_archived_that_it_does_not_want() {
    play("archive.py", "preferences").await;
}

#[tokio::test]
async fn takes_by_itself_what_was_said_while_it_was_away() {
    play("archive.py", "flexible_offline").await;
}

#[tokio::test]
async fn serves_a_domain_as_a_component() {
    let stage = play("component.py", "talks").await;
    let in_and_out = "rookery_component_attempts_total{outcome=\"accepted\"}";
    stage.server.until_metric(in_and_out, 1.0).await.unwrap();
}

#[tokio::test]
async fn is_no_component_with_a_wrong_secret() {
    let stage = play("component.py", "is_refused").await;
    let refused = "rookery_component_attempts_total{outcome=\"not_authorized\"}";
    stage.server.until_metric(refused, 1.0).await.unwrap();
}

#[tokio::test]
async fn takes_the_place_of_an_older_component() {
    play("component.py", "is_replaced").await;
}

#[tokio::test]
async fn calls_devices_of_people_who_are_away() {
    play("component.py", "calls_devices").await;
}

#[tokio::test]
async fn takes_its_stream_up_again_and_has_everything_once_and_in_order() {
    let stage = play("resumption.py", "lost_connection").await;
    let resumed = "rookery_sm_resumptions_total{result=\"ok\"}";
    stage.server.until_metric(resumed, 1.0).await.unwrap();
}
