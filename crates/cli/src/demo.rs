//! `verbale demo`: three real nodes on this machine, Japan enrolled with the Kyrgyz and the Tajik side, exchange realistic notices
//! of every kind of the two memoranda; an Uzbek node beside them has the kinds of the training memorandum.

mod leaving;
mod lines;
mod outcome;

use std::collections::HashMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use verbale_proto::v1::{ApproveRequest, CommenceRequest, OpenRequest, ShowRequest, SubmitRequest, submit_response};

use crate::args::{DemoArgs, NodeArgs};
use crate::commands::Client;
use crate::commands::notices::state;
use crate::failure::CliError;
use crate::output::say;
use crate::stage::{JAPAN, KYRGYZSTAN, Side, StageFolder, TAJIKISTAN, UZBEKISTAN};
use lines::Line;
use outcome::Outcome;

/// The two memoranda whose texts were seen, and one of the training programme, which has kinds of its own.
const MEMORANDA: [&str; 3] = ["JP-KG-SSW-2023", TAJIK, "JP-UZ-TITP-2019"];

/// Commences on receipt of a notification, whose day an approver records (clause 10).
const TAJIK: &str = "JP-TJ-SSW-2024";
const COMMENCED: &str = "2025-02-01";

/// The sides, in the order of the nodes.
const SIDES: [&str; 4] = ["JP", "KG", "TJ", "UZ"];

/// A notice must be delivered so soon on one machine.
const DELIVERY_TIME: Duration = Duration::from_secs(30);

/// Pause between two looks at a notice's state.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

pub(crate) async fn run(args: &DemoArgs, node: &NodeArgs) -> Result<ExitCode, CliError> {
    let lines = lines::read(args, &MEMORANDA)?;
    let folder = StageFolder::make("demo", args.keep.as_deref())?;
    let say = |text: &str| {
        if !node.json {
            say!("{text}");
        }
        Ok(())
    };
    say(&format!("Three contact points, one `verbale serve` process each, in {}:", folder.path().display()))?;
    let mut sides = Vec::new();
    for office in [JAPAN, KYRGYZSTAN, TAJIKISTAN] {
        sides.push(Side::start(&folder, office, say).await?);
    }
    say("and a fourth for the kinds of the training programme (T01 to T10, of which T09 is not sent under it):")?;
    sides.push(Side::start(&folder, UZBEKISTAN, say).await?);
    say("\nEach enrols the other's card. In life two people compare these fingerprints by telephone:")?;
    let [japan, partners @ ..] = sides.as_mut_slice() else { return Err(CliError::Gone("no node".to_owned())) };
    for partner in partners {
        japan.enrol(partner, &folder, say).await?;
        partner.enrol(japan, &folder, say).await?;
    }
    let started = Instant::now();
    let request = CommenceRequest { memorandum: TAJIK.to_owned(), on: COMMENCED.to_owned() };
    let commenced = japan.client.commence(request).await?.into_inner();
    delivered(&mut japan.client, &commenced.notice_id).await?;
    say(&format!(
        "\n{TAJIK} commences on receipt of the last notification (clause 10). An approver in Japan records the day,\n\
         {COMMENCED}; it travels signed, and both nodes apply it."
    ))?;
    say(&format!(
        "\n{} notices under {}; kinds, numbers and times, never content:\n",
        lines.len(),
        MEMORANDA.join(", ")
    ))?;
    say(
        "     after  from                     to                      number  flow  kind                             registry number     answers",
    )?;
    exchange(&lines, &mut sides, started, node.json).await?;
    say("\nWhat may leave, and what may not:")?;
    let more = leaving::tell(&mut sides, &lines, node.json).await?;
    let outcome = Outcome::check(&mut sides, &folder, lines.len() + 1 + more).await?;
    if node.json {
        say!("{}", outcome.json());
    } else {
        outcome.print(started)?;
    }
    for side in sides {
        side.node.stop()?;
    }
    match folder.finish()? {
        Some(kept) if !node.json => {
            let kept = kept.display();
            say!("Kept in {kept}. Look around: verbale serve --dir {kept}/{}, then verbale list inbox", JAPAN.0);
            say!(
                "As an auditor, without a node: verbale-audit reconcile {kept}/export/{} {kept}/export/{}",
                JAPAN.0,
                KYRGYZSTAN.0
            );
        }
        _ => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// Submits each notice from its proper side, an answer after what it answers has arrived.
async fn exchange(lines: &[Line], sides: &mut [Side], started: Instant, json: bool) -> Result<(), CliError> {
    let mut senders: HashMap<&str, usize> = HashMap::new();
    for line in lines {
        let at = |side: &str| SIDES.iter().position(|known| *known == side);
        let (Some(from), Some(to)) = (at(&line.from), at(&line.to)) else {
            return Err(CliError::Refused(format!("{} is of a side that has no node here", line.notice_id)));
        };
        if let Some((asked, sender)) = line.correlates_to.as_deref().and_then(|n| Some((n, *senders.get(n)?)))
            && let Some(sender) = sides.get_mut(sender)
        {
            delivered(&mut sender.client, asked).await?;
        }
        let to = sides.get(to).map(|side| side.card.id.clone()).unwrap_or_default();
        let Some(sender) = sides.get_mut(from) else { continue };
        let number = submit(sender, line).await?;
        senders.insert(&line.notice_id, from);
        let after = started.elapsed().as_millis();
        if json {
            say!(
                "{}",
                json!({"event": "submitted", "after_ms": after, "from": sender.card.id, "to": to, "number": number, "flow": line.flow, "notice_id": line.notice_id})
            );
        } else {
            say!(
                "{after:>7} ms  {:<21} ───▶ {:<21} {number:>5}  {:<4}  {:<31}  {:<18}  {}",
                sender.card.id,
                to,
                line.flow,
                line.kind,
                line.notice_id,
                line.correlates_to.as_deref().unwrap_or("")
            );
        }
    }
    for (number, sender) in senders {
        if let Some(side) = sides.get_mut(sender) {
            delivered(&mut side.client, number).await?;
        }
    }
    Ok(())
}

/// Submits a notice; what binds a side is approved by the second person.
async fn submit(side: &mut Side, line: &Line) -> Result<u64, CliError> {
    let (requests, stream) = mpsc::channel(1);
    let _ = requests.send(SubmitRequest { notice_json: line.json.clone().into_bytes() }).await;
    drop(requests);
    let response = side.client.submit(ReceiverStream::new(stream)).await?.into_inner().message().await?;
    match response.and_then(|response| response.outcome) {
        Some(submit_response::Outcome::Accepted(accepted)) => Ok(accepted.number),
        Some(submit_response::Outcome::Awaiting(awaiting)) => {
            let reading = OpenRequest { id: awaiting.message_id.clone(), purpose: "approval".to_owned() };
            side.second.open(reading).await?;
            let approved = side.second.approve(ApproveRequest { id: awaiting.message_id }).await?.into_inner();
            Ok(approved.accepted.unwrap_or_default().number)
        }
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
