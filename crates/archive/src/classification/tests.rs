//! The table, row by row, by the examples of the standards.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

/// A message of Romeo to Juliet: `type` and more attributes, then the payload.
fn message(attributes: &str, payload: &str) -> Stanza {
    let unless_given = |name: &str, value| {
        let given = attributes.contains(&format!("{name}="));
        if given { "" } else { value }
    };
    let from = unless_given("from", "from='romeo@montague.lit/orchard' ");
    let to = unless_given("to", "to='juliet@capulet.lit' ");
    let xml = format!("<message {from}{to}{attributes}>{payload}</message>");
    Stanza::parse_again(Bytes::from(xml)).unwrap()
}

/// A treatment in letters: `A`rchived, `O`wed, `C`opied (`E` as the original of an error), `P`ush (`!` for
/// a call), with `-` where it is not.
fn letters(treatment: Treatment) -> String {
    let archived = if treatment.archived { 'A' } else { '-' };
    let owed = if treatment.owed { 'O' } else { '-' };
    let copies = match treatment.copies {
        Copies::No => '-',
        Copies::Yes => 'C',
        Copies::AsTheOriginal => 'E',
    };
    let push = match treatment.push {
        Push::No => '-',
        Push::Alert => 'P',
        Push::Call => '!',
    };
    [archived, owed, copies, push].iter().collect()
}

/// What becomes of it on the side of its sender, and of its recipient.
fn both(stanza: &Stanza) -> (String, String) {
    let of = |side| letters(Treatment::of(stanza, side));
    (of(Side::Sender), of(Side::Recipient))
}

/// Checks rows of: where it is from, attributes, payload, the sender's side, the recipient's side.
fn check(rows: &[(&str, &str, &str, &str, &str)]) {
    for (source, attributes, payload, sender, recipient) in rows {
        let found = both(&message(attributes, payload));
        assert_eq!(
            (found.0.as_str(), found.1.as_str()),
            (*sender, *recipient),
            "{source}: <message {attributes}>{payload}"
        );
    }
}

const CHAT: &str = "type='chat'";
const NORMAL: &str = "";
const HEADLINE: &str = "type='headline'";
const GROUPCHAT: &str = "type='groupchat'";
const ERROR: &str = "type='error'";

#[test]
#[rustfmt::skip]
fn types_of_messages_by_rfc6121_s5_2_2_and_xep0160_s3() {
    let body = "<body>Call me but love</body>";
    check(&[
        ("RFC 6121 §5.2.2, normal", NORMAL, body, "A-C-", "AOCP"),
        ("RFC 6121 §5.2.2, normal", "type='normal'", body, "A-C-", "AOCP"),
        ("RFC 6121 §5.2.2, unknown", "type='love'", body, "A-C-", "AOCP"),
        ("RFC 6121 §5.2.2, chat", CHAT, body, "A-C-", "AOCP"),
        ("RFC 6121 §5.2.2, headline", HEADLINE, body, "----", "----"),
        ("RFC 6121 §5.2.2, groupchat", GROUPCHAT, body, "----", "----"),
        ("RFC 6121 §5.2.2, error", ERROR, body, "--E-", "--E-"),
        ("RFC 6121 §5.2.3, empty body", CHAT, "<body/>", "A-C-", "AOCP"),
        ("RFC 6121 §5.2.4, subject only", NORMAL, "<subject>Soft!</subject>", "A---", "AO-P"),
        ("RFC 6121 §5.2.4, subject only", CHAT, "<subject>Soft!</subject>", "A-C-", "AOCP"),
        ("RFC 6121 §5.2.5, thread only", CHAT, "<thread>1</thread>", "--C-", "-OC-"),
        ("XEP-0160 §3, empty", CHAT, "", "--C-", "-OC-"),
        ("XEP-0160 §3, empty", NORMAL, "", "----", "-O--"),
        ("XEP-0160 §3, unknown payload", NORMAL, "<x xmlns='urn:example:x'/>", "----", "-O--"),
        ("XEP-0160 §3, unknown payload", CHAT, "<x xmlns='urn:example:x'/>", "--C-", "-OC-"),
    ]);
}

