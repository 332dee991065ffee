//! Receiving: what is rejected, refused, received, and answered again.

use verbale_domain::flow::CONSENT_GRANT;
use verbale_domain::{Code, Place, Refusal, Subject, check_rules, civil};
use verbale_envelope::{OpenedNotice, Unopened};
use verbale_evidence::{CARD_STATEMENT, VerifiedEnvelope};
use verbale_keys::Fingerprint;
use verbale_ledger::LogIndex;

use crate::breach::{BreachReport, HeldBreach};
use crate::change::{self, Change, Record};
use crate::link::BEHIND_MAX;
use crate::outgoing::answers;
use crate::own::{Kept, Peer};
use crate::state::{ChannelId, Exchange, Incoming, Mailbox};
use crate::step::{Effect, Output, Ticket, Told};

/// Second statements that are kept for one channel: enough to convict, too few to fill a disk.
const CONFLICTS_MAX: usize = 16;

/// A notice of a counterpart, verified and opened as far as it could be.
pub enum Arrival {
    /// Opened, with what would be kept of it.
    Opened(Box<(OpenedNotice, Kept)>),
    /// Authentic and opened; it carries what must not be here.
    Breach(Box<(Unopened, BreachReport)>),
    /// Authentic, but not to be opened, or not what it must be.
    Unopened(Box<Unopened>),
    /// The statement alone: its sender gave the notice up.
    StatementOnly(Box<VerifiedEnvelope>),
}

/// Why nothing was logged and the channel did not advance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
pub enum Rejection {
    /// Not signed by the counterpart's enrolled key, or not a statement.
    #[error("the envelope is not one that the enrolled counterpart signed")]
    NotAuthentic,
    /// The sealed bytes are not those that the statement names.
    #[error("the sealed bytes are not those that the statement names")]
    NotTheSignedBytes,
    /// For another contact point, or from another than the one that is connected.
    #[error("the statement is not from the connected contact point to this one, or not of the opened channel")]
    WrongChannel,
    /// Not the next number.
    #[error("the number is not the next of the channel")]
    NotNext,
    /// The next number, after another statement than the last one accepted.
    #[error(
        "the statement does not follow the last one accepted; the sender's log may have been restored from an old copy"
    )]
    BrokenChain,
    /// Under a key whose card was replaced, after the counterpart used a later one in this channel.
    #[error("it is signed with the key of an earlier card, and a later one was used in this channel before")]
    EarlierKey,
    /// Under a key whose card was over.
    #[error("it was signed after the card with its key was over; its sender must make and show its next card")]
    CardOver,
    /// About a card that its sender has not shown yet, or told of before.
    #[error("it tells of a card that its sender has not shown here yet, or told of before")]
    UnknownCard,
    /// A used number with another statement; it is kept as evidence.
    #[error("another statement was accepted under this number; this one is kept as evidence")]
    Conflict,
    /// This node has no room on its disk.
    #[error("this node takes no new notices until it has room on its disk")]
    NoRoom,
    /// This node holds back.
    #[error("this node holds back, and takes no notices until its operator acted")]
    HeldBack,
}

impl Rejection {
    /// Stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotAuthentic => "NOT_AUTHENTIC",
            Self::NotTheSignedBytes => "NOT_THE_SIGNED_BYTES",
            Self::WrongChannel => "WRONG_CHANNEL",
            Self::NotNext => "NOT_NEXT",
            Self::BrokenChain => "BROKEN_CHAIN",
            Self::EarlierKey => "EARLIER_KEY",
            Self::CardOver => "CARD_OVER",
            Self::UnknownCard => "UNKNOWN_CARD",
            Self::Conflict => "CONFLICT",
            Self::NoRoom => "NO_ROOM",
            Self::HeldBack => "LOG_HELD_BACK",
        }
    }
}

/// An opened notice that is new under its number and passed the rules: only such a one is received.
pub struct PermittedNotice {
    envelope: VerifiedEnvelope,
    sealed: Vec<u8>,
    subject: Subject,
    kept: Kept,
}

impl Arrival {
    /// The envelope.
    pub fn envelope(&self) -> &VerifiedEnvelope {
        match self {
            Self::Opened(opened) => opened.0.envelope(),
            Self::Breach(breach) => &breach.0.envelope,
            Self::Unopened(unopened) => &unopened.envelope,
            Self::StatementOnly(envelope) => envelope,
        }
    }
}

/// Where a verified statement stands in its channel.
enum Standing {
    Next,
    Again(LogIndex),
    Rejected(Rejection),
    NewConflict,
}

impl Exchange {
    /// The answer to a counterpart that opens a channel. Where the own log is held back, what it tells is no more than what was held.
    pub fn channel_opened(&self, channel: &ChannelId, behind: Option<u64>) -> Told {
        let incoming = self.incoming.get(channel);
        let first = behind.map_or(usize::MAX, |behind| usize::try_from(behind).unwrap_or(usize::MAX));
        let accepted = incoming.and_then(|incoming| incoming.accepted.get(first..)).unwrap_or_default();
        Told::ChannelOpened {
            next_number: incoming.map_or(1, Incoming::next_number),
            last: incoming.and_then(|incoming| incoming.accepted.last()).map(|(_, index)| *index),
            behind: accepted.iter().take(BEHIND_MAX).map(|(statement, _)| *statement).collect(),
        }
    }

