//! A commented `node.toml`: every setting with its meaning, those with a value of their own
//! written out, the others as comments with their defaults.

use std::collections::BTreeMap;

use super::key::{Default, Key};

const WIDTH: usize = 96;

/// Writes a file in which the settings named by path have the given values, as TOML.
#[must_use]
pub fn render(heading: &str, keys: &[Key], values: &BTreeMap<String, String>) -> String {
    let mut out = comment(heading);
    let mut section = "";
    for key in keys {
        if key.section_name() != section {
            section = key.section_name();
            out += &format!("\n[{section}]\n");
        }
        out += &comment(&format!(
            "{} ({}; {})",
            key.about,
            key.kind,
            default_text(key)
        ));
        out += &line(key, values.get(&key.path()));
    }
    out
}

fn line(key: &Key, value: Option<&String>) -> String {
    match (value, key.section, &key.default) {
        (Some(value), Some(_), _) => format!("{} = {value}\n", key.name),
        (Some(value), None, _) => format!("{value}\n"),
        (None, Some(_), Default::Value(default)) => format!("# {} = {default}\n", key.name),
        (None, Some(_), Default::Unset { example, .. }) => format!("# {} {example}\n", key.name),
        (None, ..) => String::new(),
    }
}

fn default_text(key: &Key) -> String {
    match &key.default {
        Default::Required => "must be given".to_owned(),
        Default::Unset { meaning, .. } => format!("otherwise {meaning}"),
        Default::Value(value) => format!("default {value}"),
    }
}

fn comment(text: &str) -> String {
    let mut lines = vec![String::from("#")];
    for word in text.split_whitespace() {
        let last = lines.len() - 1;
        if lines[last].len() + 1 + word.len() > WIDTH {
            lines.push(format!("# {word}"));
        } else {
            lines[last] += &format!(" {word}");
        }
    }
    lines.join("\n") + "\n"
}
