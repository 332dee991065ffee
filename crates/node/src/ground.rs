//! Grounds outside the log, for the local service: what a document covers, as a person says, and the list of what was recorded.

use verbale_domain::disclosure::{OutsideGround, Recorded};
use verbale_domain::{PURPOSE_BYTES_MAX, civil, is_line};
use verbale_evidence::MessageId;
use verbale_exchange::{Exchange, HeldGround, Recording};
use verbale_journal::Journal;
use verbale_proto::v1::{Facts, GroundStatus, Particulars, RecordGroundRequest};
use verbale_rpc::Failure;

use crate::clock::now_ms;
use crate::consent::{require_scope, scope};
use crate::letter::{self, refused};
use crate::local_reads::{damaged, find, sealed};
use crate::person::Sight;
use crate::random;
use crate::register::everybody;
use crate::shared::Shared;

/// Conditions of one document: what people read and acknowledge each time.
const CONDITIONS_MAX: usize = 100;

/// What the core is asked to record.
pub(crate) fn recording(
    shared: &Shared,
    (exchange, journal): (&Exchange, &Journal),
    actor: String,
    request: &RecordGroundRequest,
) -> Result<Recording, Failure> {
    let held = find(exchange, &request.id, Sight::Numbers)?;
    let wrong = |text: &str| refused("BAD_VALUE", text.to_owned());
    let kind: OutsideGround = request.kind.parse().map_err(|_| {
        let kinds: Vec<&str> = OutsideGround::ALL.iter().map(|kind| kind.as_str()).collect();
        wrong(&format!("the kind is one of {}", kinds.join(", ")))
    })?;
    let (legal_basis, reasons_to_withhold) =
        (line(&request.legal_basis, "--basis")?, line(&request.reasons_to_withhold, "--withhold")?);
    if legal_basis.is_empty() {
        return Err(wrong("say with --basis what the document is: who wrote it, when, under which law"));
    }
    if kind == OutsideGround::LegalCompulsion && reasons_to_withhold.is_empty() {
        return Err(wrong("say with --withhold what spoke for withholding, or that nothing did"));
    }
    let is_public = matches!(kind, OutsideGround::OriginatorPublication | OutsideGround::PublicationBasis);
    let scope = match (is_public, request.audience.as_str(), request.purpose.as_str()) {
        (true, "", "") => require_scope(&held, everybody(request.fields.clone()))?,
        (true, ..) => return Err(wrong("what is public has no audience and no purpose of its own; leave them out")),
        (false, audience, purpose) => scope(exchange, &held, (&request.fields, audience, purpose))?,
    };
    let memorandum = letter::memorandum(shared, &held.channel.memorandum)?;
    let utc = civil::date_of(now_ms(), time::UtcOffset::UTC);
    if kind == OutsideGround::OwnWords && held.side.as_deref() != memorandum.side_of(&shared.card.id, utc) {
        return Err(wrong("own words are in an own notice; what the other side wrote becomes nobody else's"));
    }
    // Days are whole days at the side whose document it is.
    let own = memorandum.side_of(&shared.card.id, utc);
    let of_originator = matches!(kind, OutsideGround::PaperConsent | OutsideGround::OriginatorPublication);
    let side = if of_originator { held.side.as_deref() } else { own };
    let offset = memorandum.utc_offset(side.unwrap_or_default());
    let day = |text: &str| civil::day(text).ok_or_else(|| wrong("a day has the form YYYY-MM-DD"));
    let from_ms = match request.valid_from.as_str() {
        "" => civil::start_ms(civil::date_of(now_ms(), offset), offset),
        text => civil::start_ms(day(text)?, offset),
    };
    let until_ms = match request.valid_to.as_str() {
        "" if kind == OutsideGround::PaperConsent => {
            return Err(wrong("a consent has a last day; give it with --until"));
        }
        "" => i64::MAX,
        text => civil::end_ms(day(text)?, offset) - 1,
    };
    if until_ms < from_ms {
        return Err(wrong("its last day lies before its first"));
    }
    let document = digest(&request.document_sha256)?;
    let sealed = sealed(exchange, journal, &held.message_id.to_string())?;
    let keys = shared.archive.unwrap(held.message_id, sealed.wrapped());
    let keys = keys.map_err(|error| damaged(&error.to_string()))?;
    let basis = legal_basis.clone();
    let conditions = conditions(kind, &request.conditions)?;
    let particulars = Particulars { conditions: conditions.clone(), ..scope.particulars() };
    let facts = Facts { particulars: Some(particulars), legal_basis, reasons_to_withhold, ..Facts::default() };
    let recorded = Recorded { kind, scope, from_ms, until_ms, basis, conditions };
    Ok(Recording {
        id: MessageId::new(now_ms().unsigned_abs(), &random::bytes()),
        about: held.message_id,
        actor,
        document,
        recorded,
        sealed: keys.facts.seal(held.message_id, &facts, &random::bytes()),
        facts,
    })
}

