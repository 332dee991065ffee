//! State as the local service shows it: ids, numbers, codes and times, never content.

use time::Date;
use verbale_domain::flow::TERMINATION;
use verbale_domain::{
    Code, DutyItem, Memorandum, Notice, Organisation, Told, civil, clause_of_refusal, conditions_of_document,
};
use verbale_exchange::{Exchange, Happening, Held, LinkState, Mailbox, NoticeState, What};
use verbale_ledger::LogIndex;
use verbale_proto::v1::{
    Box as WireBox, ChannelStatus, DutiesRequest, DutyStatus, HistoryItem, ListRequest, ListResponse, MemorandumStatus,
    NoticeSummary, OrganisationStatus, PeerStatus, ShowResponse,
};

use crate::person::Sight;

/// A list has at most so many notices; for more, ask again after the last.
const LIST_MAX: u32 = 1_000;

/// One notice.
pub(crate) fn summary(held: &Held, sight: Sight) -> NoticeSummary {
    let number = |number: &Option<String>| match sight {
        Sight::Numbers => number.clone().unwrap_or_default(),
        Sight::LogOnly => String::new(),
    };
    let (state, code) = match &held.state {
        NoticeState::Queued => ("QUEUED", ""),
        NoticeState::Delivered => ("DELIVERED", ""),
        NoticeState::Refused(code) if code == "EXPIRED" => ("EXPIRED", code.as_str()),
        NoticeState::Refused(code) => ("REFUSED", code.as_str()),
        NoticeState::ExpiredUnanswered => ("EXPIRED_UNANSWERED", ""),
        NoticeState::Received => ("RECEIVED", ""),
        NoticeState::HandedOver => ("HANDED_OVER", ""),
        NoticeState::RefusedByUs(code) => ("REFUSED_BY_US", code.as_str()),
        NoticeState::Displaced => ("DISPLACED", ""),
    };
    NoticeSummary {
        message_id: held.message_id.to_string(),
        notice_id: number(&held.notice_id),
        flow: held.flow.clone(),
        kind: Notice::kind_of(&held.flow).unwrap_or_default().to_owned(),
        memorandum: held.channel.memorandum.clone(),
        counterpart: held.channel.peer.clone(),
        r#box: match held.mailbox {
            Mailbox::Inbox => WireBox::Inbox.into(),
            Mailbox::Outbox => WireBox::Outbox.into(),
        },
        state: state.to_owned(),
        code: code.to_owned(),
        number: held.number,
        log_index: held.index.0,
        time_ms: held.time_ms,
        correlates_to: number(&held.correlates_to),
    }
}

/// A part of a mailbox, in the order of the log.
pub(crate) fn list(exchange: &Exchange, request: &ListRequest, sight: Sight) -> ListResponse {
    let wanted = |held: &&Held| match request.r#box() {
        WireBox::Any => true,
        WireBox::Inbox => held.mailbox == Mailbox::Inbox,
        WireBox::Outbox => held.mailbox == Mailbox::Outbox,
    };
    let limit = if request.limit == 0 { LIST_MAX } else { request.limit.min(LIST_MAX) };
    let after = exchange.notices_after(request.after_index.map(LogIndex)).filter(wanted);
    let notices = after.take(limit as usize).map(|held| summary(held, sight)).collect();
    ListResponse { notices, total: exchange.notices().filter(wanted).count() as u64 }
}

/// State and history of one notice.
pub(crate) fn show(exchange: &Exchange, held: &Held, sight: Sight) -> ShowResponse {
    let notice = summary(held, sight);
    let memorandum = exchange.own().memoranda.get(&held.channel.memorandum);
    let code = notice.code.parse::<Code>().ok();
    ShowResponse {
        clause: code.map(|code| clause_of_refusal(memorandum, &held.flow, code).to_owned()).unwrap_or_default(),
        notice: Some(notice),
        history: held.history.iter().map(history_item).collect(),
        statement_digest: held.statement.0.to_vec(),
        sealed_bytes: held.sealed_bytes,
        not_after_ms: held.not_after_ms,
    }
}

