//! XEP-0004: Data Forms, with the form types of XEP-0068.
//!
//! Tables of results (`<reported/>`, `<item/>`; XEP-0004 §3.4) are not read or written.

use crate::ns;
use rookery_xml::Element;
use std::borrow::Cow;

/// The field that says what kind of form this is (XEP-0068).
const FORM_TYPE: &str = "FORM_TYPE";

/// What a form is for (XEP-0004 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FormType {
    /// To be filled in.
    Form,
    /// Filled in.
    Submit,
    /// Not going to be filled in.
    Cancel,
    /// Data given back, or just data.
    Result,
}

/// The type of a field's data (XEP-0004 §3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum FieldType {
    /// One of two.
    Boolean,
    /// Text to show, not to fill in.
    Fixed,
    /// Not shown, given back as it is.
    Hidden,
    /// Any number of addresses.
    JidMulti,
    /// One address.
    JidSingle,
    /// Any number of the options.
    ListMulti,
    /// One of the options.
    ListSingle,
    /// Lines of text.
    TextMulti,
    /// A line that is not shown when typed.
    TextPrivate,
    /// A line of text; also what a missing or unknown type means.
    #[default]
    TextSingle,
}

/// A form (XEP-0004 §3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// What it is for.
    pub form_type: FormType,
    /// The name of the whole.
    pub title: Option<Cow<'static, str>>,
    /// How to fill it in, by paragraphs.
    pub instructions: Vec<Cow<'static, str>>,
    /// The fields, in the order in which to show them.
    pub fields: Vec<Field>,
}

/// A field of a form (XEP-0004 §3.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Field {
    /// Its name in the form; only `fixed` fields may lack one.
    pub var: Option<Cow<'static, str>>,
    /// The type of its data; `None` when not said, as is usual in forms that were filled in.
    pub field_type: Option<FieldType>,
    /// Its name for people.
    pub label: Option<Cow<'static, str>>,
    /// More about it for people.
    pub description: Option<Cow<'static, str>>,
    /// Whether it must be filled in.
    pub required: bool,
    /// Its values.
    pub values: Vec<Cow<'static, str>>,
    /// What there is to choose from.
    pub options: Vec<FieldOption>,
}

/// One thing to choose in a list (XEP-0004 §3.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldOption {
    /// Its name for people.
    pub label: Option<Cow<'static, str>>,
    /// The value to send.
    pub value: Cow<'static, str>,
}

impl FormType {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::Submit => "submit",
            Self::Cancel => "cancel",
            Self::Result => "result",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Form, Self::Submit, Self::Cancel, Self::Result]
            .into_iter()
            .find(|form_type| form_type.as_str() == name)
    }
}

impl FieldType {
    /// All types.
    const ALL: [Self; 10] = [
        Self::Boolean,
        Self::Fixed,
        Self::Hidden,
        Self::JidMulti,
        Self::JidSingle,
        Self::ListMulti,
        Self::ListSingle,
        Self::TextMulti,
        Self::TextPrivate,
        Self::TextSingle,
    ];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Fixed => "fixed",
            Self::Hidden => "hidden",
            Self::JidMulti => "jid-multi",
            Self::JidSingle => "jid-single",
            Self::ListMulti => "list-multi",
            Self::ListSingle => "list-single",
            Self::TextMulti => "text-multi",
            Self::TextPrivate => "text-private",
            Self::TextSingle => "text-single",
        }
    }

    /// The type of this name; an unknown one is `text-single` (XEP-0004 §3.3).
    fn from_name(name: &str) -> Self {
        let known = Self::ALL
            .into_iter()
            .find(|field_type| field_type.as_str() == name);
        known.unwrap_or_default()
    }
}

impl Form {
    /// An empty form.
    pub fn new(form_type: FormType) -> Self {
        Self {
            form_type,
            title: None,
            instructions: Vec::new(),
            fields: Vec::new(),
        }
    }

    /// An empty form of a registered kind: its first field is the hidden `FORM_TYPE` (XEP-0068 §4.2).
    pub fn of_kind(form_type: FormType, kind: impl Into<Cow<'static, str>>) -> Self {
        let kind = Field::new(FORM_TYPE)
            .with_type(FieldType::Hidden)
            .with_value(kind);
        Self::new(form_type).with_field(kind)
    }

