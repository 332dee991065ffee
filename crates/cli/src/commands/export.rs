//! `verbale audit export`: the log for auditors, as a folder.

use std::path::Path;
use std::process::ExitCode;

use serde_json::json;
use verbale_audit::{ExportError, ExportFolder, ExportReady, Given, Reconciled, Verified, reconcile, verify};
use verbale_evidence::Card;
use verbale_proto::v1::{ExportLogRequest, StatusRequest};

use super::{Client, client};
use crate::args::{ExportArgs, NodeArgs};
use crate::failure::CliError;
use crate::output::say;
use crate::progress::Progress;

pub(crate) async fn run(args: &ExportArgs, node: &NodeArgs) -> Result<ExitCode, CliError> {
    let progress = Progress::new();
    let mut client = client(node).await?;
    let recipient = args.recipient.clone().unwrap_or_default();
    let exported = export(&mut client, &args.to, (args.since, recipient), &progress).await;
    progress.end();
    let size = exported?;
    if node.json {
        say!("{}", json!({"dir": args.to.display().to_string(), "size": size, "since": args.since}));
    } else {
        let to = args.to.display();
        say!("{size} entries exported to {to}: the log, its receipts, cards and memoranda; no content.");
        say!("Anybody checks it with: verbale-audit verify {to}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Exports a node's log, and gives its size.
pub(crate) async fn export(
    client: &mut Client,
    to: &Path,
    (since, recipient): (u64, String),
    progress: &Progress,
) -> Result<u64, CliError> {
    // First: the log tells of each export, for good.
    let checkpoint = client.status(StatusRequest {}).await?.into_inner().checkpoint;
    let ready = ExportReady::new(to, since, &checkpoint)?;
    let mut parts = client.export_log(ExportLogRequest { recipient }).await?.into_inner();
    let headless =
        || CliError::damaged("the node gives out a log without a head; run `verbale status` there".to_owned());
    let head = parts.message().await?.and_then(|first| first.head).ok_or_else(headless)?;
    let mut writer = ready.begin(&head.checkpoint)?;
    for kept in head.cosigned {
        writer.cosigned(&kept.name, &kept.text);
    }
    for kept in head.counterparts {
        writer.counterpart(&kept.name, &kept.text);
    }
    for kept in head.equivocations {
        writer.equivocation(&kept.name, &kept.text);
    }
    for memorandum in head.memoranda {
        writer.memorandum(&memorandum.id, &memorandum.text);
    }
    let mut taken = 0;
    while let Some(part) = parts.message().await? {
        for stamp in part.stamps {
            writer.stamp((stamp.closed_log, stamp.size), &stamp.checkpoint, stamp.answer);
        }
        for exported in part.entries {
            let receipt = (exported.receipt_entry.as_slice(), exported.receipt_proof.as_str());
            let has_receipt = !exported.receipt_proof.is_empty();
            writer.entry(exported.entry, has_receipt.then_some(receipt))?;
            taken += 1;
        }
        progress.set("exporting the log", taken, head.size);
    }
    Ok(writer.finish()?.0)
}

/// Exports the logs of staged nodes and verifies each, and each pair that knows each other.
pub(crate) async fn prove(
    sides: &mut [(&mut Client, &Card)],
    to: &Path,
) -> Result<(Vec<Verified>, Vec<Reconciled>), CliError> {
    let (mut folders, progress) = (Vec::new(), Progress::new());
    for (client, card) in sides.iter_mut() {
        let dir = to.join(&card.id);
        export(client, &dir, (0, String::new()), &progress).await?;
        folders.push(ExportFolder::new(&dir));
    }
    progress.end();
    let given = Given { cards: sides.iter().map(|(_, card)| (*card).clone()).collect(), ..Given::default() };
    let silent = |_, _| {};
    let mut verified = Vec::new();
    for folder in &folders {
        let log = verify(folder, &given, &silent).map_err(|missing| CliError::damaged(missing.to_string()))?;
        sound(log.is_sound(), || log.to_text())?;
        verified.push(log);
    }
    let mut reconciled = Vec::new();
    for (at, (one, log)) in folders.iter().zip(&verified).enumerate() {
        for (other, with) in folders.iter().zip(&verified).skip(at + 1) {
            if !log.peers.iter().any(|(id, _)| *id == with.id) {
                continue;
            }
            let pair = reconcile((one, other), &given, &silent);
            let pair = pair.map_err(|missing| CliError::damaged(missing.to_string()))?;
            sound(pair.is_sound() && pair.is_whole(), || pair.to_text())?;
            reconciled.push(pair);
        }
    }
    Ok((verified, reconciled))
}

fn sound(is_sound: bool, report: impl FnOnce() -> String) -> Result<(), CliError> {
    if is_sound { Ok(()) } else { Err(CliError::damaged(report())) }
}

impl From<ExportError> for CliError {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Io { .. } => {
                Self::failed("the export was not made; give the same folder again, and it is gone on with", error)
            }
            ExportError::Locked(_) => Self::Refused(error.to_string()),
            ExportError::Since { .. } | ExportError::OtherLog { .. } => Self::Usage(error.to_string()),
            ExportError::Differs(_) | ExportError::Entry { .. } | ExportError::OtherHead => {
                Self::damaged(error.to_string())
            }
        }
    }
}
