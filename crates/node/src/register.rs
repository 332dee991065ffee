//! The public register: publication, its confirmation, and every entry again from the journal.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::mpsc;
use verbale_domain::disclosure::{Audience, AudienceClass, Ground, Release, Scope};
use verbale_domain::flow::PUBLICATION_CONFIRMATION;
use verbale_domain::{Notice, NoticeKey, Partial, REVOKED, Revocation, Told, civil};
use verbale_evidence::{EntryTold, MessageId, SignedDisclosure, read_entry};
use verbale_exchange::{Asking, Bound, Exchange, Held, What};
use verbale_journal::{Journal, Logged, Store};
use verbale_ledger::LogIndex;
use verbale_proto::v1::log_entry::Event;
use verbale_proto::v1::{Disclosed, Facts, PublishRequest, PublishResponse, RegisterEntry, RegisterMark};
use verbale_rpc::Failure;
use verbale_rpc::tonic::Status;

use crate::account::facts;
use crate::clock::now_ms;
use crate::core::{Core, Stopped};
use crate::disclosure::{Asks, Grounds, Opened, grounds, prepare, present, release};
use crate::letter::{self, Letter};
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
        let asking = Asking { publishing: true, ..Asking::default() };
        prepare(&opening, (about.message_id, sealed), actor, asking, |notice| publishable(&opening, &about, notice))
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
fn publishable(shared: &Shared, held: &Held, notice: &Notice) -> Result<Asks, Failure> {
    let memorandum = letter::memorandum(shared, &held.channel.memorandum)?;
    let fields = notice.publishable(memorandum.publishable(&held.flow));
    let nothing = if fields.is_empty() {
        Some(
            "neither the memorandum nor its originator lets a field of it be published; with consent (`verbale consent request`), or after \
             notice where that is asked for (`verbale disclosure notify`), it can be disclosed",
        )
    } else if !notice.can_prove_its_list(&fields) {
        Some(
            "its originator restricted the first field and wrote no list of what may be published, so nobody could check the publication; \
             ask it for a correction (S03) with such a list",
        )
    } else {
        None
    };
    Ok(Asks { scope: everybody(fields), nothing })
}

/// Fields, for everybody.
pub(crate) fn everybody(fields: Vec<String>) -> Scope {
    let audience = Audience { class: AudienceClass::Public, name: EVERYBODY.to_owned() };
    Scope { fields, audience, purpose: PURPOSE.to_owned() }
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
        on_behalf_of: String::new(),
        body: json!({
            "about_notice": number, "published_on": civil::date_of(now, memorandum.utc_offset(side)).to_string(), "where": place,
        }),
    };
    Ok(letter::write(shared, letter)?.1)
}

/// A publication: its notice, its entry, and what shows on it.
struct Publication {
    message_id: MessageId,
    index: LogIndex,
    replaced_by: String,
    /// Whether it revokes an approval.
    revokes: bool,
    marks: Vec<Mark>,
}

/// A revocation that shows on an entry, and the message of the notice that says so.
struct Mark {
    shown: RegisterMark,
    by_message: String,
}

/// A publication as the journal holds it.
struct Published {
    held: Held,
    sealed: SealedHeld,
    facts: Facts,
    disclosed: Disclosed,
    logged: Logged,
    time_ms: i64,
    /// What the journal holds of what its ground rests on.
    grounds: Grounds,
}

/// Sends every entry, made again from the journal: the same bytes each time.
pub(crate) async fn entries(
    shared: Arc<Shared>,
    core: Core,
    responses: &mpsc::Sender<Result<RegisterEntry, Status>>,
) -> Result<(), Status> {
    let mut all = core.read(|exchange, _| publications(exchange)).await.map_err(stopping)?;
    // What the published part of each revocation says: no more than that shows on other entries.
    let mut revoked: BTreeMap<String, Value> = BTreeMap::new();
    for publication in all.iter().filter(|publication| publication.revokes) {
        let (again, scope) = opened_again(&shared, &core, publication).await?;
        let body = body_of(&again.opened.reopened.notice, &scope.fields).map_err(|failure| failure.status())?;
        revoked.insert(again.held.message_id.to_string(), body);
    }
    for publication in &mut all {
        publication.marks.retain_mut(|mark| revoked.get(&mark.by_message).is_some_and(|body| narrow(mark, body)));
    }
    for publication in all {
        let (again, scope) = opened_again(&shared, &core, &publication).await?;
        let signed = core.read(move |exchange, _| {
            let disclosed = (again.time_ms, &again.disclosed);
            (exchange.logged_disclosure(&again.held, &scope, disclosed, again.bound), again, scope)
        });
        let (disclosure, again, scope) = signed.await.map_err(stopping)?;
        let Some(disclosure) = disclosure else {
            return Err(damaged("a release cannot be made again as it was logged").status());
        };
        let opening = Arc::clone(&shared);
        let entry = tokio::task::spawn_blocking(move || entry(&opening, publication, again, &scope, &disclosure));
        let entry = entry.await.map_err(|_| stopping(Stopped))??;
        responses.send(Ok(entry)).await.map_err(|_| stopping(Stopped))?;
    }
    Ok(())
}

