//! Consent and notice: the notices F20 to F24 that the node writes for a person, and what came of the requests.

use std::sync::Arc;

use serde_json::{Value, json};
use verbale_domain::disclosure::{Audience, Evidence, Scope, held_evidence};
use verbale_domain::flow::{CONSENT_GRANT, CONSENT_REFUSE, CONSENT_REQUEST, CONSENT_WITHDRAW, DISCLOSURE_NOTICE};
use verbale_domain::{
    Course, Docketed, Memorandum, NAME_BYTES_MAX, Notice, NoticeKey, PURPOSE_BYTES_MAX, civil, is_line,
};
use verbale_exchange::{Exchange, Held};
use verbale_proto::v1::{ConsentStatus, Particulars, WriteRequest};
use verbale_rpc::Failure;

use crate::clock::now_ms;
use crate::letter::{self, Letter, refused};
use crate::local_reads::find;
use crate::person::Sight;
use crate::shared::Shared;

/// Writes the notice that a person asks for.
pub(crate) fn write(shared: &Arc<Shared>, exchange: &Exchange, request: &WriteRequest) -> Result<Vec<u8>, Failure> {
    let WriteRequest { flow, id, notice_id, .. } = request;
    let held = find(exchange, id, Sight::Numbers)?;
    let (memorandum, answered) = (held.channel.memorandum.clone(), held.notice_id.clone().unwrap_or_default());
    let (body, obligation) = match flow.as_str() {
        CONSENT_REQUEST => (request_body(shared, exchange, &held, request)?, "REPLY"),
        DISCLOSURE_NOTICE => (notice_body(shared, exchange, &held, request)?, "ACKNOWLEDGE"),
        CONSENT_GRANT => (grant_body(exchange, &held, request)?, "NONE"),
        CONSENT_REFUSE => (json!({"request": answered, "reason": reason(request)?}), "NONE"),
        CONSENT_WITHDRAW => {
            let effective_at = moment(shared, &memorandum, &request.effective_at)?;
            (json!({"consent": answered, "effective_at": effective_at, "reason": reason(request)?}), "STOP_DISCLOSURE")
        }
        _ => return Err(refused("BAD_ENUM", "only F20 to F24 are written here; submit the notice itself".to_owned())),
    };
    let grants = flow == CONSENT_GRANT;
    let on_behalf_of = if grants { concurrence(shared, &memorandum, &request.concurrence)? } else { String::new() };
    let letter = Letter {
        memorandum: &memorandum,
        flow,
        number: Some(notice_id.clone()).filter(|number| !number.is_empty()),
        correlates_to: Some(&answered),
        obligation,
        clause: None,
        on_behalf_of,
        body,
    };
    Ok(letter::write(shared, letter)?.1)
}

/// Fields, audience and purpose as a person gave them, with the audience as the directory has it.
pub(crate) fn scope(
    exchange: &Exchange,
    held: &Held,
    (fields, audience, purpose): (&[String], &str, &str),
) -> Result<Scope, Failure> {
    let audience = require_known(exchange, audience)?;
    typed_scope(held, Scope { fields: fields.to_vec(), audience, purpose: purpose.to_owned() })
}

/// A scope that a person typed: its purpose is a line.
pub(crate) fn typed_scope(held: &Held, scope: Scope) -> Result<Scope, Failure> {
    if scope.purpose.trim().is_empty() || !is_line(&scope.purpose, PURPOSE_BYTES_MAX) {
        let text = format!("say in one line of at most {PURPOSE_BYTES_MAX} bytes for what it is disclosed");
        return Err(refused("PURPOSE_MISSING", text));
    }
    require_scope(held, scope)
}

/// The audience of this name, as the directory has it.
pub(crate) fn require_known(exchange: &Exchange, name: &str) -> Result<Audience, Failure> {
    exchange.audience(name).ok_or_else(|| {
        let text = "is no confirmed audience: one person enters it with `verbale audience enter`, another confirms it with `verbale \
                    audience confirm`";
        refused("UNKNOWN_AUDIENCE", format!("{name:?} {text}"))
    })
}

/// A scope that a release can be signed for: fields of the kind, each once.
pub(crate) fn require_scope(held: &Held, scope: Scope) -> Result<Scope, Failure> {
    let Scope { mut fields, audience, purpose } = scope;
    let unknown = fields.iter().find(|field| !Notice::has_field(&held.flow, field));
    if fields.is_empty() || unknown.is_some() {
        let kind = Notice::kind_of(&held.flow).unwrap_or_default();
        let what = unknown
            .map_or_else(|| "name at least one field".to_owned(), |field| format!("{kind} has no field {field}"));
        return Err(refused(
            "UNKNOWN_FIELD",
            format!("{what}; a field is a path such as org.name_en, and * is the whole notice"),
        ));
    }
    if !is_line(&audience.name, NAME_BYTES_MAX) {
        return Err(refused(
            "UNKNOWN_AUDIENCE",
            format!("the audience's name is no line of at most {NAME_BYTES_MAX} bytes"),
        ));
    }
    fields.sort();
    fields.dedup();
    Ok(Scope { fields, audience, purpose })
}

