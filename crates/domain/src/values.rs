//! Values that a registry writes as text: each is made from the text by `TryFrom` alone, and so has the form that its
//! type says. Days and moments are in [`crate::civil`].

use crate::refusal::{Code, Fault};

/// The registry's own number of a notice: `[A-Z0-9-]{1,64}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoticeNumber<'a>(&'a str);

impl<'a> TryFrom<&'a str> for NoticeNumber<'a> {
    type Error = Fault;

    fn try_from(text: &'a str) -> Result<Self, Fault> {
        let known = |b| matches!(b, b'A'..=b'Z' | b'0'..=b'9' | b'-');
        let fits = (1..=64).contains(&text.len()) && text.bytes().all(known);
        let wrong = || Fault::new(Code::BadValue, "must be a notice number of 1 to 64 characters A-Z, 0-9 and -");
        fits.then_some(Self(text)).ok_or_else(wrong)
    }
}

/// A Japanese corporate number: 13 digits, the first = 9 − (Σ PnQn mod 9) over the other twelve counted from the right,
/// Qn = 1 for odd n, else 2 (Ordinance on the Designation of Corporate Numbers, Article 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CorporateNumber([u8; 13]);

impl TryFrom<&str> for CorporateNumber {
    type Error = Fault;

    fn try_from(text: &str) -> Result<Self, Fault> {
        let wrong = |reason: &'static str| Fault::new(Code::CorporateNumberCheckDigit, reason);
        let digits: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c.to_digit(10)?).ok()).collect();
        let digits = digits.and_then(|digits| <[u8; 13]>::try_from(digits).ok());
        let digits = digits.ok_or_else(|| wrong("must have 13 digits"))?;
        let [first, others @ ..] = &digits;
        let sum: u8 = others.iter().rev().zip([1, 2].into_iter().cycle()).map(|(digit, weight)| digit * weight).sum();
        if *first == 9 - sum % 9 {
            Ok(Self(digits))
        } else {
            Err(wrong("its first digit does not fit the other twelve; check for a slip"))
        }
    }
}

/// The registration number of a supporting organisation: `NN登-NNNNNN`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SupportRegistration<'a>(&'a str);

impl<'a> TryFrom<&'a str> for SupportRegistration<'a> {
    type Error = Fault;

    fn try_from(text: &'a str) -> Result<Self, Fault> {
        let digits = |part: &str, count| part.len() == count && part.bytes().all(|b| b.is_ascii_digit());
        let fits = text.split_once("登-").is_some_and(|(year, number)| digits(year, 2) && digits(number, 6));
        fits.then_some(Self(text)).ok_or_else(|| Fault::new(Code::BadRegistrationNo, "must have the form NN登-NNNNNN"))
    }
}

/// A SHA-256 digest in 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sha256Hex<'a>(&'a str);

impl<'a> TryFrom<&'a str> for Sha256Hex<'a> {
    type Error = Fault;

    fn try_from(text: &'a str) -> Result<Self, Fault> {
        let fits = text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        fits.then_some(Self(text)).ok_or_else(|| Fault::new(Code::BadValue, "must be 64 lower-case hexadecimal digits"))
    }
}

/// A category of improper activities, 4(1): a to e.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Category(char);

impl TryFrom<&str> for Category {
    type Error = Fault;

    fn try_from(text: &str) -> Result<Self, Fault> {
        let wrong = || Fault::new(Code::BadCategory, "must be a category of 4(1): a, b, c, d or e");
        letter(text, 'e').map(Self).ok_or_else(wrong)
    }
}

/// A subject of consultation, 4(2): a to f.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject(char);

impl TryFrom<&str> for Subject {
    type Error = Fault;

    fn try_from(text: &str) -> Result<Self, Fault> {
        let wrong = || Fault::new(Code::BadEnum, "must be a subject of 4(2): a, b, c, d, e or f");
        letter(text, 'f').map(Self).ok_or_else(wrong)
    }
}

/// The one letter of the text, from a to the last one.
fn letter(text: &str, last: char) -> Option<char> {
    let mut letters = text.chars();
    let one = letters.next().filter(|letter| ('a'..=last).contains(letter));
    one.filter(|_| letters.next().is_none())
}
