//! The journal in files: one writer, group commit, reading back.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use verbale_ledger::{Hash, LogIndex, LogSize, Tree, leaf_hash};

use crate::error::JournalError;
use crate::files::{Files, StoredFile};
use crate::frame::{CRC_AT, HEADER_BYTES, KIND_AT, Kind, Salt, erased_crc};
use crate::index::{Index, Place, Span};
use crate::keyring::{Keyring, SLOT_KEYS_BYTES};
use crate::recovery::{Recovered, Replay, recover};
use crate::segment::{Active, Draft, HEAD_BYTES, Head, HeadRead, ZEROS, segment_path};
use crate::store::{Committed, Logged, Record, Settings, Store, sign_head};

/// A journal in a folder that is locked for this process.
pub struct Journal {
    files: Arc<dyn Files>,
    settings: Settings,
    dir: PathBuf,
    keyring: Keyring,
    active: Active,
    tree: Tree,
    commits: Vec<u64>,
    index: Index,
    checkpoint: Arc<str>,
    /// The segment that was read last, kept open.
    reading: Mutex<Option<(u32, Box<dyn StoredFile>)>>,
    failed: bool,
    _lock: Option<File>,
}

impl Journal {
    /// Begins a log with its first record. Only `init` does this.
    ///
    /// # Errors
    /// [`JournalError::LogExists`]; [`JournalError::Io`].
    ///
    /// # Durability
    /// On return the log is on disk.
    pub fn create(files: &dyn Files, settings: &Settings, genesis: &Record) -> Result<(), JournalError> {
        let dir = journal_dir(settings);
        files.create_folder(&dir).map_err(JournalError::io("create", &dir))?;
        let names = files.list(&dir).map_err(JournalError::io("list", &dir))?;
        if names.iter().any(|name| name.ends_with(".segment")) {
            return Err(JournalError::LogExists { path: settings.dir.clone() });
        }
        let mut keyring = Keyring::create(files, &dir)?;
        let keys: Vec<_> = genesis.keys.iter().map(|keys| (0, keys.clone())).collect();
        keyring.add(&keys)?;
        // The first batch is in the segment before it gets its name: a crash leaves no log, or one with its genesis.
        let head = Head { number: 0, first: 0, salt: salt(&dir)? };
        let mut tree = Tree::default();
        let mut draft = Draft::at_start(head);
        write_batch(&mut draft, &mut tree, head.number, std::slice::from_ref(genesis));
        Active::create(files, &dir, head, &draft.bytes, settings.ahead_bytes)?;
        files.sync_folder(&settings.dir).map_err(JournalError::io("sync", &settings.dir))
    }

    /// Locks the folder, recovers, and tells every record to `replay`.
    ///
    /// # Errors
    /// [`JournalError`]: locked by another process, no log here, damage, an unknown version.
    pub fn open(files: Arc<dyn Files>, settings: Settings, replay: Replay<'_>) -> Result<Self, JournalError> {
        let lock = lock(&settings.dir)?;
        let dir = journal_dir(&settings);
        let no_log = || JournalError::NoLog { path: settings.dir.clone() };
        let recovered = match recover(&*files, &dir, &settings.progress) {
            Err(JournalError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                return Err(no_log());
            }
            other => other?,
        };
        let Some((head, end)) = recovered.active else { return Err(no_log()) };
        if recovered.size().0 == 0 {
            return Err(no_log());
        }
        let mut keyring = Keyring::open(&*files, &dir)?;
        keyring.load(recovered.size().0)?;
        recovered.replay(&*files, &dir, &keyring, replay, &settings.progress)?;
        let active = take_over(&*files, &dir, &recovered, (head, end), settings.ahead_bytes)?;
        let index = {
            let heads = |size| recovered.head(size);
            let path = settings.dir.join("index");
            Index::open(&path, settings.index, recovered.places.clone(), &heads, &settings.progress)?
        };
        let checkpoint = sign_head(&settings, recovered.size(), recovered.tree.root());
        let Recovered { tree, commits, .. } = recovered;
        let reading = Mutex::new(None);
        Ok(Self {
            files,
            settings,
            dir,
            keyring,
            active,
            tree,
            commits,
            index,
            checkpoint,
            reading,
            failed: false,
            _lock: lock,
        })
    }

    /// Log size up to which the index was applied; the rest is found in memory.
    pub fn index_size(&self) -> u64 {
        self.index.applied_size(self.tree.size().0)
    }

