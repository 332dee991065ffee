//! When memoranda begin and end, and the docket of what both sides know under each.

use verbale_domain::flow::{COMMENCEMENT_RECORD, TERMINATION};
use verbale_domain::{Entered, NoticeKey, Subject, civil};
use verbale_evidence::{Answers, MessageId};
use verbale_proto::v1::Facts;

use crate::change::{self, Change, Record};
use crate::state::{Exchange, Held, Mailbox};
use crate::step::Output;

impl Exchange {
    /// A notice that records the day of commencement begins the memorandum, on both sides alike.
    pub(crate) fn commence(&mut self, now_ms: i64, message_id: MessageId, subject: &Subject, output: &mut Output) {
        let memorandum = &subject.header.memorandum;
        let known = self.docket.course(memorandum).and_then(|course| course.commenced);
        let on = civil::day(&subject.particulars.effective).filter(|on| known != Some(*on));
        if let (COMMENCEMENT_RECORD, Some(on)) = (subject.header.flow.as_str(), on) {
            let event = change::commenced(memorandum, on, message_id);
            let change = Change::Commenced { memorandum: memorandum.clone(), on, by: message_id };
            self.record(now_ms, event, change, Record::default(), output);
        }
    }

    /// A termination that was received at a moment ends the memorandum, on both sides alike: months are counted from the
    /// civil date of its receiver (Kyrgyz 10, Tajik 10).
    pub(crate) fn end(&mut self, now_ms: i64, message_id: MessageId, received_ms: i64, output: &mut Output) {
        let Some(held) = self.notices.get(&message_id).filter(|held| held.flow == TERMINATION) else { return };
        let Some(memorandum) = self.own.memoranda.get(&held.channel.memorandum) else { return };
        let receiver = held.side.as_deref().and_then(|side| memorandum.other_side(side));
        let (Some(receiver), Some(months)) = (receiver, memorandum.months_to_end()) else { return };
        let received_on = civil::date_of(received_ms, memorandum.utc_offset(receiver));
        let on = civil::months_after(received_on, months);
        let event = change::ends(&memorandum.id, on, message_id);
        let change = Change::Ends { memorandum: memorandum.id.clone(), on };
        self.record(now_ms, event, change, Record::default(), output);
    }

    /// Takes an accepted notice into the docket, as far as its facts are still there.
    pub(crate) fn enter(&mut self, held: &Held, facts: Option<&Facts>, answers: Option<Answers>) {
        let Some(facts) = facts else { return };
        // What it answers may be erased, and another notice have the same number.
        let answered = answers.and_then(|answers| self.notices.get(&answers.message_id));
        let is_gone = answered.is_some_and(|answered| answered.notice_id.is_none());
        let key = NoticeKey { side: facts.from_side.clone(), number: facts.notice_id.clone() };
        let entered = Entered {
            flow: held.flow.clone(),
            correlates_to: Some(facts.correlates_to.clone()).filter(|number| !number.is_empty() && !is_gone),
            particulars: facts.particulars.clone().unwrap_or_default(),
            since_ms: held.time_ms,
            known_to_both: held.mailbox == Mailbox::Inbox,
        };
        self.docket.enter(&held.channel.memorandum, key, entered);
    }
}

impl Held {
    /// The notice as the docket names it.
    pub fn key(&self) -> Option<NoticeKey> {
        Some(NoticeKey { side: self.side.clone()?, number: self.notice_id.clone()? })
    }
}
