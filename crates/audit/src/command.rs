//! The command line of `verbale-audit`, which `verbale audit` offers too.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lexopt::prelude::{Long, Short, Value};
use serde_json::json;
use verbale_domain::Memoranda;
use verbale_evidence::{Card, Cards, PresentationError, UnverifiedCard, parse_card_text};

use crate::account::{Whole, account_json, account_report, check_account, compare_with_log};
use crate::export::ExportFolder;
use crate::files;
use crate::finding::Finding;
use crate::log_command;
use crate::presentation::{Fault, check_presentation, visible};
use crate::verify::Given;

const USAGE: &str = "\
Checks what a node gave out, with public cards alone.

Usage: verbale-audit verify DIR [--card FILE]... [--json]
       verbale-audit reconcile DIR_A DIR_B [--card FILE]... [--json]
       verbale-audit receipt FILE --card RECEIVER --card SENDER [--json]
       verbale-audit checkpoint FILE --card OWNER [--card WITNESS]... [--json]
       verbale-audit equivocation FILE --card OWNER [--json]
       verbale-audit presentation FILE --card ORIGINATOR [--card DISCLOSER] [--memoranda DIR] [--json]
       verbale-audit account FILE --card HOLDER [--log DIR] [--json]
       verbale-audit card FILE [--json]

  verify DIR          one exported log: nothing removed or altered; each notice receipted; each release on its ground
  reconcile A B       the logs of two contact points: whether both tell the same
  receipt FILE        one receipt of an export: FILE.tlog-proof
  checkpoint FILE     a signed head: whose, and who cosigned it
  equivocation FILE   whether two signed heads convict the owner of a log
  presentation FILE   who said what, who may have it, and on which ground; - reads standard input
  account FILE        where a notice went, as its holder signed it for its originator
  card FILE           what a card says, and the fingerprint to compare
  --card FILE         a contact point's card, as `verbale card show` prints it; compare its fingerprint with its owner. For a presentation
                      the second one is needed unless the originator discloses its own notice. Of a contact point that rotated
                      its keys give each card that it had: keys/ID.SERIAL.card in an export
  --memoranda DIR     memorandum files: for a presentation instead of those that ship with the program; for an
                      export those of terms that it had before
  --log DIR           the holder's exported log: that the account leaves nothing out
  --json              one JSON object

Exit codes: 0 sound, 2 usage, 3 could not check, 4 fault found";

/// The most of an error that is shown.
const ERROR_CHARS: usize = 4000;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything holds.
    Sound,
    /// The command line, or a file on it, cannot be used.
    Usage,
    /// Something needed for the check is missing.
    CouldNotCheck,
    /// Something does not hold.
    FaultFound,
}

impl Exit {
    /// How it ends when what does not hold was given on the command line to check something else by.
    fn or_usage(self) -> Self {
        if self == Self::FaultFound { Self::Usage } else { self }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Sound => 0,
            Exit::Usage => 2,
            Exit::CouldNotCheck => 3,
            Exit::FaultFound => 4,
        })
    }
}

/// What a command says, and how its check ended.
pub(crate) type Reported = (Exit, String);

/// What is checked.
type Command = fn(&Asked) -> Result<Reported, (Exit, String)>;

/// By name, and how many files each takes.
const COMMANDS: [(&str, usize, Command); 8] = [
    ("verify", 1, log_command::verify_log),
    ("reconcile", 2, log_command::reconcile_logs),
    ("receipt", 1, log_command::check_receipt),
    ("checkpoint", 1, log_command::check_checkpoint),
    ("equivocation", 1, log_command::check_equivocation),
    ("presentation", 1, presentation),
    ("account", 1, account),
    ("card", 1, log_command::check_card),
];

/// With what it is checked.
#[derive(Default)]
pub(crate) struct Asked {
    pub(crate) files: Vec<PathBuf>,
    cards: Vec<PathBuf>,
    memoranda: Option<PathBuf>,
    log: Option<PathBuf>,
    pub(crate) json: bool,
}

impl Asked {
    /// The cards given, by contact point in the order of the command line.
    fn cards_by_owner(&self) -> Result<Vec<Cards>, (Exit, String)> {
        Cards::gather(self.cards()?).map_err(|error| (Exit::FaultFound, error.to_string()))
    }

    /// All that the auditor has from elsewhere.
    pub(crate) fn given(&self) -> Result<Given, (Exit, String)> {
        let memoranda = self.memoranda.as_deref().map(each_memorandum).transpose();
        let memoranda = memoranda.map_err(|text| (Exit::Usage, text))?.unwrap_or_default();
        Ok(Given { cards: self.cards()?, memoranda })
    }

