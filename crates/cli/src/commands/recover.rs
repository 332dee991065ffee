//! `verbale recover`: leads out of a log that is not the one that others know.

use std::path::Path;
use std::process::ExitCode;

use serde_json::json;
use verbale_evidence::parse_card_text;
use verbale_node::{HeldError, Phase, RecoverError, Succession, recover};

use super::folder;
use crate::args::NodeArgs;
use crate::failure::CliError;
use crate::output::say;
use crate::progress::Progress;

pub(crate) fn run(known_card: Option<&Path>, confirm: bool, node: &NodeArgs) -> Result<ExitCode, CliError> {
    let known = known_card.map(card_in).transpose()?;
    let (folder, bar) = (folder(node), Progress::new());
    let progress = |now: verbale_node::Progress| {
        let name = match now.phase {
            Phase::Reading => "reading segments",
            Phase::Replaying => "carrying entries over",
            Phase::Indexing => "building the index",
        };
        bar.set(name, now.done, now.total);
    };
    let done = recover(&folder, known.as_deref(), confirm, &progress);
    bar.end();
    let seen = done.map_err(|error| match error {
        RecoverError::Journal(error) | RecoverError::Held(HeldError::Journal(error)) if error.is_damage() => {
            CliError::Damaged { text: "the log cannot be read".to_owned(), source: Some(Box::new(error)) }
        }
        RecoverError::TooOften(_)
        | RecoverError::CardKey { .. }
        | RecoverError::Held(HeldError::LaterLog(_) | HeldError::CardShown(_))
        | RecoverError::InTheWay(_)
        | RecoverError::JustBegun(_)
        | RecoverError::Unfinished
        | RecoverError::KnownCard(_) => CliError::Refused(error.to_string()),
        other => CliError::failed("the log was not closed; nothing has changed, or the same command goes on", other),
    })?;
    if node.json {
        say!(
            "{}",
            json!({
                "closed": seen.closed, "held": seen.held, "known": seen.known, "trouble": seen.trouble, "next": seen.next,
                "serial": seen.serial, "renews": seen.renews, "by_hand": seen.by_hand, "lost": seen.lost, "done": confirm,
            })
        );
    } else if confirm {
        told(&seen, &folder)?;
    } else {
        asked(&seen)?;
    }
    Ok(if confirm { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The signed card in a file.
fn card_in(path: &Path) -> Result<Vec<u8>, CliError> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| CliError::Usage(format!("{} cannot be read: {error}", path.display())))?;
    parse_card_text(&text).map_err(|error| CliError::Usage(format!("{}: {error}", path.display())))
}

fn asked(seen: &Succession) -> Result<(), CliError> {
    let unseen = if seen.revoked {
        "its keys were revoked"
    } else {
        "from here nothing is seen that is wrong with it; only what a counterpart holds can be (`verbale status` of the running node)"
    };
    let trouble = seen.trouble.as_deref().unwrap_or(unseen);
    say!("Log {}: {} entries are held, others know {}.\n  {trouble}", seen.closed, seen.held, seen.known);
    if let Some(lost) = &seen.lost {
        say!("  {lost}, which was begun after it, is lost whole; its place is not taken a second time");
    }
    if !seen.revoked || seen.trouble.is_some() {
        say!(
            "\nBefore you close it: is the newest copy of this folder lost? If it is not, put that one back instead; nothing is lost then."
        );
        say!("Does another copy of this node run? Stop it for good.");
    }
    say!("\nThen: verbale recover --confirm");
    say!(
        "  closes {} for ever, and begins {} with what is held of it; the log says which heads others know",
        seen.closed,
        seen.next
    );
    let keys = match seen.renews.as_slice() {
        [] => "a new log key".to_owned(),
        [_, _, _, _] => "new keys of every role".to_owned(),
        some => format!("new keys for log, {}", some.join(", ")),
    };
    say!("  makes card {} with {keys}; for that keys/card.pem must be in the folder", seen.serial);
    say!("  and counterparts, {}, send again what was lost of theirs. What was lost of yours they hold.", how(seen));
    Ok(())
}

/// How counterparts come by the next card.
fn how(seen: &Succession) -> &'static str {
    if seen.by_hand { "when they have enrolled that card by hand" } else { "which take the card by themselves" }
}

fn told(seen: &Succession, folder: &verbale_node::Folder) -> Result<(), CliError> {
    say!("{} is closed; {} took its place with {} entries of it carried over.", seen.closed, seen.next, seen.held);
    say!("Card {} is in card.txt. Move keys/card.pem off this machine again.", seen.serial);
    say!("\nNext: verbale serve --dir {}", folder.dir().display());
    if seen.by_hand {
        say!(
            "Counterparts enrol the card by hand (`verbale card enrol`): read its fingerprint out to them, and send them card.txt."
        );
        say!("The address stays; until then they refuse this node.");
    }
    if seen.renews.contains(&"tls") && !seen.by_hand {
        say!(
            "Its key for connections is new: a counterpart takes the card when its node next connects here (its [heads] interval), or by hand."
        );
    }
    say!(
        "It shows the card to each counterpart, and gives numbers under a memorandum once that one said where the channel stands."
    );
    say!("Tell both sides' auditors: their next exports show the break.");
    Ok(())
}
