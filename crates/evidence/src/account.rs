//! Accounts: a holder's signed answer to "where did my notice go?". Every release is shown with its log entry, and names the one before
//! it; so a release in the middle cannot be left out, and who reads the whole log finds one that was left out at the end.
//!
//! # Layout
//! `proto/verbale/v1/account.proto`; a DSSE envelope of type `application/vnd.verbale.account.v1+protobuf`.

use prost::Message as _;
use verbale_keys::SecretKey;
use verbale_ledger::{Checkpoint, CheckpointError, LogIndex, TlogProof, TlogProofError};
use verbale_proto::v1::log_entry::Event;
use verbale_proto::v1::{Account, AccountItem, Disclosure};

use crate::armor;
use crate::card::Card;
use crate::cards::Cards;
use crate::dsse::{DsseError, Unverified, sign};
use crate::entry::{EntryError, EntryTold, read_entry};
use crate::presentation::{PresentationError, UnverifiedDisclosure};

const PAYLOAD_TYPE: &str = "application/vnd.verbale.account.v1+protobuf";
const VERSION: u32 = 1;
const LABEL: &str = "ACCOUNT";

/// The entries of one account are at most so large together, unless there is only one: some hundred releases, which are read and signed in
/// some 10 ms. What is more comes in further accounts.
pub const ACCOUNT_BYTES_MAX: usize = 256 << 10;

