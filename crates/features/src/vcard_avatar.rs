//! XEP-0153: vCard-Based Avatars.
//!
//! The server knows the photo, so the presence of all clients of an account carries its hash, also that of
//! clients which have not looked at the vCard or do not know of avatars.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost::Message;
use rookery_extension::{
    AccountData, AccountView, Feature, Registry, Spec, Standard, StanzaFilter, Status, Verdict,
};
use rookery_stanza::{Kind, PresenceType, Stanza};
use rookery_storage::record::{Record, RecordError};
use rookery_storage::{DataWrite, Datum, StoreError};
use rookery_xml::Element;
use sha1::{Digest as _, Sha1};

use crate::vcard;

/// The namespace of what presence says about the photo.
const UPDATE: &str = "vcard-temp:x:update";

/// The kind of the record; an account with a photo has one.
const KIND: &str = "vcard_avatar";

/// Puts the hash of an account's photo into the presence of its clients.
#[derive(Debug)]
pub struct VCardAvatar;

/// The SHA-1 hash of the photo of an account's vCard (§3.1), in hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PhotoHash(Box<str>);

#[derive(Clone, PartialEq, Message)]
struct PhotoHashMessage {
    #[prost(string, tag = "1")]
    sha1: String,
}

/// What a client's presence says about the photo (§4.1).
#[derive(Debug, PartialEq, Eq)]
enum Said {
    /// Nothing, or that the client is not ready to tell.
    Nothing,
    /// That no image is to be shown.
    NoImage,
    /// That the image has this hash.
    Hash(String),
}

// === impl PhotoHash ===

impl PhotoHash {
    /// That of the photo in a vCard, if it has one that can be read. White space in it does not count (§4.6).
    pub(crate) fn of(vcard: &Element) -> Option<Self> {
        let photo = vcard.child("PHOTO", vcard::NAMESPACE)?;
        let mut encoded = photo.child("BINVAL", vcard::NAMESPACE)?.text().into_owned();
        encoded.retain(|c| !c.is_ascii_whitespace());
        let image = STANDARD.decode(encoded).ok()?;
        if image.is_empty() {
            return None;
        }
        let mut digits = String::with_capacity(40);
        for byte in Sha1::digest(image) {
            write!(digits, "{byte:02x}").ok()?;
        }
        Some(Self(digits.into()))
    }
}

impl Record for PhotoHash {
    const NAME: &'static str = "hash of a photo";
    const VERSION: u32 = 1;

    fn encode_body(&self) -> Vec<u8> {
        let sha1 = self.0.to_string();
        PhotoHashMessage { sha1 }.encode_to_vec()
    }

    fn decode_body(body: &[u8]) -> Result<Self, RecordError> {
        Ok(Self(PhotoHashMessage::decode(body)?.sha1.into()))
    }
}

impl AccountData for PhotoHash {
    const KIND: &'static str = KIND;

    fn read(records: &[Datum]) -> Result<Option<Self>, StoreError> {
        let hash = records.first().map(|datum| Self::from_record(&datum.value));
        hash.transpose()
    }
}

/// Remembers the hash of a photo, or that there is none.
pub(crate) fn write(photo: Option<&PhotoHash>) -> DataWrite {
    let (kind, name) = (KIND, String::new());
    match photo {
        None => DataWrite::Remove { kind, name },
        Some(hash) => DataWrite::Put {
            kind,
            name,
            value: hash.to_record(),
            terms: Vec::new(),
        },
    }
}

// === impl Feature ===

impl Feature for VCardAvatar {
    fn spec(&self) -> Spec {
        Spec {
            name: "vcard_avatar",
            source: file!(),
            standards: &[Standard {
                document: "XEP-0153",
                title: "vCard-Based Avatars",
                version: "1.1.1",
                status: Status::Complete,
                note: "The server adds the hash to presence of the account's clients, from their next one on.",
            }],
            ..Spec::EMPTY
        }
    }

    fn install(self: Box<Self>, registry: &mut Registry) {
        registry.account_data::<PhotoHash>();
        registry.filter(*self);
    }
}

// === impl StanzaFilter ===

impl StanzaFilter for VCardAvatar {
    /// Available presence, broadcast or directed, gets the hash, unless the client says that no image is to
    /// be shown. A client that says another hash has not seen the vCard of now: whoever looked there would
    /// not find what it says. (XEP-0398 §4 has the same rules.)
    fn outbound(&self, stanza: &mut Stanza, account: AccountView<'_>) -> Verdict {
        if stanza.kind == Kind::Presence(PresenceType::Available)
            && let Some(PhotoHash(hash)) = account.kept.get()
        {
            match said(stanza) {
                Said::NoImage => {}
                Said::Hash(same) if same.eq_ignore_ascii_case(hash) => {}
                Said::Nothing | Said::Hash(_) => {
                    stanza.retain(|child| !child.is("x", UPDATE));
                    let photo = Element::new("photo", UPDATE).with_text(hash);
                    stanza.append(Element::new("x", UPDATE).with_child(photo));
                }
            }
        }
        Verdict::Pass
    }
}

