//! Where a notice went: the list for the own people, the signed account for its originator, and the question to a counterpart.

use std::sync::Arc;
use std::time::Duration;

use prost::Message as _;
use tokio::sync::mpsc;
use verbale_domain::disclosure::Scope;
use verbale_evidence::{
    ACCOUNT_BYTES_MAX, AccountVerifier, Listed, MessageId, Told, VerifiedAccount, account_text, read_entry,
    sign_account,
};
use verbale_exchange::{Bound, Exchange, Happening, Held, Mailbox, NoticeState, What};
use verbale_journal::{Journal, Logged, Store};
use verbale_ledger::LogIndex;
use verbale_proto::v1::log_entry::Event;
use verbale_proto::v1::{
    Account, AccountItem, AccountRequest, AskAccountResponse, Disclosed, DisclosureItem, Facts, Particulars,
};
use verbale_rpc::peer_client::PeerClient;
use verbale_rpc::tonic::Status;
use verbale_rpc::{ACCOUNT_MESSAGE_BYTES_MAX, Failure, FailureKind};

use crate::clock::now_ms;
use crate::connection::connect;
use crate::core::{Core, Stopped};
use crate::letter::refused;
use crate::local::stopping;
use crate::local_reads::{damaged, failed, find};
use crate::person::Sight;
use crate::shared::Shared;

/// Items that are read at once, while the core's others wait.
const ITEMS_AT_ONCE: usize = 64;

/// Parts of one account: 64 MiB together, some ten thousand releases of one notice.
const PARTS_MAX: usize = 256;

/// The counterpart reads and signs so long at most.
const ANSWER_TIME: Duration = Duration::from_secs(30);

/// Whether a line of a history is about who learnt of a notice: the entries that [`Told`] reads.
fn is_told(what: &What) -> bool {
    is_release(what) || matches!(what, What::Denied { .. } | What::Opened(_) | What::HandedOver(_))
}

fn is_release(what: &What) -> bool {
    matches!(what, What::Disclosed { .. } | What::CarriedOn(_) | What::HeldBack(_))
}

/// Sends everything that is asked for, in the order of the log.
pub(crate) async fn items(
    shared: Arc<Shared>,
    core: Core,
    id: String,
    responses: &mpsc::Sender<Result<DisclosureItem, Status>>,
) -> Result<(), Status> {
    let places = core.read(move |exchange, _| {
        let of = |held: &Held| -> Vec<(LogIndex, MessageId)> {
            let told = held.history.iter().filter(|happening| is_told(&happening.what));
            told.map(|happening| (happening.index, held.message_id)).collect()
        };
        let mut places: Vec<(LogIndex, MessageId)> = match id.as_str() {
            "" => exchange.notices().flat_map(of).collect(),
            id => of(&find(exchange, id, Sight::Numbers)?),
        };
        places.sort_unstable();
        Ok::<_, Failure>(places)
    });
    let places = places.await.map_err(stopping)??;
    for part in places.chunks(ITEMS_AT_ONCE) {
        let (part, shared) = (part.to_vec(), Arc::clone(&shared));
        let read = core.read(move |exchange, journal| {
            let items = part.iter().filter_map(|(index, id)| {
                let held = exchange.notice(id)?;
                let happening = held.history.iter().find(|happening| happening.index == *index)?;
                Some(item(&shared, journal, held, happening))
            });
            items.collect::<Result<Vec<_>, Failure>>()
        });
        for item in read.await.map_err(stopping)?? {
            responses.send(Ok(item)).await.map_err(|_| stopping(Stopped))?;
        }
    }
    Ok(())
}

fn item(shared: &Shared, journal: &Journal, held: &Held, happening: &Happening) -> Result<DisclosureItem, Failure> {
    let entry = journal.entry(happening.index).map_err(|error| failed(&error))?;
    let event = read_entry(&entry).map_err(|error| damaged(&error.to_string()))?.event;
    let facts = facts(shared, journal, (held.message_id, happening.index), &event)?;
    let purpose = facts.as_ref().map(|facts| facts.purpose.clone()).unwrap_or_default();
    let scope = facts.and_then(|facts| facts.particulars).unwrap_or_default();
    let Particulars { fields, audience_class, audience_name, .. } = scope;
    let purpose = if purpose.is_empty() { scope.purpose } else { purpose };
    let told = told(held.message_id, (happening.index, happening.time_ms), &event);
    Ok(DisclosureItem {
        notice_id: held.notice_id.clone().unwrap_or_default(),
        fields,
        audience_class,
        audience_name: if audience_name.is_empty() { told.audience_name.clone() } else { audience_name },
        purpose,
        ..told
    })
}

