//! The registry that features attach to, and its frozen form.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures_util::FutureExt;
use rookery_stanza::{Condition, StanzaError};
use rookery_xml::Element;

use crate::Feature;
use crate::host::Host;
use crate::iq::{Answer, Erase, ErasedIqHandler, IqContext, IqHandler, IqRequest};
use crate::spec::Spec;
use crate::stream_feature::{Stage, StreamFeature};

/// Why the features do not fit together; found at start, never later.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// Two handlers want the same requests.
    #[error("two features answer {{{namespace}}}{name}; the second is {feature}")]
    Taken {
        /// The payload's namespace.
        namespace: &'static str,
        /// The payload's name.
        name: &'static str,
        /// The feature that came second.
        feature: &'static str,
    },
    /// Two features have the same name.
    #[error("the feature {0} is installed twice")]
    Twice(&'static str),
}

/// Takes what features attach.
#[derive(Default)]
pub struct Registry {
    inner: Inner,
    installing: &'static str,
    error: Option<RegistryError>,
}

/// Everything that is installed; cheap to clone.
#[derive(Clone, Default)]
pub struct Features {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    specs: Vec<Spec>,
    iq: HashMap<(&'static str, &'static str), Box<dyn ErasedIqHandler>>,
    stream: Vec<Box<dyn StreamFeature>>,
}

// === impl Registry ===

impl Registry {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Installs a feature.
    pub fn install(&mut self, feature: Box<dyn Feature>) {
        let spec = feature.spec();
        if self.inner.specs.iter().any(|other| other.name == spec.name) {
            self.refuse(RegistryError::Twice(spec.name));
            return;
        }
        self.installing = spec.name;
        self.inner.specs.push(spec);
        feature.install(self);
    }

    /// Attaches a handler of IQ requests.
    pub fn iq<H: IqHandler>(&mut self, handler: H) {
        let (namespace, name) = (H::Request::NAMESPACE, H::Request::NAME);
        let handler = Box::new(Erase(handler));
        if self.inner.iq.insert((namespace, name), handler).is_some() {
            let feature = self.installing;
            self.refuse(RegistryError::Taken {
                namespace,
                name,
                feature,
            });
        }
    }

    /// Attaches an announcement among the stream features.
    pub fn stream_feature(&mut self, feature: impl StreamFeature) {
        self.inner.stream.push(Box::new(feature));
    }

    /// Remembers the first thing that does not fit.
    fn refuse(&mut self, error: RegistryError) {
        self.error.get_or_insert(error);
    }

    /// Ends installation.
    pub fn freeze(self) -> Result<Features, RegistryError> {
        match self.error {
            Some(error) => Err(error),
            None => Ok(Features {
                inner: Arc::new(self.inner),
            }),
        }
    }
}

// === impl Features ===

impl Features {
    /// What is installed, in order.
    pub fn specs(&self) -> &[Spec] {
        &self.inner.specs
    }

    /// Answers a request, or `None` when nothing understands it, or nothing answers it on behalf of the
    /// addressee: `service-unavailable`.
    ///
    /// A feature that fails by a mistake of its own costs its requester an `internal-server-error`, and
    /// nobody else anything.
    pub fn answer(&self, payload: &Element, context: IqContext<'_>) -> Option<Answer> {
        let handler = self.inner.iq.get(&(payload.namespace(), payload.name()))?;
        let answer = AssertUnwindSafe(|| handler.handle(payload, context));
        match catch_unwind(answer) {
            Ok(Some(Answer::Later(future))) => {
                let contained = AssertUnwindSafe(future).catch_unwind();
                Some(Answer::Later(
                    contained
                        .map(|answer| answer.unwrap_or_else(failed))
                        .boxed(),
                ))
            }
            Ok(answer) => answer,
            Err(panic) => Some(Answer::Now(failed(panic))),
        }
    }

    /// The elements to announce among the stream features.
    pub fn stream_features(&self, stage: Stage, host: &Host) -> Vec<Element> {
        let features = self.inner.stream.iter();
        features
            .filter_map(|feature| feature.advertise(stage, host, self))
            .collect()
    }
}

/// What the requester of a feature that failed is told. The failure itself was logged where it happened.
fn failed(_: Box<dyn Any + Send>) -> Result<Option<Element>, StanzaError> {
    Err(StanzaError::new(Condition::InternalServerError))
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("installed", &self.inner.specs.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Features")
            .field("installed", &self.inner.specs.len())
            .finish_non_exhaustive()
    }
}