#[test]
#[rustfmt::skip]
fn chat_states_are_neither_archived_nor_kept_but_copied_xep0085_s5_6() {
    let ns = "xmlns='http://jabber.org/protocol/chatstates'";
    let content = format!("<body>Who's there?</body><active {ns}/>");
    let composing = format!("<composing {ns}/>");
    let thread = format!("<thread>act2</thread><gone {ns}/>");
    let hinted = format!("<paused {ns}/><no-store xmlns='urn:xmpp:hints'/>");
    let with_id = format!("<composing {ns}/><origin-id xmlns='urn:xmpp:sid:0' id='1'/>");
    let with_other = format!("<composing {ns}/><x xmlns='urn:example:x'/>");
    let private = format!("<composing {ns}/><x xmlns='http://jabber.org/protocol/muc#user'/>");
    check(&[
        ("XEP-0085 §6", CHAT, &content, "A-C-", "AOCP"),
        ("XEP-0085 §6", CHAT, &composing, "--C-", "--C-"),
        ("XEP-0085 §7", CHAT, &thread, "--C-", "--C-"),
        ("XEP-0280 §6.1", NORMAL, &composing, "--C-", "--C-"),
        ("XEP-0280 §6.1", HEADLINE, &composing, "--C-", "--C-"),
        ("XEP-0334 §4.2", CHAT, &hinted, "--C-", "--C-"),
        ("XEP-0359 §2.2", CHAT, &with_id, "--C-", "--C-"),
        ("XEP-0160 §3, not only a state", NORMAL, &with_other, "--C-", "-OC-"),
        ("XEP-0045 §7.5, no invitation", CHAT, &private, "--C-", "----"),
        ("XEP-0301 §4.1", CHAT, "<rtt xmlns='urn:xmpp:rtt:0' seq='1'/>", "--C-", "--C-"),
    ]);
}

#[test]
#[rustfmt::skip]
fn receipts_and_markers_are_archived_and_copied_and_wake_nobody_xep0184_s7_xep0333_s4() {
    let request = "<body>My lord, dispatch</body><request xmlns='urn:xmpp:receipts'/>";
    let received = "<received xmlns='urn:xmpp:receipts' id='richard2-4.1.247'/>";
    let markable = "<body>Hi. How are you?</body><markable xmlns='urn:xmpp:chat-markers:0'/>";
    let displayed = "<displayed xmlns='urn:xmpp:chat-markers:0' id='the-msg-1'/>";
    check(&[
        ("XEP-0184 §7", NORMAL, request, "A-C-", "AOCP"),
        ("XEP-0184 §7", NORMAL, received, "A-C-", "AOC-"),
        ("XEP-0184 §7", CHAT, received, "A-C-", "AOC-"),
        ("XEP-0280 §6.1", HEADLINE, received, "--C-", "--C-"),
        ("XEP-0280 §6.1", HEADLINE, request, "--C-", "--C-"),
        ("XEP-0184 §5.3", GROUPCHAT, received, "----", "----"),
        ("XEP-0333 §4.1", NORMAL, markable, "A-C-", "AOCP"),
        ("XEP-0333 §4.2", NORMAL, displayed, "A-C-", "AOC-"),
        ("XEP-0333 §4.3", GROUPCHAT, displayed, "----", "----"),
        ("XEP-0184, a request for nothing", NORMAL, "<request xmlns='urn:xmpp:receipts'/>", "--C-", "-OC-"),
    ]);
}

