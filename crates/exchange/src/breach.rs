//! Breaches: a counterpart carried a third side's information here without a ground that names this node. The notice is refused and
//! nothing of it is kept but whose information it was, so that a report can be written.

use verbale_envelope::{SealedFacts, Unopened, WrappedKeys};
use verbale_evidence::{MessageId, VerifiedEnvelope};
use verbale_ledger::LogIndex;
use verbale_proto::v1::Facts;

use crate::incoming::Arrival;
use crate::state::Exchange;

/// What a report would say, on its way into the log.
pub struct BreachReport {
    /// Its id.
    pub id: MessageId,
    /// Whose information it was: originator, memorandum, registry number.
    pub facts: Facts,
    /// The same, sealed.
    pub sealed: SealedFacts,
    /// The keys of that, under the archive key.
    pub keys: WrappedKeys,
}

/// A breach that this node refused.
#[derive(Clone)]
pub struct HeldBreach {
    /// Its id.
    pub id: MessageId,
    /// The refused notice.
    pub message_id: MessageId,
    /// Who sent it.
    pub sender: String,
    /// The memorandum under which it was sent.
    pub sent_under: String,
    /// The code with which it was refused.
    pub code: String,
    /// Who claims to have written what it carried; `None` after erasure.
    pub originator: Option<String>,
    /// The memorandum under which that was obtained, likewise.
    pub memorandum: Option<String>,
    /// Its registry number, likewise, and where it was not shown.
    pub number: Option<String>,
    /// Its entry.
    pub index: LogIndex,
    /// When, in milliseconds since 1970-01-01 UTC.
    pub time_ms: i64,
}

impl HeldBreach {
    pub(crate) fn new(
        id: MessageId,
        envelope: &VerifiedEnvelope,
        code: &str,
        facts: Option<&Facts>,
        index: LogIndex,
    ) -> Self {
        let statement = envelope.statement();
        let of = |text: fn(&Facts) -> &String| facts.map(text).filter(|text| !text.is_empty()).cloned();
        Self {
            id,
            message_id: statement.message_id,
            sender: statement.sender.clone(),
            sent_under: statement.memorandum.clone(),
            code: code.to_owned(),
            originator: of(|facts| &facts.from_side),
            memorandum: of(|facts| &facts.memorandum),
            number: of(|facts| &facts.notice_id),
            index,
            // The entry's, which is not known before it is applied.
            time_ms: 0,
        }
    }
}

impl Arrival {
    /// The report apart from the notice that is refused.
    pub(crate) fn apart(self) -> (Self, Option<BreachReport>) {
        match self {
            Self::Breach(breach) => {
                let (unopened, report): (Unopened, BreachReport) = *breach;
                (Self::Unopened(Box::new(unopened)), Some(report))
            }
            other => (other, None),
        }
    }
}

impl Exchange {
    /// Breaches that this node refused, in the order of their entries.
    pub fn breaches(&self) -> impl Iterator<Item = &HeldBreach> {
        self.breaches.values()
    }
}
