//! Frames to one peer on one track that wait to be written. Senders encode into the queue and
//! never wait: a frame that finds it full, or no connection, is dropped and the reason returned.
//! One writer at a time takes everything that has gathered, so frames coalesce while it writes.

use std::{
    future::poll_fn,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use tetrarch_wire::{
    Frame,
    frame::{FrameBuffer, FrameType},
};

/// Numbers the connections of this process, so that only the writer of the current one takes
/// frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LinkNumber(pub(super) u64);

/// Why a frame was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DropReason {
    /// There is no connection.
    NoConnection,
    /// There is no such peer.
    UnknownPeer,
    /// As much is waiting as may.
    QueueFull,
    /// The frame exceeds the limit of its type.
    TooLarge,
    /// The lane does not carry such frames.
    WrongLane,
    /// The connection was lost before the frame was written.
    ConnectionLost,
}

impl DropReason {
    /// The word that the counter has for it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::NoConnection => "no_connection",
            Self::UnknownPeer => "unknown_peer",
            Self::QueueFull => "queue_full",
            Self::TooLarge => "too_large",
            Self::WrongLane => "wrong_lane",
            Self::ConnectionLost => "connection_lost",
        }
    }
}

/// Encoded frames that a writer took.
#[derive(Debug)]
pub(super) struct Load {
    /// The bytes, in order.
    pub(super) pieces: Vec<Bytes>,
    /// What the frames are, in order.
    pub(super) frames: Vec<FrameType>,
    /// Bytes of all pieces.
    pub(super) size: usize,
}

/// The queue of one track.
#[derive(Debug)]
pub(super) struct Outbox {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Whose writer takes frames; without one nothing is queued.
    owner: Option<LinkNumber>,
    /// No frame is added any more.
    sealed: bool,
    queued: FrameBuffer,
    frames: Vec<FrameType>,
    /// Bytes that the owner took and has not written yet.
    writing: usize,
    writer: Option<Waker>,
}

impl Outbox {
    /// An empty queue for about `limit` bytes: a frame is accepted while fewer wait.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            state: Mutex::default(),
        }
    }

    /// Queues a frame.
    pub(super) fn push(&self, frame: &Frame) -> Result<(), DropReason> {
        let mut state = self.lock();
        if state.owner.is_none() || state.sealed {
            return Err(DropReason::NoConnection);
        }
        if state.queued.size() + state.writing >= self.limit {
            return Err(DropReason::QueueFull);
        }
        frame
            .encode(&mut state.queued)
            .map_err(|_| DropReason::TooLarge)?;
        state.frames.push(frame.frame_type());
        let writer = state.writer.take();
        drop(state);
        wake(writer);
        Ok(())
    }

    /// Gives the queue, with all that is in it, to the writer of another connection.
    pub(super) fn assign(&self, owner: LinkNumber) {
        let mut state = self.lock();
        state.owner = Some(owner);
        state.sealed = false;
        state.writing = 0;
        let writer = state.writer.take();
        drop(state);
        wake(writer);
    }

    /// Lets the writer of `owner` finish what is queued, and nothing after it.
    pub(super) fn seal(&self, owner: LinkNumber) {
        let mut state = self.lock();
        if state.owner != Some(owner) {
            return;
        }
        state.sealed = true;
        let writer = state.writer.take();
        drop(state);
        wake(writer);
    }

    /// Empties the queue of a connection that is gone, unless another one has it by now. Returns
    /// what was dropped.
    pub(super) fn close(&self, owner: LinkNumber) -> Vec<FrameType> {
        let mut state = self.lock();
        if state.owner != Some(owner) {
            return Vec::new();
        }
        std::mem::take(&mut *state).frames
    }

    /// Everything that is queued, as soon as there is something. `None` once the queue belongs to
    /// another connection, or is sealed and empty.
    pub(super) async fn take(&self, owner: LinkNumber) -> Option<Load> {
        poll_fn(|context| self.poll_take(owner, context)).await
    }

    /// The bytes of a load are written and make room for others.
    pub(super) fn written(&self, owner: LinkNumber, size: usize) {
        let mut state = self.lock();
        if state.owner == Some(owner) {
            state.writing = state.writing.saturating_sub(size);
        }
    }

    fn poll_take(&self, owner: LinkNumber, context: &mut Context<'_>) -> Poll<Option<Load>> {
        let mut state = self.lock();
        if state.owner != Some(owner) {
            return Poll::Ready(None);
        }
        if !state.queued.is_empty() {
            return Poll::Ready(Some(state.take_load()));
        }
        if state.sealed {
            return Poll::Ready(None);
        }
        state.writer = Some(context.waker().clone());
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take_load(&mut self) -> Load {
        let size = self.queued.size();
        self.writing += size;
        Load {
            pieces: self.queued.take(),
            frames: std::mem::take(&mut self.frames),
            size,
        }
    }
}

