//! The state of a node, as its log makes it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use verbale_domain::Docket;
use verbale_evidence::{Cards, MessageId, StatementDigest, VerifiedEnvelope};
use verbale_keys::Fingerprint;
use verbale_ledger::LogIndex;

use crate::audience::HeldAudience;
use crate::breach::HeldBreach;
use crate::card_statement::Stated;
use crate::comparing::Comparing;
use crate::draft::HeldDraft;
use crate::erasure::HeldErasure;
use crate::ground::HeldGround;
use crate::link::Link;
use crate::outgoing::CarriedOn;
use crate::own::{Own, Peer};

/// A channel, seen from this node: the counterpart and the memorandum. Which of the two sends is said by where it is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId {
    /// The counterpart.
    pub peer: String,
    /// The memorandum.
    pub memorandum: String,
}

/// Which way a notice went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mailbox {
    /// From the counterpart.
    Inbox,
    /// To the counterpart.
    Outbox,
}

/// Where a notice stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoticeState {
    /// Sent, no receipt yet.
    Queued,
    /// Sent, and the counterpart's receipt is held.
    Delivered,
    /// Sent, and refused by the counterpart, whose receipt with this code is held.
    Refused(String),
    /// Sent; its time ran out before a receipt came. It may or may not have arrived.
    ExpiredUnanswered,
    /// Received.
    Received,
    /// Received, and handed over to the contact point's own system.
    HandedOver,
    /// Refused by this node, with this code.
    RefusedByUs(String),
    /// Numbered by a copy of the log that was put back, and never sent: the counterpart holds another statement under its number.
    Displaced,
}

/// What a log entry says of a notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Accepted for sending, by this person or system.
    Sent(String),
    /// Received.
    Received,
    /// Refused by this node, with this code.
    Refused(String),
    /// The counterpart's receipt came, with this verdict.
    Receipt(String),
    /// Read by this person.
    Opened(String),
    /// A release of it was carried on to this contact point.
    CarriedOn(String),
    /// It was to be carried on to this contact point, and has its ground no more; of the notice that was to carry it: it goes without content.
    HeldBack(String),
    /// Handed over by this person or system.
    HandedOver(String),
    /// Its time ran out.
    Expired,
    /// Released on this ground, by this person.
    Disclosed {
        /// The ground.
        code: String,
        /// The person.
        actor: String,
        /// Whether to everybody.
        published: bool,
    },
    /// A release was asked for by this person, and denied with this code.
    Denied {
        /// The code.
        code: String,
        /// The person.
        actor: String,
    },
    /// It never left, and never will: the counterpart holds another statement under its number.
    Displaced,
    /// Its content was erased, by this person.
    Erased(String),
}

/// One line of a notice's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// The entry.
    pub index: LogIndex,
    /// When, in milliseconds since 1970-01-01 UTC.
    pub time_ms: i64,
    /// What.
    pub what: What,
}

/// What a node knows of a notice without opening it.
#[derive(Clone)]
#[expect(missing_docs, reason = "the fields of the statement, and what the types say")]
pub struct Held {
    pub message_id: MessageId,
    pub mailbox: Mailbox,
    pub channel: ChannelId,
    pub flow: String,
    pub number: u64,
    pub statement: StatementDigest,
    pub sealed_bytes: u64,
    pub not_after_ms: i64,
    /// The registry's own number; `None` for refused notices and after erasure.
    pub notice_id: Option<String>,
    /// The side that sent it; `None` for refused notices and after erasure.
    pub side: Option<String>,
    /// The registry number of the notice it answers.
    pub correlates_to: Option<String>,
    /// Keyed digest of the notice.
    pub(crate) digest: Option<Vec<u8>>,
    pub state: NoticeState,
    /// Whether its content was erased.
    pub erased: bool,
    /// The entry of the draft that it was.
    pub(crate) drafted: Option<LogIndex>,
    /// Its own entry.
    pub index: LogIndex,
    pub time_ms: i64,
    /// The entry beside which the receipt stands.
    pub receipt: Option<LogIndex>,
    pub history: Vec<Happening>,
}

impl Held {
    /// The entry of its last release.
    pub(crate) fn last_release(&self) -> Option<LogIndex> {
        let is_release = |happening: &&Happening| matches!(happening.what, What::Disclosed { .. });
        self.history.iter().rev().find(is_release).map(|happening| happening.index)
    }
}

