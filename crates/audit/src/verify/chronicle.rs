//! What must hold between entries: time, channels, chains, keys, and what each entry is about.

use std::collections::{BTreeMap, HashMap, HashSet};

use verbale_domain::Memoranda;
use verbale_domain::flow::{CONSENT_WITHDRAW, DISCLOSURE_NOTICE};
use verbale_evidence::{
    Card, MessageId, Statement, StatementDigest, UnverifiedCard, Verdict, VerifiedEnvelope, VerifiedReceipt,
};
use verbale_ledger::{Hash, LogIndex};
use verbale_proto::v1::log_entry::Event;
use verbale_proto::v1::{Configured, Genesis, ReceiptReceived};

use super::prepare::Prepared;
use super::tally::Tally;
use crate::finding::Finding;
use crate::presentation::moment;

/// Findings of one log that are kept; more are counted.
const FINDINGS_MAX: usize = 1000;

/// A notice of the log, as far as later entries ask about it.
pub(super) struct Noticed {
    pub(super) sent: bool,
    /// Refused by this node.
    pub(super) refused: bool,
    pub(super) digest: StatementDigest,
    pub(super) channel: u32,
    pub(super) flow: u16,
    pub(super) answers: Option<MessageId>,
    /// Its last release, plus one; 0: none.
    pub(super) last_release: u64,
}

/// A sent notice without receipt.
struct Outstanding {
    envelope: Vec<u8>,
    channel: u32,
    not_after_ms: i64,
}

/// A recorded ground.
pub(super) struct Grounded {
    pub(super) about: MessageId,
    pub(super) kind: String,
    pub(super) from_ms: i64,
    pub(super) until_ms: i64,
    recorded_by: String,
    pub(super) confirmed: bool,
    pub(super) ended: bool,
}

/// One direction of a channel.
#[derive(Default)]
struct Direction {
    last: Option<(u64, StatementDigest)>,
    /// Where the last receipt stands in the counterpart's log.
    receipted: Option<u64>,
    conflicts: HashSet<Vec<u8>>,
}

/// What passed between two logs, for comparing them.
#[derive(Default)]
pub(crate) struct Crossed {
    /// Statements sent: to whom, message id, entry, whether a receipt is held.
    pub(crate) sent: HashMap<StatementDigest, Sent>,
    /// Statements received or refused.
    pub(crate) taken: HashMap<StatementDigest, Taken>,
    /// Heads of counterparts that receipts carry: of which log, its size and root, the entry here, and the time of the receipt's entry there.
    pub(crate) heads: BTreeMap<(String, u64), (Hash, u64, i64)>,
    /// Times of entries: the last one.
    pub(crate) last_ms: i64,
    /// Whether the last entry is the export's own.
    pub(crate) ends_with_export: bool,
}

/// A notice that was received or refused.
pub(crate) struct Taken {
    pub(crate) from: String,
    pub(crate) message_id: MessageId,
    pub(crate) entry: u64,
    pub(crate) created_ms: i64,
}

/// A notice that was sent.
pub(crate) struct Sent {
    pub(crate) to: String,
    pub(crate) message_id: MessageId,
    pub(crate) entry: u64,
    pub(crate) channel: u32,
    pub(crate) number: u64,
    /// The entry of the counterpart's log that the receipt names.
    pub(crate) receipt: Option<u64>,
}

/// The log as read so far.
pub(crate) struct Chronicle<'m> {
    pub(super) memoranda: &'m Memoranda,
    pub(super) own: Option<Card>,
    pub(super) peers: BTreeMap<String, Card>,
    pub(super) notices: HashMap<MessageId, Noticed>,
    pub(super) drafts: HashMap<MessageId, String>,
    pub(super) grounds: HashMap<MessageId, Grounded>,
    audiences: HashMap<MessageId, String>,
    outstanding: HashMap<MessageId, Outstanding>,
    /// When the counterpart had a disclosure notice.
    pub(super) delivered: HashMap<MessageId, i64>,
    /// Grants that a withdrawal answers.
    pub(super) withdrawn: HashSet<MessageId>,
    pub(super) commenced: HashMap<String, String>,
    adopted: HashMap<String, Vec<u8>>,
    channels: Vec<(String, String)>,
    flows: Vec<String>,
    outgoing: HashMap<u32, Direction>,
    incoming: HashMap<u32, Direction>,
    configured: Option<Configured>,
    last_ms: i64,
    pub(crate) tally: Tally,
    /// Releases whose grant a withdrawal answers.
    pub(crate) tally_withdrawn: u64,
    pub(crate) findings: Vec<Finding>,
    /// Findings beyond those kept.
    pub(crate) more_findings: u64,
    pub(crate) crossed: Option<Crossed>,
}

