//! One exported log, from the bytes of its first entry to its signed head.
//!
//! Every leaf, tile and root is made again; every signature, chain, receipt and release is looked at. What a log alone cannot show is said in
//! the report: that both sides' logs agree ([`crate::reconcile`]), what a ground covers (the presentation), and that nothing was
//! rewritten by two who agree on it.

mod chronicle;
mod crossed;
mod drafts;
mod erasures;
mod kept;
mod noticed;
mod notices;
mod prepare;
mod records;
mod releases;
mod report;
mod roles;
mod stamps;
mod succession;
mod tally;

use std::collections::BTreeMap;
use std::iter;

use sha2::{Digest as _, Sha256};
use verbale_domain::{Memoranda, civil};
use verbale_evidence::{Card, Cards, VerifiedEnvelope, carried_entry};
use verbale_ledger::{Checkpoint, Frontier, Hash, LogSize, Note, TILE_WIDTH, Tile, decode_bundle, leaf_hash};

pub(crate) use chronicle::{Chronicle, is_over};
pub(crate) use crossed::{Crossed, LostNumbers};
pub(crate) use records::{HeldHead, Sent, Taken};
pub(crate) use report::{headline, second};
pub use stamps::Stamps;
pub use succession::Break;
pub use tally::Tally;

use crate::export::{DECISIONS, Decisions, ExportFolder, KnownCards, Missing, POLICY};
use crate::finding::Finding;
use crate::presentation::moment;
use kept::KeptHeads;
use prepare::{Keys, Prepared, read_through};
use stamps::KeptStamps;

/// What was established about a log.
pub struct Verified {
    /// The contact point.
    pub id: String,
    /// Its head.
    pub head: Checkpoint,
    /// How many entries could be read, where a file behind them has not its form: neither the rest was checked nor what stands beside the log.
    pub cut_at: Option<u64>,
    /// Fingerprint of its card key, grouped for comparing.
    pub fingerprint: String,
    /// Its cards were given by the auditor, and are those.
    pub is_compared: bool,
    /// Counterparts of its log, and the fingerprints of their card keys.
    pub peers: Vec<(String, String)>,
    /// What it holds.
    pub tally: Tally,
    /// Sent notices that wait for a receipt.
    pub waiting: usize,
    /// Sent notices without one of which the time was over before the log ends.
    pub unanswered: usize,
    /// Releases on consent or notice.
    pub by_instrument: u64,
    /// Releases by a code of which the log cannot show the ground: how many by each.
    pub unshown: BTreeMap<String, u64>,
    /// Releases under terms that the log had before and of which nobody gave the file.
    pub terms_missing: u64,
    /// Decisions by later versions of the rules than are known here.
    pub later_rules: u64,
    /// What does not hold.
    pub findings: Vec<Finding>,
    /// How much more does not hold than is listed.
    pub more_findings: u64,
    /// The logs that it took the place of, the last of them first.
    pub breaks: Vec<Break>,
    /// Sent notices that a copy of the log numbered, and that never left.
    pub displaced: u64,
    /// Time of the last entry.
    pub last_ms: i64,
    /// Who cosigned which size, and when, in seconds since 1970-01-01 UTC.
    pub cosigned: Vec<(String, u64, u64)>,
    /// Where clocks were apart: that of the log and of a witness, or its own at two times.
    pub clocks: Vec<String>,
    /// By when an authority saw which part of it.
    pub stamps: Stamps,
}

/// What the auditor has from elsewhere.
#[derive(Default)]
pub struct Given {
    /// Cards of contact points.
    pub cards: Vec<Card>,
    /// Files of memoranda with terms that a log had before.
    pub memoranda: Vec<Memoranda>,
}

/// Verifies an exported log.
///
/// # Errors
/// A sentence, when something that the check needs is not there.
pub fn verify(folder: &ExportFolder, given: &Given, on_progress: &dyn Fn(u64, u64)) -> Result<Verified, Missing> {
    Ok(check(folder, given, false, on_progress)?.0)
}

