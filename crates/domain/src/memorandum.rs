//! Memoranda as files: who the sides are, which kinds travel in which direction, on which clause.
//!
//! # Layout
//! TOML: `format = 2`, `id`, `[terms]` (what was agreed), `[[contacts]]` (who receives mail today), `[[succession]]` (which body
//! took the place of which) and `[reminders]`. The digest that every notice pins covers `id` and `[terms]` only, so that a
//! moved office or a renamed ministry does not change it: SHA-256 of their JSON with members in the order of their names
//! and without white space. What no text confirms is `unknown` or `not verified`, and is shown so.

mod check;
mod file;

use std::collections::BTreeMap;

use time::{Date, UtcOffset};

use crate::civil;
use crate::docket::OF_ITS_SENDER;
use crate::flow::{CONSULTATION_REQUEST, CONTACT_POINT_CHANGE};
use check::{check_sides, check_terms};
pub use file::{Basis, Class, Duty};
use file::{Commencement, Contact, File, Kind, Organ, Succession, Termination, Terms, digest};

/// The format of memorandum files that this version reads.
const FORMAT: u32 = 2;

/// The files that ship with the program: name and text.
const SHIPPED: [(&str, &str); 8] = [
    ("JP-KG-SSW-2023.toml", include_str!("../../../config/memoranda/JP-KG-SSW-2023.toml")),
    ("JP-TJ-SSW-2024.toml", include_str!("../../../config/memoranda/JP-TJ-SSW-2024.toml")),
    ("JP-UZ-TITP-2019.toml", include_str!("../../../config/memoranda/JP-UZ-TITP-2019.toml")),
    ("JP-UZ-SSW-2019.toml", include_str!("../../../config/memoranda/JP-UZ-SSW-2019.toml")),
    ("JP-KH-SSW-2019.toml", include_str!("../../../config/memoranda/JP-KH-SSW-2019.toml")),
    ("JP-MM-SSW-2019.toml", include_str!("../../../config/memoranda/JP-MM-SSW-2019.toml")),
    ("JP-VN-SSW-2019.toml", include_str!("../../../config/memoranda/JP-VN-SSW-2019.toml")),
    ("TR-UZ-MOU.toml", include_str!("../../../config/memoranda/TR-UZ-MOU.toml")),
];

/// A memorandum file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MemorandumError {
    /// Not TOML, or not of this form; the text names line and column.
    #[error("{file} is no memorandum file: {text}")]
    Form {
        /// The file.
        file: String,
        /// What and where.
        text: String,
    },
    /// A later format.
    #[error("{file} has format {got}; this version reads format {FORMAT}: install a newer verbale")]
    Format {
        /// The file.
        file: String,
        /// Its format.
        got: u32,
    },
    /// Two files with one id.
    #[error("{file} is a second file for memorandum {id}; remove one of them")]
    Twice {
        /// The second file.
        file: String,
        /// The id.
        id: String,
    },
    /// A value that is not what it must be.
    #[error("{file} says {what}")]
    Value {
        /// The file.
        file: String,
        /// What, and what it must be.
        what: String,
    },
    /// Something named that is nowhere defined.
    #[error("{file} says {what}, which is not a side of {id}")]
    UnknownSide {
        /// The file.
        file: String,
        /// The memorandum.
        id: String,
        /// Where it is named.
        what: String,
    },
}

/// One memorandum.
pub struct Memorandum {
    /// Its id.
    pub id: String,
    terms: Terms,
    contacts: Vec<(Contact, Option<Date>)>,
    succession: Vec<(Succession, Option<Date>)>,
    organs: Vec<Organ>,
    reminders: BTreeMap<Duty, u16>,
    commences: CommencesOn,
    offsets: BTreeMap<String, UtcOffset>,
    digest: [u8; 32],
    text: String,
}

/// Who receives mail for a side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContactPoint<'m> {
    /// The office, as notices name it.
    pub office: &'m str,
    /// The node that serves it, as cards name it.
    pub node: &'m str,
}

/// Since when a memorandum is in force, as far as its file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommencesOn {
    /// Since this day.
    Day(Date),
    /// On receipt of a notification: the day must be recorded.
    Receipt,
    /// Not verified: counts as in force, and is shown so.
    NotVerified,
}

