//! One account: where a notice went, as its holder signed it.

use std::fmt::Write as _;

use serde_json::{Value, json};
use verbale_evidence::{
    AccountError, AccountVerifier, Cards, Listed, MessageId, Told, VerifiedAccount, parse_accounts,
};
use verbale_proto::v1::log_entry::Event;

use crate::presentation::{moment, visible};

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

/// What happened, its code, and who did it, by pseudonym.
fn event(listed: &Listed) -> (&'static str, &str, &str) {
    Told::read(&listed.event).map(|told| (told.event, told.code, told.actor)).unwrap_or_default()
}

/// For machines.
pub(crate) fn account_json(accounts: &[VerifiedAccount]) -> Value {
    let item = |listed: &Listed| {
        let (event, code, actor) = event(listed);
        let said = listed.disclosure.as_ref();
        json!({
            "index": listed.index.0, "at": moment(listed.time_ms), "event": event, "code": code, "actor": actor,
            "fields": said.map(|said| &said.fields), "audience_class": said.map(|said| &said.audience_class),
            "audience_name": said.map(|said| &said.audience_name), "purpose": said.map(|said| &said.purpose),
        })
    };
    let items: Vec<Value> = accounts.iter().flat_map(|account| &account.items).map(item).collect();
    let last = accounts.last();
    json!({
        "message_id": about(accounts), "holder": last.map(|last| &last.account.holder),
        "answered": last.map(|last| moment(last.account.answered_ms)), "log_size": last.map(|last| last.checkpoint.size.0),
        "with_openings": accounts.iter().all(|account| account.account.with_openings), "items": items,
    })
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
    for listed in accounts.iter().flat_map(|account| &account.items) {
        none = false;
        let (event, code, actor) = event(listed);
        let _ = write!(report, "\n{} entry {}: {event} {code}, by {actor}", moment(listed.time_ms), listed.index.0);
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
            }
            None if matches!(listed.event, Event::Disclosed(_)) => report.push_str("\n  erased"),
            None => {}
        }
    }
    if none { report + "\nIt was released to nobody." } else { report }
}
