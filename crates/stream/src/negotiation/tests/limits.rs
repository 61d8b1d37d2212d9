//! What one client may make the server hold (RFC 6120 §13.12).

use super::*;

fn message(bytes: usize) -> String {
    let around = "<message><body></body></message>".len();
    format!(
        "<message><body>{}</body></message>",
        "x".repeat(bytes - around)
    )
}

#[test]
fn a_stanza_of_the_announced_size_is_accepted_and_a_larger_one_is_not_s13_12() {
    let config = Config {
        max_stanza_bytes: 20_000,
        ..Config::default()
    };
    assert!(
        Play::bound_with(config.clone())
            .hears(&message(20_000))
            .starts_with("[stanza ")
    );
    let mut play = Play::bound_with(config);
    let said = play.hears(&message(20_001));
    assert_error(&said, "policy-violation");
    assert!(
        said.contains("<stanza-too-big xmlns='urn:xmpp:errors'/>"),
        "{said}"
    );
}

#[test]
fn before_authentication_less_is_accepted_s13_12() {
    let mut play = Play::greeted();
    let said = play.hears(&format!("<auth>{}</auth>", "x".repeat(10_000)));
    assert_error(&said, "policy-violation");
}

#[test]
fn all_that_comes_before_authentication_is_bounded_s13_12() {
    let mut play = Play::greeted();
    let abort = format!("<abort xmlns='{}'/>", ns::SASL);
    let some = abort.repeat(100);
    let mut said = String::new();
    for _ in 0..20 {
        said = play.hears(&some);
        if play.stream.is_ending() {
            break;
        }
    }
    assert_error(&said, "policy-violation");

    let mut play = Play::greeted();
    play.hears(&AUTH.repeat(5));
    let spaces = " ".repeat(30_000);
    play.hears(&spaces);
    assert!(!play.stream.is_ending());
    assert_error(
        &(play.hears(&spaces) + &play.hears(&spaces)),
        "policy-violation",
    );
}

#[test]
fn what_arrives_while_nothing_is_read_is_bounded() {
    let mut play = Play::authenticated();
    play.hears(BIND);
    let some = "<presence/>".repeat(10_000);
    let mut said = String::new();
    for _ in 0..10 {
        said = play.hears(&some);
        if play.stream.is_ending() {
            break;
        }
    }
    assert_error(&said, "policy-violation");
}

#[test]
fn depth_and_attributes_are_bounded() {
    let deep = format!(
        "<message>{}{}</message>",
        "<x>".repeat(100),
        "</x>".repeat(100)
    );
    assert_error(&Play::bound().hears(&deep), "policy-violation");
    let attributes = (0..100).fold(String::new(), |all, n| all + " a" + &n.to_string() + "=''");
    assert_error(
        &Play::bound().hears(&format!("<message{attributes}/>")),
        "policy-violation",
    );
}

#[test]
fn the_limit_that_was_exceeded_is_named_to_the_owner_of_the_connection_s4_9_3_14() {
    use crate::Limit;
    let named = |mut play: Play, input: &str| {
        let mut effects = Vec::new();
        play.stream
            .receive(input.as_bytes(), play.now, &mut effects);
        effects.into_iter().find_map(|effect| match effect {
            Effect::Closing(Ending::Exceeded(limit, _)) => Some(limit),
            _ => None,
        })
    };
    let too_many = Config {
        sasl_retries: 0,
        max_bytes_before_auth: 20_000,
        ..Config::default()
    };
    let greeted = || {
        let mut play = Play::secure_with(too_many.clone());
        play.hears(HELLO);
        play
    };
    let mut refused = greeted();
    refused.hears(&AUTH.replace("SCRAM-SHA-1", "CRAM-MD5"));
    let deep = "<x>".repeat(100);
    assert_eq!(named(refused, AUTH), Some(Limit::SaslRetries));
    assert_eq!(
        named(greeted(), &" ".repeat(30_000)),
        Some(Limit::BytesBeforeAuth)
    );
    assert_eq!(named(Play::bound(), &deep), Some(Limit::Depth));
    assert_eq!(named(Play::bound(), "<x"), None);
    assert_eq!(named(Play::bound(), "<!-- -->"), None);
}