fn history_item(happening: &Happening) -> HistoryItem {
    let (event, detail) = match &happening.what {
        What::Sent(actor) => ("SENT", actor.as_str()),
        What::Received => ("RECEIVED", ""),
        What::Refused(code) => ("REFUSED", code.as_str()),
        What::Receipt(verdict) => ("RECEIPT", verdict.as_str()),
        What::Opened(actor) => ("OPENED", actor.as_str()),
        What::CarriedOn(recipient) => ("CARRIED_ON", recipient.as_str()),
        What::HeldBack(recipient) => ("HELD_BACK", recipient.as_str()),
        What::HandedOver(actor) => ("HANDED_OVER", actor.as_str()),
        What::Expired => ("EXPIRED", ""),
        What::Disclosed { code, published: true, .. } => ("PUBLISHED", code.as_str()),
        What::Disclosed { code, .. } => ("DISCLOSED", code.as_str()),
        What::Denied { code, .. } => ("DISCLOSURE_DENIED", code.as_str()),
        What::Displaced => ("DISPLACED", ""),
        What::Erased(actor) => ("ERASED", actor.as_str()),
    };
    HistoryItem {
        log_index: happening.index.0,
        time_ms: happening.time_ms,
        event: event.to_owned(),
        detail: detail.to_owned(),
    }
}

/// The channels of each counterpart.
pub(crate) fn channels(exchange: &Exchange) -> Vec<ChannelStatus> {
    let mut channels: Vec<ChannelStatus> = exchange
        .outgoing()
        .map(|(channel, next_number, waiting, link)| {
            let (name, retry_at_ms) = match link.map(|link| link.state) {
                None | Some(LinkState::Idle) => ("IDLE", 0),
                Some(LinkState::Connecting) => ("CONNECTING", 0),
                Some(LinkState::Open { .. }) => ("OPEN", 0),
                Some(LinkState::Backoff { retry_at_ms }) => ("BACKOFF", retry_at_ms),
            };
            ChannelStatus {
                counterpart: channel.peer.clone(),
                memorandum: channel.memorandum.clone(),
                next_number,
                waiting,
                link: name.to_owned(),
                trouble: link.map(|link| link.trouble.clone()).unwrap_or_default(),
                retry_at_ms,
                next_expected: 1,
            }
        })
        .collect();
    for (channel, next_expected) in exchange.incoming() {
        let known = channels.iter_mut().find(|c| c.counterpart == channel.peer && c.memorandum == channel.memorandum);
        match known {
            Some(known) => known.next_expected = next_expected,
            None => channels.push(ChannelStatus {
                counterpart: channel.peer.clone(),
                memorandum: channel.memorandum.clone(),
                next_number: 1,
                link: "IDLE".to_owned(),
                next_expected,
                ..ChannelStatus::default()
            }),
        }
    }
    channels
}

/// The enrolled counterparts.
pub(crate) fn peers(exchange: &Exchange) -> Vec<PeerStatus> {
    let status = |(id, peer): (&String, &verbale_exchange::Peer)| PeerStatus {
        id: id.clone(),
        serial: peer.card().serial,
        fingerprint: peer.card().card_key.fingerprint().to_string(),
        address: peer.address.clone(),
        revoked: peer.is_revoked(),
        card_until_ms: peer.card().valid_until_ms,
    };
    exchange.peers().iter().map(status).collect()
}