/// The same, and what passed between this log and others, if it will be compared.
pub(crate) fn check(
    folder: &ExportFolder,
    given: &Given,
    crossed: bool,
    on_progress: &dyn Fn(u64, u64),
) -> Result<(Verified, Crossed), Missing> {
    let note = folder.checkpoint()?;
    let (memoranda, unread) = folder.memoranda()?;
    let keys = Keys::of(&folder.cards()?);
    let unusable = |text: String| Missing::Unusable { path: folder.dir().join("checkpoint"), text };
    let claimed = Note::parse(&note).map_err(|error| unusable(error.to_string()))?;
    let head = Checkpoint::parse(claimed.text).map_err(|error| unusable(error.to_string()))?;
    let mut chronicle = Chronicle::new((&memoranda, &given.memoranda), head.size, crossed)?;
    let receipts = folder.receipts(head.size.0)?;
    let mut passage = Passage::new(folder)?;
    let read = read_through((folder, folder.since()?), head.size, &keys, |index, prepared: Prepared| {
        passage.take(index, prepared, &mut chronicle);
        if index % TILE_WIDTH == 0 {
            on_progress(index, head.size.0);
        }
    });
    // Files that are not there may be those of a head that nobody signed.
    if read.is_err() && !keys.signed(&note) {
        return Err(unusable("no key in keys/ signed it".to_owned()));
    }
    let taken = passage.frontier.size().0;
    let cut_at = match read {
        Err(Missing::Unusable { path, text }) if taken > 0 => {
            let name = path.strip_prefix(folder.dir()).unwrap_or(&path).display().to_string();
            chronicle.find("FILE", taken, format!("{name} in its form"), text);
            Some(taken)
        }
        read => read.map(|()| None)?,
    };
    on_progress(head.size.0, head.size.0);
    chronicle.notices.check()?;
    for (name, error) in unread {
        chronicle.find("FILE", None, format!("{name} in its form"), error);
    }
    let Ended { cosigned, clocks, stamps } = match cut_at {
        None => passage.end(folder, (&note, &head), receipts, &mut chronicle)?,
        Some(_) => Ended::default(),
    };
    chronicle.heads.check()?;
    let is_compared = compare(&given.cards, &mut chronicle);
    let fingerprint = |card: &Card| card.card_key.fingerprint().grouped();
    let (waiting, unanswered) = chronicle.waiting();
    let verified = Verified {
        id: chronicle.id(),
        head,
        cut_at,
        fingerprint: chronicle.own().map(fingerprint).unwrap_or_default(),
        is_compared,
        peers: chronicle.peers().values().map(|cards| (cards.id().to_owned(), fingerprint(cards.present()))).collect(),
        tally: chronicle.tally.clone(),
        waiting,
        unanswered,
        by_instrument: chronicle.by_instrument,
        unshown: std::mem::take(&mut chronicle.unshown),
        terms_missing: chronicle.terms_missing,
        later_rules: chronicle.later_rules,
        findings: std::mem::take(&mut chronicle.findings),
        more_findings: chronicle.more_findings,
        breaks: chronicle.breaks(),
        displaced: chronicle.displaced,
        last_ms: chronicle.last_ms(),
        cosigned,
        clocks,
        stamps,
    };
    Ok((verified, chronicle.crossed()))
}

/// What is made again of a log while its entries go by, to be compared with what stands beside them.
struct Passage<'f> {
    frontier: Frontier,
    tiles: Tiles<'f>,
    kept: KeptHeads,
    stamps: KeptStamps,
    decisions: Decisions,
    decided: Sha256,
    known: KnownCards,
}

/// What the end of a log shows: who cosigned which size, and when; where clocks were apart; what was stamped.
#[derive(Default)]
struct Ended {
    cosigned: Vec<(String, u64, u64)>,
    clocks: Vec<String>,
    stamps: Stamps,
}

