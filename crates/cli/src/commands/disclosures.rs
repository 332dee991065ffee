//! `verbale disclosures`: who learnt of a notice, as the own log says, or as the counterpart signs it.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};
use verbale_proto::v1::{AskAccountRequest, DisclosureItem, DisclosuresRequest};

use super::client;
use super::consent::given;
use super::disclosure::new_file;
use crate::args::NodeArgs;
use crate::failure::CliError;
use crate::output::{hex, moment, one_line, say, table};

pub(crate) async fn run(
    of: Option<String>,
    ask: bool,
    out: Option<&Path>,
    node: &NodeArgs,
) -> Result<ExitCode, CliError> {
    let mut client = client(node).await?;
    if ask {
        let mut file = out.map(new_file).transpose()?;
        let account = client.ask_account(AskAccountRequest { id: given(of) }).await;
        if let (Err(_), Some(path)) = (&account, out) {
            let _ = std::fs::remove_file(path);
        }
        let account = account?.into_inner();
        if let Some(file) = &mut file {
            let written = file.write_all(account.account.as_bytes()).and_then(|()| file.sync_all());
            written.map_err(|error| CliError::failed("the account cannot be written", error))?;
        }
        if node.json {
            let items: Vec<Value> = account.items.iter().map(item_json).collect();
            let text = out.is_none().then_some(&account.account);
            say!(
                "{}",
                json!({"log_size": account.log_size, "with_openings": account.with_openings, "items": items, "account": text})
            );
        } else {
            show(&account.items)?;
            let listed = if account.with_openings { "Releases, denials and openings" } else { "Releases" };
            say!("{listed} up to entry {} of the counterpart's log, as it signed; verified here.", account.log_size);
            if let Some(path) = out {
                say!("The signed account is {}.", path.display());
            }
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut stream = client.disclosures(DisclosuresRequest { id: given(of) }).await?.into_inner();
    let mut items = Vec::new();
    while let Some(item) = stream.message().await? {
        if node.json {
            say!("{}", item_json(&item));
        } else {
            items.push(item);
        }
    }
    if !node.json {
        show(&items)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn show(items: &[DisclosureItem]) -> Result<(), CliError> {
    let mut rows = table(&["entry", "when", "notice", "what", "code", "by", "fields", "to", "for", "on"]);
    for of in items {
        let audience = if of.audience_name.is_empty() {
            String::new()
        } else {
            format!("{} ({})", of.audience_name, of.audience_class)
        };
        rows.add_row([
            of.log_index.to_string(),
            moment(of.time_ms),
            of.notice_id.clone(),
            of.event.clone(),
            of.code.clone(),
            of.actor.clone(),
            of.fields.join(", "),
            audience,
            if is_erased(of) { "erased by its holder, with the notice".to_owned() } else { one_line(&of.purpose) },
            if of.outside_kind.is_empty() {
                String::new()
            } else {
                format!("{}, which its originator did not sign: {}", of.outside_kind, of.legal_basis)
            },
        ]);
    }
    say!("{rows}");
    Ok(())
}

/// Whether what it was is held no more: fields, audience and purpose of a release go with the notice.
fn is_erased(of: &DisclosureItem) -> bool {
    ["DISCLOSED", "PUBLISHED", "DISCLOSURE_DENIED"].contains(&of.event.as_str()) && of.fields.is_empty()
}

fn item_json(of: &DisclosureItem) -> Value {
    let given = |text: &String| (!text.is_empty()).then(|| text.clone());
    json!({
        "log_index": of.log_index, "at": moment(of.time_ms), "event": of.event, "message_id": of.message_id,
        "notice_id": given(&of.notice_id), "code": given(&of.code), "actor": of.actor, "fields": of.fields,
        "audience_class": given(&of.audience_class), "audience_name": given(&of.audience_name), "purpose": given(&of.purpose),
        "grounds": of.grounds, "erased": is_erased(of),
        "outside_log": (!of.outside_kind.is_empty()).then(|| {
            json!({"kind": of.outside_kind, "legal_basis": of.legal_basis, "document_sha256": hex(&of.document_sha256)})
        }),
    })
}
