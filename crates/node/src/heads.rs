//! Signed heads, kept apart from the journal: the node's own, and those of its counterparts.
//!
//! A journal that is put back from an old copy looks whole. What was said to others meanwhile is known here, and by them.
//!
//! # Layout
//! `head.0` and `head.1`: the latest released head of the own log, in turn, so that a torn write leaves the one before.
//! `counterparts/<ID>.checkpoint`: the head of a counterpart's log that was cosigned last. `cosigned/<ID>.checkpoint`: the own head that a
//! counterpart cosigned last. `told/<ID>.checkpoint`: one that it told, and that the own log does not
//! lead to; `told/<ID>.statement` and `.card`: an own statement and card that it showed and that are lacking here. `stamps/<N>-<SIZE>.checkpoint` and `.tsr`: heads of log `<N>` of this contact point that an authority stamped, and its
//! answers. `proofs/`: two heads of one size with two roots, each of which its log signed.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _};
use std::path::{Path, PathBuf};

use verbale_keys::Vkey;
use verbale_ledger::{Checkpoint, LogSize, Note, equivocation_text};

/// A head is written into a block of its own: a note is far shorter.
const BLOCK_BYTES: usize = 4096;

/// Proofs against one counterpart that are kept.
const PROOFS_MAX: usize = 16;

/// The folder of heads could not be used.
#[derive(Debug, thiserror::Error)]
pub enum HeadsError {
    /// The disk.
    #[error("cannot {action} {}; it holds the heads that were told to others, apart from the journal ([heads] in verbale.toml)", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Another node's.
    #[error("{} is not empty: it holds the heads of another node; give an empty folder", .0.display())]
    NotEmpty(PathBuf),
}

/// The node's own head, as it was last released. Only the core writes it.
pub(crate) struct Guard {
    files: [File; 2],
    turn: usize,
    unsynced: bool,
    path: PathBuf,
}

impl Guard {
    /// Opens the guard, and gives the latest head in it.
    pub(crate) fn open(dir: &Path, log: &Vkey) -> Result<(Self, Option<(Checkpoint, String)>), HeadsError> {
        make(dir)?;
        let (mut files, mut released, mut turn) = (Vec::new(), None::<(Checkpoint, String)>, 0);
        for name in ["head.0", "head.1"] {
            let path = dir.join(name);
            let mut options = OpenOptions::new();
            let file = options.read(true).write(true).create(true).truncate(false).open(&path);
            let file = file.map_err(failed("open", &path))?;
            let text = fs::read(&path).map_err(failed("read", &path))?;
            let head = read_block(&text).and_then(|note| Some((Checkpoint::verify(note, log).ok()?, note.to_owned())));
            if let Some(head) = head
                && released.as_ref().is_none_or(|(released, _)| released.size < head.0.size)
            {
                // The other one is written next.
                turn = 1 - files.len();
                released = Some(head);
            }
            files.push(file);
        }
        let files = files.try_into().map_err(|_| failed("open", dir)(io::Error::other("two files are needed")))?;
        Ok((Self { files, turn, unsynced: false, path: dir.to_owned() }, released))
    }

    /// Keeps a head that is released now. A crash of the process does not lose it; a power cut may, until [`Self::sync`]: the guard
    /// is then older than the journal, which is no contradiction.
    pub(crate) fn release(&mut self, note: &str) -> Result<(), HeadsError> {
        let mut block = vec![0; BLOCK_BYTES];
        if let (Some(place), Ok(length)) = (block.get_mut(2..2 + note.len()), u16::try_from(note.len())) {
            place.copy_from_slice(note.as_bytes());
            block.splice(..2, length.to_be_bytes());
        }
        if let Some(file) = self.files.get(self.turn) {
            file.write_all_at(&block, 0).map_err(failed("write", &self.path))?;
        }
        self.turn = 1 - self.turn;
        self.unsynced = true;
        Ok(())
    }

