//! Two nodes, by hand: what one sends the other receives, and both compute the same end of a memorandum.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

use verbale_domain::flow::COMMENCEMENT_RECORD;
use verbale_domain::{Notice, NoticeKey, civil};
use verbale_envelope::{SealedNotice, open, seal};
use verbale_evidence::{
    MessageId, Statement, StatementDigest, UnverifiedEnvelope, decode_entry, encode_entry, sign_statement,
    verify_receipt,
};
use verbale_exchange::{
    Approval, Arrival, ChannelId, Draft, Exchange, Input, Kept, Opening, Record, Submission, genesis,
};
use verbale_keys::Role;
use verbale_ledger::{Checkpoint, LogIndex, TlogProof, Tree, leaf_hash};
use verbale_proto::v1::log_entry::Event;
use verbale_proto::v1::{Facts, MemorandumCommenced, NoticeSent, Receipt, ReceiptReceived};
use verbale_testkit::{ContactPoint, Known};

const MEMORANDUM: &str = "JP-KG-SSW-2023";
const YEAR_MS: i64 = 365 * 24 * 3600 * 1000;

struct Side {
    point: ContactPoint,
    exchange: Exchange,
    entries: Vec<Vec<u8>>,
}

impl Side {
    fn new(id: &str, seed: u8) -> Self {
        let point = ContactPoint::new(id, seed);
        let mut exchange = Exchange::new(point.own(YEAR_MS));
        let first = genesis(0, &point.card, &point.card_bytes).unwrap().entry;
        exchange.replay(&first, None).unwrap();
        Self { point, exchange, entries: vec![first] }
    }

    fn step(&mut self, now_ms: i64, input: Input) -> Vec<Record> {
        let output = self.exchange.step(now_ms, input);
        assert!(output.fault.is_none());
        self.entries.extend(output.records.iter().map(|record| record.entry.clone()));
        output.records
    }

    fn enrol(&mut self, other: &Known) {
        let (card, bytes) = (Box::new(other.card.clone()), other.card_bytes.clone());
        self.step(1, Input::Enrol { ticket: 1, card, bytes, actor: "person".into(), address: "host:1".into() });
    }

    fn ends(&self) -> Option<String> {
        self.exchange.docket().course(MEMORANDUM)?.ends.map(|day| day.to_string())
    }

    /// The receipt for an entry, under the head of all entries now.
    fn receipt(&self, index: usize) -> Receipt {
        let entry = self.entries.get(index).unwrap().clone();
        let mut tree = Tree::default();
        for entry in &self.entries {
            tree.append(leaf_hash(entry));
        }
        let head = Checkpoint { origin: self.point.card.log_origin.clone(), size: tree.size(), root: tree.root() };
        let hashes = tree.inclusion_proof(LogIndex(index as u64), tree.size()).unwrap();
        let checkpoint = head.sign(&self.point.secret(Role::Log));
        let proof = TlogProof { index: LogIndex(index as u64), hashes, checkpoint }.to_text();
        Receipt { entry, proof }
    }
}

