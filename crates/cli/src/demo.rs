//! `verbale demo`: two real nodes on this machine, enrolled with each other, exchange realistic notices.

use std::collections::HashMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use verbale_domain::{TERMINATION, civil};
use verbale_evidence::VerifiedReceipt;
use verbale_proto::v1::{ShowRequest, SubmitRequest, submit_response};

use crate::args::{DemoArgs, NodeArgs};
use crate::commands::notices::state;
use crate::commands::{Client, receipts};
use crate::failure::CliError;
use crate::output::hex;
use crate::stage::{JAPAN, KYRGYZSTAN as PARTNER, Side, StageFolder};
use crate::verify;

/// Invented notices, in the form in which the ministries' registries hand them over.
const BUNDLED: &str = include_str!("../../../tests/data/notices.jsonl");

const MEMORANDUM: &str = "JP-KG-SSW-2023";

/// A notice must be delivered so soon on one machine.
const DELIVERY_TIME: Duration = Duration::from_secs(30);

/// Pause between two looks at a notice's state.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// One notice of the file.
struct Line {
    json: String,
    notice_id: String,
    flow: String,
    kind: String,
    from: String,
    correlates_to: Option<String>,
}

pub(crate) async fn run(args: &DemoArgs, node: &NodeArgs) -> Result<ExitCode, CliError> {
    let lines = read_notices(args)?;
    let folder = StageFolder::make("demo", args.keep.as_deref())?;
    let say = |text: &str| {
        if !node.json {
            println!("{text}");
        }
    };
    say(&format!("Two contact points, one `verbale serve` process each, in {}:", folder.path().display()));
    let mut japan = Side::start(&folder, JAPAN, say).await?;
    let mut partner = Side::start(&folder, PARTNER, say).await?;
    say("\nEach enrols the other's card. In life two people compare these fingerprints by telephone:");
    japan.enrol(&partner, &folder, say).await?;
    partner.enrol(&japan, &folder, say).await?;
    say(&format!("\n{} notices under {MEMORANDUM}; kinds, numbers and times, never content:\n", lines.len()));
    say(
        "     after  from                 to              number  flow  kind                          registry number     answers",
    );
    let started = Instant::now();
    let senders = exchange(&lines, &mut japan, &mut partner, started, node.json).await?;
    let summary = check(&mut japan, &mut partner, senders).await?;
    report(&summary, started, node.json);
    japan.node.stop()?;
    partner.node.stop()?;
    match folder.finish()? {
        Some(kept) if !node.json => {
            println!(
                "Kept in {}. Look around: verbale list inbox --dir {}/{}",
                kept.display(),
                kept.display(),
                JAPAN.0
            );
        }
        _ => {}
    }
    Ok(ExitCode::SUCCESS)
}

fn read_notices(args: &DemoArgs) -> Result<Vec<Line>, CliError> {
    let text = match &args.notices {
        None => BUNDLED.to_owned(),
        Some(file) => std::fs::read_to_string(file)
            .map_err(|error| CliError::Usage(format!("{} cannot be read: {error}", file.display())))?,
    };
    let mut lines = Vec::new();
    for (number, json) in (1..).zip(text.lines()).filter(|(_, json)| !json.trim().is_empty()) {
        let mut value: Value = serde_json::from_str(json)
            .map_err(|error| CliError::Usage(format!("line {number} is no JSON: {error}")))?;
        let json = date_from_today(&mut value).unwrap_or_else(|| json.to_owned());
        let member = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        if member("memorandum") != MEMORANDUM {
            continue;
        }
        lines.push(Line {
            json,
            notice_id: member("notice_id"),
            flow: member("flow"),
            kind: member("kind"),
            from: value.pointer("/from/office").and_then(Value::as_str).unwrap_or_default().to_owned(),
            correlates_to: value.get("correlates_to").and_then(Value::as_str).map(str::to_owned),
        });
    }
    if lines.is_empty() {
        return Err(CliError::Usage(format!("there is no notice under {MEMORANDUM} among them")));
    }
    Ok(lines)
}

/// A termination is dated from today: the rules compare it with the clock.
fn date_from_today(notice: &mut Value) -> Option<String> {
    if notice.get("flow").and_then(Value::as_str) != Some(TERMINATION) {
        return None;
    }
    let today = time::OffsetDateTime::now_utc().date();
    let body = notice.get_mut("body")?.as_object_mut()?;
    body.insert("received_on".to_owned(), today.to_string().into());
    body.insert("effective_on".to_owned(), civil::months_after(today, 7).to_string().into());
    Some(notice.to_string())
}

