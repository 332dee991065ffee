//! The public register: publication, its confirmation, and every entry again from the journal.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::mpsc;
use verbale_domain::disclosure::{Audience, AudienceClass, Ground, Scope};
use verbale_domain::flow::PUBLICATION_CONFIRMATION;
use verbale_domain::{Notice, NoticeKey, Partial, civil, organisations};
use verbale_exchange::{Exchange, Held, What};
use verbale_journal::{Journal, Logged, Store};
use verbale_ledger::LogIndex;
use verbale_proto::v1::log_entry::Event;
use verbale_proto::v1::{PublishRequest, PublishResponse, RegisterEntry, RegisterMark};
use verbale_rpc::Failure;
use verbale_rpc::tonic::Status;

use crate::clock::now_ms;
use crate::core::{Core, Stopped};
use crate::disclosure::{Grounds, Opened, prepare, present, release};
use crate::letter::{self, Letter, refused};
use crate::local::stopping;
use crate::local_reads::{SealedHeld, damaged, failed, find, sealed};
use crate::person::{Person, Sight};
use crate::shared::Shared;
use crate::submit;

/// To whom and for what something is published.
const EVERYBODY: &str = "public";
const PURPOSE: &str = "publication";

/// Publishes, logs and confirms.
pub(crate) async fn publish(
    shared: &Arc<Shared>,
    core: &Core,
    person: &Arc<Person>,
    request: PublishRequest,
) -> Result<PublishResponse, Status> {
    let PublishRequest { id, place } = request;
    let found = core.read(move |exchange, journal| {
        let held = find(exchange, &id, Sight::Numbers)?;
        let sealed = sealed(exchange, journal, &held.message_id.to_string())?;
        Ok::<_, Failure>((held, sealed))
    });
    let (held, sealed) = found.await.map_err(stopping)??;
    let (opening, actor, about) = (Arc::clone(shared), person.name.clone(), held.clone());
    let prepared = tokio::task::spawn_blocking(move || {
        prepare(&opening, about.message_id, sealed, actor, |notice| publishable(&opening, &about, notice))
    });
    let (request, notice) = prepared.await.map_err(|_| stopping(Stopped))??;
    let released = release(shared, core, request, notice).await?;
    if released.presentation.is_empty() {
        return Ok(PublishResponse { judged: released.judged, ..PublishResponse::default() });
    }
    // The publication stands, whatever becomes of its confirmation: that can be sent again.
    let json = confirmation(shared, &held, &place).map_err(|failure| failure.status())?;
    let confirmation = submit::answer_to_one(shared, core, person, json).await?;
    Ok(PublishResponse {
        judged: released.judged,
        presentation: released.presentation,
        log_index: released.log_index,
        confirmation: Some(confirmation),
    })
}

/// Everything in a notice that may be published, for everybody.
fn publishable(shared: &Shared, held: &Held, notice: &Notice) -> Result<Scope, Failure> {
    let memorandum = letter::memorandum(shared, &held.channel.memorandum)?;
    let paths = notice.marks().publishable.unwrap_or_else(|| memorandum.publishable(&held.flow).to_vec());
    let fields: Vec<String> = notice.present(&paths).into_iter().cloned().collect();
    if fields.is_empty() {
        return Err(refused("NOTHING_PUBLISHABLE", "the notice has no field that may be published".to_owned()));
    }
    let audience = Audience { class: AudienceClass::Public, name: EVERYBODY.to_owned() };
    Ok(Scope { fields, audience, purpose: PURPOSE.to_owned() })
}

/// Tells the other side.
fn confirmation(shared: &Shared, held: &Held, place: &str) -> Result<Vec<u8>, Failure> {
    let memorandum = letter::memorandum(shared, &held.channel.memorandum)?;
    let now = now_ms();
    let side = memorandum.side_of(&shared.card.id, civil::date_of(now, time::UtcOffset::UTC)).unwrap_or_default();
    let number = held.notice_id.clone().unwrap_or_default();
    let place =
        if place.trim().is_empty() { format!("public register of {}", shared.card.id) } else { place.to_owned() };
    let letter = Letter {
        memorandum: &held.channel.memorandum,
        flow: PUBLICATION_CONFIRMATION,
        number: None,
        correlates_to: Some(&number),
        obligation: "NONE",
        clause: None,
        body: json!({
            "about_notice": number, "published_on": civil::date_of(now, memorandum.utc_offset(side)).to_string(), "where": place,
        }),
    };
    Ok(letter::write(shared, letter)?.1)
}

/// A publication as the journal holds it.
struct Published {
    held: Held,
    index: LogIndex,
    sealed: SealedHeld,
    facts: Vec<u8>,
    facts_digest: Vec<u8>,
    logged: Logged,
    time_ms: i64,
    ground: Ground,
    replaced_by: String,
    marks: Vec<RegisterMark>,
}

