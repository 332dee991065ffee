//! Mutual witnessing: each node has its heads cosigned by its counterparts, cosigns theirs, and learns from them whether its own log is the
//! one that they know.
//!
//! A head travels when there was traffic with a counterpart, at most once a second, and at an interval when there was none. It is never
//! the reason for an entry. A new link to a counterpart begins with it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use prost::Message as _;
use verbale_evidence::{Card, log_number};
use verbale_exchange::{Input, Peer};
use verbale_journal::Store;
use verbale_keys::SecretKey;
use verbale_ledger::{Checkpoint, LogSize, Note, TlogProof, WitnessRefusal, continues, cosign};
use verbale_proto::v1::{HeadStatus, KeptHead, Receipt, WitnessRequest, WitnessResponse};
use verbale_rpc::peer_client::PeerClient;
use verbale_rpc::{DELIVER_MESSAGE_BYTES_MAX, Failure, FailureKind};

use crate::clock::now_ms;
use crate::connection::Connection;
use crate::core::{Core, Stopped};
use crate::delivery::said;
use crate::heads::{HeadsError, HeadsFolder};
use crate::later_card::{Shown, known_card, later_card};
use crate::shared::Shared;
use crate::standing::compare;
use crate::told;

/// A counterpart holds a head that we do not expect at most once; its answer says which.
const TRIES: usize = 3;

/// An answer must come so soon: it takes three syncs at the other end.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// The heads that this node and its counterparts hold of each other.
pub(crate) struct Witnesses {
    pub(crate) folder: HeadsFolder,
    /// Signs counterparts' heads, under this name.
    key: SecretKey,
    name: String,
    by_peer: Mutex<BTreeMap<String, Witness>>,
    /// Heads are compared and kept one after the other.
    keeping: Mutex<()>,
    /// Counterparts that knew this log since the start.
    agreed: Mutex<BTreeSet<String>>,
}

/// One counterpart.
#[derive(Clone, Default)]
pub(crate) struct Witness {
    /// Size of the own head that it cosigned last, and when, in seconds since 1970-01-01 UTC.
    cosigned: Option<(u64, u64)>,
    /// Size of its head that was cosigned last.
    held: u64,
    pub(crate) traffic: bool,
    pub(crate) busy: bool,
    /// It looks at one head at a time.
    alone: Arc<tokio::sync::Mutex<()>>,
    /// It took the revocation of the own card, and listens no more.
    pub(crate) told: bool,
    pub(crate) failures: u32,
    pub(crate) next: Option<Instant>,
    pub(crate) trouble: String,
}

/// The own head, and the proof that it continues the one that a counterpart holds.
struct Offer {
    note: String,
    size: LogSize,
    proof: Vec<Vec<u8>>,
}

impl Witnesses {
    pub(crate) fn new(folder: HeadsFolder, key: SecretKey, name: String) -> Self {
        Self { folder, key, name, by_peer: Mutex::default(), keeping: Mutex::default(), agreed: Mutex::default() }
    }

    pub(crate) fn with<T>(&self, id: &str, change: impl FnOnce(&mut Witness) -> T) -> T {
        let mut by_peer = self.by_peer.lock().unwrap_or_else(PoisonError::into_inner);
        change(by_peer.entry(id.to_owned()).or_default())
    }

    /// Reads what was kept of the enrolled counterparts before the start.
    pub(crate) fn load(&self, own: &Card, peers: &BTreeMap<String, Peer>) -> Result<(), HeadsError> {
        for (id, peer) in peers {
            let held = self.folder.of_counterpart(id)?.and_then(|note| own_head(&note, peer));
            let cosigned = self.folder.cosigned_by(id)?;
            let time = cosigned.as_ref().and_then(|note| peer.cards.cosigned_s(note).ok());
            let size = cosigned.and_then(|note| Some(Checkpoint::verify(&note, &own.log_vkey()).ok()?.size.0));
            self.with(id, |witness| {
                witness.held = held.map_or(0, |head| head.size.0);
                witness.cosigned = size.zip(time);
            });
        }
        Ok(())
    }

    /// There was traffic with a counterpart.
    pub(crate) fn traffic(&self, id: &str) {
        self.with(id, |witness| witness.traffic = true);
    }

