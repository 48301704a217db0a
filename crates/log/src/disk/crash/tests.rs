//! What a power cut asks about, and what it leaves.

use std::io::IoSlice;
use std::path::Path;

use super::{CrashDisk, Digests, Fate, PowerCut, Tear};
use crate::disk::{BLOCK, Disk, DiskFile};

/// Answers every question alike, and keeps what was asked.
struct Alike {
    names: bool,
    lengths: bool,
    fate: Fate,
    asked: Vec<String>,
}

impl Alike {
    fn keeping(names: bool, lengths: bool, fate: Fate) -> Self {
        Self {
            names,
            lengths,
            fate,
            asked: Vec::new(),
        }
    }
}

impl PowerCut for Alike {
    fn keeps_name(&mut self) -> bool {
        self.asked.push("name".to_owned());
        self.names
    }

    fn keeps_length(&mut self) -> bool {
        self.asked.push("length".to_owned());
        self.lengths
    }

    fn block(&mut self, versions: usize) -> Fate {
        self.asked.push(format!("block of {versions}"));
        self.fate
    }
}

const LOST: Fate = Fate::Lost { version: 0 };

fn write(disk: &CrashDisk, path: &str, byte: u8) {
    let path = Path::new(path);
    let file = match disk.open(path) {
        Err(_) => disk.create(path).unwrap(),
        Ok(file) => file,
    };
    file.write_at(&[IoSlice::new(&[byte; BLOCK])], 0).unwrap();
}

fn bytes(disk: &CrashDisk) -> Vec<u8> {
    disk.files().remove(0).1
}

#[test]
fn nobody_is_asked_about_a_file_that_has_lost_its_name_or_a_block_beyond_its_end() {
    let disk = CrashDisk::new();
    write(&disk, "/file", 1);
    let mut cut = Alike::keeping(false, true, LOST);
    assert_eq!(disk.cut(&mut cut).files(), []);
    assert_eq!(cut.asked, ["name"]);
    let mut cut = Alike::keeping(true, false, LOST);
    assert_eq!(bytes(&disk.cut(&mut cut)), [0u8; 0]);
    assert_eq!(cut.asked, ["name", "length"]);
    let mut cut = Alike::keeping(true, true, LOST);
    assert_eq!(bytes(&disk.cut(&mut cut)), [0; BLOCK]);
    assert_eq!(cut.asked, ["name", "length", "block of 1"]);
}

#[test]
fn nobody_is_asked_about_what_happened_in_a_directory_that_is_not_there() {
    let disk = CrashDisk::new();
    disk.create_dir(Path::new("/dir")).unwrap();
    write(&disk, "/dir/file", 1);
    let mut cut = Alike::keeping(false, true, LOST);
    assert_eq!(disk.cut(&mut cut).files(), []);
    assert_eq!(cut.asked, ["name"]);
    disk.remove_tree(Path::new("/dir")).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    let mut cut = Alike::keeping(true, true, LOST);
    assert_eq!(disk.cut(&mut cut).files(), []);
    assert_eq!(cut.asked, [""; 0]);
}

#[test]
fn a_tree_is_removed_name_by_name() {
    for step in 0..4 {
        let disk = CrashDisk::new();
        disk.create_dir(Path::new("/dir")).unwrap();
        write(&disk, "/dir/one", 1);
        write(&disk, "/dir/two", 2);
        disk.cut_power_at(disk.steps() + step);
        let done = disk.remove_tree(Path::new("/dir")).is_ok();
        assert_eq!(done, step == 3);
        let left = disk.killed().files().len();
        assert_eq!(left, 2_usize.saturating_sub(step.try_into().unwrap()));
    }
}

#[test]
fn a_block_is_lost_to_any_earlier_version_or_torn_with_it() {
    let disk = CrashDisk::new();
    write(&disk, "/file", 1);
    disk.sync_dir(Path::new("/")).unwrap();
    let file = disk.open(Path::new("/file")).unwrap();
    file.sync_data().unwrap();
    write(&disk, "/file", 2);
    write(&disk, "/file", 3);
    let after = |fate| bytes(&disk.cut(&mut Alike::keeping(true, true, fate)));
    assert_eq!(after(LOST), [1; BLOCK]);
    assert_eq!(after(Fate::Lost { version: 1 }), [2; BLOCK]);
    assert_eq!(after(Fate::Kept), [3; BLOCK]);
    for (tear, new) in [
        (Tear::FirstSector, 0..512),
        (Tear::FirstHalf, 0..2048),
        (Tear::SecondHalf, 2048..BLOCK),
    ] {
        let mut torn = vec![2; BLOCK];
        torn[new].fill(3);
        assert_eq!(after(Fate::Torn { version: 1, tear }), torn);
    }
    file.sync_data().unwrap();
    assert_eq!(after(LOST), [3; BLOCK]);
}

#[test]
fn equal_disks_have_equal_digests_and_others_do_not() {
    let mut known = Digests::default();
    let disk = CrashDisk::new();
    write(&disk, "/file", 1);
    let lost = disk.cut(&mut Alike::keeping(true, true, LOST));
    let torn = Fate::Torn {
        version: 0,
        tear: Tear::FirstHalf,
    };
    let torn = disk.cut(&mut Alike::keeping(true, true, torn));
    let short = disk.cut(&mut Alike::keeping(true, false, LOST));
    let none = disk.cut(&mut Alike::keeping(false, true, LOST));
    let all = [&disk, &lost, &torn, &short, &none];
    let digests = all.map(|disk| disk.digest(&mut known));
    for (index, digest) in digests.iter().enumerate() {
        assert!(!digests[..index].contains(digest), "{index}");
    }
    let again = disk.cut(&mut Alike::keeping(true, true, Fate::Kept));
    assert_eq!(again.digest(&mut known), digests[0]);
    write(&lost, "/file", 1);
    assert_eq!(lost.digest(&mut known), digests[0]);
}

#[test]
fn the_steps_are_told_from_when_on_they_are_asked_for() {
    let disk = CrashDisk::new();
    write(&disk, "/one", 1);
    disk.tell_steps();
    write(&disk, "/two", 1);
    disk.sync_dir(Path::new("/")).unwrap();
    let told: Vec<String> = disk.told().iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        ["create /two", "write a block of /two", "sync directory /"]
    );
}
