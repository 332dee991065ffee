//! `verbale status`.

use std::process::ExitCode;

use serde_json::{Value, json};
use verbale_proto::v1::{ChannelStatus, MemorandumStatus, PeerStatus, StatusRequest, StatusResponse, TimeStampStatus};

use super::client;
use crate::args::NodeArgs;
use crate::failure::CliError;
use crate::output::{moment, say, second, table};

/// So long before a card is over, status says so: sixty days.
const CARD_ENDS_SOON_MS: i64 = 60 * 24 * 3600 * 1000;

pub(crate) async fn run(node: &NodeArgs) -> Result<ExitCode, CliError> {
    let status = client(node).await?.status(StatusRequest {}).await?.into_inner();
    if node.json {
        say!("{}", as_json(&status));
        return Ok(ExitCode::SUCCESS);
    }
    say!("{}  verbale {}  counterparts reach it at {}", status.id, status.version, status.peer_address);
    if !status.local_address.is_empty() {
        say!("people and systems of other machines reach it at {}", status.local_address);
    }
    say!("log: {} entries, index applied to {}\n{}", status.log_size, status.index_size, status.checkpoint.trim_end());
    let mut rows = table(&["counterpart", "serial", "address", "card fingerprint"]);
    for peer in &status.peers {
        let card = if peer.revoked { format!("{} REVOKED", peer.serial) } else { peer.serial.to_string() };
        rows.add_row([peer.id.clone(), card, peer.address.clone(), peer.fingerprint.clone()]);
    }
    say!("\n{rows}");
    for text in cards_near_their_end(&status) {
        say!("\n{text}");
    }
    if !status.held_back.is_empty() {
        say!("\nHELD BACK: {}", status.held_back);
    }
    for file in &status.equivocations {
        say!(
            "\nA LOG SHOWS TWO HISTORIES: {file}; keep the file, and verify it: verbale-audit equivocation {file} --card CARD"
        );
    }
    let mut rows = table(&["heads with", "ours cosigned at", "on", "theirs cosigned at", "trouble"]);
    for head in &status.heads {
        let on = if head.cosigned_size == 0 { String::new() } else { second(head.cosigned_s) };
        rows.add_row([
            head.counterpart.clone(),
            head.cosigned_size.to_string(),
            on,
            head.held_size.to_string(),
            head.trouble.clone(),
        ]);
    }
    say!("\n{rows}");
    if !status.earlier_keys.is_empty() {
        say!("\nkeys of earlier cards that counterparts may still need: {}", status.earlier_keys.join(", "));
    }
    if let Some(stamps) = &status.time_stamps {
        say!("\n{}", stamping(stamps));
    }
    let mut rows = table(&["channel with", "memorandum", "sent", "waiting", "received", "link", "trouble"]);
    for channel in &status.channels {
        rows.add_row([
            channel.counterpart.clone(),
            channel.memorandum.clone(),
            (channel.next_number.saturating_sub(1)).to_string(),
            channel.waiting.to_string(),
            (channel.next_expected.saturating_sub(1)).to_string(),
            link(channel),
            channel.trouble.clone(),
        ]);
    }
    say!("\n{rows}");
    let mut rows = table(&["memorandum", "in force since", "ends", "disclosure needs"]);
    for m in &status.memoranda {
        rows.add_row([m.id.clone(), m.in_force_since.clone(), ends(m), m.basis.clone()]);
    }
    say!("\n{rows}");
    for (title, counts) in [
        ("turned away since the start", &status.rejected),
        ("counterparts' notices refused", &status.refused),
        ("own requests refused", &status.denied),
    ] {
        let mut counts: Vec<_> = counts.iter().collect();
        counts.sort();
        let mut rows = table(&[title, "times"]);
        for (code, count) in &counts {
            rows.add_row([(*code).clone(), count.to_string()]);
        }
        if !counts.is_empty() {
            say!("\n{rows}");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Cards that are over soon, or were.
fn cards_near_their_end(status: &StatusResponse) -> Vec<String> {
    let now_ms = status.now_ms;
    let near = |until_ms: i64| until_ms < now_ms.saturating_add(CARD_ENDS_SOON_MS);
    let ends = |until_ms: i64| if until_ms < now_ms { "WAS OVER" } else { "is over" };
    let own = near(status.card_until_ms).then(|| {
        let (ends, on) = (ends(status.card_until_ms), moment(status.card_until_ms));
        format!(
            "THE OWN CARD {ends} on {on}: the node signs nothing afterwards. Make the next card: verbale keys rotate"
        )
    });
    let of_peer = |peer: &&PeerStatus| !peer.revoked && near(peer.card_until_ms);
    let peers = status.peers.iter().filter(of_peer).map(|peer| {
        let (ends, on) = (ends(peer.card_until_ms), moment(peer.card_until_ms));
        format!("the card of {} {ends} on {on}: nothing that it signs later is taken. Its next card comes by itself once it makes one", peer.id)
    });
    own.into_iter().chain(peers).collect()
}

fn stamping(of: &TimeStampStatus) -> String {
    let last = if of.last_size == 0 {
        "none of this log yet".to_owned()
    } else {
        format!("the last at size {} on {}", of.last_size, moment(of.last_ms))
    };
    let late =
        if of.is_late { "; LATE: the log has grown since, and nothing bounds the time of what came after" } else { "" };
    let trouble = if of.trouble.is_empty() { String::new() } else { format!("; {}", of.trouble) };
    format!("time stamps of {}: {last}{late}{trouble}", of.authority)
}

fn link(channel: &ChannelStatus) -> String {
    if channel.retry_at_ms == 0 {
        channel.link.clone()
    } else {
        format!("{}, tried again {}", channel.link, moment(channel.retry_at_ms))
    }
}

fn stamps_json(of: &TimeStampStatus) -> Value {
    json!({
        "authority": of.authority, "last_size": of.last_size, "last_at": (of.last_size > 0).then(|| moment(of.last_ms)),
        "trouble": of.trouble, "is_late": of.is_late,
    })
}

/// The last day of a memorandum, as far as it is known.
pub(crate) fn ends(m: &MemorandumStatus) -> String {
    match (m.ends_on.as_str(), m.termination_received_on.as_str()) {
        ("", "") => String::new(),
        ("", received) => format!("unknown: a termination was received on {received}, and the text was not seen"),
        (day, _) => day.to_owned(),
    }
}

/// One memorandum.
pub(crate) fn memorandum_json(m: &MemorandumStatus) -> Value {
    json!({
        "id": m.id, "terms_digest": m.terms_digest, "in_force_since": m.in_force_since,
        "ends_on": (!m.ends_on.is_empty()).then_some(&m.ends_on), "basis": m.basis,
        "termination_received_on": (!m.termination_received_on.is_empty()).then_some(&m.termination_received_on),
    })
}

fn as_json(status: &StatusResponse) -> Value {
    let channels: Vec<Value> = status
        .channels
        .iter()
        .map(|channel| {
            json!({
                "counterpart": channel.counterpart, "memorandum": channel.memorandum, "next_number": channel.next_number,
                "waiting": channel.waiting, "link": channel.link, "trouble": channel.trouble,
                "retry_at_ms": channel.retry_at_ms, "next_expected": channel.next_expected,
            })
        })
        .collect();
    let peers: Vec<Value> = status
        .peers
        .iter()
        .map(|peer| json!({"id": peer.id, "serial": peer.serial, "fingerprint": peer.fingerprint, "address": peer.address, "revoked": peer.revoked, "card_until": moment(peer.card_until_ms)}))
        .collect();
    let heads: Vec<Value> = (status.heads.iter())
        .map(|head| {
            json!({
                "counterpart": head.counterpart, "cosigned_size": head.cosigned_size, "cosigned_at_s": head.cosigned_s,
                "held_size": head.held_size, "trouble": head.trouble,
            })
        })
        .collect();
    let memoranda: Vec<Value> = status.memoranda.iter().map(memorandum_json).collect();
    json!({
        "id": status.id, "version": status.version, "log_size": status.log_size, "index_size": status.index_size,
        "checkpoint": status.checkpoint, "log_vkey": status.log_vkey, "peer_address": status.peer_address, "local_address": status.local_address,
        "channels": channels, "peers": peers, "memoranda": memoranda, "rejected": status.rejected, "refused": status.refused, "denied": status.denied,
        "earlier_keys": status.earlier_keys, "time_stamps": status.time_stamps.as_ref().map(stamps_json), "heads": heads, "held_back": status.held_back, "card_until": moment(status.card_until_ms), "equivocations": status.equivocations,
        "peer_bytes_sent": status.peer_bytes_sent, "peer_bytes_received": status.peer_bytes_received,
    })
}
