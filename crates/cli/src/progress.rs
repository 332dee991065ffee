//! Progress bars for long work, on a terminal only, and only when the work is long.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::failure::CliError;
use crate::output::line;

/// What takes no longer shows no bar.
const LONG: Duration = Duration::from_millis(500);

const TEMPLATE: &str = "{msg:<24} [{wide_bar}] {human_pos} of {human_len}, {eta} left";

/// A bar that appears when the work turns out long. Writes to standard error, nothing where that is no terminal.
#[derive(Clone)]
pub(crate) struct Progress {
    started: Instant,
    bar: Arc<Mutex<Option<ProgressBar>>>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), bar: Arc::default() }
    }

    /// So much of the work of this name is done.
    pub(crate) fn set(&self, name: &'static str, done: u64, total: u64) {
        if self.started.elapsed() < LONG {
            return;
        }
        let mut bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = bar.get_or_insert_with(|| {
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
                bar.set_style(style);
            }
            bar
        });
        bar.set_message(name);
        bar.set_length(total);
        bar.set_position(done);
    }

    /// Lets something else be printed without the bar in it.
    pub(crate) fn print(&self, text: &str) -> Result<(), CliError> {
        let bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        match &*bar {
            Some(bar) => bar.suspend(|| line(format_args!("{text}"))),
            None => line(format_args!("{text}")),
        }
    }

    /// The work is done.
    pub(crate) fn end(&self) {
        if let Some(bar) = self.bar.lock().unwrap_or_else(PoisonError::into_inner).take() {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_work_shows_no_bar_and_long_work_does() {
        let progress = Progress::new();
        progress.set("work", 1, 2);
        assert!(progress.bar.lock().unwrap().is_none());
        let progress = Progress { started: Instant::now().checked_sub(LONG).unwrap(), ..progress };
        progress.set("work", 1, 2);
        assert_eq!(progress.bar.lock().unwrap().as_ref().map(ProgressBar::position), Some(1));
        progress.end();
        assert!(progress.bar.lock().unwrap().is_none());
    }
}
