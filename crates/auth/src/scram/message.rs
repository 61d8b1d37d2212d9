//! What a SCRAM client sends (RFC 5802 §7).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::ScramError;

/// `gs2-cbind-flag`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag<'a> {
    /// `n`: the client has no channel binding.
    Unsupported,
    /// `y`: the client has channel binding, and believes that the server has none.
    Unoffered,
    /// `p`: the client binds to the channel by this type.
    Required(&'a str),
}

/// `client-first-message`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientFirst<'a> {
    /// `gs2-header`, with its final comma.
    pub gs2_header: &'a str,
    /// The channel binding flag in it.
    pub flag: Flag<'a>,
    /// The authorization identity in it, decoded.
    pub authzid: Option<String>,
    /// `client-first-message-bare`.
    pub bare: &'a str,
    /// The user name in it, decoded.
    pub username: String,
    /// The client's nonce in it.
    pub nonce: &'a str,
}

/// `client-final-message`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientFinal<'a> {
    /// `client-final-message-without-proof`.
    pub without_proof: &'a str,
    /// The value of `c`: the GS2 header and the channel binding data in base 64.
    pub channel_binding: &'a str,
    /// The value of `r`.
    pub nonce: &'a str,
    /// The decoded value of `p`.
    pub proof: Vec<u8>,
}

// === impl ClientFirst ===

impl<'a> ClientFirst<'a> {
    /// Reads the client's first message.
    pub fn parse(message: &'a [u8]) -> Result<Self, ScramError> {
        let message = text(message)?;
        let (flag, rest) = message.split_once(',').ok_or(ScramError::Syntax)?;
        let (authzid, bare) = rest.split_once(',').ok_or(ScramError::Syntax)?;
        let flag = match flag {
            "n" => Flag::Unsupported,
            "y" => Flag::Unoffered,
            required => Flag::Required(binding_name(required)?),
        };
        let authzid = match authzid {
            "" => None,
            given => Some(saslname(attribute(given, 'a')?)?),
        };
        // The header is what stands before `bare`.
        let (gs2_header, _) = message
            .split_at_checked(message.len() - bare.len())
            .ok_or(ScramError::Syntax)?;
        let mut parts = bare.split(',');
        let username = saslname(attribute(next(&mut parts)?, 'n')?)?;
        let nonce = printable(attribute(next(&mut parts)?, 'r')?)?;
        parts.try_for_each(extension)?;
        Ok(Self {
            gs2_header,
            flag,
            authzid,
            bare,
            username,
            nonce,
        })
    }
}

// === impl ClientFinal ===

impl<'a> ClientFinal<'a> {
    /// Reads the client's final message.
    pub fn parse(message: &'a [u8]) -> Result<Self, ScramError> {
        let (without_proof, proof) = text(message)?.rsplit_once(',').ok_or(ScramError::Syntax)?;
        let mut parts = without_proof.split(',');
        let channel_binding = attribute(next(&mut parts)?, 'c')?;
        let nonce = printable(attribute(next(&mut parts)?, 'r')?)?;
        parts.try_for_each(extension)?;
        let proof = STANDARD
            .decode(attribute(proof, 'p')?)
            .map_err(|_| ScramError::Syntax)?;
        Ok(Self {
            without_proof,
            channel_binding,
            nonce,
            proof,
        })
    }
}

/// A whole message: UTF-8 without NUL.
fn text(message: &[u8]) -> Result<&str, ScramError> {
    std::str::from_utf8(message)
        .ok()
        .filter(|text| !text.contains('\0'))
        .ok_or(ScramError::Syntax)
}

/// The next attribute; an unknown mandatory extension in its place is told apart (§5.1).
fn next<'a>(parts: &mut impl Iterator<Item = &'a str>) -> Result<&'a str, ScramError> {
    let part = parts.next().ok_or(ScramError::Syntax)?;
    if part.starts_with("m=") {
        Err(ScramError::Extension)
    } else {
        Ok(part)
    }
}

/// The value of the attribute that has to stand here: `name "=" 1*value-char`.
fn attribute(part: &str, name: char) -> Result<&str, ScramError> {
    part.strip_prefix(name)
        .and_then(|rest| rest.strip_prefix('='))
        .filter(|value| !value.is_empty())
        .ok_or(ScramError::Syntax)
}

/// An optional extension, which is ignored (§5.1). Attributes that RFC 5802 defines have their places
/// and are none.
fn extension(part: &str) -> Result<(), ScramError> {
    let (name, value) = part.split_once('=').ok_or(ScramError::Syntax)?;
    match name {
        "m" => Err(ScramError::Extension),
        "a" | "n" | "r" | "c" | "s" | "i" | "p" | "v" | "e" => Err(ScramError::Syntax),
        _ if name.len() != 1 || value.is_empty() => Err(ScramError::Syntax),
        _ if name.bytes().all(|byte| byte.is_ascii_alphabetic()) => Ok(()),
        _ => Err(ScramError::Syntax),
    }
}

/// `"p=" cb-name`.
fn binding_name(flag: &str) -> Result<&str, ScramError> {
    let name = attribute(flag, 'p')?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-';
    if name.bytes().all(allowed) {
        Ok(name)
    } else {
        Err(ScramError::Syntax)
    }
}

