//! The only place that writes to the terminal: data to standard output, everything said to people
//! to standard error, so that a pipe carries nothing but data.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use crate::error::Error;

/// Writes one line of data.
///
/// # Errors
/// If standard output cannot be written to. A reader that has gone away ends the program quietly.
pub fn data(line: impl Display) -> Result<(), Error> {
    finish(writeln!(io::stdout().lock(), "{line}"))
}

/// Writes data as it is, without a line end of its own.
///
/// # Errors
/// As [`data`].
pub fn raw(bytes: &[u8]) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    finish(out.write_all(bytes).and_then(|()| out.flush()))
}

/// Writes one line of JSON.
///
/// # Errors
/// As [`data`].
pub fn json(value: &impl Serialize) -> Result<(), Error> {
    data(
        serde_json::to_string(value)
            .map_err(io::Error::from)
            .map_err(Error::Output)?,
    )
}

/// Writes a table; columns whose heading begins with `>` are aligned to the right.
///
/// # Errors
/// As [`data`].
pub fn table(headings: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Result<(), Error> {
    data(render_table(headings, rows))
}

/// Says something to whoever sits at the terminal.
pub fn say(line: impl Display) {
    // If nobody can be told, there is nobody to tell that to either.
    if writeln!(io::stderr().lock(), "{line}").is_err() {}
}

/// Says what went wrong, why, and what to do next.
pub fn error(error: &Error) {
    say(format_args!("error: {error}"));
    let mut cause = std::error::Error::source(error);
    while let Some(source) = cause {
        say(format_args!("  because: {source}"));
        cause = source.source();
    }
    if let Some(hint) = error.hint() {
        say(format_args!("hint: {hint}"));
    }
}

fn render_table(headings: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(
        headings
            .iter()
            .map(|heading| heading.trim_start_matches('>')),
    );
    table.add_rows(rows);
    for (column, heading) in table.column_iter_mut().zip(headings) {
        column.set_padding((0, 2));
        if heading.starts_with('>') {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let lines: Vec<_> = table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect();
    lines.join("\n")
}

fn finish(result: io::Result<()>) -> Result<(), Error> {
    match result {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        other => other.map_err(Error::Output),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_plain_columns_without_trailing_blanks() {
        let rows = vec![
            vec!["n1".to_owned(), "7".to_owned()],
            vec!["long-name".to_owned(), "12345".to_owned()],
        ];
        let text = render_table(&["NODE", ">TAIL"], rows);
        assert_eq!(text, "NODE        TAIL\nn1             7\nlong-name  12345");
    }
}
