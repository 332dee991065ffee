//! Disclosure: what a person asks for, decided by the core with the journal's own evidence, and the presentation that is made of it.

use std::sync::Arc;

use verbale_domain::disclosure::{Audience, AudienceClass, Decision, Release, Scope, conditions_code};
use verbale_domain::flow::{CONSENT_GRANT, DISCLOSURE_NOTICE};
use verbale_domain::{NAME_BYTES_MAX, Notice, is_line};
use verbale_envelope::{BadRecipient, FactsKey, NoticeKeys, Recipient, Reopened, seal_text};
use verbale_evidence::{MessageId, SignedDisclosure, covered_digest, part, presentation_text};
use verbale_exchange::{Asking, Bound, DisclosureRequest, Exchange, Held, Input, ReleaseFacts, Told};
use verbale_journal::{Journal, Logged, Store};
use verbale_proto::v1::{DiscloseResponse, DisclosureQuery, Facts, JudgeResponse, Part, Presentation, Receipt};
use verbale_rpc::tonic::Status;
use verbale_rpc::{Failure, FailureKind};

use crate::clock::now_ms;
use crate::consent::{particulars, require_scope, typed_scope};
use crate::core::{Answer, Core, Needs, Stopped};
use crate::letter::refused;
use crate::local::stopping;
use crate::local_reads::{SealedHeld, damaged, envelope, failed, find, reveal, sealed};
use crate::person::{Person, Sight};
use crate::random;
use crate::shared::Shared;

/// Decides without a log entry.
pub(crate) async fn judge(shared: &Arc<Shared>, core: &Core, query: DisclosureQuery) -> Result<JudgeResponse, Status> {
    let asked = core.read(move |exchange, journal| asked(exchange, journal, &query)).await.map_err(stopping)??;
    let opening = Arc::clone(shared);
    let opened = tokio::task::spawn_blocking(move || {
        let (opened, _) = reveal(&opening, &asked.sealed)?;
        Ok::<_, Failure>((asked, opened.notice.marks()))
    });
    let (asked, marks) = opened.await.map_err(|_| stopping(Stopped))??;
    let judged = core.read(move |exchange, _| {
        let stranger = exchange.stranger(&asked.held, &asked.scope);
        stranger
            .unwrap_or_else(|| exchange.judge(now_ms(), &asked.held, &marks, &asked.scope, &Asking::default()).decision)
    });
    Ok(response(&judged.await.map_err(stopping)?))
}

/// Decides, logs, and makes the presentation where it is allowed.
pub(crate) async fn disclose(
    shared: &Arc<Shared>,
    core: &Core,
    person: &Arc<Person>,
    query: DisclosureQuery,
) -> Result<DiscloseResponse, Status> {
    let asking = Asking { acknowledged: query.conditions_code.clone(), publishing: false };
    let asked = core.read(move |exchange, journal| asked(exchange, journal, &query)).await.map_err(stopping)??;
    let (opening, actor) = (Arc::clone(shared), person.name.clone());
    let prepared = tokio::task::spawn_blocking(move || {
        let Asked { held, scope, sealed } = asked;
        prepare(&opening, (held.message_id, sealed), actor, asking, |_| Ok(Asks { scope, nothing: None }))
    });
    let (request, notice) = prepared.await.map_err(|_| stopping(Stopped))??;
    release(shared, core, request, notice).await
}

