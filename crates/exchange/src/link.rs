//! Links: the streams over which channels are served, and when a broken one is tried again.

use std::sync::Arc;

use verbale_evidence::{Card, StatementDigest, VerifiedEnvelope};

use crate::own::Peer;
use crate::state::{ChannelId, Exchange, Held, Outgoing};
use crate::step::{Effect, Outbound, Output};

/// First delay before a retry; it doubles from try to try.
const RETRY_FIRST_MS: i64 = 1_000;

/// Longest delay before a retry.
const RETRY_LONGEST_MS: i64 = 300_000;

/// Notices under way on one link: two batches, so that one is written while the other travels.
const WINDOW_NOTICES: usize = 512;

/// Sealed bytes under way on one link: what both sides may have to hold in memory for it.
const WINDOW_BYTES: u64 = 32 << 20;

/// Statements that a counterpart names when it is asked what it holds: half a mebibyte of digests.
pub(crate) const BEHIND_MAX: usize = 16_384;

/// Whether a channel is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// Nothing to do, nothing open.
    Idle,
    /// A connection is being made.
    Connecting,
    /// Open; everything up to this number was handed to it.
    Open {
        /// The last number handed over.
        sent: u64,
    },
    /// Broken; tried again at this time, in milliseconds since 1970-01-01 UTC.
    Backoff {
        /// When.
        retry_at_ms: i64,
    },
}

/// A link.
#[derive(Clone, Debug)]
pub struct Link {
    /// Whether it is open.
    pub state: LinkState,
    /// Why it is not, whose part it is; empty when all is well.
    pub trouble: String,
    /// Counts the links of a channel: a late report about an earlier one changes nothing.
    pub generation: u64,
    failures: u32,
    /// Somebody was there the last time, and did not agree.
    pub(crate) disagrees: bool,
    /// Whether the counterpart said where the channel stands, since this node started, or since the counterpart's log took the place of another.
    pub(crate) asked: bool,
    /// Up to this number the counterpart holds what this log does, as far as it said on earlier links.
    pub(crate) alike: u64,
}

/// What the counterpart says of a channel when it is opened.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The number that it expects next.
    pub next_number: u64,
    /// The last envelope that it accepted, which this node signed.
    pub last: Option<Arc<VerifiedEnvelope>>,
    /// What it accepted behind the number that it was asked about, at most 16,384 of it.
    pub behind: Vec<StatementDigest>,
}

impl Opening {
    /// The last envelope, when it is one of this channel and of the number before the next.
    pub(crate) fn last_of(&self, channel: &ChannelId) -> Option<&Arc<VerifiedEnvelope>> {
        self.last.as_ref().filter(|last| {
            let statement = last.statement();
            let of = (statement.recipient.as_str(), statement.memorandum.as_str(), statement.number);
            of == (channel.peer.as_str(), channel.memorandum.as_str(), self.next_number.saturating_sub(1))
        })
    }
}

impl Default for Link {
    fn default() -> Self {
        Self {
            state: LinkState::Idle,
            trouble: String::new(),
            generation: 0,
            failures: 0,
            disagrees: false,
            asked: false,
            alike: 0,
        }
    }
}

impl Link {
    /// Begins the next link of the channel.
    fn connect(&mut self, channel: &ChannelId, behind: Option<u64>) -> Effect {
        self.state = LinkState::Connecting;
        self.generation += 1;
        let behind = behind.map(|behind| behind.max(self.alike));
        Effect::Connect { channel: channel.clone(), link: self.generation, behind }
    }
}

impl Exchange {
    /// The generation of a channel's present link.
    pub fn link_generation(&self, channel: &ChannelId) -> u64 {
        self.links.get(channel).map_or(0, |link| link.generation)
    }

    /// Whether a channel's link is open.
    pub(crate) fn link_is_open(&self, channel: &ChannelId) -> bool {
        self.links.get(channel).is_some_and(|link| matches!(link.state, LinkState::Open { .. }))
    }

    /// Notices of a channel without receipt.
    pub(crate) fn waiting(&self, channel: &ChannelId) -> usize {
        self.outgoing.get(channel).map_or(0, |outgoing| outgoing.outstanding.len())
    }

    /// Whether a channel has something to send, or to ask: where it stands.
    fn has_something_to_say(&self, channel: &ChannelId) -> bool {
        self.waiting(channel) > 0 || !self.links.get(channel).is_some_and(|link| link.asked)
    }

    /// Opens a link for a channel that has something to send or to ask.
    pub(crate) fn wake(&mut self, channel: &ChannelId, effects: &mut Vec<Effect>, now_ms: i64) {
        if !self.has_something_to_say(channel) || self.peers.get(&channel.peer).is_none_or(Peer::is_revoked) {
            return;
        }
        let (behind, is_comparing) = (self.asks_behind(channel), self.is_comparing());
        let link = self.links.entry(channel.clone()).or_default();
        match link.state {
            LinkState::Idle => effects.push(link.connect(channel, behind)),
            LinkState::Open { .. } if !is_comparing => self.fill(channel, effects, now_ms),
            LinkState::Open { .. } | LinkState::Connecting | LinkState::Backoff { .. } => {}
        }
    }

