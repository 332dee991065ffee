//! Grounds outside the log: one person records a document's digest and what it covers, another holds the same document and confirms it.

use verbale_domain::disclosure::{Escalation, Recorded, Scope};
use verbale_domain::{Code, Refusal};
use verbale_envelope::SealedFacts;
use verbale_evidence::MessageId;
use verbale_ledger::LogIndex;
use verbale_proto::v1::{Facts, GroundRecorded, RecordedGround};

use crate::change::{self, Change, Record};
use crate::replay::ReplayError;
use crate::state::{Exchange, NoticeState};
use crate::step::{Effect, Output, Ticket, Told};

/// Recorded grounds of one node: each is recorded and confirmed by people.
const GROUNDS_MAX: usize = 10_000;

/// A recorded ground.
#[derive(Clone)]
pub struct HeldGround {
    /// Its id.
    pub id: MessageId,
    /// The notice whose release it is for.
    pub about: MessageId,
    /// SHA-256 of the document.
    pub document: [u8; 32],
    /// What the document covers; `None` after erasure.
    pub recorded: Option<Recorded>,
    /// What spoke for withholding.
    pub reasons_to_withhold: String,
    /// Pseudonym of who recorded it.
    pub recorded_by: String,
    /// Pseudonym of who confirmed it, and when, in milliseconds since 1970-01-01 UTC; only then it counts.
    pub confirmed: Option<(String, i64)>,
    /// When a person ended it, likewise: it counts no more.
    pub ended_ms: Option<i64>,
    /// Its entry.
    pub index: LogIndex,
}

/// A ground that a person records.
pub struct Recording {
    /// Its id.
    pub id: MessageId,
    /// The notice.
    pub about: MessageId,
    /// Pseudonym of the person.
    pub actor: String,
    /// SHA-256 of the document.
    pub document: [u8; 32],
    /// What the document covers.
    pub recorded: Recorded,
    /// The same, with what spoke for withholding.
    pub facts: Facts,
    /// The same, sealed as facts of the notice.
    pub sealed: SealedFacts,
}

impl HeldGround {
    /// A ground of the log; what it covers stands in the facts.
    pub(crate) fn read(entry: GroundRecorded, facts: Option<&Facts>, index: LogIndex) -> Result<Self, ReplayError> {
        let id = |bytes: &[u8]| MessageId::try_from(bytes).map_err(|_| ReplayError::Order("it names no ground"));
        let kind = entry.kind.parse().map_err(|_| ReplayError::Order("it names no kind of ground"))?;
        let recorded = facts.and_then(|facts| {
            let particulars = facts.particulars.as_ref()?;
            Some(Recorded {
                kind,
                scope: Scope::read(particulars)?,
                conditions: particulars.conditions.clone(),
                from_ms: entry.valid_from_ms,
                until_ms: entry.valid_until_ms,
                basis: facts.legal_basis.clone(),
            })
        });
        Ok(Self {
            id: id(&entry.ground_id)?,
            about: id(&entry.message_id)?,
            document: entry.document_sha256.try_into().map_err(|_| ReplayError::Order("it names no digest"))?,
            recorded,
            reasons_to_withhold: facts.map(|facts| facts.reasons_to_withhold.clone()).unwrap_or_default(),
            recorded_by: entry.actor,
            confirmed: None,
            ended_ms: None,
            index,
        })
    }

    /// As presentations name it.
    pub(crate) fn presented(&self) -> Option<RecordedGround> {
        let Recorded { kind, scope, from_ms, until_ms, basis, conditions } = self.recorded.as_ref()?;
        Some(RecordedGround {
            ground_id: self.id.as_bytes().to_vec(),
            kind: kind.as_str().to_owned(),
            document_sha256: self.document.to_vec(),
            legal_basis: basis.clone(),
            fields: scope.fields.clone(),
            audience_class: scope.audience.class.as_str().to_owned(),
            audience_name: scope.audience.name.clone(),
            purpose: scope.purpose.clone(),
            valid_from_ms: *from_ms,
            valid_until_ms: *until_ms,
            conditions: conditions.clone(),
            confirmed_ms: self.confirmed.as_ref().map(|(_, at_ms)| *at_ms).unwrap_or_default(),
        })
    }

