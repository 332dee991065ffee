//! The daemon: configuration, TLS, services, delivery, and the thread that owns state and journal.
//!
//! In scope: everything that touches clock, randomness, sockets and tasks. Out of scope: what may be sent and received
//! (crate `exchange`), what is durable when (crate `journal`).
//!
//! Invariants:
//! * One thread, the core, owns state and journal. Everybody else sends it requests over one bounded queue and gets answers
//!   after their batch is durable.
//! * No lock is held across a sync; nothing is synced for one notice alone while others wait.
//! * Plaintext exists only in memory, for one authenticated request. No trace, error or metric has content.
//!
//! # Tasks
//! The peer listener verifies and opens in workers, then asks the core; a delivery task for each outgoing channel sends and
//! brings back receipts; the local listeners serve people and systems.
//!
//! ```
//! let text = "format = 1\n[node]\nid = \"XX-ONE\"\n[peer]\nlisten = \"127.0.0.1:7001\"\n[log]\ncolour = 1\n";
//! let error = verbale_node::Config::parse("verbale.toml", text).err().map(|error| error.to_string());
//! assert!(error.is_some_and(|error| error.contains("verbale.toml") && error.contains("line 7")));
//! ```

#![expect(clippy::disallowed_methods, reason = "clock and files are what this crate is for")]

mod accept;
mod account;
mod approval;
mod client;
mod clock;
mod commencement;
mod config;
mod connection;
mod consent;
mod core;
mod deliver;
mod delivery;
mod directory;
mod disclosure;
mod earlier;
mod erasure;
mod export;
mod folder;
mod ground;
mod heads;
mod held;
mod later_card;
mod letter;
mod local;
mod local_reads;
mod meter;
mod onward;
mod person;
mod placing;
mod prepare;
mod random;
mod recover;
mod register;
mod retired;
mod rotate;
mod secrets;
mod serve;
mod share;
mod shared;
mod stamp;
mod standing;
mod submit;
mod supervisor;
mod tls;
mod told;
mod trace;
mod view;
mod visits;
mod witness;

pub use client::{ClientError, connect, connect_tls, write_person_key};
pub use config::{Config, ConfigError};
pub use folder::{Folder, InitError, Initialised, LoadError, init};
pub use heads::HeadsError;
pub use held::HeldError;
pub use recover::{RecoverError, Succession, recover};
pub use rotate::{RotateError, Rotated, revoke, rotate};
pub use secrets::SecretError;
pub use serve::{ServeError, serve};
pub use tls::TlsError;
pub use trace::start_tracing;
pub use verbale_journal::{OnProgress, Phase, Progress};
