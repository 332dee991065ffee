//! Sending: submissions, receipts, expiry.

use std::collections::BTreeSet;
use std::sync::Arc;

use verbale_domain::disclosure::{Ground, Marks, Release, Scope, dates};
use verbale_domain::flow::CORRECTION;
use verbale_domain::{Code, Header, Memorandum, Place, Refusal, Subject, check_rules, needs_approval};
use verbale_envelope::{Keyed, Recipient, Sealed, WrappedKeys};
use verbale_evidence::{Answers, MessageId, Statement, VerifiedReceipt, sign_statement};
use verbale_keys::Fingerprint;
use verbale_proto::v1::{CarriedRelease, Dates, Facts};

use crate::change::{self, Change, Record};
use crate::disclosure::Asking;
use crate::own::{Kept, Peer};
use crate::state::{ChannelId, Exchange, Held, Mailbox, NoticeState};
use crate::step::{Effect, Output, Ticket, Told};

/// Expiries of one step: one batch of the journal. The next tick takes the next.
const EXPIRED_AT_ONCE: usize = 256;

/// Notices of one channel without receipt: about 1 KiB of memory each, and a month of the busiest registry.
const OUTSTANDING_MAX: usize = 100_000;

/// A notice that a person or a system wants to send; its form was checked.
pub struct Submission {
    /// Pseudonym of the person or system.
    pub actor: String,
    /// Whether the actor may draft what binds its side: no system does.
    pub may_bind: bool,
    /// What the rules look at.
    pub subject: Subject,
    /// Keyed digest of the notice.
    pub digest: Keyed,
    /// The sealed notice, or why it could not be sealed.
    pub draft: Result<Box<Draft>, Refusal>,
}

/// A release that a notice carries on to the audience that it names.
#[derive(Clone)]
pub struct CarriedOn {
    /// The notice that was released.
    pub message_id: MessageId,
    /// What, to whom, for what.
    pub scope: Scope,
    /// What it rested on.
    pub rests_on: Release,
    /// Whether that is a document that two persons recorded.
    pub has_document: bool,
}

impl CarriedOn {
    /// As facts keep it.
    pub(crate) fn facts(&self) -> CarriedRelease {
        CarriedRelease {
            message_id: self.message_id.as_bytes().to_vec(),
            scope: Some(self.scope.particulars()),
            rests_on: self.rests_on.as_str().to_owned(),
            has_document: self.has_document,
        }
    }

    /// Reads it back; `None` when it is none.
    pub(crate) fn read(facts: &CarriedRelease) -> Option<Self> {
        Some(Self {
            message_id: MessageId::try_from(facts.message_id.as_slice()).ok()?,
            scope: Scope::read(facts.scope.as_ref()?)?,
            rests_on: facts.rests_on.parse().ok()?,
            has_document: facts.has_document,
        })
    }
}

/// A sealed notice before it has a number.
pub struct Draft {
    /// Its id.
    pub message_id: MessageId,
    /// To whom it is sealed.
    pub recipient: String,
    /// The key it is sealed to.
    pub recipient_key: Fingerprint,
    /// The sealed notice.
    pub sealed: Sealed,
    /// What is kept of it.
    pub kept: Kept,
    /// What it carries of third sides' information.
    pub carries: Vec<CarriedOn>,
}

/// A notice that may leave: sealed, and without a number.
pub(crate) struct Leaving {
    pub(crate) message_id: MessageId,
    pub(crate) recipient: String,
    pub(crate) recipient_key: Fingerprint,
    pub(crate) sealed: Vec<u8>,
    pub(crate) sealed_sha256: [u8; 32],
    pub(crate) content_root: [u8; 32],
    pub(crate) facts: Facts,
    pub(crate) sealed_facts: Vec<u8>,
    pub(crate) facts_digest: Vec<u8>,
    /// `None` when the keyring holds them already.
    pub(crate) keys: Option<WrappedKeys>,
    pub(crate) actor: String,
    /// Empty where one person is enough.
    pub(crate) drafted_by: String,
    pub(crate) carries: Vec<MessageId>,
}

/// What a system may not: the role is asked here, since only here it is known what a correction is about.
fn no_system() -> Refusal {
    let reason = "corrects what takes two persons, and is drafted by one: an operator or an approver";
    Refusal::new(Code::NotAllowed, "correlates_to", reason)
}

