//! The disk is full: who sends what cannot be kept is told so, everything else goes on, and with room it
//! all works again.
//!
//! The server runs with mounts of its own, and a small file system in memory as its disk.

use std::fs;
use std::path::PathBuf;

use rookery_testkit::{Authority, Client, Options, Server};
use rookery_xml::Element;

use crate::stage::{condition, number, text};

/// Mounts a disk of this size over the folder of the data, with the same contents, and becomes the server.
const SCRIPT: &str = "data=$1; shift; mkdir \"$data.disk\"
mount -t tmpfs -o size=10m rookery \"$data.disk\"
cp -a \"$data/.\" \"$data.disk\"
mount --move \"$data.disk\" \"$data\"
exec \"$@\"";

/// What is taken away later, so that there is room again: as much as the log of the store may hold, since
/// that has to go into the store before it is written anew.
const BALLAST: usize = 4 << 20;

/// A server on a small disk.
struct SmallDisk {
    server: Server,
    authority: Authority,
    _folder: tempfile::TempDir,
}

// === impl SmallDisk ===

impl SmallDisk {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new("Ours").unwrap();
        let issued = authority.issue("localhost").unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("chain.pem"), issued.certificate).unwrap();
        fs::write(path("key.pem"), issued.key).unwrap();
        let data = path("data");
        let mut under = vec!["unshare"];
        if !is_root() {
            under.push("--map-root-user");
        }
        under.extend(["--mount", "sh", "-ec", SCRIPT, "sh"]);
        let mut under: Vec<_> = under.into_iter().map(str::to_owned).collect();
        under.push(data.display().to_string());
        let options = Options {
            accounts: ["romeo", "juliet", "mercutio"].map(str::to_owned).to_vec(),
            extra: format!(
                "[store.log]\nsegment_bytes = 1048576\n[tls]\ncertificate = \"{}\"\nkey = \"{}\"\n",
                path("chain.pem").display(),
                path("key.pem").display()
            ),
            data: Some(data),
            under,
            ..Options::default()
        };
        Self {
            server: Server::start(options).await.unwrap(),
            authority,
            _folder: folder,
        }
    }

    /// A file that takes up room on the server's disk, as the server sees it.
    fn ballast(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.server.pid()));
        let data = self.server.data().strip_prefix("/").unwrap();
        root.join(data).join("ballast")
    }

    async fn available(&self, user: &str) -> Client {
        let trust = self.authority.trust(&[]).unwrap();
        let account = (user, "localhost");
        let server = &self.server;
        let client = Client::log_in(server.c2s, &trust, account, Server::PASSWORD, "here");
        let mut client = client.await.unwrap();
        client.become_available(0).await.unwrap();
        client
    }
}

fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    status.lines().any(|line| line.starts_with("Uid:\t0\t"))
}

/// Sends a message to somebody who is away, and gives the error when it is not kept.
async fn keep(client: &mut Client, number: u64) -> Option<Element> {
    let body = text(number, 40_000);
    client.tell("mercutio@localhost", &body).await.unwrap();
    let question =
        "<iq to='mercutio@localhost' type='get' id='q'><ping xmlns='urn:xmpp:ping'/></iq>";
    client.send(question).await.unwrap();
    let mut error = None;
    loop {
        let element = client.element().await.unwrap();
        if element.attribute("id") == Some("q") {
            return error;
        }
        if element.is("message", "jabber:client") {
            assert_eq!(element.attribute("type"), Some("error"));
            error = Some(element);
        }
    }
}

/// Adds a contact, and says whether it was added.
async fn add_contact(client: &mut Client, number: u64) -> bool {
    let request = format!(
        "<iq type='set' id='set'><query xmlns='jabber:iq:roster'>\
         <item jid='{number}@localhost'/></query></iq>"
    );
    let answer = client.ask("set", request).await.unwrap();
    if answer.attribute("type") == Some("result") {
        return true;
    }
    assert_eq!(
        condition(&answer),
        Some("resource-constraint"),
        "{answer:?}"
    );
    false
}

#[tokio::test]
async fn a_full_disk_is_told_to_senders_and_to_nobody_else() {
    let disk = SmallDisk::start().await;
    fs::write(disk.ballast(), vec![1; BALLAST]).unwrap();
    let mut romeo = disk.available("romeo").await;
    let mut juliet = disk.available("juliet").await;

    let (mut kept, mut refused) = (Vec::new(), 0);
    for number in 1.. {
        match keep(&mut romeo, number).await {
            None => kept.push(number),
            Some(error) => {
                assert_eq!(condition(&error), Some("resource-constraint"), "{error:?}");
                refused += 1;
            }
        }
        if refused == 20 {
            break;
        }
    }
    assert!(kept.len() > 20, "{kept:?}");
    let up = "rookery_ready{gate=\"store\"}";
    disk.server.until_metric(up, 0.0).await.unwrap();
    let log = disk.server.log();
    assert!(log.contains("the message log cannot write"), "{log}");

    // What is not kept works as before.
    romeo
        .tell("juliet@localhost", "are you there?")
        .await
        .unwrap();
    juliet.hear().await.unwrap();
    // The rest of the room takes a few small changes at most.
    let mut contacts = 0;
    while add_contact(&mut juliet, contacts).await {
        contacts += 1;
    }
    // Who comes now can log in.
    let mut romeo = disk.available("romeo").await;

    // With room the store recovers by itself.
    fs::remove_file(disk.ballast()).unwrap();
    for number in 1_000_000.. {
        if keep(&mut romeo, number).await.is_none() {
            kept.push(number);
            break;
        }
    }
    disk.server.until_metric(up, 1.0).await.unwrap();
    assert!(add_contact(&mut juliet, contacts).await);

    let mut mercutio = disk.available("mercutio").await;
    let mut heard = Vec::new();
    while heard.len() < kept.len() {
        heard.push(number(&mercutio.hear().await.unwrap()));
    }
    assert_eq!(heard, kept);
}
