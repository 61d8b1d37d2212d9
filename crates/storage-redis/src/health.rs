//! Has the servers judged again and again, and says what came of it.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use redis::Pipeline;
use rookery_storage::StoreError;
use tokio::sync::Notify;

use crate::dial::{self, Dialer};
use crate::failure::Failure;
use crate::metrics::{Backend, Metrics};
use crate::preflight::{self, Findings};
use crate::reply;
use crate::route::{Routes, Server};

/// How often servers are judged.
const PERIOD: Duration = Duration::from_secs(5);
/// How soon again while they are not fit.
const SOON: Duration = Duration::from_secs(1);

/// What is known of the servers.
#[derive(Debug)]
pub(crate) struct Health {
    fault: Mutex<Option<String>>,
    warned: Mutex<Vec<String>>,
    metrics: Metrics,
    ended: Notify,
}

// === impl Health ===

impl Health {
    pub(crate) fn new(metrics: Metrics) -> Arc<Self> {
        Arc::new(Self {
            fault: Mutex::new(Some("nobody has asked the servers yet".to_owned())),
            warned: Mutex::default(),
            metrics,
            ended: Notify::new(),
        })
    }

    pub(crate) fn check(&self) -> Result<(), StoreError> {
        match &*self.fault.lock() {
            None => Ok(()),
            Some(fault) => Err(StoreError::Unavailable(fault.clone())),
        }
    }

    /// Has the watch end.
    pub(crate) fn end(&self) {
        self.ended.notify_one();
    }

    fn note(&self, findings: Findings) {
        let Findings {
            mut faults,
            warnings,
            bytes,
        } = findings;
        let fault = (!faults.is_empty()).then(|| {
            faults.dedup();
            faults.join("; ")
        });
        self.metrics
            .up
            .of(Backend::Redis)
            .set(i64::from(fault.is_none()));
        if fault.is_none() {
            self.metrics
                .bytes
                .of(Backend::Redis)
                .set(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
        for warning in warnings {
            let mut warned = self.warned.lock();
            if !warned.contains(&warning) {
                tracing::warn!("{warning}");
                warned.push(warning);
            }
        }
        let mut known = self.fault.lock();
        if *known != fault {
            if let Some(fault) = &fault {
                tracing::error!(fault, "the store in Redis is not ready");
            } else {
                tracing::info!("the store in Redis is ready");
            }
            *known = fault;
        }
    }
}

/// Judges all servers, from time to time.
pub(crate) async fn watch(dialer: Arc<Dialer>, routes: Arc<Routes>, health: Arc<Health>) {
    loop {
        let pause = if health.check().is_ok() { PERIOD } else { SOON };
        tokio::select! {
            () = tokio::time::sleep(pause) => look(&dialer, &routes, &health).await,
            () = health.ended.notified() => return,
        }
    }
}

/// Judges all servers once.
pub(crate) async fn look(dialer: &Dialer, routes: &Arc<Routes>, health: &Health) {
    let mut findings = Findings::default();
    match routes.all().await {
        Ok(servers) => {
            for server in servers {
                let found = judge(dialer, &server).await;
                findings.bytes += found.bytes;
                findings.faults.extend(found.faults);
                for warning in found.warnings {
                    if !findings.warnings.contains(&warning) {
                        findings.warnings.push(warning);
                    }
                }
            }
        }
        Err(failure) => findings.faults.push(unreachable(failure)),
    }
    health.note(findings);
}

/// Judges one server.
async fn judge(dialer: &Dialer, server: &Server) -> Findings {
    let asked = async {
        let mut connection = server.reading(dialer).await?;
        let mut pipe = Pipeline::new();
        pipe.cmd("INFO");
        let answer = dial::ask(&mut connection, &pipe).await;
        let text = reply::one(answer?).and_then(reply::text);
        text.map_err(Failure::Refused)
    };
    let asked: Result<String, Failure> = asked.await;
    match asked {
        Ok(info) => preflight::judge(&info, dialer.config()),
        Err(failure) => {
            if matches!(failure, Failure::Lost(_)) {
                server.forget().await;
            }
            Findings {
                faults: vec![unreachable(failure)],
                ..Findings::default()
            }
        }
    }
}

fn unreachable(failure: Failure) -> String {
    let why = failure.into_error();
    format!(
        "no server can be used: {why}; look after store.redis.urls, user, password_file and tls"
    )
}
