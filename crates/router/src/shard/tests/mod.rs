//! Flows through real mailboxes, on two arbiters, with a store that can be slow.

mod net;
mod outside;
mod results;
mod store;
mod tombstones;

use std::collections::HashMap;
use std::time::Duration;

use rookery_delivery::{BindTerms, Close, Credit, Homes, Overloaded};
use rookery_stanza::BareJid;
use rookery_storage::StoreError;
use rookery_storage::message_log::{IngressId, MessageLog, NewMessage, NewRow, Purpose};

use crate::config::Config;
use net::{Net, ONE, parse, run, taken};

/// A message that an account is owed.
fn kept(account: &BareJid, xml: &str) -> NewMessage {
    NewMessage {
        ingress: IngressId {
            session: 1,
            count: 1,
        },
        received: 0,
        origin: None,
        payload: xml.to_owned().into(),
        rows: vec![NewRow {
            account: account.clone(),
            epoch: 0,
            with: account.to_jid(),
            purpose: Purpose::Delivery(vec![]),
        }],
    }
}

/// A message that its recipient is owed, and that is in no archive.
fn note(to: &str, number: usize) -> String {
    format!("<message to='{to}'><note xmlns='test'><body>{number}</body></note></message>")
}

fn chat(to: &str, body: usize) -> String {
    format!("<message to='{to}' type='chat'><body>{body}</body></message>")
}

#[test]
fn order_is_kept_between_shards_to_bare_and_full_jids_alike_by_rfc6120_s10_1() {
    run(async {
        let net = Net::new(Config::default()).await;
        let romeo = net.connect(&net.account(0, 0), "orchard").await;
        let mut juliet = net.connect(&net.account(1, 0), "balcony").await;
        net.submit(&juliet, &["<presence/>"]);
        juliet.next().await;
        let (bare, full) = (
            juliet.key.jid.bare().to_string(),
            juliet.key.jid.to_string(),
        );
        for batch in 0..100 {
            let to = if batch % 2 == 0 { &bare } else { &full };
            let item = format!("<item jid='{batch}@example.com'/>");
            net.submit(
                &romeo,
                &[
                    &chat(to, batch * 2),
                    // Its own home writes in between.
                    &format!(
                        "<iq type='set' id='s'><query xmlns='jabber:iq:roster'>{item}</query></iq>"
                    ),
                    &chat(&bare, batch * 2 + 1),
                ],
            );
        }
        for body in 0..200 {
            let message = juliet.next().await;
            assert!(
                message.contains(&format!("<body>{body}</body>")),
                "{body}: {message}"
            );
        }
        net.is_settled().await;
    });
}

#[test]
fn a_slow_store_holds_up_only_the_account_that_waits_for_it() {
    run(async {
        let net = Net::new(Config::default()).await;
        let romeo = net.connect(&net.account(0, 0), "orchard").await;
        let mut juliet = net.connect(&net.account(1, 0), "balcony").await;
        net.submit(&juliet, &["<presence/>"]);
        net.submit(&juliet, &[&chat(juliet.key.jid.as_str(), 0)]);
        juliet.next().await;
        // It comes after the kept messages were read.
        juliet.next().await;
        let away = net.account(1, 1);
        net.store.close();
        let credit = Credit::new(ONE);
        for body in 0..5 {
            net.submit_with(&romeo, &[&chat(away.as_str(), body)], taken(&credit));
        }
        net.submit(&romeo, &[&chat(juliet.key.jid.as_str(), 7)]);
        assert!(
            juliet.next().await.contains("<body>7</body>"),
            "she does not wait"
        );
        assert_eq!(
            credit.in_flight().stanzas,
            5,
            "the sender's credit is out while the store works"
        );
        net.store.open();
        let mut away = net.connect(&away, "back").await;
        net.submit(&away, &["<presence/>"]);
        away.next().await;
        for body in 0..5 {
            assert!(away.next().await.contains(&format!("<body>{body}</body>")));
        }
        net.is_settled().await;
        assert_eq!(credit.in_flight().stanzas, 0);
    });
}

#[test]
fn what_waits_for_one_account_is_bounded_and_the_rest_is_answered() {
    run(async {
        let net = Net::new(Config {
            waiting_stanzas: 3,
            ..Config::default()
        })
        .await;
        let mut romeo = net.connect(&net.account(0, 0), "orchard").await;
        let away = net.account(1, 0);
        net.store.close();
        for body in 0..10 {
            net.submit(&romeo, &[&note(away.as_str(), body)]);
        }
        for _ in 0..7 {
            let error = romeo.next().await;
            assert!(
                error.contains("<error type='wait'><resource-constraint "),
                "{error}"
            );
        }
        net.store.open();
        net.is_settled().await;
        assert_eq!(net.owed(&away).await, 3);
    });
}