impl<'f> Passage<'f> {
    fn new(folder: &'f ExportFolder) -> Result<Self, Missing> {
        Ok(Self {
            frontier: Frontier::default(),
            tiles: Tiles::new(folder),
            kept: KeptHeads::read(folder)?,
            stamps: KeptStamps::read(folder)?,
            decisions: Decisions::default(),
            decided: Sha256::new(),
            known: KnownCards::default(),
        })
    }

    /// Takes the next entry.
    fn take(&mut self, index: u64, prepared: Prepared, chronicle: &mut Chronicle<'_>) {
        self.tiles.take(prepared.leaf);
        self.frontier.append(prepared.leaf);
        if let Ok(told) = &prepared.read {
            self.known.told(index, &told.event);
            let statement =
                prepared.envelope.as_ref().and_then(|read| read.as_ref().ok()).map(VerifiedEnvelope::statement);
            if let Some(line) = self.decisions.line(index, (told.time_ms, &told.event), statement) {
                self.decided.update(line);
            }
        }
        chronicle.take(index, prepared);
        self.kept.passed(&self.frontier, chronicle.last_ms());
        self.stamps.passed(&self.frontier, chronicle);
    }

    /// Compares them, once all entries were taken.
    fn end(
        self,
        folder: &ExportFolder,
        (note, head): (&str, &Checkpoint),
        receipts: u64,
        chronicle: &mut Chronicle<'_>,
    ) -> Result<Ended, Missing> {
        self.tiles.finish(chronicle)?;
        let root = self.frontier.root();
        if root != head.root {
            let expected = format!("root {}, which follows from the entries", hex::encode(root));
            chronicle.find("ROOT", None, expected, hex::encode(head.root));
        }
        chronicle.carried_all(head.size.0.saturating_sub(1), 0);
        chronicle.terms_shown();
        let mut cosigned = signatures(note, chronicle);
        cosigned.extend(self.kept.check(head, chronicle));
        let stamps = self.stamps.check(folder, head, chronicle)?;
        cosigned.sort();
        cosigned.dedup();
        let mut clocks = ahead_of_witnesses(&cosigned, chronicle);
        clocks.extend(chronicle.dated_before.map(|(first, all)| {
            format!("{all} own statements, the first at entry {first}, say that they are of more than a day before their entries: one of two times is wrong")
        }));
        if folder.digest(DECISIONS)? != Some(self.decided.finalize().into()) {
            chronicle.find("DECISIONS", None, "a line for each decision of the log, and no other", "other lines");
        }
        key_files(folder, &self.known, chronicle)?;
        receipt_files(receipts, chronicle);
        Ok(Ended { cosigned, clocks, stamps })
    }
}

/// The log's own signature under the checkpoint, and those of its witnesses.
fn signatures(note: &str, chronicle: &mut Chronicle<'_>) -> Vec<(String, u64, u64)> {
    let verified = chronicle.own().map(|own| Checkpoint::verify(note, &own.log_vkey()));
    let size = match verified {
        Some(Ok(head)) => head.size.0,
        Some(Err(error)) => {
            chronicle.find("CHECKPOINT", None, "a checkpoint signed by the log key of the card", error.to_string());
            return Vec::new();
        }
        None => {
            chronicle.find("CHECKPOINT", None, "a first entry with the card of the contact point", "none");
            return Vec::new();
        }
    };
    let mut cosigned = Vec::new();
    for cards in chronicle.peers().values().cloned().collect::<Vec<_>>() {
        let id = cards.id();
        match cards.cosigned_s(note) {
            Ok(time_s) => {
                cosigned_in_time(&cards, (note, time_s), chronicle);
                before_cosigned(id, (size, chronicle.last_ms()), time_s, chronicle);
                cosigned.push((id.to_owned(), size, time_s));
            }
            // Nobody needs to have cosigned: only who claims it must have.
            Err(verbale_ledger::NoteError::Unsigned) => {}
            Err(error) => {
                chronicle.find("COSIGNATURE", None, format!("the cosignature of {id}"), error.to_string());
            }
        }
    }
    cosigned
}

