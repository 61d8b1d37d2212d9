//! XEP-0077 §3, §4: what is asked and submitted, as fields of the namespace and as a data form.

use rookery_extension::{IqMethod, IqRequest};
use rookery_stanza::payload::data_form::{Field, FieldType, Form, FormType};
use rookery_stanza::{BareJid, Condition, StanzaError};
use rookery_xml::Element;

use super::NAMESPACE;

/// What somebody wants.
pub(super) enum RegistrationRequest {
    /// To know what has to be filled in.
    Fields,
    /// To make an account, or to change the password of one's own.
    Submit(Submission),
    /// To remove one's own account.
    Remove,
}

/// What was filled in. It holds a password, and is not shown.
pub(super) struct Submission {
    username: Option<String>,
    password: Option<String>,
}

// === impl IqRequest ===

impl IqRequest for RegistrationRequest {
    const NAME: &'static str = "query";
    const NAMESPACE: &'static str = NAMESPACE;

    fn parse(method: IqMethod, payload: &Element) -> Result<Self, StanzaError> {
        if method == IqMethod::Get {
            return Ok(Self::Fields);
        }
        if payload.child("remove", NAMESPACE).is_some() {
            // §3.2: nothing beside it.
            return match payload.children().count() {
                1 => Ok(Self::Remove),
                _ => Err(Condition::BadRequest.into()),
            };
        }
        // §4, rule 5: a form takes precedence.
        match payload.children().find_map(Form::parse) {
            Some(form) => Submission::of_form(&form).map(Self::Submit),
            None => Ok(Self::Submit(Submission::of_fields(payload))),
        }
    }
}

// === impl Submission ===

impl Submission {
    fn of_fields(query: &Element) -> Self {
        let text = |name| {
            let field = query.child(name, NAMESPACE);
            field.map(|field| field.text().into_owned())
        };
        Self {
            username: text("username"),
            password: text("password"),
        }
    }

    /// §13.4: registration and the change of a password have a type each, and the same fields.
    fn of_form(form: &Form) -> Result<Self, StanzaError> {
        let known = [
            None,
            Some(NAMESPACE),
            Some("jabber:iq:register:changepassword"),
        ];
        if form.form_type != FormType::Submit || !known.contains(&form.kind()) {
            return Err(Condition::BadRequest.into());
        }
        let text = |name| form.value(name).map(str::to_owned);
        Ok(Self {
            username: text("username"),
            password: text("password"),
        })
    }

    /// Name and password, if both were filled in: an element with nothing in it was not (§3.1).
    pub(super) fn complete(self) -> Option<(String, String)> {
        let filled = |text: &String| !text.is_empty();
        Some((self.username.filter(filled)?, self.password.filter(filled)?))
    }
}

/// What a newcomer has to fill in (§3.1).
pub(super) fn empty() -> Element {
    let instructions = "Choose a name and a password.";
    let form = form(instructions, None);
    query(instructions)
        .with_child(Element::new("username", NAMESPACE))
        .with_child(Element::new("password", NAMESPACE))
        .with_child(form.to_element())
}

/// What somebody who has an account is shown (§3.1).
pub(super) fn registered(account: &BareJid) -> Element {
    let instructions = "You have an account. Here you can give it another password.";
    let name = account.local().unwrap_or_default();
    let form = form(instructions, Some(name));
    query(instructions)
        .with_child(Element::new("registered", NAMESPACE))
        .with_child(Element::new("username", NAMESPACE).with_text(name))
        .with_child(Element::new("password", NAMESPACE))
        .with_child(form.to_element())
}

fn query(instructions: &'static str) -> Element {
    let instructions = Element::new("instructions", NAMESPACE).with_text(instructions);
    Element::new("query", NAMESPACE).with_child(instructions)
}

fn form(instructions: &'static str, name: Option<&str>) -> Form {
    let username = Field::new("username")
        .with_type(FieldType::TextSingle)
        .with_label("Name")
        .required()
        .with_values(name.map(str::to_owned));
    let password = Field::new("password")
        .with_type(FieldType::TextPrivate)
        .with_label("Password")
        .required();
    Form::of_kind(FormType::Form, NAMESPACE)
        .with_title("Account")
        .with_instructions(instructions)
        .with_field(username)
        .with_field(password)
}