impl<'m> Chronicle<'m> {
    pub(crate) fn new(memoranda: &'m Memoranda, crossed: bool) -> Self {
        Self {
            memoranda,
            own: None,
            peers: BTreeMap::new(),
            notices: HashMap::new(),
            drafts: HashMap::new(),
            grounds: HashMap::new(),
            audiences: HashMap::new(),
            outstanding: HashMap::new(),
            delivered: HashMap::new(),
            withdrawn: HashSet::new(),
            commenced: HashMap::new(),
            adopted: HashMap::new(),
            channels: Vec::new(),
            flows: Vec::new(),
            outgoing: HashMap::new(),
            incoming: HashMap::new(),
            configured: None,
            last_ms: i64::MIN,
            tally: Tally::default(),
            tally_withdrawn: 0,
            findings: Vec::new(),
            more_findings: 0,
            crossed: crossed.then(Crossed::default),
        }
    }

    /// The contact point whose log it is.
    pub(crate) fn id(&self) -> String {
        self.own.as_ref().map(|card| card.id.clone()).unwrap_or_default()
    }

    /// Time of the last entry.
    pub(crate) fn last_ms(&self) -> i64 {
        self.last_ms
    }

    /// Notices that wait for a receipt.
    pub(crate) fn waiting(&self) -> usize {
        self.outstanding.len()
    }

    /// The card of the log, once its first entry was read.
    pub(crate) fn own(&self) -> Option<&Card> {
        self.own.as_ref()
    }

    /// The counterparts that were enrolled.
    pub(crate) fn peers(&self) -> &BTreeMap<String, Card> {
        &self.peers
    }

    pub(crate) fn find(
        &mut self,
        code: &'static str,
        entry: impl Into<Option<u64>>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) {
        if self.findings.len() >= FINDINGS_MAX {
            self.more_findings += 1;
            return;
        }
        let (expected, found) = (expected.into(), found.into());
        self.findings.push(Finding { code, log: self.id(), entry: entry.into(), expected, found });
    }

    /// Takes the next entry.
    pub(crate) fn take(&mut self, index: u64, prepared: Prepared) {
        if !prepared.in_tile {
            self.find("TILE", index, "the hash of the entry in tile/0", "another hash");
        }
        let (time_ms, event) = match prepared.read {
            Ok(read) => read,
            Err(error) => return self.find("ENTRY_FORM", index, "a log entry", error.to_string()),
        };
        if time_ms < self.last_ms {
            let (expected, found) = (format!("a time from {} on", moment(self.last_ms)), moment(time_ms));
            self.find("TIME_BACKWARDS", index, expected, found);
        }
        self.last_ms = self.last_ms.max(time_ms);
        if let Some(crossed) = &mut self.crossed {
            crossed.last_ms = self.last_ms;
            crossed.ends_with_export = matches!(event, Event::LogExported(_));
        }
        self.tally.count(&event);
        if (index == 0) != matches!(event, Event::Genesis(_)) {
            return self.find("GENESIS", index, "a log that begins once, with its first entry", "another beginning");
        }
        if let Some(actor) = actor_of(&event)
            && let Some(configured) = &self.configured
            && !configured.persons.iter().any(|person| person.person == actor)
        {
            let actor = actor.to_owned();
            self.find("ACTOR", index, "a person of the configuration that the log names", actor);
        }
        self.event(index, time_ms, event, (prepared.envelope, prepared.receipt));
    }

