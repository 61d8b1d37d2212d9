//! The load generator against a server of its own.

use rookery_testkit::{Options, Server};

#[tokio::test]
async fn a_short_chat_loses_repeats_and_reorders_nothing() {
    let options = Options {
        accounts: (0..4).map(|number| format!("user{number}")).collect(),
        ..Options::default()
    };
    let server = Server::start(options).await.unwrap();
    let authority = server.data().join("tls/ca.pem").display().to_string();
    let address = server.c2s.to_string();
    let pid = server.pid().to_string();
    let mut arguments = vec!["bench", "chat", "--users", "4", "--seconds", "1"];
    arguments.extend([
        "--warm-up",
        "0",
        "--password",
        Server::PASSWORD,
        "--ca",
        &authority,
    ]);
    arguments.extend(["--server", &address, "--pid", &pid, "--json", "-"]);
    let output = server.command(&arguments).unwrap();
    let report = String::from_utf8(output.stdout).unwrap();
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{complaint}\n{report}");
    for fault in ["lost", "repeated", "reordered", "refused"] {
        assert!(report.contains(&format!("\"{fault}\": 0")), "{report}");
    }
    assert!(!report.contains("\"received\": 0"), "{report}");
}