    pub(crate) fn arrive(
        &mut self,
        now_ms: i64,
        ticket: Ticket,
        channel: &ChannelId,
        arrival: Arrival,
        output: &mut Output,
    ) {
        let told = match self.standing(channel, arrival.envelope()) {
            Standing::Again(index) => Told::Logged { index, refused: None },
            Standing::Rejected(rejection) => Told::Rejected(rejection),
            Standing::NewConflict => {
                let envelope = arrival.envelope().clone();
                let event = change::conflict(&envelope);
                self.record(now_ms, event, Change::Conflict { envelope }, Record::default(), output);
                Told::Rejected(Rejection::Conflict)
            }
            Standing::Next => match arrival {
                Arrival::StatementOnly(envelope) if envelope.statement().flow == CARD_STATEMENT => {
                    self.take_card_statement(now_ms, *envelope, output)
                }
                arrival => self.take(now_ms, arrival, output),
            },
        };
        output.effects.push(Effect::Tell { ticket, told });
    }

    /// Takes a notice under the next number, received or refused.
    fn take(&mut self, now_ms: i64, arrival: Arrival, output: &mut Output) -> Told {
        let index = LogIndex(self.size);
        let (arrival, report) = arrival.apart();
        let refused = match self.permit(now_ms, arrival) {
            Ok(permitted) => {
                self.receive(now_ms, *permitted, output);
                None
            }
            Err(unpermitted) => {
                let code = unpermitted.refusal.code;
                self.refuse(now_ms, *unpermitted, report.filter(|_| code.is_about_onward()), output);
                Some(code)
            }
        };
        Told::Logged { index, refused }
    }

    fn standing(&self, channel: &ChannelId, envelope: &VerifiedEnvelope) -> Standing {
        let statement = envelope.statement();
        let of_channel = statement.sender == channel.peer
            && statement.recipient == self.own.card.id
            && statement.memorandum == channel.memorandum;
        if !of_channel {
            return Standing::Rejected(Rejection::WrongChannel);
        }
        if self.peers.get(&channel.peer).is_none_or(Peer::is_revoked) {
            return Standing::Rejected(Rejection::NotAuthentic);
        }
        let none = Incoming::default();
        let incoming = self.incoming.get(channel).unwrap_or(&none);
        match incoming.accepted(statement.number) {
            Some((accepted, index)) if accepted == envelope.digest() => Standing::Again(index),
            _ if !self.has_present_key(channel, incoming, &statement.sender_key) => {
                Standing::Rejected(Rejection::EarlierKey)
            }
            Some(_) => {
                let kept = incoming.conflicts.contains(&envelope.digest()) || incoming.conflicts.len() >= CONFLICTS_MAX;
                if kept { Standing::Rejected(Rejection::Conflict) } else { Standing::NewConflict }
            }
            None if statement.number != incoming.next_number() => Standing::Rejected(Rejection::NotNext),
            None if statement.previous != incoming.last() => Standing::Rejected(Rejection::BrokenChain),
            None => Standing::Next,
        }
    }

    /// Whether a key of a counterpart still signs in a channel: whoever holds one of an earlier card may not speak for it once a later one did.
    fn has_present_key(&self, channel: &ChannelId, incoming: &Incoming, key: &Fingerprint) -> bool {
        let cards = self.peers.get(&channel.peer).map(|peer| &peer.cards);
        cards.zip(incoming.last_key.as_ref()).is_none_or(|(cards, last)| cards.is_not_before(key, last))
    }

    /// Decides about an authentic notice under the next number.
    fn permit(&self, now_ms: i64, arrival: Arrival) -> Result<Box<PermittedNotice>, Box<Unopened>> {
        let refusal = self.check_statement(now_ms, &arrival).err();
        match (arrival, refusal) {
            (arrival, Some(refusal)) => Err(Box::new(Unopened { envelope: arrival.envelope().clone(), refusal })),
            (Arrival::Unopened(unopened), None) => Err(unopened),
            (Arrival::Breach(breach), None) => Err(Box::new(breach.0)),
            (Arrival::StatementOnly(envelope), None) => {
                let reason = "its sender gave it up: its time ran out before it could be delivered";
                Err(Box::new(Unopened { envelope: *envelope, refusal: Refusal::new(Code::Expired, "", reason) }))
            }
            (Arrival::Opened(opened), None) => {
                let (opened, kept) = *opened;
                let subject = opened.notice().subject();
                let refusal = self.check_notice(now_ms, &opened, &subject, &kept).err();
                let (envelope, sealed) = opened.into_parts();
                match refusal {
                    Some(refusal) => Err(Box::new(Unopened { envelope, refusal })),
                    None => Ok(Box::new(PermittedNotice { envelope, sealed, subject, kept })),
                }
            }
        }
    }