    /// The cards given.
    pub(crate) fn cards(&self) -> Result<Vec<Card>, (Exit, String)> {
        self.cards.iter().map(|path| card(path).map_err(|(exit, text)| (exit.or_usage(), text))).collect()
    }
}

/// An option that does not belong to a command is no wish that is left out in silence.
fn require_fitting(name: &str, asked: &Asked) -> Result<(), String> {
    if asked.log.is_some() && name != "account" {
        return Err("--log belongs to account".to_owned());
    }
    if asked.memoranda.is_some() && !["presentation", "verify", "reconcile"].contains(&name) {
        return Err("--memoranda belongs to presentation, verify and reconcile".to_owned());
    }
    Ok(())
}

/// Runs a command line, without the program's name.
pub fn run(args: impl Iterator<Item = OsString>, out: &mut impl Write, err: &mut impl Write) -> Exit {
    let (command, asked) = match parse(args) {
        Ok(Some(parsed)) => parsed,
        Ok(None) => {
            let _ = writeln!(out, "{USAGE}");
            return Exit::Sound;
        }
        Err(wrong) => {
            let _ = writeln!(err, "verbale-audit: {wrong}\n\n{USAGE}");
            return Exit::Usage;
        }
    };
    match command(&asked) {
        Ok((exit, report)) => {
            // Whoever stopped reading has seen enough.
            let _ = writeln!(out, "{}", visible(&report));
            exit
        }
        Err((exit, text)) => {
            // A parser may quote what it was given.
            let shown: String = text.chars().take(ERROR_CHARS).collect();
            if asked.json && exit == Exit::FaultFound {
                let (code, expected) = ("FILE", "a file of its form".to_owned());
                let finding = Finding { code, log: String::new(), entry: None, expected, found: shown.clone() };
                let _ = writeln!(out, "{}", json!({"sound": false, "findings": [finding.to_json()]}));
            } else if asked.json && exit == Exit::CouldNotCheck {
                let _ = writeln!(out, "{}", json!({"could_not_check": shown}));
            }
            let _ = writeln!(err, "verbale-audit: {}", visible(&shown));
            exit
        }
    }
}

fn parse(args: impl Iterator<Item = OsString>) -> Result<Option<(Command, Asked)>, String> {
    let mut parser = lexopt::Parser::from_args(args);
    let (mut asked, mut command) = (Asked::default(), None);
    let named = |word: &OsString| COMMANDS.iter().find(|(name, ..)| *name == *word);
    while let Some(arg) = parser.next().map_err(|error| error.to_string())? {
        match arg {
            Short('h') | Long("help") => return Ok(None),
            Long("json") => asked.json = true,
            Long("card") => asked.cards.push(value(&mut parser)?),
            Long("log") => asked.log = Some(value(&mut parser)?),
            Long("memoranda") => asked.memoranda = Some(value(&mut parser)?),
            Value(word) if command.is_none() => {
                command = Some(named(&word).ok_or_else(|| format!("there is no command {}", word.display()))?);
            }
            Value(file) if command.is_some_and(|(_, files, _)| asked.files.len() < *files) => {
                asked.files.push(file.into());
            }
            other => return Err(other.unexpected().to_string()),
        }
    }
    let (name, _, command) = command.ok_or("give a command")?;
    require_fitting(name, &asked)?;
    Ok(Some((*command, asked)))
}

fn value(parser: &mut lexopt::Parser) -> Result<PathBuf, String> {
    parser.value().map(PathBuf::from).map_err(|error| error.to_string())
}

fn presentation(asked: &Asked) -> Result<Reported, (Exit, String)> {
    let usage = |text: &str| (Exit::Usage, text.to_owned());
    let file = asked.files.first().ok_or_else(|| usage("give the file of the presentation"))?;
    let text = read(file)?;
    let cards = asked.cards_by_owner()?;
    let (originator, discloser) = match cards.as_slice() {
        [originator] => (originator, None),
        [originator, discloser] => (originator, Some(discloser)),
        _ => return Err(usage("give the originator's card with --card, and after it the discloser's")),
    };
    let memoranda = memoranda(asked.memoranda.as_deref()).map_err(|text| (Exit::Usage, text))?;
    let checked = check_presentation(&text, originator, discloser, &memoranda);
    let checked = checked.map_err(|fault| (exit_of(&fault), fault.to_string()))?;
    let report = if asked.json {
        with_cards(checked.to_json(), &cards).to_string()
    } else {
        checked.to_text()
            + &compared(&cards)
            + "\n\nThis report is what was signed. Words before the first line of the presentation are for people, and signed by nobody."
    };
    Ok((Exit::Sound, report))
}

