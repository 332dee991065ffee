//! TLS keys of counterparts' earlier cards that count no more: a handshake with a later one was done. Kept over restarts, in `DIR/retired-tls`.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::client::key_fingerprint;
use crate::placing;

/// Their fingerprints.
pub(crate) struct Retired {
    path: PathBuf,
    known: Mutex<BTreeSet<String>>,
}

impl Retired {
    /// Reads what is kept in a node's folder.
    pub(crate) fn load(dir: &Path) -> io::Result<Self> {
        let path = dir.join("retired-tls");
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            read => read?,
        };
        Ok(Self { path, known: Mutex::new(text.lines().map(str::to_owned).collect()) })
    }

    pub(crate) fn contains(&self, spki: &[u8]) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        !known.is_empty() && known.contains(&key_fingerprint(spki).to_string())
    }

    /// Adds one, at once; that it is kept over a restart may fail, and is said.
    pub(crate) fn add(&self, spki: &[u8]) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.insert(key_fingerprint(spki).to_string()) {
            return;
        }
        let text = known.iter().fold(String::new(), |text, key| text + key + "\n");
        if let Err(error) = self.write(&text) {
            tracing::error!(%error, "a counterpart's earlier TLS key counts no more, and that could not be written: it counts again after a restart");
        }
    }

    fn write(&self, text: &str) -> io::Result<()> {
        let while_written = self.path.with_added_extension("part");
        let mut file = fs::File::create(&while_written)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&while_written, &self.path)?;
        placing::sync(self.path.parent().unwrap_or(&self.path)).map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_no_more_is_known_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let retired = Retired::load(dir.path()).unwrap();
        assert!(!retired.contains(b"one"));
        retired.add(b"one");
        retired.add(b"two");
        let again = Retired::load(dir.path()).unwrap();
        assert_eq!([&b"one"[..], b"two", b"three"].map(|key| again.contains(key)), [true, true, false]);
    }
}
