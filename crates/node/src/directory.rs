//! The directory of audiences, for the local service.

use verbale_domain::disclosure::AudienceClass;
use verbale_domain::{NAME_BYTES_MAX, is_line, mixes_scripts};
use verbale_envelope::{FactsKey, NoticeKeys, Recipient};
use verbale_evidence::MessageId;
use verbale_exchange::{Exchange, HeldAudience, Input};
use verbale_proto::v1::{AudienceStatus, EnterAudienceRequest, Facts, Particulars};
use verbale_rpc::Failure;

use crate::clock::now_ms;
use crate::letter::refused;
use crate::random;
use crate::shared::Shared;

/// What the core is asked.
pub(crate) fn entering(
    shared: &Shared,
    actor: String,
    request: EnterAudienceRequest,
) -> Result<impl FnOnce(u64) -> Input + Send + 'static + use<>, Failure> {
    let EnterAudienceRequest { name, class, recipient } = request;
    let wrong = |text: &str| refused("BAD_VALUE", text.to_owned());
    let class = self::class(&class)?;
    if class == AudienceClass::Public {
        return Err(wrong("everybody is no audience of the directory: what may be public is published"));
    }
    if name.trim().is_empty() || !is_line(&name, NAME_BYTES_MAX) {
        return Err(wrong(&format!("a name has 1 to {NAME_BYTES_MAX} bytes and no control characters")));
    }
    if name.trim() != name {
        return Err(wrong("a name neither begins nor ends with a blank, which nobody sees"));
    }
    if mixes_scripts(&name) {
        let text = "a word of the name has Latin and Cyrillic letters, so it looks like another name; write each word in one script";
        return Err(refused("MIXED_SCRIPT_NAME", text.to_owned()));
    }
    if !recipient.is_empty() && recipient.parse::<Recipient>().is_err() {
        return Err(wrong("the key is an age X25519 recipient: age1… in lower case, as age-keygen shows it"));
    }
    let id = MessageId::new(now_ms().unsigned_abs(), &random::bytes());
    let keys = NoticeKeys::of_facts(FactsKey::from_bytes(random::bytes()));
    let particulars =
        Particulars { audience_class: class.as_str().to_owned(), audience_name: name, ..Particulars::default() };
    let facts = Facts { particulars: Some(particulars), recipient, ..Facts::default() };
    let sealed = keys.facts.seal(id, &facts, &random::bytes());
    let sealed = (sealed, shared.archive.wrap(id, &keys, &random::bytes()));
    Ok(move |ticket| Input::EnterAudience { ticket, id, actor, facts: Box::new(facts), sealed })
}

/// A class of audience.
pub(crate) fn class(text: &str) -> Result<AudienceClass, Failure> {
    text.parse().map_err(|_| {
        let classes: Vec<&str> = AudienceClass::ALL.iter().map(|class| class.as_str()).collect();
        refused("BAD_VALUE", format!("the class is one of {}", classes.join(", ")))
    })
}

/// The directory.
pub(crate) fn audiences(exchange: &Exchange) -> Vec<AudienceStatus> {
    let status = |held: &HeldAudience| {
        let audience = held.audience.as_ref();
        AudienceStatus {
            name: audience.map(|audience| audience.name.clone()).unwrap_or_default(),
            class: audience.map(|audience| audience.class.as_str().to_owned()).unwrap_or_default(),
            entered_by: held.entered_by.clone(),
            confirmed_by: held.confirmed_by.clone().unwrap_or_default(),
            recipient: held.recipient.clone().unwrap_or_default(),
            ended: held.ended,
        }
    };
    exchange.audiences().map(status).collect()
}
