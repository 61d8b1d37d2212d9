//! `[listener.ops]`: the listener for operators and their tools.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::http::header;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, Route, guard, web};
use rookery_lifecycle::{Clock, ListenError, TaskScope};
use rookery_telemetry::Registry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::health::Health;
use crate::probes::{self, Answer};

/// Few connections, and none for long: scrapes and probes are short.
const CONNECTIONS: usize = 64;
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
const KEEP_ALIVE: Duration = Duration::from_secs(75);
const STOP_SECONDS: u64 = 2;

/// `[listener.ops]`: metrics and probes over HTTP, for operators and their tools: `/metrics`, `/livez`,
/// `/readyz`, `/readyz?verbose`, `/startupz`. There are no passwords here; keep it off public addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OpsListener {
    /// Addresses to listen on. An empty list turns the listener off.
    pub address: Vec<SocketAddr>,
}

/// The running listener.
#[derive(Debug)]
pub struct Ops {
    addresses: Vec<SocketAddr>,
    server: Option<ServerHandle>,
}

/// What the answers are made from.
#[derive(Clone, Debug)]
struct Sources {
    registry: Registry,
    health: Health,
    clock: Clock,
}

/// Listens on all addresses; the task runs in the scope.
pub fn listen(
    config: &OpsListener,
    registry: Registry,
    health: Health,
    clock: Clock,
    scope: &TaskScope,
) -> Result<Ops, ListenError> {
    let mut addresses = Vec::new();
    let mut listeners = Vec::new();
    for address in &config.address {
        let bind = |source| ListenError::Bind {
            address: *address,
            source,
        };
        let listener = TcpListener::bind(address).map_err(bind)?;
        addresses.push(listener.local_addr().map_err(bind)?);
        listeners.push((*address, listener));
    }
    if listeners.is_empty() {
        return Ok(Ops {
            addresses,
            server: None,
        });
    }
    let sources = Sources {
        registry,
        health,
        clock,
    };
    let mut server = HttpServer::new(move || {
        App::new()
            .app_data(web::Data::new(sources.clone()))
            .route("/metrics", read().to(metrics))
            .route("/livez", read().to(live))
            .route("/readyz", read().to(ready))
            .route("/startupz", read().to(started))
    })
    .workers(1)
    .disable_signals()
    .max_connections(CONNECTIONS)
    .client_request_timeout(REQUEST_TIMEOUT)
    .keep_alive(KEEP_ALIVE)
    .shutdown_timeout(STOP_SECONDS);
    for (address, listener) in listeners {
        server = server
            .listen(listener)
            .map_err(|source| ListenError::Bind { address, source })?;
    }
    let _runtime = scope.runtime().enter();
    let server = server.run();
    let handle = server.handle();
    scope.spawn("ops", async move {
        if let Err(error) = server.await {
            tracing::error!(%error, "the listener for operators has ended");
        }
    })?;
    Ok(Ops {
        addresses,
        server: Some(handle),
    })
}

// === impl OpsListener ===

impl Default for OpsListener {
    fn default() -> Self {
        Self {
            address: vec![SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9091)],
        }
    }
}

// === impl Ops ===

impl Ops {
    /// The addresses that are listened on, with the ports that the system chose.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Stops listening and waits for the answers that are on their way.
    pub async fn stop(self) {
        if let Some(server) = self.server {
            server.stop(true).await;
        }
    }
}

/// Requests that only read.
fn read() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

async fn metrics(sources: web::Data<Sources>) -> HttpResponse {
    let text = probes::metrics(&sources.registry);
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(text)
}

async fn live(sources: web::Data<Sources>) -> HttpResponse {
    answer(probes::live(&sources.health, sources.clock.now()))
}

async fn ready(sources: web::Data<Sources>, request: HttpRequest) -> HttpResponse {
    let verbose = request
        .query_string()
        .split('&')
        .any(|name| name == "verbose");
    answer(probes::ready(&sources.health, verbose))
}

async fn started(sources: web::Data<Sources>) -> HttpResponse {
    answer(probes::started(&sources.health))
}

fn answer(answer: Answer) -> HttpResponse {
    let mut response = if answer.well {
        HttpResponse::Ok()
    } else {
        HttpResponse::ServiceUnavailable()
    };
    response
        .content_type("text/plain; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(answer.text)
}
