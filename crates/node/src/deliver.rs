//! The receiving side of `Deliver`: notices come in batches, are verified and opened in workers, decided by the core in
//! order, and answered in order when they are durable.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio_stream::wrappers::ReceiverStream;
use verbale_evidence::{is_identifier, read_entry};
use verbale_exchange::{ChannelId, Input, Peer as Counterpart, Rejection, Told};
use verbale_journal::{Logged, Store as _};
use verbale_proto::v1::log_entry::Event;
use verbale_proto::v1::{
    AccountRequest, AccountResponse, Answer as WireAnswer, AnswerBatch, ChannelOpened, DeliverRequest, DeliverResponse,
    LoggedAnswer, NoticeBatch, RejectedAnswer, SealedNotice, WitnessRequest, WitnessResponse, answer, deliver_request,
    deliver_response,
};
use verbale_rpc::peer_server::Peer;
use verbale_rpc::tonic::{self, Request, Response, Status, Streaming};
use verbale_rpc::{BATCH_BYTES_MAX, BATCH_NOTICES_MAX, Failure, FailureKind, PIECE_BYTES_MAX, PROTOCOL_VERSION};

use crate::account::account;
use crate::core::{Answer, Core, Needs, question};
use crate::prepare;
use crate::share::Taken;
use crate::shared::Shared;
use crate::standing::told_others;
use crate::witness;

/// Batches of one stream that are decided or answered while the next is opened.
const BATCHES_UNDER_WAY: usize = 2;

/// Answers of one message: entries of about 1 KiB each, under 512 KiB together.
const ANSWER_BYTES_MAX: usize = 512 << 10;

/// The service for counterparts.
pub(crate) struct PeerService {
    pub(crate) shared: Arc<Shared>,
    pub(crate) core: Core,
    pub(crate) stop: watch::Receiver<bool>,
}

/// One open channel.
struct Inbound {
    shared: Arc<Shared>,
    core: Core,
    peer: PeerName,
    channel: ChannelId,
    requests: Streaming<DeliverRequest>,
}

/// A notice on its way to its answer.
enum Pending {
    Asked(u64, oneshot::Receiver<Answer>, Option<Taken>),
    Rejected(u64, Rejection),
}

#[tonic::async_trait]
impl Peer for PeerService {
    type DeliverStream = ReceiverStream<Result<DeliverResponse, Status>>;

