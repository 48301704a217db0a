//! A `tetrarch pub` process that is fed numbered events and tells which were acknowledged.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
};

use serde_json::Value;

use crate::{Mesh, binary, wait::eventually};

/// The payload of the event number `number` of a producer: unique, so that lost, repeated and
/// misplaced events can be told apart.
#[must_use]
pub fn numbered(producer: &str, number: u64) -> String {
    format!("{producer}:{number:09}")
}

/// Where acknowledged events are, as the producer was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// First seq.
    pub first: u64,
    /// Last seq.
    pub last: u64,
}

/// A producer that runs.
#[derive(Debug)]
pub struct Producer {
    name: String,
    padding: usize,
    child: Child,
    input: Option<ChildStdin>,
    next: u64,
    acknowledged: Arc<AtomicU64>,
    reading: Option<JoinHandle<Vec<Acknowledged>>>,
}

impl Producer {
    /// Starts one.
    ///
    /// # Panics
    /// If the program cannot be started.
    #[must_use]
    pub fn start(mesh: &Mesh, channel: &str, name: &str) -> Self {
        Self::start_padded(mesh, channel, name, 0)
    }

    /// Starts one whose payloads have so many more bytes.
    ///
    /// # Panics
    /// If the program cannot be started.
    #[must_use]
    pub fn start_padded(mesh: &Mesh, channel: &str, name: &str, padding: usize) -> Self {
        Self::start_from(&mesh.dir(), channel, name, padding)
    }

    /// Starts one with the context in this directory.
    ///
    /// # Panics
    /// If the program cannot be started.
    #[must_use]
    pub fn start_from(context: &Path, channel: &str, name: &str, padding: usize) -> Self {
        let mut child = binary::command(["pub", channel, "--json", "--mesh"])
            .arg(context)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("a producer can be started");
        let output = child.stdout.take().expect("the output is a pipe");
        let input = child.stdin.take();
        let acknowledged = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&acknowledged);
        let reading = std::thread::spawn(move || {
            let lines = BufReader::new(output).lines().map_while(Result::ok);
            lines.map(|line| acknowledgement(&line, &counter)).collect()
        });
        let reading = Some(reading);
        Self {
            name: name.to_owned(),
            padding,
            child,
            input,
            next: 1,
            acknowledged,
            reading,
        }
    }

    /// Hands over `count` more events. Waits while the producer cannot take them.
    ///
    /// # Panics
    /// If the producer has ended.
    pub fn feed(&mut self, count: u64) {
        let input = self
            .input
            .as_mut()
            .expect("the producer is fed before it is finished");
        let mut lines = String::new();
        let padding = "x".repeat(self.padding);
        for _ in 0..count {
            lines.push_str(&numbered(&self.name, self.next));
            lines.push_str(&padding);
            lines.push('\n');
            self.next += 1;
        }
        input
            .write_all(lines.as_bytes())
            .expect("the producer takes its events");
        input.flush().expect("the producer takes its events");
    }

    /// How many events were acknowledged so far.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Acquire)
    }

    /// Waits until so many events are acknowledged, for as long as there are more of them now and then:
    /// how fast they come is for the disk to say.
    pub fn wait_acknowledged(&self, count: u64) {
        let mut known = self.acknowledged();
        while known < count {
            eventually(
                &format!("one more than {known} events is acknowledged"),
                || self.acknowledged() > known,
            );
            known = self.acknowledged();
        }
    }

    /// Ends the producer, which must have had every event acknowledged, and returns all payloads
    /// in order and where they are.
    ///
    /// # Panics
    /// If the producer failed or an event was not acknowledged.
    #[must_use]
    pub fn finish(mut self) -> (Vec<String>, Vec<Acknowledged>) {
        drop(self.input.take());
        let status = self.child.wait().expect("the producer ends");
        let reading = self.reading.take().expect("the answers are read once");
        let runs = reading.join().expect("the answers are read");
        assert!(status.success(), "the producer failed: {status}");
        assert_eq!(
            self.acknowledged(),
            self.next - 1,
            "not every event was acknowledged"
        );
        (
            (1..self.next)
                .map(|number| numbered(&self.name, number) + &"x".repeat(self.padding))
                .collect(),
            runs,
        )
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        if self.reading.is_some() && self.child.kill().is_ok() && self.child.wait().is_err() {
            self.input = None;
        }
    }
}

fn acknowledgement(line: &str, counter: &AtomicU64) -> Acknowledged {
    let answer: Value = serde_json::from_str(line).expect("an acknowledgement is JSON");
    let field = |name: &str| {
        answer[name]
            .as_u64()
            .expect("an acknowledgement has its seqs")
    };
    let run = Acknowledged {
        first: field("first_seq"),
        last: field("last_seq"),
    };
    counter.fetch_add(run.last - run.first + 1, Ordering::AcqRel);
    run
}
