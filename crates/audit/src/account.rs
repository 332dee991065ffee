//! One account: where a notice went, as its holder signed it.

use std::collections::HashSet;
use std::fmt::Write as _;

use serde_json::{Value, json};
use verbale_evidence::{
    AccountError, AccountVerifier, Cards, Listed, MessageId, Told, VerifiedAccount, parse_accounts, read_entry,
};
use verbale_ledger::{Tile, decode_bundle};
use verbale_proto::v1::log_entry::Event;

use crate::export::{ExportFolder, Missing};
use crate::presentation::{moment, visible};
use crate::verify::{Given, trees, verify};

/// Verifies the accounts in a text, which continue each other.
///
/// # Errors
/// [`AccountError`].
pub fn check_account(text: &str, holder: &Cards) -> Result<Vec<VerifiedAccount>, AccountError> {
    let mut verifier = AccountVerifier::new(holder.clone());
    for account in parse_accounts(text)? {
        verifier.take(&account)?;
    }
    verifier.finish()
}

fn about(accounts: &[VerifiedAccount]) -> String {
    let id = accounts.first().and_then(|first| MessageId::try_from(first.account.message_id.as_slice()).ok());
    id.map(|id| id.to_string()).unwrap_or_default()
}

/// What happened, its code, who did it, by pseudonym, and to which node it was carried on.
fn event<'l>(listed: &'l Listed, of: &VerifiedAccount) -> (&'static str, &'l str, &'l str, Option<String>) {
    let told = Told::about(&listed.event, &of.account.message_id);
    told.map(|told| (told.event, told.code, told.actor, told.recipient)).unwrap_or_default()
}

/// For machines.
pub(crate) fn account_json(accounts: &[VerifiedAccount]) -> Value {
    let item = |account: &VerifiedAccount, listed: &Listed| {
        let (event, code, actor, carried_to) = event(listed, account);
        let said = listed.disclosure.as_ref();
        json!({
            "carried_to": carried_to,
            "index": listed.index.0, "at": moment(listed.time_ms), "event": event, "code": code, "actor": actor,
            "fields": said.map(|said| &said.fields), "audience_class": said.map(|said| &said.audience_class),
            "audience_name": said.map(|said| &said.audience_name), "purpose": said.map(|said| &said.purpose),
            "grounds": said.map(|said| said.grounds.iter().map(hex::encode).collect::<Vec<_>>()),
            "outside_log": said.and_then(|said| said.recorded.as_ref()).map(|of| {
                json!({"kind": of.kind, "legal_basis": of.legal_basis, "document_sha256": hex::encode(&of.document_sha256)})
            }),
        })
    };
    let all = accounts.iter().flat_map(|of| of.items.iter().map(move |listed| (of, listed)));
    let items: Vec<Value> = all.map(|(of, listed)| item(of, listed)).collect();
    let last = accounts.last();
    json!({
        "message_id": about(accounts), "holder": last.map(|last| &last.account.holder),
        "answered": last.map(|last| moment(last.account.answered_ms)), "log_size": last.map(|last| last.checkpoint.size.0),
        "with_openings": accounts.iter().all(|account| account.account.with_openings), "items": items,
    })
}

/// What a release rests on, as far as it says.
fn rests_on(listed: &Listed) -> String {
    let Some(said) = &listed.disclosure else { return String::new() };
    let grounds = said
        .grounds
        .iter()
        .fold(String::new(), |text, of| text + "\n  on the statement with digest " + &hex::encode(of));
    let outside = said.recorded.as_ref().map(|of| {
        let basis = visible(&of.legal_basis).replace('\n', "\\n");
        let digest = hex::encode(&of.document_sha256);
        format!("\n  on a document that its originator did not sign: {}: {basis}; SHA-256 {digest}", of.kind)
    });
    grounds + &outside.unwrap_or_default()
}

/// What the whole log of its holder says of an account.
pub(crate) enum Whole {
    /// It tells of nothing else, up to where the account goes.
    Told,
    /// It does not go so far, or is another one: why, and what to ask for.
    NotCompared(String),
    /// A fault.
    Fault(String),
}