/// Whoever cosigns does so with a key whose card is not over.
fn cosigned_in_time(cards: &Cards, (note, time_s): (&str, u64), chronicle: &mut Chronicle<'_>) {
    if let Some(since) = cards.cosigner_over_since_ms(note, time_s) {
        let expected =
            format!("no cosignature of {} after its card with that key was over: {}", cards.id(), moment(since));
        chronicle.find("KEY_NOT_VALID", None, expected, second(time_s));
    }
}

/// What was cosigned was there before: no entry of it is of a later time, by more than clocks are apart. Whose clock was wrong one witness cannot
/// say.
fn before_cosigned(by: &str, (size, last_ms): (u64, i64), time_s: u64, chronicle: &mut Chronicle<'_>) {
    let cosigned_ms = i64::try_from(time_s).unwrap_or(i64::MAX / 1000).saturating_mul(1000);
    if last_ms > cosigned_ms.saturating_add(civil::CLOCKS_APART_MS) {
        chronicle.cosigned_before.insert(by.to_owned(), (size, time_s, last_ms));
    }
}

/// Where all of several witnesses say that entries were ahead of their time, they were.
fn ahead_of_witnesses(cosigned: &[(String, u64, u64)], chronicle: &mut Chronicle<'_>) -> Vec<String> {
    let before = std::mem::take(&mut chronicle.cosigned_before);
    let all = cosigned.iter().all(|(by, ..)| before.contains_key(by));
    let mut notes = Vec::new();
    for (by, (size, time_s, last_ms)) in &before {
        let (cosigned, last) = (second(*time_s), moment(*last_ms));
        if all && before.len() > 1 {
            let expected = format!("a time up to {cosigned}, when {by} cosigned the head with it");
            chronicle.find("COSIGNED_BEFORE", size.checked_sub(1), expected, last);
        } else {
            let text = format!(
                "{by} cosigned size {size} on {cosigned}, and its last entry is of {last}: one of two clocks was wrong"
            );
            notes.push(text);
        }
    }
    notes
}

/// The files of keys are those that follow from the cards of which the log tells, and there is no other.
fn key_files(folder: &ExportFolder, known: &KnownCards, chronicle: &mut Chronicle<'_>) -> Result<(), Missing> {
    let files = known.files();
    for (name, text) in &files {
        if folder.file(name)?.as_deref() != Some(text.as_bytes()) {
            let code = if name == POLICY { "POLICY" } else { "KEY_FILE" };
            chronicle.find(code, None, format!("{name} as it follows from the cards in the log"), "another, or none");
        }
    }
    let is_other = |there: &String| files.iter().all(|(name, _)| name != there);
    for there in folder.key_files()?.into_iter().filter(is_other) {
        chronicle.find("KEY_FILE", None, "files of the cards of which the log tells", format!("{there} besides"));
    }
    Ok(())
}

/// There is no receipt beside an entry that has none.
fn receipt_files(there: u64, chronicle: &mut Chronicle<'_>) {
    let told = chronicle.receipts_read;
    if there > told {
        let expected = format!("{told} files in receipts/, one beside each entry that tells of a receipt");
        chronicle.find("RECEIPT_FILE", None, expected, format!("{there}: this folder has files of another log"));
    }
}

/// The cards that the auditor has from elsewhere are those of the log.
fn compare(cards: &[Card], chronicle: &mut Chronicle<'_>) -> bool {
    let known: Vec<Card> =
        chronicle.own().into_iter().chain(chronicle.peers().values().map(Cards::present)).cloned().collect();
    let (mut own, mut all) = (false, true);
    for card in &known {
        match cards.iter().find(|given| given.id == card.id) {
            Some(given) if given.card_key != card.card_key => {
                let expected = format!("the card key of {}: {}", card.id, given.card_key.fingerprint().grouped());
                chronicle.find("CARD", None, expected, card.card_key.fingerprint().grouped());
            }
            Some(_) => own |= card.id == chronicle.id(),
            None => all = false,
        }
    }
    own && all
}

