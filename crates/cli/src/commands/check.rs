//! `verbale check`: the rules without a node.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::ExitCode;

use serde_json::json;
use verbale_domain::{OfflineCheck, Stage, Verdict, civil, in_brackets};

use crate::args::{CheckArgs, NodeArgs};
use crate::failure::CliError;
use crate::output::say;

pub(crate) fn run(args: &CheckArgs, node: &NodeArgs) -> Result<ExitCode, CliError> {
    let memoranda = verbale_audit::memoranda(args.memoranda.as_deref()).map_err(CliError::Usage)?;
    let mut checker = OfflineCheck::new(&memoranda);
    for text in &args.commenced {
        let wrong = || CliError::Usage(format!("{text} must have the form ID=YYYY-MM-DD"));
        let (id, day) = text.split_once('=').ok_or_else(wrong)?;
        checker.commence(id, civil::day(day).ok_or_else(wrong)?).map_err(CliError::Usage)?;
    }
    if let Some(history) = &args.history {
        for line in lines(history)? {
            checker.check(&line);
        }
    }
    let mut refused = false;
    for line in lines(&args.file)? {
        let verdict = checker.check(&line);
        refused |= verdict.refusal.is_some();
        say!("{}", if node.json { as_json(&verdict) } else { as_text(&verdict) });
    }
    Ok(if refused { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// The lines of a file that are not blank.
pub(crate) fn lines(path: &Path) -> Result<Vec<Vec<u8>>, CliError> {
    let unreadable = |error| CliError::Usage(format!("{} cannot be read: {error}", path.display()));
    let input: Box<dyn std::io::Read> = if path.as_os_str() == "-" {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(path).map_err(unreadable)?)
    };
    let lines = BufReader::new(input).split(b'\n').collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    Ok(lines.into_iter().filter(|line| !line.trim_ascii().is_empty()).collect())
}

fn as_text(verdict: &Verdict) -> String {
    let number = if verdict.notice_id.is_empty() { "(no number)" } else { &verdict.notice_id };
    match &verdict.refusal {
        None => format!("{number}  ACCEPT  {}", verdict.clause),
        Some(refusal) => {
            format!("{number}  REFUSE  {}  {}{}", refusal.code, refusal.sentence(), in_brackets(&refusal.clause))
        }
    }
}

fn as_json(verdict: &Verdict) -> String {
    let stage = |stage| match stage {
        Stage::Schema => "schema",
        Stage::Policy => "policy",
    };
    let refusal = verdict.refusal.as_ref();
    json!({
        "notice_id": verdict.notice_id, "verdict": if refusal.is_some() { "REFUSE" } else { "ACCEPT" },
        "stage": refusal.map(|refusal| stage(refusal.code.stage())), "code": refusal.map(|refusal| refusal.code.as_str()),
        "clause": verdict.clause, "reason": refusal.map(verbale_domain::Refusal::sentence),
    })
    .to_string()
}
