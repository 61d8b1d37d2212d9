//! Addresses (RFC 7622): parsed, prepared and compared.
//!
//! A [`Jid`] is always in its prepared form, so comparing two of them compares octets (RFC 7622 §3.2.3).
//! Preparation follows RFC 7622 and, where that refuses, RFC 6122 (`prepare.rs` says how): addresses of
//! other servers may still be made by the older rules. For addresses that this server is responsible for
//! there are [`Jid::enforce`], [`enforce_localpart`] and [`enforce_resourcepart`], which know RFC 7622 only.

mod bare;
mod prepare;
#[cfg(test)]
mod tests;

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

pub use bare::BareJid;
pub use prepare::{enforce_localpart, enforce_resourcepart};

/// A part of an address (RFC 7622 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JidPart {
    /// What stands before the `@`: an account or a room.
    Local,
    /// The host or service.
    Domain,
    /// What follows the first `/`: a session or an occupant.
    Resource,
}

/// What is wrong with a part of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JidFault {
    /// It has zero octets.
    Empty,
    /// It has more octets than its limit: 1023 (RFC 7622 §3), for domains also those of RFC 1034 §3.1.
    TooLong,
    /// It has characters that are not allowed there, or not in this order.
    NotAllowed,
    /// A resourcepart in an address that may not have one.
    Unexpected,
}

/// Why a text is not an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {part} {fault}")]
pub struct JidError {
    /// The part at fault.
    pub part: JidPart,
    /// What is wrong with it.
    pub fault: JidFault,
}

impl fmt::Display for JidPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Local => "localpart",
            Self::Domain => "domainpart",
            Self::Resource => "resourcepart",
        })
    }
}

impl fmt::Display for JidFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "is empty",
            Self::TooLong => "is too long",
            Self::NotAllowed => "has characters that are not allowed",
            Self::Unexpected => "is not allowed here",
        })
    }
}

impl JidPart {
    fn fault(self, fault: JidFault) -> JidError {
        JidError { part: self, fault }
    }
}

/// An address, bare (`local@domain` or `domain`) or full (with a resourcepart), prepared.
///
/// Cloning, and [`bare`](Self::bare), share the text. Ordering and hashing are those of the text, so a map
/// keyed by addresses can be asked with a `&str` that is known to be prepared.
#[derive(Clone)]
pub struct Jid {
    /// The address; it may go on after `end`, when a bare address shares the text of a full one.
    text: Arc<str>,
    /// Where the domainpart begins; 0 when there is no localpart.
    domain: u16,
    /// Where the domainpart ends.
    bare: u16,
    /// Where the address ends.
    end: u16,
}

impl Jid {
    /// Reads and prepares an address.
    ///
    /// # Errors
    /// The first part, in the order local, domain, resource, that breaks the rules. A bad address in a
    /// stanza is answered with `jid-malformed` (RFC 6120 §8.3.3.8).
    pub fn parse(text: &str) -> Result<Self, JidError> {
        let (bare, resource) = match split_at(text, b'/') {
            Some((bare, resource)) => (bare, Some(resource)),
            None => (text, None),
        };
        let (local, domain) = match split_at(bare, b'@') {
            Some((local, domain)) => (Some(local), domain),
            None => (None, bare),
        };
        if !prepare::is_plain(local, domain, resource) {
            return Self::from_parts(local, domain, resource);
        }
        let domain_at = local.map_or(0, |local| local.len() + 1);
        Self::of(text.into(), domain_at, bare.len())
    }

    /// Makes an address of its parts, each prepared.
    ///
    /// # Errors
    /// As for [`parse`](Self::parse).
    pub fn from_parts(
        local: Option<&str>,
        domain: &str,
        resource: Option<&str>,
    ) -> Result<Self, JidError> {
        let local = local.map(prepare::localpart).transpose()?;
        let domain = prepare::domainpart(domain)?;
        let resource = resource.map(prepare::resourcepart).transpose()?;
        let domain_at = local.as_ref().map_or(0, |local| local.len() + 1);
        let bare = domain_at + domain.len();
        let end = resource
            .as_ref()
            .map_or(bare, |resource| bare + 1 + resource.len());
        Self::of(
            join(local.as_deref(), &domain, resource.as_deref(), end),
            domain_at,
            bare,
        )
    }