/// The notices of which releases are carried on, each once.
pub(crate) fn carried(carries: &[CarriedOn]) -> Vec<MessageId> {
    let ids: BTreeSet<MessageId> = carries.iter().map(|carried| carried.message_id).collect();
    ids.into_iter().collect()
}

impl Exchange {
    pub(crate) fn submit(&mut self, now_ms: i64, ticket: Ticket, submission: Submission, output: &mut Output) {
        let told = match self.known(&submission).or_else(|| self.drafted(&submission)) {
            Some(known) => known,
            None if self.needs_second(&submission.subject.header) && !submission.may_bind => Told::Refused(no_system()),
            None if self.needs_second(&submission.subject.header) => {
                self.keep_draft(now_ms, submission, output).unwrap_or_else(Told::Refused)
            }
            None => self.send(now_ms, submission, output).unwrap_or_else(Told::Refused),
        };
        output.effects.push(Effect::Tell { ticket, told });
    }

    /// The answer when this registry number was sent before.
    fn known(&self, submission: &Submission) -> Option<Told> {
        let key = (
            Mailbox::Outbox,
            submission.subject.header.memorandum.clone(),
            submission.subject.header.notice_id.clone(),
        );
        let held = self.notices.get(self.numbers.get(&key)?)?;
        if held.digest.as_deref() == Some(submission.digest.as_slice()) {
            let (message_id, number) = (held.message_id, held.number);
            return Some(Told::Accepted { message_id, number, already_known: true });
        }
        let reason = "was used for another notice under this memorandum; give a changed notice a number of its own";
        Some(Told::Refused(Refusal::new(Code::IdReuse, "notice_id", reason)))
    }

    /// Whether a notice binds its side, or corrects one that does.
    fn needs_second(&self, header: &Header) -> bool {
        let corrects = || self.named(header).filter(|_| header.flow == CORRECTION);
        needs_approval(&header.flow) || corrects().is_some_and(|corrected| needs_approval(&corrected.flow))
    }

    fn send(&mut self, now_ms: i64, submission: Submission, output: &mut Output) -> Result<Told, Refusal> {
        let Submission { actor, subject, draft, .. } = submission;
        let draft = self.sealed_draft(now_ms, &subject, draft)?;
        let Kept { facts, sealed_facts, keys, .. } = draft.kept;
        let leaving = Leaving {
            message_id: draft.message_id,
            recipient: draft.recipient,
            recipient_key: draft.recipient_key,
            sealed: draft.sealed.bytes,
            sealed_sha256: draft.sealed.sha256,
            content_root: draft.sealed.content_root,
            facts,
            sealed_facts: sealed_facts.bytes,
            facts_digest: sealed_facts.digest.to_vec(),
            keys: Some(keys),
            actor,
            drafted_by: String::new(),
            carries: carried(&draft.carries),
        };
        self.leave(now_ms, &subject, leaving, output)
    }

    /// The draft of a submission that may leave. What the rules refuse is refused before what could not be sealed.
    pub(crate) fn sealed_draft(
        &self,
        now_ms: i64,
        subject: &Subject,
        draft: Result<Box<Draft>, Refusal>,
    ) -> Result<Box<Draft>, Refusal> {
        let sealed_to = draft.as_ref().ok().map(|draft| (draft.recipient.clone(), draft.recipient_key));
        self.may_leave(now_ms, subject, sealed_to.as_ref().map(|(to, key)| (to.as_str(), *key)))?;
        let draft = draft?;
        self.may_carry(now_ms, &draft.carries)?;
        Ok(draft)
    }

    /// Whether every release that a notice carries on may still be.
    pub(crate) fn may_carry(&self, now_ms: i64, carries: &[CarriedOn]) -> Result<(), Refusal> {
        for (place, carried) in carries.iter().enumerate() {
            let held = self.notices.get(&carried.message_id);
            let clause = held.and_then(|held| self.memorandum_of(held)).map_or("", Memorandum::clause_of_disclosure);
            self.may_be_carried(now_ms, carried).map_err(|reason| {
                Refusal::new(Code::OnwardNotSound, format!("onward[{place}]"), reason).under(clause)
            })?;
        }
        Ok(())
    }