/// Conditions that a document sets: of what is public and of own words nobody sets any.
fn conditions(kind: OutsideGround, given: &[String]) -> Result<Vec<String>, Failure> {
    use OutsideGround::{LegalCompulsion, MinistryRequest, PaperConsent};
    if !given.is_empty() && !matches!(kind, PaperConsent | LegalCompulsion | MinistryRequest) {
        let text = "only a consent, a legal compulsion or a ministry's request sets conditions; leave --condition out";
        return Err(refused("BAD_VALUE", text.to_owned()));
    }
    if given.len() > CONDITIONS_MAX {
        return Err(refused("BAD_VALUE", format!("a document has at most {CONDITIONS_MAX} conditions")));
    }
    let said = |text: &String| match line(text, "--condition")? {
        empty if empty.is_empty() => Err(refused("BAD_VALUE", "a condition is empty".to_owned())),
        text => Ok(text),
    };
    given.iter().map(said).collect()
}

fn line(text: &str, option: &str) -> Result<String, Failure> {
    let text = text.trim();
    if !is_line(text, PURPOSE_BYTES_MAX) {
        return Err(refused("BAD_VALUE", format!("{option} is one line of at most {PURPOSE_BYTES_MAX} bytes")));
    }
    Ok(text.to_owned())
}

/// A SHA-256.
pub(crate) fn digest(bytes: &[u8]) -> Result<[u8; 32], Failure> {
    bytes.try_into().map_err(|_| refused("BAD_VALUE", "a SHA-256 has 32 bytes".to_owned()))
}

/// The id of a ground.
pub(crate) fn id(text: &str) -> Result<MessageId, Failure> {
    text.parse().map_err(|_| refused("BAD_VALUE", "a ground's id is what `verbale ground list` shows".to_owned()))
}

/// Everything that was recorded.
pub(crate) fn grounds(exchange: &Exchange) -> Vec<GroundStatus> {
    let status = |held: &HeldGround| {
        let about = exchange.notice(&held.about).and_then(|held| held.notice_id.clone());
        let status = GroundStatus {
            ground_id: held.id.to_string(),
            message_id: held.about.to_string(),
            notice_id: about.unwrap_or_default(),
            document_sha256: held.document.to_vec(),
            reasons_to_withhold: held.reasons_to_withhold.clone(),
            recorded_by: held.recorded_by.clone(),
            confirmed_by: held.confirmed.as_ref().map(|(actor, _)| actor.clone()).unwrap_or_default(),
            ended: held.ended_ms.is_some(),
            ..GroundStatus::default()
        };
        match &held.recorded {
            None => status,
            Some(Recorded { kind, scope, from_ms, until_ms, basis, conditions }) => GroundStatus {
                conditions: conditions.clone(),
                kind: kind.as_str().to_owned(),
                fields: scope.fields.clone(),
                audience_class: scope.audience.class.as_str().to_owned(),
                audience_name: scope.audience.name.clone(),
                purpose: scope.purpose.clone(),
                valid_from_ms: *from_ms,
                valid_until_ms: *until_ms,
                legal_basis: basis.clone(),
                ..status
            },
        }
    };
    exchange.grounds().map(status).collect()
}
