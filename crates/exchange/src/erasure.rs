//! Erasure of a notice's content: one person asks, another one confirms, and only then anything goes. The log keeps every entry.

use verbale_domain::flow::TERMINATION;
use verbale_domain::{Code, NoticeKey, Refusal, needed};
use verbale_envelope::{SealedFacts, WrappedKeys};
use verbale_evidence::MessageId;
use verbale_ledger::LogIndex;

use crate::change::{self, Change, Record};
use crate::state::{Exchange, Held, Mailbox, NoticeState};
use crate::step::{Effect, Output, Ticket, Told};

/// An erasure, asked for or settled.
#[derive(Clone)]
pub struct HeldErasure {
    /// Its id.
    pub id: MessageId,
    /// The notice.
    pub about: MessageId,
    /// Why, in words.
    pub reason: Option<String>,
    /// Pseudonym of who asked.
    pub asked_by: String,
    /// When, in milliseconds since 1970-01-01 UTC.
    pub asked_ms: i64,
    /// Pseudonym of who settled it, and when, likewise.
    pub settled: Option<(String, i64)>,
    /// Whether it was done.
    pub done: bool,
    /// The entry that asked for it, or settled it.
    pub index: LogIndex,
}

/// An erasure that a person asks for.
pub struct Erasing {
    /// Its id.
    pub id: MessageId,
    /// The notice.
    pub about: MessageId,
    /// Pseudonym of the person.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// The same, sealed, and the keys of that: it outlives the notice's.
    pub sealed: (SealedFacts, WrappedKeys),
}

impl Exchange {
    /// All erasures, in the order of their entries.
    pub fn erasures(&self) -> impl Iterator<Item = &HeldErasure> {
        self.erasures.values()
    }

    /// The erasure of a notice that waits for a second person.
    fn asked_erasure(&self, about: &MessageId) -> Option<&HeldErasure> {
        self.erasures.values().find(|erasure| erasure.about == *about && erasure.settled.is_none())
    }

    /// Whether a notice's content may go now.
    fn may_erase(&self, now_ms: i64, held: &Held) -> Result<(), Refusal> {
        let kept = |reason: String| Err(Refusal::new(Code::StillNeeded, "", reason));
        if held.erased {
            return Err(Refusal::new(Code::Erased, "", "is erased already"));
        }
        match held.state {
            // Its receipt says on which day the memorandum ends.
            _ if held.mailbox == Mailbox::Outbox && held.flow == TERMINATION && self.is_outstanding(held) => {
                return kept("has no receipt yet, which says when the memorandum ends".to_owned());
            }
            NoticeState::Queued => {
                return kept("is not delivered yet; it can be erased when its receipt is here".to_owned());
            }
            NoticeState::Received => {
                return kept("was not handed over yet; `verbale ack` it when those concerned have it".to_owned());
            }
            _ => {}
        }
        if let Some((id, _)) = self.live_grounds(held.message_id).next() {
            return kept(format!("has the recorded ground {id}, which counts; `verbale ground end {id}` first"));
        }
        let memorandum = self.own.memoranda.get(&held.channel.memorandum);
        let course = self.docket.course(&held.channel.memorandum);
        let reason = memorandum.zip(course).zip(self.docketed(held)).and_then(|((memorandum, course), key)| {
            let (own, _) = self.own_office(now_ms, memorandum);
            needed(memorandum, course, &key, (own, now_ms))
        });
        reason.map_or(Ok(()), |reason| kept(format!("is still needed: {reason}")))
    }

    /// What the docket knows a notice under: its number, unless that is another notice's since it was refused.
    fn docketed(&self, held: &Held) -> Option<NoticeKey> {
        let number = (held.mailbox, held.channel.memorandum.clone(), held.notice_id.clone()?);
        held.key().filter(|_| self.numbers.get(&number) == Some(&held.message_id))
    }

    /// The notice, if it has content.
    fn with_content(&self, id: &MessageId) -> Option<&Held> {
        self.notices.get(id).filter(|held| !matches!(held.state, NoticeState::RefusedByUs(_)))
    }

    pub(crate) fn ask_erasure(&mut self, now_ms: i64, ticket: Ticket, erasing: Erasing, output: &mut Output) {
        let told = match self.with_content(&erasing.about) {
            None => Told::NoSuchNotice,
            Some(held) => match self.may_erase(now_ms, held) {
                Err(refusal) => Told::Refused(refusal),
                Ok(()) if self.asked_erasure(&erasing.about).is_some() => {
                    let reason = "waits for a second person already; `verbale erase ID` shows who asked and why";
                    Told::Refused(Refusal::new(Code::BadValue, "", reason))
                }
                Ok(()) => self.asked(now_ms, erasing, output),
            },
        };
        output.effects.push(Effect::Tell { ticket, told });
    }

