//! Preparation of the three parts of an address (RFC 7622 §3.2 to §3.4, RFC 6122 §2).
//!
//! Each part is prepared by RFC 7622: the domain by IDNA, the localpart by UsernameCaseMapped, the
//! resourcepart by OpaqueString (RFC 8265). Where PRECIS refuses a localpart or a resourcepart, Nodeprep or
//! Resourceprep of RFC 6122 is tried instead: an address that another server lives with is better carried
//! than lost. What nearly all addresses are made of is recognised first, and takes no preparation.

use super::{JidError, JidFault, JidPart};
use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};
use precis_profiles::precis_core::profile::PrecisFastInvocation;
use precis_profiles::{OpaqueString, UsernameCaseMapped};
use std::borrow::Cow;
use std::net::Ipv6Addr;
use stringprep::tables;
use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// The most octets that any part may have (RFC 7622 §3.2 to §3.4).
const MAX_PART: usize = 1023;
/// The most octets that a domain name may have as text (RFC 1034 §3.1: 255 as lengths and labels).
const MAX_DOMAIN: usize = 253;
/// The most octets that a label of a domain name may have (RFC 1034 §3.1).
const MAX_LABEL: usize = 63;

/// True for parts that are prepared as they stand, as nearly all are that a server meets: ASCII, before the
/// resourcepart in lower case. False says nothing.
pub(super) fn is_plain(local: Option<&str>, domain: &str, resource: Option<&str>) -> bool {
    let has_length = |part: &str| matches!(part.len(), 1..=MAX_PART);
    let is_local = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'+' | b'=' | b'%' | b'\\');
    is_plain_domain(domain)
        && local.is_none_or(|local| has_length(local) && local.bytes().all(is_local))
        && resource.is_none_or(|resource| {
            has_length(resource) && resource.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        })
}

/// True for a domain that is in lower case and short, without an empty label, a hyphen at an end of a label,
/// or an A-label: all of these have two separators side by side, or one at an end.
fn is_plain_domain(domain: &str) -> bool {
    let mut after_separator = true;
    for byte in domain.bytes() {
        let separator = match byte {
            b'a'..=b'z' | b'0'..=b'9' => false,
            b'.' | b'-' if !after_separator => true,
            _ => return false,
        };
        after_separator = separator;
    }
    !after_separator && domain.len() <= MAX_LABEL
}

/// Prepares a localpart (RFC 7622 §3.3).
pub(super) fn localpart(text: &str) -> Result<Cow<'_, str>, JidError> {
    let prepared = if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        lowercase(text)
    } else {
        check_length(text, JidPart::Local)?;
        precis::<UsernameCaseMapped>(text)
            .or_else(|| nodeprep(text).map(older::<UsernameCaseMapped>))
            .map(Cow::Owned)
            .ok_or(JidPart::Local.fault(JidFault::NotAllowed))?
    };
    check_localpart(&prepared)?;
    Ok(prepared)
}

/// Prepares a resourcepart (RFC 7622 §3.4).
pub(super) fn resourcepart(text: &str) -> Result<Cow<'_, str>, JidError> {
    check_length(text, JidPart::Resource)?;
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Ok(Cow::Borrowed(text));
    }
    let prepared = precis::<OpaqueString>(text)
        .or_else(|| resourceprep(text).map(older::<OpaqueString>))
        .ok_or(JidPart::Resource.fault(JidFault::NotAllowed))?;
    check_length(&prepared, JidPart::Resource)?;
    Ok(Cow::Owned(prepared))
}

/// Prepares a domainpart (RFC 7622 §3.2): a name, whose A-labels become U-labels, or an IP address.
pub(super) fn domainpart(text: &str) -> Result<Cow<'_, str>, JidError> {
    // §3.2: a final dot is removed before anything else is done.
    let domain = text.strip_suffix('.').unwrap_or(text);
    check_length(domain, JidPart::Domain)?;
    if let Some(address) = domain.strip_prefix('[') {
        return ipv6(address);
    }
    if domain.is_ascii() && !domain.split('.').any(is_a_label) {
        check_ascii_domain(domain)?;
        return Ok(lowercase(domain));
    }
    let idna = Uts46::new();
    let not_allowed = JidPart::Domain.fault(JidFault::NotAllowed);
    let (unicode, valid) = idna.to_unicode(
        domain.as_bytes(),
        AsciiDenyList::STD3,
        Hyphens::CheckFirstLast,
    );
    valid.map_err(|_| not_allowed)?;
    // The limits of RFC 1034 hold for the name as DNS sees it.
    idna.to_ascii(
        unicode.as_bytes(),
        AsciiDenyList::STD3,
        Hyphens::CheckFirstLast,
        DnsLength::Verify,
    )
    .map_err(|_| not_allowed)?;
    Ok(unicode)
}

/// Checks and maps a localpart by RFC 7622 §3.3 alone: UsernameCaseMapped, and the characters excluded in
/// §3.3.1. This is what a new account's name has to pass.
///
/// # Errors
/// When it is empty, too long, or has characters that are not allowed.
pub fn enforce_localpart(text: &str) -> Result<String, JidError> {
    check_length(text, JidPart::Local)?;
    let enforced =
        precis::<UsernameCaseMapped>(text).ok_or(JidPart::Local.fault(JidFault::NotAllowed))?;
    check_localpart(&enforced)?;
    Ok(enforced)
}

