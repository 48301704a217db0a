//! A small store with a history, damaged, and opened again. Whatever was done to its files, opening
//! it does not panic, nothing is read that was not written, and what was reported durable is there,
//! or its channel says that it is damaged, or the store refuses to open.
//!
//! There is one honest exception, and [`wal`] knows its extent exactly: groups at the very end of the
//! write-ahead log that are damaged cannot be told from groups that were torn, and are dropped.

mod changes;
mod damage;
mod history;
mod ledger;
mod verdict;
mod wal;

use std::collections::BTreeMap;

use super::cursor::Cursor;

/// How often each thing has happened.
pub type Tally = BTreeMap<&'static str, u64>;

/// Lives, damages and opens what the bytes say.
pub fn recovery(bytes: &[u8]) {
    live(bytes);
}

/// Bytes that say how the life ends and what is damaged; the life itself comes after them.
const END: usize = 32;

/// The same; says how often what happened.
pub fn live(bytes: &[u8]) -> Tally {
    let (end, life) = bytes.split_at(END.min(bytes.len()));
    let mut end = Cursor::new(end);
    let mut history = history::History::begin(&mut end);
    history.live(&mut Cursor::new(life));
    let past = history.end(&mut end);
    let found = damage::damage(&past, &mut end);
    verdict::judge(&past, &found)
}
