//! A replica asks where its log parts from the leader's, and iterates downward through its epochs
//! until the two agree (protocol §9.3; KIP-101, KIP-279). The high watermark plays no part in it.

use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::{
    EpochStart, LogPosition, Seq,
    frame::{ChannelMessage, FindPoint, NackCode, PointResponse},
    limits,
};

use super::{CatchUp, ReadPurpose};
use crate::{Context, Effect, HaltReason, Moment, Replica};

/// An answer is waited for twice as long after each that did not come, up to 32 times as long.
const MOST_DOUBLINGS: u32 = 5;

impl Replica {
    /// Refuses an append that does not fit, and asks where to go on. Once: whatever else arrives
    /// until that is answered is dropped.
    pub(crate) fn search_after_refusing(&mut self, code: NackCode, ctx: &mut Context<'_>) {
        if self.catch_up == CatchUp::None {
            self.refuse(code, ctx);
            self.find_point(None, ctx);
        }
    }

    /// Asks about the epochs that begin before `below`, or about all.
    fn find_point(&mut self, below: Option<Seq>, ctx: &mut Context<'_>) {
        let Some(leader) = self.following.leader else {
            return;
        };
        let tail = self.log.tail();
        let end = below.map_or(tail.seq, Seq::previous);
        let history = self.log.epochs();
        let history = history.newest_first(end, limits::MAX_EPOCH_HISTORY);
        let request = self.next_request();
        self.catch_up = CatchUp::Finding {
            request,
            oldest: history.last().map(|row| row.start),
            sent_at: ctx.now.mono,
        };
        let find = FindPoint {
            request,
            tail: self.end_named(end, history.first(), tail),
            history,
        };
        self.send(leader.leader, leader, ChannelMessage::FindPoint(find), ctx);
    }

    /// The position at `end`, as well as it is known without the disk: the leader decides by its
    /// seq and by the epochs.
    fn end_named(&self, end: Seq, newest: Option<&EpochStart>, tail: LogPosition) -> LogPosition {
        let known = self.log.position_at(end);
        known.unwrap_or_else(|| LogPosition {
            seq: end,
            epoch: newest.map_or(tail.epoch, |row| row.epoch),
            link: newest.map_or(tail.link, |row| row.link),
        })
    }

    /// The leader answers.
    pub(crate) fn on_point(&mut self, response: PointResponse, ctx: &mut Context<'_>) {
        let CatchUp::Finding {
            request, oldest, ..
        } = self.catch_up
        else {
            return;
        };
        if response.request != request || self.is_beginning() {
            return;
        }
        self.following.unanswered = 0;
        match response.point {
            Some(point) if point.seq <= self.log.tail().seq => self.compare_point(point, ctx),
            Some(_) => self.catch_up = CatchUp::None,
            None => self.ask_for_older(oldest, response.log_start, ctx),
        }
    }

    fn ask_for_older(&mut self, oldest: Option<Seq>, log_start: Seq, ctx: &mut Context<'_>) {
        match oldest {
            Some(oldest) if oldest > self.log.start().seq.next() => {
                self.find_point(Some(oldest), ctx);
            }
            Some(_) | None => self.missing_range(log_start, ctx),
        }
    }

    /// The links must be equal before anything is cut.
    fn compare_point(&mut self, point: LogPosition, ctx: &mut Context<'_>) {
        if let Some(mine) = self.log.position_at(point.seq) {
            self.decide_point(point, Some(mine), ctx);
            return;
        }
        if self.log.recent().index_of(point.seq).is_some() || point.seq < self.log.start().seq {
            self.decide_point(point, None, ctx);
            return;
        }
        self.catch_up = CatchUp::Comparing {
            since: ctx.now.mono,
        };
        self.read_log(ReadPurpose::ComparePoint { point }, point.seq, 1, ctx);
    }

    /// `mine` is the own position at the point's seq, if a batch ends there.
    pub(super) fn decide_point(
        &mut self,
        point: LogPosition,
        mine: Option<LogPosition>,
        ctx: &mut Context<'_>,
    ) {
        let is_same =
            |mine: &LogPosition| mine.link == point.link || planted(Mutant::CutWithoutComparing);
        // The own position and not the leader's words for it is what the log ends at from now on.
        if let Some(mine) = mine.filter(is_same) {
            self.forget_snapshot();
            if self.truncate(mine, ctx) {
                self.following.verify(mine);
                self.pull(ctx);
            }
            return;
        }
        // The common epoch is not common after all: older ones may be.
        let epochs = self.log.epochs().newest_first(point.seq, 1);
        let begins = epochs.first().map(|row| row.start);
        self.ask_for_older(begins, self.log.start().seq.next(), ctx);
    }

    /// The leader no longer holds what comes next here. Whoever has no vote begins where the leader's log
    /// begins; the leader knows whether this node has one.
    pub(super) fn missing_range(&mut self, leader_log_start: Seq, ctx: &mut Context<'_>) {
        if leader_log_start > self.first_held() {
            self.ask_for_snapshot(ctx);
        } else {
            self.wait(self.settings.heartbeat, ctx);
        }
    }

