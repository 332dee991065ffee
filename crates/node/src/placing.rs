//! Files that take the place of others, all or none: made aside, marked ready, then moved one after the other. Cut off before the mark nothing
//! has changed; cut off after it, the same moves go on.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The mark, in the folder in which everything was made.
pub(crate) const READY: &str = "ready";

/// The disk failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}", path.display())]
pub struct PlacingError {
    /// What was attempted.
    action: &'static str,
    /// On what.
    path: PathBuf,
    /// Why not.
    source: io::Error,
}

/// Marks that everything is made, and what of; a mark is there whole, or not at all.
pub(crate) fn mark(making: &Path, text: &str) -> Result<(), PlacingError> {
    let (new, ready) = (making.join("ready.new"), making.join(READY));
    fs::write(&new, text).map_err(failed("write", &new))?;
    fs::File::open(&new).and_then(|file| file.sync_all()).map_err(failed("sync", &new))?;
    // What was made aside stands before its mark does.
    sync(making)?;
    sync(making.parent().unwrap_or(making))?;
    fs::rename(&new, &ready).map_err(failed("write", &ready))?;
    sync(making)
}

/// One move.
pub(crate) struct Move {
    pub(crate) new: PathBuf,
    pub(crate) place: PathBuf,
    /// Where what was there goes.
    pub(crate) old: PathBuf,
}

/// Moves what was not moved yet.
pub(crate) fn put_in_place(moves: &[Move]) -> Result<(), PlacingError> {
    for Move { new, place, old } in moves {
        if !new.exists() {
            continue;
        }
        if place.exists() && !old.exists() {
            fs::rename(place, old).map_err(failed("set aside", place))?;
        }
        fs::rename(new, place).map_err(failed("put in place", place))?;
        sync(place.parent().unwrap_or(place))?;
    }
    Ok(())
}

/// Removes the folder in which everything was made, with the mark.
pub(crate) fn end(making: &Path) -> Result<(), PlacingError> {
    // At once: what is removed file by file would lose its mark before it is gone.
    let done = making.with_added_extension("done");
    if done.exists() {
        fs::remove_dir_all(&done).map_err(failed("remove", &done))?;
    }
    fs::rename(making, &done).map_err(failed("remove", making))?;
    sync(making.parent().unwrap_or(making))?;
    fs::remove_dir_all(&done).map_err(failed("remove", &done))
}

/// Makes the names in a folder durable.
pub(crate) fn sync(dir: &Path) -> Result<(), PlacingError> {
    fs::File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed("sync", dir))
}

pub(crate) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> PlacingError {
    let path = path.to_owned();
    move |source| PlacingError { action, path, source }
}
