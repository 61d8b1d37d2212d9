//! XEP-0030 §3: what a host or an account is and can do, put together from what all features declare.

use std::collections::BTreeSet;

use rookery_extension::{Features, Host, Identity};
use rookery_stanza::ns;
use rookery_xml::Element;

/// What a host answers to disco#info, with its forms (XEP-0128).
pub(crate) fn of_host(host: &Host, features: &Features) -> Element {
    let specs = features.specs();
    let allowed = specs
        .iter()
        .flat_map(|spec| (spec.switched_host_features)(host));
    let mut info = of(
        specs.iter().flat_map(|spec| spec.host_identities),
        specs
            .iter()
            .flat_map(|spec| spec.host_features)
            .chain(allowed),
    );
    let forms = specs.iter().flat_map(|spec| spec.host_forms);
    for form in forms.filter_map(|form| form(host)) {
        info.push(form.to_element());
    }
    info
}

/// What an account answers to disco#info.
pub(crate) fn of_account(host: &Host, features: &Features) -> Element {
    let specs = features.specs();
    let allowed = specs
        .iter()
        .flat_map(|spec| (spec.switched_account_features)(host));
    of(
        specs.iter().flat_map(|spec| spec.account_identities),
        specs
            .iter()
            .flat_map(|spec| spec.account_features)
            .chain(allowed),
    )
}

/// Each identity and each feature once: an answer with two of the same is ill-formed (XEP-0115 §5.4).
fn of<'a>(
    identities: impl Iterator<Item = &'a Identity>,
    features: impl Iterator<Item = &'a &'static str>,
) -> Element {
    let mut info = Element::new("query", ns::DISCO_INFO);
    for identity in identities.collect::<BTreeSet<_>>() {
        info.push(identity_element(identity));
    }
    for feature in features.collect::<BTreeSet<_>>() {
        info.push(Element::new("feature", ns::DISCO_INFO).with_attribute("var", *feature));
    }
    info
}

fn identity_element(identity: &Identity) -> Element {
    let element = Element::new("identity", ns::DISCO_INFO)
        .with_attribute("category", identity.category)
        .with_attribute("type", identity.kind);
    if identity.name.is_empty() {
        element
    } else {
        element.with_attribute("name", identity.name)
    }
}
