//! Disclosure: the decision with the node's own evidence, and its log entry, in one step.

use verbale_domain::disclosure::{
    AudienceClass, Decision, Denial, Escalation, Evidence, Ground, HeldEvidence, Marks, Question, RULES_VERSION,
    Release, Scope, Verdict, conditions_code, decide, held_evidence, nothing_publishable,
    superseded as superseded_publication, unknown_audience,
};
use verbale_domain::flow::{CONSENT_REQUEST, DISCLOSURE_NOTICE};
use verbale_domain::{Course, Memorandum, NoticeKey, civil};
use verbale_envelope::{SealedFacts, WrappedKeys};
use verbale_evidence::{MessageId, SignedDisclosure, sign_disclosure, signed_disclosure};
use verbale_ledger::LogIndex;
use verbale_proto::v1::log_entry::Event;
use verbale_proto::v1::{Disclosed, Disclosure, Facts};

use crate::change::{self, Change, Record};
use crate::ground::HeldGround;
use crate::state::{Exchange, Held, Mailbox, NoticeState};
use crate::step::{Effect, Output, Ticket, Told};

/// A release that a person asks for; the notice was opened, and its facts are sealed.
pub struct DisclosureRequest {
    /// The notice.
    pub message_id: MessageId,
    /// Pseudonym of the person.
    pub actor: String,
    /// What the notice says about its disclosure.
    pub marks: Marks,
    /// What, to whom, for what.
    pub scope: Scope,
    /// Fields, audience and purpose, sealed as facts of the notice: of a denial.
    pub facts: SealedFacts,
    /// The same of a release, under an id and a key of its own.
    pub release: ReleaseFacts,
    /// What keeps what is signed from being guessed and from being cut.
    pub bound: Bound,
    /// What it may rest on.
    pub asking: Asking,
    /// Why it has nothing that may be published, where it is published.
    pub nothing: Option<&'static str>,
}

/// What is kept of a release: its facts outlive the content of the notice.
pub struct ReleaseFacts {
    /// The id of their key.
    pub id: MessageId,
    /// Fields, audience and purpose.
    pub facts: SealedFacts,
    /// The key, under the archive key.
    pub keys: WrappedKeys,
}

/// What is signed about a release beside its scope.
#[derive(Clone, Copy)]
pub struct Bound {
    /// Random: keeps the digest in the log from being guessed.
    pub nonce: [u8; 16],
    /// Digest of the leaves that are disclosed; `None`: an earlier build signed none.
    pub covered: Option<[u8; 32]>,
}

impl Bound {
    /// As the facts of a release have it.
    pub fn read(facts: &Facts) -> Option<Self> {
        let covered = match facts.covered.as_slice() {
            [] => None,
            covered => Some(covered.try_into().ok()?),
        };
        Some(Self { nonce: facts.nonce.as_slice().try_into().ok()?, covered })
    }
}

/// How a release is asked for.
#[derive(Clone, Debug, Default)]
pub struct Asking {
    /// The code of the conditions that the person acknowledges ([`conditions_code`]).
    pub acknowledged: String,
    /// It is published: it rests on what the text and the notice say, and on no consent or notice, which an approver uses.
    pub publishing: bool,
}

/// A release that is logged: what a presentation is made of.
#[derive(Clone)]
pub struct Released {
    /// Its entry.
    pub index: LogIndex,
    /// What was signed about it.
    pub disclosure: SignedDisclosure,
    /// The age recipient of its audience.
    pub recipient: Option<String>,
    /// What it rests on.
    pub rests_on: Release,
    /// The notices on which the ground rests: the grant and the request it answers, or the disclosure notice.
    pub grounds: Vec<Held>,
}

/// A decision, and what its ground rests on.
pub struct Judged {
    /// The decision.
    pub decision: Decision,
    /// What a release would rest on; `None`: it is denied, or people have not decided.
    release: Option<Release>,
    /// Notices, or a recorded ground.
    grounds: Vec<MessageId>,
    /// The conditions of the grant or the document.
    conditions: Vec<String>,
    valid_from_ms: i64,
    valid_until_ms: i64,
}