#[test]
fn the_bytes_that_wait_for_one_account_are_bounded_and_one_stanza_may_always_wait() {
    run(async {
        let net = Net::new(Config {
            waiting_bytes: 1000,
            ..Config::default()
        })
        .await;
        let mut romeo = net.connect(&net.account(0, 0), "orchard").await;
        let away = net.account(1, 0);
        net.store.close();
        let large = |to: &str| {
            let body = "x".repeat(2000);
            format!("<message to='{to}'><note xmlns='test'>{body}</note></message>")
        };
        for _ in 0..3 {
            net.submit(&romeo, &[&large(away.as_str())]);
        }
        net.submit(&romeo, &[&note(away.as_str(), 1)]);
        for _ in 0..3 {
            assert!(romeo.next().await.contains("<resource-constraint "));
        }
        net.store.open();
        net.is_settled().await;
        assert_eq!(net.owed(&away).await, 1);
    });
}

#[test]
fn a_store_that_fails_is_told_to_senders_and_to_clients_that_bind() {
    run(async {
        let net = Net::new(Config::default()).await;
        let mut romeo = net.connect(&net.account(0, 0), "orchard").await;
        let away = net.account(1, 0);
        net.store
            .memory
            .fail(Some(StoreError::Unavailable("test".to_owned())));
        net.submit(&romeo, &[&chat(away.as_str(), 1)]);
        assert!(romeo.next().await.contains("<resource-constraint "));
        net.try_connect(&away, "x").await.unwrap_err();
        net.store.memory.fail(None);
        net.submit(&romeo, &[&chat(away.as_str(), 2)]);
        net.is_settled().await;
        assert_eq!(net.owed(&away).await, 1, "it is asked again");
    });
}

#[test]
fn what_a_client_has_is_noted_when_the_log_works_again() {
    run(async {
        let net = Net::new(Config::default()).await;
        let romeo = net.connect(&net.account(0, 0), "orchard").await;
        let mut juliet = net.connect(&net.account(1, 0), "balcony").await;
        let account = juliet.key.jid.bare();
        net.submit(&juliet, &["<presence/>"]);
        juliet.next().await;
        net.submit(&romeo, &[&chat(account.as_str(), 1)]);
        juliet.next().await;
        let owed = net.log.read_owed(&account, None, 1).await.unwrap();
        net.log
            .fail(Some(StoreError::Unavailable("test".to_owned())));
        let row = owed[0].id;
        net.router.confirmed(&juliet.key, vec![row]).unwrap();
        // It is asked, and fails, before the shard answers the second time.
        net.router.sessions().await;
        net.router.sessions().await;
        net.log.fail(None);
        assert_eq!(net.owed(&account).await, 1);
        net.is_noted(&account).await;
    });
}

#[test]
fn a_message_that_the_store_kept_although_it_failed_is_found_by_the_next_client_that_is_available()
{
    run(async {
        let net = Net::new(Config::default()).await;
        let mut romeo = net.connect(&net.account(0, 0), "orchard").await;
        let mut juliet = net.connect(&net.account(1, 0), "balcony").await;
        let account = juliet.key.jid.bare();
        let failure = StoreError::Unavailable("test".to_owned());
        net.log.fail(Some(failure));
        net.submit(&romeo, &[&note(account.as_str(), 1)]);
        assert!(romeo.next().await.contains("<resource-constraint "));
        net.log.fail(None);
        let appended = net
            .log
            .append(vec![kept(&account, &note(account.as_str(), 1))]);
        appended.await.unwrap();
        net.submit(&juliet, &["<presence/>"]);
        assert!(juliet.next().await.starts_with("<presence"));
        assert!(juliet.next().await.contains("<body>1</body>"));
    });
}

