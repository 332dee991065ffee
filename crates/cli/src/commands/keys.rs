//! `verbale keys`: another key for a role, or none any more, and the card that says so.

use std::process::ExitCode;

use serde_json::json;
use verbale_node::{HeldError, RotateError, Rotated, revoke, rotate};

use super::folder;
use crate::args::{KeysCommand, NodeArgs, RotatedRole};
use crate::failure::CliError;
use crate::output::say;

pub(crate) fn run(command: &KeysCommand, node: &NodeArgs) -> Result<ExitCode, CliError> {
    match command {
        KeysCommand::Rotate { role } => rotated(*role, node),
        KeysCommand::Revoke => revoked(node),
    }
}

fn revoked(node: &NodeArgs) -> Result<ExitCode, CliError> {
    let folder = folder(node);
    let serial = revoke(&folder).map_err(failed)?;
    if node.json {
        say!("{}", json!({"revoked": true, "serial": serial}));
        return Ok(ExitCode::SUCCESS);
    }
    say!("Card {serial} is in card.txt: it revokes all keys of this node. Move keys/card.pem off this machine again.");
    say!("\nNext: verbale serve --dir {}", folder.dir().display());
    say!(
        "The node does nothing more than to show that card to each counterpart; `verbale status` says which of them took it."
    );
    say!(
        "Whoever has the keys may be faster, or the network away: call the counterparts. They enter card.txt by hand, `verbale card enrol`."
    );
    say!(
        "\nThen, on a machine that you trust: verbale recover, which closes the log and begins the next with new keys of every role."
    );
    say!("Counterparts take its card by hand alone: read its fingerprint out to them.");
    Ok(ExitCode::SUCCESS)
}

fn failed(error: RotateError) -> CliError {
    match error {
        RotateError::Held(HeldError::Journal(error)) if error.is_damage() => CliError::Damaged {
            text: "no card was made: the log cannot be read".to_owned(),
            source: Some(Box::new(error)),
        },
        RotateError::Running(_)
        | RotateError::CardKey { .. }
        | RotateError::Revoked
        | RotateError::NotTheLog(_)
        | RotateError::Unfinished(_)
        | RotateError::RecoveryUnfinished => CliError::Refused(error.to_string()),
        other => CliError::failed("no card was made, or the same command goes on", other),
    }
}

fn rotated(role: RotatedRole, node: &NodeArgs) -> Result<ExitCode, CliError> {
    let (which, name) = match role {
        RotatedRole::Tls => (Rotated::Tls, "tls"),
        RotatedRole::Age => (Rotated::Age, "age"),
        RotatedRole::Envelope => (Rotated::Envelope, "envelope"),
        RotatedRole::Cosigner => (Rotated::Cosigner, "cosigner"),
    };
    let folder = folder(node);
    let serial = rotate(&folder, which).map_err(failed)?;
    if node.json {
        say!("{}", json!({"role": name, "serial": serial}));
        return Ok(ExitCode::SUCCESS);
    }
    say!("Card {serial} is in card.txt, with a new {name} key. Move keys/card.pem off this machine again.");
    say!("\nNext: verbale serve --dir {}", folder.dir().display());
    match which {
        Rotated::Tls => {
            say!(
                "It shows the card to each counterpart over the key that it knows; that key is destroyed when all know the new one."
            );
            say!("Own people and systems on other machines need the new card in their key files: verbale card show");
        }
        Rotated::Age => {
            say!(
                "What is under way to the key before still opens; that key is destroyed when no counterpart has anything under way to it."
            );
        }
        Rotated::Envelope => {
            say!(
                "The key before was destroyed. What it signed stays signed: give auditors and readers both cards (keys/ of an export)."
            );
        }
        Rotated::Cosigner => say!("The key before was destroyed. What it cosigned stays cosigned."),
    }
    say!("`verbale status` says which earlier keys are still needed, and which card each counterpart has.");
    Ok(ExitCode::SUCCESS)
}