    /// Whether a link was begun and has neither been opened nor failed.
    fn is_awaited(&self, channel: &ChannelId, generation: u64) -> bool {
        let awaited = |link: &Link| link.state == LinkState::Connecting && link.generation == generation;
        self.links.get(channel).is_some_and(awaited)
    }

    pub(crate) fn link_opened(
        &mut self,
        now_ms: i64,
        (channel, generation): (&ChannelId, u64),
        opening: &Opening,
        jitter: i8,
        output: &mut Output,
    ) {
        if !self.is_awaited(channel, generation) {
            return;
        }
        if self.contradicts(now_ms, channel, opening, output) {
            output.effects.push(Effect::Disconnect(channel.clone()));
            let trouble =
                "the counterpart holds a statement that is not in this log: was this folder restored from an old copy?";
            return self.link_failed(now_ms, (channel, generation), trouble, jitter);
        }
        self.compared(now_ms, (channel, generation), (opening, jitter), output);
    }

    /// The counterpart holds its own log back. What it tells is compared all the same, and settles nothing: its folder may be an older one. The
    /// report that the link ended follows.
    pub(crate) fn link_held_back(
        &mut self,
        now_ms: i64,
        (channel, generation): (&ChannelId, u64),
        opening: &Opening,
        output: &mut Output,
    ) {
        if self.is_awaited(channel, generation) && !self.contradicts(now_ms, channel, opening, output) {
            self.compare_no_more(now_ms, channel, output);
        }
    }

    /// Whether the counterpart holds what this log must hold, and does not.
    fn contradicts(&mut self, now_ms: i64, channel: &ChannelId, opening: &Opening, output: &mut Output) -> bool {
        let Some(envelope) = opening.last_of(channel).filter(|last| self.lacks(now_ms, last)) else { return false };
        self.contradicted();
        output.effects.push(Effect::IsNotTheLog { peer: channel.peer.clone(), envelope: Arc::clone(envelope) });
        true
    }

    /// Goes on with a channel that was opened, if its link is still there.
    pub(crate) fn take_opening(
        &mut self,
        now_ms: i64,
        (channel, generation): (&ChannelId, u64),
        opening: &Opening,
        jitter: i8,
        output: &mut Output,
    ) {
        if !self.is_awaited(channel, generation) {
            return;
        }
        let settled = self.settle(now_ms, channel, opening, output);
        let agreed = settled
            .and_then(|()| self.outgoing.get(channel).map_or(Ok(()), |outgoing| check_opening(outgoing, opening)));
        let waits = self.waiting(channel) > 0;
        let Some(link) = self.links.get_mut(channel) else { return };
        link.disagrees = agreed.is_err();
        match agreed {
            Ok(()) => {
                link.state = LinkState::Open { sent: 0 };
                link.trouble.clear();
                link.asked = true;
                // It works, as far as it is needed; what waits must be answered first.
                link.failures = if waits { link.failures } else { 0 };
                self.go_on(now_ms, channel, output);
            }
            Err(trouble) => {
                output.effects.push(Effect::Disconnect(channel.clone()));
                self.link_failed(now_ms, (channel, generation), trouble, jitter);
            }
        }
    }

    /// Whether a statement of this contact point, whose signature was verified, is one that only this log can have signed, and the log holds
    /// something else, or nothing, under its number. What a key signed that an earlier log had too may be of that one, whose fate the first entry
    /// tells; the key with which a log took the place of another is such a key, even if no card of the one before is known to say so. Of a channel
    /// that goes on since, whatever was signed after this log began is of this one.
    pub fn lacks(&self, now_ms: i64, envelope: &VerifiedEnvelope) -> bool {
        let (statement, origin) = (envelope.statement(), &self.own.card.log_origin);
        let signer = self.own_cards.all().filter(|card| card.envelope_key.fingerprint() == statement.sender_key).last();
        let began = self.own_cards.all().filter(|card| card.log_origin == *origin).last();
        let is_new_key = |(signer, began): (&Card, &Card)| {
            signer.log_origin == *origin && (!self.succeeds || signer.serial > began.serial)
        };
        let channel = ChannelId { peer: statement.recipient.clone(), memorandum: statement.memorandum.clone() };
        let outgoing = self.outgoing.get(&channel);
        // By the own clock all of them: one that was ahead says nothing.
        let since = self.began_ms.saturating_add(1)..=now_ms;
        let is_new = outgoing.is_some_and(|outgoing| outgoing.resumed) && since.contains(&statement.created_ms);
        let is_of_this_log = is_new || signer.zip(began).is_some_and(is_new_key);
        is_of_this_log && outgoing.and_then(|outgoing| outgoing.statement(statement.number)) != Some(envelope.digest())
    }

