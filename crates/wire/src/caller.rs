//! Who calls: metadata of every call, and the check of it.

use tonic::metadata::{AsciiMetadataValue, MetadataMap};
use tonic::service::Interceptor;
use tonic::{Request, Status};

/// The version of the protocol between nodes that this one speaks.
pub const VERSION: u32 = 1;

const CLUSTER: &str = "rookery-cluster";
const MEMBER: &str = "rookery-member";
const ADDRESS: &str = "rookery-address";
const SPOKEN: &str = "rookery-version";

/// Who calls. Put on a client, it says so in every call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The cluster that the caller belongs to.
    pub cluster: String,
    /// Which member it is; 0 while it has not been admitted.
    pub member: u64,
    /// Where it is reached now, which the others may not know yet.
    pub address: String,
}

/// Refuses calls of strangers. Put before a service, it lets through calls of this cluster and of this version, and
/// of nobody else.
#[derive(Clone, Debug)]
pub struct Checking {
    /// The cluster.
    pub cluster: String,
}

/// Why a call is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallerError {
    /// It does not say who calls.
    #[error("the call does not say {0}")]
    Missing(&'static str),
    /// It is of another cluster.
    #[error("this is cluster {ours}, the caller belongs to {theirs}")]
    Cluster {
        /// This one.
        ours: String,
        /// The caller's.
        theirs: String,
    },
    /// It is of a version that this node does not speak.
    #[error("this node speaks version {VERSION}, the caller {0}")]
    Version(u32),
}

// === impl Caller ===

impl Caller {
    /// Who sent a call that was let through.
    ///
    /// # Errors
    /// When it does not say.
    pub fn of(metadata: &MetadataMap) -> Result<Self, CallerError> {
        let text = |name| {
            let value = metadata.get(name).and_then(|value| value.to_str().ok());
            value.ok_or(CallerError::Missing(name))
        };
        let version = text(SPOKEN)?.parse();
        match version {
            Ok(VERSION) => {}
            Ok(other) => return Err(CallerError::Version(other)),
            Err(_) => return Err(CallerError::Missing(SPOKEN)),
        }
        let member = text(MEMBER)?.parse();
        Ok(Self {
            cluster: text(CLUSTER)?.to_owned(),
            member: member.map_err(|_| CallerError::Missing(MEMBER))?,
            address: text(ADDRESS)?.to_owned(),
        })
    }
}

impl Interceptor for Caller {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let metadata = request.metadata_mut();
        for (name, text) in [(CLUSTER, &self.cluster), (ADDRESS, &self.address)] {
            let value = AsciiMetadataValue::try_from(text);
            let value = value.map_err(|_| Status::internal(format!("{name} is not ASCII")))?;
            metadata.insert(name, value);
        }
        metadata.insert(MEMBER, self.member.into());
        metadata.insert(SPOKEN, VERSION.into());
        Ok(request)
    }
}

// === impl Checking ===

impl Interceptor for Checking {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let caller = Caller::of(request.metadata())?;
        if caller.cluster != self.cluster {
            let (ours, theirs) = (self.cluster.clone(), caller.cluster);
            return Err(CallerError::Cluster { ours, theirs }.into());
        }
        request.extensions_mut().insert(caller);
        Ok(request)
    }
}

impl From<CallerError> for Status {
    fn from(error: CallerError) -> Self {
        match error {
            CallerError::Missing(_) => Self::unauthenticated(error.to_string()),
            CallerError::Cluster { .. } => Self::permission_denied(error.to_string()),
            CallerError::Version(_) => Self::failed_precondition(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    fn caller(cluster: &str) -> Caller {
        Caller {
            cluster: cluster.to_owned(),
            member: 7,
            address: "node-7:7000".to_owned(),
        }
    }

    fn check(request: Request<()>) -> Result<Request<()>, Code> {
        let cluster = "verona".to_owned();
        let checked = Checking { cluster }.call(request);
        checked.map_err(|status| status.code())
    }

    #[test]
    fn a_call_of_this_cluster_is_let_through_and_says_who_calls() {
        let request = caller("verona").call(Request::new(())).unwrap();
        let request = check(request).unwrap();
        assert_eq!(request.extensions().get(), Some(&caller("verona")));
    }

    #[test]
    fn calls_of_strangers_are_refused() {
        let foreign = caller("padua").call(Request::new(())).unwrap();
        assert_eq!(check(foreign).unwrap_err(), Code::PermissionDenied);
        assert_eq!(check(Request::new(())).unwrap_err(), Code::Unauthenticated);
        let mut newer = caller("verona").call(Request::new(())).unwrap();
        newer.metadata_mut().insert(SPOKEN, 2.into());
        assert_eq!(check(newer).unwrap_err(), Code::FailedPrecondition);
    }
}
