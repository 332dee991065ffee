//! Closes a log that is not the one that others know, and begins the next.
//!
//! What is held of the log before is carried over, entry by entry, with everything that stands beside it. The first entry of the next log
//! quotes how far that goes and which signed heads others hold. A later card, signed by the card key, tells counterparts the new log key.
//!
//! # Durability
//! Everything is made in `DIR/recover` and marked ready; only then it takes its place, file by file. Cut off before, nothing has changed; cut
//! off after, the same command goes on.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use verbale_evidence::{
    CARRIED_MAX, Card, UnverifiedCard, card_text, encode_entry, log_number, parse_card_text, read_entry, sign_card,
};
use verbale_exchange::succeeding;
use verbale_journal::{
    BATCH_BYTES_MAX, BATCH_RECORDS_MAX, Disk, Journal, JournalError, Keys, Phase, Progress, Record, ReplayError,
    Settings, Store,
};
use verbale_keys::{FileError, Role, SecretKey, write_public_text, write_secret_text};
use verbale_ledger::{LogIndex, LogSize};
use verbale_proto::v1::log_entry::Event;
use verbale_proto::v1::{CarriedOver, PreviousLog};

use crate::clock::now_ms;
use crate::folder::{CARD_VALIDITY_MS, Folder, LoadError, Loaded, disk};
use crate::heads::{Guard, HeadsError, HeadsFolder};
use crate::held::{self, Held, HeldError};
use crate::placing::{self, Move, PlacingError, READY};
use crate::random;
use crate::rotate::{self, Rotated};
use crate::secrets::{SecretError, role};
use crate::serve::keyed_facts;

/// The folder in which the next log is made.
const MAKING: &str = "recover";

/// A log could not be closed.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// Configuration, card, memoranda.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Keys.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The card key is used offline.
    #[error("the next card needs the card key: put card.pem back into {} for this command ({source})", keys.display())]
    CardKey {
        /// The folder of keys.
        keys: PathBuf,
        /// Why it cannot be used.
        source: SecretError,
    },
    /// A journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The heads kept apart.
    #[error(transparent)]
    Heads(#[from] HeadsError),
    /// The log that is to be closed.
    #[error(transparent)]
    Held(#[from] HeldError),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// What was made could not be put in place.
    #[error(transparent)]
    Placing(#[from] PlacingError),
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
    /// Readers follow an entry only so far.
    #[error(
        "{0} took the place of {CARRIED_MAX} logs, one after the other, and no reader of logs follows more; keep the folder and ask its makers"
    )]
    TooOften(String),
    /// Nothing is wrong with it.
    #[error("{0} was begun a moment ago, by this command, and nothing is wrong with it: start the node")]
    JustBegun(String),
    /// What was begun goes on by itself.
    #[error("a recovery was begun and not ended; run again: verbale recover --confirm")]
    Unfinished,
    /// Of an earlier recovery.
    #[error(
        "{} is there already, of an earlier recovery of which this folder knows nothing. Keep it: move it out of the folder, then run this again", .0.display()
    )]
    InTheWay(PathBuf),
    /// Not the card that it must be.
    #[error("the card given with --known-card is not one of this contact point that this folder lacks: {0}")]
    KnownCard(String),
    /// The next card or an entry could not be made.
    #[error("the next log could not be begun: {0}")]
    Begin(String),
}

/// What is seen of a log, and what its successor begins with.
pub struct Succession {
    /// Origin of the log that is closed.
    pub closed: String,
    /// Entries of it that are held.
    pub held: u64,
    /// The most entries of it of which others hold a signed head.
    pub known: u64,
    /// Why it is not the log that others know, as far as this machine can see.
    pub trouble: Option<String>,
    /// Origin of the next log.
    pub next: String,
    /// Serial of the next card.
    pub serial: u64,
    /// Whether the keys were revoked.
    pub revoked: bool,
    /// Roles that have new keys, besides the log: those that were revoked, or are lost.
    pub renews: Vec<&'static str>,
    /// Whether counterparts can take the next card only by hand.
    pub by_hand: bool,
    /// Origin of a later log of which nothing is held.
    pub lost: Option<String>,
}

/// The last card that others know, where it is a later one than the folder has.
struct Known {
    card: Card,
    bytes: Vec<u8>,
}

impl Known {
    fn read(bytes: &[u8], own: &Card, folder: &Folder) -> Result<Self, RecoverError> {
        let card = UnverifiedCard::parse(bytes).and_then(|card| card.verify(&own.card_key.fingerprint()));
        let card = card.map_err(|error| RecoverError::KnownCard(error.to_string()))?;
        let (id, serial) = (&card.id, card.serial);
        if card.id != own.id {
            return Err(RecoverError::KnownCard(format!("it is card {serial} of {id}")));
        }
        // One of an earlier serial, or of the same, is another one where this folder made its own without knowing of it.
        let kept = fs::read_to_string(folder.dir().join(format!("card.{serial}.txt"))).ok();
        let kept = kept.and_then(|text| parse_card_text(&text).ok());
        if card == *own || kept.as_deref() == Some(bytes) {
            return Err(RecoverError::KnownCard(format!("this folder has card {serial} itself")));
        }
        Ok(Self { card, bytes: bytes.to_vec() })
    }
}