/// Compares an account with an exported log: of the log that it is about, or of one that took its place and carries it over.
///
/// # Errors
/// [`Missing`].
pub(crate) fn compare_with_log(accounts: &[VerifiedAccount], folder: &ExportFolder) -> Result<Whole, Missing> {
    let Some(last) = accounts.last() else { return Ok(Whole::Fault("the account is empty".to_owned())) };
    let verified = verify(folder, &Given::default(), &|_, _| {})?;
    if !verified.is_sound() {
        return Ok(Whole::Fault("the exported log has faults itself: see `verbale-audit verify`".to_owned()));
    }
    let (size, origin, head) = (last.checkpoint.size, &last.checkpoint.origin, &verified.head);
    let closed = verified.breaks.iter().position(|broke| broke.closed == *origin).map(|at| at + 1);
    let Some(before) = (head.origin == *origin).then_some(0).or(closed) else {
        let text = format!(
            "the account is about {origin}, of which the export of {} does not tell; ask for another",
            head.origin
        );
        return Ok(Whole::NotCompared(text));
    };
    let goes_to = before.checked_sub(1).and_then(|at| verified.breaks.get(at)).map_or(head.size.0, |broke| broke.held);
    if size.0 > goes_to {
        let text = format!(
            "the account goes to entry {} of {origin}, and the export has {goes_to} of it; ask for one made now",
            size.0
        );
        return Ok(Whole::NotCompared(text));
    }
    let mut root = None;
    trees(folder, (head.size, before), size.0, |tree| {
        root = root.or_else(|| (tree.size() == size).then(|| tree.root()));
    })?;
    if root != Some(last.checkpoint.root) {
        return Ok(Whole::Fault(format!("at size {} the log has another root than the account", size.0)));
    }
    let listed: HashSet<u64> =
        accounts.iter().flat_map(|account| &account.items).map(|listed| listed.index.0).collect();
    let mut at: u64 = 0;
    for tile in Tile::of_level(0, head.size) {
        for entry in decode_bundle(&folder.bundle(tile)?).unwrap_or_default() {
            // Where it stands in the log that the account is about.
            let index = at.checked_sub(before as u64).filter(|index| *index < size.0);
            at += 1;
            let told = read_entry(entry).ok().filter(|told| told.carried >= before as u64);
            let (Some(index), Some(told)) = (index, told) else { continue };
            let about = Told::about(&told.event, &last.account.message_id);
            let is_meant = about.is_some_and(|about| last.account.with_openings || about.is_release());
            if is_meant && !listed.contains(&index) {
                let text = format!("entry {index} of the log is about this notice, and the account leaves it out");
                return Ok(Whole::Fault(text));
            }
        }
    }
    Ok(Whole::Told)
}

/// For people.
pub(crate) fn account_report(accounts: &[VerifiedAccount]) -> String {
    let Some(last) = accounts.last() else { return String::new() };
    let mut report = format!(
        "Sound.\n  notice        {}\n  held by       {}, who signed this on {}\n  up to         entry {} of its log; that nothing is left out at \
         the end shows only in the whole log\n",
        about(accounts),
        last.account.holder,
        moment(last.account.answered_ms),
        last.checkpoint.size.0
    );
    let mut none = true;
    for (account, listed) in accounts.iter().flat_map(|of| of.items.iter().map(move |listed| (of, listed))) {
        none = false;
        let (event, code, actor, carried_to) = event(listed, account);
        let what = carried_to.map_or_else(|| code.to_owned(), |to| format!("to {}", visible(&to)));
        let _ = write!(report, "\n{} entry {}: {event} {what}, by {actor}", moment(listed.time_ms), listed.index.0);
        match &listed.disclosure {
            Some(said) => {
                let said = format!(
                    "{} to {} ({}), for {}",
                    said.fields.join(", "),
                    said.audience_name,
                    said.audience_class,
                    said.purpose
                );
                let _ = write!(report, "\n  {}", visible(&said).replace('\n', "\\n"));
                report += &rests_on(listed);
            }
            None if matches!(listed.event, Event::Disclosed(_)) => report.push_str("\n  erased"),
            None => {}
        }
    }
    if none { report + "\nIt was released to nobody." } else { report }
}
