//! Writing an exported log. What is there already is kept and compared: an export that is repeated gives the same bytes, one that was
//! cut off is gone on with, and a log that is not the continuation of the one in the folder is refused.

#![expect(clippy::disallowed_methods, reason = "an export is a folder")]

use std::collections::HashSet;
use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use verbale_evidence::{EntryError, read_entry};
use verbale_ledger::{Checkpoint, LogSize, Note, TILE_WIDTH, Tile, Tree, encode_bundle, leaf_hash, with_extra};

use super::{
    CHECKPOINT, COSIGNED, COUNTERPARTS, DECISIONS, Decisions, KnownCards, MEMORANDA, PROOFS, SINCE, receipt_path,
    stamp_path,
};

/// An export that was not made.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The disk.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Another log, or this one rewritten.
    #[error(
        "{} is there already with other bytes: the folder holds another log, or this log was rewritten. Keep the folder, and verify it and \
         an export into a new folder with `verbale-audit verify`", .0.display()
    )]
    Differs(PathBuf),
    /// The folder belongs to another log.
    #[error("{} holds an export of the log {there}, and this one is {given}: give a folder of its own", path.display())]
    OtherLog {
        /// The folder.
        path: PathBuf,
        /// Whose export is there.
        there: String,
        /// What was to be exported.
        given: String,
    },
    /// Another process is at it.
    #[error("another export is written into {} at this moment: wait for it, or give another folder", .0.display())]
    Locked(PathBuf),
    /// What the node gave is no log.
    #[error("entry {index} is no log entry: {source}")]
    Entry {
        /// Its place.
        index: u64,
        /// Why not.
        source: EntryError,
    },
    /// What the node gave is not what its checkpoint says.
    #[error("the node's entries are not those of its checkpoint; run `verbale status` there")]
    OtherHead,
    /// More was asked to be left out than there is.
    #[error("the log has {size} entries: nothing can be exported since {since}")]
    Since {
        /// What was asked.
        since: u64,
        /// What there is.
        size: u64,
    },
}

/// A folder into which a log can be exported, and nobody else exports meanwhile.
pub struct ExportReady {
    dir: PathBuf,
    since: u64,
    origin: String,
    decision_lines: Temporary,
    /// Of the folder itself, which gets no file more by it.
    lock: fs::File,
}

/// A folder into which a log is exported.
pub struct ExportWriter {
    dir: PathBuf,
    /// Files of a log of this size are somewhere else already.
    elsewhere: HashSet<String>,
    since: u64,
    checkpoint: String,
    tree: Tree,
    bundle: Vec<Vec<u8>>,
    decisions: Decisions,
    decision_lines: Option<Temporary>,
    cards: KnownCards,
    cosigned: Vec<String>,
    /// What stands beside the log: written last, when nothing there contradicts.
    beside: Vec<(String, Vec<u8>)>,
    _lock: fs::File,
}

impl ExportReady {
    /// Makes a folder ready for an export of a log that grows by one entry, its own: before that tells of an export which is none. Tiles and
    /// receipts of the log's first `since` entries are left out: the auditor has them already.
    ///
    /// # Errors
    /// [`ExportError::Io`], [`ExportError::OtherLog`], [`ExportError::Since`], [`ExportError::Locked`].
    pub fn new(dir: &Path, since: u64, checkpoint: &str) -> Result<Self, ExportError> {
        let head = head(checkpoint).ok_or(ExportError::OtherHead)?;
        if since > head.size.0 + 1 {
            return Err(ExportError::Since { since, size: head.size.0 });
        }
        fs::create_dir_all(dir).map_err(failed("create", dir))?;
        let lock = fs::File::open(dir).map_err(failed("open", dir))?;
        // Where a file system has no locks, it is as it was without.
        if let Err(fs::TryLockError::WouldBlock) = lock.try_lock() {
            return Err(ExportError::Locked(dir.to_owned()));
        }
        let there = head_in(dir).filter(|there| there.origin != head.origin);
        if let Some(there) = there {
            return Err(ExportError::OtherLog { path: dir.to_owned(), there: there.origin, given: head.origin });
        }
        let decision_lines = Temporary::create(&dir.join(DECISIONS))?;
        Ok(Self { dir: dir.to_owned(), since, origin: head.origin, decision_lines, lock })
    }

