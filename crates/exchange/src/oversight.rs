//! What auditors find in the log beside notices: the configuration by which the node runs, and exports of the log itself.

use verbale_ledger::LogIndex;

use crate::change::{self, Change, Record};
use crate::state::Exchange;
use crate::step::{Effect, Output, Ticket, Told};

impl Exchange {
    /// Logs the configuration when it is another one than before.
    pub(crate) fn configure(&mut self, now_ms: i64, output: &mut Output) {
        if self.configured != self.own.configured.file_sha256 {
            let event = change::configured(&self.own.configured);
            let digest = self.own.configured.file_sha256.clone();
            self.record(now_ms, event, Change::Configured { digest }, Record::default(), output);
        }
    }

    /// Logs an export. One that is repeated for the same recipient while nothing else happened is the same export.
    pub(crate) fn export(&mut self, now_ms: i64, ticket: Ticket, recipient: String, actor: &str, output: &mut Output) {
        let is_last = |(index, to): &&(LogIndex, String)| index.0 + 1 == self.size && *to == recipient;
        let index = if let Some((index, _)) = self.exported.as_ref().filter(is_last) {
            *index
        } else {
            let index = LogIndex(self.size);
            let event = change::exported(&recipient, actor);
            self.record(now_ms, event, Change::Exported { recipient }, Record::default(), output);
            index
        };
        output.effects.push(Effect::Tell { ticket, told: Told::Done(index) });
    }
}