fn scope_members(exchange: &Exchange, held: &Held, request: &WriteRequest) -> Result<Value, Failure> {
    let Scope { fields, audience, purpose } =
        scope(exchange, held, (&request.fields, &request.audience, &request.purpose))?;
    Ok(json!({
        "about_notice": held.notice_id, "fields": fields, "purpose": purpose,
        "audience": {"class": audience.class.as_str(), "name": audience.name},
    }))
}

fn request_body(shared: &Shared, exchange: &Exchange, held: &Held, request: &WriteRequest) -> Result<Value, Failure> {
    let mut body = scope_members(exchange, held, request)?;
    let from = day_or_today(shared, held, &request.valid_from)?;
    let mut validity = json!({"from": from});
    if !request.valid_to.is_empty() {
        insert(&mut validity, "to", request.valid_to.as_str().into());
    }
    insert(&mut body, "requested_validity", validity);
    Ok(body)
}

fn notice_body(shared: &Shared, exchange: &Exchange, held: &Held, request: &WriteRequest) -> Result<Value, Failure> {
    let mut body = scope_members(exchange, held, request)?;
    let not_before = moment(shared, &held.channel.memorandum, &request.effective_at)?;
    insert(&mut body, "disclose_not_before", not_before.into());
    Ok(body)
}

/// A grant covers what was asked for, or less.
fn grant_body(exchange: &Exchange, held: &Held, request: &WriteRequest) -> Result<Value, Failure> {
    let asked = particulars(exchange, held).filter(|_| held.flow == CONSENT_REQUEST);
    let asked = asked.ok_or_else(|| refused("NO_SUCH_REQUEST", "it is no consent request (F20)".to_owned()))?;
    let or = |given: &str, asked: &str| if given.is_empty() { asked.to_owned() } else { given.to_owned() };
    let to = or(&request.valid_to, &asked.valid_to);
    if to.is_empty() {
        let text = "the request names no last day, and a grant has one: give it with --until";
        return Err(refused("MISSING_FIELD", text.to_owned()));
    }
    let fields = if request.fields.is_empty() { &asked.fields } else { &request.fields };
    Ok(json!({
        "about_notice": asked.about, "fields": fields, "purpose": asked.purpose,
        "audience": {"class": asked.audience_class, "name": asked.audience_name},
        "validity": {"from": or(&request.valid_from, &asked.valid_from), "to": to}, "conditions": request.conditions,
    }))
}

/// The bodies of the own side whose concurrence a grant carries: those that a person names, else that of the contact point alone.
fn concurrence(shared: &Shared, memorandum: &str, named: &[String]) -> Result<String, Failure> {
    let held = letter::memorandum(shared, memorandum)?;
    let side = held.side_of(&shared.card.id, civil::date_of(now_ms(), time::UtcOffset::UTC)).unwrap_or_default();
    let today = civil::date_of(now_ms(), held.utc_offset(side));
    let known: Vec<&str> = held.bodies(side, today).collect();
    if named.iter().any(|body| !known.contains(&body.as_str())) {
        let text =
            format!("a grant carries the concurrence of bodies of its side under {memorandum}: {}", known.join(", "));
        return Err(refused("NOT_A_PARTY", text));
    }
    let office = held.contact_point(side, today).map(|contact| contact.office).unwrap_or_default();
    let own = held.body_of(side, office, today).into_iter().map(str::to_owned);
    // In the order in which the memorandum has them, each once.
    let all: Vec<String> = if named.is_empty() {
        own.collect()
    } else {
        known.iter().filter(|body| named.iter().any(|name| name == *body)).map(|body| (*body).to_owned()).collect()
    };
    Ok(all.join(", "))
}

/// What the docket keeps of a notice.
pub(crate) fn particulars<'e>(exchange: &'e Exchange, held: &Held) -> Option<&'e Particulars> {
    let course = exchange.docket().course(&held.channel.memorandum)?;
    let (side, number) = (held.side.as_deref()?, held.notice_id.as_deref()?);
    course.get(&NoticeKey { side: side.to_owned(), number: number.to_owned() }).map(Docketed::particulars)
}

fn reason(request: &WriteRequest) -> Result<&str, Failure> {
    let given = Some(request.reason.as_str()).filter(|reason| !reason.trim().is_empty());
    given.ok_or_else(|| refused("MISSING_FIELD", "give the other side a reason with --reason".to_owned()))
}

