//! Grounds outside the log: what a document says whose digest two persons recorded. The other side did not sign it.

use super::{Escalation, Evidence, Grant, OutsideGround, Scope};

/// What two persons recorded of a document. It has no `Debug`: it holds names and purposes.
#[derive(Clone)]
pub struct Recorded {
    /// What the document is.
    pub kind: OutsideGround,
    /// What it covers; of an originator's own publication only fields and time count.
    pub scope: Scope,
    /// First moment, in milliseconds since 1970-01-01 UTC.
    pub from_ms: i64,
    /// Last moment, likewise.
    pub until_ms: i64,
    /// The legal basis, in words.
    pub basis: String,
    /// Conditions that the document sets.
    pub conditions: Vec<String>,
}

impl Recorded {
    /// The evidence that it is for a release; `None` when it says nothing about this one.
    pub fn evidence(&self, asked: &Scope, at_ms: i64) -> Option<Evidence> {
        match self.kind {
            OutsideGround::PaperConsent => Some(Evidence::Grant(self.grant())),
            OutsideGround::OriginatorPublication => (self.from_ms..=self.until_ms)
                .contains(&at_ms)
                .then(|| Evidence::PublishedByOriginator(self.scope.fields.clone())),
            OutsideGround::LegalCompulsion => {
                self.covers(asked, at_ms).then(|| Evidence::LegalCompulsion(self.basis.clone()))
            }
            // They carry what people decide, or say whose words they are, and are no evidence by themselves.
            OutsideGround::MinistryRequest | OutsideGround::PublicationBasis | OutsideGround::OwnWords => None,
        }
    }

    /// Whether it is the recorded legal basis with which two persons may decide.
    pub fn carries(&self, escalation: Escalation, asked: &Scope, at_ms: i64) -> bool {
        let needed = match escalation {
            Escalation::LegalCompulsion => OutsideGround::LegalCompulsion,
            Escalation::Clause5RelevantMinistry => OutsideGround::MinistryRequest,
            Escalation::UnverifiedBasisStrict => OutsideGround::PublicationBasis,
            // A count is no field of a notice: no release of this node holds one.
            Escalation::Aggregate => return false,
        };
        self.kind == needed && !self.basis.trim().is_empty() && self.covers(asked, at_ms)
    }

    /// Whether it says of all that is asked that it repeats nothing of the other side's.
    pub fn states_own_words(&self, asked: &Scope, at_ms: i64) -> bool {
        self.kind == OutsideGround::OwnWords && !self.basis.trim().is_empty() && self.covers(asked, at_ms)
    }

    fn covers(&self, asked: &Scope, at_ms: i64) -> bool {
        self.grant().misses(asked, at_ms).is_empty()
    }

    fn grant(&self) -> Grant {
        let (from_ms, until_ms) = (self.from_ms, self.until_ms);
        Grant { about_this: true, scope: self.scope.clone(), from_ms, until_ms, withdrawn_ms: None }
    }
}
