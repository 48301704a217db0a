//! What a liar makes up: positions and batches that are right, nearly right, or wild. Batches are
//! well-formed always, with the checksums and links of what they claim to continue.

use bytes::Bytes;
use tetrarch_wire::{
    Batch, ChannelClass, ChannelConfig, Epoch, Event, Link, LogPosition, MinCopies, ProducerEpoch,
    ProducerId, ProducerSeq, Seq, VoterId,
    batch::{BatchDraft, BatchKind, Control, EventBlock},
    checksum,
};

use super::{Cursor, cast, disk::Log};

/// Batches that were made up are continued by others, so that lies agree with each other.
const REMEMBERED: usize = 48;

/// What the liars have said so far.
#[derive(Default)]
pub(crate) struct Forgery {
    batches: Vec<Batch>,
}

impl Forgery {
    /// Somewhere in the honest replica's log, or near it, or nowhere.
    pub(crate) fn position(&self, log: &Log, cursor: &mut Cursor<'_>) -> LogPosition {
        let right = match cursor.byte() {
            0..=119 => log.tail(),
            120..=159 => in_log(log, cursor),
            160..=179 => log.origin,
            _ => match self.batches.get(cursor.below(REMEMBERED)) {
                Some(batch) => batch.position(),
                None => in_log(log, cursor),
            },
        };
        match cursor.byte() {
            0..=199 => right,
            200..=214 => LogPosition {
                link: Link::from_bytes([cursor.byte(); 16]),
                ..right
            },
            215..=229 => LogPosition {
                epoch: Epoch::new(cursor.number(), right.epoch.leader),
                ..right
            },
            230..=244 => LogPosition {
                seq: [right.seq.next(), right.seq.previous()][cursor.below(2)],
                ..right
            },
            245..=255 => LogPosition {
                seq: Seq::new(cursor.number()),
                epoch: Epoch::new(cursor.number(), VoterId::NONE),
                link: Link::from_bytes([cursor.byte(); 16]),
            },
        }
    }

    /// A few batches that continue `previous` and say that they are of `epoch`, or of another.
    pub(crate) fn batches(
        &mut self,
        previous: LogPosition,
        epoch: Epoch,
        cursor: &mut Cursor<'_>,
    ) -> Vec<Batch> {
        let mut end = previous;
        let mut batches = Vec::new();
        for _ in 0..cursor.pick(&[1, 2, 0, 3, 1]) {
            let epoch = epoch_of_batch(epoch, end, cursor);
            let drafted = draft(cursor).seal(&end, epoch, 0);
            let is_unbuilt = drafted.kind() == BatchKind::Noop && cursor.happens(32);
            let Some(batch) = arrived(&drafted, &end, is_unbuilt) else {
                break;
            };
            end = batch.position();
            self.remember(batch.clone());
            batches.push(batch);
        }
        match cursor.byte() {
            240..=247 if batches.len() > 1 => batches.swap(0, 1),
            248..=255 if !batches.is_empty() => batches.push(batches[0].clone()),
            _ => {}
        }
        batches
    }

    fn remember(&mut self, batch: Batch) {
        if self.batches.len() == REMEMBERED {
            self.batches.remove(0);
        }
        self.batches.push(batch);
    }
}

/// The batch as it arrives, or one like it of a kind whose meaning nobody knows yet; `None` if no
/// decoder lets it through.
fn arrived(batch: &Batch, previous: &LogPosition, is_unbuilt: bool) -> Option<Batch> {
    let mut bytes: Vec<u8> = batch.chunks().into_iter().flatten().copied().collect();
    if is_unbuilt {
        bytes[5] = BatchKind::ForkRef as u8;
        let link = previous.link.extend(&bytes[..88]);
        bytes[88..104].copy_from_slice(link.as_bytes());
        let crc = checksum::crc32c(&bytes[..104]);
        bytes[104..108].copy_from_slice(&crc.to_le_bytes());
    }
    Batch::decode_exact(bytes.into()).ok()
}

fn in_log(log: &Log, cursor: &mut Cursor<'_>) -> LogPosition {
    let back = cursor.below(8);
    let mut newest_first = log.batches.iter().rev();
    newest_first.nth(back).map_or(log.origin, Batch::position)
}

fn epoch_of_batch(epoch: Epoch, end: LogPosition, cursor: &mut Cursor<'_>) -> Epoch {
    match cursor.byte() {
        0..=219 => epoch.max(end.epoch),
        220..=235 => end.epoch,
        236..=247 => Epoch::new(epoch.n.saturating_add(1), epoch.leader),
        248..=255 => Epoch::new(cursor.number(), epoch.leader),
    }
}

/// Any batch that a decoder lets through.
fn draft(cursor: &mut Cursor<'_>) -> BatchDraft {
    let control = match cursor.byte() {
        0..=159 => return events(cursor),
        160..=189 => Control::Noop {
            count: 1 + u32::from(cursor.byte()),
        },
        190..=214 => Control::EpochStart {
            observed_prev_high: Seq::new(cursor.number()),
        },
        215..=229 => Control::TrimPoint {
            upto: Seq::new(cursor.number()),
        },
        230..=239 => Control::ProducerExpire {
            producers: vec![ProducerId::from_bytes([cursor.byte() % 4; 16])],
        },
        240..=249 => Control::Config(config(cursor)),
        250..=255 => Control::Delete,
    };
    BatchDraft::control(&control)
}

fn config(cursor: &mut Cursor<'_>) -> ChannelConfig {
    let voters = (1..=8).filter(|_| cursor.happens(128)).map(cast::voter);
    let voters = voters.chain([cast::voter(10)]).collect();
    let class = cursor.pick(&[
        ChannelClass::Quorum,
        ChannelClass::Available(MinCopies::ONE),
    ]);
    ChannelConfig::genesis(class, voters).expect("at most nine different voters are a genesis")
}

fn events(cursor: &mut Cursor<'_>) -> BatchDraft {
    let producer = ProducerId::from_bytes([cursor.byte() % 5; 16]);
    let base = match cursor.byte() {
        small @ 0..=249 => u64::from(small % 8),
        _ => cursor.number(),
    };
    BatchDraft::data(
        producer,
        ProducerEpoch::new(u32::from(cursor.byte() % 3)),
        ProducerSeq::new(base),
        block(cursor),
    )
}

/// A few small events.
pub(crate) fn block(cursor: &mut Cursor<'_>) -> EventBlock {
    let mut events = EventBlock::builder();
    let payload = Bytes::from(vec![7; cursor.pick(&[5, 40, 200])]);
    for _ in 0..=cursor.below(3) {
        let pushed = events.push(&Event::new(payload.clone()));
        pushed.expect("a small event fits");
    }
    events.finish()
}
