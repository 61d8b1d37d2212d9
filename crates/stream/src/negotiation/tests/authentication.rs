//! SASL negotiation (RFC 6120 §6.4, §6.5).

use super::*;
use crate::SaslCondition;

fn sasl(name: &str, inside: &str) -> String {
    format!("<{name} xmlns='{}'>{inside}</{name}>", ns::SASL)
}

fn failure(condition: &str) -> String {
    format!("<failure xmlns='{}'><{condition}/></failure>", ns::SASL)
}

fn auth(mechanism: &str, inside: &str) -> String {
    format!(
        "<auth xmlns='{}' mechanism='{mechanism}'>{inside}</auth>",
        ns::SASL
    )
}

fn challenge(data: &str) -> Input {
    Input::Sasl(SaslReply::Challenge(data.into()))
}

fn refusal(condition: SaslCondition, fatal: bool) -> Input {
    Input::Sasl(SaslReply::Failure {
        condition,
        text: None,
        fatal,
    })
}

#[test]
fn challenges_and_responses_alternate_until_success_s6_4() {
    let mut play = Play::greeted();
    assert_eq!(play.hears(AUTH), "[start SCRAM-SHA-1 Some(\"n,,\")]");
    assert_eq!(play.told(challenge("r=1")), sasl("challenge", "cj0x"));
    assert_eq!(
        play.hears(&sasl("response", "Yz1iaXdz")),
        "[response \"c=biws\"]"
    );
    let data = Some(b"v=1".to_vec());
    let jid = BareJid::parse(ACCOUNT).unwrap();
    assert_eq!(
        play.told(Input::Sasl(SaslReply::Success {
            data,
            jid,
            grants: Grants::default()
        })),
        sasl("success", "dj0x") + "[authenticated juliet@im.example.com]"
    );
    assert_eq!(play.stream.account().map(BareJid::as_str), Some(ACCOUNT));
}

#[test]
fn an_initial_response_is_absent_or_empty_or_there_s6_4_2() {
    assert_eq!(
        Play::greeted().hears(&auth("PLAIN", "")),
        "[start PLAIN None]"
    );
    assert_eq!(
        Play::greeted().hears(&auth("PLAIN", "=")),
        "[start PLAIN Some(\"\")]"
    );
    assert_eq!(
        Play::greeted().hears(&auth("PLAIN", "AGE=")),
        "[start PLAIN Some(\"\\0a\")]"
    );
}

#[test]
fn an_empty_response_is_a_response_s6_4_3() {
    for empty in ["", "="] {
        let mut play = Play::greeted();
        play.hears(AUTH);
        assert_eq!(
            play.told(challenge("")),
            format!("<challenge xmlns='{}'/>", ns::SASL)
        );
        assert_eq!(play.hears(&sasl("response", empty)), "[response \"\"]");
    }
}

#[test]
fn another_auth_replaces_the_exchange_under_way_s6_4_2() {
    let mut play = Play::greeted();
    play.hears(AUTH);
    play.told(challenge("r=1"));
    assert_eq!(play.hears(&auth("PLAIN", "=")), "[start PLAIN Some(\"\")]");
}

#[test]
fn abort_is_answered_by_aborted_s6_4_4() {
    let mut play = Play::greeted();
    play.hears(AUTH);
    play.told(challenge("r=1"));
    let abort = format!("<abort xmlns='{}'/>", ns::SASL);
    assert_eq!(play.hears(&abort), format!("[abort]{}", failure("aborted")));
    assert_eq!(
        play.hears(&abort),
        failure("aborted"),
        "even where there is nothing to abort"
    );
    assert_eq!(play.hears(AUTH), "[start SCRAM-SHA-1 Some(\"n,,\")]");
}

#[test]
fn bad_base64_is_incorrect_encoding_s6_5_5() {
    let mut play = Play::greeted();
    assert_eq!(
        play.hears(&auth("PLAIN", "?")),
        failure("incorrect-encoding")
    );
    play.hears(AUTH);
    play.told(challenge("r=1"));
    let said = play.hears(&sasl("response", "=AAA"));
    assert_eq!(said, format!("[abort]{}", failure("incorrect-encoding")));
}

#[test]
fn a_mechanism_that_is_missing_or_not_offered_is_invalid_s6_5_7() {
    for mechanism in ["CRAM-MD5", "plain", ""] {
        assert_eq!(
            Play::greeted().hears(&auth(mechanism, "?")),
            failure("invalid-mechanism")
        );
    }
    let missing = format!("<auth xmlns='{}'/>", ns::SASL);
    assert_eq!(
        Play::greeted().hears(&missing),
        failure("invalid-mechanism")
    );
}

