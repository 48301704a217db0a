//! Takes settings out of a document one by one, and collects on the way what is wrong, what each
//! setting was declared as, and where each value came from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::Environment;
use super::document::{Entry, Given, Value};
use super::key::{Default, Key};
use super::problem::{Origin, Problem};
use super::section::Section;

/// A document being read.
pub(super) struct Reader {
    entries: Vec<Entry>,
    base: PathBuf,
    environment: Environment,
    problems: Vec<Problem>,
    keys: Vec<Key>,
    origins: BTreeMap<String, Origin>,
}

impl Reader {
    /// Begins to read. Only variables whose name begins with `TETRARCH_` matter.
    pub(super) fn new(
        entries: Vec<Entry>,
        base: PathBuf,
        environment: &Environment,
        problems: Vec<Problem>,
    ) -> Self {
        let environment = environment
            .iter()
            .filter(|(name, _)| name.starts_with("TETRARCH_"))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        Self {
            entries,
            base,
            environment,
            problems,
            keys: Vec::new(),
            origins: BTreeMap::new(),
        }
    }

    /// Reads one section; keys that `read` leaves over are refused.
    pub(super) fn section<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut Section<'_>) -> T,
    ) -> T {
        let (entries, origin) = self.open(name);
        let mut section = Section::new(self, Some(name), entries, origin);
        let value = read(&mut section);
        section.close();
        value
    }

    /// Reads a section that is itself one setting.
    pub(super) fn whole<T>(&mut self, read: impl FnOnce(&mut Section<'_>) -> T) -> T {
        let entries = std::mem::take(&mut self.entries);
        let mut section = Section::new(self, None, entries, Origin::Absent);
        let value = read(&mut section);
        let rest = section.into_rest();
        self.entries = rest;
        value
    }

    /// Refuses every section that nothing has asked for, and every variable that begins like one of
    /// a section but names none of its settings. Other variables are let be: an orchestrator may
    /// set some that begin with the name of the service.
    pub(super) fn refuse_unknown(&mut self) {
        let sections: BTreeSet<_> = self.keys.iter().map(Key::section_name).collect();
        for entry in std::mem::take(&mut self.entries) {
            let hint = nearest(&entry.key, sections.iter().copied());
            self.problem(
                entry.origin,
                format!("unknown section `{}`{hint}", entry.key),
            );
        }
        let variables: Vec<_> = self.keys.iter().map(Key::variable).collect();
        for name in std::mem::take(&mut self.environment).into_keys() {
            let meant =
                |section: &&str| name.starts_with(&format!("TETRARCH_{}_", section.to_uppercase()));
            if sections.iter().any(meant) {
                let hint = nearest(&name, variables.iter().map(String::as_str));
                self.problem(Origin::Environment(name), format!("no such setting{hint}"));
            }
        }
    }

    /// Notes that something is wrong.
    pub(super) fn problem(&mut self, origin: Origin, message: String) {
        self.problems.push(Problem { origin, message });
    }

    /// Notes that the value of a setting, named by its path, does not fit the others.
    pub(super) fn problem_at(&mut self, path: &str, message: &str) {
        let origin = self.origins.get(path).cloned().unwrap_or(Origin::Absent);
        self.problem(origin, format!("`{path}` {message}"));
    }

    /// The directory to which paths of the file are relative.
    pub(super) fn base(&self) -> &Path {
        &self.base
    }

    /// Declares a setting and gives what the environment says of it.
    pub(super) fn declare(&mut self, key: &Key) -> Option<Given> {
        self.keys.push(key.clone());
        let variable = key.variable();
        let text = self.environment.remove(&variable)?;
        Some(Given {
            value: Value::Untyped(text),
            origin: Origin::Environment(variable),
        })
    }

    /// Remembers where a setting came from.
    pub(super) fn remember(&mut self, key: &Key, origin: &Origin) {
        self.origins.insert(key.path(), origin.clone());
    }

    /// Notes that a setting that must be given is not.
    pub(super) fn missing(&mut self, key: &Key, section: &Origin) {
        debug_assert_eq!(key.default, Default::Required);
        let variable = key.variable();
        let message = format!("`{}` is missing (or {variable})", key.path());
        self.problem(section.clone(), message);
    }

    /// Everything that is wrong, in the order of the file.
    pub(super) fn into_problems(mut self) -> Vec<Problem> {
        self.problems.sort();
        self.problems.dedup();
        self.problems
    }

    /// Every setting that was declared.
    pub(super) fn into_keys(self) -> Vec<Key> {
        self.keys
    }

    fn open(&mut self, name: &str) -> (Vec<Entry>, Origin) {
        let Some(index) = self.entries.iter().position(|entry| entry.key == name) else {
            return (Vec::new(), Origin::Absent);
        };
        let Entry { origin, given, .. } = self.entries.remove(index);
        match given.value {
            Value::Table(entries) => (entries, origin),
            other => {
                let message = format!("`{name}` must be a section [{name}], not {}", other.kind());
                self.problem(origin.clone(), message);
                (Vec::new(), origin)
            }
        }
    }
}

/// `; did you mean …` if one of the names is close.
pub(super) fn nearest<'a>(given: &str, names: impl Iterator<Item = &'a str>) -> String {
    names
        .map(|name| (strsim::jaro_winkler(given, name), name))
        .filter(|(likeness, _)| *likeness > 0.85)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map_or(String::new(), |(_, name)| {
            format!("; did you mean `{name}`?")
        })
}
