//! The operator of a node writes cards, and statements about them, into its log that their owners did not make, or not in that order.

use std::rc::Rc;

use verbale_evidence::{
    Card, CardStatement, MessageId, Statement, StatementDigest, UnverifiedCard, UnverifiedEnvelope, parse_card_text,
    sign_card, sign_statement,
};
use verbale_keys::SecretKey;
use verbale_proto::v1::log_entry::Event;
use verbale_proto::v1::{CounterpartRotated, NoticeReceived, NoticeSent, OwnCardRotated};

use super::craft::{Impostor, JAPAN, KYRGYZSTAN, Kept, Log};
use super::{Row, found};

type Anew<'r> = Box<dyn Fn(&mut Log) + 'r>;

fn card_of(kept: &Kept, id: &str) -> Card {
    let text = std::fs::read_to_string(kept.card(id)).unwrap();
    let card = UnverifiedCard::parse(&parse_card_text(&text).unwrap()).unwrap();
    let fingerprint = card.claimed_fingerprint().unwrap();
    card.verify(&fingerprint).unwrap()
}

/// The last statement that a sender wrote in a log, its digest, and who sent it.
fn last(log: &Log, sender: &str) -> (Statement, StatementDigest, String) {
    let of_sender = log.entries.iter().rev().find_map(|(entry, _)| {
        let (bytes, actor) = match verbale_evidence::decode_entry(entry).unwrap().1 {
            Event::NoticeSent(of) => (of.envelope, of.actor),
            Event::NoticeReceived(of) => (of.envelope, String::new()),
            _ => return None,
        };
        let statement = UnverifiedEnvelope::parse(&bytes).unwrap().claimed().unwrap();
        let digest = <sha2::Sha256 as sha2::Digest>::digest(statement.encode().unwrap()).into();
        (statement.sender == sender).then_some((statement, StatementDigest(digest), actor))
    });
    of_sender.unwrap()
}

/// The statement of a card as the next of the channel in which its owner wrote last.
fn stated(log: &Log, card: &Card) -> Statement {
    let (before, previous, _) = last(log, &card.id);
    let place = CardStatement {
        recipient: (&before.recipient, before.recipient_key),
        memorandum: (&before.memorandum, before.terms_digest),
        created_ms: before.created_ms,
        number: before.number + 1,
        previous,
    };
    place.about(card)
}

/// Another notice as the next of that channel.
fn another(log: &Log, sender: &str, key: &SecretKey) -> Statement {
    let (before, previous, _) = last(log, sender);
    let (message_id, number, flow) = (MessageId::new(1, &[9; 10]), before.number + 1, "F14".to_owned());
    Statement { message_id, number, previous, flow, sender_key: key.public().fingerprint(), answers: None, ..before }
}

fn append_sent(log: &mut Log, statement: Statement, key: &SecretKey, actor: &str) {
    let envelope = sign_statement(statement, key).unwrap().bytes().to_vec();
    log.append(Event::NoticeSent(NoticeSent { envelope, actor: actor.to_owned(), ..NoticeSent::default() }));
}

fn append_received(log: &mut Log, statement: Statement, key: &SecretKey) {
    let envelope = sign_statement(statement, key).unwrap().bytes().to_vec();
    log.append(Event::NoticeReceived(NoticeReceived { envelope, ..NoticeReceived::default() }));
}

fn rotated(log: &mut Log, card: &Card, card_key: &SecretKey) {
    let card = sign_card(card, card_key).unwrap();
    log.append(Event::OwnCardRotated(OwnCardRotated { card }));
}

