//! `Submit`: a stream of notices is checked and sealed in workers, decided by the core in the order of submission, and each is
//! answered when it is durable. Notices that lie ready go together, so that a busy registry wakes nobody for one alone.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio_stream::Stream as _;
use tokio_stream::wrappers::ReceiverStream;
use verbale_domain::{Refusal, in_brackets, under_its_clause};
use verbale_exchange::{Input, Submission, Told};
use verbale_proto::v1::{Accepted, Awaiting, Refused, SubmitRequest, SubmitResponse, submit_response};
use verbale_rpc::tonic::{self, Status, Streaming};
use verbale_rpc::{Failure, FailureKind};

use crate::core::{Answer, Core, Needs, Stopped, question};
use crate::local::stopping;
use crate::person::Person;
use crate::prepare;
use crate::shared::Shared;

/// Notices that are checked and sealed by one worker, one after the other: a few milliseconds of work.
const GROUP_NOTICES: usize = 32;

/// Bytes of JSON after which a group takes no further notice.
const GROUP_BYTES: usize = 256 << 10;

/// Groups of one stream that are checked and sealed at a time.
const SEALING_GROUPS: usize = 4;

/// Groups of one stream that wait for the sync.
const DECIDING_GROUPS: usize = 16;

/// Answers that wait for the caller.
const ANSWERS_MAX: usize = 512;

type Responses = mpsc::Sender<Result<SubmitResponse, Status>>;

/// The number that a notice names, and what became of its form and seal.
type Prepared = (String, Result<Submission, Refusal>);

/// A group on its way through form and seal, and the memory that it takes; or how the stream ended, behind all groups.
type Sealing = Result<(JoinHandle<Vec<Prepared>>, OwnedSemaphorePermit), Status>;

/// A group that was decided, or waits for it, and the memory that it takes; or how the stream ended.
type Deciding = Result<(Vec<(String, Decision)>, OwnedSemaphorePermit), Status>;

enum Decision {
    Asked(oneshot::Receiver<Answer>),
    Refused(Refusal),
}

/// Takes a stream of notices and gives the stream of answers.
pub(crate) fn run(
    shared: &Arc<Shared>,
    core: &Core,
    mut stop: watch::Receiver<bool>,
    person: Arc<Person>,
    requests: Streaming<SubmitRequest>,
) -> ReceiverStream<Result<SubmitResponse, Status>> {
    let (responses, stream) = mpsc::channel(ANSWERS_MAX);
    let (sealing, to_decide) = mpsc::channel(SEALING_GROUPS);
    let (deciding, decided) = mpsc::channel(DECIDING_GROUPS);
    let answering = (Arc::clone(shared), Arc::clone(&person));
    let (counting, shared) = (Arc::clone(shared), Arc::clone(shared));
    let ending = sealing.clone();
    tokio::spawn(async move {
        let ended = tokio::select! {
            ended = seal_all(shared, person, requests, sealing) => ended,
            _ = stop.wait_for(|stop| *stop) => Err(stopping(Stopped)),
        };
        if let Err(status) = ended {
            if status.code() == tonic::Code::OutOfRange {
                counting.denied.count("MESSAGE_TOO_LARGE");
            }
            // Behind the groups under way: what was accepted is answered first.
            let _ = ending.send(Err(status)).await;
        }
    });
    tokio::spawn(decide_all(core.clone(), to_decide, deciding));
    tokio::spawn(answer_all(answering, decided, responses));
    ReceiverStream::new(stream)
}

/// Submits one notice that the node itself wrote for a person, and gives its message id.
pub(crate) async fn one(
    shared: &Arc<Shared>,
    core: &Core,
    person: &Arc<Person>,
    json: Vec<u8>,
) -> Result<String, Status> {
    match answer_to_one(shared, core, person, json).await?.outcome {
        Some(submit_response::Outcome::Accepted(accepted)) => Ok(accepted.message_id),
        Some(submit_response::Outcome::Awaiting(awaiting)) => Ok(awaiting.message_id),
        Some(submit_response::Outcome::Refused(refused)) => {
            Err(Failure::new(FailureKind::Refused, refused.code, refused.reason + &in_brackets(&refused.clause))
                .status())
        }
        None => Err(stopping(Stopped)),
    }
}

/// The same, with what came of it.
pub(crate) async fn answer_to_one(
    shared: &Arc<Shared>,
    core: &Core,
    person: &Arc<Person>,
    json: Vec<u8>,
) -> Result<SubmitResponse, Status> {
    let (sealing, by) = (Arc::clone(shared), Arc::clone(person));
    let prepared = tokio::task::spawn_blocking(move || prepare_one(&sealing, &by, &json));
    let (notice_id, submission) = prepared.await.map_err(|_| stopping(Stopped))?;
    let outcome = match submission {
        Err(refusal) => refused(shared, &refusal),
        Ok(submission) => {
            let asked = core.ask(Needs::Room, move |ticket| Input::Submit(ticket, Box::new(submission))).await;
            outcome(shared, &person.name, asked.map_err(stopping)?.await)?
        }
    };
    Ok(SubmitResponse { notice_id, outcome: Some(outcome) })
}

/// Checks form and seals, several groups at a time; the order is kept by the queue.
async fn seal_all(
    shared: Arc<Shared>,
    person: Arc<Person>,
    mut requests: Streaming<SubmitRequest>,
    sealing: mpsc::Sender<Sealing>,
) -> Result<(), Status> {
    loop {
        let (group, ended) = gather(&mut requests).await;
        if !group.is_empty() {
            let bytes: usize = group.iter().map(|request| request.notice_json.len()).sum();
            // JSON, fields and sealed bytes, until they are answered.
            let memory = shared.local_memory.take(3 * bytes as u64).await;
            let (shared, person) = (Arc::clone(&shared), Arc::clone(&person));
            let prepared = tokio::task::spawn_blocking(move || {
                group.into_iter().map(|request| prepare_one(&shared, &person, &request.notice_json)).collect()
            });
            if sealing.send(Ok((prepared, memory))).await.is_err() {
                return Ok(());
            }
        }
        if let Some(ended) = ended {
            return ended;
        }
    }
}

