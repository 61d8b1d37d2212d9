//! Channels to other nodes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rookery_wire::Caller;
use rookery_wire::raft::raft_client::RaftClient;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};

/// A message between nodes is no longer: 64 entries of a batch of 256 binds each have a few MiB.
pub(crate) const LONGEST_MESSAGE: usize = 64 << 20;

pub(crate) type Client = RaftClient<InterceptedService<Channel, Caller>>;

/// One channel to each address, connected when it is needed.
#[derive(Clone, Debug)]
pub(crate) struct Peers {
    caller: Caller,
    channels: Arc<Mutex<HashMap<String, Channel>>>,
    /// Where members said that they are when they called; the group may say otherwise until it has changed.
    moved: Arc<Mutex<HashMap<u64, String>>>,
}

// === impl Peers ===

impl Peers {
    pub(crate) fn new(caller: Caller) -> Self {
        Self {
            caller,
            channels: Arc::default(),
            moved: Arc::default(),
        }
    }

    /// Remembers where a member is reached, by its own word. A leader that knows only where a follower was could
    /// otherwise not tell the group where it is.
    pub(crate) fn learn(&self, caller: &Caller) {
        let mut moved = self.moved.lock();
        if moved.get(&caller.member) != Some(&caller.address) && caller.member != 0 {
            moved.insert(caller.member, caller.address.clone());
        }
    }

    /// A client for a member, which the group says is at this address.
    pub(crate) fn member(&self, id: u64, address: &str) -> Client {
        let moved = self.moved.lock().get(&id).cloned();
        self.client(moved.as_deref().unwrap_or(address))
    }

    /// A client for the node at this address.
    pub(crate) fn client(&self, address: &str) -> Client {
        let mut channels = self.channels.lock();
        let channel = channels
            .entry(address.to_owned())
            .or_insert_with(|| channel(address))
            .clone();
        RaftClient::with_interceptor(channel, self.caller.clone())
            .max_decoding_message_size(LONGEST_MESSAGE)
    }
}

/// A channel that notices within seconds that the other end is gone.
pub(crate) fn channel(address: &str) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}"));
    endpoint
        .unwrap_or_else(|_| Endpoint::from_static("http://[::]:0"))
        .connect_timeout(Duration::from_secs(2))
        .tcp_nodelay(true)
        .http2_keep_alive_interval(Duration::from_secs(5))
        .keep_alive_timeout(Duration::from_secs(5))
        .keep_alive_while_idle(true)
        .connect_lazy()
}
