//! One simulated node: the real state machine over a log in memory whose commits are separate steps.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use verbale_domain::Notice;
use verbale_envelope::{SealedNotice, open, seal};
use verbale_evidence::{
    MessageId, Statement, UnverifiedEnvelope, VerifiedEnvelope, decode_entry, encode_entry, read_entry, sign_statement,
};
use verbale_exchange::{
    Arrival, Draft, Effect, Exchange, Input, Kept, Record, Rejection, Submission, Ticket, genesis, succeeding,
};
use verbale_keys::Role;
use verbale_ledger::{Checkpoint, LogIndex, LogSize, TlogProof, Tree, leaf_hash};
use verbale_proto::v1::log_entry::Event;
use verbale_proto::v1::{CarriedOver, NoticeSent, PreviousLog, Receipt};

use crate::fixtures::{ContactPoint, Known};
use crate::random::Random;
use crate::watch::Watched;

pub(crate) struct SimNode {
    pub(crate) point: ContactPoint,
    peer: Known,
    pub(crate) exchange: Exchange,
    pub(crate) durable: Vec<Record>,
    pub(crate) tree: Tree,
    commits: Vec<u64>,
    pub(crate) pending: Vec<Record>,
    pub(crate) held: Vec<Effect>,
    /// What came before the log was compared.
    parked: VecDeque<Input>,
    /// Who waits for what: submissions by their registry number, notices of the peer by their number.
    pub(crate) waiting: HashMap<Ticket, Waits>,
    pub(crate) sent: HashMap<u64, Arc<VerifiedEnvelope>>,
    pub(crate) watched: Watched,
    pub(crate) up: bool,
    next_ticket: Ticket,
    validity_ms: i64,
}

pub(crate) enum Waits {
    Submission { notice_id: String, changed: bool },
    Notice { link: u64, number: u64 },
    Opening { link: u64 },
}

impl SimNode {
    pub(crate) fn new(point: ContactPoint, peer: Known, validity_ms: i64) -> Self {
        let mut node = Self {
            exchange: Exchange::new(point.own(validity_ms)),
            peer,
            durable: Vec::new(),
            tree: Tree::default(),
            commits: Vec::new(),
            pending: Vec::new(),
            held: Vec::new(),
            parked: VecDeque::new(),
            waiting: HashMap::new(),
            sent: HashMap::new(),
            watched: Watched::default(),
            up: true,
            next_ticket: 0,
            validity_ms,
            point,
        };
        let first = genesis(0, &node.point.card, &node.point.card_bytes).unwrap();
        node.exchange.replay(&first.entry, None).unwrap();
        node.pending.push(first);
        let (card, bytes) = (Box::new(node.peer.card.clone()), node.peer.card_bytes.clone());
        node.step(0, Input::Start);
        let ticket = node.ticket(Waits::Opening { link: 0 });
        node.step(0, Input::Enrol { ticket, card, bytes, actor: "person".into(), address: "host:1".into() });
        // `init` and enrolment lie before the world begins.
        node.sync();
        node
    }

    pub(crate) fn peer_card(&self) -> &verbale_evidence::Card {
        &self.peer.card
    }

    pub(crate) fn ticket(&mut self, waits: Waits) -> Ticket {
        self.next_ticket += 1;
        self.waiting.insert(self.next_ticket, waits);
        self.next_ticket
    }

    pub(crate) fn step(&mut self, now_ms: i64, input: Input) {
        if self.exchange.must_wait(&input) {
            self.parked.push_back(input);
        } else {
            self.decide(now_ms, input);
        }
        for input in std::mem::take(&mut self.parked) {
            if self.exchange.must_wait(&input) {
                self.parked.push_back(input);
            } else {
                self.decide(now_ms, input);
            }
        }
    }

    fn decide(&mut self, now_ms: i64, input: Input) {
        let output = self.exchange.step(now_ms, input);
        assert!(output.fault.is_none());
        self.pending.extend(output.records);
        self.held.extend(output.effects);
    }

