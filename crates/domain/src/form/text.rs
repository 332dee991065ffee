//! The classes of text.

use verbale_proto::v1::Text;

use crate::civil::{Day, Moment};
use crate::refusal::{Code, Fault, Refusal};
use crate::values::{Category, CorporateNumber, NoticeNumber, Sha256Hex, Subject, SupportRegistration};

/// Checks a text against its class. The text itself never enters the refusal.
pub(super) fn check(text: &str, class: Text, at: &str) -> Result<(), Refusal> {
    let refuse = |code, reason: &str| Err(Refusal::new(code, at, reason));
    if text.contains('\0') {
        return refuse(Code::NulChar, "holds a NUL character; remove it");
    }
    if text.chars().any(is_bidi_control) {
        return refuse(Code::BidiControl, "holds a character that reorders the text around it; remove it");
    }
    if text.is_empty() && needs_text(class) {
        return refuse(Code::MissingField, "is empty; fill it in");
    }
    let checked = match class {
        Text::Free | Text::Name | Text::Number => Ok(()),
        Text::Date => Day::try_from(text).map(drop),
        Text::Timestamp => Moment::try_from(text).map(drop),
        Text::Notice => NoticeNumber::try_from(text).map(drop),
        Text::CorporateNumber => CorporateNumber::try_from(text).map(drop),
        Text::SupportRegistration => SupportRegistration::try_from(text).map(drop),
        Text::Sha256 => Sha256Hex::try_from(text).map(drop),
        Text::Category => Category::try_from(text).map(drop),
        Text::Subject => Subject::try_from(text).map(drop),
        Text::ApprovalStatus
        | Text::Finding
        | Text::Outcome
        | Text::AudienceClass
        | Text::Classification
        | Text::Obligation
        | Text::Channel => one_of(text, values_of(class)),
    };
    checked.map_err(|fault| fault.at(at))
}

/// Classes in which an empty text is no text.
fn needs_text(class: Text) -> bool {
    !matches!(class, Text::Free | Text::Sha256 | Text::Subject) && values_of(class).is_empty()
}

/// U+061C, U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069: the Unicode property Bidi_Control.
pub(crate) fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn values_of(class: Text) -> &'static [&'static str] {
    match class {
        Text::ApprovalStatus => &["APPROVED", "SUSPENDED", "REVOKED"],
        Text::Finding => &["SUBSTANTIATED", "PARTLY_SUBSTANTIATED", "NOT_SUBSTANTIATED"],
        Text::Outcome => &["FULL", "PARTIAL", "NONE"],
        Text::AudienceClass => &[
            "GOVERNMENT_BODY",
            "PUBLIC",
            "ORGANISATION",
            "COURT",
            "PERSON",
            "INVESTIGATED_ORGANISATION",
            "EMBASSY",
            "THIRD_PARTY",
            "MEDIA",
        ],
        Text::Classification => &["CONFIDENTIAL", "PUBLISH_BY_BOTH", "PUBLISH_BY_RECEIVER", "PUBLIC"],
        Text::Obligation => &[
            "NONE",
            "PUBLISH",
            "REPLY",
            "INVESTIGATE_AND_REPORT",
            "COMPLY_TO_EXTENT_POSSIBLE",
            "CONSULT",
            "STOP_DISCLOSURE",
            "ACKNOWLEDGE",
            "BEST_EFFORTS",
            "RECORD_RECEIPT_DATE",
        ],
        Text::Channel => &["DIPLOMATIC"],
        _ => &[],
    }
}

fn one_of(text: &str, values: &[&str]) -> Result<(), Fault> {
    let found = values.contains(&text);
    found.then_some(()).ok_or_else(|| Fault::new(Code::BadEnum, format!("must be one of {}", values.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_refuses_with_its_own_code() {
        let code = |text: &str, class| check(text, class, "x").err().map(|refusal| refusal.code);
        for (text, class, expected) in [
            ("2026-02-29", Text::Date, Some(Code::ImpossibleDate)),
            ("2024-02-29", Text::Date, None),
            ("2026/02/01", Text::Date, Some(Code::BadValue)),
            ("", Text::Date, Some(Code::MissingField)),
            ("2026-02-03T10:15:00+06:00", Text::Timestamp, None),
            ("2026-02-03T10:15:00.125Z", Text::Timestamp, None),
            ("2026-02-03T10:15:00", Text::Timestamp, Some(Code::NoTimezone)),
            ("2026-02-03T24:15:00Z", Text::Timestamp, Some(Code::ImpossibleDate)),
            ("2026-02-30T10:15:00Z", Text::Timestamp, Some(Code::ImpossibleDate)),
            ("2026-02-03T10:15:00+24:00", Text::Timestamp, Some(Code::ImpossibleDate)),
            ("2026-02-03 10:15:00Z", Text::Timestamp, Some(Code::BadValue)),
            ("ү026-02-03T10:15:00", Text::Timestamp, Some(Code::BadValue)),
            ("5999900000012", Text::CorporateNumber, None),
            ("5999900000013", Text::CorporateNumber, Some(Code::CorporateNumberCheckDigit)),
            ("19登-000123", Text::SupportRegistration, None),
            ("19登000123", Text::SupportRegistration, Some(Code::BadRegistrationNo)),
            ("f", Text::Category, Some(Code::BadCategory)),
            ("f", Text::Subject, None),
            ("GREEN", Text::Outcome, Some(Code::BadEnum)),
            ("", Text::Outcome, Some(Code::BadEnum)),
            ("", Text::Name, Some(Code::MissingField)),
            ("", Text::Free, None),
            ("a\0b", Text::Free, Some(Code::NulChar)),
            ("a\u{202e}b", Text::Name, Some(Code::BidiControl)),
            ("kg-1", Text::Notice, Some(Code::BadValue)),
        ] {
            assert_eq!(code(text, class), expected, "{text:?} as {class:?}");
        }
    }
}