/// The memoranda held.
pub(crate) fn memoranda(exchange: &Exchange) -> Vec<MemorandumStatus> {
    let status = |memorandum: &Memorandum| {
        let course = exchange.docket().course(&memorandum.id).cloned().unwrap_or_default();
        let in_force_since = match course.in_force_since(memorandum) {
            None => "not commenced".to_owned(),
            Some(None) => "not verified".to_owned(),
            Some(Some(day)) => day.to_string(),
        };
        // When this side, or the other one, had it.
        let terminations = course.notices().filter(|(_, notice)| notice.flow == TERMINATION);
        let days = terminations.filter_map(|(key, notice)| {
            let other = memorandum.other_side(&key.side)?;
            Some(civil::date_of(notice.delivered_ms?, memorandum.utc_offset(other)))
        });
        let received = days.min().filter(|_| course.ends.is_none());
        MemorandumStatus {
            termination_received_on: received.map(|day| day.to_string()).unwrap_or_default(),
            id: memorandum.id.clone(),
            terms_digest: hex::encode(memorandum.terms_digest()),
            in_force_since,
            ends_on: course.ends.map(|day| day.to_string()).unwrap_or_default(),
            basis: memorandum.basis().as_str().to_owned(),
        }
    };
    exchange.own().memoranda.iter().map(status).collect()
}

/// This node's side under a memorandum, and what day it is there.
fn own_day<'m>(exchange: &Exchange, memorandum: &'m Memorandum, now_ms: i64) -> (&'m str, Date) {
    let utc = civil::date_of(now_ms, time::UtcOffset::UTC);
    let side = memorandum.side_of(&exchange.own().card.id, utc).unwrap_or_default();
    (side, civil::date_of(now_ms, memorandum.utc_offset(side)))
}

/// Sending organisations under all memoranda.
pub(crate) fn organisations(exchange: &Exchange, now_ms: i64) -> Vec<OrganisationStatus> {
    let mut all = Vec::new();
    for memorandum in exchange.own().memoranda.iter() {
        let Some(course) = exchange.docket().course(&memorandum.id) else { continue };
        let (_, today) = own_day(exchange, memorandum, now_ms);
        all.extend(Told::new(course).organisations().into_iter().map(|of: Organisation| {
            let revoked = of.is_revoked(today);
            let (revoked_by, revoked_from) =
                of.revoked.map(|(by, from)| (by.number, from.to_string())).unwrap_or_default();
            OrganisationStatus {
                memorandum: memorandum.id.clone(),
                side: of.side,
                number: of.number,
                status: of.status,
                listed_in: of.listed_in.number,
                revoked_by,
                revoked_from,
                revoked,
            }
        }));
    }
    all
}

/// Duties under all memoranda, oldest first.
pub(crate) fn duties(exchange: &Exchange, request: DutiesRequest, now_ms: i64) -> Vec<DutyStatus> {
    let own = exchange.own();
    let mut all = Vec::new();
    for memorandum in own.memoranda.iter() {
        let Some(course) = exchange.docket().course(&memorandum.id) else { continue };
        let (side, today) = own_day(exchange, memorandum, now_ms);
        let wanted = |item: &DutyItem| {
            let kept = if request.overdue { item.is_overdue(today) } else { true };
            let is_seen = !item.unseen || item.owed_by == side;
            kept && is_seen && item.closed_ms.is_some() == request.closed
        };
        let documents = exchange.grounds().filter_map(|ground| {
            let about = exchange.notice(&ground.about).filter(|held| held.channel.memorandum == memorandum.id)?;
            let (_, confirmed_ms) = ground.confirmed.as_ref()?;
            let times = (*confirmed_ms, ground.ended_ms, now_ms);
            conditions_of_document(memorandum, (about.key()?, side), ground.recorded.as_ref()?, times)
        });
        let items = verbale_domain::duties(memorandum, course, now_ms).into_iter().chain(documents).filter(wanted);
        all.extend(items.map(|item| DutyStatus {
            duty: item.duty.as_str().to_owned(),
            memorandum: memorandum.id.clone(),
            ours: item.owed_by == side,
            overdue: item.is_overdue(today),
            notice_id: item.about.number,
            flow: item.flow,
            clause: item.clause,
            owed_by: item.owed_by,
            since_ms: item.since_ms,
            closes_by: item.closes_by,
            closed_ms: item.closed_ms.unwrap_or_default(),
            remind_on: item.remind_on.map(|day| day.to_string()).unwrap_or_default(),
        }));
    }
    all.sort_by_key(|duty| duty.since_ms);
    all
}
