//! What can be asked on the command line.

mod disclosure;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{ArgAction, CommandFactory as _, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

pub(crate) use disclosure::{
    AudienceCommand, BreachCommand, ConsentCommand, DiscloseArgs, DisclosureCommand, GroundArgs, GroundCommand,
    GroundKind, ScopeArgs,
};

/// Exchange of notices between the contact points of memoranda of cooperation.
#[derive(Debug, Parser)]
#[command(name = "verbale", version, max_term_width = 120)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) node: NodeArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "Exit codes:
  0    done
  1    refused: by a rule, by the node, or for want of a role; the code says which rule
  2    usage: the command line or a file on it cannot be used
  3    the node is not reachable, or is stopping
  4    data is damaged: a journal, a log, a card or a receipt is not what it must be
  141  whoever read the output stopped reading; what was asked may be done in part";

impl Args {
    /// The command line, with the exit codes in the help of every command.
    pub(crate) fn definition() -> clap::Command {
        Self::command().after_help(EXIT_CODES).mut_subcommands(with_exit_codes)
    }
}

fn with_exit_codes(command: clap::Command) -> clap::Command {
    command.after_help(EXIT_CODES).mut_subcommands(with_exit_codes)
}

/// Which node, and how it answers.
#[derive(Debug, clap::Args)]
pub(crate) struct NodeArgs {
    /// Folder of the node; else the variable VERBALE_DIR, else /var/lib/verbale
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Reach the node over mutual TLS instead of its socket
    #[arg(long, global = true, value_name = "HOST:PORT", requires = "key")]
    pub(crate) connect: Option<String>,
    /// File with your private key and, after it, what `verbale card show` printed on the node
    #[arg(long, global = true, value_name = "FILE", requires = "connect")]
    pub(crate) key: Option<PathBuf>,
    /// Answer in JSON, one object a line
    #[arg(long, global = true, action = ArgAction::SetTrue)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a node: keys, card, configuration, and an empty log
    Init(InitArgs),
    /// Run the node until SIGTERM
    Serve,
    /// Show this node's card, or enrol a counterpart's
    #[command(subcommand)]
    Card(CardCommand),
    /// Replace a key of this node; the node must not run
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Submit notices, one in JSON on each line; a line comes out for each
    Submit(SubmitArgs),
    /// List what binds this side and waits for a second person, and who can act
    Drafts,
    /// Approve a draft that another person wrote and you have opened, and send it (approver)
    Approve {
        /// Message id or registry number
        id: String,
    },
    /// Give a draft up
    Drop {
        /// Message id or registry number
        id: String,
    },
    /// List notices
    List(ListArgs),
    /// Show state and history of a notice, without its content
    Show {
        /// Message id or registry number
        id: String,
    },
    /// Read a notice; who reads it and why is logged
    Open {
        /// Message id or registry number
        id: String,
        /// Why it is read
        #[arg(long, value_name = "TEXT")]
        purpose: String,
    },
    /// Record that a received notice was handed over to the contact point's own system, or that a consultation asked for here was held
    Ack {
        /// Message id or registry number
        id: String,
    },
    /// Erase a notice's content for good, with a second person; every log entry stays. With the id alone: what was asked for and done
    Erase {
        /// Message id or registry number; without it, all erasures
        id: Option<String>,
        /// Ask for it, and say why in one line that names nobody: the reason stays
        #[arg(long, value_name = "TEXT", requires = "id")]
        reason: Option<String>,
        /// Erase what another person asked for (approver)
        #[arg(long, requires = "id", conflicts_with = "reason")]
        confirm: bool,
        /// Give it up
        #[arg(long, requires = "id", conflicts_with_all = ["reason", "confirm"])]
        drop: bool,
    },
    /// Show and verify the counterpart's receipts
    Receipts {
        /// Message id or registry number; without it, all
        id: Option<String>,
        /// Write receipt, entry, envelope, sealed bytes and public keys here, for checking with other tools
        #[arg(long, value_name = "DIR", requires = "id")]
        export: Option<PathBuf>,
    },
    /// Close a log that is not the one that others know, and begin the next; without --confirm only say what is seen. The node must not run
    Recover {
        /// The last card of this contact point that counterparts know, where this folder is a copy from before it
        #[arg(long, value_name = "FILE")]
        known_card: Option<PathBuf>,
        /// Do it
        #[arg(long)]
        confirm: bool,
    },
    /// Tell how the node is
    Status,
    /// Show what each side owes, since when, and what closes it
    Duties(DutiesArgs),
    /// Publish what a notice lets be published, log it, and confirm it to the other side (S02)
    Publish {
        /// Message id or registry number
        id: String,
        /// Where it can be read, for the confirmation
        #[arg(long = "where", value_name = "TEXT")]
        place: Option<String>,
    },
    /// The public register, and the sending organisations that the notices list
    #[command(subcommand)]
    Register(RegisterCommand),
    /// Show the memoranda, or record the day on which one commenced
    #[command(subcommand)]
    Memorandum(MemorandumCommand),
    /// Say of each notice in a file whether it would be accepted; needs no node
    Check(CheckArgs),
    /// Ask for consent, grant, refuse or withdraw it, and see where it stands
    #[command(subcommand)]
    Consent(ConsentCommand),
    /// Notices that were refused here since they carried a third side's information without a ground
    #[command(subcommand)]
    Breach(BreachCommand),
    /// The directory of those to whom information may be disclosed
    #[command(subcommand)]
    Audience(AudienceCommand),
    /// Grounds outside the log: a consent on paper, a court order, what the originator published itself
    #[command(subcommand)]
    Ground(GroundCommand),
    /// Disclose fields of a notice: decide, log, and write a presentation that anybody can check (approver)
    Disclose(DiscloseArgs),
    /// List every release, denial and opening; or ask the counterpart where an own notice went
    Disclosures {
        /// Only of this notice: message id or registry number
        #[arg(long, value_name = "ID")]
        of: Option<String>,
        /// Ask the node that holds it; its signed account is verified here
        #[arg(long, requires = "of")]
        ask: bool,
        /// Write the signed account to this new file
        #[arg(long, value_name = "FILE", requires = "ask")]
        out: Option<PathBuf>,
    },
    /// Ask whether information may be disclosed, or give notice of a disclosure
    #[command(subcommand)]
    Disclosure(DisclosureCommand),
    /// Export the log for auditors; or check what a node gave out: verify, reconcile, receipt, checkpoint, equivocation, presentation, account,
    /// card, as the program verbale-audit does (`verbale audit verify --help`)
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Watch two nodes exchange realistic notices on this machine
    Demo(DemoArgs),
    /// Measure how fast two nodes exchange notices on this machine, beside the floor of the same run
    Bench(BenchArgs),
    /// Print a script that completes this program's commands in a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct InitArgs {
    /// Folder to make
    pub(crate) folder: PathBuf,
    /// The contact point, as the memoranda name it
    #[arg(long)]
    pub(crate) id: String,
    /// Where counterparts reach the node; port 0 picks a free one once
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS:PORT")]
    pub(crate) listen: SocketAddr,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CardCommand {
    /// Print this node's card, to be given to counterparts
    Show,
    /// Enrol a counterpart's card, after comparing its fingerprint by telephone
    Enrol {
        /// The card, as `verbale card show` prints it
        file: PathBuf,
        /// The fingerprint that the counterpart read out
        #[arg(long, value_name = "HEX")]
        fingerprint: String,
        /// Where the counterpart's node is reached
        #[arg(long, value_name = "HOST:PORT")]
        address: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make the next card with a new key of this role, signed by the card key; counterparts take it by themselves (the log's own key
    /// changes with the log: `verbale recover`)
    Rotate {
        /// Which key
        role: RotatedRole,
    },
    /// Take all keys of this node back, since somebody else may have them: counterparts refuse everything until a new card is enrolled by hand
    Revoke,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum RotatedRole {
    /// The key that counterparts, and own people on other machines, pin
    Tls,
    /// The identity that opens what counterparts seal
    Age,
    /// The key that signs notices, releases and accounts
    Envelope,
    /// The key that cosigns counterparts' heads
    Cosigner,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SubmitArgs {
    /// File with one notice on each line; - reads standard input
    pub(crate) file: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// Notices of counterparts, or own ones
    pub(crate) mailbox: Mailbox,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Mailbox {
    Inbox,
    Outbox,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Write the whole log to a folder: entries, receipts, cards, memoranda; no content. Who gets it is logged (auditor, operator)
    Export(ExportArgs),
    /// What `verbale-audit` understands: verify, reconcile, receipt, checkpoint, equivocation, presentation, account, card
    #[command(external_subcommand)]
    Check(Vec<OsString>),
}

#[derive(Debug, clap::Args)]
pub(crate) struct ExportArgs {
    /// The folder; one that holds an earlier export is gone on with
    #[arg(value_name = "DIR")]
    pub(crate) to: PathBuf,
    /// Leave out what belongs to the first SIZE entries: the auditor has an export of that size
    #[arg(long, value_name = "SIZE", default_value_t = 0)]
    pub(crate) since: u64,
    /// Who gets it, as a pseudonym; else the person who exports
    #[arg(long = "for", value_name = "PSEUDONYM")]
    pub(crate) recipient: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {
    /// Other notices than the bundled ones, in the same form
    #[arg(long, value_name = "FILE")]
    pub(crate) notices: Option<PathBuf>,
    /// Keep the folders of all nodes here, in a new folder, and the exports of their logs in its folder export
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct BenchArgs {
    /// Notices that are exchanged
    #[arg(long, default_value_t = 20_000, value_name = "N", value_parser = clap::value_parser!(u64).range(100..))]
    pub(crate) notices: u64,
    /// Size of each notice in JSON
    #[arg(long, default_value_t = 1536, value_name = "BYTES")]
    pub(crate) size: usize,
    /// Notices a second; without it, as fast as they go
    #[arg(long, value_name = "R", value_parser = rate)]
    pub(crate) rate: Option<f64>,
}

fn rate(text: &str) -> Result<f64, String> {
    let given: Option<f64> = text.parse().ok();
    given.filter(|rate| (0.1..=1e6).contains(rate)).ok_or_else(|| "must be a number from 0.1 to 1000000".to_owned())
}

#[derive(Debug, clap::Args)]
pub(crate) struct DutiesArgs {
    /// Only those past the day that was asked for, or a reminder; no text sets a deadline
    #[arg(long)]
    pub(crate) overdue: bool,
    /// Closed ones: opening, closing, and the time between
    #[arg(long)]
    pub(crate) closed: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RegisterCommand {
    /// List the sending organisations by number; a full list replaces the last, a revocation marks its organisation
    Organisations,
    /// Write everything that was published as a static site: a page with search, JSON Lines, and a presentation for each entry
    Export {
        /// Folder; what an earlier export wrote there is replaced
        folder: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum MemorandumCommand {
    /// List the memoranda that the node holds
    List,
    /// Record the day on which the last notification was received through diplomatic channels (approver)
    Commence {
        /// The memorandum
        id: String,
        /// The day of receipt
        #[arg(long, value_name = "YYYY-MM-DD")]
        on: String,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    /// File with one notice on each line, bare or as the member `notice` of an object; - reads standard input
    pub(crate) file: PathBuf,
    /// Folder with memorandum files, instead of those that ship with the program
    #[arg(long, value_name = "DIR")]
    pub(crate) memoranda: Option<PathBuf>,
    /// Notices that both sides know already, in the same form
    #[arg(long, value_name = "FILE")]
    pub(crate) history: Option<PathBuf>,
    /// Day on which a memorandum commenced that does so on receipt of a notification
    #[arg(long, value_name = "ID=DATE")]
    pub(crate) commenced: Vec<String>,
}
