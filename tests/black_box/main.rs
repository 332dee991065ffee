//! Scenarios over real `verbale` processes, each ending with an audit of both logs.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests with files and processes"
)]

mod accounts;
mod audit;
mod bench;
mod carried;
mod cases;
mod crash;
mod demo;
mod disclosure;
mod erasure;
mod exchange;
mod expiry;
mod exports;
mod four_eyes;
mod grounds;
mod heads;
mod hostile;
mod layers;
mod local_tls;
mod memory;
mod node;
mod notices;
mod onward;
mod outside;
mod register;
mod revocation;
mod rotation;
mod rules;
mod secrecy;
mod signing_keys;
mod stamps;
mod supervised;
mod supply;
mod tampering;
mod told;
mod traffic;