    /// Whether a counterpart knew this log since the start.
    pub(crate) fn has_agreed(&self, id: &str) -> bool {
        self.agreed.lock().unwrap_or_else(PoisonError::into_inner).contains(id)
    }

    /// Size of a counterpart's head that this node cosigned.
    pub(crate) fn held_size(&self, id: &str) -> u64 {
        self.with(id, |witness| witness.held)
    }

    /// What is kept of each counterpart, for status.
    pub(crate) fn status(&self) -> Vec<HeadStatus> {
        let by_peer = self.by_peer.lock().unwrap_or_else(PoisonError::into_inner);
        let status = |(id, witness): (&String, &Witness)| HeadStatus {
            counterpart: id.clone(),
            cosigned_size: witness.cosigned.map_or(0, |(size, _)| size),
            cosigned_s: witness.cosigned.map_or(0, |(_, time_s)| time_s),
            held_size: witness.held,
            trouble: witness.trouble.clone(),
        };
        by_peer.iter().map(status).collect()
    }

    /// The proofs of equivocation that are kept: files.
    pub(crate) fn proofs(&self) -> Result<Vec<String>, HeadsError> {
        Ok(self.folder.proofs()?.into_iter().map(|(path, _)| path.display().to_string()).collect())
    }

    /// For an export: own heads with their cosignatures, counterparts' heads, proofs of equivocation.
    pub(crate) fn kept(&self, own: &Card, peers: &BTreeMap<String, Peer>) -> Result<[Vec<KeptHead>; 3], HeadsError> {
        let all = |read: &dyn Fn(&str) -> Result<Option<String>, HeadsError>| {
            let notes = peers.keys().map(|id| Ok(read(id)?.map(|text| KeptHead { name: id.clone(), text })));
            Ok(notes.collect::<Result<Vec<_>, HeadsError>>()?.into_iter().flatten().collect())
        };
        // Own heads of logs that are closed stay in the folder; the first entries of their successors tell of them.
        let of_log = |note: String, card: &Card| Checkpoint::verify(&note, &card.log_vkey()).is_ok().then_some(note);
        let cosigned = all(&|id| Ok(self.folder.cosigned_by(id)?.and_then(|note| of_log(note, own))))?;
        let mut held: Vec<KeptHead> = all(&|id| {
            let card = peers.get(id).map(Peer::card);
            Ok(self.folder.of_counterpart(id)?.zip(card).and_then(|(note, card)| of_log(note, card)))
        })?;
        // What a counterpart's log was before another one took its place says how much of it was lost.
        for id in peers.keys() {
            let closed = self.folder.closed_of_counterpart(id)?;
            held.extend(closed.into_iter().map(|(name, text)| KeptHead { name, text }));
        }
        let proofs = self
            .folder
            .proofs()?
            .into_iter()
            .filter_map(|(path, text)| Some(KeptHead { name: path.file_stem()?.to_str()?.to_owned(), text }));
        Ok([cosigned, held, proofs.collect()])
    }

    /// Keeps a cosignature. Of one head the first is kept: it says since when the log had it, and an export that is repeated is the same.
    fn keep_cosigned(&self, id: &str, (note, size, time_s): (&str, u64, u64)) -> Result<(), HeadsError> {
        if self.with(id, |witness| witness.cosigned.is_some_and(|(known, _)| known == size)) {
            return Ok(());
        }
        self.folder.keep_cosigned_by(id, note)?;
        self.with(id, |witness| witness.cosigned = Some((size, time_s)));
        Ok(())
    }

    /// Compares a head that a counterpart signed elsewhere with the one that it showed here last; what it contradicts.
    pub(crate) fn compare_told(
        &self,
        peer: &Peer,
        note: &str,
        told: &Checkpoint,
    ) -> Result<Result<(), String>, HeadsError> {
        let id = &peer.card().id;
        let Some(held_note) = self.folder.of_counterpart(id)? else { return Ok(Ok(())) };
        let Some(held) = own_head(&held_note, peer).filter(|held| held.origin == told.origin) else {
            return Ok(Ok(()));
        };
        if told.size < held.size {
            let (told, held) = (told.size.0, held.size.0);
            return Ok(Err(format!("it is as of {told} entries, and {id} showed a head of {held} here before")));
        }
        if told.size == held.size && told.root != held.root {
            self.folder.keep_proof(id, held.size, (&held_note, note))?;
            return Ok(Err(format!("{id} signed two roots for size {} of its log: a proof is kept", held.size.0)));
        }
        Ok(Ok(()))
    }

