//! The PROXY protocol, versions 1 and 2: what a proxy says about the client that it speaks for.
//!
//! Sections are those of HAProxy's `proxy-protocol.txt`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// §2.1: the longest line of version 1, with its end.
const LONGEST_LINE: usize = 107;
/// The longest header of version 2 that is read. Senders keep within 536 bytes (§2), but for what they tell
/// of certificates.
const LONGEST_HEADER: usize = 4096;
/// §2.1
const V1: &[u8] = b"PROXY ";
/// §2.2
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// §2.2: signature, version and command, family and protocol, length.
const V2_START: usize = 16;
/// §2.2: what is told of a checksum (§2.2.3).
const CRC32C: u8 = 0x03;

/// Whose connection it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// That of a client with this address.
    Client(SocketAddr),
    /// The proxy's own, such as for a look whether the server is well, or that of somebody unknown.
    Proxy,
}

/// Reads one header, however it is cut into pieces.
#[derive(Debug, Default)]
pub(crate) struct HeaderReader {
    seen: Vec<u8>,
}

/// What became of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    /// How many of its bytes belong to the header.
    pub(crate) bytes: usize,
    /// Whose connection it is, once the header is complete.
    pub(crate) source: Option<Source>,
}

/// Why something is not a header. The connection is to be aborted (§2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HeaderError {
    /// It begins like neither version.
    #[error("there is no PROXY header")]
    Missing,
    /// It is longer than allowed.
    #[error("the PROXY header is too long")]
    TooLong,
    /// It violates the format.
    #[error("the PROXY header is malformed")]
    Malformed,
    /// Its checksum is wrong (§2.2.3).
    #[error("the checksum of the PROXY header is wrong")]
    Checksum,
}

// === impl HeaderReader ===

impl HeaderReader {
    /// Whether a connection that begins with this byte can have a header. XMPP begins with `<`, and TLS
    /// with 22.
    pub(crate) fn can_begin_with(byte: u8) -> bool {
        [V1, V2].iter().any(|start| start.first() == Some(&byte))
    }

    /// Takes the next piece of the connection.
    ///
    /// # Errors
    /// As soon as what came cannot become a header.
    pub(crate) fn read(&mut self, piece: &[u8]) -> Result<Taken, HeaderError> {
        for (before, byte) in piece.iter().enumerate() {
            self.seen.push(*byte);
            let source = self.complete()?;
            if source.is_some() {
                let bytes = before + 1;
                return Ok(Taken { bytes, source });
            }
        }
        Ok(Taken {
            bytes: piece.len(),
            source: None,
        })
    }

    /// What the header says, if it is complete.
    fn complete(&self) -> Result<Option<Source>, HeaderError> {
        let begins = |start: &[u8]| start.iter().zip(&self.seen).all(|(a, b)| a == b);
        if begins(V1) {
            self.line()
        } else if begins(V2) {
            self.block()
        } else {
            Err(HeaderError::Missing)
        }
    }

    /// §2.1
    fn line(&self) -> Result<Option<Source>, HeaderError> {
        match self.seen.strip_suffix(b"\r\n") {
            Some(line) => read_line(line).map(Some).ok_or(HeaderError::Malformed),
            None if self.seen.len() >= LONGEST_LINE => Err(HeaderError::TooLong),
            None => Ok(None),
        }
    }

    /// §2.2
    fn block(&self) -> Result<Option<Source>, HeaderError> {
        let Some(start) = self.seen.first_chunk::<V2_START>() else {
            return Ok(None);
        };
        let [.., command, family, high, low] = *start;
        let length = V2_START + usize::from(u16::from_be_bytes([high, low]));
        // Version 2, LOCAL or PROXY; families and protocols that there are.
        if !matches!(command, 0x20 | 0x21) || family >> 4 > 3 || family & 0xf > 2 {
            return Err(HeaderError::Malformed);
        }
        if length > LONGEST_HEADER {
            return Err(HeaderError::TooLong);
        }
        if self.seen.len() < length {
            return Ok(None);
        }
        if command == 0x20 {
            // What it says beyond that is to be left alone.
            return Ok(Some(Source::Proxy));
        }
        let rest = self.seen.get(V2_START..).unwrap_or_default();
        let (source, told) = read_addresses(family, rest).ok_or(HeaderError::Malformed)?;
        self.check(told)?;
        Ok(Some(source))
    }

