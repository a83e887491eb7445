//! The PostgreSQL door: psql, drivers and BI tools ask as they would ask PostgreSQL. They only read.

mod catalogue;
mod copy;
mod cursor;
mod errors;
mod handlers;
mod parameters;
mod parse;
mod rewrite;
mod rows;
mod service;
mod settings;
mod startup;
mod system;

use std::future::{pending, poll_fn};
use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use datafusion_postgres::pgwire::api::{
    ClientInfo, ConnectionManager, METADATA_USER, NoopHandler, RandomPidSecretKeyGenerator,
};
use datafusion_postgres::pgwire::error::{PgWireError, PgWireResult};
use datafusion_postgres::pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage};
use datafusion_postgres::pgwire::tokio::server::{
    MaybeTls, PgWireMessageServerCodec, negotiate_tls, process_error, process_message,
};
use futures::{SinkExt, StreamExt};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_util::codec::Framed;

use super::listen::Listener;
use super::{Door, Reader, Users};
use crate::error::Result;
use catalogue::Catalogue;
use handlers::Handler;
use parse::Reading;
use service::{GRACE, Prepared, Service};
use startup::Entrance;

/// How long a client may take to come in.
const STARTUP: Duration = Duration::from_secs(30);

/// Bytes that a message may have of a client that has not come in, and of one that has.
const MOST: [usize; 2] = [16 << 10, 64 << 20];

/// What all connections share.
struct Shared {
    reader: Arc<Reader>,
    users: Arc<Users>,
    catalogue: Catalogue,
    reading: Reading,
    /// The server's certificate, if connections are encrypted.
    certificate: Option<Vec<u8>>,
    /// Which connection a client means when it asks to give up what runs there.
    connections: Arc<ConnectionManager>,
    pids: Arc<RandomPidSecretKeyGenerator>,
}

