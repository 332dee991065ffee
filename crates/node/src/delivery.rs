//! Delivery: one task for each outgoing channel that has something to send. It ends with the link; the core decides when
//! the next begins.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use verbale_evidence::{ReceiptVerifier, StatementDigest, UnverifiedEnvelope, VerifiedEnvelope, VerifiedReceipt};
use verbale_exchange::{ChannelId, Input, Opening, Peer};
use verbale_ledger::{LogIndex, TlogProof};
use verbale_proto::v1::{
    AnswerBatch, ChannelOpened, DeliverRequest, DeliverResponse, NoticeBatch, OpenChannel, Receipt, SealedNotice,
    SealedPiece, answer, deliver_request, deliver_response,
};
use verbale_rpc::peer_client::PeerClient;
use verbale_rpc::tonic::Streaming;
use verbale_rpc::{
    BATCH_BYTES_MAX, BATCH_NOTICES_MAX, DELIVER_MESSAGE_BYTES_MAX, Failure, PIECE_BYTES_MAX, PROTOCOL_VERSION,
};

use crate::clock::now_ms;
use crate::connection::{CONNECT_TIME, Unconnected, connect};
use crate::core::{Core, ToSend};
use crate::random;
use crate::shared::Shared;
use crate::witness;

/// A notice must be answered so soon: the counterpart's sync and a long queue lie between.
const ANSWER_TIME: Duration = Duration::from_mins(1);

/// Messages that wait for the stream.
const MESSAGES_UNDER_WAY: usize = 4;

/// Batches without answer. What comes meanwhile waits and goes as one batch, so that under load batches grow and syncs get
/// fewer, and on a quiet link nothing waits. With four, both sides always have one to work on (measured: 2 left the
/// processors idle for a tenth of the time).
const BATCHES_UNDER_WAY: usize = 4;

/// Notices of one batch: half of what is allowed, so that opening one takes about 10 ms and the next can travel meanwhile.
const NOTICES_AT_ONCE: usize = BATCH_NOTICES_MAX / 2;

/// How often it is looked whether an answer is overdue.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// What was sent and not yet answered, and when the link last moved.
type Unanswered = Arc<Mutex<Progress>>;

struct Progress {
    envelopes: BTreeMap<u64, Arc<VerifiedEnvelope>>,
    /// Last number of each batch without answer.
    batches: VecDeque<u64>,
    /// Given back when a batch is answered.
    room: Arc<Semaphore>,
    moved: Instant,
}

impl Default for Progress {
    fn default() -> Self {
        let room = Arc::new(Semaphore::new(BATCHES_UNDER_WAY));
        Self { envelopes: BTreeMap::new(), batches: VecDeque::new(), room, moved: Instant::now() }
    }
}

impl Progress {
    /// Takes the envelope that an answer is for.
    fn answered(&mut self, number: u64) -> Option<Arc<VerifiedEnvelope>> {
        let envelope = self.envelopes.remove(&number)?;
        while self.batches.pop_front_if(|last| *last <= number).is_some() {
            self.room.add_permits(1);
        }
        Some(envelope)
    }

    /// Whether something was sent and nothing moved for too long.
    fn is_overdue(&self) -> bool {
        !self.envelopes.is_empty() && self.moved.elapsed() > ANSWER_TIME
    }
}

fn progress(unanswered: &Unanswered) -> MutexGuard<'_, Progress> {
    unanswered.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves one link until it ends, and tells the core why it ended.
pub(crate) async fn run(
    shared: Arc<Shared>,
    core: Core,
    (channel, link, behind): (ChannelId, u64, Option<u64>),
    queue: mpsc::Receiver<ToSend>,
) {
    let ended = serve(&shared, &core, (&channel, link, behind), queue).await;
    let Unconnected { reached, trouble } = ended.err().unwrap_or_else(|| "the link was ended by one side".into());
    tracing::info!(peer.id = channel.peer, memorandum.id = channel.memorandum, trouble, "a link ended");
    let _ = core.note(Input::LinkFailed { channel, link, trouble, reached, jitter: random::jitter() }).await;
}

