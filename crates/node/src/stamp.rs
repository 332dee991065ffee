//! Trusted time: an authority of RFC 3161 stamps the log's head at an interval. Nothing waits for it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode, Uri, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use verbale_audit::{NONCE_BYTES, STAMP_BYTES_MAX, read_stamp, stamp_request};
use verbale_evidence::{Card, Cards};
use verbale_journal::Store;
use verbale_ledger::Checkpoint;
use verbale_proto::v1::{TimeStamp, TimeStampStatus};

use crate::clock::now_ms;
use crate::core::Core;
use crate::heads::{HeadsError, HeadsFolder};
use crate::random;
use crate::shared::Shared;

/// An authority answers within this time, or is asked again later.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// The same: so much later than the interval a stamp is not late.
const ANSWER_MS: i64 = 10_000;

/// After a failure it is asked again so soon; doubled each time, up to an hour or the interval.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_LAST: Duration = Duration::from_hours(1);

/// Where an authority is reached.
pub(crate) struct Authority {
    host: String,
    port: u16,
    path: String,
}

impl Authority {
    /// Reads `http://HOST[:PORT]/PATH`; `None` for anything else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok().filter(|uri: &Uri| uri.scheme_str() == Some("http"))?;
        let host = uri.host().filter(|host| !host.is_empty())?.to_owned();
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Some(Self { host, port: uri.port_u16().unwrap_or(80), path })
    }

    /// Posts a request (RFC 3161 §3.4) and gives the answer.
    async fn ask(&self, request: Vec<u8>) -> Result<Vec<u8>, String> {
        let address = (self.host.trim_matches(['[', ']']), self.port);
        let stream = TcpStream::connect(address).await.map_err(|error| format!("it cannot be reached ({error})"))?;
        let broken = |error: hyper::Error| format!("the connection broke ({error})");
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let driving = tokio::spawn(connection);
        let request = Request::builder()
            .method(Method::POST)
            .uri(&self.path)
            .header(header::HOST, format!("{}:{}", self.host, self.port))
            .header(header::CONTENT_TYPE, "application/timestamp-query")
            .body(Full::new(Bytes::from(request)));
        let request = request.map_err(|error| error.to_string())?;
        let answer = sender.send_request(request).await.map_err(broken)?;
        if answer.status() != StatusCode::OK {
            driving.abort();
            return Err(format!("it answered with HTTP status {}", answer.status().as_u16()));
        }
        let body = Limited::new(answer.into_body(), STAMP_BYTES_MAX).collect().await;
        driving.abort();
        Ok(body.map_err(|error| format!("its answer did not come whole ({error})"))?.to_bytes().to_vec())
    }
}

/// Time stamps of the own logs.
pub(crate) struct Stamps {
    folder: HeadsFolder,
    /// Which of the contact point's logs is the present one.
    log: u64,
    state: Mutex<State>,
}

#[derive(Clone, Default)]
struct State {
    /// Size of the head that was stamped last, and when, in milliseconds since 1970-01-01 UTC.
    last: Option<(u64, i64)>,
    /// When the whole log was seen to be stamped, by the own clock, in milliseconds since 1970-01-01 UTC.
    whole_ms: i64,
    /// When that stamp came; the authority's clock may be another one.
    came: Option<Instant>,
    failures: u32,
    trouble: String,
}

impl Stamps {
    /// Reads what was stamped before the start.
    pub(crate) fn load(folder: HeadsFolder, card: &Card) -> Result<Self, HeadsError> {
        let log = card.log_number().unwrap_or_default();
        let mut last = None;
        for (of, size) in folder.stamped()?.into_iter().rev().filter(|(of, _)| *of == log) {
            let (note, answer) = folder.stamp(of, size)?;
            // The folder may hold those of another log of this number, which was lost.
            if Checkpoint::verify(&note, &card.log_vkey()).is_ok() {
                last = read_stamp(&answer, note.as_bytes()).ok().map(|stamped| (size, stamped.time_ms));
                break;
            }
        }
        let whole_ms = last.map_or(0, |(_, at_ms)| at_ms);
        Ok(Self { folder, log, state: Mutex::new(State { last, whole_ms, ..State::default() }) })
    }

