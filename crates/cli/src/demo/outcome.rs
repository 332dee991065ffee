//! What the demo checks at its end: every receipt, all logs, and the duties.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::{Value, json};
use verbale_proto::v1::{DutiesRequest, DutyStatus};

use crate::commands::export;
use crate::failure::CliError;
use crate::output::{hex, say};
use crate::stage::{Side, StageFolder};

/// Duties that an answering notice closes: none may be open at the end.
const ANSWERED: [&str; 5] = ["reply", "investigate", "comply", "answer-consent", "assist"];

pub(crate) struct Outcome {
    /// Notices sent, by contact point.
    sent: Vec<(String, u64)>,
    receipts: u64,
    heads: Vec<(String, u64, String)>,
    /// Duties by name: open and closed, as Japan's node shows them.
    duties: BTreeMap<String, [usize; 2]>,
}

impl Outcome {
    /// Verifies every receipt and all logs; `submitted` notices must stand in them. Japan comes first.
    pub(crate) async fn check(sides: &mut [Side], folder: &StageFolder, submitted: usize) -> Result<Self, CliError> {
        let mut asked: Vec<_> = sides.iter_mut().map(|side| (&mut side.client, &side.card)).collect();
        let (logs, pairs) = export::prove(&mut asked, &folder.path().join("export")).await?;
        let sent: Vec<(String, u64)> = logs.iter().map(|log| (log.id.clone(), log.tally.sent)).collect();
        let all = sent.iter().map(|(_, sent)| sent).sum::<u64>();
        let agreed: u64 = pairs.iter().map(|pair| pair.agreed).sum();
        let receipts = logs.iter().map(|log| log.tally.receipts).sum();
        // Each notice went to a counterpart of its memorandum, and only there: each pair tells of its own alike.
        if all != submitted as u64 || agreed != all || receipts != all {
            return Err(CliError::damaged("the logs do not hold every notice that was submitted, with its receipt"));
        }
        let heads = logs.iter().map(|log| &log.head);
        let heads = heads.map(|head| (head.origin.clone(), head.size.0, hex(&head.root))).collect();
        let duties = match sides.first_mut() {
            Some(japan) => duties(japan).await?,
            None => BTreeMap::new(),
        };
        Ok(Self { sent, receipts, heads, duties })
    }

    pub(crate) fn json(&self) -> Value {
        let heads: Vec<Value> = self
            .heads
            .iter()
            .map(|(origin, size, root)| json!({"origin": origin, "size": size, "root": root}))
            .collect();
        let sent: BTreeMap<&String, &u64> = self.sent.iter().map(|(id, sent)| (id, sent)).collect();
        let duties: BTreeMap<&String, Value> =
            self.duties.iter().map(|(name, [open, closed])| (name, json!({"open": open, "closed": closed}))).collect();
        json!({"event": "verified", "sent": sent, "receipts": self.receipts, "heads": heads, "duties": duties})
    }

    pub(crate) fn print(&self, started: Instant) -> Result<(), CliError> {
        let by: Vec<String> = self.sent.iter().map(|(id, sent)| format!("{sent} from {id}")).collect();
        say!("\nDone in {} ms:", started.elapsed().as_millis());
        say!("  {} notices submitted, signed, sealed, delivered, opened and checked: {}", self.receipts, by.join(", "));
        say!(
            "  {} receipts held by the senders, each verified: its entry stands in the receiver's signed log",
            self.receipts
        );
        say!("  all logs exported and verified, each entry, signature and release; they agree with each other:");
        for (origin, size, root) in &self.heads {
            say!("    {origin}: {size} entries, root {root}");
        }
        say!("  no notice went to a side that its memorandum does not name");
        say!("\nWhat the sides owe each other, as Japan's node shows it (verbale duties):");
        for (name, [open, closed]) in &self.duties {
            say!("    {name:<16} {closed:>3} closed, {open:>3} open");
        }
        say!("  none is open that an answer was sent for; what is open waits for a publication or for people");
        Ok(())
    }
}

/// Open and closed duties; none may be open that an answer was sent for.
async fn duties(japan: &mut Side) -> Result<BTreeMap<String, [usize; 2]>, CliError> {
    let mut counts: BTreeMap<String, [usize; 2]> = BTreeMap::new();
    for (at, closed) in [(0, false), (1, true)] {
        let request = DutiesRequest { overdue: false, closed };
        let duties: Vec<DutyStatus> = japan.client.duties(request).await?.into_inner().duties;
        let open = duties.iter().find(|duty| !closed && ANSWERED.contains(&duty.duty.as_str()));
        if let Some(open) = open {
            return Err(CliError::Refused(format!("the duty to {} about {} is still open", open.duty, open.notice_id)));
        }
        for duty in duties {
            if let Some(count) = counts.entry(duty.duty).or_default().get_mut(at) {
                *count += 1;
            }
        }
    }
    Ok(counts)
}
