//! Reading an exported log. What is read proves nothing yet.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use verbale_domain::Memoranda;
use verbale_evidence::{Card, UnverifiedCard, parse_card_text};
use verbale_ledger::{LogIndex, Tile};

use super::{CHECKPOINT, KEYS, MEMORANDA, RECEIPTS, SINCE, STAMPS, receipt_index, receipt_path, stamp_path};
use crate::files;

/// Something that a check needs is not there, or cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Missing {
    /// A file.
    #[error("{} cannot be read: {source}. {hint}", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
        /// What to do.
        hint: &'static str,
    },
    /// A file that says nothing.
    #[error("{} cannot be used: {text}", path.display())]
    Unusable {
        /// Its path.
        path: PathBuf,
        /// Why not.
        text: String,
    },
}

impl Missing {
    /// A file that a check makes for itself.
    pub(crate) fn temporary(source: std::io::Error) -> Self {
        Self::File { path: std::env::temp_dir(), source, hint: "A log is checked with the help of files there" }
    }
}

const NOT_WHOLE: &str =
    "Export again into the same folder; of an export made with --since, copy it over the one before";

/// An exported log.
#[derive(Clone, Debug)]
pub struct ExportFolder(PathBuf);

impl ExportFolder {
    /// The folder, whether it is there or not.
    pub fn new(dir: &Path) -> Self {
        Self(dir.to_owned())
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.0
    }

    fn bytes(&self, name: &str, most: u64) -> Result<Vec<u8>, Missing> {
        let path = self.0.join(name);
        files::bytes(&path, most).map_err(|source| unread(path, source))
    }

    fn text(&self, name: &str) -> Result<String, Missing> {
        let path = self.0.join(name);
        files::text(&path, files::TEXT_MAX).map_err(|source| unread(path, source))
    }

    /// The signed checkpoint.
    pub(crate) fn checkpoint(&self) -> Result<String, Missing> {
        self.text(CHECKPOINT)
    }

