//! The core: the one thread that owns state and journal. It takes whatever its queue holds, steps, commits once, and only
//! then lets anybody know.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use verbale_evidence::{UnverifiedEnvelope, VerifiedEnvelope, read_entry};
use verbale_exchange::{ChannelId, Effect, Exchange, Fault, Input, Outbound, Ticket, Told};
use verbale_journal::{
    BATCH_BYTES_MAX, BATCH_RECORDS_MAX, Committed, Journal, JournalError, Keys, Logged, Record, Store,
};
use verbale_ledger::LogIndex;
use verbale_proto::v1::log_entry::Event;
use verbale_rpc::{Failure, FailureKind};

use crate::clock::now_ms;
use crate::delivery;
use crate::heads::{Guard, HeadsError};
use crate::shared::Shared;
use crate::told;

/// Requests that wait for the core, most of them single; what large ones hold is bounded by their streams' budgets. Whoever
/// brings more waits.
const QUEUE_MAX: usize = 256;

/// The guard is made to survive a power cut so often; a crash of the process alone never loses it.
const GUARD_SYNC: Duration = Duration::from_secs(1);

/// Notices that wait for one link: more than its window ever holds.
const LINK_QUEUE_MAX: usize = 1024;

/// The core is gone: the node is stopping.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the node is stopping")]
pub(crate) struct Stopped;

/// The answer to a question.
pub(crate) enum Answer {
    /// It was decided and is durable.
    Told {
        /// What was decided.
        told: Told,
        /// The entry that it is about, with its proof, where a counterpart is told or something is released.
        logged: Option<Box<Logged>>,
    },
    /// Nothing was decided: the disk is full, or the node holds back.
    NotNow(Failure),
}

/// Whether a question is new work that needs room on the disk. What is small and few may use the reserve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    Room,
    Nothing,
}

/// Why the core ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CoreError {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The heads kept apart.
    #[error(transparent)]
    Heads(#[from] HeadsError),
    /// A fault of this program; nothing of that step was committed.
    #[error("{0}; this is a fault of verbale: nothing was lost, report it")]
    Fault(#[from] Fault),
}

type Ask = Box<dyn FnOnce(Ticket) -> Input + Send>;
type Read = Box<dyn FnOnce(&Exchange, &Journal) + Send>;

/// What belongs together comes in one request: each wakes the core's thread once.
enum Request {
    Ask { needs: Needs, asks: Vec<(Ask, oneshot::Sender<Answer>)> },
    Note(Vec<Input>),
    Read(Read),
    Compared(Option<String>, oneshot::Sender<()>),
    Stop,
}

/// A question and who waits for its answer.
pub(crate) fn question(input: impl FnOnce(Ticket) -> Input + Send + 'static) -> (Question, oneshot::Receiver<Answer>) {
    let (answer, waiting) = oneshot::channel();
    (Question(Box::new(input), answer), waiting)
}

/// A question to the core.
pub(crate) struct Question(Ask, oneshot::Sender<Answer>);

/// How everybody else reaches the core.
#[derive(Clone)]
pub(crate) struct Core(mpsc::Sender<Request>);

impl Core {
    /// Asks; the answer comes when it is durable.
    pub(crate) async fn ask(
        &self,
        needs: Needs,
        input: impl FnOnce(Ticket) -> Input + Send + 'static,
    ) -> Result<oneshot::Receiver<Answer>, Stopped> {
        let (question, waiting) = question(input);
        self.ask_all(needs, vec![question]).await?;
        Ok(waiting)
    }

    /// Asks several questions, which are decided in this order. At most a batch of the journal.
    pub(crate) async fn ask_all(&self, needs: Needs, questions: Vec<Question>) -> Result<(), Stopped> {
        let asks = questions.into_iter().map(|Question(ask, answer)| (ask, answer)).collect();
        self.0.send(Request::Ask { needs, asks }).await.map_err(|_| Stopped)
    }

    /// Lets the core know.
    pub(crate) async fn note(&self, input: Input) -> Result<(), Stopped> {
        self.note_all(vec![input]).await
    }

    /// Lets the core know several things, in this order. At most a batch of the journal.
    pub(crate) async fn note_all(&self, inputs: Vec<Input>) -> Result<(), Stopped> {
        self.0.send(Request::Note(inputs)).await.map_err(|_| Stopped)
    }

    /// Reads the state, as it is durable.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Exchange, &Journal) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        let (answer, waiting) = oneshot::channel();
        let read: Read = Box::new(move |exchange, journal| drop(answer.send(read(exchange, journal))));
        self.0.send(Request::Read(read)).await.map_err(|_| Stopped)?;
        waiting.await.map_err(|_| Stopped)
    }

    /// Waits until the log was compared with what counterparts hold at the start, and this one too if it came by since, or the node holds back: before that
    /// nothing is said of it.
    pub(crate) async fn compared(&self, peer: Option<&str>) -> Result<(), Stopped> {
        let (compared, waiting) = oneshot::channel();
        self.0.send(Request::Compared(peer.map(str::to_owned), compared)).await.map_err(|_| Stopped)?;
        waiting.await.map_err(|_| Stopped)
    }

    /// Ends the core after what its queue holds.
    pub(crate) async fn stop(&self) {
        let _ = self.0.send(Request::Stop).await;
    }
}

