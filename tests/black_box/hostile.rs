//! Hostile input against a real node: each row has the answer it must get and what the node must count, and after each row
//! (where the attack holds on: during it) the node serves another counterpart and its own people, in bounded memory.

mod attacker;
mod connections;
mod craft;
mod local;
mod notices;
mod protocol;
mod receiver;
mod stage;

pub(crate) use attacker::{Attacker, card};
pub(crate) use craft::{Craft, Target, now_ms};
pub(crate) use stage::MEMORANDUM;
