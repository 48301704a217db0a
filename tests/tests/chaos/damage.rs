//! Bytes that rot and files that vanish on one node: it serves nothing wrong and mends its log with what
//! the others have. Where its votes are gone it takes the channel out of service, and the others go on.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use tetrarch_client::{Client, FetchFrom, FetchOptions};
use tetrarch_tests::{Mesh, MeshOptions, Producer, Signal, eventually, history::Stored};
use tetrarch_wire::Seq;
use tokio::time::sleep;

use super::{CHANNEL, alone, clients, read, record::told};

/// Enough for several segments of the smallest size.
const EVENTS: u64 = 6_000;
const PADDING: usize = 1_000;
/// How long a node may take until it is known to be damaged or whole.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_flipped_byte_in_a_sealed_segment() {
    let _alone = alone();
    mends(|segments| {
        let mut bytes = fs::read(&segments[1]).expect("a segment can be read");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x10;
        fs::write(&segments[1], bytes).expect("a segment can be written");
    });
}

#[test]
fn a_sealed_segment_that_is_gone() {
    let _alone = alone();
    mends(|segments| fs::remove_file(&segments[1]).expect("a segment can be removed"));
}

/// What was acknowledged last is only there, and votes are.
#[test]
fn a_write_ahead_log_that_is_cut_short() {
    let _alone = alone();
    let mut mesh = with_segments();
    let hurt = (mesh.leader_of(CHANNEL) + 1) % 3;
    let mut producer = Producer::start_padded(&mesh, CHANNEL, "p", PADDING);
    producer.feed(EVENTS);
    producer.wait_acknowledged(EVENTS);
    mesh.nodes[hurt].kill();
    let data = mesh.nodes[hurt].dir().join("data");
    let log = newest_wal_file(&data);
    let file = File::options().write(true).open(log);
    let file = file.expect("the write-ahead log can be written");
    file.set_len(8_192).expect("it can be cut short");
    assert_ne!(verified(&mesh, hurt), Some(0), "verify finds nothing");

    mesh.nodes[hurt].start();
    producer.feed(EVENTS / 2);
    producer.wait_acknowledged(EVENTS + EVENTS / 2);
    let name = mesh.nodes[hurt].name.clone();
    eventually(&format!("{name} votes in every channel again"), || {
        let node = &mesh.nodes[hurt];
        node.is_ready() && node.metric_sum("tetrarch_channel_limbo") < 1.0
    });
    let said = mesh.nodes[hurt].log();
    assert!(said.contains("does not vote before it is whole again"));
    assert!(!is_halted(&mesh, hurt), "it comes back by itself");
    // What is acknowledged now takes its copy.
    let other = (0..3).find(|node| ![hurt, mesh.leader_of(CHANNEL)].contains(node));
    let other = other.expect("there are three nodes");
    mesh.nodes[other].signal(Signal::Term);
    assert_eq!(mesh.nodes[other].wait(), Some(0));
    producer.feed(EVENTS / 2);
    producer.wait_acknowledged(2 * EVENTS);
    let (payloads, _) = producer.finish();
    mesh.nodes[other].start();
    mesh.wait_ready();
    mesh.check_every_node(CHANNEL, &payloads);
    mesh.nodes[hurt].signal(Signal::Term);
    assert_eq!(mesh.nodes[hurt].wait(), Some(0));
    assert_eq!(verified(&mesh, hurt), Some(0), "{name} is whole");
    mesh.nodes[hurt].start();
    mesh.wait_ready();
}

#[test]
fn a_channel_whose_votes_are_gone() {
    let _alone = alone();
    halts(|segments| {
        let channel = segments[0].parent().expect("a segment is in a directory");
        for copy in ["state.a", "state.b"] {
            fs::remove_file(channel.join(copy)).expect("the state can be removed");
        }
    });
}

/// Reported of another log (github.com/nats-io/nats-server, 7549): single flipped bits in the files of a
/// minority took large parts of a stream with them.
#[test]
fn nats_7549_flipped_bits_in_every_segment_of_one_node() {
    let _alone = alone();
    mends(|segments| {
        for (index, segment) in segments.iter().enumerate() {
            let mut bytes = fs::read(segment).expect("a segment can be read");
            let place = bytes.len() / 3 + 7 * index;
            bytes[place] ^= 1 << (index % 8);
            fs::write(segment, bytes).expect("a segment can be written");
        }
    });
}

