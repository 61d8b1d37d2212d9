//! go-sendxmpp of Debian: a command that sends a message, or prints those that come.

use std::path::Path;
use std::process::Command;

use rookery_testkit::Server;

use crate::process::Process;
use crate::stage::{JULIET, ROMEO, Stage};

/// go-sendxmpp, trusting an authority.
fn go_sendxmpp(stage: &Stage, account: &str, authority: &Path, direct: bool) -> Command {
    let mut command = Command::new("go-sendxmpp");
    command
        .args(["--username", account, "--password", Server::PASSWORD])
        .env("HOME", stage.home.path())
        .env("SSL_CERT_FILE", authority)
        .env("SSL_CERT_DIR", stage.home.path());
    let server = if direct {
        command.arg("--tls");
        stage.server.c2s_tls
    } else {
        stage.server.c2s
    };
    // The name in the certificate is the account's; what is connected to is the address.
    command.args(["--jserver", &server.to_string()]);
    command
}

/// Sends a message that a client of ours receives.
async fn sends(direct: bool) {
    let stage = Stage::set().await;
    let mut juliet = stage.server.log_in("juliet", "balcony").await.unwrap();
    juliet.become_available(0).await.unwrap();

    let text = "It is the east 🌅, and <Juliet> & the sun";
    let mut command = go_sendxmpp(&stage, ROMEO, &stage.authority(), direct);
    let mut sender = Process::start(command.arg(JULIET));
    sender.write(text);
    let (status, output) = sender.end();
    assert!(status.success(), "{output}");

    let message = juliet.hear().await.unwrap();
    let body = message.child("body", "jabber:client").unwrap();
    assert_eq!(body.text().trim_end(), text);
    let from = message.attribute("from").unwrap();
    assert!(from.starts_with("romeo@localhost/"), "{from}");
}

#[tokio::test]
async fn sends_a_message_over_starttls() {
    sends(false).await;
}

#[tokio::test]
async fn sends_a_message_over_direct_tls() {
    sends(true).await;
}

#[tokio::test]
async fn refuses_a_server_whose_authority_it_does_not_trust() {
    let stage = Stage::set().await;
    for direct in [false, true] {
        let mut command = go_sendxmpp(&stage, ROMEO, &stage.other_authority(), direct);
        let mut sender = Process::start(command.arg(JULIET));
        sender.write("nobody may read this");
        let (status, output) = sender.end();
        assert!(!status.success(), "{output}");
        assert!(output.contains("unknown authority"), "{output}");
    }
}

#[tokio::test]
async fn prints_the_messages_that_come_and_is_seen() {
    let stage = Stage::set().await;
    // Another device of the account sees go-sendxmpp come; one that is not available would not.
    let mut watch = stage.server.log_in("juliet", "watch").await.unwrap();
    watch.become_available(-1).await.unwrap();

    let mut command = go_sendxmpp(&stage, JULIET, &stage.authority(), false);
    let mut listener = Process::start(command.arg("--listen"));
    let is_other = |from: &str| from.starts_with("juliet@localhost/") && !from.ends_with("/watch");
    watch
        .until(|it| it.name() == "presence" && it.attribute("from").is_some_and(is_other))
        .await
        .unwrap();

    let mut romeo = stage.server.log_in("romeo", "orchard").await.unwrap();
    for text in ["She speaks 🌹", "O, speak again"] {
        romeo.tell(JULIET, text).await.unwrap();
        listener.until(&format!("romeo@localhost: {text}"));
    }
    drop(listener);
    watch
        .until(|it| it.attribute("type") == Some("unavailable"))
        .await
        .unwrap();
}
