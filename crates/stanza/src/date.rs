//! XEP-0082: XMPP Date and Time Profiles.
//!
//! Times are unix milliseconds: milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted, negative
//! before it. Only the years 0000 to 9999 can be written.

/// Milliseconds in one day.
const DAY: i64 = 86_400_000;
/// 0000-01-01T00:00:00.000Z.
const FIRST: i64 = -719_528 * DAY;
/// 9999-12-31T23:59:59.999Z.
const LAST: i64 = 2_932_897 * DAY - 1;

/// Writes a time by the DateTime profile (XEP-0082 §3.2), in UTC: `1969-07-21T02:56:15Z`, with three digits
/// of fraction when there is one. Times before the year 0000 or after 9999 are moved to the nearest in range.
pub fn format(unix_ms: i64) -> String {
    let unix_ms = unix_ms.clamp(FIRST, LAST);
    let (year, month, day) = civil_from_days(unix_ms.div_euclid(DAY));
    let in_day = unix_ms.rem_euclid(DAY);
    let (seconds, ms) = (in_day / 1000, in_day % 1000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if ms == 0 {
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    } else {
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
    }
}

/// Reads a time written by the DateTime profile (XEP-0082 §3.2), of any offset from UTC. Digits of the
/// fraction beyond milliseconds are dropped. `None` when the text is anything else.
pub fn parse(text: &str) -> Option<i64> {
    let (date, time) = text.split_once('T')?;
    let days = parse_date(date)?;
    let (clock, rest) = time.split_at_checked(8)?;
    let seconds = parse_clock(clock)?;
    let (ms, zone) = parse_fraction(rest)?;
    Some(days * DAY + seconds * 1000 + ms - parse_zone(zone)? * 60_000)
}

/// `CCYY-MM-DD` to days since 1970-01-01.
fn parse_date(text: &str) -> Option<i64> {
    let mut parts = text.splitn(3, '-');
    let year = digits(parts.next()?, 4)?;
    let month = digits(parts.next()?, 2)?;
    let day = digits(parts.next()?, 2)?;
    let days = days_from_civil(year, month, day);
    // A day that the calendar does not have (2023-02-29, month 13) comes back as another one.
    (civil_from_days(days) == (year, month, day)).then_some(days)
}

/// `hh:mm:ss` to seconds.
fn parse_clock(text: &str) -> Option<i64> {
    let mut parts = text.splitn(3, ':');
    let hour = digits(parts.next()?, 2)?;
    let minute = digits(parts.next()?, 2)?;
    let second = digits(parts.next()?, 2)?;
    (hour < 24 && minute < 60 && second < 60).then_some((hour * 60 + minute) * 60 + second)
}

/// The optional `.sss`, any number of digits, to milliseconds; and what follows it.
fn parse_fraction(text: &str) -> Option<(i64, &str)> {
    let Some(fraction) = text.strip_prefix('.') else {
        return Some((0, text));
    };
    let end = fraction.find(|c: char| !c.is_ascii_digit())?;
    let (fraction, zone) = fraction.split_at_checked(end)?;
    let mut ms = 0;
    let mut weight = 100;
    for digit in fraction.bytes() {
        ms += i64::from(digit - b'0') * weight;
        weight /= 10;
    }
    (end > 0).then_some((ms, zone))
}

/// `Z` or `+hh:mm` or `-hh:mm` to minutes east of UTC.
fn parse_zone(text: &str) -> Option<i64> {
    if text == "Z" {
        return Some(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let (hour, minute) = text.strip_prefix(['+', '-'])?.split_once(':')?;
    let (hour, minute) = (digits(hour, 2)?, digits(minute, 2)?);
    (hour <= 14 && minute < 60).then_some(sign * (hour * 60 + minute))
}

/// Exactly `count` decimal digits.
fn digits(text: &str, count: usize) -> Option<i64> {
    let all = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    if all { text.parse().ok() } else { None }
}

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar. Years are counted from March, so
/// that the leap day is the last of its year; 400 of them are 146 097 days.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // 719 468 days lie between 0000-03-01 and 1970-01-01.
    year * 365 + leap_days + day_of_year - 719_468
}

/// The year, month and day of a number of days since 1970-01-01; the inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let leap_corrected =
        day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096;
    let year_of_era = leap_corrected / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn moon_landing_of_s3_2_reads_the_same_in_utc_and_in_houston() {
        let utc = parse("1969-07-21T02:56:15Z");
        assert_eq!(utc, Some(-14_159_025_000));
        assert_eq!(parse("1969-07-20T21:56:15-05:00"), utc);
        assert_eq!(format(-14_159_025_000), "1969-07-21T02:56:15Z");
    }

    #[test]
    fn fraction_may_have_any_number_of_digits() {
        assert_eq!(parse("1970-01-01T00:00:00.5Z"), Some(500));
        assert_eq!(parse("1970-01-01T00:00:00.123456789+00:00"), Some(123));
        assert_eq!(format(1), "1970-01-01T00:00:00.001Z");
    }

    #[test]
    fn leap_days_follow_the_gregorian_rule() {
        assert_eq!(parse("2000-02-29T00:00:00Z"), Some(951_782_400_000));
        assert_eq!(parse("1900-02-29T00:00:00Z"), None);
        assert_eq!(parse("2023-02-29T00:00:00Z"), None);
        assert_eq!(parse("2024-02-29T00:00:00Z"), Some(1_709_164_800_000));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "T",
            "2002-09-10",
            "20020910T23:08:25",
            "2002-09-10T23:08:25",
            "2002-09-10 23:08:25Z",
            "2002-13-10T23:08:25Z",
            "2002-09-31T23:08:25Z",
            "2002-09-10T24:08:25Z",
            "2002-09-10T23:60:25Z",
            "2002-09-10T23:08:60Z",
            "2002-09-10T23:08:25.Z",
            "2002-09-10T23:08:25+5:00",
            "2002-09-10T23:08:25z",
            "+002-09-10T23:08:25Z",
            "2002-09-10T23:08:2é",
            "2002-09-10T23:08:25ZZ",
            "2002-09-00T00:00:00Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn times_out_of_range_are_moved_to_the_nearest() {
        assert_eq!(format(i64::MIN), "0000-01-01T00:00:00Z");
        assert_eq!(format(i64::MAX), "9999-12-31T23:59:59.999Z");
    }

    proptest! {
        #[test]
        fn every_time_comes_back(unix_ms in FIRST..=LAST) {
            prop_assert_eq!(parse(&format(unix_ms)), Some(unix_ms));
        }

        #[test]
        fn calendar_steps_one_day_at_a_time(day in -719_528_i64..2_932_896) {
            let (year, month, date) = civil_from_days(day);
            let next = civil_from_days(day + 1);
            prop_assert_eq!(days_from_civil(year, month, date), day);
            prop_assert!(
                next == (year, month, date + 1) || next == (year, month + 1, 1) || next == (year + 1, 1, 1)
            );
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _read = parse(&text);
        }
    }
}
