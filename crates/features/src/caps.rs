//! XEP-0115: Entity Capabilities.
//!
//! Those of the server itself: clients that know them already need not ask. The capabilities of clients
//! pass through in their presence.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rookery_extension::{
    Feature, Features, Host, Registry, Spec, Stage, Standard, Status, StreamFeature,
};
use rookery_stanza::ns;
use rookery_stanza::payload::data_form::Form;
use rookery_xml::{Element, XML_NAMESPACE};
use sha1::{Digest as _, Sha1};

use crate::disco::info;

/// The server's own capabilities, announced in the stream features.
#[derive(Debug)]
pub struct Caps;

/// Identifies the software (§4).
const SOFTWARE: &str = "urn:uuid:6d7f0f6e-3c07-4b51-9d0c-7a1f5e2b8c44";

// === impl Feature ===

impl Feature for Caps {
    fn spec(&self) -> Spec {
        Spec {
            name: "caps",
            source: file!(),
            standards: &[Standard {
                document: "XEP-0115",
                title: "Entity Capabilities",
                version: "1.6.0",
                status: Status::Complete,
                note: "The optional caps optimization (§8.4) is left out.",
            }],
            host_features: &[ns::CAPS],
            ..Spec::EMPTY
        }
    }

    fn install(self: Box<Self>, registry: &mut Registry) {
        registry.stream_feature(Self);
    }
}

// === impl StreamFeature ===

impl StreamFeature for Caps {
    /// §6.3.
    fn advertise(&self, stage: Stage, host: &Host, features: &Features) -> Option<Element> {
        let Stage::Binding = stage else { return None };
        let info = info::of_host(host, features);
        let caps = Element::new("c", ns::CAPS)
            .with_attribute("hash", "sha-1")
            .with_attribute("node", SOFTWARE)
            .with_attribute("ver", verification_string(&info));
        Some(caps)
    }
}

/// The node under which exactly this answer to disco#info can be asked for (§6.2).
pub(crate) fn node(info: &Element) -> String {
    format!("{SOFTWARE}#{}", verification_string(info))
}

/// The verification string of an answer to disco#info (§5.1, steps 1 to 9; the hash is SHA-1, §9.1).
fn verification_string(info: &Element) -> String {
    let identities = info
        .children()
        .filter(|child| child.is("identity", ns::DISCO_INFO));
    let features = info
        .children()
        .filter(|child| child.is("feature", ns::DISCO_INFO));
    let forms = info.children().filter_map(Form::parse);

    let mut s = String::new();
    append_sorted(&mut s, identities.map(identity_factor));
    append_sorted(
        &mut s,
        features.filter_map(|feature| feature.attribute("var")),
    );
    append_forms(&mut s, forms.collect());
    STANDARD.encode(Sha1::digest(s))
}

/// Steps 2 and 3: the name is part of what is sorted, which changes nothing, because category, type and
/// language are unique.
fn identity_factor(identity: &Element) -> String {
    let attribute = |name| identity.attribute(name).unwrap_or_default();
    let (category, kind, name) = (attribute("category"), attribute("type"), attribute("name"));
    let lang = identity
        .attribute_ns("lang", XML_NAMESPACE)
        .unwrap_or_default();
    format!("{category}/{kind}/{lang}/{name}")
}

/// Steps 6 and 7. A form without a `FORM_TYPE` that is hidden does not count (§5.4, step 3.6).
fn append_forms(s: &mut String, forms: Vec<Form>) {
    let mut forms: Vec<_> = forms
        .iter()
        .filter_map(|form| Some((form.kind()?, &form.fields)))
        .collect();
    forms.sort_by_key(|(kind, _)| *kind);
    for (kind, fields) in forms {
        append(s, kind);
        let named = fields
            .iter()
            .filter_map(|field| Some((field.var.as_deref()?, &field.values)));
        let mut fields: Vec<_> = named.filter(|(var, _)| *var != "FORM_TYPE").collect();
        fields.sort_by_key(|(var, _)| *var);
        for (var, values) in fields {
            append(s, var);
            append_sorted(s, values.iter());
        }
    }
}

/// Appends all factors in the order of their octets, which is that of Rust's strings ("i;octet").
fn append_sorted<Factor: AsRef<str> + Ord>(s: &mut String, factors: impl Iterator<Item = Factor>) {
    let mut factors: Vec<Factor> = factors.collect();
    factors.sort_unstable();
    for factor in factors {
        append(s, factor.as_ref());
    }
}