impl Memorandum {
    /// Reads one file.
    ///
    /// # Errors
    /// [`MemorandumError`], also for a member that this version does not know.
    pub fn parse(file: &str, text: &str) -> Result<Self, MemorandumError> {
        let form = |text: String| MemorandumError::Form { file: file.to_owned(), text };
        let read: File = match toml::from_str(text) {
            Ok(read) => read,
            // An older or newer file may have another form altogether: its number says so.
            Err(error) => {
                return Err(match format_of(text).filter(|got| *got != FORMAT) {
                    Some(got) => MemorandumError::Format { file: file.to_owned(), got },
                    None => form(error.to_string()),
                });
            }
        };
        if read.format != FORMAT {
            return Err(MemorandumError::Format { file: file.to_owned(), got: read.format });
        }
        check_sides(file, &read)?;
        check_terms(file, &read)?;
        let digest = digest(&read.id, &read.terms).map_err(|error| form(error.to_string()))?;
        let wrong = |what: String| MemorandumError::Value { file: file.to_owned(), what };
        let day = |text: &str| civil::day(text).ok_or_else(|| wrong(format!("{text} where a day YYYY-MM-DD must be")));
        let mut offsets = BTreeMap::new();
        for (side, of) in &read.terms.sides {
            let offset = civil::offset(&of.utc_offset)
                .ok_or_else(|| wrong(format!("{} where an offset such as +09:00 must be", of.utc_offset)))?;
            offsets.insert(side.clone(), offset);
        }
        let mut contacts = Vec::new();
        for contact in read.contacts {
            let since = contact.since.as_deref().map(day).transpose()?;
            contacts.push((contact, since));
        }
        let mut succession = Vec::new();
        for successor in read.succession {
            let since = successor.since.as_deref().map(day).transpose()?;
            succession.push((successor, since));
        }
        let commences = match (read.terms.in_force.rule, &read.terms.in_force.on) {
            (Commencement::LatterSignature, Some(on)) => CommencesOn::Day(day(on)?),
            (Commencement::LatterSignature, None) => return Err(wrong("no day of the latter signature".to_owned())),
            (Commencement::ReceiptOfNotification, _) => CommencesOn::Receipt,
            (Commencement::Unknown, _) => CommencesOn::NotVerified,
        };
        let (terms, reminders) = (read.terms, read.reminders);
        Ok(Self {
            id: read.id,
            terms,
            contacts,
            succession,
            organs: read.organs,
            reminders,
            commences,
            offsets,
            digest,
            text: text.to_owned(),
        })
    }

    /// The file, verbatim.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// SHA-256 of the canonical encoding of the legal terms.
    pub fn terms_digest(&self) -> [u8; 32] {
        self.digest
    }

    /// Its title.
    pub fn title(&self) -> &str {
        &self.terms.title
    }

    /// What clause 3 asks for.
    pub fn basis(&self) -> Basis {
        self.terms.disclosure.basis
    }

    /// Since when it is in force.
    pub fn commences(&self) -> CommencesOn {
        self.commences
    }

    /// The last day on which it was signed.
    pub(crate) fn signed_last(&self) -> Option<Date> {
        self.terms.signed.iter().filter_map(|day| civil::day(day)).max()
    }

    /// Calendar months from the receipt of a termination to the end; `None` where the text was not seen.
    pub fn months_to_end(&self) -> Option<u8> {
        let ends = &self.terms.ends;
        ends.months.filter(|_| ends.rule == Termination::MonthsAfterReceipt)
    }

    /// The clause about commencement and end.
    pub(crate) fn clause_of_end(&self) -> &str {
        self.terms.ends.clause.as_deref().unwrap_or(NOT_VERIFIED)
    }

    /// The clause about commencement.
    pub fn clause_of_commencement(&self) -> &str {
        self.terms.in_force.clause.as_deref().unwrap_or(NOT_VERIFIED)
    }

    /// The clause that names the contact points: by it they are changed too.
    pub(crate) fn clause_of_contacts(&self) -> &str {
        self.clause_of(CONTACT_POINT_CHANGE).unwrap_or(NOT_VERIFIED)
    }

    /// The clause about disclosure.
    pub fn clause_of_disclosure(&self) -> &str {
        self.terms.disclosure.clause.as_deref().unwrap_or(NOT_VERIFIED)
    }

    /// Whether this is a side.
    pub fn has_side(&self, side: &str) -> bool {
        self.terms.sides.contains_key(side)
    }

    /// The sides.
    pub fn sides(&self) -> impl Iterator<Item = &str> {
        self.terms.sides.keys().map(String::as_str)
    }

    /// The bodies that the text names as parties, of all sides.
    pub fn parties(&self) -> impl Iterator<Item = &str> {
        self.terms.sides.values().flat_map(|side| side.parties.keys()).map(String::as_str)
    }

