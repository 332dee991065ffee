//! What one counterpart, or one person, may take of this node at a time, so that none can keep another waiting.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Open channels of one counterpart: its memoranda, and room.
const CHANNELS: usize = 16;

/// Connections of one counterpart: one for each channel, and those that a broken network left behind.
pub(crate) const PEER_CONNECTIONS: usize = CHANNELS + 4;

/// Sealed bytes of notices in pieces that are in memory, of all counterparts together: eight of the largest by default. Opening
/// one takes about five times as much beside it.
const ALL_BYTES: u64 = 128 << 20;

/// Notices in pieces of one counterpart that are in memory: two of the largest.
const LARGEST_NOTICES: u64 = 2;

/// Of the handshakes under way, one address may have a quarter.
const HANDSHAKES_PART: usize = 4;

/// What one permit of [`Memory`] stands for.
const PERMIT_BYTES: u64 = 1024;

/// Bytes that notices may take; whoever brings more waits.
pub(crate) struct Memory {
    permits: Arc<Semaphore>,
    bytes: u64,
}

impl Memory {
    pub(crate) fn new(bytes: u64) -> Self {
        let permits = usize::try_from(bytes.div_ceil(PERMIT_BYTES)).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self { permits: Arc::new(Semaphore::new(permits)), bytes }
    }

    /// Waits for so many bytes; they are given back with the permit.
    pub(crate) async fn take(&self, bytes: u64) -> OwnedSemaphorePermit {
        let permits = u32::try_from(bytes.min(self.bytes).div_ceil(PERMIT_BYTES)).unwrap_or(u32::MAX);
        #[expect(clippy::expect_used, reason = "nobody closes it")]
        Arc::clone(&self.permits).acquire_many_owned(permits).await.expect("it is never closed")
    }
}

/// The share of one counterpart or person.
pub(crate) struct Share {
    connections: Arc<Semaphore>,
    channels: Arc<Semaphore>,
    accounts: Arc<Semaphore>,
    witness: Arc<Semaphore>,
    memory: Memory,
}

/// Memory that was taken, until this is dropped.
pub(crate) struct Taken {
    _own: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

impl Share {
    /// One more connection, if it may have one.
    pub(crate) fn connection(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.connections).try_acquire_owned().ok()
    }

    /// Room for one account: each is read and signed while the others wait.
    pub(crate) fn account(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.accounts).try_acquire_owned().ok()
    }

    /// Room for one head: each costs three syncs.
    pub(crate) fn witness(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.witness).try_acquire_owned().ok()
    }

    /// One more open channel, if it may have one.
    pub(crate) fn channel(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.channels).try_acquire_owned().ok()
    }
}

/// The shares of all counterparts, or of all persons; only who is known ever gets one.
pub(crate) struct Shares {
    by_name: Mutex<HashMap<String, Arc<Share>>>,
    connections: usize,
    notice_bytes: u64,
    all: Memory,
}

impl Shares {
    /// So many connections for each, and notices of at most so many bytes.
    pub(crate) fn new(connections: usize, notice_bytes: u64) -> Self {
        Self { by_name: Mutex::default(), connections, notice_bytes, all: Memory::new(ALL_BYTES) }
    }

    pub(crate) fn of(&self, name: &str) -> Arc<Share> {
        let mut by_name = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            Arc::new(Share {
                connections: Arc::new(Semaphore::new(self.connections)),
                channels: Arc::new(Semaphore::new(CHANNELS)),
                accounts: Arc::new(Semaphore::new(1)),
                witness: Arc::new(Semaphore::new(1)),
                memory: Memory::new(LARGEST_NOTICES * self.notice_bytes),
            })
        };
        Arc::clone(by_name.entry(name.to_owned()).or_insert_with(new))
    }

    /// Waits for memory: first for room in the own share, so that nobody queues before others with more than that.
    pub(crate) async fn memory(&self, name: &str, bytes: u64) -> Taken {
        let own = self.of(name).memory.take(bytes).await;
        Taken { _own: own, _all: self.all.take(bytes).await }
    }
}

/// Handshakes under way, by address: strangers who stall them must leave places for everybody else.
#[derive(Clone)]
pub(crate) struct Handshakes {
    by_address: Arc<Mutex<HashMap<IpAddr, usize>>>,
    of_one_address: usize,
}

/// A handshake that is under way until this is dropped.
pub(crate) struct Handshake {
    all: Handshakes,
    address: IpAddr,
}

impl Handshakes {
    pub(crate) fn new(handshakes_max: usize) -> Self {
        Self { by_address: Arc::default(), of_one_address: (handshakes_max / HANDSHAKES_PART).max(1) }
    }

    /// One more from this address, if it may have one.
    pub(crate) fn begin(&self, address: IpAddr) -> Option<Handshake> {
        let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let count = by_address.entry(address).or_default();
        if *count >= self.of_one_address {
            return None;
        }
        *count += 1;
        Some(Handshake { all: self.clone(), address })
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        let mut by_address = self.all.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_a_quarter_of_the_handshakes_and_gives_its_places_back() {
        let handshakes = Handshakes::new(8);
        let (one, other) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let first = handshakes.begin(one).unwrap();
        let _second = handshakes.begin(one).unwrap();
        assert!(handshakes.begin(one).is_none());
        assert!(handshakes.begin(other).is_some());
        drop(first);
        assert!(handshakes.begin(one).is_some());
    }

    #[test]
    fn a_counterpart_that_took_its_share_leaves_those_of_others() {
        let shares = Shares::new(3, 1024);
        let taken: Vec<_> = std::iter::from_fn(|| shares.of("A").connection()).collect();
        assert_eq!(taken.len(), 3);
        assert!(shares.of("B").connection().is_some());
        drop(taken);
        assert!(shares.of("A").connection().is_some());
    }
}
