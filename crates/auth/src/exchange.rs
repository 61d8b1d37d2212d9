//! One SASL exchange (RFC 4422 §3) without I/O, clock and randomness.
//!
//! The client's messages go in, an [`Outcome`] comes out. When it is [`Outcome::Find`] or
//! [`Outcome::Verify`], the exchange waits for [`Exchange::found`] or [`Exchange::verified`], not for the
//! client.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rookery_stanza::BareJid;
use rookery_storage::{ScramHash, ScramKeys};
use rookery_stream::{Grants, SaslCondition};
use rookery_xml::Element;
use zeroize::Zeroizing;

use crate::anonymous;
use crate::clients::Candidate;
use crate::clients::tokens::Place;
use crate::external;
use crate::hashed_token;
use crate::identity::Claim;
use crate::mechanism::{Mechanism, TokenBinding};
use crate::offer::{ChannelBinding, Offer, TlsFacts};
use crate::password;
use crate::plain;
use crate::saslprep::Strings;
use crate::scram::{Channel, ScramError, ServerFinal, ServerFirst};

/// The hash by which a password sent in clear is compared.
const PLAIN_HASH: ScramHash = ScramHash::Sha256;

/// What an exchange depends on beside its messages: the same for all exchanges of one stream.
#[derive(Clone, Debug)]
pub struct Context {
    /// The host that the client logs in to, prepared.
    pub host: String,
    /// What the stream offers.
    pub offer: Offer,
    /// The facts about TLS, if it is in use.
    pub tls: Option<TlsFacts>,
}

/// Random bytes for one exchange: a nonce, or the name of an anonymous user.
#[derive(Clone, Copy)]
pub struct Entropy(pub [u8; 24]);

/// A running exchange.
#[derive(Debug)]
pub struct Exchange {
    mechanism: Mechanism,
    entropy: Entropy,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The client's first message is awaited: all mechanisms here begin with one (RFC 4422 §3).
    First,
    /// The account's keys are awaited.
    Finding(Claim, Pending),
    /// The client's tokens are awaited.
    FindingTokens(Claim, hashed_token::Proof),
    /// The comparison of the password is awaited.
    Verifying(Claim),
    /// The client's proof is awaited.
    Proof(Claim, Option<ChannelBinding>, Box<ServerFinal>),
    /// Nothing is awaited any more.
    Over,
}

/// What is done with an account's keys.
#[derive(Debug)]
enum Pending {
    Scram(Box<ServerFirst>),
    Plain(plain::Password),
    External,
}

/// What comes of a step.
#[derive(Debug)]
pub enum Outcome {
    /// Send this challenge; the client's response is awaited.
    Challenge(Vec<u8>),
    /// Find the keys of an account, then call [`Exchange::found`].
    Find(Wanted),
    /// Find the tokens of a client, and go on with them.
    FindTokens(Claim),
    /// Compare a password, which takes about a millisecond, then call [`Exchange::verified`].
    Verify(PasswordCheck),
    /// The client is who it claims to be.
    Success(Success),
    /// The client is who it claims to be, and has something to do before it is let in (XEP-0480).
    Task {
        /// Additional data with success.
        data: Option<Vec<u8>>,
        /// The name of the task.
        task: &'static str,
    },
    /// Tell the client this for its task.
    TaskData(Element),
    /// The exchange has failed.
    Failure(Failure),
}

/// Whose keys are wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Whose.
    pub claim: Claim,
    /// Which.
    pub hash: ScramHash,
}

/// The keys that were wanted; made up when there is no such account.
#[derive(Debug)]
pub struct Found {
    /// The keys.
    pub keys: ScramKeys,
    /// Whether there is such an account.
    pub known: bool,
}

/// A password and the keys that it has to yield.
pub struct PasswordCheck {
    password: Zeroizing<String>,
    keys: ScramKeys,
    known: bool,
}

/// Who has logged in, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Success {
    /// The account.
    pub account: BareJid,
    /// Additional data with success (RFC 4422 §3.6).
    pub data: Option<Vec<u8>>,
    /// The mechanism.
    pub mechanism: Mechanism,
    /// The channel binding.
    pub channel_binding: Option<ChannelBinding>,
    /// What the client gets along with it by XEP-0388.
    pub grants: Grants,
}

/// Why an exchange has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The condition (RFC 6120 §6.5).
    pub condition: SaslCondition,
    /// Words for people.
    pub text: Option<&'static str>,
}

