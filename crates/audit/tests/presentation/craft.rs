//! A case, signed and put together with its discloser's own keys, and what the check says of it.

use serde_json::Value;
use verbale_audit::{Checked, check_presentation};
use verbale_domain::disclosure::{Ground, Release};
use verbale_domain::{Memoranda, Notice, civil};
use verbale_evidence::{
    Answers, MessageId, Statement, StatementDigest, VerifiedEnvelope, content_root, covered_digest, encode_entry, part,
    presentation_text, sign_disclosure, sign_statement,
};
use verbale_keys::Role;
use verbale_ledger::{Checkpoint, TlogProof, Tree, leaf_hash};
use verbale_proto::v1::log_entry::Event;
use verbale_proto::v1::{Disclosed, Disclosure, NoticeReceived, NoticeRefused, Part, Presentation, Receipt};
use verbale_testkit::ContactPoint;

use crate::case::{Case, JP, WRITTEN};

const SEED: [u8; 32] = [9; 32];

/// A signed notice and what it is cut from.
struct Signed {
    notice: Notice,
    envelope: VerifiedEnvelope,
}

fn sign(
    by: &ContactPoint,
    to: &ContactPoint,
    value: &Value,
    (id, written): (u8, &str),
    answers: Option<(MessageId, StatementDigest)>,
) -> Signed {
    let notice = Notice::from_json(value.to_string().as_bytes()).unwrap_or_else(|refusal| panic!("{refusal}"));
    let header = notice.header();
    let message_id = MessageId::from_bytes([id; 16]);
    let memoranda = Memoranda::parse(Memoranda::shipped().iter().copied()).unwrap();
    let statement = Statement {
        message_id,
        terms_digest: memoranda.get(&header.memorandum).unwrap().terms_digest(),
        memorandum: header.memorandum,
        flow: header.flow,
        sender: by.card.id.clone(),
        sender_key: by.card.envelope_key.fingerprint(),
        recipient: to.card.id.clone(),
        recipient_key: to.recipient.fingerprint(),
        created_ms: civil::moment_ms(written).unwrap(),
        not_after_ms: civil::moment_ms(written).unwrap() + 1,
        number: 1,
        previous: StatementDigest::NONE,
        answers: answers.map(|(message_id, statement)| Answers { message_id, statement }),
        sealed_sha256: [0; 32],
        sealed_bytes: 100,
        content_root: content_root(&by.card.id, message_id, &SEED, notice.chunks()),
    };
    Signed { envelope: sign_statement(statement, &by.secret(Role::Envelope)).unwrap(), notice }
}

fn cut(signed: &Signed, places: &[u32]) -> Part {
    part(signed.envelope.bytes(), &SEED, signed.notice.chunks(), places).unwrap()
}

fn logged(by: &ContactPoint, entry: Vec<u8>) -> (Vec<u8>, String) {
    let mut tree = Tree::default();
    tree.append(leaf_hash(b"genesis"));
    let index = tree.append(leaf_hash(&entry));
    let head = Checkpoint { origin: by.card.log_origin.clone(), size: tree.size(), root: tree.root() };
    let hashes = tree.inclusion_proof(index, tree.size()).unwrap();
    (entry, TlogProof { index, hashes, checkpoint: head.sign(&by.secret(Role::Log)) }.to_text())
}

