//! Key files: created once, mode 0600, never overwritten, never read when others may read them.

use std::fs::{OpenOptions, Permissions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// A key file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file could not be read or written.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Others may read the secret.
    #[error("{} may be read by others (mode {mode:o}); run: chmod 600 {}", path.display(), path.display())]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

/// Writes a secret to a new file with mode 0600 and syncs it.
///
/// # Errors
/// [`FileError::Io`], also when the file exists: a key is never overwritten.
///
/// # Durability
/// The file's bytes are on disk on return; its folder is the caller's to sync.
pub fn write_secret_text(path: &Path, text: &str) -> Result<(), FileError> {
    write_new(path, text, 0o600)
}

/// Writes a public text (a card, a public key) to a new file with mode 0644 and syncs it.
///
/// # Errors
/// [`FileError::Io`], also when the file exists.
pub fn write_public_text(path: &Path, text: &str) -> Result<(), FileError> {
    write_new(path, text, 0o644)
}

/// Reads a secret, if nobody but the owner may.
///
/// # Errors
/// [`FileError::Mode`] when group or others have any permission; [`FileError::Io`].
pub fn read_secret_text(path: &Path) -> Result<Zeroizing<String>, FileError> {
    let io = |source| FileError::Io { action: "read", path: path.to_owned(), source };
    let mut file = OpenOptions::new().read(true).open(path).map_err(io)?;
    let mode = file.metadata().map_err(io)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(FileError::Mode { path: path.to_owned(), mode });
    }
    let mut text = Zeroizing::new(String::new());
    file.read_to_string(&mut text).map_err(io)?;
    Ok(text)
}

fn write_new(path: &Path, text: &str, mode: u32) -> Result<(), FileError> {
    let io = |source| FileError::Io { action: "write", path: path.to_owned(), source };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(io)?;
    // The umask may have taken bits away from a public file; a secret must not depend on it at all.
    file.set_permissions(Permissions::from_mode(mode)).map_err(io)?;
    file.write_all(text.as_bytes()).map_err(io)?;
    file.sync_all().map_err(io)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_others_may_read_is_refused_and_none_is_overwritten() {
        let dir = std::env::temp_dir().join(format!("verbale-keys-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("log.pem");
        write_secret_text(&path, "secret").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read_secret_text(&path).unwrap().as_str(), "secret");
        assert!(matches!(write_secret_text(&path, "other"), Err(FileError::Io { .. })));
        std::fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(read_secret_text(&path), Err(FileError::Mode { mode: 0o640, .. })));
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
