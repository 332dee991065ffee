//! A third side's information in notices, and the report about what was carried here without a ground.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use verbale_audit::{Carried, Carrying, OnwardFault, ReleaseShown, carried, check_onward};
use verbale_domain::flow::BREACH_REPORT;
use verbale_domain::{Code, Notice, Refusal, civil};
use verbale_envelope::{FactsKey, NoticeKeys};
use verbale_evidence::{MessageId, read_entry};
use verbale_exchange::{BreachReport, CarriedOn, Exchange, HeldBreach};
use verbale_journal::{Journal, Store};
use verbale_proto::v1::log_entry::Event;
use verbale_proto::v1::{BreachStatus, Facts};
use verbale_rpc::{Failure, FailureKind};

use crate::clock::now_ms;
use crate::letter::refused;
use crate::local_reads::{damaged, failed};
use crate::random;
use crate::shared::Shared;

/// Verifies what a notice carries of third sides' information, as the sender at submission and as the recipient on arrival. Whether the
/// sender's grounds still hold is for the sender's core to say.
///
/// # Errors
/// The refusal, and whose information was carried where that can be read.
pub(crate) fn check(
    shared: &Shared,
    notice: &Notice,
    (sender, recipient): (&str, &str),
) -> Result<Vec<CarriedOn>, Box<(Refusal, Option<Carried>)>> {
    let texts = notice.onward();
    let mut carries = Vec::new();
    if texts.is_empty() {
        return Ok(carries);
    }
    // Without a memorandum the rules refuse the notice.
    let Some(memorandum) = shared.memoranda.get(&notice.header().memorandum) else { return Ok(carries) };
    let peers = shared.peers.now();
    let card_of = |id: &str| {
        if id == shared.card.id {
            Some(shared.own_cards.clone())
        } else {
            peers.by_id.get(id).map(|peer| peer.cards.clone())
        }
    };
    let today = civil::date_of(now_ms(), time::UtcOffset::UTC);
    for (place, text) in texts.into_iter().enumerate() {
        // Its envelope was verified: the card is there.
        let checked = card_of(sender).ok_or(OnwardFault::OriginatorNotEnrolled(sender.to_owned())).and_then(|sender| {
            let carrying = Carrying { sender: &sender, recipient, memorandum, today };
            check_onward(text, &carrying, card_of, &shared.memoranda)
        });
        let fault = match checked {
            Ok(release) => {
                let ReleaseShown { message_id, scope, rests_on, has_document } = release;
                carries.push(CarriedOn { message_id, scope, rests_on, has_document });
                continue;
            }
            Err(fault) => fault,
        };
        let (code, reason) = match &fault {
            OnwardFault::OriginatorNotEnrolled(_) => (
                Code::OnwardOriginatorNotEnrolled,
                "is of an originator whose card is not enrolled here; compare its fingerprint and enrol it",
            ),
            OnwardFault::Audience => (
                Code::OnwardAudience,
                "was disclosed to another audience than the recipient; ask its originator for consent that names it",
            ),
            OnwardFault::NotSound(_) => (
                Code::OnwardNotSound,
                "proves nothing, or its ground does not hold; `verbale-audit presentation` says why",
            ),
        };
        let refusal = Refusal::new(code, format!("onward[{place}]"), reason).under(memorandum.clause_of_disclosure());
        return Err(Box::new((refusal, carried(text))));
    }
    Ok(carries)
}

/// What is kept about a breach.
pub(crate) fn report(shared: &Shared, carried: Option<Carried>) -> BreachReport {
    let id = MessageId::new(now_ms().unsigned_abs(), &random::bytes());
    let keys = NoticeKeys::of_facts(FactsKey::from_bytes(random::bytes()));
    let facts = carried.map_or_else(Facts::default, |Carried { originator, memorandum, number }| Facts {
        notice_id: number,
        from_side: originator,
        memorandum,
        ..Facts::default()
    });
    let sealed = keys.facts.seal(id, &facts, &random::bytes());
    BreachReport { id, facts, sealed, keys: shared.archive.wrap(id, &keys, &random::bytes()) }
}