#[test]
#[rustfmt::skip]
fn changes_of_earlier_messages_wake_nobody_xep0308_xep0424_xep0444() {
    let replace = "<body>But soft, what light</body><replace id='bad1' xmlns='urn:xmpp:message-correct:0'/>";
    let reaction = "<reactions id='744f' xmlns='urn:xmpp:reactions:0'><reaction>👋</reaction></reactions>\
                    <store xmlns='urn:xmpp:hints'/>";
    let bare_reaction = "<reactions id='744f' xmlns='urn:xmpp:reactions:0'/>";
    let retract = "<retract id='wrong-1' xmlns='urn:xmpp:message-retract:1'/>\
                   <fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:message-retract:1'/>\
                   <body>/me retracted a previous message</body><store xmlns='urn:xmpp:hints'/>";
    let bare_retract = "<retract id='wrong-1' xmlns='urn:xmpp:message-retract:1'/>";
    check(&[
        ("XEP-0308 §3", NORMAL, replace, "A-C-", "AOC-"),
        ("XEP-0444 §3.1", CHAT, reaction, "A-C-", "AOC-"),
        ("XEP-0444 §3.2", NORMAL, bare_reaction, "A-C-", "AOC-"),
        ("XEP-0424 §3", CHAT, retract, "A-C-", "AOC-"),
        ("XEP-0424 §3", NORMAL, bare_retract, "A-C-", "AOC-"),
    ]);
}

#[test]
#[rustfmt::skip]
fn calls_wake_devices_at_once_xep0353_s3() {
    let call = |name: &str| {
        format!(
            "<{name} xmlns='urn:xmpp:jingle-message:0' id='ca3c'/><store xmlns='urn:xmpp:hints'/>"
        )
    };
    check(&[
        ("XEP-0353 §3.1", CHAT, &call("propose"), "A-C-", "AOC!"),
        ("XEP-0353 §3.2", CHAT, &call("ringing"), "A-C-", "AOC-"),
        ("XEP-0353 §3.3", CHAT, &call("retract"), "A-C-", "AOC-"),
        ("XEP-0353 §3.4", CHAT, &call("proceed"), "A-C-", "AOC-"),
        ("XEP-0353 §3.5", CHAT, &call("reject"), "A-C-", "AOC-"),
        ("XEP-0353 §3.7", CHAT, &call("finish"), "A-C-", "AOC-"),
        ("without hint and type", NORMAL, "<propose xmlns='urn:xmpp:jingle-message:0' id='1'/>", "A-C-", "AOC!"),
    ]);
}

#[test]
#[rustfmt::skip]
fn encrypted_bodies_are_bodies_xep0384_xep0380_xep0373_rfc3923() {
    let omemo = "<encrypted xmlns='urn:xmpp:omemo:2'><header sid='27183'/></encrypted><store xmlns='urn:xmpp:hints'/>";
    let old_omemo =
        "<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='1'/></encrypted>";
    let otr = "<body>?OTR?v23?...</body><encryption xmlns='urn:xmpp:eme:0' namespace='urn:xmpp:otr:0'/>";
    let ox = "<openpgp xmlns='urn:xmpp:openpgp:0'>BASE64</openpgp>";
    let pgp = "<x xmlns='jabber:x:encrypted'>BASE64</x>";
    let e2e = "<e2e xmlns='urn:ietf:params:xml:ns:xmpp-e2e'>MIME</e2e>";
    check(&[
        ("XEP-0384 §5.5", NORMAL, omemo, "A-C-", "AOCP"),
        ("XEP-0384 §5.8.3", GROUPCHAT, omemo, "----", "----"),
        ("XEP-0384, version 0.3", CHAT, old_omemo, "A-C-", "AOCP"),
        ("XEP-0380 §3.1", NORMAL, otr, "A-C-", "AOCP"),
        ("XEP-0373 §3.1", NORMAL, ox, "A-C-", "AOCP"),
        ("XEP-0027 §3.2", NORMAL, pgp, "A-C-", "AOCP"),
        ("RFC 3923 §4", NORMAL, e2e, "A-C-", "AOCP"),
    ]);
}

