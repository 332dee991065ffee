//! An exported log: what stands where in its folder.
//!
//! # Layout
//! * `checkpoint`, `tile/<L>/<N>`, `tile/entries/<N>`: the log (C2SP tlog-tiles)
//! * `policy`: its key and its witnesses (C2SP tlog-policy)
//! * `receipts/<N>.tlog-proof`: the receipt that stands beside entry `<N>`; its extra data is the counterpart's entry (C2SP tlog-proof)
//! * `keys/<ID>.<serial>.…`: each card, and its Ed25519 keys as SPKI PEM and as vkey lines; `keys/cards.jsonl`: since which entry each is known
//! * `cosigned/<ID>.checkpoint`: the newest head of this log that a counterpart cosigned, with its signature
//! * `counterparts/<ID>.checkpoint`: the newest head of a counterpart's log that this contact point cosigned; `<ID>.closed-<N>.checkpoint`: the last of
//!   its log `<N>`, of which another one took the place
//! * `proofs/<ID>-<size>.equivocation`: two heads of one size with two roots, each signed by its log
//! * `stamps/<size>.checkpoint`, `stamps/<size>.tsr`: heads of this log that a time stamping authority was shown, and its answers (RFC 3161);
//!   `stamps/closed-<N>-<size>.…`: those of its log `<N>`, of which another one took the place
//! * `memoranda/<id>.toml`: the memorandum files
//! * `since`: of an export that was made with `--since`, how many of the first entries have no tiles and no receipts in it
//! * `decisions.jsonl`: each decision about a release, with the version of the rules and the entries of its evidence; each configuration, with who
//!   may do what
//!
//! There is no sealed content in it, and no facts.

mod decisions;
mod keys;
mod read;
mod write;

use verbale_ledger::number_path;

pub(crate) use decisions::Decisions;
pub(crate) use keys::KnownCards;
pub use read::{ExportFolder, Missing};
pub use write::{ExportError, ExportReady, ExportWriter};

pub(crate) const CHECKPOINT: &str = "checkpoint";
pub(crate) const POLICY: &str = "policy";
pub(crate) const SINCE: &str = "since";
pub(crate) const RECEIPTS: &str = "receipts";
pub(crate) const DECISIONS: &str = "decisions.jsonl";
pub(crate) const CARDS: &str = "keys/cards.jsonl";
pub(crate) const KEYS: &str = "keys";
pub(crate) const MEMORANDA: &str = "memoranda";
pub(crate) const COSIGNED: &str = "cosigned";
pub(crate) const COUNTERPARTS: &str = "counterparts";
pub(crate) const PROOFS: &str = "proofs";
pub(crate) const STAMPS: &str = "stamps";

/// The file of the receipt that stands beside an entry.
pub(crate) fn receipt_path(index: u64) -> String {
    format!("{RECEIPTS}/{}.tlog-proof", number_path(index))
}

/// The files of a time stamp, without their endings: of the log with a number, 0 being the one that is exported, and a size.
pub(crate) fn stamp_path((log, size): (u64, u64)) -> String {
    match log {
        0 => format!("{STAMPS}/{size}"),
        closed => format!("{STAMPS}/closed-{closed}-{size}"),
    }
}

/// The entry beside which a file stands, if it is a receipt's.
pub(crate) fn receipt_index(path: &str) -> Option<u64> {
    let number = path.strip_prefix(RECEIPTS)?.strip_suffix(".tlog-proof")?;
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    digits.parse().ok().filter(|index| receipt_path(*index) == path)
}
