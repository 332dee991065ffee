//! What all tasks share; nothing in it is locked across a wait.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use rcgen::KeyPair;
use verbale_domain::Memoranda;
use verbale_envelope::{ArchiveKey, Identity};
use verbale_evidence::{Card, Cards};
use verbale_exchange::{Peer, Rejection};

use crate::config::Config;
use crate::earlier::Earlier;
use crate::folder::Folder;
use crate::meter::Meter;
use crate::person::Persons;
use crate::retired::Retired;
use crate::share::{Memory, Shares};
use crate::stamp::Stamps;
use crate::standing::Standing;
use crate::witness::Witnesses;

/// What all tasks share.
pub(crate) struct Shared {
    pub(crate) folder: Folder,
    pub(crate) config: Config,
    pub(crate) card: Card,
    pub(crate) card_bytes: Vec<u8>,
    /// The own cards that the log told at the start, and the present one.
    pub(crate) own_cards: Cards,
    pub(crate) memoranda: Arc<Memoranda>,
    pub(crate) identity: Identity,
    /// Keys of earlier cards.
    pub(crate) earlier: Earlier,
    pub(crate) archive: ArchiveKey,
    pub(crate) tls: KeyPair,
    /// Whether the own log is the one that others know.
    pub(crate) standing: Standing,
    /// Signed heads that this node and its counterparts hold of each other.
    pub(crate) witnesses: Witnesses,
    /// Time stamps on own heads.
    pub(crate) stamps: Stamps,
    pub(crate) persons: Persons,
    pub(crate) peers: PeerDirectory,
    /// Where people and systems of other machines reach the node, once it listens.
    pub(crate) local_address: OnceLock<SocketAddr>,
    /// What was turned away and left no entry in the log, by code.
    pub(crate) rejected: Counters,
    /// Counterparts' notices that were refused, with an entry and a receipt, by code.
    pub(crate) refused: Counters,
    /// What own people and systems were refused, by code.
    pub(crate) denied: Counters,
    /// What went over the wire to and from counterparts.
    pub(crate) wire: Arc<Meter>,
    /// What each counterpart may take. Apart from the next, so that a slow counterpart keeps nobody here waiting.
    pub(crate) shares: Shares,
    /// What each person may take of the local listeners.
    pub(crate) persons_shares: Shares,
    /// For submissions, of all streams together.
    pub(crate) local_memory: Memory,
}

/// The enrolled counterparts, as of the last commit.
pub(crate) struct PeerDirectory {
    now: RwLock<Arc<Peers>>,
    /// TLS keys of earlier cards whose counterparts were seen with the present one.
    retired: Retired,
}

/// Counterparts by id and by TLS key.
#[derive(Default)]
pub(crate) struct Peers {
    pub(crate) by_id: BTreeMap<String, Peer>,
    by_spki: HashMap<Vec<u8>, String>,
    /// By the TLS keys of their cards, up to one that was revoked.
    all_spki: HashMap<Vec<u8>, String>,
}

impl PeerDirectory {
    pub(crate) fn new(retired: Retired) -> Self {
        Self { now: RwLock::default(), retired }
    }

    pub(crate) fn now(&self) -> Arc<Peers> {
        Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn replace(&self, by_id: BTreeMap<String, Peer>) {
        let live = || by_id.iter().filter(|(_, peer)| !peer.is_revoked());
        let earlier = live().filter_map(|(id, peer)| Some((peer.earlier_tls()?.to_vec(), id.clone())));
        let present = live().map(|(id, peer)| (peer.card().tls_spki.clone(), id.clone()));
        let by_spki = earlier.chain(present).collect();
        let all = live().flat_map(|(id, peer)| {
            let cards = peer.cards.all().take_while(|card| !card.revoked);
            cards.map(|card| (card.tls_spki.clone(), id.clone()))
        });
        let all_spki = all.collect();
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Peers { by_id, by_spki, all_spki });
    }

    /// The counterpart with this TLS key: of its card, or of the card before until it was seen with the present one.
    pub(crate) fn with_spki(&self, spki: &[u8]) -> Option<String> {
        let now = self.now();
        let id = now.by_spki.get(spki)?;
        // The card key signed for the key of the present card, also where it is one that was on an earlier card.
        let is_present = now.by_id.get(id).is_some_and(|peer| peer.card().tls_spki == spki);
        (is_present || !self.retired.contains(spki)).then(|| id.clone())
    }

    /// The counterpart that had this TLS key on an earlier card: it counts no more, and whoever shows it is told which card does.
    pub(crate) fn with_former_spki(&self, spki: &[u8]) -> Option<String> {
        let former = self.now().all_spki.get(spki).cloned();
        former.filter(|_| self.with_spki(spki).is_none())
    }

    /// A handshake with this TLS key was done: that of the card before counts no more.
    pub(crate) fn seen(&self, spki: &[u8]) {
        let now = self.now();
        let peer = now.by_spki.get(spki).and_then(|id| now.by_id.get(id));
        if let Some(earlier) = peer.filter(|peer| peer.card().tls_spki == spki).and_then(Peer::earlier_tls) {
            self.retired.add(earlier);
        }
    }
}

impl Peers {
    /// Those whose owners did not take their keys back.
    pub(crate) fn live(&self) -> impl Iterator<Item = &String> {
        self.by_id.iter().filter(|(_, peer)| !peer.is_revoked()).map(|(id, _)| id)
    }
}

/// How often something happened since the start, by code.
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

    pub(crate) fn by_code(&self) -> HashMap<String, u64> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|(code, count)| ((*code).to_owned(), *count)).collect()
    }
}
