//! What a leader knows of one replica: how far it has it durably, what is on its way to it, and
//! when it was last heard.

use std::{collections::VecDeque, time::Duration};

use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::{Link, LogPosition, Seq, frame::DiskLevel};

use crate::{Moment, pressure::is_withdrawing};

/// How batches get to a replica at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// They are pushed as they are made, from the position `next` on.
    Push,
    /// Where its log stands is not known, or it pulls: only probes are sent.
    Search,
}

/// An append on its way.
#[derive(Clone, Copy, Debug)]
struct Sent {
    end: LogPosition,
    bytes: usize,
    batches: usize,
    at: Moment,
}

/// One replica, seen from the leader.
#[derive(Debug)]
pub(crate) struct Follower {
    pub(crate) flow: Flow,
    /// The end of what was sent.
    pub(crate) next: LogPosition,
    /// Durable there, and verified by its link to be this log.
    pub(crate) acked: Seq,
    ack_generation: u64,
    in_flight: VecDeque<Sent>,
    in_flight_bytes: usize,
    in_flight_batches: usize,
    /// When the probe was sent that has not been answered.
    pub(crate) probe: Option<Moment>,
    /// When it was probed last.
    probed: Moment,
    /// The commit position that it was told last.
    pub(crate) told_commit: Seq,
    /// When it last showed progress, or was last asked for it.
    pub(crate) progress: Moment,
    /// It follows this leader, by what was sent to it at this time and acknowledged since.
    pub(crate) contact: Moment,
    /// The same, by beats alone: what a linearizable read may rely on.
    pub(crate) beat_acked: Option<Moment>,
    pub(crate) connected: bool,
    /// How full its disk is, as it said last.
    pub(crate) disk: DiskLevel,
    /// Since when it holds less than the leader.
    pub(crate) behind_since: Option<Moment>,
    /// The end of the last chunk that it pulled: the next pull needs no comparison.
    pub(crate) served: Option<LogPosition>,
    /// What a learner has to receive until its round is complete, and when that began.
    round: Option<(Seq, Moment)>,
}

impl Follower {
    pub(crate) fn new(next: LogPosition, now: Moment) -> Self {
        Self {
            flow: Flow::Push,
            next,
            acked: Seq::ZERO,
            ack_generation: 0,
            in_flight: VecDeque::new(),
            in_flight_bytes: 0,
            in_flight_batches: 0,
            probe: None,
            probed: now,
            told_commit: Seq::ZERO,
            progress: now,
            contact: now,
            beat_acked: None,
            connected: true,
            disk: DiskLevel::Green,
            behind_since: None,
            served: None,
            round: None,
        }
    }

    /// Whether more may be pushed.
    pub(crate) fn has_room(&self, window_bytes: usize, window_batches: usize) -> bool {
        self.in_flight_bytes < window_bytes && self.in_flight_batches < window_batches
    }

    pub(crate) fn has_in_flight(&self) -> bool {
        !self.in_flight.is_empty()
    }

    /// Batches up to `end` were sent.
    pub(crate) fn sent(&mut self, end: LogPosition, bytes: usize, batches: usize, at: Moment) {
        if self.in_flight.is_empty() {
            self.progress = at;
        }
        self.next = end;
        self.in_flight_bytes += bytes;
        self.in_flight_batches += batches;
        self.in_flight.push_back(Sent {
            end,
            bytes,
            batches,
            at,
        });
        self.behind_since.get_or_insert(at);
    }

    /// Stops pushing until its log is known again.
    pub(crate) fn search(&mut self, now: Moment) {
        self.flow = Flow::Search;
        self.forget_in_flight();
        self.probe = None;
        self.progress = now;
    }

    /// Pushes from `from` on.
    pub(crate) fn push_from(&mut self, from: LogPosition) {
        self.flow = Flow::Push;
        self.next = from;
        self.forget_in_flight();
    }

    /// It is asked where it stands.
    pub(crate) fn asked(&mut self, commit: Seq, now: Moment) {
        self.probe = Some(now);
        self.probed = now;
        self.told_commit = commit;
    }

    fn forget_in_flight(&mut self) {
        self.in_flight.clear();
        self.in_flight_bytes = 0;
        self.in_flight_batches = 0;
    }

    /// Acknowledgements under an older generation count no more; a newer one starts over
    /// (protocol §11.4).
    pub(crate) fn accepts_generation(&mut self, generation: u64) -> bool {
        if generation > self.ack_generation {
            self.ack_generation = generation;
            self.acked = Seq::ZERO;
        }
        generation == self.ack_generation
    }

    /// It answered in this epoch: any probe is settled, and what lies at or before `durable` has
    /// arrived. `link` is this log's link there, if it is known.
    pub(crate) fn answered(&mut self, durable: Seq, now: Moment) {
        if let Some(sent_at) = self.probe.take() {
            self.contact = self.contact.max(sent_at);
        }
        while self.in_flight.front().is_some_and(|s| s.end.seq <= durable) {
            if let Some(sent) = self.in_flight.pop_front() {
                if !planted(Mutant::WindowNotGivenBack) {
                    self.in_flight_bytes -= sent.bytes;
                    self.in_flight_batches -= sent.batches;
                }
                self.contact = self.contact.max(sent.at);
                self.progress = now;
            }
        }
    }

    /// It holds this log durably up to `durable`.
    pub(crate) fn holds(&mut self, durable: Seq, tail: Seq, now: Moment) {
        if durable > self.acked {
            self.acked = durable;
            self.progress = now;
        }
        if self.acked >= tail {
            self.behind_since = None;
        } else {
            self.behind_since.get_or_insert(now);
        }
    }

    /// Whether it holds what the log held when its round began, and it took no longer than `within`;
    /// else another round begins when one is complete.
    pub(crate) fn completes_round(&mut self, tail: Seq, now: Moment, within: Duration) -> bool {
        match self.round {
            Some((upto, _)) if self.acked < upto => false,
            Some((_, begun)) if now.since(begun) <= within && self.connected => true,
            Some(_) | None => {
                self.round = Some((tail, now));
                false
            }
        }
    }

    /// The link of this log at `seq`, if something sent to it ended there.
    pub(crate) fn sent_link_at(&self, seq: Seq) -> Option<Link> {
        let sent = self.in_flight.iter().map(|sent| sent.end);
        let mut ends = sent.chain([self.next]).chain(self.served);
        let end = ends.find(|end| end.seq == seq)?;
        Some(end.link)
    }

    /// Whether the chunk that it pulled last ended here.
    pub(crate) fn was_served(&self, seq: Seq, link: Link) -> bool {
        self.served
            .is_some_and(|end| (end.seq, end.link) == (seq, link))
    }

    /// Whether an answer is owed: it is not known to hold durably all that it was sent, or it has
    /// withdrawn, and nobody else says when it is back. What fills the window is asked about even if
    /// it was acknowledged before it was sent: nobody acknowledges the answer to a late question.
    pub(crate) fn owes_answer(&self, commit: Seq) -> bool {
        self.flow == Flow::Search
            || is_withdrawing(self.disk)
            || self.has_in_flight()
            || self.acked < self.next.seq
            || self.probe.is_some()
            || self.told_commit < commit
    }

    /// Since when it owes the answer. An answer that shows no progress does not make it owe another
    /// one at once.
    pub(crate) fn waiting_since(&self) -> Moment {
        self.probed.max(self.progress)
    }
}
