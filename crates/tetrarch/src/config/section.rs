//! The typed questions that a section of the configuration answers. Each declares its setting.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::address::HostPort;
use super::document::{Entry, Given};
use super::key::{Default, Key};
use super::parse;
use super::problem::Origin;
use super::reader::{Reader, nearest};

/// A section being read.
pub(super) struct Section<'a> {
    reader: &'a mut Reader,
    name: Option<&'static str>,
    entries: Vec<Entry>,
    origin: Origin,
    known: Vec<&'static str>,
}

impl<'a> Section<'a> {
    pub(super) fn new(
        reader: &'a mut Reader,
        name: Option<&'static str>,
        entries: Vec<Entry>,
        origin: Origin,
    ) -> Self {
        Self {
            reader,
            name,
            entries,
            origin,
            known: Vec::new(),
        }
    }

    /// A whole number.
    pub(super) fn number(
        &mut self,
        name: &'static str,
        default: u64,
        range: RangeInclusive<u64>,
        about: &'static str,
    ) -> u64 {
        let kind = format!("number, {} to {}", range.start(), range.end());
        let key = self.key(name, kind, Default::Value(default.to_string()), about);
        self.read(key, |given| parse::number(&given.value, &range))
            .unwrap_or(default)
    }

    /// A number of milliseconds that need not be given.
    pub(super) fn optional_millis(
        &mut self,
        name: &'static str,
        range: RangeInclusive<u64>,
        meaning: &'static str,
        example: &'static str,
        about: &'static str,
    ) -> Option<Duration> {
        let kind = format!("milliseconds, {} to {}", range.start(), range.end());
        let key = self.key(name, kind, Default::Unset { meaning, example }, about);
        self.read(key, |given| parse::number(&given.value, &range))
            .map(Duration::from_millis)
    }

    /// A number of milliseconds.
    pub(super) fn millis(
        &mut self,
        name: &'static str,
        default: u64,
        range: RangeInclusive<u64>,
        about: &'static str,
    ) -> Duration {
        Duration::from_millis(self.number(name, default, range, about))
    }

    /// A size in bytes.
    pub(super) fn bytes(
        &mut self,
        name: &'static str,
        default: u64,
        range: RangeInclusive<u64>,
        about: &'static str,
    ) -> u64 {
        let show = parse::show_bytes;
        let kind = format!("size, {} to {}", show(*range.start()), show(*range.end()));
        let shown = format!("\"{}\"", show(default));
        let key = self.key(name, kind, Default::Value(shown), about);
        self.read(key, |given| parse::bytes(&given.value, &range))
            .unwrap_or(default)
    }

    /// A size in bytes that need not be given.
    pub(super) fn optional_bytes(
        &mut self,
        name: &'static str,
        range: RangeInclusive<u64>,
        meaning: &'static str,
        example: &'static str,
        about: &'static str,
    ) -> Option<u64> {
        let show = parse::show_bytes;
        let kind = format!("size, {} to {}", show(*range.start()), show(*range.end()));
        let key = self.key(name, kind, Default::Unset { meaning, example }, about);
        self.read(key, |given| parse::bytes(&given.value, &range))
    }