/// Reported of another log (github.com/nats-io/nats-server, 7556): a bit was flipped in what describes a
/// stream, and the stream was taken for an orphan and deleted. Here that is kept twice.
#[test]
fn nats_7556_a_flipped_bit_in_what_describes_a_channel_and_the_store() {
    let _alone = alone();
    let mut mesh = Mesh::start_with(&MeshOptions {
        environment: super::experiment::STORAGE.to_vec(),
        ..MeshOptions::default()
    });
    mesh.create_channel(CHANNEL);
    let mut producer = Producer::start_padded(&mesh, CHANNEL, "p", PADDING);
    producer.feed(EVENTS);
    producer.wait_acknowledged(EVENTS);
    let (payloads, _) = producer.finish();
    mesh.nodes[0].signal(Signal::Term);
    assert_eq!(mesh.nodes[0].wait(), Some(0));
    let data = mesh.nodes[0].dir().join("data");
    let channel = segments(&data)[0].parent().map(Path::to_owned);
    let channel = channel.expect("a segment is in a directory");
    for path in [channel.join("state.b"), data.join("store.meta.a")] {
        let mut bytes = fs::read(&path).expect("a state can be read");
        bytes[40] ^= 0x04;
        fs::write(&path, bytes).expect("a state can be written");
    }
    mesh.nodes[0].start();
    mesh.wait_ready();
    mesh.check_every_node(CHANNEL, &payloads);
    assert!(!is_halted(&mesh, 0), "nothing is lost");
}

/// Nobody reads there: it is found in the background.
#[test]
fn a_flipped_byte_while_the_node_runs() {
    let _alone = alone();
    let mut mesh = with_segments();
    let hurt = (mesh.leader_of(CHANNEL) + 1) % 3;
    let payloads = fed(&mesh);
    let data = mesh.nodes[hurt].dir().join("data");
    let segment = &segments(&data)[1];
    let file = File::options().write(true).open(segment);
    let file = file.expect("a segment can be written");
    let middle = fs::metadata(segment).expect("it is there").len() / 2;
    file.write_all_at(&[0xA5; 3], middle)
        .expect("bytes can be changed");
    is_mended(&mut mesh, hurt, &payloads);
    for node in 0..3 {
        let role = format!("tetrarch_channel_role{{channel=\"{CHANNEL}\",role=\"Idle\"}}");
        assert!(
            mesh.nodes[node].metric(&role) < 1.0,
            "nobody left the channel"
        );
    }
}