/// A piece of evidence and where it stands.
struct Piece {
    evidence: Evidence,
    notices: Vec<NoticeKey>,
    recorded: Option<MessageId>,
}

impl From<HeldEvidence> for Piece {
    fn from(held: HeldEvidence) -> Self {
        Self { evidence: held.evidence, notices: held.notices, recorded: None }
    }
}

/// What is missing where people decide and have not.
const DECIDE: &str =
    "one person records the document with `verbale ground record`, an approver who holds it too confirms it";
const INFORM: &str =
    "before that, ask for consent (`verbale consent request`) or give notice (`verbale disclosure notify`)";

impl Judged {
    /// Whether it may leave.
    pub(crate) fn is_released(&self) -> bool {
        self.release.is_some()
    }

    fn denied(decision: Decision) -> Self {
        Self {
            decision,
            release: None,
            grounds: Vec::new(),
            conditions: Vec::new(),
            valid_from_ms: 0,
            valid_until_ms: 0,
        }
    }
}

impl Exchange {
    pub(crate) fn memorandum_of(&self, held: &Held) -> Option<&Memorandum> {
        self.own.memoranda.get(&held.channel.memorandum)
    }

    /// Decides with what the journal shows. Nothing is logged.
    pub fn judge(&self, now_ms: i64, held: &Held, marks: &Marks, scope: &Scope, asking: &Asking) -> Judged {
        let memorandum = self.memorandum_of(held);
        let none = Course::default();
        let course = self.docket.course(&held.channel.memorandum).unwrap_or(&none);
        let key = held.key();
        let (side, discloser) = memorandum.map(|held| self.own_office(now_ms, held)).unwrap_or_default();
        let mut pieces: Vec<Piece> = match (memorandum, &key) {
            (Some(memorandum), Some(key)) if !asking.publishing => {
                held_evidence(memorandum, course, key, side).into_iter().map(Piece::from).collect()
            }
            _ => Vec::new(),
        };
        if !asking.publishing {
            let recorded = self.live_grounds(held.message_id);
            pieces.extend(recorded.filter_map(|(id, recorded)| {
                let evidence = recorded.evidence(scope, now_ms)?;
                Some(Piece { evidence, notices: Vec::new(), recorded: Some(id) })
            }));
        }
        // What answers the other side may repeat it. What the memorandum lets be published is nobody's confidence; the notice's own list
        // says nothing about whose words they are.
        let of_kind = memorandum.map(|memorandum| memorandum.publishable(&held.flow)).unwrap_or_default();
        let publishable = Scope { fields: of_kind.to_vec(), ..scope.clone() };
        let is_own = held.side.as_deref() == Some(side);
        let repeats = (answers_other(held, course, side) && !publishable.covers_fields(&scope.fields))
            || (is_own && marks.carries_onward);
        let mut recorded = self.live_grounds(held.message_id).filter(|_| !asking.publishing);
        let compared = recorded.find(|(_, recorded)| recorded.states_own_words(scope, now_ms)).filter(|_| repeats);
        if repeats && compared.is_none() {
            pieces.push(Piece { evidence: Evidence::Quotes(Vec::new()), notices: Vec::new(), recorded: None });
        }
        let superseded = key.as_ref().is_some_and(|key| course.is_superseded(key));
        let marks = Marks { superseded, ..marks.clone() };
        let evidence: Vec<Evidence> = pieces.iter().map(|piece| piece.evidence.clone()).collect();
        let mut decision = decide(&Question {
            memorandum,
            course,
            originator: held.side.as_deref().unwrap_or_default(),
            discloser,
            marks: &marks,
            scope,
            territory: None,
            at_ms: now_ms,
            evidence: &evidence,
        });
        // What is corrected is published no more, by its originator neither.
        if asking.publishing && superseded && decision.verdict == Verdict::Allow(Ground::OwnInformation) {
            decision = superseded_publication(memorandum, &held.flow);
        }
        if let (Verdict::Deny(Denial::Superseded), Some(by)) =
            (decision.verdict, key.as_ref().and_then(|key| course.replaced_by(key)))
        {
            decision.reason = format!("{} (`verbale publish {by}`)", decision.reason);
        }
        let relied_on = decision.relies_on.and_then(|place| pieces.get(place));
        let (valid_from_ms, valid_until_ms) = match relied_on.map(|piece| &piece.evidence) {
            Some(Evidence::Grant(grant)) => {
                let withdrawn = grant.withdrawn_ms.map_or(i64::MAX, |binds| binds.saturating_sub(1));
                (grant.from_ms, grant.until_ms.min(withdrawn))
            }
            Some(Evidence::Notice(notice)) => (notice.not_before_ms, 0),
            _ => (0, 0),
        };
        let notices = relied_on.map(|piece| piece.notices.as_slice()).unwrap_or_default();
        let grant = notices.first().and_then(|grant| course.get(grant));
        let mut conditions = grant.map(|grant| grant.particulars().conditions.clone()).unwrap_or_default();
        let mut grounds: Vec<MessageId> =
            notices.iter().filter_map(|key| self.numbered(&held.channel.memorandum, key)).collect();
        grounds.extend(relied_on.and_then(|piece| piece.recorded));
        if decision.verdict == Verdict::Allow(Ground::OwnInformation) {
            grounds.extend(compared.map(|(id, _)| id));
        }
        let release = match decision.verdict {
            Verdict::Allow(ground) => Some(Release::Allowed(ground)),
            Verdict::Deny(_) => None,
            Verdict::Escalate(escalation) => {
                let basis = self.basis(held.message_id, (escalation, scope, now_ms));
                let is_informed = key.as_ref().is_some_and(|key| informed(course, key, side, scope));
                let must_inform = escalation == Escalation::LegalCompulsion && !is_informed;
                let missing = basis.is_none().then_some(DECIDE).into_iter().chain(must_inform.then_some(INFORM));
                for missing in missing {
                    decision.reason = format!("{}; {missing}", decision.reason);
                }
                grounds = basis.into_iter().collect();
                basis.filter(|_| !must_inform).map(|_| Release::Decided(escalation))
            }
        };
        let documents = grounds.iter().filter_map(|id| self.grounds.get(id)?.recorded.as_ref());
        conditions.extend(documents.flat_map(|recorded| recorded.conditions.iter().cloned()));
        Judged { decision, release, grounds, conditions, valid_from_ms, valid_until_ms }
    }

