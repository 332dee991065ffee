//! `verbale breach`: a third side's information that was carried here without a ground, and the report about it.

use std::io::Write as _;
use std::process::ExitCode;

use serde_json::json;
use verbale_proto::v1::{BreachesRequest, ReportBreachRequest};

use super::client;
use super::disclosure::new_file;
use crate::args::{BreachCommand, NodeArgs};
use crate::failure::CliError;
use crate::output::{moment, say, table};

pub(crate) async fn run(command: BreachCommand, node: &NodeArgs) -> Result<ExitCode, CliError> {
    let mut client = client(node).await?;
    match command {
        BreachCommand::List => {
            let breaches = client.breaches(BreachesRequest {}).await?.into_inner().breaches;
            let mut rows = table(&["breach", "when", "sent by", "under", "code", "information of", "notice"]);
            for of in &breaches {
                if node.json {
                    let given = |text: &String| (!text.is_empty()).then(|| text.clone());
                    say!(
                        "{}",
                        json!({
                            "breach_id": of.breach_id, "message_id": of.message_id, "at": moment(of.time_ms), "sender": of.sender,
                            "sent_under": of.sent_under, "code": of.code, "originator": given(&of.originator),
                            "memorandum": given(&of.memorandum), "notice_id": given(&of.notice_id), "log_index": of.log_index,
                        })
                    );
                }
                rows.add_row([
                    of.breach_id.clone(),
                    moment(of.time_ms),
                    of.sender.clone(),
                    of.sent_under.clone(),
                    of.code.clone(),
                    of.originator.clone(),
                    of.notice_id.clone(),
                ]);
            }
            if !node.json {
                say!("{rows}");
            }
        }
        BreachCommand::Report { id, out } => {
            let report = client.report_breach(ReportBreachRequest { id }).await?.into_inner().report_json;
            match out {
                None => say!("{}", report.trim_end()),
                Some(path) => {
                    let mut file = new_file(&path)?;
                    let written = file.write_all(report.as_bytes()).and_then(|()| file.sync_all());
                    written.map_err(|error| CliError::failed("the report cannot be written", error))?;
                    say!("The report is {}; give it to the side whose information it was.", path.display());
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
