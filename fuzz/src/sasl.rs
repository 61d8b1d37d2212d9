//! SASL exchanges: nobody succeeds without the proof that his mechanism asks for, nor as somebody else, nor twice.
//!
//! The first byte chooses the mechanism, the second the circumstances; the messages follow, with a byte 0xFF
//! between them. Since no fuzzer guesses a proof, `%r` stands for the nonce that the server has sent, and `%p` for
//! the proof of somebody who knows the password.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rookery_auth::{
    Context, Entropy, Exchange, Found, HostConfig, Mechanism, Offer, Outcome, Salts, Strings,
    Success, TlsFacts, derive, saslprep,
};
use rookery_stanza::BareJid;
use rookery_storage::ScramHash;
use sha2::Digest as _;

const HOST: &str = "h.example";
const USER: &str = "juliet";
const PASSWORD: &str = "pencil";
const SALT: [u8; 16] = [1; 16];

/// An exchange, and what the client knows of it.
struct Play {
    mechanism: Mechanism,
    context: Context,
    exchange: Exchange,
    /// What the client has sent, and the server challenged it with.
    sent: Vec<Vec<u8>>,
    challenges: Vec<Vec<u8>>,
    /// Who has logged in.
    account: Option<BareJid>,
}

/// Tries one exchange.
pub fn check(bytes: &[u8]) {
    login(bytes);
}

/// Plays one exchange: who has logged in, if anybody.
pub fn login(bytes: &[u8]) -> Option<BareJid> {
    let [mechanism, circumstances, messages @ ..] = bytes else {
        return None;
    };
    let context = context(*circumstances);
    let offered = context.offer.mechanisms();
    let &mechanism = offered.get(usize::from(*mechanism) % offered.len().max(1))?;
    let mut play = Play {
        mechanism,
        context,
        exchange: Exchange::new(mechanism, Entropy([9; 24])),
        sent: Vec::new(),
        challenges: Vec::new(),
        account: None,
    };
    for message in messages.split(|&byte| byte == 0xFF).take(4) {
        let message = play.filled_in(message);
        let outcome = play.exchange.receive(&play.context, &message);
        play.sent.push(message);
        if play.is_over(outcome) {
            let late = play.exchange.receive(&play.context, b"");
            assert!(matches!(late, Outcome::Failure(_)), "a second end");
            break;
        }
    }
    play.account
}

/// TLS or none; with a certificate of the client or without.
fn context(circumstances: u8) -> Context {
    let identities = [format!("{USER}@{HOST}"), format!("nurse@{HOST}")];
    let known = usize::from(circumstances >> 1 & 3).min(2);
    let tls = (circumstances & 1 == 1).then(|| TlsFacts {
        exporter: (circumstances & 8 == 0).then_some([7; 32]),
        server_end_point: Some(vec![8; 32]),
        identities: identities
            .iter()
            .take(known)
            .filter_map(|jid| BareJid::parse(jid).ok())
            .collect(),
    });
    let policy = HostConfig {
        plain: true,
        anonymous: true,
        fast: false,
    };
    Context {
        host: HOST.to_owned(),
        offer: Offer::new(
            HOST,
            &policy,
            tls.as_ref().map(TlsFacts::protection).as_ref(),
        ),
        tls,
    }
}

// === impl Play ===

impl Play {
    /// Answers what the exchange asks for, from a store with one account; true at the end.
    fn is_over(&mut self, outcome: Outcome) -> bool {
        match outcome {
            Outcome::Challenge(challenge) => {
                self.challenges.push(challenge);
                false
            }
            Outcome::Find(wanted) => {
                let account = wanted.claim.account();
                let known = account.is_some_and(|one| one.local() == Some(USER));
                let salts = Salts {
                    sha1: SALT,
                    sha256: SALT,
                    sha512: SALT,
                };
                let Ok(credentials) = derive(PASSWORD, 1, &salts) else {
                    return true;
                };
                let keys = credentials.keys(wanted.hash).clone();
                let outcome = self.exchange.found(&self.context, Found { keys, known });
                self.is_over(outcome)
            }
            Outcome::Verify(check) => {
                let outcome = self.exchange.verified(check.run());
                self.is_over(outcome)
            }
            // The first three belong to what is not offered here.
            Outcome::FindTokens(_)
            | Outcome::Task { .. }
            | Outcome::TaskData(_)
            | Outcome::Failure(_) => true,
            Outcome::Success(success) => {
                self.check_success(&success);
                self.account = Some(success.account);
                true
            }
        }
    }

