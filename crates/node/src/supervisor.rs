//! What the node tells the one who started it, where that is systemd (sd_notify(3)): how far the start is, ready, stopping.
//! Without `NOTIFY_SOCKET` it tells nobody.

use sd_notify::{NotifyState, notify};
use verbale_journal::{Phase, Progress};

/// A start that goes on is given so much more time, in microseconds: one minute.
const MORE_TIME_USEC: u32 = 60_000_000;

pub(crate) fn starting(progress: Progress) {
    let phase = match progress.phase {
        Phase::Reading => "reading segments",
        Phase::Replaying => "replaying entries",
        Phase::Indexing => "building the index",
    };
    let status = format!("{phase}: {} of {}", progress.done, progress.total);
    tell(&[NotifyState::Status(&status), NotifyState::ExtendTimeoutUsec(MORE_TIME_USEC)]);
}

pub(crate) fn ready(id: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(&format!("serving {id}"))]);
}

pub(crate) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = notify(states) {
        tracing::warn!(error = %error, "the service manager could not be told");
    }
}