async fn opened_again(shared: &Arc<Shared>, core: &Core, publication: &Publication) -> Result<(Again, Scope), Status> {
    let (message_id, index) = (publication.message_id, publication.index);
    let reading = Arc::clone(shared);
    let read = core.read(move |exchange, journal| published(&reading, (exchange, journal), (message_id, index)));
    let published = read.await.map_err(stopping)??;
    let opening = Arc::clone(shared);
    let opened = tokio::task::spawn_blocking(move || again(&opening, published));
    Ok(opened.await.map_err(|_| stopping(Stopped))??)
}

/// Takes from a mark what the published part of its revocation does not say; false: that does not even name the organisation.
fn narrow(mark: &mut Mark, revocation: &Value) -> bool {
    let at = |pointer: &str| revocation.pointer(pointer).and_then(Value::as_str);
    let names_it =
        ["/org/registration_no", "/org/org_no"].iter().any(|pointer| at(pointer) == Some(&mark.shown.number));
    if !["/effective_on", "/revoked_on"].iter().any(|pointer| at(pointer) == Some(&mark.shown.from)) {
        mark.shown.from.clear();
    }
    names_it
}

/// Whether a text stands anywhere in what was published.
fn says(published: &Value, text: &str) -> bool {
    match published {
        Value::String(said) => said == text,
        Value::Array(items) => items.iter().any(|item| says(item, text)),
        Value::Object(members) => members.values().any(|value| says(value, text)),
        _ => false,
    }
}

/// A publication that was opened again.
struct Again {
    held: Held,
    opened: Opened,
    logged: Logged,
    time_ms: i64,
    ground: Release,
    bound: Bound,
    disclosed: Disclosed,
    grounds: Grounds,
}

fn again(shared: &Shared, published: Published) -> Result<(Again, Scope), Failure> {
    let Published { held, sealed, facts, disclosed, logged, time_ms, grounds } = published;
    let (opened, _) = Opened::new(shared, sealed)?;
    let scope = facts.particulars.as_ref().and_then(Scope::read).ok_or_else(|| damaged("a release has no scope"))?;
    let bound = Bound::read(&facts).ok_or_else(|| damaged("a release has no nonce"))?;
    let ground = disclosed.code.parse().map_err(|_| damaged("a release names a ground that is not known"))?;
    Ok((Again { held, opened, logged, time_ms, ground, bound, disclosed, grounds }, scope))
}

fn entry(
    shared: &Shared,
    publication: Publication,
    again: Again,
    scope: &Scope,
    disclosure: &SignedDisclosure,
) -> Result<RegisterEntry, Failure> {
    let Again { held, opened, logged, time_ms, ground, grounds, .. } = again;
    let presentation = present(shared, (&opened, &scope.fields, ground), (disclosure, &logged), grounds)?;
    let notice = &opened.reopened.notice;
    let published = body_of(notice, &scope.fields)?;
    let marks = publication.marks.into_iter().map(|mark| mark.shown).filter(|mark| says(&published, &mark.number));
    Ok(RegisterEntry {
        message_id: held.message_id.to_string(),
        notice_id: held.notice_id.unwrap_or_default(),
        memorandum: held.channel.memorandum,
        kind: Notice::kind_of(&held.flow).unwrap_or_default().to_owned(),
        flow: held.flow,
        side: held.side.unwrap_or_default(),
        languages: notice.languages(),
        published_ms: time_ms,
        published_json: published.to_string(),
        presentation,
        log_index: publication.index.0,
        replaced_by: publication.replaced_by,
        marks: marks.collect(),
    })
}

/// What of a notice was published.
fn body_of(notice: &Notice, fields: &[String]) -> Result<Value, Failure> {
    let places = notice.places(fields, Release::Allowed(Ground::OwnInformation));
    let chunks = places.iter().filter_map(|place| Some((*place, notice.chunks().get(*place as usize)?)));
    let partial = Partial::read(&notice.header().flow, chunks).map_err(|refusal| damaged(&refusal.to_string()))?;
    Ok(Value::Object(partial.body))
}