/// Sends every entry, made again from the journal: the same bytes each time.
pub(crate) async fn entries(
    shared: Arc<Shared>,
    core: Core,
    responses: &mpsc::Sender<Result<RegisterEntry, Status>>,
) -> Result<(), Status> {
    let all = core.read(|exchange, _| publications(exchange)).await.map_err(stopping)?;
    for (held, index) in all {
        let read = core.read(move |exchange, journal| published(exchange, journal, held, index));
        let published = read.await.map_err(stopping)??;
        let opening = Arc::clone(&shared);
        let opened = tokio::task::spawn_blocking(move || {
            let Published { held, index, sealed, facts, facts_digest, logged, time_ms, ground, replaced_by, marks } =
                published;
            let (opened, keys) = Opened::new(&opening, sealed)?;
            let facts =
                keys.facts.open(held.message_id, &facts, &facts_digest).map_err(|error| damaged(&error.to_string()))?;
            let scope =
                facts.particulars.as_ref().and_then(Scope::read).ok_or_else(|| damaged("a release has no scope"))?;
            let nonce: [u8; 16] = facts.nonce.as_slice().try_into().map_err(|_| damaged("a release has no nonce"))?;
            Ok::<_, Failure>((opened, scope, nonce, (held, index, logged, time_ms, ground, replaced_by, marks)))
        });
        let (opened, scope, nonce, rest) = opened.await.map_err(|_| stopping(Stopped))??;
        let (held, index, logged, time_ms, ground, replaced_by, marks) = rest;
        let signing = (held.clone(), scope.clone());
        let disclosure = core.read(move |exchange, _| {
            exchange.signed_disclosure(&signing.0, &signing.1, (time_ms, ground.as_str(), None), nonce)
        });
        let disclosure = disclosure.await.map_err(stopping)?;
        let opening = Arc::clone(&shared);
        let entry = tokio::task::spawn_blocking(move || {
            let presentation =
                present(&opening, (&opened, &scope.fields, ground), (&disclosure, &logged), Grounds::default())?;
            let notice = &opened.reopened.notice;
            Ok::<_, Failure>(RegisterEntry {
                message_id: held.message_id.to_string(),
                notice_id: held.notice_id.unwrap_or_default(),
                memorandum: held.channel.memorandum,
                kind: Notice::kind_of(&held.flow).unwrap_or_default().to_owned(),
                flow: held.flow,
                side: held.side.unwrap_or_default(),
                languages: notice.languages(),
                published_ms: time_ms,
                published_json: body_of(notice, &scope.fields)?.to_string(),
                presentation,
                log_index: index.0,
                replaced_by,
                marks,
            })
        });
        let entry = entry.await.map_err(|_| stopping(Stopped))??;
        responses.send(Ok(entry)).await.map_err(|_| stopping(Stopped))?;
    }
    Ok(())
}

/// What of a notice was published.
fn body_of(notice: &Notice, fields: &[String]) -> Result<Value, Failure> {
    let places = notice.places(fields, Ground::OwnInformation);
    let chunks = places.iter().filter_map(|place| Some((*place, notice.chunks().get(*place as usize)?)));
    let partial = Partial::read(&notice.header().flow, chunks).map_err(|refusal| damaged(&refusal.to_string()))?;
    Ok(Value::Object(partial.body))
}

/// Every release to everybody, in the order of the log.
fn publications(exchange: &Exchange) -> Vec<(Held, LogIndex)> {
    let of = |held: &Held| -> Vec<(Held, LogIndex)> {
        let published = held.history.iter().filter(|happening| is_published(&happening.what));
        published.map(|happening| (held.clone(), happening.index)).collect()
    };
    let mut all: Vec<(Held, LogIndex)> = exchange.notices().flat_map(of).collect();
    all.sort_by_key(|(_, index)| *index);
    all
}

fn is_published(what: &What) -> bool {
    matches!(what, What::Disclosed { published: true, .. })
}

fn published(exchange: &Exchange, journal: &Journal, held: Held, index: LogIndex) -> Result<Published, Failure> {
    let entry = journal.entry(index).map_err(|error| failed(&error))?;
    let Ok((time_ms, Event::Disclosed(disclosed))) = verbale_evidence::decode_entry(&entry) else {
        return Err(damaged("a publication is no release"));
    };
    let ground: Ground = disclosed.code.parse().map_err(|_| damaged("a release names a ground that is not known"))?;
    let facts =
        journal.facts(index).map_err(|error| failed(&error))?.ok_or_else(|| damaged("a release has no facts"))?;
    Ok(Published {
        sealed: sealed(exchange, journal, &held.message_id.to_string())?,
        facts,
        facts_digest: disclosed.facts_digest,
        logged: journal.logged(index).map_err(|error| failed(&error))?,
        time_ms,
        ground,
        replaced_by: replaced_by(exchange, &held, index),
        marks: marks(exchange, &held),
        held,
        index,
    })
}

/// The notice that took its place, or itself when it was published again.
fn replaced_by(exchange: &Exchange, held: &Held, index: LogIndex) -> String {
    let again = held.history.iter().any(|later| later.index > index && is_published(&later.what));
    if again {
        return held.notice_id.clone().unwrap_or_default();
    }
    let course = exchange.docket().course(&held.channel.memorandum);
    let key = held.side.clone().zip(held.notice_id.clone()).map(|(side, number)| NoticeKey { side, number });
    key.and_then(|key| course?.replaced_by(&key)).unwrap_or_default()
}

/// The revocations that show on an entry: of organisations that it lists, by notices that are published too.
fn marks(exchange: &Exchange, held: &Held) -> Vec<RegisterMark> {
    let Some(course) = exchange.docket().course(&held.channel.memorandum) else { return Vec::new() };
    let is_public = |key: &NoticeKey| {
        let mut found = exchange.find(&key.number).into_iter();
        found.any(|held| held.side.as_deref() == Some(&key.side) && held.history.iter().any(|h| is_published(&h.what)))
    };
    let named = organisations(course).into_iter().filter(|of| {
        Some(&of.listed_in.number) == held.notice_id.as_ref() && Some(&of.listed_in.side) == held.side.as_ref()
    });
    let marked = named.filter_map(|of| Some((of.number, of.revoked?)));
    let public = marked.filter(|(_, (by, _))| is_public(by));
    public.map(|(number, (by, from))| RegisterMark { number, from: from.to_string(), by: by.number }).collect()
}
