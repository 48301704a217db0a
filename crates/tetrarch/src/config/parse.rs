//! From a given value to the type that a setting wants. Each error is the end of a sentence that
//! begins with the name of the setting.

use std::ops::RangeInclusive;

use super::document::{Entry, Given, Value};
use super::problem::Origin;

/// A whole number within bounds.
pub(super) fn number(value: &Value, range: &RangeInclusive<u64>) -> Result<u64, String> {
    let number = match value {
        Value::Integer(number) => *number,
        Value::Untyped(text) => text
            .trim()
            .parse()
            .map_err(|_| format!("must be a number, not `{text}`"))?,
        other => return Err(format!("must be a number, not {}", other.kind())),
    };
    within(number, range, &u64::to_string)
}

/// A size: a number of bytes, or text with a unit.
pub(super) fn bytes(value: &Value, range: &RangeInclusive<u64>) -> Result<u64, String> {
    let size = match value {
        Value::Integer(number) => *number,
        Value::Text(text) | Value::Untyped(text) => {
            size(text).ok_or_else(|| format!("must be a size such as 64MiB, not `{text}`"))?
        }
        other => {
            return Err(format!(
                "must be a size such as \"64MiB\", not {}",
                other.kind()
            ));
        }
    };
    within(size, range, &|bytes| show_bytes(*bytes))
}

/// Text.
pub(super) fn text(value: &Value) -> Result<String, String> {
    match value {
        Value::Text(text) | Value::Untyped(text) => Ok(text.clone()),
        other => Err(format!("must be text in quotes, not {}", other.kind())),
    }
}

/// Text that names something: it must not be empty.
pub(super) fn filled(value: &Value) -> Result<String, String> {
    let text = text(value)?;
    if text.trim().is_empty() {
        return Err("must not be empty".into());
    }
    Ok(text)
}

/// One of a few words.
pub(super) fn choice<T: Copy>(value: &Value, words: &[(&str, T)]) -> Result<T, String> {
    let given = text(value)?;
    words
        .iter()
        .find(|(word, _)| *word == given)
        .map(|(_, meaning)| *meaning)
        .ok_or_else(|| format!("must be {}, not `{given}`", one_of(words)))
}

/// Names and their values: a table, or `name=value,name=value` in the environment.
pub(super) fn pairs(given: &Given) -> Result<Vec<Entry>, String> {
    match &given.value {
        Value::Table(entries) => Ok(entries.clone()),
        Value::Untyped(text) => text
            .split(',')
            .filter(|pair| !pair.trim().is_empty())
            .map(|pair| untyped_pair(pair, &given.origin))
            .collect(),
        other => Err(format!(
            "must be a table of names and values, not {}",
            other.kind()
        )),
    }
}

/// The words as they are listed in a sentence.
pub(super) fn one_of<T>(words: &[(&str, T)]) -> String {
    let words: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => words.concat(),
    }
}

/// A number of bytes in the largest unit that divides it.
pub(super) fn show_bytes(bytes: u64) -> String {
    for (unit, factor) in UNITS {
        if bytes >= factor && bytes.is_multiple_of(factor) {
            return format!("{}{unit}", bytes / factor);
        }
    }
    bytes.to_string()
}

const UNITS: [(&str, u64); 4] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
];

fn untyped_pair(pair: &str, origin: &Origin) -> Result<Entry, String> {
    let (key, value) = pair
        .split_once('=')
        .ok_or_else(|| format!("must be name=value pairs with commas between, not `{pair}`"))?;
    Ok(Entry {
        key: key.trim().to_owned(),
        origin: origin.clone(),
        given: Given {
            value: Value::Untyped(value.trim().to_owned()),
            origin: origin.clone(),
        },
    })
}

fn size(text: &str) -> Option<i128> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text[digits.len()..].trim();
    let number: i128 = digits.trim().parse().ok()?;
    if unit.is_empty() {
        return Some(number);
    }
    let (_, factor) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
    number.checked_mul(factor.into())
}

fn within(
    number: i128,
    range: &RangeInclusive<u64>,
    show: &dyn Fn(&u64) -> String,
) -> Result<u64, String> {
    match u64::try_from(number) {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(format!(
            "is {number}, but must be from {} to {}",
            show(range.start()),
            show(range.end())
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_and_without_unit() {
        let any = 0..=u64::MAX;
        let read = |text: &str| bytes(&Value::Text(text.into()), &any);
        assert_eq!(read("64MiB"), Ok(64 << 20));
        assert_eq!(read("4 KiB"), Ok(4096));
        assert_eq!(read("17"), Ok(17));
        assert_eq!(bytes(&Value::Integer(17), &any), Ok(17));
        for bad in ["", "MiB", "4MB", "-1", "99999999999999TiB", "1.5GiB"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_are_shown_in_the_largest_whole_unit() {
        for (bytes, text) in [
            (0, "0"),
            (1023, "1023"),
            (1024, "1KiB"),
            (1536, "1536"),
            (3 << 30, "3GiB"),
        ] {
            assert_eq!(show_bytes(bytes), text);
        }
    }

    #[test]
    fn numbers_outside_their_bounds_are_refused_with_the_bounds() {
        let error = number(&Value::Integer(-3), &(1..=9)).unwrap_err();
        assert_eq!(error, "is -3, but must be from 1 to 9");
        assert_eq!(number(&Value::Untyped(" 9 ".into()), &(1..=9)), Ok(9));
        assert!(number(&Value::Text("9".into()), &(1..=9)).is_err());
    }

    #[test]
    fn words_are_listed_when_another_is_given() {
        let words = [("text", 1), ("json", 2)];
        assert_eq!(choice(&Value::Text("json".into()), &words), Ok(2));
        let error = choice(&Value::Text("xml".into()), &words).unwrap_err();
        assert_eq!(error, "must be `text` or `json`, not `xml`");
    }

    #[test]
    fn pairs_of_the_environment_are_split_at_commas() {
        let given = |text: &str| Given {
            value: Value::Untyped(text.into()),
            origin: Origin::Absent,
        };
        let entries = pairs(&given("zone=a, rack=3")).unwrap();
        let keys: Vec<_> = entries.iter().map(|entry| entry.key.as_str()).collect();
        assert_eq!(keys, ["zone", "rack"]);
        assert!(pairs(&given("zone")).is_err());
    }
}