/// Answers until the server closes.
pub async fn serve(listener: Listener, reader: Arc<Reader>, users: Arc<Users>) -> Result<()> {
    let acceptor = listener.tls.as_ref().map(|tls| tls.acceptor(&[b"postgresql"]));
    let shared = Arc::new(Shared {
        catalogue: Catalogue::new(&reader).await?,
        reading: Reading::new(),
        certificate: listener.tls.as_ref().map(|tls| tls.certificate.clone()),
        connections: Arc::new(ConnectionManager::new()),
        pids: Arc::new(RandomPidSecretKeyGenerator::default()),
        reader,
        users,
    });
    let mut connections = JoinSet::new();
    loop {
        let (stream, place) = tokio::select! {
            () = shared.reader.closing.cancelled() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = listener.accept() => accepted,
        };
        connections.spawn(connection(shared.clone(), stream, acceptor.clone(), place));
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
    Ok(())
}

/// Serves one connection until it ends.
async fn connection(
    shared: Arc<Shared>,
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    place: Option<OwnedSemaphorePermit>,
) {
    let _counted = place.is_some().then(|| shared.reader.metrics.connected(Door::Postgres));
    if let Err(error) = converse(shared, stream, acceptor, place.is_some()).await {
        tracing::info!(%error, "a connection broke");
    }
    // The place is free once everything of the connection is gone.
    drop(place);
}

/// A connection whose messages are read one by one.
type Socket = Framed<MaybeTls, PgWireMessageServerCodec<Prepared>>;

async fn converse(
    shared: Arc<Shared>,
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    is_placed: bool,
) -> io::Result<()> {
    let deadline = Instant::now() + STARTUP;
    let (stream, twin) = twins(stream)?;
    let Ok(socket) = timeout_at(deadline, negotiate_tls::<Prepared>(stream, acceptor)).await else {
        return Ok(());
    };
    // Without a certificate there is no talking to who begins with encryption.
    let Some(mut socket) = socket? else { return Ok(()) };
    let (closing, closed) = (shared.reader.closing.clone(), shared.reader.closed.clone());
    let entrance = Arc::new(Entrance::new(shared.clone(), is_placed, socket.is_secure()));
    let service = Arc::new(Service::new(shared, entrance.clone()));
    let (handler, copy) = (Arc::new(Handler(service.clone())), Arc::new(NoopHandler));
    loop {
        let is_in = entrance.role().is_some();
        let message = tokio::select! {
            biased;
            () = closing.cancelled(), if socket.read_buffer().is_empty() => {
                return tell(&mut socket, errors::stopping(), false).await.map(|_| ());
            }
            message = next(&mut socket, MOST[usize::from(is_in)]) => message,
            () = sleep_until(deadline), if !is_in => return Ok(()),
        };
        let message = match message {
            None | Some(Ok(PgWireFrontendMessage::Terminate(_))) => return Ok(()),
            Some(Err(error)) => return tell(&mut socket, error, false).await.map(|_| ()),
            Some(Ok(message)) => message,
        };
        let is_extended = message.is_extended_query();
        let interrupt = entrance.interrupt().await;
        let interrupted = async {
            let is_asked = match interrupt {
                Some(interrupt) => interrupt.await.is_ok(),
                None => false,
            };
            if !is_asked {
                pending::<()>().await;
            }
        };
        service.begun(socket.metadata());
        let handlers = (entrance.clone(), handler.clone(), handler.clone(), copy.clone(), entrance.clone());
        let (startup, simple, extended, copy, cancel) = handlers;
        let done = tokio::select! {
            biased;
            done = process_message(message, &mut socket, startup, simple, extended, copy, cancel) => done,
            () = interrupted => Err(PgWireError::QueryCanceled),
            () = hung_up(&twin) => return Ok(()),
            () = service.stalled() => {
                tracing::info!("a client that takes nothing is left");
                return Ok(());
            }
            () = closed.cancelled() => Err(errors::stopping()),
        };
        if let Err(error) = done {
            // Who takes nothing is not told.
            let told = timeout(GRACE, tell(&mut socket, error, is_extended)).await;
            if told.map_or(Ok(true), |is_over| is_over)? {
                return Ok(());
            }
        }
    }
}

/// The next message. It is an error when it becomes longer than messages may be.
async fn next(socket: &mut Socket, most: usize) -> Option<PgWireResult<PgWireFrontendMessage>> {
    poll_fn(|context| match socket.poll_next_unpin(context) {
        Poll::Pending if socket.read_buffer().len() > most => {
            let length = socket.read_buffer().len();
            Poll::Ready(Some(Err(PgWireError::MessageTooLarge(most, length))))
        }
        polled => polled,
    })
    .await
}

/// Tells a client what went wrong. Whether that ends the connection.
async fn tell(socket: &mut Socket, error: PgWireError, waits_for_sync: bool) -> io::Result<bool> {
    let user = socket.metadata().get(METADATA_USER).cloned();
    let info = errors::finished(error, user.as_deref());
    if info.is_fatal() {
        // It is the last word: drivers break down where another message comes after it.
        socket.send(PgWireBackendMessage::ErrorResponse(info.into())).await?;
        socket.close().await?;
        return Ok(true);
    }
    process_error(socket, PgWireError::UserError(Box::new(info)), waits_for_sync).await?;
    Ok(false)
}

/// A stream and another hold on it, by which it can be watched while the first is at work.
fn twins(stream: TcpStream) -> io::Result<(TcpStream, TcpStream)> {
    let stream = stream.into_std()?;
    let twin = stream.try_clone()?;
    Ok((TcpStream::from_std(stream)?, TcpStream::from_std(twin)?))
}

/// Waits until the client is gone.
async fn hung_up(stream: &TcpStream) {
    while let Ok(ready) = stream.ready(Interest::READABLE).await {
        if ready.is_read_closed() {
            return;
        }
        // There are bytes for later; only what comes after them is waited for.
        let _: io::Result<()> = stream.try_io(Interest::READABLE, || Err(io::ErrorKind::WouldBlock.into()));
    }
}