    /// The denial of a release to an audience that is none of the directory.
    pub fn stranger(&self, held: &Held, scope: &Scope) -> Option<Decision> {
        let to = &scope.audience;
        let known = self.audience(&to.name);
        let is_known = to.class == AudienceClass::Public || known.as_ref() == Some(to);
        (!is_known).then(|| unknown_audience(self.memorandum_of(held), known.as_ref()))
    }

    /// What was signed about a release that the log holds; `None` when it cannot be made again as it was logged.
    pub fn logged_disclosure(
        &self,
        held: &Held,
        scope: &Scope,
        (disclosed_ms, entry): (i64, &Disclosed),
        bound: Bound,
    ) -> Option<SignedDisclosure> {
        let grounds = entry.grounds.iter().map(|id| MessageId::try_from(id.as_slice()).ok());
        let grounds = grounds.collect::<Option<Vec<_>>>()?;
        let disclosure = self.disclosure(held, scope, (disclosed_ms, &entry.code, &grounds), bound);
        let mut keys = self.own_cards.all().map(|card| card.envelope_key.fingerprint());
        keys.find_map(|key| {
            let signed = signed_disclosure(&disclosure, &key, &entry.disclosure_signature);
            (signed.digest == entry.disclosure_digest.as_slice()).then_some(signed)
        })
    }

