//! Civil dates: days of the proleptic Gregorian calendar in a side's own UTC offset.

use time::{Date, Month, OffsetDateTime, UtcOffset};

/// Two clocks may be so far apart, in milliseconds: a day, since a wrong time zone is no reason to refuse mail.
pub const CLOCKS_APART_MS: i64 = 24 * 3600 * 1000;

/// A day in the form YYYY-MM-DD, if there is one.
pub fn day(text: &str) -> Option<Date> {
    let parts = (text.get(..4)?, text.get(5..7)?, text.get(8..)?);
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let form = text.len() == 10 && text.get(4..5) == Some("-") && text.get(7..8) == Some("-");
    if !(form && digits(parts.0) && digits(parts.1) && digits(parts.2)) {
        return None;
    }
    let month = Month::try_from(parts.1.parse::<u8>().ok()?).ok()?;
    Date::from_calendar_date(parts.0.parse().ok()?, month, parts.2.parse().ok()?).ok()
}

/// An offset in the form +hh:mm or -hh:mm.
pub(crate) fn offset(text: &str) -> Option<UtcOffset> {
    let (sign, rest) = text.split_at_checked(1)?;
    let (hours, minutes) = rest.split_once(':')?;
    let (hours, minutes): (i8, i8) = (hours.parse().ok()?, minutes.parse().ok()?);
    match sign {
        "+" => UtcOffset::from_hms(hours, minutes, 0).ok(),
        "-" => UtcOffset::from_hms(-hours, -minutes, 0).ok(),
        _ => None,
    }
}

/// The civil date of a moment, in milliseconds since 1970-01-01 UTC.
pub fn date_of(moment_ms: i64, offset: UtcOffset) -> Date {
    let moment = OffsetDateTime::from_unix_timestamp(moment_ms.div_euclid(1000)).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    moment.checked_to_offset(offset).map_or(moment.date(), OffsetDateTime::date)
}

/// The moment at which a day begins, in milliseconds since 1970-01-01 UTC.
pub(crate) fn start_ms(day: Date, offset: UtcOffset) -> i64 {
    day.midnight().assume_offset(offset).unix_timestamp().saturating_mul(1000)
}

/// The moment at which a day ends, in milliseconds since 1970-01-01 UTC.
pub(crate) fn end_ms(day: Date, offset: UtcOffset) -> i64 {
    start_ms(day.next_day().unwrap_or(Date::MAX), offset)
}

/// A moment as notices write it (RFC 3339), in milliseconds since 1970-01-01 UTC.
pub fn moment_ms(text: &str) -> Option<i64> {
    let moment = OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).ok()?;
    i64::try_from(moment.unix_timestamp_nanos().div_euclid(1_000_000)).ok()
}

/// A moment in the form in which notices write it, to the second.
pub fn moment_text(moment_ms: i64, offset: UtcOffset) -> String {
    let moment = OffsetDateTime::from_unix_timestamp(moment_ms.div_euclid(1000)).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let local = moment.checked_to_offset(offset).unwrap_or(moment);
    local.format(&time::format_description::well_known::Rfc3339).unwrap_or_default()
}

/// A day so many calendar months later; the last day of a shorter month where it has no such day.
pub fn months_after(day: Date, months: u8) -> Date {
    let counted = i32::from(u8::from(day.month())) - 1 + i32::from(months);
    let (year, month) = (day.year() + counted / 12, counted % 12);
    let month = Month::January.nth_next(u8::try_from(month).unwrap_or_default());
    let last = month.length(year);
    Date::from_calendar_date(year, month, day.day().min(last)).unwrap_or(Date::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(text: &str) -> Date {
        day(text).unwrap()
    }

    #[test]
    fn six_months_clamp_to_the_end_of_a_shorter_month() {
        for (from, to) in [
            ("2026-12-31", "2027-06-30"),
            ("2026-08-31", "2027-02-28"),
            ("2027-08-31", "2028-02-29"),
            ("2026-03-31", "2026-09-30"),
            ("2026-01-15", "2026-07-15"),
            ("2026-07-01", "2027-01-01"),
        ] {
            assert_eq!(months_after(d(from), 6), d(to), "{from}");
        }
    }

    #[test]
    fn a_moment_has_the_date_of_its_reader() {
        let moment = moment_ms("2026-12-30T23:50:00+06:00").unwrap();
        assert_eq!(date_of(moment, offset("+06:00").unwrap()), d("2026-12-30"));
        assert_eq!(date_of(moment, offset("+09:00").unwrap()), d("2026-12-31"));
        assert_eq!(day("2026-02-30"), None);
        assert_eq!(day("2026-2-3"), None);
        assert_eq!(offset("-03:30").map(UtcOffset::whole_seconds), Some(-12_600));
    }
}
