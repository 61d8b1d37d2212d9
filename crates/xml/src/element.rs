//! An owned element tree, for typed payloads.

use std::borrow::Cow;

use crate::chars::{is_name_char, is_name_start, is_ncname, is_xml_char, is_xml_text};
use crate::namespaces::XMLNS_NAMESPACE;

/// An element with its attributes, text and children.
///
/// It always is something that can be written as well-formed XML: what XML forbids is replaced
/// when it is put in (U+FFFD in text and values, `_` in names), and namespace declarations are no
/// attributes; they are made when the element is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    pub(crate) name: Cow<'static, str>,
    pub(crate) namespace: Cow<'static, str>,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) nodes: Vec<Node>,
}

/// One attribute; an empty namespace means none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attribute {
    pub(crate) name: Cow<'static, str>,
    pub(crate) namespace: Cow<'static, str>,
    pub(crate) value: Cow<'static, str>,
}

/// What an element contains; texts are never empty and never side by side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Element(Element),
    Text(String),
}

impl Element {
    /// An empty element. Cheap for names known at compile time.
    pub fn new(
        name: impl Into<Cow<'static, str>>,
        namespace: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::from_checked(legal_name(name.into()), legal_namespace(namespace.into()))
    }

    /// An element whose names are known to be legal.
    pub(crate) fn from_checked(name: Cow<'static, str>, namespace: Cow<'static, str>) -> Self {
        Self {
            name,
            namespace,
            attributes: Vec::new(),
            nodes: Vec::new(),
        }
    }

    /// The local name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The namespace; empty for none.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Whether it has this local name and namespace.
    pub fn is(&self, name: &str, namespace: &str) -> bool {
        self.name == name && self.namespace == namespace
    }

