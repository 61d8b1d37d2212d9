//! XEP-0359: Unique and Stable Stanza IDs.

use std::io::Write as _;

use crate::{BareJid, Jid, RowId, Stanza, ns};
use rookery_xml::Element;

/// The id that an account or a room has given to a stanza (§2.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StanzaId {
    /// The id, unique among those of `by`.
    pub id: Box<str>,
    /// Who has given it.
    pub by: Jid,
}

/// The id that the sender has given to a stanza (§2.2). Anybody can claim any, so that it says nothing about
/// who the sender is (§6).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OriginId(pub Box<str>);

/// An element that is not as §3 demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StanzaIdError {
    /// It is another element.
    #[error("another element")]
    OtherElement,
    /// It has no `id`.
    #[error("id is missing")]
    NoId,
    /// It has no `by`, or one that is no address.
    #[error("by is no address")]
    BadBy,
    /// It has children or text.
    #[error("it is not empty")]
    NotEmpty,
}

impl StanzaId {
    /// The name of the element.
    pub const NAME: &'static str = "stanza-id";

    /// The `<stanza-id/>` element.
    pub fn to_element(&self) -> Element {
        Element::new(Self::NAME, ns::STANZA_ID)
            .with_attribute("id", self.id.to_string())
            .with_attribute("by", self.by.as_str().to_owned())
    }

    /// Adds the element to a stanza: the id of its row in the log of the account `by`.
    pub fn add(stanza: &mut Stanza, row: RowId, by: &BareJid) {
        stanza.add_written(ns::STANZA_ID, Self::NAME, |out| {
            // Neither an id nor an account's address has anything in it to be escaped (RFC 7622 §3.3.1); and
            // there is room for all that is written to a vector.
            let by = by.as_str();
            drop(write!(
                out,
                "<stanza-id xmlns='urn:xmpp:sid:0' id='{row}' by='{by}'/>"
            ));
        });
    }

    /// Reads a `<stanza-id/>` element.
    ///
    /// # Errors
    /// See [`StanzaIdError`].
    pub fn parse(element: &Element) -> Result<Self, StanzaIdError> {
        Ok(Self {
            id: id(element, Self::NAME)?,
            by: given_by(element).ok_or(StanzaIdError::BadBy)?,
        })
    }

    /// Takes out each `<stanza-id/>` that claims to be by `owner`, which alone may say so (§3, rule 2). All
    /// others stay (rule 3). A stanza without any is not looked into.
    pub fn remove_forged(stanza: &mut Stanza, owner: &BareJid) {
        if !stanza.has(Self::NAME, ns::STANZA_ID) {
            return;
        }
        let Ok(children) = stanza.children() else {
            return;
        };
        // Names stand in the order of the children.
        let mut forged = children.iter().map(|child| {
            child.is(Self::NAME, ns::STANZA_ID)
                && given_by(child).is_some_and(|by| by.is_bare() && by.bare() == *owner)
        });
        stanza.retain(|_| !forged.next().unwrap_or(false));
    }
}

impl OriginId {
    /// The name of the element.
    pub const NAME: &'static str = "origin-id";

    /// The `<origin-id/>` element.
    pub fn to_element(&self) -> Element {
        Element::new(Self::NAME, ns::STANZA_ID).with_attribute("id", self.0.to_string())
    }

    /// Reads an `<origin-id/>` element.
    ///
    /// # Errors
    /// See [`StanzaIdError`].
    pub fn parse(element: &Element) -> Result<Self, StanzaIdError> {
        id(element, Self::NAME).map(Self)
    }
}

/// The id of an empty element of this name.
fn id(element: &Element, name: &str) -> Result<Box<str>, StanzaIdError> {
    if !element.is(name, ns::STANZA_ID) {
        return Err(StanzaIdError::OtherElement);
    }
    if element.has_text() || element.children().next().is_some() {
        return Err(StanzaIdError::NotEmpty);
    }
    let id = element.attribute("id").ok_or(StanzaIdError::NoId)?;
    Ok(id.into())
}