/// Numbers that a channel may have lost: what a counterpart says costs no more memory.
const MOST_LOST: usize = 10_000_000;

/// A channel to a counterpart.
#[derive(Default)]
pub(crate) struct Outgoing {
    /// Digest of each statement, by number less one.
    pub(crate) statements: Vec<StatementDigest>,
    /// Sent and without receipt.
    pub(crate) outstanding: BTreeMap<u64, Waiting>,
    /// Where each receipted number stands in the counterpart's log.
    receipted: BTreeMap<u64, LogIndex>,
    /// Serial of the own card that was stated in it, or was the own one when it began.
    pub(crate) stated: u64,
    /// The counterpart said where the channel stands, since this log took the place of another.
    pub(crate) resumed: bool,
    /// The counterpart's log took the place of another: what it lost is sent again.
    pub(crate) counterpart_began_anew: bool,
}

/// A notice without receipt.
pub(crate) struct Waiting {
    pub(crate) message_id: MessageId,
    /// Its statement.
    pub(crate) statement: StatementDigest,
    /// `None`: it stands in its entry.
    pub(crate) envelope: Option<Arc<VerifiedEnvelope>>,
}

/// A channel from a counterpart.
#[derive(Default)]
pub(crate) struct Incoming {
    /// Statement and entry of each number, by number less one.
    pub(crate) accepted: Vec<(StatementDigest, LogIndex)>,
    /// Serial of the card that was stated last.
    pub(crate) stated: u64,
    /// The key under which the last of them was signed: none of an earlier card counts after it.
    pub(crate) last_key: Option<Fingerprint>,
    /// Second statements under used numbers that are kept as evidence.
    pub(crate) conflicts: Vec<StatementDigest>,
}

/// What a registry's number is known under.
pub(crate) type NumberKey = (Mailbox, String, String);

/// The node.
pub struct Exchange {
    pub(crate) own: Own,
    /// The own cards that the log tells, and the present one.
    pub(crate) own_cards: Cards,
    pub(crate) size: u64,
    pub(crate) last_time_ms: i64,
    /// Whether the log took the place of another.
    pub(crate) succeeds: bool,
    /// When its first entry was made.
    pub(crate) began_ms: i64,
    /// Serial of the own card that the log told last.
    pub(crate) own_serial: u64,
    pub(crate) peers: BTreeMap<String, Peer>,
    pub(crate) outgoing: BTreeMap<ChannelId, Outgoing>,
    pub(crate) incoming: BTreeMap<ChannelId, Incoming>,
    pub(crate) notices: HashMap<MessageId, Held>,
    /// Card statements that were sent.
    pub(crate) stated: BTreeMap<MessageId, Stated>,
    /// Messages in the order of their entries.
    pub(crate) order: Vec<MessageId>,
    /// Registry numbers of notices that are not refused.
    pub(crate) numbers: HashMap<NumberKey, MessageId>,
    pub(crate) adopted: BTreeMap<String, [u8; 32]>,
    /// Digest of the configuration that the log told last.
    pub(crate) configured: Vec<u8>,
    /// The last export, and for whom.
    pub(crate) exported: Option<(LogIndex, String)>,
    /// What waits for a second person; message ids are in the order of time.
    pub(crate) drafts: BTreeMap<MessageId, HeldDraft>,
    /// Drafts that were given up, and their entries.
    pub(crate) dropped: BTreeMap<MessageId, LogIndex>,
    /// The directory of audiences, likewise.
    pub(crate) audiences: BTreeMap<MessageId, HeldAudience>,
    /// Grounds outside the log, likewise.
    pub(crate) grounds: BTreeMap<MessageId, HeldGround>,
    /// Third sides' information that was carried here without a ground, likewise.
    pub(crate) breaches: BTreeMap<MessageId, HeldBreach>,
    /// What sent notices carry of third sides' information.
    pub(crate) carriers: BTreeMap<MessageId, Vec<CarriedOn>>,
    /// Those of them that go without content, for what they carry has its ground no more.
    pub(crate) held_back: BTreeSet<MessageId>,
    /// Erasures, likewise.
    pub(crate) erasures: BTreeMap<MessageId, HeldErasure>,
    pub(crate) docket: Docket,
    /// The notices that recorded the day of commencement of each memorandum: the same one may be recorded again.
    pub(crate) commenced_by: BTreeMap<String, BTreeSet<MessageId>>,
    pub(crate) links: BTreeMap<ChannelId, Link>,
    pub(crate) comparing: Comparing,
    /// The entry with each counterpart's present card.
    pub(crate) card_entries: BTreeMap<String, LogIndex>,
    /// The entry of each counterpart's last receipt.
    pub(crate) last_receipts: BTreeMap<String, LogIndex>,
}