/// What goes out over a link.
pub(crate) struct ToSend {
    pub(crate) number: u64,
    pub(crate) envelope: Arc<VerifiedEnvelope>,
    /// `None` for the statement alone.
    pub(crate) sealed: Option<Vec<u8>>,
}

/// Starts the core's thread.
pub(crate) fn start(
    (exchange, journal, guard): (Exchange, Journal, Guard),
    shared: Arc<Shared>,
) -> std::io::Result<(Core, std::thread::JoinHandle<Result<(), CoreError>>)> {
    let (queue, requests) = mpsc::channel(QUEUE_MAX);
    let core = Core(queue);
    let running = Running {
        exchange,
        journal,
        guard,
        synced: Instant::now(),
        shared,
        core: core.clone(),
        runtime: Handle::current(),
        waiting: HashMap::new(),
        parked: VecDeque::new(),
        comparing: Vec::new(),
        next_ticket: 0,
        links: HashMap::new(),
        started: false,
    };
    let thread = std::thread::Builder::new().name("core".to_owned()).spawn(move || running.run(requests))?;
    Ok((core, thread))
}

struct Running {
    exchange: Exchange,
    journal: Journal,
    guard: Guard,
    synced: Instant,
    shared: Arc<Shared>,
    core: Core,
    runtime: Handle,
    waiting: HashMap<Ticket, oneshot::Sender<Answer>>,
    /// What came before the log was compared, in its order. No more than callers may ask at a time.
    parked: VecDeque<(Ticket, Input)>,
    /// Who waits for that, and for nothing else.
    comparing: Vec<(Option<String>, oneshot::Sender<()>)>,
    next_ticket: Ticket,
    links: HashMap<ChannelId, mpsc::Sender<ToSend>>,
    /// [`Input::Start`] was taken.
    started: bool,
}

/// What one round gathered.
#[derive(Default)]
struct Round {
    records: Vec<Record>,
    bytes: usize,
    effects: Vec<Effect>,
    reads: Vec<Read>,
    stop: bool,
}

impl Round {
    fn is_full(&self) -> bool {
        self.records.len() >= BATCH_RECORDS_MAX || self.bytes >= BATCH_BYTES_MAX
    }
}

/// Why a node whose keys were taken back does nothing.
const REVOKED: &str = "its keys were revoked (`verbale keys revoke`); counterparts refuse them as soon as they are told. To go on with new keys stop the \
                       node and run `verbale recover`";

