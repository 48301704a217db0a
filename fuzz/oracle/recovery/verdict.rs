//! What the opened store must be, given what it was told, what it had promised, and what was done
//! to it.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use tetrarch_log::{
    CrashDisk, GroupError, LogError, OpenedStore, ReadError, RecoveredChannel, WriteOp,
    WriteRequest, open, reference::Reference, verify,
};
use tetrarch_wire::{Batch, ChannelUid, Epoch, HardState, Seq, VoterId};

use super::{
    Tally,
    damage::Found,
    history::{DIR, Past},
    ledger::{Step, bytes_of},
    wal,
};

/// Opens what was found, and holds it against the past.
pub(super) fn judge(past: &Past, found: &Found) -> Tally {
    let mut tally = Tally::new();
    let mut count = |what| *tally.entry(what).or_default() += 1;
    // From outside nothing panics either.
    if verify(&found.disk, Path::new(DIR)).is_err() {
        count("verify refuses");
    }
    let mut store = match opened(&found.disk, past) {
        Ok(store) => store,
        Err(error) => {
            assert!(!found.done.is_empty(), "an undamaged store: {error}");
            count("refused");
            return tally;
        }
    };
    let judge = Judge::new(past, found);
    if judge.may_lose {
        count("the end may count as torn");
    }
    for (channel, steps) in &past.ledger.steps {
        count(judge.channel(&store, *channel, steps));
    }
    for channel in &store.channels {
        let is_known = past.ledger.steps.contains_key(&channel.channel);
        assert!(is_known, "{}: a channel that nobody opened", judge.what);
    }
    judge.goes_on(&mut store);
    judge.stays_so(store);
    tally
}

fn opened(disk: &CrashDisk, past: &Past) -> Result<OpenedStore<CrashDisk>, LogError> {
    let options = past.options.clone();
    open(Arc::new(disk.clone()), Path::new(DIR), options)
}

struct Judge<'a> {
    past: &'a Past,
    found: &'a Found,
    /// What was done, for whoever reads a failure.
    what: String,
    /// Every group of requests up to this one is there, or its channels say that they are damaged.
    kept: u64,
    /// Groups that the last start wrote while it opened may be lost: then any earlier change of a
    /// channel may be the last one, also in the middle of a group of requests.
    since_ever: bool,
    may_lose: bool,
}

impl<'a> Judge<'a> {
    fn new(past: &'a Past, found: &'a Found) -> Self {
        // What the disk refuses to give is never called torn: it is in `files` as it was.
        let torn = wal::perhaps_torn(&past.groups, &past.files, &found.files);
        let first_torn = torn.first().map_or(u64::MAX, |group| group.number);
        let before = past.placed.iter().rev();
        let mut before = before.filter(|(_, number)| *number < first_torn);
        let earliest = past.placed.first().map_or(u64::MAX, |(group, _)| *group);
        let kept = match before.next() {
            Some((group, _)) => *group,
            None => earliest.saturating_sub(1),
        };
        Self {
            past,
            found,
            what: format!("{:?}", found.done),
            kept: kept.min(past.ledger.reported),
            since_ever: torn.len() > past.groups.len().saturating_sub(past.while_opening),
            may_lose: !torn.is_empty(),
        }
    }

