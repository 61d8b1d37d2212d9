//! Answers.

use super::*;
use crate::{Condition, StanzaError};

fn error_reply(xml: &str) -> Option<String> {
    let error = StanzaError::new(Condition::ServiceUnavailable);
    stanza(xml).error_reply(&error).as_ref().map(written)
}

#[test]
fn error_swaps_addresses_and_keeps_kind_and_id_by_rfc_6120_s8_3() {
    let error = "<error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
    for (kind, rest) in [("message", ""), ("presence", ""), ("iq", " type='get'")] {
        let xml = format!("<{kind} from='a@b/c' to='d@e' id='1'{rest}><x xmlns='urn:x'/></{kind}>");
        let expected =
            format!("<{kind} from='d@e' to='a@b/c' id='1' type='error'>{error}</{kind}>");
        assert_eq!(error_reply(&xml), Some(expected));
    }
}

#[test]
fn errors_and_results_are_never_answered_with_an_error_by_rfc_6120_s8_3_1() {
    for xml in [
        "<message type='error'/>",
        "<presence type='error'/>",
        "<iq id='1' type='error'/>",
        "<iq id='1' type='result'/>",
    ] {
        assert_eq!(error_reply(xml), None, "{xml}");
    }
}

#[test]
fn result_swaps_addresses_and_keeps_the_id_by_rfc_6120_s8_2_3() {
    let request = stanza(
        "<iq from='a@b/c' to='b' id='1' type='get' xml:lang='en'><ping xmlns='urn:xmpp:ping'/></iq>",
    );
    assert_eq!(
        written(&request.result_reply(None)),
        "<iq from='b' to='a@b/c' id='1' type='result'/>"
    );
    let query = Element::new("query", ns::VERSION);
    assert_eq!(
        written(&request.result_reply(Some(query))),
        "<iq from='b' to='a@b/c' id='1' type='result'><query xmlns='jabber:iq:version'/></iq>"
    );
}
