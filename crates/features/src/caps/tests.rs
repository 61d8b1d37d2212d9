//! What the server announces of itself, verification strings, and answers that are not what they seem.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use rookery_extension::{Host, Stage};
use rookery_stanza::ns;
use rookery_stanza::payload::data_form::{Field, Form, FormType};
use rookery_xml::Element;
use sha1::{Digest as _, Sha1};

use super::own::{SOFTWARE, verification_string};
use super::verification::{Algorithm, Flaw, Info};
use super::{Config, node};
use crate::disco::info;
use crate::fixture::{Scene, host_with_contacts};

const INFO: &str = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
const CLIENT: &str = "<identity category='client' type='pc' name='Orchard'/>";

fn query(inside: &str) -> Element {
    let query = format!("<query xmlns='http://jabber.org/protocol/disco#info'>{inside}</query>");
    Element::parse_str(&query).unwrap()
}

fn of(inside: &str) -> String {
    verification_string(&query(inside))
}

fn form(kind: &str, fields: &str) -> String {
    format!(
        "<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'>\
         <value>{kind}</value></field>{fields}</x>"
    )
}

fn features(vars: &[impl AsRef<str>]) -> String {
    let feature = |var: &str| format!("<feature var='{var}'/>");
    let vars: Vec<String> = vars.iter().map(|var| feature(var.as_ref())).collect();
    vars.concat()
}

/// What becomes of this answer when the hash is right.
fn verified(inside: &str) -> Result<(), Flaw> {
    let query = query(inside);
    let info = Info::of_client(&query)?;
    info.verify(Algorithm::Sha1, &verification_string(&query))
}

fn is_unambiguous(inside: &str) -> bool {
    assert_eq!(verified(inside), Ok(()));
    Info::read(&query(inside)).is_unambiguous()
}

// `printf '%s' 'client/pc//Orchard<a<' | openssl dgst -binary -sha1 | base64`, and so on.
const SHA1: &str = "Qwt0q/nq4RuOPUjkGjLUPZPw9pM=";
const SHA256: &str = "2/niRm7FJYQCPyTMq5xNrF/d1S9rRdRe92bw9wypxi0=";
const SHA384: &str = "BBFnmJoZygg1LDETG8pfs0pDD7mImmXJDnIMcr8cA1Ca81UUMpPXX0Erp85RYCJJ";
const SHA512: &str =
    "FQkmtkyIVzr47YS25QvcFlCqFzv/h5qLJ3IQ6DU5okZr9wyPkvAiAeUi+B6sxBuMZHvqckCHztr2V/u55JkVlg==";

const SIMPLE: &str = "<identity category='client' name='Exodus 0.9.1' type='pc'/>\
    <feature var='http://jabber.org/protocol/muc'/>\
    <feature var='http://jabber.org/protocol/caps'/>\
    <feature var='http://jabber.org/protocol/disco#items'/>\
    <feature var='http://jabber.org/protocol/disco#info'/>";

const COMPLEX: &str = "<identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/>\
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
    <field var='software_version'><value>0.11</value></field></x>";

#[test]
fn simple_example_of_s5_2() {
    assert_eq!(of(SIMPLE), "QgayPKawpkPSDYmwT/WM94uAlu0=");
    assert!(is_unambiguous(SIMPLE));
}

#[test]
fn complex_example_of_s5_3_with_languages_and_a_form() {
    assert_eq!(of(COMPLEX), "q07IKJEyjvHSyhy//CH0CxmKi8w=");
    assert!(is_unambiguous(COMPLEX));
}

#[test]
fn other_hash_functions_have_their_names_at_iana_by_s9_1() {
    let query = query(&format!("{CLIENT}<feature var='a'/>"));
    for (name, ver) in [
        ("sha-1", SHA1),
        ("sha-256", SHA256),
        ("sha-384", SHA384),
        ("sha-512", SHA512),
    ] {
        let algorithm = Algorithm::named(name).unwrap();
        assert_eq!(Info::read(&query).verify(algorithm, ver), Ok(()), "{name}");
    }
    for name in ["md5", "SHA-1", "sha1", ""] {
        assert_eq!(Algorithm::named(name), None, "{name}");
    }
}

#[test]
fn identities_are_sorted_by_category_then_type_then_language_by_s5_1() {
    let both = "<identity category='a-b' type='x'/><identity category='a' type='y'/>";
    assert_eq!(of(both), STANDARD.encode(Sha1::digest("a/y//<a-b/x//<")));
}