    /// One of a few words; the first is the default.
    pub(super) fn choice<T: Copy>(
        &mut self,
        name: &'static str,
        words: &[(&'static str, T)],
        about: &'static str,
    ) -> T {
        let (word, default) = words[0];
        let shown = Default::Value(format!("\"{word}\""));
        let key = self.key(name, parse::one_of(words), shown, about);
        self.read(key, |given| parse::choice(&given.value, words))
            .unwrap_or(default)
    }

    /// Text that must be given and satisfy `check`.
    pub(super) fn required_text(
        &mut self,
        name: &'static str,
        check: fn(&str) -> Result<(), String>,
        about: &'static str,
    ) -> String {
        let key = self.key(name, "text".into(), Default::Required, about);
        self.read(key, |given| {
            let text = parse::filled(&given.value)?;
            check(&text).map(|()| text)
        })
        .unwrap_or_default()
    }

    /// Text with a default.
    pub(super) fn text(
        &mut self,
        name: &'static str,
        default: &'static str,
        about: &'static str,
    ) -> String {
        let key = self.key(
            name,
            "text".into(),
            Default::Value(format!("\"{default}\"")),
            about,
        );
        self.read(key, |given| parse::filled(&given.value))
            .unwrap_or_else(|| default.to_owned())
    }

    /// A path; relative ones are relative to the file.
    pub(super) fn path(
        &mut self,
        name: &'static str,
        default: &'static str,
        about: &'static str,
    ) -> PathBuf {
        let key = self.key(
            name,
            "path".into(),
            Default::Value(format!("\"{default}\"")),
            about,
        );
        let path = self
            .read(key, |given| parse::filled(&given.value))
            .unwrap_or_else(|| default.to_owned());
        self.reader.base().join(path)
    }

    /// A host and a port that must be given.
    pub(super) fn required_address(
        &mut self,
        name: &'static str,
        about: &'static str,
    ) -> Option<HostPort> {
        let key = self.key(name, "host:port".into(), Default::Required, about);
        self.read(key, |given| HostPort::parse(&parse::text(&given.value)?))
    }

    /// A host and a port that may be given.
    pub(super) fn address(
        &mut self,
        name: &'static str,
        otherwise: &'static str,
        about: &'static str,
    ) -> Option<HostPort> {
        let default = Default::Unset {
            meaning: otherwise,
            example: "= \"127.0.0.1:7101\"",
        };
        let key = self.key(name, "host:port".into(), default, about);
        self.read(key, |given| HostPort::parse(&parse::text(&given.value)?))
    }

    /// Names and values that satisfy `check`, which also turns a value into what is wanted.
    pub(super) fn pairs<T>(
        &mut self,
        name: &'static str,
        otherwise: &'static str,
        check: fn(&str, &str) -> Result<T, String>,
        about: &'static str,
    ) -> Vec<(String, T)> {
        let kind = "table of names and values".to_owned();
        let default = Default::Unset {
            meaning: otherwise,
            example: "= { zone = \"a\" }",
        };
        let key = self.key(name, kind, default, about);
        let path = key.path();
        let entries = self.read(key, parse::pairs).unwrap_or_default();
        let mut pairs = Vec::new();
        for Entry { key, given, .. } in entries {
            match parse::text(&given.value).and_then(|text| check(&key, &text)) {
                Ok(value) => pairs.push((key, value)),
                Err(why) => self
                    .reader
                    .problem(given.origin, format!("`{path}.{key}` {why}")),
            }
        }
        pairs
    }

    /// Refuses the keys that nothing has asked for.
    pub(super) fn close(self) {
        let section = self.name.unwrap_or_default();
        for entry in self.entries {
            let hint = nearest(&entry.key, self.known.iter().copied());
            let message = format!("unknown key `{}` in [{section}]{hint}", entry.key);
            self.reader.problem(entry.origin, message);
        }
    }

    /// What nothing has asked for.
    pub(super) fn into_rest(self) -> Vec<Entry> {
        self.entries
    }

    fn key(&self, name: &'static str, kind: String, default: Default, about: &'static str) -> Key {
        Key {
            section: self.name,
            name,
            kind,
            default,
            about,
        }
    }

    fn read<T>(&mut self, key: Key, parse: impl FnOnce(&Given) -> Result<T, String>) -> Option<T> {
        self.known.push(key.name);
        let from_file = self.take(key.name);
        let Some(given) = self.reader.declare(&key).or(from_file) else {
            if key.default == Default::Required {
                self.reader.missing(&key, &self.origin);
            }
            return None;
        };
        self.reader.remember(&key, &given.origin);
        match parse(&given) {
            Ok(value) => Some(value),
            Err(why) => {
                self.reader
                    .problem(given.origin, format!("`{}` {why}", key.path()));
                None
            }
        }
    }

    fn take(&mut self, name: &str) -> Option<Given> {
        let index = self.entries.iter().position(|entry| entry.key == name)?;
        Some(self.entries.remove(index).given)
    }
}
