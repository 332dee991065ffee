//! Recovery: everything up to the last valid commit frame is kept, everything after it is set aside, and a bad frame before
//! it stops the start.

use std::collections::BTreeMap;
use std::path::Path;

use verbale_ledger::{Hash, LogIndex, LogSize, Tree, leaf_hash};

use crate::error::{JournalError, ReplayError};
use crate::files::Files;
use crate::frame::{COMMIT_BYTES, Kind, Read, has_commit_after, read};
use crate::index::{Place, Span};
use crate::keyring::Keyring;
use crate::segment::{HEAD_BYTES, Head, HeadRead, KNOWN_FORMAT, segment_path};
use crate::store::{OnProgress, Phase, Progress};

/// How often it is told how far the replay is.
const TOLD_EVERY: u64 = 4096;

/// One committed record, in the order of the log.
pub struct Replayed<'a> {
    /// Its place.
    pub index: LogIndex,
    /// The entry's bytes.
    pub entry: &'a [u8],
    /// Encrypted facts.
    pub facts: Option<&'a [u8]>,
    /// The wrapped keys of all notices.
    pub keyring: &'a Keyring,
}

/// What is told of each record.
pub(crate) type Replay<'a> = &'a mut dyn FnMut(&Replayed<'_>) -> Result<(), ReplayError>;

/// What the segments hold.
#[derive(Default)]
pub(crate) struct Recovered {
    pub(crate) tree: Tree,
    /// Log size after each commit.
    pub(crate) commits: Vec<u64>,
    pub(crate) places: BTreeMap<u64, Place>,
    /// The last segment and the end of its last commit.
    pub(crate) active: Option<(Head, u64)>,
    /// Bytes of the last segment after that end, without the zeros that were filled ahead.
    pub(crate) tail: Vec<u8>,
    /// Committed frames of the last segment, for writing it anew.
    pub(crate) frames: Vec<u8>,
}

/// One record under way.
#[derive(Default)]
struct Pending {
    place: Place,
    entry: Option<Span>,
}

/// Reads and verifies all segments. The keyring is given to `replay` when its size is known.
pub(crate) fn recover(files: &dyn Files, dir: &Path, progress: &OnProgress) -> Result<Recovered, JournalError> {
    let names = files.list(dir).map_err(JournalError::io("list", dir))?;
    let mut numbers: Vec<u32> = names.iter().filter_map(|name| name.strip_suffix(".segment")?.parse().ok()).collect();
    numbers.sort_unstable();
    let mut recovered = Recovered::default();
    for (place, number) in numbers.iter().enumerate() {
        progress(Progress { phase: Phase::Reading, done: place as u64, total: numbers.len() as u64 });
        let last = place + 1 == numbers.len();
        let path = segment_path(dir, *number);
        let bytes = read_whole(files, &path)?;
        let corrupt = |offset: u64, what| JournalError::Corrupt { path: path.clone(), offset, what };
        if *number as usize != place {
            return Err(corrupt(0, "a segment before this one is missing"));
        }
        let head = match Head::read(&bytes) {
            HeadRead::Head(head) => head,
            HeadRead::Version(got) => return Err(JournalError::UnsupportedVersion { path, got, known: KNOWN_FORMAT }),
            HeadRead::None => return Err(corrupt(0, "it does not begin as a segment")),
        };
        if head.number != *number || head.first != recovered.tree.size().0 {
            return Err(corrupt(0, "it does not continue the segment before it"));
        }
        let end = recovered.read_segment(&bytes, head).map_err(|(offset, what)| corrupt(offset as u64, what))?;
        let tail = bytes.get(end..).unwrap_or_default();
        if has_commit_after(&bytes, end, &head.salt) {
            return Err(corrupt(end as u64, "a bad frame is followed by a valid commit"));
        }
        let written = tail.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
        if !last && written > 0 {
            return Err(corrupt(end as u64, "a bad frame is followed by another segment"));
        }
        recovered.tail = tail.get(..written).unwrap_or_default().to_vec();
        recovered.frames = bytes.get(HEAD_BYTES..end).unwrap_or_default().to_vec();
        recovered.active = Some((head, end as u64));
    }
    Ok(recovered)
}

impl Recovered {
    /// Number of entries.
    pub(crate) fn size(&self) -> LogSize {
        self.tree.size()
    }

    /// The root after a number of entries.
    pub(crate) fn head(&self, size: u64) -> Option<Hash> {
        self.tree.root_at(LogSize(size)).ok()
    }

    /// Tells every record in order.
    pub(crate) fn replay(
        &self,
        files: &dyn Files,
        dir: &Path,
        keyring: &Keyring,
        replay: Replay<'_>,
        progress: &OnProgress,
    ) -> Result<(), JournalError> {
        let mut loaded: Option<(u32, Vec<u8>)> = None;
        for (index, place) in &self.places {
            if index % TOLD_EVERY == 0 {
                progress(Progress { phase: Phase::Replaying, done: *index, total: self.places.len() as u64 });
            }
            if loaded.as_ref().is_none_or(|(number, _)| *number != place.segment) {
                loaded = Some((place.segment, read_whole(files, &segment_path(dir, place.segment))?));
            }
            let bytes = loaded.as_ref().map(|(_, bytes)| bytes.as_slice()).unwrap_or_default();
            let index = LogIndex(*index);
            let facts = (place.facts.length > 0).then(|| body(bytes, place.facts)).flatten();
            let entry = body(bytes, place.entry).unwrap_or_default();
            replay(&Replayed { index, entry, facts, keyring })
                .map_err(|source| JournalError::Replay { index, source })?;
        }
        Ok(())
    }

    /// Reads the committed frames of a segment and returns where they end.
    fn read_segment(&mut self, bytes: &[u8], head: Head) -> Result<usize, (usize, &'static str)> {
        let (mut at, mut end) = (HEAD_BYTES, HEAD_BYTES);
        let mut pending: BTreeMap<u64, Pending> = BTreeMap::new();
        let mut next = self.tree.size().0;
        while let Read::Frame(kind, range) = read(bytes, at, &head.salt) {
            let after = range.end;
            let body = bytes.get(range.clone()).unwrap_or_default();
            let span = |skip: usize| Span {
                offset: (range.start + skip) as u64,
                length: u32::try_from(range.len() - skip).unwrap_or_default(),
            };
            match kind {
                Kind::Pad => {}
                Kind::Entry => {
                    pending.entry(next).or_default().entry = Some(span(0));
                    next += 1;
                }
                Kind::Sealed | Kind::Facts | Kind::Receipt | Kind::Erased | Kind::Erasing => {
                    let Some((index, _)) = body.split_first_chunk::<8>() else {
                        return Err((at, "a frame is too short"));
                    };
                    let place = &mut pending.entry(u64::from_be_bytes(*index)).or_default().place;
                    match kind {
                        Kind::Facts => place.facts = span(8),
                        Kind::Receipt => place.receipt = span(8),
                        // The index keeps the place of what was erased; the frame there says that it was.
                        _ => place.sealed = span(8),
                    }
                }
                Kind::Commit => {
                    self.commit(body, std::mem::take(&mut pending), bytes, head).map_err(|what| (at, what))?;
                    end = after;
                }
            }
            at = after;
        }
        Ok(end)
    }

    fn commit(
        &mut self,
        body: &[u8],
        pending: BTreeMap<u64, Pending>,
        bytes: &[u8],
        head: Head,
    ) -> Result<(), &'static str> {
        for (index, record) in pending {
            let Some(entry) = record.entry.filter(|_| index == self.tree.size().0) else {
                return Err("a frame stands beside an entry that its commit does not hold");
            };
            self.tree.append(leaf_hash(body_of(bytes, entry)));
            self.places.insert(index, Place { segment: head.number, entry, ..record.place });
        }
        let (size, root) = body.split_first_chunk::<8>().ok_or("a commit is too short")?;
        if body.len() != COMMIT_BYTES || u64::from_be_bytes(*size) != self.tree.size().0 || root != self.tree.root() {
            return Err("a commit names another size or root than its entries have");
        }
        self.commits.push(self.tree.size().0);
        Ok(())
    }
}

/// The bytes of a body.
fn body(segment: &[u8], span: Span) -> Option<&[u8]> {
    let start = usize::try_from(span.offset).ok()?;
    segment.get(start..start + span.length as usize)
}

fn body_of(segment: &[u8], span: Span) -> &[u8] {
    body(segment, span).unwrap_or_default()
}

fn read_whole(files: &dyn Files, path: &Path) -> Result<Vec<u8>, JournalError> {
    let file = files.open(path).map_err(JournalError::io("open", path))?;
    let length = file.length().map_err(JournalError::io("measure", path))?;
    let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
    file.read_at(0, &mut bytes).map_err(JournalError::io("read", path))?;
    Ok(bytes)
}
