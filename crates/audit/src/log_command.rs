//! The commands about exported logs, and about one thing from them.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use serde_json::json;
use verbale_evidence::{Card, ReceiptVerifier, UnverifiedEnvelope};
use verbale_ledger::{
    Checkpoint, Note, NoteError, parse_equivocation, split_extra, verify_cosignature, verify_equivocation,
};
use verbale_proto::v1::Receipt;

use crate::command::{Asked, Exit, Reported, read};
use crate::export::{ExportFolder, Missing};
use crate::presentation::moment;
use crate::reconcile::reconcile;
use crate::verify::{second, verify};

/// Work that takes no longer shows no progress.
const LONG: Duration = Duration::from_millis(500);

pub(crate) fn verify_log(asked: &Asked) -> Result<Reported, (Exit, String)> {
    let [dir] = asked.files.as_slice() else { return Err(usage("give the folder of one export")) };
    let progress = Percent::new("verifying");
    let verified = verify(&ExportFolder::new(dir), &asked.given()?, &|done, of| progress.set(done, of));
    progress.end();
    let verified = verified.map_err(missing)?;
    let exit = match (verified.is_sound(), verified.is_whole()) {
        (false, _) => Exit::FaultFound,
        (true, false) => Exit::CouldNotCheck,
        (true, true) => Exit::Sound,
    };
    Ok((exit, if asked.json { verified.to_json().to_string() } else { verified.to_text() }))
}

pub(crate) fn reconcile_logs(asked: &Asked) -> Result<Reported, (Exit, String)> {
    let [one, other] = asked.files.as_slice() else { return Err(usage("give the folders of two exports")) };
    let progress = Percent::new("verifying");
    let folders = (&ExportFolder::new(one), &ExportFolder::new(other));
    let reconciled = reconcile(folders, &asked.given()?, &|done, of| progress.set(done, of));
    progress.end();
    let reconciled = reconciled.map_err(missing)?;
    let exit = match (reconciled.is_sound(), reconciled.is_whole()) {
        (false, _) => Exit::FaultFound,
        (true, false) => Exit::CouldNotCheck,
        (true, true) => Exit::Sound,
    };
    Ok((exit, if asked.json { reconciled.to_json().to_string() } else { reconciled.to_text() }))
}

/// One receipt of an export: whose log it stands in, what it is about, and who signed that.
pub(crate) fn check_receipt(asked: &Asked) -> Result<Reported, (Exit, String)> {
    let text = the_text(asked)?;
    let cards = asked.cards()?;
    let fault = |text: String| (Exit::FaultFound, text);
    let (proof, entry) = split_extra(&text).map_err(|error| fault(format!("{error} with the entry as extra data")))?;
    let head = proof.split_once("\n\n").and_then(|(_, note)| Checkpoint::parse(Note::parse(note).ok()?.text).ok());
    let origin = head.map(|head| head.origin).ok_or_else(|| fault("it has no checkpoint".to_owned()))?;
    let log = card_of(&cards, |card| card.log_origin == origin, &format!("the log {origin}"))?;
    let receipt = Receipt { entry, proof };
    let vkey = log.log_vkey();
    let verified = ReceiptVerifier::new(&vkey).verify_alone(&receipt);
    let (envelope, receipt) = verified.map_err(|error| fault(error.to_string()))?;
    let unverified = UnverifiedEnvelope::parse(&envelope).map_err(|error| fault(error.to_string()))?;
    let claimed = unverified.claimed().map_err(|error| fault(error.to_string()))?;
    let has_signed = |card: &&Card| card.id == claimed.sender && card.envelope_key.fingerprint() == claimed.sender_key;
    let what = format!("{} that has the envelope key {}", claimed.sender, claimed.sender_key);
    let sender = card_of(&cards, has_signed, &what)?;
    let envelope = unverified.verify(&sender.envelope_key).map_err(|error| fault(error.to_string()))?;
    let (statement, head) = (envelope.statement(), receipt.checkpoint());
    let (id, time) = (statement.message_id, moment(receipt.time_ms()));
    let report = if asked.json {
        json!({
            "message_id": id.to_string(), "sender": statement.sender, "recipient": statement.recipient, "memorandum": statement.memorandum,
            "flow": statement.flow, "verdict": receipt.verdict().code(), "origin": head.origin, "index": receipt.index().0,
            "size": head.size.0, "at": time, "revoked": revoked_in(&cards),
        })
        .to_string()
    } else {
        format!(
            "Sound.\n  notice        {id}, {} of {} to {} under {}\n  verdict       {}, on {time}\n  stands in     {} at entry {}, under its \
             head of size {}",
            statement.flow,
            statement.sender,
            statement.recipient,
            statement.memorandum,
            receipt.verdict().code(),
            head.origin,
            receipt.index().0,
            head.size.0
        ) + &revoked(&cards)
    };
    Ok((Exit::Sound, report))
}

