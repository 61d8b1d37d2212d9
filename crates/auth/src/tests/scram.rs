//! SCRAM by the examples of its standards, and against those who tamper with it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use rookery_storage::{ScramHash, ScramKeys};

use super::client::Client;
use super::{PASSWORD, SCRAM, context, credentials, tls};
use crate::password::{Salts, derive};
use crate::scram::hash::work;
use crate::scram::{Channel, ScramError, ServerFinal, ServerFirst};

const CLEAR: Channel<'static> = Channel {
    plus: false,
    plus_offered: false,
    tls: None,
};

/// The keys of `pencil` with the salt of an example.
fn example_keys(hash: ScramHash, salt: &str, iterations: u32) -> ScramKeys {
    let salt = STANDARD.decode(salt).unwrap();
    let salted = crate::scram::hash::hi(hash, PASSWORD.as_bytes(), &salt, iterations);
    let client_key = crate::scram::hash::hmac(hash, &salted, b"Client Key");
    ScramKeys {
        stored_key: crate::scram::hash::h(hash, &client_key),
        server_key: crate::scram::hash::hmac(hash, &salted, b"Server Key"),
        salt,
        iterations,
    }
}

fn challenge(hash: ScramHash, channel: &Channel<'_>, client: &Client) -> (ServerFinal, Vec<u8>) {
    let server = ServerFirst::new(hash, channel, client.first().as_bytes()).unwrap();
    server.answer(
        credentials().keys(hash).clone(),
        true,
        "3rfcNHYJY1ZVvWVs7j",
        None,
    )
}

/// An example: the hash, the client's first message, the server's nonce, salt, first message, the
/// client's final message, and the server's.
struct Example {
    hash: ScramHash,
    client_first: &'static str,
    nonce: &'static str,
    salt: &'static str,
    server_first: &'static str,
    client_final: &'static str,
    server_final: &'static str,
}

fn plays(example: &Example) {
    let server = ServerFirst::new(example.hash, &CLEAR, example.client_first.as_bytes()).unwrap();
    assert_eq!(server.username(), "user");
    let keys = example_keys(example.hash, example.salt, 4096);
    let (server, message) = server.answer(keys, true, example.nonce, None);
    assert_eq!(String::from_utf8(message).unwrap(), example.server_first);
    let message = server.finish(example.client_final.as_bytes()).unwrap();
    assert_eq!(String::from_utf8(message).unwrap(), example.server_final);
}

#[test]
fn the_example_of_rfc_5802_s5() {
    plays(&Example {
        hash: ScramHash::Sha1,
        client_first: "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
        nonce: "3rfcNHYJY1ZVvWVs7j",
        salt: "QSXCR+Q6sek8bf92",
        server_first: "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
        client_final: "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,\
                       p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        server_final: "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    });
}