/// Checks and maps a resourcepart by RFC 7622 §3.4 alone: OpaqueString, and no space at its beginning
/// (§3.5, example 18). This is what a resource that a client asks for has to pass.
///
/// # Errors
/// When it is empty, too long, or has characters that are not allowed.
pub fn enforce_resourcepart(text: &str) -> Result<String, JidError> {
    check_length(text, JidPart::Resource)?;
    let enforced = precis::<OpaqueString>(text)
        .filter(|enforced| !enforced.starts_with(' '))
        .ok_or(JidPart::Resource.fault(JidFault::NotAllowed))?;
    check_length(&enforced, JidPart::Resource)?;
    Ok(enforced)
}

/// Applies a PRECIS profile until its result is stable. A text that is not after three more rounds is
/// refused (RFC 8264 §7).
fn precis<Profile: PrecisFastInvocation>(text: &str) -> Option<String> {
    let mut current = Profile::enforce(text).ok()?;
    for _ in 0..3 {
        let again = Profile::enforce(current.as_ref()).ok()?.into_owned();
        if again == current {
            return Some(again);
        }
        current = Cow::Owned(again);
    }
    None
}

/// A text prepared by an older profile, again by the newer one if that accepts it: what is prepared stays as it
/// is when prepared once more.
fn older<Profile: PrecisFastInvocation>(prepared: String) -> String {
    precis::<Profile>(&prepared).unwrap_or(prepared)
}

/// Nodeprep (RFC 6122 Appendix A). Code points that are newer than its tables are refused before they are
/// mapped, too: what they are mapped to today, the tables do not fold to lower case.
fn nodeprep(text: &str) -> Option<String> {
    let known = !text.contains(tables::unassigned_code_point);
    if known {
        stringprep::nodeprep(text).ok().map(Cow::into_owned)
    } else {
        None
    }
}

/// Resourceprep (RFC 6122 Appendix B) as for a query (RFC 3454 §7): code points that are newer than its
/// tables are let through, if Unicode has them today. It is what lets new emoji into nicknames.
fn resourceprep(text: &str) -> Option<String> {
    let prepared: String = text
        .chars()
        .filter(|&c| !tables::commonly_mapped_to_nothing(c))
        .nfkc()
        .collect();
    let allowed = prepared
        .chars()
        .all(|c| !is_prohibited(c) && c.general_category() != GeneralCategory::Unassigned);
    (allowed && is_bidi_ordered(&prepared)).then_some(prepared)
}

/// What Resourceprep prohibits (RFC 6122 §B.5): tables C.1.2 and C.2.1 to C.9 of RFC
/// 3454.
fn is_prohibited(c: char) -> bool {
    tables::non_ascii_space_character(c)
        || tables::ascii_control_character(c)
        || tables::non_ascii_control_character(c)
        || tables::private_use(c)
        || tables::non_character_code_point(c)
        || tables::surrogate_code(c)
        || tables::inappropriate_for_plain_text(c)
        || tables::inappropriate_for_canonical_representation(c)
        || tables::change_display_properties_or_deprecated(c)
        || tables::tagging_character(c)
}

/// The rule for text in both directions (RFC 3454 §6).
fn is_bidi_ordered(text: &str) -> bool {
    !text.contains(tables::bidi_r_or_al)
        || (!text.contains(tables::bidi_l)
            && text.starts_with(tables::bidi_r_or_al)
            && text.ends_with(tables::bidi_r_or_al))
}

/// Checks what holds for a prepared localpart in addition to its profile.
fn check_localpart(prepared: &str) -> Result<(), JidError> {
    check_length(prepared, JidPart::Local)?;
    // RFC 7622 §3.3.1.
    if prepared.contains(['"', '&', '\'', '/', ':', '<', '>', '@']) {
        return Err(JidPart::Local.fault(JidFault::NotAllowed));
    }
    Ok(())
}

/// Checks the number of octets of any part.
fn check_length(text: &str, part: JidPart) -> Result<(), JidError> {
    match text.len() {
        0 => Err(part.fault(JidFault::Empty)),
        1..=MAX_PART => Ok(()),
        _ => Err(part.fault(JidFault::TooLong)),
    }
}

/// Checks that a name has only NR-LDH labels (RFC 7622 §3.2.1, RFC 5890 §2.3.1) and keeps the limits of DNS.
fn check_ascii_domain(domain: &str) -> Result<(), JidError> {
    let is_ldh = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    for label in domain.split('.') {
        if label.len() > MAX_LABEL {
            return Err(JidPart::Domain.fault(JidFault::TooLong));
        }
        let ldh = !label.is_empty() && label.bytes().all(is_ldh);
        if !ldh || label.starts_with('-') || label.ends_with('-') {
            return Err(JidPart::Domain.fault(JidFault::NotAllowed));
        }
    }
    if domain.len() > MAX_DOMAIN {
        return Err(JidPart::Domain.fault(JidFault::TooLong));
    }
    Ok(())
}

/// True for a label in the ASCII form of IDNA (RFC 5890 §2.3.2.1).
fn is_a_label(label: &str) -> bool {
    label
        .get(..4)
        .is_some_and(|prefix| prefix.eq_ignore_ascii_case("xn--"))
}

/// Prepares an IPv6 address, given without its opening bracket (RFC 7622 §3.2, RFC 3986 §3.2.2).
fn ipv6(text: &str) -> Result<Cow<'_, str>, JidError> {
    text.strip_suffix(']')
        .and_then(|address| address.parse::<Ipv6Addr>().ok())
        .map(|address| Cow::Owned(format!("[{address}]")))
        .ok_or(JidPart::Domain.fault(JidFault::NotAllowed))
}

/// ASCII in lower case, without allocation when it is already.
fn lowercase(text: &str) -> Cow<'_, str> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        Cow::Borrowed(text)
    }
}
