//! XEP-0455: Service Outage Status.

use rookery_extension::{Feature, Host, Registry, Spec, Standard, Status};
use rookery_stanza::payload::data_form::{Field, FieldType, Form, FormType};

/// The kind of the form (§2.1).
const FORM_TYPE: &str = "urn:xmpp:sos:0";

/// Where clients look when they cannot connect, told by the host's service discovery.
#[derive(Debug)]
pub struct OutageStatus;

// === impl Feature ===

impl Feature for OutageStatus {
    fn spec(&self) -> Spec {
        Spec {
            name: "outage_status",
            source: file!(),
            standards: &[Standard {
                document: "XEP-0455",
                title: "Service Outage Status",
                version: "0.4.0",
                status: Status::Complete,
                note: "The documents themselves belong on another machine.",
            }],
            host_forms: &[form],
            ..Spec::EMPTY
        }
    }

    fn install(self: Box<Self>, _registry: &mut Registry) {}
}

/// The form of §2.1; none where the operator names no document.
fn form(host: &Host) -> Option<Form> {
    let known = !host.outages.is_empty();
    let addresses = Field::new("external-status-addresses")
        .with_type(FieldType::ListMulti)
        .with_values(host.outages.iter().cloned());
    known.then(|| Form::of_kind(FormType::Result, FORM_TYPE).with_field(addresses))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Scene, montague};

    const INFO: &str = "<query xmlns='http://jabber.org/protocol/disco#info'/>";

    #[test]
    fn host_tells_where_outages_are_told_in_the_form_of_s2_1() {
        let document = "https://status.example.net/montague.json";
        let scene = Scene::with_host(Host {
            outages: vec![document.to_owned()],
            ..montague()
        });
        let form = scene.host_says(INFO).children().find_map(Form::parse);
        let form = form.unwrap();
        assert_eq!(form.form_type, FormType::Result);
        assert_eq!(form.kind(), Some("urn:xmpp:sos:0"));
        assert_eq!(form.value("external-status-addresses"), Some(document));
    }

    #[test]
    fn host_without_such_documents_has_no_form() {
        assert_eq!(form(&montague()), None);
    }
}
