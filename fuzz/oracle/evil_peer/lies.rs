//! Any message in any epoch from anybody: what an honest peer would say just now most often, and
//! everything else that such a frame can carry as well.

use tetrarch_wire::{
    Epoch, EpochStart, Seq, VoterId,
    frame::{
        Append, AppendAck, AppendNack, ChannelMessage, DiskLevel, FindPoint, NackCode,
        PointResponse, RefusalReason, SyncChunk, SyncClass, SyncNack, SyncNackCode, SyncRequest,
        TransferNow, VoteKind, VoteRequest, VoteResponse,
    },
};

use super::{Cursor, cast::Cast, disk::Log, forgery::Forgery, unbuilt};

/// What the liars know of the honest replica: enough for a right answer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Overheard {
    /// Number of the highest epoch that it has seen.
    pub(crate) seen: u64,
    /// The epoch that it leads.
    pub(crate) leads: Option<Epoch>,
    /// The epoch whose leader it follows.
    pub(crate) follows: Option<Epoch>,
    pub(crate) commit: Seq,
    /// What it asked for in its latest round, and in which epoch.
    pub(crate) round: Option<(VoteKind, Epoch)>,
    /// The number of its latest request.
    pub(crate) request: u64,
    /// What that asked for.
    pub(crate) wants: Wants,
}

/// What a replica that gets back into step has asked its leader for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Wants {
    #[default]
    Nothing,
    Point,
    Batches,
    Snapshot,
}

/// A message, who says it, and in which epoch.
pub(crate) type Lie = (VoterId, Epoch, ChannelMessage);

/// Those who lie.
pub(crate) struct Liars<'a> {
    pub(crate) cast: &'a Cast,
    pub(crate) log: &'a Log,
    pub(crate) forgery: &'a mut Forgery,
    pub(crate) known: Overheard,
}

