//! Whether the own log is the one that others know. While it is not, no number is given and nothing is signed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use verbale_ledger::{Checkpoint, Hash, LogSize};
use verbale_rpc::{Failure, FailureKind};

use crate::clock::now_ms;

/// What the own log is, compared with a head of it that somebody holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Compared {
    /// The head is a beginning of the log.
    Agrees,
    /// The log is shorter.
    Behind {
        /// Size of the log.
        have: u64,
        /// Size of the head.
        held: u64,
    },
    /// The log has another root there.
    Forked {
        /// Size of the head.
        held: u64,
    },
}

/// Compares a head, whose signature was verified, with the log.
pub(crate) fn compare(held: &Checkpoint, size: LogSize, root_at: impl Fn(LogSize) -> Option<Hash>) -> Compared {
    match root_at(held.size) {
        None => Compared::Behind { have: size.0, held: held.size.0 },
        Some(root) if root == held.root => Compared::Agrees,
        Some(_) => Compared::Forked { held: held.size.0 },
    }
}

impl Compared {
    /// What was seen, for the operator; `None` when all is well. `holder` is who holds the head.
    pub(crate) fn trouble(&self, holder: &str) -> Option<String> {
        match self {
            Self::Agrees => None,
            Self::Behind { have, held } => Some(format!(
                "this log has {have} entries, and {holder} holds its signed head of {held}: the folder was put back from an older copy, or \
                 another copy of this node runs"
            )),
            Self::Forked { held } => Some(format!(
                "this log has another root at size {held} than the signed head that {holder} holds: it was continued in two ways, by two \
                 copies of this node or after an older copy was put back"
            )),
        }
    }
}

/// Whether the node gives numbers and signs.
pub(crate) struct Standing {
    /// The card says nothing for its keys after it.
    card_until_ms: i64,
    held_back: AtomicBool,
    why: Mutex<String>,
    /// It waits for the first counterpart, and nothing was seen that contradicts.
    unconfirmed: AtomicBool,
}

impl Standing {
    /// Nothing is wrong, until the card is over.
    pub(crate) fn new(card_until_ms: i64) -> Self {
        Self {
            card_until_ms,
            held_back: AtomicBool::default(),
            why: Mutex::default(),
            unconfirmed: AtomicBool::default(),
        }
    }

    /// Holds back until somebody mends it.
    pub(crate) fn hold_back(&self, why: String) {
        let mut known = self.why.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.held_back.swap(true, Ordering::AcqRel) || self.unconfirmed.swap(false, Ordering::AcqRel) {
            tracing::error!(why, "the node holds back: it gives no numbers and signs nothing");
            *known = why;
        }
    }

    /// Holds back until a counterpart knows this log, or knows none.
    pub(crate) fn wait_for_counterpart(&self, why: String) {
        self.hold_back(why);
        self.unconfirmed.store(true, Ordering::Release);
    }

    /// A counterpart knows this log. True when the node waited for that, and goes on now.
    pub(crate) fn confirm(&self) -> bool {
        let _known = self.why.lock().unwrap_or_else(PoisonError::into_inner);
        let goes_on = self.unconfirmed.swap(false, Ordering::AcqRel);
        if goes_on {
            self.held_back.store(false, Ordering::Release);
            tracing::info!("a counterpart knows this log: the node goes on");
        }
        goes_on
    }

    /// Why it holds back; `None` when all is well.
    pub(crate) fn trouble(&self) -> Option<Failure> {
        if self.held_back.load(Ordering::Acquire) {
            let why = self.why.lock().unwrap_or_else(PoisonError::into_inner);
            let text = format!("this node gives no numbers and signs nothing: {why}");
            return Some(Failure::new(FailureKind::Damaged, "LOG_HELD_BACK", text));
        }
        (self.card_until_ms < now_ms()).then(|| {
            let text = "this node gives no numbers and signs nothing: its card is over. Stop it, and make the next card: verbale keys rotate";
            Failure::new(FailureKind::Refused, "CARD_OVER", text)
        })
    }
}

/// What a counterpart is told of why nothing is decided: what was seen is for the own operator, and may speak of others.
pub(crate) fn told_others(why: Failure) -> Failure {
    if why.kind == FailureKind::NoRoom {
        return why;
    }
    let text = "this node holds back, gives no numbers and signs nothing until its operator acted, who knows why";
    Failure::new(why.kind, why.code, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_contradicts_outlasts_what_confirms() {
        let standing = Standing::new(i64::MAX);
        assert_eq!(standing.trouble(), None);
        assert!(!standing.confirm());
        standing.wait_for_counterpart("no guard".to_owned());
        assert!(standing.trouble().is_some());
        assert!(standing.confirm());
        assert_eq!(standing.trouble(), None);
        standing.wait_for_counterpart("no guard".to_owned());
        standing.hold_back("behind".to_owned());
        assert!(!standing.confirm());
        assert!(standing.trouble().is_some_and(|failure| failure.text.contains("behind")));
    }

    #[test]
    fn counterparts_are_not_told_what_was_seen() {
        let standing = Standing::new(i64::MAX);
        standing.hold_back("KG holds number 7, and /var/lib/heads a head".to_owned());
        let told = told_others(standing.trouble().unwrap());
        assert!(
            told.code == "LOG_HELD_BACK" && !told.text.contains("KG") && !told.text.contains("/var"),
            "{}",
            told.text
        );
        let full = Failure::new(FailureKind::NoRoom, "NO_ROOM", "free some space");
        assert_eq!(told_others(full.clone()), full);
    }

    #[test]
    fn nothing_is_signed_when_the_card_is_over() {
        let trouble = |until_ms| Standing::new(until_ms).trouble().map(|failure| failure.code);
        assert_eq!((trouble(i64::MAX), trouble(now_ms() - 1)), (None, Some("CARD_OVER".into())));
    }

    #[test]
    fn a_log_is_compared_with_a_head() {
        let root_at = |size: LogSize| (size.0 <= 5).then_some([1; 32]);
        let head = |size, root| Checkpoint { origin: "log".into(), size: LogSize(size), root: [root; 32] };
        let compared = |head| compare(&head, LogSize(5), root_at);
        assert_eq!(compared(head(5, 1)), Compared::Agrees);
        assert_eq!(compared(head(6, 1)), Compared::Behind { have: 5, held: 6 });
        assert_eq!(compared(head(4, 2)), Compared::Forked { held: 4 });
    }
}