/// `saslname`: `=2C` stands for a comma, `=3D` for an equals sign, and nothing else follows one.
fn saslname(value: &str) -> Result<String, ScramError> {
    let mut pieces = value.split('=');
    let mut name = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (sign, rest) = match piece.split_at_checked(2) {
            Some(("2C", rest)) => (',', rest),
            Some(("3D", rest)) => ('=', rest),
            _ => return Err(ScramError::Syntax),
        };
        name.push(sign);
        name.push_str(rest);
    }
    Ok(name)
}

/// Printable ASCII; a comma cannot occur, since it ends the attribute.
fn printable(value: &str) -> Result<&str, ScramError> {
    if value.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(value)
    } else {
        Err(ScramError::Syntax)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn first(message: &str) -> Result<ClientFirst<'_>, ScramError> {
        ClientFirst::parse(message.as_bytes())
    }

    fn last(message: &str) -> Result<ClientFinal<'_>, ScramError> {
        ClientFinal::parse(message.as_bytes())
    }

    #[test]
    fn the_parts_of_a_first_message_are_found() {
        let message = first("p=tls-exporter,a=o=2Cx,n=us=3Der,r=abc,x=1=2,Y=z").unwrap();
        assert_eq!(message.gs2_header, "p=tls-exporter,a=o=2Cx,");
        assert_eq!(message.flag, Flag::Required("tls-exporter"));
        assert_eq!(message.authzid.as_deref(), Some("o,x"));
        assert_eq!(message.bare, "n=us=3Der,r=abc,x=1=2,Y=z");
        assert_eq!(message.username, "us=er");
        assert_eq!(message.nonce, "abc");
        assert_eq!(first("n,,n=a,r=b").unwrap().flag, Flag::Unsupported);
        assert_eq!(first("y,,n=a,r=b").unwrap().flag, Flag::Unoffered);
    }

    #[test]
    fn a_first_message_outside_of_the_syntax_of_rfc_5802_s7_is_refused() {
        for message in [
            "",
            "n",
            "n,",
            "n,,",
            "n,,n=user",
            "n,,r=abc,n=user",
            "n,,n=,r=abc",
            "n,,n=user,r=",
            "n,,n=user,r=a b",
            "n,,n=user,r=\u{e4}",
            "n,,n=us=er,r=abc",
            "n,,n=us=2c,r=abc",
            "n,,n=us=,r=abc",
            "n,,n=user\0,r=abc",
            "n,a=,n=user,r=abc",
            "n,b=x,n=user,r=abc",
            "N,,n=user,r=abc",
            "F,n,,n=user,r=abc",
            "p=,,n=user,r=abc",
            "p=a_b,,n=user,r=abc",
            "p,,n=user,r=abc",
            "n,,n=user,r=abc,",
            "n,,n=user,r=abc,x=",
            "n,,n=user,r=abc,xy=1",
            "n,,n=user,r=abc,1=1",
            "n,,n=user,r=abc,r=def",
            "n,,n=user,r=abc,n=other",
        ] {
            assert_eq!(first(message), Err(ScramError::Syntax), "{message:?}");
        }
        assert_eq!(
            ClientFirst::parse(b"n,,n=\xFF,r=abc"),
            Err(ScramError::Syntax)
        );
    }

    #[test]
    fn a_mandatory_extension_fails_the_exchange_as_rfc_5802_s5_1_demands() {
        for message in [
            "n,,m=x,n=user,r=abc",
            "n,,n=user,m=x,r=abc",
            "n,,n=user,r=abc,m=x",
        ] {
            assert_eq!(first(message), Err(ScramError::Extension), "{message}");
        }
        assert_eq!(last("c=biws,r=abc,m=x,p=AAAA"), Err(ScramError::Extension));
    }

    #[test]
    fn the_parts_of_a_final_message_are_found() {
        let message = last("c=biws,r=abc,x=1,p=AAEC").unwrap();
        assert_eq!(message.without_proof, "c=biws,r=abc,x=1");
        assert_eq!(message.channel_binding, "biws");
        assert_eq!(message.nonce, "abc");
        assert_eq!(message.proof, [0, 1, 2]);
    }

    #[test]
    fn a_final_message_outside_of_the_syntax_of_rfc_5802_s7_is_refused() {
        for message in [
            "",
            "c=biws,r=abc",
            "r=abc,c=biws,p=AAEC",
            "c=biws,p=AAEC",
            "c=biws,r=abc,p=",
            "c=biws,r=abc,p=AAE",
            "c=biws,r=abc,p=AAEC,x=1",
            "c=biws,r=abc,p=AAEC,p=AAEC",
            "c=biws,r=abc,p=AA EC",
            "c=biws,r=abc,p=AB==",
            "c=,r=abc,p=AAEC",
        ] {
            assert_eq!(last(message), Err(ScramError::Syntax), "{message:?}");
        }
    }

    proptest! {
        #[test]
        fn no_message_breaks_the_parsers(message in "[nypacrmx=,2CD3 -~\u{e4}\0]{0,60}") {
            drop(ClientFirst::parse(message.as_bytes()));
            drop(ClientFinal::parse(message.as_bytes()));
        }

        #[test]
        fn names_survive_their_encoding(name in "[^\0]{1,40}") {
            let encoded = name.replace('=', "=3D").replace(',', "=2C");
            let message = format!("n,a={encoded},n={encoded},r=abc");
            let read = ClientFirst::parse(message.as_bytes()).unwrap();
            prop_assert_eq!(&read.username, &name);
            prop_assert_eq!(read.authzid, Some(name));
        }
    }
}
