//! A range of IP addresses, written as in CIDR (RFC 4632 §3.1, RFC 4291 §2.3).

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// All addresses that begin with the same bits: `192.0.2.0/24`, `2001:db8::/32`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AddressRange {
    first: IpAddr,
    bits: u8,
}

/// Why a text is no range of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressRangeError {
    /// It has another form.
    #[error("not an address or a range of addresses such as 192.0.2.0/24 or 2001:db8::/32")]
    Malformed,
    /// The address has bits beyond the length of the prefix.
    #[error("the address has more than {bits} bits; the range is {range}")]
    Excess {
        /// The length of the prefix.
        bits: u8,
        /// What was meant, presumably.
        range: AddressRange,
    },
}

// === impl AddressRange ===

impl AddressRange {
    /// Whether an address is in it. An IPv4 address that is written as IPv6 is that IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4() && masked(address, self.bits) == self.first
    }
}

/// The address with nothing but its first bits.
fn masked(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits.min(32)));
            IpAddr::V4((address.to_bits() & mask.unwrap_or_default()).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits.min(128)));
            IpAddr::V6((address.to_bits() & mask.unwrap_or_default()).into())
        }
    }
}

impl FromStr for AddressRange {
    type Err = AddressRangeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| AddressRangeError::Malformed)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => bits.parse().map_err(|_| AddressRangeError::Malformed)?,
            None => most,
        };
        if bits > most {
            return Err(AddressRangeError::Malformed);
        }
        let first = masked(address, bits);
        let range = Self { first, bits };
        if first == address {
            Ok(range)
        } else {
            Err(AddressRangeError::Excess { bits, range })
        }
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.bits)
    }
}

impl TryFrom<String> for AddressRange {
    type Error = AddressRangeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<AddressRange> for String {
    fn from(range: AddressRange) -> Self {
        range.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(range: &str, address: &str) -> bool {
        let range: AddressRange = range.parse().unwrap();
        range.contains(address.parse().unwrap())
    }

    #[test]
    fn a_range_has_the_addresses_with_its_first_bits() {
        for (range, address) in [
            ("192.0.2.0/24", "192.0.2.255"),
            ("192.0.2.7", "192.0.2.7"),
            ("0.0.0.0/0", "203.0.113.9"),
            ("2001:db8::/32", "2001:db8:ffff::1"),
            ("::/0", "2001:db8::1"),
            ("::1", "::1"),
            ("192.0.2.0/24", "::ffff:192.0.2.1"),
        ] {
            assert!(contains(range, address), "{address} is in {range}");
        }
        for (range, address) in [
            ("192.0.2.0/24", "192.0.3.0"),
            ("192.0.2.7", "192.0.2.6"),
            ("2001:db8::/32", "2001:db9::1"),
            ("0.0.0.0/0", "2001:db8::1"),
            ("::/0", "192.0.2.1"),
        ] {
            assert!(!contains(range, address), "{address} is not in {range}");
        }
    }

    #[test]
    fn what_is_no_range_is_refused_with_what_was_meant() {
        for text in [
            "",
            "x",
            "192.0.2.0/33",
            "::/129",
            "192.0.2.0/",
            "192.0.2/24",
        ] {
            let refused = text.parse::<AddressRange>();
            assert_eq!(refused, Err(AddressRangeError::Malformed), "{text:?}");
        }
        let refused = "192.0.2.1/24".parse::<AddressRange>().unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the address has more than 24 bits; the range is 192.0.2.0/24"
        );
    }
}
