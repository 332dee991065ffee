//! The world: two nodes, a network that does everything a network can do, and time.

mod restore;

use std::collections::HashMap;
use std::sync::Arc;

use verbale_evidence::{MessageId, verify_receipt};
use verbale_exchange::{ChannelId, Effect, Input, NoticeState, Opening, Outbound, Told};
use verbale_proto::v1::Receipt;

use crate::fixtures::{ContactPoint, general_information};
use crate::random::Random;
use crate::sim_node::{SimNode, Waits};
use crate::watch::{Violation, require};

pub use restore::{Restored, simulate_restore};

const MEMORANDUM: &str = "JP-KG-SSW-2023";
const START_MS: i64 = 1_780_000_000_000;

/// A bug that the invariants must catch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// None.
    Nothing,
    /// Answers leave before the sync.
    AnswerBeforeSync,
    /// After a restart, a number is skipped.
    NumberSkipped,
}

/// What happened in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Stats {
    pub submitted: u64,
    pub resubmitted: u64,
    pub id_reuse: u64,
    pub received: u64,
    pub receipts: u64,
    pub expired: u64,
    pub rejected: u64,
    pub lost: u64,
    pub duplicated: u64,
    pub reordered: u64,
    pub delayed: u64,
    pub broken_links: u64,
    pub crashes_before_sync: u64,
    pub crashes_after_sync: u64,
    pub restarts: u64,
}

/// What travels.
#[derive(Clone)]
enum Packet {
    Open { link: u64, behind: Option<u64> },
    Opened { link: u64, opening: Opening },
    Notice { link: u64, envelope: Vec<u8>, sealed: Option<Vec<u8>> },
    Receipt { number: u64, receipt: Receipt },
    Rejected { link: u64 },
}

struct Travelling {
    to: usize,
    packet: Packet,
    sequence: u64,
    not_before_ms: i64,
}

struct World {
    nodes: [SimNode; 2],
    network: Vec<Travelling>,
    next_sequence: u64,
    last_delivered: [u64; 2],
    random: Random,
    now_ms: i64,
    next_notice: [u64; 2],
    /// What was promised to submitters, by node and registry number: the message, and whether it has the changed text.
    promised: HashMap<(usize, String), (MessageId, bool)>,
    stats: Stats,
    planted: Planted,
    faults: bool,
    /// A node was put back from a copy: what it lost is watched no more.
    restored: bool,
}

/// Runs one seed for so many steps, then lets the network heal and everything arrive.
///
/// # Errors
/// The first invariant that does not hold.
pub fn simulate(seed: u64, steps: u64, planted: Planted) -> Result<Stats, Violation> {
    let mut world = World::new(seed, planted);
    for _ in 0..steps {
        world.step()?;
    }
    world.heal()?;
    world.settled()?;
    Ok(world.stats)
}

impl World {
    fn new(seed: u64, planted: Planted) -> Self {
        let mut random = Random::new(seed);
        let (japan, partner) = (ContactPoint::new("JP-MOJ-ISA-RMD", 1), ContactPoint::new("KG-MLSSM-CECA", 2));
        // In some worlds notices expire while the network is down.
        let validity_ms = if random.percent(40) { 120_000 } else { 1_000_000_000 };
        let (other_japan, other_partner) = (japan.known(), partner.known());
        let nodes = [SimNode::new(japan, other_partner, validity_ms), SimNode::new(partner, other_japan, validity_ms)];
        Self {
            nodes,
            network: Vec::new(),
            next_sequence: 0,
            last_delivered: [0; 2],
            random,
            now_ms: START_MS,
            next_notice: [0; 2],
            promised: HashMap::new(),
            stats: Stats::default(),
            planted,
            faults: true,
            restored: false,
        }
    }

    fn step(&mut self) -> Result<(), Violation> {
        let node = usize::from(self.random.percent(50));
        match self.random.below(100) {
            0..=9 => self.submit(node)?,
            10..=34 => self.commit(node)?,
            35..=79 => self.deliver()?,
            80..=93 => self.pass_time(),
            94..=96 => self.break_link(node),
            _ => self.crash_or_restart(node)?,
        }
        Ok(())
    }