    /// Skips what is told beyond addresses; a checksum among it must be right (§2.2.3).
    fn check(&self, mut told: &[u8]) -> Result<(), HeaderError> {
        while let Some((&[kind, high, low], rest)) = told.split_first_chunk() {
            let length = usize::from(u16::from_be_bytes([high, low]));
            let (value, rest) = rest
                .split_at_checked(length)
                .ok_or(HeaderError::Malformed)?;
            if kind == CRC32C {
                let sum = value.try_into().map_err(|_| HeaderError::Malformed)?;
                let (before, after) = (self.seen.len() - rest.len() - length, rest);
                let before = self.seen.get(..before).unwrap_or_default();
                let zeroed = before.iter().chain(&[0; 4]).chain(after);
                if crc32c(zeroed.copied()) != u32::from_be_bytes(sum) {
                    return Err(HeaderError::Checksum);
                }
            }
            told = rest;
        }
        Ok(())
    }
}

/// Reads a line of version 1 without its end.
fn read_line(line: &[u8]) -> Option<Source> {
    let line = std::str::from_utf8(line).ok()?.strip_prefix("PROXY ")?;
    if line == "UNKNOWN" || line.starts_with("UNKNOWN ") {
        return Some(Source::Proxy);
    }
    let mut fields = line.split(' ');
    let mut next = || fields.next();
    let (family, source, destination) = (next()?, next()?, next()?);
    let (port, _) = (read_port(next()?)?, read_port(next()?)?);
    if next().is_some() {
        return None;
    }
    let address = |text: &str| match family {
        "TCP4" => text.parse::<Ipv4Addr>().ok().map(IpAddr::from),
        "TCP6" => text.parse::<Ipv6Addr>().ok().map(IpAddr::from),
        _ => None,
    };
    address(destination)?;
    Some(Source::Client(SocketAddr::new(address(source)?, port)))
}

/// A port in digits, without heading zeroes (§2.1).
fn read_port(text: &str) -> Option<u16> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let is_short = text == "0" || !text.starts_with('0');
    (is_number && is_short).then(|| text.parse().ok())?
}

/// Reads the addresses of version 2, and gives what follows them. Other families and protocols than TCP
/// over IP are as good as unknown (§2.2).
fn read_addresses(family: u8, rest: &[u8]) -> Option<(Source, &[u8])> {
    match family {
        0x11 => {
            let (addresses, told) = rest.split_first_chunk::<12>()?;
            let [a, b, c, d, _, _, _, _, high, low, _, _] = *addresses;
            let port = u16::from_be_bytes([high, low]);
            let client = SocketAddr::new(Ipv4Addr::new(a, b, c, d).into(), port);
            Some((Source::Client(client), told))
        }
        0x21 => {
            let (addresses, told) = rest.split_first_chunk::<36>()?;
            let (source, rest) = addresses.split_first_chunk::<16>()?;
            let (_destination, ports) = rest.split_first_chunk::<16>()?;
            let port = u16::from_be_bytes(*ports.first_chunk()?);
            let client = SocketAddr::new(Ipv6Addr::from(*source).into(), port);
            Some((Source::Client(client), told))
        }
        0x12 => Some((Source::Proxy, rest.get(12..)?)),
        0x22 => Some((Source::Proxy, rest.get(36..)?)),
        0x31 | 0x32 => Some((Source::Proxy, rest.get(216..)?)),
        // Nothing says how long the address is, and so nothing where it ends.
        _ => Some((Source::Proxy, &[])),
    }
}

