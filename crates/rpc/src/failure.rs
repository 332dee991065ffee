//! Refusals as gRPC statuses and back.

use tonic::{Code, Status};

/// Whose part a failure is; it decides the gRPC code and the exit code of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The request is refused; the caller can mend it.
    Refused,
    /// The caller may not do this.
    NotAllowed,
    /// There is no such thing.
    NotFound,
    /// The node has no room at the moment.
    NoRoom,
    /// The node is not reachable or is stopping.
    Unreachable,
    /// The node's data is damaged.
    Damaged,
    /// A fault of the node.
    Fault,
}

/// A failed request: a stable code and a sentence without content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {text}")]
pub struct Failure {
    /// Whose part it is.
    pub kind: FailureKind,
    /// Stable code.
    pub code: String,
    /// What happened and what to do.
    pub text: String,
}

const KINDS: [(FailureKind, Code); 7] = [
    (FailureKind::Refused, Code::FailedPrecondition),
    (FailureKind::NotAllowed, Code::PermissionDenied),
    (FailureKind::NotFound, Code::NotFound),
    (FailureKind::NoRoom, Code::ResourceExhausted),
    (FailureKind::Unreachable, Code::Unavailable),
    (FailureKind::Damaged, Code::DataLoss),
    (FailureKind::Fault, Code::Internal),
];

impl Failure {
    /// Makes a failure.
    pub fn new(kind: FailureKind, code: impl Into<String>, text: impl Into<String>) -> Self {
        Self { kind, code: code.into(), text: text.into() }
    }

    /// As a status: `CODE: text`.
    pub fn status(&self) -> Status {
        let code = KINDS.iter().find(|(kind, _)| *kind == self.kind).map_or(Code::Unknown, |(_, code)| *code);
        Status::new(code, self.to_string())
    }

    /// From a status, also from one that the transport made.
    pub fn of(status: &Status) -> Self {
        let kind = KINDS.iter().find(|(_, code)| *code == status.code()).map_or(FailureKind::Fault, |(kind, _)| *kind);
        let is_code = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
        match status.message().split_once(": ") {
            Some((code, text)) if is_code(code) => Self::new(kind, code, text),
            _ => Self::new(kind, status.code().to_string(), status.message()),
        }
    }
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        failure.status()
    }
}