/// One checkpoint: whose it is, and who cosigned it.
pub(crate) fn check_checkpoint(asked: &Asked) -> Result<Reported, (Exit, String)> {
    let text = the_text(asked)?;
    let cards = asked.cards()?;
    let fault = |text: String| (Exit::FaultFound, text);
    let note = Note::parse(&text).map_err(|error| fault(error.to_string()))?;
    let origin = Checkpoint::parse(note.text).map_err(|error| fault(error.to_string()))?.origin;
    let log = card_of(&cards, |card| card.log_origin == origin, &format!("the log {origin}"))?;
    let head = Checkpoint::verify(&text, &log.log_vkey()).map_err(|error| fault(error.to_string()))?;
    let mut cosigned = Vec::new();
    for card in cards.iter().filter(|card| card.id != log.id) {
        match verify_cosignature(&text, &card.cosigner_vkey()) {
            Ok(time_s) => cosigned.push((card.id.as_str(), second(time_s))),
            Err(NoteError::Unsigned) => {}
            Err(error) => return Err(fault(format!("the cosignature of {}: {error}", card.id))),
        }
    }
    let root = hex::encode(head.root);
    let report = if asked.json {
        let by: Vec<_> = cosigned.iter().map(|(id, at)| json!({"by": id, "at": at})).collect();
        json!({"origin": head.origin, "size": head.size.0, "root": root, "cosigned": by, "revoked": revoked_in(&cards)})
            .to_string()
    } else {
        let mut report =
            format!("Sound.\n  log           {}\n  size          {}\n  root          {root}", head.origin, head.size.0);
        for (id, at) in &cosigned {
            let _ = write!(report, "\n  cosigned      by {id} on {at}");
        }
        if cosigned.is_empty() {
            report.push_str("\n  not cosigned by any contact point whose card was given");
        }
        report + &revoked(&cards)
    };
    Ok((Exit::Sound, report))
}

/// Serials and owners of cards that were given and take their keys back: what was signed with those may be of somebody else.
fn revoked_in(cards: &[Card]) -> Vec<String> {
    cards.iter().filter(|card| card.revoked).map(|card| format!("card {} of {}", card.serial, card.id)).collect()
}

fn revoked(cards: &[Card]) -> String {
    let said = |card: &String| format!("\n  REVOKED       {card}: whoever got hold of its keys may have signed this");
    revoked_in(cards).iter().map(said).collect()
}

