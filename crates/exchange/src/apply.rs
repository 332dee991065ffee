//! The one place where state changes.

use std::sync::Arc;

use verbale_domain::civil;
use verbale_evidence::{CARD_STATEMENT, Card, Cards, MessageId, Statement, VerifiedEnvelope};
use verbale_ledger::LogIndex;
use verbale_proto::v1::Facts;

use crate::audience::HeldAudience;
use crate::breach::HeldBreach;
use crate::card_statement::Stated;
use crate::change::Change;
use crate::draft::HeldDraft;
use crate::erasure::HeldErasure;
use crate::ground::HeldGround;
use crate::outgoing::CarriedOn;
use crate::own::Peer;
use crate::state::{ChannelId, Exchange, Happening, Held, Mailbox, NoticeState, Outgoing, Waiting, What};
use crate::succession::{GoesOn, is_later};

impl Exchange {
    /// Applies a change as the next entry of the log.
    ///
    /// # Errors
    /// What does not follow from the state; possible only in a replay of a log that was changed.
    pub(crate) fn apply(&mut self, time_ms: i64, change: Change) -> Result<(), &'static str> {
        let index = LogIndex(self.size);
        match change {
            Change::Genesis { .. } if self.size != 0 => return Err("the log begins twice"),
            Change::Genesis { succeeds, card, lost } => {
                (self.succeeds, self.began_ms, self.own_serial) = (succeeds, time_ms, card.serial);
                self.own_cards.remember(*card);
                if let Some(lost) = lost {
                    self.own_cards.remember(*lost);
                }
            }
            Change::Sent { envelope, facts, actor } => {
                self.sent(envelope, facts.as_deref(), actor, (index, time_ms))?;
            }
            Change::HeldBack { message_id, recipient, carrier } => {
                let what = What::HeldBack(recipient);
                if let Some(carrier) = carrier.filter(|carrier| *carrier != message_id) {
                    self.happened(&carrier, Happening { index, time_ms, what: what.clone() })?;
                    self.held_back.insert(carrier);
                }
                self.happened(&message_id, Happening { index, time_ms, what })?;
            }
            Change::CarriedOn { message_id, recipient } => {
                self.happened(&message_id, Happening { index, time_ms, what: What::CarriedOn(recipient) })?;
            }
            Change::Received { envelope, facts } => self.received(&envelope, facts.as_deref(), (index, time_ms))?,
            Change::Refused { envelope, code, breach } => {
                self.breaches.extend(breach.map(|breach| (breach.id, HeldBreach { time_ms, ..*breach })));
                let channel = self.accept(envelope.statement(), envelope.digest(), index)?;
                let mut held = held(Mailbox::Inbox, channel, &envelope, (index, time_ms), None);
                held.state = NoticeState::RefusedByUs(code.clone());
                held.history.push(Happening { index, time_ms, what: What::Refused(code) });
                // A refused statement may name a message id that is taken: the number is consumed, the notice stays.
                if !self.notices.contains_key(&held.message_id) {
                    self.hold(held)?;
                }
            }
            Change::Conflict { envelope } => {
                let statement = envelope.statement();
                let channel = ChannelId { peer: statement.sender.clone(), memorandum: statement.memorandum.clone() };
                self.incoming.entry(channel).or_default().conflicts.push(envelope.digest());
            }
            Change::Drafted(draft) => self.hold_draft(HeldDraft { time_ms, ..*draft })?,
            Change::DraftDropped { message_id } => {
                let draft = self.drafts.remove(&message_id).ok_or("it names a draft that the log does not hold")?;
                self.dropped.insert(message_id, draft.index);
            }
            Change::Disclosed { message_id, code, actor, published } => {
                let what = What::Disclosed { code, actor, published };
                self.happened(&message_id, Happening { index, time_ms, what })?;
            }
            // A draft has no history yet: its log entry tells of it.
            Change::Denied { message_id, .. } if self.is_draft(&message_id) => {}
            Change::Denied { message_id, code, actor } => {
                self.happened(&message_id, Happening { index, time_ms, what: What::Denied { code, actor } })?;
            }
            Change::Opened { message_id, actor } if self.is_draft(&message_id) => self.draft_opened(&message_id, actor),
            Change::Opened { message_id, actor } => {
                self.happened(&message_id, Happening { index, time_ms, what: What::Opened(actor) })?;
            }
            Change::HandedOver { message_id, actor } => {
                let held = self.happened(&message_id, Happening { index, time_ms, what: What::HandedOver(actor) })?;
                if held.mailbox == Mailbox::Inbox {
                    held.state = NoticeState::HandedOver;
                }
                let (memorandum, key) = (held.channel.memorandum.clone(), held.key());
                if let Some(key) = key {
                    self.docket.handed_over(&memorandum, &key, time_ms);
                }
            }
            Change::Receipt { message_id, verdict, peer_index, peer_time_ms } => {
                self.receipt((message_id, &verdict, peer_index), peer_time_ms, (index, time_ms))?;
            }
            Change::Expired { message_id } => {
                let held = self.happened(&message_id, Happening { index, time_ms, what: What::Expired })?;
                held.state = NoticeState::ExpiredUnanswered;
            }
            Change::Enrolled { card, address } => {
                self.card_entries.insert(card.id.clone(), index);
                self.enrolled(*card, address)?;
            }
            Change::Commenced { memorandum, on, by } => {
                self.commenced_by.entry(memorandum.clone()).or_default().insert(by);
                let course = self.docket.course_mut(&memorandum);
                course.commenced_ms.get_or_insert(time_ms);
                course.commenced = Some(on);
            }
            Change::Ends { memorandum, on } => self.docket.course_mut(&memorandum).end(on),
            Change::Adopted { memorandum, digest } => {
                self.adopted.insert(memorandum, digest);
            }
            other => self.apply_beside((index, time_ms), other)?,
        }
        self.size += 1;
        self.last_time_ms = time_ms;
        Ok(())
    }

    fn sent(
        &mut self,
        envelope: Arc<VerifiedEnvelope>,
        facts: Option<&Facts>,
        actor: String,
        (index, time_ms): (LogIndex, i64),
    ) -> Result<(), &'static str> {
        let statement = envelope.statement();
        let channel = ChannelId { peer: statement.recipient.clone(), memorandum: statement.memorandum.clone() };
        let outgoing = self.outgoing.entry(channel.clone()).or_default();
        if statement.number != outgoing.next_number() || statement.previous != outgoing.last() {
            return Err("its number or its predecessor is not the next of the channel");
        }
        if outgoing.statements.is_empty() || statement.flow == CARD_STATEMENT {
            outgoing.stated = self.own_serial;
        }
        outgoing.statements.push(envelope.digest());
        if statement.flow == CARD_STATEMENT {
            return self.state(channel, envelope, index);
        }
        let mut held = held(Mailbox::Outbox, channel, &envelope, (index, time_ms), facts);
        held.history.push(Happening { index, time_ms, what: What::Sent(actor) });
        let answers = statement.answers;
        // What was a draft is a notice now.
        held.drafted = self.drafts.remove(&held.message_id).map(|draft| draft.index);
        let statement = envelope.digest();
        let waiting = Waiting { message_id: held.message_id, statement, envelope: Some(envelope) };
        outgoing.outstanding.insert(held.number, waiting);
        let carries = facts.map(|facts| facts.carries.iter().map(CarriedOn::read).collect::<Option<Vec<_>>>());
        let carries = carries.map(|carries| carries.ok_or("it carries what cannot be read")).transpose()?;
        if let Some(carries) = carries.filter(|carries| !carries.is_empty()) {
            self.carriers.insert(held.message_id, carries);
        }
        self.enter(&held, facts, answers);
        self.hold(held)
    }

    fn received(
        &mut self,
        envelope: &VerifiedEnvelope,
        facts: Option<&Facts>,
        (index, time_ms): (LogIndex, i64),
    ) -> Result<(), &'static str> {
        let channel = self.accept(envelope.statement(), envelope.digest(), index)?;
        if envelope.statement().flow == CARD_STATEMENT {
            let stated = self.peers.get(&channel.peer).and_then(|peer| peer.cards.stated(envelope.statement()));
            let serial = stated.map(|card| card.serial).ok_or("it tells of a card that the log does not hold")?;
            self.incoming.entry(channel).or_default().stated = serial;
            return Ok(());
        }
        let mut held = held(Mailbox::Inbox, channel, envelope, (index, time_ms), facts);
        held.history.push(Happening { index, time_ms, what: What::Received });
        self.enter(&held, facts, envelope.statement().answers);
        self.hold(held)
    }

    /// A card that a person enrolled: the first of a counterpart, the present one with another address, or a later one.
    fn enrolled(&mut self, card: Card, address: String) -> Result<(), &'static str> {
        let id = card.id.clone();
        match self.peers.get(&id) {
            None => {
                self.peers.insert(id, Peer { cards: Cards::from(card), address });
                return Ok(());
            }
            Some(known) if *known.card() == card => {}
            Some(_) => self.succeed(card)?,
        }
        self.peers.entry(id).and_modify(|peer| peer.address = address);
        Ok(())
    }

    /// What is not about a notice: audiences, grounds, counterparts' logs, oversight.
    fn apply_beside(&mut self, (index, time_ms): (LogIndex, i64), change: Change) -> Result<(), &'static str> {
        match change {
            Change::AudienceEntered(held) => self.hold_audience(*held)?,
            Change::AudienceConfirmed { id, actor } => {
                self.held_audience(&id)?.confirmed_by = Some(actor);
            }
            Change::AudienceEnded { id } => self.held_audience(&id)?.ended = true,
            Change::GroundRecorded(held) => {
                if self.grounds.insert(held.id, *held).is_some() {
                    return Err("its ground is there already");
                }
            }
            Change::GroundConfirmed { id, actor } => self.held_ground(&id)?.confirmed = Some((actor, time_ms)),
            Change::GroundEnded { id } => self.held_ground(&id)?.ended_ms = Some(time_ms),
            Change::ErasureAsked(held) => {
                if self.erasures.insert(held.id, HeldErasure { asked_ms: time_ms, ..*held }).is_some() {
                    return Err("its erasure is there already");
                }
            }
            Change::ErasureDropped { id, actor } => self.settled(&id, actor, (index, time_ms), false)?,
            Change::Erased { id, about, actor } => {
                self.settled(&id, actor.clone(), (index, time_ms), true)?;
                self.happened(&about, Happening { index, time_ms, what: What::Erased(actor) })?;
                self.forget(&about)?;
            }
            Change::CounterpartRotated { card } => {
                if self.peers.get(&card.id).is_some_and(Peer::is_revoked) {
                    return Err("its card takes the place of one that was revoked");
                }
                self.card_entries.insert(card.id.clone(), index);
                self.succeed(*card)?;
            }
            Change::Resumed { channel, goes_on, before } => self.resume((index, time_ms), channel, &goes_on, before)?,
            Change::Reopened { channel, from } => self.reopen(&channel, from)?,
            Change::OwnRotated { card } => {
                if card.serial <= self.own_serial {
                    return Err("its card is not a later one");
                }
                self.own_serial = card.serial;
                self.own_cards.remember(*card);
            }
            Change::OwnBefore { cards } => cards.into_iter().for_each(|card| self.own_cards.remember(card)),
            Change::Configured { digest } => self.configured = digest,
            Change::Exported { recipient } => self.exported = Some((index, recipient)),
            _ => return Err("it is of a kind that nothing applies"),
        }
        Ok(())
    }

    /// A channel goes on behind what was lost of it, or what a copy of the log numbered once more.
    fn resume(
        &mut self,
        (index, time_ms): (LogIndex, i64),
        channel: ChannelId,
        goes_on: &GoesOn,
        before: bool,
    ) -> Result<(), &'static str> {
        let outgoing = self.outgoing.entry(channel).or_default();
        let displaced = goes_on.displaced_from.map(|from| outgoing.displace(from)).transpose()?.unwrap_or_default();
        if let Some(last) = &goes_on.behind {
            if last.statement().number < outgoing.next_number() {
                return Err("it resumes a channel before its end");
            }
            outgoing.resume_behind(last.statement().number, last.digest());
        }
        if !before {
            (outgoing.stated, outgoing.resumed) = (self.own_serial, true);
        }
        for id in displaced {
            // The statement of a card says nothing but that; whoever said where the channel stands knows the present one.
            if self.stated.contains_key(&id) {
                continue;
            }
            let held = self.happened(&id, Happening { index, time_ms, what: What::Displaced })?;
            held.state = NoticeState::Displaced;
            self.unsaid(&id);
        }
        Ok(())
    }

    /// What the counterpart does not know: its number is free, and it has no part in what both sides know.
    fn unsaid(&mut self, message_id: &MessageId) {
        let Some(held) = self.notices.get(message_id) else { return };
        let memorandum = held.channel.memorandum.clone();
        if let Some(notice_id) = held.notice_id.clone() {
            let key = (Mailbox::Outbox, memorandum.clone(), notice_id);
            if self.numbers.get(&key) == Some(message_id) {
                self.numbers.remove(&key);
            }
        }
        if let Some(key) = held.key() {
            self.docket.strike(&memorandum, &key);
        }
        // Nor does it know the day that this one recorded, unless another one did too.
        let records = self.commenced_by.get_mut(&memorandum);
        if records.is_some_and(|records| records.remove(message_id) && records.is_empty()) {
            let course = self.docket.course_mut(&memorandum);
            (course.commenced, course.commenced_ms) = (None, None);
        }
    }

    /// A counterpart's later card takes the place of the one before.
    fn succeed(&mut self, card: Card) -> Result<(), &'static str> {
        let peer = self.peers.get_mut(&card.id).ok_or("it names a counterpart that was not enrolled")?;
        if !is_later(&card, peer.card()) {
            return Err("its card is not a later one of the same card key");
        }
        let began_anew = peer.card().log_origin != card.log_origin;
        peer.cards.succeed(card);
        let of_peer = |(channel, _): &(&ChannelId, &mut Outgoing)| channel.peer == peer.cards.id();
        if began_anew {
            self.outgoing.iter_mut().filter(of_peer).for_each(|(_, outgoing)| outgoing.counterpart_began_anew());
            let links = self.links.iter_mut().filter(|(channel, _)| channel.peer == peer.cards.id());
            links.for_each(|(_, link)| link.asked = false);
        }
        Ok(())
    }

    /// Takes a statement as the next of its channel, received or refused.
    fn accept(
        &mut self,
        statement: &Statement,
        digest: verbale_evidence::StatementDigest,
        index: LogIndex,
    ) -> Result<ChannelId, &'static str> {
        let channel = ChannelId { peer: statement.sender.clone(), memorandum: statement.memorandum.clone() };
        let incoming = self.incoming.entry(channel.clone()).or_default();
        if statement.number != incoming.next_number() || statement.previous != incoming.last() {
            return Err("its number or its predecessor is not the next of the channel");
        }
        incoming.accepted.push((digest, index));
        incoming.last_key = Some(statement.sender_key);
        Ok(channel)
    }

    /// Takes everything from a number on as not delivered: the counterpart lost it.
    fn reopen(&mut self, channel: &ChannelId, from: u64) -> Result<(), &'static str> {
        let outgoing = self.outgoing.get_mut(channel).ok_or("it names a channel that the log does not hold")?;
        outgoing.counterpart_began_anew = false;
        let of_channel =
            |held: &&Held| held.mailbox == Mailbox::Outbox && held.channel == *channel && held.number >= from;
        let notices = self.notices.values().filter(of_channel).map(|held| {
            (held.number, Waiting { message_id: held.message_id, statement: held.statement, envelope: None })
        });
        let stated = self.stated.iter().filter(|(_, stated)| stated.channel == *channel && stated.number >= from);
        let stated = stated.map(|(message_id, stated)| (stated.number, stated.waiting(*message_id)));
        for (number, waiting) in notices.chain(stated) {
            // Under the number of what was displaced stands another statement.
            if outgoing.statement(number) == Some(waiting.statement) {
                outgoing.outstanding.entry(number).or_insert(waiting);
            }
        }
        Ok(())
    }

    /// Takes note of a card statement that goes out.
    fn state(
        &mut self,
        channel: ChannelId,
        envelope: Arc<VerifiedEnvelope>,
        index: LogIndex,
    ) -> Result<(), &'static str> {
        let (message_id, number) = (envelope.statement().message_id, envelope.statement().number);
        let stated = Stated { channel, number, envelope, index };
        let outgoing = self.outgoing.get_mut(&stated.channel).ok_or("it names a channel that the log does not hold")?;
        outgoing.outstanding.insert(number, stated.waiting(message_id));
        if self.stated.insert(message_id, stated).is_some() { Err("its message id is taken") } else { Ok(()) }
    }

    fn hold(&mut self, held: Held) -> Result<(), &'static str> {
        if let Some(notice_id) = &held.notice_id {
            let key = (held.mailbox, held.channel.memorandum.clone(), notice_id.clone());
            self.numbers.insert(key, held.message_id);
        }
        self.order.push(held.message_id);
        if self.notices.insert(held.message_id, held).is_some() { Err("its message id is taken") } else { Ok(()) }
    }

    fn hold_audience(&mut self, held: HeldAudience) -> Result<(), &'static str> {
        // Nobody keeps a name that was never confirmed.
        if let Some(audience) = &held.audience {
            self.audiences.retain(|_, known| known.confirmed_by.is_some() || !known.is_named(&audience.name));
        }
        if self.audiences.insert(held.id, held).is_some() { Err("its audience is there already") } else { Ok(()) }
    }

    fn settled(
        &mut self,
        id: &MessageId,
        actor: String,
        (index, time_ms): (LogIndex, i64),
        done: bool,
    ) -> Result<(), &'static str> {
        let erasure = self.erasures.get_mut(id).ok_or("it names an erasure that nobody asked for")?;
        (erasure.settled, erasure.index, erasure.done) = (Some((actor, time_ms)), index, done);
        Ok(())
    }

    fn held_audience(&mut self, id: &MessageId) -> Result<&mut HeldAudience, &'static str> {
        self.audiences.get_mut(id).ok_or("it names an audience that the log does not hold")
    }

    fn held_ground(&mut self, id: &MessageId) -> Result<&mut HeldGround, &'static str> {
        self.grounds.get_mut(id).ok_or("it names a ground that the log does not hold")
    }

    fn happened(&mut self, message_id: &MessageId, happening: Happening) -> Result<&mut Held, &'static str> {
        let held = self.notices.get_mut(message_id).ok_or("it names a notice that the log does not hold")?;
        held.history.push(happening);
        Ok(held)
    }

    fn receipt(
        &mut self,
        (message_id, code, peer_index): (MessageId, &str, LogIndex),
        peer_time_ms: i64,
        (index, time_ms): (LogIndex, i64),
    ) -> Result<(), &'static str> {
        if let Some(Stated { channel, number, .. }) = self.stated.get(&message_id) {
            let outgoing = self.outgoing.get_mut(channel).ok_or("it names a channel that the log does not hold")?;
            outgoing.receipted(*number, peer_index)?;
            self.last_receipts.insert(channel.peer.clone(), index);
            return outgoing.outstanding.remove(number).map(drop).ok_or("a receipt for it is held already");
        }
        let verdict = if code.is_empty() { "RECEIVED" } else { code };
        let happening = Happening { index, time_ms, what: What::Receipt(verdict.to_owned()) };
        let held = self.happened(&message_id, happening)?;
        held.receipt = Some(index);
        held.state = match code {
            "" => NoticeState::Delivered,
            code => NoticeState::Refused(code.to_owned()),
        };
        let (number, channel, key) = (held.number, held.channel.clone(), held.key());
        if !code.is_empty() {
            self.unsaid(&message_id);
        } else if let Some(key) = key {
            // By the own clock: another's, a little ahead, is no veto. Others see the counterpart's alone, and take none that is more than that.
            let is_near = peer_time_ms <= time_ms.saturating_add(civil::CLOCK_SKEW_MS);
            self.docket.delivered(&channel.memorandum, &key, if is_near { time_ms } else { peer_time_ms });
        }
        let outgoing = self.outgoing.get_mut(&channel).ok_or("it names a channel that the log does not hold")?;
        outgoing.receipted(number, peer_index)?;
        self.last_receipts.insert(channel.peer, index);
        outgoing.outstanding.remove(&number).map(drop).ok_or("a receipt for this notice is held already")
    }
}

fn held(
    mailbox: Mailbox,
    channel: ChannelId,
    envelope: &VerifiedEnvelope,
    (index, time_ms): (LogIndex, i64),
    facts: Option<&Facts>,
) -> Held {
    let statement = envelope.statement();
    let of = |text: fn(&Facts) -> &String| facts.map(text).cloned();
    Held {
        message_id: statement.message_id,
        mailbox,
        channel,
        flow: statement.flow.clone(),
        number: statement.number,
        statement: envelope.digest(),
        sealed_bytes: statement.sealed_bytes,
        not_after_ms: statement.not_after_ms,
        notice_id: of(|facts| &facts.notice_id),
        side: of(|facts| &facts.from_side),
        correlates_to: of(|facts| &facts.correlates_to).filter(|number| !number.is_empty()),
        digest: facts.map(|facts| facts.notice_digest.clone()),
        state: match mailbox {
            Mailbox::Inbox => NoticeState::Received,
            Mailbox::Outbox => NoticeState::Queued,
        },
        erased: false,
        drafted: None,
        index,
        time_ms,
        receipt: None,
        history: Vec::new(),
    }
}
