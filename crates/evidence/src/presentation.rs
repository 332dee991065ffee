//! Presentations: fields of a notice under their originator's signature, the discloser's word about audience and purpose, the ground
//! and the log's proof. What is verified here is who said what; whether the ground carries it is for the policy.
//!
//! # Layout
//! `proto/verbale/v1/presentation.proto`. A disclosure is a DSSE envelope of type
//! `application/vnd.verbale.disclosure.v1+protobuf`, signed with the discloser's envelope key.

use prost::Message as _;
use sha2::{Digest as _, Sha256};
use verbale_keys::{Fingerprint, SecretKey};
use verbale_ledger::{Checkpoint, LogIndex, TlogProof, TlogProofError};
use verbale_proto::v1;
use verbale_proto::v1::log_entry::Event;
use verbale_proto::v1::{Chunk, Disclosed, Disclosure, Part, Presentation};

use crate::armor;
use crate::card::Card;
use crate::cards::Cards;
use crate::commitment::{PartError, verify_part};
use crate::dsse::{DsseError, Unverified, pre_authentication_encoding, signed};
use crate::entry::{EntryError, EntryTold, read_entry};
use crate::envelope::{EnvelopeError, UnverifiedEnvelope, VerifiedEnvelope};
use crate::receipt::{ReceiptError, VerifiedReceipt, verify_receipt};
use crate::statement::{Statement, StatementDigest, is_identifier};

const PAYLOAD_TYPE: &str = "application/vnd.verbale.disclosure.v1+protobuf";
const VERSION: u32 = 1;
const LABEL: &str = "PRESENTATION";

/// A disclosure is at most so large: a purpose of 4 KiB, a name, and the paths of every field of the largest kind.
const DISCLOSURE_BYTES_MAX: usize = 64 << 10;

/// A signed disclosure, and the digest that the log entry carries.
#[derive(Clone)]
pub struct SignedDisclosure {
    /// The DSSE envelope.
    pub bytes: Vec<u8>,
    /// SHA-256 of the disclosure's bytes.
    pub digest: [u8; 32],
    /// The signature in the envelope; it says nothing about what it signs.
    pub signature: Vec<u8>,
}

/// The digest of the places of the leaves that were disclosed, in their order.
pub fn covered_digest(places: impl IntoIterator<Item = u32>) -> [u8; 32] {
    let mut digest = Sha256::new_with_prefix("verbale/covered/v1");
    places.into_iter().for_each(|place| digest.update(place.to_be_bytes()));
    digest.finalize().into()
}

/// Signs a disclosure with the discloser's envelope key.
pub fn sign_disclosure(disclosure: &Disclosure, key: &SecretKey) -> SignedDisclosure {
    let payload = payload_of(disclosure, &key.public().fingerprint());
    let signature = key.sign(&pre_authentication_encoding(PAYLOAD_TYPE, &payload));
    assembled(payload, &key.public().fingerprint(), &signature)
}

/// The same of a disclosure that was signed before, under a key that may be gone. Whoever reads it verifies it.
pub fn signed_disclosure(disclosure: &Disclosure, key: &Fingerprint, signature: &[u8]) -> SignedDisclosure {
    assembled(payload_of(disclosure, key), key, signature)
}

fn payload_of(disclosure: &Disclosure, key: &Fingerprint) -> Vec<u8> {
    let discloser_key = key.as_bytes().to_vec();
    Disclosure { version: VERSION, discloser_key, ..disclosure.clone() }.encode_to_vec()
}

fn assembled(payload: Vec<u8>, key: &Fingerprint, signature: &[u8]) -> SignedDisclosure {
    let digest = Sha256::digest(&payload).into();
    SignedDisclosure { digest, bytes: signed(payload, PAYLOAD_TYPE, (key, signature)), signature: signature.to_vec() }
}