fn wake(writer: Option<Waker>) {
    if let Some(writer) = writer {
        writer.wake();
    }
}

#[cfg(test)]
mod tests {
    use tetrarch_wire::frame::Goodbye;

    use super::*;

    const LIMIT: usize = 100;
    const ONE: LinkNumber = LinkNumber(1);
    const TWO: LinkNumber = LinkNumber(2);

    fn frame(reason: &str) -> Frame {
        Frame::Goodbye(Goodbye {
            reason: reason.into(),
            successors: Vec::new(),
        })
    }

    fn open() -> Outbox {
        let outbox = Outbox::new(LIMIT);
        outbox.assign(ONE);
        outbox
    }

    fn take(outbox: &Outbox, owner: LinkNumber) -> Poll<Option<Load>> {
        outbox.poll_take(owner, &mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn nothing_is_queued_without_a_connection() {
        let outbox = Outbox::new(LIMIT);
        assert_eq!(outbox.push(&frame("a")), Err(DropReason::NoConnection));
        outbox.assign(ONE);
        assert_eq!(outbox.push(&frame("a")), Ok(()));
        assert_eq!(outbox.close(ONE), [FrameType::Goodbye]);
        assert_eq!(outbox.push(&frame("a")), Err(DropReason::NoConnection));
    }

    #[test]
    fn frames_coalesce_into_one_load_in_order() {
        let outbox = open();
        outbox.push(&frame("first")).unwrap();
        outbox.push(&frame("second")).unwrap();
        let Poll::Ready(Some(load)) = take(&outbox, ONE) else {
            panic!("two frames are queued");
        };
        let expected = [
            frame("first").to_bytes().unwrap(),
            frame("second").to_bytes().unwrap(),
        ];
        assert_eq!(load.pieces.concat(), expected.concat());
        assert_eq!(load.size, expected.concat().len());
        assert_eq!(load.frames, [FrameType::Goodbye; 2]);
        assert!(take(&outbox, ONE).is_pending());
    }

    #[test]
    fn bytes_count_until_they_are_written() {
        let outbox = open();
        outbox.push(&frame(&"x".repeat(LIMIT))).unwrap();
        assert_eq!(outbox.push(&frame("y")), Err(DropReason::QueueFull));
        let Poll::Ready(Some(load)) = take(&outbox, ONE) else {
            panic!("a frame is queued");
        };
        assert_eq!(outbox.push(&frame("y")), Err(DropReason::QueueFull));
        outbox.written(ONE, load.size);
        assert_eq!(outbox.push(&frame("y")), Ok(()));
    }

    #[test]
    fn a_frame_over_its_limit_changes_nothing() {
        let outbox = open();
        let large = frame(&"x".repeat(70_000));
        assert_eq!(outbox.push(&large), Err(DropReason::TooLarge));
        assert!(take(&outbox, ONE).is_pending());
    }

    #[test]
    fn a_replaced_connection_hands_its_queue_over() {
        let outbox = open();
        outbox.push(&frame("a")).unwrap();
        outbox.assign(TWO);
        assert!(matches!(take(&outbox, ONE), Poll::Ready(None)));
        assert!(outbox.close(ONE).is_empty());
        assert!(matches!(take(&outbox, TWO), Poll::Ready(Some(_))));
    }

    #[test]
    fn a_sealed_queue_ends_when_it_is_empty() {
        let outbox = open();
        outbox.push(&frame("a")).unwrap();
        outbox.seal(ONE);
        assert_eq!(outbox.push(&frame("b")), Err(DropReason::NoConnection));
        assert!(matches!(take(&outbox, ONE), Poll::Ready(Some(_))));
        assert!(matches!(take(&outbox, ONE), Poll::Ready(None)));
    }
}
