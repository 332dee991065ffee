//! Accept loops: limits before work, concurrent and timed handshakes, and who is at the other end.

use std::net::SocketAddr;
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
use crate::share::{Handshake, Handshakes};
use crate::shared::Shared;
use crate::tls::spki_of;

/// Pause after the operating system refused a connection, for example for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A connection whose other end is known.
pub(crate) struct Known<S, W> {
    stream: S,
    guest: Guest<W>,
    /// Given back when the connection ends.
    _permit: OwnedSemaphorePermit,
}

/// Who is at the other end, and what belongs to the connection as long as it lasts.
pub(crate) struct Guest<W> {
    who: W,
    _permit: Option<OwnedSemaphorePermit>,
    at_end: Option<Box<dyn FnOnce() + Send>>,
}

impl<W> Guest<W> {
    pub(crate) fn new(who: W) -> Self {
        Self { who, _permit: None, at_end: None }
    }

    /// Holds a permit.
    pub(crate) fn with_permit(self, permit: OwnedSemaphorePermit) -> Self {
        Self { _permit: Some(permit), ..self }
    }

    /// Does something when the connection ends.
    pub(crate) fn at_end(self, at_end: impl FnOnce() + Send + 'static) -> Self {
        Self { at_end: Some(Box::new(at_end)), ..self }
    }
}

/// What a listener gives to a server.
pub(crate) type Incoming<S, W> = mpsc::Receiver<std::io::Result<Known<S, W>>>;

/// Names who is behind a TLS key, or says with which code the connection is turned away.
pub(crate) type Names<W> = Arc<dyn Fn(&[u8]) -> Result<Guest<W>, &'static str> + Send + Sync>;

/// Limits of a listener.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) connections: usize,
    pub(crate) handshakes: usize,
    /// A handshake takes at most so long.
    pub(crate) handshake_time: Duration,
}

/// Accepts TLS connections.
pub(crate) fn accept_tls<W: Send + 'static>(
    listener: TcpListener,
    config: Arc<ServerConfig>,
    limits: Limits,
    names: Names<W>,
    meter: &Arc<Meter>,
    shared: &Arc<Shared>,
) -> Incoming<TlsStream<Metered<TcpStream>>, W> {
    let (incoming, connections) = mpsc::channel(limits.handshakes.max(1));
    let (open, shaking) = (Arc::new(Semaphore::new(limits.connections)), Arc::new(Semaphore::new(limits.handshakes)));
    let handshakes = Handshakes::new(limits.handshakes);
    let (meter, shared) = (Arc::clone(meter), Arc::clone(shared));
    let acceptor = Acceptor { tls: TlsAcceptor::from(config), limits, names, meter, shared, incoming };
    tokio::spawn(async move {
        loop {
            let Some((stream, address)) = acceptor.tcp(&listener).await else { continue };
            if acceptor.incoming.is_closed() {
                return;
            }
            let permits = (
                Arc::clone(&open).try_acquire_owned(),
                Arc::clone(&shaking).try_acquire_owned(),
                handshakes.begin(address.ip()),
            );
            match permits {
                (Ok(permit), Ok(shake), Some(handshake)) => {
                    tokio::spawn(acceptor.clone().shake(stream, permit, (shake, handshake)));
                }
                // Turned away before it costs anything; an honest counterpart comes again.
                (Err(_), _, _) => acceptor.shared.rejected.count("CONNECTION_LIMIT"),
                _ => acceptor.shared.rejected.count("HANDSHAKE_LIMIT"),
            }
        }
    });
    connections
}

/// What every handshake needs.
struct Acceptor<W> {
    tls: TlsAcceptor,
    limits: Limits,
    names: Names<W>,
    meter: Arc<Meter>,
    shared: Arc<Shared>,
    incoming: mpsc::Sender<std::io::Result<Known<TlsStream<Metered<TcpStream>>, W>>>,
}

impl<W> Clone for Acceptor<W> {
    fn clone(&self) -> Self {
        let (tls, limits, names) = (self.tls.clone(), self.limits, Arc::clone(&self.names));
        Self {
            tls,
            limits,
            names,
            meter: Arc::clone(&self.meter),
            shared: Arc::clone(&self.shared),
            incoming: self.incoming.clone(),
        }
    }
}

impl<W: Send + 'static> Acceptor<W> {
    async fn tcp(&self, listener: &TcpListener) -> Option<(TcpStream, SocketAddr)> {
        match listener.accept().await {
            Ok(accepted) => Some(accepted),
            Err(error) => {
                tracing::warn!(error = %error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                None
            }
        }
    }

    async fn shake(self, stream: TcpStream, permit: OwnedSemaphorePermit, slot: (OwnedSemaphorePermit, Handshake)) {
        let _ = stream.set_nodelay(true);
        let stream = self.meter.count(stream);
        let shaken = tokio::time::timeout(self.limits.handshake_time, self.tls.accept(stream)).await;
        drop(slot);
        let stream = match shaken {
            Ok(Ok(stream)) => stream,
            failed => {
                self.shared.rejected.count("HANDSHAKE_FAILED");
                let reason = failed.map_or_else(
                    |_| "it took too long".to_owned(),
                    |e| e.err().map_or_else(String::new, |e| e.to_string()),
                );
                tracing::debug!(reason, "a TLS handshake failed");
                return;
            }
        };
        let (_, connection) = stream.get_ref();
        let key = connection.peer_certificates().and_then(|chain| chain.first()).and_then(spki_of);
        let group = connection.negotiated_key_exchange_group().map(|group| format!("{:?}", group.name()));
        match key.ok_or("UNKNOWN_KEY").and_then(|key| (self.names)(&key)) {
            Ok(guest) => {
                tracing::debug!(tls.group = group.unwrap_or_default(), "a connection was accepted");
                let _ = self.incoming.send(Ok(Known { stream, guest, _permit: permit })).await;
            }
            Err(code) => self.shared.rejected.count(code),
        }
    }
}

/// Accepts connections on a Unix socket.
pub(crate) fn accept_unix<W: Send + 'static>(
    listener: UnixListener,
    connections_max: usize,
    names: impl Fn(u32) -> Result<Guest<W>, &'static str> + Send + 'static,
    shared: Arc<Shared>,
) -> Incoming<UnixStream, W> {
    let (incoming, connections) = mpsc::channel(connections_max.max(1));
    let open = Arc::new(Semaphore::new(connections_max));
    tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let Ok(user) = stream.peer_cred() else { continue };
            let permit = Arc::clone(&open).try_acquire_owned().map_err(|_| "CONNECTION_LIMIT");
            match permit.and_then(|permit| Ok((permit, names(user.uid())?))) {
                Ok((permit, guest)) => {
                    if incoming.send(Ok(Known { stream, guest, _permit: permit })).await.is_err() {
                        return;
                    }
                }
                Err(code) => shared.denied.count(code),
            }
        }
    });
    connections
}

impl<S, W> Drop for Known<S, W> {
    fn drop(&mut self) {
        if let Some(at_end) = self.guest.at_end.take() {
            at_end();
        }
    }
}

impl<S, W: Clone + Send + Sync + 'static> Connected for Known<S, W> {
    type ConnectInfo = W;

    fn connect_info(&self) -> W {
        self.guest.who.clone()
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