    /// Notes that the journal was stopped in order, so that the next start need not write the last segment anew.
    ///
    /// # Errors
    /// [`JournalError::Io`]: harmless, the next start takes longer.
    pub fn close(self) -> Result<(), JournalError> {
        if self.failed {
            return Err(JournalError::Failed);
        }
        let path = clean_path(&self.dir);
        let file = self.files.create(&path).map_err(JournalError::io("create", &path))?;
        file.write_at(0, &self.active.end.to_be_bytes()).map_err(JournalError::io("write", &path))?;
        file.sync().map_err(JournalError::io("sync", &path))?;
        self.files.sync_folder(&self.dir).map_err(JournalError::io("sync", &self.dir))
    }

    fn write(&mut self, batch: &[Record]) -> Result<(), JournalError> {
        let bytes: usize = batch.iter().map(Record::bytes).sum();
        // Frames, alignment and the commit: under 12 KiB a record.
        let needed = (bytes + batch.len() * (12 << 10)) as u64;
        if needed > u64::from(u32::MAX) / 2 {
            return Err(JournalError::RecordTooLarge { got: bytes });
        }
        let first = self.tree.size().0;
        // A crash after this leaves slots of entries that do not exist: recovery frees them.
        let keys: Vec<_> = (first..).zip(batch).filter_map(|(i, record)| Some((i, record.keys.clone()?))).collect();
        self.keyring.add(&keys)?;
        if self.active.end + needed > self.settings.segment_bytes && self.active.end > HEAD_BYTES as u64 {
            // A crash after this leaves an empty segment, which is gone on with.
            let number = self.active.head.number + 1;
            let head = Head { number, first, salt: salt(&self.dir)? };
            self.active = Active::create(&*self.files, &self.dir, head, &[], self.settings.ahead_bytes)?;
        }
        let mut draft = Draft::new(&self.active, usize::try_from(needed).unwrap_or_default());
        let places = write_batch(&mut draft, &mut self.tree, self.active.head.number, batch);
        // A crash before the sync leaves a torn tail: recovery sets it aside, and nobody was answered.
        self.active.append(&draft.bytes)?;
        // From here on the batch is durable. A crash before the signature: the same head is signed at the next start.
        let (size, root) = (self.tree.size(), self.tree.root());
        self.checkpoint = sign_head(&self.settings, size, root);
        self.commits.push(size.0);
        self.index.add(places, size.0, root);
        Ok(())
    }

    fn place(&self, index: LogIndex) -> Result<Place, JournalError> {
        let size = self.tree.size().0;
        self.index.place(index.0)?.ok_or(JournalError::OutOfRange { index, size })
    }

    fn read(&self, segment: u32, span: Span) -> Result<Vec<u8>, JournalError> {
        let path = segment_path(&self.dir, segment);
        let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        if reading.as_ref().is_none_or(|(number, _)| *number != segment) {
            *reading = Some((segment, self.files.open(&path).map_err(JournalError::io("open", &path))?));
        }
        let mut bytes = vec![0; span.length as usize];
        if let Some((_, file)) = reading.as_ref() {
            file.read_at(span.offset, &mut bytes).map_err(JournalError::io("read", &path))?;
        }
        Ok(bytes)
    }

    /// What the sealed frame at a place has become.
    fn sealed_kind(&self, place: &Place) -> Result<Option<Kind>, JournalError> {
        let at = Span { offset: sealed_frame(place) + KIND_AT, length: 1 };
        Ok(self.read(place.segment, at)?.first().and_then(|byte| Kind::of(*byte)))
    }

    /// Each write before a sync is one byte, or lies in a frame whose checksum does not count: wherever it is cut off, the segment reads.
    fn erase_sealed(&self, index: LogIndex, place: &Place) -> Result<(), JournalError> {
        let path = segment_path(&self.dir, place.segment);
        let kind = self.sealed_kind(place)?;
        if kind == Some(Kind::Erased) {
            return Ok(());
        }
        let file = self.files.open(&path).map_err(JournalError::io("open", &path))?;
        let write = |offset: u64, bytes: &[u8]| file.write_at(offset, bytes).map_err(JournalError::io("write", &path));
        let sync = || file.sync().map_err(JournalError::io("sync", &path));
        let mut head = [0; HEAD_BYTES];
        file.read_at(0, &mut head).map_err(JournalError::io("read", &path))?;
        let HeadRead::Head(Head { salt, .. }) = Head::read(&head) else {
            let what = "it does not begin as a segment";
            return Err(JournalError::Corrupt { path, offset: 0, what });
        };
        let frame = sealed_frame(place);
        if kind == Some(Kind::Sealed) {
            write(frame + KIND_AT, &[Kind::Erasing as u8])?;
            sync()?;
        }
        let end = place.sealed.offset + u64::from(place.sealed.length);
        let mut at = place.sealed.offset;
        while at < end {
            let length = usize::try_from(end - at).unwrap_or(usize::MAX).min(ZEROS.len());
            write(at, ZEROS.get(..length).unwrap_or_default())?;
            at += length as u64;
        }
        write(frame + CRC_AT, &erased_crc(frame, &salt, index.0, place.sealed.length))?;
        sync()?;
        write(frame + KIND_AT, &[Kind::Erased as u8])?;
        sync()
    }

