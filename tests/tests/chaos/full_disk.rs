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

/// A mesh whose first node has a small filesystem of its own and leads the channel; or why not.
fn with_small_disk(
    environment: &[(&'static str, &'static str)],
) -> Result<(Mesh, Mounted), String> {
    let mut mesh = Mesh::init(&MeshOptions {
        environment: environment.to_vec(),
        ..MeshOptions::default()
    });
    let mounted = Mounted::at(&mesh.scratch().join("small"))?;
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
    Ok((mesh, mounted))
}

fn transitions(mesh: &Mesh, node: usize, from: &str, to: &str, signal: &str) -> f64 {
    mesh.nodes[node].metric(&format!(
        "tetrarch_transitions_total{{from=\"{from}\",to=\"{to}\",signal=\"{signal}\"}}"
    ))
}

/// Something else fills the disk: the leader finds no room for a write, hands over and withdraws; the
/// others go on meanwhile. When there is room again it comes back without anybody's help.
#[test]
fn a_leader_whose_disk_is_filled_hands_over_withdraws_and_comes_back() {
    let _alone = alone();
    let (mut mesh, mounted) = match with_small_disk(&[("TETRARCH_STORAGE_DISK_DWELL_MS", "2000")]) {
        Ok(small) => small,
        Err(why) => return say(&format!("SKIPPED: a full disk, because of: {why}")),
    };
    let mut producer = Producer::start_padded(&mesh, CHANNEL, "p", PADDING);
    producer.feed(100);
    producer.wait_acknowledged(100);
    let came = transitions(&mesh, 0, "Idle", "Replica", "CapabilitySelected");
    let full = mounted.fill();
    producer.feed(EVENTS);
    producer.wait_acknowledged(100 + EVENTS);
    assert_ne!(mesh.leader_of(CHANNEL), 0, "somebody with room leads");
    let withdrawn = transitions(&mesh, 0, "Leader", "Idle", "LeaderDiskPressureWithdraw");
    assert!(withdrawn >= 1.0, "it handed over before it withdrew");
    assert!(mesh.nodes[0].metric("tetrarch_disk_level{level=\"full\"}") > 0.0);
    let lines = mesh.nodes[0].log().matches("cannot be copied").count();
    assert!(lines < 20, "{lines} lines about one full disk");
    let (payloads, _) = producer.finish();
    fs::remove_file(full).expect("a file can be removed");
    eventually("it comes back", || {
        transitions(&mesh, 0, "Idle", "Replica", "CapabilitySelected") > came
    });
    assert!(mesh.nodes[0].is_running(), "it outlived its full disk");
    mesh.check_every_node(CHANNEL, &payloads);
}

/// Nobody has room to take over: the channel is read from, takes nothing, and goes on when there is
/// room again.
#[test]
fn a_channel_whose_nodes_all_have_full_disks_is_read_only() {
    let _alone = alone();
    let environment = [
        ("TETRARCH_STORAGE_DISK_DWELL_MS", "1000"),
        ("TETRARCH_STORAGE_MAX_BYTES", "64MiB"),
        ("TETRARCH_STORAGE_WAL_FILE_BYTES", "2MiB"),
    ];
    let mut mesh = Mesh::start_with(&MeshOptions {
        environment: environment.to_vec(),
        ..MeshOptions::default()
    });
    mesh.create_channel(CHANNEL);
    let mut producer = Producer::start_padded(&mesh, CHANNEL, "p", PADDING);
    producer.feed(100);
    producer.wait_acknowledged(100);
    // The leader is last: it finds nobody with room to hand over to, and stays.
    let leader = mesh.leader_of(CHANNEL);
    let mut nodes: Vec<usize> = (0..mesh.nodes.len()).collect();
    nodes.sort_by_key(|node| *node == leader);
    let mut fillings = Vec::new();
    for node in nodes {
        let node = &mesh.nodes[node];
        // It counts against what the node may take, wherever it came from.
        fillings.push(node.take_room(64 << 20));
        eventually("it knows that it is full", || {
            node.metric("tetrarch_disk_level{level=\"full\"}") > 0.0
        });
    }
    producer.feed(10);
    assert_eq!(mesh.leader_of(CHANNEL), leader);
    let read = mesh.read_back(leader, CHANNEL, 100);
    assert_eq!(read.len(), 100);
    assert_eq!(producer.acknowledged(), 100, "nothing was taken");
    for filling in fillings {
        fs::remove_file(filling).expect("a file can be removed");
    }
    producer.wait_acknowledged(110);
    let (payloads, _) = producer.finish();
    mesh.check_every_node(CHANNEL, &payloads);
}
