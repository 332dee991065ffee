//! What must hold between entries: time, channels, chains, keys, and what each entry is about.

use std::collections::{BTreeMap, HashMap, HashSet};

use verbale_domain::civil;
use verbale_domain::flow::{COMMENCEMENT_RECORD, TERMINATION};
use verbale_domain::{Memoranda, Memorandum};
use verbale_evidence::{Card, Cards, MessageId, StatementDigest, UnverifiedCard};
use verbale_keys::Fingerprint;
use verbale_ledger::LogSize;
use verbale_proto::v1::log_entry::Event;
use verbale_proto::v1::{Configured, Genesis};

use super::crossed::{Crossing, Heads};
use super::drafts::Drafted;
use super::erasures::Erasures;
use super::noticed::{Noticed, Notices};
use super::prepare::{Prepared, ReadEnvelope, ReadReceipt};
use super::roles::{actor_of, may_act};
use super::succession::Carrying;
use super::tally::Tally;
use crate::export::Missing;
use crate::finding::{FINDINGS_MAX, Finding};
use crate::presentation::moment;

/// A sent notice without receipt.
pub(super) struct Outstanding {
    pub(super) envelope: Vec<u8>,
    pub(super) channel: u32,
    pub(super) number: u64,
    pub(super) not_after_ms: i64,
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
pub(super) struct Direction {
    pub(super) last: Option<(u64, StatementDigest)>,
    /// Where the last receipt stands in the counterpart's log.
    pub(super) receipted: Option<u64>,
    /// What the counterpart lost was sent again.
    pub(super) reopened: bool,
    /// The log, by how many were begun after it, that said last where this direction goes on.
    pub(super) resumed_in: Option<usize>,
    /// The one that sent something last.
    pub(super) used_in: Option<usize>,
    pub(super) conflicts: HashSet<Vec<u8>>,
    /// Serial of the own card that was stated, or was the own one when the first statement was sent.
    pub(super) stated: u64,
    /// The key of the last statement.
    pub(super) last_key: Option<Fingerprint>,
}

/// The log as read so far.
pub(crate) struct Chronicle<'m> {
    pub(super) memoranda: &'m Memoranda,
    /// Files of terms that the log had before.
    pub(super) earlier: &'m [Memoranda],
    pub(super) own: Option<Cards>,
    pub(super) peers: BTreeMap<String, Cards>,
    pub(super) notices: Notices,
    pub(super) drafts: HashMap<MessageId, Drafted>,
    pub(super) grounds: HashMap<MessageId, Grounded>,
    audiences: HashMap<MessageId, String>,
    /// The own card of which it was found that entries are of after it.
    over: Option<u64>,
    /// Own statements of long before their entries: the entry of the first, and how many.
    pub(crate) dated_before: Option<(u64, u64)>,
    pub(super) erasures: Erasures,
    pub(super) outstanding: HashMap<MessageId, Outstanding>,
    /// Sent notices that a copy of the log numbered, and that never left.
    pub(crate) displaced: u64,
    /// When the counterpart had a disclosure notice.
    pub(super) delivered: HashMap<MessageId, i64>,
    /// The notice that was sent last: its id, its statement, and to whom.
    pub(super) last_sent: Option<(MessageId, StatementDigest, String)>,
    /// Own notices that carry others' information on.
    pub(super) carriers: HashSet<MessageId>,
    /// What was carried on, and by which statement.
    pub(super) carried_by: HashSet<(MessageId, Vec<u8>)>,
    pub(super) commenced: HashMap<String, String>,
    /// The memorandum of which a notice recorded that day.
    pub(super) commenced_by: HashMap<MessageId, String>,
    pub(super) adopted: HashMap<String, Vec<u8>>,
    pub(super) channels: Vec<(String, String)>,
    pub(super) flows: Vec<String>,
    pub(super) outgoing: HashMap<u32, Direction>,
    pub(super) incoming: HashMap<u32, Direction>,
    configured: Option<Configured>,
    pub(super) last_ms: i64,
    pub(crate) tally: Tally,
    /// Files of receipts that were read.
    pub(crate) receipts_read: u64,
    /// Witnesses that cosigned entries of a time after their own: size, their time, that of the last entry.
    pub(crate) cosigned_before: BTreeMap<String, (u64, u64, i64)>,
    /// The dates in each grant, withdrawal and disclosure notice.
    pub(super) dates: HashMap<MessageId, (i64, i64)>,
    /// From when a withdrawal binds, by the grant.
    pub(super) withdrawn_from: HashMap<MessageId, i64>,
    /// Releases on consent or notice.
    pub(crate) by_instrument: u64,
    /// Releases by a code of which the log cannot show the ground.
    pub(crate) unshown: BTreeMap<String, u64>,
    /// Releases under terms of which the file is not there.
    pub(crate) terms_missing: u64,
    /// Decisions by versions of the rules that are not known here.
    pub(crate) later_rules: u64,
    /// What is carried over: from the log before, from the one before that, and so on.
    pub(super) carrying: Vec<Carrying>,
    /// How many logs told the present entry before, and how much later it stands here than in the first of them.
    pub(super) shift: usize,
    /// When the last entry but those that begin a log was told first.
    pub(super) told_ms: i64,
    pub(crate) findings: Vec<Finding>,
    /// Findings beyond those kept.
    pub(crate) more_findings: u64,
    /// Heads of counterparts, of receipts and those that were cosigned here.
    pub(super) heads: Heads,
    /// What is needed to compare the log with another.
    pub(super) crossing: Crossing,
}

