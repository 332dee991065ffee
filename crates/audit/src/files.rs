//! Files that others made: nothing but a file is read, and none that is larger than anything an export holds.

#![expect(clippy::disallowed_methods, reason = "an auditor reads the files that it is given")]

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// The largest file that is read whole: several times the largest bundle, of 256 entries of 64 KiB.
pub(crate) const FILE_MAX: u64 = 64 << 20;

/// The largest text beside a log: a memorandum, a card, a head, a proof.
pub(crate) const TEXT_MAX: u64 = 1 << 20;

/// Receipts are of half this size and less.
const SMALL: usize = 8 << 10;

/// All texts of one folder beside a log.
pub(crate) const TEXTS_MAX: usize = 32 << 20;

/// Bytes of a file of a size, at most. Whoever made the folder may have put a pipe or a device there, or a file of any size.
pub(crate) fn bytes(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let (mut file, size) = opened(path)?;
    if size > most {
        return Err(too_large(most));
    }
    // No more is asked for, so that its end is not looked for: a log has a file for each receipt.
    let mut bytes = vec![0; usize::try_from(size).unwrap_or_default()];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// The text of a file, likewise.
pub(crate) fn text(path: &Path, most: u64) -> io::Result<String> {
    utf8(bytes(path, most)?)
}

/// The text of a file of which it was seen before that it is one: a log has one for each receipt, and a look at each takes as long as reading it.
pub(crate) fn text_of_seen(path: &Path, most: u64) -> io::Result<String> {
    let (mut file, mut buffer, mut filled) = (File::open(path)?, [0; SMALL], 0);
    loop {
        match file.read(buffer.get_mut(filled..).unwrap_or_default()) {
            Ok(0) if filled < SMALL => return utf8(buffer.get(..filled).unwrap_or_default().to_vec()),
            Ok(0) => return text(path, most),
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The text of a file that somebody names on the command line, which may be a pipe.
pub(crate) fn given(path: &Path) -> io::Result<String> {
    utf8(all(File::open(path)?, FILE_MAX)?)
}

/// The text of standard input.
pub(crate) fn input() -> io::Result<String> {
    utf8(all(io::stdin().lock(), FILE_MAX)?)
}

/// Takes a file of any size in pieces.
pub(crate) fn each_piece(path: &Path, mut take: impl FnMut(&[u8])) -> io::Result<()> {
    let ((mut file, _), mut piece) = (opened(path)?, vec![0; 1 << 16]);
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(()),
            read => take(piece.get(..read).unwrap_or_default()),
        }
    }
}

/// A file, and its size as it is said to be.
fn opened(path: &Path) -> io::Result<(File, u64)> {
    let said = fs::metadata(path)?;
    if !said.is_file() {
        return Err(no_file());
    }
    Ok((File::open(path)?, said.len()))
}

/// It is there, and is something else.
pub(crate) fn no_file() -> io::Error {
    io::Error::other("it is no file")
}

/// Everything, where its size is not known.
fn all(from: impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most { Err(too_large(most)) } else { Ok(bytes) }
}

fn too_large(most: u64) -> io::Error {
    io::Error::other(format!("it is larger than {} KiB, as nothing is that belongs here", most >> 10))
}

fn utf8(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is no text"))
}
