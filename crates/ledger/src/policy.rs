//! Which log a proof must be of, and whose cosignatures stand for it.
//!
//! # Layout
//! `log <vkey>`, `witness <name> <vkey>`, `group <name> any <name>…` and `quorum <name>`, a line each.
//!
//! # Source
//! C2SP tlog-policy.

use std::fmt::Write as _;

use verbale_keys::Vkey;

const GROUP: &str = "counterparts";

/// The policy of a log that its counterparts cosign: any of them is enough; with none, none is asked for.
pub fn policy_text(log: &Vkey, witnesses: &[Vkey]) -> String {
    let mut text = format!("log {log}\n");
    for witness in witnesses {
        let _ = writeln!(text, "witness {} {witness}", witness.name);
    }
    if witnesses.is_empty() {
        return text + "quorum none\n";
    }
    let names: Vec<&str> = witnesses.iter().map(|witness| witness.name.as_str()).collect();
    let _ = writeln!(text, "group {GROUP} any {}\nquorum {GROUP}", names.join(" "));
    text
}