/// Keys that the next card cannot have: they were revoked, or are not those that counterparts know.
fn renewed(own: &Card, known: Option<&Known>) -> Vec<Rotated> {
    // Whoever made a later card since had that taken by counterparts: they know its keys.
    let known = known.map(|known| &known.card).filter(|known| known.serial >= own.serial);
    let is_renewed = |which: &Rotated| {
        let is_lost = |known: &Card| match which {
            Rotated::Tls => known.tls_spki != own.tls_spki,
            Rotated::Age => known.age_recipient != own.age_recipient,
            Rotated::Envelope => known.envelope_key != own.envelope_key,
            Rotated::Cosigner => known.cosigner_key != own.cosigner_key,
        };
        own.revoked || known.is_some_and(|known| known.revoked || is_lost(known))
    };
    rotate::ALL.into_iter().filter(is_renewed).collect()
}

/// Whether a recovery was begun and not ended.
pub(crate) fn is_unfinished(folder: &Folder) -> bool {
    folder.dir().join(MAKING).join(READY).exists()
}

/// Looks at the log of a node that does not run; with `confirmed` closes it, and begins the next. `known_card` is the last card that others
/// know, where it is a later one than the folder has: signed, a DSSE envelope.
///
/// # Errors
/// [`RecoverError`].
pub fn recover(
    folder: &Folder,
    known_card: Option<&[u8]>,
    confirmed: bool,
    progress: &dyn Fn(Progress),
) -> Result<Succession, RecoverError> {
    if let Some(command) = rotate::unfinished(folder).map_err(|error| RecoverError::Begin(error.to_string()))? {
        return Err(RecoverError::Begin(format!("the next card was begun and not ended; run first: {command}")));
    }
    if is_unfinished(folder) {
        return if confirmed { finish(folder) } else { Err(RecoverError::Unfinished) };
    }
    let loaded = folder.load()?;
    let making = folder.dir().join(MAKING);
    let later = known_card.map(|bytes| Known::read(bytes, &loaded.card, folder)).transpose()?;
    let held = Held::open(folder, &loaded, later.as_ref().map(|later| &later.card))?;
    let heads = folder.heads(&loaded.config.heads);
    // Of a log that only an authority saw nobody has the card; another one does not take its name.
    let stamped = HeadsFolder::new(&heads).stamped()?.last().map_or(0, |(log, _)| *log);
    let card = next_card(&loaded.card, later.as_ref(), stamped);
    let renews = renewed(&loaded.card, later.as_ref());
    let is_revoked = loaded.card.revoked || later.as_ref().is_some_and(|later| later.card.revoked);
    let closed = loaded.card.log_origin.clone();
    let number = |origin: &str| log_number(origin, &loaded.card.id);
    let succession = Succession {
        held: held.journal.size().0,
        known: held.known.iter().map(|(head, _)| head.size.0).max().unwrap_or_default(),
        trouble: held.trouble()?,
        next: card.log_origin.clone(),
        serial: card.serial,
        revoked: is_revoked,
        by_hand: is_revoked,
        renews: renews.iter().map(|which| which.name()).collect(),
        lost: later
            .as_ref()
            .map(|later| later.card.log_origin.clone())
            .filter(|origin| number(origin) > number(&closed)),
        closed,
    };
    if !confirmed {
        return Ok(succession);
    }
    if succession.trouble.is_none() && !is_revoked && later.is_none() && held.has_just_begun()? {
        return Err(RecoverError::JustBegun(loaded.card.log_origin.clone()));
    }
    if held.logs_before()? == CARRIED_MAX {
        return Err(RecoverError::TooOften(loaded.card.log_origin.clone()));
    }
    let moves = moves(folder, &succession.closed);
    if let Some(Move { old, .. }) = moves.iter().find(|of| of.old.exists()) {
        return Err(RecoverError::InTheWay(old.clone()));
    }
    let card_key = role(&folder.keys(), Role::Card);
    let card_key = card_key.map_err(|source| RecoverError::CardKey { keys: folder.keys(), source })?;
    if making.exists() {
        fs::remove_dir_all(&making).map_err(failed("remove", &making))?;
    }
    fs::create_dir(&making).map_err(failed("create", &making))?;
    sync(folder.dir())?;
    let heads = held.known.iter().map(|(_, note)| note.clone()).collect();
    let (known_size, by_hand) = (succession.known, succession.by_hand);
    let before = Before { card: &loaded.card, known: later, heads, renews, known_size, by_hand };
    make(&making, (held, card, &card_key), before, progress)?;
    finish(folder)?;
    Ok(succession)
}