impl<'m> Chronicle<'m> {
    /// # Errors
    /// [`Missing`].
    pub(crate) fn new(
        (memoranda, earlier): (&'m Memoranda, &'m [Memoranda]),
        size: LogSize,
        crossed: bool,
    ) -> Result<Self, Missing> {
        Ok(Self {
            memoranda,
            earlier,
            own: None,
            peers: BTreeMap::new(),
            notices: Notices::new(size)?,
            drafts: HashMap::new(),
            over: None,
            dated_before: None,
            grounds: HashMap::new(),
            audiences: HashMap::new(),
            erasures: Erasures::default(),
            outstanding: HashMap::new(),
            displaced: 0,
            delivered: HashMap::new(),
            last_sent: None,
            carriers: HashSet::new(),
            carried_by: HashSet::new(),
            commenced: HashMap::new(),
            commenced_by: HashMap::new(),
            adopted: HashMap::new(),
            channels: Vec::new(),
            flows: Vec::new(),
            outgoing: HashMap::new(),
            incoming: HashMap::new(),
            configured: None,
            last_ms: i64::MIN,
            tally: Tally::default(),
            receipts_read: 0,
            cosigned_before: BTreeMap::new(),
            dates: HashMap::new(),
            withdrawn_from: HashMap::new(),
            by_instrument: 0,
            unshown: BTreeMap::new(),
            terms_missing: 0,
            later_rules: 0,
            carrying: Vec::new(),
            shift: 0,
            told_ms: i64::MIN,
            findings: Vec::new(),
            more_findings: 0,
            heads: Heads::new(size)?,
            crossing: Crossing::new(size, crossed)?,
        })
    }

    /// The contact point whose log it is.
    pub(crate) fn id(&self) -> String {
        self.own.as_ref().map(|own| own.id().to_owned()).unwrap_or_default()
    }

    /// Time of the last entry.
    pub(crate) fn last_ms(&self) -> i64 {
        self.last_ms
    }

    /// Notices that wait for a receipt, and those of which the time was over before the log ends.
    pub(crate) fn waiting(&self) -> (usize, usize) {
        let is_over = |waiting: &&Outstanding| is_over(waiting.not_after_ms, self.last_ms);
        let over = self.outstanding.values().filter(is_over).count();
        (self.outstanding.len() - over, over)
    }

    /// The present card of the log, once its first entry was read.
    pub(crate) fn own(&self) -> Option<&Card> {
        self.own.as_ref().map(Cards::present)
    }

    /// The counterparts that were enrolled.
    pub(crate) fn peers(&self) -> &BTreeMap<String, Cards> {
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
        let (logged_ms, time_ms, event) = match prepared.read {
            Ok(told) => (told.logged_ms, told.time_ms, told.event),
            Err(error) => return self.find("ENTRY_FORM", index, "a log entry", error.to_string()),
        };
        if logged_ms < self.last_ms {
            let (expected, found) = (format!("a time from {} on", moment(self.last_ms)), moment(logged_ms));
            self.find("TIME_BACKWARDS", index, expected, found);
        }
        self.last_ms = self.last_ms.max(logged_ms);
        self.crossing.ends_with_export = matches!(event, Event::LogExported(_));
        self.tally.count(&event);
        self.receipts_read += u64::from(prepared.receipt.is_some());
        self.shift = prepared.carried.len();
        self.carried_all(index, self.shift);
        if !self.carried(index, &prepared.carried) {
            return;
        }
        if (index == self.shift as u64) != matches!(event, Event::Genesis(_)) {
            return self.find("GENESIS", index, "a log that begins once, with its first entry", "another beginning");
        }
        if time_ms < self.told_ms && self.shift > 0 && index > self.shift as u64 {
            let (expected, found) = (format!("a time from {} on", moment(self.told_ms)), moment(time_ms));
            self.find("TIME_BACKWARDS", index, expected, found);
        }
        self.told_ms = time_ms;
        self.actor(index, time_ms, &event);
        self.event(index, time_ms, event, (prepared.envelope, prepared.receipt));
    }