/// Who has given an id, with the address prepared: two ways to write it are one address (§3, rule 7).
fn given_by(element: &Element) -> Option<Jid> {
    Jid::parse(element.attribute("by")?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ROOM_ID: &str =
        "<stanza-id xmlns='urn:xmpp:sid:0' id='de305d54' by='room@muc.example.com'/>";

    fn juliet() -> BareJid {
        BareJid::parse("juliet@capulet.lit").unwrap()
    }

    fn without_forged(payload: &str) -> String {
        let xml = format!("<message>{payload}</message>");
        let mut stanza = Stanza::parse_again(xml.into()).unwrap();
        StanzaId::remove_forged(&mut stanza, &juliet());
        // What is left can still be read child by child.
        assert_eq!(stanza.children().unwrap().len(), stanza.names().len());
        String::from_utf8(stanza.payload().to_vec()).unwrap()
    }

    #[test]
    fn ids_of_s2_read_and_write() {
        let id = StanzaId {
            id: "de305d54".into(),
            by: Jid::parse("room@muc.example.com").unwrap(),
        };
        assert_eq!(id.to_element().to_bytes(""), ROOM_ID.as_bytes());
        assert_eq!(
            StanzaId::parse(&Element::parse_str(ROOM_ID).unwrap()),
            Ok(id)
        );
        let xml = "<origin-id xmlns='urn:xmpp:sid:0' id='de305d54'/>";
        let origin = OriginId("de305d54".into());
        assert_eq!(origin.to_element().to_bytes(""), xml.as_bytes());
        assert_eq!(
            OriginId::parse(&Element::parse_str(xml).unwrap()),
            Ok(origin)
        );
    }

    #[test]
    fn id_of_a_row_is_added_as_the_element_would_be() {
        let row = RowId::from_halves(7, u64::MAX);
        let body = "<message><body>Call me but love</body></message>";
        let mut added = Stanza::parse_again(body.into()).unwrap();
        let mut appended = added.clone();
        StanzaId::add(&mut added, row, &juliet());
        let id = StanzaId {
            id: row.to_string().into(),
            by: juliet().to_jid(),
        };
        appended.append(id.to_element());
        assert_eq!(added.payload(), appended.payload());
        assert_eq!(StanzaId::parse(&added.children().unwrap()[1]), Ok(id));
    }

    #[test]
    fn ids_have_their_attributes_and_nothing_inside_s3() {
        let parse = |attributes: &str, content: &str| {
            let xml =
                format!("<stanza-id xmlns='urn:xmpp:sid:0' {attributes}>{content}</stanza-id>");
            StanzaId::parse(&Element::parse_str(&xml).unwrap()).unwrap_err()
        };
        assert_eq!(parse("by='a@b'", ""), StanzaIdError::NoId);
        assert_eq!(parse("id='1'", ""), StanzaIdError::BadBy);
        assert_eq!(parse("id='1' by='@'", ""), StanzaIdError::BadBy);
        assert_eq!(parse("id='1' by='a@b'", "x"), StanzaIdError::NotEmpty);
        assert_eq!(
            parse("id='1' by='a@b'", "<x xmlns='y'/>"),
            StanzaIdError::NotEmpty
        );
        let origin = Element::parse_str("<origin-id xmlns='urn:xmpp:sid:0' id='1'/>").unwrap();
        assert_eq!(StanzaId::parse(&origin), Err(StanzaIdError::OtherElement));
    }

    #[test]
    fn ids_that_claim_to_be_by_the_account_are_removed_s3() {
        let forged = "<stanza-id xmlns='urn:xmpp:sid:0' id='1' by='juliet@capulet.lit'/>";
        let shouted = "<stanza-id xmlns='urn:xmpp:sid:0' by='JULIET@Capulet.LIT' id='1'/>";
        let odd =
            "<stanza-id xmlns='urn:xmpp:sid:0' by='juliet@capulet.lit'>without id</stanza-id>";
        let body = "<body>Call me but love</body>";
        let rows = [
            (format!("{forged}{body}"), body.to_owned()),
            (format!("{body}{shouted}{odd}"), body.to_owned()),
            (
                format!("{forged}{ROOM_ID}{body}{forged}"),
                format!("{ROOM_ID}{body}"),
            ),
        ];
        for (payload, expected) in rows {
            assert_eq!(without_forged(&payload), expected);
        }
    }

    #[test]
    fn ids_by_others_stay_s3() {
        for payload in [
            ROOM_ID,
            "<origin-id xmlns='urn:xmpp:sid:0' id='1'/>",
            "<stanza-id xmlns='urn:xmpp:sid:0' id='1' by='juliet@capulet.lit/balcony'/>",
            "<stanza-id xmlns='urn:xmpp:sid:0' id='1'/>",
            "<stanza-id xmlns='urn:example:other' id='1' by='juliet@capulet.lit'/>",
            "<forwarded xmlns='urn:xmpp:forward:0'><stanza-id xmlns='urn:xmpp:sid:0' id='1' by='juliet@capulet.lit'/></forwarded>",
        ] {
            assert_eq!(without_forged(payload), payload);
        }
    }

    #[test]
    fn ids_with_a_prefix_are_removed_as_well() {
        let payload =
            "<s:stanza-id xmlns:s='urn:xmpp:sid:0' id='1' by='juliet@capulet.lit'/><body/>";
        assert_eq!(without_forged(payload), "<body/>");
    }

    proptest! {
        #[test]
        fn every_id_comes_back(id in "[ -~äé€]{0,40}") {
            let given = StanzaId { id: id.as_str().into(), by: juliet().to_jid() };
            prop_assert_eq!(StanzaId::parse(&given.to_element()), Ok(given));
            let origin = OriginId(id.into());
            prop_assert_eq!(OriginId::parse(&origin.to_element()), Ok(origin));
        }
    }
}
