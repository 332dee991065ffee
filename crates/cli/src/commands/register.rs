//! `verbale register`.

use std::process::ExitCode;

use serde_json::json;
use verbale_proto::v1::OrganisationsRequest;

use super::client;
use crate::args::{NodeArgs, RegisterCommand};
use crate::failure::CliError;
use crate::output::{say, table};

pub(crate) async fn run(command: RegisterCommand, node: &NodeArgs) -> Result<ExitCode, CliError> {
    match command {
        RegisterCommand::Organisations => organisations(node).await,
    }
}

async fn organisations(node: &NodeArgs) -> Result<ExitCode, CliError> {
    let organisations = client(node).await?.organisations(OrganisationsRequest {}).await?.into_inner().organisations;
    let mut rows = table(&["memorandum", "side", "number", "status", "listed in", "revoked"]);
    for of in &organisations {
        if node.json {
            say!(
                "{}",
                json!({
                    "memorandum": of.memorandum, "side": of.side, "number": of.number, "status": of.status,
                    "listed_in": of.listed_in, "revoked": of.revoked,
                    "revoked_by": (!of.revoked_by.is_empty()).then_some(&of.revoked_by),
                    "revoked_from": (!of.revoked_from.is_empty()).then_some(&of.revoked_from),
                })
            );
        }
        let revoked = match (of.revoked, of.revoked_from.as_str()) {
            (true, "") => "yes".to_owned(),
            (true, from) => format!("since {from}, by {}", of.revoked_by),
            (false, "") => "-".to_owned(),
            (false, from) => format!("from {from}, by {}", of.revoked_by),
        };
        let columns = [&of.memorandum, &of.side, &of.number, &of.status, &of.listed_in, &revoked];
        rows.add_row(columns.map(String::as_str));
    }
    if !node.json {
        say!("{rows}");
    }
    Ok(ExitCode::SUCCESS)
}
