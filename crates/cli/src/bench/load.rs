//! The load: notices through the local service, and when each has its durable receipt, seen by reading the sender's log.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use verbale_evidence::decode_entry;
use verbale_proto::v1::log_entry::Event;
use verbale_proto::v1::{ReadLogRequest, StatusRequest, SubmitRequest, SubmitResponse, submit_response};
use verbale_rpc::tonic::Streaming;

use crate::commands::Client;
use crate::failure::CliError;

/// Notices without receipt at a time, when they go as fast as they can: four batches of the journal.
const WITHOUT_RECEIPT_MAX: usize = 1024;

/// Requests that wait for the stream.
const UNDER_WAY: usize = 256;

/// How often the log is read: the resolution of the latencies.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// A machine that gets no receipt for so long is not slow but broken.
const PATIENCE: Duration = Duration::from_mins(1);

/// The text that is repeated until a notice has its size.
const WORDS: &str = "Удержание паспортов и залога у кандидатов; свидетельства приложены. ";

/// What was measured.
pub(crate) struct Outcome {
    /// From the submission to the durable receipt, for each notice.
    pub(crate) latencies: Vec<Duration>,
    elapsed: Duration,
}

impl Outcome {
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    pub(crate) fn per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }
}

/// Makes notices of one size, each with a number of its own.
pub(crate) struct Load {
    notice: Value,
    next: u64,
    json_bytes: usize,
}

impl Load {
    /// A notice of a kind that owes nothing to others, F13, with as much text as its size needs.
    pub(crate) fn new(json_bytes: usize) -> Result<Self, CliError> {
        let mut notice = json!({
            "notice_id": "", "memorandum": "JP-KG-SSW-2023", "flow": "F13", "kind": "INTERMEDIARY_MISCONDUCT",
            "clause": "4(1)(a)", "from": {"party": "KG", "office": "KG-MLSSM-CECA"},
            "to": {"party": "JP", "office": "JP-MOJ-ISA-RMD"}, "issued_at": "2026-02-14T08:05:00+06:00",
            "classification": "CONFIDENTIAL", "receiver_obligation": "NONE", "languages": ["ru"],
            "body": {
                "category": "a", "conduct": "", "affected_persons": 6,
                "intermediary": {"type": "INDIVIDUAL", "name": "Ошский брокер «Дядя Ф.» (вымышлен)", "country": "KG"},
                "amount": {"value": "90000.00", "currency": "KGS"}, "period": {"from": "2025-11-01", "to": "2026-01-31"},
            },
        });
        let bare = Self { notice: notice.clone(), next: 0, json_bytes: 0 }.line(0).len();
        let missing = json_bytes.checked_sub(bare).ok_or_else(|| {
            CliError::Usage(format!("a notice has at least {bare} bytes; give --size {bare} or more"))
        })?;
        let mut text: String = WORDS.chars().cycle().take(missing / 2).collect();
        while text.len() + 2 <= missing {
            text.push('ё');
        }
        while text.len() > missing {
            text.pop();
        }
        text.extend(std::iter::repeat_n('.', missing - text.len()));
        if let Some(conduct) = notice.pointer_mut("/body/conduct") {
            *conduct = Value::String(text);
        }
        Ok(Self { notice, next: 0, json_bytes })
    }

    pub(crate) fn json_bytes(&self) -> usize {
        self.json_bytes
    }

    fn line(&self, number: u64) -> Vec<u8> {
        let mut notice = self.notice.clone();
        if let Some(id) = notice.get_mut("notice_id") {
            *id = Value::String(format!("KG-BENCH-{number:010}"));
        }
        notice.to_string().into_bytes()
    }

    /// Submits so many notices and waits for the durable receipt of each: as fast as they go, or so many a second.
    pub(crate) async fn run(&mut self, client: &Client, count: u64, rate: Option<f64>) -> Result<Outcome, CliError> {
        let lines: Vec<Vec<u8>> = (self.next..self.next + count).map(|number| self.line(number)).collect();
        self.next += count;
        let mut client = client.clone();
        let log_size = client.status(StatusRequest {}).await?.into_inner().log_size;
        let (requests, stream) = mpsc::channel(UNDER_WAY);
        let responses = client.submit(ReceiverStream::new(stream)).await?.into_inner();
        let room = Semaphore::new(WITHOUT_RECEIPT_MAX);
        let started = Instant::now();
        let (submitted, accepted, receipted) = tokio::try_join!(
            submit(lines, requests, rate, &room, started),
            answers(responses),
            receipts(client, log_size, usize::try_from(count).unwrap_or(usize::MAX), &room),
        )?;
        let elapsed = started.elapsed();
        let of = |(id, at): (Vec<u8>, Instant)| Some((at, receipted.get(&id)?));
        let times = accepted.into_iter().zip(submitted).filter_map(of);
        let latencies = times.map(|(submitted, receipted)| receipted.duration_since(submitted)).collect();
        Ok(Outcome { latencies, elapsed })
    }
}

