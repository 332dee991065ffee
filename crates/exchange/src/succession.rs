//! A log that takes the place of another, and counterparts whose cards or logs change: channels go on, and nothing is numbered before it is
//! known where.

use std::collections::BTreeSet;
use std::sync::Arc;

use verbale_domain::{Code, Memorandum, Refusal};
use verbale_envelope::Recipient;
use verbale_evidence::{Card, MessageId, VerifiedEnvelope};

use crate::change::{self, Change, Record};
use crate::link::{BEHIND_MAX, Opening};
use crate::state::{ChannelId, Exchange, Outgoing};
use crate::step::{Effect, Output, Ticket, Told};

/// Where a channel goes on, in a log that took the place of another.
#[derive(Clone, Debug, Default)]
pub(crate) struct GoesOn {
    /// The last envelope that the counterpart holds, where this log does not hold it.
    pub(crate) behind: Option<Arc<VerifiedEnvelope>>,
    /// From this number on the counterpart holds other statements than this log, whose own never left.
    pub(crate) displaced_from: Option<u64>,
}

impl Exchange {
    /// The number behind which a counterpart is asked what it holds: what has no receipt was perhaps numbered twice, here and by the log
    /// that was lost in part.
    pub(crate) fn asks_behind(&self, channel: &ChannelId) -> Option<u64> {
        let receipted = self.outgoing.get(channel).and_then(Outgoing::last_receipted);
        self.is_unsettled(channel).then(|| receipted.unwrap_or_default())
    }

    /// Whether a channel must first be resumed: the log took the place of another, which may have given numbers that this one lost.
    pub(crate) fn is_unsettled(&self, channel: &ChannelId) -> bool {
        self.succeeds && !self.outgoing.get(channel).is_some_and(|outgoing| outgoing.resumed)
    }

    /// All channels to enrolled counterparts, used before or not.
    pub(crate) fn channels(&self) -> BTreeSet<ChannelId> {
        let serves = |peer: &String| {
            let under = self.own.memoranda.iter().filter(|memorandum| {
                let nodes: Vec<&str> = memorandum.nodes().collect();
                nodes.contains(&peer.as_str()) && nodes.contains(&self.own.card.id.as_str())
            });
            let channel = |memorandum: &Memorandum| ChannelId { peer: peer.clone(), memorandum: memorandum.id.clone() };
            under.map(channel).collect::<Vec<_>>()
        };
        let used = self.outgoing.keys().filter(|channel| self.peers.contains_key(&channel.peer)).cloned();
        self.peers.keys().flat_map(serves).chain(used).collect()
    }

    /// Refuses a number where it is not known which is the next.
    pub(crate) fn require_settled(&self, channel: &ChannelId) -> Result<(), Refusal> {
        if self.is_unsettled(channel) {
            let reason = format!(
                "this log took the place of one that was lost in part, and {} has not yet said where the channel stands; submit again when it \
                 answered (`verbale status`)",
                channel.peer
            );
            return Err(Refusal::new(Code::ChannelNotResumed, "", reason));
        }
        Ok(())
    }

