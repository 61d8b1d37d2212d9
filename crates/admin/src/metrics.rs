//! What is counted about administration.

use rookery_telemetry::{CounterFamily2, Registry, label};

use crate::request::{Request, Response};

label! {
    /// What was asked.
    pub(crate) enum Method("method") {
        /// An account to be made.
        AddUser = "add_user",
        /// An account to be removed.
        DeleteUser = "delete_user",
        /// A password to be changed.
        SetPassword = "set_password",
        /// Whether there is an account.
        UserExists = "user_exists",
        /// The hosts.
        ListHosts = "list_hosts",
        /// The accounts of a host.
        ListUsers = "list_users",
        /// Many accounts to be made.
        ImportUsers = "import_users",
    }
}

label! {
    /// What came of it.
    pub(crate) enum Code("code") {
        /// It was done.
        Ok = "ok",
        /// It was refused.
        Refused = "refused",
        /// It failed.
        Failed = "failed",
    }
}

/// The metrics of this crate.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    requests: CounterFamily2<Method, Code>,
}

// === impl Metrics ===

impl Metrics {
    pub(crate) fn register(registry: &Registry) -> Self {
        let requests = registry.counters2("admin_requests_total", "What do operators ask for?");
        Self { requests }
    }

    pub(crate) fn count(&self, method: Method, response: &Response) {
        let code = match response {
            Response::Refused { .. } => Code::Refused,
            Response::Failed { .. } => Code::Failed,
            _ => Code::Ok,
        };
        self.requests.of(method, code).increment();
    }
}

// === impl Method ===

impl Method {
    pub(crate) fn of(request: &Request) -> Self {
        match request {
            Request::AddUser(_) => Self::AddUser,
            Request::DeleteUser { .. } => Self::DeleteUser,
            Request::SetPassword(_) => Self::SetPassword,
            Request::UserExists { .. } => Self::UserExists,
            Request::ListHosts => Self::ListHosts,
            Request::ListUsers { .. } => Self::ListUsers,
            Request::ImportUsers { .. } => Self::ImportUsers,
        }
    }
}