    /// Makes what was kept survive a power cut.
    pub(crate) fn sync(&mut self) -> Result<(), HeadsError> {
        if std::mem::take(&mut self.unsynced) {
            for file in &self.files {
                file.sync_data().map_err(failed("sync", &self.path))?;
            }
        }
        Ok(())
    }
}

/// The folder of a node that begins: there must be none of another.
pub(crate) fn begin(dir: &Path) -> Result<(), HeadsError> {
    if fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(HeadsError::NotEmpty(dir.to_owned()));
    }
    make(dir)
}

/// Heads that counterparts and this node hold of each other.
pub(crate) struct HeadsFolder(PathBuf);

impl HeadsFolder {
    pub(crate) fn new(dir: &Path) -> Self {
        Self(dir.to_owned())
    }

    /// The head of a counterpart's log that was cosigned last.
    pub(crate) fn of_counterpart(&self, id: &str) -> Result<Option<String>, HeadsError> {
        read(&self.counterpart(id))
    }

    /// Keeps the head of a counterpart's log.
    ///
    /// # Durability
    /// On return it is on disk: only then may it be cosigned.
    pub(crate) fn keep_of_counterpart(&self, id: &str, note: &str) -> Result<(), HeadsError> {
        let path = self.counterpart(id);
        let origin = |note: &str| note.lines().next().unwrap_or_default().to_owned();
        if let Some(before) = read(&path)?.filter(|before| origin(before) != origin(note)) {
            // The last head of a log that another one took the place of convicts whoever continues it all the same.
            let number = origin(&before).rsplit('/').next().unwrap_or_default().to_owned();
            write(&path.with_extension(format!("closed-{number}")), before.as_bytes())?;
        }
        write(&path, note.as_bytes())
    }

    /// The last heads of a counterpart's logs of which another one took the place: name and text of each.
    pub(crate) fn closed_of_counterpart(&self, id: &str) -> Result<Vec<(String, String)>, HeadsError> {
        let mut closed = Vec::new();
        for path in names(&self.0.join("counterparts"))? {
            let name = path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
            if let Some(name) =
                name.filter(|name| name.strip_prefix(id).is_some_and(|rest| rest.starts_with(".closed-")))
            {
                closed.extend(read(&path)?.map(|text| (name, text)));
            }
        }
        closed.sort();
        Ok(closed)
    }

    /// The own head that a counterpart cosigned last, with its signature.
    pub(crate) fn cosigned_by(&self, id: &str) -> Result<Option<String>, HeadsError> {
        read(&self.cosigned(id))
    }

