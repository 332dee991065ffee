//! `kill -9` at any moment: what was answered is there, nothing is there twice.

use std::collections::HashMap;
use std::io::BufRead as _;

use serde_json::Value;
use verbale_testkit::Random;

use crate::audit;
use crate::node::pair;
use crate::notices::general;

const SEEDS: u64 = 20;
const NOTICES: u64 = 150;

#[test]
fn twenty_kills_of_either_node_lose_no_answered_notice_and_double_none() {
    let (mut japan, mut partner) = pair();
    for seed in 0..SEEDS {
        println!("seed {seed}");
        let mut random = Random::new(seed);
        let lines: Vec<(String, String)> = (0..NOTICES)
            .map(|i| (format!("JP-{seed:02}-{i:03}"), format!("KG-{seed:02}-{i:03}")))
            .map(|(jp, kg)| (general(true, &jp, "text"), general(false, &kg, "text")))
            .collect();
        let of_japan: String = lines
            .iter()
            .flat_map(|(line, _)| {
                [
                    line.as_str(),
                    "
",
                ]
            })
            .collect();
        let of_partner: String = lines
            .iter()
            .flat_map(|(_, line)| {
                [
                    line.as_str(),
                    "
",
                ]
            })
            .collect();
        let (mut from_japan, japans_answers) = japan.submitting(of_japan.clone());
        let (mut from_partner, partners_answers) = partner.submitting(of_partner.clone());
        let kill_japan = random.percent(50);
        // The one that is killed has answered so many, and the rest is in flight.
        let answered_before = usize::try_from(random.below(NOTICES / 3)).unwrap();
        let (victims_answers, others_answers) =
            if kill_japan { (japans_answers, partners_answers) } else { (partners_answers, japans_answers) };
        let mut victims_answers = victims_answers.lines();
        let mut answered: Vec<String> = victims_answers.by_ref().take(answered_before).map(Result::unwrap).collect();
        let victim = if kill_japan { &mut japan } else { &mut partner };
        victim.kill();
        answered.extend(victims_answers.map_while(Result::ok));
        let others: Vec<String> = others_answers.lines().map(Result::unwrap).collect();
        from_japan.wait().unwrap();
        from_partner.wait().unwrap();
        let in_flight = usize::try_from(NOTICES).unwrap() - answered.len();
        assert!(in_flight > 0, "seed {seed}: the kill met no submission in flight");
        victim.start();
        let before = accepted(answered.iter().chain(&others));
        // Whoever got no answer submits again, and whoever got one does no harm by it.
        let again: Vec<String> = [japan.submit(&of_japan).good().out, partner.submit(&of_partner).good().out]
            .concat()
            .lines()
            .map(str::to_owned)
            .collect();
        let after = accepted(again.iter());
        assert_eq!(after.len() as u64, 2 * NOTICES);
        for (number, message_id) in &before {
            assert_eq!(
                after.get(number),
                Some(message_id),
                "seed {seed}: {number} was answered and became another message"
            );
        }
    }
    japan.until_delivered();
    partner.until_delivered();
    for (node, prefix) in [(&japan, "KG"), (&partner, "JP")] {
        let mut numbers: Vec<String> =
            node.list("inbox").iter().map(|n| n["notice_id"].as_str().unwrap().to_owned()).collect();
        numbers.sort();
        let expected: Vec<String> =
            (0..SEEDS).flat_map(|seed| (0..NOTICES).map(move |i| format!("{prefix}-{seed:02}-{i:03}"))).collect();
        assert_eq!(numbers, expected, "a notice is missing or there twice");
    }
    audit::sound(&japan, &partner);
}

/// Message ids by registry number.
fn accepted<'a>(answers: impl Iterator<Item = &'a String>) -> HashMap<String, String> {
    answers
        .map(|line| {
            let answer: Value = serde_json::from_str(line).unwrap();
            assert_eq!(answer["outcome"], "accepted", "{line}");
            (answer["notice_id"].as_str().unwrap().to_owned(), answer["message_id"].as_str().unwrap().to_owned())
        })
        .collect()
}
