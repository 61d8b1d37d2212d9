//! The client's side of SCRAM-SHA-1 (RFC 5802), without channel binding.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::string_slice,
    reason = "a test that cannot go on fails"
)]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::{Digest as _, Sha1};

/// `client-first-message` without its header.
fn first(user: &str) -> String {
    format!("n={user},r=nonce")
}

/// `client-first-message`, in base 64.
pub(crate) fn hello(user: &str) -> String {
    STANDARD.encode(format!("n,,{}", first(user)))
}

/// `client-final-message`, in base 64, for `server-first-message` in base 64.
pub(crate) fn proof(user: &str, password: &str, challenge: &str) -> String {
    let server_first = String::from_utf8(STANDARD.decode(challenge).unwrap()).unwrap();
    let parts: Vec<&str> = server_first.split(',').collect();
    let [nonce, salt, iterations, ..] = parts[..] else {
        panic!("{server_first}");
    };
    let salt = STANDARD.decode(&salt[2..]).unwrap();
    let iterations = iterations[2..].parse().unwrap();
    let salted = pbkdf2::pbkdf2_hmac_array::<Sha1, 20>(password.as_bytes(), &salt, iterations);
    let client_key = mac(&salted, b"Client Key");
    let without_proof = format!("c=biws,{nonce}");
    let signed = format!("{},{server_first},{without_proof}", first(user));
    let signature = mac(&Sha1::digest(&client_key), signed.as_bytes());
    let keys = client_key.iter().zip(&signature);
    let proof: Vec<u8> = keys.map(|(key, signature)| key ^ signature).collect();
    STANDARD.encode(format!("{without_proof},p={}", STANDARD.encode(proof)))
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = <Hmac<Sha1> as KeyInit>::new_from_slice(key).unwrap();
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}
