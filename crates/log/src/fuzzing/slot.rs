//! The small files that are kept twice, or whole: a store's and a channel's state, the
//! snapshot. What is read of them can be written and reads back as itself.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use tetrarch_wire::ChannelUid;

use super::{byte, file_of, take};
use crate::channel::state::ChannelState;
use crate::disk::{CrashDisk, Disk};
use crate::flusher::load_snapshot;
use crate::store::layout::Layout;
use crate::store::meta::MetaSlot;
use crate::store::slot::{self, Copy};

/// The first byte says what the files are, and whether they are written as they are or sealed.
pub fn slot(bytes: &[u8]) {
    let mut rest = bytes;
    let kind = byte(&mut rest);
    let layout = Layout::new(Path::new("/s"));
    let disk = CrashDisk::new();
    let uid = ChannelUid::from_bytes([4; 32]);
    let dirs = [
        layout.root().to_owned(),
        layout.wal_dir(),
        layout.channels_dir(),
        layout.channel_dir(uid),
    ];
    for dir in dirs {
        disk.create_dir(&dir).expect("the disk is new");
    }
    match kind % 3 {
        0 => {
            write_both(&disk, &layout.state(uid), uid.as_bytes(), kind, rest);
            let copies = ChannelState::copies(&disk, &layout, uid).expect("the disk answers");
            if let Some((generation, state)) = ChannelState::newest(&copies) {
                let next = generation.saturating_add(1);
                let saved = state.save(&disk, &layout, uid, next);
                saved.expect("the disk has room");
                let copies = ChannelState::copies(&disk, &layout, uid).expect("the disk answers");
                assert_eq!(ChannelState::newest(&copies), Some((next, state)));
            }
        }
        1 => {
            write_both(&disk, &layout.meta(), b"tetrarch/store/1", kind, rest);
            if let Ok(mut found) = MetaSlot::load(&disk, &layout) {
                let meta = found.meta.clone();
                found.save(&disk, &layout).expect("the disk has room");
                let again = MetaSlot::load(&disk, &layout).expect("what was written can be read");
                assert_eq!(again.meta, meta);
            }
        }
        _ => {
            file_of(&disk, &layout.snapshot(uid), rest);
            if let Ok(Some((_, found))) = load_snapshot(&disk, &layout, uid) {
                assert!(found.len() <= rest.len(), "more than the file holds");
            }
        }
    }
}

/// Both files: as they are, or sealed over their value.
fn write_both(disk: &CrashDisk, paths: &[PathBuf; 2], tag: &[u8], kind: u8, bytes: &[u8]) {
    let (first, second) = bytes.split_at(bytes.len() / 2);
    if kind < 128 {
        file_of(disk, &paths[0], first);
        file_of(disk, &paths[1], second);
    } else {
        let mut rest = bytes;
        // The number of the last version that could ever be kept has no next one.
        let generation = u64::from_le_bytes(take(&mut rest)) >> 1;
        slot::write(disk, paths, tag, generation, rest).expect("the disk has room");
        let copies = slot::read(disk, paths, tag).expect("the disk answers");
        let value = Bytes::copy_from_slice(rest);
        let kept = Copy::Intact { generation, value };
        assert_eq!(copies, [kept.clone(), kept]);
    }
}