/// Every release to everybody, in the order of the log.
fn publications(exchange: &Exchange) -> Vec<Publication> {
    // Once for each memorandum: the core's others wait.
    let memoranda = exchange.own().memoranda.iter().map(|memorandum| memorandum.id.as_str());
    let shown: BTreeMap<&str, Shown<'_>> = memoranda.filter_map(|id| Some((id, Shown::new(exchange, id)?))).collect();
    let of = |held: &Held| -> Vec<Publication> {
        let published = held.history.iter().filter(|happening| is_published(&happening.what));
        let publication = |index| Publication {
            message_id: held.message_id,
            index,
            replaced_by: replaced_by(exchange, held, index),
            revokes: REVOKED.contains(&held.flow.as_str()),
            marks: shown.get(held.channel.memorandum.as_str()).map(|shown| shown.marks(held)).unwrap_or_default(),
        };
        published.map(|happening| publication(happening.index)).collect()
    };
    // What was erased can be shown no more; that it was published stands in the log.
    let mut all: Vec<Publication> = exchange.notices().filter(|held| !held.erased).flat_map(of).collect();
    all.sort_by_key(|publication| publication.index);
    all
}

fn is_published(what: &What) -> bool {
    matches!(what, What::Disclosed { published: true, .. })
}

fn published(
    shared: &Shared,
    (exchange, journal): (&Exchange, &Journal),
    (id, index): (MessageId, LogIndex),
) -> Result<Published, Failure> {
    let held = exchange.notice(&id).cloned().ok_or_else(|| damaged("a release is of no notice"))?;
    let entry = journal.entry(index).map_err(|error| failed(&error))?;
    let Ok(EntryTold { time_ms, event: Event::Disclosed(disclosed), .. }) = read_entry(&entry) else {
        return Err(damaged("a publication is no release"));
    };
    let event = Event::Disclosed(disclosed.clone());
    let facts = facts(shared, journal, (id, index), &event)?.ok_or_else(|| damaged("a release has no facts"))?;
    let rests_on = disclosed.grounds.iter().map(|id| MessageId::try_from(id.as_slice()));
    let rests_on: Vec<MessageId> = rests_on.collect::<Result<_, _>>().map_err(|_| damaged("a ground has no id"))?;
    let notices: Vec<Held> = rests_on.iter().filter_map(|id| exchange.notice(id).cloned()).collect();
    Ok(Published {
        sealed: sealed(exchange, journal, &id.to_string())?,
        facts,
        disclosed,
        logged: journal.logged(index).map_err(|error| failed(&error))?,
        time_ms,
        grounds: grounds(exchange, journal, &notices)?,
        held,
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

/// The revocations under a memorandum by notices that are published too: one that was corrected shows until what took its place is published.
struct Shown<'e> {
    told: Told<'e>,
    /// Each with the message that says so.
    published: Vec<(Revocation, String)>,
}

impl<'e> Shown<'e> {
    fn new(exchange: &'e Exchange, memorandum: &str) -> Option<Self> {
        let course = exchange.docket().course(memorandum)?;
        let public = |key: &NoticeKey| {
            let is_it = |other: &&Held| {
                let same = other.side.as_deref() == Some(&key.side) && other.channel.memorandum == memorandum;
                same && other.history.iter().any(|happening| is_published(&happening.what))
            };
            exchange.find(&key.number).into_iter().find(is_it).map(|held| held.message_id.to_string())
        };
        let is_replaced = |key: &NoticeKey| {
            let (mut at, mut seen) = (key.clone(), BTreeSet::new());
            while let Some(number) = course.replaced_by(&at).filter(|_| seen.insert(at.clone())) {
                at.number = number;
                if public(&at).is_some() {
                    return true;
                }
            }
            false
        };
        let told = Told::new(course);
        let by_message = |of: &Revocation| public(&of.by).filter(|_| !is_replaced(&of.by));
        let published = told.revocations().iter().filter_map(|of| Some((of.clone(), by_message(of)?))).collect();
        Some(Self { told, published })
    }

    /// Those that show on an entry, of whatever organisation it names.
    fn marks(&self, held: &Held) -> Vec<Mark> {
        let Some(key) = held.key() else { return Vec::new() };
        let showing = self.told.showing_on(&key, &self.published);
        let mark = |(of, by_message): &(Revocation, String)| {
            let shown = RegisterMark { number: of.number.clone(), from: of.from.to_string(), by: of.by.number.clone() };
            Mark { shown, by_message: by_message.clone() }
        };
        showing.map(mark).collect()
    }
}
