//! Fixtures and a simulated pair of nodes, for tests only.
//!
//! In scope: contact points with fixed keys, notices of any number, and a world in which two [`verbale_exchange::Exchange`]s
//! lose, duplicate, reorder and delay messages, crash and restart, with invariants checked after every step. Out of scope:
//! real disks, sockets and processes.
//!
//! ```
//! let stats = verbale_testkit::simulate(1, 50, verbale_testkit::Planted::Nothing)?;
//! assert!(stats.submitted > 0);
//! # Ok::<(), verbale_testkit::Violation>(())
//! ```

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a test that cannot go on stops"
)]

mod fixtures;
mod random;
mod sim;
mod sim_node;
mod watch;

pub use fixtures::{ContactPoint, Known, general_information};
pub use random::Random;
pub use sim::{Planted, Restored, Stats, simulate, simulate_restore};
pub use watch::Violation;
