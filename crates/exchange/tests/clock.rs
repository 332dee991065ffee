//! A clock that was wrong once.

use verbale_envelope::seal;
use verbale_evidence::{MessageId, UnverifiedEnvelope, decode_entry};
use verbale_exchange::{Draft, Exchange, Input, Kept, Submission, genesis};
use verbale_proto::v1::log_entry::Event;
use verbale_testkit::{ContactPoint, general_information};

const DAY_MS: i64 = 24 * 3600 * 1000;
const NOW_MS: i64 = 1_780_000_000_000;

#[test]
fn a_clock_that_was_a_year_ahead_for_a_moment_does_not_date_later_notices_ahead() {
    let (japan, partner) = (ContactPoint::new("JP-MOJ-ISA-RMD", 1), ContactPoint::new("KG-MLSSM-CECA", 2));
    let mut exchange = Exchange::new(japan.own(30 * DAY_MS));
    exchange.replay(&genesis(NOW_MS, &japan.card, &japan.card_bytes).unwrap().entry, None).unwrap();
    // An entry while the clock is ahead: from now on the log's time is ahead of the clock.
    let (card, bytes) = (Box::new(partner.card.clone()), partner.card_bytes.clone());
    let enrol = Input::Enrol { ticket: 1, card, bytes, actor: "person".into(), address: "host:1".into() };
    assert_eq!(exchange.step(NOW_MS + 400 * DAY_MS, enrol).records.len(), 1);
    let notice = general_information(true, "JP-1", "text");
    let (archive, message_id) = (japan.archive(), MessageId::from_bytes([7; 16]));
    let sealed = seal(&notice, &japan.card.id, (&partner.card.id, &partner.recipient), message_id, [8; 32]).unwrap();
    let (subject, digest) = (notice.subject(), archive.notice_digest(&notice));
    let kept = Kept::prepare(&archive, message_id, &subject, digest, (&sealed.file_key, &[]), &[9; 80]);
    let (recipient, recipient_key) = (partner.card.id.clone(), partner.recipient.fingerprint());
    let draft = Ok(Box::new(Draft { message_id, recipient, recipient_key, sealed, kept, carries: Vec::new() }));
    let submission = Submission { actor: "person".into(), may_bind: true, subject, digest, draft };
    let output = exchange.step(NOW_MS, Input::Submit(2, Box::new(submission)));
    let (entry_ms, event) = decode_entry(&output.records[0].entry).unwrap();
    let Event::NoticeSent(sent) = event else { panic!("the notice was not sent") };
    let envelope = UnverifiedEnvelope::parse(&sent.envelope).unwrap().verify(&japan.card.envelope_key).unwrap();
    // The log never runs backwards, and the counterpart is told the time that it is.
    assert_eq!(entry_ms, NOW_MS + 400 * DAY_MS);
    assert_eq!(envelope.statement().created_ms, NOW_MS);
    assert_eq!(envelope.statement().not_after_ms, NOW_MS + 30 * DAY_MS);
}