fn append(s: &mut String, factor: &str) {
    s.push_str(factor);
    s.push('<');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Scene, host_with_contacts};

    const INFO: &str = "<query xmlns='http://jabber.org/protocol/disco#info'/>";

    fn of(xml: &str) -> String {
        verification_string(&Element::parse_str(xml).unwrap())
    }

    #[test]
    fn simple_example_of_s5_2() {
        let info = "<query xmlns='http://jabber.org/protocol/disco#info'>\
            <identity category='client' name='Exodus 0.9.1' type='pc'/>\
            <feature var='http://jabber.org/protocol/muc'/>\
            <feature var='http://jabber.org/protocol/caps'/>\
            <feature var='http://jabber.org/protocol/disco#items'/>\
            <feature var='http://jabber.org/protocol/disco#info'/></query>";
        assert_eq!(of(info), "QgayPKawpkPSDYmwT/WM94uAlu0=");
    }

    #[test]
    fn complex_example_of_s5_3_with_languages_and_a_form() {
        let info = "<query xmlns='http://jabber.org/protocol/disco#info'>\
            <identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/>\
            <identity xml:lang='el' category='client' name='Ψ 0.11' type='pc'/>\
            <feature var='http://jabber.org/protocol/caps'/>\
            <feature var='http://jabber.org/protocol/disco#info'/>\
            <feature var='http://jabber.org/protocol/disco#items'/>\
            <feature var='http://jabber.org/protocol/muc'/>\
            <x xmlns='jabber:x:data' type='result'>\
            <field var='os'><value>Mac</value></field>\
            <field var='FORM_TYPE' type='hidden'>\
            <value>urn:xmpp:dataforms:softwareinfo</value></field>\
            <field var='ip_version' type='text-multi'><value>ipv6</value><value>ipv4</value></field>\
            <field var='os_version'><value>10.5.1</value></field>\
            <field var='software'><value>Psi</value></field>\
            <field var='software_version'><value>0.11</value></field></x></query>";
        assert_eq!(of(info), "q07IKJEyjvHSyhy//CH0CxmKi8w=");
    }

    #[test]
    fn form_without_hidden_type_is_left_out_by_s5_4() {
        let without = "<query xmlns='http://jabber.org/protocol/disco#info'>\
            <identity category='server' type='im'/></query>";
        let with = "<query xmlns='http://jabber.org/protocol/disco#info'>\
            <identity category='server' type='im'/>\
            <x xmlns='jabber:x:data' type='result'><field var='a'><value>b</value></field></x>\
            </query>";
        assert_eq!(of(with), of(without));
    }

    #[test]
    fn escaped_less_than_is_not_unescaped_twice_by_s5_1() {
        let literal = "<query xmlns='http://jabber.org/protocol/disco#info'>\
            <identity category='a' type='b' name='c&amp;lt;d'/></query>";
        assert_eq!(of(literal), STANDARD.encode(Sha1::digest("a/b//c&lt;d<")));
    }

    #[test]
    fn server_announces_its_capabilities_after_authentication_by_s6_3() {
        let scene = Scene::new();
        let announced = |stage| {
            let features = scene.features.stream_features(stage, &scene.host);
            features
                .into_iter()
                .find(|feature| feature.is("c", ns::CAPS))
        };
        assert_eq!(announced(Stage::Authentication), None);
        let caps = announced(Stage::Binding).unwrap();
        assert_eq!(caps.attribute("hash"), Some("sha-1"));
        assert_eq!(caps.attribute("node"), Some(SOFTWARE));
    }

    #[test]
    fn announced_string_is_that_of_the_answer_to_disco_info_by_s5_4() {
        for scene in [Scene::new(), Scene::with_host(host_with_contacts())] {
            let features = scene.features.stream_features(Stage::Binding, &scene.host);
            let caps = features
                .iter()
                .find(|feature| feature.is("c", ns::CAPS))
                .unwrap();
            let ver = caps.attribute("ver").unwrap();
            let answer = scene.host_says(INFO);
            assert_eq!(verification_string(&answer), ver);
        }
    }

    #[test]
    fn hosts_with_other_contacts_have_another_string() {
        let of = |host: &Host| verification_string(&info::of_host(host, &Scene::new().features));
        assert_ne!(of(&host_with_contacts()), of(&Scene::new().host));
    }

    #[test]
    fn capabilities_can_be_asked_for_by_their_node_by_s6_2() {
        let scene = Scene::new();
        let plain = scene.host_says(INFO);
        let node = node(&plain);
        let request =
            format!("<query xmlns='http://jabber.org/protocol/disco#info' node='{node}'/>");
        let answer = scene.host_says(&request);
        assert_eq!(answer, plain.with_attribute("node", node));
    }
}
