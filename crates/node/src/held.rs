//! The log of a node that does not run, as its folder holds it, beside what others know of it.

use std::path::Path;

use verbale_evidence::{Card, EntryTold, log_number, read_entry};
use verbale_journal::{Journal, JournalError, ReplayError, Store as _};
use verbale_keys::Role;
use verbale_ledger::{Checkpoint, LogIndex};
use verbale_proto::v1::log_entry::Event;

use crate::folder::{Folder, Loaded, disk, journal_settings};
use crate::heads::{Guard, HeadsError, HeadsFolder};
use crate::secrets::{SecretError, role};
use crate::standing::compare;
use crate::told;

/// A log that cannot be gone on with, or of which that cannot be said.
#[derive(Debug, thiserror::Error)]
pub enum HeldError {
    /// The log key.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The heads kept apart.
    #[error(transparent)]
    Heads(#[from] HeadsError),
    /// An entry.
    #[error("an entry of the log cannot be read: {0}")]
    Entry(String),
    /// Counterparts know a later card, or another one: what goes on from this folder alone they would refuse.
    #[error("{0}")]
    CardShown(String),
    /// What is held is older than a log that was begun since.
    #[error(
        "the folder of heads knows {0}, a later log of this contact point, so this folder is a copy from before that log was begun. Put a newer copy \
         back, if there is one. If not, give `verbale recover` the last card that counterparts know with --known-card: your own card.txt of then, or \
         the one in keys/ of anybody's export"
    )]
    LaterLog(String),
}

/// The journal, and what stands in the folder of heads.
pub(crate) struct Held {
    pub(crate) journal: Journal,
    /// Heads of the log that others know, signed by its key.
    pub(crate) known: Vec<(Checkpoint, String)>,
    heads: HeadsFolder,
    own: Card,
}

impl Held {
    /// `later`: the last card that others know, where a person gave it.
    pub(crate) fn open(folder: &Folder, loaded: &Loaded, later: Option<&Card>) -> Result<Self, HeldError> {
        let path = folder.heads(&loaded.config.heads);
        let (heads, own) = (HeadsFolder::new(&path), loaded.card.clone());
        let known = known_heads(&path, &heads, &own)?;
        require_known(&heads, &own, later)?;
        if later.is_none()
            && let Some(trouble) = told::card_at_start(&heads, &own)?
        {
            return Err(HeldError::CardShown(trouble));
        }
        Ok(Self { journal: journal(folder, loaded)?, known, heads, own })
    }

    /// Why the log is not the one that others know, as far as this machine can see.
    pub(crate) fn trouble(&self) -> Result<Option<String>, HeldError> {
        let (size, root_at) = (self.journal.size(), |size| self.journal.root_at(size));
        let against = |head| compare(head, size, root_at).trouble("the folder of heads, or a counterpart,");
        if let Some(trouble) = self.known.iter().find_map(|(head, _)| against(head)) {
            return Ok(Some(trouble));
        }
        let began_ms = self.event_at(LogIndex(0), |told| told.time_ms)?;
        told::statement_since(&self.heads, &self.own, began_ms, |envelope| self.has_sent(envelope))
    }

    /// How many logs it took the place of: their first entries stand right behind its own.
    pub(crate) fn logs_before(&self) -> Result<u64, HeldError> {
        let mut before = 0;
        while before < self.journal.size().0 && self.event_at(LogIndex(before), |told| told.carried)? == before {
            before += 1;
        }
        Ok(before.saturating_sub(1))
    }

    /// Whether it holds nothing but its beginning and what it carries over.
    pub(crate) fn has_just_begun(&self) -> Result<bool, HeldError> {
        self.event_at(LogIndex(self.journal.size().0.saturating_sub(1)), |told| told.carried > 0)
    }

    /// Whether an own statement is in it, signed as it is given.
    fn has_sent(&self, envelope: &[u8]) -> Result<bool, HeldError> {
        for index in (0..self.journal.size().0).map(LogIndex) {
            if self
                .event_at(index, |told| matches!(told.event, Event::NoticeSent(sent) if sent.envelope == envelope))?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn event_at<T>(&self, index: LogIndex, told: impl FnOnce(EntryTold) -> T) -> Result<T, HeldError> {
        let entry = read_entry(&self.journal.entry(index)?);
        entry.map(told).map_err(|error| HeldError::Entry(error.to_string()))
    }
}

/// The journal of the folder.
pub(crate) fn journal(folder: &Folder, loaded: &Loaded) -> Result<Journal, HeldError> {
    let settings = journal_settings(folder, loaded, role(&folder.keys(), Role::Log)?);
    Ok(Journal::open(disk(), settings, &mut |_| Ok::<(), ReplayError>(()))?)
}

fn known_heads(path: &Path, heads: &HeadsFolder, own: &Card) -> Result<Vec<(Checkpoint, String)>, HeadsError> {
    let (_, released) = Guard::open(path, &own.log_vkey())?;
    let mut known: Vec<(Checkpoint, String)> = released.into_iter().collect();
    for note in heads.all_known()? {
        known.extend(Checkpoint::verify(&note, &own.log_vkey()).ok().map(|head| (head, note)));
    }
    Ok(known)
}

/// Whoever goes on with a log knows of those that were begun after it.
fn require_known(heads: &HeadsFolder, own: &Card, later: Option<&Card>) -> Result<(), HeldError> {
    let number = |origin: &str| log_number(origin, &own.id).unwrap_or_default();
    let last = later.map_or(0, |later| number(&later.log_origin)).max(number(&own.log_origin));
    let notes = heads.all_known()?;
    let origins = notes.iter().filter_map(|note| note.lines().next());
    match origins.max_by_key(|origin| number(origin)).filter(|origin| number(origin) > last) {
        Some(origin) => Err(HeldError::LaterLog(origin.to_owned())),
        None => Ok(()),
    }
}