    pub(crate) fn submission(&mut self, now_ms: i64, notice: &Notice, random: &mut Random) -> Submission {
        let subject = notice.subject();
        let archive = self.point.archive();
        let digest = archive.notice_digest(notice);
        let message_id = MessageId::new(now_ms.unsigned_abs(), &random.bytes());
        let to = (self.peer.card.id.as_str(), &self.peer.recipient);
        let sealed = seal(notice, &self.point.card.id, to, message_id, random.bytes()).unwrap();
        let kept = Kept::prepare(&archive, message_id, &subject, digest, (&sealed.file_key, &[]), &random.bytes());
        let draft = Draft {
            message_id,
            recipient: self.peer.card.id.clone(),
            recipient_key: self.peer.recipient.fingerprint(),
            sealed,
            kept,
            carries: Vec::new(),
        };
        Submission { actor: "system".into(), may_bind: false, subject, digest, draft: Ok(Box::new(draft)) }
    }

    /// Verifies and opens what came from the peer, as a node's workers do.
    pub(crate) fn arrival(
        &self,
        envelope: &[u8],
        sealed: Option<Vec<u8>>,
        random: &mut Random,
    ) -> Result<Arrival, Rejection> {
        let unverified = UnverifiedEnvelope::parse(envelope).map_err(|_| Rejection::NotAuthentic)?;
        let verified = unverified.verify(&self.peer.card.envelope_key).map_err(|_| Rejection::NotAuthentic)?;
        let Some(sealed) = sealed else { return Ok(Arrival::StatementOnly(Box::new(verified))) };
        let bound = SealedNotice::bind(verified, sealed).map_err(|_| Rejection::NotTheSignedBytes)?;
        Ok(match open(bound, &self.point.identity) {
            Err(unopened) => Arrival::Unopened(unopened),
            Ok(opened) => {
                let archive = self.point.archive();
                let digest = archive.notice_digest(opened.notice());
                let (id, subject) = (opened.envelope().statement().message_id, opened.notice().subject());
                let kept = Kept::prepare(&archive, id, &subject, digest, (opened.file_key(), &[]), &random.bytes());
                Arrival::Opened(Box::new((opened, kept)))
            }
        })
    }

    /// Makes the pending records durable.
    pub(crate) fn sync(&mut self) -> Vec<(u64, Vec<u8>)> {
        let mut new = Vec::new();
        for record in self.pending.drain(..) {
            let index = self.tree.append(leaf_hash(&record.entry));
            new.push((index.0, record.entry.clone()));
            self.durable.push(record);
        }
        if !new.is_empty() {
            self.commits.push(self.tree.size().0);
        }
        new
    }

    /// The receipt for an entry, at the size of the commit that held it. With `unsynced`, pending records count as durable.
    pub(crate) fn receipt(&self, index: LogIndex, unsynced: bool) -> Option<(Receipt, u64, verbale_ledger::Hash)> {
        let mut tree = self.tree.clone();
        let records: Vec<&Record> = self.durable.iter().chain(self.pending.iter().filter(|_| unsynced)).collect();
        for record in records.iter().skip(self.durable.len()) {
            tree.append(leaf_hash(&record.entry));
        }
        let after = self.commits.partition_point(|size| *size <= index.0);
        let size = self.commits.get(after).copied().or(unsynced.then_some(tree.size().0))?;
        let entry = records.get(usize::try_from(index.0).ok()?)?.entry.clone();
        let hashes = tree.inclusion_proof(index, LogSize(size)).ok()?;
        let root = tree.root_at(LogSize(size)).ok()?;
        let checkpoint = Checkpoint { origin: self.point.card.log_origin.clone(), size: LogSize(size), root };
        let checkpoint = checkpoint.sign(&self.point.secret(Role::Log));
        Some((Receipt { entry, proof: TlogProof { index, hashes, checkpoint }.to_text() }, size, root))
    }

