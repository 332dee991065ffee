//! Keys of earlier cards: kept while a counterpart may still need them, then destroyed.
//!
//! * An earlier TLS key is shown to whoever asks for it, until every enrolled counterpart was seen over the present one.
//! * An earlier age identity opens what is under way, until every enrolled counterpart says that nothing waits that is sealed to another key
//!   than that of the present card. What was opened before stays readable by the keyring.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rcgen::KeyPair;
use verbale_envelope::Identity;
use verbale_keys::Fingerprint;

use crate::secrets::{SecretError, load_age, load_tls};

/// A TLS key of an earlier card.
pub(crate) struct EarlierTls {
    path: PathBuf,
    pub(crate) key: KeyPair,
}

/// An age identity of an earlier card.
pub(crate) struct EarlierAge {
    path: PathBuf,
    fingerprint: Fingerprint,
    pub(crate) identity: Identity,
}

/// Keys of earlier cards, and which counterparts still need them.
#[derive(Default)]
pub(crate) struct Earlier {
    tls: RwLock<Vec<Arc<EarlierTls>>>,
    age: RwLock<Vec<Arc<EarlierAge>>>,
    /// Seen over the present TLS key.
    reached: Mutex<BTreeSet<String>>,
    /// With nothing under way that is sealed to an earlier key.
    settled: Mutex<BTreeSet<String>>,
}

impl Earlier {
    /// Reads what is kept in `DIR/keys`, the newest first.
    pub(crate) fn load(dir: &Path) -> Result<Self, SecretError> {
        let (mut tls, mut age) = (Vec::new(), Vec::new());
        for path in numbered(dir, "tls-", ".pem") {
            tls.push(Arc::new(EarlierTls { key: load_tls(&path)?, path }));
        }
        for path in numbered(dir, "age-", ".txt") {
            let (identity, fingerprint) = load_age(&path)?;
            age.push(Arc::new(EarlierAge { path, fingerprint, identity }));
        }
        Ok(Self { tls: RwLock::new(tls), age: RwLock::new(age), ..Self::default() })
    }

    /// TLS keys that counterparts may still pin.
    pub(crate) fn tls(&self) -> Vec<Arc<EarlierTls>> {
        self.tls.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Fingerprints of the identities that are kept.
    pub(crate) fn recipients(&self) -> Vec<Fingerprint> {
        let age = self.age.read().unwrap_or_else(PoisonError::into_inner);
        age.iter().map(|earlier| earlier.fingerprint).collect()
    }

    /// The identity of a recipient.
    pub(crate) fn identity(&self, fingerprint: &Fingerprint) -> Option<Arc<EarlierAge>> {
        let age = self.age.read().unwrap_or_else(PoisonError::into_inner);
        age.iter().find(|earlier| earlier.fingerprint == *fingerprint).cloned()
    }

    /// Files that are still needed, for status.
    pub(crate) fn files(&self) -> Vec<String> {
        let (tls, age) = (self.tls(), self.age.read().unwrap_or_else(PoisonError::into_inner).clone());
        let paths = tls.iter().map(|earlier| &earlier.path).chain(age.iter().map(|earlier| &earlier.path));
        paths.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect()
    }

    /// A counterpart answered over the present TLS key, of all that are enrolled.
    pub(crate) fn reached<'a>(&self, id: &str, all: impl Iterator<Item = &'a String>) {
        if mark(&self.reached, id, all) {
            self.tls.write().unwrap_or_else(PoisonError::into_inner).retain(|earlier| !is_gone(&earlier.path));
        }
    }

    /// Nothing of a counterpart that knows the present card is sealed to an earlier key.
    pub(crate) fn settled<'a>(&self, id: &str, all: impl Iterator<Item = &'a String>) {
        if mark(&self.settled, id, all) {
            self.age.write().unwrap_or_else(PoisonError::into_inner).retain(|earlier| !is_gone(&earlier.path));
        }
    }
}

/// Whether all are marked now.
fn mark<'a>(marked: &Mutex<BTreeSet<String>>, id: &str, mut all: impl Iterator<Item = &'a String>) -> bool {
    let mut marked = marked.lock().unwrap_or_else(PoisonError::into_inner);
    marked.insert(id.to_owned());
    all.all(|id| marked.contains(id))
}

/// Files of a name with the serial of the card that they belonged to, the newest first.
fn numbered(dir: &Path, before: &str, after: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut found: Vec<(u64, PathBuf)> = entries
        .filter_map(|entry| {
            let name = entry.file_name();
            let serial = name.to_str()?.strip_prefix(before)?.strip_suffix(after)?.parse().ok()?;
            Some((serial, entry.path()))
        })
        .collect();
    found.sort();
    found.into_iter().rev().map(|(_, path)| path).collect()
}

/// Destroys a key that nobody needs; what could not be destroyed stays listed, and is tried again.
fn is_gone(path: &Path) -> bool {
    let destroyed = destroy(path);
    match &destroyed {
        Ok(()) => {
            tracing::info!(file = %path.display(), "a key of an earlier card is needed no more and was destroyed");
        }
        Err(error) => {
            tracing::error!(file = %path.display(), %error, "a key of an earlier card is needed no more: remove it");
        }
    }
    destroyed.is_ok()
}

/// Overwrites and removes a file. A disk may keep what it moved elsewhere.
pub(crate) fn destroy(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    let length = usize::try_from(file.metadata()?.len()).unwrap_or_default();
    file.write_all(&vec![0; length])?;
    file.sync_all()?;
    fs::remove_file(path)?;
    path.parent().map_or(Ok(()), |dir| fs::File::open(dir)?.sync_all())
}
