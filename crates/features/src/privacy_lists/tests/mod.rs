//! XEP-0016: the rules of privacy lists, one by one. `play.rs` is the account that has them.

mod play;

use std::sync::Arc;

use futures_util::FutureExt;
use rookery_extension::{IqMethod, Verdict};
use rookery_stanza::{Condition, ErrorType};
use rookery_storage::DataStore as _;

use self::play::{BALCONY, CHAMBER, Play, ROMEO, TYBALT};
use crate::Config;
use crate::fixture::{juliet, montague};

#[test]
fn hosts_that_do_not_allow_lists_have_none() {
    let mut play = Play::new();
    play.host = Arc::new(montague());
    assert_eq!(play.get(""), Err(Condition::ServiceUnavailable));
    let list = "<list name='a'><item action='deny' order='1'/></list>";
    assert_eq!(play.set(BALCONY, list), Err(Condition::ServiceUnavailable));
}

#[test]
fn lists_are_named_and_shown_by_s2_3() {
    let mut play = Play::new().with_default(
        "<item type='jid' value='tybalt@example.com' action='deny' order='1'/><item action='allow' order='2'/>",
    );
    let special = "<list name='special'><item type='subscription' value='both' action='allow' order='10'/>\
                   <item action='deny' order='15'><message/><presence-in/></item></list>";
    play.set(BALCONY, special).unwrap();
    play.set(BALCONY, "<active name='special'/>").unwrap();
    assert_eq!(
        play.get("").unwrap(),
        "<query xmlns='jabber:iq:privacy'><active name='special'/><default name='public'/>\
         <list name='public'/><list name='special'/></query>"
    );
    for list in ["<list name='special'/>", "<list name='public'/>"] {
        assert!(play.get(list).is_ok());
    }
    assert_eq!(
        play.get("<list name='special'/>").unwrap(),
        format!("<query xmlns='jabber:iq:privacy'>{special}</query>")
    );
    assert_eq!(
        play.get("<list name='public'/>").unwrap(),
        "<query xmlns='jabber:iq:privacy'><list name='public'>\
         <item type='jid' value='tybalt@example.com' action='deny' order='1'/>\
         <item action='allow' order='2'/></list></query>"
    );
    assert_eq!(
        play.get("<list name='The Empty Set'/>"),
        Err(Condition::ItemNotFound)
    );
    assert_eq!(
        play.get("<list name='public'/><list name='special'/>"),
        Err(Condition::BadRequest)
    );
}

#[test]
fn what_is_wrong_with_a_list_is_said_by_s2_1() {
    let mut play = Play::new();
    for (items, condition) in [
        ("<item order='1'/>", Condition::BadRequest),
        ("<item action='block' order='1'/>", Condition::BadRequest),
        ("<item action='deny'/>", Condition::BadRequest),
        ("<item action='deny' order='-1'/>", Condition::BadRequest),
        (
            "<item action='deny' order='1'/><item action='allow' order='1'/>",
            Condition::BadRequest,
        ),
        (
            "<item type='jid' action='deny' order='1'/>",
            Condition::BadRequest,
        ),
        (
            "<item type='jid' value='@' action='deny' order='1'/>",
            Condition::JidMalformed,
        ),
        (
            "<item type='subscription' value='all' action='deny' order='1'/>",
            Condition::BadRequest,
        ),
        (
            "<item type='name' value='x' action='deny' order='1'/>",
            Condition::BadRequest,
        ),
        (
            "<item action='deny' order='1'><presence/></item>",
            Condition::BadRequest,
        ),
        ("<thing/>", Condition::BadRequest),
        (
            "<item type='group' value='Nobody' action='deny' order='1'/>",
            Condition::ItemNotFound,
        ),
    ] {
        let list = format!("<list name='a'>{items}</list>");
        assert_eq!(play.set(BALCONY, &list), Err(condition), "{items}");
    }
}

#[test]
fn requests_are_about_one_list_that_is_there_by_s2_1() {
    let mut play = Play::new();
    for request in [
        "",
        "<list><item action='deny' order='1'/></list>",
        "<active/><default/>",
        "<list name='a'/><list name='b'/>",
        "<other/>",
    ] {
        assert_eq!(
            play.set(BALCONY, request),
            Err(Condition::BadRequest),
            "{request}"
        );
    }
    for request in [
        "<active name='x'/>",
        "<default name='x'/>",
        "<list name='x'/>",
    ] {
        assert_eq!(
            play.set(BALCONY, request),
            Err(Condition::ItemNotFound),
            "{request}"
        );
    }
}