impl Case {
    pub(crate) fn make(&self) -> Presentation {
        let answered = self.notice_answers.then(|| (MessageId::from_bytes([8; 16]), StatementDigest([8; 32])));
        let recipient = if self.originator.card.id == self.discloser.card.id {
            &ContactPoint::new(JP.1, 2)
        } else {
            &self.discloser
        };
        let notice = sign(&self.originator, recipient, &self.notice, (1, WRITTEN), answered);
        let id = |signed: &Signed| (signed.envelope.statement().message_id, signed.envelope.digest());
        let about =
            if self.answers_another { (MessageId::from_bytes([7; 16]), StatementDigest([7; 32])) } else { id(&notice) };
        let (mut grounds, mut links, mut receipt) = (Vec::new(), Vec::new(), None);
        if self.ground_by_originator && !self.ground.is_null() {
            let stranger = ContactPoint::new("XX-STRANGER", 5);
            let asker = if self.request_of_another { &stranger } else { &self.discloser };
            let request = sign(asker, &self.originator, &self.request, (2, WRITTEN), Some(about));
            grounds.push(sign(
                &self.originator,
                &self.discloser,
                &self.ground,
                (3, self.ground_written),
                Some(id(&request)),
            ));
            links.push(request.envelope.bytes().to_vec());
        } else if !self.ground.is_null() {
            let ground = sign(&self.discloser, &self.originator, &self.ground, (3, self.ground_written), Some(about));
            let envelope = ground.envelope.bytes().to_vec();
            receipt = self.delivered_at.map(|at| {
                let event = if self.ground_refused {
                    Event::NoticeRefused(NoticeRefused {
                        envelope,
                        code: "WRONG_DIRECTION".into(),
                        ..NoticeRefused::default()
                    })
                } else {
                    Event::NoticeReceived(NoticeReceived { envelope, ..NoticeReceived::default() })
                };
                let entry = encode_entry(civil::moment_ms(at).unwrap(), event).unwrap();
                let (entry, proof) = logged(&self.originator, entry);
                Receipt { entry, proof }
            });
            grounds.push(ground);
        }
        let disclosed_ms = civil::moment_ms(self.at).unwrap();
        let disclosure = Disclosure {
            message_id: notice.envelope.statement().message_id.as_bytes().to_vec(),
            statement_digest: notice.envelope.digest().0.to_vec(),
            discloser: self.discloser.card.id.clone(),
            disclosed_ms,
            grounds: grounds.iter().map(|ground| ground.envelope.digest().0.to_vec()).collect(),
            covered: covered_digest(notice.notice.covered(&self.disclosure.fields)).to_vec(),
            ..self.disclosure.clone()
        };
        let signed = sign_disclosure(&disclosure, &self.discloser.secret(Role::Envelope));
        let entry = Disclosed {
            message_id: disclosure.message_id.clone(),
            code: disclosure.code.clone(),
            disclosure_digest: signed.digest.to_vec(),
            disclosure_signature: signed.signature.clone(),
            ..Disclosed::default()
        };
        let (entry, proof) = logged(&self.discloser, encode_entry(disclosed_ms, Event::Disclosed(entry)).unwrap());
        let fields: Vec<String> = self.presented.iter().map(|field| (*field).to_owned()).collect();
        let ground: Release = disclosure.code.parse().unwrap();
        let mut places = notice.notice.places(&fields, ground);
        for field in &self.left_out {
            let left: Vec<u32> = notice.notice.places(&[(*field).to_owned()], Release::Allowed(Ground::ConsentOk));
            let kept = notice.notice.places(&[], Release::Allowed(Ground::ConsentOk));
            places.retain(|place| !left.contains(place) || (kept.contains(place) && *field != "header.notice_id"));
        }
        let whole = |signed: &Signed| (0..u32::try_from(signed.notice.chunks().len()).unwrap()).collect::<Vec<u32>>();
        let mut presentation = Presentation {
            version: 1,
            notice: Some(cut(&notice, &places)),
            disclosure: signed.bytes,
            grounds: grounds.iter().map(|ground| cut(ground, &whole(ground))).collect(),
            links,
            receipt,
            entry,
            proof,
        };
        (self.change)(&mut presentation);
        presentation
    }

    pub(crate) fn check(&self) -> Result<Value, String> {
        self.checked().map(|checked| checked.to_json())
    }

    /// The report for people.
    pub(crate) fn report(&self) -> Result<String, String> {
        self.checked().map(|checked| checked.to_text())
    }

    fn checked(&self) -> Result<Checked, String> {
        let memoranda = Memoranda::parse(Memoranda::shipped().iter().copied()).unwrap();
        let text = presentation_text(&self.make(), "A presentation.");
        let checked = check_presentation(
            &text,
            &self.originator.card.clone().into(),
            Some(&self.discloser.card.clone().into()),
            &memoranda,
        );
        checked.map_err(|fault| fault.to_string())
    }
}
