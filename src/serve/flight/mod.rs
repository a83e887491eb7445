//! The Arrow Flight SQL door: answers in columns, as ADBC and JDBC drivers take them.
//!
//! The protocol knows no sessions: each request says who asks. What belongs together is kept under names that nobody
//! can guess: a statement between its plan and its rows, a prepared statement, a token.

mod access;
mod info;
mod kept;
mod metadata;
mod rows;
mod service;
mod statements;
mod status;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use arrow_flight::flight_service_server::FlightServiceServer;
use futures::StreamExt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Mutex;
use tonic::transport::Server;
use tonic::transport::server::Connected;

use super::listen::{Connection, Listener};
use super::metrics::Counted;
use super::{Client, Door, Reader, Users};
use crate::contract::Layer;
use crate::error::{Error, Result};
use service::Service;

/// How often a silent client is asked whether it is still there, and how long it may take to say so.
const KEEPALIVE: Duration = Duration::from_secs(20);

/// Requests that one connection may have open at once.
const MOST_REQUESTS: u32 = 100;

/// The largest message that a client may send, in bytes: a statement, or the values of its parameters.
const LARGEST_REQUEST: usize = 4 << 20;

/// How long the last messages may take once all statements have been given up.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Answers until the server closes.
pub async fn serve(listener: Listener, reader: Arc<Reader>, users: Arc<Users>) -> Result<()> {
    let service = FlightServiceServer::new(Service::new(reader.clone(), users)?)
        .max_decoding_message_size(LARGEST_REQUEST);
    let guests = {
        let reader = reader.clone();
        listener
            .connections(&[b"h2"])
            .map(move |connection| Ok::<_, io::Error>(Guest::new(connection, &reader)))
    };
    let served = Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE))
        .max_concurrent_streams(MOST_REQUESTS)
        .add_service(service)
        .serve_with_incoming_shutdown(guests, reader.closing.clone().cancelled_owned());
    let given_up = async {
        reader.closed.cancelled().await;
        tokio::time::sleep(LAST_WORDS).await;
    };
    tokio::select! {
        served = served => served.map_err(|e| Error::unavailable(format!("Arrow Flight: {e}"))),
        () = given_up => Ok(()),
    }
}

/// Who is at the other end of a connection: what its requests share.
struct Peer {
    address: SocketAddr,
    /// Whether it has a place among the connections that are served.
    has_place: bool,
    /// Its sessions, by the layers that they may read: the memory of its queries is bounded together.
    sessions: Mutex<BTreeMap<BTreeSet<Layer>, Arc<Client>>>,
    _counted: Counted,
}

/// A connection, and who is there.
struct Guest {
    connection: Connection,
    peer: Arc<Peer>,
}

impl Guest {
    fn new(connection: Connection, reader: &Reader) -> Guest {
        let peer = Peer {
            address: connection.peer,
            has_place: connection.place.is_some(),
            sessions: Mutex::default(),
            _counted: reader.metrics.connected(Door::Flight),
        };
        Guest { connection, peer: Arc::new(peer) }
    }
}

impl Connected for Guest {
    type ConnectInfo = Arc<Peer>;

    fn connect_info(&self) -> Arc<Peer> {
        self.peer.clone()
    }
}

impl AsyncRead for Guest {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_read(context, buffer)
    }
}

impl AsyncWrite for Guest {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.connection).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests;
