//! Clients over a stream that is open already: who is at the other end was checked by whoever opened it.

use std::io;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint, Error, Uri};

/// A silent connection is probed so often, and given up when a probe stays unanswered so long.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(10));

/// Data under way on one stream: four pieces and a batch, so that a long link stays full.
const WINDOW_BYTES: u32 = 4 << 20;

/// A channel over one stream; when the stream ends the channel is at its end too.
///
/// # Errors
/// [`Error`] of the HTTP/2 handshake.
pub async fn channel_over<S>(stream: S) -> Result<Channel, Error>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let stream = Mutex::new(Some(stream));
    let connector = tower::service_fn(move |_: Uri| {
        let stream = stream.lock().ok().and_then(|mut stream| stream.take());
        async move { stream.map(TokioIo::new).ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected)) }
    });
    Endpoint::from_static("http://verbale.invalid")
        .http2_keep_alive_interval(KEEPALIVE.0)
        .keep_alive_timeout(KEEPALIVE.1)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(2 * WINDOW_BYTES)
        .connect_with_connector(connector)
        .await
}

/// Connects to a node's Unix socket.
///
/// # Errors
/// The operating system's, when nobody listens.
pub async fn connect_unix(path: &Path) -> io::Result<Channel> {
    let stream = UnixStream::connect(path).await?;
    channel_over(stream).await.map_err(io::Error::other)
}
