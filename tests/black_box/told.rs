//! What a counterpart told against the own log outlasts a restart, and what it can prove is more than a word.

use crate::heads::{copy, heads, held_back, kept, put_back, replace, send, status};
use crate::node::{Node, pair, until};
use crate::rotation::{rotate, serial, settles};

/// Japan's folder with its heads, before something was done that the counterpart knows of; put back with the counterpart there.
fn put_back_after(done: impl Fn(&mut Node, &mut Node)) -> (Node, Node) {
    let (mut japan, mut partner) = pair();
    send(&japan, 1).good();
    japan.until_delivered();
    japan.stop();
    let (kept, kept_heads) = kept(&japan);
    done(&mut japan, &mut partner);
    put_back(&mut japan, &kept, &kept_heads);
    (japan, partner)
}

/// The counterpart holds a head that has all of the log.
fn until_cosigned(node: &Node) {
    let whole = status(node)["log_size"].clone();
    until("the head is cosigned", || status(node)["heads"][0]["cosigned_size"] == whole);
}

/// Nothing is numbered: neither now, nor after a restart with nobody there. Then the next log begins, with the card that was shown where one is
/// needed, and goes on.
fn stays_held_back_and_recovers((mut japan, mut partner): (Node, Node), says: &str, needs_card: bool) {
    japan.start();
    let said = send(&japan, 2);
    assert!(said.code != 0 && said.err.contains("LOG_HELD_BACK"), "{} {}", said.out, said.err);
    let (why, size) = (held_back(&japan), status(&japan)["log_size"].clone());
    assert!(why.contains(says), "{why}");
    partner.stop();
    japan.stop();
    japan.start();
    let said = send(&japan, 2);
    assert!(said.code != 0 && held_back(&japan).contains(says), "{} {}", said.err, held_back(&japan));
    assert_eq!(status(&japan)["log_size"], size);
    japan.stop();
    // Nor is another card made, which counterparts would take, so that the newest copy could not go on.
    let said = japan.run(&["keys", "rotate", "age"]);
    assert!(said.code == 1 && said.err.contains("no card was made") && said.err.contains(says), "{}", said.err);
    let card = heads(&japan).join("told/KG-MLSSM-CECA.card");
    let card = ["--known-card", card.to_str().unwrap()];
    let with_card: &[&str] = if needs_card { &card } else { &[] };
    if !needs_card {
        let asked = japan.run(&["recover"]);
        assert!(asked.code == 1 && asked.out.contains(says), "{} {}", asked.out, asked.err);
    }
    japan.run(&[&["recover", "--confirm"], with_card].concat()).good();
    partner.start();
    japan.start();
    until("the channel is resumed", || held_back(&japan).is_empty() && send(&japan, 3).code == 0);
    japan.until_delivered();
    send(&partner, 3).good();
    partner.until_delivered();
}

#[test]
fn a_head_that_a_counterpart_told_holds_back_after_a_restart_too() {
    let nodes = put_back_after(|japan, _| {
        japan.start();
        send(japan, 9).good();
        japan.until_delivered();
        until_cosigned(japan);
    });
    stays_held_back_and_recovers(nodes, "holds its signed head", false);
}

#[test]
fn a_card_that_this_folder_lacks_proves_that_it_is_an_older_copy() {
    let nodes = put_back_after(|japan, _| {
        japan.start();
        rotate(japan, "envelope").good();
        send(japan, 9).good();
        japan.until_delivered();
    });
    stays_held_back_and_recovers(nodes, "knows card 2 of this contact point which", true);
}

/// A copy of before its key for connections changed.
fn put_back_with_a_key_that_counts_no_more() -> (Node, Node) {
    put_back_after(|japan, partner| {
        japan.start();
        rotate(japan, "tls").good();
        until("the counterpart takes the card", || serial(partner) == 2);
        settles(japan);
        send(japan, 9).good();
        japan.until_delivered();
        until_cosigned(japan);
    })
}

/// It is let in to be told that, and with the next card's key it goes on.
#[test]
fn so_does_the_card_that_the_key_of_the_connection_is_not_on() {
    let nodes = put_back_with_a_key_that_counts_no_more();
    stays_held_back_and_recovers(nodes, "knows card 2 of this contact point which", true);
}

/// Somebody made later cards with the copy. Its key counted no more, and counts again with the card that has it.
#[test]
fn a_key_that_a_later_card_has_again_counts_again() {
    let (japan, partner) = put_back_with_a_key_that_counts_no_more();
    for _ in 0..2 {
        japan.run(&["keys", "rotate", "age"]).good();
    }
    stays_held_back_and_recovers((japan, partner), "holds its signed head", false);
}

