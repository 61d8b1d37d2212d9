//! XEP-0441: Message Archive Management Preferences.

use crate::{Condition, Jid, ns};
use rookery_xml::Element;

/// With whom an account's messages are archived (§2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preferences {
    /// Whether those with anybody else are.
    pub default: Policy,
    /// Messages exchanged with these are.
    pub always: Vec<Jid>,
    /// Messages exchanged with these are not.
    pub never: Vec<Jid>,
}

/// Whether messages are archived that no list speaks about (§2.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Policy {
    /// All are.
    Always,
    /// None is.
    Never,
    /// Those are that are exchanged with somebody in the roster.
    Roster,
}

/// A `<prefs/>` that cannot be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PreferencesError {
    /// It is another element.
    #[error("another element")]
    OtherElement,
    /// `default` is missing, or none of the three.
    #[error("default is neither always nor never nor roster")]
    BadDefault,
    /// A list is there twice.
    #[error("{0} is given twice")]
    Repeated(&'static str),
    /// An entry of a list is no address.
    #[error("an entry of {0} is no address")]
    BadJid(&'static str),
}

impl Policy {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Never => "never",
            Self::Roster => "roster",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Always, Self::Never, Self::Roster]
            .into_iter()
            .find(|policy| policy.as_str() == name)
    }
}

impl Preferences {
    /// The name of the element, in a request and in a result.
    pub const NAME: &'static str = "prefs";

    /// Preferences without exceptions.
    pub fn new(default: Policy) -> Self {
        Self {
            default,
            always: Vec::new(),
            never: Vec::new(),
        }
    }

    /// The `<prefs/>` element; both lists are there, even if they are empty (§2.1).
    pub fn to_element(&self) -> Element {
        Element::new(Self::NAME, ns::ARCHIVE)
            .with_attribute("default", self.default.as_str())
            .with_child(list("always", &self.always))
            .with_child(list("never", &self.never))
    }

    /// Reads a `<prefs/>` element; a list that is missing is empty (§2.1.2, §2.1.3).
    ///
    /// # Errors
    /// See [`PreferencesError`].
    pub fn parse(element: &Element) -> Result<Self, PreferencesError> {
        if !element.is(Self::NAME, ns::ARCHIVE) {
            return Err(PreferencesError::OtherElement);
        }
        let default = element.attribute("default").and_then(Policy::from_name);
        Ok(Self {
            default: default.ok_or(PreferencesError::BadDefault)?,
            always: entries(element, "always")?,
            never: entries(element, "never")?,
        })
    }
}

impl PreferencesError {
    /// The condition of the answer (RFC 6120 §8.3.3).
    pub fn condition(self) -> Condition {
        match self {
            Self::BadJid(_) => Condition::JidMalformed,
            Self::OtherElement | Self::BadDefault | Self::Repeated(_) => Condition::BadRequest,
        }
    }
}

fn list(name: &'static str, jids: &[Jid]) -> Element {
    let mut list = Element::new(name, ns::ARCHIVE);
    for jid in jids {
        list.push(Element::new("jid", ns::ARCHIVE).with_text(jid.as_str()));
    }
    list
}

fn entries(preferences: &Element, name: &'static str) -> Result<Vec<Jid>, PreferencesError> {
    let mut lists = preferences
        .children()
        .filter(|child| child.is(name, ns::ARCHIVE));
    let Some(list) = lists.next() else {
        return Ok(Vec::new());
    };
    if lists.next().is_some() {
        return Err(PreferencesError::Repeated(name));
    }
    list.children()
        .filter(|child| child.is("jid", ns::ARCHIVE))
        .map(|jid| Jid::parse(jid.text().trim()).map_err(|_| PreferencesError::BadJid(name)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(xml: &str) -> Result<Preferences, PreferencesError> {
        Preferences::parse(&Element::parse_str(xml).unwrap())
    }

    #[test]
    fn examples_of_s2_1_read_and_write() {
        let empty = "<prefs xmlns='urn:xmpp:mam:2' default='roster'><always/><never/></prefs>";
        let roster = Preferences::new(Policy::Roster);
        assert_eq!(roster.to_element().to_bytes(""), empty.as_bytes());
        assert_eq!(parse(empty), Ok(roster.clone()));
        let lists = "<prefs xmlns='urn:xmpp:mam:2' default='roster'><always><jid>romeo@montague.lit</jid></always>\
            <never><jid>montague@montague.lit</jid></never></prefs>";
        let with_lists = Preferences {
            always: vec![Jid::parse("romeo@montague.lit").unwrap()],
            never: vec![Jid::parse("montague@montague.lit").unwrap()],
            ..roster
        };
        assert_eq!(with_lists.to_element().to_bytes(""), lists.as_bytes());
        assert_eq!(parse(lists), Ok(with_lists));
    }

    #[test]
    fn a_missing_list_is_empty_s2_1_2() {
        let xml = "<prefs xmlns='urn:xmpp:mam:2' default='never'/>";
        assert_eq!(parse(xml), Ok(Preferences::new(Policy::Never)));
    }

    #[test]
    fn preferences_that_make_no_sense_are_refused() {
        let rows = [
            (
                "<prefs xmlns='urn:xmpp:mam:2'/>",
                PreferencesError::BadDefault,
            ),
            (
                "<prefs xmlns='urn:xmpp:mam:2' default='maybe'/>",
                PreferencesError::BadDefault,
            ),
            (
                "<prefs xmlns='urn:xmpp:mam:1' default='never'/>",
                PreferencesError::OtherElement,
            ),
            (
                "<prefs xmlns='urn:xmpp:mam:2' default='never'><always/><always/></prefs>",
                PreferencesError::Repeated("always"),
            ),
            (
                "<prefs xmlns='urn:xmpp:mam:2' default='never'><never><jid>@</jid></never></prefs>",
                PreferencesError::BadJid("never"),
            ),
        ];
        for (xml, expected) in rows {
            assert_eq!(parse(xml), Err(expected), "{xml}");
        }
        assert_eq!(
            PreferencesError::BadJid("never").condition(),
            Condition::JidMalformed
        );
        assert_eq!(
            PreferencesError::BadDefault.condition(),
            Condition::BadRequest
        );
    }

    fn jids() -> impl Strategy<Value = Vec<Jid>> {
        let jid = "[a-z]{1,8}@[a-z]{1,8}(/[a-z]{1,8})?";
        prop::collection::vec(jid.prop_map(|jid| Jid::parse(&jid).unwrap()), 0..4)
    }

    proptest! {
        #[test]
        fn all_preferences_come_back(
            default in prop::sample::select(vec![Policy::Always, Policy::Never, Policy::Roster]),
            always in jids(),
            never in jids(),
        ) {
            let preferences = Preferences { default, always, never };
            prop_assert_eq!(Preferences::parse(&preferences.to_element()), Ok(preferences));
        }
    }
}