    /// A file as it is, where it is there.
    pub(crate) fn file(&self, name: &str) -> Result<Option<Vec<u8>>, Missing> {
        match self.bytes(name, files::FILE_MAX) {
            Err(Missing::File { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(None),
            other => other.map(Some),
        }
    }

    /// The hashes of a tile.
    pub(crate) fn tile(&self, tile: Tile) -> Result<Vec<u8>, Missing> {
        self.bytes(&tile.path(), files::FILE_MAX)
    }

    /// The entries under a tile, as a bundle.
    pub(crate) fn bundle(&self, tile: Tile) -> Result<Vec<u8>, Missing> {
        self.bytes(&tile.entries_path(), files::FILE_MAX)
    }

    /// The SHA-256 of a file of any size, where it is there.
    pub(crate) fn digest(&self, name: &str) -> Result<Option<[u8; 32]>, Missing> {
        let (path, mut hasher) = (self.0.join(name), Sha256::new());
        match files::each_piece(&path, |piece| hasher.update(piece)) {
            Ok(()) => Ok(Some(hasher.finalize().into())),
            Err(source) if source.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Missing::File { path, source, hint: NOT_WHOLE }),
        }
    }

    /// The receipt beside an entry; `None` when there is no such file. Of an export that was made with `--since` it is somewhere else. For whoever
    /// has looked at [`Self::receipts`].
    pub(crate) fn receipt(&self, index: LogIndex, since: u64) -> Result<Option<String>, Missing> {
        let path = self.0.join(receipt_path(index.0));
        match files::text_of_seen(&path, files::TEXT_MAX).map_err(|source| unread(path, source)) {
            Err(Missing::File { source, .. }) if source.kind() == ErrorKind::NotFound && index.0 >= since => Ok(None),
            other => other.map(Some),
        }
    }

    /// How many of the first entries were left out, of an export that was made with `--since`; 0: none.
    pub(crate) fn since(&self) -> Result<u64, Missing> {
        let Some(text) = self.file(SINCE)? else { return Ok(0) };
        let size = std::str::from_utf8(&text).ok().and_then(|text| text.trim_end().parse().ok());
        size.ok_or_else(|| Missing::Unusable {
            path: self.0.join(SINCE),
            text: "it is no number of entries".to_owned(),
        })
    }

    /// How many receipts stand beside the first entries of a log. Only files and folders may stand among them.
    pub(crate) fn receipts(&self, size: u64) -> Result<u64, Missing> {
        let (mut count, mut folders) = (0, vec![RECEIPTS.to_owned()]);
        while let Some(folder) = folders.pop() {
            let path = self.0.join(&folder);
            let missing = |source| Missing::File { path: path.clone(), source, hint: NOT_WHOLE };
            let entries = match std::fs::read_dir(&path) {
                Err(source) if source.kind() == ErrorKind::NotFound => continue,
                other => other.map_err(missing)?,
            };
            for entry in entries {
                let entry = entry.map_err(missing)?;
                let Some(name) = entry.file_name().to_str().map(|name| format!("{folder}/{name}")) else { continue };
                let kind = entry.file_type().map_err(missing)?;
                if kind.is_dir() {
                    folders.push(name);
                    continue;
                }
                // Nor is a link: it may lead to what is never read to its end, or round in a circle.
                if !kind.is_file() {
                    return Err(Missing::File { path: entry.path(), source: files::no_file(), hint: NOT_WHOLE });
                }
                count += u64::from(receipt_index(&name).is_some_and(|index| index < size));
            }
        }
        Ok(count)
    }

    /// Every card in the folder. A card that cannot be read is none: whoever needs it says so.
    pub(crate) fn cards(&self) -> Result<Vec<Card>, Missing> {
        Ok(self.texts(KEYS, ".card")?.iter().filter_map(|(_, text)| card(text)).collect())
    }

    /// The memorandum files, and those that are none: name, and why not.
    pub(crate) fn memoranda(&self) -> Result<(Memoranda, Vec<(String, String)>), Missing> {
        let files = self.texts(MEMORANDA, ".toml")?;
        let (mut sound, mut unread) = (Vec::new(), Vec::new());
        for (name, text) in &files {
            match Memoranda::parse([(name.as_str(), text.as_str())]) {
                Ok(_) => sound.push((name.as_str(), text.as_str())),
                Err(error) => unread.push((format!("{MEMORANDA}/{name}.toml"), error.to_string())),
            }
        }
        let read = Memoranda::parse(sound);
        let read = read.map_err(|error| Missing::Unusable { path: self.0.join(MEMORANDA), text: error.to_string() })?;
        Ok((read, unread))
    }

    /// Texts in a folder of the export: name without its ending, and text; none when there is no such folder.
    pub(crate) fn texts(&self, folder: &str, ending: &str) -> Result<Vec<(String, String)>, Missing> {
        let names = match self.names(folder) {
            Err(Missing::File { source, .. }) if source.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let with_ids = names.into_iter().filter_map(|name| Some((name.strip_suffix(ending)?.to_owned(), name)));
        let (mut texts, mut bytes) = (Vec::new(), 0);
        for (id, name) in with_ids {
            let text = self.text(&format!("{folder}/{name}"))?;
            bytes += text.len();
            if bytes > files::TEXTS_MAX {
                let text = format!(
                    "its files are larger than {} MiB together, as none are that belong here",
                    files::TEXTS_MAX >> 20
                );
                return Err(Missing::Unusable { path: self.0.join(folder), text });
            }
            texts.push((id, text));
        }
        Ok(texts)
    }

    /// The heads that a time stamping authority answered about: number of the log, 0 being this one, and size, in their order.
    pub(crate) fn stamped(&self) -> Result<Vec<(u64, u64)>, Missing> {
        let names = match self.names(STAMPS) {
            Err(Missing::File { source, .. }) if source.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let numbers = |name: String| {
            let name = name.strip_suffix(".tsr")?;
            let (log, size) = name.strip_prefix("closed-").and_then(|of| of.split_once('-')).unwrap_or(("0", name));
            let of = (log.parse().ok()?, size.parse().ok()?);
            (stamp_path(of) == format!("{STAMPS}/{name}")).then_some(of)
        };
        let mut stamped: Vec<_> = names.into_iter().filter_map(numbers).collect();
        stamped.sort_unstable();
        Ok(stamped)
    }

    /// A stamped head, and the authority's answer.
    pub(crate) fn stamp(&self, of: (u64, u64)) -> Result<(String, Vec<u8>), Missing> {
        let path = stamp_path(of);
        Ok((self.text(&format!("{path}.checkpoint"))?, self.bytes(&format!("{path}.tsr"), files::TEXT_MAX)?))
    }

    /// Names of files in the folder of keys.
    pub(crate) fn key_files(&self) -> Result<Vec<String>, Missing> {
        Ok(self.names(KEYS)?.into_iter().map(|name| format!("{KEYS}/{name}")).collect())
    }

    fn names(&self, folder: &str) -> Result<Vec<String>, Missing> {
        let path = self.0.join(folder);
        let missing = |source| Missing::File { path: path.clone(), source, hint: NOT_WHOLE };
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&path).map_err(missing)? {
            names.extend(entry.map_err(missing)?.file_name().to_str().map(str::to_owned));
        }
        names.sort();
        Ok(names)
    }
}

fn card(text: &str) -> Option<Card> {
    let unverified = UnverifiedCard::parse(&parse_card_text(text).ok()?).ok()?;
    let fingerprint = unverified.claimed_fingerprint().ok()?;
    unverified.verify(&fingerprint).ok()
}

/// A file that cannot be read is missing; one that is there and is no text where one belongs is not what it must be.
fn unread(path: PathBuf, source: std::io::Error) -> Missing {
    if source.kind() == ErrorKind::InvalidData {
        Missing::Unusable { path, text: source.to_string() }
    } else {
        Missing::File { path, source, hint: NOT_WHOLE }
    }
}
