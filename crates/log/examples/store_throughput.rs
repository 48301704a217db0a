//! Measures a store on the disk of this machine: one small event a group, large groups with the
//! flusher beside them, reading back, opening, and creating many channels.
//!
//! `cargo run --release -p tetrarch-log --example store_throughput -- DIR [MIB] [CHANNELS]`

#![allow(clippy::print_stdout, clippy::disallowed_methods)]

use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tetrarch_log::{
    Disk, DiskFile, GroupError, OpenedStore, RealDisk, StoreIdentity, StoreOptions, WriteOp,
    WriteRequest, Writer, format, open,
};
use tetrarch_wire::batch::{BatchDraft, EventBlock};
use tetrarch_wire::{
    Batch, ChannelClass, ChannelConfig, ChannelUid, ClusterId, Epoch, Event, LogPosition, NodeId,
    ProducerEpoch, ProducerId, ProducerSeq, Seq, StoreId, Voter, VoterId,
};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let dir = PathBuf::from(
        arguments
            .next()
            .unwrap_or_else(|| "/tmp/tetrarch".to_owned()),
    );
    let mib: usize = arguments.next().map_or(Ok(2048), |text| text.parse())?;
    let channels: usize = arguments.next().map_or(Ok(1000), |text| text.parse())?;
    let identity = StoreIdentity {
        cluster: ClusterId::from_bytes([1; 16]),
        node: NodeId::from_bytes([2; 16]),
        store: StoreId::from_bytes([3; 16]),
        name: "bench".to_owned(),
        genesis: Bytes::new(),
    };
    format(&RealDisk, &dir, &identity)?;
    bare_sync(&dir)?;
    let mut store = timed_open(&dir)?;
    let mut log = Log::new(0)?;
    store.writer.commit(&[log.open()])?;
    single_events(&mut store, &mut log)?;
    let mut store = large_groups(store, &mut log, mib)?;
    read_back(&store, &log)?;
    many_channels(&mut store, channels)?;
    drop(store);
    let mut store = timed_open(&dir)?;
    store.flusher.flush_all()?;
    drop(store);
    timed_open(&dir)?;
    println!("most memory of the process: {}", peak_memory());
    Ok(())
}

/// The log of one channel.
struct Log {
    uid: ChannelUid,
    genesis: ChannelConfig,
    tail: LogPosition,
}

impl Log {
    fn new(number: usize) -> Result<Self, Failure> {
        let voter = Voter {
            node: NodeId::from_bytes([2; 16]),
            store: StoreId::from_bytes([3; 16]),
        };
        let genesis = ChannelConfig::genesis(ChannelClass::Quorum, vec![voter])?;
        Ok(Self {
            uid: ChannelUid::derive(&format!("bench/{number}"), &[0; 16]),
            tail: LogPosition::origin(genesis.genesis_link()),
            genesis,
        })
    }

    fn open(&self) -> WriteRequest {
        WriteRequest {
            channel: self.uid,
            ops: vec![WriteOp::Open {
                name: format!("bench/{}", self.uid),
                genesis: self.genesis.clone(),
            }],
        }
    }

    fn append(&mut self, block: &EventBlock, count: usize) -> WriteRequest {
        let epoch = Epoch::new(1, VoterId::from_bytes([1; 16]));
        let batches = (0..count)
            .map(|_| {
                let draft = BatchDraft::data(
                    ProducerId::ANONYMOUS,
                    ProducerEpoch::default(),
                    ProducerSeq::ZERO,
                    block.clone(),
                );
                let batch = draft.seal(&self.tail, epoch, 0);
                self.tail = batch.position();
                batch
            })
            .collect();
        WriteRequest {
            channel: self.uid,
            ops: vec![WriteOp::Append(batches)],
        }
    }
}

fn block(events: usize, size: usize) -> Result<EventBlock, Failure> {
    let mut builder = EventBlock::builder();
    for _ in 0..events {
        builder.push(&Event::new(Bytes::from(vec![7; size])))?;
    }
    Ok(builder.finish())
}

fn timed_open(dir: &Path) -> Result<OpenedStore<RealDisk>, Failure> {
    let start = Instant::now();
    let store = open(Arc::new(RealDisk), dir, StoreOptions::default())?;
    println!(
        "open: {:?}, {} channels",
        start.elapsed(),
        store.channels.len()
    );
    Ok(store)
}

/// What the disk itself takes: 4 KiB into a file of zeros, and a sync.
fn bare_sync(dir: &Path) -> Result<(), Failure> {
    let path = dir.join("bare");
    let file = RealDisk.create(&path)?;
    file.fill_zeroed(16 << 20)?;
    let block = [7; 4096];
    let mut times = Vec::new();
    for index in 0..4_000 {
        let start = Instant::now();
        file.write_at(&[IoSlice::new(&block)], index * 4096)?;
        file.sync_data()?;
        times.push(start.elapsed());
    }
    RealDisk.remove(&path)?;
    report("4 KiB and a sync, without a store", times);
    Ok(())
}

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |share: usize| times[times.len() * share / 1000];
    println!(
        "{what}: p50 {:?}, p99 {:?}, p99.9 {:?}",
        at(500),
        at(990),
        at(999)
    );
}