    /// Goes on where the counterpart says that a channel stands: behind what this log lost, or from where the counterpart lost something.
    pub(crate) fn settle(
        &mut self,
        now_ms: i64,
        channel: &ChannelId,
        opening: &Opening,
        output: &mut Output,
    ) -> Result<(), &'static str> {
        if self.is_unsettled(channel) {
            let goes_on = self.goes_on(channel, opening)?;
            let event = change::channel_resumed(channel, &goes_on);
            let carriers = self.displaced_carriers(channel, goes_on.displaced_from);
            let change = Change::Resumed { channel: channel.clone(), goes_on, before: false };
            self.record(now_ms, event, change, Record::default(), output);
            // What they were to carry on went nowhere.
            self.note_held_back(now_ms, carriers, output);
        }
        let outgoing = self.outgoing.get(channel);
        let receipted = outgoing.and_then(Outgoing::last_receipted);
        let is_lost = receipted.is_some_and(|receipted| receipted >= opening.next_number);
        if is_lost && outgoing.is_some_and(|outgoing| outgoing.counterpart_began_anew) {
            let event = change::channel_reopened(channel, opening.next_number);
            let change = Change::Reopened { channel: channel.clone(), from: opening.next_number };
            self.record(now_ms, event, change, Record::default(), output);
        }
        Ok(())
    }

    /// Where a channel goes on, by what the counterpart holds.
    fn goes_on(&mut self, channel: &ChannelId, opening: &Opening) -> Result<GoesOn, &'static str> {
        let held = self.outgoing.get(channel).map_or(0, |outgoing| outgoing.statements.len() as u64);
        let theirs = opening.next_number.saturating_sub(1);
        // This node signed it: that it did so for this channel and number is looked at here.
        let last = opening.last_of(channel);
        let not_shown =
            "the counterpart says that it holds other statements than this log, and does not show the last one";
        let Some(outgoing) = self.outgoing.get(channel).filter(|_| theirs > 0) else {
            let behind = last.filter(|_| theirs > held).cloned();
            let is_told = behind.is_some() || theirs == 0;
            return if is_told { Ok(GoesOn { behind, displaced_from: None }) } else { Err(not_shown) };
        };
        let last = last.ok_or(not_shown)?;
        if outgoing.statement(theirs) == Some(last.digest()) {
            // Each statement quotes the one before it, so all before are alike too.
            return Ok(GoesOn::default());
        }
        let receipted = outgoing.last_receipted().unwrap_or_default();
        let behind = receipted.max(self.links.get(channel).map_or(0, |link| link.alike));
        let both = held.min(theirs);
        let numbered = (behind + 1..=both).zip(&opening.behind);
        let mut compared = numbered.map(|(number, theirs)| (number, outgoing.statement(number) == Some(*theirs)));
        if let Some((from, _)) = compared.find(|(_, is_alike)| !is_alike) {
            return Ok(GoesOn { behind: Some(Arc::clone(last)), displaced_from: Some(from) });
        }
        let told = behind.saturating_add(opening.behind.len() as u64);
        if told < both {
            if opening.behind.len() < BEHIND_MAX {
                return Err("the counterpart does not tell which statements it holds: its node is at fault");
            }
            if let Some(link) = self.links.get_mut(channel) {
                link.alike = told;
            }
            return Err("the counterpart is asked in steps which statements it holds");
        }
        if theirs <= held {
            return Err(
                "the counterpart holds another statement under a number of which this log has its receipt: was its folder restored from an \
                 old copy?",
            );
        }
        Ok(GoesOn { behind: Some(Arc::clone(last)), displaced_from: None })
    }

    /// Own notices behind a number that were to carry something on, and have no receipt.
    fn displaced_carriers(&self, channel: &ChannelId, from: Option<u64>) -> Vec<MessageId> {
        let Some((outgoing, from)) = self.outgoing.get(channel).zip(from) else { return Vec::new() };
        let waiting = outgoing.outstanding.range(from..).map(|(_, waiting)| waiting.message_id);
        waiting.filter(|id| self.carriers.contains_key(id) && !self.held_back.contains(id)).collect()
    }

    /// Logs the own card when it is a later one than the log told.
    pub(crate) fn rotate(&mut self, now_ms: i64, output: &mut Output) {
        if self.own.card.serial > self.own_serial {
            let event = change::own_card_rotated(&self.own.card_bytes);
            self.record(
                now_ms,
                event,
                Change::OwnRotated { card: Box::new(self.own.card.clone()) },
                Record::default(),
                output,
            );
        }
    }

    /// The serial of a counterpart's present card, when nothing that waits for it is sealed to another key than that card's. Of one that began
    /// anew it is known when it has said where each channel stands: what it lost waits for it once more.
    pub fn sealed_to(&self, peer: &str) -> Option<u64> {
        let known = self.peers.get(peer)?;
        let key = known.card().age_recipient.parse::<Recipient>().map(|recipient| recipient.fingerprint()).ok();
        let channels = || self.outgoing.iter().filter(|(channel, _)| channel.peer == peer);
        let has_said = |channel| self.links.get(channel).is_some_and(|link| link.asked);
        if channels().any(|(channel, outgoing)| outgoing.counterpart_began_anew && !has_said(channel)) {
            return None;
        }
        let mut waiting = channels().flat_map(|(_, outgoing)| outgoing.outstanding.values());
        let is_sealed_so = waiting.all(|waiting| {
            // Of what is not in memory it is not known.
            waiting.envelope.as_ref().is_some_and(|envelope| Some(envelope.statement().recipient_key) == key)
        });
        is_sealed_so.then_some(known.card().serial)
    }

    /// A counterpart shows a card: a later one that the same card key signed takes the place of the one enrolled.
    pub(crate) fn counterpart_card(
        &mut self,
        now_ms: i64,
        ticket: Ticket,
        card: Box<Card>,
        bytes: &[u8],
        output: &mut Output,
    ) {
        let index = verbale_ledger::LogIndex(self.size);
        let told = match self.check_later_card(now_ms, &card) {
            Ok(()) => {
                let event = change::counterpart_rotated(bytes);
                let peer = card.id.clone();
                self.record(now_ms, event, Change::CounterpartRotated { card }, Record::default(), output);
                self.speak_to(now_ms, &peer, output);
                Told::Done(index)
            }
            Err(error) => Told::NotEnrolled(error),
        };
        output.effects.push(Effect::Tell { ticket, told });
    }
}

/// Whether a later card may take the place of an earlier one: whose it is was compared when the first was enrolled. A log that is closed does not
/// go on, whatever the serial that a copy of it reached, and one name is not of two logs.
pub fn is_later(card: &Card, known: &Card) -> bool {
    let is_same_log = card.log_origin == known.log_origin;
    let goes_on = if is_same_log { card.log_key == known.log_key } else { card.log_number() > known.log_number() };
    card.id == known.id && card.card_key == known.card_key && card.serial > known.serial && goes_on
}