/// RFC 4960, Appendix B. Headers are short and most have no checksum: no table is worth its memory.
fn crc32c(bytes: impl Iterator<Item = u8>) -> u32 {
    let step = |sum: u32, _| (sum >> 1) ^ (0x82f6_3b78 & (sum & 1).wrapping_neg());
    !bytes.fold(!0, |sum, byte| (0..8).fold(sum ^ u32::from(byte), step))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Result<Taken, HeaderError> {
        HeaderReader::default().read(bytes)
    }

    fn source(bytes: &[u8]) -> Result<Option<Source>, HeaderError> {
        read(bytes).map(|taken| taken.source)
    }

    fn client(address: &str) -> Source {
        Source::Client(address.parse().unwrap())
    }

    fn block(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [V2, &[command, family], &length, rest].concat()
    }

    const V4: &[u8] = &[192, 0, 2, 1, 198, 51, 100, 1, 0xdb, 0xfc, 0x14, 0x66];

    #[test]
    fn version_1_names_the_client_s2_1() {
        let line = b"PROXY TCP4 192.0.2.1 198.51.100.1 56316 5222\r\n<?xml";
        let taken = read(line).unwrap();
        assert_eq!(taken.bytes, line.len() - 5, "what follows is the client's");
        assert_eq!(taken.source, Some(client("192.0.2.1:56316")));
        assert_eq!(
            source(b"PROXY TCP6 2001:db8::1 2001:DB8::2 0 65535\r\n"),
            Ok(Some(client("[2001:db8::1]:0")))
        );
    }

    #[test]
    fn unknown_is_the_connection_itself_s2_1() {
        for line in ["PROXY UNKNOWN\r\n", "PROXY UNKNOWN ffff::1 x \t y\r\n"] {
            assert_eq!(source(line.as_bytes()), Ok(Some(Source::Proxy)));
        }
    }

    #[test]
    fn a_line_that_does_not_match_exactly_is_refused_s2_1() {
        for line in [
            "PROXY TCP4 192.0.2.1 198.51.100.1 56316\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 56316 5222 \r\n",
            "PROXY TCP4 192.0.2.1  198.51.100.1 56316 5222\r\n",
            "PROXY TCP4 192.0.2.01 198.51.100.1 56316 5222\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 056316 5222\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 +6316 5222\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 65536 5222\r\n",
            "PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
            "PROXY TCP6 192.0.2.1 198.51.100.1 1 2\r\n",
            "PROXY TCP4 192.0.2.1 nobody 1 2\r\n",
            "PROXY UDP4 192.0.2.1 198.51.100.1 1 2\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 1 2\n\r\n",
            "PROXY UNKNOWNS\r\n",
            "PROXY \r\n",
        ] {
            let refused = source(line.as_bytes());
            assert_eq!(refused, Err(HeaderError::Malformed), "{line:?}");
        }
        assert_eq!(
            source(format!("PROXY UNKNOWN {}\r\n", "x".repeat(92)).as_bytes()),
            Err(HeaderError::TooLong)
        );
        assert_eq!(source(b"PROXY TCP4 192.0.2.1\n"), Ok(None), "not the end");
    }

    #[test]
    fn what_begins_otherwise_is_no_header_from_its_first_byte_that_differs_s2() {
        for garbage in ["<", "\u{16}", "GET", "PROXI", "\r\n\r\r", "proxy "] {
            let refused = source(garbage.as_bytes());
            assert_eq!(refused, Err(HeaderError::Missing), "{garbage:?}");
        }
        assert!(HeaderReader::can_begin_with(b'P') && HeaderReader::can_begin_with(b'\r'));
        assert!(!HeaderReader::can_begin_with(b'<') && !HeaderReader::can_begin_with(22));
    }

    #[test]
    fn version_2_names_the_client_s2_2() {
        assert_eq!(
            source(&block(0x21, 0x11, V4)),
            Ok(Some(client("192.0.2.1:56316")))
        );
        let (one, two) = ("2001:db8::1".parse::<Ipv6Addr>(), "::1".parse::<Ipv6Addr>());
        let addresses = [
            &one.unwrap().octets()[..],
            &two.unwrap().octets(),
            &[0x14, 0x66, 0, 1],
        ];
        assert_eq!(
            source(&block(0x21, 0x21, &addresses.concat())),
            Ok(Some(client("[2001:db8::1]:5222")))
        );
    }

    #[test]
    fn local_and_other_families_are_the_connection_itself_s2_2() {
        for header in [
            block(0x20, 0x00, &[]),
            block(0x20, 0x11, &[1, 2, 3]),
            block(0x21, 0x00, &[1, 2, 3]),
            block(0x21, 0x12, V4),
            block(0x21, 0x31, &[0; 216]),
        ] {
            assert_eq!(source(&header), Ok(Some(Source::Proxy)), "{header:x?}");
        }
    }

    #[test]
    fn version_2_is_refused_where_it_violates_s2_2() {
        for header in [
            block(0x11, 0x11, V4),
            block(0x22, 0x11, V4),
            block(0x21, 0x41, V4),
            block(0x21, 0x13, V4),
            block(0x21, 0x11, &[0; 11]),
            block(0x21, 0x11, &[V4, &[4, 0, 9, 1]].concat()),
        ] {
            assert_eq!(source(&header), Err(HeaderError::Malformed), "{header:x?}");
        }
        let long = block(0x21, 0x11, &[0; LONGEST_HEADER]);
        assert_eq!(source(&long), Err(HeaderError::TooLong));
    }

    #[test]
    fn what_is_told_beyond_is_skipped_and_a_checksum_counts_s2_2_3() {
        let alpn = [1, 0, 3, b'a', b'b', b'c'];
        let sum = [CRC32C, 0, 4, 0, 0, 0, 0];
        let mut header = block(0x21, 0x11, &[V4, &alpn, &sum, &alpn].concat());
        let right = crc32c(header.iter().copied()).to_be_bytes();
        let place = header.len() - alpn.len() - 4;
        assert_eq!(source(&header), Err(HeaderError::Checksum));
        header[place..place + 4].copy_from_slice(&right);
        assert_eq!(source(&header), Ok(Some(client("192.0.2.1:56316"))));
        header[16] ^= 1;
        assert_eq!(source(&header), Err(HeaderError::Checksum));
    }

    #[test]
    fn crc32c_of_the_check_string_is_known() {
        assert_eq!(crc32c(b"123456789".iter().copied()), 0xe306_9283);
    }

    proptest! {
        #[test]
        fn any_cut_reads_the_same(
            version_2: bool, address: [u8; 4], port: u16,
            cuts in prop::collection::vec(1usize..60, 0..60), rest in prop::collection::vec(any::<u8>(), 0..20),
        ) {
            let expected = SocketAddr::new(Ipv4Addr::from(address).into(), port);
            let header = if version_2 {
                let port = port.to_be_bytes();
                block(0x21, 0x11, &[&address[..], &[127, 0, 0, 1], &port, &[0, 1]].concat())
            } else {
                format!("PROXY TCP4 {} 127.0.0.1 {port} 1\r\n", expected.ip()).into_bytes()
            };
            let all = [&header[..], &rest].concat();
            let mut reader = HeaderReader::default();
            let (mut at, mut cuts) = (0, cuts.into_iter());
            loop {
                let end = cuts.next().map_or(all.len(), |cut| all.len().min(at + cut));
                let taken = reader.read(&all[at..end]).unwrap();
                at += taken.bytes;
                if let Some(source) = taken.source {
                    prop_assert_eq!(source, Source::Client(expected));
                    break;
                }
            }
            prop_assert_eq!(at, header.len());
        }

        #[test]
        fn any_bytes_are_read_or_refused(
            start in prop::sample::select(vec![V1, V2, b""]), rest in prop::collection::vec(any::<u8>(), 0..600),
        ) {
            let mut reader = HeaderReader::default();
            let all = [start, &rest].concat();
            if let Ok(taken) = reader.read(&all) {
                prop_assert!(taken.bytes <= all.len());
                prop_assert!(reader.seen.len() <= LONGEST_HEADER);
            }
        }
    }
}