    /// Whether notices of a flow are exchanged under it.
    pub fn has_flow(&self, flow: &str) -> bool {
        self.kind(flow).is_some()
    }

    /// The flows that a side may send.
    pub fn flows_of(&self, side: &str) -> impl Iterator<Item = &str> {
        let sent = move |(_, kind): &(&String, &Kind)| kind.from.iter().any(|from| from == side);
        self.terms.kinds.iter().filter(sent).map(|(flow, _)| flow.as_str())
    }

    /// Whether a notice of this flow asks both sides to consult, and no notice answers that it was done.
    pub fn is_consultation(&self, flow: &str) -> bool {
        flow != CONSULTATION_REQUEST && self.kind(flow).is_some_and(|kind| kind.duty() == Some(Duty::Consult))
    }

    /// The other side of two.
    pub fn other_side(&self, side: &str) -> Option<&str> {
        self.terms.sides.keys().map(String::as_str).find(|other| *other != side)
    }

    /// The offset of a side's civil dates.
    pub fn utc_offset(&self, side: &str) -> UtcOffset {
        self.offsets.get(side).copied().unwrap_or(UtcOffset::UTC)
    }

    /// Whether an office may write as a body of a side, on a day: it is one, or its name begins with that of one.
    pub fn is_of_party(&self, side: &str, office: &str, on: Date) -> bool {
        self.body_of(side, office, on).is_some()
            || self.contacts_until(side, on).any(|(contact, _)| contact.office == office)
    }

    /// The body of a side of which an office is one, or an organ.
    pub fn body_of(&self, side: &str, office: &str, on: Date) -> Option<&str> {
        let is_organ =
            |rest: &str| rest.starts_with('-') && !rest.split(['-', '_']).any(|part| NO_ORGANS.contains(&part));
        let organ_of = |body: &&str| office == *body || office.strip_prefix(*body).is_some_and(is_organ);
        self.bodies(side, on).find(organ_of)
    }

    /// Whether an office is, on a day, a body of a side under any of its names, its contact point, or an organ that the file lists: such a one
    /// is no third party.
    pub fn is_party(&self, side: &str, office: &str, on: Date) -> bool {
        let organ = self.organs.iter().find(|organ| organ.office == office);
        let body = organ.map_or(office, |organ| &organ.of);
        self.bodies(side, on).any(|known| known == body)
            || self.contacts_until(side, on).any(|(contact, _)| contact.office == office)
    }

    /// The bodies of a side that the text names, and those that succeeded them.
    pub fn bodies<'m>(&'m self, side: &str, on: Date) -> impl Iterator<Item = &'m str> {
        let parties = self.terms.sides.get(side).into_iter().flat_map(|side| side.parties.keys());
        let begun = move |(_, since): &&(Succession, Option<Date>)| since.is_none_or(|since| since <= on);
        let of_side = move || self.succession.iter().filter(move |(s, _)| s.side == side);
        let successors = of_side().filter(begun).map(|(s, _)| &s.to).chain(of_side().map(|(s, _)| &s.from));
        parties.chain(successors).map(String::as_str)
    }

    /// Whether a text names a body of a side, by its identifier or by its name.
    pub(crate) fn names_body(&self, side: &str, text: &str, on: Date) -> bool {
        let mut named = self.terms.sides.get(side).into_iter().flat_map(|side| side.parties.values());
        self.bodies(side, on).any(|body| body == text) || named.any(|name| name == text)
    }

    /// The contact point of a side on a day, where the file names one.
    pub fn contact_point(&self, side: &str, on: Date) -> Option<ContactPoint<'_>> {
        let (contact, _) = self.contacts_until(side, on).max_by_key(|(_, since)| *since)?;
        Some(ContactPoint { office: &contact.office, node: contact.node() })
    }

    /// Whether an office may write for its side: the contact point of the day, or one that it took over from, whose mail may
    /// still be under way.
    pub(crate) fn may_write(&self, side: &str, office: &str, on: Date) -> bool {
        let Some(present) = self.contact_point(side, on) else { return false };
        self.contacts_until(side, on).any(|(contact, _)| contact.office == office && contact.node() == present.node)
    }

    /// The contacts of a side that have begun by a day.
    fn contacts_until<'m>(&'m self, side: &str, on: Date) -> impl Iterator<Item = &'m (Contact, Option<Date>)> {
        let of_side = self.contacts.iter().filter(move |(contact, _)| contact.side == side);
        of_side.filter(move |(_, since)| since.is_none_or(|since| since <= on))
    }

    /// The nodes of its contact points, of any day.
    pub fn nodes(&self) -> impl Iterator<Item = &str> {
        self.contacts.iter().map(|(contact, _)| contact.node())
    }

    /// The side whose contact point a node serves on a day.
    pub fn side_of(&self, node: &str, on: Date) -> Option<&str> {
        let serves = |side: &&str| self.contact_point(side, on).is_some_and(|contact| contact.node == node);
        self.terms.sides.keys().map(String::as_str).find(serves)
    }

    /// The clause that a flow rests on.
    pub fn clause_of(&self, flow: &str) -> Option<&str> {
        self.kind(flow).map(KindTerms::clause)
    }

    /// Whether what a flow answers is always a notice of the other side, whose words it may repeat.
    pub fn answers_other(&self, flow: &str) -> bool {
        !OF_ITS_SENDER.contains(&flow) && self.kind(flow).is_some_and(KindTerms::is_answer)
    }

    /// Body paths of a flow that may be published, unless its originator says otherwise.
    pub fn publishable(&self, flow: &str) -> &[String] {
        self.kind(flow).map(KindTerms::publishable).unwrap_or_default()
    }

    /// Whether the text has the side that received a notice of a flow publish it, or the side whose `own` notice it is.
    pub fn must_publish(&self, flow: &str, own: bool) -> bool {
        let duty = self.kind(flow).and_then(|kind| if own { kind.own_duty() } else { kind.duty() });
        duty == Some(Duty::Publish)
    }

    /// Whether what is sent in a flow is public where its originator labels it so.
    pub fn is_public(&self, flow: &str) -> bool {
        self.kind(flow).is_some_and(|kind| kind.class() == Class::Public)
    }

    /// What the memorandum says of a flow.
    pub(crate) fn kind(&self, flow: &str) -> Option<KindTerms<'_>> {
        self.terms.kinds.get(flow).map(KindTerms)
    }

    /// Days after which a duty is shown as overdue; no text sets a deadline.
    pub fn reminder_days(&self, duty: Duty) -> Option<u16> {
        self.reminders.get(&duty).copied()
    }
}

