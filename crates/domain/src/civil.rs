//! Days and moments as notices write them, and civil dates: days of the proleptic Gregorian calendar in a side's own UTC offset.

use std::ops::Range;

use time::{Date, Month, OffsetDateTime, Time, UtcOffset};

use crate::refusal::{Code, Fault};

/// How much one clock may be ahead of another where what is later must be seen to be later: clocks that are set by the network are much
/// nearer.
pub const CLOCK_SKEW_MS: i64 = 10 * 60 * 1000;

/// Two clocks may be so far apart, in milliseconds: a day, since a wrong time zone is no reason to refuse mail.
pub const CLOCKS_APART_MS: i64 = 24 * 3600 * 1000;

/// A day, from the form YYYY-MM-DD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day(pub Date);

impl TryFrom<&str> for Day {
    type Error = Fault;

    fn try_from(text: &str) -> Result<Self, Fault> {
        let shape = Fault::new(Code::BadValue, "must be a day in the form YYYY-MM-DD");
        if !fits(text, "0000-00-00") {
            return Err(shape);
        }
        let (Some(year), Some(month), Some(day)) = (number(text, 0..4), number(text, 5..7), number(text, 8..10)) else {
            return Err(shape);
        };
        let impossible = |_| Fault::new(Code::ImpossibleDate, "names a day that does not exist");
        let month = u8::try_from(month).unwrap_or_default();
        let month = Month::try_from(month).map_err(impossible)?;
        let day = u8::try_from(day).unwrap_or_default();
        Date::from_calendar_date(i32::from(year), month, day).map(Self).map_err(impossible)
    }
}

/// A moment with its UTC offset, from the form of RFC 3339 with a capital T and Z and without leap seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(pub OffsetDateTime);

impl TryFrom<&str> for Moment {
    type Error = Fault;

    fn try_from(text: &str) -> Result<Self, Fault> {
        let shape = || Fault::new(Code::BadValue, "must be a time in the form YYYY-MM-DDThh:mm:ss+hh:mm");
        let impossible = || Fault::new(Code::ImpossibleDate, "names a time that does not exist");
        let (moment, rest) = text.split_at_checked(19).ok_or_else(shape)?;
        if !fits(moment, "0000-00-00T00:00:00") {
            return Err(shape());
        }
        let (nanosecond, offset) = match rest.strip_prefix('.') {
            Some(fraction) => {
                let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
                let (digits, offset) = fraction.split_at(digits);
                let nanosecond = format!("{digits:0<9}").parse().ok().filter(|_| (1..=9).contains(&digits.len()));
                (nanosecond.ok_or_else(shape)?, offset)
            }
            None => (0, rest),
        };
        if offset.is_empty() {
            return Err(Fault::new(Code::NoTimezone, "has no UTC offset; add the one of your office, such as +09:00"));
        }
        let seconds = match offset {
            "Z" => 0,
            _ if fits(offset, "+00:00") || fits(offset, "-00:00") => {
                let (hours, minutes) = (number(offset, 1..3), number(offset, 4..6));
                let (Some(hours @ 0..=23), Some(minutes @ 0..=59)) = (hours, minutes) else { return Err(impossible()) };
                let seconds = (i32::from(hours) * 60 + i32::from(minutes)) * 60;
                if offset.starts_with('-') { -seconds } else { seconds }
            }
            _ => return Err(shape()),
        };
        let two = |at: usize| number(moment, at..at + 2).and_then(|two| u8::try_from(two).ok()).unwrap_or(u8::MAX);
        let time = Time::from_hms_nano(two(11), two(14), two(17), nanosecond).map_err(|_| impossible())?;
        let Day(day) = Day::try_from(moment.get(..10).unwrap_or_default()).map_err(|_| impossible())?;
        let offset = UtcOffset::from_whole_seconds(seconds).map_err(|_| impossible())?;
        Ok(Self(day.with_time(time).assume_offset(offset)))
    }
}

/// Whether a text has digits where the pattern has zeros, and is the pattern elsewhere.
fn fits(text: &str, pattern: &str) -> bool {
    let pairs = || text.bytes().zip(pattern.bytes());
    text.len() == pattern.len() && pairs().all(|(t, p)| if p == b'0' { t.is_ascii_digit() } else { t == p })
}

fn number(text: &str, at: Range<usize>) -> Option<u16> {
    text.get(at)?.parse().ok()
}

/// A day in the form YYYY-MM-DD, if there is one.
pub fn day(text: &str) -> Option<Date> {
    Day::try_from(text).ok().map(|day| day.0)
}

/// An offset in the form +hh:mm or -hh:mm.
pub(crate) fn offset(text: &str) -> Option<UtcOffset> {
    if !fits(text, "+00:00") && !fits(text, "-00:00") {
        return None;
    }
    // No civil time is further from UTC.
    let (hours @ 0..=14, minutes @ 0..=59) = (text.get(1..3)?.parse::<i8>().ok()?, text.get(4..6)?.parse::<i8>().ok()?)
    else {
        return None;
    };
    let sign = if text.starts_with('-') { -1 } else { 1 };
    UtcOffset::from_hms(sign * hours, sign * minutes, 0).ok()
}

/// The civil date of a moment, in milliseconds since 1970-01-01 UTC.
pub fn date_of(moment_ms: i64, offset: UtcOffset) -> Date {
    let moment = OffsetDateTime::from_unix_timestamp(moment_ms.div_euclid(1000)).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    moment.checked_to_offset(offset).map_or(moment.date(), OffsetDateTime::date)
}

/// The moment at which a day begins, in milliseconds since 1970-01-01 UTC.
pub fn start_ms(day: Date, offset: UtcOffset) -> i64 {
    day.midnight().assume_offset(offset).unix_timestamp().saturating_mul(1000)
}

/// The moment at which a day ends, in milliseconds since 1970-01-01 UTC.
pub fn end_ms(day: Date, offset: UtcOffset) -> i64 {
    start_ms(day.next_day().unwrap_or(Date::MAX), offset)
}

/// A moment as notices write it (RFC 3339), in milliseconds since 1970-01-01 UTC.
pub fn moment_ms(text: &str) -> Option<i64> {
    let Moment(moment) = Moment::try_from(text).ok()?;
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
    fn a_moment_is_read_with_fraction_and_offset() {
        let start = moment_ms("2026-02-03T10:15:00Z").unwrap();
        for (text, later) in [
            ("2026-02-03T10:15:00.125Z", Some(125)),
            ("2026-02-03T16:15:00.5+06:00", Some(500)),
            ("2026-02-03T06:45:00-03:30", Some(0)),
            ("2026-02-03T10:15:00.Z", None),
            ("2026-02-03T10:15:00.0123456789Z", None),
            ("2026-02-03T10:15:60Z", None),
            ("2026-02-03t10:15:00z", None),
        ] {
            assert_eq!(moment_ms(text).map(|ms| ms - start), later, "{text}");
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
