//! Exchanges of each mechanism from their first message to their outcome.

use proptest::prelude::*;
use rookery_stream::SaslCondition;

use super::client::Client;
use super::{PASSWORD, SCRAM, answer, begin, certified, context, credentials, tls};
use crate::exchange::{Context, Entropy, Exchange, Failure, Found, Outcome, Success};
use crate::mechanism::Mechanism;
use crate::offer::ChannelBinding;
use crate::scram::hash::work;

fn success(outcome: Outcome) -> Success {
    match outcome {
        Outcome::Success(success) => success,
        other => panic!("{other:?}"),
    }
}

fn challenge(outcome: Outcome) -> Vec<u8> {
    match outcome {
        Outcome::Challenge(challenge) => challenge,
        other => panic!("{other:?}"),
    }
}

fn condition(outcome: Outcome) -> SaslCondition {
    match outcome {
        Outcome::Failure(Failure { condition, .. }) => condition,
        other => panic!("{other:?}"),
    }
}

fn plain(context: &Context, message: &str) -> Outcome {
    begin(Mechanism::Plain, context, message.as_bytes()).1
}

#[test]
fn each_scram_mechanism_ends_in_success_with_data() {
    let context = context(Some(tls()));
    for (mechanism, hash) in SCRAM {
        let client = Client::new(hash, "JULIET", PASSWORD);
        let client = if mechanism.is_plus() {
            client.bound("tls-exporter", &[7; 32])
        } else {
            client
        };
        let (mut exchange, outcome) = begin(mechanism, &context, client.first().as_bytes());
        let message = challenge(outcome);
        let text = String::from_utf8(message.clone()).unwrap();
        assert!(text.contains(",h="), "{text}: XEP-0474");
        let proven = client.last(&message).unwrap();
        let success = success(exchange.receive(&context, proven.message.as_bytes()));
        assert_eq!(
            success.account.as_str(),
            "juliet@localhost",
            "the prepared name"
        );
        assert_eq!(success.mechanism, mechanism);
        let binding = mechanism.is_plus().then_some(ChannelBinding::TlsExporter);
        assert_eq!(success.channel_binding, binding);
        assert!(proven.accepts(&success.data.unwrap()));
    }
}

#[test]
fn without_an_initial_response_an_empty_challenge_comes_first_by_rfc_4422_s3() {
    let context = context(Some(certified(&["juliet@localhost"])));
    for mechanism in [
        Mechanism::ScramSha256,
        Mechanism::Plain,
        Mechanism::External,
    ] {
        let mut exchange = Exchange::new(mechanism, Entropy([9; 24]));
        assert_eq!(challenge(exchange.invite(&context)), b"");
        let message = match mechanism {
            Mechanism::Plain => "\0juliet\0pencil",
            Mechanism::External => "",
            _ => continue,
        };
        let outcome = exchange.receive(&context, message.as_bytes());
        let outcome = answer(&mut exchange, &context, outcome);
        assert_eq!(success(outcome).account.as_str(), "juliet@localhost");
    }
}

#[test]
fn plain_takes_the_right_password_and_no_other() {
    let context = context(Some(tls()));
    assert_eq!(success(plain(&context, "\0juliet\0pencil")).data, None);
    assert_eq!(
        success(plain(&context, "\0juliet\0pen\u{AD}cil"))
            .account
            .local(),
        Some("juliet")
    );
    for refused in [
        "\0juliet\0pencils",
        "\0juliet\0Pencil",
        "\0romeo\0pencil",
        "\0a b\0pencil",
        "\0juliet@localhost\0pencil",
        "\0juliet\0\u{AD}",
        "\0juliet\0pencil\u{7}",
    ] {
        let outcome = plain(&context, refused);
        assert_eq!(
            condition(outcome),
            SaslCondition::NotAuthorized,
            "{refused:?}"
        );
    }
    let long = format!("\0juliet\0{}", "x".repeat(4000));
    assert_eq!(
        condition(plain(&context, &long)),
        SaslCondition::NotAuthorized
    );
}

#[test]
fn one_may_act_as_oneself_only_by_rfc_6120_s6_3_8() {
    let context = context(Some(tls()));
    success(plain(&context, "juliet@localhost\0juliet\0pencil"));
    for authzid in [
        "romeo@localhost",
        "juliet@localhost/balcony",
        "juliet",
        "juliet@example.com",
    ] {
        let outcome = plain(&context, &format!("{authzid}\0juliet\0pencil"));
        assert_eq!(
            condition(outcome),
            SaslCondition::InvalidAuthzid,
            "{authzid}"
        );
        let first = format!("n,a={authzid},n=juliet,r=abc");
        let (_, outcome) = begin(Mechanism::ScramSha1, &context, first.as_bytes());
        assert_eq!(
            condition(outcome),
            SaslCondition::InvalidAuthzid,
            "{authzid}"
        );
    }
    let first = b"n,a=juliet@localhost,n=juliet,r=abc";
    challenge(begin(Mechanism::ScramSha1, &context, first).1);
}