    /// An address that is prepared, with the places where its domainpart begins and ends.
    fn of(text: Arc<str>, domain: usize, bare: usize) -> Result<Self, JidError> {
        // Three parts of at most 1023 octets each fit.
        let at = |offset: usize| {
            u16::try_from(offset).map_err(|_| JidPart::Domain.fault(JidFault::TooLong))
        };
        Ok(Self {
            domain: at(domain)?,
            bare: at(bare)?,
            end: at(text.len())?,
            text,
        })
    }

    /// The localpart, if there is one.
    pub fn local(&self) -> Option<&str> {
        self.text.get(..usize::from(self.domain).checked_sub(1)?)
    }

    /// The domainpart.
    pub fn domain(&self) -> &str {
        self.text
            .get(usize::from(self.domain)..usize::from(self.bare))
            .unwrap_or_default()
    }

    /// The resourcepart, if there is one.
    pub fn resource(&self) -> Option<&str> {
        self.text
            .get(usize::from(self.bare) + 1..usize::from(self.end))
    }

    /// True without a resourcepart.
    pub fn is_bare(&self) -> bool {
        self.bare == self.end
    }

    /// True with a resourcepart.
    pub fn is_full(&self) -> bool {
        !self.is_bare()
    }

    /// The address without its resourcepart; shares the text.
    pub fn bare(&self) -> BareJid {
        BareJid::of(self)
    }

    /// The same address with this resourcepart instead of its own.
    ///
    /// # Errors
    /// When the resourcepart breaks the rules of RFC 7622 §3.4.
    pub fn with_resource(&self, resource: &str) -> Result<Self, JidError> {
        let resource = prepare::resourcepart(resource)?;
        let bare = self.bare_str();
        let end = bare.len() + 1 + resource.len();
        let mut text = String::with_capacity(end);
        text.push_str(bare);
        text.push('/');
        text.push_str(&resource);
        let end = u16::try_from(end).map_err(|_| JidPart::Resource.fault(JidFault::TooLong))?;
        Ok(Self {
            text: text.into(),
            domain: self.domain,
            bare: self.bare,
            end,
        })
    }

    /// The whole address as text.
    pub fn as_str(&self) -> &str {
        self.text.get(..usize::from(self.end)).unwrap_or_default()
    }

    /// The address without its resourcepart as text.
    pub fn bare_str(&self) -> &str {
        self.text.get(..usize::from(self.bare)).unwrap_or_default()
    }

    /// Checks the address by RFC 7622 alone, without the tolerance that [`parse`](Self::parse) has for
    /// addresses made by RFC 6122. It is for addresses at hosts that this server serves: enforcement is the
    /// duty of the service at which an entity is located (RFC 6120 §8.3.3.8, note).
    ///
    /// # Errors
    /// The part that RFC 7622 does not allow.
    pub fn enforce(&self) -> Result<(), JidError> {
        if let Some(local) = self.local() {
            enforce_localpart(local)?;
        }
        if let Some(resource) = self.resource() {
            enforce_resourcepart(resource)?;
        }
        Ok(())
    }
}

/// What is before and after the first `separator`, which is ASCII. Addresses are short: byte by byte is faster than
/// any search that has to be prepared.
fn split_at(text: &str, separator: u8) -> Option<(&str, &str)> {
    let at = text.bytes().position(|byte| byte == separator)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// Writes the parts of an address with their separators.
fn join(local: Option<&str>, domain: &str, resource: Option<&str>, len: usize) -> Arc<str> {
    let mut text = String::with_capacity(len);
    if let Some(local) = local {
        text.push_str(local);
        text.push('@');
    }
    text.push_str(domain);
    if let Some(resource) = resource {
        text.push('/');
        text.push_str(resource);
    }
    text.into()
}

impl FromStr for Jid {
    type Err = JidError;

    fn from_str(text: &str) -> Result<Self, JidError> {
        Self::parse(text)
    }
}

impl PartialEq for Jid {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Jid {}

impl PartialOrd for Jid {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Jid {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for Jid {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl Borrow<str> for Jid {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Jid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Jid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