async fn serve(
    shared: &Arc<Shared>,
    core: &Core,
    (channel, link, behind): (&ChannelId, u64, Option<u64>),
    queue: mpsc::Receiver<ToSend>,
) -> Result<(), Unconnected> {
    let peers = shared.peers.now();
    let peer = peers.by_id.get(&channel.peer).ok_or("the counterpart is not enrolled")?;
    let connection = connect(shared, peer).await?;
    // Before any number: does the counterpart know this log?
    if connection.later.is_some() || !shared.witnesses.has_agreed(&channel.peer) {
        witness::show(shared, core, peer, &connection).await?;
    }
    if connection.later.is_some() {
        return Err("the counterpart showed a later card, which counts from now on: the channel is opened again".into());
    }
    let (requests, stream) = mpsc::channel(MESSAGES_UNDER_WAY);
    let memorandum = channel.memorandum.clone();
    let open = OpenChannel { memorandum, version: PROTOCOL_VERSION, behind_number: behind };
    let opened = send(&requests, deliver_request::Part::Open(open)).await;
    opened.map_err(|()| "the link ended before it began".to_owned())?;
    let mut client = PeerClient::new(connection.channel).max_decoding_message_size(DELIVER_MESSAGE_BYTES_MAX);
    let calling = tokio::time::timeout(CONNECT_TIME, client.deliver(ReceiverStream::new(stream))).await;
    let called = calling.map_err(|_| "the counterpart did not open the channel within 10 s".to_owned())?;
    let mut responses = called.map_err(|status| said(&channel.peer, &status))?.into_inner();
    let (opening, is_held_back) = opening(shared, &channel.peer, &mut responses).await?;
    if is_held_back {
        let shown = Input::LinkHeldBack { channel: channel.clone(), link, opening };
        core.note(shown).await.map_err(|stopped| stopped.to_string())?;
        let why = "it takes nothing until its operator acted (LOG_HELD_BACK; its `verbale status` says why)";
        return Err(format!("{} holds its own log back: {why}", channel.peer).into());
    }
    core.note(Input::LinkOpened { channel: channel.clone(), link, opening, jitter: random::jitter() })
        .await
        .map_err(|stopped| stopped.to_string())?;
    let unanswered = Unanswered::default();
    let sending = tokio::spawn(send_all(queue, requests, Arc::clone(&unanswered)));
    let received = receive_all(shared, peer, core, channel, &mut responses, &unanswered).await;
    sending.abort();
    Ok(received?)
}

/// Where the counterpart says the channel stands, and whether it holds its own log back. What it calls our last envelope must be ours.
async fn opening(
    shared: &Shared,
    peer: &str,
    responses: &mut Streaming<DeliverResponse>,
) -> Result<(Opening, bool), String> {
    let first = tokio::time::timeout(CONNECT_TIME, responses.message()).await;
    let first = first.map_err(|_| "the counterpart did not open the channel within 10 s".to_owned())?;
    let first = first.map_err(|status| said(peer, &status))?;
    let Some(deliver_response::Part::Opened(ChannelOpened {
        next_number,
        last_envelope,
        statements_behind,
        held_back,
    })) = first.and_then(|first| first.part)
    else {
        return Err("the counterpart did not say where the channel stands: its node is at fault".to_owned());
    };
    let last = if last_envelope.is_empty() {
        None
    } else {
        let envelope = UnverifiedEnvelope::parse(&last_envelope).and_then(|e| shared.own_cards.verify(e));
        let envelope =
            envelope.map_err(|_| {
                "the counterpart named a last envelope that no key known here signed: its node is at fault, or this folder lacks a card of this contact \
                 point. Stop the node and give that card to `verbale recover --known-card`"
                    .to_owned()
            })?;
        Some(Arc::new(envelope))
    };
    let (digests, []) = statements_behind.as_chunks() else {
        return Err("the counterpart named half a statement: its node is at fault".to_owned());
    };
    let behind = digests.iter().map(|digest| StatementDigest(*digest)).collect();
    Ok((Opening { next_number, last, behind }, held_back))
}