/// A presentation that proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum PresentationError {
    /// Not the text form, or not a presentation in its one encoding.
    #[error("this is no presentation of version {VERSION}: {0}")]
    Form(&'static str),
    /// The originator's envelope.
    #[error("the originator's card does not vouch for the notice: {0}")]
    Originator(#[source] EnvelopeError),
    /// The fields.
    #[error(transparent)]
    Part(#[from] PartError),
    /// Without it neither audience nor purpose is known.
    #[error("the discloser is not the originator: give its card too, with a second --card")]
    NeedsDiscloser,
    /// The discloser's word.
    #[error("the discloser's card does not vouch for the disclosure: {0}")]
    Discloser(#[source] DsseError),
    /// The ground.
    #[error("a notice that the ground rests on is not signed by either card: {0}")]
    Ground(#[source] EnvelopeError),
    /// What the ground answers is something else, or its signature does not hold.
    #[error("what the ground answers does not hold: {0}")]
    Link(#[source] EnvelopeError),
    /// The originator's receipt.
    #[error("the receipt for the disclosure notice proves nothing: {0}")]
    Receipt(#[from] ReceiptError),
    /// The log.
    #[error("the discloser's log does not vouch for it: {0}")]
    Log(#[from] TlogProofError),
    /// The entry.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// Two of its pieces contradict each other.
    #[error("two pieces of the presentation contradict each other: {0}")]
    Contradiction(&'static str),
}

/// Some chunks of a notice, verified.
pub struct VerifiedPart {
    /// The notice's envelope.
    pub envelope: VerifiedEnvelope,
    /// The chunks, with their places.
    pub chunks: Vec<(u32, Chunk)>,
    /// Number of leaves of the whole.
    pub leaf_count: u32,
}

impl VerifiedPart {
    /// Whether no leaf is withheld.
    pub fn is_whole(&self) -> bool {
        self.chunks.len() == self.leaf_count as usize
    }
}

/// Where the discloser logged it.
pub struct LoggedDisclosure {
    /// The entry's place.
    pub index: LogIndex,
    /// The head that vouches for it.
    pub checkpoint: Checkpoint,
}

/// A presentation whose signatures and proofs hold.
pub struct VerifiedPresentation {
    /// The fields of the notice.
    pub notice: VerifiedPart,
    /// What the discloser says.
    pub disclosure: Disclosure,
    /// Consent or disclosure notice.
    pub grounds: Vec<VerifiedPart>,
    /// Statements between, signed, and named by what answers them; beside each ground, in its order.
    pub links: Vec<Statement>,
    /// The originator's receipt for a disclosure notice.
    pub receipt: Option<VerifiedReceipt>,
    /// Where it stands in the discloser's log.
    pub logged: LoggedDisclosure,
}

/// The text form, with an explanation before it.
pub fn presentation_text(presentation: &Presentation, explanation: &str) -> String {
    armor::to_text(LABEL, &presentation.encode_to_vec(), explanation)
}

/// The presentation in a text.
///
/// # Errors
/// [`PresentationError::Form`].
pub fn parse_presentation(text: &str) -> Result<Presentation, PresentationError> {
    let (bytes, behind) = armor::parse(LABEL, text).map_err(PresentationError::Form)?;
    // A second one would be taken for checked.
    if !behind.trim().is_empty() {
        return Err(PresentationError::Form("there is text behind its last line; check one presentation at a time"));
    }
    let presentation =
        Presentation::decode(bytes.as_slice()).map_err(|_| PresentationError::Form("it cannot be decoded"))?;
    if presentation.version != VERSION || presentation.encode_to_vec() != bytes {
        return Err(PresentationError::Form("another version, or another encoding"));
    }
    Ok(presentation)
}

/// Who claims to have written what a presentation shows: the sender and the memorandum of its statement, and the registry number among the
/// fields, if it is there. Nothing of it is verified: it tells which card is needed.
///
/// # Errors
/// [`PresentationError`].
pub fn originator_of(presentation: &Presentation) -> Result<(String, String, String), PresentationError> {
    let part = presentation.notice.as_ref().ok_or(PresentationError::Form("it has no notice"))?;
    let envelope = UnverifiedEnvelope::parse(&part.envelope).map_err(PresentationError::Originator)?;
    let statement = envelope.claimed().map_err(PresentationError::Originator)?;
    let shown = part.chunks.iter().filter_map(|shown| shown.chunk.as_ref());
    // A chunk is a part of the whole message: alone it is a header with one member.
    let mut headers = shown.filter_map(|chunk| v1::Notice::decode(chunk.bytes.as_slice()).ok()?.header);
    // People read it, and nobody signed for it.
    let number = headers.find_map(|header| header.notice_id).filter(|number| is_identifier(number)).unwrap_or_default();
    Ok((statement.sender, statement.memorandum, number))
}

/// Verifies every signature and proof of a presentation.
///
/// # Errors
/// [`PresentationError`].
pub fn verify_presentation(
    presentation: &Presentation,
    originator: &Cards,
    discloser: Option<&Cards>,
) -> Result<VerifiedPresentation, PresentationError> {
    let part = presentation.notice.as_ref().ok_or(PresentationError::Form("it has no notice"))?;
    let notice = verified_part(part, &[originator]).map_err(|error| error.named(PresentationError::Originator))?;
    let unverified = UnverifiedDisclosure::parse(&presentation.disclosure)?;
    let disclosure = &unverified.disclosure;
    let (about, digest) = (notice.envelope.statement().message_id, notice.envelope.digest());
    if disclosure.message_id != about.as_bytes() || disclosure.statement_digest != digest.0 {
        return Err(PresentationError::Contradiction("the disclosure is about another notice"));
    }
    // Whoever discloses its own notice signs both.
    let own = || (disclosure.discloser == originator.id()).then_some(originator);
    let card = discloser.or_else(own).ok_or(PresentationError::NeedsDiscloser)?;
    let (disclosure, digest) = unverified.verify(card)?;
    let logged = logged(presentation, &disclosure, digest, card)?;
    let grounds = presentation
        .grounds
        .iter()
        .map(|part| verified_part(part, &[originator, card]).map_err(|error| error.named(PresentationError::Ground)));
    let grounds = grounds.collect::<Result<Vec<_>, _>>()?;
    let digests = grounds.iter().map(|ground| ground.envelope.digest().0.to_vec());
    if !digests.eq(disclosure.grounds.iter().cloned()) {
        return Err(PresentationError::Contradiction("the ground is not the one that the disclosure names"));
    }
    if presentation.links.len() > grounds.len() {
        return Err(PresentationError::Contradiction("a statement that no ground answers"));
    }
    let mut links = Vec::new();
    for (ground, link) in grounds.iter().zip(&presentation.links) {
        let answered = ground.envelope.statement().answers.map(|answers| answers.statement);
        let answered = answered.ok_or(PresentationError::Contradiction("the ground answers nothing"))?;
        links.push(verified_link(link, answered, &[card, originator]).map_err(PresentationError::Link)?);
    }
    let receipt = match (&presentation.receipt, grounds.first()) {
        (None, _) => None,
        (Some(_), None) => return Err(PresentationError::Contradiction("a receipt for no notice")),
        (Some(receipt), Some(ground)) => {
            let log = originator.log_vkey(TlogProof::parse(&receipt.proof)?.origin());
            Some(verify_receipt(receipt, &log, &ground.envelope)?)
        }
    };
    Ok(VerifiedPresentation { notice, disclosure, grounds, links, receipt, logged })
}

/// What somebody says that a contact point signed about a disclosure.
pub(crate) struct UnverifiedDisclosure {
    disclosure: Disclosure,
    envelope: Unverified,
}

impl UnverifiedDisclosure {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, PresentationError> {
        let envelope = Unverified::parse_up_to(DISCLOSURE_BYTES_MAX, bytes, PAYLOAD_TYPE);
        let envelope = envelope.map_err(PresentationError::Discloser)?;
        let disclosure =
            Disclosure::decode(envelope.claimed()).map_err(|_| PresentationError::Form("its disclosure"))?;
        if disclosure.version != VERSION || disclosure.encode_to_vec() != envelope.claimed() {
            return Err(PresentationError::Form("its disclosure has another version, or another encoding"));
        }
        Ok(Self { disclosure, envelope })
    }

    /// The disclosure and its digest, if the card's owner signed it.
    pub(crate) fn verify(self, cards: &Cards) -> Result<(Disclosure, [u8; 32]), PresentationError> {
        let has_signed = |card: &&Card| self.disclosure.discloser_key == card.envelope_key.fingerprint().as_bytes();
        let card = cards.all().find(has_signed).filter(|card| self.disclosure.discloser == card.id);
        let card = card.ok_or(PresentationError::Contradiction("no card given is the discloser's of that time"))?;
        self.envelope.verify(&card.envelope_key).map_err(PresentationError::Discloser)?;
        let digest = Sha256::digest(self.envelope.claimed()).into();
        Ok((self.disclosure, digest))
    }
}

/// The entry of a disclosure in its discloser's log.
fn logged(
    presentation: &Presentation,
    disclosure: &Disclosure,
    digest: [u8; 32],
    discloser: &Cards,
) -> Result<LoggedDisclosure, PresentationError> {
    let proof = TlogProof::parse(&presentation.proof)?;
    let checkpoint = proof.verify(&presentation.entry, &discloser.log_vkey(proof.origin()))?;
    let EntryTold { time_ms, event, .. } = read_entry(&presentation.entry)?;
    let Event::Disclosed(entry) = event else {
        return Err(PresentationError::Contradiction("its log entry is about something else"));
    };
    let Disclosed { message_id, code, disclosure_digest, .. } = entry;
    let same = message_id == disclosure.message_id && code == disclosure.code && disclosure_digest == digest;
    if !same || time_ms != disclosure.disclosed_ms {
        return Err(PresentationError::Contradiction("its log entry is about another disclosure"));
    }
    Ok(LoggedDisclosure { index: proof.index, checkpoint })
}

/// A part under a card of whichever contact point signed its envelope; the error of the envelope is for the caller to name.
fn verified_part(part: &Part, cards: &[&Cards]) -> Result<VerifiedPart, Fault> {
    let mut last = Fault::Envelope(EnvelopeError::AnotherStatement);
    for card in cards {
        let verified = UnverifiedEnvelope::parse(&part.envelope).and_then(|envelope| card.verify(envelope));
        match verified {
            Ok(envelope) if envelope.statement().sender == card.id() => {
                let chunks = verify_part(part, envelope.statement()).map_err(|error| Fault::Other(error.into()))?;
                let chunks = chunks.into_iter().map(|(index, chunk)| (index, v1::Chunk::clone(chunk))).collect();
                return Ok(VerifiedPart { envelope, chunks, leaf_count: part.leaf_count });
            }
            Ok(_) => last = Fault::Envelope(EnvelopeError::NamesAnotherKey),
            Err(error) => last = Fault::Envelope(error),
        }
    }
    Err(last)
}

/// The statement that a ground answers, under a card of whichever contact point signed it.
fn verified_link(link: &[u8], answered: StatementDigest, cards: &[&Cards]) -> Result<Statement, EnvelopeError> {
    let mut last = EnvelopeError::UnknownKey;
    for card in cards {
        match UnverifiedEnvelope::parse(link).and_then(|envelope| card.verify(envelope)) {
            Ok(envelope) if envelope.digest() != answered => last = EnvelopeError::AnotherStatement,
            Ok(envelope) if envelope.statement().sender == card.id() => return Ok(envelope.statement().clone()),
            Ok(_) => last = EnvelopeError::NamesAnotherKey,
            // That the other one has no such key says nothing.
            Err(EnvelopeError::UnknownKey) => {}
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// An envelope's fault, which the caller names, or one that names itself.
enum Fault {
    Envelope(EnvelopeError),
    Other(PresentationError),
}

impl Fault {
    fn named(self, name: impl FnOnce(EnvelopeError) -> PresentationError) -> PresentationError {
        match self {
            Self::Envelope(error) => name(error),
            Self::Other(error) => error,
        }
    }
}
