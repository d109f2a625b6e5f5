//! Durations as people type them.

use std::time::Duration;

/// Reads `1m 30s`, `500ms`, or a bare number of seconds such as `10` or `0.5`.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if text.starts_with(|first: char| first.is_ascii_digit() || first == '.')
        && let Ok(seconds) = text.parse::<f64>()
    {
        return Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string());
    }
    humantime::parse_duration(text).map_err(|error| format!("{error}; write 30s, 1m30s, 500ms, or a number of seconds"))
}

/// Two units at most, whole ones: `1m 30s`, `2h 5m`, `350ms`.
pub(crate) fn short(duration: Duration) -> String {
    const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)];
    let seconds = duration.as_secs();
    if seconds == 0 {
        return format!("{}ms", duration.as_millis());
    }
    if seconds < 10 && duration.subsec_millis() >= 50 {
        return format!("{:.1}s", duration.as_secs_f64());
    }
    let first = UNITS
        .iter()
        .position(|&(_, unit)| seconds >= unit)
        .unwrap_or(UNITS.len() - 1);
    let (name, unit) = UNITS[first];
    let rest = UNITS
        .get(first + 1)
        .map(|&(name, smaller)| (name, seconds % unit / smaller));
    match rest {
        Some((smaller, count)) if count > 0 => format!("{}{name} {count}{smaller}", seconds / unit),
        _ => format!("{}{name}", seconds / unit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_number_is_seconds_and_units_may_be_mixed() {
        let read = |text| parse(text).map(|duration| duration.as_millis());

        assert_eq!(read("10"), Ok(10_000));
        assert_eq!(read("0.25"), Ok(250));
        assert_eq!(read("0"), Ok(0));
        assert_eq!(read("500ms"), Ok(500));
        assert_eq!(read("1m 30s"), Ok(90_000));
        assert_eq!(read("1m30s"), Ok(90_000));
        assert_eq!(read(" 2h "), Ok(7_200_000));
    }

    #[test]
    fn nonsense_and_extremes_are_errors_not_panics() {
        for text in [
            "",
            "abc",
            "-5",
            "-5s",
            "10x",
            "1e400",
            "inf",
            "nan",
            "99999999999999999999999s",
            ".",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_short_form_has_at_most_two_units() {
        let short = |millis| short(Duration::from_millis(millis));

        assert_eq!(short(350), "350ms");
        assert_eq!(short(1_500), "1.5s");
        assert_eq!(short(2_000), "2s");
        assert_eq!(short(59_000), "59s");
        assert_eq!(short(90_000), "1m 30s");
        assert_eq!(short(3_600_000), "1h");
        assert_eq!(short(90_061_000), "1d 1h");
    }
}