/// The tiles above the leaves, made again while the leaves go by.
struct Tiles<'f> {
    folder: &'f ExportFolder,
    /// The hashes of each level of tiles, from the leaves: those of the tile that is filled now.
    levels: Vec<Vec<Hash>>,
    full: Vec<u64>,
    wrong: Vec<String>,
    missing: Option<Missing>,
}

impl<'f> Tiles<'f> {
    fn new(folder: &'f ExportFolder) -> Self {
        Self { folder, levels: Vec::new(), full: Vec::new(), wrong: Vec::new(), missing: None }
    }

    fn take(&mut self, leaf: Hash) {
        let (mut level, mut hash) = (0, leaf);
        loop {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
                self.full.push(0);
            }
            let (Some(row), Some(full)) = (self.levels.get_mut(level), self.full.get_mut(level)) else { return };
            row.push(hash);
            if (row.len() as u64) < TILE_WIDTH {
                return;
            }
            let hashes = std::mem::take(row);
            let tile = Tile { level: u32::try_from(level).unwrap_or(u32::MAX), number: *full, width: TILE_WIDTH };
            *full += 1;
            self.compare(tile, &hashes);
            let mut above = Frontier::default();
            for hash in hashes {
                above.append(hash);
            }
            (level, hash) = (level + 1, above.root());
        }
    }

    /// The leaves' own tiles were compared where they were hashed.
    fn compare(&mut self, tile: Tile, hashes: &[Hash]) {
        if tile.level == 0 || self.missing.is_some() {
            return;
        }
        match self.folder.tile(tile) {
            Ok(bytes) if bytes == hashes.concat() => {}
            Ok(_) => self.wrong.push(tile.path()),
            Err(missing) => self.missing = Some(missing),
        }
    }

    fn finish(mut self, chronicle: &mut Chronicle<'_>) -> Result<(), Missing> {
        for (level, hashes) in std::mem::take(&mut self.levels).into_iter().enumerate() {
            if !hashes.is_empty() {
                let number = self.full.get(level).copied().unwrap_or_default();
                let level = u32::try_from(level).unwrap_or(u32::MAX);
                self.compare(Tile { level, number, width: hashes.len() as u64 }, &hashes);
            }
        }
        if let Some(missing) = self.missing {
            return Err(missing);
        }
        for path in self.wrong {
            chronicle.find("TILE", None, format!("the hashes of {path} that follow from the entries"), "other hashes");
        }
        Ok(())
    }
}

/// The tree at each size up to the last that is asked for: of this log, from its tiles, whose leaves were verified, or of one before it, from the
/// entries that were carried over. `before` is 0 for this one, 1 for the log that it took the place of, 2 for the one before that.
pub(crate) fn trees(
    folder: &ExportFolder,
    (size, before): (LogSize, usize),
    last: u64,
    mut take: impl FnMut(&Frontier),
) -> Result<(), Missing> {
    let mut tree = Frontier::default();
    take(&tree);
    for tile in Tile::of_level(0, size) {
        let leaves: Vec<Hash> = match before.checked_sub(1) {
            None => folder.tile(tile)?.chunks_exact(32).map(|leaf| leaf.try_into().unwrap_or_default()).collect(),
            Some(further) => {
                let bundle = folder.bundle(tile)?;
                let told =
                    |entry: &[u8]| iter::successors(carried_entry(entry), |told| carried_entry(told)).nth(further);
                let entries = decode_bundle(&bundle).unwrap_or_default();
                entries.into_iter().filter_map(told).map(|told| leaf_hash(&told)).collect()
            }
        };
        for leaf in leaves {
            tree.append(leaf);
            take(&tree);
        }
        if tree.size().0 >= last {
            break;
        }
    }
    Ok(())
}
