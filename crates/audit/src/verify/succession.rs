//! A log that took the place of another, cards that follow each other, and channels that went on behind what was lost.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde_json::{Value, json};
use verbale_evidence::{CARD_STATEMENT, Card, Cards, MessageId, log_number};
use verbale_keys::{Fingerprint, Vkey};
use verbale_ledger::{Checkpoint, Frontier, Hash, Note};
use verbale_proto::v1::{ChannelReopened, ChannelResumed, PreviousLog};

use super::chronicle::{Chronicle, Outstanding, own_signed};
use super::crossed::LostNumbers;
use super::prepare::ReadEnvelope;
use super::records::Sent;
use crate::presentation::moment;

/// Where a log took the place of another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Break {
    /// Origin of the log that was closed.
    pub closed: String,
    /// Entries of it that are held, and carried over.
    pub held: u64,
    /// The most entries of it of which others hold a head that it signed.
    pub known: u64,
    /// When, in milliseconds since 1970-01-01 UTC.
    pub at_ms: i64,
    /// Origin of a later log of which nothing is held.
    pub lost: Option<String>,
    /// Size of the first head that others know, and to which what is held does not lead: a copy went on by itself.
    pub parted_at: Option<u64>,
}

/// What was carried over so far from one of the logs before.
pub(super) struct Carrying {
    at: Break,
    root: Hash,
    frontier: Frontier,
    heads: Vec<String>,
    /// Their roots, by size.
    roots: BTreeMap<u64, Hash>,
    /// The cards of the log that was closed, the present one being its last.
    card: Option<Cards>,
    /// The last card of before of which nothing else is held.
    lost: Option<Card>,
    ended: bool,
}

impl Carrying {
    /// Takes the next entry.
    fn append(&mut self, leaf: Hash) {
        self.frontier.append(leaf);
        let size = self.frontier.size().0;
        if self.roots.get(&size).is_some_and(|root| *root != self.frontier.root()) {
            self.at.parted_at.get_or_insert(size);
        }
    }

    /// Cards of the own contact point that only logs before this one tell of.
    pub(super) fn cards(&self) -> impl Iterator<Item = &Card> {
        self.card.iter().flat_map(Cards::all).chain(&self.lost)
    }
}

impl Break {
    /// Whether the log says that others know something else than it holds.
    pub(crate) fn tells_a_loss(&self) -> bool {
        self.known > self.held || self.parted_at.is_some()
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "closed": self.closed, "held": self.held, "known": self.known, "at": moment(self.at_ms), "lost": self.lost,
            "parted_at": self.parted_at,
        })
    }

    pub(super) fn to_text(&self) -> String {
        let lost = self.lost.as_ref().map(|lost| format!("; {lost}, which was begun after it, was lost whole"));
        let known = match self.known {
            0 => "how many others know, it does not tell".to_owned(),
            known if self.parted_at.is_some() => {
                format!(
                    "others know {known} of another copy, to which these do not lead: what only that one held was lost"
                )
            }
            known => format!("others know {known}: {} were lost", known.saturating_sub(self.held)),
        };
        format!(
            "{} was closed on {} with {} entries held, which are carried over; {known}{}",
            self.closed,
            moment(self.at_ms),
            self.held,
            lost.unwrap_or_default()
        )
    }
}

