//! What stays within the contact point: a person reads a notice, the own system takes it over. It is asked as any other way out, with the
//! own office as audience, and logged with the answer.

use verbale_domain::Course;
use verbale_domain::disclosure::{Audience, AudienceClass, Decision, Marks, Question, Scope, Verdict, decide};
use verbale_envelope::SealedFacts;
use verbale_evidence::MessageId;
use verbale_ledger::LogIndex;
use verbale_proto::v1::log_entry::Event;

use crate::change::{self, Change, Record};
use crate::state::{Exchange, Happening, Held, Mailbox, NoticeState, What};
use crate::step::{Effect, Output, Ticket, Told};

/// A notice or a draft whose content is here: its memorandum, its flow, and the side that wrote it.
type Readable = (String, String, String);

impl Exchange {
    /// A person reads a notice or a draft.
    pub(crate) fn open(
        &mut self,
        now_ms: i64,
        ticket: Ticket,
        (message_id, actor): (MessageId, String),
        facts: SealedFacts,
        output: &mut Output,
    ) {
        let told = match self.readable(&message_id) {
            None => Told::NoSuchNotice,
            Some(readable) => {
                let decision = self.within(now_ms, &readable);
                let event = change::opened(message_id, &actor, (&decision, &facts.digest));
                let change = Change::Opened { message_id, actor: actor.clone() };
                let beside = Record { facts: Some(facts.bytes), ..Record::default() };
                self.logged(
                    now_ms,
                    (message_id, actor),
                    decision,
                    (event, change, beside, facts.digest.as_slice()),
                    output,
                )
            }
        };
        output.effects.push(Effect::Tell { ticket, told });
    }

    /// The own system, or a person, takes a notice over that was received; or a person says that the consultation was held that this side asked for.
    pub(crate) fn hand_over(
        &mut self,
        now_ms: i64,
        ticket: Ticket,
        (message_id, actor): (MessageId, String),
        output: &mut Output,
    ) {
        let was_held = |held: &Held| {
            let memorandum = self.own.memoranda.get(&held.channel.memorandum);
            held.state == NoticeState::Delivered && memorandum.is_some_and(|of| of.is_consultation(&held.flow))
        };
        let held = self.notices.get(&message_id).filter(|held| held.mailbox == Mailbox::Inbox || was_held(held));
        let is_it = |happening: &&Happening| matches!(happening.what, What::HandedOver(_));
        let before = held.and_then(|held| held.history.iter().rev().find(is_it));
        let told = match (before, held.and_then(|_| self.readable(&message_id))) {
            (_, None) => Told::NoSuchNotice,
            // Handed over before: the same answer again, without a second entry.
            (Some(happening), Some(_)) => Told::Done(happening.index),
            (None, Some(readable)) => {
                let decision = self.within(now_ms, &readable);
                let event = change::handed_over(message_id, &actor, &decision);
                let change = Change::HandedOver { message_id, actor: actor.clone() };
                self.logged(now_ms, (message_id, actor), decision, (event, change, Record::default(), &[]), output)
            }
        };
        output.effects.push(Effect::Tell { ticket, told });
    }

    fn readable(&self, message_id: &MessageId) -> Option<Readable> {
        if let Some(draft) = self.drafts.get(message_id) {
            return Some((draft.memorandum.clone(), draft.flow.clone(), String::new()));
        }
        let is_there = |held: &&Held| !held.erased && !matches!(held.state, NoticeState::RefusedByUs(_));
        let held = self.notices.get(message_id).filter(is_there)?;
        Some((held.channel.memorandum.clone(), held.flow.clone(), held.side.clone().unwrap_or_default()))
    }

    /// Asks whether the own office may have the whole of a notice.
    fn within(&self, now_ms: i64, (memorandum, flow, originator): &Readable) -> Decision {
        let (held, none) = (self.own.memoranda.get(memorandum), Course::default());
        let (_, office) = held.map(|held| self.own_office(now_ms, held)).unwrap_or_default();
        // An office that moved to another node left its mail here.
        let office = if office.is_empty() { &self.own.card.id } else { office };
        let audience = Audience { class: AudienceClass::GovernmentBody, name: office.to_owned() };
        decide(&Question {
            memorandum: held,
            course: self.docket.course(memorandum).unwrap_or(&none),
            originator,
            discloser: office,
            marks: &Marks { flow: flow.clone(), ..Marks::default() },
            scope: &Scope { fields: vec!["*".to_owned()], audience, purpose: String::new() },
            territory: None,
            at_ms: now_ms,
            evidence: &[],
        })
    }

    /// Logs what was allowed, or that it was denied.
    fn logged(
        &mut self,
        now_ms: i64,
        (message_id, actor): (MessageId, String),
        decision: Decision,
        (event, change, beside, facts_digest): (Event, Change, Record, &[u8]),
        output: &mut Output,
    ) -> Told {
        let index = LogIndex(self.size);
        if let Verdict::Allow(_) = decision.verdict {
            self.record(now_ms, event, change, beside, output);
            return Told::Done(index);
        }
        let code = decision.verdict.code();
        let event = change::disclosure_denied(message_id, code, facts_digest, &actor);
        let change = Change::Denied { message_id, code: code.to_owned(), actor };
        self.record(now_ms, event, change, beside, output);
        Told::Judged { decision, released: None, conditions: Vec::new() }
    }
}
