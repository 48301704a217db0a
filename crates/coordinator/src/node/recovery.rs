//! What a start finds in the store: the channels, and of each the batches after its last producer
//! snapshot, from which the producers are remembered again.

use std::sync::Arc;

use tetrarch_log::RecoveredChannel;
use tetrarch_replica::Recovered;
use tetrarch_wire::{BatchHeader, ChannelUid, Seq, VoterId, batch::Control};

use crate::{
    NodeError, channel::ChannelOpening, registry::ChannelHandle, store::Reader,
    telemetry::Telemetry,
};

/// Most bytes that are read at once.
const CHUNK_BYTES: usize = 4 * 1024 * 1024;

/// Makes an opening of a channel that the store holds. Reads files: not for an async worker.
pub(super) fn opening(
    channel: RecoveredChannel,
    reader: &Reader,
    telemetry: &Telemetry,
) -> Result<ChannelOpening, NodeError> {
    let RecoveredChannel {
        channel: uid,
        name,
        genesis,
        halted,
        ..
    } = channel;
    if let Some(damage) = &halted {
        tracing::error!(channel = %name, ?damage, "bytes of the channel are damaged");
    }
    let remembered = channel
        .producers
        .as_ref()
        .map_or(channel.log_start.seq, |(seq, _)| *seq);
    let replay = if halted.is_some() {
        Vec::new()
    } else {
        headers_after(
            uid,
            remembered.max(channel.log_start.seq),
            channel.tail.seq,
            reader,
        )?
    };
    let recovered = Recovered {
        hard_state: channel.hard_state,
        log_start: channel.log_start,
        tail: channel.tail,
        epochs: channel.epochs,
        commit_hint: channel.commit_hint,
        producers: channel.producers,
        damaged: halted.is_some(),
    };
    let handle = Arc::new(ChannelHandle::new(uid, name, genesis, telemetry));
    Ok(ChannelOpening {
        handle,
        recovered,
        replay,
        stand_first: false,
    })
}

fn headers_after(
    uid: ChannelUid,
    after: Seq,
    tail: Seq,
    reader: &Reader,
) -> Result<Vec<(BatchHeader, Option<Control>)>, NodeError> {
    let mut headers = Vec::new();
    let mut next = after.next();
    while next <= tail {
        let read = reader
            .read(uid, next, CHUNK_BYTES)
            .map_err(|e| unreadable(uid, &e))?;
        let Some(last) = read.batches.last() else {
            break;
        };
        next = last.last_seq().next();
        for batch in &read.batches {
            let control = batch.control().map_err(|error| unreadable(uid, &error))?;
            headers.push((*batch.header(), control));
        }
    }
    Ok(headers)
}

fn unreadable(channel: ChannelUid, error: &dyn std::error::Error) -> NodeError {
    NodeError::Recovery {
        channel,
        why: error.to_string(),
    }
}

/// Whether `voter` votes in the channel: a channel that it does not vote in is left closed.
pub(super) fn concerns(opening: &ChannelOpening, voter: VoterId) -> bool {
    opening.handle.genesis.contains(voter)
}