    /// What it covers, once a second person confirmed it and until it is ended.
    fn live(&self) -> Option<&Recorded> {
        self.recorded.as_ref().filter(|_| self.confirmed.is_some() && self.ended_ms.is_none())
    }
}

impl Exchange {
    /// Recorded grounds, in the order of their entries.
    pub fn grounds(&self) -> impl Iterator<Item = &HeldGround> {
        self.grounds.values()
    }

    /// Those that count for a notice.
    pub(crate) fn live_grounds(&self, about: MessageId) -> impl Iterator<Item = (MessageId, &Recorded)> {
        let of = self.grounds.values().filter(move |ground| ground.about == about);
        of.filter_map(|ground| Some((ground.id, ground.live()?)))
    }

    /// The recorded legal basis with which people may decide about a release.
    pub(crate) fn basis(
        &self,
        about: MessageId,
        (escalation, scope, at_ms): (Escalation, &Scope, i64),
    ) -> Option<MessageId> {
        let mut grounds = self.live_grounds(about);
        grounds.find(|(_, recorded)| recorded.carries(escalation, scope, at_ms)).map(|(id, _)| id)
    }

    pub(crate) fn record_ground(&mut self, now_ms: i64, ticket: Ticket, recording: Recording, output: &mut Output) {
        let Recording { id, about, actor, document, recorded, facts, sealed } = recording;
        let known =
            self.notices.get(&about).filter(|held| !held.erased && !matches!(held.state, NoticeState::RefusedByUs(_)));
        let told = if known.is_none() {
            Told::NoSuchNotice
        } else if self.grounds.len() >= GROUNDS_MAX {
            Told::Refused(Refusal::new(Code::QueueFull, "", "would be one too many of the recorded grounds"))
        } else {
            let index = LogIndex(self.size);
            let held = HeldGround {
                id,
                about,
                document,
                recorded: Some(recorded),
                reasons_to_withhold: facts.reasons_to_withhold,
                recorded_by: actor,
                confirmed: None,
                ended_ms: None,
                index,
            };
            let event = change::ground_recorded(&held, &sealed.digest);
            let beside = Record { facts: Some(sealed.bytes), ..Record::default() };
            self.record(now_ms, event, Change::GroundRecorded(Box::new(held)), beside, output);
            Told::Done(index)
        };
        output.effects.push(Effect::Tell { ticket, told });
    }

    /// Confirms a ground with the digest of the document that the second person holds, or ends it without one.
    pub(crate) fn settle_ground(
        &mut self,
        now_ms: i64,
        ticket: Ticket,
        (id, actor, document): (MessageId, String, Option<[u8; 32]>),
        output: &mut Output,
    ) {
        let refused = |code, reason: &str| Told::Refused(Refusal::new(code, "ground", reason));
        let told = match (self.grounds.get(&id), document) {
            (None, _) => Told::NoSuchNotice,
            (Some(held), _) if held.ended_ms.is_some() => {
                refused(Code::BadValue, "is ended; record the document anew if it counts")
            }
            (Some(held), Some(_)) if held.confirmed.is_some() => refused(Code::BadValue, "is confirmed already"),
            (Some(held), Some(_)) if held.recorded_by == actor => refused(
                Code::FourEyes,
                "was recorded by the same person; another one holds the document and confirms it",
            ),
            (Some(held), Some(document)) if held.document != document => refused(
                Code::BadValue,
                "is about another document than this one: their SHA-256 differ; find out which of the two is right",
            ),
            (Some(_), settled) => {
                let index = LogIndex(self.size);
                let (event, change) = match settled {
                    Some(_) => (change::ground_confirmed(id, &actor), Change::GroundConfirmed { id, actor }),
                    None => (change::ground_ended(id, &actor), Change::GroundEnded { id }),
                };
                self.record(now_ms, event, change, Record::default(), output);
                Told::Done(index)
            }
        };
        output.effects.push(Effect::Tell { ticket, told });
    }
}
