//! One step: an input and the time in, records and effects out.

use std::sync::Arc;

use verbale_domain::disclosure::{Audience, Decision};
use verbale_domain::{Code, Refusal};
use verbale_envelope::{SealedFacts, WrappedKeys};
use verbale_evidence::{Card, EntryError, MessageId, StatementDigest, VerifiedEnvelope, VerifiedReceipt, encode_entry};
use verbale_ledger::LogIndex;
use verbale_proto::v1::Facts;
use verbale_proto::v1::log_entry::Event;

use crate::change::{Change, Record};
use crate::disclosure::{DisclosureRequest, Released};
use crate::draft::Approval;
use crate::enrol::EnrolError;
use crate::erasure::Erasing;
use crate::ground::Recording;
use crate::incoming::{Arrival, Rejection};
use crate::link::Opening;
use crate::outgoing::Submission;
use crate::state::{ChannelId, Exchange};

/// Names the one who waits for an answer.
pub type Ticket = u64;

/// What happens to a node.
pub enum Input {
    /// The node starts, after its log was replayed.
    Start,
    /// Time passes.
    Tick,
    /// A notice is submitted.
    Submit(Ticket, Box<Submission>),
    /// A second person approves a draft.
    Approve(Ticket, Box<Approval>),
    /// A person gives a draft up.
    DropDraft {
        /// Who waits.
        ticket: Ticket,
        /// The notice.
        message_id: MessageId,
        /// Pseudonym of the person.
        actor: String,
    },
    /// A person asks for a release.
    Disclose(Ticket, Box<DisclosureRequest>),
    /// A person enters an audience.
    EnterAudience {
        /// Who waits.
        ticket: Ticket,
        /// The audience.
        id: MessageId,
        /// Pseudonym of the person.
        actor: String,
        /// Class and name.
        facts: Box<Facts>,
        /// The same, sealed, and the keys of that.
        sealed: (SealedFacts, WrappedKeys),
    },
    /// A person ends an audience.
    EndAudience {
        /// Who waits.
        ticket: Ticket,
        /// Its name.
        name: String,
        /// Pseudonym of the person.
        actor: String,
    },
    /// A second person confirms an audience.
    ConfirmAudience {
        /// Who waits.
        ticket: Ticket,
        /// Class and name, as the second person saw them.
        audience: Audience,
        /// Its age recipient, likewise.
        recipient: Option<String>,
        /// Pseudonym of the person.
        actor: String,
    },
    /// A person records a ground outside the log.
    RecordGround(Ticket, Box<Recording>),
    /// A second person confirms a recorded ground, or a person ends it.
    SettleGround {
        /// Who waits.
        ticket: Ticket,
        /// The ground.
        id: MessageId,
        /// Pseudonym of the person.
        actor: String,
        /// SHA-256 of the document that the second person holds; `None`: the ground is to end.
        document: Option<[u8; 32]>,
    },
    /// A person asks for an erasure.
    AskErasure(Ticket, Box<Erasing>),
    /// A second person erases, or a person gives the erasure up.
    SettleErasure {
        /// Who waits.
        ticket: Ticket,
        /// The notice.
        about: MessageId,
        /// Pseudonym of the person.
        actor: String,
        /// Whether to erase.
        confirm: bool,
    },
    /// The log is exported for auditors.
    Export {
        /// Who waits.
        ticket: Ticket,
        /// Pseudonym of who gets it.
        recipient: String,
        /// Pseudonym of the person.
        actor: String,
    },
    /// A counterpart opens a channel to this node.
    PeerOpened {
        /// Who waits.
        ticket: Ticket,
        /// The channel.
        channel: ChannelId,
        /// Behind which number it asks what was accepted.
        behind: Option<u64>,
    },
    /// A counterpart was spoken with, outside of its channels.
    CameBy(String),
    /// A notice of a counterpart arrives.
    Arrived(Ticket, ChannelId, Arrival),
    /// A counterpart that holds its own log back said what it held of a channel, and takes nothing.
    LinkHeldBack {
        /// The channel.
        channel: ChannelId,
        /// The link, as [`Effect::Connect`] named it.
        link: u64,
        /// What the counterpart said.
        opening: Opening,
    },
    /// A channel to a counterpart was opened.
    LinkOpened {
        /// The channel.
        channel: ChannelId,
        /// The link, as [`Effect::Connect`] named it.
        link: u64,
        /// What the counterpart said.
        opening: Opening,
        /// Random, from -20 to 20.
        jitter: i8,
    },
    /// The link of a channel could not be made, or broke.
    LinkFailed {
        /// The channel.
        channel: ChannelId,
        /// The link, as [`Effect::Connect`] named it.
        link: u64,
        /// Why, and whose part it is.
        trouble: String,
        /// Somebody was there.
        reached: bool,
        /// Random, from -20 to 20.
        jitter: i8,
    },
    /// A verified receipt came.
    ReceiptArrived(ChannelId, Box<VerifiedReceipt>),
    /// A counterpart shows its card, verified under its own card key.
    CounterpartCard {
        /// Who waits.
        ticket: Ticket,
        /// The card.
        card: Box<Card>,
        /// Its envelope.
        bytes: Vec<u8>,
    },
    /// A card is enrolled: verified under the fingerprint that was compared.
    Enrol {
        /// Who waits.
        ticket: Ticket,
        /// The card.
        card: Box<Card>,
        /// Its envelope.
        bytes: Vec<u8>,
        /// Pseudonym of the person.
        actor: String,
        /// Where its node is reached.
        address: String,
    },
    /// A person reads a notice.
    Open {
        /// Who waits.
        ticket: Ticket,
        /// The notice.
        message_id: MessageId,
        /// Pseudonym of the person.
        actor: String,
        /// The purpose, sealed as facts of the notice.
        facts: SealedFacts,
    },
    /// A notice was handed over to the contact point's own system.
    HandOver {
        /// Who waits.
        ticket: Ticket,
        /// The notice.
        message_id: MessageId,
        /// Pseudonym of the person or system.
        actor: String,
    },
}