    fn event(
        &mut self,
        index: u64,
        time_ms: i64,
        event: Event,
        (envelope, receipt): (
            Option<Result<VerifiedEnvelope, String>>,
            Option<Result<(Vec<u8>, VerifiedReceipt), String>>,
        ),
    ) {
        match event {
            Event::Genesis(genesis) => self.genesis(index, time_ms, genesis),
            Event::PeerEnrolled(enrolled) => self.enrolled(index, &enrolled.card),
            Event::NoticeSent(sent) => self.sent(index, time_ms, envelope, (sent.actor, sent.drafted_by)),
            Event::NoticeReceived(_) => self.taken(index, time_ms, envelope, false),
            Event::NoticeRefused(refused) => {
                if !is_code(&refused.code) {
                    self.find("REFUSAL_CODE", index, "a refusal code", "none");
                }
                self.taken(index, time_ms, envelope, true);
            }
            Event::ConflictKept(_) => self.conflict(index, envelope),
            Event::ReceiptReceived(event) => self.receipt(index, &event, receipt),
            Event::NoticeExpired(expired) => {
                let waiting = message_id(&expired.message_id).and_then(|id| self.outstanding.get(&id));
                match waiting.map(|waiting| waiting.not_after_ms) {
                    Some(not_after) if not_after > time_ms => {
                        let expected = format!("an expiry after {}", moment(not_after));
                        self.find("EXPIRED_EARLY", index, expected, moment(time_ms));
                    }
                    Some(_) => {}
                    None => self.find("UNKNOWN_NOTICE", index, "a sent notice without receipt", "none of that id"),
                }
            }
            Event::NoticeOpened(of) => {
                let known = |id| self.drafts.contains_key(&id) || self.content_of(id).is_some();
                if !message_id(&of.message_id).is_some_and(known) {
                    self.find(
                        "UNKNOWN_NOTICE",
                        index,
                        "a notice or draft that the log holds, not refused",
                        "none of that id",
                    );
                }
            }
            Event::NoticeHandedOver(of) => {
                let received = message_id(&of.message_id).and_then(|id| self.content_of(id)).is_some_and(|of| !of.sent);
                if !received {
                    self.find("UNKNOWN_NOTICE", index, "a received notice", "none of that id");
                }
            }
            Event::NoticeDrafted(of) => {
                let Some(id) = message_id(&of.message_id) else {
                    return self.find("ID", index, "a message id", "none");
                };
                if self.notices.contains_key(&id) || self.drafts.insert(id, of.actor).is_some() {
                    self.find("TWICE", index, "a message id of its own", id.to_string());
                }
            }
            Event::DraftDropped(of) => {
                if message_id(&of.message_id).and_then(|id| self.drafts.remove(&id)).is_none() {
                    self.find("UNKNOWN_NOTICE", index, "a draft that the log holds", "none of that id");
                }
            }
            Event::Disclosed(of) => self.released(index, time_ms, &of),
            Event::DisclosureDenied(of) => self.denied(index, &of),
            Event::AudienceEntered(of) => {
                drop(message_id(&of.audience_id).map(|id| self.audiences.insert(id, of.actor)))
            }
            Event::AudienceConfirmed(of) => {
                let entered_by = message_id(&of.audience_id).and_then(|id| self.audiences.get(&id)).cloned();
                self.second_person(index, entered_by.as_deref(), &of.actor);
            }
            Event::GroundRecorded(of) => {
                let ids = message_id(&of.ground_id).zip(message_id(&of.message_id));
                let Some((id, about)) = ids else {
                    return self.find("ID", index, "the ids of ground and notice", "none");
                };
                if self.content_of(about).is_none() {
                    self.find("UNKNOWN_NOTICE", index, "a notice that the log holds, not refused", about.to_string());
                }
                let (kind, from_ms, until_ms) = (of.kind, of.valid_from_ms, of.valid_until_ms);
                let recorded_by = of.actor;
                let ground = Grounded { about, kind, from_ms, until_ms, recorded_by, confirmed: false, ended: false };
                self.grounds.insert(id, ground);
            }
            Event::GroundConfirmed(of) => {
                let id = message_id(&of.ground_id);
                let recorded_by = id.and_then(|id| self.grounds.get(&id)).map(|ground| ground.recorded_by.clone());
                self.second_person(index, recorded_by.as_deref(), &of.actor);
                if let Some(ground) = id.and_then(|id| self.grounds.get_mut(&id)) {
                    ground.confirmed = true;
                }
            }
            Event::GroundEnded(of) => match message_id(&of.ground_id).and_then(|id| self.grounds.get_mut(&id)) {
                Some(ground) => ground.ended = true,
                None => self.find("UNKNOWN_GROUND", index, "a ground that the log holds", "none of that id"),
            },
            Event::MemorandumAdopted(of) => {
                let held = self.memoranda.get(&of.memorandum).map(|memorandum| memorandum.terms_digest());
                if held.is_none() {
                    self.find("MEMORANDUM", index, "the memorandum's file in the export", of.memorandum.clone());
                }
                self.adopted.insert(of.memorandum, of.terms_digest);
            }
            Event::MemorandumCommenced(of) => {
                self.named(index, &of.message_id);
                self.commenced.insert(of.memorandum, of.on);
            }
            Event::MemorandumEnds(of) => self.named(index, &of.message_id),
            Event::Configured(configured) => self.configured = Some(configured),
            Event::LogExported(_) => {}
        }
    }