    /// The value of an attribute that has no namespace, as nearly all have none.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attribute_ns(name, "")
    }

    /// The value of an attribute in a namespace, such as `lang` in [`XML_NAMESPACE`](crate::XML_NAMESPACE).
    pub fn attribute_ns(&self, name: &str, namespace: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|attribute| attribute.name == name && attribute.namespace == namespace)
            .map(|attribute| &*attribute.value)
    }

    /// All attributes: local name, namespace (empty for none), value.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.attributes
            .iter()
            .map(|a| (&*a.name, &*a.namespace, &*a.value))
    }

    /// Sets or replaces an attribute without a namespace.
    pub fn set_attribute(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        value: impl Into<Cow<'static, str>>,
    ) {
        self.set_attribute_ns(name, "", value);
    }

    /// Sets or replaces an attribute. One that would be a namespace declaration is ignored.
    pub fn set_attribute_ns(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        namespace: impl Into<Cow<'static, str>>,
        value: impl Into<Cow<'static, str>>,
    ) {
        let (name, namespace) = (legal_name(name.into()), namespace.into());
        if namespace == XMLNS_NAMESPACE || (namespace.is_empty() && name == "xmlns") {
            return;
        }
        let (namespace, value) = (legal_text(namespace), legal_text(value.into()));
        let same = |a: &&mut Attribute| a.name == name && a.namespace == namespace;
        match self.attributes.iter_mut().find(same) {
            Some(attribute) => attribute.value = value,
            None => self.attributes.push(Attribute {
                name,
                namespace,
                value,
            }),
        }
    }

    /// Removes an attribute without a namespace and returns its value.
    pub fn remove_attribute(&mut self, name: &str) -> Option<String> {
        let at = self
            .attributes
            .iter()
            .position(|a| a.name == name && a.namespace.is_empty())?;
        Some(self.attributes.remove(at).value.into_owned())
    }

    /// With an attribute that has no namespace.
    pub fn with_attribute(
        mut self,
        name: impl Into<Cow<'static, str>>,
        value: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.set_attribute(name, value);
        self
    }

    /// With an attribute in a namespace.
    pub fn with_attribute_ns(
        mut self,
        name: impl Into<Cow<'static, str>>,
        namespace: impl Into<Cow<'static, str>>,
        value: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.set_attribute_ns(name, namespace, value);
        self
    }

    /// The child elements, in order.
    pub fn children(&self) -> impl Iterator<Item = &Element> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Element(child) => Some(child),
            Node::Text(_) => None,
        })
    }

    /// The first child element of that name and namespace.
    pub fn child(&self, name: &str, namespace: &str) -> Option<&Element> {
        self.children().find(|child| child.is(name, namespace))
    }

    /// The child elements, in order, each one owned; text is dropped.
    pub fn into_children(self) -> impl Iterator<Item = Element> {
        self.nodes.into_iter().filter_map(|node| match node {
            Node::Element(child) => Some(child),
            Node::Text(_) => None,
        })
    }

    /// Keeps only the child elements that `keep` wants; text stays.
    pub fn retain_children(&mut self, mut keep: impl FnMut(&Element) -> bool) {
        let nodes = std::mem::take(&mut self.nodes);
        for node in nodes {
            match node {
                Node::Element(child) if keep(&child) => self.nodes.push(Node::Element(child)),
                Node::Element(_) => {}
                Node::Text(text) => self.push_legal_text(text.into()),
            }
        }
    }

    /// The element's own text, without that of its children.
    pub fn text(&self) -> Cow<'_, str> {
        let mut texts = self.nodes.iter().filter_map(|node| match node {
            Node::Text(text) => Some(text.as_str()),
            Node::Element(_) => None,
        });
        let Some(first) = texts.next() else {
            return Cow::Borrowed("");
        };
        texts.fold(Cow::Borrowed(first), |all, text| all + text)
    }

    /// Whether it has text of its own other than white space.
    pub fn has_text(&self) -> bool {
        self.nodes
            .iter()
            .any(|n| matches!(n, Node::Text(text) if !crate::chars::is_blank(text)))
    }

    /// With one namespace in place of another, at every element in it: what names the content namespace of
    /// one kind of stream, for another kind.
    #[must_use]
    pub fn with_namespace_replaced(mut self, before: &str, after: &'static str) -> Self {
        if self.namespace == before {
            self.namespace = Cow::Borrowed(after);
        }
        for node in &mut self.nodes {
            if let Node::Element(child) = node {
                let taken = std::mem::replace(child, Self::from_checked("".into(), "".into()));
                *child = taken.with_namespace_replaced(before, after);
            }
        }
        self
    }

    /// With text at its end.
    pub fn with_text(mut self, text: impl AsRef<str>) -> Self {
        self.push_text(text);
        self
    }

    /// Appends text.
    pub fn push_text(&mut self, text: impl AsRef<str>) {
        self.push_legal_text(legal_text(Cow::Borrowed(text.as_ref())));
    }

    /// With a child at its end.
    pub fn with_child(mut self, child: Element) -> Self {
        self.push(child);
        self
    }

    /// Appends a child.
    pub fn push(&mut self, child: Element) {
        self.nodes.push(Node::Element(child));
    }

    /// Appends text that is known to be legal.
    pub(crate) fn push_legal_text(&mut self, text: Cow<'_, str>) {
        match self.nodes.last_mut() {
            _ if text.is_empty() => {}
            Some(Node::Text(before)) => before.push_str(&text),
            _ => self.nodes.push(Node::Text(text.into_owned())),
        }
    }
}

/// `name`, or with everything replaced that cannot stand in a name.
fn legal_name(name: Cow<'static, str>) -> Cow<'static, str> {
    if is_ncname(&name) {
        return name;
    }
    let legal = |c| if is_name_char(c) { c } else { '_' };
    let mut replaced: String = name.chars().map(legal).collect();
    if !replaced.starts_with(is_name_start) {
        replaced.insert(0, '_');
    }
    Cow::Owned(replaced)
}

/// `namespace`, unless it is the one that no element can have.
fn legal_namespace(namespace: Cow<'static, str>) -> Cow<'static, str> {
    if namespace == XMLNS_NAMESPACE {
        Cow::Borrowed("")
    } else {
        legal_text(namespace)
    }
}

/// `text`, or with everything replaced that cannot stand in XML.
fn legal_text(text: Cow<'_, str>) -> Cow<'_, str> {
    if is_xml_text(&text) {
        return text;
    }
    let legal = |c| {
        if is_xml_char(c) {
            c
        } else {
            char::REPLACEMENT_CHARACTER
        }
    };
    Cow::Owned(text.chars().map(legal).collect())
}