/// Sends what the core hands over, in batches.
async fn send_all(mut queue: mpsc::Receiver<ToSend>, requests: mpsc::Sender<DeliverRequest>, unanswered: Unanswered) {
    let room = Arc::clone(&progress(&unanswered).room);
    let mut kept = None;
    while let Some(first) = match kept.take() {
        Some(first) => Some(first),
        None => queue.recv().await,
    } {
        match room.acquire().await {
            Ok(permit) => permit.forget(),
            Err(_) => return,
        }
        let mut last = first.number;
        let (mut batch, mut bytes, mut large) = (NoticeBatch::default(), 0, None);
        let mut next = Some(first);
        while let Some(notice) = next.take() {
            let length = notice.sealed.as_ref().map_or(0, Vec::len);
            let full = batch.notices.len() >= NOTICES_AT_ONCE || bytes + length.min(PIECE_BYTES_MAX) > BATCH_BYTES_MAX;
            if full {
                kept = Some(notice);
                break;
            }
            last = notice.number;
            progress(&unanswered).envelopes.insert(notice.number, Arc::clone(&notice.envelope));
            let envelope = notice.envelope.bytes().to_vec();
            bytes += envelope.len();
            match notice.sealed {
                None => batch.notices.push(SealedNotice { envelope, sealed: Vec::new(), statement_only: true }),
                Some(sealed) if sealed.len() > PIECE_BYTES_MAX => {
                    batch.notices.push(SealedNotice { envelope, sealed: Vec::new(), statement_only: false });
                    large = Some(sealed);
                    break;
                }
                Some(sealed) => {
                    bytes += sealed.len();
                    batch.notices.push(SealedNotice { envelope, sealed, statement_only: false });
                }
            }
            next = queue.try_recv().ok();
        }
        progress(&unanswered).batches.push_back(last);
        if send(&requests, deliver_request::Part::Batch(batch)).await.is_err() {
            return;
        }
        progress(&unanswered).moved = Instant::now();
        for piece in large.as_deref().unwrap_or_default().chunks(PIECE_BYTES_MAX) {
            let piece = SealedPiece { bytes: piece.to_vec() };
            if send(&requests, deliver_request::Part::Piece(piece)).await.is_err() {
                return;
            }
            progress(&unanswered).moved = Instant::now();
        }
    }
}

async fn receive_all(
    shared: &Shared,
    peer: &Peer,
    core: &Core,
    channel: &ChannelId,
    responses: &mut Streaming<DeliverResponse>,
    unanswered: &Unanswered,
) -> Result<(), String> {
    loop {
        let response = match tokio::time::timeout(LOOK_AGAIN, responses.message()).await {
            Ok(response) => response.map_err(|status| said(&channel.peer, &status))?,
            Err(_) if progress(unanswered).is_overdue() => {
                return Err("the counterpart took a notice and gave no answer for 60 s".to_owned());
            }
            Err(_) => continue,
        };
        progress(unanswered).moved = Instant::now();
        match response.map(|response| response.part) {
            None => return Ok(()),
            Some(Some(deliver_response::Part::Answers(answers))) => {
                let (peer, sent) = (peer.clone(), Arc::clone(unanswered));
                let verifying = tokio::task::spawn_blocking(move || verify(&peer, &sent, answers));
                let (receipts, rejected) = verifying.await.map_err(|_| "the node is stopping".to_owned())?;
                let rejected = rejected.map_err(|bad| {
                    if let Some(code) = bad.code {
                        shared.rejected.count(code);
                    }
                    bad.trouble
                });
                let mut arrived =
                    receipts.into_iter().map(|receipt| Input::ReceiptArrived(channel.clone(), Box::new(receipt)));
                loop {
                    let batch: Vec<Input> = arrived.by_ref().take(BATCH_NOTICES_MAX).collect();
                    if batch.is_empty() {
                        break;
                    }
                    core.note_all(batch).await.map_err(|stopped| stopped.to_string())?;
                }
                shared.witnesses.traffic(&channel.peer);
                rejected?;
            }
            Some(_) => return Err("the counterpart sent what does not belong here: its node is at fault".to_owned()),
        }
    }
}

