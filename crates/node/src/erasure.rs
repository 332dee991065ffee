//! Erasure, for the local service: what a person asks for, and the list of what was asked for and done.

use std::fs;

use verbale_domain::{PURPOSE_BYTES_MAX, is_line};
use verbale_envelope::{FactsKey, NoticeKeys};
use verbale_evidence::MessageId;
use verbale_exchange::{Erasing, Exchange, HeldErasure};
use verbale_proto::v1::{AskErasureRequest, ErasureStatus, Facts};
use verbale_rpc::Failure;

use crate::clock::now_ms;
use crate::folder::Folder;
use crate::letter::refused;
use crate::local_reads::find;
use crate::person::Sight;
use crate::random;
use crate::shared::Shared;

/// What the core is asked to log.
pub(crate) fn erasing(
    shared: &Shared,
    exchange: &Exchange,
    actor: String,
    request: &AskErasureRequest,
) -> Result<Erasing, Failure> {
    let about = find(exchange, &request.id, Sight::Numbers)?.message_id;
    let reason = request.reason.trim().to_owned();
    if reason.is_empty() || !is_line(&reason, PURPOSE_BYTES_MAX) {
        let text = format!(
            "say with --reason in one line of 1 to {PURPOSE_BYTES_MAX} bytes why it is erased; the reason stays, so let it name nobody"
        );
        return Err(refused("BAD_VALUE", text));
    }
    let id = MessageId::new(now_ms().unsigned_abs(), &random::bytes());
    let keys = NoticeKeys::of_facts(FactsKey::from_bytes(random::bytes()));
    let facts = Facts { purpose: reason.clone(), ..Facts::default() };
    let sealed = keys.facts.seal(id, &facts, &random::bytes());
    let sealed = (sealed, shared.archive.wrap(id, &keys, &random::bytes()));
    Ok(Erasing { id, about, actor, reason, sealed })
}

/// Erasures, of one notice or of all.
pub(crate) fn erasures(exchange: &Exchange, id: &str) -> Result<Vec<ErasureStatus>, Failure> {
    let about = if id.is_empty() { None } else { Some(find(exchange, id, Sight::Numbers)?.message_id) };
    let of = exchange.erasures().filter(|erasure| about.is_none_or(|about| erasure.about == about));
    Ok(of.map(|erasure| status(exchange, erasure)).collect())
}

fn status(exchange: &Exchange, held: &HeldErasure) -> ErasureStatus {
    let (settled_by, settled_ms) = held.settled.clone().unwrap_or_default();
    let state = match (&held.settled, held.done) {
        (None, _) => "WAITING",
        (Some(_), false) => "DROPPED",
        (Some(_), true) => "ERASED",
    };
    ErasureStatus {
        erasure_id: held.id.to_string(),
        message_id: held.about.to_string(),
        notice_id: exchange.notice(&held.about).and_then(|held| held.notice_id.clone()).unwrap_or_default(),
        state: state.to_owned(),
        reason: held.reason.clone().unwrap_or_default(),
        asked_by: held.asked_by.clone(),
        asked_ms: held.asked_ms,
        settled_by,
        settled_ms,
        log_index: held.index.0,
    }
}

/// Folders in which a recovery, or a torn write, left bytes that no erasure reaches.
pub(crate) fn still_in(folder: &Folder) -> Vec<String> {
    let names = |dir: &std::path::Path| -> Vec<String> {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    };
    let closed = names(folder.dir()).into_iter().filter(|name| name.starts_with("journal-"));
    let damaged = names(&folder.dir().join("journal/damaged"));
    let mut found: Vec<String> = closed.collect();
    found.extend((!damaged.is_empty()).then(|| "journal/damaged".to_owned()));
    found.sort();
    found
}