    /// A voter lacks what its leader does not hold. Trimming waited for it, so it has lost that, and nobody
    /// can give it again, even if its snapshot still knows why it was dropped (protocol §9.4).
    pub(super) fn missing_for_good(&mut self, leader_log_start: Seq, ctx: &mut Context<'_>) {
        let tail = self.log.tail().seq;
        // A log that has no vote yet was not waited for.
        if leader_log_start <= tail.next() || !self.is_voter() {
            self.wait(self.settings.heartbeat, ctx);
            return;
        }
        self.halt(
            HaltReason::MissingRange {
                tail,
                leader_log_start,
            },
            ctx,
        );
    }

    /// Asks again after a while.
    pub(crate) fn wait(&mut self, span: std::time::Duration, ctx: &Context<'_>) {
        self.catch_up = CatchUp::Waiting {
            until: ctx.now.mono.plus(span),
        };
    }

    /// Gives up whatever was under way: the role or the leader has changed, or the log was cut.
    pub(crate) fn forget_catch_up(&mut self) {
        self.forget_snapshot();
        self.forget_question();
    }

    fn forget_question(&mut self) {
        self.catch_up = CatchUp::None;
        if planted(Mutant::StaleComparison) {
            return;
        }
        self.reads
            .retain(|_, purpose| !matches!(purpose, ReadPurpose::ComparePoint { .. }));
    }

    /// The leader pushes from the end of this log: nothing is to be fetched any more.
    pub(crate) fn caught_up_to_push(&mut self, grew: bool) {
        match self.catch_up {
            CatchUp::None
            | CatchUp::Comparing { .. }
            | CatchUp::WaitingForDisk { .. }
            | CatchUp::Sealing { .. } => {}
            CatchUp::Finding { .. } | CatchUp::Waiting { .. } => self.catch_up = CatchUp::None,
            CatchUp::Pulling { .. } if grew => self.catch_up = CatchUp::None,
            CatchUp::Pulling { .. } | CatchUp::Receiving { .. } => {}
        }
    }

    /// When catching up wants attention next.
    pub(crate) fn catch_up_deadline(&self) -> Option<Moment> {
        let patience = self.settings.heartbeat * 2;
        // A leader whose disk is slow answers late, and an answer to an earlier request is dropped.
        let doublings = self.following.unanswered.min(MOST_DOUBLINGS);
        self.following.leader?;
        match self.catch_up {
            CatchUp::None => {
                let since = self.following.unverified_since?;
                Some(since.plus(self.settings.heartbeat))
            }
            CatchUp::Finding { sent_at, .. }
            | CatchUp::Pulling { sent_at, .. }
            | CatchUp::Receiving { sent_at, .. } => {
                Some(sent_at.plus(patience * 2_u32.pow(doublings)))
            }
            CatchUp::Comparing { since } => Some(since.plus(patience * 8)),
            CatchUp::WaitingForDisk { since } => Some(since.plus(patience)),
            CatchUp::Waiting { until } => Some(until),
            // The store answers in any case.
            CatchUp::Sealing { .. } => None,
        }
    }

    /// Begins to search if nothing of the leader was compared yet, and asks again if an answer
    /// was lost.
    pub(crate) fn check_catch_up(&mut self, ctx: &mut Context<'_>) {
        let due = self.catch_up_deadline();
        if due.is_none_or(|at| at > ctx.now.mono) {
            return;
        }
        match self.catch_up {
            CatchUp::WaitingForDisk { .. } => {
                self.catch_up = CatchUp::WaitingForDisk {
                    since: ctx.now.mono,
                };
                self.continue_pull(ctx);
            }
            CatchUp::Finding { .. } | CatchUp::Pulling { .. } | CatchUp::Receiving { .. } => {
                self.following.unanswered += 1;
                self.search_anew(ctx);
            }
            CatchUp::None | CatchUp::Comparing { .. } | CatchUp::Waiting { .. } => {
                self.search_anew(ctx);
            }
            CatchUp::Sealing { .. } => {}
        }
    }

    /// What was received of a snapshot is kept: the answer may be to go on with it.
    pub(crate) fn search_anew(&mut self, ctx: &mut Context<'_>) {
        self.forget_question();
        if self.is_beginning() {
            self.wait(self.settings.heartbeat, ctx);
            return;
        }
        self.find_point(None, ctx);
    }

    pub(crate) fn next_read(&mut self, purpose: ReadPurpose) -> crate::ReadTicket {
        self.last_read += 1;
        let ticket = crate::ReadTicket::new(self.last_read);
        self.reads.insert(ticket, purpose);
        ticket
    }

    /// Asks the shell to read the log.
    pub(crate) fn read_log(
        &mut self,
        purpose: ReadPurpose,
        from: Seq,
        max_bytes: u32,
        ctx: &mut Context<'_>,
    ) {
        let ticket = self.next_read(purpose);
        ctx.effects.push(Effect::ReadLog {
            ticket,
            from,
            max_bytes,
        });
    }
}
