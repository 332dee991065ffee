//! A log that took the place of another asks which of its statements the counterpart holds: a copy may have numbered others.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;

use verbale_evidence::{
    MessageId, Statement, StatementDigest, VerifiedEnvelope, encode_entry, read_entry, sign_statement,
};
use verbale_exchange::{
    Arrival, ChannelId, Effect, Exchange, Input, LinkState, NoticeState, Opening, Output, succeeding,
};
use verbale_keys::Role;
use verbale_proto::v1::log_entry::Event;
use verbale_proto::v1::{CarriedOver, NoticeSent, PeerEnrolled, PreviousLog};
use verbale_testkit::ContactPoint;

const MEMORANDUM: &str = "JP-KG-SSW-2023";

/// More statements without receipt than a counterpart names at once.
const SENT: u64 = 16_390;

fn statement(from: &ContactPoint, to: &ContactPoint, number: u64, previous: StatementDigest, by: u8) -> Statement {
    Statement {
        message_id: MessageId::new(number, &[by; 10]),
        memorandum: MEMORANDUM.to_owned(),
        terms_digest: [1; 32],
        flow: "F14".to_owned(),
        sender: from.card.id.clone(),
        sender_key: from.card.envelope_key.fingerprint(),
        recipient: to.card.id.clone(),
        recipient_key: to.recipient.fingerprint(),
        created_ms: 1,
        not_after_ms: i64::MAX,
        number,
        previous,
        answers: None,
        sealed_sha256: [2; 32],
        sealed_bytes: 10,
        content_root: [3; 32],
    }
}

/// The log that took the place of one which sent these.
fn successor(own: &mut ContactPoint, other: &ContactPoint, sent: &[VerifiedEnvelope]) -> Exchange {
    let previous = PreviousLog { origin: own.card.log_origin.clone(), held_size: 2, ..PreviousLog::default() };
    let first = succeeding(5, &own.card, &own.card_bytes, None).unwrap().entry;
    own.begin_log(5);
    let mut exchange = Exchange::new(own.own(i64::MAX));
    exchange.replay(&succeeding(5, &own.card, &own.card_bytes, Some(previous)).unwrap().entry, None).unwrap();
    let (card, address) = (other.card_bytes.clone(), "host:1".to_owned());
    let enrolled = Event::PeerEnrolled(PeerEnrolled { card, address, actor: "person".to_owned() });
    let sent = sent.iter().map(|envelope| {
        Event::NoticeSent(NoticeSent {
            envelope: envelope.bytes().to_vec(),
            actor: "person".to_owned(),
            ..NoticeSent::default()
        })
    });
    let entries = std::iter::once(enrolled).chain(sent).map(|event| encode_entry(5, event).unwrap());
    for entry in std::iter::once(first).chain(entries) {
        exchange.replay(&encode_entry(5, Event::CarriedOver(CarriedOver { entry })).unwrap(), None).unwrap();
    }
    exchange
}

fn asked(output: &Output) -> Option<(u64, Option<u64>)> {
    output.effects.iter().find_map(|effect| match effect {
        Effect::Connect { link, behind, .. } => Some((*link, *behind)),
        _ => None,
    })
}

fn resumes(output: &Output) -> bool {
    let mut events = output.records.iter().map(|record| read_entry(&record.entry).unwrap().event);
    events.any(|event| matches!(event, Event::ChannelResumed(_)))
}

