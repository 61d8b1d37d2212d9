//! What the nodes of a cluster say to each other.
//!
//! The definitions are in `proto/`; [`raft`] has what is made of them. [`caller`] is what every call carries beside
//! its message: who calls, of which cluster, in which version.
//!
//! This crate does not know what is done with it.

pub mod caller;

pub use caller::{Caller, CallerError, Checking};

/// The replicated log: `proto/rookery/cluster/v1/raft.proto`.
pub mod raft {
    #![expect(
        clippy::allow_attributes,
        clippy::allow_attributes_without_reason,
        clippy::empty_structs_with_brackets,
        clippy::excessive_nesting,
        clippy::pedantic,
        unused_qualifications,
        reason = "made by tonic-prost-build"
    )]

    tonic::include_proto!("rookery.cluster.v1");
}