    fn named(&mut self, index: u64, bytes: &[u8]) {
        if !message_id(bytes).is_some_and(|id| self.notices.contains_key(&id)) {
            self.find("UNKNOWN_NOTICE", index, "the notice that says the day", "none of that id");
        }
    }

    fn second_person(&mut self, index: u64, first: Option<&str>, second: &str) {
        match first {
            None => self.find("UNKNOWN_FIRST", index, "what a first person entered", "nothing of that id"),
            Some(first) if first == second => {
                self.find("FOUR_EYES", index, format!("another person than {first}"), second.to_owned());
            }
            Some(_) => {}
        }
    }

    fn genesis(&mut self, index: u64, time_ms: i64, genesis: Genesis) {
        match own_signed(&genesis.card) {
            Ok(card) if card.id == genesis.id && card.log_origin == genesis.origin => {
                self.valid(index, time_ms, &card);
                self.own = Some(card);
            }
            Ok(card) => self.find("GENESIS", index, format!("the card of {}", genesis.id), card.id),
            Err(error) => self.find("CARD", index, "the card of the contact point", error),
        }
    }

    fn enrolled(&mut self, index: u64, card: &[u8]) {
        match own_signed(card) {
            Ok(card) => {
                if self.peers.get(&card.id).is_some_and(|known| *known != card) {
                    self.find("KEY", index, format!("the card of {} that was enrolled before", card.id), "another one");
                }
                self.peers.insert(card.id.clone(), card);
            }
            Err(error) => self.find("CARD", index, "a counterpart's card", error),
        }
    }

    fn valid(&mut self, index: u64, time_ms: i64, card: &Card) {
        if !card.is_valid_at(time_ms) {
            let (from, until) = (moment(card.valid_from_ms), moment(card.valid_until_ms));
            let expected =
                format!("a time within the validity of card {} of {}: {from} to {until}", card.serial, card.id);
            self.find("KEY_NOT_VALID", index, expected, moment(time_ms));
        }
    }

    /// The envelope of an entry, if who it names as sender signed it with a key of its card.
    fn signed_by(
        &mut self,
        index: u64,
        time_ms: i64,
        envelope: Option<Result<VerifiedEnvelope, String>>,
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
        let card = if own { self.own.as_ref() } else { self.peers.get(&sender) }.cloned();
        let Some(card) = card.filter(|card| card.id == sender && card.envelope_key.fingerprint() == key) else {
            let expected =
                if own { "the envelope key of the log's own card" } else { "the envelope key of an enrolled card" };
            self.find("KEY", index, expected, format!("key {key}, which the statement says is {sender}'s"));
            return None;
        };
        if own {
            self.valid(index, time_ms, &card);
        }
        Some(envelope)
    }