#[test]
fn it_asks_in_steps_and_takes_back_what_the_counterpart_has_others_for() {
    let (mut own, other) = (ContactPoint::new("JP-MOJ-ISA-RMD", 1), ContactPoint::new("KG-MLSSM-CECA", 2));
    let key = own.secret(Role::Envelope);
    let mut sent: Vec<VerifiedEnvelope> = Vec::new();
    for number in 1..=SENT {
        let previous = sent.last().map_or(StatementDigest::NONE, VerifiedEnvelope::digest);
        sent.push(sign_statement(statement(&own, &other, number, previous, 1), &key).unwrap());
    }
    let mut exchange = successor(&mut own, &other, &sent);
    let channel = ChannelId { peer: other.card.id.clone(), memorandum: MEMORANDUM.to_owned() };
    // It holds all but the last three, and another one under the number of the first of these.
    let parted = sent.len() - 3;
    let mut theirs: Vec<StatementDigest> = sent[..parted].iter().map(VerifiedEnvelope::digest).collect();
    let other_one = statement(&own, &other, parted as u64 + 1, *theirs.last().unwrap(), 2);
    let last = Arc::new(sign_statement(other_one, &key).unwrap());
    theirs.push(last.digest());
    let next_number = theirs.len() as u64 + 1;
    let opening = |behind: u64, most: usize| {
        let behind = theirs.iter().skip(usize::try_from(behind).unwrap()).take(most).copied().collect();
        Opening { next_number, last: Some(Arc::clone(&last)), behind }
    };
    let opened = |exchange: &mut Exchange, now_ms, link, opening| {
        exchange.step(now_ms, Input::LinkOpened { channel: channel.clone(), link, opening, jitter: 0 })
    };

    let (link, behind) = asked(&exchange.step(10, Input::Start)).unwrap();
    assert_eq!(behind, Some(0));
    // One that tells less than it could is believed nothing.
    assert!(!resumes(&opened(&mut exchange, 11, link, opening(0, 5))));
    let (link, behind) = asked(&exchange.step(2_000, Input::Tick)).unwrap();
    assert_eq!(behind, Some(0));
    assert!(!resumes(&opened(&mut exchange, 2_001, link, opening(0, 16_384))));
    let (link, behind) = asked(&exchange.step(10_000, Input::Tick)).unwrap();
    assert_eq!(behind, Some(16_384), "it goes on asking where it stopped");
    let output = opened(&mut exchange, 10_001, link, opening(16_384, 16_384));
    assert!(resumes(&output), "where the channel goes on");
    let state = |number: usize| exchange.notice(&sent[number - 1].statement().message_id).unwrap().state.clone();
    assert_eq!([1, parted].map(state), [NoticeState::Queued, NoticeState::Queued]);
    assert_eq!([parted + 1, parted + 3].map(state), [NoticeState::Displaced, NoticeState::Displaced]);
    let (_, next, waiting, link) = exchange.outgoing().next().unwrap();
    assert_eq!((next, waiting), (next_number, parted as u64));
    assert!(
        matches!(link.unwrap().state, LinkState::Open { sent } if sent > 0),
        "what it holds is sent for its receipts"
    );
}