/// A notice that a contact point sends as the first of its channel, and the code with which it is refused.
fn refused(japan: &mut Side, from: &ContactPoint, notice: &Notice) -> Option<String> {
    let to = japan.point.known();
    let message_id = MessageId::new(1, &[japan.entries.len().try_into().unwrap(); 10]);
    let sealed = seal(notice, &from.card.id, (&to.card.id, &to.recipient), message_id, [8; 32]).unwrap();
    let memorandum = notice.header().memorandum.clone();
    let memoranda = from.own(YEAR_MS).memoranda;
    let statement = Statement {
        message_id,
        terms_digest: memoranda.get(&memorandum).unwrap().terms_digest(),
        memorandum: memorandum.clone(),
        flow: notice.header().flow.clone(),
        sender: from.card.id.clone(),
        sender_key: from.card.envelope_key.fingerprint(),
        recipient: to.card.id.clone(),
        recipient_key: to.recipient.fingerprint(),
        created_ms: 2,
        not_after_ms: i64::MAX,
        number: 1,
        previous: StatementDigest::NONE,
        answers: None,
        sealed_sha256: sealed.sha256,
        sealed_bytes: sealed.bytes.len() as u64,
        content_root: sealed.content_root,
    };
    let envelope = sign_statement(statement, &from.secret(Role::Envelope)).unwrap();
    let bound = SealedNotice::bind(envelope, sealed.bytes).unwrap();
    let opened = open(bound, &japan.point.identity).unwrap_or_else(|unopened| panic!("{}", unopened.refusal));
    let (archive, subject) = (japan.point.archive(), opened.notice().subject());
    let digest = archive.notice_digest(opened.notice());
    let kept = Kept::prepare(&archive, message_id, &subject, digest, (opened.file_key(), &[]), &[5; 80]);
    let channel = ChannelId { peer: from.card.id.clone(), memorandum };
    let records = japan.step(3, Input::Arrived(3, channel, Arrival::Opened(Box::new((opened, kept)))));
    match decode_entry(&records[0].entry).unwrap().1 {
        Event::NoticeRefused(refused) => Some(refused.code),
        _ => None,
    }
}

#[test]
fn who_has_no_part_in_a_memorandum_does_not_learn_which_numbers_were_used_under_it() {
    let (tajik, kyrgyz) = (ContactPoint::new("TJ-MLMEP-MS-DLPSA", 2), ContactPoint::new("KG-MLSSM-CECA", 3));
    let notice = |number: &str| {
        let json = format!(
            r#"{{"notice_id":"{number}","memorandum":"JP-TJ-SSW-2024","flow":"F33","kind":"COMMENCEMENT_NOTIFICATION","clause":"10",
            "from":{{"party":"TJ","office":"TJ-MLMEP-MS-DLPSA"}},"to":{{"party":"JP","office":"JP-MOJ-ISA-RMD"}},
            "issued_at":"2024-12-20T10:15:00+05:00","classification":"CONFIDENTIAL","receiver_obligation":"NONE","languages":["en"],
            "body":{{"statement":"a statement","last_notification":true}}}}"#
        );
        Notice::from_json(json.as_bytes()).unwrap_or_else(|refusal| panic!("{refusal}"))
    };
    let codes = ["TJ-1", "TJ-2"].map(|number| {
        // Each as the first of its channel.
        let mut japan = Side::new("JP-MOJ-ISA-RMD", 1);
        japan.enrol(&tajik.known());
        japan.enrol(&kyrgyz.known());
        assert_eq!(refused(&mut japan, &tajik, &notice("TJ-1")), None);
        refused(&mut japan, &kyrgyz, &notice(number)).unwrap()
    });
    assert_eq!(codes, ["SENDER_NOT_CONTACT_POINT"; 2]);
}

fn moment(text: &str) -> i64 {
    civil::moment_ms(text).unwrap()
}

#[test]
fn a_termination_that_arrives_late_over_new_year_ends_the_memorandum_on_the_same_day_on_both_sides() {
    // The receipt comes back days later, or by a clock that is behind the receiver's: the day in it counts, not the day on which it came.
    for receipted in ["2027-01-09T12:00:00+06:00", "2027-01-01T22:20:00+06:00"] {
        terminates(moment(receipted));
    }
}

