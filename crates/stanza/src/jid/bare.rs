//! Bare addresses: an account, a room, or a host.

use super::{Jid, JidError, JidFault, JidPart};
use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

/// An address that has no resourcepart: `local@domain` or `domain`. Prepared, cheap to clone, ordered and
/// hashed as its text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BareJid(Jid);

impl BareJid {
    /// The bare address of any address; shares its text.
    pub(super) fn of(jid: &Jid) -> Self {
        Self(Jid {
            text: jid.text.clone(),
            domain: jid.domain,
            bare: jid.bare,
            end: jid.bare,
        })
    }

    /// Reads and prepares an address that has no resourcepart.
    ///
    /// # Errors
    /// As for [`Jid::parse`]; and when there is a resourcepart.
    pub fn parse(text: &str) -> Result<Self, JidError> {
        Self::try_from(Jid::parse(text)?)
    }

    /// Makes an address of its parts, each prepared.
    ///
    /// # Errors
    /// As for [`Jid::parse`].
    pub fn from_parts(local: Option<&str>, domain: &str) -> Result<Self, JidError> {
        Jid::from_parts(local, domain, None).map(Self)
    }

    /// The address of a text that is prepared: one that [`as_str`](Self::as_str) gave. It is not looked at again.
    pub fn from_prepared(text: &str) -> Self {
        let at = |offset: usize| u16::try_from(offset).unwrap_or(u16::MAX);
        let bare = at(text.len());
        Self(Jid {
            text: text.into(),
            domain: super::split_at(text, b'@').map_or(0, |(local, _)| at(local.len() + 1)),
            bare,
            end: bare,
        })
    }

    /// The localpart, if there is one.
    pub fn local(&self) -> Option<&str> {
        self.0.local()
    }

    /// The domainpart.
    pub fn domain(&self) -> &str {
        self.0.domain()
    }

    /// The full address of this resource.
    ///
    /// # Errors
    /// When the resourcepart breaks the rules of RFC 7622 §3.4.
    pub fn with_resource(&self, resource: &str) -> Result<Jid, JidError> {
        self.0.with_resource(resource)
    }

    /// The address as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The same address where any address is wanted; shares the text.
    pub fn to_jid(&self) -> Jid {
        self.0.clone()
    }

    /// The same address where a reference to any address is wanted.
    pub fn as_jid(&self) -> &Jid {
        &self.0
    }
}

impl From<BareJid> for Jid {
    fn from(bare: BareJid) -> Self {
        bare.0
    }
}

impl TryFrom<Jid> for BareJid {
    type Error = JidError;

    fn try_from(jid: Jid) -> Result<Self, JidError> {
        if jid.is_bare() {
            Ok(Self(jid))
        } else {
            Err(JidPart::Resource.fault(JidFault::Unexpected))
        }
    }
}

impl FromStr for BareJid {
    type Err = JidError;

    fn from_str(text: &str) -> Result<Self, JidError> {
        Self::parse(text)
    }
}

impl Borrow<str> for BareJid {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for BareJid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for BareJid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
