//! Makes the next card of a node, with another key in one role; or the card by which it takes all its keys back.
//!
//! The card key signs it; counterparts, which compared that key when they enrolled the first card, take the later one by themselves. A TLS
//! key and an age identity stay until no counterpart needs them (`earlier.rs`); a key that signs is destroyed at once, since what it signed
//! needs only its public part, which stands on the card before.
//!
//! # Durability
//! Everything is made in `DIR/rotate` and marked ready; only then it takes its place, file by file. Cut off before, nothing has changed; cut
//! off after, the same command goes on.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use verbale_envelope::Identity;
use verbale_evidence::{Card, CardError, card_text, sign_card};
use verbale_keys::{FileError, PublicKey, Role, SecretKey, write_public_text, write_secret_text};
use zeroize::Zeroizing;

use crate::clock::now_ms;
use crate::earlier::destroy;
use crate::folder::{CARD_VALIDITY_MS, Folder, LoadError};
use crate::held::{Held, HeldError};
use crate::placing::{self, Move, PlacingError, READY};
use crate::random;
use crate::recover;
use crate::secrets::{AGE_FILE, SecretError, TLS_FILE, role, spki};

/// The folder in which the next card and key are made.
const MAKING: &str = "rotate";

/// A key that can be rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotated {
    /// The key that counterparts, and own people on other machines, pin.
    Tls,
    /// The identity that opens what counterparts seal from then on.
    Age,
    /// The key that signs statements of notices, releases and accounts.
    Envelope,
    /// The key that cosigns counterparts' heads.
    Cosigner,
}

/// What the mark of a revocation says, in the place of a key file.
const REVOKED: &str = "revoked";

pub(crate) const ALL: [Rotated; 4] = [Rotated::Tls, Rotated::Age, Rotated::Envelope, Rotated::Cosigner];

/// A card that was not made.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// Configuration, card, memoranda.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The node runs.
    #[error("{} is in use by a running verbale; stop that one first", .0.display())]
    Running(PathBuf),
    /// What was begun makes a card too.
    #[error("a recovery was begun and not ended, which makes the next card; run first: verbale recover --confirm")]
    RecoveryUnfinished,
    /// Another card was begun.
    #[error("another card was begun and not ended; run first: {0}")]
    Unfinished(String),
    /// Counterparts would take a card of a folder that is not the newest, and the newest could not go on with its own.
    #[error(
        "no card was made, since this folder may be an older copy, whose card would make the newest one useless: {0}. `verbale recover` says what to \
         do; `verbale keys revoke` is possible all the same"
    )]
    NotTheLog(String),
    /// Its keys were taken back.
    #[error("the keys of this node were revoked; `verbale recover` makes new ones with the next log")]
    Revoked,
    /// The mark says nothing.
    #[error("{} is not what this program writes; call for help", .0.display())]
    Mark(PathBuf),
    /// The card key is used offline.
    #[error("the next card needs the card key: put card.pem back into {} for this command ({source})", keys.display())]
    CardKey {
        /// The folder of keys.
        keys: PathBuf,
        /// Why it cannot be used.
        source: SecretError,
    },
    /// The card.
    #[error("the next card could not be made: {0}")]
    Card(#[from] CardError),
    /// The log.
    #[error(transparent)]
    Held(#[from] HeldError),
    /// The new key.
    #[error("no key can be made: {0}")]
    Key(String),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// What was made could not be put in place.
    #[error(transparent)]
    Placing(#[from] PlacingError),
}

impl Rotated {
    pub(crate) fn file(self) -> &'static str {
        match self {
            Self::Tls => TLS_FILE,
            Self::Age => AGE_FILE,
            Self::Envelope => Role::Envelope.file_name(),
            Self::Cosigner => Role::Cosigner.file_name(),
        }
    }

    /// As people call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::Age => "age",
            Self::Envelope => "envelope",
            Self::Cosigner => "cosigner",
        }
    }

    /// Whether the key before is needed no more, once there is another.
    fn signs(self) -> bool {
        matches!(self, Self::Envelope | Self::Cosigner)
    }

    /// Puts a key that was made in its place; that of the card before stays beside it.
    pub(crate) fn take_place(self, folder: &Folder, making: &Path, before: u64) -> Result<(), PlacingError> {
        let (new, place) = (making.join(self.file()), folder.keys().join(self.file()));
        placing::put_in_place(&[Move { new, place, old: folder.keys().join(self.earlier(before)) }])
    }

    /// Destroys the key of the card before.
    pub(crate) fn destroy(self, folder: &Folder, before: u64) -> Result<(), PlacingError> {
        let old = folder.keys().join(self.earlier(before));
        if old.exists() { destroy(&old).map_err(placing::failed("destroy", &old)) } else { Ok(()) }
    }

    /// Where the key of an earlier card stays.
    fn earlier(self, serial: u64) -> String {
        let (stem, ending) = self.file().split_once('.').unwrap_or((self.file(), ""));
        format!("{stem}-{serial}.{ending}")
    }
}

/// The command that was begun and not ended, and must be run again.
pub(crate) fn unfinished(folder: &Folder) -> Result<Option<String>, RotateError> {
    Ok(begun(folder)?.map(|(which, _)| command(which)))
}

fn command(which: Option<Rotated>) -> String {
    which.map_or("verbale keys revoke".to_owned(), |which| format!("verbale keys rotate {}", which.name()))
}

/// What was begun and not ended, as its mark says: which key (`None`: a revocation), and the card's serial.
type Begun = (Option<Rotated>, u64);

