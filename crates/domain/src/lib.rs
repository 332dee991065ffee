//! Kinds, form rules and memoranda: what a notice may look like and who may send it. Pure, no cryptography.
//!
//! In scope: the strict reading of a registry's JSON, the form check that the options in `proto/` describe, the cutting of a
//! notice into chunks and back, memoranda as files, and the rules that need no state. Out of scope: commitments and
//! signatures (crate `evidence`), state such as numbers used before (crate `exchange`).
//!
//! Invariants:
//! * A [`Notice`] passed the form check; there is no other way to make one, be it from JSON or from chunks.
//! * Cutting is a bijection: `from_chunks` accepts exactly what `chunks` gives.
//! * A [`Refusal`] never repeats a value of the notice, so that it can be logged and sent back.
//!
//! ```
//! use verbale_domain::{Code, Notice};
//! let json = br#"{"notice_id":"KG-JP-2026-000007","memorandum":"JP-KG-SSW-2023","flow":"F14","kind":"GENERAL_INFORMATION",
//!   "clause":"4(1)","from":{"party":"KG","office":"KG-MLSSM-CECA"},"to":{"party":"JP","office":"JP-MOJ-ISA-RMD"},
//!   "issued_at":"2026-02-03T10:15:00+06:00","classification":"CONFIDENTIAL","receiver_obligation":"NONE",
//!   "languages":["en"],"body":{"title":"A title","text":""}}"#;
//! let notice = Notice::from_json(json)?;
//! assert_eq!(Notice::from_chunks(notice.chunks())?.to_json(), notice.to_json());
//! let broken = String::from_utf8_lossy(json).replace("10:15:00+06:00", "10:15:00");
//! assert_eq!(Notice::from_json(broken.as_bytes()).err().map(|r| r.code), Some(Code::NoTimezone));
//! # Ok::<(), verbale_domain::Refusal>(())
//! ```

pub mod civil;
mod cut;
mod decode;
pub mod disclosure;
mod docket;
mod duties;
mod erasure;
pub mod flow;
mod form;
mod json;
mod memorandum;
mod notice;
mod offline;
mod organisations;
mod partial;
mod particulars;
mod refusal;
mod rules;
mod schema;
pub mod values;

pub use docket::{Course, Docket, Docketed, Entered, NoticeKey};
pub use duties::{DutyItem, conditions_of_document, duties};
pub use erasure::needed;
pub use form::{NAME_BYTES_MAX, PURPOSE_BYTES_MAX, is_line, is_text};
pub use memorandum::{Basis, Class, CommencesOn, ContactPoint, Duty, Memoranda, Memorandum, MemorandumError};
pub use notice::{Header, Notice, Party};
pub use offline::{OfflineCheck, Verdict};
pub use organisations::{Organisation, REVOKED, Revocation, Told};
pub use partial::Partial;
pub use particulars::{Subject, mixes_scripts};
pub use refusal::{Code, Fault, Refusal, Stage};
pub use rules::{
    Place, Route, check_rules, clause_of_refusal, in_brackets, needs_approval, recipient, under_its_clause,
};

/// A notice in JSON is at most so large: the sealed size of 16 MiB less seal, padding and commitments.
pub const JSON_BYTES_MAX: usize = 15 << 20;

/// A notice has at most so many chunks: 65,536, five times the longest list in life (about 12,000 rows).
pub const CHUNKS_MAX: usize = 1 << 16;
