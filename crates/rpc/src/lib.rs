//! Service stubs, clients over streams that others opened, and how refusals become gRPC statuses: the sole owner of tonic.
//!
//! In scope: what every service of a node and every client shares. Out of scope: TLS and sockets (crate `node`), what a
//! service does (crate `node`).
//!
//! ```
//! use verbale_rpc::{Failure, FailureKind};
//! let status = Failure::new(FailureKind::Refused, "ID_REUSE", "the number was used before").status();
//! assert_eq!(Failure::of(&status).code, "ID_REUSE");
//! ```

mod client;
mod failure;

pub use client::{channel_over, connect_unix};
pub use failure::{Failure, FailureKind};
pub use tonic;
pub use tonic_health;
pub use tonic_reflection;

#[expect(clippy::pedantic, reason = "generated; the documentation stands in the .proto files")]
mod stubs {
    tonic::include_proto!("verbale.v1");
}

pub use stubs::{node_client, node_server, peer_client, peer_server};

/// The version of `Deliver`; another one is refused.
pub const PROTOCOL_VERSION: u32 = 1;

/// A message of `Deliver` is at most so large: a batch of 1 MiB, its framing, and room.
pub const DELIVER_MESSAGE_BYTES_MAX: usize = (1 << 20) + (256 << 10);

/// Sealed bytes over this length travel in pieces of at most this length.
pub const PIECE_BYTES_MAX: usize = 256 << 10;

/// A batch of `Deliver` has at most so many bytes of notices.
pub const BATCH_BYTES_MAX: usize = 1 << 20;

/// A batch of `Deliver` has at most so many notices.
pub const BATCH_NOTICES_MAX: usize = 256;

/// An account in answer to an originator is at most so large: entries of 256 KiB, or one of them, and its signature.
pub const ACCOUNT_MESSAGE_BYTES_MAX: usize = 1 << 20;

/// A message of the local service is at most so large: one notice of 15 MiB in JSON, and room.
pub const LOCAL_MESSAGE_BYTES_MAX: usize = 17 << 20;