#[test]
fn items_name_addresses_groups_subscriptions_and_everybody_by_s2_1() {
    for (whom, denied) in [
        ("type='jid' value='tybalt@example.com/pda'", vec![TYBALT]),
        ("type='jid' value='tybalt@example.com'", vec![TYBALT]),
        (
            "type='jid' value='example.com'",
            vec![TYBALT, "nurse@example.com/hall"],
        ),
        ("type='jid' value='example.com/pda'", vec![]),
        ("type='group' value='Enemies'", vec![TYBALT]),
        ("type='subscription' value='both'", vec![ROMEO]),
        ("type='subscription' value='from'", vec![TYBALT]),
        (
            "type='subscription' value='to'",
            vec!["nurse@example.com/hall"],
        ),
        (
            "type='subscription' value='none'",
            vec!["paris@example.org/x"],
        ),
        (
            "",
            vec![
                ROMEO,
                TYBALT,
                "nurse@example.com/hall",
                "paris@example.org/x",
            ],
        ),
    ] {
        let items = format!("<item {whom} action='deny' order='1'><message/></item>");
        let play = Play::new().with_default(&items);
        let all = [
            ROMEO,
            TYBALT,
            "nurse@example.com/hall",
            "paris@example.org/x",
        ];
        let silent = all
            .into_iter()
            .filter(|with| !play.passes(with).contains('m'));
        assert_eq!(silent.collect::<Vec<_>>(), denied, "{whom}");
    }
}

#[test]
fn items_are_about_kinds_of_stanzas_by_s2_9_to_s2_13() {
    for (about, passes) in [
        ("<message/>", "ipsMP"),
        ("<iq/>", "mpsMP"),
        ("<presence-in/>", "misMP"),
        ("<presence-out/>", "mipsM"),
        ("<message/><presence-out/>", "ipsM"),
        ("", ""),
    ] {
        let items = format!("<item action='deny' order='1'>{about}</item>");
        let play = Play::new().with_default(&items);
        assert_eq!(play.passes(ROMEO), passes, "{about}");
        assert_eq!(
            play.shows(BALCONY, "romeo@example.net"),
            passes.contains('P'),
            "{about}"
        );
    }
}

#[test]
fn first_item_in_their_order_decides_and_without_one_it_passes_by_s2_2() {
    let play = Play::new().with_default(
        "<item action='deny' order='9'/>\
         <item type='jid' value='tybalt@example.com' action='deny' order='1'/>\
         <item type='jid' value='example.com' action='allow' order='2'/>\
         <item type='subscription' value='both' action='allow' order='5'/>",
    );
    assert_eq!(play.passes(TYBALT), "");
    assert_eq!(play.passes("nurse@example.com/hall"), "mipsMP");
    assert_eq!(play.passes(ROMEO), "mipsMP");
    assert_eq!(play.passes("paris@example.org/x"), "");
    let play = Play::new().with_default("<item type='jid' value='a.lit' action='deny' order='1'/>");
    assert_eq!(play.passes(ROMEO), "mipsMP");
}

#[test]
fn resources_of_the_account_and_its_server_are_never_kept_out_by_s2_1() {
    let play = Play::new().with_default("<item action='deny' order='1'/>");
    for own in [CHAMBER, "juliet@montague.lit", "montague.lit"] {
        assert_eq!(play.passes(own), "mipsMP", "{own}");
    }
}

#[test]
fn who_is_kept_out_finds_nobody_and_whom_one_keeps_out_cannot_be_written_to_by_s2_14() {
    let play = Play::new().with_default("<item action='deny' order='1'/>");
    let account = "juliet@montague.lit";
    let unavailable = Verdict::Refuse(Condition::ServiceUnavailable.into());
    for (xml, expected) in [
        ("<message type='chat'/>", &unavailable),
        (
            "<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>",
            &unavailable,
        ),
        ("<iq type='result' id='1'/>", &Verdict::Ignore),
        ("<presence/>", &Verdict::Ignore),
        ("<presence type='probe'/>", &Verdict::Ignore),
        ("<presence type='subscribe'/>", &Verdict::Ignore),
    ] {
        assert_eq!(&play.inbound(ROMEO, account, xml), expected, "{xml}");
    }
    let Verdict::Refuse(error) = play.outbound(BALCONY, ROMEO, "<message type='chat'/>") else {
        panic!("it is returned")
    };
    assert_eq!(
        (error.error_type, error.condition),
        (ErrorType::Cancel, Condition::NotAcceptable)
    );
    let answer = play.outbound(BALCONY, ROMEO, "<iq type='result' id='1'/>");
    assert_eq!(answer, Verdict::Ignore);
}