#[test]
fn a_statement_of_this_log_that_it_does_not_hold_ends_its_work() {
    let (mut own, other) = (ContactPoint::new("JP-MOJ-ISA-RMD", 1), ContactPoint::new("KG-MLSSM-CECA", 2));
    let key = own.secret(Role::Envelope);
    let of = |own: &ContactPoint, number, previous, by| {
        Arc::new(sign_statement(statement(own, &other, number, previous, by), &key).unwrap())
    };
    let first = of(&own, 1, StatementDigest::NONE, 1);
    let channel = ChannelId { peer: other.card.id.clone(), memorandum: MEMORANDUM.to_owned() };
    let shown = |exchange: &mut Exchange, last: &Arc<VerifiedEnvelope>, next_number| {
        let (link, _) = asked(&exchange.step(10, Input::Start)).unwrap();
        let opening = Opening { next_number, last: Some(Arc::clone(last)), behind: Vec::new() };
        let input = Input::LinkOpened { channel: channel.clone(), link, opening, jitter: 0 };
        let output = exchange.step(11, input);
        output
            .effects
            .iter()
            .any(|effect| matches!(effect, Effect::IsNotTheLog { envelope, .. } if envelope.statement().number + 1 == next_number))
    };
    let log = |own: &ContactPoint, previous: Option<PreviousLog>| {
        let mut exchange = Exchange::new(own.own(i64::MAX));
        let enrolled = Event::PeerEnrolled(PeerEnrolled {
            card: other.card_bytes.clone(),
            address: "host:1".to_owned(),
            actor: "person".to_owned(),
        });
        let sent = Event::NoticeSent(NoticeSent {
            envelope: first.bytes().to_vec(),
            actor: "person".to_owned(),
            ..NoticeSent::default()
        });
        exchange.replay(&succeeding(5, &own.card, &own.card_bytes, previous).unwrap().entry, None).unwrap();
        for event in [enrolled, sent] {
            exchange.replay(&encode_entry(5, event).unwrap(), None).unwrap();
        }
        exchange
    };
    let second = of(&own, 2, first.digest(), 1);
    assert!(shown(&mut log(&own, None), &second, 3), "a later number");
    assert!(shown(&mut log(&own, None), &of(&own, 1, StatementDigest::NONE, 2), 2), "another one");
    assert!(!shown(&mut log(&own, None), &first, 2), "the one that it holds");
    assert!(!shown(&mut log(&own, None), &second, 4), "one of another number than is claimed");
    let elsewhere = Statement { memorandum: "JP-KG-TITP-2021".to_owned(), ..second.statement().clone() };
    assert!(
        !shown(&mut log(&own, None), &Arc::new(sign_statement(elsewhere, &key).unwrap()), 3),
        "one of another channel"
    );
    // Of what the log before signed with the same key the counterpart may keep back what it likes.
    assert!(!shown(&mut successor(&mut own, &other, &[(*first).clone()]), &second, 3), "one of the log before");
    let previous = PreviousLog { origin: "verbale/JP-MOJ-ISA-RMD/1".to_owned(), ..PreviousLog::default() };
    assert!(
        !shown(&mut log(&own, Some(previous.clone())), &second, 3),
        "of a log before that told no card with this key"
    );
    // Where the log before stopped is not known before the channel goes on; what is signed behind that, after this log began, is of this one.
    let later = |created_ms| {
        let later = Statement { created_ms, ..second.statement().clone() };
        Arc::new(sign_statement(later, &key).unwrap())
    };
    assert!(!shown(&mut log(&own, Some(previous.clone())), &later(6), 3), "of a channel that does not go on yet");
    let resumed = |created_ms| {
        let mut exchange = log(&own, Some(previous.clone()));
        shown(&mut exchange, &first, 2);
        let generation = exchange.link_generation(&channel);
        let trouble = "it broke".to_owned();
        exchange.step(
            12,
            Input::LinkFailed { channel: channel.clone(), link: generation, trouble, reached: true, jitter: 0 },
        );
        let (link, _) = asked(&exchange.step(5_000, Input::Tick)).unwrap();
        let opening = Opening { next_number: 3, last: Some(later(created_ms)), behind: Vec::new() };
        let input = Input::LinkOpened { channel: channel.clone(), link, opening, jitter: 0 };
        let output = exchange.step(5_001, input);
        output.effects.iter().any(|effect| matches!(effect, Effect::IsNotTheLog { .. }))
    };
    assert_eq!([5, 6, 5_001, 5_002].map(resumed), [false, true, true, false], "by the own clock, unless it was ahead");
}

