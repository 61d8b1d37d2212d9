//! XEP-0377: Blocking Command Reports.
//!
//! A report comes inside of a request to block (`blocking/mod.rs`). It is counted, logged without what
//! anybody wrote, and sent to the people whom the operator names. It goes nobody else's way: neither to the
//! server of the reported address nor to third parties, whatever the reporter allows (§5).

use std::sync::Arc;

use rookery_extension::{Feature, Order, Registry, Spec, Standard, Status};
use rookery_stanza::{BareJid, Jid, MessageType, Stanza, ns};
use rookery_telemetry::{CounterFamily, Label as _, label};
use rookery_xml::{Element, XML_NAMESPACE};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ConfigError, Parts};

/// The namespace of reports, which is also the feature.
pub(crate) const NAMESPACE: &str = "urn:xmpp:reporting:1";

/// The namespace around a report that is sent on, as it was around it when it came.
const BLOCKING: &str = "urn:xmpp:blocking";

/// `[features.reports]`: what becomes of reports of spam and abuse, which clients send when they block
/// somebody (XEP-0377).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Addresses of the people who run this server, such as `abuse@example.org`. Each gets a message for
    /// each report, in the name of the account that reports. Without any, reports are counted and logged.
    pub forward_to: Vec<String>,
    /// The most bytes of what a reporter writes that are sent on; the rest is cut off.
    pub max_text_bytes: usize,
    /// The most messages that one report may name; the others are left out.
    pub max_stanza_ids: usize,
    /// The most reports of one request that are looked at. Whom the others are about is blocked all the
    /// same.
    pub max_reports: usize,
}

/// Takes reports.
#[derive(Clone, Debug)]
pub struct Reports {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    forward_to: Vec<Jid>,
    max_text_bytes: usize,
    max_stanza_ids: usize,
    max_reports: usize,
    counted: CounterFamily<Reason>,
}

label! {
    /// What is reported (§4).
    enum Reason("reason") {
        /// Unwanted messages.
        Spam = "spam",
        /// Abuse.
        Abuse = "abuse",
        /// Something that a later standard names.
        Other = "other",
        /// Nothing: a report without a reason, which is none.
        Missing = "missing",
    }
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Self {
            forward_to: Vec::new(),
            max_text_bytes: 2048,
            max_stanza_ids: 50,
            max_reports: 10,
        }
    }
}

impl Config {
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        match self
            .forward_to
            .iter()
            .find(|text| Jid::parse(text).is_err())
        {
            Some(text) => Err(ConfigError::new(
                "reports.forward_to",
                format!("has \"{text}\", which is not an address like abuse@example.org"),
            )),
            None => Ok(()),
        }
    }
}

// === impl Reports ===