fn single_events(store: &mut OpenedStore<RealDisk>, log: &mut Log) -> Result<(), Failure> {
    let block = block(1, 256)?;
    let mut times = Vec::new();
    for _ in 0..5_000 {
        let group = [log.append(&block, 1)];
        let start = Instant::now();
        store.writer.commit(&group)?;
        times.push(start.elapsed());
    }
    report("one 256 B event a group", times);
    Ok(())
}

fn commit(writer: &mut Writer<RealDisk>, group: &[WriteRequest]) -> Result<Duration, Failure> {
    let mut waited = Duration::ZERO;
    loop {
        match writer.commit(group) {
            Ok(_) => return Ok(waited),
            Err(GroupError::WalFull) => {
                let start = Instant::now();
                while !writer.wait_for_room(Duration::from_secs(1)) {}
                waited += start.elapsed();
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn large_groups(
    store: OpenedStore<RealDisk>,
    log: &mut Log,
    mib: usize,
) -> Result<OpenedStore<RealDisk>, Failure> {
    let OpenedStore {
        identity,
        boot,
        mut writer,
        mut flusher,
        reader,
        channels,
        lost,
        limbo,
    } = store;
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let beside = std::thread::spawn(move || {
        while !stopped.load(Ordering::Relaxed) {
            if flusher.wait_for_work(Duration::from_millis(50)) {
                flusher.flush(16 << 20).expect("the flusher works");
            }
        }
        flusher
    });
    let batch = block(256, 1000)?.into_bytes().len();
    let start = Instant::now();
    let mut bytes = 0;
    let mut waited = Duration::ZERO;
    let mut most_pending = 0;
    while bytes < mib << 20 {
        let count = writer.group_limit() / (batch + 1024);
        // Memory of its own, as if it had come from a connection.
        let block = self::block(256, 1000)?;
        waited += commit(&mut writer, &[log.append(&block, count)])?;
        bytes += count * batch;
        most_pending = reader.stats().pending_bytes.max(most_pending);
    }
    let took = start.elapsed();
    println!(
        "large groups: {:.0} MB/s, {:.0} % of the time waiting for the flusher, at most {} MiB in memory",
        bytes as f64 / took.as_secs_f64() / 1e6,
        100.0 * waited.as_secs_f64() / took.as_secs_f64(),
        most_pending >> 20,
    );
    stop.store(true, Ordering::Relaxed);
    let flusher = beside.join().map_err(|_| "the flusher died")?;
    Ok(OpenedStore {
        identity,
        boot,
        writer,
        flusher,
        reader,
        channels,
        lost,
        limbo,
    })
}

fn read_back(store: &OpenedStore<RealDisk>, log: &Log) -> Result<(), Failure> {
    let start = Instant::now();
    let mut from = Seq::FIRST;
    let mut bytes = 0;
    while from <= log.tail.seq {
        let read = store.reader.read(log.uid, from, 1 << 20)?;
        bytes += read.batches.iter().map(Batch::size).sum::<usize>();
        from = read
            .batches
            .last()
            .ok_or("an empty read")?
            .last_seq()
            .next();
    }
    let rate = bytes as f64 / start.elapsed().as_secs_f64() / 1e6;
    println!("reading {} MiB back: {rate:.0} MB/s", bytes >> 20);
    Ok(())
}

fn many_channels(store: &mut OpenedStore<RealDisk>, count: usize) -> Result<(), Failure> {
    let block = block(1, 256)?;
    let mut logs = (1..=count).map(Log::new).collect::<Result<Vec<_>, _>>()?;
    let start = Instant::now();
    for log in &logs {
        commit(&mut store.writer, &[log.open()])?;
    }
    println!("{count} channels, one group each: {:?}", start.elapsed());
    let start = Instant::now();
    let group: Vec<WriteRequest> = logs.iter_mut().map(|log| log.append(&block, 1)).collect();
    commit(&mut store.writer, &group)?;
    println!(
        "one group with an event for each of them: {:?}",
        start.elapsed()
    );
    let start = Instant::now();
    store.flusher.flush_all()?;
    println!("their first checkpoint: {:?}", start.elapsed());
    let group: Vec<WriteRequest> = logs.iter_mut().map(|log| log.append(&block, 1)).collect();
    commit(&mut store.writer, &group)?;
    let start = Instant::now();
    store.flusher.flush_all()?;
    println!("their second one: {:?}", start.elapsed());
    let group: Vec<WriteRequest> = logs.iter_mut().map(|log| log.append(&block, 1)).collect();
    commit(&mut store.writer, &group)?;
    Ok(())
}

fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.unwrap_or(" unknown").trim().to_owned()
}