    /// Who did it is somebody whom the configuration lets do that.
    fn actor(&mut self, index: u64, time_ms: i64, event: &Event) {
        if let Some(acted) = actor_of(event) {
            self.acts(index, time_ms, acted);
        }
    }

    /// A person has one of the roles that are needed.
    pub(super) fn acts(&mut self, index: u64, time_ms: i64, (actor, roles): (&str, &[&str])) {
        let Some(configured) = &self.configured else {
            let expected = "an entry before it that says who may do what";
            return self.find("ACTOR", index, expected, format!("{actor}, and no such entry"));
        };
        let assigned = configured.persons.iter().find(|person| person.person == actor);
        let Some(assigned) = assigned else {
            return self.find("ACTOR", index, "a person of the configuration that the log names", actor.to_owned());
        };
        if !may_act(configured, assigned, roles, time_ms) {
            let expected = format!("a person who is {}", roles.join(" or "));
            let found = format!("{actor}, who is {}", assigned.roles.join(", "));
            self.find("ROLE", index, expected, found);
        }
    }

    fn event(&mut self, index: u64, time_ms: i64, event: Event, (envelope, receipt): (ReadEnvelope, ReadReceipt)) {
        if self.own_card().is_some_and(|own| own.revoked) {
            self.find("REVOKED", index, "no entry behind the card that takes the own keys back", "an entry");
        }
        self.own_not_over(index, time_ms, &event);
        match event {
            Event::Genesis(genesis) => {
                match self.shift {
                    0 => self.genesis(index, time_ms, &genesis),
                    _ => self.closed(index, &genesis.card),
                }
                if let Some(previous) = genesis.previous {
                    self.succeeds(index, time_ms, previous);
                }
            }
            Event::PeerEnrolled(enrolled) => self.enrolled(index, &enrolled.card),
            Event::NoticeSent(sent) => {
                self.dated((index, time_ms), envelope.as_ref(), sent.dates);
                self.sent(index, time_ms, envelope, (sent.actor, sent.drafted_by));
            }
            Event::NoticeCarriedOn(of) => self.carried_on(index, &of),
            Event::NoticeHeldBack(of) => self.held_back(index, &of),
            Event::NoticeReceived(received) => {
                self.dated((index, time_ms), envelope.as_ref(), received.dates);
                self.taken(index, time_ms, envelope, false);
            }
            Event::NoticeRefused(refused) => {
                if !is_code(&refused.code) {
                    self.find("REFUSAL_CODE", index, "a refusal code", "none");
                }
                self.taken(index, time_ms, envelope, true);
            }
            Event::ConflictKept(_) => self.conflict(index, time_ms, envelope),
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
            Event::MemorandumAdopted(of) => {
                if self.memoranda.get(&of.memorandum).is_none() {
                    self.find("MEMORANDUM", index, "the memorandum's file in the export", of.memorandum.clone());
                }
                self.adopted.insert(of.memorandum, of.terms_digest);
            }
            Event::MemorandumCommenced(of) => {
                self.named(index, &of.message_id, (COMMENCEMENT_RECORD, &of.memorandum));
                self.commenced_by.extend(message_id(&of.message_id).map(|id| (id, of.memorandum.clone())));
                let before = self.commenced.insert(of.memorandum.clone(), of.on.clone());
                if let Some(before) = before.filter(|before| *before != of.on) {
                    let expected =
                        format!("{} in force since the day that was recorded first: {before}", of.memorandum);
                    self.find("COMMENCEMENT", index, expected, of.on);
                }
            }
            Event::MemorandumEnds(of) => {
                if civil::day(&of.on).is_none() {
                    self.find("DATE", index, "the last day in force, YYYY-MM-DD", of.on.clone());
                }
                self.named(index, &of.message_id, (TERMINATION, &of.memorandum));
            }
            Event::CounterpartRotated(of) => self.rotated(index, &of.card),
            Event::OwnCardRotated(of) => self.own_rotated(index, &of.card),
            Event::ChannelResumed(of) => self.resumed(index, &of, envelope),
            Event::ChannelReopened(of) => self.reopened(index, &of),
            Event::Configured(configured) => self.configured = Some(configured),
            other => self.by_people(index, time_ms, other),
        }
    }