impl Reports {
    /// Reports that go where the configuration says; an address in it that is none is left out.
    pub fn new(config: &Config, parts: &Parts) -> Self {
        let addresses = config.forward_to.iter();
        let inner = Inner {
            forward_to: addresses.filter_map(|text| Jid::parse(text).ok()).collect(),
            max_text_bytes: config.max_text_bytes,
            max_stanza_ids: config.max_stanza_ids,
            max_reports: config.max_reports,
            counted: parts.metrics.counters(
                "abuse_reports_total",
                "What do users report when they block somebody?",
            ),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Takes the reports of one request to block. A report that is none never fails the request (§6).
    pub(crate) fn process<'a>(
        &self,
        reporter: &BareJid,
        reports: impl Iterator<Item = (&'a Jid, &'a Element)>,
    ) -> Vec<Order> {
        let mut orders = Vec::new();
        for (reported, report) in reports.take(self.inner.max_reports) {
            let reason = Reason::of(report);
            self.inner.counted.of(reason).increment();
            if reason == Reason::Missing {
                continue;
            }
            tracing::info!(%reporter, %reported, reason = reason.value(), "abuse reported");
            let report = self.inner.bounded(report);
            let to = self.inner.forward_to.iter();
            orders.extend(to.map(|to| Order::Send(message(reporter, to, reported, &report))));
        }
        orders
    }
}

// === impl Inner ===

impl Inner {
    /// What is sent on of a report: its reason, and as much of the rest as is allowed.
    fn bounded(&self, report: &Element) -> Element {
        let reason = report.attribute("reason").unwrap_or_default();
        let mut bounded = Element::new("report", NAMESPACE)
            .with_attribute("reason", start_of(reason, MAX_REASON_BYTES).to_owned());
        let ids = report
            .children()
            .filter(|child| child.is("stanza-id", ns::STANZA_ID));
        for id in ids.take(self.max_stanza_ids) {
            let attribute = |name| start_of(id.attribute(name).unwrap_or_default(), MAX_ID_BYTES);
            bounded.push(
                Element::new("stanza-id", ns::STANZA_ID)
                    .with_attribute("by", attribute("by").to_owned())
                    .with_attribute("id", attribute("id").to_owned()),
            );
        }
        if let Some(written) = report.child("text", NAMESPACE) {
            let text = written.text();
            let mut text =
                Element::new("text", NAMESPACE).with_text(start_of(&text, self.max_text_bytes));
            if let Some(lang) = written.attribute_ns("lang", XML_NAMESPACE) {
                let lang = start_of(lang, MAX_REASON_BYTES).to_owned();
                text.set_attribute_ns("lang", XML_NAMESPACE, lang);
            }
            bounded.push(text);
        }
        bounded
    }
}

/// The most bytes of a reason, and of a language.
const MAX_REASON_BYTES: usize = 256;

/// The most bytes of the parts of a stanza-id: an address fits.
const MAX_ID_BYTES: usize = 3071;

/// As much of the beginning of a text as fits, in whole characters.
fn start_of(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev();
    let whole = end.into_iter().find(|at| text.is_char_boundary(*at));
    text.get(..whole.unwrap_or_default()).unwrap_or_default()
}

/// A report for somebody who runs the server: to be read by people, and the item as the client sent it.
fn message(reporter: &BareJid, to: &Jid, reported: &Jid, report: &Element) -> Stanza {
    let reason = report.attribute("reason").unwrap_or_default();
    let mut words = format!("{reporter} reports {reported}: {reason}");
    if let Some(text) = report.child("text", NAMESPACE) {
        words.push_str("\n\n");
        words.push_str(text.text().trim());
    }
    let item = Element::new("item", BLOCKING)
        .with_attribute("jid", reported.to_string())
        .with_child(report.clone());
    Stanza::message(MessageType::Normal)
        .with_from(reporter.to_jid())
        .with_to(to.clone())
        .with_payload(Element::new("body", ns::CLIENT).with_text(words))
        .with_payload(Element::new("block", BLOCKING).with_child(item))
}

// === impl Reason ===

impl Reason {
    fn of(report: &Element) -> Self {
        match report.attribute("reason") {
            None | Some("") => Self::Missing,
            Some("urn:xmpp:reporting:spam") => Self::Spam,
            Some("urn:xmpp:reporting:abuse") => Self::Abuse,
            Some(_) => Self::Other,
        }
    }
}

// === impl Feature ===

impl Feature for Reports {
    fn spec(&self) -> Spec {
        Spec {
            name: "reports",
            source: file!(),
            standards: &[Standard {
                document: "XEP-0377",
                title: "Blocking Command Reports",
                version: "0.4.1",
                status: Status::Complete,
                note: "Reports go to the people whom the configuration names, and nobody else.",
            }],
            host_features: &[NAMESPACE],
            ..Spec::EMPTY
        }
    }

    fn install(self: Box<Self>, _registry: &mut Registry) {}
}

#[cfg(test)]
mod tests {
    use rookery_extension::Relation;
    use rookery_stanza::{Condition, StanzaError};

    use super::*;
    use crate::fixture::Scene;

    fn block(report: &str) -> String {
        format!(
            "<block xmlns='urn:xmpp:blocking'><item jid='romeo@example.net'>\
             <report xmlns='urn:xmpp:reporting:1' {report}</report></item></block>"
        )
    }

    fn scene(config: Config) -> Scene {
        Scene::with_config(&crate::Config {
            reports: config,
            ..crate::Config::default()
        })
    }

    fn forwarding() -> Config {
        Config {
            forward_to: vec!["abuse@montague.lit".to_owned()],
            ..Config::default()
        }
    }

    /// The messages that are sent about a request to block.
    fn messages(scene: &Scene, block: &str) -> Vec<Stanza> {
        assert_eq!(scene.tell_account(block, Relation::Own), Some(Ok(None)));
        let sent = scene.orders().into_iter().filter_map(|order| match order {
            Order::Send(stanza) => Some(stanza),
            _ => None,
        });
        sent.collect()
    }

    fn counted(scene: &Scene, reason: &str) -> bool {
        let series = format!("rookery_abuse_reports_total{{reason=\"{reason}\"}} 1\n");
        scene.metrics.render().contains(&series)
    }

    fn reported(message: &Stanza) -> Element {
        let block = message.child("block", BLOCKING).unwrap().unwrap();
        let item = block.child("item", BLOCKING).unwrap();
        assert_eq!(item.attribute("jid"), Some("romeo@example.net"));
        item.child("report", NAMESPACE).unwrap().clone()
    }

