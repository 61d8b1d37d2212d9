//! XEP-0115 §5: what an answer to disco#info says, and the string that stands for it.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rookery_stanza::ns;
use rookery_stanza::payload::data_form::{Field, FieldType, Form};
use rookery_xml::{Element, XML_NAMESPACE};
use sha1::{Digest as _, Sha1};
use sha2::{Sha256, Sha384, Sha512};

/// The field that says what kind of form this is (XEP-0068).
const FORM_TYPE: &str = "FORM_TYPE";

/// The category of the identities of clients.
const CLIENT: &str = "client";

/// The one kind of form that clients have (XEP-0232); it is no feature.
const SOFTWARE_INFO: &str = "urn:xmpp:dataforms:softwareinfo";

/// The most identities, features and forms together of an answer that is looked at.
const MAX_CHILDREN: usize = 512;

/// The most bytes of the string that is hashed for it.
const MAX_BYTES: usize = 16 * 1024;

/// Hash functions by their names at IANA (§8.1, §9.1; XEP-0300 §9.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Algorithm {
    /// Everybody has it (§9.1).
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

/// Why an answer is not what was announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// More than is looked at.
    TooLarge,
    /// Something is there twice that may be there once (§5.4, steps 3.3 to 3.5).
    IllFormed,
    /// The hashes differ (§5.4, step 3.9).
    Mismatched,
}

/// An answer to disco#info, its parts in the order of §5.1.
#[derive(Debug)]
pub(super) struct Info<'a> {
    /// Category, type, language and name of each.
    identities: Vec<[&'a str; 4]>,
    features: Vec<&'a str>,
    /// All that have a `FORM_TYPE`, hidden or not, by its first value.
    forms: Vec<(Cow<'static, str>, Form)>,
}

/// The string that is hashed, while it grows.
#[derive(Debug, Default)]
struct Factors {
    text: String,
    count: usize,
}

// === impl Algorithm ===

impl Algorithm {
    /// The one of this name, if it can be computed.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "sha-1" => Self::Sha1,
            "sha-256" => Self::Sha256,
            "sha-384" => Self::Sha384,
            "sha-512" => Self::Sha512,
            _ => return None,
        })
    }

    /// §5.1, step 9.
    fn hash(self, text: &str) -> String {
        match self {
            Self::Sha1 => STANDARD.encode(Sha1::digest(text)),
            Self::Sha256 => STANDARD.encode(Sha256::digest(text)),
            Self::Sha384 => STANDARD.encode(Sha384::digest(text)),
            Self::Sha512 => STANDARD.encode(Sha512::digest(text)),
        }
    }
}

// === impl Info ===

impl<'a> Info<'a> {
    /// What a client answered.
    ///
    /// # Errors
    /// Too large.
    pub(super) fn of_client(query: &'a Element) -> Result<Self, Flaw> {
        if query.children().count() > MAX_CHILDREN {
            return Err(Flaw::TooLarge);
        }
        let info = Self::read(query);
        if info.factors().text.len() > MAX_BYTES {
            return Err(Flaw::TooLarge);
        }
        Ok(info)
    }

    /// Reads and sorts. Strings are compared by their octets ("i;octet").
    pub(super) fn read(query: &'a Element) -> Self {
        let named = |name| {
            let children = query.children();
            children.filter(move |child| child.is(name, ns::DISCO_INFO))
        };
        let mut info = Self {
            identities: named("identity").map(identity).collect(),
            features: named("feature")
                .filter_map(|feature| feature.attribute("var"))
                .collect(),
            forms: query
                .children()
                .filter_map(Form::parse)
                .filter_map(with_kind)
                .collect(),
        };
        info.identities.sort_unstable();
        info.features.sort_unstable();
        info.forms.sort_by(|(one, _), (other, _)| one.cmp(other));
        info
    }

    /// The features, in order; one that is there twice comes twice.
    pub(super) fn features(&self) -> &[&'a str] {
        &self.features
    }

    /// Whether this is the answer that a verification string stands for (§5.4, step 3).
    ///
    /// # Errors
    /// It is ill-formed, or another answer.
    pub(super) fn verify(&self, algorithm: Algorithm, ver: &str) -> Result<(), Flaw> {
        if !self.is_well_formed() {
            return Err(Flaw::IllFormed);
        }
        if self.verification_string(algorithm) != ver {
            return Err(Flaw::Mismatched);
        }
        Ok(())
    }

    /// The verification string (§5.1).
    pub(super) fn verification_string(&self, algorithm: Algorithm) -> String {
        algorithm.hash(&self.factors().text)
    }