/// Puts what was made in its place, whatever of it is there already: nothing else of the folder is needed for it.
fn finish(folder: &Folder) -> Result<Succession, RecoverError> {
    let making = folder.dir().join(MAKING);
    let lock = rotate::lock(folder).map_err(|error| RecoverError::Begin(error.to_string()))?;
    let mark = Mark::read(&making)?;
    take_place(folder, &mark)?;
    let loaded = folder.load()?;
    drop(lock);
    first_head(folder, &loaded)?;
    placing::end(&making)?;
    Ok(Succession {
        closed: mark.closed,
        held: mark.held,
        known: mark.known,
        trouble: None,
        next: loaded.card.log_origin,
        serial: loaded.card.serial,
        revoked: mark.by_hand,
        renews: Vec::new(),
        by_hand: mark.by_hand,
        lost: None,
    })
}

/// Keeps the first head of the next log where others' are: a node that has just begun it knows that nobody has a later one.
fn first_head(folder: &Folder, loaded: &Loaded) -> Result<(), RecoverError> {
    let journal = held::journal(folder, loaded)?;
    let (mut guard, released) = Guard::open(&folder.heads(&loaded.config.heads), &loaded.card.log_vkey())?;
    if released.is_none() {
        guard.release(&journal.checkpoint())?;
        guard.sync()?;
    }
    Ok(journal.close()?)
}

/// What the mark says: what is moved is moved by it alone.
struct Mark {
    /// Which log is closed.
    closed: String,
    /// The serial of its last card.
    serial: u64,
    /// How many of its entries are held, and of how many others have a head.
    held: u64,
    known: u64,
    /// Whether counterparts can take the next card only by hand.
    by_hand: bool,
}

impl Mark {
    fn text(&self) -> String {
        format!("{} {} {} {} {}", self.closed, self.serial, self.held, self.known, self.by_hand)
    }

    fn read(making: &Path) -> Result<Self, RecoverError> {
        let ready = making.join(READY);
        let text = fs::read_to_string(&ready).map_err(failed("read", &ready))?;
        let words: Vec<&str> = text.split_whitespace().collect();
        let read = match words.as_slice() {
            [closed, serial, held, known, by_hand] => (|| {
                let closed = (*closed).to_owned();
                let (serial, held, known) = (serial.parse().ok()?, held.parse().ok()?, known.parse().ok()?);
                Some(Self { closed, serial, held, known, by_hand: by_hand.parse().ok()? })
            })(),
            _ => None,
        };
        read.ok_or_else(|| RecoverError::Begin(format!("{} does not say which log is closed", ready.display())))
    }
}

/// `stamped`: the last log of which an authority stamped a head.
fn next_card(card: &Card, later: Option<&Known>, stamped: u64) -> Card {
    let last = later.map_or(card, |later| &later.card);
    let number = |card: &Card| card.log_number().unwrap_or_default();
    let next = number(card).max(number(last)).max(stamped).saturating_add(1);
    let now = now_ms();
    Card {
        serial: card.serial.max(last.serial).saturating_add(1),
        log_origin: format!("verbale/{}/{next}", card.id),
        valid_from_ms: now,
        valid_until_ms: now.saturating_add(CARD_VALIDITY_MS),
        revoked: false,
        ..card.clone()
    }
}

/// What is closed.
struct Before<'c> {
    card: &'c Card,
    known: Option<Known>,
    /// Its heads that others hold.
    heads: Vec<String>,
    renews: Vec<Rotated>,
    /// Entries of it of which others hold a head.
    known_size: u64,
    by_hand: bool,
}