fn day_or_today(shared: &Shared, held: &Held, given: &str) -> Result<String, Failure> {
    if !given.is_empty() {
        return Ok(given.to_owned());
    }
    // A grant's days are whole days at the originator's.
    let memorandum = letter::memorandum(shared, &held.channel.memorandum)?;
    let offset = memorandum.utc_offset(held.side.as_deref().unwrap_or_default());
    Ok(civil::date_of(now_ms(), offset).to_string())
}

fn moment(shared: &Shared, memorandum: &str, given: &str) -> Result<String, Failure> {
    if !given.is_empty() {
        return Ok(given.to_owned());
    }
    let memorandum = letter::memorandum(shared, memorandum)?;
    let side = memorandum.side_of(&shared.card.id, civil::date_of(now_ms(), time::UtcOffset::UTC));
    // A second later: nothing is announced for a time before it was issued.
    Ok(civil::moment_text(now_ms() + 1000, memorandum.utc_offset(side.unwrap_or_default())))
}

fn insert(object: &mut Value, name: &str, value: Value) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}

/// Every consent request under every memorandum with each of its answers, oldest first.
pub(crate) fn consents(exchange: &Exchange, now_ms: i64) -> Vec<ConsentStatus> {
    let mut all: Vec<(i64, ConsentStatus)> = Vec::new();
    for memorandum in exchange.own().memoranda.iter() {
        let Some(course) = exchange.docket().course(&memorandum.id) else { continue };
        let requests = course.notices().filter(|(_, notice)| notice.flow == CONSENT_REQUEST);
        all.extend(requests.flat_map(|(key, request)| {
            let answers = consent(exchange, (memorandum, course), (key, request), now_ms);
            answers.into_iter().map(|answer| (request.since_ms, answer))
        }));
    }
    all.sort_by(|(a, first), (b, second)| (a, &first.request).cmp(&(b, &second.request)));
    all.into_iter().map(|(_, consent)| consent).collect()
}

fn consent(
    exchange: &Exchange,
    (memorandum, course): (&Memorandum, &Course),
    (key, request): (&NoticeKey, &Docketed),
    now_ms: i64,
) -> Vec<ConsentStatus> {
    let asked = request.particulars();
    let utc = civil::date_of(now_ms, time::UtcOffset::UTC);
    let ours = memorandum.side_of(&exchange.own().card.id, utc) == Some(&key.side);
    let own = |text: &String| if ours { text.clone() } else { String::new() };
    let status = ConsentStatus {
        request: key.number.clone(),
        memorandum: memorandum.id.clone(),
        about: asked.about.clone(),
        fields: asked.fields.clone(),
        audience_class: asked.audience_class.clone(),
        asked_by: key.side.clone(),
        ours,
        state: "WAITING".to_owned(),
        audience_name: own(&asked.audience_name),
        purpose: own(&asked.purpose),
        ..ConsentStatus::default()
    };
    let settles = |(_, answer): &(&NoticeKey, &Docketed)| {
        answer.delivered_ms.is_some() && [CONSENT_GRANT, CONSENT_REFUSE].contains(&answer.flow.as_str())
    };
    let about = request.answers.clone().unwrap_or_else(|| key.clone());
    let held = held_evidence(memorandum, course, &about, &key.side);
    let settled = |(answer, notice): (&NoticeKey, &Docketed)| {
        if notice.flow == CONSENT_REFUSE {
            return ConsentStatus { state: "REFUSED".to_owned(), answer: answer.number.clone(), ..status.clone() };
        }
        let grant = held.iter().find_map(|piece| match &piece.evidence {
            Evidence::Grant(grant) if piece.notices.first() == Some(answer) => Some(grant),
            _ => None,
        });
        let withdrawn_ms = grant.and_then(|grant| grant.withdrawn_ms).unwrap_or_default();
        let state = match grant {
            Some(_) if withdrawn_ms != 0 && now_ms >= withdrawn_ms => "WITHDRAWN",
            Some(grant) if now_ms > grant.until_ms => "EXPIRED",
            Some(grant) if now_ms < grant.from_ms => "NOT_YET",
            Some(_) => "GRANTED",
            None => "REPLACED",
        };
        let granted = notice.particulars();
        ConsentStatus {
            state: state.to_owned(),
            answer: answer.number.clone(),
            fields: granted.fields.clone(),
            valid_from: granted.valid_from.clone(),
            valid_to: granted.valid_to.clone(),
            withdrawn_ms,
            // Bodies of the side: the rules let no other words pass.
            concurrence: granted.concurrence.clone(),
            conditions: u32::try_from(granted.conditions.len()).unwrap_or(u32::MAX),
            ..status.clone()
        }
    };
    // Each grant opens what it opens, whatever other answers there are.
    let all: Vec<ConsentStatus> = course.answers_to(key).filter(settles).map(settled).collect();
    if all.is_empty() { vec![status] } else { all }
}