/// What the entry itself says.
fn told(message_id: MessageId, (index, time_ms): (LogIndex, i64), event: &Event) -> DisclosureItem {
    let grounds = match event {
        Event::Disclosed(of) => of.grounds.as_slice(),
        _ => &[],
    };
    let grounds = grounds.iter().filter_map(|id| MessageId::try_from(id.as_slice()).ok());
    let item = DisclosureItem {
        log_index: index.0,
        time_ms,
        message_id: message_id.to_string(),
        grounds: grounds.map(|id| id.to_string()).collect(),
        ..DisclosureItem::default()
    };
    let Some(Told { event, code, actor, recipient }) = Told::about(event, message_id.as_bytes()) else { return item };
    let audience_name = recipient.unwrap_or_default();
    DisclosureItem { audience_name, event: event.to_owned(), code: code.to_owned(), actor: actor.to_owned(), ..item }
}

/// The facts beside an entry about a notice; `None` where there are none or they were erased.
pub(crate) fn facts(
    shared: &Shared,
    journal: &Journal,
    (message_id, index): (MessageId, LogIndex),
    event: &Event,
) -> Result<Option<Facts>, Failure> {
    let (id, digest) = match event {
        Event::Disclosed(of) if of.release_id.is_empty() => (message_id, &of.facts_digest),
        Event::Disclosed(of) => (release_id(of)?, &of.facts_digest),
        Event::DisclosureDenied(of) => (message_id, &of.facts_digest),
        Event::NoticeOpened(of) => (message_id, &of.facts_digest),
        _ => return Ok(None),
    };
    let sealed = journal.facts(index).map_err(|error| failed(&error))?;
    let wrapped = journal.keys(id.as_bytes()).map_err(|error| failed(&error))?;
    let (Some(sealed), Some(wrapped)) = (sealed, wrapped) else { return Ok(None) };
    let keys = shared.archive.unwrap(id, &wrapped).map_err(|error| damaged(&error.to_string()))?;
    keys.facts.open(id, &sealed, digest).map(Some).map_err(|error| damaged(&error.to_string()))
}

/// Under which id the key of a release's facts stands.
fn release_id(of: &Disclosed) -> Result<MessageId, Failure> {
    MessageId::try_from(of.release_id.as_slice()).map_err(|_| damaged("a release has no id"))
}

/// The account that a counterpart asks for, of a notice that its node sent.
pub(crate) fn account(
    shared: &Shared,
    (exchange, journal): (&Exchange, &Journal),
    peer: &str,
    request: &AccountRequest,
) -> Result<Vec<u8>, Failure> {
    let unknown = || {
        let text = "this node holds no notice of that id from you";
        Failure::new(FailureKind::NotFound, "NO_SUCH_NOTICE", text)
    };
    let id = MessageId::try_from(request.message_id.as_slice()).map_err(|_| unknown())?;
    let held = exchange.notice(&id).filter(|held| held.mailbox == Mailbox::Inbox && held.channel.peer == peer);
    let held = held.filter(|held| !matches!(held.state, NoticeState::RefusedByUs(_))).ok_or_else(unknown)?;
    let size = journal.size().0;
    let with_openings = shared.config.disclosures.tell_openings;
    let mut account = Account {
        message_id: id.as_bytes().to_vec(),
        statement_digest: held.statement.0.to_vec(),
        holder: shared.card.id.clone(),
        answered_ms: now_ms(),
        checkpoint: journal.checkpoint().to_string(),
        covers_from: request.from_index.min(size),
        covers_to: size,
        with_openings,
        ..Account::default()
    };
    let mut bytes = 0;
    for happening in held.history.iter().filter(|happening| happening.index.0 >= request.from_index) {
        if !(if with_openings { is_told } else { is_release })(&happening.what) {
            continue;
        }
        let logged = journal.logged(happening.index).map_err(|error| failed(&error))?;
        let item = accounted(shared, (exchange, journal), held, &logged)?;
        bytes += item.encoded_len();
        if bytes > ACCOUNT_BYTES_MAX && !account.items.is_empty() {
            account.covers_to = happening.index.0;
            break;
        }
        account.items.push(item);
    }
    Ok(sign_account(&account, &exchange.own().key))
}

fn accounted(
    shared: &Shared,
    (exchange, journal): (&Exchange, &Journal),
    held: &Held,
    logged: &Logged,
) -> Result<AccountItem, Failure> {
    let told = read_entry(logged.entry()).map_err(|error| damaged(&error.to_string()))?;
    let (time_ms, event) = (told.time_ms, told.event);
    let mut item =
        AccountItem { entry: logged.entry().to_vec(), proof: logged.proof().to_text(), disclosure: Vec::new() };
    let Event::Disclosed(release) = &event else { return Ok(item) };
    let facts = facts(shared, journal, (held.message_id, logged.index()), &event)?;
    let Some(facts) = facts else { return Ok(item) };
    let scope = facts.particulars.as_ref().and_then(Scope::read).ok_or_else(|| damaged("a release has no scope"))?;
    let bound = Bound::read(&facts).ok_or_else(|| damaged("a release has no nonce"))?;
    let signed = exchange.logged_disclosure(held, &scope, (time_ms, release), bound);
    // The document on which it rested is erased with the notice, and what was signed names that.
    item.disclosure = match signed {
        Some(signed) => signed.bytes,
        None if held.erased => Vec::new(),
        None => return Err(damaged("a release cannot be made again as it was logged")),
    };
    Ok(item)
}

