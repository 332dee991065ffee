//! The binary `verbale-audit`.
//!
//! Exit codes: 0 sound, 2 usage, 3 could not check, 4 fault found.

use std::process::ExitCode;

fn main() -> ExitCode {
    verbale_audit::run(std::env::args_os().skip(1), &mut std::io::stdout().lock(), &mut std::io::stderr().lock()).into()
}
