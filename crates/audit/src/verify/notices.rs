//! Notices and their receipts: who signed them, where they stand in their channels, and what the counterpart's receipt says.

use std::sync::Arc;

use verbale_domain::civil;
use verbale_domain::flow::{COMMENCEMENT_RECORD, CORRECTION, DISCLOSURE_NOTICE};
use verbale_domain::needs_approval;
use verbale_evidence::{CARD_STATEMENT, Card, Cards, MessageId, Statement, StatementDigest, Verdict, VerifiedEnvelope};
use verbale_ledger::{Checkpoint, LogIndex};
use verbale_proto::v1::ReceiptReceived;

use super::chronicle::{Chronicle, Outstanding, message_id, not_valid};
use super::noticed::Noticed;
use super::prepare::{ReadEnvelope, ReadReceipt, ReceiptTold};
use super::records::{HeldHead, Sent, Taken};
use super::roles::APPROVER;
use crate::presentation::moment;

impl Chronicle<'_> {
    /// The envelope of an entry, if who it names as sender signed it with a key of its card.
    pub(super) fn signed_by(
        &mut self,
        index: u64,
        time_ms: i64,
        envelope: ReadEnvelope,
        own: bool,
    ) -> Option<VerifiedEnvelope> {
        let envelope = match envelope {
            Some(Ok(envelope)) => envelope,
            Some(Err(error)) => {
                self.find("SIGNATURE", index, "an envelope that its sender signed", error);
                return None;
            }
            None => return None,
        };
        let statement = envelope.statement();
        let (sender, key) = (statement.sender.clone(), statement.sender_key);
        let card = if own { self.own_card() } else { self.peers.get(&sender).and_then(|of| of.of_envelope_key(&key)) };
        let card = card.filter(|card| card.id == sender && card.envelope_key.fingerprint() == key);
        let Some(not_valid) = card.map(|card| not_valid(card, time_ms)) else {
            let expected = if own {
                "the envelope key of the card that the log's owner had then"
            } else {
                "the envelope key of an enrolled card"
            };
            self.find("KEY", index, expected, format!("key {key}, which the statement says is {sender}'s"));
            return None;
        };
        if own {
            self.valid(index, time_ms, not_valid);
            return Some(envelope);
        }
        self.not_revoked(index, &sender);
        self.not_over(index, &sender, (statement.created_ms, time_ms), |card| card.envelope_key.fingerprint() == key);
        let channel = self.channel(&sender, &envelope.statement().memorandum);
        let last = self.incoming.entry(channel).or_default().last_key;
        let is_before = |cards: &Cards| last.is_some_and(|last| !cards.is_not_before(&key, &last));
        if self.peers.get(&sender).is_some_and(is_before) {
            let expected = format!("no key of an earlier card of {sender} after it used a later one in this channel");
            self.find("KEY", index, expected, format!("key {key}"));
        }
        Some(envelope)
    }

    /// Nothing is taken from a counterpart that took its keys back.
    fn not_revoked(&mut self, index: u64, peer: &str) {
        if self.peers.get(peer).is_some_and(|cards| cards.present().revoked) {
            let expected = format!("nothing of {peer} before it has another card than the one that it revoked");
            self.find("REVOKED", index, expected, "a notice or a receipt");
        }
    }

    /// What a counterpart signed at a moment of its own clock, and came here at another, was signed before the card with that key was over.
    fn not_over(&mut self, index: u64, peer: &str, (signed_ms, logged_ms): (i64, i64), is_it: impl Fn(&Card) -> bool) {
        let signed_ms = signed_ms.min(logged_ms.saturating_sub(civil::CLOCKS_APART_MS));
        let since = self.peers.get(peer).and_then(|cards| cards.over_since_ms(signed_ms, is_it));
        if let Some(since) = since {
            let expected =
                format!("nothing that {peer} signed after its card with that key was over: {}", moment(since));
            self.find("KEY_NOT_VALID", index, expected, moment(signed_ms));
        }
    }

    pub(super) fn channel(&mut self, peer: &str, memorandum: &str) -> u32 {
        let is_it = |(of, under): &(String, String)| of == peer && under == memorandum;
        let at = self.channels.iter().position(is_it).unwrap_or_else(|| {
            self.channels.push((peer.to_owned(), memorandum.to_owned()));
            self.channels.len() - 1
        });
        u32::try_from(at).unwrap_or(u32::MAX)
    }

    /// Counterpart and memorandum of a channel.
    pub(super) fn channel_of(&self, notice: &Noticed) -> (&str, &str) {
        let channel = self.channels.get(notice.channel as usize);
        channel.map(|(peer, memorandum)| (peer.as_str(), memorandum.as_str())).unwrap_or_default()
    }

    /// The flow of a notice.
    pub(super) fn flow_of(&self, notice: &Noticed) -> &str {
        self.flows.get(usize::from(notice.flow)).map(String::as_str).unwrap_or_default()
    }

    /// A notice whose content is or was here.
    pub(super) fn content_of(&self, id: MessageId) -> Option<Noticed> {
        let has_content = |notice: &Noticed| !notice.refused && self.flow_of(notice) != CARD_STATEMENT;
        self.notices.get(&id).filter(has_content).filter(|_| !self.erasures.is_erased(&id))
    }

    /// Number, chain and id of the next notice of a channel.
    fn next(&mut self, index: u64, own: bool, refused: bool, envelope: &VerifiedEnvelope) -> u32 {
        let statement = envelope.statement();
        let other = if own { &statement.recipient } else { &statement.sender };
        let channel = self.channel(other, &statement.memorandum);
        let direction = if own { &mut self.outgoing } else { &mut self.incoming }.entry(channel).or_default();
        let last = direction.last.replace((statement.number, envelope.digest()));
        direction.last_key = Some(statement.sender_key);
        let (number, previous) = last.map_or((1, StatementDigest::NONE), |(number, digest)| (number + 1, digest));
        if statement.number != number {
            let found = format!("number {}", statement.number);
            self.find(
                "NUMBER",
                index,
                format!("number {number} of the channel {} {other}", statement.memorandum),
                found,
            );
        } else if statement.previous != previous {
            self.find("CHAIN", index, "the digest of the statement before it in the channel", "another digest");
        }
        let flow = self.flow(&statement.flow);
        let noticed = Noticed {
            sent: own,
            refused,
            digest: envelope.digest(),
            channel,
            flow,
            answers: statement.answers.map(|answers| answers.message_id),
            last_release: 0,
        };
        self.answered(index, statement);
        // A refused statement may name an id that is taken.
        let is_taken = !self.notices.add(&statement.message_id, &noticed);
        if is_taken && !refused {
            self.find("TWICE", index, "a message id of its own", statement.message_id.to_string());
        }
        channel
    }

    fn flow(&mut self, flow: &str) -> u16 {
        let at = self.flows.iter().position(|known| known == flow).unwrap_or_else(|| {
            self.flows.push(flow.to_owned());
            self.flows.len() - 1
        });
        u16::try_from(at).unwrap_or(u16::MAX)
    }

    fn answered(&mut self, index: u64, statement: &Statement) {
        let Some(answers) = statement.answers else { return };
        if self.notices.get(&answers.message_id).is_some_and(|notice| notice.digest != answers.statement) {
            self.find("ANSWERS", index, "the digest of the statement that it answers", "another digest");
        }
    }

    fn terms(&mut self, index: u64, statement: &Statement) {
        if self.adopted.get(&statement.memorandum).is_none_or(|adopted| **adopted != statement.terms_digest) {
            let expected = format!("the terms of {} that the log adopted", statement.memorandum);
            self.find("TERMS", index, expected, "other terms");
        }
        // Of terms that it had before the file is needed only where it matters.
        let known = self.memoranda.get(&statement.memorandum);
        let Some(known) = known.filter(|known| known.terms_digest() == statement.terms_digest) else { return };
        if ![&statement.sender, &statement.recipient].iter().all(|id| known.nodes().any(|node| node == **id)) {
            let expected = format!("two contact points of {}", statement.memorandum);
            self.find("SIDES", index, expected, format!("{} to {}", statement.sender, statement.recipient));
        }
        if statement.flow != CARD_STATEMENT && !known.has_flow(&statement.flow) {
            let expected = format!("a flow of {}", statement.memorandum);
            self.find("FLOW", index, expected, statement.flow.clone());
        }
    }

    pub(super) fn sent(
        &mut self,
        index: u64,
        time_ms: i64,
        envelope: ReadEnvelope,
        (actor, drafted_by): (String, String),
    ) {
        let Some(envelope) = self.signed_by(index, time_ms, envelope, true) else { return };
        let statement = envelope.statement().clone();
        if !self.peers.contains_key(&statement.recipient) {
            self.find("RECIPIENT", index, "an enrolled counterpart", statement.recipient.clone());
        }
        if statement.created_ms > time_ms {
            let expected = format!("a time from {} on, when it was made", moment(statement.created_ms));
            self.find("BACK_DATED", index, expected, moment(time_ms));
        }
        if statement.created_ms.saturating_add(civil::CLOCKS_APART_MS) < time_ms {
            // Once the clock was ahead the log's time stays ahead: which of the two was wrong nobody can say.
            self.dated_before.get_or_insert((index, 0)).1 += 1;
        }
        self.terms(index, &statement);
        self.own_card_stated(index, &statement, actor.is_empty());
        let corrected = statement.answers.filter(|_| statement.flow == CORRECTION);
        let corrected = corrected.and_then(|answers| self.notices.get(&answers.message_id));
        let binds = |flow: &str| needs_approval(flow);
        if (binds(&statement.flow) || corrected.is_some_and(|of| binds(self.flow_of(&of)))) && drafted_by.is_empty() {
            let expected = format!("a second person behind {}, which binds its side", statement.flow);
            self.find("FOUR_EYES", index, expected, "one person");
        }
        if statement.flow == COMMENCEMENT_RECORD {
            self.acts(index, time_ms, (&actor, APPROVER));
        }
        if !drafted_by.is_empty() {
            self.approved(index, &statement, (&actor, &drafted_by));
        }
        let channel = self.next(index, true, false, &envelope);
        self.settled(index, channel);
        if self.crossing.wanted {
            let (message_id, number) = (statement.message_id, statement.number);
            let (not_after_ms, dates) = (statement.not_after_ms, self.dates_of(&message_id));
            let (receipt, displaced) = (None, false);
            let sent = Sent { channel, message_id, number, entry: index, not_after_ms, receipt, dates, displaced };
            self.crossing.sent.put(&envelope.digest().0, &sent);
        }
        self.last_sent = Some((statement.message_id, envelope.digest(), statement.recipient.clone()));
        let (envelope, not_after_ms) = (envelope.into_bytes(), statement.not_after_ms);
        let waiting = Outstanding { envelope, channel, number: statement.number, not_after_ms };
        self.outstanding.insert(statement.message_id, waiting);
    }

    /// A later card of the own contact point is stated in each channel before anything else is sent in it.
    fn own_card_stated(&mut self, index: u64, statement: &Statement, is_by_nobody: bool) {
        let is_stated = statement.flow == CARD_STATEMENT;
        if is_by_nobody != is_stated {
            self.find("ACTOR", index, "a person who sent it, or the statement of a card", "another sender");
        }
        let is_present = || self.own_card().is_some_and(|own| own.digest() == statement.content_root);
        if is_stated && !is_present() {
            self.find("CARD_STATEMENT", index, "the card of the log's owner", "another one");
        }
        let serial = self.own().map_or(0, |own| own.serial);
        let channel = self.channel(&statement.recipient, &statement.memorandum);
        let direction = self.outgoing.entry(channel).or_default();
        if is_stated || direction.last.is_none() {
            direction.stated = serial;
        } else if direction.stated < serial {
            direction.stated = serial;
            let expected = format!("the statement of card {serial} before anything else in this channel");
            self.find("CARD_STATEMENT", index, expected, "a notice");
        }
    }

    pub(super) fn taken(&mut self, index: u64, time_ms: i64, envelope: ReadEnvelope, refused: bool) {
        let Some(envelope) = self.signed_by(index, time_ms, envelope, false) else { return };
        let statement = envelope.statement();
        if self.own.as_ref().is_none_or(|own| own.id() != statement.recipient) {
            self.find("RECIPIENT", index, "a notice to this contact point", statement.recipient.clone());
        }
        let is_told = |cards: &Cards| cards.stated(statement).is_some();
        if statement.flow == CARD_STATEMENT && !self.peers.get(&statement.sender).is_some_and(is_told) {
            self.find("CARD_STATEMENT", index, "a card of its sender that the log knows", "another one");
        }
        let apart = civil::CLOCKS_APART_MS;
        let is_notice = !refused && statement.flow != CARD_STATEMENT;
        if is_notice && statement.created_ms > time_ms.saturating_add(apart) {
            let expected =
                format!("a time from {} on, when {} made it", moment(statement.created_ms), statement.sender);
            self.find("BACK_DATED", index, expected, moment(time_ms));
        }
        if is_notice && time_ms > statement.not_after_ms.saturating_add(apart) {
            let expected = format!("a refusal: its time was over on {}", moment(statement.not_after_ms));
            self.find("RECEIVED_LATE", index, expected, format!("received on {}", moment(time_ms)));
        }
        if !refused {
            // A card counts whatever terms its owner holds.
            if statement.flow != CARD_STATEMENT {
                self.terms(index, statement);
            }
        }
        let channel = self.next(index, false, refused, &envelope);
        if self.crossing.wanted {
            let taken = self.record_of((index, channel), statement, refused);
            self.crossing.taken.put(&envelope.digest().0, &taken);
        }
    }

    /// What of a counterpart's statement is compared with its own log.
    fn record_of(&self, (entry, channel): (u64, u32), statement: &Statement, refused: bool) -> Taken {
        Taken {
            channel,
            message_id: statement.message_id,
            number: statement.number,
            entry,
            shift: u32::try_from(self.shift).unwrap_or(u32::MAX),
            created_ms: statement.created_ms,
            refused,
            dates: self.dates_of(&statement.message_id),
        }
    }

    pub(super) fn conflict(&mut self, index: u64, time_ms: i64, envelope: ReadEnvelope) {
        let Some(envelope) = self.signed_by(index, time_ms, envelope, false) else { return };
        let statement = envelope.statement();
        let channel = self.channel(&statement.sender, &statement.memorandum);
        let direction = self.incoming.entry(channel).or_default();
        let is_used = direction.last.is_some_and(|(number, _)| statement.number <= number);
        if !is_used || !direction.conflicts.insert(envelope.bytes().to_vec()) {
            return self.find("CONFLICT", index, "a second statement under a used number", "none");
        }
        if self.crossing.wanted {
            let conflict = self.record_of((index, channel), statement, false);
            self.crossing.conflicts.put(&envelope.digest().0, &conflict);
        }
    }

    pub(super) fn receipt(&mut self, index: u64, event: &ReceiptReceived, receipt: ReadReceipt) {
        let Some(id) = message_id(&event.message_id) else { return self.find("ID", index, "a message id", "none") };
        let waiting = self.outstanding.remove(&id).or_else(|| self.sent_again(id, &receipt));
        let Some(waiting) = waiting else {
            return self.find("UNKNOWN_NOTICE", index, "a sent notice without receipt", id.to_string());
        };
        let receipt = match receipt {
            None => {
                return self.find("RECEIPT_MISSING", index, "the receipt of which the entry has the digest", "no file");
            }
            Some(Err(error)) => {
                return self.find("RECEIPT", index, "a proof under the counterpart's log key", error);
            }
            Some(Ok(verified)) => verified,
        };
        if receipt.digest != event.receipt_digest.as_slice() {
            return self.find("RECEIPT", index, "the receipt of which the entry has the digest", "another receipt");
        }
        let peer = self.channels.get(waiting.channel as usize).map(|(peer, _)| peer.clone()).unwrap_or_default();
        self.not_revoked(index, &peer);
        let head = Arc::clone(&receipt.head);
        if self.peers.get(&peer).is_none_or(|cards| cards.present().log_origin != head.origin) {
            return self.find("RECEIPT", index, format!("a receipt from the log of {peer}"), head.origin.clone());
        }
        self.not_over(index, &peer, (receipt.time_ms, self.told_ms), |card| card.log_origin == head.origin);
        if receipt.envelope != waiting.envelope {
            return self.find(
                "RECEIPT",
                index,
                "a receipt for the notice that the entry names",
                "one for another notice",
            );
        }
        let says = (receipt.index, receipt.verdict.refusal_code(), receipt.time_ms);
        if says != (LogIndex(event.peer_index), event.code.as_str(), event.peer_time_ms) {
            self.find("RECEIPT", index, "what the receipt says", "another place, time or code in the entry");
        }
        let direction = self.outgoing.entry(waiting.channel).or_default();
        if direction.receipted.replace(event.peer_index).is_some_and(|before| before >= event.peer_index) {
            self.find(
                "RECEIPT_ORDER",
                index,
                "a place in the counterpart's log behind that of the receipt before",
                "one before it",
            );
        }
        if receipt.verdict != Verdict::Received {
            self.unsaid(&id);
        }
        let notice = self.notices.get(&id);
        if let (Some(notice), Verdict::Received) = (&notice, &receipt.verdict)
            && self.flow_of(notice) == DISCLOSURE_NOTICE
        {
            self.delivered.insert(id, receipt.time_ms);
        }
        self.head(index, &receipt);
        let log = self.heads.log(&head.origin);
        let sent = notice.filter(|_| self.crossing.wanted);
        let sent = sent.and_then(|notice| Some((notice, self.crossing.sent.get(&notice.digest.0)?)));
        if let Some((notice, sent)) = sent {
            let receipt = log.map(|log| (log, event.peer_index));
            self.crossing.sent.put(&notice.digest.0, &Sent { receipt, ..sent });
        }
    }

    /// A notice that has a receipt of a log which another took the place of, and was sent again.
    fn sent_again(&self, id: MessageId, receipt: &ReadReceipt) -> Option<Outstanding> {
        let notice = self.notices.get(&id).filter(|notice| notice.sent)?;
        let is_reopened = self.outgoing.get(&notice.channel).is_some_and(|direction| direction.reopened);
        let receipt = receipt.as_ref()?.as_ref().ok()?;
        let is_same = is_reopened && receipt.about == notice.digest;
        let channel = notice.channel;
        is_same.then(|| Outstanding { envelope: receipt.envelope.clone(), channel, number: 0, not_after_ms: 0 })
    }

    /// A head of a counterpart's log that was cosigned here.
    pub(super) fn counterpart_head(&mut self, id: &str, head: &Checkpoint) {
        let kept = HeldHead { root: head.root, entry: None, by_ms: self.last_ms };
        if !self.heads.hold((&head.origin, head.size), kept) {
            let expected = format!("one root of the log of {id} at size {}", head.size.0);
            self.find("EQUIVOCATION", None, expected, "two, both signed: one in a receipt, one cosigned here");
        }
    }

    /// Two receipts with heads of one size and two roots convict the counterpart.
    fn head(&mut self, index: u64, receipt: &ReceiptTold) {
        let head = &receipt.head;
        let kept = HeldHead { root: head.root, entry: Some(index), by_ms: receipt.time_ms };
        if !self.heads.hold((&head.origin, head.size), kept) {
            let expected = format!("one root of {} at size {}", head.origin, head.size.0);
            self.find("EQUIVOCATION", index, expected, "two, both signed");
        }
    }
}