#[test]
fn an_active_list_decides_for_its_session_alone_and_instead_of_the_default_one_by_s2_2() {
    let deny = "<item type='jid' value='tybalt@example.com' action='deny' order='1'/>";
    let mut play = Play::new().with_default(deny);
    let list = "<list name='other'>\
                <item type='jid' value='romeo@example.net' action='deny' order='1'/></list>";
    play.set(BALCONY, list).unwrap();
    play.set(BALCONY, "<active name='other'/>").unwrap();
    let passes =
        |from: &str, to: &str| play.inbound(from, to, "<message type='chat'/>") == Verdict::Pass;
    assert!(passes(TYBALT, BALCONY) && !passes(ROMEO, BALCONY));
    assert!(!passes(TYBALT, CHAMBER) && passes(ROMEO, CHAMBER));
    assert_eq!(play.reached_by(TYBALT, "<message/>"), "balcony");
    assert_eq!(play.reached_by(ROMEO, "<message/>"), "chamber later");
    assert!(play.shows(BALCONY, TYBALT) && !play.shows(BALCONY, ROMEO));
    assert!(!play.shows(CHAMBER, TYBALT) && play.shows(CHAMBER, ROMEO));
    assert_eq!(play.set(BALCONY, "<active/>"), Ok(None));
    assert!(!play.shows(BALCONY, TYBALT) && play.shows(BALCONY, ROMEO));
}

#[test]
fn a_list_that_applies_to_others_stays_by_s2_2() {
    let deny = "<item action='deny' order='1'><message/></item>";
    let mut play = Play::new().with_default(deny);
    let list = format!("<list name='other'>{deny}</list>");
    play.set(BALCONY, &list).unwrap();
    let conflict = Err(Condition::Conflict);
    for request in [
        "<default name='other'/>",
        "<default/>",
        "<list name='public'/>",
    ] {
        assert_eq!(play.set(BALCONY, request), conflict, "{request}");
    }
    play.set(CHAMBER, "<active name='other'/>").unwrap();
    assert_eq!(play.set(BALCONY, "<list name='other'/>"), conflict);
    assert_eq!(play.set(BALCONY, "<default name='other'/>"), Ok(None));
    assert_eq!(play.set(BALCONY, "<default/>"), conflict);
    play.bound.0.pop();
    assert_eq!(play.set(BALCONY, "<default/>"), Ok(None));
    assert_eq!(play.set(BALCONY, "<list name='other'/>"), Ok(None));
    assert_eq!(play.set(BALCONY, "<list name='public'/>"), Ok(None));
    assert_eq!(play.get("").unwrap(), "<query xmlns='jabber:iq:privacy'/>");
}

#[test]
fn all_sessions_are_told_of_a_list_that_changed_by_s2_6() {
    let mut play = Play::new();
    let list = "<list name='a'><item action='deny' order='1'><iq/></item></list>";
    let push = "<query xmlns='jabber:iq:privacy'><list name='a'/></query>";
    play.set(BALCONY, list).unwrap();
    assert_eq!(play.pushed(), [push]);
    play.set(BALCONY, "<active name='a'/>").unwrap();
    assert!(play.pushed().is_empty());
    play.set(BALCONY, "<list name='a'/>").unwrap();
    assert_eq!(play.pushed(), [push]);
}