fn terminates(receipted_ms: i64) {
    let (mut japan, mut partner) = (Side::new("JP-MOJ-ISA-RMD", 1), Side::new("KG-MLSSM-CECA", 2));
    let (japans, partners) = (japan.point.known(), partner.point.known());
    japan.enrol(&partners);
    partner.enrol(&japans);

    // Sent late on 30 December, Kyrgyz time.
    let sent_ms = moment("2026-12-30T23:50:00+06:00");
    let json = r#"{"notice_id":"KG-END","memorandum":"JP-KG-SSW-2023","flow":"F34","kind":"TERMINATION_NOTICE","clause":"10",
        "from":{"party":"KG","office":"KG-MLSSM-CECA"},"to":{"party":"JP","office":"JP-MOJ-ISA-RMD"},
        "issued_at":"2026-12-30T23:50:00+06:00","classification":"CONFIDENTIAL","receiver_obligation":"RECORD_RECEIPT_DATE",
        "languages":["en"],"body":{"statement":"a statement","received_on":"2026-12-31","effective_on":"2027-06-30"}}"#;
    let notice = Notice::from_json(json.as_bytes()).unwrap_or_else(|refusal| panic!("{refusal}"));
    let (archive, message_id) = (partner.point.archive(), MessageId::from_bytes([7; 16]));
    let to = (japans.card.id.as_str(), &japans.recipient);
    let sealed = seal(&notice, &partners.card.id, to, message_id, [8; 32]).unwrap();
    let bytes = sealed.bytes.clone();
    let (subject, digest) = (notice.subject(), archive.notice_digest(&notice));
    let kept = Kept::prepare(&archive, message_id, &subject, digest, (&sealed.file_key, &[]), &[9; 80]);
    let (recipient, recipient_key) = (japans.card.id.clone(), japans.recipient.fingerprint());
    let draft = Ok(Box::new(Draft { message_id, recipient, recipient_key, sealed, kept, carries: Vec::new() }));
    let submission = Submission { actor: "person".into(), may_bind: true, subject, digest, draft };
    // It binds its side: it waits for a second person.
    let drafted = partner.step(sent_ms, Input::Submit(2, Box::new(submission))).remove(0);
    let Event::NoticeDrafted(draft) = decode_entry(&drafted.entry).unwrap().1 else { panic!("it was not drafted") };
    let sealed_facts = drafted.facts.unwrap();
    let keys = partner.point.archive().unwrap(message_id, &drafted.keys.unwrap().1).unwrap();
    let approval = |actor: &str| {
        let facts = keys.facts.open(message_id, &sealed_facts, &draft.facts_digest).unwrap();
        let (sealed, sealed_facts) = (bytes.clone(), sealed_facts.clone());
        let (actor, subject) = (actor.to_owned(), notice.subject());
        Input::Approve(
            3,
            Box::new(Approval { message_id, actor, subject, sealed, facts, sealed_facts, carries: Vec::new() }),
        )
    };
    assert!(partner.step(sent_ms, approval("person")).is_empty(), "one person is not two");
    assert!(partner.step(sent_ms, approval("second")).is_empty(), "it was not read");
    let facts = keys.facts.seal(message_id, &Facts::default(), &[6; 24]);
    let actor = "second".to_owned();
    assert_eq!(partner.step(sent_ms, Input::Open { ticket: 4, message_id, actor, facts }).len(), 1);
    let records = partner.step(sent_ms, approval("second"));
    assert_eq!((records.len(), partner.exchange.drafts().count()), (1, 0));
    assert!(partner.step(sent_ms, approval("second")).is_empty(), "it was sent twice");
    let Event::NoticeSent(sent) = decode_entry(&records[0].entry).unwrap().1 else { panic!("it was not sent") };
    assert_eq!((sent.actor.as_str(), sent.drafted_by.as_str()), ("second", "person"));
    let envelope = UnverifiedEnvelope::parse(&sent.envelope).unwrap().verify(&partners.card.envelope_key).unwrap();
    assert_eq!(partner.ends(), None, "nothing ends before it is received");

    // It arrives when it is 2 January in Japan, and still 1 January in Kyrgyzstan.
    let arrived_ms = moment("2027-01-02T01:30:00+09:00");
    let bound = SealedNotice::bind(envelope.clone(), bytes).unwrap();
    let opened = open(bound, &japan.point.identity).unwrap_or_else(|unopened| panic!("{}", unopened.refusal));
    let (archive, subject) = (japan.point.archive(), opened.notice().subject());
    let kept = Kept::prepare(
        &archive,
        message_id,
        &subject,
        archive.notice_digest(opened.notice()),
        (opened.file_key(), &[]),
        &[5; 80],
    );
    let from_partner = ChannelId { peer: partners.card.id.clone(), memorandum: MEMORANDUM.into() };
    let index = japan.entries.len();
    let arrival = Arrival::Opened(Box::new((opened, kept)));
    assert_eq!(japan.step(arrived_ms, Input::Arrived(3, from_partner, arrival)).len(), 2);
    assert_eq!(japan.ends().as_deref(), Some("2027-07-02"), "six months after receipt, by the receiver's date");

    let receipt = verify_receipt(&japan.receipt(index), &japans.card.log_vkey(), &envelope).unwrap();
    let channel = ChannelId { peer: japans.card.id.clone(), memorandum: MEMORANDUM.into() };
    let opening = Opening { next_number: 1, last: None, behind: Vec::new() };
    partner.step(receipted_ms, Input::LinkOpened { channel: channel.clone(), link: 1, opening, jitter: 0 });
    assert_eq!(partner.step(receipted_ms, Input::ReceiptArrived(channel, Box::new(receipt))).len(), 2);
    assert_eq!(partner.ends(), japan.ends());
    // It was delivered when this node had the receipt, whatever the other clock says.
    let key = NoticeKey { side: "KG".to_owned(), number: "KG-END".to_owned() };
    let course = partner.exchange.docket().course(MEMORANDUM).unwrap();
    assert_eq!(course.get(&key).unwrap().delivered_ms, Some(receipted_ms));
}

