//! Where staged nodes live: a folder that goes away with them, or one that is kept.

use std::path::{Path, PathBuf};

use crate::failure::CliError;

pub(crate) struct StageFolder {
    path: PathBuf,
    kept: bool,
}

impl StageFolder {
    pub(crate) fn make(purpose: &str, keep: Option<&Path>) -> Result<Self, CliError> {
        // Short, since a socket's path has at most 107 bytes.
        let passing = || std::env::temp_dir().join(format!("verbale-{purpose}-{}", std::process::id()));
        let folder = Self { path: keep.map_or_else(passing, Path::to_owned), kept: keep.is_some() };
        if std::fs::read_dir(&folder.path).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(CliError::Refused(format!(
                "{} is not empty; give a new folder with --keep",
                folder.path.display()
            )));
        }
        std::fs::create_dir_all(&folder.path)
            .map_err(|error| CliError::failed(format!("cannot create {}", folder.path.display()), error))?;
        Ok(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The folder, if it is kept; else it is removed.
    pub(crate) fn finish(mut self) -> Result<Option<PathBuf>, CliError> {
        if self.kept {
            return Ok(Some(self.path.clone()));
        }
        self.kept = true;
        let removed = std::fs::remove_dir_all(&self.path);
        removed.map_err(|error| CliError::failed(format!("cannot remove {}", self.path.display()), error))?;
        Ok(None)
    }
}

impl Drop for StageFolder {
    fn drop(&mut self) {
        if !self.kept {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
