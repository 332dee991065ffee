//! Erasures: asked for by one person, done by another; and nothing is done afterwards with content that is gone.

use std::collections::{HashMap, HashSet};

use verbale_evidence::MessageId;
use verbale_proto::v1::{ContentErased, ErasureAsked, ErasureDropped};

use super::chronicle::{Chronicle, message_id};

/// What the log says so far.
#[derive(Default)]
pub(super) struct Erasures {
    /// The notice, and who asked; of those that nobody settled.
    asked: HashMap<MessageId, (MessageId, String)>,
    erased: HashSet<MessageId>,
}

impl Erasures {
    /// Whether a notice's content is gone.
    pub(super) fn is_erased(&self, id: &MessageId) -> bool {
        self.erased.contains(id)
    }
}

impl Chronicle<'_> {
    pub(super) fn erasure_asked(&mut self, index: u64, of: ErasureAsked) {
        let Some((id, about)) = message_id(&of.erasure_id).zip(message_id(&of.message_id)) else {
            return self.find("ID", index, "the ids of erasure and notice", "none");
        };
        if self.content_of(about).is_none() {
            self.find("UNKNOWN_NOTICE", index, "a notice with content that the log holds", about.to_string());
        }
        self.erasures.asked.insert(id, (about, of.actor));
    }

    pub(super) fn erasure_dropped(&mut self, index: u64, of: &ErasureDropped) {
        if message_id(&of.erasure_id).and_then(|id| self.erasures.asked.remove(&id)).is_none() {
            self.find("UNKNOWN_ERASURE", index, "an erasure that somebody asked for", "none of that id");
        }
    }

    pub(super) fn content_erased(&mut self, index: u64, of: &ContentErased) {
        let asked = message_id(&of.erasure_id).and_then(|id| self.erasures.asked.remove(&id));
        let Some((about, first)) = asked else {
            return self.find("UNKNOWN_ERASURE", index, "an erasure that another person asked for", "none of that id");
        };
        self.second_person(index, Some(&first), &of.actor);
        if message_id(&of.message_id) != Some(about) {
            self.find(
                "ERASURE",
                index,
                format!("the erasure of {about}, which was asked for"),
                "that of another notice",
            );
        }
        if self.outstanding.get(&about).is_some_and(|waiting| self.last_ms <= waiting.not_after_ms) {
            self.find(
                "ERASURE",
                index,
                "a notice that was delivered, or whose time is over",
                "one that waits for its receipt",
            );
        }
        self.erasures.erased.insert(about);
    }
}
