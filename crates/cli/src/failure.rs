//! What can go wrong, and the exit code that says whose part it is.

use std::error::Error;
use std::process::ExitCode;

use verbale_node::ClientError;
use verbale_rpc::tonic::Status;
use verbale_rpc::{Failure, FailureKind};

/// A command that did not succeed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// Refused, by the node or by this program.
    #[error("{0}")]
    Refused(String),
    /// Something given on the command line cannot be used.
    #[error("{0}")]
    Usage(String),
    /// The node is not reachable.
    #[error(transparent)]
    Unreachable(#[from] ClientError),
    /// The node answered that it is stopping, or went away.
    #[error("{0}")]
    Gone(String),
    /// Whoever read standard output stopped reading.
    #[error("nobody reads standard output any more")]
    OutputClosed,
    /// Data is damaged.
    #[error("{text}")]
    Damaged {
        /// What.
        text: String,
        /// Why.
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// Anything else that failed.
    #[error("{text}")]
    Failed {
        /// What.
        text: String,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl CliError {
    pub(crate) fn failed(text: impl Into<String>, source: impl Error + Send + Sync + 'static) -> Self {
        Self::Failed { text: text.into(), source: source.into() }
    }

    pub(crate) fn damaged(text: impl Into<String>) -> Self {
        Self::Damaged { text: text.into(), source: None }
    }

    /// The error and everything that caused it, on one line.
    pub(crate) fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut source = self.source();
        while let Some(error) = source {
            let cause = error.to_string();
            if !text.contains(&cause) {
                text = format!("{text}: {cause}");
            }
            source = error.source();
        }
        text
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Refused(_) | Self::Failed { .. } => 1,
            Self::Usage(_) => 2,
            Self::Unreachable(_) | Self::Gone(_) => 3,
            Self::Damaged { .. } => 4,
            // What a shell reports of a program that SIGPIPE ended.
            Self::OutputClosed => 141,
        })
    }
}

impl From<Status> for CliError {
    fn from(status: Status) -> Self {
        let failure = Failure::of(&status);
        let text = failure.to_string();
        match failure.kind {
            FailureKind::Unreachable => Self::Gone(text),
            FailureKind::Damaged => Self::Damaged { text, source: None },
            // A connection that broke has no code of ours.
            FailureKind::Fault if !failure.code.chars().all(|c| c.is_ascii_uppercase() || c == '_') => {
                Self::Gone(format!("the node went away: {}", failure.text))
            }
            _ => Self::Refused(text),
        }
    }
}