#[test]
fn contacts_that_are_shown_no_presence_any_more_see_it_end_by_s2_11() {
    let mut play = Play::new();
    let list = "<list name='hidden'>\
                <item type='group' value='Enemies' action='deny' order='1'><presence-out/></item></list>";
    play.set(BALCONY, list).unwrap();
    assert!(play.sent().is_empty());
    play.set(BALCONY, "<active name='hidden'/>").unwrap();
    let gone = format!("{BALCONY} unavailable tybalt@example.com");
    assert_eq!(play.sent(), [gone]);
    play.set(BALCONY, "<active/>").unwrap();
    let back = format!("{BALCONY} available tybalt@example.com");
    assert_eq!(play.sent(), [back]);
    play.bound.0.pop();
    play.set(BALCONY, "<default name='hidden'/>").unwrap();
    assert_eq!(play.sent().len(), 1);
    play.set(BALCONY, &list.replace("Enemies", "Friends"))
        .unwrap();
    assert_eq!(
        play.sent(),
        [
            format!("{BALCONY} unavailable romeo@example.net"),
            format!("{BALCONY} available tybalt@example.com")
        ]
    );
}

#[test]
fn a_session_that_keeps_presence_out_sees_the_contact_go_by_s2_10() {
    let mut play = Play::new();
    let list = "<list name='blind'>\
                <item type='group' value='Friends' action='deny' order='1'><presence-in/></item></list>";
    play.set(BALCONY, list).unwrap();
    play.set(BALCONY, "<active name='blind'/>").unwrap();
    let gone = format!("romeo@example.net unavailable {BALCONY}");
    assert_eq!(play.sent(), [gone]);
    play.set(BALCONY, "<active/>").unwrap();
    assert!(play.sent().is_empty());
}

#[test]
fn what_is_for_the_account_as_a_whole_is_judged_for_each_session_by_s2_2() {
    let mut play = Play::new();
    let list = "<list name='deaf'><item action='deny' order='1'><message/></item></list>";
    play.set(BALCONY, list).unwrap();
    assert_eq!(
        play.reached_by(ROMEO, "<message/>"),
        "balcony chamber later"
    );
    play.set(BALCONY, "<active name='deaf'/>").unwrap();
    assert_eq!(play.reached_by(ROMEO, "<message/>"), "chamber later");
    play.set(BALCONY, "<default name='deaf'/>").unwrap();
    assert_eq!(play.reached_by(ROMEO, "<message/>"), "");
    assert_eq!(
        play.reached_by(ROMEO, "<presence/>"),
        "balcony chamber later"
    );
    play.set(
        CHAMBER,
        "<list name='open'><item action='allow' order='1'/></list>",
    )
    .unwrap();
    play.set(CHAMBER, "<active name='open'/>").unwrap();
    assert_eq!(play.reached_by(ROMEO, "<message/>"), "chamber");
    assert_eq!(
        play.reached_by(CHAMBER, "<message/>"),
        "balcony chamber later"
    );
}

#[test]
fn block_list_is_the_beginning_of_the_default_list_by_xep0191_s5() {
    let mut play = Play::new();
    let block = "<block xmlns='urn:xmpp:blocking'><item jid='tybalt@example.com'/></block>";
    play.request(BALCONY, IqMethod::Set, block).unwrap();
    let pushed = play.pushed();
    assert!(
        pushed.contains(
            &"<query xmlns='jabber:iq:privacy'><list name='blocked'/></query>".to_owned()
        )
    );
    let denied = "<item type='jid' value='tybalt@example.com' action='deny' order='1'/>";
    assert_eq!(
        play.get("<list name='blocked'/>").unwrap(),
        format!("<query xmlns='jabber:iq:privacy'><list name='blocked'>{denied}</list></query>")
    );
    assert!(play.get("").unwrap().contains("<default name='blocked'/>"));

    let edited = "<list name='blocked'>\
                  <item type='jid' value='paris@example.org' action='deny' order='3'/>\
                  <item type='jid' value='romeo@example.net' action='allow' order='5'/>\
                  <item type='jid' value='example.com' action='deny' order='7'/>\
                  <item type='jid' value='example.net' action='deny' order='9'/>\
                  <item type='jid' value='romeo@example.net/x' action='deny' order='11'/></list>";
    play.set(BALCONY, edited).unwrap();
    assert_eq!(
        play.block_list(),
        "example.com paris@example.org",
        "what an earlier item allows is not blocked"
    );
    let pushed = play.pushed().concat();
    assert!(pushed.contains("<unblock xmlns='urn:xmpp:blocking'><item jid='tybalt@example.com'/>"));
    assert_eq!(play.passes(ROMEO), "mipsMP");
    assert_eq!(play.passes("mercutio@example.net/x"), "");
    assert_eq!(play.passes(TYBALT), "");

    let unblock = "<unblock xmlns='urn:xmpp:blocking'><item jid='example.com'/></unblock>";
    play.request(BALCONY, IqMethod::Set, unblock).unwrap();
    assert!(
        !play
            .get("<list name='blocked'/>")
            .unwrap()
            .contains("'example.com'")
    );
    assert_eq!(play.passes(TYBALT), "mipsMP");
}

