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
use crate::verify::{Given, roots_at, verify};

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

/// Whether an account leaves out nothing that the whole log of its holder tells, up to where it goes.
///
/// # Errors
/// [`Missing`]; the entry that it leaves out, or why the log is not the one that it is about.
pub(crate) fn leaves_out_nothing(
    accounts: &[VerifiedAccount],
    folder: &ExportFolder,
) -> Result<Result<(), String>, Missing> {
    let Some(last) = accounts.last() else { return Ok(Err("the account is empty".to_owned())) };
    let verified = verify(folder, &Given::default(), &|_, _| {})?;
    if !verified.is_sound() {
        return Ok(Err("the exported log has faults itself: see `verbale-audit verify`".to_owned()));
    }
    let (size, head) = (last.checkpoint.size, &verified.head);
    let is_of_log = head.origin == last.checkpoint.origin && size <= head.size;
    if !is_of_log || roots_at(folder, head.size, &[size.0])?.first() != Some(&last.checkpoint.root) {
        let text = format!("{} up to {} entries is no beginning of the exported log", last.checkpoint.origin, size.0);
        return Ok(Err(text));
    }
    let listed: HashSet<u64> =
        accounts.iter().flat_map(|account| &account.items).map(|listed| listed.index.0).collect();
    let mut index = 0;
    for tile in Tile::of_level(0, size) {
        let whole =
            Tile::of_level(0, head.size).nth(usize::try_from(tile.number).unwrap_or(usize::MAX)).unwrap_or(tile);
        for entry in decode_bundle(&folder.bundle(whole)?).unwrap_or_default() {
            let event = read_entry(entry).ok().map(|told| told.event);
            let told = event.as_ref().and_then(|event| Told::about(event, &last.account.message_id));
            let is_meant = told.is_some_and(|told| last.account.with_openings || told.is_release());
            if is_meant && index < size.0 && !listed.contains(&index) {
                return Ok(Err(format!(
                    "entry {index} of the log is about this notice, and the account leaves it out"
                )));
            }
            index += 1;
        }
    }
    Ok(Ok(()))
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