    /// Answers a counterpart that shows its head: verified, kept, and only then signed.
    fn cosign(&self, peer: &Peer, request: &WitnessRequest) -> Result<WitnessResponse, HeadsError> {
        let _alone = self.keeping.lock().unwrap_or_else(PoisonError::into_inner);
        let id = &peer.card().id;
        let held_note = self.folder.of_counterpart(id)?.filter(|note| own_head(note, peer).is_some());
        let held = held_note.as_ref().and_then(|note| own_head(note, peer));
        let refused = |code: &str| WitnessResponse {
            cosignature: String::new(),
            code: code.to_owned(),
            held: held_note.clone().unwrap_or_default(),
            ..WitnessResponse::default()
        };
        if request.checkpoint.is_empty() {
            return Ok(refused("NOTHING_OFFERED"));
        }
        let Some(offered) = own_head(&request.checkpoint, peer) else { return Ok(refused("NOT_SIGNED")) };
        let proof: Option<Vec<_>> = request.proof.iter().map(|hash| hash.as_slice().try_into().ok()).collect();
        let trouble = match continues(held.as_ref(), &offered, LogSize(request.old_size), &proof.unwrap_or_default()) {
            Ok(()) => {
                self.folder.keep_of_counterpart(id, &request.checkpoint)?;
                let time_s = u64::try_from(now_ms() / 1000).unwrap_or_default();
                let line = cosign(&offered, time_s, &self.name, &self.key);
                self.with(id, |witness| (witness.held, witness.trouble) = (offered.size.0, String::new()));
                return Ok(WitnessResponse { cosignature: line, ..WitnessResponse::default() });
            }
            Err(WitnessRefusal::Size { .. }) => return Ok(refused("OLD_SIZE")),
            Err(WitnessRefusal::Fork) => {
                if let Some(held_note) = &held_note {
                    self.folder.keep_proof(id, offered.size, (held_note, &request.checkpoint))?;
                }
                format!("{id} signed two roots for size {} of its log: a proof is kept", offered.size.0)
            }
            Err(WitnessRefusal::Proof(error)) => {
                format!(
                    "{id} shows a head of size {} that does not follow from the one it showed before ({error})",
                    offered.size.0
                )
            }
        };
        tracing::error!(peer.id = id, trouble, "a counterpart's log is not the one it was");
        self.with(id, |witness| witness.trouble = trouble);
        Ok(refused("NOT_CONSISTENT"))
    }
}

/// A counterpart's head, signed by the log of its present card.
fn own_head(note: &str, peer: &Peer) -> Option<Checkpoint> {
    Checkpoint::verify(note, &peer.card().log_vkey()).ok()
}

/// The service's side: the counterpart shows its head and what it holds of ours.
pub(crate) async fn answer(
    shared: &Arc<Shared>,
    core: &Core,
    name: &str,
    request: WitnessRequest,
) -> Result<WitnessResponse, Failure> {
    let counts = || {
        let peer = shared.peers.now().by_id.get(name).cloned();
        let unknown = || Failure::new(FailureKind::NotAllowed, "NOT_ENROLLED", "this key is not enrolled here");
        peer.ok_or_else(unknown).and_then(|peer| if peer.is_revoked() { Err(revoked()) } else { Ok(peer) })
    };
    counts()?;
    // First what it knows of the own log: it may be that nothing is entered any more.
    judge(shared, core, name, [&request.receipted, &request.held]).await.map_err(|trouble| {
        if shared.standing.trouble().is_none() {
            tracing::error!(peer.id = name, trouble, "a counterpart shows a head that is none of this log");
        }
        shared.witnesses.with(name, |witness| witness.trouble = trouble);
        let text =
            format!("the head that was shown is none of the log of {}, whose operator is told why", shared.card.id);
        Failure::new(FailureKind::Refused, "HEAD_NOT_OURS", text)
    })?;
    let shown = later_card(shared, core, name, &request.card).await?;
    let stopping = |stopped: Stopped| Failure::new(FailureKind::Unreachable, "STOPPING", stopped.to_string());
    came_by(core, name).await.map_err(stopping)?;
    if shown == Shown::Another {
        return older_card(shared, core, name).await;
    }
    let known_card = if shown == Shown::Known { Vec::new() } else { known_card(core, name).await };
    let peer = counts()?;
    let id = name.to_owned();
    let sealed_to = core.read(move |exchange, _| exchange.sealed_to(&id)).await;
    let sealed_to_serial = sealed_to.ok().flatten().unwrap_or_default();
    let receipted = receipted_or_fault(core, name).await?;
    if shared.standing.trouble().is_some() {
        // What is held is told all the same: it says to the other side what this one knows of its log.
        let nothing = WitnessRequest { checkpoint: String::new(), ..request };
        return keep(shared, peer, nothing).await.map(|response| WitnessResponse {
            code: "LOG_HELD_BACK".to_owned(),
            sealed_to_serial,
            receipted,
            known_card,
            ..response
        });
    }
    Ok(WitnessResponse { sealed_to_serial, receipted, known_card, ..keep(shared, peer, request).await? })
}

