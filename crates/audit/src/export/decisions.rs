//! Decisions about releases, a line each: what was decided, by which version of the rules, and where its evidence stands.

use std::io;

use serde_json::json;
use verbale_evidence::{MessageId, UnverifiedEnvelope};
use verbale_proto::v1::log_entry::Event;

use crate::presentation::moment;
use crate::table::Table;

/// No second place.
const NONE: u64 = u64::MAX;

/// Reads a log through, and writes a line for each decision.
pub(crate) struct Decisions {
    /// Where notices and recorded grounds stand, and the receipts and confirmations for them: two indices, little-endian.
    places: Table<16>,
}

impl Decisions {
    /// # Errors
    /// When no file can be made in the folder for temporary files.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { places: Table::new()? })
    }

    /// Whether the lines are right.
    ///
    /// # Errors
    /// When a temporary file could not be read or written.
    pub(crate) fn check(&self) -> io::Result<()> {
        self.places.check()
    }

    /// The line of an entry, with its newline; `None` when it is no decision.
    pub(crate) fn line(&mut self, index: u64, time_ms: i64, event: &Event) -> Option<String> {
        let (about, outcome, code, rules, grounds): (&[u8], _, &str, u32, &[Vec<u8>]) = match event {
            Event::NoticeSent(of) => return self.envelope(&of.envelope, index),
            Event::NoticeReceived(of) => return self.envelope(&of.envelope, index),
            Event::ReceiptReceived(of) => return self.note(&of.message_id, index),
            Event::GroundRecorded(of) => return self.note(&of.ground_id, index),
            Event::GroundConfirmed(of) => return self.note(&of.ground_id, index),
            Event::Disclosed(of) if of.published => {
                (&of.message_id, "published", &of.code, of.rules_version, &of.grounds)
            }
            Event::Disclosed(of) => (&of.message_id, "released", &of.code, of.rules_version, &of.grounds),
            Event::DisclosureDenied(of) => (&of.message_id, "denied", &of.code, of.rules_version, &[]),
            _ => return None,
        };
        let id = |bytes: &[u8]| MessageId::try_from(bytes).ok();
        let of_ground = |ground: &Vec<u8>| self.places.get(&id(ground)?).map(|places| indices(&places));
        let evidence: Vec<u64> =
            grounds.iter().filter_map(of_ground).flatten().filter(|index| *index != NONE).collect();
        let message_id = id(about).map(|id| id.to_string());
        let line = json!({
            "entry": index, "at": moment(time_ms), "message_id": message_id, "outcome": outcome, "code": code,
            "rules_version": rules, "evidence": evidence,
        });
        Some(format!("{line}\n"))
    }

    fn envelope(&mut self, bytes: &[u8], index: u64) -> Option<String> {
        let statement = UnverifiedEnvelope::parse(bytes).and_then(|envelope| envelope.claimed()).ok()?;
        self.note(statement.message_id.as_bytes(), index)
    }

    fn note(&mut self, id: &[u8], index: u64) -> Option<String> {
        let id = MessageId::try_from(id).ok()?;
        self.places.update(&id, |places| match places.map(|places| indices(&places)) {
            Some([first, _]) => bytes([first, index]),
            None => bytes([index, NONE]),
        });
        None
    }
}

fn indices(places: &[u8; 16]) -> [u64; 2] {
    let (first, second) = places.split_at(8);
    [first, second].map(|index| index.try_into().map_or(NONE, u64::from_le_bytes))
}

fn bytes(indices: [u64; 2]) -> [u8; 16] {
    let [first, second] = indices;
    (u128::from(first) | u128::from(second) << 64).to_le_bytes()
}