    /// Steps 3.3 to 3.5 of §5.4.
    fn is_well_formed(&self) -> bool {
        let kinds: Vec<&str> = self.forms.iter().map(|(kind, _)| &**kind).collect();
        let is_of_one_kind = |(kind, form): &(Cow<'_, str>, Form)| {
            let mut kinds = form_types(form);
            kinds.all(|other| other == kind)
        };
        !has_twins(&self.identities)
            && !has_twins(&self.features)
            && !has_twins(&kinds)
            && self.forms.iter().all(is_of_one_kind)
    }

    /// Whether no other answer with the same string has other features, so that this one may be believed of
    /// others.
    ///
    /// The string does not say where identities end and features begin, where these end and forms begin, nor
    /// whether a `<` separates or belongs to a name. So whoever announces the string of somebody else may
    /// answer with features that are hidden in a name or a form, and the hashes match (§9.3). Where features
    /// begin and end follows from the string alone if
    /// * nothing in the answer has a `<`;
    /// * all identities are those of clients, as what begins a session is, and no feature looks like one;
    /// * what follows the features in the string either comes before the last of them in their order, so that
    ///   it cannot be one more, or is the kind of form that clients have, which is no feature.
    pub(super) fn is_unambiguous(&self) -> bool {
        let Factors { text, count } = self.factors();
        let Some(last) = self.features.last() else {
            return false;
        };
        let mut forms = self.forms.iter().filter(|(_, form)| is_hidden(form));
        let is_end = |(kind, _): &(Cow<'_, str>, Form)| **kind <= **last || kind == SOFTWARE_INFO;
        let is_feature = |text: &&str| *text != SOFTWARE_INFO && !is_like_client(text);
        text.matches('<').count() == count
            && self
                .identities
                .iter()
                .all(|[category, ..]| *category == CLIENT)
            && self.features.iter().all(is_feature)
            && forms.next().is_none_or(is_end)
    }

    /// Steps 1 to 8 of §5.1.
    fn factors(&self) -> Factors {
        let mut factors = Factors::default();
        for identity in &self.identities {
            factors.push(&identity.join("/"));
        }
        for feature in &self.features {
            factors.push(feature);
        }
        // Others are left out (§5.4, step 3.6).
        for (kind, form) in self.forms.iter().filter(|(_, form)| is_hidden(form)) {
            factors.push(kind);
            factors.push_fields(&form.fields);
        }
        factors
    }
}

fn identity(identity: &Element) -> [&str; 4] {
    let attribute = |name| identity.attribute(name).unwrap_or_default();
    let lang = identity.attribute_ns("lang", XML_NAMESPACE);
    [
        attribute("category"),
        attribute("type"),
        lang.unwrap_or_default(),
        attribute("name"),
    ]
}

fn with_kind(form: Form) -> Option<(Cow<'static, str>, Form)> {
    let kind = form_types(&form).next().cloned()?;
    Some((kind, form))
}

fn form_types(form: &Form) -> impl Iterator<Item = &Cow<'static, str>> {
    let fields = form.fields.iter().filter(|field| is_form_type(field));
    fields.flat_map(|field| &field.values)
}

fn is_form_type(field: &Field) -> bool {
    field.var.as_deref() == Some(FORM_TYPE)
}

/// Whether its `FORM_TYPE` is hidden, without which a form does not count (§5.4, step 3.6).
fn is_hidden(form: &Form) -> bool {
    let mut fields = form.fields.iter().filter(|field| is_form_type(field));
    fields.all(|field| field.field_type == Some(FieldType::Hidden))
}

/// Whether this may be the text of a client's identity.
fn is_like_client(text: &str) -> bool {
    let rest = text.strip_prefix(CLIENT);
    rest.is_some_and(|rest| rest.starts_with('/'))
}

fn has_twins<T: PartialEq>(sorted: &[T]) -> bool {
    sorted.windows(2).any(|pair| pair.first() == pair.last())
}

// === impl Factors ===

impl Factors {
    fn push(&mut self, factor: &str) {
        self.text.push_str(factor);
        self.text.push('<');
        self.count += 1;
    }

    /// Step 7, from 7.2.
    fn push_fields(&mut self, fields: &[Field]) {
        let others = fields.iter().filter(|field| !is_form_type(field));
        let named = others.filter_map(|field| Some((field.var.as_deref()?, &field.values)));
        let mut fields: Vec<_> = named.collect();
        fields.sort_by_key(|(var, _)| *var);
        for (var, values) in fields {
            self.push(var);
            let mut values: Vec<&str> = values.iter().map(|value| &**value).collect();
            values.sort_unstable();
            for value in values {
                self.push(value);
            }
        }
    }
}
