//! XEP-0424 §4: what stands in the place of a message that was taken back.

use rookery_stanza::payload::retraction::{Retract, Retracted};
use rookery_stanza::{Jid, Kind, MessageType, Stanza, ns};

/// What a message takes back: the `id` of an earlier one in the same conversation. `None` for one that takes nothing
/// back, for errors, and in rooms, where the room decides.
pub fn retracts(message: &Stanza) -> Option<Retract> {
    let in_conversation = matches!(
        message.kind,
        Kind::Message(MessageType::Normal | MessageType::Chat)
    );
    if !in_conversation || !message.has(Retract::NAME, ns::RETRACTION) {
        return None;
    }
    let element = message.child(Retract::NAME, ns::RETRACTION).ok()??;
    Retract::parse(&element).ok()
}

/// The tombstone for `original`, which `retraction` takes back at `received` (unix milliseconds): its tag, without
/// anything that was in it. `None` if it is another message, one of another sender, who may not (§5), or one that is
/// a tombstone already.
pub fn tombstone(original: &Stanza, retraction: &Stanza, received: i64) -> Option<Stanza> {
    let retract = retracts(retraction)?;
    let is_meant = original.id.as_deref() == Some(&*retract.id)
        && same_account(original.from.as_ref(), retraction.from.as_ref())
        && same_account(original.to.as_ref(), retraction.to.as_ref())
        && !original.has(Retracted::NAME, ns::RETRACTION);
    let (true, Kind::Message(kind)) = (is_meant, original.kind) else {
        return None;
    };
    let retracted = Retracted {
        // Clients find the retraction by it (§4); without one, there is nothing that they could find.
        id: retraction.id.as_deref()?.into(),
        by: None,
        stamp: Some(received),
    };
    let mut tombstone = Stanza::message(kind);
    tombstone.from.clone_from(&original.from);
    tombstone.to.clone_from(&original.to);
    tombstone.id.clone_from(&original.id);
    Some(tombstone.with_payload(retracted.to_element()))
}

/// Whether both are there and have the same bare JID.
fn same_account(one: Option<&Jid>, other: Option<&Jid>) -> bool {
    one.zip(other)
        .is_some_and(|(one, other)| one.bare_str() == other.bare_str())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const ORIGINAL: &str = "<message from='romeo@montague.example/orchard' to='lord@capulet.example' type='chat' \
        id='wrong-recipient-1' xml:lang='en'><body>Have not saints lips</body><store xmlns='urn:xmpp:hints'/></message>";

    fn stanza(xml: &str) -> Stanza {
        Stanza::parse_again(Bytes::from(xml.to_owned())).unwrap()
    }

    fn retraction(addresses: &str, id: &str) -> Stanza {
        stanza(&format!(
            "<message {addresses} id='retract-message-1'><retract id='{id}' xmlns='urn:xmpp:message-retract:1'/>\
             <body>/me retracted a previous message</body></message>"
        ))
    }

    const SAME: &str =
        "from='romeo@montague.example/phone' to='lord@capulet.example/hall' type='chat'";

    #[test]
    fn nothing_of_the_message_is_left_s4() {
        let retraction = retraction(SAME, "wrong-recipient-1");
        let tombstone = tombstone(&stanza(ORIGINAL), &retraction, 1_569_020_972_000).unwrap();
        let mut written = Vec::new();
        tombstone.write(&mut written);
        assert_eq!(
            String::from_utf8(written).unwrap(),
            "<message from='romeo@montague.example/orchard' to='lord@capulet.example' id='wrong-recipient-1' \
             type='chat'><retracted xmlns='urn:xmpp:message-retract:1' stamp='2019-09-20T23:09:32Z' \
             id='retract-message-1'/></message>"
        );
        assert!(
            super::tombstone(&tombstone, &retraction, 0).is_none(),
            "once is enough"
        );
    }

    #[test]
    fn only_the_sender_takes_back_and_only_what_he_names_s5() {
        let original = stanza(ORIGINAL);
        let with_id = "wrong-recipient-1";
        for (addresses, id) in [
            (SAME, "another"),
            (
                "from='lord@capulet.example' to='romeo@montague.example' type='chat'",
                with_id,
            ),
            (
                "from='tybalt@capulet.example' to='lord@capulet.example' type='chat'",
                with_id,
            ),
            (
                "from='romeo@montague.example' to='tybalt@capulet.example' type='chat'",
                with_id,
            ),
            ("from='romeo@montague.example' type='chat'", with_id),
            (
                "from='romeo@montague.example' to='lord@capulet.example' type='error'",
                with_id,
            ),
            (
                "from='romeo@montague.example' to='lord@capulet.example' type='groupchat'",
                with_id,
            ),
        ] {
            let found = tombstone(&original, &retraction(addresses, id), 0);
            assert!(found.is_none(), "{addresses} {id}");
        }
    }

    #[test]
    fn retraction_without_an_id_leaves_the_message_s4() {
        let mut retraction = retraction(SAME, "wrong-recipient-1");
        retraction.id = None;
        assert!(retracts(&retraction).is_some());
        assert!(tombstone(&stanza(ORIGINAL), &retraction, 0).is_none());
    }
}
