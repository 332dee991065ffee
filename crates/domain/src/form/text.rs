//! The classes of text.

use time::{Date, Month, Time};
use verbale_proto::v1::Text;

use crate::refusal::{Code, Refusal};

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
    match class {
        Text::Free | Text::Name | Text::Number => Ok(()),
        Text::Date => check_date(text, at),
        Text::Timestamp => check_timestamp(text, at),
        Text::Notice if is_notice_id(text) => Ok(()),
        Text::Notice => refuse(Code::BadValue, "must be a notice number of 1 to 64 characters A-Z, 0-9 and -"),
        Text::CorporateNumber => check_corporate_number(text, at),
        Text::SupportRegistration if is_support_registration(text) => Ok(()),
        Text::SupportRegistration => refuse(Code::BadRegistrationNo, "must have the form NN登-NNNNNN"),
        Text::Sha256 if text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) => Ok(()),
        Text::Sha256 => refuse(Code::BadValue, "must be 64 lower-case hexadecimal digits"),
        Text::Category if is_one_letter(text, 'e') => Ok(()),
        Text::Category => refuse(Code::BadCategory, "must be a category of 4(1): a, b, c, d or e"),
        Text::Subject if is_one_letter(text, 'f') => Ok(()),
        Text::Subject => refuse(Code::BadEnum, "must be a subject of 4(2): a, b, c, d, e or f"),
        Text::ApprovalStatus
        | Text::Finding
        | Text::Outcome
        | Text::AudienceClass
        | Text::Classification
        | Text::Obligation
        | Text::Channel => check_enumeration(text, class, at),
    }
}

/// Classes in which an empty text is no text.
fn needs_text(class: Text) -> bool {
    !matches!(class, Text::Free | Text::Sha256 | Text::Subject) && values_of(class).is_empty()
}

/// U+061C, U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069: the Unicode property Bidi_Control.
fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

pub(crate) fn is_notice_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| matches!(b, b'A'..=b'Z' | b'0'..=b'9' | b'-'))
}

fn is_one_letter(text: &str, last: char) -> bool {
    let mut letters = text.chars();
    matches!((letters.next(), letters.next()), (Some(letter), None) if ('a'..=last).contains(&letter))
}

fn is_support_registration(text: &str) -> bool {
    let digits = |part: &str, count| part.len() == count && part.bytes().all(|b| b.is_ascii_digit());
    text.split_once("登-").is_some_and(|(year, number)| digits(year, 2) && digits(number, 6))
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

fn check_enumeration(text: &str, class: Text, at: &str) -> Result<(), Refusal> {
    let values = values_of(class);
    if values.contains(&text) {
        return Ok(());
    }
    Err(Refusal::new(Code::BadEnum, at, format!("must be one of {}", values.join(", "))))
}

fn check_date(text: &str, at: &str) -> Result<(), Refusal> {
    let shape = Refusal::new(Code::BadValue, at, "must be a day in the form YYYY-MM-DD");
    if !fits(text, "0000-00-00") {
        return Err(shape);
    }
    day(text).map(drop).ok_or_else(|| Refusal::new(Code::ImpossibleDate, at, "names a day that does not exist"))
}

fn check_timestamp(text: &str, at: &str) -> Result<(), Refusal> {
    let shape = || Refusal::new(Code::BadValue, at, "must be a time in the form YYYY-MM-DDThh:mm:ss+hh:mm");
    let impossible = || Refusal::new(Code::ImpossibleDate, at, "names a time that does not exist");
    let (moment, rest) = text.split_at_checked(19).ok_or_else(shape)?;
    if !fits(moment, "0000-00-00T00:00:00") {
        return Err(shape());
    }
    let offset = match rest.strip_prefix('.') {
        Some(fraction) => {
            let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
            if !(1..=9).contains(&digits) {
                return Err(shape());
            }
            fraction.get(digits..).unwrap_or_default()
        }
        None => rest,
    };
    if offset.is_empty() {
        return Err(Refusal::new(
            Code::NoTimezone,
            at,
            "has no UTC offset; add the one of your office, such as +09:00",
        ));
    }
    if offset != "Z" && !fits(offset, "+00:00") && !fits(offset, "-00:00") {
        return Err(shape());
    }
    let number = |text: &str, from: usize| text.get(from..from + 2).and_then(|two| two.parse::<u8>().ok());
    let clock = (number(moment, 11), number(moment, 14), number(moment, 17));
    let (Some(hour), Some(minute), Some(second)) = clock else { return Err(shape()) };
    let real_offset = offset == "Z" || matches!((number(offset, 1), number(offset, 4)), (Some(0..=23), Some(0..=59)));
    let real = moment.get(..10).and_then(day).is_some() && Time::from_hms(hour, minute, second).is_ok();
    if real && real_offset { Ok(()) } else { Err(impossible()) }
}

/// Whether a text has digits where the pattern has zeros, and is the pattern elsewhere.
fn fits(text: &str, pattern: &str) -> bool {
    let pairs = || text.bytes().zip(pattern.bytes());
    text.len() == pattern.len() && pairs().all(|(t, p)| if p == b'0' { t.is_ascii_digit() } else { t == p })
}

fn day(text: &str) -> Option<Date> {
    let month = Month::try_from(text.get(5..7)?.parse::<u8>().ok()?).ok()?;
    Date::from_calendar_date(text.get(..4)?.parse().ok()?, month, text.get(8..10)?.parse().ok()?).ok()
}

/// 13 digits, the first = 9 − (Σ PnQn mod 9) over the other twelve counted from the right, Qn = 1 for odd n, else 2
/// (Ordinance on the Designation of Corporate Numbers, Article 2).
fn check_corporate_number(text: &str, at: &str) -> Result<(), Refusal> {
    let wrong = |reason: &str| Err(Refusal::new(Code::CorporateNumberCheckDigit, at, reason));
    let digits: Option<Vec<u32>> = text.chars().map(|c| c.to_digit(10)).collect();
    let Some(digits) = digits.filter(|digits| digits.len() == 13) else {
        return wrong("must have 13 digits");
    };
    let sum: u32 =
        digits.iter().skip(1).rev().zip([1, 2].into_iter().cycle()).map(|(digit, weight)| digit * weight).sum();
    if digits.first() == Some(&(9 - sum % 9)) {
        Ok(())
    } else {
        wrong("its first digit does not fit the other twelve; check for a slip")
    }
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
