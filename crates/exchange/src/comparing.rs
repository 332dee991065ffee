//! Before a log goes on, it is compared with what counterparts hold: at the start each channel is opened once, and until all of them answered, or
//! could not be reached, nothing is numbered and nothing entered. Whoever comes by later, or is enrolled, is asked before anything of it is taken.

use std::collections::BTreeMap;

use crate::change::{self, Change, Record};
use crate::link::{LinkState, Opening};
use crate::state::{ChannelId, Exchange};
use crate::step::{Input, Output};

/// Who has not answered by then is compared with when it does.
const PATIENCE_MS: i64 = 5_000;

/// What is still to be compared.
#[derive(Default)]
pub(crate) struct Comparing {
    /// Channels that were opened for the first time since the start: until when an answer is waited for.
    first: BTreeMap<ChannelId, i64>,
    /// Channels whose counterpart came by, or was enrolled, before it was compared with: likewise, and nobody waits but what is about it.
    later: BTreeMap<ChannelId, i64>,
    /// Answers that say nothing against the log, while others are awaited.
    opened: Vec<(ChannelId, u64, Opening, i8)>,
    /// A counterpart holds what this log must hold, and does not.
    contradicted: bool,
}

impl Input {
    /// Whether it lets the log grow for somebody who can wait. What a counterpart asks or tells of itself is part of the comparison.
    fn can_wait(&self) -> bool {
        !matches!(
            self,
            Self::Start
                | Self::Tick
                | Self::PeerOpened { .. }
                | Self::LinkOpened { .. }
                | Self::LinkHeldBack { .. }
                | Self::LinkFailed { .. }
                | Self::ReceiptArrived(..)
                | Self::CounterpartCard { .. }
                | Self::CameBy(..)
        )
    }
}

impl Exchange {
    /// Whether an input is to wait, until the log was compared with what counterparts hold.
    pub fn must_wait(&self, input: &Input) -> bool {
        input.can_wait() && (self.is_comparing() || self.peer_of(input).is_some_and(|peer| self.compares_with(peer)))
    }

    /// Whether a counterpart that came by, or was enrolled, is asked before anything is said or taken that is about it.
    pub fn compares_with(&self, peer: &str) -> bool {
        self.comparing.later.keys().any(|channel| channel.peer == peer)
    }

    /// The counterpart from or for which an input is.
    fn peer_of<'a>(&'a self, input: &'a Input) -> Option<&'a str> {
        match input {
            Input::Arrived(_, channel, _) => Some(&channel.peer),
            Input::Submit(_, submission) => submission.draft.as_ref().ok().map(|draft| draft.recipient.as_str()),
            Input::Approve(_, approval) => self.drafts.get(&approval.message_id).map(|draft| draft.recipient.as_str()),
            _ => None,
        }
    }

    /// Whether the log is not to grow yet, or no more.
    pub fn is_comparing(&self) -> bool {
        self.comparing.contradicted || !self.comparing.first.is_empty()
    }

    /// Asks each counterpart where its channels stand.
    pub(crate) fn start(&mut self, now_ms: i64, output: &mut Output) {
        if self.own.card.revoked {
            // The last entry of this log: whoever has its keys may be somebody else.
            self.rotate(now_ms, output);
            return;
        }
        let until_ms = now_ms.saturating_add(PATIENCE_MS);
        for channel in self.channels() {
            self.wake(&channel, &mut output.effects, now_ms);
            if self.is_asking(&channel) {
                self.comparing.first.insert(channel, until_ms);
            }
        }
        if !self.is_comparing() {
            self.take_up(now_ms, output);
        }
    }

    /// A counterpart came by: it can be reached, and is asked now if it could not be before. What it brings waits for its answer.
    pub(crate) fn came_by(&mut self, now_ms: i64, peer: &str, output: &mut Output) {
        for channel in self.channels().into_iter().filter(|channel| channel.peer == peer) {
            // Whoever was reached and does not agree is not asked faster.
            if self.links.get(&channel).is_some_and(|link| !link.disagrees) {
                self.forget_failures(&channel);
                self.wake(&channel, &mut output.effects, now_ms);
            }
            self.ask_first(now_ms, channel);
        }
    }

