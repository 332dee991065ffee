//! The log for auditors: entries, receipts, memoranda; no sealed content and no facts.

use std::sync::Arc;

use tokio::sync::mpsc;
use verbale_journal::{Journal, Store};
use verbale_ledger::{Checkpoint, LogIndex, LogSize, Note};
use verbale_proto::v1::{ExportEntry, ExportHead, ExportLogResponse, KeptHead, MemorandumFile, Receipt};
use verbale_rpc::tonic::Status;
use verbale_rpc::{Failure, FailureKind};

use crate::config::is_pseudonym;
use crate::core::{Core, Stopped};
use crate::heads::HeadsError;
use crate::local::stopping;
use crate::local_reads::{damaged, failed};
use crate::shared::Shared;
use crate::visits;

/// Bytes of one message: the core reads them while everybody waits.
const PART_BYTES: usize = 256 << 10;

/// Time stamps of one message: at most 64 KiB each.
const STAMPS_AT_ONCE: usize = 16;

/// Who gets it; the person who asks, when nobody else is named.
pub(crate) fn recipient(asked: &str, person: &str) -> Result<String, Status> {
    match asked {
        "" => Ok(person.to_owned()),
        asked if is_pseudonym(asked) => Ok(asked.to_owned()),
        _ => {
            let text = "the recipient stands in the log, which nobody can erase: give a pseudonym of 1 to 64 characters a-z, 0-9 and -";
            Err(Failure::new(FailureKind::Refused, "BAD_PSEUDONYM", text).status())
        }
    }
}

/// Heads that this node and its counterparts hold of each other: cosigned own ones, those of counterparts, and what convicts any.
type Kept = [Vec<KeptHead>; 3];

/// What of them there is now.
pub(crate) fn kept(shared: &Shared) -> Result<Kept, Status> {
    let peers = shared.peers.now();
    shared.witnesses.kept(&shared.card, &peers.by_id).map_err(|error| fault(&error))
}

/// Sends the log up to the entry that tells of it, whatever came behind that: what is after an export can be told from what it leaves out. `before`
/// was kept before that entry was made: heads of counterparts that were shown since may be of after it.
pub(crate) async fn send(
    shared: &Arc<Shared>,
    core: &Core,
    (LogIndex(told), before): (LogIndex, Kept),
    responses: &mpsc::Sender<Result<ExportLogResponse, Status>>,
) -> Result<(), Status> {
    visits::now(shared, core).await;
    // A counterpart may just have shown that this log is not the one it knows.
    if let Some(trouble) = shared.standing.trouble() {
        return Err(trouble.status());
    }
    let size = told + 1;
    let head = core.read(move |_, journal| journal.head_at(LogSize(size)).map(|head| head.to_string()));
    let checkpoint = head.await.map_err(stopping)?.ok_or_else(|| damaged("the head of the export").status())?;
    let [older, counterparts, _] = before;
    let [mut cosigned, _, equivocations] = kept(shared)?;
    // A counterpart may have cosigned a later head by now.
    cosigned.retain(|head| is_within(head, size));
    let only_older = |head: &KeptHead| cosigned.iter().all(|newer| newer.name != head.name) && is_within(head, size);
    let only_older: Vec<KeptHead> = older.into_iter().filter(only_older).collect();
    cosigned.extend(only_older);
    let head = ExportHead {
        checkpoint,
        size,
        cosigned,
        counterparts,
        equivocations,
        memoranda: shared
            .memoranda
            .iter()
            .map(|of| MemorandumFile { id: of.id.clone(), text: of.text().to_owned() })
            .collect(),
    };
    let part = ExportLogResponse { head: Some(head), ..ExportLogResponse::default() };
    responses.send(Ok(part)).await.map_err(|_| stopping(Stopped))?;
    stamps(shared, size, responses).await?;
    let mut next = 0;
    while next < size {
        let entries = core.read(move |_, journal| read(journal, next..size)).await.map_err(stopping)??;
        next += entries.len() as u64;
        let part = ExportLogResponse { entries, ..ExportLogResponse::default() };
        responses.send(Ok(part)).await.map_err(|_| stopping(Stopped))?;
    }
    Ok(())
}

/// Whether a head is none of a longer log.
fn is_within(head: &KeptHead, size: u64) -> bool {
    let head = Note::parse(&head.text).ok().and_then(|note| Checkpoint::parse(note.text).ok());
    head.is_some_and(|head| head.size.0 <= size)
}

/// Sends the time stamps on heads that the export covers.
async fn stamps(
    shared: &Arc<Shared>,
    size: u64,
    responses: &mpsc::Sender<Result<ExportLogResponse, Status>>,
) -> Result<(), Status> {
    let stamped = shared.stamps.up_to(size).map_err(|error| fault(&error))?;
    for some in stamped.chunks(STAMPS_AT_ONCE) {
        let stamps =
            some.iter().map(|which| shared.stamps.get(*which, &shared.own_cards)).collect::<Result<Vec<_>, _>>();
        let stamps = stamps.map_err(|error| fault(&error))?.into_iter().flatten().collect();
        let part = ExportLogResponse { stamps, ..ExportLogResponse::default() };
        responses.send(Ok(part)).await.map_err(|_| stopping(Stopped))?;
    }
    Ok(())
}

fn fault(error: &HeadsError) -> Status {
    Failure::new(FailureKind::Fault, "HEADS", error.to_string()).status()
}

fn read(journal: &Journal, range: std::ops::Range<u64>) -> Result<Vec<ExportEntry>, Failure> {
    use prost::Message as _;
    let (mut entries, mut bytes) = (Vec::new(), 0);
    for index in range.map(LogIndex) {
        let mut exported =
            ExportEntry { entry: journal.entry(index).map_err(|error| failed(&error))?, ..ExportEntry::default() };
        if let Some(receipt) = journal.receipt(index).map_err(|error| failed(&error))? {
            let receipt = Receipt::decode(receipt.as_slice()).map_err(|_| damaged("a receipt cannot be read"))?;
            (exported.receipt_entry, exported.receipt_proof) = (receipt.entry, receipt.proof);
        }
        bytes += exported.encoded_len();
        entries.push(exported);
        if bytes > PART_BYTES {
            break;
        }
    }
    Ok(entries)
}