#[test]
fn another_default_list_brings_its_own_block_list_by_xep0191_s5() {
    let mut play = Play::new();
    play.bound.0.pop();
    let block = "<block xmlns='urn:xmpp:blocking'><item jid='tybalt@example.com'/></block>";
    play.request(BALCONY, IqMethod::Set, block).unwrap();
    let list = "<list name='other'>\
                <item type='jid' value='romeo@example.net' action='deny' order='4'/></list>";
    play.set(BALCONY, list).unwrap();
    assert_eq!(play.block_list(), "tybalt@example.com");
    play.set(BALCONY, "<default name='other'/>").unwrap();
    assert_eq!(play.block_list(), "romeo@example.net");
    assert!(
        play.get("<list name='blocked'/>")
            .unwrap()
            .contains("tybalt@example.com")
    );
    play.set(BALCONY, "<default/>").unwrap();
    assert_eq!(play.block_list(), "");
    assert!(
        play.get("<list name='other'/>")
            .unwrap()
            .contains("romeo@example.net")
    );
    play.set(BALCONY, "<default name='blocked'/>").unwrap();
    assert_eq!(play.block_list(), "tybalt@example.com");
    assert_eq!(
        (play.passes(TYBALT), play.passes(ROMEO)),
        (String::new(), "mipsMP".to_owned())
    );
}

#[test]
fn lists_are_there_again_when_the_account_is_loaded() {
    let mut play = Play::new().with_default(
        "<item type='jid' value='tybalt@example.com' action='deny' order='1'/>\
         <item type='group' value='Friends' action='deny' order='2'><iq/><presence-out/></item>",
    );
    let other = "<list name='other'><item action='deny' order='7'><message/></item></list>";
    play.set(BALCONY, other).unwrap();
    let lists = ["", "<list name='public'/>", "<list name='other'/>"];
    let before = lists.map(|list| play.get(list).unwrap());
    let kinds = play.features.data_kinds();
    let loaded = play.store.load_account(&juliet(), kinds).now_or_never();
    let data = loaded.unwrap().unwrap().unwrap().data;
    play.kept = play.features.keep(&data).unwrap();
    assert_eq!(lists.map(|list| play.get(list).unwrap()), before);
    assert_eq!(
        (play.passes(TYBALT), play.passes(ROMEO)),
        (String::new(), "mpsM".to_owned())
    );
}

#[test]
fn lists_and_items_are_bounded() {
    let config = super::Config {
        max_lists: 1,
        max_items: 2,
    };
    let mut play = Play::with_config(&Config {
        privacy_lists: config,
        ..Config::default()
    });
    let list = |name: &str, items: usize| {
        let item = |order| format!("<item action='deny' order='{order}'><iq/></item>");
        let items = (0..items).map(item).collect::<Vec<_>>().concat();
        format!("<list name='{name}'>{items}</list>")
    };
    let full = Err(Condition::ResourceConstraint);
    assert_eq!(play.set(BALCONY, &list("a", 3)), full);
    assert_eq!(play.set(BALCONY, &list("a", 2)), Ok(None));
    assert_eq!(play.set(BALCONY, &list("b", 1)), full);
    assert_eq!(play.set(BALCONY, &list("a", 1)), Ok(None));
}

#[test]
fn a_list_that_could_not_be_stored_does_not_hold() {
    let mut play = Play::new();
    let failure = rookery_storage::StoreError::Unavailable("the test says so".to_owned());
    play.store.fail(Some(failure));
    let list = "<list name='a'><item action='deny' order='1'/></list>";
    assert_eq!(play.set(BALCONY, list), Err(Condition::ResourceConstraint));
    assert!(play.orders.is_empty());
    assert_eq!(play.get("").unwrap(), "<query xmlns='jabber:iq:privacy'/>");
}