    fn state(&self) -> State {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// How it is, for a log of `size` entries; `None` without an authority.
    pub(crate) fn status(&self, shared: &Shared, size: u64) -> Option<TimeStampStatus> {
        let config = &shared.config.time_stamps;
        let State { last, whole_ms, trouble, .. } = self.state();
        let (last_size, last_ms) = last.unwrap_or_default();
        let interval_ms = i64::try_from(config.interval_seconds.saturating_mul(1000)).unwrap_or(i64::MAX);
        let is_late = size > last_size && now_ms() > whole_ms.saturating_add(interval_ms).saturating_add(ANSWER_MS);
        Some(TimeStampStatus { authority: config.authority.clone()?, last_size, last_ms, trouble, is_late })
    }

    /// What was stamped up to a size of this log, and of the logs that were closed before it: which log, and sizes; for an export, given in parts.
    pub(crate) fn up_to(&self, size: u64) -> Result<Vec<(u64, u64)>, HeadsError> {
        let mut stamped = self.folder.stamped()?;
        stamped.retain(|(log, stamped)| *log < self.log || (*log == self.log && *stamped <= size));
        Ok(stamped)
    }

    /// One of them, if its head is of a log of one of these cards: of others, which were lost, an auditor has no key.
    pub(crate) fn get(&self, (log, size): (u64, u64), cards: &Cards) -> Result<Option<TimeStamp>, HeadsError> {
        let (checkpoint, answer) = self.folder.stamp(log, size)?;
        let is_of =
            |card: &Card| card.log_number() == Some(log) && Checkpoint::verify(&checkpoint, &card.log_vkey()).is_ok();
        let closed_log = if log == self.log { 0 } else { log };
        Ok(cards.all().any(is_of).then_some(TimeStamp { closed_log, size, checkpoint, answer }))
    }
}

/// Has the head stamped when it is time.
pub(crate) async fn run(shared: Arc<Shared>, core: Core) {
    let config = &shared.config.time_stamps;
    let Some(authority) = config.authority.as_deref().and_then(Authority::parse) else { return };
    let interval = Duration::from_secs(config.interval_seconds);
    if core.compared(None).await.is_err() {
        return;
    }
    loop {
        let state = shared.stamps.state();
        let wait = if state.failures > 0 {
            let retry = RETRY_FIRST.saturating_mul(1 << state.failures.saturating_sub(1).min(16));
            retry.min(RETRY_LAST).min(interval)
        } else {
            state.came.map_or(Duration::ZERO, |came| interval.saturating_sub(came.elapsed()))
        };
        tokio::time::sleep(wait).await;
        let Ok((size, note)) = core.read(|_, journal| (journal.size().0, journal.checkpoint().to_string())).await
        else {
            return;
        };
        // A log that is held back signs nothing, and the same head is the same.
        let is_whole = state.last.is_some_and(|(stamped, _)| stamped == size);
        if is_whole {
            shared.stamps.change(|state| state.whole_ms = now_ms());
        }
        if is_whole || shared.standing.trouble().is_some() {
            tokio::time::sleep(interval.min(RETRY_LAST)).await;
            continue;
        }
        let stamped = stamp(&shared, &authority, (size, note)).await;
        if let Err(trouble) = &stamped {
            tracing::warn!(trouble, "the log's head was not stamped; nothing waits for it, and it is tried again");
        }
        shared.stamps.change(|state| match stamped {
            Ok(time_ms) => {
                let came = Some(Instant::now());
                *state = State { last: Some((size, time_ms)), whole_ms: now_ms(), came, ..State::default() };
            }
            Err(trouble) => {
                state.failures = state.failures.saturating_add(1);
                state.trouble = trouble;
            }
        });
    }
}

/// Has one head stamped, and keeps the answer; gives the authority's time.
async fn stamp(shared: &Arc<Shared>, authority: &Authority, (size, note): (u64, String)) -> Result<i64, String> {
    let nonce: [u8; NONCE_BYTES] = random::bytes();
    let request = stamp_request(note.as_bytes(), nonce).map_err(|error| error.to_string())?;
    let answer = tokio::time::timeout(ANSWER_TIME, authority.ask(request)).await;
    let answer = answer.map_err(|_| "it did not answer within 10 s".to_owned())??;
    let stamped = read_stamp(&answer, note.as_bytes()).and_then(|stamped| stamped.require_nonce(nonce));
    let stamped = stamped.map_err(|error| format!("its answer proves nothing: {error}"))?;
    let shared = Arc::clone(shared);
    let kept =
        tokio::task::spawn_blocking(move || shared.stamps.folder.keep_stamp(shared.stamps.log, size, (&note, &answer)));
    kept.await.map_err(|_| "the node is stopping".to_owned())?.map_err(|error| error.to_string())?;
    Ok(stamped.time_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_is_reached_over_plain_http_alone() {
        let of = |text: &str| Authority::parse(text).map(|authority| (authority.host, authority.port, authority.path));
        assert_eq!(of("http://tsa.example/tsr?x=1"), Some(("tsa.example".into(), 80, "/tsr?x=1".into())));
        assert_eq!(of("http://[::1]:81"), Some(("[::1]".into(), 81, "/".into())));
        for wrong in ["https://tsa.example/", "tsa.example", "http:///tsr", "/tsr", ""] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
