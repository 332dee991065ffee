//! How the command line reaches a node.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use verbale_evidence::{CardError, parse_card_text};
use verbale_keys::{FileError, Fingerprint, read_secret_text, write_secret_text};
use verbale_rpc::node_client::NodeClient;
use verbale_rpc::tonic::transport::Channel;
use verbale_rpc::tonic_health::pb::HealthCheckRequest;
use verbale_rpc::tonic_health::pb::health_client::HealthClient;
use verbale_rpc::{LOCAL_MESSAGE_BYTES_MAX, channel_over, connect_unix};
use zeroize::Zeroizing;

use crate::folder::{Folder, own_card};
use crate::secrets::{SecretError, load_tls, spki};
use crate::tls;

/// A node could not be reached.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens on the socket.
    #[error("no node answers at {} ({source}); start it with: verbale serve --dir {}", path.display(), dir.display())]
    Socket {
        /// The socket.
        path: PathBuf,
        /// The folder.
        dir: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The key file.
    #[error("{} cannot be used: {text}. It holds your private key (EC P-256, PKCS#8 PEM) and, after it, what `verbale card show` printed on the node", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        text: String,
    },
    /// Nobody listens, or not the node of the card.
    #[error(
        "{address} cannot be used: {text}. Start the node if it does not run; where it turns your key away, the fingerprint {fingerprint} must stand under [[persons]] keys of the node"
    )]
    Tls {
        /// The address.
        address: String,
        /// Why not.
        text: String,
        /// Of the caller's key.
        fingerprint: String,
    },
}

/// Connects to the node of a folder over its Unix socket.
///
/// # Errors
/// [`ClientError::Socket`].
pub async fn connect(folder: &Folder) -> Result<NodeClient<Channel>, ClientError> {
    let path = folder.socket();
    let channel = connect_unix(&path).await;
    let channel = channel.map_err(|source| ClientError::Socket { path, dir: folder.dir().to_owned(), source })?;
    Ok(sized(channel))
}

/// Connects to a node over mutual TLS. The file holds the caller's key and the node's card, whose TLS key is pinned.
///
/// # Errors
/// [`ClientError::KeyFile`], [`ClientError::Tls`].
pub async fn connect_tls(address: &str, key_file: &Path) -> Result<NodeClient<Channel>, ClientError> {
    let unusable = |text: String| ClientError::KeyFile { path: key_file.to_owned(), text };
    let text = read_secret_text(key_file).map_err(|error: FileError| unusable(error.to_string()))?;
    let key = load_tls(key_file).map_err(|error| unusable(error.to_string()))?;
    let card = parse_card_text(&text)
        .and_then(|bytes| own_card(&bytes))
        .map_err(|error: CardError| unusable(error.to_string()))?;
    let fingerprint = key_fingerprint(&spki(&key)).to_string();
    let failed =
        |text: String| ClientError::Tls { address: address.to_owned(), text, fingerprint: fingerprint.clone() };
    let (pin, pinned) = (card.tls_spki.clone(), card.tls_spki);
    let config = tls::client(&key, "person", Arc::new(move |spki, _| *spki == *pinned))
        .map_err(|error| failed(error.to_string()))?;
    let stream = TcpStream::connect(address).await.map_err(|error| failed(error.to_string()))?;
    let stream = TlsConnector::from(config).connect(tls::server_name(&pin), stream).await;
    let other = "it is not the node of the card in the key file; if that node has another TLS key now, its present `verbale card show` takes the \
                 card's place in that file";
    let stream = stream.map_err(|error| failed(format!("{other} ({error})")))?;
    let turned_away = |error: &dyn std::fmt::Display| failed(format!("it turned this key away ({error})"));
    let channel = channel_over(stream).await.map_err(|error| turned_away(&error))?;
    // In TLS 1.3 the server refuses a key only after the client's handshake is done: a first request finds out.
    let probe = HealthClient::new(channel.clone()).check(HealthCheckRequest::default()).await;
    probe.map_err(|status| turned_away(&status.message()))?;
    Ok(sized(channel))
}

/// Makes a person's key file for a node: a new key, and the node's card after it. Gives the fingerprint that goes under `[[persons]]`.
///
/// # Errors
/// [`SecretError`], also when there is such a file already.
pub fn write_person_key(file: &Path, card_text: &str) -> Result<Fingerprint, SecretError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256);
    let key = key.map_err(|error| SecretError::Content { path: file.to_owned(), text: error.to_string() })?;
    write_secret_text(file, &Zeroizing::new(key.serialize_pem() + card_text))?;
    Ok(key_fingerprint(&spki(&key)))
}

/// SHA-256 of a key's SubjectPublicKeyInfo, as it stands in the configuration.
pub(crate) fn key_fingerprint(spki: &[u8]) -> Fingerprint {
    use sha2::Digest as _;
    Fingerprint::from_digest(sha2::Sha256::digest(spki).into())
}

fn sized(channel: Channel) -> NodeClient<Channel> {
    NodeClient::new(channel)
        .max_decoding_message_size(LOCAL_MESSAGE_BYTES_MAX)
        .max_encoding_message_size(LOCAL_MESSAGE_BYTES_MAX)
}
