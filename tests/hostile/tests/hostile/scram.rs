//! The client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677): it says what it is told to say, and proves it
//! rightly, so that nothing but what was said can be refused.

use std::error::Error;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use pbkdf2::pbkdf2_hmac_array;
use rookery_testkit::{Client, Server};
use sha2::{Digest as _, Sha256};

const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";

/// What a client says in an exchange.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) mechanism: &'static str,
    /// The GS2 header of the first message.
    pub(crate) header: &'static str,
    /// What the last message says it was.
    pub(crate) repeated: &'static str,
    /// The data of the channel binding.
    pub(crate) data: Vec<u8>,
    /// The nonce of the last message, if it is not the one that the server made longer.
    pub(crate) nonce: Option<&'static str>,
}

// === impl Attempt ===

impl Attempt {
    /// An exchange that is right, if the header is and the data belong to it.
    pub(crate) fn right(header: &'static str, data: &[u8]) -> Self {
        Self {
            mechanism: if header.starts_with('p') {
                "SCRAM-SHA-256-PLUS"
            } else {
                "SCRAM-SHA-256"
            },
            header,
            repeated: header,
            data: data.to_vec(),
            nonce: None,
        }
    }

    /// What comes of it: `success`, or the condition of the failure.
    pub(crate) async fn play(
        &self,
        client: &mut Client,
        user: &str,
    ) -> Result<String, Box<dyn Error>> {
        let bare = format!("n={user},r={NONCE}");
        let first = STANDARD.encode(format!("{}{bare}", self.header));
        let mechanism = self.mechanism;
        client
            .send(format!(
                "<auth xmlns='{SASL}' mechanism='{mechanism}'>{first}</auth>"
            ))
            .await?;
        let answer = client.element().await?;
        if answer.name() == "challenge" {
            let challenge = String::from_utf8(STANDARD.decode(answer.text().as_bytes())?)?;
            let last = STANDARD.encode(self.last(&bare, &challenge)?);
            client
                .send(format!("<response xmlns='{SASL}'>{last}</response>"))
                .await?;
            return Ok(verdict(&client.element().await?));
        }
        Ok(verdict(&answer))
    }

    /// RFC 5802 §3: `client-final-message`.
    fn last(&self, bare: &str, challenge: &str) -> Result<String, Box<dyn Error>> {
        let value = |name| {
            let mut parts = challenge.split(',');
            parts
                .find_map(|part| part.strip_prefix(name))
                .ok_or("a challenge that lacks something")
        };
        let salt = STANDARD.decode(value("s=")?)?;
        let password = Server::PASSWORD.as_bytes();
        let salted: [u8; 32] =
            pbkdf2_hmac_array::<Sha256, 32>(password, &salt, value("i=")?.parse()?);
        let client_key = mac(&salted, b"Client Key");
        let binding = STANDARD.encode([self.repeated.as_bytes(), &self.data].concat());
        let nonce = self.nonce.map_or_else(|| value("r="), Ok)?;
        let without_proof = format!("c={binding},r={nonce}");
        let message = format!("{bare},{challenge},{without_proof}");
        let signature = mac(&Sha256::digest(&client_key), message.as_bytes());
        let proof: Vec<u8> = client_key
            .iter()
            .zip(signature)
            .map(|(a, b)| a ^ b)
            .collect();
        Ok(format!("{without_proof},p={}", STANDARD.encode(proof)))
    }
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

fn verdict(answer: &rookery_xml::Element) -> String {
    let condition = answer.children().next();
    match answer.name() {
        "failure" => condition.map_or("", rookery_xml::Element::name).to_owned(),
        name => name.to_owned(),
    }
}
