//! `verbale ground`: grounds that stand outside the log, as documents of which the log holds the digest.

use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use verbale_domain::disclosure::OutsideGround;
use verbale_proto::v1::{ConfirmGroundRequest, EndGroundRequest, GroundStatus, GroundsRequest, RecordGroundRequest};

use super::client;
use super::consent::given;
use crate::args::{GroundArgs, GroundCommand, GroundKind, NodeArgs};
use crate::failure::CliError;
use crate::output::{hex, moment, say};

pub(crate) async fn run(command: GroundCommand, node: &NodeArgs) -> Result<ExitCode, CliError> {
    match command {
        GroundCommand::Record(args) => record(args, node).await?,
        GroundCommand::Confirm { id, document } => {
            let request = ConfirmGroundRequest { document_sha256: digest(&document)?, ground_id: id.clone() };
            let index = client(node).await?.confirm_ground(request).await?.into_inner().log_index;
            settled(&id, "confirmed", index, node)?;
        }
        GroundCommand::End { id } => {
            let request = EndGroundRequest { ground_id: id.clone() };
            let index = client(node).await?.end_ground(request).await?.into_inner().log_index;
            settled(&id, "ended", index, node)?;
        }
        GroundCommand::List => {
            for ground in client(node).await?.grounds(GroundsRequest {}).await?.into_inner().grounds {
                if node.json { say!("{}", ground_json(&ground)) } else { say!("{}\n", ground_text(&ground)) }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn record(args: GroundArgs, node: &NodeArgs) -> Result<(), CliError> {
    let kind = match args.kind {
        GroundKind::PaperConsent => OutsideGround::PaperConsent,
        GroundKind::OriginatorPublication => OutsideGround::OriginatorPublication,
        GroundKind::LegalCompulsion => OutsideGround::LegalCompulsion,
        GroundKind::MinistryRequest => OutsideGround::MinistryRequest,
        GroundKind::PublicationBasis => OutsideGround::PublicationBasis,
        GroundKind::OwnWords => OutsideGround::OwnWords,
    };
    let document_sha256 = digest(&args.document)?;
    let request = RecordGroundRequest {
        id: args.of,
        kind: kind.as_str().to_owned(),
        document_sha256: document_sha256.clone(),
        fields: args.fields,
        audience: given(args.to),
        purpose: given(args.purpose),
        valid_from: given(args.from),
        valid_to: given(args.until),
        legal_basis: args.basis,
        reasons_to_withhold: given(args.withhold),
        conditions: args.condition,
    };
    let recorded = client(node).await?.record_ground(request).await?.into_inner();
    if node.json {
        let digest = hex(&document_sha256);
        say!(
            "{}",
            json!({"ground_id": recorded.ground_id, "document_sha256": digest, "log_index": recorded.log_index})
        );
    } else {
        say!(
            "Recorded as {} (log entry {}), with SHA-256 {} of the document, which the node does not keep: keep it for the auditors.\n\
             An approver who holds the same document confirms it with: verbale ground confirm {} DOCUMENT",
            recorded.ground_id,
            recorded.log_index,
            hex(&document_sha256),
            recorded.ground_id
        );
    }
    Ok(())
}

fn settled(id: &str, done: &str, log_index: u64, node: &NodeArgs) -> Result<(), CliError> {
    if node.json {
        say!("{}", json!({"ground_id": id, "state": done.to_uppercase(), "log_index": log_index}));
    } else {
        say!("{id} is {done} (log entry {log_index}).");
    }
    Ok(())
}

/// SHA-256 of a document, read in pieces: a scan may be large.
fn digest(path: &Path) -> Result<Vec<u8>, CliError> {
    let unread = |error| CliError::Usage(format!("{} cannot be read: {error}", path.display()));
    let mut file = std::fs::File::open(path).map_err(unread)?;
    let (mut hasher, mut piece) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        let read = file.read(&mut piece).map_err(unread)?;
        match piece.get(..read) {
            Some(bytes) if read > 0 => hasher.update(bytes),
            _ => return Ok(hasher.finalize().to_vec()),
        }
    }
}

fn state(of: &GroundStatus) -> &'static str {
    match (of.ended, of.confirmed_by.is_empty()) {
        (true, _) => "ENDED",
        (false, true) => "WAITING",
        (false, false) => "CONFIRMED",
    }
}

fn ground_json(of: &GroundStatus) -> Value {
    let given = |text: &String| (!text.is_empty()).then(|| text.clone());
    json!({
        "ground_id": of.ground_id, "state": state(of), "kind": of.kind, "notice_id": of.notice_id, "message_id": of.message_id,
        "document_sha256": hex(&of.document_sha256), "fields": of.fields, "audience_class": of.audience_class,
        "audience_name": of.audience_name, "purpose": of.purpose, "valid_from": moment(of.valid_from_ms),
        "valid_until": (of.valid_until_ms != i64::MAX).then(|| moment(of.valid_until_ms)), "basis": of.legal_basis,
        "withhold": given(&of.reasons_to_withhold), "conditions": of.conditions, "recorded_by": of.recorded_by, "confirmed_by": given(&of.confirmed_by),
    })
}

fn ground_text(of: &GroundStatus) -> String {
    let until = if of.valid_until_ms == i64::MAX { "open".to_owned() } else { moment(of.valid_until_ms) };
    let confirmed = if of.confirmed_by.is_empty() { "nobody yet" } else { &of.confirmed_by };
    let withhold = if of.reasons_to_withhold.is_empty() {
        String::new()
    } else {
        format!("\n  to withhold   {}", of.reasons_to_withhold)
    };
    let conditions = of.conditions.iter().fold(String::new(), |text, of| text + "\n  condition     " + of);
    format!(
        "{} {}, {}\n  of notice     {} ({})\n  document      SHA-256 {}, not signed by the other side\n  basis         {}{withhold}{conditions}\n  \
         fields        {}\n  to            {} ({})\n  for           {}\n  valid         {} to {until}\n  recorded by   {}, confirmed by \
         {confirmed}",
        of.ground_id,
        state(of),
        of.kind,
        of.notice_id,
        of.message_id,
        hex(&of.document_sha256),
        of.legal_basis,
        of.fields.join(", "),
        of.audience_name,
        of.audience_class,
        of.purpose,
        moment(of.valid_from_ms),
        of.recorded_by,
    )
}