    /// Every own head that is known to be with others: those that they cosigned, and those that they told.
    pub(crate) fn all_known(&self) -> Result<Vec<String>, HeadsError> {
        let mut paths = [names(&self.0.join("cosigned"))?, names(&self.0.join("told"))?].concat();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "checkpoint"));
        paths.sort();
        Ok(paths.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    /// Keeps an own head that a counterpart told, and that the own log does not lead to; of several of one log the longest.
    ///
    /// # Durability
    /// On return it is on disk: whoever closes the log quotes it.
    pub(crate) fn keep_told_by(&self, id: &str, note: &str) -> Result<(), HeadsError> {
        let path = self.told_path(id, "checkpoint");
        let told = |note: &str| Checkpoint::parse(Note::parse(note).ok()?.text).ok();
        if let (Some(kept), Some(new)) = (read(&path)?.and_then(|kept| told(&kept)), told(note))
            && kept.origin == new.origin
            && kept.size > new.size
        {
            return Ok(());
        }
        write(&path, note.as_bytes())
    }

    /// Where that stands which a counterpart told, by its kind.
    pub(crate) fn told_path(&self, id: &str, kind: &str) -> PathBuf {
        self.0.join("told").join(format!("{id}.{kind}"))
    }

    /// Keeps what a counterpart told of the own log, besides heads: the last of each kind.
    ///
    /// # Durability
    /// On return it is on disk.
    pub(crate) fn keep_told(&self, id: &str, kind: &str, bytes: &[u8]) -> Result<(), HeadsError> {
        write(&self.told_path(id, kind), bytes)
    }

    /// What counterparts told, of one kind: who, and what.
    pub(crate) fn told(&self, kind: &str) -> Result<Vec<(String, Vec<u8>)>, HeadsError> {
        let mut told = Vec::new();
        for path in names(&self.0.join("told"))? {
            let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(kind));
            if let Some(id) = name.and_then(|name| name.strip_suffix('.')) {
                told.push((id.to_owned(), fs::read(&path).map_err(failed("read", &path))?));
            }
        }
        told.sort();
        Ok(told)
    }

    /// Keeps an own head with a counterpart's signature.
    pub(crate) fn keep_cosigned_by(&self, id: &str, note: &str) -> Result<(), HeadsError> {
        write(&self.cosigned(id), note.as_bytes())
    }

    /// Keeps the proof that a log shows two histories.
    pub(crate) fn keep_proof(&self, id: &str, size: LogSize, notes: (&str, &str)) -> Result<(), HeadsError> {
        let path = self.0.join("proofs").join(format!("{id}-{}.equivocation", size.0));
        let of_id =
            |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&format!("{id}-")));
        let kept = names(&self.0.join("proofs"))?.into_iter().filter(of_id).count();
        // One convicts; others of the same size, or of every size, add nothing.
        if path.exists() || kept >= PROOFS_MAX {
            Ok(())
        } else {
            write(&path, equivocation_text(notes.0, notes.1).as_bytes())
        }
    }

    /// The proofs that are kept: file and text.
    pub(crate) fn proofs(&self) -> Result<Vec<(PathBuf, String)>, HeadsError> {
        let mut paths = names(&self.0.join("proofs"))?;
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "equivocation"));
        paths.sort();
        paths.into_iter().map(|path| Ok((path.clone(), read(&path)?.unwrap_or_default()))).collect()
    }

    /// Keeps an own head and the authority's answer about it: the answer last, so that it never stands without what it is about.
    pub(crate) fn keep_stamp(&self, log: u64, size: u64, (note, answer): (&str, &[u8])) -> Result<(), HeadsError> {
        let path = self.stamped_path(log, size);
        write(&path, note.as_bytes())?;
        write(&path.with_extension("tsr"), answer)
    }

    /// The heads of own logs that were stamped: which log, and their sizes, in their order.
    pub(crate) fn stamped(&self) -> Result<Vec<(u64, u64)>, HeadsError> {
        let numbers = |name: &str| {
            let (log, size) = name.strip_suffix(".tsr")?.split_once('-')?;
            Some((log.parse().ok()?, size.parse().ok()?))
        };
        let paths = names(&self.0.join("stamps"))?;
        let mut stamped: Vec<_> = paths.iter().filter_map(|path| numbers(path.file_name()?.to_str()?)).collect();
        stamped.sort_unstable();
        Ok(stamped)
    }

    /// A stamped head and the authority's answer.
    pub(crate) fn stamp(&self, log: u64, size: u64) -> Result<(String, Vec<u8>), HeadsError> {
        let note = self.stamped_path(log, size);
        let path = note.with_extension("tsr");
        let answer = fs::read(&path).map_err(failed("read", &path))?;
        Ok((read(&note)?.unwrap_or_default(), answer))
    }

    fn stamped_path(&self, log: u64, size: u64) -> PathBuf {
        self.0.join("stamps").join(format!("{log}-{size}.checkpoint"))
    }

    fn counterpart(&self, id: &str) -> PathBuf {
        self.0.join("counterparts").join(format!("{id}.checkpoint"))
    }

    fn cosigned(&self, id: &str) -> PathBuf {
        self.0.join("cosigned").join(format!("{id}.checkpoint"))
    }
}

fn read_block(block: &[u8]) -> Option<&str> {
    let (length, rest) = block.split_first_chunk::<2>()?;
    std::str::from_utf8(rest.get(..usize::from(u16::from_be_bytes(*length)))?).ok()
}