#[test]
#[rustfmt::skip]
fn files_are_content_and_further_sources_of_them_wake_nobody_xep0066_xep0447() {
    let oob =
        "<body>Yeah, but</body><x xmlns='jabber:x:oob'><url>http://www.jabber.org/</url></x>";
    let bare_oob = "<x xmlns='jabber:x:oob'><url>http://www.jabber.org/</url></x>";
    let sharing = "<file-sharing xmlns='urn:xmpp:sfs:0' disposition='inline'/><store xmlns='urn:xmpp:hints'/>";
    let source = "<attach-to id='sharing-a-file' xmlns='urn:xmpp:message-attaching:1'/>\
                  <sources xmlns='urn:xmpp:sfs:0'/><store xmlns='urn:xmpp:hints'/>";
    check(&[
        ("XEP-0066 §3", NORMAL, oob, "A-C-", "AOCP"),
        ("XEP-0066 §3", NORMAL, bare_oob, "A-C-", "AOCP"),
        ("XEP-0447 §3.1", NORMAL, sharing, "A-C-", "AOCP"),
        ("XEP-0447 §3.3", NORMAL, source, "A-C-", "AOC-"),
    ]);
}

#[test]
#[rustfmt::skip]
fn invitations_are_copied_and_private_messages_only_when_sent_xep0280_s6_1() {
    let mediated = "<x xmlns='http://jabber.org/protocol/muc#user'><invite from='crone1@shakespeare.lit/desktop'/></x>";
    let direct = "<x xmlns='jabber:x:conference' jid='darkcave@macbeth.shakespeare.lit'/>";
    let both = format!("{mediated}{direct}");
    let private =
        "<body>I'll give thee a wind.</body><x xmlns='http://jabber.org/protocol/muc#user'/>";
    let file = "<file-sharing xmlns='urn:xmpp:sfs:0'/><x xmlns='http://jabber.org/protocol/muc#user'/>";
    let room = "from='coven@chat.shakespeare.lit'";
    let occupant = "from='coven@chat.shakespeare.lit/secondwitch' type='chat'";
    let inviting_occupant = "from='coven@chat.shakespeare.lit/firstwitch'";
    let to_occupant = "to='coven@chat.shakespeare.lit/firstwitch' type='chat'";
    check(&[
        ("XEP-0045 §7.8.2", room, mediated, "A-C-", "AOCP"),
        ("XEP-0045 §7.8.2, compatible", room, &both, "A-C-", "AOCP"),
        ("XEP-0045 §7.9", inviting_occupant, mediated, "A-C-", "AOCP"),
        ("XEP-0249 §2", NORMAL, direct, "A-C-", "AOCP"),
        ("XEP-0280 §6.1", HEADLINE, direct, "--C-", "--C-"),
        ("XEP-0280 §6.1", GROUPCHAT, direct, "----", "----"),
        ("XEP-0045 §7.5, received", occupant, private, "A-C-", "AO-P"),
        ("XEP-0045 §7.5, sent", to_occupant, private, "A-C-", "AO-P"),
        ("XEP-0045 §7.5, received", occupant, file, "A-C-", "AO-P"),
    ]);
}

#[test]
#[rustfmt::skip]
fn hints_change_what_the_table_says_xep0334_s4() {
    let hinted = |hints: &[&str]| {
        let hints = hints
            .iter()
            .map(|hint| format!("<{hint} xmlns='urn:xmpp:hints'/>"));
        format!(
            "<body>V unir avtug'f pybnx</body>{}",
            hints.collect::<String>()
        )
    };
    let stored = "<x xmlns='urn:example:x'/><store xmlns='urn:xmpp:hints'/>";
    check(&[
        ("XEP-0334 §3.1", NORMAL, &hinted(&["no-copy", "no-store"]), "----", "----"),
        ("XEP-0334 §4.1", CHAT, &hinted(&["no-permanent-store"]), "--C-", "-OCP"),
        ("XEP-0334 §4.2", CHAT, &hinted(&["no-store"]), "--C-", "--C-"),
        ("XEP-0334 §4.3", CHAT, &hinted(&["no-copy"]), "A---", "AO-P"),
        ("XEP-0334 §4.4", NORMAL, stored, "A---", "AO--"),
        ("XEP-0334 §4.4", HEADLINE, stored, "A---", "A---"),
        ("XEP-0334 §4.4", GROUPCHAT, stored, "----", "----"),
        ("XEP-0334 §4.4, error", ERROR, stored, "--E-", "--E-"),
        ("XEP-0334 §5, error", ERROR, &hinted(&["no-copy", "store"]), "--E-", "--E-"),
        ("both", CHAT, &hinted(&["store", "no-store"]), "--C-", "--C-"),
        ("both", CHAT, &hinted(&["store", "no-permanent-store"]), "--C-", "-OCP"),
    ]);
}

