//! One experiment: a mesh, clients, faults for a while, then peace, and the judgement.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use tetrarch_tests::{
    Dice, Links, Mesh, MeshOptions, eventually,
    history::{History, Outcome},
};

use super::{
    CHANNEL,
    fault::{Kind, Lots},
    impose::{Imposed, until},
    workload::Workload,
};

/// How long faults come if nobody says otherwise.
const SECONDS: u64 = 20;
/// How long clients may take to end, and a node to tell its log, once the mesh is well.
const PATIENCE: Duration = Duration::from_secs(90);
/// Small segments and a small write-ahead log, so that there are sealed and recycled ones soon.
pub(crate) const STORAGE: [(&str, &str); 3] = [
    ("TETRARCH_STORAGE_WAL_FILE_BYTES", "2MiB"),
    ("TETRARCH_STORAGE_SEGMENT_BYTES", "1MiB"),
    ("TETRARCH_STORAGE_FLUSH_TRIGGER_BYTES", "64KiB"),
];

/// What is done to a mesh.
pub(crate) struct Experiment {
    /// Its name.
    pub(crate) name: &'static str,
    /// How many nodes there are.
    pub(crate) nodes: usize,
    /// Which faults there are; one that is listed twice comes twice as often.
    pub(crate) kinds: &'static [Kind],
    /// Milliseconds from one fault to the next.
    pub(crate) interval: (u64, u64),
}

impl Experiment {
    /// Runs it.
    ///
    /// # Panics
    /// If any promise is broken. The data and logs of the nodes are kept then.
    pub(crate) fn run(&self) {
        let seed = variable("TETRARCH_CHAOS_SEED").unwrap_or_else(seed_of_now);
        let seconds = variable("TETRARCH_CHAOS_SECONDS").unwrap_or(SECONDS);
        say(&format!(
            "{}: TETRARCH_CHAOS_SEED={seed} TETRARCH_CHAOS_SECONDS={seconds}",
            self.name
        ));
        let dice = Dice::new(seed);
        let mut mesh = Mesh::init(&MeshOptions {
            nodes: self.nodes,
            environment: STORAGE.to_vec(),
        });
        let links = Links::within(&mut mesh, &dice.part(2_000));
        for node in &mut mesh.nodes {
            node.start();
        }
        mesh.wait_ready();
        create_channel(&mesh, self.nodes);
        let judged = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            self.run_on(&mut mesh, &links, &dice, Duration::from_secs(seconds))
        }));
        let broken = judged.unwrap_or_else(|_| "it did not come to an end".to_owned());
        if !broken.is_empty() {
            let kept = mesh.keep();
            panic!(
                "{} with seed {seed}, kept in {}: {broken}",
                self.name,
                kept.display()
            );
        }
    }

    /// What was broken; empty if nothing was.
    fn run_on(&self, mesh: &mut Mesh, links: &Links, dice: &Dice, lasting: Duration) -> String {
        let mut workload = Workload::start(mesh, dice);
        eventually("events are acknowledged before there is trouble", || {
            workload.acknowledged() > 100
        });
        let counts = self.trouble(mesh, links, dice, lasting);
        let healed = Instant::now();
        let before = workload.acknowledged();
        eventually("events are acknowledged again", || {
            workload.acknowledged() > before + 100
        });
        let recovered = healed.elapsed();
        mesh.wait_ready();
        let (appends, reads) = workload.finish(PATIENCE);
        let history = History {
            appends,
            reads,
            drained: workload.drain(mesh, PATIENCE),
        };
        let summary = summary(&history, links);
        say(&format!(
            "{}: {counts:?}; {summary}; acknowledging again {recovered:?} after the last fault",
            self.name
        ));
        judge(&history, mesh)
    }

    fn trouble(
        &self,
        mesh: &mut Mesh,
        links: &Links,
        dice: &Dice,
        lasting: Duration,
    ) -> std::collections::BTreeMap<&'static str, u32> {
        let nodes = mesh.nodes.len();
        let mut lots = Lots::new(dice.part(1_000), self.kinds, nodes);
        let mut imposed = Imposed::on(mesh, links);
        let end = Instant::now() + lasting;
        let mut next = Instant::now();
        while Instant::now() < end {
            let due = imposed.take_back_due();
            if next <= Instant::now() {
                let (drawn, pause) = lots.draw(self.interval);
                imposed.impose(drawn);
                next = Instant::now() + pause;
            }
            // The time between faults is what is tried here; nothing is waited for.
            std::thread::sleep(until(due, next));
        }
        imposed.heal()
    }
}

fn create_channel(mesh: &Mesh, replicas: usize) {
    let replicas = replicas.to_string();
    let created = mesh.run(&["channel", "create", CHANNEL, "--replicas", &replicas]);
    drop(created.expect_success("creating the channel"));
    let _leader: usize = mesh.leader_of(CHANNEL);
}

fn judge(history: &History, mesh: &Mesh) -> String {
    const SHOWN: usize = 20;
    let mut broken = String::new();
    let violations = history.check();
    if !violations.is_empty() {
        writeln!(broken, "{} violations", violations.len()).expect("text can be written");
    }
    for violation in violations.iter().take(SHOWN) {
        writeln!(broken, "  {violation}").expect("text can be written");
        for read in violation.reads() {
            let told = &history.reads[read];
            writeln!(broken, "    read {read}: {told}").expect("text can be written");
        }
    }
    for node in &mesh.nodes {
        let log = node.log();
        let panics = log.lines().filter(|line| line.contains("panicked at"));
        for line in panics {
            writeln!(broken, "  {}: {line}", node.name).expect("text can be written");
        }
        let rejected = node.metric_sum("tetrarch_transitions_rejected_total");
        if rejected > 0.0 {
            writeln!(
                broken,
                "  {}: {rejected} transitions that do not exist",
                node.name
            )
            .expect("text can be written");
        }
    }
    broken
}

fn summary(history: &History, links: &Links) -> String {
    let acknowledged = history.count(|one| matches!(one, Outcome::Acknowledged { .. }));
    let duplicates = history.count(|one| {
        matches!(
            one,
            Outcome::Acknowledged {
                duplicate: true,
                ..
            }
        )
    });
    let indeterminate = history.count(|one| *one == Outcome::Indeterminate);
    let refused = history.count(|one| *one == Outcome::Refused);
    let linearizable = history
        .reads
        .iter()
        .filter(|read| read.linearizable)
        .count();
    let epoch = history.drained.first().and_then(|node| node.events.last());
    format!(
        "{acknowledged} acknowledged ({duplicates} by a repeated try), {indeterminate} \
         indeterminate, {refused} refused; {} reads, {linearizable} of them linearizable; last \
         epoch {}; {:?}",
        history.reads.len(),
        epoch.map_or(0, |event| event.epoch),
        links.tally(),
    )
}

fn variable(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name} is a number")),
    )
}

fn seed_of_now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| now.as_millis().try_into().unwrap_or(0))
}

#[expect(
    clippy::print_stdout,
    reason = "a run says its seed, so that it can be repeated, and what it saw"
)]
pub(crate) fn say(what: &str) {
    println!("{what}");
}
