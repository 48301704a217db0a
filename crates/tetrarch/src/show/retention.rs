//! How long a channel keeps events.

use serde::Serialize;
use tetrarch_wire::Retention;

/// How long a channel keeps events; `null` for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RetentionShown {
    /// Most milliseconds.
    pub max_age_ms: Option<u64>,
    /// Most bytes.
    pub max_bytes: Option<u64>,
    /// Most events.
    pub max_events: Option<u64>,
}

impl From<Retention> for RetentionShown {
    fn from(retention: Retention) -> Self {
        Self {
            max_age_ms: retention.max_age_ms,
            max_bytes: retention.max_bytes,
            max_events: retention.max_events,
        }
    }
}

impl RetentionShown {
    /// In words.
    #[must_use]
    pub fn brief(&self) -> String {
        let limits = [
            self.max_age_ms.map(|millis| format!("{millis} ms")),
            self.max_bytes.map(|bytes| format!("{bytes} bytes")),
            self.max_events.map(|events| format!("{events} events")),
        ];
        let limits: Vec<_> = limits.into_iter().flatten().collect();
        if limits.is_empty() {
            return "for ever".to_owned();
        }
        limits.join(", ")
    }
}

/// A limit of the command line: a number, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Limit(Option<u64>);

/// How long a channel shall keep events.
#[derive(Clone, Debug, clap::Args)]
pub struct RetentionArgs {
    /// Drops events older than this, such as 90s, 30m, 12h or 7d; `none` keeps them.
    #[arg(long, value_name = "AGE", value_parser = parse_age)]
    max_age: Option<Limit>,
    /// Drops the oldest events beyond this size, such as 500MiB or 10GiB; `none` keeps them.
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    max_bytes: Option<Limit>,
    /// Drops the oldest events beyond this number; `none` keeps them.
    #[arg(long, value_name = "COUNT", value_parser = parse_count)]
    max_events: Option<Limit>,
}

impl RetentionArgs {
    /// Whether nothing was asked for.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.max_age.is_none() && self.max_bytes.is_none() && self.max_events.is_none()
    }

    /// What holds if it was `before`, and only what was asked for changes.
    #[must_use]
    pub fn applied_to(&self, before: Retention) -> Retention {
        let limit = |asked: Option<Limit>, before| asked.map_or(before, |limit| limit.0);
        Retention {
            max_age_ms: limit(self.max_age, before.max_age_ms),
            max_bytes: limit(self.max_bytes, before.max_bytes),
            max_events: limit(self.max_events, before.max_events),
        }
    }
}

const AGES: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];
const SIZES: [(&str, u64); 5] = [
    ("", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

fn parse_age(text: &str) -> Result<Limit, String> {
    parse(text, &AGES, "a number and one of ms, s, m, h, d")
}

fn parse_size(text: &str) -> Result<Limit, String> {
    parse(
        text,
        &SIZES,
        "a number of bytes, or one with KiB, MiB, GiB or TiB",
    )
}

fn parse_count(text: &str) -> Result<Limit, String> {
    parse(text, &[("", 1)], "a number")
}

fn parse(text: &str, units: &[(&str, u64)], wanted: &str) -> Result<Limit, String> {
    if text == "none" {
        return Ok(Limit(None));
    }
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = &text[digits.len()..];
    let factor = units
        .iter()
        .find(|(name, _)| *name == unit)
        .map(|(_, factor)| *factor);
    factor
        .zip(digits.parse::<u64>().ok())
        .and_then(|(factor, number)| number.checked_mul(factor))
        .filter(|limit| *limit > 0)
        .map(|limit| Limit(Some(limit)))
        .ok_or_else(|| format!("wanted {wanted}, or `none`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_sizes_and_counts_have_units_and_can_be_lifted() {
        assert_eq!(parse_age("7d"), Ok(Limit(Some(7 * 86_400_000))));
        assert_eq!(parse_age("250ms"), Ok(Limit(Some(250))));
        assert_eq!(parse_size("10GiB"), Ok(Limit(Some(10 << 30))));
        assert_eq!(parse_count("none"), Ok(Limit(None)));
        for bad in ["7", "d", "-1s", "0s", "1w", "99999999999999999d"] {
            assert!(parse_age(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_what_was_asked_for_changes() {
        let args = RetentionArgs {
            max_age: Some(Limit(None)),
            max_bytes: None,
            max_events: Some(Limit(Some(3))),
        };
        let before = Retention {
            max_age_ms: Some(1),
            max_bytes: Some(2),
            max_events: None,
        };
        let after = args.applied_to(before);
        assert_eq!(
            (after.max_age_ms, after.max_bytes, after.max_events),
            (None, Some(2), Some(3))
        );
    }
}