    /// Whether a release still has its ground: it leaves only now, and consent may have been withdrawn, or be over. What the notice says
    /// of itself was looked at with its presentation, and does not change.
    fn may_be_carried(&self, now_ms: i64, carried: &CarriedOn) -> Result<(), String> {
        let held = self.notices.get(&carried.message_id).filter(|held| !held.erased);
        let held = held.ok_or("is of a notice that is held here no more; what was erased is carried on by nobody")?;
        if held.last_release().is_none() {
            return Err("was released by a log that lost that; release it again (`verbale disclose`)".to_owned());
        }
        let mut recorded = self.live_grounds(carried.message_id);
        match (carried.rests_on, carried.has_document) {
            (Release::Allowed(Ground::OwnInformation | Ground::AlreadyPublic), false) => return Ok(()),
            (Release::Allowed(Ground::OwnInformation), true) => {
                let is_live = recorded.any(|(_, recorded)| recorded.states_own_words(&carried.scope, now_ms));
                let ended = "has its ground no more: what two persons recorded about its words was ended, or is over";
                return if is_live { Ok(()) } else { Err(ended.to_owned()) };
            }
            _ => {}
        }
        let marks = Marks { flow: held.flow.clone(), ..Marks::default() };
        let judged = self.judge(now_ms, held, &marks, &carried.scope, &Asking::default());
        if judged.is_released() {
            return Ok(());
        }
        let (code, reason) = (judged.decision.verdict.code(), judged.decision.reason);
        Err(format!("has its ground no more: {code}, {reason}"))
    }

    /// Whether a notice may go to the node to which it is sealed, now.
    pub(crate) fn may_leave(
        &self,
        now_ms: i64,
        subject: &Subject,
        sealed_to: Option<(&str, Fingerprint)>,
    ) -> Result<(), Refusal> {
        let place = Place::Submission { own: &self.own.card.id };
        let route = check_rules(subject, &self.own.memoranda, &self.docket, place, now_ms)?;
        if self.peers.get(&route.recipient).is_some_and(Peer::is_revoked) {
            let reason =
                "has a card that its owner revoked; when it has another one, enrol that one by hand, then submit again";
            return Err(Refusal::new(Code::NotEnrolled, "to.office", reason));
        }
        // Without a recipient nothing was sealed, and that is refused by whoever asks.
        let is_present = |(to, key): (&str, Fingerprint)| {
            let recipient = self.peers.get(to).and_then(|peer| peer.card().age_recipient.parse::<Recipient>().ok());
            route.recipient == to && recipient.is_some_and(|recipient| recipient.fingerprint() == key)
        };
        if sealed_to.is_some_and(|sealed_to| !is_present(sealed_to)) {
            let reason = "its card changed since this was sealed, or is not enrolled on this node; submit again (a draft: `verbale drop` it first)";
            return Err(Refusal::new(Code::NotEnrolled, "to.office", reason));
        }
        let channel = ChannelId { peer: route.recipient, memorandum: route.memorandum.id.clone() };
        self.require_settled(&channel)?;
        if self.outgoing.get(&channel).is_some_and(|outgoing| outgoing.outstanding.len() >= OUTSTANDING_MAX) {
            let reason =
                format!("{OUTSTANDING_MAX} notices wait for the counterpart; see `verbale status`, then submit again");
            return Err(Refusal::new(Code::QueueFull, "", reason));
        }
        Ok(())
    }