    #[test]
    fn host_announces_it_by_s3() {
        assert!(Scene::new().host_announces("urn:xmpp:reporting:1"));
    }

    #[test]
    fn reports_are_counted_by_reason_by_s4() {
        for (report, reason) in [
            ("reason='urn:xmpp:reporting:spam'>", "spam"),
            ("reason='urn:xmpp:reporting:abuse'>", "abuse"),
            ("reason='urn:example:noise'>", "other"),
            (">", "missing"),
        ] {
            let scene = Scene::new();
            assert!(messages(&scene, &block(report)).is_empty(), "to nobody");
            assert!(counted(&scene, reason), "{reason}");
        }
    }

    #[test]
    fn reports_go_to_the_people_of_the_server() {
        let scene = scene(forwarding());
        let report = "reason='urn:xmpp:reporting:spam'>\
            <text xml:lang='en'>Never came trouble to my house like this.</text>\
            <stanza-id xmlns='urn:xmpp:sid:0' by='romeo@example.net' id='28482'/>";
        let sent = messages(&scene, &block(report));
        let [message] = &sent[..] else {
            panic!("{sent:?}")
        };
        assert_eq!(message.to, Jid::parse("abuse@montague.lit").ok());
        assert_eq!(message.from, Jid::parse("juliet@montague.lit").ok());
        let body = message.child("body", ns::CLIENT).unwrap().unwrap();
        assert!(body.text().contains("romeo@example.net"));
        assert!(
            body.text()
                .ends_with("Never came trouble to my house like this.")
        );
        let report = reported(message);
        assert_eq!(report.attribute("reason"), Some("urn:xmpp:reporting:spam"));
        let id = report.child("stanza-id", ns::STANZA_ID).unwrap();
        assert_eq!(id.attribute("id"), Some("28482"));
    }

    #[test]
    fn report_blocks_as_if_it_were_none_by_s6() {
        for report in [
            ">",
            "reason='urn:xmpp:reporting:spam'>",
            "reason=''><text/><odd/>",
        ] {
            let scene = Scene::new();
            messages(&scene, &block(report));
            let list = "<blocklist xmlns='urn:xmpp:blocking'/>";
            assert_eq!(
                scene.account_says(list, Relation::Own).children().count(),
                1
            );
        }
    }

    #[test]
    fn request_that_is_refused_reports_nothing_by_s6() {
        let scene = scene(forwarding());
        let bad = block("reason='urn:xmpp:reporting:spam'>").replace("romeo@example.net", "@");
        let refused: StanzaError = Condition::JidMalformed.into();
        assert_eq!(scene.tell_account(&bad, Relation::Own), Some(Err(refused)));
        assert!(scene.orders().is_empty());
        assert!(!counted(&scene, "spam"));
    }

    #[test]
    fn what_is_sent_on_is_bounded() {
        let scene = scene(Config {
            max_text_bytes: 5,
            max_stanza_ids: 2,
            ..forwarding()
        });
        let ids = "<stanza-id xmlns='urn:xmpp:sid:0' by='romeo@example.net' id='1'/>".repeat(3);
        let report = format!("reason='urn:xmpp:reporting:abuse'>{ids}<text>dépêche</text>");
        let report = reported(&messages(&scene, &block(&report))[0]);
        assert_eq!(report.child("text", NAMESPACE).unwrap().text(), "dép");
        let ids = report
            .children()
            .filter(|child| child.name() == "stanza-id");
        assert_eq!(ids.count(), 2);
    }

    #[test]
    fn one_request_does_not_flood_the_people_of_the_server() {
        let scene = scene(Config {
            max_reports: 2,
            ..forwarding()
        });
        let item = |n| {
            format!(
                "<item jid='a{n}@example.net'>\
                 <report xmlns='urn:xmpp:reporting:1' reason='urn:xmpp:reporting:spam'/></item>"
            )
        };
        let items: String = (0..5).map(item).collect();
        let block = format!("<block xmlns='urn:xmpp:blocking'>{items}</block>");
        assert_eq!(messages(&scene, &block).len(), 2);
    }

    #[test]
    fn address_that_is_none_is_refused_with_its_key() {
        let config = Config {
            forward_to: vec!["mailto:@".to_owned()],
            ..Config::default()
        };
        let error = config.validate().unwrap_err().to_string();
        assert!(
            error.starts_with("features.reports.forward_to has \"mailto:@\""),
            "{error}"
        );
    }

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(start_of("é", 1), "");
        assert_eq!(start_of("éa", 2), "é");
        assert_eq!(start_of("abc", 5), "abc");
    }
}
