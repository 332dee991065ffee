//! Before a log goes on, it is compared with what counterparts hold: at the start each channel is opened once, and until all of them answered, or
//! could not be reached, nothing is numbered and nothing entered.

use std::collections::BTreeSet;

use crate::change::{self, Change, Record};
use crate::link::{Link, LinkState};
use crate::state::{ChannelId, Exchange};
use crate::step::{Input, Output};

/// Who has not answered by then is compared with when it does.
const PATIENCE_MS: i64 = 5_000;

/// What is still to be compared.
#[derive(Default)]
pub(crate) struct Comparing {
    /// Channels that were opened for the first time, and not yet answered.
    channels: BTreeSet<ChannelId>,
    until_ms: i64,
    /// A counterpart holds what this log must hold, and does not.
    contradicted: bool,
}

impl Input {
    /// Whether it lets the log grow for somebody who can wait. What a counterpart asks or tells of itself is part of the comparison.
    pub fn waits_for_comparison(&self) -> bool {
        !matches!(
            self,
            Self::Start
                | Self::Tick
                | Self::PeerOpened { .. }
                | Self::LinkOpened { .. }
                | Self::LinkFailed { .. }
                | Self::ReceiptArrived(..)
                | Self::CounterpartCard { .. }
        )
    }
}

impl Exchange {
    /// Whether the log is not to grow yet, or no more: whoever asks for something that [`Input::waits_for_comparison`] waits.
    pub fn is_comparing(&self) -> bool {
        self.comparing.contradicted || !self.comparing.channels.is_empty()
    }

    /// Asks each counterpart where its channels stand.
    pub(crate) fn start(&mut self, now_ms: i64, output: &mut Output) {
        if self.own.card.revoked {
            // The last entry of this log: whoever has its keys may be somebody else.
            self.rotate(now_ms, output);
            return;
        }
        let channels = self.channels();
        for channel in &channels {
            self.wake(channel, &mut output.effects, now_ms);
        }
        let is_asked = |link: &Link| link.state == LinkState::Connecting;
        let asked = channels.into_iter().filter(|channel| self.links.get(channel).is_some_and(is_asked));
        (self.comparing.channels, self.comparing.until_ms) = (asked.collect(), now_ms.saturating_add(PATIENCE_MS));
        if !self.is_comparing() {
            self.take_up(now_ms, output);
        }
    }

    /// A channel was opened, or could not be.
    pub(crate) fn compared(&mut self, now_ms: i64, channel: &ChannelId, output: &mut Output) {
        if self.comparing.channels.remove(channel) && !self.is_comparing() {
            self.take_up(now_ms, output);
        }
    }

    /// The log is an older copy, or there is another one: it is not continued.
    pub(crate) fn contradicted(&mut self) {
        self.comparing.contradicted = true;
    }

    /// Waits no longer for whoever has not answered.
    pub(crate) fn compared_long_enough(&mut self, now_ms: i64, output: &mut Output) {
        if !self.comparing.channels.is_empty() && now_ms > self.comparing.until_ms {
            self.comparing.channels.clear();
            if !self.is_comparing() {
                self.take_up(now_ms, output);
            }
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

    /// Says in a channel what is to be said.
    pub(crate) fn go_on(&mut self, now_ms: i64, channel: &ChannelId, output: &mut Output) {
        if self.is_comparing() {
            return;
        }
        self.state_card(now_ms, channel, output);
        self.hold_back(now_ms, output);
        self.wake(channel, &mut output.effects, now_ms);
    }
}