    /// What the counterpart refused, or never got, begins nothing.
    pub(super) fn unsaid(&mut self, id: &MessageId) {
        if let Some(memorandum) = self.commenced_by.remove(id)
            && self.commenced_by.values().all(|other| *other != memorandum)
        {
            self.commenced.remove(&memorandum);
        }
    }

    /// Whether a notice asks both sides to consult.
    fn is_consultation(&self, notice: &Noticed) -> bool {
        let of_channel = self.channels.get(notice.channel as usize);
        let memorandum = of_channel.and_then(|(_, memorandum)| self.memoranda.get(memorandum));
        memorandum.is_some_and(|memorandum| memorandum.is_consultation(self.flow_of(notice)))
    }

    /// What people did with notices.
    fn by_people(&mut self, index: u64, time_ms: i64, event: Event) {
        match event {
            Event::NoticeOpened(of) => {
                self.within(index, (&of.code, of.rules_version));
                let id = message_id(&of.message_id);
                if !id.is_some_and(|id| self.draft_read(&id, &of.actor) || self.content_of(id).is_some()) {
                    self.find(
                        "UNKNOWN_NOTICE",
                        index,
                        "a notice or draft that the log holds, neither refused nor erased",
                        "none of that id",
                    );
                }
            }
            Event::NoticeHandedOver(of) => {
                self.within(index, (&of.code, of.rules_version));
                let notice = message_id(&of.message_id).and_then(|id| self.content_of(id));
                if !notice.is_some_and(|notice| !notice.sent || self.is_consultation(&notice)) {
                    self.find("UNKNOWN_NOTICE", index, "a received notice, or an own consultation", "none of that id");
                }
            }
            Event::NoticeDrafted(of) => self.drafted(index, of),
            Event::DraftDropped(of) => {
                let dropped = message_id(&of.message_id).and_then(|id| self.drafts.remove(&id));
                if dropped.is_none() {
                    self.find("UNKNOWN_NOTICE", index, "a draft that the log holds", "none of that id");
                }
            }
            Event::Disclosed(of) => self.released(index, time_ms, &of),
            Event::DisclosureDenied(of) => self.denied(index, &of),
            Event::ErasureAsked(of) => self.erasure_asked(index, of),
            Event::ErasureDropped(of) => self.erasure_dropped(index, &of),
            Event::ContentErased(of) => self.content_erased(index, &of),
            Event::AudienceEntered(of) => {
                drop(message_id(&of.audience_id).map(|id| self.audiences.insert(id, of.actor)));
            }
            Event::AudienceConfirmed(of) => {
                let entered_by = message_id(&of.audience_id).and_then(|id| self.audiences.get(&id)).cloned();
                self.second_person(index, entered_by.as_deref(), &of.actor);
            }
            Event::AudienceEnded(of) => {
                let entered = message_id(&of.audience_id).is_some_and(|id| self.audiences.contains_key(&id));
                if !entered {
                    self.find("UNKNOWN_AUDIENCE", index, "an audience that the log holds", "none of that id");
                }
            }
            Event::GroundRecorded(of) => {
                let ids = message_id(&of.ground_id).zip(message_id(&of.message_id));
                let Some((id, about)) = ids else {
                    return self.find("ID", index, "the ids of ground and notice", "none");
                };
                if self.content_of(about).is_none() {
                    self.find(
                        "UNKNOWN_NOTICE",
                        index,
                        "a notice that the log holds, neither refused nor erased",
                        about.to_string(),
                    );
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
            _ => {}
        }
    }

    /// The notice that says a day of a memorandum.
    fn named(&mut self, index: u64, bytes: &[u8], (flow, memorandum): (&str, &str)) {
        let notice = message_id(bytes).and_then(|id| self.notices.get(&id));
        let says = |notice: &Noticed| self.flow_of(notice) == flow && self.channel_of(notice).1 == memorandum;
        if !notice.is_some_and(|notice| !notice.refused && says(&notice)) {
            let expected = format!("a notice of flow {flow} under {memorandum}, which says the day");
            self.find("UNKNOWN_NOTICE", index, expected, "none of that id");
        }
    }

    /// The memorandum files beside the log have the terms that it adopted last.
    pub(crate) fn terms_shown(&mut self) {
        let adopted = std::mem::take(&mut self.adopted);
        let shown = |id: &str| self.memoranda.get(id).map(Memorandum::terms_digest);
        let other: Vec<&String> = adopted
            .iter()
            .filter(|(id, digest)| shown(id).is_some_and(|shown| shown != ***digest))
            .map(|(id, _)| id)
            .collect();
        for id in other {
            let expected = format!("the terms of {id} that the log adopted");
            self.find("MEMORANDUM", None, expected, "a file with other terms");
        }
    }

    pub(super) fn second_person(&mut self, index: u64, first: Option<&str>, second: &str) {
        match first {
            None => self.find("UNKNOWN_FIRST", index, "what a first person entered", "nothing of that id"),
            Some(first) if first == second => {
                self.find("FOUR_EYES", index, format!("another person than {first}"), second.to_owned());
            }
            Some(_) => {}
        }
    }

    fn genesis(&mut self, index: u64, time_ms: i64, genesis: &Genesis) {
        match own_signed(&genesis.card) {
            Ok(card) if card.id == genesis.id && card.log_origin == genesis.origin => {
                self.valid(index, time_ms, not_valid(&card, time_ms));
                self.own = Some(Cards::from(card));
            }
            Ok(card) => self.find("GENESIS", index, format!("the card of {}", genesis.id), card.id),
            Err(error) => self.find("CARD", index, "the card of the contact point", error),
        }
    }

    fn enrolled(&mut self, index: u64, card: &[u8]) {
        match own_signed(card) {
            Ok(card) => match self.peers.get(&card.id).map(Cards::present) {
                None => {
                    self.learnt(index, &card);
                    self.peers.insert(card.id.clone(), Cards::from(card));
                }
                Some(known) if *known == card => {}
                Some(known) if card.card_key == known.card_key && card.serial > known.serial => {
                    self.replace(index, card);
                }
                Some(_) => {
                    let expected = format!("the card of {} that was enrolled before, or a later one", card.id);
                    self.find("KEY", index, expected, "another one");
                }
            },
            Err(error) => self.find("CARD", index, "a counterpart's card", error),
        }
    }

    /// Nothing is entered once the own card is over, but the next card; said of the first entry that was.
    fn own_not_over(&mut self, index: u64, time_ms: i64, event: &Event) {
        let card = self.own_card().map(|own| (own.serial, own.valid_until_ms));
        let Some((serial, until_ms)) = card else { return };
        let is_beginning = matches!(event, Event::Genesis(_) | Event::OwnCardRotated(_));
        let is_over = until_ms.saturating_add(civil::CLOCKS_APART_MS) < time_ms;
        if is_over && !is_beginning && self.over.replace(serial) != Some(serial) {
            let expected = format!("no entry after card {serial} of the log's owner was over: {}", moment(until_ms));
            self.find("KEY_NOT_VALID", index, expected, moment(time_ms));
        }
    }

    /// What was signed at a moment was signed while its card was valid; `expected`: [`not_valid`] of that card.
    pub(super) fn valid(&mut self, index: u64, time_ms: i64, expected: Option<String>) {
        if let Some(expected) = expected {
            self.find("KEY_NOT_VALID", index, expected, moment(time_ms));
        }
    }
}

/// What a moment outside the validity of a card should have been.
pub(super) fn not_valid(card: &Card, time_ms: i64) -> Option<String> {
    let (from, until) = (card.valid_from_ms, card.valid_until_ms);
    let of = || {
        format!(
            "a time within the validity of card {} of {}: {} to {}",
            card.serial,
            card.id,
            moment(from),
            moment(until)
        )
    };
    (!card.is_valid_at(time_ms)).then(of)
}

/// Whether the time of a notice was over, by every clock, when a log ended.
pub(crate) fn is_over(not_after_ms: i64, last_ms: i64) -> bool {
    not_after_ms != 0 && not_after_ms.saturating_add(civil::CLOCKS_APART_MS) < last_ms
}

/// A card that its own card key signed.
pub(super) fn own_signed(bytes: &[u8]) -> Result<Card, String> {
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