/// The only replica of a channel has nobody to ask.
#[test]
fn a_flipped_byte_of_a_channel_with_one_replica() {
    let _alone = alone();
    let mesh = Mesh::start_with(&MeshOptions {
        nodes: 1,
        environment: super::experiment::STORAGE.to_vec(),
    });
    let created = mesh.run(&["channel", "create", CHANNEL, "--replicas", "1"]);
    drop(created.expect_success("creating a channel with one replica"));
    fed(&mesh);
    let data = mesh.nodes[0].dir().join("data");
    let segment = &segments(&data)[1];
    let mut bytes = fs::read(segment).expect("a segment can be read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(segment, bytes).expect("a segment can be written");
    eventually("it says that the channel is halted", || is_halted(&mesh, 0));
}

fn with_segments() -> Mesh {
    let mesh = Mesh::start_with(&MeshOptions {
        environment: super::experiment::STORAGE.to_vec(),
        ..MeshOptions::default()
    });
    mesh.create_channel(CHANNEL);
    mesh
}

/// Publishes enough for some segments.
fn fed(mesh: &Mesh) -> Vec<String> {
    let mut producer = Producer::start_padded(mesh, CHANNEL, "p", PADDING);
    producer.feed(EVENTS);
    producer.wait_acknowledged(EVENTS);
    producer.finish().0
}

/// Damages the segments of a follower that is stopped.
fn damaged(harm: impl FnOnce(&[PathBuf])) -> (Mesh, usize, Producer) {
    let mut mesh = with_segments();
    let hurt = (mesh.leader_of(CHANNEL) + 1) % 3;
    let mut producer = Producer::start_padded(&mesh, CHANNEL, "p", PADDING);
    producer.feed(EVENTS);
    producer.wait_acknowledged(EVENTS);
    mesh.nodes[hurt].signal(Signal::Term);
    assert_eq!(mesh.nodes[hurt].wait(), Some(0));

    let data = mesh.nodes[hurt].dir().join("data");
    let segments = segments(&data);
    assert!(segments.len() > 2, "too few segments: {segments:?}");
    harm(&segments);
    assert_ne!(verified(&mesh, hurt), Some(0), "verify finds nothing");
    (mesh, hurt, producer)
}

fn verified(mesh: &Mesh, node: usize) -> Option<i32> {
    let data = mesh.nodes[node].dir().join("data");
    tetrarch_tests::tetrarch(["verify", &data.display().to_string()]).code
}

/// What is damaged on a follower is mended while the channel goes on.
fn mends(harm: impl FnOnce(&[PathBuf])) {
    let (mut mesh, hurt, mut producer) = damaged(harm);
    mesh.nodes[hurt].start();
    producer.feed(EVENTS / 2);
    producer.wait_acknowledged(EVENTS + EVENTS / 2);
    let (payloads, _) = producer.finish();
    is_mended(&mut mesh, hurt, &payloads);
}

/// Waits until a node has mended its log, and looks whether it is whole.
fn is_mended(mesh: &mut Mesh, hurt: usize, payloads: &[String]) {
    let name = mesh.nodes[hurt].name.clone();
    eventually(&format!("{name} mends what is damaged"), || {
        let node = &mesh.nodes[hurt];
        node.metric("tetrarch_segments_mended_total") > 0.0
            && node.metric("tetrarch_damaged_segments") < 1.0
            && !is_halted(mesh, hurt)
    });
    mesh.check_every_node(CHANNEL, payloads);
    mesh.nodes[hurt].signal(Signal::Term);
    assert_eq!(mesh.nodes[hurt].wait(), Some(0));
    assert_eq!(verified(mesh, hurt), Some(0), "{name} is whole");
    mesh.nodes[hurt].start();
    mesh.wait_ready();
}

/// What is damaged on a follower cannot be mended: it leaves the channel alone.
fn halts(harm: impl FnOnce(&[PathBuf])) {
    let (mut mesh, hurt, mut producer) = damaged(harm);
    mesh.nodes[hurt].start();
    producer.feed(EVENTS / 2);
    producer.wait_acknowledged(EVENTS + EVENTS / 2);
    let (payloads, _) = producer.finish();
    let served = served(&mesh, hurt);
    for whole in (0..3).filter(|node| *node != hurt) {
        assert_eq!(mesh.read_back(whole, CHANNEL, payloads.len()), payloads);
    }
    let name = &mesh.nodes[hurt].name;
    for (told, wanted) in served.iter().zip(&payloads) {
        assert_eq!(*told.payload, **wanted, "{name} serves something else");
    }
    eventually(&format!("{name} says that the channel is halted"), || {
        is_halted(&mesh, hurt) && says_why(&mesh, hurt)
    });
    assert!(
        mesh.nodes[hurt].log().contains("halted"),
        "its log says so too"
    );
}

fn is_halted(mesh: &Mesh, node: usize) -> bool {
    let halted = format!("tetrarch_channel_halted{{channel=\"{CHANNEL}\"");
    mesh.nodes[node].metric_sum(&halted) > 0.0
}

fn says_why(mesh: &Mesh, node: usize) -> bool {
    let name = mesh.nodes[node].name.clone();
    let (runtime, config) = (clients::runtime(), clients::config(mesh));
    let status = runtime.block_on(async {
        let client = clients::connect(&config).await;
        client.admin().through(&name).show_channel(CHANNEL).await
    });
    status.is_ok_and(|status| status.halted.is_some())
}

/// What the damaged node serves before it notices: some first events, none if it noticed at once.
fn served(mesh: &Mesh, node: usize) -> Vec<Stored> {
    let name = mesh.nodes[node].name.clone();
    let (runtime, config) = (clients::runtime(), clients::config(mesh));
    runtime.block_on(async {
        let client: Client = clients::connect(&config).await;
        let options = FetchOptions {
            node: Some(name),
            wait: read::WAIT,
            ..FetchOptions::default()
        };
        let mut served = Vec::new();
        let mut next = 1;
        let begun = Instant::now();
        while !is_halted(mesh, node) {
            assert!(begun.elapsed() < PATIENCE, "not halted, {next} comes next");
            let place = FetchFrom::Seq(Seq::new(next));
            match client.fetch(CHANNEL, place, &options).await {
                Ok(fetched) => {
                    let (events, end) = told(&fetched, next);
                    served.extend(events);
                    next = end;
                }
                Err(_) => sleep(read::PAUSE).await,
            }
        }
        served
    })
}

/// The file of the write-ahead log that was written last.
fn newest_wal_file(data: &Path) -> PathBuf {
    let files = fs::read_dir(data.join("wal")).expect("a store has a write-ahead log");
    let paths = files.map(|file| file.expect("a directory can be listed").path());
    let written = |path: &PathBuf| {
        let about = fs::metadata(path).expect("a file can be looked at");
        about.modified().expect("files have times")
    };
    paths.max_by_key(written).expect("it has a file")
}

/// The segments of the channel that has most, by their first seq.
fn segments(data: &Path) -> Vec<PathBuf> {
    let channels = fs::read_dir(data.join("chan")).expect("a store has channels");
    let all = channels.map(|channel| {
        let dir = channel.expect("a directory can be listed").path();
        let files = fs::read_dir(dir).expect("a channel has files");
        let paths = files.filter_map(|file| Some(file.ok()?.path()));
        let mut segments: Vec<PathBuf> = paths
            .filter(|path| path.extension().is_some_and(|end| end == "log"))
            .collect();
        segments.sort();
        segments
    });
    all.max_by_key(Vec::len).unwrap_or_default()
}
