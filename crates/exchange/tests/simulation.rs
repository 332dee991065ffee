//! Two nodes in a world that fails in every way, from many seeds.

#![expect(clippy::print_stdout, clippy::panic, reason = "a test that names its seed")]

use std::thread;

use verbale_testkit::{Planted, Restored, Stats, simulate, simulate_restore};

const SEEDS: u64 = 200;
const STEPS: u64 = 2_000;

/// Worlds in which a node is put back from a copy.
const RESTORED: u64 = 60;

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

#[test]
fn a_node_that_was_put_back_and_worked_alone_goes_on_from_every_seed() {
    let all: Vec<Restored> = (0..RESTORED)
        .map(|seed| simulate_restore(seed, 300).unwrap_or_else(|violation| panic!("seed {seed}: {violation}")))
        .collect();
    let of = |count: fn(&Restored) -> u64| all.iter().map(count).sum::<u64>();
    let happened =
        [of(|all| all.displaced), of(|all| all.lost), of(|all| all.known_there), of(|all| all.stats.receipts)];
    println!("{RESTORED} seeds: displaced, lost, known there, receipts: {happened:?}");
    let [displaced, lost, known_there, receipts] = happened;
    let often = [displaced, lost, receipts].iter().all(|count| *count >= RESTORED / 4);
    assert!(often && known_there > 0, "something hardly occurred: {happened:?}");
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
