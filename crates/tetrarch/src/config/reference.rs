//! The configuration reference, made from the declarations of the settings.

use std::fmt::Write;

use super::key::{Default, Key};

const INTRODUCTION: &str = "\
# Configuration of a node

<!-- Made by `tetrarch config reference`. Change the declarations in the code, not this file. -->

`tetrarch serve --config node.toml` reads one TOML file. `tetrarch init` writes one for each node
with every setting in it, commented. Relative paths are relative to the file.

A variable of the environment overrides a setting of the file: `TETRARCH_`, the section, `_` and the
key, in capitals. Tables are given there as `name=value,name=value`. Sizes are numbers of bytes, or
text with a unit: KiB, MiB, GiB, TiB.

What is not known, and what cannot be, is refused: all of it at once, by name, with line and column.
`tetrarch config check node.toml` does the same without starting a node.
";

/// The reference as Markdown.
#[must_use]
pub fn markdown(keys: &[Key]) -> String {
    let mut out = INTRODUCTION.to_owned();
    let mut section = "";
    for key in keys {
        if key.section_name() != section {
            section = key.section_name();
            out += &format!(
                "\n## `[{section}]`\n\n| Key | Value | Default | Environment | Meaning |\n\
                 |---|---|---|---|---|\n"
            );
        }
        out += &row(key);
    }
    out
}

fn row(key: &Key) -> String {
    let name = key
        .section
        .map_or("*any name*".to_owned(), |_| format!("`{}`", key.name));
    let default = match &key.default {
        Default::Required => "**must be given**".to_owned(),
        Default::Unset { meaning, .. } => (*meaning).to_owned(),
        Default::Value(value) => format!("`{value}`"),
    };
    let mut out = String::new();
    // Writing to a string cannot fail.
    writeln!(
        out,
        "| {name} | {} | {default} | `{}` | {} |",
        key.kind,
        key.variable(),
        key.about
    )
    .unwrap_or_default();
    out
}