impl Running {
    fn run(mut self, mut requests: mpsc::Receiver<Request>) -> Result<(), CoreError> {
        let mut first = Some(Request::Note(Vec::new()));
        loop {
            // What it found is known by now: it was released with the round before.
            let exchange = &self.exchange;
            let is_over = |peer: &Option<String>| {
                !exchange.is_comparing() && !peer.as_ref().is_some_and(|peer| exchange.compares_with(peer))
            };
            for (_, waiting) in self.comparing.extract_if(.., |(peer, _)| is_over(peer)) {
                let _ = waiting.send(());
            }
            if self.parked.iter().any(|(_, input)| !self.exchange.must_wait(input)) {
                first = first.or_else(|| Some(Request::Note(Vec::new())));
            }
            let Some(request) = first.take().or_else(|| requests.blocking_recv()) else { break };
            let mut round = Round::default();
            let room = self.journal.require_room(BATCH_BYTES_MAX as u64);
            self.take(request, &mut round, &room)?;
            while !round.stop && !round.is_full() {
                let Ok(request) = requests.try_recv() else { break };
                self.take(request, &mut round, &room)?;
            }
            // A crash before this: nobody was told. After it: whoever asks again gets the same answer.
            let is_longer = !round.records.is_empty();
            let committed = self.journal.commit(round.records, round.effects)?;
            if is_longer {
                self.guard.release(committed.checkpoint())?;
            }
            if self.synced.elapsed() > GUARD_SYNC {
                self.guard.sync()?;
                self.synced = Instant::now();
            }
            if self.shared.card.revoked {
                self.shared.standing.hold_back(REVOKED.to_owned());
            }
            self.release(committed)?;
            for read in round.reads {
                read(&self.exchange, &self.journal);
            }
            if round.stop {
                break;
            }
        }
        self.guard.sync()?;
        Ok(self.journal.close()?)
    }