    fn beside(&self, index: LogIndex, which: fn(&Place) -> Span) -> Result<Option<Vec<u8>>, JournalError> {
        let place = self.place(index)?;
        let span = which(&place);
        if span.length == 0 { Ok(None) } else { self.read(place.segment, span).map(Some) }
    }
}

impl Store for Journal {
    fn commit<T>(&mut self, batch: Vec<Record>, waiting: T) -> Result<Committed<T>, JournalError> {
        if self.failed {
            return Err(JournalError::Failed);
        }
        let first = LogIndex(self.tree.size().0);
        if !batch.is_empty() {
            self.failed = true;
            self.write(&batch)?;
            self.failed = false;
        }
        Ok(Committed::new(waiting, first, Arc::clone(&self.checkpoint)))
    }

    fn checkpoint(&self) -> Arc<str> {
        Arc::clone(&self.checkpoint)
    }

    fn size(&self) -> LogSize {
        self.tree.size()
    }

    fn root_at(&self, size: LogSize) -> Option<Hash> {
        self.tree.root_at(size).ok()
    }

    fn head_at(&self, size: LogSize) -> Option<Arc<str>> {
        if size == self.size() {
            Some(Arc::clone(&self.checkpoint))
        } else {
            self.root_at(size).map(|root| sign_head(&self.settings, size, root))
        }
    }

    fn consistency_proof(&self, old: LogSize) -> Option<Vec<Hash>> {
        self.tree.consistency_proof(old, self.tree.size()).ok()
    }

    fn logged(&self, index: LogIndex) -> Result<Logged, JournalError> {
        let out_of_range = || JournalError::OutOfRange { index, size: self.tree.size().0 };
        let entry = self.entry(index)?;
        let after = self.commits.partition_point(|size| *size <= index.0);
        let size = LogSize(*self.commits.get(after).ok_or_else(out_of_range)?);
        let hashes = self.tree.inclusion_proof(index, size).map_err(|_| out_of_range())?;
        let checkpoint = if size == self.tree.size() {
            Arc::clone(&self.checkpoint)
        } else {
            let root: Hash = self.tree.root_at(size).map_err(|_| out_of_range())?;
            sign_head(&self.settings, size, root)
        };
        Ok(Logged::new(entry, index, hashes, checkpoint))
    }

    fn entry(&self, index: LogIndex) -> Result<Vec<u8>, JournalError> {
        let place = self.place(index)?;
        self.read(place.segment, place.entry)
    }

    fn sealed(&self, index: LogIndex) -> Result<Option<Vec<u8>>, JournalError> {
        let place = self.place(index)?;
        let is_held = place.sealed.length > 0 && self.sealed_kind(&place)? == Some(Kind::Sealed);
        if is_held { self.read(place.segment, place.sealed).map(Some) } else { Ok(None) }
    }

    fn facts(&self, index: LogIndex) -> Result<Option<Vec<u8>>, JournalError> {
        self.beside(index, |place| place.facts)
    }

    fn receipt(&self, index: LogIndex) -> Result<Option<Vec<u8>>, JournalError> {
        self.beside(index, |place| place.receipt)
    }

    fn keys(&self, message_id: &[u8; 16]) -> Result<Option<[u8; SLOT_KEYS_BYTES]>, JournalError> {
        self.keyring.get(message_id)
    }

    fn erase(&mut self, message_id: &[u8; 16], sealed: &[LogIndex]) -> Result<(), JournalError> {
        if self.failed {
            return Err(JournalError::Failed);
        }
        self.failed = true;
        self.keyring.erase(message_id)?;
        for index in sealed {
            let place = self.place(*index)?;
            if place.sealed.length > 0 {
                self.erase_sealed(*index, &place)?;
            }
        }
        self.failed = false;
        Ok(())
    }

    fn require_room(&self, bytes: u64) -> Result<(), JournalError> {
        let free = self.files.free_bytes(&self.dir).map_err(JournalError::io("measure", &self.dir))?;
        let reserve = self.settings.reserve_bytes;
        if free >= reserve.saturating_add(bytes) {
            Ok(())
        } else {
            Err(JournalError::Full { path: self.dir.clone(), free, reserve })
        }
    }
}

