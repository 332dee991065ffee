//! `verbale receipts`: shown, and verified here, not only by the node.

use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};
use verbale_evidence::{UnverifiedEnvelope, VerifiedReceipt, verify_receipt};
use verbale_keys::{PublicKey, Vkey};
use verbale_proto::v1::{HeldReceipt, Receipt, ReceiptsRequest};

use super::{Client, client};
use crate::args::NodeArgs;
use crate::failure::CliError;
use crate::output::{say, table};

pub(crate) async fn run(id: Option<String>, to: Option<&Path>, node: &NodeArgs) -> Result<ExitCode, CliError> {
    let mut client = client(node).await?;
    let receipts = held(&mut client, id.clone().unwrap_or_default()).await?;
    if let (Some(id), []) = (&id, receipts.as_slice()) {
        return Err(CliError::Refused(format!(
            "no receipt for {id} is held yet; `verbale status` says what it waits for"
        )));
    }
    if let (Some(id), Some(to)) = (&id, to) {
        export(&mut client, id, to).await?;
    }
    let mut rows = table(&["notice", "verdict", "entry", "head size", "log of", "verified", "cosigned by us"]);
    for (held, verified) in &receipts {
        if node.json {
            say!("{}", receipt_json(held, verified));
        }
        rows.add_row([
            held.notice_id.clone(),
            verified.verdict().code().to_owned(),
            verified.index().0.to_string(),
            verified.checkpoint().size.0.to_string(),
            held.counterpart.clone(),
            "yes".to_owned(),
            if held.covered { "yes" } else { "not yet" }.to_owned(),
        ]);
    }
    if !node.json {
        say!("{rows}");
    }
    Ok(ExitCode::SUCCESS)
}

/// The receipts that a node holds, each verified for its own envelope.
pub(crate) async fn held(client: &mut Client, id: String) -> Result<Vec<(HeldReceipt, VerifiedReceipt)>, CliError> {
    let mut all = Vec::new();
    let mut after_index = None;
    loop {
        let request = ReceiptsRequest { id: id.clone(), after_index, sealed: false };
        let part = client.receipts(request).await?.into_inner().receipts;
        let Some(last) = part.last() else { return Ok(all) };
        after_index = Some(last.log_index);
        for held in part {
            let verified = verify(&held)?;
            all.push((held, verified));
        }
        if !id.is_empty() {
            return Ok(all);
        }
    }
}

/// Writes what an outsider needs for checking one receipt with tools that nobody here wrote.
async fn export(client: &mut Client, id: &str, dir: &Path) -> Result<(), CliError> {
    let request = ReceiptsRequest { id: id.to_owned(), after_index: None, sealed: true };
    let receipts = client.receipts(request).await?.into_inner().receipts;
    let Some(held) = receipts.first() else { return Ok(()) };
    verify(held)?;
    let log = Vkey::parse(&held.log_vkey).map_err(|error| CliError::damaged(error.to_string()))?;
    let (envelope_key, log_key) = (envelope_key(held)?.to_pem(), log.key.to_pem());
    let files: [(&str, &[u8]); 7] = [
        ("receipt.tlog-proof", held.proof.as_bytes()),
        ("entry.bin", &held.entry),
        ("envelope.bin", &held.envelope),
        ("sealed.age", &held.sealed),
        ("envelope-key.pem", envelope_key.as_bytes()),
        ("log-key.pem", log_key.as_bytes()),
        ("log-key.vkey", held.log_vkey.as_bytes()),
    ];
    let failed = |error| CliError::failed(format!("cannot write {}", dir.display()), error);
    std::fs::create_dir_all(dir).map_err(failed)?;
    for (name, bytes) in files {
        std::fs::write(dir.join(name), bytes).map_err(failed)?;
    }
    Ok(())
}

/// The key that signed the notice.
fn envelope_key(held: &HeldReceipt) -> Result<PublicKey, CliError> {
    PublicKey::from_bytes(&held.envelope_key).map_err(|error| CliError::damaged(error.to_string()))
}

fn verify(held: &HeldReceipt) -> Result<VerifiedReceipt, CliError> {
    let wrong =
        |error: String| CliError::damaged(format!("the receipt for {} does not verify: {error}", held.message_id));
    let log = Vkey::parse(&held.log_vkey).map_err(|error| wrong(error.to_string()))?;
    let key = envelope_key(held)?;
    let envelope = UnverifiedEnvelope::parse(&held.envelope).and_then(|envelope| envelope.verify(&key));
    let envelope = envelope.map_err(|error| wrong(error.to_string()))?;
    let receipt = Receipt { entry: held.entry.clone(), proof: held.proof.clone() };
    verify_receipt(&receipt, &log, &envelope).map_err(|error| wrong(error.to_string()))
}

fn receipt_json(held: &HeldReceipt, verified: &VerifiedReceipt) -> Value {
    json!({
        "message_id": held.message_id, "notice_id": held.notice_id, "counterpart": held.counterpart, "verdict": verified.verdict().code(),
        "log_vkey": held.log_vkey, "index": verified.index().0, "head_size": verified.checkpoint().size.0, "proof": held.proof,
        "verified": true, "cosigned_by_us": held.covered,
    })
}