    fn take(&mut self, request: Request, round: &mut Round, room: &Result<(), JournalError>) -> Result<(), Fault> {
        // A log that others know otherwise gets no entry, not even of what came by itself.
        let trouble = self.shared.standing.trouble();
        let holds_back = trouble.is_some();
        if let Some(trouble) = &trouble {
            for (_, waiting) in self.comparing.drain(..) {
                let _ = waiting.send(());
            }
            for (ticket, _) in self.parked.drain(..) {
                if let Some(answer) = self.waiting.remove(&ticket) {
                    drop(answer.send(Answer::NotNow(trouble.clone())));
                }
            }
        }
        let request = match (request, trouble) {
            (Request::Ask { asks, .. }, Some(trouble)) => {
                for (_, answer) in asks {
                    drop(answer.send(Answer::NotNow(trouble.clone())));
                }
                return Ok(());
            }
            (Request::Note(_), Some(_)) => return Ok(()),
            (request, _) => request,
        };
        // Before anything else: the log is compared, and then tells a later card first.
        if !holds_back && !std::mem::replace(&mut self.started, true) {
            self.step(Input::Start, round)?;
        }
        self.unpark(round)?;
        let is_full = round.is_full();
        match (request, room) {
            (Request::Stop, _) => round.stop = true,
            (Request::Read(read), _) => round.reads.push(read),
            (Request::Compared(peer, waiting), _) => self.comparing.push((peer, waiting)),
            (Request::Ask { needs: Needs::Room, asks }, Err(full)) => {
                let no_room = Failure::new(FailureKind::NoRoom, "NO_ROOM", full.to_string());
                for (_, answer) in asks {
                    drop(answer.send(Answer::NotNow(no_room.clone())));
                }
            }
            // Receipts and expiries of what was accepted are small and few: the reserve is there for them.
            (Request::Note(inputs), _) => {
                for input in inputs {
                    self.step(input, round)?;
                }
            }
            (Request::Ask { asks, .. }, _) => {
                for (input, answer) in asks {
                    self.next_ticket += 1;
                    self.waiting.insert(self.next_ticket, answer);
                    let input = input(self.next_ticket);
                    // What waited before it goes first.
                    if is_full || self.exchange.must_wait(&input) {
                        self.parked.push_back((self.next_ticket, input));
                    } else {
                        self.step(input, round)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Decides what waited long enough, in its order.
    fn unpark(&mut self, round: &mut Round) -> Result<(), Fault> {
        for (ticket, input) in std::mem::take(&mut self.parked) {
            if round.is_full() || self.exchange.must_wait(&input) {
                self.parked.push_back((ticket, input));
            } else {
                self.step(input, round)?;
            }
        }
        Ok(())
    }

    fn step(&mut self, input: Input, round: &mut Round) -> Result<(), Fault> {
        let output = self.exchange.step(now_ms(), input);
        if let Some(fault) = output.fault {
            return Err(fault);
        }
        for record in output.records {
            let record = Record {
                entry: record.entry,
                sealed: record.sealed,
                facts: record.facts,
                receipt: record.receipt,
                keys: record.keys.map(|(id, wrapped)| Keys { message_id: *id.as_bytes(), wrapped }),
            };
            round.bytes += record.bytes();
            round.records.push(record);
        }
        round.effects.extend(output.effects);
        Ok(())
    }

    fn release(&mut self, committed: Committed<Vec<Effect>>) -> Result<(), CoreError> {
        if self.shared.peers.now().by_id != *self.exchange.peers() {
            self.shared.peers.replace(self.exchange.peers().clone());
        }
        for effect in committed.into_inner() {
            match effect {
                Effect::Tell { ticket, told } => self.tell(ticket, told)?,
                Effect::Connect { channel, link, behind } => self.connect(channel, link, behind),
                Effect::Transmit { channel, notices } => self.transmit(&channel, notices)?,
                Effect::Erase { message_id, sealed } => self.journal.erase(message_id.as_bytes(), &sealed)?,
                Effect::Disconnect(channel) => drop(self.links.remove(&channel)),
                Effect::ReceiptContradicts(peer) => {
                    self.shared.rejected.count("RECEIPT_CONTRADICTS");
                    tracing::error!(peer.id = peer, "a receipt contradicts an earlier one of the same counterpart");
                }
                Effect::IsNotTheLog { peer, envelope } => {
                    told::statement(&self.shared, &peer, &envelope)?;
                }
            }
        }
        Ok(())
    }

    fn tell(&mut self, ticket: Ticket, told: Told) -> Result<(), JournalError> {
        let Some(answer) = self.waiting.remove(&ticket) else { return Ok(()) };
        let about = match &told {
            Told::Logged { index, .. } => Some(*index),
            Told::ChannelOpened { last, .. } => *last,
            Told::Judged { released: Some(released), .. } => Some(released.index),
            _ => None,
        };
        let logged = about.map(|index| self.journal.logged(index).map(Box::new)).transpose()?;
        // Whoever went away in the meantime asks again.
        let _ = answer.send(Answer::Told { told, logged });
        Ok(())
    }

    /// An own envelope, from its entry.
    fn own_envelope(&self, index: LogIndex) -> Option<Arc<VerifiedEnvelope>> {
        let Event::NoticeSent(sent) = read_entry(&self.journal.entry(index).ok()?).ok()?.event else { return None };
        let envelope = UnverifiedEnvelope::parse(&sent.envelope).ok()?;
        self.exchange.own_cards().verify(envelope).ok().map(Arc::new)
    }

    fn connect(&mut self, channel: ChannelId, link: u64, behind: Option<u64>) {
        let (queue, waiting) = mpsc::channel(LINK_QUEUE_MAX);
        self.links.insert(channel.clone(), queue);
        self.runtime.spawn(delivery::run(
            Arc::clone(&self.shared),
            self.core.clone(),
            (channel, link, behind),
            waiting,
        ));
    }

    fn transmit(&mut self, channel: &ChannelId, notices: Vec<Outbound>) -> Result<(), JournalError> {
        let Some(link) = self.links.get(channel).cloned() else { return Ok(()) };
        for notice in notices {
            let Outbound { number, index, envelope, statement_only } = notice;
            let sealed = if statement_only { None } else { self.journal.sealed(index)? };
            let Some(envelope) = envelope.or_else(|| self.own_envelope(index)) else {
                // Nothing behind it may go before it.
                tracing::error!(
                    index = index.0,
                    "the entry of a sent notice does not show its envelope: the link is given up"
                );
                self.links.remove(channel);
                break;
            };
            if link.try_send(ToSend { number, envelope, sealed }).is_err() {
                // The link broke a moment ago. Its task reports that, and everything is sent again.
                self.links.remove(channel);
                break;
            }
        }
        Ok(())
    }
}