    /// Begins the export, under a signed checkpoint.
    ///
    /// # Errors
    /// [`ExportError::OtherHead`], [`ExportError::Since`].
    pub fn begin(self, checkpoint: &str) -> Result<ExportWriter, ExportError> {
        let head = head(checkpoint).filter(|head| head.origin == self.origin).ok_or(ExportError::OtherHead)?;
        if self.since > head.size.0 {
            return Err(ExportError::Since { since: self.since, size: head.size.0 });
        }
        Ok(ExportWriter {
            dir: self.dir,
            elsewhere: names_of(LogSize(self.since)).collect(),
            since: self.since,
            checkpoint: checkpoint.to_owned(),
            tree: Tree::default(),
            bundle: Vec::new(),
            decisions: Decisions::default(),
            decision_lines: Some(self.decision_lines),
            cards: KnownCards::default(),
            cosigned: Vec::new(),
            beside: Vec::new(),
            _lock: self.lock,
        })
    }
}

impl ExportWriter {
    /// Takes a memorandum's file.
    pub fn memorandum(&mut self, id: &str, text: &str) {
        self.beside.push((format!("{MEMORANDA}/{id}.toml"), text.as_bytes().to_vec()));
    }

    /// Takes an own head that a counterpart cosigned.
    pub fn cosigned(&mut self, by: &str, note: &str) {
        self.cosigned.push(note.to_owned());
        self.beside.push((format!("{COSIGNED}/{by}.checkpoint"), note.as_bytes().to_vec()));
    }

    /// Takes a counterpart's head that this contact point cosigned.
    pub fn counterpart(&mut self, id: &str, note: &str) {
        self.beside.push((format!("{COUNTERPARTS}/{id}.checkpoint"), note.as_bytes().to_vec()));
    }

    /// Takes the proof that a log shows two histories.
    pub fn equivocation(&mut self, name: &str, text: &str) {
        self.beside.push((format!("{PROOFS}/{name}.equivocation"), text.as_bytes().to_vec()));
    }

    /// Takes a time stamp: of which log, 0 being the one that is exported, and which size, the signed head that was stamped, and the authority's
    /// answer.
    pub fn stamp(&mut self, of: (u64, u64), checkpoint: &str, answer: Vec<u8>) {
        let path = stamp_path(of);
        self.beside.push((format!("{path}.checkpoint"), checkpoint.as_bytes().to_vec()));
        self.beside.push((format!("{path}.tsr"), answer));
    }

