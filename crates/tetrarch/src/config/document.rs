//! TOML text as a tree that remembers where everything stood.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Origin, Problem};

/// A value as it was given.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// A string of the file.
    Text(String),
    /// Text of the environment, whose type is whatever the setting wants.
    Untyped(String),
    /// A whole number.
    Integer(i128),
    /// `true` or `false`.
    Boolean(bool),
    /// Keys and values.
    Table(Vec<Entry>),
    /// Something that no setting wants, by the name of its type.
    Other(&'static str),
}

impl Value {
    /// The name of its type, with its article.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) | Self::Untyped(_) => "text",
            Self::Integer(_) => "a number",
            Self::Boolean(_) => "true or false",
            Self::Table(_) => "a table",
            Self::Other(kind) => kind,
        }
    }
}

/// A value and where it came from.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Given {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// A key and what was given for it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) origin: Origin,
    pub(super) given: Given,
}

/// Reads TOML as far as it can be read; what could not be is in the problems.
pub(super) fn parse(text: &str) -> (Vec<Entry>, Vec<Problem>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let problems = errors
        .iter()
        .map(|error| Problem {
            origin: place(text, error.span().map_or(0, |span| span.start)),
            message: error.message().trim().replace('\n', ", "),
        })
        .collect();
    (entries(text, table.get_ref()), problems)
}

fn entries(text: &str, table: &DeTable<'_>) -> Vec<Entry> {
    let mut rows: Vec<_> = table.iter().collect();
    rows.sort_by_key(|(key, _)| key.span().start);
    rows.into_iter()
        .map(|(key, value)| Entry {
            key: key.get_ref().to_string(),
            origin: place(text, key.span().start),
            given: given(text, value),
        })
        .collect()
}

fn given(text: &str, value: &Spanned<DeValue<'_>>) -> Given {
    let origin = place(text, value.span().start);
    let value = match value.get_ref() {
        DeValue::String(value) => Value::Text(value.to_string()),
        DeValue::Integer(digits) => i128::from_str_radix(digits.as_str(), digits.radix())
            .map_or(Value::Other("a number beyond all bounds"), Value::Integer),
        DeValue::Boolean(value) => Value::Boolean(*value),
        DeValue::Table(table) => Value::Table(entries(text, table)),
        DeValue::Float(_) => Value::Other("a fraction"),
        DeValue::Datetime(_) => Value::Other("a date"),
        DeValue::Array(_) => Value::Other("a list"),
    };
    Given { value, origin }
}

fn place(text: &str, offset: usize) -> Origin {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Origin::File {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters_from_one() {
        let (entries, problems) = parse("a = 1\n\n  é = 1\n");
        assert_eq!(problems.len(), 1, "a bare key is ASCII: {problems:?}");
        assert_eq!(problems[0].origin, Origin::File { line: 3, column: 3 });
        assert_eq!(entries[0].origin, Origin::File { line: 1, column: 1 });
        assert_eq!(entries[0].given.origin, Origin::File { line: 1, column: 5 });
    }

    #[test]
    fn several_mistakes_of_syntax_are_all_found() {
        let (entries, problems) = parse("a = \nb = 2\nc = = 3\nb = 4\n");
        assert!(entries.iter().any(|entry| entry.key == "b"));
        let lines: Vec<_> = problems.iter().map(|problem| &problem.origin).collect();
        for line in [1, 3, 4] {
            assert!(
                lines
                    .iter()
                    .any(|origin| matches!(origin, Origin::File { line: l, .. } if *l == line)),
                "line {line}: {problems:?}"
            );
        }
    }

    #[test]
    fn entries_keep_the_order_of_the_file() {
        let (entries, _) = parse("z = 1\na = 2\n");
        let keys: Vec<_> = entries.iter().map(|entry| entry.key.as_str()).collect();
        assert_eq!(keys, ["z", "a"]);
    }
}