    fn submit(&mut self, node: usize) -> Result<(), Violation> {
        if !self.nodes[node].up {
            return Ok(());
        }
        let next = self.next_notice[node];
        let again = next > 4 && self.random.percent(30);
        let number = if again { self.random.below(next) } else { next };
        let changed = again && self.random.percent(50);
        if again {
            self.stats.resubmitted += 1;
        } else {
            self.next_notice[node] += 1;
        }
        let notice_id = format!("N-{node}-{number:06}");
        let text = if changed { "another text" } else { "a text" };
        let notice = general_information(node == 0, &notice_id, text);
        let submission = self.nodes[node].submission(self.now_ms, &notice, &mut self.random);
        let ticket = self.nodes[node].ticket(Waits::Submission { notice_id, changed });
        self.stats.submitted += 1;
        self.nodes[node].step(self.now_ms, Input::Submit(ticket, Box::new(submission)));
        if self.planted == Planted::AnswerBeforeSync {
            // The bug releases what must wait.
            let effects = std::mem::take(&mut self.nodes[node].held);
            return self.release(node, effects);
        }
        Ok(())
    }

    fn commit(&mut self, node: usize) -> Result<(), Violation> {
        if !self.nodes[node].up {
            return Ok(());
        }
        self.sync(node)?;
        let effects = std::mem::take(&mut self.nodes[node].held);
        self.release(node, effects)
    }

    /// Makes pending records durable and watches them.
    fn sync(&mut self, node: usize) -> Result<(), Violation> {
        let new = self.nodes[node].sync();
        if self.restored {
            return Ok(());
        }
        let [japan, partner] = &mut self.nodes;
        let (this, other) = if node == 0 { (japan, partner) } else { (partner, japan) };
        let (own, peer) = (this.point.card.envelope_key, other.point.card.envelope_key);
        for (index, entry) in new {
            this.watched.committed(index, &entry, (&own, &peer), &other.watched)?;
        }
        this.watched.grows(&this.tree)
    }

    fn release(&mut self, node: usize, effects: Vec<Effect>) -> Result<(), Violation> {
        for effect in effects {
            match effect {
                Effect::Tell { ticket, told } => {
                    if let Some(waits) = self.nodes[node].waiting.remove(&ticket) {
                        self.tell(node, waits, told)?;
                    }
                }
                Effect::Connect { link, behind, .. } => self.send(1 - node, Packet::Open { link, behind }),
                Effect::Disconnect(_) | Effect::Erase { .. } => {}
                Effect::ReceiptContradicts(_) => {
                    return Err(Violation("an honest receipt was taken for one that contradicts another".to_owned()));
                }
                Effect::IsNotTheLog { .. } => {
                    return Err(Violation("an honest log was taken for an old copy of itself".to_owned()));
                }
                Effect::Transmit { notices, .. } => {
                    for notice in notices {
                        self.transmit(node, &notice);
                    }
                }
            }
        }
        Ok(())
    }

    fn transmit(&mut self, node: usize, notice: &Outbound) {
        let index = usize::try_from(notice.index.0).unwrap();
        let unsynced = self.planted == Planted::AnswerBeforeSync;
        let this = &self.nodes[node];
        let record = this.durable.iter().chain(this.pending.iter().filter(|_| unsynced)).nth(index).unwrap();
        let sealed = if notice.statement_only { None } else { record.sealed.clone() };
        // What a counterpart lost, which began a log anew, stands in its entry.
        let own = this.point.card.envelope_key;
        let envelope = notice.envelope.clone().unwrap_or_else(|| Arc::new(envelope_in(&record.entry, &own)));
        self.nodes[node].sent.insert(notice.number, Arc::clone(&envelope));
        let envelope = envelope.bytes().to_vec();
        let link = self.nodes[node].exchange.link_generation(&self.channel(node));
        self.send(1 - node, Packet::Notice { link, envelope, sealed });
    }

    fn tell(&mut self, node: usize, waits: Waits, told: Told) -> Result<(), Violation> {
        match (waits, told) {
            (Waits::Submission { notice_id, changed }, Told::Accepted { message_id, already_known, .. }) => {
                if !self.restored {
                    self.nodes[node].watched.told_accepted(&message_id)?;
                }
                if let Some((promised, text)) = self.promise(node, &notice_id) {
                    require!(already_known && promised == message_id, "one number became two messages");
                    require!(text == changed, "another notice was taken for the one sent before");
                }
                self.promised.insert((node, notice_id), (message_id, changed));
            }
            (Waits::Submission { notice_id, changed }, Told::Refused(refusal)) => {
                if self.restored && refusal.code == verbale_domain::Code::ChannelNotResumed {
                    return Ok(());
                }
                require!(refusal.code == verbale_domain::Code::IdReuse, "refused with {}", refusal.code);
                let same = self.promise(node, &notice_id).is_some_and(|(_, text)| text == changed);
                require!(!same, "the same notice was refused as another");
                self.stats.id_reuse += 1;
            }
            (Waits::Notice { number, .. }, Told::Logged { index, .. }) => {
                let unsynced = self.planted == Planted::AnswerBeforeSync;
                let Some((receipt, size, root)) = self.nodes[node].receipt(index, unsynced) else {
                    return Err(Violation(format!("an answer about entry {index:?}, which is not durable")));
                };
                self.nodes[node].watched.head_shown(size, root);
                self.send(1 - node, Packet::Receipt { number, receipt });
            }
            (Waits::Notice { link, .. }, Told::Rejected(_)) => {
                self.stats.rejected += 1;
                self.send(1 - node, Packet::Rejected { link });
            }
            (Waits::Opening { link }, Told::ChannelOpened { next_number, last, behind }) => {
                let last = last.map(|index| {
                    let entry = &self.nodes[node].durable[usize::try_from(index.0).unwrap()].entry;
                    let card = self.nodes[node].peer_card();
                    Arc::new(envelope_in(entry, &card.envelope_key))
                });
                self.send(1 - node, Packet::Opened { link, opening: Opening { next_number, last, behind } });
            }
            (Waits::Opening { .. }, Told::Done(_)) => {}
            _ => return Err(Violation("an answer of a kind that nobody asked for".to_owned())),
        }
        Ok(())
    }