/// The files of a folder; none, when there is no such folder.
fn names(dir: &Path) -> Result<Vec<PathBuf>, HeadsError> {
    match fs::read_dir(dir) {
        Ok(entries) => Ok(entries.flatten().map(|entry| entry.path()).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(failed("list", dir)(error)),
    }
}

fn read(path: &Path) -> Result<Option<String>, HeadsError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path)(error)),
    }
}

/// Write, sync, rename, sync the folder.
fn write(path: &Path, bytes: &[u8]) -> Result<(), HeadsError> {
    let folder = path.parent().unwrap_or(path);
    make(folder)?;
    let new = path.with_added_extension("new");
    fs::write(&new, bytes).map_err(failed("write", &new))?;
    let synced = File::open(&new).and_then(|file| file.sync_all());
    synced.map_err(failed("sync", &new))?;
    fs::rename(&new, path).map_err(failed("write", path))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("sync", folder))
}

fn make(dir: &Path) -> Result<(), HeadsError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed("create", dir))
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> HeadsError {
    let path = path.to_owned();
    move |source| HeadsError::Io { action, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use verbale_keys::{NoteAlgorithm, SecretKey};

    #[test]
    fn a_torn_write_leaves_the_head_before() {
        let dir = tempfile::tempdir().unwrap();
        let key = SecretKey::from_seed([1; 32]);
        let log = Vkey { name: "log".into(), algorithm: NoteAlgorithm::Ed25519, key: key.public() };
        let head = |size| Checkpoint { origin: "log".into(), size: LogSize(size), root: [7; 32] };
        let released = || Guard::open(dir.path(), &log).unwrap().1.map(|(head, _)| head.size.0);
        assert_eq!(released(), None);
        for size in [5, 6, 9] {
            let (mut guard, _) = Guard::open(dir.path(), &log).unwrap();
            guard.release(&head(size).sign(&key)).unwrap();
            guard.sync().unwrap();
            assert_eq!(released(), Some(size));
        }
        let newest = ["head.0", "head.1"].map(|name| dir.path().join(name));
        let holds_nine = |path: &&PathBuf| String::from_utf8_lossy(&fs::read(path).unwrap()).contains("\n9\n");
        let newest = newest.iter().find(holds_nine).unwrap();
        OpenOptions::new().write(true).open(newest).unwrap().write_all_at(b"torn", 60).unwrap();
        assert_eq!(released(), Some(6));
    }

    #[test]
    fn what_was_stamped_is_found_by_log_and_size() {
        let dir = tempfile::tempdir().unwrap();
        let folder = HeadsFolder::new(dir.path());
        for (log, size) in [(2, 5), (1, 100), (1, 9), (10, 7)] {
            folder.keep_stamp(log, size, (&format!("{log} {size}"), b"answer")).unwrap();
        }
        // Its answer did not come before a crash.
        write(&folder.stamped_path(2, 6), b"2 6").unwrap();
        assert_eq!(folder.stamped().unwrap(), [(1, 9), (1, 100), (2, 5), (10, 7)]);
        assert_eq!(folder.stamp(1, 9).unwrap(), ("1 9".to_owned(), b"answer".to_vec()));
    }

    #[test]
    fn a_counterpart_that_forks_at_every_size_fills_no_folder() {
        let dir = tempfile::tempdir().unwrap();
        let folder = HeadsFolder::new(dir.path());
        for size in 0..PROOFS_MAX as u64 + 5 {
            folder.keep_proof("XX-ONE", LogSize(size), ("one\n", "other\n")).unwrap();
        }
        assert_eq!(folder.proofs().unwrap().len(), PROOFS_MAX);
        // Another one convicts itself beside it, also where its name begins alike.
        folder.keep_proof("XX-ONE-2", LogSize(1), ("one\n", "other\n")).unwrap();
        folder.keep_proof("XX-TWO", LogSize(1), ("one\n", "other\n")).unwrap();
        assert_eq!(folder.proofs().unwrap().len(), PROOFS_MAX + 2);
    }
}
