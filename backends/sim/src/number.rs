//! Numbers as text, the way a server writes and reads them.

/// Formats like C's `%.17g`, which servers use for numbers that a script passes to a command and for scores.
pub(crate) fn format_17g(number: f64) -> String {
    const DIGITS: i32 = 17;
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    if number.is_nan() {
        return if number.is_sign_negative() { "-nan" } else { "nan" }.to_owned();
    }
    if number == number.trunc() && number.abs() < 1e15 {
        // The common case; every number in our scripts is a whole one.
        return format!("{number:.0}");
    }
    let scientific = format!("{number:.16e}");
    let (mantissa, exponent) = scientific.split_once('e').expect("scientific notation has an e");
    let exponent: i32 = exponent.parse().expect("an exponent is a number");
    if (-4..DIGITS).contains(&exponent) {
        let decimals = usize::try_from(DIGITS - 1 - exponent).expect("the exponent is below the number of digits");
        return trim_zeros(&format!("{number:.decimals$}")).to_owned();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", trim_zeros(mantissa), exponent.abs())
}

fn trim_zeros(text: &str) -> &str {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        text
    }
}

/// Reads a whole number: no spaces, no sign but a minus, no leading zeros.
pub(crate) fn parse_integer(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.starts_with('+') || (digits.starts_with('0') && text != "0") {
        return None;
    }
    text.parse().ok()
}

/// Reads a score; infinities are allowed, NaN and what is too large or too small for a double are not.
pub(crate) fn parse_float(text: &[u8]) -> Option<f64> {
    let number = c_double(text)?;
    let spells_infinity = text.iter().any(|byte| byte.eq_ignore_ascii_case(&b'i'));
    let is_zero = |digit: &u8| !(b'1'..=b'9').contains(digit);
    let spells_zero = || text.iter().take_while(|byte| !b"eE".contains(byte)).all(is_zero);
    let fits = if number.is_infinite() {
        spells_infinity
    } else {
        number != 0.0 || spells_zero()
    };
    // Small sets keep a minus zero as the whole number zero.
    (fits && !text[0].is_ascii_whitespace()).then_some(number + 0.0)
}

/// Reads one end of a range of scores, which servers take more lightly: nothing is zero, and space may come first.
pub(crate) fn parse_bound(text: &[u8]) -> Option<f64> {
    if text.is_empty() { Some(0.0) } else { c_double(text) }
}

/// What C's `strtod` makes of all of a text; hexadecimal numbers are not known here.
fn c_double(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text.trim_ascii_start()).ok()?;
    // Rust's grammar is that of C in decimal.
    let number: f64 = text.parse().ok()?;
    (!number.is_nan()).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_c_does() {
        let cases = [
            (0.0, "0"),
            (-3.0, "-3"),
            (1_767_225_600_000.0, "1767225600000"),
            (9_007_199_254_740_991.0, "9007199254740991"),
            (1e16, "10000000000000000"),
            (1e17, "1e+17"),
            (1.5e300, "1.5000000000000001e+300"),
            (0.1, "0.10000000000000001"),
            (0.5, "0.5"),
            (0.00001, "1.0000000000000001e-05"),
            (f64::INFINITY, "inf"),
            (-f64::NAN, "-nan"),
        ];
        for (number, text) in cases {
            assert_eq!(format_17g(number), text);
        }
    }

    #[test]
    fn only_plain_integers_are_integers() {
        assert_eq!(parse_integer(b"-12"), Some(-12));
        for text in ["", "+1", "01", "-0", " 1", "1.0", "99999999999999999999"] {
            assert_eq!(parse_integer(text.as_bytes()), None, "{text}");
        }
    }
}
