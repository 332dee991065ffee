//! Notices that bind a side wait, sealed and without a number, until a second person approves them.

use std::collections::BTreeSet;

use verbale_domain::{Code, Refusal, Subject};
use verbale_evidence::MessageId;
use verbale_keys::Fingerprint;
use verbale_ledger::LogIndex;
use verbale_proto::v1::Facts;

use crate::change::{self, Change, Record};
use crate::outgoing::{CarriedOn, Leaving, Submission, carried};
use crate::own::Kept;
use crate::state::Exchange;
use crate::step::{Effect, Output, Ticket, Told};

/// Drafts that may wait: people decide about each, and each is a notice of up to 16 MiB on the disk.
const DRAFTS_MAX: usize = 1_000;

/// A draft.
#[derive(Clone)]
#[expect(missing_docs, reason = "the fields of the entry, and what the types say")]
pub struct HeldDraft {
    pub message_id: MessageId,
    pub memorandum: String,
    pub flow: String,
    pub recipient: String,
    pub recipient_key: Fingerprint,
    pub sealed_sha256: [u8; 32],
    pub sealed_bytes: u64,
    pub content_root: [u8; 32],
    pub facts_digest: Vec<u8>,
    /// Who drafted it.
    pub actor: String,
    /// The registry's own number; `None` after erasure.
    pub notice_id: Option<String>,
    /// Keyed digest of the notice.
    pub(crate) digest: Option<Vec<u8>>,
    /// Who read it: nobody approves what was never read.
    pub(crate) opened_by: BTreeSet<String>,
    /// Its entry, beside which the sealed bytes stand.
    pub index: LogIndex,
    pub time_ms: i64,
}

/// A draft that a person approves, opened again.
pub struct Approval {
    /// The notice.
    pub message_id: MessageId,
    /// Pseudonym of the person.
    pub actor: String,
    /// What the rules look at.
    pub subject: Subject,
    /// The sealed bytes.
    pub sealed: Vec<u8>,
    /// The facts.
    pub facts: Facts,
    /// The facts, encrypted.
    pub sealed_facts: Vec<u8>,
    /// What it carries of third sides' information.
    pub carries: Vec<CarriedOn>,
}

impl Exchange {
    /// Drafts that wait for a second person, oldest first.
    pub fn drafts(&self) -> impl Iterator<Item = &HeldDraft> {
        self.drafts.values()
    }

    /// The drafts with this message id or registry number: a number may be used under two memoranda.
    pub fn drafts_named(&self, id: &str) -> Vec<&HeldDraft> {
        let message_id: Option<MessageId> = id.parse().ok();
        let named = |draft: &&HeldDraft| Some(draft.message_id) == message_id || draft.notice_id.as_deref() == Some(id);
        self.drafts.values().filter(named).collect()
    }

    /// The answer when a draft with this registry number waits.
    pub(crate) fn drafted(&self, submission: &Submission) -> Option<Told> {
        let header = &submission.subject.header;
        let same_number = |draft: &&HeldDraft| {
            draft.memorandum == header.memorandum && draft.notice_id.as_deref() == Some(&header.notice_id)
        };
        let known = self.drafts.values().find(same_number)?;
        if known.digest.as_deref() == Some(submission.digest.as_slice()) {
            return Some(Told::Drafted { message_id: known.message_id, already_known: true });
        }
        let reason = "waits for approval with another notice under this number; drop that draft, or give this one a number of its own";
        Some(Told::Refused(Refusal::new(Code::IdReuse, "notice_id", reason)))
    }

    /// Keeps a notice that passed the rules until a second person approves it.
    pub(crate) fn keep_draft(
        &mut self,
        now_ms: i64,
        submission: Submission,
        output: &mut Output,
    ) -> Result<Told, Refusal> {
        let Submission { actor, subject, draft, .. } = submission;
        let draft = self.sealed_draft(now_ms, &subject, draft)?;
        if self.drafts.len() >= DRAFTS_MAX {
            let reason = format!("{DRAFTS_MAX} drafts wait for approval; approve or drop some, then submit again");
            return Err(Refusal::new(Code::QueueFull, "", reason));
        }
        let Kept { facts, sealed_facts, keys, .. } = draft.kept;
        let header = &subject.header;
        let held = HeldDraft {
            message_id: draft.message_id,
            memorandum: header.memorandum.clone(),
            flow: header.flow.clone(),
            recipient: draft.recipient,
            recipient_key: draft.recipient_key,
            sealed_sha256: draft.sealed.sha256,
            sealed_bytes: draft.sealed.bytes.len() as u64,
            content_root: draft.sealed.content_root,
            facts_digest: sealed_facts.digest.to_vec(),
            actor,
            notice_id: Some(facts.notice_id.clone()),
            digest: Some(facts.notice_digest.clone()),
            opened_by: BTreeSet::new(),
            index: LogIndex(self.size),
            time_ms: now_ms,
        };
        let beside = Record {
            sealed: Some(draft.sealed.bytes),
            facts: Some(sealed_facts.bytes),
            keys: Some((draft.message_id, keys)),
            ..Record::default()
        };
        let (event, message_id) = (change::drafted(&held), held.message_id);
        self.record(now_ms, event, Change::Drafted(Box::new(held)), beside, output);
        Ok(Told::Drafted { message_id, already_known: false })
    }