    /// Plans the next try.
    pub(crate) fn link_failed(
        &mut self,
        now_ms: i64,
        (channel, generation): (&ChannelId, u64),
        trouble: &str,
        jitter: i8,
    ) {
        let waiting = self.has_something_to_say(channel);
        let Some(link) = self.links.get_mut(channel).filter(|link| link.generation == generation) else { return };
        if waiting && matches!(link.state, LinkState::Backoff { .. }) {
            // A second report of the same failure neither hides the first nor puts the next try off.
            return;
        }
        trouble.clone_into(&mut link.trouble);
        if !waiting {
            link.state = LinkState::Idle;
            return;
        }
        let delay = RETRY_FIRST_MS.saturating_mul(1 << link.failures.min(20)).min(RETRY_LONGEST_MS);
        link.failures = link.failures.saturating_add(1);
        let jitter = i64::from(jitter.clamp(-20, 20));
        link.state = LinkState::Backoff { retry_at_ms: now_ms + delay + delay * jitter / 100 };
    }

    /// Tries again what is due.
    pub(crate) fn retry_links(&mut self, now_ms: i64, effects: &mut Vec<Effect>) {
        // A time that is further off than any is of a clock that was set back since.
        let is_due = |link: &Link| {
            let LinkState::Backoff { retry_at_ms } = link.state else { return false };
            retry_at_ms <= now_ms || retry_at_ms > now_ms.saturating_add(2 * RETRY_LONGEST_MS)
        };
        let due = self.links.iter().filter(|(_, link)| is_due(link));
        let due: Vec<_> = due.map(|(channel, _)| (channel.clone(), self.asks_behind(channel))).collect();
        for (channel, behind) in due {
            effects.extend(self.links.get_mut(&channel).map(|link| link.connect(&channel, behind)));
        }
    }

    /// Gives up waiting for a retry.
    pub(crate) fn forget_failures(&mut self, channel: &ChannelId) {
        if let Some(link) = self.links.get_mut(channel).filter(|link| matches!(link.state, LinkState::Backoff { .. })) {
            (link.state, link.failures) = (LinkState::Idle, 0);
        }
    }

    /// A receipt came: the link works.
    pub(crate) fn link_works(&mut self, channel: &ChannelId) {
        if let Some(link) = self.links.get_mut(channel) {
            link.failures = 0;
            link.trouble.clear();
        }
    }

    /// Hands over what the window has room for, in the order of numbers.
    pub(crate) fn fill(&mut self, channel: &ChannelId, effects: &mut Vec<Effect>, now_ms: i64) {
        let (Some(outgoing), Some(link)) = (self.outgoing.get(channel), self.links.get(channel)) else { return };
        let LinkState::Open { sent } = link.state else { return };
        let under_way = outgoing.outstanding.range(..=sent);
        let (mut notices, mut bytes) = (0, 0);
        for (_, waiting) in under_way {
            notices += 1;
            bytes += self.notices.get(&waiting.message_id).map_or(0, |held| held.sealed_bytes);
        }
        let (mut notices_out, mut last) = (Vec::new(), sent);
        for (number, waiting) in outgoing.outstanding.range(sent + 1..) {
            // Of a card statement there is no more than the statement.
            let stated = self.stated.get(&waiting.message_id).map(|stated| (stated.index, 0, true));
            // Out of time it would only be refused, and what it carries must have its ground when it leaves: else the statement goes alone,
            // so that the channel goes on.
            let is_alone = |held: &Held| now_ms > held.not_after_ms || self.is_barred(now_ms, &held.message_id);
            let held = |held: &Held| (held.index, held.sealed_bytes, is_alone(held));
            let outbound = stated.or_else(|| self.notices.get(&waiting.message_id).map(held));
            let Some((index, sealed_bytes, statement_only)) = outbound else { continue };
            if notices > 0 && (notices >= WINDOW_NOTICES || bytes + sealed_bytes > WINDOW_BYTES) {
                break;
            }
            notices += 1;
            bytes += sealed_bytes;
            last = *number;
            let envelope = waiting.envelope.clone();
            notices_out.push(Outbound { number: *number, index, envelope, statement_only });
        }
        if !notices_out.is_empty() {
            if let Some(link) = self.links.get_mut(channel) {
                link.state = LinkState::Open { sent: last };
            }
            effects.push(Effect::Transmit { channel: channel.clone(), notices: notices_out });
        }
    }
}

/// Whether the counterpart's view of the channel is a beginning of ours.
fn check_opening(outgoing: &Outgoing, opening: &Opening) -> Result<(), &'static str> {
    let last = opening.next_number.checked_sub(1).ok_or("the counterpart expects number zero: its node is at fault")?;
    if outgoing.last_receipted().is_some_and(|receipted| receipted > last) {
        return Err(
            "the counterpart lost notices that it gave receipts for: was its folder restored from an old copy?",
        );
    }
    match (outgoing.statement(last), opening.last.as_ref().map(|last| last.digest())) {
        (None, None) if last == 0 => Ok(()),
        (None, _) => {
            Err("the counterpart holds later numbers than this log: was this folder restored from an old copy?")
        }
        (Some(ours), Some(theirs)) if ours == theirs => Ok(()),
        _ => Err(
            "the counterpart holds another statement under its last number: was this folder restored from an old copy?",
        ),
    }
}