/// Every breach that was refused here.
pub(crate) fn breaches(exchange: &Exchange) -> Vec<BreachStatus> {
    let status = |held: &HeldBreach| BreachStatus {
        breach_id: held.id.to_string(),
        message_id: held.message_id.to_string(),
        sender: held.sender.clone(),
        sent_under: held.sent_under.clone(),
        code: held.code.clone(),
        originator: held.originator.clone().unwrap_or_default(),
        memorandum: held.memorandum.clone().unwrap_or_default(),
        notice_id: held.number.clone().unwrap_or_default(),
        time_ms: held.time_ms,
        log_index: held.index.0,
    };
    exchange.breaches().map(status).collect()
}

/// The report about a breach (S04) as JSON: the notice to its originator, and what shows that the sender sent it. Nothing of what was
/// carried is in it: this node does not keep that.
pub(crate) fn file(shared: &Shared, (exchange, journal): (&Exchange, &Journal), id: &str) -> Result<String, Failure> {
    let held = exchange.breaches().find(|held| held.id.to_string() == id || held.message_id.to_string() == id);
    let none = || Failure::new(FailureKind::NotFound, "NO_SUCH_BREACH", format!("no breach {id} was refused here"));
    let held = held.ok_or_else(none)?;
    let logged = journal.logged(held.index).map_err(|error| failed(&error))?;
    let Ok(Event::NoticeRefused(entry)) = read_entry(logged.entry()).map(|told| told.event) else {
        return Err(damaged("the entry of a breach is not about a refusal"));
    };
    let report = json!({
        "notice": notice(shared, held)?,
        "refused": {
            "by": shared.card.id, "sender": held.sender, "message_id": held.message_id.to_string(), "code": held.code,
            "sent_under": held.sent_under, "at": civil::moment_text(held.time_ms, time::UtcOffset::UTC),
            "statement": STANDARD.encode(&entry.envelope), "entry": STANDARD.encode(logged.entry()), "proof": logged.proof().to_text(),
        },
    });
    Ok(format!("{report:#}\n"))
}

fn notice(shared: &Shared, held: &HeldBreach) -> Result<Value, Failure> {
    let now = now_ms();
    let today = civil::date_of(now, time::UtcOffset::UTC);
    let unknown = |what: &str| refused("UNKNOWN_MEMORANDUM", format!("{what}; write to the originator by hand"));
    let (Some(originator), Some(id)) = (&held.originator, &held.memorandum) else {
        return Err(unknown("what was carried does not say whose information it is"));
    };
    let memorandum = shared.memoranda.get(id);
    let memorandum = memorandum.ok_or_else(|| unknown("this node holds no memorandum of that name"))?;
    let to = memorandum.side_of(originator, today);
    let to = to.ok_or_else(|| unknown("the memorandum does not name that originator as a contact point"))?;
    // The sides may share no memorandum: then this one writes as what it is under its own.
    let sent_under = shared.memoranda.get(&held.sent_under);
    let own = memorandum.side_of(&shared.card.id, today).map(|side| (side, memorandum));
    let own = own.or_else(|| sent_under.and_then(|held| Some((held.side_of(&shared.card.id, today)?, held))));
    let (from, under) = own.ok_or_else(|| unknown("this node is no contact point of a memorandum here"))?;
    let office = |of: &verbale_domain::Memorandum, side: &str| {
        of.contact_point(side, civil::date_of(now, of.utc_offset(side))).map(|contact| contact.office.to_owned())
    };
    let by_whom = &shared.card.id;
    let why = if held.code == "ONWARD_ORIGINATOR_NOT_ENROLLED" {
        format!("whose ground could not be checked here, since your card is not enrolled at {by_whom}")
    } else {
        format!("and no ground that names {by_whom} and holds came with it")
    };
    let what = format!(
        "{} sent a notice under {} that carried this information to {by_whom}, {why} ({}). The notice was refused and not kept.",
        held.sender, held.sent_under, held.code
    );
    let found_on = civil::date_of(held.time_ms, under.utc_offset(from)).to_string();
    Ok(json!({
        "notice_id": format!("{from}-{BREACH_REPORT}-{}", held.time_ms), "memorandum": memorandum.id, "flow": BREACH_REPORT,
        "kind": Notice::kind_of(BREACH_REPORT), "clause": memorandum.clause_of_disclosure(),
        "from": {"party": from, "office": office(under, from)}, "to": {"party": to, "office": office(memorandum, to)},
        "issued_at": civil::moment_text(now, under.utc_offset(from)), "classification": "CONFIDENTIAL", "receiver_obligation": "NONE",
        "languages": ["en"], "correlates_to": held.number, "body": {"about_notice": held.number, "what": what, "found_on": found_on},
    }))
}
