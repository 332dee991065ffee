//! What an outsider checks with public cards and files alone, trusting neither server.
//!
//! In scope: exported logs, one and two against each other; receipts, checkpoints, presentations, accounts; the folder of an export,
//! written and read. Out of scope: secrets of any kind, nodes, network; keys and proofs are verified by crate `evidence`, rules
//! asked in crate `domain`: the same function that let the node release something decides here whether its ground holds.
//!
//! Invariants:
//! * Nothing is believed that a card does not vouch for, and what no card vouches for is said.
//! * A fault names what was expected and what was found.

mod account;
mod command;
mod export;
mod files;
mod finding;
mod log_command;
mod onward;
mod presentation;
mod reconcile;
mod stamp;
mod table;
mod verify;

pub use account::check_account;
pub use command::{Exit, memoranda, run};
pub use export::{ExportError, ExportFolder, ExportReady, ExportWriter, Missing};
pub use finding::Finding;
pub use onward::{Carried, Carrying, OnwardFault, carried, check_onward};
pub use presentation::{Checked, Fault, ReleaseShown, check_presentation};
pub use reconcile::{Reconciled, reconcile};
pub use stamp::{NONCE_BYTES, STAMP_BYTES_MAX, StampError, Stamped, read_stamp, stamp_request};
pub use verify::{Break, Given, Stamps, Tally, Verified, verify};
