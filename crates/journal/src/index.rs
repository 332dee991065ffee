//! The index: where each entry and what stands beside it lies. A projection of the journal that can be deleted.
//!
//! sled is never on the path of an answer: a thread applies what is committed, and what it has not yet applied is found in
//! memory. sled's own flush makes nothing durable, which does no harm: the index says up to which log size it was applied,
//! and everything beyond is applied again at the start.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use verbale_ledger::Hash;

use crate::error::JournalError;
use crate::store::{OnProgress, Phase, Progress};

/// The schema of this program; an index with another one is deleted and built anew.
const SCHEMA: &[u8] = b"2";
const SCHEMA_KEY: &[u8] = b"schema";
const APPLIED_KEY: &[u8] = b"applied";

/// Keys of places are log indexes of 8 bytes, below this; no log has 2^62 entries. The other keys begin with a letter.
const END_OF_PLACES: &[u8] = &[0x40];

/// Places under one key: about 3 KiB.
const BLOCK_PLACES: usize = 64;

/// Length of a place.
const PLACE_BYTES: usize = 4 + 4 * 12;

/// Batches that wait for the index; what comes when so many wait stays in memory. Two gatherings of single entries.
const QUEUE_BATCHES: usize = 2 * GATHERED_PLACES;

/// Places that are applied at once: under 1 MiB with sled's own overhead.
const GATHERED_PLACES: usize = 4096;

/// A place waits at most so long for others to come.
const GATHERING_TIME: Duration = Duration::from_millis(500);

/// The default of sled is 1 GiB.
const CACHE_BYTES: u64 = 32 << 20;

/// A body in a segment: offset and length; length zero where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) offset: u64,
    pub(crate) length: u32,
}

/// Where an entry and what stands beside it lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) segment: u32,
    pub(crate) entry: Span,
    pub(crate) sealed: Span,
    pub(crate) facts: Span,
    pub(crate) receipt: Span,
}

/// Places of one batch, and the head after it.
struct Applied {
    places: Vec<(u64, Place)>,
    size: u64,
    root: Hash,
}

type Recent = Arc<Mutex<BTreeMap<u64, Place>>>;

pub(crate) struct Index {
    path: PathBuf,
    /// Committed and not yet applied; everything, when there is no sled.
    recent: Recent,
    applied: Option<Projection>,
}

struct Projection {
    db: sled::Db,
    queue: Option<SyncSender<Applied>>,
    thread: Option<JoinHandle<()>>,
}

impl Index {
    /// Opens the index of a log whose places and heads were just read from the journal; builds it anew when it disagrees.
    pub(crate) fn open(
        path: &Path,
        keep: bool,
        places: BTreeMap<u64, Place>,
        heads: &dyn Fn(u64) -> Option<Hash>,
        progress: &OnProgress,
    ) -> Result<Self, JournalError> {
        let recent: Recent = Arc::default();
        if !keep {
            *lock(&recent) = places;
            return Ok(Self { path: path.to_owned(), recent, applied: None });
        }
        let error = |source| JournalError::Index { path: path.to_owned(), source: Box::new(source) };
        let db = match open_db(path) {
            Ok(db) if agrees(&db, &places, heads).unwrap_or(false) => db,
            // Damaged, of another schema, or of another log: it is derived, so it is built anew.
            other => {
                drop(other);
                if path.exists() {
                    std::fs::remove_dir_all(path).map_err(JournalError::io("delete", path))?;
                }
                open_db(path).map_err(error)?
            }
        };
        let from = applied_size(&db).map_err(error)?.map_or(0, |(size, _)| size);
        let size = places.len() as u64;
        let missing: Vec<(u64, Place)> = places.into_iter().filter(|(index, _)| *index >= from).collect();
        if let Some(root) = heads(size) {
            // Its size and root are written last: an interruption leaves an index that is built anew.
            let (total, mut done) = (missing.len() as u64, 0);
            for part in missing.chunks(GATHERED_PLACES) {
                progress(Progress { phase: Phase::Indexing, done, total });
                let mut writes = sled::Batch::default();
                insert(&mut writes, part);
                db.apply_batch(writes).map_err(error)?;
                done += part.len() as u64;
            }
            apply(&db, &Applied { places: Vec::new(), size, root }).map_err(error)?;
        }
        let (queue, waiting) = sync_channel(QUEUE_BATCHES);
        let thread = {
            let (db, recent) = (db.clone(), Arc::clone(&recent));
            std::thread::Builder::new()
                .name("index".to_owned())
                .spawn(move || run(&db, &recent, &waiting))
                .map_err(JournalError::io("start the thread of", path))?
        };
        let applied = Some(Projection { db, queue: Some(queue), thread: Some(thread) });
        Ok(Self { path: path.to_owned(), recent, applied })
    }

    /// Takes note of a committed batch.
    pub(crate) fn add(&self, places: Vec<(u64, Place)>, size: u64, root: Hash) {
        lock(&self.recent).extend(places.iter().copied());
        if let Some(queue) = self.applied.as_ref().and_then(|applied| applied.queue.as_ref()) {
            // When the thread is behind, or has ended after an error of sled, these places stay in memory; the next start
            // finds the gap and builds the index anew. The writer never waits for it.
            let _ = queue.try_send(Applied { places, size, root });
        }
    }

    /// Log size up to which sled has everything.
    pub(crate) fn applied_size(&self, size: u64) -> u64 {
        lock(&self.recent).keys().next().copied().unwrap_or(size)
    }

