//! Stanzas to and from a component, `irc.example.com`.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use rookery_delivery::{Credit, Domains, Inlet, Outward, Unreached, Untaken};
use tokio::sync::Notify;

use super::net::{Net, ONE, parse, run, taken};
use crate::config::Config;

/// What the component was handed.
#[derive(Debug, Default)]
pub(super) struct Component {
    taken: Mutex<VecDeque<Outward>>,
    arrived: Notify,
    absent: AtomicBool,
}

impl Domains for Component {
    fn deliver(&self, outward: Outward) -> Result<(), Box<Untaken>> {
        if self.absent.load(Ordering::SeqCst) {
            let why = Unreached::Absent;
            return Err(Box::new(Untaken { outward, why }));
        }
        self.taken.lock().push_back(outward);
        self.arrived.notify_one();
        Ok(())
    }
}

impl Component {
    /// The next stanza for it.
    async fn next(&self) -> Outward {
        loop {
            if let Some(outward) = self.taken.lock().pop_front() {
                return outward;
            }
            self.arrived.notified().await;
        }
    }

    /// The next stanza as it would be written; it is.
    async fn reads(&self, net: &Net) -> String {
        let stanza = self.next().await.stanza;
        net.router.written(stanza.kind);
        let mut out = Vec::new();
        stanza.write(&mut out);
        String::from_utf8(out).unwrap()
    }
}

/// The component sends.
fn send(net: &Net, stanzas: &[&str]) {
    Inlet::submit(&net.router, parse(stanzas), taken(&Credit::new(ONE)));
}

#[test]
fn stanzas_to_a_component_reach_it_in_order_with_their_credit_by_rfc6120_s10_5() {
    run(async {
        let net = Net::new(Config::default()).await;
        let romeo = net.connect(&net.account(0, 0), "orchard").await;
        let credit = Credit::new(ONE);
        let stanzas = [
            "<message to='#verona@irc.example.com' type='chat'><body>1</body></message>",
            "<iq to='irc.example.com' type='get' id='2'><query xmlns='jabber:iq:roster'/></iq>",
            "<presence to='#verona@irc.example.com/romeo'/>",
        ];
        net.submit_with(&romeo, &stanzas, taken(&credit));
        let first = net.component.next().await;
        assert!(first.stanza.has("body", "jabber:client"));
        assert_eq!(first.stanza.from.as_ref(), Some(&romeo.key.jid));
        assert_eq!(
            credit.in_flight().stanzas,
            1,
            "until the component has them"
        );
        net.router.written(first.stanza.kind);
        assert!(net.component.reads(&net).await.contains("id='2'"));
        assert!(net.component.reads(&net).await.starts_with("<presence"));
        net.is_settled().await;
    });
}

#[test]
fn subscription_to_a_component_and_its_presence_go_both_ways_by_rfc6121_s3_1() {
    run(async {
        let net = Net::new(Config::default()).await;
        let mut romeo = net.connect(&net.account(0, 0), "orchard").await;
        let bare = romeo.key.jid.bare().to_string();
        net.submit(&romeo, &["<presence/>"]);
        romeo.next().await;
        net.submit(
            &romeo,
            &["<presence to='irc.example.com' type='subscribe'/>"],
        );
        let asked = net.component.reads(&net).await;
        assert!(asked.contains("type='subscribe'") && asked.contains(&format!("from='{bare}'")));
        let from = format!("from='irc.example.com' to='{bare}'");
        send(
            &net,
            &[
                &format!("<presence {from} type='subscribed'/>"),
                &format!("<presence {from}/>"),
            ],
        );
        let mut online = romeo.next().await;
        while !online.starts_with("<presence from='irc.example.com'") || online.contains("type=") {
            online = romeo.next().await;
        }
        // A new resource asks for its presence (§4.3.1).
        let balcony = net.connect(&net.account(0, 0), "balcony").await;
        net.submit(&balcony, &["<presence/>"]);
        assert!(net.component.reads(&net).await.contains("type='probe'"));
        // §2.5.2
        let item = "<item jid='irc.example.com' subscription='remove'/>";
        let remove = format!("<query xmlns='jabber:iq:roster'>{item}</query>");
        net.submit(&romeo, &[&format!("<iq type='set' id='r'>{remove}</iq>")]);
        assert!(
            net.component
                .reads(&net)
                .await
                .contains("type='unsubscribe'")
        );
    });
}

#[test]
fn an_absent_component_is_named_as_temporarily_unavailable_by_rfc6120_s8_3_3_19() {
    run(async {
        let net = Net::new(Config::default()).await;
        let mut romeo = net.connect(&net.account(0, 0), "orchard").await;
        net.component.absent.store(true, Ordering::SeqCst);
        let message = "<message to='irc.example.com' id='m'><body>1</body></message>";
        net.submit(&romeo, &[message]);
        let error = romeo.next().await;
        assert!(
            error.contains("service-unavailable") && error.contains("type='wait'"),
            "{error}"
        );
        net.is_settled().await;
    });
}

#[test]
fn what_a_component_did_not_read_goes_back_to_its_sender() {
    run(async {
        let net = Net::new(Config::default()).await;
        let mut romeo = net.connect(&net.account(1, 0), "orchard").await;
        let message = "<message to='irc.example.com' id='m'><body>1</body></message>";
        net.submit(&romeo, &[message]);
        let unread = net.component.next().await;
        net.router.returned(vec![unread]).await;
        assert!(romeo.next().await.contains("remote-server-timeout"));
        net.is_settled().await;
    });
}

#[test]
fn a_component_asks_hosts_and_is_answered_by_rfc6120_s10_5_1() {
    run(async {
        let net = Net::new(Config::default()).await;
        let addresses = "from='irc.example.com' to='example.com'";
        let request = format!("<iq {addresses} type='get' id='1'><later xmlns='test'/></iq>");
        let unknown = format!("<iq {addresses} type='get' id='2'><what xmlns='test'/></iq>");
        let message = format!("<message {addresses} id='3'><body>?</body></message>");
        let result = format!("<iq {addresses} type='result' id='4'/>");
        send(&net, &[&request, &unknown, &message, &result]);
        assert!(
            net.component
                .reads(&net)
                .await
                .contains("id='2' type='error'")
        );
        assert!(
            net.component
                .reads(&net)
                .await
                .contains("id='3' type='error'")
        );
        net.answer_later();
        assert!(
            net.component
                .reads(&net)
                .await
                .contains("id='1' type='result'")
        );
        net.is_settled().await;
    });
}

#[test]
fn a_component_cannot_send_to_other_servers_yet() {
    run(async {
        let net = Net::new(Config::default()).await;
        let addresses = "from='irc.example.com' to='romeo@example.net'";
        send(
            &net,
            &[
                &format!("<message {addresses} id='1'><body>?</body></message>"),
                &format!("<message {addresses} id='2' type='error'/>"),
            ],
        );
        assert!(
            net.component
                .reads(&net)
                .await
                .contains("remote-server-not-found")
        );
        net.is_settled().await;
    });
}
