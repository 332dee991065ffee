//! What can be checked of an entry alone: hashes, forms and signatures. Bundles are shared out among all processors and come back in the
//! order of the log; a few of each are under way, so memory does not grow with the log.

use std::collections::HashMap;
use std::iter;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use verbale_evidence::{
    Card, EntryError, EntryTold, EnvelopeError, ReceiptVerifier, StatementDigest, UnverifiedEnvelope, Verdict,
    VerifiedEnvelope, carried_entry, read_entry,
};
use verbale_keys::{Fingerprint, PublicKey, Vkey};
use verbale_ledger::{Checkpoint, Hash, LogIndex, LogSize, TILE_WIDTH, Tile, decode_bundle, leaf_hash, split_extra};
use verbale_proto::v1::Receipt;
use verbale_proto::v1::log_entry::Event;

use crate::export::{ExportFolder, Missing};

/// Bundles of one worker that wait for the reader of the log.
const BUNDLES_AHEAD: usize = 4;

/// The envelope of an entry, where one belongs there, or why nobody signed it.
pub(crate) type ReadEnvelope = Option<Result<VerifiedEnvelope, String>>;

/// A receipt that its log's key verified. What a worker gives to the reader is no more than is asked of it: memory of one thread that another
/// gives back keeps both waiting.
pub(crate) struct ReceiptTold {
    /// SHA-256 of the receipt.
    pub(crate) digest: [u8; 32],
    /// The envelope that it is about, and the statement in it.
    pub(crate) envelope: Vec<u8>,
    pub(crate) about: StatementDigest,
    /// Where the entry stands in the counterpart's log, when it was made, and the head that vouches for it.
    pub(crate) index: LogIndex,
    pub(crate) time_ms: i64,
    pub(crate) head: Arc<Checkpoint>,
    pub(crate) verdict: Verdict,
}

/// A receipt, where one is there, or why it proves nothing.
pub(crate) type ReadReceipt = Option<Result<ReceiptTold, String>>;

/// An entry whose signatures were looked at.
pub(crate) struct Prepared {
    pub(crate) leaf: Hash,
    /// Whether the tile has the same hash.
    pub(crate) in_tile: bool,
    pub(crate) read: Result<EntryTold, EntryError>,
    /// Of an entry carried over: its hash in the log before, in the one before that, and so on.
    pub(crate) carried: Vec<Hash>,
    /// The envelope in it, and which key of which card signed it.
    pub(crate) envelope: ReadEnvelope,
    /// The receipt beside it: `None` when none belongs there, or it is missing.
    pub(crate) receipt: ReadReceipt,
}

/// Keys of all cards in a folder. They are believed only where the log says that their cards were enrolled.
pub(crate) struct Keys {
    envelope: HashMap<Fingerprint, PublicKey>,
    logs: HashMap<String, Vec<Vkey>>,
}

impl Keys {
    pub(crate) fn of(cards: &[Card]) -> Self {
        let mut keys = Self { envelope: HashMap::new(), logs: HashMap::new() };
        for card in cards {
            keys.envelope.insert(card.envelope_key.fingerprint(), card.envelope_key);
            keys.logs.entry(card.log_origin.clone()).or_default().push(card.log_vkey());
        }
        keys
    }

    /// Whether one of them signed a head.
    pub(crate) fn signed(&self, note: &str) -> bool {
        self.logs.values().flatten().any(|key| Checkpoint::verify(note, key).is_ok())
    }
}

/// Takes the entries of a log in their order.
///
/// # Errors
/// [`Missing`], when a file of the log is not there.
pub(crate) fn read_through(
    (folder, since): (&ExportFolder, u64),
    size: LogSize,
    keys: &Keys,
    mut take: impl FnMut(u64, Prepared),
) -> Result<(), Missing> {
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let mut queues: Vec<Receiver<Result<Vec<Prepared>, Missing>>> = Vec::new();
        for worker in 0..workers {
            let (queue, bundles) = sync_channel(BUNDLES_AHEAD);
            queues.push(bundles);
            scope.spawn(move || {
                for tile in Tile::of_level(0, size).skip(worker).step_by(workers) {
                    // Nobody takes any more: something was missing.
                    if queue.send(prepare((folder, since), tile, keys)).is_err() {
                        return;
                    }
                }
            });
        }
        for (tile, queue) in Tile::of_level(0, size).zip((0..workers).cycle()) {
            let bundle = queues.get(queue).and_then(|queue| queue.recv().ok());
            // A worker that ended early panicked, and the scope says so.
            let Some(bundle) = bundle else { return Ok(()) };
            for (index, prepared) in (tile.number * TILE_WIDTH..).zip(bundle?) {
                take(index, prepared);
            }
        }
        Ok(())
    })
}