// === impl Exchange ===

impl Exchange {
    /// An exchange by a mechanism that is offered. The client's initial response, if it sent one with its
    /// request, goes to [`receive`](Self::receive); if it did not, call [`invite`](Self::invite).
    pub fn new(mechanism: Mechanism, entropy: Entropy) -> Self {
        Self {
            mechanism,
            entropy,
            state: State::First,
        }
    }

    /// The mechanism.
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// The request came without an initial response: an empty challenge asks for it (RFC 4422 §3).
    ///
    /// For ANONYMOUS there is nothing to ask for: an absent message is an empty one (XEP-0175 §"Protocol
    /// Flow").
    pub fn invite(&mut self, context: &Context) -> Outcome {
        match self.mechanism {
            Mechanism::Anonymous => self.receive(context, &[]),
            _ => Outcome::Challenge(Vec::new()),
        }
    }

    /// The client's next message: its initial response, or its response to a challenge.
    pub fn receive(&mut self, context: &Context, message: &[u8]) -> Outcome {
        let outcome = match std::mem::replace(&mut self.state, State::Over) {
            State::First => self.first(context, message),
            State::Proof(claim, binding, scram) => match scram.finish(message) {
                Ok(data) => self.success(&claim, Some(data), binding),
                Err(error) => Err(error.into()),
            },
            State::Finding(..) | State::FindingTokens(..) | State::Verifying(_) | State::Over => {
                Err(SaslCondition::MalformedRequest.into())
            }
        };
        outcome.unwrap_or_else(Outcome::Failure)
    }

    /// The answer to [`Outcome::Find`].
    pub fn found(&mut self, context: &Context, found: Found) -> Outcome {
        let State::Finding(claim, pending) = std::mem::replace(&mut self.state, State::Over) else {
            return Outcome::Failure(SaslCondition::MalformedRequest.into());
        };
        match pending {
            Pending::Scram(scram) => self.challenge(context, claim, *scram, found),
            Pending::Plain(plain::Password(password)) => {
                self.state = State::Verifying(claim);
                let Found { keys, known } = found;
                Outcome::Verify(PasswordCheck {
                    password,
                    keys,
                    known,
                })
            }
            Pending::External => self.verdict(&claim, found.known),
        }
    }

    /// The answer to [`Outcome::FindTokens`]; with success, where the client's token was found. It takes the same
    /// steps whichever it is.
    pub(crate) fn found_tokens(&mut self, tokens: &[Candidate]) -> (Outcome, Option<Place>) {
        let State::FindingTokens(claim, proof) = std::mem::replace(&mut self.state, State::Over)
        else {
            return (
                Outcome::Failure(SaslCondition::MalformedRequest.into()),
                None,
            );
        };
        let mut found = None;
        for token in tokens {
            let is_it = proof.is_of(&token.secret);
            if let (true, Some(place), None) = (is_it, token.place, &found) {
                found = Some((place, proof.answer(&token.secret)));
            }
        }
        let Some((place, answer)) = found else {
            return (Outcome::Failure(SaslCondition::NotAuthorized.into()), None);
        };
        let binding = self.mechanism.token_binding().flatten();
        let success = self.success(&claim, Some(answer), binding);
        (success.unwrap_or_else(Outcome::Failure), Some(place))
    }