/// Submits each notice from its proper side, an answer after what it answers has arrived; returns who sent what.
async fn exchange(
    lines: &[Line],
    japan: &mut Side,
    partner: &mut Side,
    started: Instant,
    json: bool,
) -> Result<HashMap<String, String>, CliError> {
    let mut senders: HashMap<String, String> = HashMap::new();
    for line in lines {
        if let Some(asked) = line.correlates_to.as_ref().and_then(|number| Some((number, senders.get(number)?))) {
            let sender = if *asked.1 == japan.card.id { &mut *japan } else { &mut *partner };
            delivered(&mut sender.client, asked.0).await?;
        }
        let (from, to) = if line.from == japan.card.id { (&mut *japan, &*partner) } else { (&mut *partner, &*japan) };
        if line.from != from.card.id {
            return Err(CliError::Refused(format!(
                "{} comes from {}, which has no node here",
                line.notice_id, line.from
            )));
        }
        let number = submit(&mut from.client, line).await?;
        senders.insert(line.notice_id.clone(), from.card.id.clone());
        let after = started.elapsed().as_millis();
        if json {
            println!(
                "{}",
                json!({"event": "submitted", "after_ms": after, "from": from.card.id, "to": to.card.id, "number": number, "flow": line.flow, "notice_id": line.notice_id})
            );
        } else {
            println!(
                "{after:>7} ms  {:<15} ───▶ {:<15} {number:>5}  {:<4}  {:<28}  {:<18}  {}",
                from.card.id,
                to.card.id,
                line.flow,
                line.kind,
                line.notice_id,
                line.correlates_to.as_deref().unwrap_or("")
            );
        }
    }
    for (number, sender) in &senders {
        let side = if *sender == japan.card.id { &mut *japan } else { &mut *partner };
        delivered(&mut side.client, number).await?;
    }
    Ok(senders)
}

async fn submit(client: &mut Client, line: &Line) -> Result<u64, CliError> {
    let (requests, stream) = mpsc::channel(1);
    let _ = requests.send(SubmitRequest { notice_json: line.json.clone().into_bytes() }).await;
    drop(requests);
    let response = client.submit(ReceiverStream::new(stream)).await?.into_inner().message().await?;
    match response.and_then(|response| response.outcome) {
        Some(submit_response::Outcome::Accepted(accepted)) => Ok(accepted.number),
        Some(submit_response::Outcome::Refused(refused)) => {
            Err(CliError::Refused(format!("{} was refused: {}: {}", line.notice_id, refused.code, refused.reason)))
        }
        None => Err(CliError::Gone(format!("no answer to {}", line.notice_id))),
    }
}

/// Waits until the sender holds the receipt for a notice.
async fn delivered(client: &mut Client, number: &str) -> Result<(), CliError> {
    let deadline = Instant::now() + DELIVERY_TIME;
    loop {
        let shown = client.show(ShowRequest { id: number.to_owned() }).await?.into_inner();
        let notice = shown.notice.unwrap_or_default();
        match notice.state.as_str() {
            "DELIVERED" => return Ok(()),
            "QUEUED" if Instant::now() < deadline => tokio::time::sleep(LOOK_AGAIN).await,
            _ => return Err(CliError::Refused(format!("{number} was not delivered: {}", state(&notice)))),
        }
    }
}

struct Summary {
    sent: [usize; 2],
    receipts: usize,
    heads: [(String, u64, String); 2],
}

/// Verifies every receipt and both logs.
async fn check(japan: &mut Side, partner: &mut Side, senders: HashMap<String, String>) -> Result<Summary, CliError> {
    let of =
        |held: Vec<(verbale_proto::v1::HeldReceipt, VerifiedReceipt)>| held.into_iter().map(|(_, receipt)| receipt);
    let ours: Vec<VerifiedReceipt> = of(receipts::held(&mut japan.client, String::new()).await?).collect();
    let theirs: Vec<VerifiedReceipt> = of(receipts::held(&mut partner.client, String::new()).await?).collect();
    let logs = [
        verify::log(&mut japan.client, &japan.card, &partner.card).await?,
        verify::log(&mut partner.client, &partner.card, &japan.card).await?,
    ];
    let [log_japan, log_partner] = &logs;
    verify::agree(log_japan, log_partner, &ours)?;
    verify::agree(log_partner, log_japan, &theirs)?;
    let sent = [log_japan.sent.len(), log_partner.sent.len()];
    if sent.iter().sum::<usize>() != senders.len() {
        return Err(CliError::damaged("the logs do not hold every notice that was submitted"));
    }
    let head =
        |log: &verify::VerifiedLog| (log.checkpoint.origin.clone(), log.checkpoint.size.0, hex(&log.checkpoint.root));
    Ok(Summary { sent, receipts: ours.len() + theirs.len(), heads: [head(log_japan), head(log_partner)] })
}

fn report(summary: &Summary, started: Instant, json: bool) {
    let [japan, partner] = summary.sent;
    if json {
        let heads: Vec<Value> = summary
            .heads
            .iter()
            .map(|(origin, size, root)| json!({"origin": origin, "size": size, "root": root}))
            .collect();
        println!(
            "{}",
            json!({"event": "verified", "sent_by_japan": japan, "sent_by_partner": partner, "receipts": summary.receipts, "heads": heads})
        );
        return;
    }
    println!("\nDone in {} ms:", started.elapsed().as_millis());
    println!(
        "  {} notices submitted, signed, sealed, delivered, opened and checked: {japan} from {}, {partner} from {}",
        japan + partner,
        JAPAN.0,
        PARTNER.0
    );
    println!(
        "  {} receipts held by the senders, each verified: its entry stands in the receiver's signed log",
        summary.receipts
    );
    println!("  both logs read whole and verified against their signed heads; they agree with each other:");
    for (origin, size, root) in &summary.heads {
        println!("    {origin}: {size} entries, root {root}");
    }
}
