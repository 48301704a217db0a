//! Events from standard input or a file, in chunks as they come: what is there together is
//! published together, and a single typed line is not held back.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use bytes::Bytes;
use tetrarch_wire::{Event, limits::MAX_EVENT_BYTES};
use tokio::sync::mpsc;

use crate::error::Error;

/// How much is read at once.
const BUFFER: usize = 256 * 1024;
/// Most events in a chunk.
const CHUNK: usize = 4_096;
/// Chunks that are read ahead.
const AHEAD: usize = 16;

/// How events follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// One a line, without its line end.
    Lines,
    /// Each preceded by its length as four bytes, the least significant first.
    Length,
}

/// Reads events on a thread of its own, since standard input blocks.
///
/// # Errors
/// If the file cannot be opened, or there is no thread to be had.
pub fn read(
    file: Option<&Path>,
    framing: Framing,
) -> Result<mpsc::Receiver<Result<Vec<Event>, Error>>, Error> {
    let input: Box<dyn Read + Send> = match file {
        Some(path) => Box::new(File::open(path).map_err(Error::file("open", path))?),
        None => Box::new(io::stdin()),
    };
    let name = file.unwrap_or(Path::new("standard input")).to_path_buf();
    let (chunks, receiver) = mpsc::channel(AHEAD);
    let work = move || {
        let mut input = BufReader::with_capacity(BUFFER, input);
        loop {
            let chunk = next_chunk(&mut input, framing).map_err(Error::file("read", &name));
            let is_last = chunk.as_ref().map_or(true, Vec::is_empty);
            if chunks.blocking_send(chunk).is_err() || is_last {
                return;
            }
        }
    };
    let spawned = std::thread::Builder::new().name("input".into()).spawn(work);
    spawned.map(|_| receiver).map_err(|source| Error::Process {
        what: "start a thread",
        source,
    })
}

/// What is in the buffer, but at least one event; nothing at the end.
fn next_chunk<R: Read>(input: &mut BufReader<R>, framing: Framing) -> io::Result<Vec<Event>> {
    let mut events = Vec::new();
    while let Some(event) = next_event(input, framing)? {
        events.push(Event::new(event));
        if events.len() == CHUNK || !holds_one(input.buffer(), framing) {
            break;
        }
    }
    Ok(events)
}

/// Whether a whole event is there, so that taking it will not wait.
fn holds_one(buffer: &[u8], framing: Framing) -> bool {
    match framing {
        Framing::Lines => buffer.contains(&b'\n'),
        Framing::Length => buffer
            .split_first_chunk()
            .is_some_and(|(length, rest)| rest.len() >= u32::from_le_bytes(*length) as usize),
    }
}

fn next_event(input: &mut impl BufRead, framing: Framing) -> io::Result<Option<Bytes>> {
    match framing {
        Framing::Lines => next_line(input),
        Framing::Length => next_framed(input),
    }
}

fn next_line(input: &mut impl BufRead) -> io::Result<Option<Bytes>> {
    let mut line = Vec::new();
    let limit = MAX_EVENT_BYTES as u64 + 1;
    if input.take(limit).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.len() as u64 == limit {
        return Err(io::Error::other(format!(
            "a line has more than {MAX_EVENT_BYTES} bytes"
        )));
    }
    Ok(Some(line.into()))
}

fn next_framed(input: &mut impl BufRead) -> io::Result<Option<Bytes>> {
    if input.fill_buf()?.is_empty() {
        return Ok(None);
    }
    let mut length = [0; 4];
    input.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > MAX_EVENT_BYTES {
        return Err(io::Error::other(format!(
            "a frame claims {length} bytes, but an event holds {MAX_EVENT_BYTES}"
        )));
    }
    let mut event = vec![0; length];
    input.read_exact(&mut event)?;
    Ok(Some(event.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The chunks of an input that arrives in these pieces.
    fn chunks(pieces: &[&'static [u8]], framing: Framing) -> Vec<Vec<Bytes>> {
        struct Pieces(Vec<&'static [u8]>);
        impl Read for Pieces {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                if self.0.is_empty() {
                    return Ok(0);
                }
                let piece = self.0.remove(0);
                into[..piece.len()].copy_from_slice(piece);
                Ok(piece.len())
            }
        }
        let mut input = BufReader::new(Pieces(pieces.to_vec()));
        let mut chunks = Vec::new();
        loop {
            let chunk = next_chunk(&mut input, framing).unwrap();
            if chunk.is_empty() {
                return chunks;
            }
            chunks.push(chunk.into_iter().map(|event| event.payload).collect());
        }
    }

    #[test]
    fn lines_that_come_together_are_published_together() {
        let read = chunks(&[b"a\nb\nc", b"c\n\nd"], Framing::Lines);
        assert_eq!(read, [vec!["a", "b"], vec!["cc", ""], vec!["d"]]);
    }

    #[test]
    fn frames_may_hold_anything_and_may_be_cut_anywhere() {
        let read = chunks(&[b"\x01\0\0\0\n\x02\0", b"\0\0ab\0\0\0\0"], Framing::Length);
        assert_eq!(read, [vec!["\n"], vec!["ab", ""]]);
    }

    #[test]
    fn what_claims_too_much_or_ends_too_soon_is_refused() {
        let read = |bytes: &'static [u8], framing| {
            let mut input = BufReader::new(bytes);
            next_chunk(&mut input, framing)
        };
        assert!(read(b"\xff\xff\xff\xff", Framing::Length).is_err());
        assert!(read(b"\x05\0\0\0abc", Framing::Length).is_err());
        let long = vec![b'x'; MAX_EVENT_BYTES + 1].leak();
        assert!(read(long, Framing::Lines).is_err());
    }
}