    fn channel(&mut self, peer: &str, memorandum: &str) -> u32 {
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
    pub(super) fn content_of(&self, id: MessageId) -> Option<&Noticed> {
        self.notices.get(&id).filter(|notice| !notice.refused)
    }

    /// Number, chain and id of the next notice of a channel.
    fn next(&mut self, index: u64, own: bool, refused: bool, envelope: &VerifiedEnvelope) -> u32 {
        let statement = envelope.statement();
        let other = if own { &statement.recipient } else { &statement.sender };
        let channel = self.channel(other, &statement.memorandum);
        let direction = if own { &mut self.outgoing } else { &mut self.incoming }.entry(channel).or_default();
        let last = direction.last.replace((statement.number, envelope.digest()));
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
        if self.notices.contains_key(&statement.message_id) {
            if !refused {
                self.find("TWICE", index, "a message id of its own", statement.message_id.to_string());
            }
        } else {
            self.notices.insert(statement.message_id, noticed);
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
    }

    fn sent(
        &mut self,
        index: u64,
        time_ms: i64,
        envelope: Option<Result<VerifiedEnvelope, String>>,
        (actor, drafted_by): (String, String),
    ) {
        let Some(envelope) = self.signed_by(index, time_ms, envelope, true) else { return };
        let statement = envelope.statement().clone();
        if !self.peers.contains_key(&statement.recipient) {
            self.find("RECIPIENT", index, "an enrolled counterpart", statement.recipient.clone());
        }
        self.terms(index, &statement);
        if !drafted_by.is_empty() {
            if self.drafts.remove(&statement.message_id).as_deref() != Some(drafted_by.as_str()) {
                self.find("UNKNOWN_FIRST", index, format!("a draft of {drafted_by} in the log"), "none of that id");
            }
            self.second_person(index, Some(&drafted_by), &actor);
        }
        let channel = self.next(index, true, false, &envelope);
        if let Some(crossed) = &mut self.crossed {
            let sent = Sent {
                to: statement.recipient.clone(),
                message_id: statement.message_id,
                entry: index,
                channel,
                number: statement.number,
                receipt: None,
            };
            crossed.sent.insert(envelope.digest(), sent);
        }
        let waiting =
            Outstanding { envelope: envelope.bytes().to_vec(), channel, not_after_ms: statement.not_after_ms };
        self.outstanding.insert(statement.message_id, waiting);
    }

    fn taken(&mut self, index: u64, time_ms: i64, envelope: Option<Result<VerifiedEnvelope, String>>, refused: bool) {
        let Some(envelope) = self.signed_by(index, time_ms, envelope, false) else { return };
        let statement = envelope.statement();
        if self.own.as_ref().is_none_or(|own| own.id != statement.recipient) {
            self.find("RECIPIENT", index, "a notice to this contact point", statement.recipient.clone());
        }
        if !refused {
            self.terms(index, statement);
            if let (CONSENT_WITHDRAW, Some(answers)) = (statement.flow.as_str(), statement.answers) {
                self.withdrawn.insert(answers.message_id);
            }
        }
        self.next(index, false, refused, &envelope);
        if let Some(crossed) = &mut self.crossed {
            let taken = Taken {
                from: statement.sender.clone(),
                message_id: statement.message_id,
                entry: index,
                created_ms: statement.created_ms,
            };
            crossed.taken.insert(envelope.digest(), taken);
        }
    }

    fn conflict(&mut self, index: u64, envelope: Option<Result<VerifiedEnvelope, String>>) {
        let Some(envelope) = self.signed_by(index, self.last_ms, envelope, false) else { return };
        let statement = envelope.statement();
        let channel = self.channel(&statement.sender, &statement.memorandum);
        let direction = self.incoming.entry(channel).or_default();
        let is_used = direction.last.is_some_and(|(number, _)| statement.number <= number);
        if !is_used || !direction.conflicts.insert(envelope.bytes().to_vec()) {
            self.find("CONFLICT", index, "a second statement under a used number", "none");
        }
    }

    fn receipt(
        &mut self,
        index: u64,
        event: &ReceiptReceived,
        receipt: Option<Result<(Vec<u8>, VerifiedReceipt), String>>,
    ) {
        let Some(id) = message_id(&event.message_id) else { return self.find("ID", index, "a message id", "none") };
        let Some(waiting) = self.outstanding.remove(&id) else {
            return self.find("UNKNOWN_NOTICE", index, "a sent notice without receipt", id.to_string());
        };
        let (about, receipt) = match receipt {
            None => {
                return self.find("RECEIPT_MISSING", index, "the receipt of which the entry has the digest", "no file");
            }
            Some(Err(error)) => {
                return self.find("RECEIPT", index, "a proof under the counterpart's log key", error);
            }
            Some(Ok(verified)) => verified,
        };
        if receipt.digest() != event.receipt_digest.as_slice() {
            return self.find("RECEIPT", index, "the receipt of which the entry has the digest", "another receipt");
        }
        let peer = self.channels.get(waiting.channel as usize).map(|(peer, _)| peer.clone()).unwrap_or_default();
        let head = receipt.checkpoint().clone();
        if self.peers.get(&peer).is_none_or(|card| card.log_origin != head.origin) {
            return self.find("RECEIPT", index, format!("a receipt from the log of {peer}"), head.origin);
        }
        if about != waiting.envelope {
            return self.find(
                "RECEIPT",
                index,
                "a receipt for the notice that the entry names",
                "one for another notice",
            );
        }
        let says = (receipt.index(), receipt.verdict().refusal_code(), receipt.time_ms());
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
        if let (Some(notice), Verdict::Received) = (self.notices.get(&id), receipt.verdict())
            && self.flow_of(notice) == DISCLOSURE_NOTICE
        {
            self.delivered.insert(id, receipt.time_ms());
        }
        self.head(index, &receipt);
        let digest = self.notices.get(&id).map(|notice| notice.digest);
        if let (Some(crossed), Some(digest)) = (&mut self.crossed, digest)
            && let Some(sent) = crossed.sent.get_mut(&digest)
        {
            sent.receipt = Some(event.peer_index);
        }
    }

    /// Two receipts with heads of one size and two roots convict the counterpart.
    fn head(&mut self, index: u64, receipt: &VerifiedReceipt) {
        let head = receipt.checkpoint();
        let Some(crossed) = &mut self.crossed else { return };
        let key = (head.origin.clone(), head.size.0);
        let known = crossed.heads.entry(key).or_insert((head.root, index, receipt.time_ms()));
        if known.0 != head.root {
            let expected = format!("one root of {} at size {}", head.origin, head.size.0);
            self.find("EQUIVOCATION", index, expected, "two, both signed");
        }
    }
}

/// A card that its own card key signed.
fn own_signed(bytes: &[u8]) -> Result<Card, String> {
    let verified = UnverifiedCard::parse(bytes).and_then(|card| {
        let fingerprint = card.claimed_fingerprint()?;
        card.verify(&fingerprint)
    });
    verified.map_err(|error| error.to_string())
}

pub(super) fn message_id(bytes: &[u8]) -> Option<MessageId> {
    MessageId::try_from(bytes).ok()
}

fn is_code(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
}

/// Who did it, by pseudonym.
fn actor_of(event: &Event) -> Option<&str> {
    Some(match event {
        Event::NoticeSent(of) => &of.actor,
        Event::NoticeOpened(of) => &of.actor,
        Event::NoticeHandedOver(of) => &of.actor,
        Event::PeerEnrolled(of) => &of.actor,
        Event::NoticeDrafted(of) => &of.actor,
        Event::DraftDropped(of) => &of.actor,
        Event::Disclosed(of) => &of.actor,
        Event::DisclosureDenied(of) => &of.actor,
        Event::AudienceEntered(of) => &of.actor,
        Event::AudienceConfirmed(of) => &of.actor,
        Event::GroundRecorded(of) => &of.actor,
        Event::GroundConfirmed(of) => &of.actor,
        Event::GroundEnded(of) => &of.actor,
        Event::LogExported(of) => &of.actor,
        _ => return None,
    })
}