fn prepare<'k>((folder, since): (&ExportFolder, u64), tile: Tile, keys: &'k Keys) -> Result<Vec<Prepared>, Missing> {
    let (hashes, bundle) = (folder.tile(tile)?, folder.bundle(tile)?);
    let unusable = |text: String| Missing::Unusable { path: folder.dir().join(tile.entries_path()), text };
    if hashes.len() as u64 != 32 * tile.width {
        let text = format!("it has {} bytes, and {} hashes of 32 belong there", hashes.len(), tile.width);
        return Err(Missing::Unusable { path: folder.dir().join(tile.path()), text });
    }
    let entries = decode_bundle(&bundle).map_err(|error| unusable(error.to_string()))?;
    if entries.len() as u64 != tile.width {
        return Err(unusable(format!("it has {} entries, its name says {}", entries.len(), tile.width)));
    }
    let of_log = |(origin, vkeys): (&'k String, &'k Vec<Vkey>)| {
        (origin.as_str(), vkeys.iter().map(ReceiptVerifier::new).collect())
    };
    let mut verifiers = Verifiers { of_logs: keys.logs.iter().map(of_log).collect(), head: None };
    let mut prepared = Vec::with_capacity(entries.len());
    for (at, entry) in entries.into_iter().enumerate() {
        let leaf = leaf_hash(entry);
        let in_tile = hashes.chunks(32).nth(at) == Some(leaf.as_slice());
        let mut read = read_entry(entry);
        let is_carried = read.as_ref().is_ok_and(|told| told.carried > 0);
        let first = is_carried.then(|| carried_entry(entry)).flatten();
        let carried = iter::successors(first, |entry| carried_entry(entry)).map(|entry| leaf_hash(&entry)).collect();
        let (mut envelope, mut receipt) = (None, None);
        match read.as_mut().map(|told| &mut told.event) {
            Ok(Event::NoticeSent(of)) => envelope = Some(signed(&mut of.envelope, keys)),
            Ok(Event::NoticeReceived(of)) => envelope = Some(signed(&mut of.envelope, keys)),
            Ok(Event::NoticeRefused(of)) => envelope = Some(signed(&mut of.envelope, keys)),
            Ok(Event::ConflictKept(of)) => envelope = Some(signed(&mut of.envelope, keys)),
            Ok(Event::ChannelResumed(of)) if !of.envelope.is_empty() => envelope = Some(verified(&of.envelope, keys)),
            Ok(Event::ReceiptReceived(_)) => {
                let text = folder.receipt(LogIndex(tile.number * TILE_WIDTH + at as u64), since)?;
                receipt = text.map(|text| received(&text, &mut verifiers));
            }
            _ => {}
        }
        prepared.push(Prepared { leaf, in_tile, read, carried, envelope, receipt });
    }
    Ok(prepared)
}

/// The envelope of an event, which keeps its bytes only where they are none.
fn signed(envelope: &mut Vec<u8>, keys: &Keys) -> Result<VerifiedEnvelope, String> {
    let bytes = std::mem::take(envelope);
    let read = verified(&bytes, keys);
    if read.is_err() {
        *envelope = bytes;
    }
    read
}

fn verified(bytes: &[u8], keys: &Keys) -> Result<VerifiedEnvelope, String> {
    let unverified = UnverifiedEnvelope::parse(bytes).map_err(|error| error.to_string())?;
    let verified = unverified.verify_under(|claimed| keys.envelope.get(&claimed.sender_key).copied());
    verified.map_err(|error| match error {
        EnvelopeError::UnknownKey => "a signature of a key that stands on no card here".to_owned(),
        other => other.to_string(),
    })
}

struct Verifiers<'k> {
    /// Those of the keys that a log had, by its origin.
    of_logs: HashMap<&'k str, Vec<ReceiptVerifier<'k>>>,
    /// The head of the receipt before: it often is that of the next one.
    head: Option<Arc<Checkpoint>>,
}

fn received(text: &str, verifiers: &mut Verifiers<'_>) -> Result<ReceiptTold, String> {
    let (proof, entry) = split_extra(text).map_err(|error| error.to_string())?;
    // The name of the log is the first line of its signed head.
    let origin = proof.split_once("\n\n").and_then(|(_, head)| head.lines().next());
    let origin = origin.ok_or("a receipt without a checkpoint")?;
    let of_log = verifiers.of_logs.get_mut(origin).ok_or("a receipt of a log whose key stands on no card here")?;
    let receipt = Receipt { entry, proof };
    let mut last = Err("no key of its log verifies it".to_owned());
    for verifier in of_log {
        last = verifier.verify_alone(&receipt).map_err(|error| error.to_string());
        if last.is_ok() {
            break;
        }
    }
    let (envelope, verified) = last?;
    let head = match verifiers.head.take().filter(|before| **before == *verified.checkpoint()) {
        Some(before) => before,
        None => Arc::new(verified.checkpoint().clone()),
    };
    verifiers.head = Some(Arc::clone(&head));
    Ok(ReceiptTold {
        digest: verified.digest(),
        envelope,
        about: verified.about(),
        index: verified.index(),
        time_ms: verified.time_ms(),
        head,
        verdict: verified.verdict().clone(),
    })
}
