//! What a store must hold of a channel: everything that it has reported durable, and nothing else
//! but what it was given and has not reported yet.

use std::rc::Rc;

use super::available::Forks;
use tetrarch_log::{CrashDisk, Reader, RecoveredChannel, WriteOp};
use tetrarch_replica::LogWrite;
use tetrarch_wire::{Batch, ChannelUid, HardState, Link, LogPosition, Seq};

/// The durable state of one channel on one node.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    /// The election promise.
    pub(crate) hard_state: HardState,
    /// The position before the first batch.
    pub(crate) start: LogPosition,
    /// The batches. They are the same ones that replicas have issued.
    pub(crate) log: Vec<Rc<Batch>>,
    /// Up to where the front may have gone.
    pub(crate) may_be_trimmed: Seq,
    /// Whether the node has not let go of the channel.
    pub(crate) is_held: bool,
    /// How far the log went, by rank, before it did.
    pub(crate) reached: LogPosition,
    /// How often it has.
    pub(crate) releases: u64,
    /// Class `available`: what was cut off the log.
    pub(crate) forks: Forks,
    origin: LogPosition,
}

impl Expected {
    /// A channel of which nothing was written.
    #[must_use]
    pub(crate) const fn new(origin: LogPosition) -> Self {
        Self {
            hard_state: HardState::INITIAL,
            start: origin,
            log: Vec::new(),
            may_be_trimmed: Seq::ZERO,
            is_held: true,
            reached: origin,
            releases: 0,
            forks: Forks::new(),
            origin,
        }
    }

    /// Whether nothing was written to it.
    pub(crate) fn is_untouched(&self) -> bool {
        self.log.is_empty() && self.hard_state == HardState::INITIAL
    }

    /// The end of the log.
    #[must_use]
    pub(crate) fn tail(&self) -> LogPosition {
        self.log.last().map_or(self.start, |last| last.position())
    }

    /// The batch that holds `seq`.
    #[must_use]
    pub(crate) fn batch_at(&self, seq: Seq) -> Option<&Batch> {
        let index = self.log.partition_point(|batch| batch.last_seq() < seq);
        let batch = self.log.get(index)?;
        (batch.base_seq() <= seq).then_some(&**batch)
    }

    /// Whether the log holds this very position.
    #[must_use]
    pub(crate) fn holds(&self, seq: Seq, link: Link) -> bool {
        if seq <= self.start.seq {
            return seq < self.start.seq || link == self.start.link;
        }
        let batch = self.batch_at(seq);
        batch.is_some_and(|batch| batch.last_seq() == seq && batch.link() == link)
    }

    /// Whether the node has ever let go of the channel, and with it of copies that had been counted.
    pub(crate) fn has_let_go(&self) -> bool {
        self.releases > 0
    }

    /// Orders of the node's own have become durable.
    pub(crate) fn follow(&mut self, orders: &[WriteOp]) {
        orders.iter().for_each(|order| self.follow_one(order));
    }

    fn follow_one(&mut self, order: &WriteOp) {
        match order {
            WriteOp::TakeUp => self.is_held = true,
            WriteOp::Release => {
                if self.tail().rank() > self.reached.rank() {
                    self.reached = self.tail();
                }
                self.is_held = false;
                self.releases += 1;
                self.log.clear();
                self.start = self.origin;
                self.may_be_trimmed = Seq::ZERO;
            }
            // What is trimmed is seen when it is gone, and nothing is expected of what is deleted.
            WriteOp::Open { .. }
            | WriteOp::Append(_)
            | WriteOp::Truncate(_)
            | WriteOp::Begin(_)
            | WriteOp::HardState(_)
            | WriteOp::CommitHint(_)
            | WriteOp::Trim { .. }
            | WriteOp::Delete => {}
        }
    }

    /// Whether these writes fit: if not, the store refuses them.
    pub(crate) fn takes(&self, writes: &[LogWrite]) -> bool {
        if !self.is_held {
            return writes.is_empty();
        }
        let mut tail = self.tail();
        writes.iter().all(|write| match write {
            LogWrite::Append(batches) => batches.iter().all(|batch| {
                let follows = batch.follows(&tail);
                tail = batch.position();
                follows
            }),
            LogWrite::Truncate(point) => {
                tail = *point;
                self.holds(point.seq, point.link)
            }
            LogWrite::Begin(start) => {
                tail = *start;
                start.seq > self.start.seq
            }
            LogWrite::HardState(_) | LogWrite::CommitHint(_) => true,
        })
    }