impl Exchange {
    /// A node before its first entry.
    pub fn new(own: Own) -> Self {
        Self {
            own_cards: Cards::from(own.card.clone()),
            own,
            size: 0,
            last_time_ms: i64::MIN,
            succeeds: false,
            began_ms: i64::MIN,
            own_serial: 0,
            peers: BTreeMap::new(),
            outgoing: BTreeMap::new(),
            incoming: BTreeMap::new(),
            notices: HashMap::new(),
            stated: BTreeMap::new(),
            order: Vec::new(),
            numbers: HashMap::new(),
            adopted: BTreeMap::new(),
            configured: Vec::new(),
            exported: None,
            drafts: BTreeMap::new(),
            dropped: BTreeMap::new(),
            audiences: BTreeMap::new(),
            grounds: BTreeMap::new(),
            breaches: BTreeMap::new(),
            carriers: BTreeMap::new(),
            held_back: BTreeSet::new(),
            erasures: BTreeMap::new(),
            docket: Docket::default(),
            commenced_by: BTreeMap::new(),
            links: BTreeMap::new(),
            comparing: Comparing::default(),
            card_entries: BTreeMap::new(),
            last_receipts: BTreeMap::new(),
        }
    }

    /// What the node is.
    pub fn own(&self) -> &Own {
        &self.own
    }

    /// The own cards: what was signed under an earlier one is in the log.
    pub fn own_cards(&self) -> &Cards {
        &self.own_cards
    }

    /// Serial of the own card that the log told last.
    pub fn own_serial(&self) -> u64 {
        self.own_serial
    }

    /// Number of entries, those of steps under way included.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// What both sides know under each memorandum.
    pub fn docket(&self) -> &Docket {
        &self.docket
    }

    /// Enrolled counterparts.
    pub fn peers(&self) -> &BTreeMap<String, Peer> {
        &self.peers
    }

    /// The entry with a counterpart's present card.
    pub fn card_entry(&self, peer: &str) -> Option<LogIndex> {
        self.card_entries.get(peer).copied()
    }

    /// The entry of a counterpart's last receipt.
    pub fn last_receipt(&self, peer: &str) -> Option<LogIndex> {
        self.last_receipts.get(peer).copied()
    }

    /// All notices, in the order of their entries.
    pub fn notices(&self) -> impl DoubleEndedIterator<Item = &Held> {
        self.notices_after(None)
    }

    /// Those whose entries come after one, found without a walk through the others: a contact point's own system asks this all day.
    pub fn notices_after(&self, index: Option<LogIndex>) -> impl DoubleEndedIterator<Item = &Held> {
        let is_before = |id: &MessageId| self.notices.get(id).is_some_and(|held| Some(held.index) <= index);
        let start = self.order.partition_point(is_before);
        self.order.iter().skip(start).filter_map(|id| self.notices.get(id))
    }

    /// One notice.
    pub fn notice(&self, message_id: &MessageId) -> Option<&Held> {
        self.notices.get(message_id)
    }

    /// Notices with this message id or registry number: at most one of each mailbox and memorandum.
    pub fn find(&self, id: &str) -> Vec<&Held> {
        if let Ok(message_id) = id.parse::<MessageId>() {
            return self.notices.get(&message_id).into_iter().collect();
        }
        let channels = self.outgoing.keys().chain(self.incoming.keys());
        let memoranda: BTreeSet<&String> = channels.map(|channel| &channel.memorandum).collect();
        let keys = memoranda.into_iter().flat_map(|memorandum| {
            [Mailbox::Inbox, Mailbox::Outbox].map(|mailbox| (mailbox, memorandum.clone(), id.to_owned()))
        });
        let found = keys.filter_map(|key| self.notices.get(self.numbers.get(&key)?));
        let mut held: Vec<&Held> = found.collect();
        if held.is_empty() {
            // Refused by the counterpart: its number is free again, and it is still looked for by it.
            held = self.notices().filter(|held| held.notice_id.as_deref() == Some(id)).collect();
        }
        held.sort_by_key(|held| held.index);
        held
    }