/// What is told to somebody who shows another card of a counterpart than the one that counts, or has only the TLS key of an earlier one: which
/// counts, and what is held of its log.
pub(crate) async fn older_card(shared: &Arc<Shared>, core: &Core, name: &str) -> Result<WitnessResponse, Failure> {
    let known_card = known_card(core, name).await;
    let peer = shared.peers.now().by_id.get(name).cloned();
    // Without the card it would be an answer that speaks against nothing.
    let Some(peer) = peer.filter(|_| !known_card.is_empty()) else {
        let text = "the card that counts here cannot be told now; ask again".to_owned();
        return Err(Failure::new(FailureKind::Unreachable, "STOPPING", text));
    };
    let receipted = receipted_or_fault(core, name).await?;
    let held = keep(shared, peer, WitnessRequest::default()).await?.held;
    Ok(WitnessResponse { code: "OLDER_CARD".to_owned(), known_card, held, receipted, ..WitnessResponse::default() })
}

/// The head under the counterpart's last receipt, or why it cannot be told.
async fn receipted_or_fault(core: &Core, name: &str) -> Result<String, Failure> {
    receipted(core, name).await.map_err(|trouble| {
        tracing::error!(peer.id = name, trouble, "the counterpart's last receipt cannot be told");
        Failure::new(
            FailureKind::Fault,
            "HEADS",
            "this node could not read the last receipt; its operator's log says why",
        )
    })
}

/// What a counterpart is told that took its keys back.
pub(crate) fn revoked() -> Failure {
    let text = "this card was revoked, and nothing is taken or given until another one is enrolled here by hand";
    Failure::new(FailureKind::NotAllowed, "CARD_REVOKED", text)
}

async fn keep(shared: &Arc<Shared>, peer: Peer, request: WitnessRequest) -> Result<WitnessResponse, Failure> {
    let fault = |text: String| Failure::new(FailureKind::Fault, "HEADS", text);
    let shared = Arc::clone(shared);
    let kept = tokio::task::spawn_blocking(move || shared.witnesses.cosign(&peer, &request)).await;
    kept.map_err(|_| fault("the node is stopping".to_owned()))?.map_err(|error| fault(error.to_string()))
}

/// The head of a counterpart's log under which its last receipt to this node verifies; empty: it gave none. It travels with the receipt,
/// before any head does, so it is the newest that is known of that log when the node was killed right after traffic.
async fn receipted(core: &Core, id: &str) -> Result<String, String> {
    let id = id.to_owned();
    let read = core.read(move |exchange, journal| match exchange.last_receipt(&id) {
        Some(index) => journal.receipt(index).map_err(|error| error.to_string()),
        None => Ok(None),
    });
    let Some(bytes) = read.await.map_err(|stopped| stopped.to_string())?? else { return Ok(String::new()) };
    let receipt = Receipt::decode(bytes.as_slice()).map_err(|_| "the last receipt cannot be read".to_owned())?;
    let proof = TlogProof::parse(&receipt.proof).map_err(|error| format!("the last receipt: {error}"))?;
    Ok(proof.checkpoint)
}