    /// With a title.
    pub fn with_title(mut self, title: impl Into<Cow<'static, str>>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// With one more paragraph of instructions.
    pub fn with_instructions(mut self, instructions: impl Into<Cow<'static, str>>) -> Self {
        self.instructions.push(instructions.into());
        self
    }

    /// With one more field.
    pub fn with_field(mut self, field: Field) -> Self {
        self.fields.push(field);
        self
    }

    /// The kind of the form: its `FORM_TYPE`. It counts only where it is hidden, except in a form that was
    /// filled in (XEP-0068 §4.1, §4.3).
    pub fn kind(&self) -> Option<&str> {
        let field = self.field(FORM_TYPE)?;
        let counts =
            self.form_type == FormType::Submit || field.field_type == Some(FieldType::Hidden);
        if counts { field.value() } else { None }
    }

    /// The field of this name.
    pub fn field(&self, var: &str) -> Option<&Field> {
        self.fields
            .iter()
            .find(|field| field.var.as_deref() == Some(var))
    }

    /// The first value of the field of this name.
    pub fn value(&self, var: &str) -> Option<&str> {
        self.field(var)?.value()
    }

    /// The `<x/>` element.
    pub fn to_element(&self) -> Element {
        let mut form =
            Element::new("x", ns::DATA_FORMS).with_attribute("type", self.form_type.as_str());
        if let Some(title) = &self.title {
            form.push(text("title", title));
        }
        for instructions in &self.instructions {
            form.push(text("instructions", instructions));
        }
        for field in &self.fields {
            form.push(field.to_element());
        }
        form
    }

    /// Reads an `<x/>` element. `None` when it is another element, or of no known type.
    pub fn parse(form: &Element) -> Option<Self> {
        if !form.is("x", ns::DATA_FORMS) {
            return None;
        }
        Some(Self {
            form_type: FormType::from_name(form.attribute("type")?)?,
            title: form.child("title", ns::DATA_FORMS).map(owned_text),
            instructions: named(form, "instructions").map(owned_text).collect(),
            fields: named(form, "field").map(Field::parse).collect(),
        })
    }
}

impl Field {
    /// A field without type or value.
    pub fn new(var: impl Into<Cow<'static, str>>) -> Self {
        Self {
            var: Some(var.into()),
            ..Self::default()
        }
    }

    /// With a type.
    pub fn with_type(mut self, field_type: FieldType) -> Self {
        self.field_type = Some(field_type);
        self
    }

    /// With a name for people.
    pub fn with_label(mut self, label: impl Into<Cow<'static, str>>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// With one more value.
    pub fn with_value(mut self, value: impl Into<Cow<'static, str>>) -> Self {
        self.values.push(value.into());
        self
    }

    /// With more values.
    pub fn with_values<Value: Into<Cow<'static, str>>>(
        mut self,
        values: impl IntoIterator<Item = Value>,
    ) -> Self {
        self.values.extend(values.into_iter().map(Into::into));
        self
    }

    /// With one more thing to choose.
    pub fn with_option(
        mut self,
        label: impl Into<Cow<'static, str>>,
        value: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.options.push(FieldOption {
            label: Some(label.into()),
            value: value.into(),
        });
        self
    }

    /// As one that must be filled in.
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// The first value.
    pub fn value(&self) -> Option<&str> {
        self.values.first().map(|value| &**value)
    }

    /// The first value of a `boolean` field, in either notation (XEP-0004 §3.3). `None` when there is none
    /// or it is anything else.
    pub fn boolean(&self) -> Option<bool> {
        match self.value()? {
            "1" | "true" => Some(true),
            "0" | "false" => Some(false),
            _ => None,
        }
    }

    fn to_element(&self) -> Element {
        let mut field = Element::new("field", ns::DATA_FORMS);
        if let Some(var) = &self.var {
            field.set_attribute("var", var.clone());
        }
        if let Some(field_type) = self.field_type {
            field.set_attribute("type", field_type.as_str());
        }
        if let Some(label) = &self.label {
            field.set_attribute("label", label.clone());
        }
        if let Some(description) = &self.description {
            field.push(text("desc", description));
        }
        if self.required {
            field.push(Element::new("required", ns::DATA_FORMS));
        }
        for value in &self.values {
            field.push(text("value", value));
        }
        for option in &self.options {
            field.push(option.to_element());
        }
        field
    }

    fn parse(field: &Element) -> Self {
        Self {
            var: field.attribute("var").map(owned),
            field_type: field.attribute("type").map(FieldType::from_name),
            label: field.attribute("label").map(owned),
            description: field.child("desc", ns::DATA_FORMS).map(owned_text),
            required: field.child("required", ns::DATA_FORMS).is_some(),
            values: named(field, "value").map(owned_text).collect(),
            options: named(field, "option")
                .filter_map(FieldOption::parse)
                .collect(),
        }
    }
}

impl FieldOption {
    fn to_element(&self) -> Element {
        let option = Element::new("option", ns::DATA_FORMS).with_child(text("value", &self.value));
        match &self.label {
            Some(label) => option.with_attribute("label", label.clone()),
            None => option,
        }
    }

    fn parse(option: &Element) -> Option<Self> {
        let value = owned_text(option.child("value", ns::DATA_FORMS)?);
        Some(Self {
            label: option.attribute("label").map(owned),
            value,
        })
    }
}

/// The children of this name.
fn named<'a>(parent: &'a Element, name: &'static str) -> impl Iterator<Item = &'a Element> {
    parent
        .children()
        .filter(move |child| child.is(name, ns::DATA_FORMS))
}

/// An element that has only text.
fn text(name: &'static str, text: &str) -> Element {
    Element::new(name, ns::DATA_FORMS).with_text(text)
}

fn owned(text: &str) -> Cow<'static, str> {
    Cow::Owned(text.to_owned())
}

fn owned_text(element: &Element) -> Cow<'static, str> {
    Cow::Owned(element.text().into_owned())
}

#[cfg(test)]
mod tests;
