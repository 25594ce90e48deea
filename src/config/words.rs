//! Words for lengths of time and sizes.

use jiff::SignedDuration;

/// A length of time: `90s`, `5m`, `1h 30m`, `1 week`, `400 days`. Days are 24 hours here.
///
/// # Errors
/// A sentence for people.
pub fn duration(text: &str) -> Result<SignedDuration, String> {
    let wrong = || format!("{text:?} is no length of time; write `90s`, `5m`, `8h`, `1 week` or `400 days`");
    let mut total = SignedDuration::ZERO;
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let amount: i64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = rest[digits..].trim_start();
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit_ms: i64 = match &rest[..letters] {
            "ms" | "millisecond" | "milliseconds" => 1,
            "s" | "sec" | "secs" | "second" | "seconds" => 1000,
            "m" | "min" | "mins" | "minute" | "minutes" => 60_000,
            "h" | "hour" | "hours" => 3_600_000,
            "d" | "day" | "days" => 86_400_000,
            "w" | "week" | "weeks" => 604_800_000,
            _ => return Err(wrong()),
        };
        let more = amount.checked_mul(unit_ms).map(SignedDuration::from_millis).ok_or_else(wrong)?;
        total = total.checked_add(more).ok_or_else(wrong)?;
        rest = rest[letters..].trim_start();
    }
    Ok(total)
}

/// A size in bytes: `1 MiB`, `512 KiB`, `2000000`.
pub(super) fn size(text: &str) -> Result<usize, String> {
    let wrong = || format!("{text:?} is no size; write `1 MiB`, `512 KiB` or a number of bytes");
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let amount: usize = text[..digits].parse().map_err(|_| wrong())?;
    let unit: usize = match text[digits..].trim() {
        "" | "B" => 1,
        "KiB" | "K" | "k" => 1024,
        "MiB" | "M" => 1024 * 1024,
        _ => return Err(wrong()),
    };
    amount.checked_mul(unit).ok_or_else(wrong)
}

/// A number of bytes as people write it.
pub(super) fn bytes(bytes: usize) -> String {
    match (bytes / 1024, bytes / (1024 * 1024)) {
        (_, mib) if mib > 0 && bytes.is_multiple_of(1024 * 1024) => format!("{mib} MiB"),
        (kib, _) if kib > 0 && bytes.is_multiple_of(1024) => format!("{kib} KiB"),
        _ => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_as_people_write_them() {
        let seconds = |text| duration(text).map(|read| read.as_secs());
        assert_eq!(seconds("5m"), Ok(300));
        assert_eq!(seconds("1h 30m"), Ok(5400));
        assert_eq!(seconds("1 week"), Ok(604_800));
        assert_eq!(seconds("400 days"), Ok(34_560_000));
        for wrong in ["", "5", "m", "-5m", "5 parsecs", "9999999999999999999s", "9223372036854775807w"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        assert_eq!(size("1 MiB"), Ok(1_048_576));
        assert!(size("1 GiB").is_err() && size("").is_err());
    }
}