#[test]
fn forms_their_fields_and_values_are_sorted_by_s5_1() {
    let field = "<field var='b'><value>2</value><value>1</value></field><field var='a'/>";
    let forms = form("y", field) + &form("x", "<field var='c'><value/></field>");
    assert_eq!(of(&forms), STANDARD.encode(Sha1::digest("x<c<<y<a<b<1<2<")));
}

#[test]
fn form_without_hidden_type_is_left_out_by_s5_4() {
    for fields in [
        "<field var='a'><value>b</value></field>",
        "<field var='FORM_TYPE'><value>x</value></field><field var='a'><value>b</value></field>",
        "<field var='FORM_TYPE' type='text-single'><value>x</value></field>",
        "<field var='FORM_TYPE' type='hidden'/>",
    ] {
        for kind in ["result", "submit"] {
            let form = format!("{CLIENT}<x xmlns='jabber:x:data' type='{kind}'>{fields}</x>");
            assert_eq!(of(&form), of(CLIENT), "{form}");
            assert_eq!(verified(&form), Ok(()), "{form}");
        }
    }
}

#[test]
fn escaped_less_than_is_not_unescaped_twice_by_s5_1() {
    let literal = "<identity category='a' type='b' name='c&amp;lt;d'/>";
    assert_eq!(of(literal), STANDARD.encode(Sha1::digest("a/b//c&lt;d<")));
}

#[test]
fn what_is_there_twice_makes_an_answer_ill_formed_by_s5_4() {
    let twice = |part: &str| verified(&format!("{CLIENT}<feature var='a'/>{part}{part}"));
    let identity = "<identity category='client' type='pc' xml:lang='en' name='x'/>";
    assert_eq!(twice(identity), Err(Flaw::IllFormed));
    assert_eq!(twice("<feature var='b'/>"), Err(Flaw::IllFormed));
    assert_eq!(twice(&form("x", "")), Err(Flaw::IllFormed));
    let other = identity.replace("'en'", "'de'");
    let both = format!("{identity}{other}<feature var='a'/>");
    assert_eq!(verified(&both), Ok(()));
    let other = form("x", "<field var='b'/>");
    let both = form("x", "<field var='a'/>") + &form("w", "") + &other;
    assert_eq!(verified(&both), Err(Flaw::IllFormed));
}

#[test]
fn form_of_two_kinds_makes_an_answer_ill_formed_by_s5_4() {
    let form = |second: &str| form("x</value><value>", "").replace("<value></value>", second);
    let with = |second: &str| verified(&format!("{CLIENT}{}", form(second)));
    assert_eq!(with("<value>y</value>"), Err(Flaw::IllFormed));
    assert_eq!(with("<value>x</value>"), Ok(()));
}

#[test]
fn other_hash_is_no_verification_by_s5_4() {
    let query = query(CLIENT);
    let ver = verification_string(&query);
    for other in [
        &ver.to_lowercase(),
        &format!("{ver} "),
        "",
        ver.trim_end_matches('='),
    ] {
        let verified = Info::read(&query).verify(Algorithm::Sha1, other);
        assert_eq!(verified, Err(Flaw::Mismatched), "{other}");
    }
    assert_eq!(
        Info::read(&query).verify(Algorithm::Sha256, &ver),
        Err(Flaw::Mismatched)
    );
}

#[test]
fn answers_that_are_too_large_are_not_looked_at() {
    let many = |count: usize| {
        let vars: Vec<String> = (0..count).map(|var| var.to_string()).collect();
        features(&vars)
    };
    assert_eq!(verified(&many(512)), Ok(()));
    assert_eq!(verified(&many(513)), Err(Flaw::TooLarge));
    let long = |count: usize| format!("<feature var='{}'/>", "x".repeat(count - 1));
    assert_eq!(verified(&long(16 * 1024)), Ok(()));
    assert_eq!(verified(&long(16 * 1024 + 1)), Err(Flaw::TooLarge));
}

