//! The corpora hold: what was thought of, what was found, and every beginning of it.

use std::path::Path;
use std::{fs, panic};

use rookery_fuzz::{configuration, data_form, jid, negotiation, records, sasl, scanner, stanza};

/// Most beginnings of one seed that are tried: a connection may break anywhere, but a test shall end.
const BEGINNINGS: usize = 64;

/// Tries the corpus of a target.
fn holds(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target);
    let mut seeds: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    seeds.sort();
    assert!(!seeds.is_empty(), "{folder:?} is empty");
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