    /// Loses everything that is not durable.
    pub(crate) fn crash(&mut self) {
        self.pending.clear();
        self.held.clear();
        self.parked.clear();
        self.waiting.clear();
        self.sent.clear();
        self.up = false;
    }

    /// Starts again from the durable log.
    pub(crate) fn restart(&mut self, now_ms: i64) {
        self.exchange = Exchange::new(self.point.own(self.validity_ms));
        self.tree = Tree::default();
        let archive = self.point.archive();
        for record in &self.durable {
            self.tree.append(leaf_hash(&record.entry));
            let facts = match (&record.facts, &record.keys, read_entry(&record.entry).unwrap().event) {
                (Some(facts), Some((id, keys)), Event::NoticeSent(NoticeSent { facts_digest, .. })) => {
                    Some(archive.unwrap(*id, keys).unwrap().facts.open(*id, facts, &facts_digest).unwrap())
                }
                (Some(facts), Some((id, keys)), Event::NoticeReceived(received)) => {
                    Some(archive.unwrap(*id, keys).unwrap().facts.open(*id, facts, &received.facts_digest).unwrap())
                }
                _ => None,
            };
            self.exchange.replay(&record.entry, facts).unwrap();
        }
        self.up = true;
        self.step(now_ms, Input::Start);
    }

    /// Holds so many entries of its log, and nothing of what came after them.
    pub(crate) fn put_back(&mut self, held: usize) {
        self.crash();
        self.durable.truncate(held);
        self.commits.retain(|size| *size < held as u64);
        self.commits.push(held as u64);
    }

    /// Closes its log and begins the next one with all that it holds.
    pub(crate) fn begin_anew(&mut self, now_ms: i64) {
        let previous = PreviousLog {
            origin: self.point.card.log_origin.clone(),
            held_size: self.durable.len() as u64,
            held_root: self.tree.root().to_vec(),
            ..PreviousLog::default()
        };
        self.point.begin_log(now_ms);
        let first = succeeding(now_ms, &self.point.card, &self.point.card_bytes, Some(previous)).unwrap();
        let carried = self.durable.drain(..).map(|record| {
            let event = Event::CarriedOver(CarriedOver { entry: record.entry });
            Record { entry: encode_entry(now_ms, event).unwrap(), ..record }
        });
        self.durable = std::iter::once(first).chain(carried).collect();
        self.commits = vec![self.durable.len() as u64];
        self.restart(now_ms);
    }

    /// Takes note of another card of the other one.
    pub(crate) fn knows(&mut self, other: &ContactPoint) {
        self.peer = other.known();
        self.sent.clear();
    }

    /// A bug: the state believes that one more number was sent than the log holds.
    pub(crate) fn skip_a_number(&mut self, now_ms: i64) {
        let last = self.durable.iter().rev().find_map(|record| match decode_entry(&record.entry).unwrap().1 {
            Event::NoticeSent(sent) => Some(sent.envelope),
            _ => None,
        });
        let Some(last) = last else { return };
        let key = self.point.secret(Role::Envelope);
        let last = UnverifiedEnvelope::parse(&last).unwrap().verify(&key.public()).unwrap();
        let statement = Statement {
            number: last.statement().number + 1,
            previous: last.digest(),
            message_id: MessageId::from_bytes([0; 16]),
            ..last.statement().clone()
        };
        let envelope = sign_statement(statement, &key).unwrap().bytes().to_vec();
        let event = Event::NoticeSent(NoticeSent { envelope, ..NoticeSent::default() });
        let entry = verbale_evidence::encode_entry(now_ms, event).unwrap();
        self.exchange.replay(&entry, None).unwrap();
        // The log holds something else in its place, so that every other index stays right.
        let filler = Event::NoticeExpired(verbale_proto::v1::NoticeExpired { message_id: vec![0; 16] });
        let entry = verbale_evidence::encode_entry(now_ms, filler).unwrap();
        self.pending.push(Record { entry, ..Record::default() });
    }
}