#[test]
fn nothing_is_entered_before_the_counterpart_said_where_the_channel_stands() {
    let (own, other) = (ContactPoint::new("JP-MOJ-ISA-RMD", 1), ContactPoint::new("KG-MLSSM-CECA", 2));
    let channel = ChannelId { peer: other.card.id.clone(), memorandum: MEMORANDUM.to_owned() };
    // Nothing was ever sent, as far as this copy knows.
    let started = || {
        let mut exchange = Exchange::new(own.own(i64::MAX));
        exchange.replay(&succeeding(5, &own.card, &own.card_bytes, None).unwrap().entry, None).unwrap();
        let enrolled = Event::PeerEnrolled(PeerEnrolled {
            card: other.card_bytes.clone(),
            address: "host:1".to_owned(),
            actor: "person".to_owned(),
        });
        exchange.replay(&encode_entry(5, enrolled).unwrap(), None).unwrap();
        let output = exchange.step(10, Input::Start);
        assert!(exchange.is_comparing() && output.records.is_empty());
        let (link, _) = asked(&output).unwrap();
        (exchange, link)
    };
    let opened = |link, opening| Input::LinkOpened { channel: channel.clone(), link, opening, jitter: 0 };

    let (mut exchange, link) = started();
    let output = exchange.step(11, opened(link, Opening { next_number: 1, last: None, behind: Vec::new() }));
    assert!(!exchange.is_comparing() && !output.records.is_empty(), "it takes up its work");

    let (mut exchange, link) = started();
    let failed = |link, reached| {
        let trouble = "it cannot be reached".to_owned();
        Input::LinkFailed { channel: channel.clone(), link, trouble, reached, jitter: 0 }
    };
    assert!(!exchange.step(11, failed(link, false)).records.is_empty() && !exchange.is_comparing(), "nobody is there");
    // Compared with when it is, or when it comes by; what it brings then waits for that.
    assert!(asked(&exchange.step(2_000, Input::Tick)).is_some());
    let (mut exchange, link) = started();
    exchange.step(11, failed(link, false));
    let came_by = exchange.step(12, Input::PeerOpened { ticket: 1, channel: channel.clone(), behind: None });
    let (link, _) = asked(&came_by).unwrap();
    let sent = || {
        Arc::new(
            sign_statement(statement(&other, &own, 1, StatementDigest::NONE, 1), &other.secret(Role::Envelope))
                .unwrap(),
        )
    };
    let arrived = |peer: &str| {
        let channel = ChannelId { peer: peer.to_owned(), memorandum: MEMORANDUM.to_owned() };
        Input::Arrived(2, channel, Arrival::StatementOnly(Box::new((*sent()).clone())))
    };
    assert!(exchange.must_wait(&arrived(&channel.peer)) && !exchange.must_wait(&arrived("XX")));
    exchange.step(13, failed(link, true));
    assert!(!exchange.must_wait(&arrived(&channel.peer)), "it did not answer");

    // Somebody is there, and refuses: it may be an older copy that it knows no more, or one who is not enrolled there yet.
    let (mut exchange, link) = started();
    assert!(exchange.step(11, failed(link, true)).records.is_empty() && exchange.is_comparing());

    let (mut exchange, _) = started();
    assert!(exchange.step(5_010, Input::Tick).records.is_empty() && exchange.is_comparing());
    assert!(!exchange.step(5_011, Input::Tick).records.is_empty() && !exchange.is_comparing(), "nobody answers");

    let (mut exchange, _) = started();
    exchange.step(-3_600_000, Input::Tick);
    assert!(!exchange.is_comparing(), "the clock was set back");

    let sent = sign_statement(statement(&own, &other, 1, StatementDigest::NONE, 1), &own.secret(Role::Envelope));
    let shows = Opening { next_number: 2, last: Some(Arc::new(sent.unwrap())), behind: Vec::new() };
    let held_back = |link, opening| Input::LinkHeldBack { channel: channel.clone(), link, opening };
    let is_the_first =
        |effect: &Effect| matches!(effect, Effect::IsNotTheLog { envelope, .. } if envelope.statement().number == 1);
    let [first, second] = [started(), started()];
    for ((mut exchange, _), input) in [(first, opened(1, shows.clone())), (second, held_back(1, shows))] {
        let output = exchange.step(11, input);
        assert!(output.effects.iter().any(is_the_first));
        let later = exchange.step(60_000, Input::Tick);
        assert!(exchange.is_comparing() && output.records.is_empty() && later.records.is_empty(), "an older copy");
    }

    // A counterpart that holds its own log back says what it held; where the channel stands it does not.
    let (mut exchange, link) = started();
    exchange.step(11, held_back(link, Opening { next_number: 1, last: None, behind: Vec::new() }));
    let not_open =
        exchange.outgoing().all(|(_, _, _, link)| link.is_none_or(|link| link.state == LinkState::Connecting));
    assert!(!exchange.is_comparing() && not_open);
}
