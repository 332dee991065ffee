//! Accept loops: limits before work, concurrent and timed handshakes, and who is at the other end.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use verbale_rpc::tonic::transport::server::Connected;

use crate::meter::{Meter, Metered};
use crate::shared::Shared;
use crate::tls::spki_of;

/// A handshake takes at most so long.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);

/// Pause after the operating system refused a connection, for example for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A connection whose other end is known.
pub(crate) struct Known<S, W> {
    stream: S,
    who: W,
    /// Given back when the connection ends.
    _permit: OwnedSemaphorePermit,
}

/// What a listener gives to a server.
pub(crate) type Incoming<S, W> = mpsc::Receiver<std::io::Result<Known<S, W>>>;

/// Names who is behind a TLS key; `None` turns the connection away.
pub(crate) type Names<W> = Arc<dyn Fn(&[u8]) -> Option<W> + Send + Sync>;

/// Limits of a listener.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) connections: usize,
    pub(crate) handshakes: usize,
}

/// Accepts TLS connections.
pub(crate) fn accept_tls<W: Send + 'static>(
    listener: TcpListener,
    config: Arc<ServerConfig>,
    limits: Limits,
    names: Names<W>,
    meter: Arc<Meter>,
    shared: Arc<Shared>,
) -> Incoming<TlsStream<Metered<TcpStream>>, W> {
    let (incoming, connections) = mpsc::channel(limits.handshakes.max(1));
    let (open, shaking) = (Arc::new(Semaphore::new(limits.connections)), Arc::new(Semaphore::new(limits.handshakes)));
    let acceptor = TlsAcceptor::from(config);
    tokio::spawn(async move {
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(error = %error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            if incoming.is_closed() {
                return;
            }
            let permits = (Arc::clone(&open).try_acquire_owned(), Arc::clone(&shaking).try_acquire_owned());
            let (Ok(permit), Ok(shake)) = permits else {
                // Turned away before it costs anything; an honest counterpart comes again.
                shared.rejected.count("CONNECTION_LIMIT");
                continue;
            };
            let (acceptor, names, incoming, meter, shared) =
                (acceptor.clone(), Arc::clone(&names), incoming.clone(), Arc::clone(&meter), Arc::clone(&shared));
            tokio::spawn(async move {
                let _ = stream.set_nodelay(true);
                let stream = meter.count(stream);
                let shaken = tokio::time::timeout(HANDSHAKE_TIME, acceptor.accept(stream)).await;
                drop(shake);
                let Ok(Ok(stream)) = shaken else {
                    shared.rejected.count("HANDSHAKE_FAILED");
                    let reason = match shaken {
                        Ok(Err(error)) => error.to_string(),
                        _ => "it took too long".to_owned(),
                    };
                    tracing::debug!(reason, "a TLS handshake failed");
                    return;
                };
                let (_, connection) = stream.get_ref();
                let key = connection.peer_certificates().and_then(|chain| chain.first()).and_then(spki_of);
                let group = connection.negotiated_key_exchange_group().map(|group| format!("{:?}", group.name()));
                let Some(who) = key.and_then(|key| names(&key)) else { return };
                tracing::debug!(tls.group = group.unwrap_or_default(), "a connection was accepted");
                let _ = incoming.send(Ok(Known { stream, who, _permit: permit })).await;
            });
        }
    });
    connections
}

/// Accepts connections on a Unix socket.
pub(crate) fn accept_unix<W: Send + 'static>(
    listener: UnixListener,
    connections_max: usize,
    names: impl Fn(u32) -> W + Send + 'static,
) -> Incoming<UnixStream, W> {
    let (incoming, connections) = mpsc::channel(connections_max.max(1));
    let open = Arc::new(Semaphore::new(connections_max));
    tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let (Ok(permit), Ok(user)) = (Arc::clone(&open).try_acquire_owned(), stream.peer_cred()) else { continue };
            let who = names(user.uid());
            if incoming.send(Ok(Known { stream, who, _permit: permit })).await.is_err() {
                return;
            }
        }
    });
    connections
}

impl<S, W: Clone + Send + Sync + 'static> Connected for Known<S, W> {
    type ConnectInfo = W;

    fn connect_info(&self) -> W {
        self.who.clone()
    }
}

impl<S: AsyncRead + Unpin, W: Unpin> AsyncRead for Known<S, W> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin, W: Unpin> AsyncWrite for Known<S, W> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