    /// Numbers, chains, signs and records a notice that may leave.
    pub(crate) fn leave(
        &mut self,
        now_ms: i64,
        subject: &Subject,
        leaving: Leaving,
        output: &mut Output,
    ) -> Result<Told, Refusal> {
        let header = &subject.header;
        let memorandum = header.memorandum.clone();
        let terms_digest = self.own.memoranda.get(&memorandum).map(Memorandum::terms_digest).unwrap_or_default();
        let channel = ChannelId { peer: leaving.recipient.clone(), memorandum: memorandum.clone() };
        self.state_card(now_ms, &channel, output);
        let (number, previous) = self
            .outgoing
            .get(&channel)
            .map_or((1, verbale_evidence::StatementDigest::NONE), |o| (o.next_number(), o.last()));
        // The clock's own time, not that of the log: once the clock was ahead, the log's time stays ahead until it catches up.
        let created_ms = now_ms;
        let message_id = leaving.message_id;
        let statement = Statement {
            message_id,
            memorandum,
            terms_digest,
            flow: header.flow.clone(),
            sender: self.own.card.id.clone(),
            sender_key: self.own.card.envelope_key.fingerprint(),
            recipient: leaving.recipient,
            recipient_key: leaving.recipient_key,
            created_ms,
            not_after_ms: created_ms.saturating_add(self.own.validity_ms),
            number,
            previous,
            answers: self.answered(header),
            sealed_sha256: leaving.sealed_sha256,
            sealed_bytes: leaving.sealed.len() as u64,
            content_root: leaving.content_root,
        };
        let envelope = sign_statement(statement, &self.own.key)
            .map_err(|error| Refusal::new(Code::BadValue, "", format!("no statement can be made of it: {error}")))?;
        let envelope = Arc::new(envelope);
        let event =
            change::sent(&envelope, &leaving.facts_digest, (&leaving.actor, &leaving.drafted_by), self.dates(subject));
        let carried = leaving.carries.iter().map(|of| (*of, change::carried_on(*of, &envelope, &leaving.actor)));
        let (carried, recipient): (Vec<_>, _) = (carried.collect(), channel.peer.clone());
        let beside = Record {
            sealed: Some(leaving.sealed),
            facts: Some(leaving.sealed_facts),
            keys: leaving.keys.map(|keys| (message_id, keys)),
            ..Record::default()
        };
        let change = Change::Sent { envelope, facts: Some(Box::new(leaving.facts)), actor: leaving.actor };
        self.record(now_ms, event, change, beside, output);
        for (message_id, event) in carried {
            let change = Change::CarriedOn { message_id, recipient: recipient.clone() };
            self.record(now_ms, event, change, Record::default(), output);
        }
        self.commence(now_ms, message_id, subject, output);
        if self.waiting(&channel) == 1 {
            // Nothing waited until now, so that the next try may be far off.
            self.forget_failures(&channel);
        }
        self.wake(&channel, &mut output.effects, now_ms);
        Ok(Told::Accepted { message_id, number, already_known: false })
    }

    /// The dates in a notice on which decisions rest.
    pub(crate) fn dates(&self, subject: &Subject) -> Option<Dates> {
        let header = &subject.header;
        let offset = self.own.memoranda.get(&header.memorandum)?.utc_offset(&header.from.party);
        dates(&header.flow, &subject.particulars, offset).map(|(from_ms, until_ms)| Dates { from_ms, until_ms })
    }

    /// The notice that this one answers, where this node holds it and the counterpart does too.
    pub(crate) fn answered(&self, header: &Header) -> Option<Answers> {
        self.named(header).filter(|answered| answered.state != NoticeState::ExpiredUnanswered).map(answers)
    }

    /// The notice that this one names, whether the counterpart is known to have it or not.
    pub(crate) fn named(&self, header: &Header) -> Option<&Held> {
        let course = self.docket.course(&header.memorandum)?;
        let (key, _) = course.answered(&header.from.party, &header.flow, header.correlates_to.as_deref()?)?;
        self.notices.get(&self.numbered(&header.memorandum, &key)?)
    }