#[test]
fn an_own_card_is_a_later_one_of_the_card_key_and_is_stated_before_its_key_signs() {
    let kept = Kept::of_demo();
    let card_key = kept.secret(JAPAN, "card.pem");
    let own = card_of(&kept, JAPAN);
    let key = SecretKey::from_seed([7; 32]);
    let later = Card { serial: own.serial + 1, envelope_key: key.public(), ..own.clone() };
    let copy = kept.rewritten(JAPAN, |log| {
        rotated(log, &later, &card_key);
        append_sent(log, stated(log, &later), &key, "");
        let actor = last_actor(log);
        append_sent(log, another(log, JAPAN, &key), &key, &actor);
    });
    assert_eq!(copy.verify(JAPAN, &[]).good().json()[0]["sound"], true);
    let impostor = Impostor::of(JAPAN);
    let theirs = parse_card_text(&std::fs::read_to_string(impostor.card()).unwrap()).unwrap();
    let rows: Vec<Row<'_, Anew<'_>>> = vec![
        (
            "an own card of another card key",
            Box::new(|log| log.append(Event::OwnCardRotated(OwnCardRotated { card: theirs.clone() }))),
            "KEY",
        ),
        ("the own card again", Box::new(|log| rotated(log, &own, &card_key)), "KEY"),
        (
            "another key for heads",
            Box::new(|log| {
                rotated(
                    log,
                    &Card { log_key: key.public(), envelope_key: own.envelope_key, ..later.clone() },
                    &card_key,
                );
            }),
            "KEY",
        ),
        (
            "a notice of the later key before the statement of its card",
            Box::new(|log| {
                rotated(log, &later, &card_key);
                let actor = last_actor(log);
                append_sent(log, another(log, JAPAN, &key), &key, &actor);
            }),
            "CARD_STATEMENT",
        ),
        (
            "a notice of the key before, behind the statement of the later card",
            Box::new(|log| {
                rotated(log, &later, &card_key);
                append_sent(log, stated(log, &later), &key, "");
                let (before, actor) = (Rc::clone(&log.envelope_key), last_actor(log));
                append_sent(log, another(log, JAPAN, &before), &before, &actor);
            }),
            "KEY",
        ),
        (
            "the statement of another card",
            Box::new(|log| {
                rotated(log, &later, &card_key);
                let other = Card { serial: later.serial + 1, ..later.clone() };
                append_sent(log, stated(log, &other), &key, "");
            }),
            "CARD_STATEMENT",
        ),
        (
            "a notice that nobody sent",
            Box::new(|log| {
                let key = Rc::clone(&log.envelope_key);
                append_sent(log, another(log, JAPAN, &key), &key, "");
            }),
            "ACTOR",
        ),
        (
            "an entry behind the card that takes the keys back",
            Box::new(|log| {
                rotated(log, &Card { revoked: true, envelope_key: own.envelope_key, ..later.clone() }, &card_key);
                let (key, actor) = (Rc::clone(&log.envelope_key), last_actor(log));
                append_sent(log, another(log, JAPAN, &key), &key, &actor);
            }),
            "REVOKED",
        ),
    ];
    for (row, change, code) in &rows {
        let copy = kept.rewritten(JAPAN, change);
        found(row, &copy.verify(JAPAN, &[]), code);
    }
}

fn last_actor(log: &Log) -> String {
    let is_by_person = |(entry, _): &(Vec<u8>, _)| match verbale_evidence::decode_entry(entry).unwrap().1 {
        Event::NoticeSent(of) if !of.actor.is_empty() => Some(of.actor),
        _ => None,
    };
    log.entries.iter().rev().find_map(is_by_person).unwrap()
}

#[test]
fn a_counterparts_earlier_key_says_nothing_behind_the_statement_of_its_later_card() {
    let kept = Kept::of_demo();
    let (card_key, before) = (kept.secret(KYRGYZSTAN, "card.pem"), kept.secret(KYRGYZSTAN, "envelope.pem"));
    let known = card_of(&kept, KYRGYZSTAN);
    let key = SecretKey::from_seed([7; 32]);
    let later = Card { serial: known.serial + 1, envelope_key: key.public(), ..known };
    let revoked = Card { revoked: true, envelope_key: before.public(), ..later.clone() };
    let told_of = |log: &mut Log, card: &Card| {
        let card = sign_card(card, &card_key).unwrap();
        log.append(Event::CounterpartRotated(CounterpartRotated { card }));
    };
    let told = |log: &mut Log| told_of(log, &later);
    let copy = kept.rewritten(JAPAN, |log| {
        told(log);
        // Under way when the card changed.
        append_received(log, another(log, KYRGYZSTAN, &before), &before);
        append_received(log, stated(log, &later), &key);
    });
    assert_eq!(copy.verify(JAPAN, &[]).good().json()[0]["sound"], true);
    let rows: Vec<Row<'_, Anew<'_>>> = vec![
        (
            "a notice of the key before, behind the statement of the later card",
            Box::new(|log| {
                told(log);
                append_received(log, stated(log, &later), &key);
                append_received(log, another(log, KYRGYZSTAN, &before), &before);
            }),
            "KEY",
        ),
        (
            "a notice of a key on no card",
            Box::new(|log| append_received(log, another(log, KYRGYZSTAN, &key), &key)),
            "SIGNATURE",
        ),
        (
            "the statement of a card that the log does not know",
            Box::new(|log| {
                told(log);
                let other = Card { serial: later.serial + 1, ..later.clone() };
                append_received(log, stated(log, &other), &key);
            }),
            "CARD_STATEMENT",
        ),
        (
            "a notice of a counterpart that took its keys back",
            Box::new(|log| {
                told_of(log, &revoked);
                append_received(log, another(log, KYRGYZSTAN, &before), &before);
            }),
            "REVOKED",
        ),
        (
            "a later card behind a revoked one, that nobody enrolled by hand",
            Box::new(|log| {
                told_of(log, &revoked);
                told_of(log, &Card { serial: revoked.serial + 1, ..later.clone() });
            }),
            "KEY",
        ),
    ];
    for (row, change, code) in &rows {
        let copy = kept.rewritten(JAPAN, change);
        found(row, &copy.verify(JAPAN, &[]), code);
    }
}