#[test]
fn a_day_that_two_records_say_stays_when_one_is_refused() {
    let (mut japan, tajik) = (Side::new("JP-MOJ-ISA-RMD", 1), ContactPoint::new("TJ-MLMEP-MS-DLPSA", 2));
    japan.enrol(&tajik.known());
    let memorandum = "JP-TJ-SSW-2024";
    let mut previous = StatementDigest::NONE;
    let ids = [1, 2].map(|number| {
        let message_id = MessageId::new(number, &[3; 10]);
        let statement = Statement {
            message_id,
            memorandum: memorandum.into(),
            terms_digest: [1; 32],
            flow: COMMENCEMENT_RECORD.into(),
            sender: japan.point.card.id.clone(),
            sender_key: japan.point.card.envelope_key.fingerprint(),
            recipient: tajik.card.id.clone(),
            recipient_key: tajik.recipient.fingerprint(),
            created_ms: 1,
            not_after_ms: i64::MAX,
            number,
            previous,
            answers: None,
            sealed_sha256: [2; 32],
            sealed_bytes: 10,
            content_root: [3; 32],
        };
        let envelope = sign_statement(statement, &japan.point.secret(Role::Envelope)).unwrap();
        previous = envelope.digest();
        let (envelope, actor) = (envelope.bytes().to_vec(), "person".to_owned());
        let (on, of) = ("2025-02-01".to_owned(), message_id.as_bytes().to_vec());
        for event in [
            Event::NoticeSent(NoticeSent { envelope, actor, ..NoticeSent::default() }),
            Event::MemorandumCommenced(MemorandumCommenced { memorandum: memorandum.into(), on, message_id: of }),
        ] {
            japan.exchange.replay(&encode_entry(5, event).unwrap(), None).unwrap();
        }
        message_id
    });
    let mut commenced_after = |at: usize| {
        let refused = Event::ReceiptReceived(ReceiptReceived {
            message_id: ids[at].as_bytes().to_vec(),
            peer_index: at as u64,
            code: "EXPIRED".to_owned(),
            ..ReceiptReceived::default()
        });
        japan.exchange.replay(&encode_entry(6, refused).unwrap(), None).unwrap();
        japan.exchange.docket().course(memorandum).and_then(|course| course.commenced).is_some()
    };
    assert_eq!([0, 1].map(&mut commenced_after), [true, false], "the last of them takes the day with it");
}