    /// Holds one channel against what it was told.
    fn channel(
        &self,
        store: &OpenedStore<CrashDisk>,
        channel: ChannelUid,
        steps: &[Step],
    ) -> &'static str {
        let found = store.channels.iter().find(|found| found.channel == channel);
        let is_lost = store.lost.iter().any(|(lost, _)| *lost == channel);
        let Some(found) = found else {
            let may_be_gone = self.possible(steps).any(|state| state.is_none());
            assert!(is_lost || may_be_gone, "{}: {channel} is gone", self.what);
            assert!(!is_lost || !self.found.done.is_empty(), "lost for nothing");
            return if is_lost { "lost" } else { "gone" };
        };
        let (read, refused) = self.read(store, found);
        if found.halted.is_some() {
            assert!(!self.found.done.is_empty(), "halted for nothing");
            return "halted";
        }
        if found.hard_state.limbo.is_some() {
            assert!(!self.found.done.is_empty(), "in limbo for nothing");
            self.claims_enough(found, steps);
            return "in limbo";
        }
        // A trim works on what a checkpoint counts, so that it can be ahead of what is left of the log.
        let trims = steps.iter().filter_map(|step| step.state.as_ref());
        let may_go = trims.map(|state| state.trim).max().unwrap_or(Seq::ZERO);
        let fits =
            |state: &Reference| found.log_start.seq <= may_go && fits(state, found, &read, refused);
        if !self.possible(steps).flatten().any(fits) {
            let possible: Vec<String> = self.possible(steps).map(in_short).collect();
            panic!(
                "{}:\n{channel} is {:?} to {:?}, {:?}, hint {}, {} batches, refused: {refused}\nit may \
                 be any of {possible:#?}",
                self.what,
                found.log_start,
                found.tail,
                found.hard_state,
                found.commit_hint,
                read.len()
            );
        }
        if refused { "reads refused" } else { "intact" }
    }

    /// Whatever the channel in limbo was told to promise is below what it promises now.
    fn claims_enough(&self, found: &RecoveredChannel, steps: &[Step]) {
        let promised = steps.iter().filter_map(|step| step.state.as_ref());
        let highest = promised.map(|state| state.hard_state.epoch_seen.n).max();
        assert!(
            Some(found.hard_state.epoch_seen.n) > highest,
            "{}: a promise was forgotten",
            self.what
        );
    }

    /// What a channel may be, if it does not say that it is damaged. `None`: not there.
    fn possible<'s>(&self, steps: &'s [Step]) -> impl Iterator<Item = Option<&'s Reference>> {
        let (kept, since_ever) = (self.kept, self.since_ever);
        let at_kept = steps.iter().rev().find(|step| step.group <= kept);
        let before = match at_kept {
            Some(step) => step.state.as_ref(),
            None => None,
        };
        let later = steps
            .iter()
            .filter(move |step| since_ever || step.group > kept && step.ends_group);
        let was_not_there = since_ever.then_some(None);
        [before]
            .into_iter()
            .chain(later.map(|step| step.state.as_ref()))
            .chain(was_not_there)
    }

    /// Reads a channel as far as it goes: what was read, and whether the rest was refused. Whatever is
    /// read was written, and continues what was read before.
    fn read(&self, store: &OpenedStore<CrashDisk>, found: &RecoveredChannel) -> (Vec<Batch>, bool) {
        let written = &self.past.ledger.written;
        let mut all: Vec<Batch> = Vec::new();
        let mut end = found.log_start;
        loop {
            match store.reader.read(found.channel, end.seq.next(), 2_000) {
                Ok(out) => {
                    for batch in out.batches {
                        let bytes = bytes_of(&batch);
                        let was_written = written
                            .get(&found.channel)
                            .is_some_and(|written| written.contains(&bytes));
                        assert!(was_written, "{}: never written: {batch:?}", self.what);
                        assert!(
                            batch.follows(&end),
                            "{}: {batch:?} does not follow {end:?}",
                            self.what
                        );
                        end = batch.position();
                        all.push(batch);
                    }
                }
                Err(ReadError::BeyondTail { tail }) => {
                    assert_eq!(tail, end, "{}: what is read is not the log", self.what);
                    return (all, false);
                }
                Err(_) => return (all, true),
            }
        }
    }

    /// The store takes more: promises of every channel, halted or not.
    fn goes_on(&self, store: &mut OpenedStore<CrashDisk>) {
        let Some(channel) = store.channels.iter().find(|channel| channel.is_held) else {
            return;
        };
        let promise = HardState {
            epoch_seen: Epoch::new(1 << 40, VoterId::NONE),
            voted_for: None,
            limbo: channel.hard_state.limbo,
        };
        let requests = [WriteRequest {
            channel: channel.channel,
            ops: vec![WriteOp::HardState(promise)],
        }];
        let mut committed = store.writer.commit(&requests);
        if matches!(committed, Err(GroupError::WalFull)) && store.flusher.flush(u64::MAX).is_ok() {
            committed = store.writer.commit(&requests);
        }
        match committed {
            Ok(report) => assert_eq!(report.refused, [], "{}", self.what),
            Err(error) => assert!(self.found.unreadable.is_some(), "{}: {error}", self.what),
        }
    }

    /// What was found to be damaged is so for every later start, and what was not ends where it did,
    /// unless more is found.
    fn stays_so(&self, store: OpenedStore<CrashDisk>) {
        let said = self.said(&store);
        drop(store);
        let again = self.found.disk.crash(&mut |_| 1);
        again.fail_reads(self.found.unreadable.as_deref());
        let again = match opened(&again, self.past) {
            Ok(again) => again,
            Err(error) => panic!("{}: opened once and not again: {error}", self.what),
        };
        let found = self.said(&again);
        for (channel, before) in &said {
            let now = found.get(channel);
            let is_kept = now == Some(before) || now == Some(&Said::Damaged);
            assert!(
                is_kept,
                "{}: {channel} was {before:?}, is {now:?}",
                self.what
            );
        }
        let is_new = |channel: &&ChannelUid| !said.contains_key(*channel);
        assert_eq!(found.keys().find(is_new), None, "{}", self.what);
    }

    /// What is said of each channel. What is left of one that was deleted may be found or not.
    fn said(&self, store: &OpenedStore<CrashDisk>) -> BTreeMap<ChannelUid, Said> {
        let channels = store.channels.iter().map(|found| {
            if found.halted.is_some() || found.hard_state.limbo.is_some() {
                (found.channel, Said::Damaged)
            } else {
                (found.channel, Said::EndsAt(found.tail.seq))
            }
        });
        let lost = store.lost.iter().map(|(lost, _)| (*lost, Said::Damaged));
        let is_there = |uid: &ChannelUid| self.past.ledger.now(*uid).is_some();
        let said = channels.chain(lost);
        said.filter(|(uid, _)| is_there(uid)).collect()
    }
}

/// What a store says of one channel.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Said {
    Damaged,
    EndsAt(Seq),
}

/// Whether the channel is as this state says, from where its log begins.
fn fits(state: &Reference, found: &RecoveredChannel, read: &[Batch], refused: bool) -> bool {
    let start = found.log_start.seq;
    let readable = state.readable(start);
    let is_read = if refused {
        readable.starts_with(read)
    } else {
        readable == read
    };
    is_read
        && (found.is_held, found.reached) == (state.is_held, state.reached)
        && found.releases == state.releases
        && found.hard_state == state.hard_state
        && found.commit_hint == state.hint
        && found.tail == state.tail()
        && found.epochs == state.epochs(start)
}

fn in_short(state: Option<&Reference>) -> String {
    let Some(state) = state else {
        return "not there".to_owned();
    };
    let count = state.log.len();
    format!(
        "to {:?}, {count} batches, {:?}, hint {}, trim {}, epochs {:?}, held {}, reached {:?}",
        state.tail(),
        state.hard_state,
        state.hint,
        state.trim,
        state.epochs(Seq::ZERO),
        state.is_held,
        state.reached
    )
}
