//! What may be made public: never what is marked restricted.

use super::Question;
use crate::refusal::{Code, Refusal};

impl Question<'_> {
    pub(super) fn publish_set(&self) -> Result<(), Refusal> {
        let marks = &self.header.restricted_marks;
        for (i, path) in self.header.publishable_fields.iter().enumerate() {
            let whole = path == "*" && (self.subject.has_restricted || !marks.is_empty());
            let apart = path.starts_with("restricted");
            if whole || apart || marks.iter().any(|mark| covers(path, mark) || covers(mark, path)) {
                let reason =
                    "names a field that is marked restricted, or a part of one; take it out of the one or the other";
                let at = format!("publishable_fields[{i}]");
                return Err(Refusal::new(Code::PublishSetLeaksRestricted, at, reason));
            }
        }
        Ok(())
    }
}

/// Whether a path is another one or a prefix of it that covers its subtree.
pub(crate) fn covers(path: &str, other: &str) -> bool {
    path == "*" || path == other || other.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_covers_itself_and_its_subtree_only() {
        assert!(covers("org", "org.name_en") && covers("org", "org") && covers("*", "org"));
        assert!(!covers("org.name_en", "org") && !covers("org", "organiser"));
    }
}
