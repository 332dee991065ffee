//! `verbale audience`: the directory of those to whom information may be disclosed.

use std::process::ExitCode;

use serde_json::json;
use verbale_proto::v1::{AudiencesRequest, ConfirmAudienceRequest, EndAudienceRequest, EnterAudienceRequest};

use super::client;
use super::consent::given;
use crate::args::{AudienceCommand, NodeArgs};
use crate::failure::CliError;
use crate::output::{say, table};

pub(crate) async fn run(command: AudienceCommand, node: &NodeArgs) -> Result<ExitCode, CliError> {
    let mut client = client(node).await?;
    match command {
        AudienceCommand::Enter { name, class, age } => {
            let (option, recipient) = (age.as_ref().map(|age| format!(" --age {age}")), given(age));
            let request = EnterAudienceRequest { name: name.clone(), class: class.clone(), recipient };
            let index = client.enter_audience(request).await?.into_inner().log_index;
            if node.json {
                say!("{}", json!({"name": name, "class": class, "log_index": index}));
            } else {
                say!(
                    "{name} is entered (log entry {index}). Another person compares it and runs: verbale audience confirm {name:?} \
                     --class {class}{}",
                    option.unwrap_or_default()
                );
            }
        }
        AudienceCommand::Confirm { name, class, age } => {
            let request = ConfirmAudienceRequest { name: name.clone(), class, recipient: given(age) };
            let index = client.confirm_audience(request).await?.into_inner().log_index;
            if node.json {
                say!("{}", json!({"name": name, "log_index": index}));
            } else {
                say!("{name} is confirmed (log entry {index}).");
            }
        }
        AudienceCommand::End { name } => {
            let index = client.end_audience(EndAudienceRequest { name: name.clone() }).await?.into_inner().log_index;
            if node.json {
                say!("{}", json!({"name": name, "state": "ENDED", "log_index": index}));
            } else {
                say!("{name} is ended (log entry {index}): nothing is disclosed to it any more.");
            }
        }
        AudienceCommand::List => {
            let audiences = client.audiences(AudiencesRequest {}).await?.into_inner().audiences;
            let mut rows = table(&["audience", "class", "sealed to", "entered by", "confirmed by"]);
            for of in &audiences {
                if node.json {
                    let confirmed_by = (!of.confirmed_by.is_empty()).then_some(&of.confirmed_by);
                    let recipient = (!of.recipient.is_empty()).then_some(&of.recipient);
                    say!(
                        "{}",
                        json!({
                            "name": of.name, "class": of.class, "age": recipient, "entered_by": of.entered_by,
                            "confirmed_by": confirmed_by, "ended": of.ended,
                        })
                    );
                }
                let confirmed = if of.confirmed_by.is_empty() { "nobody yet" } else { &of.confirmed_by };
                let confirmed = if of.ended { "ended" } else { confirmed };
                let recipient = if of.recipient.is_empty() { "nobody" } else { &of.recipient };
                rows.add_row([of.name.as_str(), &of.class, recipient, &of.entered_by, confirmed]);
            }
            if !node.json {
                say!("{rows}");
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