/// An account that proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// Not the text form, or not an account in its one encoding.
    #[error("this is no account of version {VERSION}: {0}")]
    Form(&'static str),
    /// The signature.
    #[error("the holder's card does not vouch for the account: {0}")]
    Holder(#[from] DsseError),
    /// The checkpoint.
    #[error("the holder's checkpoint proves nothing: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// An entry.
    #[error("entry {index} is not in the holder's log: {source}")]
    Log {
        /// Its index.
        index: u64,
        /// Why.
        source: TlogProofError,
    },
    /// An entry.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// What was signed about a release.
    #[error("what the holder signed about a release proves nothing: {0}")]
    Disclosure(#[from] PresentationError),
    /// Two of its pieces contradict each other.
    #[error("two pieces of the account contradict each other: {0}")]
    Contradiction(&'static str),
    /// The chain of releases.
    #[error("entry {index} names a release before it that the account leaves out")]
    Omission {
        /// Its index.
        index: u64,
    },
}

/// An account whose signatures, proofs and chain hold.
pub struct VerifiedAccount {
    /// What was signed.
    pub account: Account,
    /// The head up to which the holder's log is meant.
    pub checkpoint: Checkpoint,
    /// The entries.
    pub items: Vec<Listed>,
}

/// A verified entry about the notice.
pub struct Listed {
    /// Its place in the holder's log.
    pub index: LogIndex,
    /// When, in milliseconds since 1970-01-01 UTC.
    pub time_ms: i64,
    /// What.
    pub event: Event,
    /// How many logs told it before this one; 0: none.
    pub carried: u64,
    /// Of a release: what the holder signed; `None` after erasure.
    pub disclosure: Option<Disclosure>,
}

/// Signs an account with the holder's envelope key.
pub fn sign_account(account: &Account, key: &SecretKey) -> Vec<u8> {
    let holder_key = key.public().fingerprint().as_bytes().to_vec();
    let account = Account { version: VERSION, holder_key, ..account.clone() };
    sign(account.encode_to_vec(), PAYLOAD_TYPE, key)
}

/// The text form, with an explanation before it.
pub fn account_text(envelope: &[u8], explanation: &str) -> String {
    armor::to_text(LABEL, envelope, explanation)
}

/// The accounts in a text, as envelopes.
///
/// # Errors
/// [`AccountError::Form`].
pub fn parse_accounts(text: &str) -> Result<Vec<Vec<u8>>, AccountError> {
    let (first, mut rest) = armor::parse(LABEL, text).map_err(AccountError::Form)?;
    let mut accounts = vec![first];
    while rest.contains("-----BEGIN") {
        let (next, after) = armor::parse(LABEL, rest).map_err(AccountError::Form)?;
        accounts.push(next);
        rest = after;
    }
    Ok(accounts)
}

/// Verifies accounts of one notice that continue each other, each as it comes, under the holder's card.
pub struct AccountVerifier {
    holder: Cards,
    last_release: u64,
    accounts: Vec<VerifiedAccount>,
}

impl AccountVerifier {
    /// Before the first account.
    pub fn new(holder: Cards) -> Self {
        Self { holder, last_release: 0, accounts: Vec::new() }
    }

    /// Takes the next account; gives the index from which another one must follow, `None` when it was the last.
    ///
    /// # Errors
    /// [`AccountError`].
    pub fn take(&mut self, envelope: &[u8]) -> Result<Option<u64>, AccountError> {
        let next = verify(envelope, &self.holder, &mut self.last_release)?;
        let before = self.accounts.last().map(|before| &before.account);
        if next.account.covers_from != before.map_or(0, |before| before.covers_to) {
            return Err(AccountError::Contradiction("it does not begin where the one before it ends"));
        }
        let same = |before: &Account| {
            (&before.message_id, &before.statement_digest) == (&next.account.message_id, &next.account.statement_digest)
        };
        if !before.is_none_or(same) {
            return Err(AccountError::Contradiction("its accounts are about several notices"));
        }
        let covers_to = next.account.covers_to;
        let is_last = covers_to == next.checkpoint.size.0;
        self.accounts.push(next);
        Ok((!is_last).then_some(covers_to))
    }

    /// The accounts, when the last one came.
    ///
    /// # Errors
    /// [`AccountError::Form`].
    pub fn finish(self) -> Result<Vec<VerifiedAccount>, AccountError> {
        match self.accounts.last() {
            Some(last) if last.account.covers_to == last.checkpoint.size.0 => Ok(self.accounts),
            Some(_) => Err(AccountError::Form("its last part is missing")),
            None => Err(AccountError::Form("it is empty")),
        }
    }
}

/// What an entry says about who learnt of a notice.
pub struct Told<'e> {
    /// DISCLOSED, PUBLISHED, CARRIED_ON, HELD_BACK, DISCLOSURE_DENIED, OPENED or HANDED_OVER.
    pub event: &'static str,
    /// The code of the decision, where there was one.
    pub code: &'e str,
    /// Pseudonym of the person or system.
    pub actor: &'e str,
    /// The node to which a release was carried on, or was to be.
    pub recipient: Option<String>,
}

impl<'e> Told<'e> {
    /// Reads what an entry says of a notice; `None` when it is about something else.
    pub fn about(event: &'e Event, message_id: &[u8]) -> Option<Self> {
        let (of, event, code, actor) = match event {
            Event::Disclosed(of) => {
                let event = if of.published { "PUBLISHED" } else { "DISCLOSED" };
                (&of.message_id, event, of.code.as_str(), &of.actor)
            }
            Event::NoticeCarriedOn(of) => {
                let told =
                    Self { event: "CARRIED_ON", code: "", actor: &of.actor, recipient: Some(of.recipient.clone()) };
                return (of.message_id == message_id).then_some(told);
            }
            Event::NoticeHeldBack(of) => {
                let told = Self { event: "HELD_BACK", code: "", actor: "", recipient: Some(of.recipient.clone()) };
                return (of.message_id == message_id).then_some(told);
            }
            Event::DisclosureDenied(of) => (&of.message_id, "DISCLOSURE_DENIED", of.code.as_str(), &of.actor),
            Event::NoticeOpened(of) => (&of.message_id, "OPENED", of.code.as_str(), &of.actor),
            Event::NoticeHandedOver(of) => (&of.message_id, "HANDED_OVER", of.code.as_str(), &of.actor),
            _ => return None,
        };
        (of == message_id).then_some(Self { event, code, actor, recipient: None })
    }

    /// Whether it is one by which the notice left, or was to and did not.
    pub fn is_release(&self) -> bool {
        matches!(self.event, "DISCLOSED" | "PUBLISHED" | "CARRIED_ON" | "HELD_BACK")
    }
}

fn verify(envelope: &[u8], holder: &Cards, last_release: &mut u64) -> Result<VerifiedAccount, AccountError> {
    let unverified = Unverified::parse_up_to(4 * ACCOUNT_BYTES_MAX, envelope, PAYLOAD_TYPE)?;
    let account = Account::decode(unverified.claimed()).map_err(|_| AccountError::Form("it cannot be decoded"))?;
    let has_signed = |card: &&Card| account.holder_key == card.envelope_key.fingerprint().as_bytes();
    let card = holder.all().find(has_signed).filter(|card| account.holder == card.id);
    let card = card.ok_or(AccountError::Contradiction("it names another holder than the card, or another key"))?;
    unverified.verify(&card.envelope_key)?;
    if account.version != VERSION || account.encode_to_vec() != unverified.claimed() {
        return Err(AccountError::Form("another version, or another encoding"));
    }
    let log = holder.log_vkey(account.checkpoint.lines().next().unwrap_or_default());
    let checkpoint = Checkpoint::verify(&account.checkpoint, &log)?;
    if account.covers_from > account.covers_to || account.covers_to > checkpoint.size.0 {
        return Err(AccountError::Contradiction("it covers more than the checkpoint does"));
    }
    let mut items: Vec<Listed> = Vec::new();
    for item in &account.items {
        let listed = listed(item, &account, holder)?;
        let index = listed.index.0;
        let in_order = items.last().is_none_or(|before| before.index < listed.index);
        if !in_order || !(account.covers_from..account.covers_to).contains(&index) {
            return Err(AccountError::Contradiction("its entries are not in the order of the log"));
        }
        if let Event::Disclosed(release) = &listed.event {
            // What was carried over names a place in the log that told it first.
            let shift = if release.previous_release > 0 { listed.carried } else { 0 };
            if release.previous_release.saturating_add(shift) != *last_release {
                return Err(AccountError::Omission { index });
            }
            *last_release = index.saturating_add(1);
        }
        items.push(listed);
    }
    Ok(VerifiedAccount { account, checkpoint, items })
}

fn listed(item: &AccountItem, account: &Account, holder: &Cards) -> Result<Listed, AccountError> {
    let proof = TlogProof::parse(&item.proof).map_err(|source| AccountError::Log { index: 0, source })?;
    let index = proof.index;
    let under = proof.verify(&item.entry, &holder.log_vkey(proof.origin()));
    under.map_err(|source| AccountError::Log { index: index.0, source })?;
    let EntryTold { time_ms, event, carried, .. } = read_entry(&item.entry)?;
    if Told::about(&event, &account.message_id).is_none() {
        return Err(AccountError::Contradiction("an entry is about something else, or about another notice"));
    }
    let disclosure = match &event {
        Event::Disclosed(release) if !item.disclosure.is_empty() => {
            let (disclosure, digest) = UnverifiedDisclosure::parse(&item.disclosure)?.verify(holder)?;
            let same = digest == release.disclosure_digest.as_slice() && disclosure.message_id == account.message_id;
            if !same || disclosure.code != release.code || disclosure.statement_digest != account.statement_digest {
                return Err(AccountError::Contradiction("what was signed about a release is about another one"));
            }
            Some(disclosure)
        }
        _ if !item.disclosure.is_empty() => {
            return Err(AccountError::Contradiction("a disclosure beside another entry"));
        }
        _ => None,
    };
    Ok(Listed { index, time_ms, event, carried, disclosure })
}