    /// The answer to [`Outcome::Verify`].
    pub fn verified(&mut self, right: bool) -> Outcome {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Verifying(claim) => self.verdict(&claim, right),
            _ => Outcome::Failure(SaslCondition::MalformedRequest.into()),
        }
    }

    /// The client's first message.
    fn first(&mut self, context: &Context, message: &[u8]) -> Result<Outcome, Failure> {
        if let Some(binding) = self.mechanism.token_binding() {
            return self.first_of_token(context, binding, message);
        }
        match (self.mechanism, self.mechanism.scram_hash()) {
            (_, Some(hash)) => self.first_of_scram(context, hash, message),
            (Mechanism::External, _) => {
                let tls = context
                    .tls
                    .as_ref()
                    .ok_or(SaslCondition::InvalidMechanism)?;
                let account = external::account(message, &context.host, tls)?;
                Ok(self.find(Claim::account_of(account), PLAIN_HASH, Pending::External))
            }
            (Mechanism::Anonymous, _) => {
                anonymous::check_trace(message)?;
                let [uuid @ .., _, _, _, _, _, _, _, _] = self.entropy.0;
                let claim = Claim::user(&anonymous::localpart(uuid), &context.host);
                self.success(&claim, None, None)
            }
            _ => {
                let message = plain::Message::parse(message)?;
                let claim = Claim::user(&message.authcid, &context.host);
                claim.authorize(message.authzid.as_deref())?;
                let password = password::prepare(&message.password.0, Strings::Query)
                    .map_err(|_| SaslCondition::NotAuthorized)?;
                let pending = Pending::Plain(plain::Password(password));
                Ok(self.find(claim, PLAIN_HASH, pending))
            }
        }
    }

    /// `initiator-msg` (draft-schmaus-kitten-sasl-ht-09).
    fn first_of_token(
        &mut self,
        context: &Context,
        binding: TokenBinding,
        message: &[u8],
    ) -> Result<Outcome, Failure> {
        let data = |binding| context.tls.as_ref()?.binding(binding);
        let data = match binding {
            None => &[],
            Some(binding) => data(binding).ok_or(SaslCondition::InvalidMechanism)?,
        };
        let message = hashed_token::Message::parse(message, data)?;
        let claim = Claim::user(&message.authcid, &context.host);
        self.state = State::FindingTokens(claim.clone(), message.proof);
        Ok(Outcome::FindTokens(claim))
    }

    /// `client-first-message` (RFC 5802 §5).
    fn first_of_scram(
        &mut self,
        context: &Context,
        hash: ScramHash,
        message: &[u8],
    ) -> Result<Outcome, Failure> {
        let channel = Channel {
            plus: self.mechanism.is_plus(),
            plus_offered: context.offer.mechanisms().iter().any(|one| one.is_plus()),
            tls: context.tls.as_ref(),
        };
        let scram = ServerFirst::new(hash, &channel, message)?;
        let claim = Claim::user(scram.username(), &context.host);
        claim.authorize(scram.authzid())?;
        Ok(self.find(claim, hash, Pending::Scram(Box::new(scram))))
    }

    /// `server-first-message` (RFC 5802 §5).
    fn challenge(
        &mut self,
        context: &Context,
        claim: Claim,
        scram: ServerFirst,
        found: Found,
    ) -> Outcome {
        let binding = scram.binding();
        let nonce = STANDARD.encode(self.entropy.0);
        let downgrade_hash = self
            .mechanism
            .scram_hash()
            .map(|hash| context.offer.downgrade_hash(hash));
        let (scram, message) =
            scram.answer(found.keys, found.known, &nonce, downgrade_hash.as_deref());
        self.state = State::Proof(claim, binding, Box::new(scram));
        Outcome::Challenge(message)
    }

    fn find(&mut self, claim: Claim, hash: ScramHash, pending: Pending) -> Outcome {
        self.state = State::Finding(claim.clone(), pending);
        Outcome::Find(Wanted { claim, hash })
    }

    fn verdict(&self, claim: &Claim, right: bool) -> Outcome {
        let verdict = if right {
            self.success(claim, None, None)
        } else {
            Err(SaslCondition::NotAuthorized.into())
        };
        verdict.unwrap_or_else(Outcome::Failure)
    }

    fn success(
        &self,
        claim: &Claim,
        data: Option<Vec<u8>>,
        channel_binding: Option<ChannelBinding>,
    ) -> Result<Outcome, Failure> {
        let account = claim
            .account()
            .cloned()
            .ok_or(SaslCondition::NotAuthorized)?;
        let mechanism = self.mechanism;
        Ok(Outcome::Success(Success {
            account,
            data,
            mechanism,
            channel_binding,
            grants: Grants::default(),
        }))
    }
}

// === impl Entropy ===

impl Entropy {
    /// Fresh bytes from the system's source of randomness.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 24];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entropy")
    }
}

// === impl PasswordCheck ===

impl PasswordCheck {
    /// Compares; takes as long for an account that does not exist.
    pub fn run(&self) -> bool {
        let right = password::verify(&self.password, PLAIN_HASH, &self.keys);
        right & self.known
    }
}

impl fmt::Debug for PasswordCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordCheck")
    }
}

// === impl Failure ===

impl From<SaslCondition> for Failure {
    fn from(condition: SaslCondition) -> Self {
        Self {
            condition,
            text: None,
        }
    }
}

impl From<ScramError> for Failure {
    fn from(error: ScramError) -> Self {
        Self {
            condition: error.condition(),
            text: error.text(),
        }
    }
}
