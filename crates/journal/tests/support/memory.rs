//! A disk in memory that tells what was written from what is durable, and fails where it is told to.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    unreachable_pub,
    missing_docs,
    reason = "a part of a test, where what cannot be is a failure"
)]

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use verbale_journal::{Files, StoredFile};

/// What becomes durable of the operation that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persists {
    Nothing,
    /// The first half of the bytes that were not yet durable.
    Half,
    /// Names in folders, no bytes.
    NamesOnly,
    All,
}

#[derive(Default)]
struct Bytes {
    live: Vec<u8>,
    durable: Vec<u8>,
}

#[derive(Default)]
struct State {
    live: HashMap<PathBuf, u64>,
    durable: HashMap<PathBuf, u64>,
    files: HashMap<u64, Bytes>,
    operations: Vec<&'static str>,
    fails: Option<(usize, Persists)>,
    crashed: bool,
    free: Option<u64>,
}

#[derive(Clone, Default)]
pub struct MemoryDisk(Arc<Mutex<State>>);

struct MemoryFile {
    disk: MemoryDisk,
    id: u64,
}

impl MemoryDisk {
    pub fn failing_at(operation: usize, persists: Persists) -> Self {
        let disk = Self::default();
        disk.state().fails = Some((operation, persists));
        disk
    }

    pub fn fail_next(&self, persists: Persists) {
        self.fail_after(0, persists);
    }

    /// The operation after so many more fails.
    pub fn fail_after(&self, operations: usize, persists: Persists) {
        let mut state = self.state();
        state.fails = Some((state.operations.len() + operations, persists));
    }

    /// Every operation that changed something, by kind.
    pub fn operations(&self) -> Vec<&'static str> {
        self.state().operations.clone()
    }

    pub fn set_free(&self, bytes: u64) {
        self.state().free = Some(bytes);
    }

    /// Power off and on: what was not durable is gone.
    pub fn crash(&self) {
        let mut state = self.state();
        let state = &mut *state;
        state.live.clone_from(&state.durable);
        for bytes in state.files.values_mut() {
            bytes.live.clone_from(&bytes.durable);
        }
        (state.crashed, state.fails) = (false, None);
    }

    /// Whether a file that has a name holds so many of this byte in a row, so that a power cut would leave them.
    pub fn holds(&self, byte: u8, count: usize) -> bool {
        let state = self.state();
        let files = state.durable.values().filter_map(|id| state.files.get(id));
        files.into_iter().any(|file| file.durable.split(|other| *other != byte).any(|run| run.len() >= count))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does an operation, or fails it as told.
    fn operate(&self, kind: &'static str, operation: impl FnOnce(&mut State)) -> io::Result<()> {
        let mut state = self.state();
        if state.crashed {
            return Err(io::Error::other("the disk is gone"));
        }
        let number = state.operations.len();
        state.operations.push(kind);
        let fails = state.fails.filter(|(at, _)| *at == number);
        // A sync that fails has not synced: what persisted nevertheless is said by `persists` alone.
        if fails.is_none() || !kind.starts_with("sync") {
            operation(&mut state);
        }
        let Some((_, persists)) = fails else { return Ok(()) };
        state.crashed = true;
        if matches!(persists, Persists::All | Persists::NamesOnly) {
            let state = &mut *state;
            state.durable.clone_from(&state.live);
        }
        for bytes in state.files.values_mut() {
            match persists {
                Persists::All => bytes.durable.clone_from(&bytes.live),
                Persists::Half => persist_half(bytes),
                Persists::Nothing | Persists::NamesOnly => {}
            }
        }
        Err(io::Error::other("injected fault"))
    }
}

/// Makes the first half of the bytes that differ durable.
fn persist_half(bytes: &mut Bytes) {
    let durable = |at: usize| bytes.durable.get(at).copied();
    let differing: Vec<usize> =
        (0..bytes.live.len()).filter(|at| durable(*at) != bytes.live.get(*at).copied()).collect();
    if let Some(middle) = differing.get(differing.len() / 2).copied() {
        let rest = bytes.durable.split_off(middle.min(bytes.durable.len()));
        bytes.durable = bytes.live[..middle].to_vec();
        bytes.durable.extend(rest);
    }
}

impl Files for MemoryDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn StoredFile>> {
        let mut id = 0;
        self.operate("create", |state| {
            id = state.files.len() as u64;
            state.files.insert(id, Bytes::default());
            state.live.insert(path.to_owned(), id);
        })?;
        Ok(Box::new(MemoryFile { disk: self.clone(), id }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn StoredFile>> {
        let found = self.state().live.get(path).copied();
        let id = found.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        Ok(Box::new(MemoryFile { disk: self.clone(), id }))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let state = self.state();
        let inside = state.live.keys().filter(|path| path.parent() == Some(dir));
        Ok(inside.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.operate("rename", |state| {
            let id = state.live.remove(from).expect("the file exists");
            state.live.insert(to.to_owned(), id);
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.operate("remove", |state| {
            state.live.remove(path);
        })
    }

    fn create_folder(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn sync_folder(&self, dir: &Path) -> io::Result<()> {
        self.operate("sync folder", |state| {
            state.durable.retain(|path, _| path.parent() != Some(dir));
            let inside = state.live.iter().filter(|(path, _)| path.parent() == Some(dir));
            let inside: Vec<_> = inside.map(|(path, id)| (path.clone(), *id)).collect();
            state.durable.extend(inside);
        })
    }

    fn free_bytes(&self, _: &Path) -> io::Result<u64> {
        Ok(self.state().free.unwrap_or(u64::MAX))
    }
}

impl StoredFile for MemoryFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.disk.state().files[&self.id].live.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let state = self.disk.state();
        let start = usize::try_from(offset).expect("small");
        let bytes = state.files[&self.id].live.get(start..start + buffer.len());
        buffer.copy_from_slice(bytes.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?);
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let start = usize::try_from(offset).expect("small");
        self.disk.operate("write", |state| {
            let live = &mut state.files.get_mut(&self.id).expect("the file exists").live;
            live.resize(live.len().max(start + bytes.len()), 0);
            live[start..start + bytes.len()].copy_from_slice(bytes);
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.operate("sync", |state| {
            let bytes = state.files.get_mut(&self.id).expect("the file exists");
            bytes.durable.clone_from(&bytes.live);
        })
    }
}