/// Decides about a prepared release, logs it, and makes the presentation where it is allowed.
pub(crate) async fn release(
    shared: &Arc<Shared>,
    core: &Core,
    request: DisclosureRequest,
    notice: Opened,
) -> Result<DiscloseResponse, Status> {
    let fields = request.scope.fields.clone();
    let asked = core.ask(Needs::Room, move |ticket| Input::Disclose(ticket, Box::new(request))).await;
    let (decision, released, conditions, logged) = match asked.map_err(stopping)?.await {
        Ok(Answer::Told {
            told: Told::Judged { decision, released: Some(released), conditions },
            logged: Some(logged),
        }) => (decision, released, conditions, logged),
        Ok(Answer::Told { told: Told::Judged { decision, conditions, .. }, .. }) => {
            let counted = if conditions.is_empty() { "DISCLOSURE_DENIED" } else { "CONDITIONS_NOT_ACKNOWLEDGED" };
            shared.denied.count(counted);
            let (judged, shown) = (Some(response(&decision)), conditions_code(&conditions));
            let response =
                DiscloseResponse { judged, conditions, conditions_code: shown, ..DiscloseResponse::default() };
            return Ok(response);
        }
        Ok(Answer::Told { told: Told::NoSuchNotice, .. }) => {
            let text = "it was refused: nothing of it is held";
            return Err(Failure::new(FailureKind::NotFound, "NO_SUCH_NOTICE", text).status());
        }
        Ok(Answer::NotNow(failure)) => return Err(failure.status()),
        _ => return Err(stopping(Stopped)),
    };
    let index = released.index.0;
    let grounds = core.read({
        let held = released.grounds.clone();
        move |exchange, journal| grounds(exchange, journal, &held)
    });
    let grounds = grounds.await.map_err(stopping)??;
    let opening = Arc::clone(shared);
    let sealed = released.recipient.is_some();
    let made = tokio::task::spawn_blocking(move || {
        let text = present(&opening, (&notice, &fields, released.rests_on), (&released.disclosure, &logged), grounds)?;
        let Some(recipient) = &released.recipient else { return Ok(text) };
        let recipient: Recipient = recipient.parse().map_err(|error: BadRecipient| damaged(&error.to_string()))?;
        seal_text(text.as_bytes(), &recipient).map_err(|error| damaged(&error.to_string()))
    });
    let presentation = made.await.map_err(|_| stopping(Stopped))??;
    let (judged, conditions_code) = (Some(response(&decision)), conditions_code(&conditions));
    Ok(DiscloseResponse { judged, presentation, log_index: index, conditions, sealed, conditions_code })
}

fn response(decision: &Decision) -> JudgeResponse {
    JudgeResponse {
        decision: decision.verdict.decision().to_owned(),
        code: decision.verdict.code().to_owned(),
        clause: decision.clause.clone(),
        reason: decision.reason.clone(),
    }
}

/// What a query means.
struct Asked {
    held: Held,
    scope: Scope,
    sealed: SealedHeld,
}

fn asked(exchange: &Exchange, journal: &Journal, query: &DisclosureQuery) -> Result<Asked, Failure> {
    let held = find(exchange, &query.id, Sight::Numbers)?;
    let scope = if query.under.is_empty() {
        // Whoever is in no directory is denied by the core, which logs that.
        let stranger = || Audience { class: AudienceClass::ThirdParty, name: query.audience.clone() };
        if query.audience.trim().is_empty() || !is_line(&query.audience, NAME_BYTES_MAX) {
            return Err(refused("BAD_VALUE", "name the audience with --to, in one line".to_owned()));
        }
        let audience = exchange.audience(&query.audience).unwrap_or_else(stranger);
        let purpose = query.purpose.clone();
        typed_scope(&held, Scope { fields: query.fields.clone(), audience, purpose })?
    } else {
        if !query.fields.is_empty() || !query.audience.is_empty() || !query.purpose.is_empty() {
            let text = "fields, audience and purpose are those of what is named with --under; leave them out";
            return Err(refused("BAD_VALUE", text.to_owned()));
        }
        let under = find(exchange, &query.under, Sight::Numbers)?;
        let read = particulars(exchange, &under)
            .filter(|_| [CONSENT_GRANT, DISCLOSURE_NOTICE].contains(&under.flow.as_str()))
            .and_then(Scope::read);
        let none =
            || refused("NO_SUCH_REQUEST", format!("{} is no grant (F21) and no disclosure notice (F24)", query.under));
        let named = read.ok_or_else(none)?;
        // Whoever is named there is the one of the directory, which says who that is and to which key it is sealed: else the core denies it,
        // and logs that.
        require_scope(&held, named)?
    };
    // By its message id: a registry number may name a notice of each side.
    let sealed = sealed(exchange, journal, &held.message_id.to_string())?;
    Ok(Asked { held, scope, sealed })
}

/// A notice that was opened for its release.
pub(crate) struct Opened {
    pub(crate) reopened: Reopened,
    sealed: SealedHeld,
}

impl Opened {
    /// Opens it, in a worker.
    pub(crate) fn new(shared: &Shared, sealed: SealedHeld) -> Result<(Self, NoticeKeys), Failure> {
        let (reopened, keys) = reveal(shared, &sealed)?;
        Ok((Self { reopened, sealed }, keys))
    }
}

/// What is asked for.
pub(crate) struct Asks {
    pub(crate) scope: Scope,
    /// Why there is nothing in it to publish.
    pub(crate) nothing: Option<&'static str>,
}