/// The key that the copy pins is gone: the counterpart's certificate shows its later card.
#[test]
fn a_copy_from_before_the_counterpart_had_another_key_is_told_what_it_holds() {
    let nodes = put_back_after(|japan, partner| {
        japan.start();
        rotate(partner, "tls").good();
        until("the counterpart takes the card", || serial(japan) == 2);
        settles(partner);
        send(japan, 9).good();
        japan.until_delivered();
        until_cosigned(japan);
    });
    stays_held_back_and_recovers(nodes, "holds its signed head", false);
}

/// Of the log that is closed a copy is put back.
fn put_back_of_a_closed_log() -> (Node, Node) {
    put_back_after(|japan, partner| {
        japan.run(&["recover", "--confirm"]).good();
        japan.start();
        until("the channel is resumed", || send(japan, 9).code == 0);
        japan.until_delivered();
        until("the card is known", || status(partner)["peers"][0]["serial"] == 2);
    })
}

#[test]
fn so_does_the_card_of_a_later_log() {
    stays_held_back_and_recovers(put_back_of_a_closed_log(), "with another log, verbale/JP-MOJ-ISA-RMD/2,", true);
}

#[test]
fn a_closed_log_does_not_go_on_with_a_card_of_a_later_serial() {
    let (japan, partner) = put_back_of_a_closed_log();
    for _ in 0..2 {
        japan.run(&["keys", "rotate", "age"]).good();
    }
    // Nor by hand.
    let refused = partner.enrol(&japan);
    assert!(refused.code == 1 && refused.err.contains("no later one"), "{}", refused.err);
    stays_held_back_and_recovers((japan, partner), "with another log, verbale/JP-MOJ-ISA-RMD/2,", true);
}

#[test]
fn what_the_original_sent_after_its_copy_was_recovered_is_lost_to_it_and_locks_nobody() {
    let (mut japan, partner) = pair();
    send(&japan, 1).good();
    japan.until_delivered();
    japan.stop();
    let (kept, kept_heads) = kept(&japan);
    // The next log begins with the copy, and the original still sends.
    let (original, original_heads) = (japan.dir.with_file_name("original"), japan.dir.with_file_name("original-heads"));
    copy(&japan.dir, &original);
    copy(&heads(&japan), &original_heads);
    replace(&japan, &kept, &kept_heads);
    japan.run(&["recover", "--confirm"]).good();
    let (recovered, recovered_heads) =
        (japan.dir.with_file_name("recovered"), japan.dir.with_file_name("recovered-heads"));
    copy(&japan.dir, &recovered);
    copy(&heads(&japan), &recovered_heads);
    replace(&japan, &original, &original_heads);
    japan.start();
    send(&japan, 2).good();
    japan.until_delivered();
    put_back(&mut japan, &recovered, &recovered_heads);
    japan.start();
    until("the channel is resumed", || send(&japan, 3).code == 0);
    japan.until_delivered();
    assert_eq!((held_back(&japan), partner.list("inbox").len()), (String::new(), 3));
}

/// Both were put back, and of the two only the counterpart's channel tells that this one was.
#[test]
fn a_counterpart_that_holds_back_itself_still_says_what_it_holds() {
    let (mut japan, mut partner) = pair();
    send(&japan, 1).good();
    japan.until_delivered();
    until_cosigned(&japan);
    japan.stop();
    let (kept, kept_heads) = kept(&japan);
    partner.stop();
    let (of_japan, of_japan_then) = (heads(&partner).join("counterparts"), partner.dir.with_file_name("of-japan"));
    copy(&of_japan, &of_japan_then);
    japan.start();
    partner.start();
    send(&japan, 2).good();
    japan.until_delivered();
    put_back(&mut japan, &kept, &kept_heads);
    // Its own head is of after this copy.
    partner.stop();
    let partner_then = partner.dir.with_file_name("partner-then");
    copy(&partner.dir, &partner_then);
    partner.start();
    send(&partner, 3).good();
    partner.stop();
    for (now, then) in [(&partner.dir, &partner_then), (&of_japan, &of_japan_then)] {
        std::fs::remove_dir_all(now).unwrap();
        copy(then, now);
    }
    partner.start();
    assert_ne!(held_back(&partner), "");
    japan.start();
    let said = send(&japan, 4);
    assert!(
        said.code != 0 && held_back(&japan).contains("holds number 2 of a channel"),
        "{} {}",
        said.err,
        held_back(&japan)
    );
}