#[test]
fn external_needs_an_account_beside_the_certificate_by_xep_0178() {
    let context = context(Some(certified(&["juliet@localhost", "nobody@localhost"])));
    let external = |message: &[u8]| begin(Mechanism::External, &context, message).1;
    assert_eq!(
        success(external(b"juliet@localhost")).account.as_str(),
        "juliet@localhost"
    );
    assert_eq!(
        condition(external(b"nobody@localhost")),
        SaslCondition::NotAuthorized
    );
    assert_eq!(condition(external(b"")), SaslCondition::InvalidAuthzid);
    assert_eq!(
        condition(external(b"romeo@localhost")),
        SaslCondition::InvalidAuthzid
    );
}

#[test]
fn anonymous_makes_up_an_account_at_once_by_xep_0175() {
    let context = context(None);
    let mut exchange = Exchange::new(Mechanism::Anonymous, Entropy([0xAB; 24]));
    let account = success(exchange.invite(&context)).account;
    assert_eq!(
        account.as_str(),
        "abababab-abab-4bab-abab-abababababab@localhost"
    );
    let (_, outcome) = begin(Mechanism::Anonymous, &context, b"sirhc");
    assert_ne!(success(outcome).account, account);
    // The example of RFC 6120 §6.5.8.
    let (_, outcome) = begin(Mechanism::Anonymous, &context, "x".repeat(256).as_bytes());
    assert_eq!(condition(outcome), SaslCondition::MalformedRequest);
}

#[test]
fn an_exchange_that_is_over_or_waits_takes_no_message() {
    let context = context(Some(tls()));
    let (mut exchange, outcome) = begin(Mechanism::Plain, &context, b"\0juliet\0pencil");
    success(outcome);
    let malformed = SaslCondition::MalformedRequest;
    assert_eq!(
        condition(exchange.receive(&context, b"\0juliet\0pencil")),
        malformed
    );
    assert_eq!(
        condition(exchange.verified(true)),
        malformed,
        "nothing was asked"
    );

    let mut exchange = Exchange::new(Mechanism::ScramSha1, Entropy([9; 24]));
    assert!(matches!(
        exchange.receive(&context, b"n,,n=juliet,r=abc"),
        Outcome::Find(_)
    ));
    assert_eq!(
        condition(exchange.receive(&context, b"n,,n=juliet,r=abc")),
        malformed
    );
    let found = Found {
        keys: credentials().sha1,
        known: true,
    };
    assert_eq!(condition(exchange.found(&context, found)), malformed);
}

#[test]
fn a_final_message_cannot_come_first() {
    let context = context(None);
    let (_, outcome) = begin(Mechanism::ScramSha1, &context, b"c=biws,r=abc,p=AAAA");
    assert_eq!(condition(outcome), SaslCondition::MalformedRequest);
}

#[test]
fn an_unknown_user_takes_the_same_way_and_work_as_a_known_one_by_rfc_6120_s6_5_10() {
    let context = context(Some(tls()));
    let cost = |name: &str| work::of(|| plain(&context, &format!("\0{name}\0wrong")));
    let (known, outcome) = cost("juliet");
    assert_eq!(condition(outcome), SaslCondition::NotAuthorized);
    for name in ["romeo", "a b", "\u{7}"] {
        let (unknown, outcome) = cost(name);
        assert_eq!(condition(outcome), SaslCondition::NotAuthorized, "{name:?}");
        assert_eq!(unknown, known, "{name:?}");
    }
    let way = |name: &str| {
        let client = Client::new(rookery_storage::ScramHash::Sha1, name, "wrong");
        let (mut exchange, outcome) =
            begin(Mechanism::ScramSha1, &context, client.first().as_bytes());
        let message = client.last(&challenge(outcome)).unwrap().message;
        work::of(|| condition(exchange.receive(&context, message.as_bytes())))
    };
    assert_eq!(way("juliet"), way("romeo"));
    assert_eq!(way("juliet"), way("a b"));
}

#[test]
fn nothing_that_is_logged_holds_a_secret() {
    let context = context(Some(tls()));
    let mut exchange = Exchange::new(Mechanism::Plain, Entropy([9; 24]));
    let outcome = exchange.receive(&context, b"\0juliet\0pencil");
    assert!(!format!("{exchange:?} {outcome:?}").contains("pencil"));
    let request = crate::Request::Response(b"\0juliet\0pencil".to_vec());
    assert_eq!(format!("{request:?}"), "Response");
}

proptest! {
    #[test]
    fn no_messages_break_an_exchange(
        mechanism in prop::sample::select(Mechanism::ALL.to_vec()),
        messages in prop::collection::vec("[nyp,=racm0-9@\0\u{e4}]{0,40}", 1..4),
    ) {
        let context = context(Some(certified(&["juliet@localhost"])));
        let mut exchange = Exchange::new(mechanism, Entropy([9; 24]));
        for message in messages {
            let outcome = exchange.receive(&context, message.as_bytes());
            if let Outcome::Find(wanted) = outcome {
                let keys = credentials_once().keys(wanted.hash).clone();
                drop(exchange.found(&context, Found { keys, known: true }));
            }
        }
    }
}

/// Keys that cost nothing to make.
fn credentials_once() -> rookery_storage::Credentials {
    let salts = crate::Salts {
        sha1: [1; 16],
        sha256: [2; 16],
        sha512: [3; 16],
    };
    crate::derive(PASSWORD, 1, &salts).unwrap()
}
