//! XEP-0157: Contact Addresses for XMPP Services.

use rookery_extension::{ContactKind, Feature, Host, Registry, Spec, Standard, Status};
use rookery_stanza::ns;
use rookery_stanza::payload::data_form::{Field, FieldType, Form, FormType};

/// How to reach the people behind a host, told by its service discovery.
#[derive(Debug)]
pub struct ContactAddresses;

// === impl Feature ===

impl Feature for ContactAddresses {
    fn spec(&self) -> Spec {
        Spec {
            name: "contact_addresses",
            source: file!(),
            standards: &[Standard {
                document: "XEP-0157",
                title: "Contact Addresses for XMPP Services",
                version: "1.1.1",
                status: Status::Complete,
                note: "",
            }],
            host_forms: &[form],
            ..Spec::EMPTY
        }
    }

    fn install(self: Box<Self>, _registry: &mut Registry) {}
}

/// The form of §3; none where no contact is known.
fn form(host: &Host) -> Option<Form> {
    let known = host
        .contacts
        .addresses
        .iter()
        .filter(|(_, addresses)| !addresses.is_empty());
    let fields = known.map(|(kind, addresses)| {
        let field = Field::new(variable(*kind)).with_type(FieldType::ListMulti);
        field.with_values(addresses.iter().cloned())
    });
    let mut fields = fields.peekable();
    fields.peek()?;
    Some(fields.fold(
        Form::of_kind(FormType::Result, ns::SERVER_INFO),
        Form::with_field,
    ))
}

/// The names of the fields (§7.1).
fn variable(kind: ContactKind) -> &'static str {
    match kind {
        ContactKind::Abuse => "abuse-addresses",
        ContactKind::Admin => "admin-addresses",
        ContactKind::Feedback => "feedback-addresses",
        ContactKind::Sales => "sales-addresses",
        ContactKind::Security => "security-addresses",
        ContactKind::Status => "status-addresses",
        ContactKind::Support => "support-addresses",
    }
}

#[cfg(test)]
mod tests {
    use rookery_extension::Relation;

    use super::*;
    use crate::fixture::{Scene, host_with_contacts};

    const INFO: &str = "<query xmlns='http://jabber.org/protocol/disco#info'/>";

    #[test]
    fn host_tells_its_contacts_in_the_form_of_s3() {
        let scene = Scene::with_host(host_with_contacts());
        let info = scene.host_says(INFO);
        let form = info.children().find_map(Form::parse).unwrap();
        assert_eq!(form.form_type, FormType::Result);
        assert_eq!(form.kind(), Some("http://jabber.org/network/serverinfo"));
        let abuse = form.field("abuse-addresses").unwrap();
        assert_eq!(
            abuse.values,
            ["mailto:abuse@montague.lit", "xmpp:abuse@montague.lit"]
        );
        assert_eq!(
            form.value("status-addresses"),
            Some("https://status.montague.lit")
        );
        assert_eq!(form.field("sales-addresses"), None, "nobody sells");
    }

    #[test]
    fn host_without_contacts_has_no_form() {
        let info = Scene::new().host_says(INFO);
        assert_eq!(info.children().find_map(Form::parse), None);
    }

    #[test]
    fn accounts_do_not_tell_contacts() {
        let scene = Scene::with_host(host_with_contacts());
        let info = scene.account_says(INFO, Relation::Own);
        assert_eq!(info.children().find_map(Form::parse), None);
    }
}
