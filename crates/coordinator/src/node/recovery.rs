//! What a start finds in the store: the channels, and of each the batches after its last producer
//! snapshot, from which the producers are remembered again.

use std::sync::Arc;

use tetrarch_log::{Damage, ReadError, RecoveredChannel};
use tetrarch_replica::Recovered;
use tetrarch_wire::{BatchHeader, ChannelUid, Seq, batch::Control};

use crate::{
    NodeError,
    channel::{ChannelOpening, report_of},
    registry::ChannelHandle,
    store::Reader,
    telemetry::Telemetry,
};

/// Most bytes that are read at once.
const CHUNK_BYTES: usize = 4 * 1024 * 1024;

/// Makes an opening of a channel that the store holds. Where its bytes are damaged it is halted,
/// and the node's other channels go on. Reads files: not for an async worker.
pub(crate) fn opening(
    channel: RecoveredChannel,
    reader: &Reader,
    telemetry: &Telemetry,
) -> Result<ChannelOpening, NodeError> {
    let RecoveredChannel {
        channel: uid,
        name,
        genesis,
        halted,
        doubt,
        ..
    } = channel;
    let remembered = channel
        .snapshot
        .as_ref()
        .map_or(channel.log_start.seq, |(seq, _)| *seq);
    let after = remembered.max(channel.log_start.seq);
    let read = match halted {
        Some(damage) => Err(damage),
        None => headers_after(uid, after, channel.tail.seq, reader)?,
    };
    if let Err(damage) = &read {
        tracing::error!(channel = %name, ?damage, "bytes of the channel are damaged");
    }
    if let Some(damage) = &doubt {
        tracing::warn!(
            channel = %name,
            %damage,
            "something of the channel may be missing: it does not vote before it is whole again"
        );
    }
    let recovered = Recovered {
        hard_state: channel.hard_state,
        log_start: channel.log_start,
        tail: channel.tail,
        epochs: channel.epochs,
        commit_hint: channel.commit_hint,
        snapshot: channel.snapshot,
        damaged: read.is_err(),
        reached: channel.reached,
        releases: channel.releases,
        forks: reader.forks(uid).iter().map(report_of).collect(),
    };
    let handle = ChannelHandle::new(uid, name, genesis, telemetry);
    let handle = Arc::new(handle.doubted(doubt.map(|damage| damage.to_string())));
    Ok(ChannelOpening {
        handle,
        recovered,
        replay: read.unwrap_or_default(),
        stand_first: false,
    })
}

/// What is replayed of one batch.
type Header = (BatchHeader, Option<Control>);

/// The headers of all batches after a seq, or the damage that stands in the way.
fn headers_after(
    uid: ChannelUid,
    after: Seq,
    tail: Seq,
    reader: &Reader,
) -> Result<Result<Vec<Header>, Damage>, NodeError> {
    let mut headers = Vec::new();
    let mut next = after.next();
    while next <= tail {
        let read = match reader.read(uid, next, CHUNK_BYTES) {
            Ok(read) => read,
            Err(ReadError::Corrupt(damage) | ReadError::Damaged(damage)) => return Ok(Err(damage)),
            Err(error) => return Err(unreadable(uid, &error)),
        };
        let Some(last) = read.batches.last() else {
            break;
        };
        next = last.last_seq().next();
        for batch in &read.batches {
            let control = batch.control().map_err(|error| unreadable(uid, &error))?;
            headers.push((*batch.header(), control));
        }
    }
    Ok(Ok(headers))
}

fn unreadable(channel: ChannelUid, error: &dyn std::error::Error) -> NodeError {
    NodeError::Recovery {
        channel,
        why: error.to_string(),
    }
}