/// The proof that a log shows two histories.
pub(crate) fn check_equivocation(asked: &Asked) -> Result<Reported, (Exit, String)> {
    let text = the_text(asked)?;
    let cards = asked.cards()?;
    let fault = |text: String| (Exit::FaultFound, text);
    let (first, _) = parse_equivocation(&text).map_err(|error| fault(error.to_string()))?;
    let head = Note::parse(first).ok().and_then(|note| Checkpoint::parse(note.text).ok());
    let origin = head.map(|head| head.origin).ok_or_else(|| fault("its first checkpoint is none".to_owned()))?;
    let log = card_of(&cards, |card| card.log_origin == origin, &format!("the log {origin}"))?;
    let (one, other) = verify_equivocation(&text, &log.log_vkey()).map_err(|error| fault(error.to_string()))?;
    let (one_root, other_root) = (hex::encode(one.root), hex::encode(other.root));
    let report = if asked.json {
        json!({"convicted": log.id, "origin": origin, "size": one.size.0, "roots": [one_root, other_root]}).to_string()
    } else {
        format!(
            "It convicts {}: its log key signed two histories.\n  log           {origin}\n  size          {}\n  root          {one_root}\n  \
             root          {other_root}",
            log.id, one.size.0
        )
    };
    Ok((Exit::Sound, report))
}

/// What a card says, and the fingerprint that is compared by telephone.
pub(crate) fn check_card(asked: &Asked) -> Result<Reported, (Exit, String)> {
    let [file] = asked.files.as_slice() else { return Err(usage("give the file of one card")) };
    let card = crate::command::card(file)?;
    let (from, until) = (moment(card.valid_from_ms), moment(card.valid_until_ms));
    let report = if asked.json {
        json!({
            "id": card.id, "serial": card.serial, "fingerprint": card.card_key.fingerprint().to_string(), "log": card.log_vkey().to_string(),
            "cosigner": card.cosigner_vkey().to_string(), "valid_from": from, "valid_until": until,
            "revoked": card.revoked,
        })
        .to_string()
    } else {
        let revoked =
            if card.revoked { "\n  REVOKED       its owner takes all its keys back with this card" } else { "" };
        format!(
            "Sound: its card key signed it. Compare the fingerprint with its owner.\n  contact point {}\n  serial        {}\n  fingerprint   {}\n  \
             valid         {from} to {until}\n  log           {}\n  cosigner      {}{revoked}",
            card.id,
            card.serial,
            card.card_key.fingerprint().grouped(),
            card.log_vkey(),
            card.cosigner_vkey()
        )
    };
    Ok((Exit::Sound, report))
}

fn the_text(asked: &Asked) -> Result<String, (Exit, String)> {
    let [file] = asked.files.as_slice() else { return Err(usage("give one file")) };
    read(file)
}

fn card_of<'c>(cards: &'c [Card], is_it: impl Fn(&&Card) -> bool, what: &str) -> Result<&'c Card, (Exit, String)> {
    let text = || (Exit::CouldNotCheck, format!("the card of {what} is needed: give it with --card"));
    cards.iter().find(is_it).ok_or_else(text)
}

/// What is not there cannot be checked; what is there and is not what it must be is a fault.
#[expect(clippy::needless_pass_by_value, reason = "it is what map_err gives")]
fn missing(missing: Missing) -> (Exit, String) {
    let exit = match &missing {
        Missing::File { .. } => Exit::CouldNotCheck,
        Missing::Unusable { .. } => Exit::FaultFound,
    };
    (exit, missing.to_string())
}

fn usage(text: &str) -> (Exit, String) {
    (Exit::Usage, text.to_owned())
}

/// How far the work is, on a terminal.
struct Percent {
    name: &'static str,
    started: Instant,
}

impl Percent {
    fn new(name: &'static str) -> Self {
        Self { name, started: Self::now() }
    }

    #[expect(clippy::disallowed_methods, reason = "how long it takes is shown, and decides nothing")]
    fn now() -> Instant {
        Instant::now()
    }

    fn set(&self, done: u64, of: u64) {
        if self.started.elapsed() > LONG && std::io::stderr().is_terminal() {
            let percent = done.saturating_mul(100) / of.max(1);
            let _ = write!(std::io::stderr(), "\r{} {percent:>3} % of {of} entries", self.name);
        }
    }

    fn end(&self) {
        if self.started.elapsed() > LONG && std::io::stderr().is_terminal() {
            let _ = write!(std::io::stderr(), "\r{:60}\r", "");
        }
    }
}
