//! Notices that wait for a second person: what leaves is what was drafted, and whoever approves it read it.

use std::collections::BTreeSet;

use verbale_evidence::{MessageId, Statement};
use verbale_proto::v1::NoticeDrafted;

use super::chronicle::{Chronicle, message_id};

/// A notice that waits.
pub(super) struct Drafted {
    of: NoticeDrafted,
    read_by: BTreeSet<String>,
}

impl Chronicle<'_> {
    pub(super) fn drafted(&mut self, index: u64, of: NoticeDrafted) {
        let Some(id) = message_id(&of.message_id) else {
            return self.find("ID", index, "a message id", "none");
        };
        let drafted = Drafted { of, read_by: BTreeSet::new() };
        if self.notices.contains(&id) || self.drafts.insert(id, drafted).is_some() {
            self.find("TWICE", index, "a message id of its own", id.to_string());
        }
    }

    /// Takes note that a person read a draft; false when there is none of that id.
    pub(super) fn draft_read(&mut self, id: &MessageId, actor: &str) -> bool {
        let draft = self.drafts.get_mut(id);
        draft.map(|draft| draft.read_by.insert(actor.to_owned())).is_some()
    }

    /// A statement that a second person approved is what the first one drafted.
    pub(super) fn approved(&mut self, index: u64, statement: &Statement, (actor, drafted_by): (&str, &str)) {
        let draft = self.drafts.remove(&statement.message_id).filter(|draft| draft.of.actor == drafted_by);
        let Some(Drafted { of, read_by }) = draft else {
            return self.find("UNKNOWN_FIRST", index, format!("a draft of {drafted_by} in the log"), "none of that id");
        };
        self.second_person(index, Some(drafted_by), actor);
        if !read_by.contains(actor) {
            self.find("UNREAD", index, format!("an entry before it by which {actor} read the draft"), "none");
        }
        let drafted = (of.memorandum, of.flow, of.recipient, of.sealed_sha256, of.content_root);
        let sent = (
            statement.memorandum.clone(),
            statement.flow.clone(),
            statement.recipient.clone(),
            statement.sealed_sha256.to_vec(),
            statement.content_root.to_vec(),
        );
        if drafted != sent {
            self.find("NOT_AS_DRAFTED", index, "what was drafted, read and approved", "another notice");
        }
    }
}