    /// Where an entry lies.
    pub(crate) fn place(&self, index: u64) -> Result<Option<Place>, JournalError> {
        if let Some(place) = lock(&self.recent).get(&index) {
            return Ok(Some(*place));
        }
        let Some(applied) = &self.applied else { return Ok(None) };
        let found = applied_place(&applied.db, index);
        found.map_err(|source| JournalError::Index { path: self.path.clone(), source: Box::new(source) })
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        if let Some(applied) = &mut self.applied {
            applied.queue.take();
            if let Some(thread) = applied.thread.take() {
                let _ = thread.join();
            }
        }
    }
}

/// Applies what comes, many batches at once: each write wakes all of sled's threads.
fn run(db: &sled::Db, recent: &Recent, waiting: &Receiver<Applied>) {
    while let Ok(mut gathered) = waiting.recv() {
        let until = Instant::now() + GATHERING_TIME;
        while gathered.places.len() < GATHERED_PLACES {
            match waiting.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(next) => {
                    gathered.places.extend(next.places);
                    (gathered.size, gathered.root) = (next.size, next.root);
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        if let Err(error) = apply(db, &gathered) {
            tracing::error!(error = %error, "the index failed; it is rebuilt at the next start");
            return;
        }
        let mut recent = lock(recent);
        for (index, _) in &gathered.places {
            recent.remove(index);
        }
    }
}

fn open_db(path: &Path) -> sled::Result<sled::Db> {
    sled::Config::default().path(path).cache_capacity(CACHE_BYTES).open()
}

fn apply(db: &sled::Db, batch: &Applied) -> sled::Result<()> {
    let mut writes = sled::Batch::default();
    insert(&mut writes, &batch.places);
    let mut applied = batch.size.to_be_bytes().to_vec();
    applied.extend_from_slice(&batch.root);
    writes.insert(APPLIED_KEY, applied);
    writes.insert(SCHEMA_KEY, SCHEMA);
    db.apply_batch(writes)
}

fn applied_size(db: &sled::Db) -> sled::Result<Option<(u64, Hash)>> {
    let applied = db.get(APPLIED_KEY)?;
    Ok(applied.and_then(|bytes| {
        let (size, root) = bytes.split_first_chunk::<8>()?;
        Some((u64::from_be_bytes(*size), root.try_into().ok()?))
    }))
}

fn insert(writes: &mut sled::Batch, places: &[(u64, Place)]) {
    for (first, block) in blocks(places) {
        writes.insert(&first.to_be_bytes(), block);
    }
}

/// Runs of entries without a gap, in pieces, by their first index: sled's work is in the number of keys.
fn blocks(places: &[(u64, Place)]) -> Vec<(u64, Vec<u8>)> {
    let mut blocks: Vec<(u64, Vec<u8>)> = Vec::new();
    for (index, place) in places {
        match blocks.last_mut() {
            Some((first, block))
                if block.len() < BLOCK_PLACES * PLACE_BYTES
                    && *index == *first + (block.len() / PLACE_BYTES) as u64 =>
            {
                block.extend(place.to_bytes());
            }
            _ => blocks.push((*index, place.to_bytes())),
        }
    }
    blocks
}

/// A place that was applied, from the block that it is in.
fn applied_place(db: &sled::Db, index: u64) -> sled::Result<Option<Place>> {
    let Some((first, block)) = db.range(..=index.to_be_bytes()).next_back().transpose()? else { return Ok(None) };
    let first = <[u8; 8]>::try_from(&*first).map(u64::from_be_bytes);
    let within = first.ok().and_then(|first| usize::try_from(index - first).ok());
    Ok(within.and_then(|within| Place::from_bytes(block.get(within * PLACE_BYTES..)?)))
}

/// Whether an index is of this schema, of this log, and right in all it says.
fn agrees(db: &sled::Db, places: &BTreeMap<u64, Place>, heads: &dyn Fn(u64) -> Option<Hash>) -> sled::Result<bool> {
    let Some((size, root)) = applied_size(db)? else { return Ok(db.is_empty()) };
    if db.get(SCHEMA_KEY)?.as_deref() != Some(SCHEMA) || heads(size) != Some(root) {
        return Ok(false);
    }
    let mut expected = places.range(..size);
    for block in db.range(..END_OF_PLACES) {
        let (first, block) = block?;
        let held = block.chunks(PLACE_BYTES).map(Place::from_bytes);
        for (index, held) in (u64::from_be_bytes(first.as_ref().try_into().unwrap_or_default())..).zip(held) {
            if expected.next().map(|(index, place)| (*index, Some(*place))) != Some((index, held)) {
                return Ok(false);
            }
        }
    }
    Ok(expected.next().is_none())
}

impl Place {
    fn to_bytes(self) -> Vec<u8> {
        let mut bytes = self.segment.to_be_bytes().to_vec();
        for span in [self.entry, self.sealed, self.facts, self.receipt] {
            bytes.extend_from_slice(&span.offset.to_be_bytes());
            bytes.extend_from_slice(&span.length.to_be_bytes());
        }
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (segment, mut rest) = bytes.split_first_chunk::<4>()?;
        let mut span = || {
            let (offset, after) = rest.split_first_chunk::<8>()?;
            let (length, after) = after.split_first_chunk::<4>()?;
            rest = after;
            Some(Span { offset: u64::from_be_bytes(*offset), length: u32::from_be_bytes(*length) })
        };
        let (entry, sealed, facts, receipt) = (span()?, span()?, span()?, span()?);
        Some(Self { segment: u32::from_be_bytes(*segment), entry, sealed, facts, receipt })
    }
}

fn lock(recent: &Recent) -> std::sync::MutexGuard<'_, BTreeMap<u64, Place>> {
    recent.lock().unwrap_or_else(PoisonError::into_inner)
}