    /// Some writes have become durable. Says whether limbo ends with them, which it does when the log holds
    /// a batch of an epoch that cannot be forgotten (I21).
    pub(crate) fn apply(&mut self, writes: &[LogWrite]) -> bool {
        let before = self.hard_state.limbo;
        for write in writes {
            match write {
                LogWrite::Append(batches) => {
                    for batch in batches {
                        assert!(batch.follows(&self.tail()), "{batch:?} does not follow");
                        self.log.push(Rc::new(batch.clone()));
                    }
                }
                LogWrite::Truncate(point) => {
                    while self.tail().seq > point.seq && !self.log.is_empty() {
                        self.log.pop();
                    }
                    assert_eq!(self.tail(), *point, "cut in the middle of a batch");
                }
                LogWrite::Begin(start) => {
                    self.log.clear();
                    self.start = *start;
                    self.may_be_trimmed = self.may_be_trimmed.max(start.seq);
                }
                LogWrite::HardState(promise) => self.hard_state = *promise,
                LogWrite::CommitHint(_) => {}
            }
        }
        let ended = before.filter(|_| self.hard_state.limbo.is_none());
        if let Some(limbo) = ended {
            let epoch = self.tail().epoch.n;
            assert!(
                epoch > limbo.claim,
                "I21: limbo ends with a log that ends in epoch {epoch}: {limbo:?}"
            );
        }
        ended.is_some()
    }

    /// The store has dropped the front of the log.
    pub(crate) fn trimmed(&mut self, start: LogPosition) {
        let kept = self
            .log
            .partition_point(|batch| batch.last_seq() <= start.seq);
        if kept > 0 {
            assert_eq!(
                self.log[kept - 1].position(),
                start,
                "trimmed within a batch"
            );
        }
        self.log.drain(..kept);
        self.start = start;
    }

    /// The log begins at `start` again, and holds what is committed from there on.
    pub(crate) fn untrimmed(&mut self, start: LogPosition, committed: &[Rc<Batch>]) {
        let upto = self.start;
        let back = committed
            .iter()
            .filter(|batch| batch.base_seq() > start.seq && batch.last_seq() <= upto.seq);
        self.log.splice(0..0, back.cloned());
        self.start = start;
        assert!(
            self.holds(upto.seq, upto.link),
            "only what is committed is trimmed"
        );
    }

    /// Whether a start found what is expected.
    ///
    /// # Errors
    /// What differs.
    pub(crate) fn compare(&self, found: &RecoveredChannel) -> Result<(), String> {
        let differs = |what: &str, expected: &dyn std::fmt::Debug, found: &dyn std::fmt::Debug| {
            Err(format!("{what}: expected {expected:?}, found {found:?}"))
        };
        if found.hard_state != self.hard_state {
            return differs("promise", &self.hard_state, &found.hard_state);
        }
        let expected = (self.is_held, self.reached, self.releases);
        let holding = (found.is_held, found.reached, found.releases);
        if holding != expected {
            return differs("holding", &expected, &holding);
        }
        if found.tail != self.tail() {
            return differs("tail", &self.tail(), &found.tail);
        }
        if found.log_start.seq < self.start.seq
            || found.log_start.seq > self.may_be_trimmed.max(self.start.seq)
        {
            return differs(
                "log start",
                &(self.start.seq, self.may_be_trimmed),
                &found.log_start.seq,
            );
        }
        match &found.halted {
            Some(damage) => differs("damage", &"none", damage),
            None => Ok(()),
        }
    }

    /// Whether a start found it in limbo for more than is known: an earlier one entered that, and ended
    /// before anybody was told.
    pub(crate) fn is_deeper_in_limbo(&self, found: &RecoveredChannel) -> bool {
        let known = self.hard_state.limbo.map(|limbo| limbo.claim);
        let claim = found.hard_state.limbo.map(|limbo| limbo.claim);
        claim > known
    }

    /// What a store holds that has lost a part of its write-ahead log: what it says, or `None` if its
    /// segments cannot be read either. Whatever it is, each batch continues the one before it, and so was
    /// in this very log once.
    pub(crate) fn what_is_left(
        &self,
        found: &RecoveredChannel,
        reader: &Reader<CrashDisk>,
    ) -> Option<Self> {
        let mut left = Self {
            start: found.log_start,
            log: Vec::new(),
            ..self.clone()
        };
        while left.tail().seq < found.tail.seq {
            let next = left.tail().seq.next();
            let read = reader.read(found.channel, next, 1 << 16).ok()?;
            for batch in read.batches {
                assert!(
                    batch.follows(&left.tail()),
                    "I26: {batch:?} does not follow"
                );
                left.log.push(Rc::new(batch));
            }
        }
        assert_eq!(left.tail(), found.tail, "I26: another end");
        Some(left)
    }

    /// Reads the whole log back and compares it, byte for byte (I26). What is damaged need not be
    /// readable, but what is read must be right.
    pub(crate) fn check_bytes(
        &self,
        channel: ChannelUid,
        reader: &Reader<CrashDisk>,
        is_damaged: bool,
    ) {
        let mut next = self.start.seq.next();
        let mut index = 0;
        while next <= self.tail().seq {
            let read = match reader.read(channel, next, 1 << 16) {
                Ok(read) => read,
                Err(_) if is_damaged => return,
                Err(error) => panic!("I26: {next} cannot be read: {error}"),
            };
            for batch in &read.batches {
                assert_eq!(
                    Some(batch),
                    self.log.get(index).map(|batch| &**batch),
                    "I26: other bytes at {next}"
                );
                index += 1;
                next = batch.last_seq().next();
            }
        }
    }
}
