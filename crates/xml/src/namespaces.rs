//! Namespaces in XML 1.0: which prefix means what at which place.

use std::borrow::Cow;

use smallvec::SmallVec;

use crate::error::XmlError;
use crate::limits::Limits;

/// What the prefix `xml` always means.
pub const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";

/// What the prefix `xmlns` always means.
pub(crate) const XMLNS_NAMESPACE: &str = "http://www.w3.org/2000/xmlns/";

/// The namespaces that a stream header declared, kept for the life of the stream: the start of
/// every stanza's scope. `default()` has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamNamespaces {
    default: Box<str>,
    prefixes: Box<[(Box<str>, Box<str>)]>,
}

/// The bindings in scope while one stanza is read.
#[derive(Debug)]
pub(crate) struct Scope<'a> {
    outer: &'a StreamNamespaces,
    bindings: SmallVec<[Binding<'a>; 4]>,
    /// Prefixes that were used so far and are bound by the stream header, each once.
    pub(crate) borrowed: SmallVec<[&'a str; 2]>,
    /// Whether an element inside the stanza took its default namespace from outside of itself and
    /// its parents below the stanza's own element.
    pub(crate) inherits_default: bool,
}

/// One declaration in scope.
#[derive(Debug)]
struct Binding<'a> {
    /// Empty for the default namespace.
    prefix: &'a str,
    namespace: Cow<'a, str>,
    /// Of the element that declares it; 1 is the stanza itself.
    depth: usize,
}

// === impl StreamNamespaces ===

impl StreamNamespaces {
    /// Only a default namespace, as on a stream whose header binds no other prefix.
    pub fn with_default(namespace: &str) -> Self {
        Self {
            default: namespace.into(),
            prefixes: Box::default(),
        }
    }

    /// Binds a prefix beside what is bound already. For streams that have no header of their own;
    /// the prefix is not checked.
    #[must_use]
    pub fn and_prefix(mut self, prefix: &str, namespace: &str) -> Self {
        let mut prefixes = self.prefixes.into_vec();
        prefixes.push((prefix.into(), namespace.into()));
        self.prefixes = prefixes.into_boxed_slice();
        self
    }

    /// The namespace of unprefixed elements; empty if the header declared none.
    pub fn default_namespace(&self) -> &str {
        &self.default
    }

    /// What the header bound `prefix` to.
    pub fn namespace_of(&self, prefix: &str) -> Option<&str> {
        self.prefixes
            .iter()
            .find(|(bound, _)| &**bound == prefix)
            .map(|(_, namespace)| &**namespace)
    }

    /// All prefixes that the header bound, with their namespaces; without the default namespace.
    pub fn prefixes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.prefixes
            .iter()
            .map(|(prefix, namespace)| (&**prefix, &**namespace))
    }
}

// === impl Scope ===

impl<'a> Scope<'a> {
    pub(crate) fn new(outer: &'a StreamNamespaces) -> Self {
        Self {
            outer,
            bindings: SmallVec::new(),
            borrowed: SmallVec::new(),
            inherits_default: false,
        }
    }

    /// Adds a declaration made at `depth`; an empty prefix is the default namespace. That an element
    /// declares a prefix once only is checked elsewhere.
    #[inline]
    pub(crate) fn declare(
        &mut self,
        prefix: &'a str,
        namespace: Cow<'a, str>,
        depth: usize,
        limits: &Limits,
    ) -> Result<(), XmlError> {
        check_declaration(prefix, &namespace)?;
        if self.bindings.len() + self.outer.prefixes.len() >= limits.max_namespaces {
            return Err(XmlError::TooManyNamespaces);
        }
        self.bindings.push(Binding {
            prefix,
            namespace,
            depth,
        });
        Ok(())
    }

    /// Forgets what was declared below `depth`.
    pub(crate) fn leave(&mut self, depth: usize) {
        while self
            .bindings
            .last()
            .is_some_and(|binding| binding.depth > depth)
        {
            self.bindings.pop();
        }
    }

    /// What a prefix used at `depth` is bound to; an empty one asks for the default namespace,
    /// which is always bound, be it to nothing.
    #[inline]
    pub(crate) fn resolve(
        &mut self,
        prefix: &'a str,
        depth: usize,
    ) -> Result<Cow<'a, str>, XmlError> {
        let inner = self
            .bindings
            .iter()
            .rev()
            .find(|binding| binding.prefix == prefix);
        if prefix.is_empty() && depth > 1 && inner.is_none_or(|binding| binding.depth <= 1) {
            self.inherits_default = true;
        }
        if let Some(binding) = inner {
            return Ok(binding.namespace.clone());
        }
        Ok(Cow::Borrowed(match prefix {
            "" => self.outer.default_namespace(),
            "xml" => XML_NAMESPACE,
            "xmlns" => {
                return Err(XmlError::BadNamespace(
                    "the prefix xmlns is for declarations",
                ));
            }
            _ => {
                let namespace = self
                    .outer
                    .namespace_of(prefix)
                    .ok_or(XmlError::UnboundPrefix)?;
                if !self.borrowed.contains(&prefix) {
                    self.borrowed.push(prefix);
                }
                namespace
            }
        }))
    }

    /// The default namespace where the scope stands now.
    pub(crate) fn default_namespace(&self) -> &str {
        let inner = self
            .bindings
            .iter()
            .rev()
            .find(|binding| binding.prefix.is_empty());
        inner.map_or(self.outer.default_namespace(), |binding| {
            &*binding.namespace
        })
    }

    /// What is declared now, as the start of every stanza's scope.
    pub(crate) fn into_stream(self) -> StreamNamespaces {
        let mut default = Box::default();
        let mut prefixes = Vec::new();
        for binding in self.bindings {
            let namespace = binding.namespace.into_owned().into_boxed_str();
            if binding.prefix.is_empty() {
                default = namespace;
            } else {
                prefixes.push((binding.prefix.into(), namespace));
            }
        }
        StreamNamespaces {
            default,
            prefixes: prefixes.into_boxed_slice(),
        }
    }
}

/// Namespaces in XML 1.0 §3: the reserved prefixes and names, and no undeclaring of prefixes.
fn check_declaration(prefix: &str, namespace: &str) -> Result<(), XmlError> {
    match (prefix, namespace) {
        ("xml", XML_NAMESPACE) | ("", "") => Ok(()),
        ("xml", _) => Err(XmlError::BadNamespace("the prefix xml is reserved")),
        ("xmlns", _) => Err(XmlError::BadNamespace("the prefix xmlns is reserved")),
        (_, XML_NAMESPACE) => Err(XmlError::BadNamespace("the xml namespace is reserved")),
        (_, XMLNS_NAMESPACE) => Err(XmlError::BadNamespace("the xmlns namespace is reserved")),
        (_, "") => Err(XmlError::BadNamespace("a prefix cannot be undeclared")),
        _ => Ok(()),
    }
}
