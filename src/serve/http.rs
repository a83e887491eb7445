//! The HTTP door: `/health`, `/ready`, `/metrics`.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::StreamExt;

use super::Reader;
use super::listen::{Connection, Connections, Listener};
use crate::error::{Error, Result};

/// Answers until the server closes.
pub async fn serve(listener: Listener, reader: Arc<Reader>) -> Result<()> {
    let closing = reader.closing.clone();
    let routes = Router::new()
        .route("/health", get(|| async { "ok\n" }))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
        .with_state(reader);
    let address = listener.address()?;
    let connections = listener.connections(&[b"http/1.1"]);
    axum::serve(Port { connections, address }, routes)
        .with_graceful_shutdown(closing.cancelled_owned())
        .await
        .map_err(|e| Error::unavailable(format!("HTTP: {e}")))
}

/// Whether clients can be served: the lake answers, and something is published.
async fn ready(State(reader): State<Arc<Reader>>) -> Response {
    if reader.closing.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "the server is stopping\n").into_response();
    }
    match reader.newest().await {
        Ok(seen) if seen.version.is_some() => "ready\n".into_response(),
        Ok(_) => (StatusCode::SERVICE_UNAVAILABLE, "nothing is published yet: `lake run` does it\n")
            .into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}

async fn metrics(State(reader): State<Arc<Reader>>) -> Response {
    match reader.metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

/// The port as axum takes it.
struct Port {
    connections: Connections,
    address: SocketAddr,
}

impl axum::serve::Listener for Port {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        match self.connections.next().await {
            Some(connection) => {
                let peer = connection.peer;
                (connection, peer)
            }
            // It never ends before the server does.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}