impl Chronicle<'_> {
    /// The log before this one, as the first entry quotes it.
    pub(super) fn succeeds(&mut self, index: u64, time_ms: i64, previous: PreviousLog) {
        let lost = if previous.lost_card.is_empty() { None } else { self.lost(index, &previous.lost_card) };
        let head = |note: &String| Checkpoint::parse(Note::parse(note).ok()?.text).ok();
        let heads = previous.known_heads.iter().filter_map(head);
        let roots: BTreeMap<u64, Hash> = heads.map(|head| (head.size.0, head.root)).collect();
        let known = roots.last_key_value().map_or(0, |(size, _)| *size);
        // An earlier log is one of those before: of it only that card is not held.
        let number = |origin: &str| origin.rsplit('/').next().and_then(|number| number.parse::<u64>().ok());
        let later = lost.as_ref().map(|lost| lost.log_origin.clone());
        let later = later.filter(|origin| number(origin) > number(&previous.origin));
        let at = Break {
            closed: previous.origin,
            held: previous.held_size,
            known,
            at_ms: time_ms,
            lost: later,
            parted_at: None,
        };
        let root = previous.held_root.try_into().unwrap_or_default();
        let heads = previous.known_heads;
        let frontier = Frontier::default();
        self.carrying.push(Carrying { at, root, frontier, heads, roots, card: None, lost, ended: false });
    }

    /// A card of the own contact point from between the log that was closed and this one.
    fn lost(&mut self, index: u64, bytes: &[u8]) -> Option<Card> {
        let own = self.own_card().cloned();
        let is_it = |card: &Card| {
            own.as_ref()
                .is_some_and(|own| (&own.id, own.card_key) == (&card.id, card.card_key) && own.serial > card.serial)
        };
        match own_signed(bytes) {
            Ok(card) if is_it(&card) => Some(card),
            Ok(_) => {
                self.find("CARD", index, "an earlier card of the same card key", "another card");
                None
            }
            Err(error) => {
                self.find("CARD", index, "an earlier card of the same card key", error);
                None
            }
        }
    }

    /// A card of the own contact point with this key for statements: the present one, those of logs before, those that were lost.
    fn own_card_of(&self, key: &Fingerprint) -> Option<&Card> {
        let present = self.own.iter().flat_map(Cards::all);
        let before = self.carrying.iter().flat_map(Carrying::cards);
        present.chain(before).find(|card| card.envelope_key.fingerprint() == *key)
    }

    /// An entry of the log before, and of those before that. True when the checks of entries go on with it.
    pub(super) fn carried(&mut self, index: u64, leaves: &[Hash]) -> bool {
        let is_open = |carrying: Option<&Carrying>| carrying.is_some_and(|carrying| !carrying.ended);
        if !leaves.iter().enumerate().all(|(before, _)| is_open(self.carrying.get(before))) {
            let expected = "entries of the log before right behind the first entry";
            self.find("CARRIED", index, expected, "one at another place");
            return false;
        }
        for (carrying, leaf) in self.carrying.iter_mut().zip(leaves) {
            carrying.append(*leaf);
        }
        true
    }

    /// The first entry of a log that was closed.
    pub(super) fn closed(&mut self, index: u64, card: &[u8]) {
        let own = self.own().map(|own| own.card_key);
        let Some(carrying) = self.shift.checked_sub(1).and_then(|before| self.carrying.get_mut(before)) else { return };
        let (closed, heads) = (carrying.at.closed.clone(), std::mem::take(&mut carrying.heads));
        match own_signed(card) {
            Ok(card) if Some(card.card_key) == own && card.log_origin == closed => {
                let forged = heads.iter().any(|note| Checkpoint::verify(note, &card.log_vkey()).is_err());
                carrying.card = Some(Cards::from(card));
                if forged {
                    let expected = format!("known heads that {closed} signed");
                    self.find("CARRIED", index, expected, "one that it did not sign");
                }
            }
            _ => self.find("CARD", index, format!("the card of {closed}, of the same card key"), "another card"),
        }
    }

    /// The own card under which an entry was made: of what was carried over, that of the log that told it first.
    pub(super) fn own_card(&self) -> Option<&Card> {
        let closed = self.shift.checked_sub(1).and_then(|before| self.carrying.get(before)?.card.as_ref());
        closed.map(Cards::present).or(self.own())
    }

    /// What is carried over from the logs before but the first `open` of them ended: it is what their successors' first entries say.
    pub(super) fn carried_all(&mut self, index: u64, open: usize) {
        let mut wrong = Vec::new();
        for carrying in self.carrying.iter_mut().skip(open).filter(|carrying| !carrying.ended) {
            carrying.ended = true;
            let is_it = carrying.frontier.size().0 == carrying.at.held && carrying.frontier.root() == carrying.root;
            if !is_it {
                let expected = format!(
                    "{} entries of {} under the root that the first entry quotes",
                    carrying.at.held, carrying.at.closed
                );
                wrong.push((expected, format!("{} entries, or another root", carrying.frontier.size().0)));
            }
            // What its successor told is later.
            self.told_ms = self.told_ms.max(carrying.at.at_ms);
        }
        for (expected, found) in wrong {
            self.find("CARRIED", index, expected, found);
        }
    }

    /// The logs before this one in which the entry stood that was taken last: their numbers, what they hold so far, and when it was told first.
    pub(super) fn carried_here(&self) -> impl Iterator<Item = (u64, &Frontier, i64)> {
        let own = self.own.as_ref().map_or("", Cards::id);
        let number = move |carrying: &Carrying| log_number(&carrying.at.closed, own);
        let here = self.carrying.iter().take(self.shift);
        here.filter_map(move |carrying| Some((number(carrying)?, &carrying.frontier, self.told_ms)))
    }

    /// The logs before this one of a number: their keys, and how each ended; `None`: it was lost whole. Two copies may have begun one each.
    pub(super) fn logs_before(&self, number: u64) -> Vec<(Vkey, Option<Break>)> {
        let is_it = |card: &&Card| card.log_number() == Some(number);
        let closed = self.carrying.iter().filter_map(|carrying| {
            let card = carrying.card.as_ref().map(Cards::present).filter(is_it)?;
            Some((card.log_vkey(), Some(carrying.at.clone())))
        });
        let lost = self.carrying.iter().filter(|carrying| carrying.at.lost.is_some());
        let lost = lost.filter_map(|carrying| Some((carrying.lost.as_ref().filter(is_it)?.log_vkey(), None)));
        closed.chain(lost).collect()
    }

    /// The logs before this one, the last of them first.
    pub(crate) fn breaks(&self) -> Vec<Break> {
        self.carrying.iter().map(|carrying| carrying.at.clone()).collect()
    }

    /// The own later card. A log has one key: with another one another log begins.
    pub(super) fn own_rotated(&mut self, index: u64, card: &[u8]) {
        let Some(own) = self.own_card().cloned() else { return };
        let log = |card: &Card| (card.card_key, card.log_key, card.log_origin.clone());
        match own_signed(card) {
            Ok(card) if card.id == own.id && card.serial > own.serial && log(&card) == log(&own) => {
                // One that was carried over is that of the log that was closed.
                let own = match self.shift.checked_sub(1).and_then(|before| self.carrying.get_mut(before)) {
                    Some(carrying) => &mut carrying.card,
                    None => &mut self.own,
                };
                if let Some(own) = own {
                    own.succeed(card);
                }
            }
            Ok(_) => {
                self.find("KEY", index, "a later card of the same card key and for the same log", "another card");
            }
            Err(error) => self.find("KEY", index, "a later card that the own card key signed", error),
        }
    }

    /// A counterpart's later card.
    pub(super) fn rotated(&mut self, index: u64, card: &[u8]) {
        let later = own_signed(card).and_then(|card| {
            let known = self.peers.get(&card.id).ok_or("of nobody who was enrolled")?.present();
            if known.revoked {
                return Err("one that nobody enrolled by hand, behind one that was revoked".to_owned());
            }
            if card.card_key == known.card_key && card.serial > known.serial {
                Ok(card)
            } else {
                Err("not a later one of the same card key".to_owned())
            }
        });
        match later {
            Ok(card) => self.replace(index, card),
            Err(error) => self.find("KEY", index, "a later card that the enrolled card key signed", error),
        }
    }

    /// Takes note of a counterpart's card, for comparing it with its owner's log.
    pub(super) fn learnt(&mut self, index: u64, card: &Card) {
        self.crossing.cards.push((card.clone(), index));
    }

    pub(super) fn replace(&mut self, index: u64, card: Card) {
        self.learnt(index, &card);
        let began_anew = self.peers.get(&card.id).is_some_and(|known| known.present().log_origin != card.log_origin);
        if began_anew {
            let of_peer = |at: &u32| self.channels.get(*at as usize).is_some_and(|(peer, _)| *peer == card.id);
            self.outgoing
                .iter_mut()
                .filter(|(at, _)| of_peer(at))
                .for_each(|(_, direction)| direction.receipted = None);
        }
        if let Some(known) = self.peers.get_mut(&card.id) {
            known.succeed(card);
        }
    }

    pub(super) fn resumed(&mut self, index: u64, of: &ChannelResumed, envelope: ReadEnvelope) {
        if self.carrying.len() <= self.shift {
            return self.find("RESUMED", index, "a log that took the place of another", "one that did not");
        }
        let (channel, log) = (self.channel(&of.counterpart, &of.memorandum), self.shift);
        let serial = self.own().map_or(0, |own| own.serial);
        let direction = self.outgoing.entry(channel).or_default();
        let is_used = [direction.used_in, direction.resumed_in].contains(&Some(log));
        let after = direction.last.map_or(0, |(number, _)| number);
        direction.resumed_in = Some(log);
        // Whoever said where the channel goes on had taken the present card before.
        direction.stated = serial;
        if is_used {
            let expected = "a channel that this log used for nothing yet, and resumes once";
            return self.find("RESUMED", index, expected, "one that it used before");
        }
        let after = match of.displaced_from {
            0 => after,
            from if self.displace(index, channel, from..=after) => from.saturating_sub(1),
            _ => return,
        };
        if of.envelope.is_empty() {
            if of.displaced_from > 0 {
                self.find("RESUMED", index, "the last statement that the counterpart holds", "none");
            }
            return;
        }
        // It was signed at any time before, in what was lost.
        let Some(envelope) = envelope.and_then(Result::ok) else {
            return self.find("SIGNATURE", index, "an envelope that its sender signed", "another one");
        };
        let statement = envelope.statement();
        if self.own_card_of(&statement.sender_key).is_none_or(|card| card.id != statement.sender) {
            let found = format!("key {}, which the statement says is {}'s", statement.sender_key, statement.sender);
            return self.find("KEY", index, "the envelope key of a card of the log's owner", found);
        }
        let is_held = self.notices.get(&statement.message_id).is_some_and(|held| held.digest == envelope.digest());
        let direction = self.outgoing.entry(channel).or_default();
        if is_held
            || statement.number <= after
            || statement.recipient != of.counterpart
            || statement.memorandum != of.memorandum
        {
            return self.find("RESUMED", index, "a later statement of this channel", "another one");
        }
        direction.last = Some((statement.number, envelope.digest()));
        let up_to = Some(statement.number);
        self.crossing.lost.push(LostNumbers { channel, after, up_to, log });
    }

    /// Numbers that a copy of the log gave once more: nothing that has a receipt.
    fn displace(&mut self, index: u64, channel: u32, numbers: RangeInclusive<u64>) -> bool {
        let is_one = |waiting: &Outstanding| waiting.channel == channel && numbers.contains(&waiting.number);
        let displaced: Vec<MessageId> =
            self.outstanding.iter().filter(|(_, waiting)| is_one(waiting)).map(|(id, _)| *id).collect();
        if numbers.is_empty() || numbers.end() - numbers.start() + 1 != displaced.len() as u64 {
            let expected = "the last statements of this channel, none of which has a receipt, as those that never left";
            self.find("RESUMED", index, expected, "another number");
            return false;
        }
        for id in displaced {
            self.outstanding.remove(&id);
            self.unsaid(&id);
            let Some(notice) = self.notices.get(&id) else { continue };
            self.displaced += u64::from(self.flow_of(&notice) != CARD_STATEMENT);
            if let Some(sent) = self.crossing.sent.get(&notice.digest.0) {
                self.crossing.sent.put(&notice.digest.0, &Sent { displaced: true, ..sent });
            }
        }
        true
    }

    /// Whatever a log sends that took the place of another, it knows where the channel goes on.
    pub(super) fn settled(&mut self, index: u64, channel: u32) {
        let (log, took_place) = (self.shift, self.carrying.len() > self.shift);
        let direction = self.outgoing.entry(channel).or_default();
        direction.used_in = Some(log);
        if took_place && direction.resumed_in != Some(log) {
            let expected = "an entry that says where this channel goes on, before anything is sent in it";
            self.find("RESUMED", index, expected, "a notice");
        }
    }

    pub(super) fn reopened(&mut self, index: u64, of: &ChannelReopened) {
        if !self.peers.contains_key(&of.counterpart) {
            self.find("RECIPIENT", index, "an enrolled counterpart", of.counterpart.clone());
        }
        let channel = self.channel(&of.counterpart, &of.memorandum);
        self.outgoing.entry(channel).or_default().reopened = true;
    }
}
