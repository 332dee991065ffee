//! Two nodes in a world that fails in every way, from many seeds.

#![expect(clippy::print_stdout, clippy::panic, reason = "a test that names its seed")]

use std::thread;

use verbale_testkit::{Planted, Stats, simulate};

const SEEDS: u64 = 200;
const STEPS: u64 = 2_000;

#[test]
fn no_seed_breaks_an_invariant_and_every_kind_of_fault_occurs() {
    let halves: Vec<Stats> = thread::scope(|scope| {
        let run = |from: u64| move || (from..SEEDS).step_by(2).map(run_seed).fold(Stats::default(), add);
        let threads = [scope.spawn(run(0)), scope.spawn(run(1))];
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    let all = halves.into_iter().fold(Stats::default(), add);
    println!("{SEEDS} seeds of {STEPS} steps: {all:?}");
    let Stats { submitted, resubmitted, id_reuse, received, receipts, expired, rejected, .. } = all;
    let Stats {
        lost,
        duplicated,
        reordered,
        delayed,
        broken_links,
        crashes_before_sync,
        crashes_after_sync,
        restarts,
        ..
    } = all;
    let happened =
        [submitted, resubmitted, id_reuse, received, receipts, expired, rejected, lost, duplicated, reordered, delayed]
            .into_iter()
            .chain([broken_links, crashes_before_sync, crashes_after_sync, restarts]);
    assert!(happened.clone().all(|count| count >= SEEDS / 4), "a kind of fault hardly occurred: {all:?}");
}

#[test]
fn an_answer_before_the_sync_is_caught() {
    assert!(caught(Planted::AnswerBeforeSync).contains("not durable"));
}

#[test]
fn a_skipped_number_is_caught() {
    let violation = caught(Planted::NumberSkipped);
    assert!(violation.contains("gap") || violation.contains("not in the sender's durable log"), "{violation}");
}

fn run_seed(seed: u64) -> Stats {
    simulate(seed, STEPS, Planted::Nothing).unwrap_or_else(|violation| panic!("seed {seed}: {violation}"))
}

/// What the first seed that notices the planted bug says.
fn caught(planted: Planted) -> String {
    for seed in 0..20 {
        if let Err(violation) = simulate(seed, STEPS, planted) {
            println!("{planted:?} was caught with seed {seed}: {violation}");
            return violation.0;
        }
    }
    panic!("{planted:?} was not caught by 20 seeds")
}

fn add(a: Stats, b: Stats) -> Stats {
    Stats {
        submitted: a.submitted + b.submitted,
        resubmitted: a.resubmitted + b.resubmitted,
        id_reuse: a.id_reuse + b.id_reuse,
        received: a.received + b.received,
        receipts: a.receipts + b.receipts,
        expired: a.expired + b.expired,
        rejected: a.rejected + b.rejected,
        lost: a.lost + b.lost,
        duplicated: a.duplicated + b.duplicated,
        reordered: a.reordered + b.reordered,
        delayed: a.delayed + b.delayed,
        broken_links: a.broken_links + b.broken_links,
        crashes_before_sync: a.crashes_before_sync + b.crashes_before_sync,
        crashes_after_sync: a.crashes_after_sync + b.crashes_after_sync,
        restarts: a.restarts + b.restarts,
    }
}
