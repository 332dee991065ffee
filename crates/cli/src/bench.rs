//! `verbale bench`: how fast two real nodes exchange notices, beside the floor that no design of this kind can pass.
//!
//! Everything is on: checks on both sides, durable on both sides, verified receipts, the index. Floor and exchange are
//! measured in one run, since machines differ and are shared: the ratio of the two is what can be compared.

mod floor;
mod load;
mod measure;
mod reading;

use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;

use crate::args::{BenchArgs, NodeArgs};
use crate::commands::export;
use crate::failure::CliError;
use crate::output::say;
use crate::stage::{JAPAN, KYRGYZSTAN, Side, StageFolder};
use load::{Load, Outcome};
use measure::{Usage, percentile};
use reading::{Reading, Readings};

/// Notices before the clock starts: links open, files filled ahead, code in the caches.
const WARM_UP: u64 = 512;

/// What a run showed.
struct Report {
    notices: u64,
    json_bytes: usize,
    rate: Option<f64>,
    per_second: f64,
    floor_per_second: f64,
    p50: Duration,
    p99: Duration,
    cpu_us: [f64; 2],
    peak_rss: [u64; 2],
    disk_bytes: [f64; 2],
    wire_bytes: f64,
    readings: Option<Readings>,
}

pub(crate) async fn run(args: &BenchArgs, node: &NodeArgs) -> Result<ExitCode, CliError> {
    let say = |text: &str| {
        if !node.json {
            say!("{text}");
        }
        Ok(())
    };
    let folder = StageFolder::make("bench", None)?;
    say(&format!("Two nodes, one `verbale serve` process each, in {}:", folder.path().display()))?;
    let mut sender = Side::start(&folder, KYRGYZSTAN, say).await?;
    let mut receiver = Side::start(&folder, JAPAN, say).await?;
    sender.enrol(&receiver, &folder, |_| Ok(())).await?;
    receiver.enrol(&sender, &folder, |_| Ok(())).await?;
    let mut load = Load::new(args.size)?;
    load.run(&sender.client, WARM_UP, None).await?;

    say(&format!("\nThe floor: {}", floor::WHAT))?;
    let before = floor::per_second(folder.path(), args.size)?;
    say(&format!("  {before:.0} notices a second"))?;
    match args.rate {
        None => say(&format!("\n{} notices of {} bytes, as fast as they go:", args.notices, load.json_bytes()))?,
        Some(rate) => {
            say(&format!("\n{} notices of {} bytes, {rate} a second:", args.notices, load.json_bytes()))?;
        }
    }
    let start = [Usage::of(&mut sender).await?, Usage::of(&mut receiver).await?];
    let outcome = load.run(&sender.client, args.notices, args.rate).await?;
    let end = [Usage::of(&mut sender).await?, Usage::of(&mut receiver).await?];
    let after = floor::per_second(folder.path(), args.size)?;
    let mut report = Report::new(&load, args, outcome, (start, end), f64::midpoint(before, after));
    if !node.json {
        report.print()?;
    }
    let readings = audit(&folder, &mut sender, &mut receiver).await?;
    say("\nAfterwards both logs were read whole and verified, and so was every receipt: they agree.")?;
    say(&format!("\nThe floor of reading: {}", floor::WHAT_OF_READING))?;
    if node.json {
        report.readings = Some(readings);
        say!("{}", report.json());
    } else {
        readings.print()?;
    }
    sender.node.stop()?;
    receiver.node.stop()?;
    folder.finish()?;
    Ok(ExitCode::SUCCESS)
}

/// What was measured must have been right: both logs and every receipt are verified.
async fn audit(folder: &StageFolder, sender: &mut Side, receiver: &mut Side) -> Result<Readings, CliError> {
    let to = folder.path().join("export");
    let mut sides = [(&mut sender.client, &sender.card), (&mut receiver.client, &receiver.card)];
    drop(export::prove(&mut sides, &to).await?);
    reading::read(&to.join(&sender.card.id), &to.join(&receiver.card.id))
}