#[test]
fn the_example_of_rfc_7677_s3() {
    plays(&Example {
        hash: ScramHash::Sha256,
        client_first: "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
        nonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
        salt: "W22ZaJ0SNY7soEsUEjb6gQ==",
        server_first: "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                       s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        client_final: "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                       p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        server_final: "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    });
}

/// The server's part in the full example of XEP-0474. What the client answers is bound to data there that
/// is not as long as that of a real session, and cannot be played.
#[test]
fn the_first_messages_of_the_example_of_xep_0474() {
    let (hash, facts) = (ScramHash::Sha1, tls());
    let channel = Channel {
        plus: true,
        plus_offered: true,
        tls: Some(&facts),
    };
    let first = "p=tls-exporter,,n=user,r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6";
    let server = ServerFirst::new(hash, &channel, first.as_bytes()).unwrap();
    let keys = example_keys(hash, "QSXCR+Q6sek8bf92", 4096);
    let downgrade_hash = "G6k/rBLDqgOhRRaCuuatSDFkJ08=";
    let nonce = "a09117a6-ac50-4f2f-93f1-93799c2bddf6";
    let (_, message) = server.answer(keys, true, nonce, Some(downgrade_hash));
    assert_eq!(
        String::from_utf8(message).unwrap(),
        "r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6a09117a6-ac50-4f2f-93f1-93799c2bddf6,\
         s=QSXCR+Q6sek8bf92,i=4096,h=G6k/rBLDqgOhRRaCuuatSDFkJ08="
    );
}

#[test]
fn a_client_of_its_own_and_the_server_prove_themselves_to_each_other() {
    let facts = tls();
    for (mechanism, hash) in SCRAM {
        let plus = mechanism.is_plus();
        let channel = Channel {
            plus,
            plus_offered: true,
            tls: Some(&facts),
        };
        for (kind, data) in [
            ("tls-exporter", vec![7; 32]),
            ("tls-server-end-point", vec![8; 32]),
        ] {
            let client = Client::new(hash, "juliet", PASSWORD);
            let client = if plus {
                client.bound(kind, &data)
            } else {
                client
            };
            let (server, message) = challenge(hash, &channel, &client);
            let proven = client.last(&message).unwrap();
            let verifier = server.finish(proven.message.as_bytes()).unwrap();
            assert!(proven.accepts(&verifier), "{mechanism}");
        }
    }
}

#[test]
fn prepared_forms_of_a_password_are_one() {
    let hash = ScramHash::Sha256;
    let salts = Salts {
        sha1: [1; 16],
        sha256: [2; 16],
        sha512: [3; 16],
    };
    let keys = derive("\u{2168}\u{A0}\u{AA}", 4096, &salts).unwrap().sha256;
    let client = Client::new(hash, "juliet", "IX a");
    let server = ServerFirst::new(hash, &CLEAR, client.first().as_bytes()).unwrap();
    let (server, message) = server.answer(keys, true, "n", None);
    server
        .finish(client.last(&message).unwrap().message.as_bytes())
        .unwrap();
}

#[test]
fn a_wrong_password_or_an_unknown_user_is_an_invalid_proof() {
    let hash = ScramHash::Sha256;
    let wrong = Client::new(hash, "juliet", "pencils");
    let (server, message) = challenge(hash, &CLEAR, &wrong);
    let proof = wrong.last(&message).unwrap().message;
    assert_eq!(server.finish(proof.as_bytes()), Err(ScramError::Proof));

    // Even one who knows the password that a decoy's keys happen to have.
    let right = Client::new(hash, "juliet", PASSWORD);
    let server = ServerFirst::new(hash, &CLEAR, right.first().as_bytes()).unwrap();
    let (server, message) = server.answer(credentials().sha256, false, "nonce", None);
    let proof = right.last(&message).unwrap().message;
    assert_eq!(server.finish(proof.as_bytes()), Err(ScramError::Proof));
}

#[test]
fn an_unknown_user_costs_as_many_hashes_as_a_known_one() {
    let hash = ScramHash::Sha256;
    let wrong = Client::new(hash, "juliet", "pencils");
    let cost = |known| {
        let server = ServerFirst::new(hash, &CLEAR, wrong.first().as_bytes()).unwrap();
        let (server, message) = server.answer(credentials().sha256, known, "nonce", None);
        let proof = wrong.last(&message).unwrap().message;
        let (cost, outcome) = work::of(|| server.finish(proof.as_bytes()));
        assert_eq!(outcome, Err(ScramError::Proof));
        cost
    };
    assert_eq!(cost(true), cost(false));
    assert_eq!(cost(true), 2, "the signature and the hash of the key");
}

#[test]
fn y_where_plus_was_offered_is_a_downgrade_by_rfc_5802_s6() {
    let facts = tls();
    let offered = Channel {
        plus: false,
        plus_offered: true,
        tls: Some(&facts),
    };
    let unseen = ServerFirst::new(ScramHash::Sha1, &offered, b"y,,n=juliet,r=abc");
    assert_eq!(unseen.unwrap_err(), ScramError::Downgrade);
    // A client without channel binding is none.
    ServerFirst::new(ScramHash::Sha1, &offered, b"n,,n=juliet,r=abc").unwrap();
    // Where plus was not offered, the client is right.
    ServerFirst::new(ScramHash::Sha1, &CLEAR, b"y,,n=juliet,r=abc").unwrap();
}

#[test]
fn the_flag_has_to_go_with_the_mechanism() {
    let facts = tls();
    let refusal = |plus, plus_offered, message: &str| {
        let channel = Channel {
            plus,
            plus_offered,
            tls: Some(&facts),
        };
        ServerFirst::new(ScramHash::Sha1, &channel, message.as_bytes()).unwrap_err()
    };
    assert_eq!(refusal(true, true, "n,,n=juliet,r=abc"), ScramError::Flag);
    assert_eq!(
        refusal(true, true, "y,,n=juliet,r=abc"),
        ScramError::Downgrade
    );
    assert_eq!(
        refusal(false, true, "p=tls-exporter,,n=juliet,r=abc"),
        ScramError::Flag
    );
}

#[test]
fn a_binding_that_the_connection_does_not_have_is_refused_by_rfc_5802_s6() {
    let facts = crate::TlsFacts {
        exporter: None,
        ..tls()
    };
    let channel = Channel {
        plus: true,
        plus_offered: true,
        tls: Some(&facts),
    };
    for name in ["tls-unique", "tls-exporter", "TLS-SERVER-END-POINT", "x"] {
        let message = format!("p={name},,n=juliet,r=abc");
        let refused = ServerFirst::new(ScramHash::Sha1, &channel, message.as_bytes());
        assert_eq!(
            refused.unwrap_err(),
            ScramError::UnsupportedBinding,
            "{name}"
        );
    }
}

#[test]
fn a_client_that_is_bound_to_another_channel_is_refused() {
    let (facts, hash) = (tls(), ScramHash::Sha256);
    let channel = Channel {
        plus: true,
        plus_offered: true,
        tls: Some(&facts),
    };
    let other = Client::new(hash, "juliet", PASSWORD).bound("tls-exporter", &[6; 32]);
    let (server, message) = challenge(hash, &channel, &other);
    let proof = other.last(&message).unwrap().message;
    assert_eq!(server.finish(proof.as_bytes()), Err(ScramError::Mismatch));
}

#[test]
fn a_header_changed_on_the_way_is_noticed() {
    let hash = ScramHash::Sha256;
    // The client has sent `y`; somebody has made an `n` of it, so that the server does not object.
    let client = Client {
        gs2: "y,,".to_owned(),
        ..Client::new(hash, "juliet", PASSWORD)
    };
    let changed = client.first().replacen('y', "n", 1);
    let server = ServerFirst::new(hash, &CLEAR, changed.as_bytes()).unwrap();
    let (server, message) = server.answer(credentials().sha256, true, "nonce", None);
    let proof = client.last(&message).unwrap().message;
    assert_eq!(server.finish(proof.as_bytes()), Err(ScramError::Mismatch));
}

#[test]
fn another_nonce_or_a_replayed_proof_is_refused() {
    let hash = ScramHash::Sha1;
    let client = Client::new(hash, "juliet", PASSWORD);
    let (server, message) = challenge(hash, &CLEAR, &client);
    let proof = client.last(&message).unwrap().message;
    server.finish(proof.as_bytes()).unwrap();

    // The same client nonce again: the server's part is another.
    let first = ServerFirst::new(hash, &CLEAR, client.first().as_bytes()).unwrap();
    let (server, _) = first.answer(credentials().sha1, true, "another", None);
    assert_eq!(server.finish(proof.as_bytes()), Err(ScramError::Nonce));

    // Only the client's part.
    let (server, _) = challenge(hash, &CLEAR, &client);
    let shortened = proof.replace("3rfcNHYJY1ZVvWVs7j", "");
    assert_eq!(server.finish(shortened.as_bytes()), Err(ScramError::Nonce));
}

#[test]
fn a_proof_of_another_length_is_refused() {
    let client = Client::new(ScramHash::Sha256, "juliet", PASSWORD);
    for proof in ["AAAA", &STANDARD.encode([0; 64])] {
        let (server, _) = challenge(ScramHash::Sha256, &CLEAR, &client);
        let nonce = "fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j";
        let message = format!("c=biws,r={nonce},p={proof}");
        assert_eq!(server.finish(message.as_bytes()), Err(ScramError::Proof));
    }
}

#[test]
fn lists_shortened_on_the_way_are_noticed_by_the_client_by_xep_0474() {
    let hash = ScramHash::Sha256;
    let context = context(Some(tls()));
    let whole = "ANONYMOUS\u{1E}PLAIN\u{1E}SCRAM-SHA-1\u{1E}SCRAM-SHA-1-PLUS\u{1E}SCRAM-SHA-256\
                 \u{1E}SCRAM-SHA-256-PLUS\u{1E}SCRAM-SHA-512\u{1E}SCRAM-SHA-512-PLUS\
                 \u{1F}tls-exporter\u{1E}tls-server-end-point";
    let listed = |text: &str| Client {
        listed: Some(text.to_owned()),
        ..Client::new(hash, "juliet", PASSWORD)
    };
    let answer = |client: &Client, downgrade_hash: &str| {
        let server = ServerFirst::new(hash, &CLEAR, client.first().as_bytes()).unwrap();
        server.answer(credentials().sha256, true, "nonce", Some(downgrade_hash))
    };
    let told = context.offer.downgrade_hash(hash);

    let client = listed(whole);
    let (server, message) = answer(&client, &told);
    server
        .finish(client.last(&message).unwrap().message.as_bytes())
        .unwrap();

    let shortened = listed(&whole.replace("tls-exporter\u{1E}", ""));
    let (_, message) = answer(&shortened, &told);
    assert!(shortened.last(&message).is_none(), "the client notices");

    // Somebody changes the hash too, so that it fits what the client has seen: the proof is over it.
    let forged = STANDARD.encode(crate::scram::hash::h(
        hash,
        shortened.listed.as_ref().unwrap().as_bytes(),
    ));
    let (server, message) = answer(&shortened, &told);
    let message = String::from_utf8(message).unwrap().replace(&told, &forged);
    let proof = shortened.last(message.as_bytes()).unwrap().message;
    assert_eq!(server.finish(proof.as_bytes()), Err(ScramError::Proof));
}

proptest! {
    #[test]
    fn any_change_to_the_final_message_is_refused(position in 0usize..200, byte: u8) {
        let client = Client::new(ScramHash::Sha1, "juliet", PASSWORD);
        let server = ServerFirst::new(ScramHash::Sha1, &CLEAR, client.first().as_bytes()).unwrap();
        let keys = ScramKeys { iterations: 1, ..example_keys(ScramHash::Sha1, "QSXCR+Q6sek8bf92", 1) };
        let (server, message) = server.answer(keys, true, "nonce", None);
        let right = client.last(&message).unwrap().message.into_bytes();
        let mut changed = right.clone();
        let position = position % changed.len();
        changed[position] = byte;
        prop_assert_eq!(server.finish(&changed).is_ok(), changed == right);
    }
}