    /// Takes the next entry, and the receipt that stands beside it: the counterpart's entry and its proof.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn entry(&mut self, entry: Vec<u8>, receipt: Option<(&[u8], &str)>) -> Result<(), ExportError> {
        let index = self.tree.size().0;
        let told = read_entry(&entry).map_err(|source| ExportError::Entry { index, source })?;
        let (time_ms, event) = (told.time_ms, told.event);
        self.cards.told(index, &event);
        let line = self.decisions.line(index, (time_ms, &event), None);
        if let (Some(line), Some(lines)) = (line, &mut self.decision_lines) {
            lines.write(line.as_bytes())?;
        }
        if let Some((entry, proof)) = receipt.filter(|_| index >= self.since) {
            // A proof that is none stands in the folder as it is: verification says so.
            let text = with_extra(proof, entry).unwrap_or_else(|| proof.to_owned());
            self.keep(&receipt_path(index), text.as_bytes())?;
        }
        self.tree.append(leaf_hash(&entry));
        self.bundle.push(entry);
        if self.bundle.len() as u64 == TILE_WIDTH {
            self.flush()?;
        }
        Ok(())
    }

    /// Ends the export: its checkpoint covers exactly the entries taken. Its log's key vouches for it, not this function.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn finish(mut self) -> Result<LogSize, ExportError> {
        let size = self.tree.size();
        if head(&self.checkpoint).is_none_or(|head| head.size != size || head.root != self.tree.root()) {
            return Err(ExportError::OtherHead);
        }
        if !self.bundle.is_empty() {
            self.flush()?;
        }
        for level in Tile::levels(size) {
            for tile in Tile::of_level(level, size).filter(|tile| !self.elsewhere.contains(&tile.path())) {
                self.keep(&tile.path(), &tile.bytes(&self.tree).unwrap_or_default())?;
            }
        }
        for (name, text) in self.cards.files() {
            self.replace(&name, text.as_bytes())?;
        }
        for (name, text) in &self.beside {
            self.replace(name, text)?;
        }
        if let Some(lines) = self.decision_lines.take() {
            lines.take_its_place()?;
        }
        let join = |note: String, cosigned: &String| Note::joined(&note, cosigned).unwrap_or(note);
        let checkpoint = self.cosigned.iter().fold(self.checkpoint.clone(), join);
        match self.since {
            0 => self.remove(SINCE)?,
            since => self.replace(SINCE, format!("{since}\n").as_bytes())?,
        }
        // Last: a folder with this checkpoint is whole.
        self.replace(CHECKPOINT, checkpoint.as_bytes())?;
        for tile in tiles_of(size) {
            self.clear_shorter(&tile, Tile::path)?;
            if tile.level == 0 {
                self.clear_shorter(&tile, Tile::entries_path)?;
            }
        }
        Ok(size)
    }

    /// Removes what stands for a beginning of a tile, of an export of when the log was shorter, whether that was ended or cut off.
    fn clear_shorter(&self, tile: &Tile, path: impl Fn(&Tile) -> String) -> Result<(), ExportError> {
        let partial = format!("{}.p", path(&Tile { width: TILE_WIDTH, ..*tile }));
        let folder = self.dir.join(&partial);
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            read => read.map_err(failed("read", &folder))?,
        };
        for entry in entries {
            let name = entry.map_err(failed("read", &folder))?.file_name();
            let Some(width) = name.to_str().and_then(|name| name.parse::<u64>().ok()) else { continue };
            if width < tile.width {
                self.remove(&format!("{partial}/{width}"))?;
            }
        }
        Ok(())
    }

    /// Writes the entries gathered.
    fn flush(&mut self) -> Result<(), ExportError> {
        let width = self.bundle.len() as u64;
        let number = (self.tree.size().0 - width) / TILE_WIDTH;
        let name = Tile { level: 0, number, width }.entries_path();
        // An entry of the log is never longer than a bundle can say: it was decoded.
        let bundle = encode_bundle(self.bundle.iter().map(Vec::as_slice)).unwrap_or_default();
        self.bundle.clear();
        if self.elsewhere.contains(&name) { Ok(()) } else { self.keep(&name, &bundle) }
    }

    /// Writes a file that never changes; one that is there already must be the same.
    fn keep(&self, name: &str, bytes: &[u8]) -> Result<(), ExportError> {
        let path = self.dir.join(name);
        match fs::read(&path) {
            Ok(there) if there == bytes => Ok(()),
            Ok(_) => Err(ExportError::Differs(path)),
            Err(error) if error.kind() == ErrorKind::NotFound => self.replace(name, bytes),
            Err(source) => Err(ExportError::Io { action: "read", path, source }),
        }
    }

    /// Writes a file whole, or not at all.
    fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), ExportError> {
        let mut file = Temporary::create(&self.dir.join(name))?;
        file.write(bytes)?;
        file.take_its_place()
    }

    fn remove(&self, name: &str) -> Result<(), ExportError> {
        let path = self.dir.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(failed("remove", &path)(error)),
            _ => {
                // The folder of partial tiles, once it is empty.
                let _ = path.parent().map(fs::remove_dir);
                Ok(())
            }
        }
    }
}

/// The head of the export that is in a folder.
fn head_in(dir: &Path) -> Option<Checkpoint> {
    head(&fs::read_to_string(dir.join(CHECKPOINT)).ok()?)
}

fn head(note: &str) -> Option<Checkpoint> {
    Checkpoint::parse(Note::parse(note).ok()?.text).ok()
}

/// The tiles of a log of this size.
fn tiles_of(size: LogSize) -> impl Iterator<Item = Tile> {
    Tile::levels(size).flat_map(move |level| Tile::of_level(level, size))
}

/// The names of all tiles and bundles of a log.
fn names_of(size: LogSize) -> impl Iterator<Item = String> {
    tiles_of(size).flat_map(|tile| [Some(tile.path()), (tile.level == 0).then(|| tile.entries_path())]).flatten()
}

/// A file that takes its place when it is whole.
struct Temporary {
    path: PathBuf,
    while_written: PathBuf,
    file: io::BufWriter<fs::File>,
    placed: bool,
}

impl Temporary {
    fn create(path: &Path) -> Result<Self, ExportError> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed("create", folder))?;
        }
        let while_written = path.with_added_extension("part");
        let file = fs::File::create(&while_written).map_err(failed("create", &while_written))?;
        Ok(Self { path: path.to_owned(), while_written, file: io::BufWriter::new(file), placed: false })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), ExportError> {
        self.file.write_all(bytes).map_err(failed("write", &self.while_written))
    }

    fn take_its_place(mut self) -> Result<(), ExportError> {
        self.file.flush().map_err(failed("write", &self.while_written))?;
        fs::rename(&self.while_written, &self.path).map_err(failed("write", &self.path))?;
        self.placed = true;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.placed {
            let _ = fs::remove_file(&self.while_written);
        }
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ExportError {
    let path = path.to_owned();
    move |source| ExportError::Io { action, path, source }
}
