//! The extension point for nodes of an account that service discovery tells about (XEP-0030 §3.2, §4.2).

use crate::iq::{Answer, IqContext};

/// Answers service discovery about one node of accounts: only to their own sessions.
pub trait AccountNode: Send + Sync + 'static {
    /// The node.
    fn node(&self) -> &'static str;

    /// What it is: the answer to disco#info.
    fn info(&self, context: IqContext<'_>) -> Answer;

    /// What it consists of: the answer to disco#items.
    fn items(&self, context: IqContext<'_>) -> Answer;
}