/// What one who waits is told.
pub enum Told {
    /// The notice is accepted for sending.
    Accepted {
        /// Its id.
        message_id: MessageId,
        /// Its number in the channel.
        number: u64,
        /// Whether it had been accepted before.
        already_known: bool,
    },
    /// The notice is kept until a second person approves it.
    Drafted {
        /// Its id.
        message_id: MessageId,
        /// Whether it had been drafted before.
        already_known: bool,
    },
    /// The notice is refused.
    Refused(Refusal),
    /// Where a counterpart's channel stands.
    ChannelOpened {
        /// The number expected next.
        next_number: u64,
        /// The entry of the last one accepted.
        last: Option<LogIndex>,
        /// What was accepted behind the number that was asked about.
        behind: Vec<StatementDigest>,
    },
    /// A counterpart's notice stands in the log, received or refused.
    Logged {
        /// Its entry.
        index: LogIndex,
        /// Why it was refused just now; `None` when it was received, or is answered again.
        refused: Option<Code>,
    },
    /// A counterpart's notice is rejected.
    Rejected(Rejection),
    /// A release was decided about.
    Judged {
        /// The decision.
        decision: Decision,
        /// The release; `None` when it was denied, or waits for its conditions to be acknowledged.
        released: Option<Box<Released>>,
        /// The conditions of the grant on which it rests.
        conditions: Vec<String>,
    },
    /// The card is not enrolled.
    NotEnrolled(EnrolError),
    /// The node holds no such notice in its inbox.
    NoSuchNotice,
    /// Done, with this entry.
    Done(LogIndex),
}

/// What becomes visible when the records are durable, and not before.
pub enum Effect {
    /// One who waits is answered.
    Tell {
        /// Who.
        ticket: Ticket,
        /// What.
        told: Told,
    },
    /// A link is to be made; its outcome comes back as an input.
    Connect {
        /// The channel.
        channel: ChannelId,
        /// Which of its links: reports about it name it.
        link: u64,
        /// The counterpart is also asked what it holds behind this number.
        behind: Option<u64>,
    },
    /// Notices go out over an open link.
    Transmit {
        /// The channel.
        channel: ChannelId,
        /// The notices, in the order of their numbers.
        notices: Vec<Outbound>,
    },
    /// The content of a notice is to be erased; done before, it changes nothing.
    Erase {
        /// The notice.
        message_id: MessageId,
        /// The entries beside which its sealed bytes stand.
        sealed: Vec<LogIndex>,
    },
    /// A link is to be given up.
    Disconnect(ChannelId),
    /// A receipt of this counterpart contradicts an earlier one; nothing was logged.
    ReceiptContradicts(String),
    /// This counterpart showed a statement that this log must have signed and does not hold: it is a copy that is older than what was sent, or
    /// another one runs.
    IsNotTheLog {
        /// Who showed it.
        peer: String,
        /// It.
        envelope: Arc<VerifiedEnvelope>,
    },
}

/// A notice that goes out.
pub struct Outbound {
    /// Its number.
    pub number: u64,
    /// Its entry, beside which the sealed bytes stand.
    pub index: LogIndex,
    /// Its envelope; `None`: it stands in its entry.
    pub envelope: Option<Arc<VerifiedEnvelope>>,
    /// Whether the statement goes alone.
    pub statement_only: bool,
}

/// A fault of this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// An entry over its limit.
    #[error("an entry could not be made: {0}")]
    Entry(EntryError),
    /// A step that decided what the state does not allow.
    #[error("a step contradicts the state: {0}")]
    Apply(&'static str),
}

