//! Whole exchanges: by the examples of the RFCs, by a client of their own, and by those who mean harm.

mod accounts;
mod authenticator;
mod client;
mod exchange;
mod sasl2;
mod scram;

use rookery_stanza::BareJid;
use rookery_storage::{Credentials, ScramHash};

use crate::config::HostConfig;
use crate::exchange::{Context, Entropy, Exchange, Found, Outcome};
use crate::mechanism::Mechanism;
use crate::offer::{Offer, TlsFacts};
use crate::password::{Salts, derive};

/// Few iterations, so that tests are quick; the examples of the standards have their own.
pub(super) const ITERATIONS: u32 = 64;

/// The password of everybody.
pub(super) const PASSWORD: &str = "pencil";

pub(super) fn tls() -> TlsFacts {
    TlsFacts {
        exporter: Some([7; 32]),
        server_end_point: Some(vec![8; 32]),
        identities: Vec::new(),
    }
}

pub(super) fn certified(identities: &[&str]) -> TlsFacts {
    let identities = identities
        .iter()
        .map(|jid| BareJid::parse(jid).unwrap())
        .collect();
    TlsFacts {
        identities,
        ..tls()
    }
}

pub(super) fn context(tls: Option<TlsFacts>) -> Context {
    let policy = HostConfig {
        plain: true,
        anonymous: true,
        fast: true,
    };
    let protection = tls.as_ref().map(TlsFacts::protection);
    let offer = Offer::new("localhost", &policy, protection.as_ref());
    Context {
        host: "localhost".to_owned(),
        offer,
        tls,
    }
}

pub(super) fn credentials() -> Credentials {
    let salts = Salts {
        sha1: [1; 16],
        sha256: [2; 16],
        sha512: [3; 16],
    };
    derive(PASSWORD, ITERATIONS, &salts).unwrap()
}

/// Makes the first step, with the account `juliet` and no other in the store; passwords are compared on
/// the spot.
pub(super) fn begin(
    mechanism: Mechanism,
    context: &Context,
    initial: &[u8],
) -> (Exchange, Outcome) {
    let mut exchange = Exchange::new(mechanism, Entropy([9; 24]));
    let outcome = exchange.receive(context, initial);
    let outcome = answer(&mut exchange, context, outcome);
    (exchange, outcome)
}

/// Answers what an exchange asks for.
fn answer(exchange: &mut Exchange, context: &Context, outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Find(wanted) => {
            let known = wanted
                .claim
                .account()
                .is_some_and(|one| one.local() == Some("juliet"));
            let keys = credentials().keys(wanted.hash).clone();
            let outcome = exchange.found(context, Found { keys, known });
            answer(exchange, context, outcome)
        }
        Outcome::Verify(check) => exchange.verified(check.run()),
        outcome => outcome,
    }
}

pub(super) const SCRAM: [(Mechanism, ScramHash); 6] = [
    (Mechanism::ScramSha1, ScramHash::Sha1),
    (Mechanism::ScramSha256, ScramHash::Sha256),
    (Mechanism::ScramSha512, ScramHash::Sha512),
    (Mechanism::ScramSha1Plus, ScramHash::Sha1),
    (Mechanism::ScramSha256Plus, ScramHash::Sha256),
    (Mechanism::ScramSha512Plus, ScramHash::Sha512),
];
