//! Lengths are checked before room is made for them: whatever a few bytes declare, reading them
//! takes no more memory than they could hold.

#![allow(unsafe_code)] // A global allocator can only be written with it.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use bytes::Bytes;
use tetrarch_wire::{
    Batch, DecodeError, Frame,
    batch::EventBlock,
    frame::{FrameHeader, FrameReader, FrameType},
};

/// The system's allocator, with a note of the largest request of each thread.
struct Watched;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every request is passed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.set(LARGEST.get().max(layout.size()));
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps `dealloc`'s contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watched = Watched;

/// What `work` returns, and the largest piece of memory that it asked for.
fn watch<T>(work: impl FnOnce() -> T) -> (T, usize) {
    LARGEST.set(0);
    let result = work();
    (result, LARGEST.get())
}

const LITTLE: usize = 4 * 1024;

#[test]
fn the_watch_sees_what_is_allocated() {
    let (_kept, largest) = watch(|| vec![1_u8; 100_000]);
    assert_eq!(largest, 100_000);
}

#[test]
fn a_frame_of_four_gigabytes_is_refused_by_its_header() {
    for frame_type in FrameType::ALL {
        let mut reader = FrameReader::default();
        let header = [0xFF, 0xFF, 0xFF, 0xFF, *frame_type as u8, 1, 0, 0];
        let (result, largest) = watch(|| {
            reader.extend(&header);
            reader.next_frame()
        });
        assert!(
            matches!(
                result,
                Err(DecodeError::TooLarge { size, .. }) if size == u64::from(u32::MAX)
            ),
            "{frame_type:?}: {result:?}"
        );
        assert!(largest < LITTLE, "{frame_type:?}: {largest}");
    }
}

#[test]
fn lists_and_texts_that_declare_more_than_is_there_are_refused() {
    for frame_type in FrameType::ALL {
        for declared in [&[0xFF; 9][..], &[0xFF, 0xFF, 0xFF, 0xFF, 0x0F]] {
            let mut body = vec![1; 200];
            for at in 0..body.len() - 10 {
                body.fill(1);
                body[at..at + declared.len()].copy_from_slice(declared);
                body[at + declared.len()] = 1;
                let header = FrameHeader::new(*frame_type, body.len()).unwrap();
                let bytes = Bytes::from(body.clone());
                let (_result, largest) = watch(|| Frame::decode(header, bytes));
                // A row in memory is larger than its shortest form; never by a factor of 128.
                assert!(largest < 128 * 200, "{frame_type:?} at {at}: {largest}");
            }
        }
    }
}

#[test]
fn a_batch_that_declares_more_than_is_there_is_refused() {
    let head = Bytes::from(vec![0xFF; 108]);
    let (result, largest) = watch(|| Batch::decode_exact(head));
    assert!(result.is_err());
    assert!(largest < LITTLE, "{largest}");
    let events = Bytes::from(vec![0xFF; 64]);
    let (result, largest) = watch(|| EventBlock::check(events, u32::MAX));
    assert!(matches!(result, Err(DecodeError::TooLarge { .. })));
    assert!(largest < LITTLE, "{largest}");
}