/// Submits; returns when each was due. A notice that waits for its turn is late, not later due.
async fn submit(
    lines: Vec<Vec<u8>>,
    requests: mpsc::Sender<SubmitRequest>,
    rate: Option<f64>,
    room: &Semaphore,
    started: Instant,
) -> Result<Vec<Instant>, CliError> {
    let mut submitted = Vec::with_capacity(lines.len());
    let mut due = started;
    for notice_json in lines {
        if let Some(rate) = rate {
            due += Duration::from_secs_f64(1.0 / rate);
            tokio::time::sleep_until(due.into()).await;
        } else {
            // Given back when a receipt is seen.
            room.acquire().await.map_err(|error| CliError::failed("the load was cut off", error))?.forget();
            due = Instant::now();
        }
        submitted.push(due);
        let sent = requests.send(SubmitRequest { notice_json }).await;
        sent.map_err(|_| CliError::Gone("the sender ended the stream of submissions".to_owned()))?;
    }
    Ok(submitted)
}

/// The message ids, in the order of submission.
async fn answers(mut responses: Streaming<SubmitResponse>) -> Result<Vec<Vec<u8>>, CliError> {
    let mut ids = Vec::new();
    while let Some(response) = responses.message().await? {
        match response.outcome {
            Some(submit_response::Outcome::Accepted(accepted)) => {
                let id: verbale_evidence::MessageId = accepted
                    .message_id
                    .parse()
                    .map_err(|error| CliError::failed("the sender gave no message id", error))?;
                ids.push(id.as_bytes().to_vec());
            }
            Some(submit_response::Outcome::Refused(refused)) => {
                return Err(CliError::Refused(format!("a notice was refused: {}: {}", refused.code, refused.reason)));
            }
            Some(submit_response::Outcome::Awaiting(_)) | None => {
                return Err(CliError::Gone("the sender gave another answer than to a general information".to_owned()));
            }
        }
    }
    Ok(ids)
}

/// Reads the sender's log as it grows until so many receipts stand in it; only what is durable is ever read.
async fn receipts(
    mut client: Client,
    mut from_index: u64,
    count: usize,
    room: &Semaphore,
) -> Result<HashMap<Vec<u8>, Instant>, CliError> {
    let mut receipted = HashMap::with_capacity(count);
    let mut moved = Instant::now();
    while receipted.len() < count {
        tokio::time::sleep(LOOK_AGAIN).await;
        let mut parts = client.read_log(ReadLogRequest { from_index }).await?.into_inner();
        while let Some(part) = parts.message().await? {
            let now = Instant::now();
            for entry in part.entries {
                from_index += 1;
                let event = decode_entry(&entry).map_err(|error| CliError::damaged(error.to_string()))?.1;
                let Event::ReceiptReceived(receipt) = event else { continue };
                if !receipt.code.is_empty() {
                    return Err(CliError::Refused(format!("the receiver refused a notice: {}", receipt.code)));
                }
                receipted.insert(receipt.message_id, now);
                room.add_permits(1);
                moved = now;
            }
        }
        if moved.elapsed() > PATIENCE {
            return Err(CliError::Gone("no receipt came for a minute; the nodes' serve.log may say why".to_owned()));
        }
    }
    Ok(receipted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_have_the_size_that_was_asked_for() {
        for size in [700, 701, 1536, 4097] {
            let load = Load::new(size).unwrap();
            let line = load.line(3);
            assert_eq!(line.len(), size);
            verbale_domain::Notice::from_json(&line).unwrap_or_else(|refusal| panic!("{refusal}"));
        }
        assert!(matches!(Load::new(10), Err(CliError::Usage(_))));
    }
}
