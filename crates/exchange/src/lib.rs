//! The node as a state machine: what is sent, received, refused, rejected, resumed, expired and receipted; pure.
//!
//! In scope: channels, numbers, chains, idempotency, receipts, links and their retries. [`Exchange::step`] takes an input
//! and the time and gives records to commit and effects to release once they are durable. Out of scope: opening and
//! verifying (crates `evidence` and `envelope`, before a step), disk, network, clock, randomness, tasks (crate `node`).
//!
//! Invariants:
//! * An effect may be released only after the records of its step are durable.
//! * State changes only through `apply`, in a step and in a replay alike.
//! * Numbers of a channel have no gap and statements are chained; a number is answered the same way each time.
//! * A [`PermittedNotice`] was opened, is not known under its number, and passed the rules; only it becomes an entry.
//!
//! Only an opened notice can arrive as one:
//! ```
//! use verbale_exchange::{Arrival, Kept};
//! fn arrived(opened: verbale_envelope::OpenedNotice, kept: Kept) -> Arrival {
//!     Arrival::Opened(Box::new((opened, kept)))
//! }
//! ```
//! ```compile_fail
//! use verbale_exchange::{Arrival, Kept};
//! fn arrived(opened: verbale_envelope::SealedNotice, kept: Kept) -> Arrival {
//!     Arrival::Opened(Box::new((opened, kept)))
//! }
//! ```
//!
//! Only a verified receipt can arrive as one:
//! ```
//! use verbale_exchange::{ChannelId, Input};
//! fn arrived(channel: ChannelId, receipt: verbale_evidence::VerifiedReceipt) -> Input {
//!     Input::ReceiptArrived(channel, Box::new(receipt))
//! }
//! ```
//! ```compile_fail
//! use verbale_exchange::{ChannelId, Input};
//! fn arrived(channel: ChannelId, receipt: verbale_proto::v1::Receipt) -> Input {
//!     Input::ReceiptArrived(channel, Box::new(receipt))
//! }
//! ```

mod apply;
mod audience;
mod breach;
mod card_statement;
mod change;
mod comparing;
mod course;
mod disclosure;
mod draft;
mod enrol;
mod erasure;
mod ground;
mod incoming;
mod link;
mod outgoing;
mod oversight;
mod own;
mod reading;
mod replay;
mod state;
mod step;
mod succession;

pub use audience::HeldAudience;
pub use breach::{BreachReport, HeldBreach};
pub use change::{Record, genesis, succeeding};
pub use disclosure::{Asking, Bound, DisclosureRequest, Judged, ReleaseFacts, Released};
pub use draft::{Approval, HeldDraft};
pub use enrol::EnrolError;
pub use erasure::{Erasing, HeldErasure};
pub use ground::{HeldGround, Recording};
pub use incoming::{Arrival, PermittedNotice, Rejection};
pub use link::{Link, LinkState, Opening};
pub use outgoing::{CarriedOn, Draft, Submission};
pub use own::{Kept, Own, Peer};
pub use replay::ReplayError;
pub use state::{ChannelId, Exchange, Happening, Held, Mailbox, NoticeState, What};
pub use step::{Effect, Fault, Input, Outbound, Output, Ticket, Told};
pub use succession::is_later;
