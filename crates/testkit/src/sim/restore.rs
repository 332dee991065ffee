//! A node is put back from a copy, numbers notices before it meets the other one, and then begins the next log.

use std::collections::{HashMap, HashSet};

use verbale_evidence::{MessageId, StatementDigest};
use verbale_exchange::{Held, Input, Mailbox, NoticeState};

use super::{Planted, Stats, World};
use crate::sim_node::Waits;
use crate::watch::{Violation, require};

/// What happened to the notices of the node that was put back, beside all else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// The run.
    pub stats: Stats,
    /// Sent by the copy under numbers that the log before had used.
    pub displaced: u64,
    /// Held by the other side, and by the copy not.
    pub lost: u64,
    /// Refused by the other side, which has another notice under the registry number.
    pub known_there: u64,
}

/// Runs one seed: steps, a copy somewhere among them, more steps; the copy is put back and works alone for a while; then the next log begins, and after
/// more steps the network heals.
///
/// # Errors
/// The first invariant that does not hold.
pub fn simulate_restore(seed: u64, steps: u64) -> Result<Restored, Violation> {
    let mut world = World::new(seed, Planted::Nothing);
    for _ in 0..steps {
        world.step()?;
    }
    let copied = world.nodes[0].durable.len();
    let more = world.random.below(3 * steps);
    for _ in 0..more {
        world.step()?;
    }
    world.put_back(copied)?;
    for _ in 0..steps {
        world.step()?;
    }
    world.heal()?;
    world.compared()
}

impl World {
    fn put_back(&mut self, copied: usize) -> Result<(), Violation> {
        self.restored = true;
        let [this, other] = &mut self.nodes;
        this.put_back(copied);
        this.restart(self.now_ms);
        if !other.up {
            other.restart(self.now_ms);
        }
        // Nobody answers the copy.
        self.break_link(0);
        for _ in 0..self.random.below(12) {
            self.now_ms += 1;
            self.submit(0)?;
            if self.random.percent(60) {
                self.commit(0)?;
            }
        }
        self.nodes[0].crash();
        self.network.clear();
        self.nodes[0].begin_anew(self.now_ms);
        let known = |id: &MessageId| self.nodes[0].exchange.notice(id).is_some();
        self.promised.retain(|(node, _), (id, _)| *node == 1 || known(id));
        // The other one is shown the next card, and its link is over.
        self.break_link(1);
        let [this, other] = &mut self.nodes;
        let (card, bytes) = (Box::new(this.point.card.clone()), this.point.card_bytes.clone());
        other.knows(&this.point);
        let ticket = other.ticket(Waits::Opening { link: 0 });
        other.step(self.now_ms, Input::CounterpartCard { ticket, card, bytes });
        self.commit(1)?;
        self.commit(0)
    }

    /// Both hold the same, apart from what the node that was put back says it lost, or never sent.
    fn compared(&self) -> Result<Restored, Violation> {
        let mut restored = Restored { stats: self.stats, ..Restored::default() };
        let [this, other] = &self.nodes;
        let in_box = |node: &crate::sim_node::SimNode, mailbox: Mailbox| -> HashMap<MessageId, Held> {
            let held = node.exchange.notices().filter(|held| held.mailbox == mailbox);
            held.map(|held| (held.message_id, held.clone())).collect()
        };
        let (sent, taken) = (in_box(this, Mailbox::Outbox), in_box(other, Mailbox::Inbox));
        let place = |held: &Held| (held.number, held.statement);
        for (id, held) in &sent {
            match &held.state {
                NoticeState::Displaced => {
                    require!(!taken.contains_key(id), "a displaced notice was taken");
                    restored.displaced += 1;
                }
                NoticeState::Delivered | NoticeState::Refused(_) => {
                    let same = taken.get(id).is_some_and(|taken| place(taken) == place(held));
                    require!(same, "what has a receipt is not there under its number");
                    restored.known_there += u64::from(held.state == NoticeState::Refused("ID_REUSE".to_owned()));
                }
                other => return Err(Violation(format!("a notice of the node that was put back ended as {other:?}"))),
            }
        }
        restored.lost = taken.keys().filter(|id| !sent.contains_key(*id)).count() as u64;
        // The other way nothing is lost: what was lost here came again.
        let (sent, taken) = (in_box(other, Mailbox::Outbox), in_box(this, Mailbox::Inbox));
        for (id, held) in &sent {
            let same = taken.get(id).is_some_and(|taken| place(taken) == place(held));
            require!(same, "what the other one sent is not here");
        }
        require!(taken.len() == sent.len(), "something was received that nobody sent");
        let numbers: HashSet<(u64, StatementDigest)> = taken.values().map(place).collect();
        require!(numbers.len() == taken.len(), "one number was taken twice");
        Ok(restored)
    }
}