/// What a step gives.
#[derive(Default)]
pub struct Output {
    /// To be committed, in this order.
    pub records: Vec<Record>,
    /// To be released after that.
    pub effects: Vec<Effect>,
    /// A fault of this program: nothing of this step may be committed, and the node must stop.
    pub fault: Option<Fault>,
}

impl Exchange {
    /// Takes one input at a time in milliseconds since 1970-01-01 UTC.
    pub fn step(&mut self, now_ms: i64, input: Input) -> Output {
        let mut output = Output::default();
        let out = &mut output;
        match input {
            Input::Start => self.start(now_ms, out),
            Input::Tick => {
                self.compared_long_enough(now_ms, out);
                if !self.is_comparing() {
                    self.expire(now_ms, out);
                    self.hold_back(now_ms, out);
                }
                self.retry_links(now_ms, &mut out.effects);
            }
            Input::Submit(ticket, submission) => self.submit(now_ms, ticket, *submission, out),
            Input::Approve(ticket, approval) => self.approve(now_ms, ticket, *approval, out),
            Input::DropDraft { ticket, message_id, actor } => {
                self.drop_draft(now_ms, ticket, message_id, &actor, out);
            }
            Input::Disclose(ticket, request) => self.disclose(now_ms, ticket, *request, out),
            Input::EnterAudience { ticket, id, actor, facts, sealed } => {
                self.enter_audience(now_ms, ticket, (id, actor, *facts), sealed, out);
            }
            Input::ConfirmAudience { ticket, audience, recipient, actor } => {
                self.confirm_audience(now_ms, ticket, (&audience, recipient.as_deref()), actor, out);
            }
            Input::EndAudience { ticket, name, actor } => self.end_audience(now_ms, ticket, (&name, &actor), out),
            Input::RecordGround(ticket, recording) => self.record_ground(now_ms, ticket, *recording, out),
            Input::SettleGround { ticket, id, actor, document } => {
                self.settle_ground(now_ms, ticket, (id, actor, document), out);
            }
            Input::AskErasure(ticket, erasing) => self.ask_erasure(now_ms, ticket, *erasing, out),
            Input::SettleErasure { ticket, about, actor, confirm } => {
                self.settle_erasure(now_ms, ticket, (about, actor, confirm), out);
            }
            Input::Export { ticket, recipient, actor } => self.export(now_ms, ticket, recipient, &actor, out),
            Input::PeerOpened { ticket, channel, behind } => {
                let told = self.channel_opened(&channel, behind);
                self.came_by(now_ms, &channel.peer, out);
                out.effects.push(Effect::Tell { ticket, told });
            }
            Input::CameBy(peer) => self.came_by(now_ms, &peer, out),
            Input::Arrived(ticket, channel, arrival) => self.arrive(now_ms, ticket, &channel, arrival, out),
            Input::LinkOpened { channel, link, opening, jitter } => {
                self.link_opened(now_ms, (&channel, link), &opening, jitter, out);
            }
            Input::LinkHeldBack { channel, link, opening } => {
                self.link_held_back(now_ms, (&channel, link), &opening, out);
            }
            Input::LinkFailed { channel, link, trouble, reached, jitter } => {
                self.link_failed(now_ms, (&channel, link), &trouble, jitter);
                if self.link_generation(&channel) == link {
                    self.not_compared(now_ms, &channel, reached, out);
                }
            }
            Input::ReceiptArrived(channel, receipt) => self.receipt_arrived(now_ms, &channel, &receipt, out),
            Input::CounterpartCard { ticket, card, bytes } => self.counterpart_card(now_ms, ticket, card, &bytes, out),
            Input::Enrol { ticket, card, bytes, actor, address } => {
                self.enrol(now_ms, ticket, (card, &bytes), (&actor, address), out);
            }
            Input::Open { ticket, message_id, actor, facts } => {
                self.open(now_ms, ticket, (message_id, actor), facts, out);
            }
            Input::HandOver { ticket, message_id, actor } => self.hand_over(now_ms, ticket, (message_id, actor), out),
        }
        output
    }

    /// Applies a change and records its entry; time never runs backwards in a log.
    pub(crate) fn record(&mut self, now_ms: i64, event: Event, change: Change, beside: Record, output: &mut Output) {
        let time_ms = now_ms.max(self.last_time_ms);
        let recorded = encode_entry(time_ms, event).map_err(Fault::Entry).and_then(|entry| {
            self.apply(time_ms, change).map_err(Fault::Apply)?;
            Ok(entry)
        });
        match recorded {
            Ok(entry) => output.records.push(Record { entry, ..beside }),
            Err(fault) => output.fault = Some(fault),
        }
    }
}