    fn asked(&mut self, now_ms: i64, erasing: Erasing, output: &mut Output) -> Told {
        let Erasing { id, about, actor, reason, sealed: (sealed, keys) } = erasing;
        let index = LogIndex(self.size);
        let event = change::erasure_asked((id, about), &sealed.digest, &actor);
        let held = HeldErasure {
            id,
            about,
            reason: Some(reason),
            asked_by: actor,
            asked_ms: now_ms,
            settled: None,
            done: false,
            index,
        };
        let beside = Record { facts: Some(sealed.bytes), keys: Some((id, keys)), ..Record::default() };
        self.record(now_ms, event, Change::ErasureAsked(Box::new(held)), beside, output);
        Told::Done(index)
    }

    /// Erases what another person asked to erase, or gives that up.
    pub(crate) fn settle_erasure(
        &mut self,
        now_ms: i64,
        ticket: Ticket,
        (about, actor, confirm): (MessageId, String, bool),
        output: &mut Output,
    ) {
        let refused = |code, reason: &str| Told::Refused(Refusal::new(code, "", reason));
        let asked = self.asked_erasure(&about).map(|asked| (asked.id, asked.asked_by == actor));
        let allowed = self.with_content(&about).map(|held| self.may_erase(now_ms, held));
        let told = match (asked, allowed) {
            (_, None) => Told::NoSuchNotice,
            (None, Some(_)) => {
                refused(Code::BadValue, "has no erasure that waits; `verbale erase ID --reason` asks for one")
            }
            (Some((id, _)), _) if !confirm => {
                let index = LogIndex(self.size);
                let event = change::erasure_dropped(id, &actor);
                self.record(now_ms, event, Change::ErasureDropped { id, actor }, Record::default(), output);
                Told::Done(index)
            }
            (Some((_, true)), _) => refused(
                Code::FourEyes,
                "was asked to be erased by the same person; another one with the role approver reads the reason and confirms",
            ),
            // The state may have changed since it was asked for.
            (Some(_), Some(Err(refusal))) => Told::Refused(refusal),
            (Some((id, false)), Some(Ok(()))) => {
                let index = LogIndex(self.size);
                let event = change::content_erased((id, about), &actor);
                self.record(now_ms, event, Change::Erased { id, about, actor }, Record::default(), output);
                output.effects.extend(self.notices.get(&about).map(erase));
                Told::Done(index)
            }
        };
        output.effects.push(Effect::Tell { ticket, told });
    }

    /// What an end of the node may have cut off is asked again at the start: it changes nothing where all is erased.
    pub(crate) fn erase_again(&self, output: &mut Output) {
        let done = self.erasures.values().filter(|erasure| erasure.done);
        output.effects.extend(done.filter_map(|erasure| self.notices.get(&erasure.about)).map(erase));
        let dropped = self.dropped.iter();
        output
            .effects
            .extend(dropped.map(|(message_id, index)| Effect::Erase { message_id: *message_id, sealed: vec![*index] }));
    }

    /// A notice whose facts are gone though nobody erased it: keys are missing.
    pub fn without_facts(&self) -> Option<&Held> {
        let has_facts = |held: &Held| held.notice_id.is_some() || matches!(held.state, NoticeState::RefusedByUs(_));
        self.notices().find(|held| !has_facts(held) && !held.erased)
    }

    /// Forgets what the notice's facts said. A start without those facts ends in the same state.
    pub(crate) fn forget(&mut self, id: &MessageId) -> Result<(), &'static str> {
        let key = self.notices.get(id).and_then(|held| self.docketed(held));
        let held = self.notices.get_mut(id).ok_or("it names a notice that the log does not hold")?;
        held.erased = true;
        self.carriers.remove(id);
        self.held_back.remove(id);
        let (mailbox, memorandum) = (held.mailbox, held.channel.memorandum.clone());
        (held.side, held.correlates_to, held.digest) = (None, None, None);
        if let Some(number) = held.notice_id.take() {
            let number = (mailbox, memorandum.clone(), number);
            if self.numbers.get(&number) == Some(id) {
                self.numbers.remove(&number);
            }
        }
        if let Some(key) = key {
            self.docket.erase(&memorandum, &key);
        }
        for ground in self.grounds.values_mut().filter(|ground| ground.about == *id) {
            ground.recorded = None;
            ground.reasons_to_withhold.clear();
        }
        Ok(())
    }
}

/// The sealed bytes of a notice stand beside its entry, and, where it was a draft, beside that of the draft.
fn erase(held: &Held) -> Effect {
    Effect::Erase { message_id: held.message_id, sealed: held.drafted.into_iter().chain([held.index]).collect() }
}