#[test]
fn a_full_mailbox_of_another_shard_bounces_messages_and_loses_none() {
    run(async {
        let net = Net::with_mailboxes(4, Config::default()).await;
        let mut romeo = net.connect(&net.account(0, 0), "orchard").await;
        let mut juliet = net.connect(&net.account(1, 0), "balcony").await;
        let to = juliet.key.jid.to_string();
        let unblock = net.block(1);
        for body in 0..40 {
            let mut batch = parse(&[&chat(&to, body)]);
            while let Err(Overloaded(back)) =
                net.router
                    .submit(&romeo.key, batch, taken(&Credit::new(ONE)))
            {
                batch = back;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        assert!(romeo.next().await.contains("<resource-constraint "));
        drop(unblock);
        net.is_settled().await;
        let (bounced, delivered) = (romeo.drain() + 1, juliet.drain());
        assert_eq!(bounced + delivered, 40);
        assert!(delivered > 0);
    });
}

#[test]
fn an_answer_that_comes_later_holds_up_nothing() {
    run(async {
        let net = Net::new(Config::default()).await;
        let mut romeo = net.connect(&net.account(0, 0), "orchard").await;
        let request = "<iq to='example.com' type='get' id='later'><later xmlns='test'/></iq>";
        let own = romeo.key.jid.to_string();
        net.submit(&romeo, &[request, &chat(&own, 1)]);
        assert!(romeo.next().await.starts_with("<message"));
        net.answer_later();
        assert!(romeo.next().await.contains("id='later' type='result'"));
        net.is_settled().await;
    });
}

#[test]
fn a_mistake_costs_an_account_its_sessions_and_nobody_else_anything() {
    run(async {
        let net = Net::new(Config::default()).await;
        let mut romeo = net.connect(&net.account(0, 0), "orchard").await;
        let mut juliet = net.connect(&net.account(1, 0), "balcony").await;
        let mut nurse = net.connect(&net.account(1, 1), "garden").await;
        let to = juliet.key.jid.clone();
        let to_juliet = |id: &str| {
            format!("<message to='{to}' id='{id}' type='chat'><body>hi</body></message>")
        };
        net.submit(
            &romeo,
            &[&to_juliet("mistake"), &chat(nurse.key.jid.as_str(), 1)],
        );
        assert!(romeo.next().await.contains("<internal-server-error "));
        assert!(nurse.next().await.contains("<body>1</body>"));
        assert_eq!(juliet.closed().await, Close::Internal);
        net.router.unbind(&juliet.key, vec![]).unwrap();
        // The account goes on with what the store has.
        let account = net.account(1, 0);
        let mut back = net.connect(&account, "balcony").await;
        net.submit(&romeo, &[&to_juliet("well")]);
        assert!(back.next().await.contains("id='well'"));
        net.is_settled().await;
    });
}

#[test]
fn contacts_are_told_when_sessions_fall_with_their_account_by_rfc6121_s4_5_2() {
    run(async {
        let net = Net::new(Config::default()).await;
        let mut romeo = net.connect(&net.account(0, 0), "orchard").await;
        let mut nurse = net.connect(&net.account(0, 1), "garden").await;
        let mut juliet = net.connect(&net.account(1, 0), "balcony").await;
        let (full, bare) = (juliet.key.jid.clone(), juliet.key.jid.bare());
        let romeo_bare = romeo.key.jid.bare();
        net.submit(&juliet, &["<presence/>"]);
        net.submit(
            &romeo,
            &[
                "<presence/>",
                &format!("<presence to='{bare}' type='subscribe'/>"),
            ],
        );
        while !juliet.next().await.contains("type='subscribe'") {}
        net.submit(
            &juliet,
            &[
                &format!("<presence to='{romeo_bare}' type='subscribed'/>"),
                &format!("<presence to='{}'/>", nurse.key.jid),
            ],
        );
        let shown = format!("<presence from='{full}'");
        while !romeo.next().await.starts_with(&shown) {}
        while !nurse.next().await.starts_with(&shown) {}
        net.submit(
            &romeo,
            &[&format!("<message to='{full}' id='mistake' type='chat'/>")],
        );
        for told in [&mut romeo, &mut nurse] {
            loop {
                let stanza = told.next().await;
                if stanza.contains("type='unavailable'") {
                    assert!(stanza.contains(&format!("from='{full}'")), "{stanza}");
                    break;
                }
            }
        }
        assert_eq!(juliet.closed().await, Close::Internal);
        net.is_settled().await;
    });
}

#[test]
fn sessions_are_counted_closed_and_displaced() {
    run(async {
        let net = Net::new(Config::default()).await;
        let mut old = net.connect(&net.account(0, 0), "orchard").await;
        let other = net.connect(&net.account(1, 0), "balcony").await;
        assert_eq!(net.router.sessions().await, 2);
        let account = net.account(0, 0);
        let new = net.try_connect(&account, "orchard");
        let displaced = async {
            assert_eq!(old.closed().await, Close::Conflict);
            net.router.unbind(&old.key, vec![]).unwrap();
        };
        let (new, ()) = tokio::join!(new, displaced);
        let mut new = new.unwrap();
        assert_eq!(net.router.sessions().await, 2);
        net.router.close_account(&account).await;
        assert_eq!(new.closed().await, Close::NotAuthorized);
        net.router.unbind(&new.key, vec![]).unwrap();
        while net.router.sessions().await != 1 {
            tokio::task::yield_now().await;
        }
        net.router.close_all(Close::SystemShutdown).await;
        let mut other = other;
        assert_eq!(other.closed().await, Close::SystemShutdown);
    });
}

#[test]
fn what_becomes_durable_while_a_client_binds_reaches_it_by_xep0386_s3() {
    run(async {
        let net = Net::new(Config::default()).await;
        let account = net.account(0, 0);
        let romeo = net.connect(&account, "orchard").await;
        net.store.close();
        let item = "<iq type='set' id='s'><query xmlns='jabber:iq:roster'><item jid='a@example.com'/></query></iq>";
        // Both wait behind the store, and then for the log together.
        net.submit(&romeo, &[item, &chat(net.account(1, 0).as_str(), 1)]);
        let terms = BindTerms {
            carbons: true,
            ..BindTerms::default()
        };
        let open = async {
            net.router.sessions().await;
            net.store.open();
        };
        let (bound, ()) = tokio::join!(net.connect_by(&account, "balcony", terms), open);
        let mut balcony = bound.unwrap();
        assert!(
            balcony
                .next()
                .await
                .contains("<sent xmlns='urn:xmpp:carbons:2'")
        );
        // It is taken for a session like any other.
        net.submit(&romeo, &[&chat(balcony.key.jid.as_str(), 2)]);
        assert!(balcony.next().await.contains("<body>2</body>"));
        net.is_settled().await;
    });
}

#[test]
fn a_session_that_does_not_end_is_asked_again_and_one_that_waits_is_asked_too() {
    run(async {
        let net = Net::new(Config::default()).await;
        let account = net.account(0, 0);
        let mut old = net.connect(&account, "orchard").await;
        let (waiting, mut closed) = net.begin_to_bind(&account, "orchard");
        let ending = async {
            assert_eq!(old.closed().await, Close::Conflict);
            net.router.close_account(&account).await;
            assert_eq!(closed.recv().await, Some(Close::NotAuthorized));
            while old.closed().await != Close::NotAuthorized {}
            // It may not have heard of it.
            old.closed().await;
            net.router.unbind(&old.key, vec![]).unwrap();
        };
        let (bound, ()) = tokio::join!(waiting, ending);
        bound.unwrap();
    });
}

#[test]
fn an_account_that_was_removed_is_forgotten() {
    run(async {
        use rookery_storage::AccountStore;
        let net = Net::new(Config::default()).await;
        let mut romeo = net.connect(&net.account(0, 0), "orchard").await;
        let juliet = net.connect(&net.account(1, 0), "balcony").await;
        let account = juliet.key.jid.bare();
        net.store.memory.delete_account(&account).await.unwrap();
        net.router.close_account(&account).await;
        net.router.unbind(&juliet.key, vec![]).unwrap();
        net.submit(&romeo, &[&chat(account.as_str(), 1)]);
        assert!(romeo.next().await.contains("<service-unavailable "));
        net.is_settled().await;
    });
}

#[test]
fn a_client_that_went_while_it_waited_to_bind_holds_no_resource() {
    run(async {
        let net = Net::new(Config::default()).await;
        net.store.close();
        let account = net.account(0, 0);
        let waiting = net.try_connect(&account, "orchard");
        assert!(
            tokio::time::timeout(Duration::from_millis(20), waiting)
                .await
                .is_err()
        );
        net.store.open();
        net.connect(&account, "other").await;
        assert_eq!(net.router.sessions().await, 1);
    });
}

#[test]
fn a_map_gives_memory_back_when_a_crowd_has_gone() {
    let mut map: HashMap<usize, usize> = (0..10_000).map(|number| (number, number)).collect();
    map.retain(|number, _| *number < 10);
    super::give_back(&mut map);
    assert!(map.capacity() < 100, "{}", map.capacity());
    assert_eq!(map.len(), 10);
}
