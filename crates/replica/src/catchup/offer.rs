//! The leader gives what came of the batches that it has dropped, part by part, to replicas that lack
//! them (protocol §9.4).

use std::time::Duration;

use bytes::Bytes;
use tetrarch_wire::{
    ChannelConfig, LogPosition, Seq, VoterId,
    checksum::crc32c,
    frame::{ChannelMessage, SnapshotChunk, SnapshotHeader, SnapshotRequest, SyncNackCode},
    limits,
};

use crate::{Context, Moment, Replica};

/// A snapshot that nobody has asked for in so many heartbeats is let go.
const KEPT_FOR: u32 = 64;

/// The snapshot that is being given: all of its parts are of one.
#[derive(Debug)]
pub(crate) struct Offer {
    of: SnapshotHeader,
    /// Who votes, it says.
    config: ChannelConfig,
    bytes: Bytes,
    asked_at: Moment,
}

impl Offer {
    /// Whether it is of use to `who`, which may have asked for `asked`: to whoever goes on with it, and as
    /// long as the log begins at `start` to anybody, or two who each ask for another one would have it
    /// made anew for ever. Not to one that it names as a voter.
    fn is_for(&self, who: VoterId, asked: Option<SnapshotHeader>, start: LogPosition) -> bool {
        let fits = asked == Some(self.of) || self.of.start == start;
        fits && !self.config.contains(who)
    }

    /// Whether nobody has asked for it for so long that it is better made anew.
    fn is_stale(&self, now: Moment, heartbeat: Duration) -> bool {
        now.since(self.asked_at) > heartbeat * KEPT_FOR
    }
}

impl Replica {
    /// A replica that lacks what was dropped here asks for what came of it.
    pub(crate) fn on_snapshot_request(
        &mut self,
        from: VoterId,
        ask: SnapshotRequest,
        ctx: &mut Context<'_>,
    ) {
        let now = ctx.now.mono;
        if let Some(follower) = self.follower_mut(from) {
            follower.connected = true;
            follower.search(now);
        }
        let of = match self.offered(from, ask.of, now) {
            Ok(of) => of,
            Err(code) => {
                self.refuse_pull(from, ask.request, code, ctx);
                return;
            }
        };
        let most = self.settings.frame_bytes.min(limits::MAX_BATCH_BYTES);
        let epoch = self.epoch_seen();
        let Some(offer) = self.leadership.as_mut().and_then(|l| l.offer.as_mut()) else {
            return;
        };
        offer.asked_at = now;
        let offset = if ask.of == Some(of) { ask.offset } else { 0 };
        let from_byte = usize::try_from(offset).unwrap_or(usize::MAX);
        let from_byte = from_byte.min(offer.bytes.len());
        let to_byte = offer.bytes.len().min(from_byte + most);
        let chunk = SnapshotChunk {
            request: ask.request,
            of,
            offset: from_byte as u64,
            bytes: offer.bytes.slice(from_byte..to_byte),
        };
        self.send(from, epoch, ChannelMessage::SnapshotChunk(chunk), ctx);
    }

    /// The snapshot to be given: the one that is asked for if it is still kept, else one as of now.
    ///
    /// # Errors
    /// `Busy` while the own commit position is worth nothing, if nothing was dropped, or to a node whose
    /// removal is not committed yet; `Trimmed` to a voter, which must have all of the log.
    fn offered(
        &mut self,
        to: VoterId,
        asked: Option<SnapshotHeader>,
        now: Moment,
    ) -> Result<SnapshotHeader, SyncNackCode> {
        let leadership = self.leadership.as_deref().ok_or(SyncNackCode::NotLeader)?;
        let is_current = self.commit >= leadership.start;
        let start = self.log.start();
        if !is_current || start.seq == Seq::ZERO {
            return Err(SyncNackCode::Busy);
        }
        if self.config().contains(to) {
            return Err(SyncNackCode::Trimmed);
        }
        let kept = leadership.offer.as_ref();
        if let Some(kept) = kept.filter(|kept| kept.is_for(to, asked, start)) {
            return Ok(kept.of);
        }
        let (seq, bytes) = self.snapshot();
        let config = self.controls.config_at(seq).clone();
        if config.contains(to) || bytes.len() > limits::MAX_SNAPSHOT_BYTES {
            return Err(SyncNackCode::Busy);
        }
        let of = SnapshotHeader {
            start,
            seq,
            len: bytes.len() as u64,
            checksum: crc32c(&bytes),
        };
        let leadership = self.leadership.as_mut().ok_or(SyncNackCode::NotLeader)?;
        leadership.offer = Some(Offer {
            of,
            config,
            bytes,
            asked_at: now,
        });
        Ok(of)
    }

    /// Part of each tick of a leader.
    pub(crate) fn let_go_of_offer(&mut self, now: Moment) {
        let heartbeat = self.settings.heartbeat;
        if let Some(leadership) = &mut self.leadership {
            leadership
                .offer
                .take_if(|offer| offer.is_stale(now, heartbeat));
        }
    }
}