    /// What is about the counterpart waits until it answered for the first time.
    pub(crate) fn ask_first(&mut self, now_ms: i64, channel: ChannelId) {
        if self.is_asking(&channel) && !self.comparing.first.contains_key(&channel) {
            self.comparing.later.entry(channel).or_insert(now_ms.saturating_add(PATIENCE_MS));
        }
    }

    fn is_asking(&self, channel: &ChannelId) -> bool {
        self.links.get(channel).is_some_and(|link| link.state == LinkState::Connecting && !link.asked)
    }

    /// A channel was opened, and nothing contradicts; until all were, nothing is entered of it.
    pub(crate) fn compared(
        &mut self,
        now_ms: i64,
        (channel, generation): (&ChannelId, u64),
        (opening, jitter): (&Opening, i8),
        output: &mut Output,
    ) {
        self.comparing.opened.push((channel.clone(), generation, opening.clone(), jitter));
        self.compare_no_more(now_ms, channel, output);
    }

    /// A channel could not be opened. One that was reached may yet be: at the start it is waited for.
    pub(crate) fn not_compared(&mut self, now_ms: i64, channel: &ChannelId, reached: bool, output: &mut Output) {
        if reached {
            self.comparing.later.remove(channel);
        } else {
            self.compare_no_more(now_ms, channel, output);
        }
    }

    /// Nothing more is awaited of a channel's counterpart.
    pub(crate) fn compare_no_more(&mut self, now_ms: i64, channel: &ChannelId, output: &mut Output) {
        let was_comparing = self.is_comparing();
        self.comparing.later.remove(channel);
        self.comparing.first.remove(channel);
        self.is_over(now_ms, was_comparing, output);
    }

    /// The log is an older copy, or there is another one: it is not continued.
    pub(crate) fn contradicted(&mut self) {
        self.comparing.contradicted = true;
    }

    /// Waits no longer for whoever has not answered.
    pub(crate) fn compared_long_enough(&mut self, now_ms: i64, output: &mut Output) {
        let was_comparing = self.is_comparing();
        // A time that is further off is of a clock that was set back since.
        let is_awaited =
            |_: &ChannelId, until_ms: &mut i64| (now_ms..=now_ms.saturating_add(PATIENCE_MS)).contains(until_ms);
        self.comparing.later.retain(is_awaited);
        self.comparing.first.retain(is_awaited);
        self.is_over(now_ms, was_comparing, output);
    }

    /// When nobody is awaited any more the node begins its work, and takes what was answered.
    fn is_over(&mut self, now_ms: i64, was_comparing: bool, output: &mut Output) {
        if self.is_comparing() {
            return;
        }
        if was_comparing {
            self.take_up(now_ms, output);
        }
        for (channel, generation, opening, jitter) in std::mem::take(&mut self.comparing.opened) {
            self.take_opening(now_ms, (&channel, generation), &opening, jitter, output);
        }
    }

    /// Tells a later own card, adopts new terms and configuration, and takes up what was under way.
    fn take_up(&mut self, now_ms: i64, output: &mut Output) {
        self.rotate(now_ms, output);
        let held = self.own.memoranda.iter().map(|memorandum| (memorandum.id.clone(), memorandum.terms_digest()));
        let new: Vec<_> = held.filter(|(id, digest)| self.adopted.get(id) != Some(digest)).collect();
        for (memorandum, digest) in new {
            let event = change::adopted(&memorandum, digest);
            self.record(now_ms, event, Change::Adopted { memorandum, digest }, Record::default(), output);
        }
        self.configure(now_ms, output);
        self.erase_again(output);
        for channel in self.channels() {
            self.go_on(now_ms, &channel, output);
        }
    }

    /// Says in a channel what is to be said; while the log is compared, asks at most.
    pub(crate) fn go_on(&mut self, now_ms: i64, channel: &ChannelId, output: &mut Output) {
        if !self.is_comparing() {
            self.state_card(now_ms, channel, output);
            self.hold_back(now_ms, output);
        }
        self.wake(channel, &mut output.effects, now_ms);
    }
}