    /// Whoever succeeds has shown who he is.
    fn check_success(&self, success: &Success) {
        assert_eq!(success.mechanism, self.mechanism);
        assert_eq!(success.account.domain(), HOST);
        let last = self.sent.last().map_or(&[][..], Vec::as_slice);
        let tls = self.context.tls.as_ref();
        match (self.mechanism, self.mechanism.scram_hash()) {
            (_, Some(hash)) => {
                assert_eq!(success.account.local(), Some(USER));
                let text = String::from_utf8_lossy(last);
                let (without_proof, proof) = text.rsplit_once(",p=").unwrap_or_default();
                assert_eq!(proof, self.proof(hash, without_proof), "a wrong proof");
                self.check_channel(success, without_proof);
            }
            (Mechanism::External, _) => {
                assert!(tls.is_some_and(|tls| tls.identities.contains(&success.account)));
                assert_eq!(
                    success.account.local(),
                    Some(USER),
                    "there is no such account"
                );
            }
            (Mechanism::Plain, _) => {
                assert!(tls.is_some(), "a password in the clear");
                assert_eq!(success.account.local(), Some(USER));
                let text = String::from_utf8_lossy(last);
                let password = text.rsplit('\0').next().unwrap_or_default();
                let prepared = saslprep(password, Strings::Query);
                assert_eq!(prepared.ok().as_deref(), Some(PASSWORD), "another password");
                let authzid = text.split('\0').next().unwrap_or_default();
                let is_own = BareJid::parse(authzid).is_ok_and(|jid| jid == success.account);
                assert!(authzid.is_empty() || is_own, "as somebody else");
            }
            _ => assert_ne!(
                success.account.local(),
                Some(USER),
                "an account without a password"
            ),
        }
    }

    /// The client's proof was for this channel, and for this exchange (RFC 5802 §5.1).
    fn check_channel(&self, success: &Success, without_proof: &str) {
        let binding = success.channel_binding;
        assert_eq!(binding.is_some(), self.mechanism.is_plus());
        let data = binding.and_then(|binding| self.context.tls.as_ref()?.binding(binding));
        let first = self.first();
        let header_end = first.match_indices(',').nth(1).map_or(0, |(at, _)| at + 1);
        let header = first.as_bytes().get(..header_end).unwrap_or_default();
        let input = STANDARD.encode([header, data.unwrap_or_default()].concat());
        let begin = format!("c={input},r={}", self.nonce());
        assert!(
            without_proof.starts_with(&begin),
            "{without_proof}: not {begin}"
        );
        assert!(self.nonce().ends_with(&STANDARD.encode([9; 24])));
    }

    /// A message with what a client computes put in its place.
    fn filled_in(&self, message: &[u8]) -> Vec<u8> {
        let Ok(text) = std::str::from_utf8(message) else {
            return message.to_vec();
        };
        let text = text.replace("%r", &self.nonce());
        let Some((without_proof, rest)) = text.split_once(",p=%p") else {
            return text.into_bytes();
        };
        let hash = self.mechanism.scram_hash().unwrap_or(ScramHash::Sha1);
        format!(
            "{without_proof},p={}{rest}",
            self.proof(hash, without_proof)
        )
        .into_bytes()
    }

    fn first(&self) -> String {
        let first = self.sent.first().map_or(&[][..], Vec::as_slice);
        String::from_utf8_lossy(first).into_owned()
    }

    fn challenge(&self) -> String {
        let challenge = self.challenges.last().map_or(&[][..], Vec::as_slice);
        String::from_utf8_lossy(challenge).into_owned()
    }

    /// The nonce in the server's challenge.
    fn nonce(&self) -> String {
        let challenge = self.challenge();
        let nonce = challenge.split(',').next().unwrap_or_default();
        nonce.trim_start_matches("r=").to_owned()
    }

    /// `ClientProof` (RFC 5802 §3), made with no code of the server.
    fn proof(&self, hash: ScramHash, without_proof: &str) -> String {
        let first = self.first();
        let bare = first.splitn(3, ',').nth(2).unwrap_or_default();
        let auth_message = [bare, &self.challenge(), without_proof].join(",");
        // Hi() of one iteration is its first block.
        let salted = mac(
            hash,
            PASSWORD.as_bytes(),
            &[&SALT[..], &[0, 0, 0, 1]].concat(),
        );
        let client_key = mac(hash, &salted, b"Client Key");
        let stored_key = digest(hash, &client_key);
        let signature = mac(hash, &stored_key, auth_message.as_bytes());
        let proof: Vec<u8> = client_key
            .iter()
            .zip(signature)
            .map(|(a, b)| a ^ b)
            .collect();
        STANDARD.encode(proof)
    }
}

fn mac(hash: ScramHash, key: &[u8], text: &[u8]) -> Vec<u8> {
    macro_rules! with {
        ($hash:ty) => {
            Hmac::<$hash>::new_from_slice(key)
                .map(|mac| mac.chain_update(text).finalize().into_bytes().to_vec())
                .unwrap_or_default()
        };
    }
    match hash {
        ScramHash::Sha1 => with!(sha1::Sha1),
        ScramHash::Sha256 => with!(sha2::Sha256),
        ScramHash::Sha512 => with!(sha2::Sha512),
    }
}

fn digest(hash: ScramHash, text: &[u8]) -> Vec<u8> {
    match hash {
        ScramHash::Sha1 => sha1::Sha1::digest(text).to_vec(),
        ScramHash::Sha256 => sha2::Sha256::digest(text).to_vec(),
        ScramHash::Sha512 => sha2::Sha512::digest(text).to_vec(),
    }
}