/// Why a link cannot go on after an answer.
struct BadAnswer {
    /// What is counted; `None` when the counterpart did what it may.
    code: Option<&'static str>,
    /// For the operator.
    trouble: String,
}

impl BadAnswer {
    fn counted(code: &'static str, trouble: impl Into<String>) -> Self {
        Self { code: Some(code), trouble: trouble.into() }
    }
}

/// Verifies each receipt for the envelope that was sent under its number.
fn verify(peer: &Peer, unanswered: &Unanswered, batch: AnswerBatch) -> (Vec<VerifiedReceipt>, Result<(), BadAnswer>) {
    let log = peer.card().log_vkey();
    let mut verifier = ReceiptVerifier::new(&log);
    let mut receipts = Vec::new();
    for answer in batch.answers {
        let number = answer.number;
        let logged = match answer.outcome {
            Some(answer::Outcome::Logged(logged)) => logged,
            Some(answer::Outcome::Rejected(rejected)) => {
                let code: String =
                    rejected.code.chars().filter(|c| c.is_ascii_uppercase() || *c == '_').take(40).collect();
                let trouble = format!("{} rejected number {number}: {code}", peer.card().id);
                return (receipts, Err(BadAnswer { code: None, trouble }));
            }
            None => {
                let trouble = "the counterpart sent an empty answer: its node is at fault";
                return (receipts, Err(BadAnswer::counted("BAD_ANSWER", trouble)));
            }
        };
        let sent = progress(unanswered).answered(number);
        let Some(envelope) = sent else {
            let trouble =
                format!("{} answered number {number}, which was not sent: its node is at fault", peer.card().id);
            return (receipts, Err(BadAnswer::counted("BAD_ANSWER", trouble)));
        };
        let hashes: Option<Vec<_>> = logged.proof.iter().map(|hash| hash.as_slice().try_into().ok()).collect();
        let proof = TlogProof {
            index: LogIndex(logged.index),
            hashes: hashes.unwrap_or_default(),
            checkpoint: batch.checkpoint.clone(),
        };
        let receipt = Receipt { entry: logged.entry, proof: proof.to_text() };
        match verifier.verify(&receipt, &envelope) {
            Ok(receipt) if peer.card().valid_until_ms < receipt.time_ms().min(now_ms()) => {
                let trouble = format!(
                    "the receipt of {} for number {number} is of after its card was over: it must make and show its next card",
                    peer.card().id
                );
                return (receipts, Err(BadAnswer::counted("CARD_OVER", trouble)));
            }
            Ok(receipt) => receipts.push(receipt),
            Err(error) => {
                let trouble = format!(
                    "the receipt of {} for number {number} does not verify ({error}): its node is at fault",
                    peer.card().id
                );
                return (receipts, Err(BadAnswer::counted("BAD_RECEIPT", trouble)));
            }
        }
    }
    (receipts, Ok(()))
}

async fn send(requests: &mpsc::Sender<DeliverRequest>, part: deliver_request::Part) -> Result<(), ()> {
    requests.send(DeliverRequest { part: Some(part) }).await.map_err(drop)
}

/// What a counterpart said; its own words are cut to what a status may hold. What no node said is of the connection: so one ends whose key is not
/// known on the other side.
pub(crate) fn said(peer: &str, status: &verbale_rpc::tonic::Status) -> String {
    let failure = Failure::of(status);
    let text: String = failure.text.chars().filter(|c| !c.is_control()).take(200).collect();
    if failure.code.bytes().all(|b| b.is_ascii_uppercase() || b == b'_') {
        format!("{peer} ended the link: {}: {text}", failure.code)
    } else {
        format!("the connection to {peer} ended ({text}); has it enrolled this node's present card?")
    }
}