/// Asks the counterpart where an own notice went, and verifies what it signs.
pub(crate) async fn ask(shared: &Arc<Shared>, core: &Core, id: String) -> Result<AskAccountResponse, Status> {
    let held = core.read(move |exchange, _| find(exchange, &id, Sight::Numbers)).await.map_err(stopping)??;
    if held.mailbox != Mailbox::Outbox || held.state != NoticeState::Delivered {
        let text = "only of an own notice that was delivered can the counterpart say where it went";
        return Err(refused("NOT_DELIVERED", text.to_owned()).status());
    }
    let peers = shared.peers.now();
    let unreachable = |text: String| Failure::new(FailureKind::Unreachable, "COUNTERPART_UNREACHABLE", text).status();
    let peer = peers.by_id.get(&held.channel.peer);
    let peer = peer.ok_or_else(|| unreachable(format!("{} is not enrolled", held.channel.peer)))?;
    let late = |_| unreachable(format!("{} did not answer in time", held.channel.peer));
    let connection = connect(shared, peer).await.map_err(|ended| unreachable(ended.trouble))?;
    if connection.later.is_some() {
        let text = "it shows a later card, which is entered here within the interval of [heads]; ask again then";
        return Err(unreachable(format!("{} cannot be asked yet: {text}", held.channel.peer)));
    }
    let mut client = PeerClient::new(connection.channel).max_decoding_message_size(ACCOUNT_MESSAGE_BYTES_MAX);
    let proves_nothing = |what: String| {
        let text = format!("the account of {} proves nothing ({what}); keep it, and ask its people", held.channel.peer);
        Failure::new(FailureKind::Damaged, "ACCOUNT_PROVES_NOTHING", text).status()
    };
    let (mut verifier, mut text, mut next) = (AccountVerifier::new(peer.cards.clone()), String::new(), Some(0));
    for _ in 0..PARTS_MAX {
        let Some(from_index) = next else { break };
        let request = AccountRequest { message_id: held.message_id.as_bytes().to_vec(), from_index };
        let answer = tokio::time::timeout(ANSWER_TIME, client.give_account(request)).await.map_err(late)?;
        let answer = answer.map_err(|status| {
            let said = Failure::of(&status);
            Failure::new(said.kind, said.code, format!("{} says: {}", held.channel.peer, said.text)).status()
        })?;
        let envelope = answer.into_inner().account;
        text += &account_text(&envelope, &explanation(&held));
        // Some hundred signatures and proofs: others are served meanwhile.
        let verifying = tokio::task::spawn_blocking(move || {
            let next = verifier.take(&envelope);
            (verifier, next)
        });
        let (back, taken) = verifying.await.map_err(|_| stopping(Stopped))?;
        verifier = back;
        next = taken.map_err(|error| proves_nothing(error.to_string()))?;
    }
    let accounts = verifier.finish().map_err(|error| proves_nothing(error.to_string()))?;
    let of_whole = accounts.last().map(|last| (last.account.checkpoint.as_str(), &last.checkpoint));
    if let Some((note, checkpoint)) = of_whole {
        let compared = shared.witnesses.compare_told(peer, note, checkpoint);
        compared
            .map_err(|error| Failure::new(FailureKind::Fault, "HEADS", error.to_string()).status())?
            .map_err(proves_nothing)?;
    }
    let about = |account: &VerifiedAccount| {
        account.account.message_id == held.message_id.as_bytes() && account.account.statement_digest == held.statement.0
    };
    if !accounts.iter().all(about) {
        return Err(proves_nothing("it is of another notice".to_owned()));
    }
    let listed = accounts.iter().flat_map(|account| &account.items);
    let items = listed.map(|listed| DisclosureItem {
        notice_id: held.notice_id.clone().unwrap_or_default(),
        ..listed_item(held.message_id, listed)
    });
    Ok(AskAccountResponse {
        account: text,
        items: items.collect(),
        log_size: accounts.last().map(|account| account.checkpoint.size.0).unwrap_or_default(),
        with_openings: accounts.iter().all(|account| account.account.with_openings),
    })
}

fn explanation(held: &Held) -> String {
    format!(
        "Where notice {} went, as {} signed it.\nCheck it with: verbale-audit account FILE --card HOLDER'S-CARD",
        held.message_id, held.channel.peer
    )
}

fn listed_item(message_id: MessageId, listed: &Listed) -> DisclosureItem {
    let item = told(message_id, (listed.index, listed.time_ms), &listed.event);
    let Some(said) = listed.disclosure.clone() else { return item };
    let outside = said.recorded.unwrap_or_default();
    DisclosureItem {
        fields: said.fields,
        audience_class: said.audience_class,
        audience_name: said.audience_name,
        purpose: said.purpose,
        outside_kind: outside.kind,
        legal_basis: outside.legal_basis,
        document_sha256: outside.document_sha256,
        ..item
    }
}
