//! Doors to the published tables for other programs: the PostgreSQL wire protocol, Arrow Flight SQL, and HTTP for
//! health and metrics. They never write; behind each stands the same [`Reader`].

mod flight;
mod http;
mod listen;
mod metrics;
mod names;
mod postgres;
mod reader;
mod refusal;
mod users;
mod workers;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::error::{Error, Result};
use crate::run::Lake;
use listen::Listener;
pub use reader::{Client, Reader, Seen, Statement};
pub use refusal::{Cause, Refusal};
pub use users::{Role, Users, layer_of};

/// A way for clients to come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// The PostgreSQL wire protocol.
    Postgres,
    /// Arrow Flight SQL.
    Flight,
}

impl Door {
    /// Its name in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Door::Postgres => "postgres",
            Door::Flight => "flight",
        }
    }
}

/// Where the doors are.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// The PostgreSQL wire protocol.
    pub postgres: SocketAddr,
    /// Arrow Flight SQL.
    pub flight: SocketAddr,
    /// Health, readiness and metrics.
    pub http: SocketAddr,
    /// Whether connections are encrypted.
    pub is_encrypted: bool,
    /// Whether clients have to say who they are.
    pub asks_for_users: bool,
}

/// Serves the lake until `stop` comes; what runs then has some seconds to end. `opened` is told where the doors are.
pub async fn serve(lake: Lake, stop: impl Future<Output = ()>, opened: impl FnOnce(Addresses)) -> Result<()> {
    let settings = lake.project.config.settings.serve.clone();
    let users = Arc::new(Users::load(&lake.project.folder.join(&settings.users))?);
    let tls = listen::tls(&lake.project.folder, &settings)?;
    let host = settings.address()?;
    if !host.is_loopback() && (users.is_empty() || tls.is_none()) {
        return Err(Error::invalid(format!("the address {host} is open to other machines, and not guarded"))
            .detail("any other than a loopback address asks for users and for TLS")
            .hint(
                "add users with `lake user add NAME`, and set `serve.tls_certificate` and `serve.tls_key`",
            ));
    }
    let places = |count| Arc::new(Semaphore::new(count));
    let clients = places(settings.max_connections);
    let bind = |port, places| Listener::bind(SocketAddr::new(host, port), tls.clone(), places);
    let postgres = bind(settings.postgres_port, clients.clone()).await?;
    let flight = bind(settings.flight_port, clients).await?;
    // Who watches the server takes no client's place.
    let http = bind(settings.http_port, places(Semaphore::MAX_PERMITS)).await?;
    let reader = Reader::open(lake).await?;
    opened(Addresses {
        postgres: postgres.address()?,
        flight: flight.address()?,
        http: http.address()?,
        is_encrypted: tls.is_some(),
        asks_for_users: !users.is_empty(),
    });
    let doors = async {
        tokio::join!(
            postgres::serve(postgres, reader.clone(), users.clone()),
            flight::serve(flight, reader.clone(), users.clone()),
            http::serve(http, reader.clone()),
        )
    };
    let stopping = async {
        stop.await;
        tracing::info!("stopping");
        reader.closing.cancel();
        tokio::time::sleep(Duration::from_secs(settings.stop_seconds)).await;
        reader.closed.cancel();
        // Who has not heard of it by now is not waited for.
        tokio::time::sleep(Duration::from_secs(1)).await;
    };
    tokio::select! {
        (postgres, flight, http) = doors => postgres.and(flight).and(http),
        () = stopping => Ok(()),
    }
}