fn said(presence: &Stanza) -> Said {
    let update = presence.child("x", UPDATE).ok().flatten();
    let photo = update
        .as_ref()
        .and_then(|update| update.child("photo", UPDATE));
    match photo.map(|photo| photo.text().trim().to_owned()) {
        None => Said::Nothing,
        Some(text) if text.is_empty() => Said::NoImage,
        Some(text) => Said::Hash(text),
    }
}

#[cfg(test)]
mod tests {
    use rookery_extension::Relation;

    use super::*;
    use crate::fixture::Scene;

    /// `printf image | sha1sum`
    const HASH: &str = "0e76292794888d4f1fa75fb3aff4ca27c58f56a6";
    const WITH_PHOTO: &str = "<vCard xmlns='vcard-temp'><PHOTO><TYPE>image/png</TYPE>\
        <BINVAL>\n aW1h\n Z2U=\n</BINVAL></PHOTO></vCard>";

    fn with_photo() -> Scene {
        let scene = Scene::new();
        assert_eq!(
            scene.tell_account(WITH_PHOTO, Relation::Own),
            Some(Ok(None))
        );
        scene
    }

    /// What presence with this inside says of the photo when it has left the server.
    fn sent(scene: &Scene, to: &str, inside: &str) -> Vec<Said> {
        let xml = format!("<presence{to} from='juliet@montague.lit/balcony'>{inside}</presence>");
        let (verdict, presence) = scene.outbound(&xml);
        assert_eq!(verdict, Verdict::Pass);
        let updates = presence.names().iter().filter(|name| name.is("x", UPDATE));
        updates.map(|_| said(&presence)).collect()
    }

    fn hash() -> Vec<Said> {
        vec![Said::Hash(HASH.to_owned())]
    }

    #[test]
    fn hash_is_that_of_the_image_itself_by_s3_1() {
        assert_eq!(sent(&with_photo(), "", ""), hash());
    }

    #[test]
    fn presence_without_or_with_an_empty_update_gets_the_hash_by_s4_1() {
        let scene = with_photo();
        assert_eq!(sent(&scene, "", "<x xmlns='vcard-temp:x:update'/>"), hash());
        assert_eq!(sent(&scene, "", "<show>away</show>"), hash());
        assert_eq!(sent(&scene, " to='room@chat.lit/juliet'", ""), hash());
    }

    #[test]
    fn client_that_shows_no_image_is_left_alone_by_s4_1() {
        let update = "<x xmlns='vcard-temp:x:update'><photo/></x>";
        assert_eq!(sent(&with_photo(), "", update), [Said::NoImage]);
    }

    #[test]
    fn hash_of_a_photo_that_is_gone_is_replaced() {
        let update = "<x xmlns='vcard-temp:x:update'><photo>01b87fcd030b72895ff8e88db57ec525450f000d</photo></x>";
        assert_eq!(sent(&with_photo(), "", update), hash());
    }

    #[test]
    fn same_hash_in_either_case_is_left_alone_by_s3_1() {
        let upper = HASH.to_uppercase();
        let update = format!("<x xmlns='vcard-temp:x:update'><photo>{upper}</photo></x>");
        assert_eq!(sent(&with_photo(), "", &update), [Said::Hash(upper)]);
    }

    #[test]
    fn without_a_photo_presence_is_what_the_client_sent() {
        let scene = Scene::new();
        for vcard in [
            "<vCard xmlns='vcard-temp'/>",
            "<vCard xmlns='vcard-temp'><PHOTO><BINVAL/></PHOTO></vCard>",
            "<vCard xmlns='vcard-temp'><PHOTO><BINVAL>!</BINVAL></PHOTO></vCard>",
            "<vCard xmlns='vcard-temp'><PHOTO><EXTVAL>http://a.lit/b</EXTVAL></PHOTO></vCard>",
        ] {
            scene.tell_account(WITH_PHOTO, Relation::Own);
            scene.tell_account(vcard, Relation::Own);
            assert_eq!(sent(&scene, "", ""), [], "{vcard}");
        }
    }

    #[test]
    fn other_presence_has_no_photo() {
        let scene = with_photo();
        for kind in [" type='unavailable'", " type='subscribe' to='a@b'"] {
            assert_eq!(sent(&scene, kind, ""), [], "{kind}");
        }
    }

    #[test]
    fn hash_is_known_when_the_account_comes_back() {
        let scene = with_photo();
        scene.load_again();
        assert_eq!(sent(&scene, "", ""), hash());
    }
}