    async fn deliver(
        &self,
        request: Request<Streaming<DeliverRequest>>,
    ) -> Result<Response<Self::DeliverStream>, Status> {
        let peer = asker(&self.shared, &request)?;
        let share = self.shared.shares.of(&peer.share);
        let Some(channel) = share.channel() else {
            self.shared.rejected.count("CHANNEL_LIMIT");
            let text = "this counterpart has too many channels open; end some of them";
            return Err(Failure::new(FailureKind::NoRoom, "CHANNEL_LIMIT", text).status());
        };
        let (queue, stream) = mpsc::channel(BATCHES_UNDER_WAY);
        let patience = Duration::from_secs(self.shared.config.limits.stall_seconds);
        let responses = Responses { queue, patience };
        let (shared, core, mut stop) = (Arc::clone(&self.shared), self.core.clone(), self.stop.clone());
        let requests = request.into_inner();
        tokio::spawn(async move {
            let served = serve(Arc::clone(&shared), core, peer, requests, responses.clone());
            let ended = tokio::select! {
                ended = served => ended,
                _ = stop.wait_for(|stop| *stop) => Err(stopping()),
            };
            drop(channel);
            if let Err(status) = ended {
                count(&shared, &status);
                let _ = responses.send(Err(status)).await;
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn witness(&self, request: Request<WitnessRequest>) -> Result<Response<WitnessResponse>, Status> {
        let peer = caller(&request)?;
        let share = self.shared.shares.of(&peer.share);
        let Some(_under_way) = share.witness() else {
            self.shared.rejected.count("WITNESS_LIMIT");
            let text = "another head of this counterpart is looked at; show this one again";
            return Err(Failure::new(FailureKind::NoRoom, "WITNESS_LIMIT", text).status());
        };
        if peer.is_former(&self.shared) {
            // Perhaps a copy of its node from before it had a later key: that is what it learns, and nothing else.
            self.shared.rejected.count("EARLIER_KEY");
            let told = witness::older_card(&self.shared, &self.core, &peer.name).await;
            return told.map(Response::new).map_err(|failure| failure.status());
        }
        peer.require_present(&self.shared)?;
        let answer = witness::answer(&self.shared, &self.core, &peer.name, request.into_inner()).await?;
        Ok(Response::new(answer))
    }

    async fn give_account(&self, request: Request<AccountRequest>) -> Result<Response<AccountResponse>, Status> {
        let peer = asker(&self.shared, &request)?;
        let share = self.shared.shares.of(&peer.share);
        let Some(_under_way) = share.account() else {
            self.shared.rejected.count("ACCOUNT_LIMIT");
            let text = "another account for this counterpart is under way; ask again";
            return Err(Failure::new(FailureKind::NoRoom, "ACCOUNT_LIMIT", text).status());
        };
        self.core.compared(Some(&peer.name)).await.map_err(|_| stopping())?;
        if let Some(trouble) = self.shared.standing.trouble() {
            return Err(told_others(trouble).status());
        }
        let (shared, request) = (Arc::clone(&self.shared), request.into_inner());
        let given =
            self.core.read(move |exchange, journal| account(&shared, (exchange, journal), &peer.name, &request));
        let account = given.await.map_err(|_| stopping())?;
        let account = account.inspect_err(|failure| {
            if failure.kind == FailureKind::NotFound {
                self.shared.rejected.count("NO_SUCH_NOTICE");
            }
        })?;
        Ok(Response::new(AccountResponse { account }))
    }
}

/// Whoever asks for something.
fn caller<T>(request: &Request<T>) -> Result<PeerName, Status> {
    let Some(peer) = request.extensions().get::<PeerName>().cloned() else {
        return Err(Failure::new(FailureKind::NotAllowed, "NOT_ENROLLED", "this key is not enrolled here").status());
    };
    peer.asked.store(true, Ordering::Relaxed);
    Ok(peer)
}

/// The counterpart that asks for something, with a key that counts.
fn asker<T>(shared: &Shared, request: &Request<T>) -> Result<PeerName, Status> {
    let peer = caller(request)?;
    peer.require_present(shared)?;
    Ok(peer)
}

/// A batch whose last notice was gathered from its pieces.
struct Complete {
    notices: Vec<SealedNotice>,
    /// What the gathered bytes take, until they are answered.
    memory: Option<Taken>,
    /// Whether pieces follow that this node does not take.
    ungathered: bool,
}

/// The counterpart behind a connection, known from its TLS key.
#[derive(Clone, Debug)]
pub(crate) struct PeerName {
    pub(crate) name: String,
    /// Of what it may take.
    pub(crate) share: String,
    /// That key.
    pub(crate) spki: Arc<[u8]>,
    /// Whether it asked for anything over this connection.
    pub(crate) asked: Arc<AtomicBool>,
}

impl PeerName {
    /// Whether the key of the connection is one of an earlier card.
    fn is_former(&self, shared: &Shared) -> bool {
        shared.peers.with_former_spki(&self.spki).as_ref() == Some(&self.name)
    }

    /// Refuses what comes over a connection whose key counts no more: the counterpart has a later one, or took its keys back.
    fn require_present(&self, shared: &Shared) -> Result<(), Status> {
        if shared.peers.with_spki(&self.spki).as_ref() == Some(&self.name) {
            return Ok(());
        }
        if shared.peers.now().by_id.get(&self.name).is_some_and(Counterpart::is_revoked) {
            return Err(witness::revoked().status());
        }
        let text = "the key of this connection counts no more: this counterpart was seen with a later one";
        Err(Failure::new(FailureKind::NotAllowed, "EARLIER_KEY", text).status())
    }
}

/// The stream of answers, and how long it may stand still.
#[derive(Clone)]
struct Responses {
    queue: mpsc::Sender<Result<DeliverResponse, Status>>,
    patience: Duration,
}

async fn serve(
    shared: Arc<Shared>,
    core: Core,
    peer: PeerName,
    mut requests: Streaming<DeliverRequest>,
    responses: Responses,
) -> Result<(), Status> {
    let first = tokio::time::timeout(responses.patience, requests.message());
    let first = first.await.map_err(|_| stalled("nothing was opened"))??;
    let Some(DeliverRequest { part: Some(deliver_request::Part::Open(open)) }) = first else {
        return Err(protocol("the first message must open a channel"));
    };
    if open.version != PROTOCOL_VERSION {
        let text = format!("this node speaks version {PROTOCOL_VERSION}, not {}", open.version);
        return Err(Failure::new(FailureKind::Refused, "UNSUPPORTED_VERSION", text).status());
    }
    if !is_identifier(&open.memorandum) {
        return Err(protocol("the memorandum's id has not its form"));
    }
    let channel = ChannelId { peer: peer.name.clone(), memorandum: open.memorandum };
    if let Some(trouble) = shared.standing.trouble() {
        // What was held is shown all the same: it says to the other side what this one knows of its log.
        send(&responses, deliver_response::Part::Opened(shown(&core, channel).await?)).await?;
        return Err(told_others(trouble).status());
    }
    let opened = opened(&core, &channel, open.behind_number).await?;
    send(&responses, deliver_response::Part::Opened(opened)).await?;
    tracing::debug!(peer.id = channel.peer, memorandum.id = channel.memorandum, "a channel was opened to us");
    let (batches, answered) = mpsc::channel(BATCHES_UNDER_WAY);
    let answering = tokio::spawn(answer_all(answered, responses, Arc::clone(&shared), channel.peer.clone()));
    let inbound = Inbound { shared, core, peer, channel, requests };
    let read = inbound.read_all(batches).await;
    let answered = answering.await.map_err(|_| stopping())?;
    answered.and(read)
}

async fn opened(core: &Core, channel: &ChannelId, behind: Option<u64>) -> Result<ChannelOpened, Status> {
    let channel = channel.clone();
    let asking = core.ask(Needs::Nothing, move |ticket| Input::PeerOpened { ticket, channel, behind });
    let answer = asking.await.map_err(|_| stopping())?;
    match answer.await {
        Ok(Answer::Told { told: Told::ChannelOpened { next_number, behind, .. }, logged }) => {
            let last_envelope = logged.map(|logged| envelope_in(logged.entry())).unwrap_or_default();
            let statements_behind = behind.iter().flat_map(|statement| statement.0).collect();
            Ok(ChannelOpened { next_number, last_envelope, statements_behind, held_back: false })
        }
        Ok(Answer::NotNow(failure)) => Err(told_others(failure).status()),
        _ => Err(stopping()),
    }
}

/// What a node that holds back tells of a channel.
async fn shown(core: &Core, channel: ChannelId) -> Result<ChannelOpened, Status> {
    let read = core.read(move |exchange, journal| {
        let Told::ChannelOpened { next_number, last, .. } = exchange.channel_opened(&channel, None) else {
            return None;
        };
        let last_envelope = last.and_then(|index| Some(envelope_in(&journal.entry(index).ok()?))).unwrap_or_default();
        Some(ChannelOpened { next_number, last_envelope, held_back: true, ..ChannelOpened::default() })
    });
    read.await.ok().flatten().ok_or_else(stopping)
}

/// The envelope in an entry about a counterpart's notice.
fn envelope_in(entry: &[u8]) -> Vec<u8> {
    match read_entry(entry).map(|told| told.event) {
        Ok(Event::NoticeReceived(received)) => received.envelope,
        Ok(Event::NoticeRefused(refused)) => refused.envelope,
        _ => Vec::new(),
    }
}

impl Inbound {
    async fn read_all(mut self, batches: mpsc::Sender<Vec<Pending>>) -> Result<(), Status> {
        loop {
            let request = tokio::select! {
                request = self.requests.message() => request?,
                // Nobody takes the answers any more: whatever comes is not read.
                () = batches.closed() => return Ok(()),
            };
            let Some(request) = request else { return Ok(()) };
            self.peer.require_present(&self.shared)?;
            let Some(deliver_request::Part::Batch(batch)) = request.part else {
                return Err(protocol("a batch must come here"));
            };
            let Complete { notices, memory, ungathered } = self.complete(batch).await?;
            let pending = self.decide(notices, memory).await?;
            let rejected = pending.iter().any(|pending| matches!(pending, Pending::Rejected(..)));
            if batches.send(pending).await.is_err() || rejected || ungathered {
                // After a rejection nothing that follows can be the next number, and pieces that nobody gathers are not
                // read: the sender opens the channel anew.
                return Ok(());
            }
        }
    }

    /// Checks a batch's limits and gathers the pieces of its last notice.
    async fn complete(&mut self, batch: NoticeBatch) -> Result<Complete, Status> {
        let mut notices = batch.notices;
        let bytes: usize = notices.iter().map(|notice| notice.sealed.len() + notice.envelope.len()).sum();
        if notices.is_empty() || notices.len() > BATCH_NOTICES_MAX || bytes > BATCH_BYTES_MAX + PIECE_BYTES_MAX {
            return Err(protocol("a batch has 1 to 256 notices and at most 1 MiB"));
        }
        let in_pieces = |notice: &SealedNotice| notice.sealed.is_empty() && !notice.statement_only;
        let last = notices.len() - 1;
        if notices.iter().take(last).any(in_pieces) {
            return Err(protocol("only the last notice of a batch may come in pieces"));
        }
        let (mut memory, mut ungathered) = (None, false);
        if let Some(notice) = notices.last_mut().filter(|notice| in_pieces(notice)) {
            // Its length is believed only when its signature was verified: nobody else may cost us memory.
            let verified = prepare::verified(&self.shared, &self.channel.peer, &notice.envelope);
            let bytes = verified.ok().map(|envelope| envelope.statement().sealed_bytes);
            let within = bytes.filter(|bytes| *bytes <= self.shared.config.limits.sealed_bytes_max);
            match within {
                Some(bytes) => {
                    memory = Some(self.shared.shares.memory(&self.channel.peer, bytes).await);
                    let patience = Duration::from_secs(self.shared.config.limits.stall_seconds);
                    notice.sealed = gather(&mut self.requests, bytes, patience).await?;
                }
                None => ungathered = true,
            }
        }
        Ok(Complete { notices, memory, ungathered })
    }

    /// Verifies and opens in a worker, then asks the core, in order.
    async fn decide(&self, notices: Vec<SealedNotice>, mut memory: Option<Taken>) -> Result<Vec<Pending>, Status> {
        let last = notices.len().saturating_sub(1);
        let (shared, peer) = (Arc::clone(&self.shared), self.channel.peer.clone());
        let opening = tokio::task::spawn_blocking(move || {
            let open = |notice: SealedNotice| {
                let envelope =
                    prepare::verified(&shared, &peer, &notice.envelope).map_err(|rejection| (0, rejection))?;
                let number = envelope.statement().number;
                let sealed = (!notice.statement_only).then_some(notice.sealed);
                prepare::arrival(&shared, envelope, sealed).map_err(|rejection| (number, rejection))
            };
            notices.into_iter().map(open).collect::<Vec<_>>()
        });
        let (mut pending, mut questions) = (Vec::new(), Vec::new());
        for (at, arrival) in opening.await.map_err(|_| stopping())?.into_iter().enumerate() {
            match arrival {
                Ok(arrival) => {
                    let (number, channel) = (arrival.envelope().statement().number, self.channel.clone());
                    let (question, answer) = question(move |ticket| Input::Arrived(ticket, channel, arrival));
                    questions.push(question);
                    // Only the last notice of a batch is large.
                    let memory = if at == last { memory.take() } else { None };
                    pending.push(Pending::Asked(number, answer, memory));
                }
                Err((number, rejection)) => {
                    pending.push(Pending::Rejected(number, rejection));
                    break;
                }
            }
        }
        self.core.ask_all(Needs::Room, questions).await.map_err(|_| stopping())?;
        Ok(pending)
    }
}

/// Gathers the pieces of one notice.
async fn gather(requests: &mut Streaming<DeliverRequest>, bytes: u64, patience: Duration) -> Result<Vec<u8>, Status> {
    let mut sealed = Vec::new();
    while (sealed.len() as u64) < bytes {
        let next = tokio::time::timeout(patience, requests.message()).await;
        let next = next.map_err(|_| stalled("the next piece of a notice did not come"))??;
        match next.and_then(|request| request.part) {
            Some(deliver_request::Part::Piece(piece))
                // Whole pieces only: a counterpart that sends byte by byte would hold memory for days.
                if piece.bytes.len() as u64 == (PIECE_BYTES_MAX as u64).min(bytes - sealed.len() as u64) =>
            {
                sealed.extend_from_slice(&piece.bytes);
            }
            _ => return Err(protocol("the next 256 KiB of the notice, or its rest, must come here")),
        }
    }
    Ok(sealed)
}

/// Answers in order; answers under one checkpoint share a message.
async fn answer_all(
    mut batches: mpsc::Receiver<Vec<Pending>>,
    responses: Responses,
    shared: Arc<Shared>,
    peer: String,
) -> Result<(), Status> {
    while let Some(batch) = batches.recv().await {
        let mut answers = AnswerBatch::default();
        let mut bytes = 0;
        for pending in batch {
            let (number, told) = match pending {
                Pending::Rejected(number, rejection) => (number, Err(rejection)),
                Pending::Asked(number, answer, _memory) => match answer.await {
                    Ok(Answer::Told { told: Told::Logged { refused, .. }, logged: Some(logged) }) => {
                        if let Some(code) = refused {
                            shared.refused.count(code.as_str());
                        }
                        (number, Ok(logged))
                    }
                    Ok(Answer::Told { told: Told::Rejected(rejection), .. }) => (number, Err(rejection)),
                    Ok(Answer::NotNow(why)) if why.kind == FailureKind::NoRoom => (number, Err(Rejection::NoRoom)),
                    Ok(Answer::NotNow(_)) => (number, Err(Rejection::HeldBack)),
                    _ => return Err(stopping()),
                },
            };
            if let Err(rejection) = &told {
                shared.rejected.rejected(&peer, *rejection);
            }
            if let Ok(logged) = &told {
                let full = bytes + logged.entry().len() > ANSWER_BYTES_MAX;
                let another_head = !answers.checkpoint.is_empty() && answers.checkpoint != **logged.checkpoint();
                if full || another_head {
                    send(&responses, deliver_response::Part::Answers(std::mem::take(&mut answers))).await?;
                    bytes = 0;
                }
                answers.checkpoint = logged.checkpoint().to_string();
                bytes += logged.entry().len() + logged.hashes().len() * 32;
            }
            answers.answers.push(wire_answer(number, told));
        }
        send(&responses, deliver_response::Part::Answers(answers)).await?;
        shared.witnesses.traffic(&peer);
    }
    Ok(())
}

fn wire_answer(number: u64, told: Result<Box<Logged>, Rejection>) -> WireAnswer {
    let outcome = match told {
        Ok(logged) => answer::Outcome::Logged(LoggedAnswer {
            entry: logged.entry().to_vec(),
            index: logged.index().0,
            proof: logged.hashes().iter().map(|hash| hash.to_vec()).collect(),
        }),
        Err(rejection) => {
            answer::Outcome::Rejected(RejectedAnswer { code: rejection.code().to_owned(), text: rejection.to_string() })
        }
    };
    WireAnswer { number, outcome: Some(outcome) }
}

async fn send(responses: &Responses, part: deliver_response::Part) -> Result<(), Status> {
    responses.send(Ok(DeliverResponse { part: Some(part) })).await
}

impl Responses {
    /// A counterpart that does not take its answers must not hold what they need for ever.
    async fn send(&self, response: Result<DeliverResponse, Status>) -> Result<(), Status> {
        match tokio::time::timeout(self.patience, self.queue.send(response)).await {
            Ok(sent) => sent.map_err(|_| stopping()),
            Err(_) => Err(stalled("the answers were not taken")),
        }
    }
}

/// Counts how a stream ended, where the counterpart is at fault. One that went away is not.
fn count(shared: &Shared, status: &Status) {
    let code = match status.code() {
        // tonic's own: a message over its limit, or one that is no message.
        tonic::Code::OutOfRange => "MESSAGE_TOO_LARGE",
        tonic::Code::Internal => "BAD_MESSAGE",
        tonic::Code::FailedPrecondition if Failure::of(status).code == "STALLED" => "STALLED",
        tonic::Code::FailedPrecondition if Failure::of(status).code == "UNSUPPORTED_VERSION" => "UNSUPPORTED_VERSION",
        tonic::Code::FailedPrecondition => "PROTOCOL",
        _ => return,
    };
    shared.rejected.count(code);
}

fn stalled(text: &str) -> Status {
    Failure::new(FailureKind::Refused, "STALLED", format!("{text} in time; open the channel anew")).status()
}

fn protocol(text: &str) -> Status {
    Failure::new(FailureKind::Refused, "PROTOCOL", text).status()
}

fn stopping() -> Status {
    Failure::new(FailureKind::Unreachable, "STOPPING", "the node is stopping; it answers again when it is started")
        .status()
}
