//! The catalog as a whole: that its parts fit together, and that nothing is announced that is not there.

use std::collections::BTreeSet;
use std::path::Path;

use rookery_extension::{Feature, Registry, RegistryError, Spec, Standard, Status};
use rookery_stanza::ns;
use rookery_xml::Element;

use crate::fixture::Scene;
use crate::{Config, catalog, disco, ping};

/// Features of hosts that are not the namespace of a request to them, with the feature that declares them.
const WITHOUT_REQUEST: [(&str, &str); 9] = [
    (ns::CAPS, "caps"),
    (ns::OFFLINE, "offline"),
    (ns::CARBONS, "carbons"),
    ("urn:xmpp:carbons:rules:0", "carbons"),
    (ns::FLEXIBLE_OFFLINE, "flexible_offline"),
    ("urn:xmpp:blocking", "blocking"),
    ("urn:xmpp:reporting:1", "reports"),
    ("jabber:iq:private", "private_storage"),
    ("http://jabber.org/protocol/address", "extended_addressing"),
];

fn standards(specs: &[Spec]) -> impl Iterator<Item = &'static Standard> {
    specs.iter().flat_map(|spec| spec.standards)
}

/// Answers what [`ping::Ping`] answers.
struct Twin;

impl Feature for Twin {
    fn spec(&self) -> Spec {
        Spec {
            name: "twin",
            ..Spec::EMPTY
        }
    }

    fn install(self: Box<Self>, registry: &mut Registry) {
        registry.iq(ping::Ping);
    }
}

/// Whether a request in this namespace is answered, by whichever name.
fn is_answered(namespace: &str, ask: impl Fn(&str) -> bool) -> bool {
    ["query", "ping", "time", "vCard"]
        .iter()
        .any(|name| ask(&format!("<{name} xmlns='{namespace}'/>")))
}

#[test]
fn every_feature_announced_for_hosts_is_there() {
    let scene = Scene::new();
    for spec in scene.features.specs() {
        for feature in spec.host_features {
            let by_request = is_answered(feature, |request| {
                matches!(scene.ask_host(request), Some(Ok(_)))
            });
            let otherwise = WITHOUT_REQUEST.contains(&(feature, spec.name));
            assert!(by_request != otherwise, "{feature} of {}", spec.name);
        }
    }
}

#[test]
fn every_feature_announced_for_accounts_is_there() {
    let scene = Scene::new();
    for feature in scene
        .features
        .specs()
        .iter()
        .flat_map(|spec| spec.account_features)
    {
        let answered = |request: &str| matches!(scene.ask_own_account(request), Some(Ok(_)));
        // Nobody asks for what is only set.
        let set = "<disable xmlns='urn:xmpp:push:0' jid='push.example.net'/>";
        let is_set = *feature == "urn:xmpp:push:0" && scene.tell_own_account(set).is_some();
        assert!(is_answered(feature, answered) || is_set, "{feature}");
    }
}

#[test]
fn two_handlers_for_the_same_request_are_refused() {
    let mut registry = Registry::new();
    registry.install(Box::new(ping::Ping));
    registry.install(Box::new(Twin));
    let taken = RegistryError::Taken {
        namespace: "urn:xmpp:ping",
        name: "ping",
        feature: "twin",
    };
    assert_eq!(registry.freeze().unwrap_err(), taken);
}

#[test]
fn a_feature_that_is_installed_twice_is_refused() {
    let mut registry = Registry::new();
    registry.install(Box::new(disco::Disco));
    registry.install(Box::new(disco::Disco));
    assert_eq!(
        registry.freeze().unwrap_err(),
        RegistryError::Twice("disco")
    );
}

#[test]
fn every_standard_is_declared_once_and_says_what_is_left_out() {
    let scene = Scene::new();
    let mut seen = BTreeSet::new();
    for standard in standards(scene.features.specs()) {
        assert!(
            seen.insert(standard.document),
            "{} twice",
            standard.document
        );
        assert!(
            standard.status == Status::Complete || !standard.note.is_empty(),
            "{} is partial: which part?",
            standard.document
        );
        let is_xep = standard.document.starts_with("XEP-");
        assert_eq!(
            is_xep,
            !standard.version.is_empty(),
            "{}",
            standard.document
        );
    }
}

#[test]
fn every_feature_lives_where_it_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for spec in Scene::new().features.specs() {
        assert!(
            root.join(spec.source).exists(),
            "{} in {}",
            spec.name,
            spec.source
        );
    }
}

/// The first line of a feature's file names what it implements.
#[test]
fn every_feature_file_begins_with_its_standard() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for feature in catalog(&Config::default(), &crate::fixture::parts()) {
        let spec = feature.spec();
        if !spec.source.starts_with("crates/features/") {
            continue;
        }
        let file = root.join(spec.source);
        let file = if file.is_dir() {
            file.join("mod.rs")
        } else {
            file
        };
        let text = std::fs::read_to_string(file).unwrap();
        let document = spec.standards[0].document;
        let first = text.lines().next().unwrap();
        assert!(
            first.starts_with(&format!("//! {document}")),
            "{}: {first}",
            spec.name
        );
    }
}

#[test]
fn unknown_requests_are_left_to_others() {
    let scene = Scene::new();
    let rpc = Element::new("query", ns::RPC).to_bytes("");
    assert_eq!(scene.ask_host(std::str::from_utf8(&rpc).unwrap()), None);
}
