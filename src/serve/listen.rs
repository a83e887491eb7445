//! Listening: an address, a bound on connections, TLS.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::server::TlsStream;

use crate::config::Serve;
use crate::error::{Error, Result, io_error};

/// The server's certificate, as the doors use it.
#[derive(Clone)]
pub struct Tls {
    /// What makes an encrypted stream of a plain one.
    config: ServerConfig,
    /// The text of the certificate's file, for protocols that bind passwords to it.
    pub certificate: Vec<u8>,
}

impl Tls {
    /// An acceptor for a door that speaks these protocols.
    pub fn acceptor(&self, protocols: &[&[u8]]) -> TlsAcceptor {
        let mut config = self.config.clone();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }
}

/// The certificate and key that the settings name, if they do.
pub fn tls(folder: &Path, settings: &Serve) -> Result<Option<Tls>> {
    let (certificate, key) = match (settings.tls_certificate.as_str(), settings.tls_key.as_str()) {
        ("", "") => return Ok(None),
        ("", _) | (_, "") => {
            return Err(Error::invalid("`serve.tls_certificate` and `serve.tls_key` belong together")
                .hint("name both files, or neither"));
        }
        (certificate, key) => (folder.join(certificate), folder.join(key)),
    };
    let text = std::fs::read(&certificate).map_err(|e| io_error("read", &certificate, &e))?;
    let unreadable = |path: &Path, what: &str, error: String| {
        Error::invalid(format!("`{}` holds no {what} in PEM form: {error}", path.display()))
    };
    let chain: Vec<CertificateDer> = CertificateDer::pem_slice_iter(&text)
        .collect::<std::result::Result<_, _>>()
        .map_err(|e| unreadable(&certificate, "certificate", e.to_string()))?;
    if chain.is_empty() {
        return Err(unreadable(&certificate, "certificate", "there is none in it".into()));
    }
    let secret = std::fs::read(&key).map_err(|e| io_error("read", &key, &e))?;
    let secret =
        PrivateKeyDer::from_pem_slice(&secret).map_err(|e| unreadable(&key, "private key", e.to_string()))?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, secret))
        .map_err(|e| {
            Error::invalid(format!("`{}` and `{}` cannot be used: {e}", certificate.display(), key.display()))
        })?;
    Ok(Some(Tls { config, certificate: text }))
}

/// A port on which a door listens.
pub struct Listener {
    socket: TcpListener,
    /// The server's certificate, if connections are encrypted.
    pub tls: Option<Tls>,
    places: Arc<Semaphore>,
}

impl Listener {
    /// Listens on an address; listeners may share their places for connections.
    pub async fn bind(address: SocketAddr, tls: Option<Tls>, places: Arc<Semaphore>) -> Result<Listener> {
        let socket = TcpListener::bind(address).await.map_err(|e| {
            let error = Error::unavailable(format!("cannot listen on {address}: {e}"));
            error.hint("another program may use the port: choose one with `--postgres-port`, `--flight-port`, `--http-port`")
        })?;
        Ok(Listener { socket, tls, places })
    }

    /// Where it listens.
    pub fn address(&self) -> Result<SocketAddr> {
        self.socket.local_addr().map_err(|e| Error::unavailable(format!("no address to listen on: {e}")))
    }

    /// The next connection, and its place among those that are served; none when all places are taken.
    pub async fn accept(&self) -> (TcpStream, Option<OwnedSemaphorePermit>) {
        loop {
            match self.socket.accept().await {
                Ok((stream, _)) => {
                    // Answers are small and awaited: they are not held back to be sent together.
                    let _ = stream.set_nodelay(true);
                    keep_alive(&stream);
                    return (stream, self.places.clone().try_acquire_owned().ok());
                }
                Err(error) => {
                    // No file descriptor is left, most likely: others have to go first.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    /// Its connections, encrypted where the server has a certificate, one after the other as they are ready.
    pub fn connections(self, protocols: &[&[u8]]) -> Connections {
        let acceptor = self.tls.as_ref().map(|tls| tls.acceptor(protocols));
        let (ready, connections) = mpsc::channel(64);
        let accepting = tokio::spawn(async move {
            loop {
                let (stream, place) = self.accept().await;
                let (ready, acceptor) = (ready.clone(), acceptor.clone());
                // Who is slow to shake hands keeps nobody waiting.
                tokio::spawn(async move {
                    let shaken = tokio::time::timeout(HANDSHAKE, Connection::new(stream, acceptor, place));
                    match shaken.await {
                        Ok(Ok(connection)) => _ = ready.send(connection).await,
                        Ok(Err(error)) => tracing::info!(%error, "a connection came to nothing"),
                        Err(_) => tracing::info!("a connection came to nothing: too slow"),
                    }
                });
            }
        });
        Connections { connections, accepting }
    }
}

/// A client whose machine is gone without a word is known to be after some two minutes: it is asked after a minute of
/// silence, and then every ten seconds, six times at most.
#[cfg(target_os = "linux")]
fn keep_alive(stream: &TcpStream) {
    use std::os::fd::AsRawFd;
    let options = [
        (libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1),
        (libc::IPPROTO_TCP, libc::TCP_KEEPIDLE, 60),
        (libc::IPPROTO_TCP, libc::TCP_KEEPINTVL, 10),
        (libc::IPPROTO_TCP, libc::TCP_KEEPCNT, 6),
    ];
    for (level, option, value) in options {
        let value: libc::c_int = value;
        let size = size_of_val(&value) as libc::socklen_t;
        // Sound: the value lives during the call, and has the size that is told.
        unsafe { libc::setsockopt(stream.as_raw_fd(), level, option, (&raw const value).cast(), size) };
    }
}

/// Elsewhere connections are as the system makes them.
#[cfg(not(target_os = "linux"))]
fn keep_alive(_: &TcpStream) {}

/// How long a client may take to agree on encryption.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// The connections of a port; it is closed when they are dropped.
pub struct Connections {
    connections: mpsc::Receiver<Connection>,
    accepting: JoinHandle<()>,
}

impl Stream for Connections {
    type Item = Connection;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Connection>> {
        self.connections.poll_recv(context)
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// A connection to a client.
pub struct Connection {
    stream: MaybeTls,
    /// Who is there.
    pub peer: SocketAddr,
    /// Its place among the connections that are served; none when all were taken.
    pub place: Option<Arc<OwnedSemaphorePermit>>,
}

enum MaybeTls {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connection {
    async fn new(
        stream: TcpStream,
        acceptor: Option<TlsAcceptor>,
        place: Option<OwnedSemaphorePermit>,
    ) -> io::Result<Connection> {
        let peer = stream.peer_addr()?;
        let stream = match acceptor {
            None => MaybeTls::Plain(stream),
            Some(acceptor) => MaybeTls::Tls(Box::new(acceptor.accept(stream).await?)),
        };
        Ok(Connection { stream, peer, place: place.map(Arc::new) })
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.stream {
            MaybeTls::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            MaybeTls::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            MaybeTls::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            MaybeTls::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            MaybeTls::Plain(stream) => Pin::new(stream).poll_flush(context),
            MaybeTls::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            MaybeTls::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            MaybeTls::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