#[test]
fn plain_without_tls_needs_encryption_s6_5_4() {
    let mut play = Play::clear();
    play.hears(HELLO);
    assert_eq!(
        play.hears(&auth("PLAIN", "=")),
        failure("encryption-required")
    );
    assert_eq!(play.hears(AUTH), "[start SCRAM-SHA-1 Some(\"n,,\")]");
}

#[test]
fn a_response_to_no_challenge_and_elements_inside_are_malformed_s6_5_8() {
    let mut play = Play::greeted();
    assert_eq!(
        play.hears(&sasl("response", "cj0x")),
        failure("malformed-request")
    );
    assert_eq!(
        play.hears(&auth("PLAIN", "<x/>")),
        failure("malformed-request")
    );
}

#[test]
fn sasl_elements_that_only_servers_send_are_unsupported_s4_9_3_24() {
    for name in ["success", "challenge", "failure", "x"] {
        assert_error(
            &Play::greeted().hears(&sasl(name, "")),
            "unsupported-stanza-type",
        );
    }
}

#[test]
fn a_client_may_try_again_until_the_retries_are_used_up_s6_4_5() {
    let mut play = Play::greeted();
    for _ in 0..4 {
        assert_eq!(play.hears(AUTH), "[start SCRAM-SHA-1 Some(\"n,,\")]");
        let said = play.told(refusal(SaslCondition::NotAuthorized, false));
        assert_eq!(said, failure("not-authorized"));
    }
    assert_error(&play.hears(AUTH), "policy-violation");
}

#[test]
fn every_auth_is_an_attempt_whatever_becomes_of_it_s6_4_5() {
    let mut play = Play::greeted();
    play.hears(&auth("CRAM-MD5", ""));
    play.hears(&auth("PLAIN", "?"));
    play.hears(AUTH);
    play.told(challenge("r=1"));
    play.hears(AUTH);
    play.told(challenge("r=1"));
    assert_error(&play.hears(AUTH), "policy-violation");
}

#[test]
fn a_fatal_failure_ends_the_stream_at_once() {
    let mut play = Play::greeted();
    play.hears(AUTH);
    let said = play.told(refusal(SaslCondition::TemporaryAuthFailure, true));
    assert_eq!(
        said,
        failure("temporary-auth-failure") + &error("policy-violation")
    );
}

#[test]
fn the_claim_of_a_protected_header_has_to_hold_s6_4_6() {
    let hello = HELLO.replace(" to=", " from='romeo@im.example.com' to=");
    let mut play = Play::secure();
    play.hears(&hello);
    play.hears(AUTH);
    assert_eq!(play.told(success()), error("invalid-from"));

    let mut play = Play::clear();
    play.hears(&hello);
    play.hears(AUTH);
    assert!(
        play.told(success()).contains("[authenticated"),
        "anybody could have written it"
    );

    let mut play = Play::secure();
    play.hears(&HELLO.replace(" to=", " from='im.example.com' to="));
    play.hears(AUTH);
    assert!(
        play.told(success()).contains("[authenticated"),
        "a domain claims no account"
    );
}

#[test]
fn nothing_is_read_while_the_authenticator_works() {
    let mut play = Play::greeted();
    assert_eq!(
        play.hears(&format!("{AUTH}{AUTH}")),
        "[start SCRAM-SHA-1 Some(\"n,,\")]"
    );
    assert!(!play.stream.wants_input());
    let said = play.told(refusal(SaslCondition::NotAuthorized, false));
    assert_eq!(
        said,
        failure("not-authorized") + "[start SCRAM-SHA-1 Some(\"n,,\")]"
    );
}

#[test]
fn after_success_the_stream_waits_until_its_connection_has_moved() {
    let mut play = Play::greeted();
    assert_eq!(
        play.hears(&format!("{AUTH}{HELLO}")),
        "[start SCRAM-SHA-1 Some(\"n,,\")]"
    );
    let said = play.told(success());
    assert!(
        said.ends_with("[authenticated juliet@im.example.com]"),
        "{said}"
    );
    assert!(!play.stream.wants_input());
    assert!(play.hears("").starts_with(&header(2, " version='1.0'")));
}

#[test]
fn an_authenticated_client_does_not_authenticate_again_s4_9_3_12() {
    assert_error(&Play::authenticated().hears(AUTH), "not-authorized");
    assert_error(&Play::bound().hears(AUTH), "unsupported-stanza-type");
}

#[test]
fn a_late_reply_changes_nothing() {
    let mut play = Play::greeted();
    assert_eq!(play.told(success()), "", "nobody asked");
    play.hears(AUTH);
    play.told(Input::Close);
    assert_eq!(play.told(success()), "");
    assert_eq!(play.stream.account(), None);
}

#[test]
fn a_negotiation_can_move_between_threads() {
    fn is_send<T: Send>() {}
    is_send::<Negotiation>();
    is_send::<Effect>();
    is_send::<Input>();
}
