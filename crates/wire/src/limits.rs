//! Every bound that both ends of a connection rely on.

/// Most bytes in one batch, header included.
pub const MAX_BATCH_BYTES: usize = 1024 * 1024;
/// Most events in one batch.
pub const MAX_BATCH_EVENTS: u32 = 8_192;
/// Room that a batch keeps for its own header, its origin extension and an event's framing.
pub const BATCH_OVERHEAD: usize = 256;
/// Most bytes in one event: key, headers and payload with their lengths.
pub const MAX_EVENT_BYTES: usize = MAX_BATCH_BYTES - BATCH_OVERHEAD;
/// Most headers on one event.
pub const MAX_EVENT_HEADERS: u32 = 64;

/// Bytes of a frame before its body.
pub const FRAME_HEADER_BYTES: usize = 8;
/// Most bytes in the body of a control frame.
pub const MAX_CONTROL_FRAME: usize = 64 * 1024;
/// Most bytes in the structured part that precedes raw batches in a frame.
pub const MAX_FRAME_PREAMBLE: usize = 4 * 1024;
/// Most bytes in the body of a frame that carries batches: one full batch and its preamble.
pub const MAX_DATA_FRAME: usize = MAX_BATCH_BYTES + MAX_FRAME_PREAMBLE;

/// The highest number of an epoch that is believed. Elections count from one and get nowhere near it;
/// whoever names a higher one is wrong, and would leave no number for the next.
pub const MAX_EPOCH: u64 = u64::MAX >> 1;

/// Most rows of the epoch history in a refusal or a truncation request.
pub const MAX_EPOCH_HISTORY: usize = 16;
/// Most channel rows in one beat, its acknowledgement or a page of the full table.
pub const MAX_BEAT_ROWS: usize = 512;
/// Most voters of one channel.
pub const MAX_VOTERS: usize = 9;
/// Most nodes that hold a channel while it moves: those that come and those that go.
pub const MAX_HOLDERS: usize = 2 * MAX_VOTERS;
/// Most nodes in one description of the mesh.
pub const MAX_NODES: usize = 1_024;
/// Most channels named in one request, or described in one page of an answer.
pub const MAX_CHANNEL_ROWS: usize = 1_024;
/// Most nodes that a node which stops recommends.
pub const MAX_SUCCESSORS: usize = 16;
/// Most holes in one repair request, and answers to it.
pub const MAX_REPAIR_RANGES: usize = 256;
/// Most bytes in what a start, or a replica that begins in the middle of a log, must know of the
/// part of it that it does not read.
pub const MAX_SNAPSHOT_BYTES: usize = 256 * 1024 * 1024;
/// Most forks of one channel that a node keeps: beyond it nothing more is cut off, until one is settled.
pub const MAX_FORKS: usize = 256;
/// Most epochs in the description of a fork.
pub const MAX_FORK_EPOCHS: usize = 256;
/// Most runs in which the events of one produce request stand in the log: one for each event.
pub const MAX_APPENDED_RUNS: usize = MAX_BATCH_EVENTS as usize;
/// Most bytes in the name of a channel or node.
pub const MAX_NAME_BYTES: usize = 255;
/// Most labels a node carries or a channel asks for.
pub const MAX_LABELS: usize = 32;
/// Most bytes in any other text that crosses a connection: reasons, addresses, label values.
pub const MAX_TEXT_BYTES: usize = 1_024;
/// Most batches in one frame, whatever their size.
pub const MAX_FRAME_BATCHES: usize = 8_192;
/// Most bytes in the body of a forwarded frame: a whole data frame and who sent it.
pub const MAX_FORWARD_FRAME: usize = MAX_DATA_FRAME + FRAME_HEADER_BYTES + MAX_FRAME_PREAMBLE;