/// Parts of a name that mark third parties, whatever body stands before them: embassies, consulates, prefectural police (DOMAIN 1.3).
const NO_ORGANS: [&str; 4] = ["EMBASSY", "CONSULATE", "PREF", "PREFECTURE"];

const NOT_VERIFIED: &str = "not verified";

/// What a memorandum says of one flow.
#[derive(Clone, Copy)]
pub(crate) struct KindTerms<'m>(&'m Kind);

impl<'m> KindTerms<'m> {
    /// The sides that may send it.
    pub(crate) fn from(self) -> &'m [String] {
        &self.0.from
    }

    pub(crate) fn clause(self) -> &'m str {
        &self.0.clause
    }

    pub(crate) fn class(self) -> Class {
        self.0.class
    }

    pub(crate) fn duty(self) -> Option<Duty> {
        self.0.duty
    }

    /// The clause that the receiver's duty rests on.
    pub(crate) fn duty_clause(self) -> &'m str {
        self.0.duty_clause.as_deref().unwrap_or(&self.0.clause)
    }

    /// Body paths that may be published, unless the originator says otherwise.
    pub(crate) fn publishable(self) -> &'m [String] {
        &self.0.publishable
    }

    pub(crate) fn own_duty(self) -> Option<Duty> {
        self.0.own_duty
    }

    /// Whether it must answer a notice.
    pub(crate) fn must_answer(self) -> bool {
        !self.0.answers.is_empty() && !self.0.answers_optional
    }

    /// Whether it may answer this flow. A kind that answers nothing in particular may name any notice.
    pub(crate) fn may_answer(self, flow: &str) -> bool {
        self.0.answers.is_empty() || self.0.answers.iter().any(|answered| answered == "*" || answered == flow)
    }

    /// Whether it is an answer to particular flows.
    pub(crate) fn is_answer(self) -> bool {
        self.0.answers.iter().any(|answered| answered != "*")
    }

    pub(crate) fn answered(self) -> String {
        self.0.answers.join(" or ")
    }
}

/// The format number alone, of a file that could not be read.
fn format_of(text: &str) -> Option<u32> {
    toml::from_str::<toml::Table>(text).ok()?.get("format")?.as_integer()?.try_into().ok()
}

/// The memoranda that a node holds, by id.
#[derive(Default)]
pub struct Memoranda(BTreeMap<String, Memorandum>);

