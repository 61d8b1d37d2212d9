//! The signal to leave in order: given once, seen by everybody who listens.

use tokio::sync::watch;

/// The end that starts the drain.
#[derive(Debug)]
pub struct Drain {
    sender: watch::Sender<bool>,
}

/// The end that waits for it; cheap to clone.
#[derive(Clone, Debug)]
pub struct DrainSignal {
    receiver: watch::Receiver<bool>,
}

// === impl Drain ===

impl Drain {
    /// A drain that has not started, and its signal.
    pub fn new() -> (Self, DrainSignal) {
        let (sender, receiver) = watch::channel(false);
        (Self { sender }, DrainSignal { receiver })
    }

    /// Starts the drain. Starting it again changes nothing.
    pub fn start(&self) {
        self.sender.send_replace(true);
    }
}

// === impl DrainSignal ===

impl DrainSignal {
    /// Whether the drain has started.
    pub fn is_draining(&self) -> bool {
        *self.receiver.borrow()
    }

    /// Returns when the drain starts, or when nobody is left who could start it.
    pub async fn draining(&mut self) {
        // An error means that the sender is gone, which is the end of the process too.
        drop(self.receiver.wait_for(|draining| *draining).await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_listener_sees_the_drain() {
        let (drain, mut signal) = Drain::new();
        let mut other = signal.clone();
        assert!(!signal.is_draining());
        drain.start();
        signal.draining().await;
        other.draining().await;
        assert!(other.is_draining());
    }
}