#[test]
#[rustfmt::skip]
fn private_messages_are_not_copied_xep0280_s9() {
    let private = "<body>Neither, fair saint</body><private xmlns='urn:xmpp:carbons:2'/>";
    let both = format!("{private}<no-copy xmlns='urn:xmpp:hints'/>");
    check(&[
        ("XEP-0280 §9", CHAT, &both, "A---", "AO-P"),
        ("XEP-0280 §6.1", CHAT, private, "A---", "AO-P"),
        ("XEP-0280 §6.1, error", ERROR, private, "----", "----"),
    ]);
}

#[test]
fn nothing_but_messages_is_treated() {
    let presence = Stanza::presence(rookery_stanza::PresenceType::Available);
    let iq = Stanza::iq(rookery_stanza::IqType::Get, "1");
    assert_eq!(Treatment::of(&presence, Side::Recipient), Treatment::NONE);
    assert_eq!(Treatment::of(&iq, Side::Sender), Treatment::NONE);
}

const PAYLOADS: &[&str] = &[
    "<body>x</body>",
    "<subject>x</subject>",
    "<thread>x</thread>",
    "<active xmlns='http://jabber.org/protocol/chatstates'/>",
    "<received xmlns='urn:xmpp:receipts' id='1'/>",
    "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>",
    "<propose xmlns='urn:xmpp:jingle-message:0' id='1'/>",
    "<encrypted xmlns='urn:xmpp:omemo:2'/>",
    "<retract xmlns='urn:xmpp:message-retract:1' id='1'/>",
    "<x xmlns='http://jabber.org/protocol/muc#user'/>",
    "<x xmlns='jabber:x:conference' jid='a@b'/>",
    "<x xmlns='urn:example:x'/>",
    "<store xmlns='urn:xmpp:hints'/>",
    "<no-copy xmlns='urn:xmpp:hints'/>",
    "<no-permanent-store xmlns='urn:xmpp:hints'/>",
    "<private xmlns='urn:xmpp:carbons:2'/>",
];

proptest! {
    #[test]
    fn order_of_payloads_does_not_matter_and_no_store_always_holds(
        chosen in prop::sample::subsequence(PAYLOADS, 0..=6),
        kind in prop::sample::select(&[CHAT, NORMAL, HEADLINE, GROUPCHAT, ERROR][..]),
    ) {
        let forward = message(kind, &chosen.concat());
        let backward = message(kind, &chosen.iter().rev().copied().collect::<String>());
        prop_assert_eq!(both(&forward), both(&backward));
        let (_, kept) = both(&forward);
        let hint = "<no-store xmlns='urn:xmpp:hints'/>";
        let hinted = both(&message(kind, &format!("{}{hint}", chosen.concat())));
        prop_assert!(!hinted.1.contains(['A', 'O', 'P', '!']), "{} of {kept}", hinted.1);
        prop_assert!(!hinted.0.contains(['A', 'O', 'P', '!']));
    }

    #[test]
    fn what_wakes_a_device_is_there_when_it_comes(
        chosen in prop::sample::subsequence(PAYLOADS, 0..=6),
        kind in prop::sample::select(&[CHAT, NORMAL, HEADLINE, GROUPCHAT, ERROR][..]),
    ) {
        let treatment = Treatment::of(&message(kind, &chosen.concat()), Side::Recipient);
        prop_assert!(treatment.push == Push::No || treatment.owed);
    }
}
