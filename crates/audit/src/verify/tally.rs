//! How much of what a log holds.

use serde_json::{Value, json};
use verbale_proto::v1::log_entry::Event;

/// Counts of entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Notices sent.
    pub sent: u64,
    /// Notices received.
    pub received: u64,
    /// Notices refused.
    pub refused: u64,
    /// Receipts held.
    pub receipts: u64,
    /// Notices given up by their sender.
    pub expired: u64,
    /// Notices read by people.
    pub opened: u64,
    /// Notices handed over to the own system.
    pub handed_over: u64,
    /// Releases to an audience.
    pub released: u64,
    /// Releases to everybody.
    pub published: u64,
    /// Releases denied.
    pub denied: u64,
    /// Second statements under used numbers.
    pub conflicts: u64,
    /// Notices whose content was erased.
    pub erased: u64,
    /// Exports, this one included.
    pub exports: u64,
    /// Changes of configuration, the first included.
    pub configurations: u64,
}

impl Tally {
    pub(super) fn count(&mut self, event: &Event) {
        let counted = match event {
            Event::NoticeSent(_) => &mut self.sent,
            Event::NoticeReceived(_) => &mut self.received,
            Event::NoticeRefused(_) => &mut self.refused,
            Event::ReceiptReceived(_) => &mut self.receipts,
            Event::NoticeExpired(_) => &mut self.expired,
            Event::NoticeOpened(_) => &mut self.opened,
            Event::NoticeHandedOver(_) => &mut self.handed_over,
            Event::Disclosed(of) if of.published => &mut self.published,
            Event::Disclosed(_) => &mut self.released,
            Event::DisclosureDenied(_) => &mut self.denied,
            Event::ConflictKept(_) => &mut self.conflicts,
            Event::ContentErased(_) => &mut self.erased,
            Event::LogExported(_) => &mut self.exports,
            Event::Configured(_) => &mut self.configurations,
            _ => return,
        };
        *counted += 1;
    }

    /// The counts by name.
    fn named(&self) -> [(&'static str, u64); 14] {
        [
            ("sent", self.sent),
            ("received", self.received),
            ("refused", self.refused),
            ("receipts", self.receipts),
            ("expired", self.expired),
            ("opened", self.opened),
            ("handed_over", self.handed_over),
            ("released", self.released),
            ("published", self.published),
            ("denied", self.denied),
            ("conflicts", self.conflicts),
            ("erased", self.erased),
            ("exports", self.exports),
            ("configurations", self.configurations),
        ]
    }

    pub(super) fn to_json(&self) -> Value {
        self.named()
            .into_iter()
            .map(|(name, count)| (name.to_owned(), json!(count)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }

    pub(super) fn to_text(&self) -> String {
        let shown = self.named().into_iter().filter(|(_, count)| *count > 0);
        let shown: Vec<String> = shown.map(|(name, count)| format!("{count} {}", name.replace('_', " "))).collect();
        shown.join(", ")
    }
}
