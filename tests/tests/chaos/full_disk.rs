//! A disk that fills up under a leader and empties again. It takes a small filesystem of its own,
//! which only root may mount: elsewhere this is skipped, and says so.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use tetrarch_tests::{Mesh, MeshOptions, Producer, eventually};

use super::{CHANNEL, alone, experiment::say};

/// Holds the store and its write-ahead log, and little more.
const SIZE: &str = "size=64m";
/// More than the write-ahead log holds, and little enough for the producer to take at once.
const EVENTS: u64 = 12_000;
const PADDING: usize = 1_000;

/// A filesystem in memory; unmounted when dropped.
struct Mounted(PathBuf);

impl Mounted {
    /// Mounts one, or says why not.
    fn at(path: &Path) -> Result<Self, String> {
        fs::create_dir_all(path).map_err(|error| error.to_string())?;
        run(Command::new("mount")
            .args(["-t", "tmpfs", "-o", SIZE, "tmpfs"])
            .arg(path))?;
        Ok(Self(path.to_owned()))
    }

    /// Fills what is free, and returns the file that does.
    fn fill(&self) -> PathBuf {
        let path = self.0.join("full");
        let mut file = File::create(&path).expect("a file can be made");
        let zeros = vec![0; 64 << 10];
        while file.write_all(&zeros).is_ok() {}
        path
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Err(why) = run(Command::new("umount").arg("-l").arg(&self.0)) {
            say(&format!("{} is still mounted: {why}", self.0.display()));
        }
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| error.to_string())?;
    let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    output.status.success().then_some(()).ok_or(why)
}

#[test]
fn a_disk_that_fills_up_under_a_leader_and_empties_loses_nothing() {
    let _alone = alone();
    let mut mesh = Mesh::init(&MeshOptions::default());
    let mounted = match Mounted::at(&mesh.scratch().join("small")) {
        Ok(mounted) => mounted,
        Err(why) => return say(&format!("SKIPPED: a full disk, because of: {why}")),
    };
    let data = mounted.0.join("data");
    let copied = run(Command::new("cp")
        .arg("-a")
        .arg(mesh.nodes[0].dir().join("data"))
        .arg(&data));
    copied.expect("a stopped store can be copied");
    mesh.nodes[0].set_variable("TETRARCH_NODE_DATA_DIR", data.display().to_string());
    for node in &mut mesh.nodes {
        node.start();
    }
    mesh.wait_ready();
    mesh.create_channel(CHANNEL);
    if mesh.leader_of(CHANNEL) != 0 {
        let handed = mesh.run(&["channel", "relinquish", CHANNEL, "--to", "n1"]);
        drop(handed.expect_success("handing over to the small node"));
        eventually("the small node leads", || mesh.leader_of(CHANNEL) == 0);
    }

    let mut producer = Producer::start_padded(&mesh, CHANNEL, "p", PADDING);
    producer.feed(100);
    producer.wait_acknowledged(100);
    let full = mounted.fill();
    producer.feed(EVENTS);
    eventually(
        "the disk is full, something found no room, and the node says so",
        || {
            let node = &mesh.nodes[0];
            node.metric("tetrarch_store_errors_total{kind=\"storage_full\"}") > 0.0
                && node.metric("tetrarch_disk_level{level=\"full\"}") > 0.0
        },
    );
    let acknowledged = producer.acknowledged();
    assert!(acknowledged < 100 + EVENTS, "{acknowledged} found room");
    let lines = mesh.nodes[0].log().matches("cannot be copied").count();
    assert!(
        (1..20).contains(&lines),
        "{lines} lines about one full disk"
    );
    fs::remove_file(full).expect("a file can be removed");
    producer.wait_acknowledged(100 + EVENTS);
    let (payloads, _) = producer.finish();
    assert!(mesh.nodes[0].is_running(), "it outlived its full disk");
    mesh.check_every_node(CHANNEL, &payloads);
}
