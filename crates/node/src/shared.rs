//! What all tasks share; nothing in it is locked across a wait.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rcgen::KeyPair;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use verbale_domain::Memoranda;
use verbale_envelope::{ArchiveKey, Identity};
use verbale_evidence::Card;
use verbale_exchange::{Peer, Rejection};
use verbale_keys::PublicKey;

use crate::config::Config;
use crate::meter::Meter;
use crate::person::Persons;

/// What all tasks share.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) card: Card,
    pub(crate) card_bytes: Vec<u8>,
    pub(crate) memoranda: Arc<Memoranda>,
    pub(crate) identity: Identity,
    pub(crate) archive: ArchiveKey,
    pub(crate) tls: KeyPair,
    pub(crate) persons: Persons,
    pub(crate) peers: PeerDirectory,
    pub(crate) rejected: Counters,
    /// What went over the wire to and from counterparts.
    pub(crate) wire: Arc<Meter>,
    /// For notices of counterparts in pieces. Apart from the next, so that a slow counterpart keeps nobody here waiting.
    pub(crate) peer_memory: Memory,
    /// For submissions.
    pub(crate) local_memory: Memory,
}

/// Bytes of notices that are in memory at once, of all streams of one side together: eight of the largest.
const MEMORY_BYTES: u64 = 128 << 20;

/// What one permit stands for.
const PERMIT_BYTES: u64 = 1024;

/// The bytes that notices may take; whoever brings more waits.
pub(crate) struct Memory(Arc<Semaphore>);

impl Default for Memory {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(usize::try_from(MEMORY_BYTES / PERMIT_BYTES).unwrap_or(usize::MAX))))
    }
}

impl Memory {
    /// Waits for so many bytes; they are given back with the permit.
    pub(crate) async fn take(&self, bytes: u64) -> OwnedSemaphorePermit {
        let permits = bytes.min(MEMORY_BYTES).div_ceil(PERMIT_BYTES);
        let permits = u32::try_from(permits).unwrap_or(u32::MAX);
        #[expect(clippy::expect_used, reason = "nobody closes it")]
        Arc::clone(&self.0).acquire_many_owned(permits).await.expect("it is never closed")
    }
}

/// The enrolled counterparts, as of the last commit.
#[derive(Default)]
pub(crate) struct PeerDirectory(RwLock<Arc<Peers>>);

/// Counterparts by id and by TLS key.
#[derive(Default)]
pub(crate) struct Peers {
    pub(crate) by_id: BTreeMap<String, Peer>,
    by_spki: HashMap<Vec<u8>, String>,
}

impl PeerDirectory {
    pub(crate) fn now(&self) -> Arc<Peers> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn replace(&self, by_id: BTreeMap<String, Peer>) {
        let by_spki = by_id.iter().map(|(id, peer)| (peer.card.tls_spki.clone(), id.clone())).collect();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Peers { by_id, by_spki });
    }
}

impl Peers {
    /// The counterpart with this TLS key.
    pub(crate) fn with_spki(&self, spki: &[u8]) -> Option<&str> {
        self.by_spki.get(spki).map(String::as_str)
    }

    /// The key that signs a counterpart's statements.
    pub(crate) fn envelope_key(&self, id: &str) -> Option<PublicKey> {
        self.by_id.get(id).map(|peer| peer.card.envelope_key)
    }
}

/// What was rejected since the start, by code.
#[derive(Default)]
pub(crate) struct Counters(Mutex<BTreeMap<&'static str, u64>>);

impl Counters {
    pub(crate) fn count(&self, code: &'static str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(code).or_default() += 1;
    }

    pub(crate) fn rejected(&self, peer: &str, rejection: Rejection) {
        self.count(rejection.code());
        tracing::warn!(peer.id = peer, code = rejection.code(), "a notice was rejected: nothing was logged");
    }

    pub(crate) fn now(&self) -> BTreeMap<&'static str, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
