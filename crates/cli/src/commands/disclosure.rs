//! `verbale disclosure`: whether information may be disclosed.

use std::path::Path;
use std::process::ExitCode;

use serde_json::json;
use verbale_domain::disclosure::rule;

use super::check::{lines, memoranda};
use crate::args::DisclosureCommand;
use crate::failure::CliError;
use crate::output::say;

/// What a line that is not understood is denied with.
const BAD_CASE: &str = "BAD_CASE";

pub(crate) fn run(command: &DisclosureCommand) -> Result<ExitCode, CliError> {
    match command {
        DisclosureCommand::Check { file, memoranda } => offline(file, memoranda.as_deref()),
    }
}

/// Decides the lines of a file. Exit code 2 when one of them is no question.
fn offline(file: &Path, dir: Option<&Path>) -> Result<ExitCode, CliError> {
    let memoranda = memoranda(dir)?;
    let mut understood = true;
    for line in lines(file)? {
        let ruling = rule(&memoranda, &line);
        understood &= ruling.decision.is_ok();
        say!(
            "{}",
            match ruling.decision {
                Ok(decision) => json!({
                    "id": ruling.id, "decision": decision.verdict.decision(), "code": decision.verdict.code(),
                    "clause": decision.clause, "reason": decision.reason,
                }),
                Err(wrong) => {
                    json!({"id": ruling.id, "decision": "DENY", "code": BAD_CASE, "clause": "none", "reason": wrong})
                }
            }
        );
    }
    Ok(if understood { ExitCode::SUCCESS } else { ExitCode::from(2) })
}