    /// What is said about a release; the same for the same release each time. Of the notices that a ground rests on the first is named:
    /// the request that a grant answers is a link behind it, and no ground of its own.
    fn disclosure(
        &self,
        held: &Held,
        scope: &Scope,
        (disclosed_ms, code, grounds): (i64, &str, &[MessageId]),
        bound: Bound,
    ) -> Disclosure {
        let first = grounds.iter().find_map(|id| self.notices.get(id)).map(|ground| ground.statement);
        Disclosure {
            message_id: held.message_id.as_bytes().to_vec(),
            statement_digest: held.statement.0.to_vec(),
            discloser: self.own.card.id.clone(),
            audience_class: scope.audience.class.as_str().to_owned(),
            audience_name: scope.audience.name.clone(),
            purpose: scope.purpose.clone(),
            fields: scope.fields.clone(),
            disclosed_ms,
            code: code.to_owned(),
            grounds: first.map(|ground| ground.0.to_vec()).into_iter().collect(),
            nonce: bound.nonce.to_vec(),
            covered: bound.covered.map(Vec::from).unwrap_or_default(),
            recorded: grounds.iter().find_map(|id| self.grounds.get(id)).and_then(HeldGround::presented),
            ..Disclosure::default()
        }
    }

    /// The side that this node writes for under a memorandum, and its office.
    pub(crate) fn own_office<'m>(&self, now_ms: i64, memorandum: &'m Memorandum) -> (&'m str, &'m str) {
        let today = civil::date_of(now_ms, time::UtcOffset::UTC);
        let side = memorandum.side_of(&self.own.card.id, today).unwrap_or_default();
        (side, memorandum.contact_point(side, today).map(|contact| contact.office).unwrap_or_default())
    }

    /// The message that a side's number names.
    pub(crate) fn numbered(&self, memorandum: &str, key: &NoticeKey) -> Option<MessageId> {
        let of = |mailbox| {
            let id = self.numbers.get(&(mailbox, memorandum.to_owned(), key.number.clone()))?;
            self.notices.get(id).filter(|held| held.side.as_deref() == Some(&key.side)).map(|held| held.message_id)
        };
        of(Mailbox::Inbox).or_else(|| of(Mailbox::Outbox))
    }

    pub(crate) fn disclose(&mut self, now_ms: i64, ticket: Ticket, request: DisclosureRequest, output: &mut Output) {
        let told = self.disclosed(now_ms, request, output);
        output.effects.push(Effect::Tell { ticket, told });
    }

    fn disclosed(&mut self, now_ms: i64, request: DisclosureRequest, output: &mut Output) -> Told {
        let DisclosureRequest { message_id, actor, marks, scope, facts, release, bound, asking, nothing } = request;
        let known = self.notices.get(&message_id).filter(|held| !held.erased);
        let known = known.filter(|held| !matches!(held.state, NoticeState::RefusedByUs(_)));
        let Some(held) = known.cloned() else { return Told::NoSuchNotice };
        // The directory may have changed since the question was read: to whom it goes, and sealed to which key, is what stands there now.
        let stranger = self.stranger(&held, &scope);
        let by_clock = match (nothing, stranger) {
            (_, Some(denied)) => Judged::denied(denied),
            (Some(reason), None) => Judged::denied(nothing_publishable(self.memorandum_of(&held), &held.flow, reason)),
            (None, None) => self.judge(now_ms, &held, &marks, &scope, &asking),
        };
        // The time of the entry, which the disclosure and the log say. Once the clock was ahead it is later: both must allow it.
        let now_ms = now_ms.max(self.last_time_ms);
        let judged = match by_clock.release {
            Some(_) => self.judge(now_ms, &held, &marks, &scope, &asking),
            None => by_clock,
        };
        let code = judged.decision.verdict.code();
        let Some(rests_on) = judged.release else {
            let event = change::disclosure_denied(message_id, code, &facts.digest, &actor);
            let change = Change::Denied { message_id, code: code.to_owned(), actor };
            let beside = Record { facts: Some(facts.bytes), ..Record::default() };
            self.record(now_ms, event, change, beside, output);
            return Told::Judged { decision: judged.decision, released: None, conditions: Vec::new() };
        };
        if !judged.conditions.is_empty() && asking.acknowledged != conditions_code(&judged.conditions) {
            // Nothing was denied, and nothing leaves yet.
            return Told::Judged { decision: judged.decision, released: None, conditions: judged.conditions };
        }
        let grounds: Vec<Held> = judged.grounds.iter().filter_map(|id| self.notices.get(id).cloned()).collect();
        // What leaves to everybody by consent or notice is a release: the register has what the texts have published.
        let is_duty = rests_on == Release::Allowed(Ground::PublicationDuty);
        let published = scope.audience.class == AudienceClass::Public && (asking.publishing || is_duty);
        let disclosure = self.disclosure(&held, &scope, (now_ms, code, &judged.grounds), bound);
        let disclosure = sign_disclosure(&disclosure, &self.own.key);
        let index = LogIndex(self.size);
        let event = Event::Disclosed(Disclosed {
            message_id: message_id.as_bytes().to_vec(),
            code: code.to_owned(),
            disclosure_digest: disclosure.digest.to_vec(),
            disclosure_signature: disclosure.signature.clone(),
            grounds: judged.grounds.iter().map(|id| id.as_bytes().to_vec()).collect(),
            valid_from_ms: judged.valid_from_ms,
            valid_until_ms: judged.valid_until_ms,
            facts_digest: release.facts.digest.to_vec(),
            release_id: release.id.as_bytes().to_vec(),
            actor: actor.clone(),
            published,
            rules_version: RULES_VERSION,
            conditions_acknowledged: !judged.conditions.is_empty(),
            previous_release: held.last_release().map_or(0, |index| index.0.saturating_add(1)),
        });
        let change = Change::Disclosed { message_id, code: code.to_owned(), actor, published };
        let keys = Some((release.id, release.keys));
        let beside = Record { facts: Some(release.facts.bytes), keys, ..Record::default() };
        self.record(now_ms, event, change, beside, output);
        let recipient = self.recipient_of(&scope.audience).map(str::to_owned);
        let released = Some(Box::new(Released { index, disclosure, recipient, rests_on, grounds }));
        Told::Judged { decision: judged.decision, released, conditions: judged.conditions }
    }
}

