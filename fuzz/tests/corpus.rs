//! The corpora hold: what was thought of, what was found, and every beginning of it.
#![cfg(test)]

use std::path::PathBuf;
use std::{fs, panic};

use rookery_fuzz::{
    configuration, data_form, jid, negotiation, proxy_header, records, sasl, scanner, stanza,
    stream_management,
};
use rookery_stanza::BareJid;

/// Most beginnings of one seed that are tried: a connection may break anywhere, but a test shall end.
const BEGINNINGS: usize = 64;

fn folder(target: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "corpus", target]
        .iter()
        .collect()
}

/// Tries the corpus of a target.
fn holds(target: &str, check: fn(&[u8])) {
    let mut seeds: Vec<_> = fs::read_dir(folder(target))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    seeds.sort();
    assert!(!seeds.is_empty(), "{target} has no seeds");
    for seed in seeds {
        let bytes = fs::read(&seed).unwrap();
        let beginnings = (0..bytes.len()).step_by(bytes.len() / BEGINNINGS + 1);
        for end in beginnings.chain([bytes.len()]) {
            let tried = panic::catch_unwind(|| check(&bytes[..end]));
            assert!(tried.is_ok(), "the first {end} bytes of {}", seed.display());
        }
    }
}

#[test]
fn scanner_finds_the_same_frames_however_bytes_are_cut() {
    holds("scanner", scanner::check);
}

#[test]
fn stanzas_that_are_accepted_say_the_same_when_written() {
    holds("stanza", stanza::check);
}

#[test]
fn addresses_that_are_accepted_read_back_as_themselves() {
    holds("jid", jid::check);
}

#[test]
fn nobody_logs_in_without_a_proof() {
    holds("sasl", sasl::check);
}

/// What never succeeds shows nothing.
#[test]
fn whoever_has_a_proof_logs_in() {
    for seed in [
        "scram_sha_1_clear",
        "scram_sha_256_plus",
        "end_point",
        "authzid",
        "plain_prepared",
        "external",
    ] {
        let bytes = fs::read(folder("sasl").join(seed)).unwrap();
        let account = sasl::login(&bytes);
        assert_eq!(
            account.as_ref().map(BareJid::as_str),
            Some("juliet@h.example"),
            "{seed}"
        );
    }
}

#[test]
fn streams_that_are_resumed_have_every_stanza_once_and_in_order() {
    holds("stream_management", stream_management::check);
}

#[test]
fn streams_never_do_anything_out_of_order() {
    holds("negotiation", negotiation::check);
}

#[test]
fn configurations_read_back_or_say_where_they_are_wrong() {
    holds("configuration", configuration::check);
}

#[test]
fn records_read_back_or_are_corrupt() {
    holds("records", records::check);
}

#[test]
fn data_forms_that_are_accepted_say_the_same_when_written() {
    holds("data_form", data_form::check);
}

#[test]
fn proxy_headers_say_the_same_however_they_are_cut() {
    holds("proxy_header", proxy_header::check);
}