/// Compares the own log with the heads of it that a counterpart holds; an empty one says that it holds none.
async fn judge(shared: &Shared, core: &Core, holder: &str, notes: [&str; 2]) -> Result<(), String> {
    let (mut is_contradicted, mut unusable) = (false, None);
    for note in notes {
        match contradiction(shared, core, holder, note).await {
            Ok(None) => {}
            Ok(Some(found)) => {
                // Held back first, since a disk may be full. Both are kept: whoever closes this log later quotes the longest.
                shared.standing.hold_back(found);
                shared.witnesses.folder.keep_told_by(holder, note).map_err(|error| error.to_string())?;
                is_contradicted = true;
            }
            // What is wrong with one of them does not hide the other.
            Err(error) => {
                unusable.get_or_insert(error);
            }
        }
    }
    if is_contradicted {
        return Ok(());
    }
    if let Some(error) = unusable {
        return Err(error);
    }
    shared.witnesses.agreed.lock().unwrap_or_else(PoisonError::into_inner).insert(holder.to_owned());
    if shared.standing.confirm() {
        // It begins now.
        core.note_all(Vec::new()).await.map_err(|stopped| stopped.to_string())?;
    }
    Ok(())
}

/// What a head of the own log that a counterpart holds says against the log.
async fn contradiction(shared: &Shared, core: &Core, holder: &str, note: &str) -> Result<Option<String>, String> {
    if note.is_empty() {
        return Ok(None);
    }
    let own = log_number(&shared.card.log_origin, &shared.card.id);
    let theirs = note.lines().next().and_then(|origin| log_number(origin, &shared.card.id));
    if theirs > own {
        return Err(format!(
            "{holder} names a later log of this contact point than this one, and shows no card of it. If there is one, this node is an older copy: stop \
             it for good, or, if no newer copy is left, `verbale recover --known-card` with that card goes on from it"
        ));
    }
    if theirs.is_some() && theirs < own {
        // Of a log that this one took the place of: what became of it stands in the first entry.
        return Ok(None);
    }
    let Ok(held) = Checkpoint::verify(note, &shared.card.log_vkey()) else {
        return Err(format!("{holder} says that it holds a head of this log, and this node did not sign it"));
    };
    let compared = core.read(move |_, journal| compare(&held, journal.size(), |size| journal.root_at(size))).await;
    Ok(compared.map_err(|stopped| stopped.to_string())?.trouble(holder))
}

/// A counterpart can be reached: a channel that could not be opened so far is opened now, before more is numbered in it.
async fn came_by(core: &Core, id: &str) -> Result<(), Stopped> {
    core.note(Input::CameBy(id.to_owned())).await
}

/// Shows the own head to a counterpart over a connection, keeps its signature, and compares what it holds. Then a later card counts that it
/// showed with the connection's key.
///
/// # Errors
/// Why not, for the operator.
pub(crate) async fn show(
    shared: &Arc<Shared>,
    core: &Core,
    peer: &Peer,
    connection: &Connection,
) -> Result<(), String> {
    let id = &peer.card().id;
    let alone = shared.witnesses.with(id, |witness| Arc::clone(&witness.alone));
    let _alone = alone.lock().await;
    let shown = show_and_take(shared, core, peer, connection).await;
    shared.witnesses.with(id, |witness| match &shown {
        Ok(()) => (witness.failures, witness.trouble) = (0, String::new()),
        Err(trouble) => {
            witness.failures = witness.failures.saturating_add(1);
            witness.trouble.clone_from(trouble);
        }
    });
    shown?;
    match shared.standing.trouble() {
        Some(failure) => Err(failure.text),
        None => came_by(core, id).await.map_err(|stopped| stopped.to_string()),
    }
}

/// Shows the head, and takes the later card that the counterpart showed, if nothing speaks against the own log.
async fn show_and_take(shared: &Arc<Shared>, core: &Core, peer: &Peer, connection: &Connection) -> Result<(), String> {
    show_head(shared, core, peer, connection).await?;
    match &connection.later {
        Some(card) if shared.standing.trouble().is_none() => {
            later_card(shared, core, &peer.card().id, card).await.map_err(|failure| failure.text).map(drop)
        }
        _ => Ok(()),
    }
}