/// The next notice and whatever lies ready behind it; and how the stream ended, when it did.
async fn gather(requests: &mut Streaming<SubmitRequest>) -> (Vec<SubmitRequest>, Option<Result<(), Status>>) {
    let (mut group, mut bytes) = (Vec::new(), 0);
    let mut next = requests.message().await;
    loop {
        match next {
            Ok(Some(request)) => {
                bytes += request.notice_json.len();
                group.push(request);
            }
            Ok(None) => return (group, Some(Ok(()))),
            Err(status) => return (group, Some(Err(status))),
        }
        if group.len() >= GROUP_NOTICES || bytes >= GROUP_BYTES {
            return (group, None);
        }
        next = match poll_fn(|context| Poll::Ready(Pin::new(&mut *requests).poll_next(context))).await {
            Poll::Ready(ready) => ready.transpose(),
            Poll::Pending => return (group, None),
        };
    }
}

fn prepare_one(shared: &Shared, person: &Person, json: &[u8]) -> Prepared {
    match prepare::submission(shared, person, json) {
        Ok(submission) => (submission.subject.header.notice_id.clone(), Ok(submission)),
        Err(refusal) => {
            let notice = serde_json::from_slice(json).ok();
            (prepare::number_of(notice.as_ref()), Err(under_its_clause(refusal, notice.as_ref(), &shared.memoranda)))
        }
    }
}

/// Asks the core in the order of submission.
async fn decide_all(core: Core, mut sealed: mpsc::Receiver<Sealing>, deciding: mpsc::Sender<Deciding>) {
    while let Some(sealed) = sealed.recv().await {
        let (prepared, memory) = match sealed {
            Ok(group) => group,
            Err(status) => {
                let _ = deciding.send(Err(status)).await;
                return;
            }
        };
        let Ok(prepared) = prepared.await else { return };
        let (mut decisions, mut questions) = (Vec::new(), Vec::new());
        for (number, prepared) in prepared {
            decisions.push((
                number,
                match prepared {
                    Err(refusal) => Decision::Refused(refusal),
                    Ok(submission) => {
                        let (asked, answer) = question(move |ticket| Input::Submit(ticket, Box::new(submission)));
                        questions.push(asked);
                        Decision::Asked(answer)
                    }
                },
            ));
        }
        if core.ask_all(Needs::Room, questions).await.is_err() || deciding.send(Ok((decisions, memory))).await.is_err()
        {
            return;
        }
    }
}

/// Answers in the order of submission, each when it is durable.
async fn answer_all(
    (shared, person): (Arc<Shared>, Arc<Person>),
    mut decided: mpsc::Receiver<Deciding>,
    responses: Responses,
) {
    let patience = Duration::from_secs(shared.config.limits.stall_seconds);
    while let Some(decided) = decided.recv().await {
        let (decisions, _memory) = match decided {
            Ok(group) => group,
            Err(status) => {
                let _ = tokio::time::timeout(patience, responses.send(Err(status))).await;
                return;
            }
        };
        for (notice_id, decision) in decisions {
            let outcome = match decision {
                Decision::Refused(refusal) => Ok(refused(&shared, &refusal)),
                Decision::Asked(answer) => outcome(&shared, &person.name, answer.await),
            };
            let response = outcome.map(|outcome| SubmitResponse { notice_id, outcome: Some(outcome) });
            match tokio::time::timeout(patience, responses.send(response)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return,
                // Its groups hold memory that other submitters wait for.
                Err(_) => {
                    shared.denied.count("STALLED");
                    return;
                }
            }
        }
    }
}

fn outcome(
    shared: &Shared,
    person: &str,
    answer: Result<Answer, oneshot::error::RecvError>,
) -> Result<submit_response::Outcome, Status> {
    match answer {
        Ok(Answer::Told { told: Told::Accepted { message_id, number, already_known }, .. }) => {
            let message_id = message_id.to_string();
            Ok(submit_response::Outcome::Accepted(Accepted { message_id, number, already_known }))
        }
        Ok(Answer::Told { told: Told::Drafted { message_id, already_known }, .. }) => {
            let (message_id, approvers) = (message_id.to_string(), shared.persons.approvers(person));
            Ok(submit_response::Outcome::Awaiting(Awaiting { message_id, already_known, approvers }))
        }
        Ok(Answer::Told { told: Told::Refused(refusal), .. }) => Ok(refused(shared, &refusal)),
        Ok(Answer::NotNow(failure)) => Err(failure.status()),
        _ => Err(stopping(Stopped)),
    }
}

/// A refusal of something else than a notice of the caller's own stream.
pub(crate) fn refused_status(shared: &Shared, refusal: &Refusal) -> Status {
    shared.denied.count(refusal.code.as_str());
    Failure::new(FailureKind::Refused, refusal.code.as_str(), refusal.sentence() + &in_brackets(&refusal.clause))
        .status()
}

fn refused(shared: &Shared, refusal: &Refusal) -> submit_response::Outcome {
    shared.denied.count(refusal.code.as_str());
    let refusal = under_its_clause(refusal.clone(), None, &shared.memoranda);
    let (code, reason, clause) = (refusal.code.to_string(), refusal.sentence(), refusal.clause);
    submit_response::Outcome::Refused(Refused { code, reason, clause })
}