/// Opens a notice and prepares its release under a scope that may depend on what it says.
pub(crate) fn prepare(
    shared: &Shared,
    (message_id, sealed): (MessageId, SealedHeld),
    actor: String,
    asking: Asking,
    scope: impl FnOnce(&Notice) -> Result<Asks, Failure>,
) -> Result<(DisclosureRequest, Opened), Failure> {
    let (opened, keys) = Opened::new(shared, sealed)?;
    let Asks { scope, nothing } = scope(&opened.reopened.notice)?;
    let nonce: [u8; 16] = random::bytes();
    let covered = covered_digest(opened.reopened.notice.covered(&scope.fields));
    let bound = Bound { nonce, covered: Some(covered) };
    let asked = Facts { particulars: Some(scope.particulars()), ..Facts::default() };
    let released = Facts { nonce: nonce.to_vec(), covered: covered.to_vec(), ..asked.clone() };
    let facts = keys.facts.seal(message_id, &asked, &random::bytes());
    let id = MessageId::new(now_ms().unsigned_abs(), &random::bytes());
    let own = NoticeKeys::of_facts(FactsKey::from_bytes(random::bytes()));
    let release = ReleaseFacts {
        id,
        facts: own.facts.seal(id, &released, &random::bytes()),
        keys: shared.archive.wrap(id, &own, &random::bytes()),
    };
    let marks = opened.reopened.notice.marks();
    Ok((DisclosureRequest { message_id, actor, marks, scope, facts, release, bound, asking, nothing }, opened))
}

/// What the ground rests on, as the journal holds it.
#[derive(Default)]
pub(crate) struct Grounds {
    /// The grant or the disclosure notice.
    instrument: Option<SealedHeld>,
    /// The envelope of the request that a grant answers.
    links: Vec<Vec<u8>>,
    /// The receipt for a disclosure notice.
    receipt: Option<Receipt>,
}

pub(crate) fn grounds(exchange: &Exchange, journal: &Journal, held: &[Held]) -> Result<Grounds, Failure> {
    use prost::Message as _;
    let Some((first, rest)) = held.split_first() else { return Ok(Grounds::default()) };
    let instrument = Some(sealed(exchange, journal, &first.message_id.to_string())?);
    let links = rest.iter().map(|held| Ok(envelope(exchange, journal, held)?.bytes().to_vec()));
    let links = links.collect::<Result<Vec<_>, Failure>>()?;
    let receipt = first.receipt.map(|index| journal.receipt(index).map_err(|error| failed(&error))).transpose()?;
    let receipt = receipt.flatten().map(|bytes| Receipt::decode(bytes.as_slice()));
    let receipt = receipt.transpose().map_err(|_| damaged("a receipt cannot be read"))?;
    Ok(Grounds { instrument, links, receipt })
}

/// The presentation of a release, as text.
pub(crate) fn present(
    shared: &Shared,
    (notice, fields, ground): (&Opened, &[String], Release),
    (disclosure, logged): (&SignedDisclosure, &Logged),
    grounds: Grounds,
) -> Result<String, Failure> {
    let places = notice.reopened.notice.places(fields, ground);
    let whole = |opened: &Opened| {
        let count = u32::try_from(opened.reopened.notice.chunks().len()).unwrap_or(u32::MAX);
        (0..count).collect::<Vec<u32>>()
    };
    let instrument = grounds.instrument.map(|sealed| {
        let (opened, _) = Opened::new(shared, sealed)?;
        cut(&opened, &whole(&opened))
    });
    let presentation = Presentation {
        version: 1,
        notice: Some(cut(notice, &places)?),
        disclosure: disclosure.bytes.clone(),
        grounds: instrument.transpose()?.into_iter().collect(),
        links: grounds.links,
        receipt: grounds.receipt,
        entry: logged.entry().to_vec(),
        proof: logged.proof().to_text(),
    };
    let id: MessageId = notice.sealed.message_id();
    let explanation = format!(
        "Fields of notice {id}, released by {} on the ground {}.\nCheck it with: verbale-audit presentation FILE --card \
         ORIGINATOR'S-CARD --card DISCLOSER'S-CARD",
        shared.card.id,
        ground.as_str()
    );
    Ok(presentation_text(&presentation, &explanation))
}

fn cut(opened: &Opened, places: &[u32]) -> Result<Part, Failure> {
    let envelope = opened.sealed.envelope().ok_or_else(|| damaged("a draft is no notice"))?;
    let cut = part(envelope.bytes(), &opened.reopened.seed, opened.reopened.notice.chunks(), places);
    cut.map_err(|error| damaged(&error.to_string()))
}
