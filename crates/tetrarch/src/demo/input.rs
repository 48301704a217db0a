//! What the demonstration publishes: the lines of a file, or the bundled rides of a bicycle hire,
//! again and again.

use std::path::Path;

use bytes::Bytes;

use crate::error::Error;

/// A made-up day of a bicycle hire, as CSV.
const RIDES: &str = include_str!("../../data/rides.csv");

/// Lines to publish, over and over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    lines: Vec<Bytes>,
}

impl Input {
    /// The bundled lines.
    #[must_use]
    pub fn bundled() -> Self {
        Self::split(&Bytes::from_static(RIDES.as_bytes()))
    }

    /// The lines of a file.
    ///
    /// # Errors
    /// If it cannot be read, has no line, or one that is too long for an event.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let content = std::fs::read(path).map_err(Error::file("read", path))?;
        let input = Self::split(&content.into());
        let refuse = |why: String| Error::Malformed {
            path: path.to_path_buf(),
            why,
        };
        if input.lines.is_empty() {
            return Err(refuse("it has no line".into()));
        }
        match input.lines.iter().position(|line| line.len() > MAX_LINE) {
            None => Ok(input),
            Some(index) => Err(refuse(format!(
                "line {} has {} bytes, but an event holds {MAX_LINE}",
                index + 1,
                input.lines[index].len()
            ))),
        }
    }

    /// The line that is published as event `number`, counted from 0.
    #[must_use]
    pub fn line(&self, number: u64) -> Bytes {
        let count = self.lines.len() as u64;
        let index = usize::try_from(number % count).unwrap_or_default();
        self.lines[index].clone()
    }

    /// How many different events there are before the first is repeated.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    fn split(content: &Bytes) -> Self {
        let lines = content
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| content.slice_ref(line))
            .collect();
        Self { lines }
    }
}

/// Most bytes of a line: an event less its key.
const MAX_LINE: usize = tetrarch_wire::limits::MAX_EVENT_BYTES - 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundled_rides_repeat_after_the_last() {
        let input = Input::bundled();
        assert!(input.len() > 1_000);
        assert_eq!(input.line(0), input.line(input.len() as u64));
        assert_ne!(input.line(0), input.line(1));
    }

    #[test]
    fn empty_files_and_lines_that_are_too_long_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lines");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Input::read(&path)
        };
        assert_eq!(read("a\n\nb").unwrap().len(), 2);
        assert!(read("\n").is_err());
        let long = format!("short\n{}\n", "x".repeat(MAX_LINE + 1));
        assert!(read(&long).unwrap_err().to_string().contains("line 2"));
    }
}
