//! Profanity of Debian: a client for the terminal. `script` gives it one, and types.

use std::fs;
use std::path::Path;
use std::process::Command;

use rookery_testkit::Server;

use crate::process::Process;
use crate::stage::{JULIET, Stage};

/// Starts Profanity with romeo's account, trusting an authority.
fn profanity(stage: &Stage, authority: &Path) -> Process {
    let home = stage.home.path();
    let folders = ["config", "data"].map(|name| home.join(name).join("profanity"));
    for folder in &folders {
        fs::create_dir_all(folder).unwrap();
    }
    let [config, data] = folders;
    let server = stage.server.c2s;
    fs::write(config.join("profrc"), "[ui]\nsplash=false\n").unwrap();
    let account = format!(
        "[romeo]\nenabled=true\njid=romeo@localhost\nresource=profanity\npassword={}\n\
         server={}\nport={}\ntls.policy=force\n",
        Server::PASSWORD,
        server.ip(),
        server.port(),
    );
    fs::write(data.join("accounts"), account).unwrap();

    let mut command = Command::new("script");
    command
        .args(["--quiet", "--flush", "--return", "--command"])
        // Without its terminal it would run on for ever, so it is never left alone for long.
        .arg("stty columns 200 rows 50; exec timeout --foreground 300 profanity")
        .arg("/dev/null")
        .env("TERM", "xterm")
        .env("LANG", "C.UTF-8")
        .env("HOME", home)
        .env("XDG_CONFIG_HOME", home.join("config"))
        .env("XDG_DATA_HOME", home.join("data"))
        .env("SSL_CERT_FILE", authority)
        .env("SSL_CERT_DIR", home);
    let mut process = Process::start(&mut command);
    process.until("Welcome to Profanity");
    process
}

#[tokio::test]
async fn logs_in_sees_a_contact_and_talks_both_ways() {
    let stage = Stage::set().await;
    let mut juliet = stage.server.log_in("juliet", "balcony").await.unwrap();
    juliet.become_available(0).await.unwrap();

    let mut romeo = profanity(&stage, &stage.authority());
    romeo.write("/connect romeo\r");
    romeo.until("logged in successfully");

    romeo.write("/sub request juliet@localhost\r");
    let request = juliet
        .until(|it| it.attribute("type") == Some("subscribe"))
        .await
        .unwrap();
    assert_eq!(request.attribute("from"), Some("romeo@localhost"));
    juliet
        .send("<presence to='romeo@localhost' type='subscribed'/>")
        .await
        .unwrap();
    romeo.until("juliet@localhost");
    romeo.until("is online");

    romeo.write(&format!("/msg {JULIET} I take thee at thy word\r"));
    let message = juliet.hear().await.unwrap();
    assert_eq!(message.attribute("from"), Some("romeo@localhost/profanity"));
    let body = message.child("body", "jabber:client").unwrap();
    assert_eq!(body.text(), "I take thee at thy word");

    juliet
        .tell("romeo@localhost/profanity", "What man art thou?")
        .await
        .unwrap();
    romeo.until("What man art thou?");

    // It was asked what it can do, and that is what it announced.
    let verified = "rookery_capabilities_answers_total{outcome=\"verified\"}";
    stage.server.until_metric(verified, 1.0).await.unwrap();

    romeo.write("/quit\r");
    let (status, output) = romeo.end();
    assert!(status.success(), "{output}");
    assert_eq!(
        stage.server.metric("rookery_sessions").await.unwrap(),
        Some(1.0)
    );
}

#[tokio::test]
async fn refuses_a_server_whose_authority_it_does_not_trust() {
    let stage = Stage::set().await;
    let mut romeo = profanity(&stage, &stage.other_authority());
    romeo.write("/connect romeo\r");
    romeo.until("TLS certificate verification failed");
    romeo.write("/tls deny\r");
    romeo.until("Login failed");
    assert_eq!(
        stage.server.metric("rookery_users_online").await.unwrap(),
        Some(0.0)
    );
    romeo.write("/quit\r");
    romeo.end();
}
