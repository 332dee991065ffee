//! The operator of a node writes a card of its own into its log that the card key did not make, or not for what may change.

use verbale_evidence::{Card, UnverifiedCard, parse_card_text, sign_card};
use verbale_keys::SecretKey;
use verbale_proto::v1::OwnCardRotated;
use verbale_proto::v1::log_entry::Event;

use super::craft::{Impostor, JAPAN, Kept, Log};
use super::{Row, found};

type Anew<'r> = Box<dyn Fn(&mut Log) + 'r>;

#[test]
fn an_own_card_is_a_later_one_of_the_card_key_with_the_same_signing_keys() {
    let kept = Kept::of_demo();
    let card_key = kept.secret(JAPAN, "card.pem");
    let text = std::fs::read_to_string(kept.card(JAPAN)).unwrap();
    let own = UnverifiedCard::parse(&parse_card_text(&text).unwrap()).unwrap();
    let own = own.verify(&card_key.public().fingerprint()).unwrap();
    let later = Card { serial: own.serial + 1, ..own.clone() };
    let rotated = |card: &Card, key: &SecretKey| {
        let card = sign_card(card, key).unwrap();
        move |log: &mut Log| log.append(Event::OwnCardRotated(OwnCardRotated { card: card.clone() }))
    };
    let copy = kept.rewritten(JAPAN, rotated(&later, &card_key));
    assert_eq!(copy.verify(JAPAN, &[]).good().json()[0]["sound"], true);
    let impostor = Impostor::of(JAPAN);
    let theirs = std::fs::read_to_string(impostor.card()).unwrap();
    let theirs = parse_card_text(&theirs).unwrap();
    let other_key = SecretKey::from_seed([7; 32]).public();
    let rows: Vec<Row<'_, Anew<'_>>> = vec![
        (
            "an own card of another card key",
            Box::new(|log| log.append(Event::OwnCardRotated(OwnCardRotated { card: theirs.clone() }))),
            "KEY",
        ),
        ("the own card again", Box::new(rotated(&own, &card_key)), "KEY"),
        (
            "another key for statements",
            Box::new(rotated(&Card { envelope_key: other_key, ..later.clone() }, &card_key)),
            "KEY",
        ),
        ("another key for heads", Box::new(rotated(&Card { log_key: other_key, ..later.clone() }, &card_key)), "KEY"),
    ];
    for (row, change, code) in &rows {
        let copy = kept.rewritten(JAPAN, change);
        found(row, &copy.verify(JAPAN, &[]), code);
    }
}
