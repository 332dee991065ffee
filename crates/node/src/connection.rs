//! Connections to counterparts.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rcgen::KeyPair;
use rustls::pki_types::CertificateDer;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use verbale_evidence::{Card, UnverifiedCard};
use verbale_exchange::{Peer, is_later};
use verbale_rpc::channel_over;
use verbale_rpc::tonic::transport::Channel;

use crate::shared::Shared;
use crate::tls;

/// A connection must be made, and a channel opened, so soon.
pub(crate) const CONNECT_TIME: Duration = Duration::from_secs(10);

/// A connection to a counterpart.
pub(crate) struct Connection {
    pub(crate) channel: Channel,
    /// Its later card, which is not entered yet, where it showed that card's key and not the one of the card that is: until it is, nothing is taken
    /// from it but what it knows of the own log.
    pub(crate) later: Option<Vec<u8>>,
}

/// Why there is no connection, or none any more.
#[derive(Debug)]
pub(crate) struct Unconnected {
    /// Somebody was there.
    pub(crate) reached: bool,
    /// For the operator.
    pub(crate) trouble: String,
}

impl From<String> for Unconnected {
    fn from(trouble: String) -> Self {
        Self { reached: true, trouble }
    }
}

impl From<&str> for Unconnected {
    fn from(trouble: &str) -> Self {
        trouble.to_owned().into()
    }
}

/// Connects to a counterpart, soon or not at all.
pub(crate) async fn connect(shared: &Shared, peer: &Peer) -> Result<Connection, Unconnected> {
    connect_as(shared, peer, &shared.tls).await
}

/// The same, with a TLS key of the present card or of an earlier one.
pub(crate) async fn connect_as(shared: &Shared, peer: &Peer, key: &KeyPair) -> Result<Connection, Unconnected> {
    let connected = tokio::time::timeout(CONNECT_TIME, connected_as(shared, peer, key)).await;
    connected.unwrap_or_else(|_| {
        let trouble = format!("{} did not answer within 10 s", peer.address);
        Err(Unconnected { reached: false, trouble })
    })
}

async fn connected_as(shared: &Shared, peer: &Peer, key: &KeyPair) -> Result<Connection, Unconnected> {
    if peer.is_revoked() {
        return Err(
            format!("the card of {} was revoked by its owner; enrol its next one by hand", peer.card().id).into()
        );
    }
    let address = &peer.address;
    let stream = TcpStream::connect(address).await;
    let stream = stream.map_err(|error| {
        let trouble = format!("{address} cannot be reached ({error}); is the counterpart's node running?");
        Unconnected { reached: false, trouble }
    })?;
    let _ = stream.set_nodelay(true);
    let later = Arc::new(OnceLock::new());
    let allowed = {
        let (known, later) = (peer.card().clone(), Arc::clone(&later));
        move |spki: &[u8], certificate: &CertificateDer<'_>| {
            *spki == *known.tls_spki
                || later_card_in(certificate, spki, &known).is_some_and(|card| later.set(card).is_ok())
        }
    };
    let config = tls::client(key, &shared.card.id, Arc::new(allowed)).map_err(|e| e.to_string())?;
    let name = tls::server_name(&peer.card().tls_spki);
    let connecting = TlsConnector::from(config).connect(name, shared.wire.count(stream)).await;
    let stream = connecting.map_err(|error| {
        format!("{address} did not show the key of {}'s card, or did not accept ours ({error}); have both sides enrolled each other's present card?", peer.card().id)
    })?;
    let later = later.get().cloned();
    if later.is_none() {
        shared.peers.seen(&peer.card().tls_spki);
    }
    let group = stream.get_ref().1.negotiated_key_exchange_group().map(|group| format!("{:?}", group.name()));
    tracing::info!(peer.id = peer.card().id, tls.group = group.unwrap_or_default(), "connected");
    let trouble = |error| {
        format!("{address} ended the connection ({error}); has the counterpart enrolled this node's present card?")
    };
    Ok(Connection { channel: channel_over(stream).await.map_err(trouble)?, later })
}

/// A later card of the same card key in a certificate whose key is that card's.
fn later_card_in(certificate: &CertificateDer<'_>, spki: &[u8], known: &Card) -> Option<Vec<u8>> {
    let bytes = tls::card_in(certificate)?;
    let card = UnverifiedCard::parse(&bytes).and_then(|card| card.verify(&known.card_key.fingerprint())).ok()?;
    (is_later(&card, known) && card.tls_spki == spki).then_some(bytes)
}
