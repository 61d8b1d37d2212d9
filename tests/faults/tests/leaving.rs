//! However clients leave, nothing of them is left behind.

use rookery_testkit::{Client, Server};

use crate::stage::{available, log_in_direct, with_accounts};

const STARTTLS: &str = "rookery_connections{listener=\"c2s\"}";
const DIRECT_TLS: &str = "rookery_connections{listener=\"c2s_tls\"}";

#[tokio::test]
async fn nothing_is_left_of_clients_that_left_in_whatever_way() {
    let names: Vec<_> = (0..12).map(|index| format!("user{index}")).collect();
    let server = Server::start(with_accounts(&names)).await.unwrap();
    let mut clients = Vec::new();
    for (index, name) in names.iter().enumerate() {
        clients.push(if index % 4 == 0 {
            log_in_direct(&server, name).await.unwrap()
        } else {
            available(&server, name, 0).await
        });
    }
    let mut stranger = Client::connect(server.c2s).await.unwrap();
    stranger.open("localhost").await.unwrap();
    for (metric, value) in [
        (STARTTLS, 10.0),
        (DIRECT_TLS, 3.0),
        ("rookery_sessions", 12.0),
        ("rookery_users_online", 12.0),
    ] {
        server.until_metric(metric, value).await.unwrap();
    }
    assert_eq!(server.get("/readyz").await.unwrap().0, 200);

    for (way, mut client) in clients.into_iter().enumerate() {
        client.tell("user0@localhost", "farewell").await.unwrap();
        leave(&server, client, way).await;
    }
    stranger.abort();
    for name in &names {
        leave_while_binding(&server, name).await;
    }
    for metric in [
        STARTTLS,
        DIRECT_TLS,
        "rookery_sessions",
        "rookery_users_online",
    ] {
        server.until_metric(metric, 0.0).await.unwrap();
    }
    assert_accounted_for(&server).await;
    assert_eq!(server.get("/readyz").await.unwrap().0, 200);
}

/// Leaves in one of six ways.
async fn leave(server: &Server, mut client: Client, way: usize) {
    match way % 6 {
        0 => client.log_out().await.unwrap(),
        1 => client.abort(),
        2 => {
            client
                .send("<message to='user1@localhost'><bo")
                .await
                .unwrap();
            client.abort();
        }
        3 => {
            client.shut_down().await.unwrap();
            client.closed().await.unwrap();
        }
        4 => {
            client.send("<not-well-formed></oops>").await.unwrap();
            client.until(|it| it.name() == "error").await.unwrap();
            client.abort();
        }
        // A second session takes the resource, and leaves.
        _ => {
            let user = format!("user{way}");
            let second = server.log_in(&user, "here").await.unwrap();
            client.log_out().await.unwrap();
            second.log_out().await.unwrap();
        }
    }
}

/// Leaves without waiting for the resource that it has asked for.
async fn leave_while_binding(server: &Server, user: &str) {
    let mut client = Client::connect(server.c2s).await.unwrap();
    client.open("localhost").await.unwrap();
    client
        .start_tls(&server.trust(&[]).unwrap(), "localhost")
        .await
        .unwrap();
    client.open("localhost").await.unwrap();
    client.authenticate(user, Server::PASSWORD).await.unwrap();
    client.open("localhost").await.unwrap();
    let bind = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>";
    client
        .send(format!("<iq type='set' id='bind'>{bind}</iq>"))
        .await
        .unwrap();
    client.abort();
}

/// Every message that was accepted is settled, and none is lost.
async fn assert_accounted_for(server: &Server) {
    server
        .until_metric("rookery_messages_in_flight", 0.0)
        .await
        .unwrap();
    let (_, page) = server.get("/metrics").await.unwrap();
    let sum = |name: &str| -> f64 {
        let lines = page.lines().filter(|line| line.starts_with(name));
        lines
            .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
            .sum()
    };
    let accepted = sum("rookery_messages_accepted_total");
    assert!(accepted >= 12.0, "{accepted}");
    let settled = sum("rookery_messages_settled_total");
    assert!((accepted - settled).abs() < 0.5, "{accepted} {settled}");
    assert!(sum("rookery_messages_lost_total") < 0.5);
}