    pub(crate) fn receipt_arrived(
        &mut self,
        now_ms: i64,
        channel: &ChannelId,
        receipt: &VerifiedReceipt,
        output: &mut Output,
    ) {
        // After a receipt that contradicts another the link is given up, and what it still brings proves nothing. True
        // receipts come again when the channel is opened anew.
        if !self.link_is_open(channel) {
            return;
        }
        let waiting = self
            .outgoing
            .get(channel)
            .and_then(|outgoing| outgoing.outstanding.iter().find(|(_, waiting)| waiting.statement == receipt.about()));
        // A receipt that is held already comes again after a resend.
        let Some((number, message_id)) = waiting.map(|(number, waiting)| (*number, waiting.message_id)) else { return };
        let peer_index = receipt.index();
        if self.outgoing.get(channel).is_some_and(|outgoing| outgoing.contradicts(number, peer_index)) {
            let trouble = "a receipt puts this notice before an earlier one in the counterpart's log: was its folder restored \
                           from an old copy, or is there a second one? Nothing was logged";
            output.effects.push(Effect::ReceiptContradicts(channel.peer.clone()));
            output.effects.push(Effect::Disconnect(channel.clone()));
            self.link_failed(now_ms, (channel, self.link_generation(channel)), trouble, 0);
            return;
        }
        let is_refused = receipt.verdict().refusal_code() != "";
        if is_refused && self.carriers.contains_key(&message_id) {
            self.hold_back(now_ms, output);
        }
        let event = change::receipt(message_id, receipt);
        let verdict = receipt.verdict().refusal_code().to_owned();
        let (is_received, peer_time_ms) = (verdict.is_empty(), receipt.time_ms());
        let beside = Record { receipt: Some(receipt.bytes().to_vec()), ..Record::default() };
        self.record(now_ms, event, Change::Receipt { message_id, verdict, peer_index, peer_time_ms }, beside, output);
        if is_received {
            // Received there, on the day that it was there.
            self.end(now_ms, message_id, peer_time_ms, output);
        }
        self.link_works(channel);
        self.fill(channel, &mut output.effects, now_ms);
    }

    /// Whether what a notice carries of a third side's information has its ground no more.
    pub(crate) fn is_barred(&self, now_ms: i64, id: &MessageId) -> bool {
        let carries = self.carriers.get(id);
        carries.is_some_and(|carries| self.held_back.contains(id) || self.may_carry(now_ms, carries).is_err())
    }

    /// Notes what waits for its counterpart and goes without content, since what it carries has its ground no more.
    pub(crate) fn hold_back(&mut self, now_ms: i64, output: &mut Output) {
        // By the channel, and not by the receipt: what a counterpart lost waits again.
        let waits = |id: &MessageId| self.notices.get(id).is_some_and(|held| self.is_outstanding(held));
        let waiting = self.carriers.keys().filter(|id| !self.held_back.contains(id) && waits(id));
        let barred: Vec<MessageId> = waiting.filter(|id| self.is_barred(now_ms, id)).copied().collect();
        self.note_held_back(now_ms, barred, output);
    }

    /// Notes of own notices that what they were to carry on goes nowhere.
    pub(crate) fn note_held_back(&mut self, now_ms: i64, carriers: Vec<MessageId>, output: &mut Output) {
        for carrier in carriers {
            let Some(held) = self.notices.get(&carrier) else { continue };
            let (recipient, statement) = (held.channel.peer.clone(), held.statement);
            for message_id in self.carriers.get(&carrier).map(|carries| carried(carries)).unwrap_or_default() {
                let event = change::held_back(message_id, &recipient, statement);
                let change = Change::HeldBack { message_id, recipient: recipient.clone(), carrier: Some(carrier) };
                self.record(now_ms, event, change, Record::default(), output);
            }
        }
    }

    /// Whether a notice has no receipt yet, or not again.
    pub(crate) fn is_outstanding(&self, held: &Held) -> bool {
        let waiting = self.outgoing.get(&held.channel).and_then(|of| of.outstanding.get(&held.number));
        waiting.is_some_and(|waiting| waiting.message_id == held.message_id)
    }

    /// Notes what ran out of time. It stays outstanding: its statement must still reach the counterpart.
    pub(crate) fn expire(&mut self, now_ms: i64, output: &mut Output) {
        let out_of_time: Vec<MessageId> = self
            .outgoing
            .values()
            .flat_map(|outgoing| outgoing.outstanding.values())
            .map(|waiting| waiting.message_id)
            .filter(|id| {
                let is_over = |held: &Held| now_ms > held.not_after_ms && held.state == NoticeState::Queued;
                self.notices.get(id).is_some_and(is_over)
            })
            .take(EXPIRED_AT_ONCE)
            .collect();
        for message_id in out_of_time {
            self.record(now_ms, change::expired(message_id), Change::Expired { message_id }, Record::default(), output);
        }
    }
}

/// What a statement says of the notice that it answers.
pub(crate) fn answers(answered: &Held) -> Answers {
    Answers { message_id: answered.message_id, statement: answered.statement }
}
