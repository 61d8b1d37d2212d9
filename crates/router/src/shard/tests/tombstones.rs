//! Messages that are taken back.

use rookery_storage::message_log::{MessageLog, PageQuery, Paged};

use super::net::{Net, run};
use crate::config::Config;

#[test]
fn a_message_that_was_taken_back_is_in_neither_archive_by_xep0424_s4() {
    run(async {
        let net = Net::new(Config::default()).await;
        let (here, there) = (net.account(0, 0), net.account(1, 0));
        let romeo = net.connect(&here, "orchard").await;
        let mut juliet = net.connect(&there, "balcony").await;
        net.submit(&juliet, &["<presence/>"]);
        juliet.next().await;
        let retract = "<retract xmlns='urn:xmpp:message-retract:1' id='wrong'/>";
        net.submit(
            &romeo,
            &[
                &format!("<message to='{there}' type='chat' id='wrong'><body>1</body></message>"),
                &format!("<message to='{there}' type='chat' id='right'><body>2</body></message>"),
                &format!("<message to='{there}' type='chat' id='retraction'>{retract}</message>"),
            ],
        );
        for id in ["wrong", "right", "retraction"] {
            let message = juliet.next().await;
            assert!(message.contains(&format!("id='{id}'")), "{message}");
        }
        let everything = || PageQuery {
            limit: 10,
            ..PageQuery::default()
        };
        for account in [&here, &there] {
            let Paged::Page(page) = net.log.page(account, everything()).await.unwrap() else {
                panic!("no page");
            };
            let texts = page
                .rows
                .iter()
                .map(|row| String::from_utf8(row.payload.to_vec()));
            let texts: Vec<String> = texts.collect::<Result<_, _>>().unwrap();
            assert!(!texts[0].contains("<body>"), "{texts:?}");
            assert!(texts[0].contains("id='retraction'"), "{texts:?}");
            assert!(texts[1].contains("<body>2</body>"), "{texts:?}");
            assert!(texts[2].contains(retract), "{texts:?}");
        }
    });
}