fn begun(folder: &Folder) -> Result<Option<Begun>, RotateError> {
    let path = folder.dir().join(MAKING).join(READY);
    if !path.exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(&path).map_err(placing::failed("read", &path))?;
    let read = text.split_once(' ').and_then(|(file, serial)| {
        let which = ALL.into_iter().find(|which| which.file() == file);
        let is_known = which.is_some() || file == REVOKED;
        Some((which, serial.trim().parse().ok().filter(|_| is_known)?))
    });
    read.map(Some).ok_or(RotateError::Mark(path))
}

/// Makes the next card of a node that does not run; gives its serial.
///
/// # Errors
/// [`RotateError`].
pub fn rotate(folder: &Folder, which: Rotated) -> Result<u64, RotateError> {
    next_card(folder, Some(which))
}

/// Makes the card by which a node that does not run takes its keys back; gives its serial. Made again it is the same.
///
/// # Errors
/// [`RotateError`].
pub fn revoke(folder: &Folder) -> Result<u64, RotateError> {
    next_card(folder, None)
}

fn next_card(folder: &Folder, which: Option<Rotated>) -> Result<u64, RotateError> {
    let mut only = lock(folder)?;
    if which.is_some() && !recover::is_unfinished(folder) && begun(folder)?.is_none() {
        // Whoever opens the journal takes the same lock.
        drop(only);
        require_the_log(folder)?;
        only = lock(folder)?;
    }
    let _only = only;
    if recover::is_unfinished(folder) {
        return Err(RotateError::RecoveryUnfinished);
    }
    let making = folder.dir().join(MAKING);
    if let Some((begun, serial)) = begun(folder)? {
        // Keys are taken back whatever was begun.
        if begun != which && which.is_some() {
            return Err(RotateError::Unfinished(command(begun)));
        }
        take_place(folder, begun, serial)?;
        if begun == which {
            return Ok(serial);
        }
    }
    let loaded = folder.load()?;
    match (loaded.card.revoked, which) {
        (true, None) => return Ok(loaded.card.serial),
        (true, Some(_)) => return Err(RotateError::Revoked),
        (false, _) => {}
    }
    let card_key = role(&folder.keys(), Role::Card);
    let card_key = card_key.map_err(|source| RotateError::CardKey { keys: folder.keys(), source })?;
    if making.exists() {
        fs::remove_dir_all(&making).map_err(placing::failed("remove", &making))?;
    }
    fs::create_dir(&making).map_err(placing::failed("create", &making))?;
    let now = now_ms();
    let mut card = Card {
        serial: loaded.card.serial.saturating_add(1),
        valid_from_ms: now,
        valid_until_ms: now.saturating_add(CARD_VALIDITY_MS),
        revoked: which.is_none(),
        ..loaded.card
    };
    if let Some(which) = which {
        make_key(which, &making.join(which.file()), &mut card)?;
    }
    let bytes = sign_card(&card, &card_key)?;
    write_public_text(&making.join("card.txt"), &card_text(&bytes, &card))?;
    let what = which.map_or(REVOKED, Rotated::file);
    placing::mark(&making, &format!("{what} {}", card.serial))?;
    take_place(folder, which, card.serial)?;
    Ok(card.serial)
}

/// What counterparts would take stands in the log that they know.
fn require_the_log(folder: &Folder) -> Result<(), RotateError> {
    let held = match Held::open(folder, &folder.load()?, None) {
        Ok(held) => held,
        Err(error @ (HeldError::CardShown(_) | HeldError::LaterLog(_))) => {
            return Err(RotateError::NotTheLog(error.to_string()));
        }
        Err(error) => return Err(error.into()),
    };
    match held.trouble()? {
        Some(trouble) => Err(RotateError::NotTheLog(trouble)),
        None => Ok(held.journal.close().map_err(HeldError::from)?),
    }
}

/// Writes a new key of a role, and puts its public part on the card.
pub(crate) fn make_key(which: Rotated, file: &Path, card: &mut Card) -> Result<(), RotateError> {
    match which {
        Rotated::Tls => {
            let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256);
            let key = key.map_err(|error| RotateError::Key(error.to_string()))?;
            write_secret_text(file, &Zeroizing::new(key.serialize_pem()))?;
            card.tls_spki = spki(&key);
        }
        Rotated::Age => {
            let identity = Identity::generate();
            write_secret_text(file, &identity.to_text())?;
            let recipient = identity.recipient().map_err(|error| RotateError::Key(error.to_string()))?;
            card.age_recipient = recipient.to_string();
        }
        Rotated::Envelope => card.envelope_key = signing_key(file)?,
        Rotated::Cosigner => card.cosigner_key = signing_key(file)?,
    }
    Ok(())
}

/// Writes a new Ed25519 key, and gives its public part.
fn signing_key(file: &Path) -> Result<PublicKey, FileError> {
    let key = SecretKey::from_seed(random::bytes());
    write_secret_text(file, &key.to_pem())?;
    Ok(key.public())
}

/// Each step may have been done before. The key is placed before the card: a start in between is refused by the mark.
fn take_place(folder: &Folder, which: Option<Rotated>, serial: u64) -> Result<(), PlacingError> {
    let (making, before) = (folder.dir().join(MAKING), serial.saturating_sub(1));
    if let Some(which) = which {
        which.take_place(folder, &making, before)?;
    }
    let old = folder.dir().join(format!("card.{before}.txt"));
    placing::put_in_place(&[Move { new: making.join("card.txt"), place: folder.card(), old }])?;
    // Before the mark goes: cut off here, the same command ends it.
    if let Some(which) = which.filter(|which| which.signs()) {
        which.destroy(folder, before)?;
    }
    placing::end(&making)
}

/// The lock that a running node holds.
pub(crate) fn lock(folder: &Folder) -> Result<File, RotateError> {
    let path = folder.dir().join("lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(placing::failed("open", &path))?;
    file.try_lock().map_err(|_| RotateError::Running(folder.dir().to_owned()))?;
    Ok(file)
}