/// Each of these has the hash of a client that has the features e, f and g.
#[test]
fn answers_that_hide_features_are_not_believed_of_others_by_s9_3() {
    let named = |name: &str| CLIENT.replace("Orchard", name);
    let truth = named("Orchard") + &features(&["e", "f", "g"]);
    assert!(is_unambiguous(&truth));
    for hidden in [
        named("Orchard") + &features(&["e&lt;f", "g"]),
        named("Orchard") + &features(&["e&lt;f&lt;g"]),
        named("Orchard&lt;e&lt;f") + &features(&["g"]),
        named("Orchard&lt;e&lt;f&lt;g"),
        named("Orchard") + &features(&["e"]) + &form("f", "<field var='g'/>"),
        named("Orchard") + &features(&["e", "f"]) + &form("g", ""),
        named("Orchard") + &form("e", "<field var='f'><value>g</value></field>"),
        features(&["client/pc//Orchard", "e", "f", "g"]),
    ] {
        assert_eq!(of(&hidden), of(&truth), "{hidden}");
        assert!(!is_unambiguous(&hidden), "{hidden}");
    }
    let truth = named("Orchard") + &features(&["x/y/z/a", "z"]);
    let identity = "<identity category='x' type='y' xml:lang='z' name='a'/>";
    let hidden = named("Orchard") + identity + &features(&["z"]);
    assert_eq!(of(&hidden), of(&truth), "{hidden}");
    assert!(!is_unambiguous(&hidden), "{hidden}");
}

/// An answer with these texts: some are identities, some features, the rest a form. One feature may be two.
fn reading(texts: &[String], identities: usize, features: usize, glued: usize) -> Option<Element> {
    let (identities, rest) = texts.split_at(identities);
    let (features, rest) = rest.split_at_checked(features)?;
    let mut query = query("");
    for text in identities {
        let parts: Vec<&str> = text.splitn(4, '/').collect();
        let [category, kind, lang, name] = parts[..] else {
            return None;
        };
        query.push(
            Element::new("identity", ns::DISCO_INFO)
                .with_attribute("category", category.to_owned())
                .with_attribute("type", kind.to_owned())
                .with_attribute_ns("lang", rookery_xml::XML_NAMESPACE, lang.to_owned())
                .with_attribute("name", name.to_owned()),
        );
    }
    let mut vars: Vec<String> = features.to_vec();
    if glued + 1 < vars.len() {
        let second = vars.remove(glued + 1);
        vars[glued] = format!("{}<{second}", vars[glued]);
    }
    for var in vars {
        query.push(Element::new("feature", ns::DISCO_INFO).with_attribute("var", var));
    }
    if let [kind, fields @ ..] = rest {
        let mut form = Form::of_kind(FormType::Result, kind.clone());
        if let [var, values @ ..] = fields {
            form = form.with_field(Field::new(var.clone()).with_values(values.to_vec()));
        }
        query.push(form.to_element());
    }
    Some(query)
}

proptest! {
    /// §9.3: however the string is read, only one set of features is ever believed of others.
    #[test]
    fn string_stands_for_one_set_of_features_at_most(
        identities in prop::collection::btree_set("(client|x)/(pc|web)/(en)?/(A|B)", 0..3),
        features in prop::collection::btree_set("client/pc//A|x/y/z/w|urn:xmpp:dataforms:softwareinfo|[a-z]", 0..6),
        mut form in prop::collection::vec("urn:xmpp:dataforms:softwareinfo|[a-z]", 0..4),
    ) {
        if let Some(values) = form.get_mut(2..) {
            values.sort();
        }
        let texts: Vec<String> = identities.into_iter().chain(features).chain(form).collect();
        let string = texts.join("<") + "<";
        let ver = STANDARD.encode(Sha1::digest(string));
        let mut believed = Vec::new();
        for identities in 0..=texts.len() {
            for features in 0..=texts.len() - identities {
                for glued in 0..=features {
                    let Some(query) = reading(&texts, identities, features, glued) else {
                        continue;
                    };
                    let info = Info::read(&query);
                    if info.verify(Algorithm::Sha1, &ver) == Ok(()) && info.is_unambiguous() {
                        let features: Vec<String> = info.features().iter().map(ToString::to_string).collect();
                        believed.push(features);
                    }
                }
            }
        }
        believed.dedup();
        prop_assert!(believed.len() <= 1, "{texts:?}: {believed:?}");
    }
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
        assert_eq!(Info::read(&answer).verify(Algorithm::Sha1, ver), Ok(()));
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
    let request = format!("<query xmlns='http://jabber.org/protocol/disco#info' node='{node}'/>");
    let answer = scene.host_says(&request);
    assert_eq!(answer, plain.with_attribute("node", node));
}

#[test]
fn cache_that_cannot_take_the_largest_answer_is_refused() {
    let config = |cache_bytes| Config { cache_bytes };
    assert_eq!(config(65_536).validate(), Ok(()));
    let error = config(65_535).validate().unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("features.caps.cache_bytes must be")
    );
}