    /// What the statement alone shows.
    fn check_statement(&self, now_ms: i64, arrival: &Arrival) -> Result<(), Refusal> {
        let statement = arrival.envelope().statement();
        if now_ms > statement.not_after_ms {
            return Err(Refusal::new(Code::Expired, "", "it came after its last moment of validity; submit it anew"));
        }
        if statement.created_ms > now_ms.saturating_add(civil::CLOCKS_APART_MS) {
            let reason = "it was made more than a day from now; set the clock of the sending node, then submit it anew";
            return Err(Refusal::new(Code::CreatedInFuture, "", reason));
        }
        if self.notices.contains_key(&statement.message_id) {
            return Err(Refusal::new(Code::ContentMismatch, "", "its message id was used before"));
        }
        if !self.own.recipient_keys.contains(&statement.recipient_key) {
            let reason = "it is sealed to another key than this node's; enrol this node's present card";
            return Err(Refusal::new(Code::Unopenable, "", reason));
        }
        if let Some(memorandum) = self.own.memoranda.get(&statement.memorandum)
            && memorandum.terms_digest() != statement.terms_digest
        {
            let reason = format!("the two nodes hold different terms of {}; compare the two files", memorandum.id);
            return Err(Refusal::new(Code::MemorandumMismatch, "memorandum", reason));
        }
        Ok(())
    }

    /// What the state and the rules say of the notice.
    fn check_notice(&self, now_ms: i64, opened: &OpenedNotice, subject: &Subject, kept: &Kept) -> Result<(), Refusal> {
        let header = &subject.header;
        let sender = &opened.envelope().statement().sender;
        let key = (Mailbox::Inbox, header.memorandum.clone(), header.notice_id.clone());
        let known = self.numbers.get(&key).and_then(|id| self.notices.get(id));
        // Who has no part in the memorandum does not learn which numbers were used under it.
        let memorandum = self.own.memoranda.get(&header.memorandum);
        let takes_part = || memorandum.is_some_and(|memorandum| memorandum.nodes().any(|node| node == sender));
        if let Some(known) = known.filter(|known| known.channel.peer == *sender || takes_part()) {
            let same = known.digest.as_deref() == Some(kept.digest.as_slice());
            let reason = if same {
                "this notice was received before under the same registry number"
            } else {
                "another notice was received before under the same registry number"
            };
            return Err(Refusal::new(Code::IdReuse, "notice_id", reason));
        }
        let place = Place::Arrival { sender, own: &self.own.card.id };
        check_rules(subject, &self.own.memoranda, &self.docket, place, now_ms)?;
        // What is signed about the answered notice must be the notice that the content names: consent rests on it.
        // An answer shows that what it answers arrived, even where the receipt never came. A grant without this could not be shown.
        let claimed = opened.envelope().statement().answers;
        let must_claim = header.flow == CONSENT_GRANT;
        if (claimed.is_some() || must_claim) && claimed != self.named(header).map(answers) {
            let reason = "the statement answers another notice than the content names";
            return Err(Refusal::new(Code::BadCorrelation, "correlates_to", reason));
        }
        Ok(())
    }

    fn receive(&mut self, now_ms: i64, permitted: PermittedNotice, output: &mut Output) {
        let PermittedNotice { envelope, sealed, subject, kept } = permitted;
        let message_id = envelope.statement().message_id;
        let event = change::received(&envelope, &kept.sealed_facts.digest, self.dates(&subject));
        let beside = Record {
            sealed: Some(sealed),
            facts: Some(kept.sealed_facts.bytes),
            keys: Some((envelope.statement().message_id, kept.keys)),
            ..Record::default()
        };
        self.record(now_ms, event, Change::Received { envelope, facts: Some(Box::new(kept.facts)) }, beside, output);
        self.commence(now_ms, message_id, &subject, output);
        // The time of the entry, which the counterpart sees in its receipt.
        self.end(now_ms, message_id, self.last_time_ms, output);
    }

    fn refuse(&mut self, now_ms: i64, unpermitted: Unopened, report: Option<BreachReport>, output: &mut Output) {
        let Unopened { envelope, refusal } = unpermitted;
        let event = change::refused(&envelope, &refusal, report.as_ref());
        let code = refusal.code.to_string();
        let index = LogIndex(self.size);
        let (breach, beside) = match report {
            None => (None, Record::default()),
            Some(BreachReport { id, facts, sealed, keys }) => {
                let breach = HeldBreach::new(id, &envelope, &code, Some(&facts), index);
                let beside = Record { facts: Some(sealed.bytes), keys: Some((id, keys)), ..Record::default() };
                (Some(Box::new(breach)), beside)
            }
        };
        self.record(now_ms, event, Change::Refused { envelope, code, breach }, beside, output);
    }
}