/// Whether an own notice answers one of the other side. What the counterpart refused, or never got, is in no docket, and still says what it says.
fn answers_other(held: &Held, course: &Course, side: &str) -> bool {
    if held.side.as_deref() != Some(side) {
        return false;
    }
    let refused = matches!(held.state, NoticeState::Refused(_) | NoticeState::Displaced);
    let docketed = held.key().filter(|_| !refused).and_then(|key| course.get(&key).cloned());
    docketed
        // What was answered may be erased: it still is what it may repeat.
        .and_then(|docketed| docketed.answers)
        .map_or(held.correlates_to.is_some(), |answered| answered.side != side)
}

/// Whether the other side has a request for consent or a notice about this very disclosure.
fn informed(course: &Course, about: &NoticeKey, side: &str, scope: &Scope) -> bool {
    let mut told = course.answers_to(about).filter(|(key, notice)| {
        let asks = [CONSENT_REQUEST, DISCLOSURE_NOTICE].contains(&notice.flow.as_str());
        asks && key.side == side && notice.delivered_ms.is_some()
    });
    told.any(|(_, notice)| {
        Scope::read(notice.particulars()).is_some_and(|told| {
            told.audience == scope.audience && told.purpose == scope.purpose && told.covers_fields(&scope.fields)
        })
    })
}