async fn show_head(shared: &Arc<Shared>, core: &Core, peer: &Peer, connection: &Connection) -> Result<(), String> {
    let id = &peer.card().id;
    let mut client = PeerClient::new(connection.channel.clone()).max_decoding_message_size(DELIVER_MESSAGE_BYTES_MAX);
    let mut old = shared.witnesses.with(id, |witness| witness.cosigned).map_or(0, |(size, _)| size);
    for _ in 0..TRIES {
        // It signs nothing before it has said what it holds: what it signs is hard to take back. And nothing with keys of a card that is not entered.
        let is_later = connection.later.is_some();
        let is_asked_only = is_later || shared.standing.trouble().is_some() || !shared.witnesses.has_agreed(id);
        let offer = if is_asked_only { None } else { Some(offer(core, old).await?) };
        let held = shared.witnesses.folder.of_counterpart(id).map_err(|error| error.to_string())?.unwrap_or_default();
        let request = WitnessRequest {
            checkpoint: offer.as_ref().map(|offer| offer.note.clone()).unwrap_or_default(),
            old_size: old,
            proof: offer.as_ref().map(|offer| offer.proof.clone()).unwrap_or_default(),
            held,
            card: shared.card_bytes.clone(),
            receipted: receipted(core, id).await?,
        };
        let answered = tokio::time::timeout(ANSWER_TIME, client.witness(request)).await;
        let answered = answered.map_err(|_| format!("{id} did not answer within 10 s"))?;
        let response = answered.map_err(|status| {
            let failure = Failure::of(&status);
            shared.witnesses.with(id, |witness| witness.told = shared.card.revoked && failure.code == "CARD_REVOKED");
            said(id, &status)
        });
        let response = response?.into_inner();
        if let Some(trouble) = told::card(shared, id, &response.known_card).map_err(|error| error.to_string())? {
            return Err(trouble);
        }
        if response.sealed_to_serial == shared.card.serial {
            shared.earlier.settled(id, shared.peers.now().live());
        }
        match offer {
            Some(offer) if !response.cosignature.is_empty() => {
                let note = offer.note + &response.cosignature;
                let time_s = peer.cards.cosigned_s(&note).map_err(|error| {
                    format!("the cosignature of {id} does not verify ({error}); has it a later card, which it has not shown yet?")
                })?;
                if peer.cards.cosigner_over_since_ms(&note, time_s).is_some() {
                    return Err(format!("{id} cosigned after its card was over: it must make and show its next card"));
                }
                shared.witnesses.keep_cosigned(id, (&note, offer.size.0, time_s)).map_err(|error| error.to_string())?;
                return judge(shared, core, id, ["", &response.receipted]).await;
            }
            _ => {}
        }
        let says_nothing = response.receipted.is_empty() && response.held.is_empty();
        if response.code != "OLDER_CARD" || !says_nothing {
            judge(shared, core, id, [&response.receipted, &response.held]).await?;
        }
        let goes_on = response.code == "OLD_SIZE" || (is_asked_only && !is_later && response.code == "NOTHING_OFFERED");
        if !goes_on || shared.standing.trouble().is_some() {
            let said: String = response.code.chars().filter(|c| c.is_ascii_uppercase() || *c == '_').take(40).collect();
            return match said.as_str() {
                // A node that holds back has nothing to show.
                "" | "NOTHING_OFFERED" if is_asked_only => Ok(()),
                "" => Err(format!("{id} did not cosign this log's head, and does not say why: its node is at fault")),
                said => Err(format!("{id} did not cosign this log's head: {said}")),
            };
        }
        let theirs = Note::parse(&response.held).ok().and_then(|note| Checkpoint::parse(note.text).ok());
        old = theirs.map_or(0, |head| head.size.0);
    }
    Err(format!("{id} says each time that it holds another head of this log"))
}

async fn offer(core: &Core, old: u64) -> Result<Offer, String> {
    let read = core.read(move |_, journal| {
        let proof = if old == 0 { Some(Vec::new()) } else { journal.consistency_proof(LogSize(old)) };
        (journal.checkpoint().to_string(), journal.size(), proof.unwrap_or_default())
    });
    let (note, size, proof) = read.await.map_err(|stopped| stopped.to_string())?;
    Ok(Offer { note, size, proof: proof.into_iter().map(|hash| hash.to_vec()).collect() })
}
