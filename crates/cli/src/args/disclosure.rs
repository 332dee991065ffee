//! What can be asked about disclosure: decisions, consent, audiences, grounds.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub(crate) enum DisclosureCommand {
    /// Decide the questions of a file, one in JSON on each line, without a node; or, with --to, ask the node about one notice
    Check {
        /// File with one question on each line (- reads standard input); with --to or --under, a message id or registry number
        what: String,
        #[command(flatten)]
        scope: ScopeArgs,
        /// Folder with memorandum files, instead of those that ship with the program
        #[arg(long, value_name = "DIR")]
        memoranda: Option<PathBuf>,
    },
    /// Give the other side notice of a disclosure (F24), where the memorandum asks for notice
    Notify {
        /// Message id or registry number of the other side's notice
        id: String,
        #[command(flatten)]
        scope: ScopeArgs,
        /// Earliest moment of the disclosure, RFC 3339; without it, now
        #[arg(long, value_name = "MOMENT")]
        not_before: Option<String>,
    },
}

/// What, to whom, for what.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct ScopeArgs {
    /// Name of an audience of the directory, a body of the memorandum, or an enrolled contact point
    #[arg(long, value_name = "NAME")]
    pub(crate) to: Option<String>,
    /// Fields, as paths in the body such as org.name_en; * is the whole notice
    #[arg(long, value_name = "PATH", value_delimiter = ',')]
    pub(crate) fields: Vec<String>,
    /// For what
    #[arg(long, value_name = "TEXT")]
    pub(crate) purpose: Option<String>,
    /// Take fields, audience and purpose from this grant or disclosure notice
    #[arg(long, value_name = "ID", conflicts_with_all = ["to", "fields", "purpose"])]
    pub(crate) under: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DiscloseArgs {
    /// Message id or registry number
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) scope: ScopeArgs,
    /// Acknowledge the conditions of the grant or the document, by the code with which they were shown; it is logged
    #[arg(long, value_name = "CODE")]
    pub(crate) accept_conditions: Option<String>,
    /// Write the presentation to this new file; without it, to standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConsentCommand {
    /// Ask the other side for consent (F20)
    Request {
        /// Message id or registry number of the other side's notice
        id: String,
        #[command(flatten)]
        scope: ScopeArgs,
        /// First day; without it, today
        #[arg(long, value_name = "YYYY-MM-DD")]
        from: Option<String>,
        /// Last day; without it, open
        #[arg(long, value_name = "YYYY-MM-DD")]
        until: Option<String>,
    },
    /// Grant what was asked for, or less (F21); a second person sends it
    Grant {
        /// Message id or registry number of the request
        id: String,
        /// Fewer fields than were asked for
        #[arg(long, value_name = "PATH", value_delimiter = ',')]
        fields: Vec<String>,
        /// A later first day
        #[arg(long, value_name = "YYYY-MM-DD")]
        from: Option<String>,
        /// An earlier last day; needed where the request has none
        #[arg(long, value_name = "YYYY-MM-DD")]
        until: Option<String>,
        /// A condition; may be given several times
        #[arg(long, value_name = "TEXT")]
        condition: Vec<String>,
        /// The bodies of this side that concur, such as JP-MOJ,JP-NPA; without it, the body of the contact point
        #[arg(long, value_name = "BODY", value_delimiter = ',')]
        concurrence: Vec<String>,
    },
    /// Refuse a request (F22)
    Refuse {
        /// Message id or registry number of the request
        id: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Withdraw a grant (F23); a second person sends it
    Withdraw {
        /// Message id or registry number of the grant
        id: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Moment of effect, RFC 3339; without it, now. It binds from the later of this and its receipt
        #[arg(long, value_name = "MOMENT")]
        effective_at: Option<String>,
    },
    /// List requests and what came of them
    List {
        /// Only those that wait for this side, and who can act
        #[arg(long)]
        waiting: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum AudienceCommand {
    /// Enter an audience; another person confirms it
    Enter {
        /// Its name, as grants and presentations will name it
        name: String,
        /// GOVERNMENT_BODY, ORGANISATION, COURT, PERSON, INVESTIGATED_ORGANISATION, EMBASSY, THIRD_PARTY or MEDIA
        #[arg(long)]
        class: String,
        /// Its age recipient (age1…): presentations for it are sealed to this key
        #[arg(long, value_name = "RECIPIENT")]
        age: Option<String>,
    },
    /// Confirm an audience that another person entered
    Confirm {
        /// Its name
        name: String,
        /// Its class, as `verbale audience list` shows it to you
        #[arg(long)]
        class: String,
        /// Its age recipient, if it has one, as you have it from the audience itself
        #[arg(long, value_name = "RECIPIENT")]
        age: Option<String>,
    },
    /// End an entry: nothing is disclosed to that audience any more. One with another key is entered and confirmed anew
    End {
        /// Its name
        name: String,
    },
    /// List the directory
    List,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BreachCommand {
    /// List them
    List,
    /// Write the report for the side whose information it was (S04), to be given to it by any way: the sides may share no channel
    Report {
        /// Id of the breach, or message id of the refused notice
        id: String,
        /// New file for the report; without it, to standard output
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum GroundCommand {
    /// Record a document: its SHA-256 is logged, and what it covers; another person confirms it. Keep the document itself
    Record(GroundArgs),
    /// Confirm a ground that another person recorded, with the same document in hand (approver)
    Confirm {
        /// Id of the ground
        id: String,
        /// The document
        document: PathBuf,
    },
    /// End a ground: it was withdrawn on paper, or recorded in error
    End {
        /// Id of the ground
        id: String,
    },
    /// List what was recorded
    List,
}

#[derive(Debug, clap::Args)]
pub(crate) struct GroundArgs {
    /// The document
    pub(crate) document: PathBuf,
    /// Message id or registry number of the notice whose release it is for
    #[arg(long, value_name = "ID")]
    pub(crate) of: String,
    /// What the document is
    #[arg(long)]
    pub(crate) kind: GroundKind,
    /// Fields that it covers, as paths in the body such as org.name_en; * is the whole notice
    #[arg(long, value_name = "PATH", value_delimiter = ',', required = true)]
    pub(crate) fields: Vec<String>,
    /// Name of the audience that it names; left out for what everybody may have
    #[arg(long, value_name = "NAME")]
    pub(crate) to: Option<String>,
    /// For what; left out for what everybody may have
    #[arg(long, value_name = "TEXT")]
    pub(crate) purpose: Option<String>,
    /// First day; without it, today
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub(crate) from: Option<String>,
    /// Last day; a consent has one
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub(crate) until: Option<String>,
    /// What the document is in words: who wrote it, when, under which law
    #[arg(long, value_name = "TEXT")]
    pub(crate) basis: String,
    /// A condition that the document sets; repeat it. Whoever discloses acknowledges it, and the reader is shown it
    #[arg(long, value_name = "TEXT")]
    pub(crate) condition: Vec<String>,
    /// What spoke for withholding; needed for a legal compulsion
    #[arg(long, value_name = "TEXT")]
    pub(crate) withhold: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum GroundKind {
    /// Consent of the other side on paper
    PaperConsent,
    /// The originator published it itself
    OriginatorPublication,
    /// A court order, or a request under a law on the disclosure of information
    LegalCompulsion,
    /// The request of the ministry that asked for cooperation in tests (clause 5)
    MinistryRequest,
    /// Why something may be published under a text that was not seen
    PublicationBasis,
    /// A comparison that shows that fields of an own notice repeat nothing that the other side wrote
    OwnWords,
}
