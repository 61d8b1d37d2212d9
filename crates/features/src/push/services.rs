//! The push services that an account has enabled, and what is published to each (§5, §6).

use std::collections::BTreeMap;

use prost::Message;
use rookery_extension::AccountData;
use rookery_stanza::Jid;
use rookery_storage::record::{Record, RecordError};
use rookery_storage::{DataWrite, Datum, StoreError};
use rookery_xml::{Element, Limits, StreamNamespaces};

/// The kind of the records: one for each service, named by its address and node.
const KIND: &str = "push";

/// Names a service: no two of an account have the same address and node (§5).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Target {
    /// The service.
    pub(super) jid: Jid,
    /// Its node; empty for none.
    pub(super) node: String,
}

/// The form with the options that its client wants published with each notification, if any.
pub(super) type PublishOptions = Option<Element>;

/// The services of one account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Services {
    enabled: BTreeMap<Target, PublishOptions>,
}

/// The record of a service.
#[derive(Debug, PartialEq)]
struct Enabled(PublishOptions);

#[derive(Clone, PartialEq, Message)]
struct EnabledMessage {
    #[prost(bytes = "vec", optional, tag = "1")]
    options: Option<Vec<u8>>,
}

// === impl Target ===

impl Target {
    /// The name of its record. An address has no line end.
    fn name(&self) -> String {
        format!("{}\n{}", self.jid, self.node)
    }

    fn read(name: &str) -> Option<Self> {
        let (jid, node) = name.split_once('\n')?;
        Some(Self {
            jid: Jid::parse(jid).ok()?,
            node: node.to_owned(),
        })
    }

    /// The write that enables it.
    pub(super) fn enable(&self, options: &PublishOptions) -> DataWrite {
        DataWrite::Put {
            kind: KIND,
            name: self.name(),
            value: Enabled(options.clone()).to_record(),
            terms: Vec::new(),
        }
    }

    /// The write that disables it.
    pub(super) fn disable(&self) -> DataWrite {
        DataWrite::Remove {
            kind: KIND,
            name: self.name(),
        }
    }
}

// === impl Services ===

impl Services {
    pub(super) fn len(&self) -> usize {
        self.enabled.len()
    }

    /// All of them, with their options.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Target, &PublishOptions)> {
        self.enabled.iter()
    }

    pub(super) fn contains(&self, target: &Target) -> bool {
        self.enabled.contains_key(target)
    }

    /// Enables one, or changes its options (§5).
    pub(super) fn enable(&mut self, target: Target, options: PublishOptions) {
        self.enabled.insert(target, options);
    }

    /// Disables one.
    pub(super) fn disable(&mut self, target: &Target) {
        self.enabled.remove(target);
    }

    /// Those of a service; with a node, the one that has it (§6).
    pub(super) fn of(&self, jid: &Jid, node: Option<&str>) -> Vec<Target> {
        let is_meant =
            |target: &&Target| target.jid == *jid && node.is_none_or(|node| target.node == node);
        self.enabled.keys().filter(is_meant).cloned().collect()
    }

    /// Itself, if there is one.
    pub(super) fn or_none(self) -> Option<Self> {
        (!self.enabled.is_empty()).then_some(self)
    }
}

impl AccountData for Services {
    const KIND: &'static str = KIND;

    fn read(records: &[Datum]) -> Result<Option<Self>, StoreError> {
        let mut services = Self::default();
        for datum in records {
            let target = Target::read(&datum.name)
                .ok_or_else(|| StoreError::Corrupt("a push service has no address".to_owned()))?;
            let Enabled(options) = Enabled::from_record(&datum.value)?;
            services.enable(target, options);
        }
        Ok(services.or_none())
    }
}

// === impl Enabled ===

impl Record for Enabled {
    const NAME: &'static str = "push service";
    const VERSION: u32 = 1;

    fn encode_body(&self) -> Vec<u8> {
        let options = self.0.as_ref().map(|form| form.to_bytes("").to_vec());
        EnabledMessage { options }.encode_to_vec()
    }

    fn decode_body(body: &[u8]) -> Result<Self, RecordError> {
        let EnabledMessage { options } = EnabledMessage::decode(body)?;
        let parse = |xml: Vec<u8>| {
            Element::parse(&xml, &StreamNamespaces::default(), &Limits::default())
                .map_err(|_| RecordError::Field("the options are not an element"))
        };
        Ok(Self(options.map(parse).transpose()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(node: &str) -> Target {
        Target {
            jid: Jid::parse("push.example.net").unwrap(),
            node: node.to_owned(),
        }
    }

    #[test]
    fn a_service_reads_back_as_it_was_written() {
        let options = Some(Element::new("x", "jabber:x:data").with_attribute("type", "submit"));
        for (target, options) in [(target("a b"), options), (target(""), None)] {
            let DataWrite::Put {
                kind, name, value, ..
            } = target.enable(&options)
            else {
                panic!("a record")
            };
            let datum = Datum {
                kind: kind.to_owned(),
                name,
                value,
            };
            let read = Services::read(&[datum]).unwrap().unwrap();
            assert_eq!(read.iter().next(), Some((&target, &options)));
        }
    }

    #[test]
    fn all_nodes_of_a_service_or_one_are_meant_by_s6() {
        let mut services = Services::default();
        for node in ["a", "b"] {
            services.enable(target(node), None);
        }
        let jid = target("").jid;
        assert_eq!(services.of(&jid, None).len(), 2);
        assert_eq!(services.of(&jid, Some("b")), [target("b")]);
        assert!(services.of(&jid, Some("c")).is_empty());
    }
}