fn account(asked: &Asked) -> Result<Reported, (Exit, String)> {
    let usage = |text: String| (Exit::Usage, text);
    let file = asked.files.first().ok_or_else(|| usage("give the file of the account".to_owned()))?;
    let text = read(file)?;
    let cards = asked.cards_by_owner()?;
    let [holder] = cards.as_slice() else {
        return Err(usage("give the card of the contact point that signed it with --card".to_owned()));
    };
    let checked = check_account(&text, holder);
    let checked = checked.map_err(|fault| (Exit::FaultFound, fault.to_string()))?;
    if let Some(dir) = &asked.log {
        let whole = compare_with_log(&checked, &ExportFolder::new(dir));
        match whole.map_err(|missing| (Exit::CouldNotCheck, missing.to_string()))? {
            Whole::Told => {}
            Whole::NotCompared(text) => return Err((Exit::CouldNotCheck, text)),
            Whole::Fault(text) => return Err((Exit::FaultFound, text)),
        }
    }
    let report = if asked.json {
        with_cards(account_json(&checked), &cards).to_string()
    } else {
        let whole = if asked.log.is_some() { "\n\nThe whole log tells of nothing else up to there." } else { "" };
        account_report(&checked) + whole + &compared(&cards)
    };
    Ok((Exit::Sound, report))
}

/// Whose cards a report rests on, for comparing once more.
fn compared(cards: &[Cards]) -> String {
    let line =
        |cards: &Cards| format!("\n  card key of {}: {}", cards.id(), cards.present().card_key.fingerprint().grouped());
    let lines: String = cards.iter().map(line).collect();
    format!("\n\nIt rests on these card keys; compare them with their owners:{lines}")
}

/// The same for machines.
fn with_cards(mut report: serde_json::Value, cards: &[Cards]) -> serde_json::Value {
    let fingerprint =
        |cards: &Cards| (cards.id().to_owned(), cards.present().card_key.fingerprint().to_string().into());
    if let Some(members) = report.as_object_mut() {
        members.insert("card_keys".to_owned(), serde_json::Value::Object(cards.iter().map(fingerprint).collect()));
    }
    report
}

fn exit_of(fault: &Fault) -> Exit {
    match fault {
        Fault::UnknownMemorandum(_) | Fault::OtherTerms(_) | Fault::NotProven(PresentationError::NeedsDiscloser) => {
            Exit::CouldNotCheck
        }
        _ => Exit::FaultFound,
    }
}

pub(crate) fn read(path: &Path) -> Result<String, (Exit, String)> {
    let text = if path.as_os_str() == "-" { files::input() } else { files::given(path) };
    let text = text.map_err(|error| (Exit::CouldNotCheck, format!("{} cannot be read: {error}", path.display())))?;
    if text.starts_with("-----BEGIN AGE ENCRYPTED FILE-----") || text.starts_with("age-encryption.org/") {
        let text = format!("{} is sealed to its reader's key: open it first, with age -d -i KEY FILE", path.display());
        return Err((Exit::CouldNotCheck, text));
    }
    Ok(text)
}

/// A card; whoever gives it compared its fingerprint, which is printed again.
pub(crate) fn card(path: &Path) -> Result<Card, (Exit, String)> {
    let unusable =
        |error: verbale_evidence::CardError| (Exit::FaultFound, format!("{} is no card: {error}", path.display()));
    let unverified = UnverifiedCard::parse(&parse_card_text(&read(path)?).map_err(unusable)?).map_err(unusable)?;
    let fingerprint = unverified.claimed_fingerprint().map_err(unusable)?;
    unverified.verify(&fingerprint).map_err(unusable)
}

/// The memorandum files of a folder, or those that ship with the program.
///
/// # Errors
/// A sentence that names the file.
pub fn memoranda(dir: Option<&Path>) -> Result<Memoranda, String> {
    let Some(dir) = dir else {
        return Memoranda::parse(Memoranda::shipped().iter().copied()).map_err(|error| error.to_string());
    };
    let files = memorandum_files(dir)?;
    let files = files.iter().map(|(file, text)| (file.as_str(), text.as_str()));
    Memoranda::parse(files).map_err(|error| error.to_string())
}

/// The memorandum files of a folder, each by itself: some may have other terms under one id.
fn each_memorandum(dir: &Path) -> Result<Vec<Memoranda>, String> {
    let each = memorandum_files(dir)?
        .into_iter()
        .map(|(file, text)| Memoranda::parse([(file.as_str(), text.as_str())]).map_err(|error| error.to_string()));
    each.collect()
}

/// Name and text of each memorandum file in a folder.
fn memorandum_files(dir: &Path) -> Result<Vec<(String, String)>, String> {
    let unreadable = |error: std::io::Error| format!("{} cannot be read: {error}", dir.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push((path.display().to_string(), files::text(&path, files::TEXT_MAX).map_err(unreadable)?));
        }
    }
    files.sort();
    Ok(files)
}
