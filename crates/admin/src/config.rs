//! `[admin]`: the socket for administration.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[admin]`: the local socket by which `rookery user` reaches the running server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The socket; only the server's own user, and root, can use it. A path has at most 107 bytes.
    /// Absent: `admin.sock` in `data_dir`.
    pub socket: Option<PathBuf>,
}