/// Makes the next log, its key and its card beside the old ones.
fn make(
    making: &Path,
    (held, card, card_key): (Held, Card, &SecretKey),
    before: Before<'_>,
    progress: &dyn Fn(Progress),
) -> Result<(), RecoverError> {
    let begin = |error: &dyn std::fmt::Display| RecoverError::Begin(error.to_string());
    let key = SecretKey::from_seed(random::bytes());
    let mut card = Card { log_key: key.public(), ..card };
    for which in before.renews {
        rotate::make_key(which, &making.join(which.file()), &mut card).map_err(|error| begin(&error))?;
    }
    let card_bytes = sign_card(&card, card_key).map_err(|error| begin(&error))?;
    write_secret_text(&making.join(Role::Log.file_name()), &key.to_pem())?;
    write_public_text(&making.join("card.txt"), &card_text(&card_bytes, &card))?;
    let size = held.journal.size();
    let last = held.journal.entry(LogIndex(size.0.saturating_sub(1)))?;
    let last_ms = read_entry(&last).map_err(|error| begin(&error))?.logged_ms;
    let at_ms = now_ms().max(last_ms);
    let previous = PreviousLog {
        origin: before.card.log_origin.clone(),
        held_size: size.0,
        held_root: held.journal.root_at(size).unwrap_or_default().to_vec(),
        known_heads: before.heads,
        lost_card: before.known.map(|known| known.bytes).unwrap_or_default(),
    };
    let first = succeeding(at_ms, &card, &card_bytes, Some(previous)).map_err(|error| begin(&error))?;
    let settings = || {
        let key = SecretKey::from_pem(&key.to_pem()).map_err(|error| begin(&error))?;
        Ok::<_, RecoverError>(Settings { index: false, ..Settings::new(making, &card.log_origin, key) })
    };
    Journal::create(&Disk, &settings()?, &Record::entry(first.entry))?;
    let mut next = Journal::open(disk(), settings()?, &mut |_| Ok::<(), ReplayError>(()))?;
    carry(&held.journal, &mut next, (size, at_ms), progress)?;
    next.close()?;
    let mark = Mark {
        closed: before.card.log_origin.clone(),
        serial: before.card.serial,
        held: size.0,
        known: before.known_size,
        by_hand: before.by_hand,
    };
    Ok(placing::mark(making, &mark.text())?)
}

/// Carries every entry over, with what stands beside it.
fn carry(
    from: &Journal,
    to: &mut Journal,
    (size, at_ms): (LogSize, i64),
    progress: &dyn Fn(Progress),
) -> Result<(), RecoverError> {
    let begin = |error: &dyn std::fmt::Display| RecoverError::Begin(error.to_string());
    let (mut batch, mut bytes, mut keyed) = (Vec::new(), 0, HashSet::new());
    for index in (0..size.0).map(LogIndex) {
        let entry = from.entry(index)?;
        let message_id = keyed_facts(&entry).map_err(|error| begin(&error))?.map(|(message_id, _)| message_id);
        let keys = match message_id.filter(|id| keyed.insert(*id)) {
            Some(id) => from.keys(id.as_bytes())?.map(|wrapped| Keys { message_id: *id.as_bytes(), wrapped }),
            None => None,
        };
        let carried = encode_entry(at_ms, Event::CarriedOver(CarriedOver { entry })).map_err(|error| begin(&error))?;
        let record = Record {
            entry: carried,
            sealed: from.sealed(index)?,
            facts: from.facts(index)?,
            receipt: from.receipt(index)?,
            keys,
        };
        bytes += record.bytes();
        batch.push(record);
        if batch.len() == BATCH_RECORDS_MAX || bytes >= BATCH_BYTES_MAX {
            to.commit(std::mem::take(&mut batch), ())?;
            bytes = 0;
            progress(Progress { phase: Phase::Replaying, done: index.0, total: size.0 });
        }
    }
    to.commit(batch, ())?;
    Ok(())
}

/// What takes the place of what.
fn moves(folder: &Folder, closed: &str) -> [Move; 3] {
    let (dir, making) = (folder.dir(), folder.dir().join(MAKING));
    let number = closed.rsplit('/').next().unwrap_or_default();
    let log = Role::Log.file_name();
    [
        Move { new: making.join("journal"), place: dir.join("journal"), old: dir.join(format!("journal-{number}")) },
        Move {
            new: making.join(log),
            place: folder.keys().join(log),
            old: folder.keys().join(format!("log-{number}.pem")),
        },
        Move { new: making.join("card.txt"), place: dir.join("card.txt"), old: dir.join(format!("card-{number}.txt")) },
    ]
}

/// Puts what was made in the place of what was; each step may have been done before.
fn take_place(folder: &Folder, mark: &Mark) -> Result<(), RecoverError> {
    let dir = folder.dir();
    let making = dir.join(MAKING);
    // New keys were made in place of those that were revoked or lost.
    for which in rotate::ALL.into_iter().filter(|which| making.join(which.file()).exists()) {
        which.take_place(folder, &making, mark.serial)?;
    }
    placing::put_in_place(&moves(folder, &mark.closed))?;
    // What the card before signed and pinned is gone; its age identity opens what is under way.
    for which in [Rotated::Envelope, Rotated::Cosigner, Rotated::Tls] {
        which.destroy(folder, mark.serial)?;
    }
    let index = dir.join("index");
    if index.exists() {
        fs::remove_dir_all(&index).map_err(failed("remove", &index))?;
    }
    Ok(())
}

fn sync(dir: &Path) -> Result<(), RecoverError> {
    fs::File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed("sync", dir))
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RecoverError {
    let path = path.to_owned();
    move |source| RecoverError::Io { action, path, source }
}