    /// What was promised under a number, unless the counterpart has refused it: then the number is free.
    fn promise(&self, node: usize, notice_id: &str) -> Option<(MessageId, bool)> {
        let (message_id, changed) = *self.promised.get(&(node, notice_id.to_owned()))?;
        let held = self.nodes[node].exchange.notice(&message_id)?;
        let is_free = matches!(held.state, NoticeState::Refused(_) | NoticeState::Displaced);
        (!is_free).then_some((message_id, changed))
    }

    fn send(&mut self, to: usize, packet: Packet) {
        let copies = if self.faults && self.random.percent(6) {
            self.stats.duplicated += 1;
            2
        } else {
            1
        };
        for packet in std::iter::repeat_n(packet, copies) {
            if self.faults && self.random.percent(6) {
                self.stats.lost += 1;
                continue;
            }
            let delay = if self.faults && self.random.percent(15) {
                self.stats.delayed += 1;
                i64::try_from(self.random.below(20_000)).unwrap()
            } else {
                0
            };
            self.next_sequence += 1;
            let (sequence, not_before_ms) = (self.next_sequence, self.now_ms + delay);
            self.network.push(Travelling { to, packet, sequence, not_before_ms });
        }
    }

    fn deliver(&mut self) -> Result<(), Violation> {
        let due: Vec<usize> =
            (0..self.network.len()).filter(|at| self.network[*at].not_before_ms <= self.now_ms).collect();
        if due.is_empty() {
            return Ok(());
        }
        let pick = if self.faults && self.random.percent(20) {
            usize::try_from(self.random.below(due.len() as u64)).unwrap()
        } else {
            0
        };
        let travelling = self.network.remove(due[pick]);
        if travelling.sequence < self.last_delivered[travelling.to] {
            self.stats.reordered += 1;
        }
        self.last_delivered[travelling.to] = travelling.sequence;
        if self.nodes[travelling.to].up { self.arrive(travelling.to, travelling.packet) } else { Ok(()) }
    }

    fn arrive(&mut self, node: usize, packet: Packet) -> Result<(), Violation> {
        let channel = self.channel(node);
        let jitter = self.jitter();
        let this = &mut self.nodes[node];
        match packet {
            Packet::Open { link, behind } => {
                let ticket = this.ticket(Waits::Opening { link });
                this.step(self.now_ms, Input::PeerOpened { ticket, channel, behind });
            }
            Packet::Opened { link, opening } => {
                this.step(self.now_ms, Input::LinkOpened { channel, link, opening, jitter });
            }
            Packet::Notice { link, envelope, sealed } => match this.arrival(&envelope, sealed, &mut self.random) {
                Err(_) => self.send(1 - node, Packet::Rejected { link }),
                Ok(arrival) => {
                    let number = arrival.envelope().statement().number;
                    let ticket = this.ticket(Waits::Notice { link, number });
                    this.step(self.now_ms, Input::Arrived(ticket, channel, arrival));
                    self.stats.received += 1;
                }
            },
            Packet::Receipt { number, receipt } => {
                let Some(envelope) = this.sent.get(&number).cloned() else { return Ok(()) };
                let verified = verify_receipt(&receipt, &this.peer_card().log_vkey(), &envelope);
                let verified = verified.map_err(|error| Violation(format!("a receipt does not verify: {error}")))?;
                if !self.restored {
                    self.nodes[1 - node].watched.receipt_shown(verified.index().0, envelope.bytes())?;
                }
                self.stats.receipts += 1;
                self.nodes[node].step(self.now_ms, Input::ReceiptArrived(channel, Box::new(verified)));
            }
            Packet::Rejected { link } => {
                let trouble = "the counterpart rejected a notice".to_owned();
                this.step(self.now_ms, Input::LinkFailed { channel, link, trouble, reached: false, jitter });
            }
        }
        Ok(())
    }