impl Report {
    fn new(
        load: &Load,
        args: &BenchArgs,
        mut outcome: Outcome,
        (start, end): ([Usage; 2], [Usage; 2]),
        floor_per_second: f64,
    ) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "figures for people")]
        let per_notice = |before: u64, after: u64| after.saturating_sub(before) as f64 / args.notices as f64;
        let [sender, receiver] = [0, 1].map(|side: usize| (start.get(side), end.get(side)));
        let both = |figure: fn(&Usage) -> u64| {
            [sender, receiver].map(|(start, end)| per_notice(start.map_or(0, figure), end.map_or(0, figure)))
        };
        let [wire_bytes, _] = both(|usage| usage.wire_bytes);
        Self {
            notices: args.notices,
            json_bytes: load.json_bytes(),
            rate: args.rate,
            per_second: outcome.per_second(),
            floor_per_second,
            p50: percentile(&mut outcome.latencies, 50),
            p99: percentile(&mut outcome.latencies, 99),
            cpu_us: both(|usage| usage.cpu_us),
            peak_rss: end.map(|usage| usage.peak_rss_bytes),
            disk_bytes: both(|usage| usage.disk_bytes),
            wire_bytes,
            readings: None,
        }
    }

    fn ratio(&self) -> f64 {
        self.per_second / self.floor_per_second
    }

    fn print(&self) -> Result<(), CliError> {
        let [cpu_sender, cpu_receiver] = self.cpu_us;
        let [disk_sender, disk_receiver] = self.disk_bytes;
        let [rss_sender, rss_receiver] = self.peak_rss.map(|bytes| bytes >> 20);
        say!("  {:<44} {:>10.0}", "notices a second", self.per_second);
        say!("  {:<44} {:>10.0}", "floor, mean of before and after", self.floor_per_second);
        say!("  {:<44} {:>10.2}", "ratio to the floor", self.ratio());
        say!("  {:<44} {:>10.1}", "submission to durable receipt, p50, ms", ms(self.p50));
        say!("  {:<44} {:>10.1}", "submission to durable receipt, p99, ms", ms(self.p99));
        say!("  {:<44} {:>10}", "", "  sender  receiver");
        say!("  {:<44} {cpu_sender:>10.0}  {cpu_receiver:>8.0}", "CPU of the node a notice, µs");
        say!("  {:<44} {rss_sender:>10}  {rss_receiver:>8}", "peak memory of the node, MiB");
        say!("  {:<44} {disk_sender:>10.0}  {disk_receiver:>8.0}", "bytes on disk a notice");
        say!("  {:<44} {:>10.0}", "bytes on the wire a notice, both ways", self.wire_bytes);
        Ok(())
    }

    fn json(&self) -> serde_json::Value {
        let [cpu_sender, cpu_receiver] = self.cpu_us;
        let [disk_sender, disk_receiver] = self.disk_bytes;
        let [rss_sender, rss_receiver] = self.peak_rss;
        let readings = self.readings.as_ref();
        let (verify, reconcile) = (readings.map(|of| of.0.json()), readings.map(|of| of.1.json()));
        json!({
            "verify": verify, "reconcile": reconcile, "notices": self.notices, "notice_json_bytes": self.json_bytes, "rate": self.rate,
            "notices_per_second": self.per_second, "floor_per_second": self.floor_per_second,
            "ratio_to_floor": self.ratio(), "p50_ms": ms(self.p50), "p99_ms": ms(self.p99),
            "cpu_us_per_notice_sender": cpu_sender, "cpu_us_per_notice_receiver": cpu_receiver,
            "peak_rss_bytes": rss_sender.max(rss_receiver),
            "peak_rss_bytes_sender": rss_sender, "peak_rss_bytes_receiver": rss_receiver,
            "disk_bytes_per_notice_sender": disk_sender, "disk_bytes_per_notice_receiver": disk_receiver,
            "wire_bytes_per_notice": self.wire_bytes,
        })
    }
}

impl Readings {
    fn print(&self) -> Result<(), CliError> {
        let Self(verify, reconcile) = self;
        let memory = [verify, reconcile].map(|of| of.peak_rss_bytes >> 20);
        say!("  {:<44} {:>10}  {:>9}", "", "verify", "reconcile");
        say!("  {:<44} {:>10}  {:>9}", "entries: the sender's log, both logs", verify.entries, reconcile.entries);
        say!("  {:<44} {:>10.0}  {:>9.0}", "entries a second", verify.entries_per_second, reconcile.entries_per_second);
        say!("  {:<44} {:>10.2}  {:>9.2}", "ratio to the floor", verify.ratio, reconcile.ratio);
        say!("  {:<44} {:>10}  {:>9}", "peak memory of the auditor's process, MiB", memory[0], memory[1]);
        Ok(())
    }
}

impl Reading {
    fn json(&self) -> serde_json::Value {
        json!({
            "entries": self.entries, "entries_per_second": self.entries_per_second, "ratio_to_floor": self.ratio,
            "peak_rss_bytes": self.peak_rss_bytes,
        })
    }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