impl Liars<'_> {
    /// Says something.
    pub(crate) fn say(&mut self, cursor: &mut Cursor<'_>) -> Lie {
        let from = self.cast.somebody(cursor);
        match cursor.byte() {
            // Whoever claims to lead ends the replica's own leadership, so that is rarer.
            0..=89 if self.known.leads.is_some() => self.as_follower(from, cursor),
            0..=99 => self.as_leader(from, cursor),
            100..=169 => self.as_follower(from, cursor),
            170..=209 => self.as_candidate(from, cursor),
            210..=243 => self.as_voter(from, cursor),
            244..=255 => {
                let epoch = self.epoch_of_leader(from, cursor);
                (from, epoch, unbuilt::message(cursor))
            }
        }
    }

    fn as_leader(&mut self, from: VoterId, cursor: &mut Cursor<'_>) -> Lie {
        let from = match self.known.follows {
            Some(epoch) if cursor.byte() < 200 => epoch.leader,
            _ => from,
        };
        let epoch = self.epoch_of_leader(from, cursor);
        let message = match (self.known.wants, cursor.byte()) {
            (Wants::Point, 0..=99) | (_, 185..=219) => self.point(cursor),
            (Wants::Batches, 0..=99) | (_, 150..=184) => self.chunk(epoch, cursor),
            (Wants::Snapshot, 0..=99) => self.no_snapshot(cursor),
            (_, 0..=149) => self.append(epoch, cursor),
            (_, 220..=234) => self.refusal(cursor),
            (_, 235..=255) => ChannelMessage::TransferNow(TransferNow {
                must_have: self.seq(self.log.tail().seq, cursor),
            }),
        };
        (from, epoch, message)
    }

    /// Whoever asks has a vote, it says, and so should hold what is gone here.
    fn no_snapshot(&mut self, cursor: &mut Cursor<'_>) -> ChannelMessage {
        ChannelMessage::SyncNack(SyncNack {
            request: self.request(cursor),
            code: SyncNackCode::Trimmed,
            log_start: Seq::new(cursor.number()),
            retry_after_ms: 0,
        })
    }

    fn refusal(&mut self, cursor: &mut Cursor<'_>) -> ChannelMessage {
        ChannelMessage::SyncNack(SyncNack {
            request: self.request(cursor),
            code: cursor.pick(&[
                SyncNackCode::Busy,
                SyncNackCode::Diverged,
                SyncNackCode::Trimmed,
                SyncNackCode::NotLeader,
                SyncNackCode::Unreadable,
            ]),
            log_start: self.seq(self.log.origin.seq, cursor),
            retry_after_ms: u32::from(cursor.byte()) << (cursor.byte() % 24),
        })
    }

    fn append(&mut self, epoch: Epoch, cursor: &mut Cursor<'_>) -> ChannelMessage {
        let previous = self.forgery.position(self.log, cursor);
        let batches = match cursor.byte() {
            0..=29 => self.honest_batches(previous.seq, cursor),
            _ => self.forgery.batches(previous, epoch, cursor),
        };
        ChannelMessage::Append(Append {
            previous,
            commit: self.seq(self.log.tail().seq, cursor),
            config_seq: Seq::new(u64::from(cursor.happens(16))),
            batches,
        })
    }

    fn point(&mut self, cursor: &mut Cursor<'_>) -> ChannelMessage {
        ChannelMessage::PointResponse(PointResponse {
            request: self.request(cursor),
            point: (cursor.byte() < 230).then(|| self.forgery.position(self.log, cursor)),
            log_start: Seq::new(cursor.number()),
        })
    }

    fn chunk(&mut self, epoch: Epoch, cursor: &mut Cursor<'_>) -> ChannelMessage {
        let request = self.request(cursor);
        let previous = self.forgery.position(self.log, cursor);
        ChannelMessage::SyncChunk(SyncChunk {
            request,
            log_start: Seq::FIRST,
            commit: self.seq(self.log.tail().seq, cursor),
            at_end: cursor.happens(100),
            batches: self.forgery.batches(previous, epoch, cursor),
        })
    }

    /// What the honest replica holds itself, once more.
    fn honest_batches(&self, after: Seq, cursor: &mut Cursor<'_>) -> Vec<tetrarch_wire::Batch> {
        let index = self.log.index_of(after.next());
        let batches = self.log.batches.iter().skip(index);
        batches.take(1 + cursor.below(4)).cloned().collect()
    }

    fn as_follower(&mut self, from: VoterId, cursor: &mut Cursor<'_>) -> Lie {
        let right = self.known.leads.or(self.known.follows);
        let epoch = self.epoch(right.unwrap_or(Epoch::new(self.known.seen, from)), cursor);
        let message = match cursor.byte() {
            0..=169 => {
                let at = self.forgery.position(self.log, cursor);
                ChannelMessage::AppendAck(AppendAck {
                    durable: at.seq,
                    durable_link: at.link,
                    ack_generation: u64::from(cursor.happens(16)) * cursor.number(),
                    credit: 0,
                    disk_level: DiskLevel::Green,
                })
            }
            170..=194 => ChannelMessage::AppendNack(AppendNack {
                code: cursor.pick(&[
                    NackCode::Gap,
                    NackCode::Diverged,
                    NackCode::DiskPressure,
                    NackCode::Busy,
                    NackCode::Stale,
                    NackCode::Limbo,
                ]),
                tail: self.forgery.position(self.log, cursor),
                history: self.history(cursor),
            }),
            195..=224 => ChannelMessage::FindPoint(FindPoint {
                request: cursor.number(),
                tail: self.forgery.position(self.log, cursor),
                history: self.history(cursor),
            }),
            225..=255 => ChannelMessage::SyncRequest(SyncRequest {
                request: cursor.number(),
                previous: self.forgery.position(self.log, cursor),
                max_bytes: u32::from(cursor.byte()) << (cursor.byte() % 24),
                class: SyncClass::Foreground,
            }),
        };
        (from, epoch, message)
    }

    fn as_candidate(&mut self, from: VoterId, cursor: &mut Cursor<'_>) -> Lie {
        let epoch = self.epoch(Epoch::new(self.known.seen.saturating_add(1), from), cursor);
        let request = VoteRequest {
            kind: cursor.pick(&[VoteKind::Vote, VoteKind::Pre, VoteKind::Transfer]),
            candidate: if cursor.happens(24) {
                self.cast.somebody(cursor)
            } else {
                from
            },
            last: self.forgery.position(self.log, cursor),
            config_seq: Seq::new(u64::from(cursor.happens(32)) * 1_000),
        };
        (from, epoch, ChannelMessage::VoteRequest(request))
    }

    fn as_voter(&mut self, from: VoterId, cursor: &mut Cursor<'_>) -> Lie {
        let asked = self.known.round;
        let (kind, right) = asked.unwrap_or((VoteKind::Pre, Epoch::new(1, self.cast.me)));
        let epoch = self.epoch(right, cursor);
        let response = VoteResponse {
            kind: if cursor.happens(24) {
                cursor.pick(&[VoteKind::Pre, VoteKind::Vote, VoteKind::Transfer])
            } else {
                kind
            },
            voter: if cursor.happens(24) {
                self.cast.somebody(cursor)
            } else {
                from
            },
            refusal: cursor.happens(64).then(|| {
                cursor.pick(&[
                    RefusalReason::Stale,
                    RefusalReason::Voted,
                    RefusalReason::Log,
                    RefusalReason::LeaderAlive,
                    RefusalReason::NotVoter,
                ])
            }),
            epoch_seen: if cursor.happens(48) {
                self.epoch(right, cursor)
            } else {
                Epoch::new(right.n, VoterId::NONE)
            },
            last: self.forgery.position(self.log, cursor),
            leader: None,
            heard: u16::from(cursor.byte()),
        };
        (from, epoch, ChannelMessage::VoteResponse(response))
    }

    /// Epochs as if they had begun where batches of the log end, or anywhere.
    fn history(&self, cursor: &mut Cursor<'_>) -> Vec<EpochStart> {
        let count = cursor.pick(&[0, 1, 2, 4, 16]);
        let row = |cursor: &mut Cursor<'_>| {
            let at = self.forgery.position(self.log, cursor);
            EpochStart {
                epoch: at.epoch,
                start: at.seq,
                link: at.link,
            }
        };
        (0..count).map(|_| row(cursor)).collect()
    }

    fn epoch_of_leader(&self, from: VoterId, cursor: &mut Cursor<'_>) -> Epoch {
        let next = Epoch::new(self.known.seen.saturating_add(1), from);
        let follows = self.known.follows.filter(|epoch| epoch.leader == from);
        let right = match cursor.byte() {
            0..=229 => follows.unwrap_or(next),
            _ => next,
        };
        self.epoch(right, cursor)
    }

    /// The right one most often; else one that is too high, too low, or another's.
    fn epoch(&self, right: Epoch, cursor: &mut Cursor<'_>) -> Epoch {
        match cursor.byte() {
            0..=219 => right,
            220..=227 => Epoch::new(right.n.saturating_add(1), right.leader),
            228..=235 => Epoch::new(right.n.saturating_sub(1), right.leader),
            236..=243 => Epoch::new(right.n, self.cast.somebody(cursor)),
            244..=249 => Epoch::new(self.known.seen, right.leader),
            250..=255 => Epoch::new(cursor.number(), right.leader),
        }
    }

    pub(crate) fn seq(&self, right: Seq, cursor: &mut Cursor<'_>) -> Seq {
        match cursor.byte() {
            0..=119 => right,
            120..=169 => self.known.commit,
            170..=219 => right.previous(),
            220..=239 => right.next(),
            240..=255 => Seq::new(cursor.number()),
        }
    }

    fn request(&self, cursor: &mut Cursor<'_>) -> u64 {
        if cursor.happens(32) {
            cursor.number()
        } else {
            self.known.request
        }
    }
}