    fn pass_time(&mut self) {
        self.now_ms += i64::try_from(self.random.below(4_000)).unwrap();
        for node in 0..2 {
            if self.nodes[node].up {
                self.nodes[node].step(self.now_ms, Input::Tick);
            }
        }
    }

    fn break_link(&mut self, node: usize) {
        if self.nodes[node].up {
            self.stats.broken_links += 1;
            let (channel, jitter, trouble) = (self.channel(node), self.jitter(), "the connection broke".to_owned());
            let link = self.nodes[node].exchange.link_generation(&channel);
            self.nodes[node].step(self.now_ms, Input::LinkFailed { channel, link, trouble, reached: false, jitter });
        }
    }

    fn crash_or_restart(&mut self, node: usize) -> Result<(), Violation> {
        if !self.nodes[node].up {
            return self.restart(node);
        }
        if self.random.percent(60) {
            return Ok(());
        }
        if self.random.percent(50) {
            // The sync succeeded, and nobody was told.
            self.sync(node)?;
            self.stats.crashes_after_sync += 1;
        } else {
            self.stats.crashes_before_sync += 1;
        }
        self.nodes[node].crash();
        Ok(())
    }

    fn restart(&mut self, node: usize) -> Result<(), Violation> {
        self.stats.restarts += 1;
        self.nodes[node].restart(self.now_ms);
        if self.planted == Planted::NumberSkipped {
            self.nodes[node].skip_a_number(self.now_ms);
        }
        let this = &self.nodes[node];
        if self.restored { Ok(()) } else { this.watched.grows(&this.tree) }
    }

    /// No more faults: everything that was promised must arrive.
    fn heal(&mut self) -> Result<(), Violation> {
        self.faults = false;
        for node in 0..2 {
            if !self.nodes[node].up {
                self.restart(node)?;
            }
        }
        for _ in 0..400 {
            for node in 0..2 {
                self.commit(node)?;
            }
            while self.network.iter().any(|travelling| travelling.not_before_ms <= self.now_ms) {
                self.deliver()?;
            }
            self.now_ms += 10_000;
            for node in 0..2 {
                self.nodes[node].step(self.now_ms, Input::Tick);
            }
            for node in 0..2 {
                self.commit(node)?;
            }
            if self.network.is_empty()
                && self.nodes.iter().all(|node| node.exchange.outgoing().all(|(_, _, waiting, _)| waiting == 0))
            {
                return Ok(());
            }
            // A reply that was lost before leaves a link open that nobody answers: a node's time limit ends it.
            if self.network.is_empty() {
                self.break_link(0);
                self.break_link(1);
            }
        }
        Err(Violation("the network healed and not everything arrived".into()))
    }

    fn settled(&mut self) -> Result<(), Violation> {
        let counts = [self.nodes[0].watched.counts(), self.nodes[1].watched.counts()];
        require!(counts[0].0 == counts[1].1 && counts[1].0 == counts[0].1, "sent and accepted differ: {counts:?}");
        for ((node, _), (message_id, _)) in &self.promised {
            let held = self.nodes[*node].exchange.notice(message_id);
            let Some(held) = held else { return Err(Violation("a promised message is gone".into())) };
            match &held.state {
                NoticeState::Delivered => {}
                NoticeState::Refused(code) if code == "EXPIRED" => self.stats.expired += 1,
                other => return Err(Violation(format!("a promised message ended as {other:?}"))),
            }
        }
        Ok(())
    }

    fn channel(&self, node: usize) -> ChannelId {
        ChannelId { peer: self.nodes[1 - node].point.card.id.clone(), memorandum: MEMORANDUM.to_owned() }
    }

    fn jitter(&mut self) -> i8 {
        i8::try_from(self.random.below(41)).unwrap() - 20
    }
}

/// The envelope that an entry about a notice holds.
fn envelope_in(entry: &[u8], key: &verbale_keys::PublicKey) -> verbale_evidence::VerifiedEnvelope {
    use verbale_proto::v1::log_entry::Event;
    let bytes = match verbale_evidence::read_entry(entry).unwrap().event {
        Event::NoticeSent(sent) => sent.envelope,
        Event::NoticeReceived(received) => received.envelope,
        Event::NoticeRefused(refused) => refused.envelope,
        _ => panic!("an entry about a notice"),
    };
    verbale_evidence::UnverifiedEnvelope::parse(&bytes).unwrap().verify(key).unwrap()
}