    /// Channels to counterparts: next number, notices without receipt, and the link.
    pub fn outgoing(&self) -> impl Iterator<Item = (&ChannelId, u64, u64, Option<&Link>)> {
        self.outgoing.iter().map(|(channel, outgoing)| {
            let waiting = outgoing.outstanding.len() as u64;
            (channel, outgoing.next_number(), waiting, self.links.get(channel))
        })
    }

    /// Channels from counterparts: next number expected.
    pub fn incoming(&self) -> impl Iterator<Item = (&ChannelId, u64)> {
        self.incoming.iter().map(|(channel, incoming)| (channel, incoming.next_number()))
    }
}

impl Outgoing {
    pub(crate) fn next_number(&self) -> u64 {
        self.statements.len() as u64 + 1
    }

    /// The statement under a number.
    pub(crate) fn statement(&self, number: u64) -> Option<StatementDigest> {
        self.statements.get(usize::try_from(number.checked_sub(1)?).ok()?).copied()
    }

    pub(crate) fn last(&self) -> StatementDigest {
        self.statements.last().copied().unwrap_or(StatementDigest::NONE)
    }
}

impl Outgoing {
    /// The last number whose receipt is held.
    pub(crate) fn last_receipted(&self) -> Option<u64> {
        (1..self.next_number()).rev().find(|number| !self.outstanding.contains_key(number))
    }

    /// Takes back what has no receipt, from a number on: the counterpart holds other statements there. Tells which messages.
    pub(crate) fn displace(&mut self, from: u64) -> Result<Vec<MessageId>, &'static str> {
        let kept = from.checked_sub(1).filter(|kept| *kept < self.statements.len() as u64);
        let kept = kept.ok_or("it takes back numbers that were not given")?;
        if self.last_receipted().is_some_and(|receipted| receipted >= from) {
            return Err("it takes back a number that has a receipt");
        }
        self.statements.truncate(usize::try_from(kept).unwrap_or(usize::MAX));
        Ok(self.outstanding.split_off(&from).into_values().map(|waiting| waiting.message_id).collect())
    }

    /// Goes on behind statements that the log lost: of those only the last is known.
    pub(crate) fn resume_behind(&mut self, number: u64, last: StatementDigest) {
        let before = usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
        self.statements.resize(before.min(MOST_LOST), StatementDigest::NONE);
        self.statements.push(last);
    }

    /// The counterpart's log is another one now: places in the one before say nothing about it.
    pub(crate) fn counterpart_began_anew(&mut self) {
        self.receipted.clear();
        self.counterpart_began_anew = true;
    }

    /// Whether a receipt puts a number before an earlier one, or behind a later one: a log takes the numbers of a channel in
    /// their order, so it was rolled back, or there are two of it.
    pub(crate) fn contradicts(&self, number: u64, peer_index: LogIndex) -> bool {
        let before = self.receipted.range(..number).next_back();
        let behind = self.receipted.range(number.saturating_add(1)..).next();
        before.is_some_and(|(_, index)| *index >= peer_index) || behind.is_some_and(|(_, index)| *index <= peer_index)
    }

    /// Takes note of a receipt.
    pub(crate) fn receipted(&mut self, number: u64, peer_index: LogIndex) -> Result<(), &'static str> {
        if self.contradicts(number, peer_index) {
            return Err("the order of its receipt contradicts that of another one");
        }
        self.receipted.insert(number, peer_index);
        Ok(())
    }
}

impl Incoming {
    pub(crate) fn next_number(&self) -> u64 {
        self.accepted.len() as u64 + 1
    }

    /// Statement and entry under a number.
    pub(crate) fn accepted(&self, number: u64) -> Option<(StatementDigest, LogIndex)> {
        self.accepted.get(usize::try_from(number.checked_sub(1)?).ok()?).copied()
    }

    pub(crate) fn last(&self) -> StatementDigest {
        self.accepted.last().map_or(StatementDigest::NONE, |(statement, _)| *statement)
    }
}