/// Adds a batch to draft and tree; sealed frames come first, in blocks of their own, and the commit frame last.
fn write_batch(draft: &mut Draft, tree: &mut Tree, segment: u32, batch: &[Record]) -> Vec<(u64, Place)> {
    let first = tree.size().0;
    let mut places: Vec<(u64, Place)> =
        (first..).zip(batch).map(|(i, _)| (i, Place { segment, ..Place::default() })).collect();
    for ((index, place), record) in places.iter_mut().zip(batch) {
        if let Some(sealed) = &record.sealed {
            let offset = draft.aligned_frame(Kind::Sealed, &[&index.to_be_bytes(), sealed]);
            place.sealed = span(offset + 8, sealed);
        }
    }
    for ((index, place), record) in places.iter_mut().zip(batch) {
        place.entry = span(draft.frame(Kind::Entry, &[&record.entry]), &record.entry);
        if let Some(facts) = &record.facts {
            place.facts = span(draft.frame(Kind::Facts, &[&index.to_be_bytes(), facts]) + 8, facts);
        }
        if let Some(receipt) = &record.receipt {
            place.receipt = span(draft.frame(Kind::Receipt, &[&index.to_be_bytes(), receipt]) + 8, receipt);
        }
        tree.append(leaf_hash(&record.entry));
    }
    draft.frame(Kind::Commit, &[&tree.size().0.to_be_bytes(), &tree.root()]);
    places
}

/// Where the frame begins whose body holds the log index and the sealed bytes.
fn sealed_frame(place: &Place) -> u64 {
    place.sealed.offset.saturating_sub(HEADER_BYTES as u64 + 8)
}

fn span(offset: u64, body: &[u8]) -> Span {
    Span { offset, length: u32::try_from(body.len()).unwrap_or(u32::MAX) }
}

/// Makes the last segment ready for writing. After an unclean stop it is written to a new file: what a failed sync left in
/// the page cache proves nothing.
fn take_over(
    files: &dyn Files,
    dir: &Path,
    recovered: &Recovered,
    (head, end): (Head, u64),
    ahead: u64,
) -> Result<Active, JournalError> {
    let clean = clean_path(dir);
    let stopped_at = read_clean(files, &clean);
    if stopped_at == Some(end) && recovered.tail.is_empty() {
        // Removed before the first write, so that it never vouches for a later stop.
        files.remove(&clean).map_err(JournalError::io("remove", &clean))?;
        files.sync_folder(dir).map_err(JournalError::io("sync", dir))?;
        return Active::resume(files, dir, head, end, ahead);
    }
    if !recovered.tail.is_empty() {
        let aside = dir.join("damaged");
        files.create_folder(&aside).map_err(JournalError::io("create", &aside))?;
        let path = aside.join(format!("{:08}-{end}.tail", head.number));
        let file = files.create(&path).map_err(JournalError::io("create", &path))?;
        file.write_at(0, &recovered.tail).map_err(JournalError::io("write", &path))?;
        file.sync().map_err(JournalError::io("sync", &path))?;
        files.sync_folder(&aside).map_err(JournalError::io("sync", &aside))?;
        tracing::warn!(
            segment = head.number,
            bytes = recovered.tail.len(),
            "an unfinished batch was set aside; nobody was told of it"
        );
    }
    if stopped_at.is_some() {
        files.remove(&clean).map_err(JournalError::io("remove", &clean))?;
    }
    Active::create(files, dir, head, &recovered.frames, ahead)
}

fn read_clean(files: &dyn Files, path: &Path) -> Option<u64> {
    let mut bytes = [0; 8];
    files.open(path).ok()?.read_at(0, &mut bytes).ok()?;
    Some(u64::from_be_bytes(bytes))
}

fn salt(dir: &Path) -> Result<Salt, JournalError> {
    let mut salt = Salt::default();
    getrandom::fill(&mut salt).map_err(|error| JournalError::io("draw a salt for", dir)(error.into()))?;
    Ok(salt)
}

fn journal_dir(settings: &Settings) -> PathBuf {
    settings.dir.join("journal")
}

fn clean_path(dir: &Path) -> PathBuf {
    dir.join("clean")
}

/// Locks the node's folder for this process; `None` when it is not on a disk (tests with injected faults).
fn lock(dir: &Path) -> Result<Option<File>, JournalError> {
    if !dir.exists() {
        return Ok(None);
    }
    let path = dir.join("lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(JournalError::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(JournalError::Locked { path: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(JournalError::Io { action: "lock", path, source }),
    }
}
