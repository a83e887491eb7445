//! What a text means: integers, decimals, instants. Pure functions over one value; NULL is "cannot be read".

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};

/// Digits after the point that money keeps.
const SCALE: usize = 4;

/// An integer, also written with a fraction of zeros (`6.0`); blanks around it do not matter.
pub(super) fn integer(text: &str) -> Option<i64> {
    let Parts { negative, whole, fraction } = parts(text)?;
    if fraction.is_some_and(|digits| digits.is_empty() || digits.iter().any(|b| *b != b'0')) {
        return None;
    }
    // The magnitude of the least integer is one more than that of the greatest.
    let magnitude = digits(whole)?;
    match negative {
        true => 0_i64.checked_sub_unsigned(magnitude),
        false => 0_i64.checked_add_unsigned(magnitude),
    }
}

/// A number with at most four decimals, in ten-thousandths; it must fit `DECIMAL(18,4)`.
pub(super) fn decimal(text: &str) -> Option<i128> {
    let Parts { negative, whole, fraction } = parts(text)?;
    let places = match fraction {
        None => 0,
        Some(digits) if (1..=SCALE).contains(&digits.len()) => digits.len(),
        Some(_) => return None,
    };
    let fraction = fraction.map_or(Some(0), digits)? * 10_u64.pow((SCALE - places) as u32);
    let scaled = digits(whole)?.checked_mul(10_u64.pow(SCALE as u32))?.checked_add(fraction)?;
    let scaled = i128::from(scaled);
    (scaled < 10_i128.pow(18)).then_some(if negative { -scaled } else { scaled })
}

/// What a number is written of.
struct Parts<'a> {
    negative: bool,
    /// What stands before the point.
    whole: &'a [u8],
    /// What stands behind the point, if there is one.
    fraction: Option<&'a [u8]>,
}

fn parts(text: &str) -> Option<Parts<'_>> {
    let text = text.trim().as_bytes();
    let negative = text.first() == Some(&b'-');
    let unsigned = if negative || text.first() == Some(&b'+') { &text[1..] } else { text };
    let (whole, fraction) = match memchr::memchr(b'.', unsigned) {
        Some(point) => (&unsigned[..point], Some(&unsigned[point + 1..])),
        None => (unsigned, None),
    };
    (!whole.is_empty()).then_some(Parts { negative, whole, fraction })
}

/// The value of decimal digits; none for anything else, and for more than fits.
fn digits(text: &[u8]) -> Option<u64> {
    text.iter().try_fold(0_u64, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 { None } else { value.checked_mul(10)?.checked_add(u64::from(digit)) }
    })
}

/// An instant in microseconds of UTC: `12/1/2010 8:26` (month first) or `2010-12-01 08:26:00`, seconds and
/// their fraction optional, `T` and `Z` accepted.
pub(super) fn instant(text: &str) -> Option<i64> {
    let text = text.trim();
    let text = text.strip_suffix(['Z', 'z']).unwrap_or(text);
    let (date, time) = text.split_once([' ', 'T'])?;
    let date = if date.contains('/') { month_first(date)? } else { iso_date(date)? };
    Some(NaiveDateTime::new(date, clock_time(time.trim_start())?).and_utc().timestamp_micros())
}

fn month_first(text: &str) -> Option<NaiveDate> {
    let mut parts = text.split('/');
    let (month, day, year) = (parts.next()?, parts.next()?, parts.next()?);
    (parts.next().is_none() && year.len() == 4)
        .then(|| NaiveDate::from_ymd_opt(number(year)? as i32, number(month)?, number(day)?))?
}

fn iso_date(text: &str) -> Option<NaiveDate> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    (parts.next().is_none() && year.len() == 4)
        .then(|| NaiveDate::from_ymd_opt(number(year)? as i32, number(month)?, number(day)?))?
}

/// `8:26`, `08:26:00`, `08:26:00.123456`.
fn clock_time(text: &str) -> Option<NaiveTime> {
    let (text, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if fraction.is_empty() || fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let micros: u32 = format!("{fraction:0<6}")[..6].parse().ok()?;
    let mut parts = text.split(':');
    let (hour, minute) = (number(parts.next()?)?, number(parts.next()?)?);
    let second = parts.next().map_or(Some(0), number)?;
    parts.next().is_none().then(|| NaiveTime::from_hms_micro_opt(hour, minute, second, micros))?
}

/// A number of one to four digits.
fn number(text: &str) -> Option<u32> {
    (matches!(text.len(), 1..=4) && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    //! Proves which texts are numbers and instants, and which are not.

    use super::*;

    #[test]
    fn integers() {
        assert_eq!(["6", "6.0", " -12 ", "+3", "6.00"].map(integer), [6, 6, -12, 3, 6].map(Some));
        assert_eq!(
            ["9223372036854775807", "-9223372036854775808"].map(integer),
            [i64::MAX, i64::MIN].map(Some)
        );
        assert!(
            ["", "6.5", "six", "1e3", "6.", ".0", "--6", "1,000", "9223372036854775808", "-", "6.0.0"]
                .iter()
                .all(|text| integer(text).is_none())
        );
    }

    #[test]
    fn decimals_keep_four_places_exactly() {
        assert_eq!(
            ["2.55", "2.0", "-11062.06", "0.0001", " 3 "].map(decimal),
            [25500, 20000, -110620600, 1, 30000].map(Some)
        );
        assert_eq!(decimal("-0.5"), Some(-5000));
        assert_eq!(decimal("00000000000000000000001.5"), Some(15000));
        assert_eq!(decimal("99999999999999.9999"), Some(999999999999999999));
        assert!(
            [
                "",
                "1.23456",
                "abc",
                "1e3",
                "1.",
                "£3",
                "100000000000000",
                ".5",
                "1.-5",
                "99999999999999999999999"
            ]
            .iter()
            .all(|text| decimal(text).is_none())
        );
    }

    #[test]
    fn instants_of_both_dialects_are_equal() {
        let expected = Some(1_291_191_960_000_000);
        for text in [
            "12/1/2010 8:26",
            "2010-12-01 08:26:00",
            "2010-12-01T08:26:00Z",
            " 12/01/2010 08:26:00 ",
            "2010-12-01 08:26:00.000",
        ] {
            assert_eq!(instant(text), expected, "{text}");
        }
        for text in [
            "",
            "13/1/2010 8:26",
            "2010-02-30 08:26:00",
            "2010-12-01",
            "12/1/10 8:26",
            "2010-12-01 25:00",
            "2010-12-01 08:26:00 pm",
        ] {
            assert_eq!(instant(text), None, "{text}");
        }
    }
}