    pub(crate) fn approve(&mut self, now_ms: i64, ticket: Ticket, approval: Approval, output: &mut Output) {
        let told = self.approved(now_ms, approval, output).unwrap_or_else(Told::Refused);
        output.effects.push(Effect::Tell { ticket, told });
    }

    fn approved(&mut self, now_ms: i64, approval: Approval, output: &mut Output) -> Result<Told, Refusal> {
        let Approval { message_id, actor, subject, sealed, facts, sealed_facts, carries } = approval;
        let Some(draft) = self.drafts.get(&message_id).cloned() else { return Ok(Told::NoSuchNotice) };
        if draft.actor == actor {
            let reason = "was drafted by the same person; another one with the role approver reads and approves it";
            return Err(Refusal::new(Code::FourEyes, "", reason));
        }
        // Its number may have been another draft's a moment ago: who approves read this very one.
        if !draft.opened_by.contains(&actor) {
            let reason = format!("was not read by this person; `verbale open {message_id}` first, then approve it");
            return Err(Refusal::new(Code::NotRead, "", reason));
        }
        // The state may have changed since it was drafted.
        self.may_leave(now_ms, &subject, Some((&draft.recipient, draft.recipient_key)))?;
        self.may_carry(now_ms, &carries)?;
        let leaving = Leaving {
            message_id,
            recipient: draft.recipient,
            recipient_key: draft.recipient_key,
            sealed,
            sealed_sha256: draft.sealed_sha256,
            content_root: draft.content_root,
            facts,
            sealed_facts,
            facts_digest: draft.facts_digest,
            keys: None,
            actor,
            drafted_by: draft.actor,
            carries: carried(&carries),
        };
        self.leave(now_ms, &subject, leaving, output)
    }

    pub(crate) fn drop_draft(
        &mut self,
        now_ms: i64,
        ticket: Ticket,
        message_id: MessageId,
        actor: &str,
        output: &mut Output,
    ) {
        let told = if let Some(draft) = self.drafts.get(&message_id) {
            let index = LogIndex(self.size);
            // Nobody else was ever told of it: what it says goes.
            let erase = Effect::Erase { message_id, sealed: vec![draft.index] };
            let event = change::draft_dropped(message_id, actor);
            self.record(now_ms, event, Change::DraftDropped { message_id }, Record::default(), output);
            output.effects.push(erase);
            Told::Done(index)
        } else {
            Told::NoSuchNotice
        };
        output.effects.push(Effect::Tell { ticket, told });
    }

    /// Applies a draft.
    pub(crate) fn hold_draft(&mut self, draft: HeldDraft) -> Result<(), &'static str> {
        let taken = self.notices.contains_key(&draft.message_id);
        if taken || self.drafts.insert(draft.message_id, draft).is_some() {
            Err("its message id is taken")
        } else {
            Ok(())
        }
    }

    /// Whether an opening of a draft can be logged.
    pub(crate) fn is_draft(&self, message_id: &MessageId) -> bool {
        self.drafts.contains_key(message_id)
    }

    /// Notes who read a draft.
    pub(crate) fn draft_opened(&mut self, message_id: &MessageId, actor: String) {
        if let Some(draft) = self.drafts.get_mut(message_id) {
            draft.opened_by.insert(actor);
        }
    }
}

impl HeldDraft {
    /// What the sealed bytes must turn out to be.
    pub fn bound<'a>(&'a self, sender: &'a str) -> verbale_envelope::Bound<'a> {
        verbale_envelope::Bound {
            message_id: self.message_id,
            sender,
            recipient: &self.recipient,
            flow: &self.flow,
            memorandum: &self.memorandum,
            content_root: self.content_root,
        }
    }
}