impl Memoranda {
    /// Reads files, each given by name and text.
    ///
    /// # Errors
    /// [`MemorandumError`] of the first file that cannot be used.
    pub fn parse<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, MemorandumError> {
        let mut memoranda = BTreeMap::new();
        for (file, text) in files {
            let memorandum = Memorandum::parse(file, text)?;
            let id = memorandum.id.clone();
            if memoranda.insert(id.clone(), memorandum).is_some() {
                return Err(MemorandumError::Twice { file: file.to_owned(), id });
            }
        }
        Ok(Self(memoranda))
    }

    /// The files that ship with the program: name and text.
    pub fn shipped() -> &'static [(&'static str, &'static str)] {
        &SHIPPED
    }

    /// The memorandum with this id.
    pub fn get(&self, id: &str) -> Option<&Memorandum> {
        self.0.get(id)
    }

    /// All, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Memorandum> {
        self.0.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_files_are_sound_and_a_moved_office_keeps_the_digest() {
        let shipped = Memoranda::parse(Memoranda::shipped().iter().copied()).unwrap();
        assert_eq!(shipped.iter().count(), SHIPPED.len());
        let (file, text) = SHIPPED[0];
        let before = Memorandum::parse(file, text).unwrap();
        let moved = Memorandum::parse(file, &text.replace("KG-MLSSM-CECA", "KG-OTHER")).unwrap();
        assert_eq!(before.terms_digest(), moved.terms_digest());
        let other = Memorandum::parse(file, &text.replace("basis = \"consent\"", "basis = \"notice\"")).unwrap();
        assert_ne!(before.terms_digest(), other.terms_digest());
    }

    #[test]
    fn what_the_file_should_not_say_is_refused_with_its_place() {
        let (file, text) = SHIPPED[0];
        let error = |text: &str| Memorandum::parse(file, text).err().unwrap().to_string();
        assert!(error(&text.replace("[terms]", "[terms]\ncolour = 1")).contains("line"));
        assert!(error(&text.replace("format = 2", "format = 3")).contains("format 3"));
        assert!(error(&text.replace("F01 = { from = [\"KG\"]", "F01 = { from = [\"XX\"]")).contains("XX at F01"));
        // What a node would live by and only find out later that it means nothing.
        let successor = |side: &str, from: &str| {
            format!("{text}\n[[succession]]\nside = \"{side}\"\nfrom = \"{from}\"\nto = \"XX-NEW\"\nname = \"N\"\n")
        };
        let also_there =
            "\n[terms.sides.XX]\nutc_offset = \"+01:00\"\n[terms.sides.XX.parties]\nXX-M = \"M\"\n[terms.kinds]";
        for (wrong, says) in [
            (successor("JP", "JP-NOBODY"), "JP-NOBODY at [[succession]]"),
            (successor("JP", "KG-MLSSM"), "KG-MLSSM at [[succession]]"),
            (successor("JP", "JP-NPA").replace("XX-NEW", "KG-MLSSM"), "KG-MLSSM as what succeeded JP-NPA"),
            (successor("JP", "JP-NPA").replace("XX-NEW", "JP-NPA"), "and that is itself"),
            (text.replace("months = 6, ", ""), "not after how many"),
            (text.replace("months = 6", "months = 0"), "not after how many"),
            (text.replace("\"2023-06-28\"", "\"banana\""), "signed on banana"),
            (text.replace("on = \"2023-07-06\"", "on = \"2023-07-05\""), "latter signature"),
            (text.replace("F14 = {", "F99 = {"), "F99 at F99"),
            (text.replace("answers = [\"F07\"]", "answers = [\"F98\"]"), "F98 at F08"),
            (text.replace("F07 = { from = [\"KG\"]", "F07 = { from = []"), "F07 travels from nobody"),
            (
                text.replace("publishable = [\"as_of\", \"entries\"]", "publishable = [\"*\"]"),
                "\"*\" as publishable at F02",
            ),
            (text.replace("id = \"JP-KG-SSW-2023\"", "id = \"\""), "an empty id"),
            (text.replace("+06:00", "+25:00"), "+25:00 where an offset"),
            (text.replace("\n[terms.kinds]", also_there), "3 sides"),
            (text.replace("KG-MLSSM = ", "JP-MOJ = "), "JP-MOJ on both sides"),
        ] {
            assert_ne!(wrong, text, "{says}");
            assert!(error(&wrong).contains(says), "{says}: {}", error(&wrong));
        }
        assert!(Memorandum::parse(file, &successor("JP", "JP-NPA")).is_ok());
        let twice = Memoranda::parse([SHIPPED[0], SHIPPED[0]]);
        assert!(matches!(twice, Err(MemorandumError::Twice { .. })));
    }
}
