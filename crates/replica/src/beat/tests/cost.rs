//! What a thousand channels cost.

use std::time::Instant;

use super::*;

const CHANNELS: u32 = 1_000;

/// Three nodes, each of which leads a third of the channels and follows in the rest.
fn busy_mesh(channels: u32) -> Mesh {
    let mut mesh = Mesh::new(3);
    for number in 0..channels {
        let leader = u8::try_from(number % 3).unwrap();
        for at in 0..3 {
            let local = if at == leader {
                leading(at, channel(number), 5, 1)
            } else {
                following(at, channel(number), 5, leader)
            };
            mesh.stamp(at, &local);
        }
    }
    for _ in 0..3 {
        mesh.round();
    }
    mesh.take_facts();
    mesh
}

#[test]
fn idle_channels_cost_no_bytes_whatever_their_number() {
    let mut sizes = Vec::new();
    let mut given = Vec::new();
    for channels in [3, CHANNELS] {
        let mut mesh = busy_mesh(channels);
        mesh.given = 0;
        mesh.pass();
        (0..3).for_each(|at| mesh.restamp(at));
        (0..3).for_each(|at| mesh.tick(at));
        assert_eq!(mesh.flight.len(), 6, "one beat per pair and direction");
        let bytes = mesh.flight.iter().map(|(_, sent)| encoded_len(&sent.frame));
        sizes.push(bytes.max().unwrap());
        mesh.settle();
        let facts = mesh.take_facts().len();
        assert_eq!(facts, usize::try_from(channels).unwrap() * 4);
        given.push(mesh.given);
    }
    assert_eq!(given, [12, 12], "repetitions, and no facts");
    assert!(sizes.iter().all(|bytes| *bytes <= 80), "{sizes:?}");
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "this measures the code from outside"
)]
#[expect(clippy::print_stdout, reason = "the figures are what one runs it for")]
fn a_tick_with_a_thousand_idle_channels_takes_less_than_a_millisecond() {
    const ROUNDS: u32 = 20;
    let mut mesh = busy_mesh(CHANNELS);
    let locals: Vec<LocalChannel> = mesh.hubs[0]
        .channels
        .values()
        .map(|stamped| stamped.local.clone())
        .collect();
    // The shortest of many: anything longer is the machine's other work.
    let mut shortest = [Duration::MAX; 3];
    let mut effects = BeatEffects::default();
    for _ in 0..ROUNDS {
        let mut spent = [Duration::ZERO; 3];
        mesh.pass();
        (1..3).for_each(|at| mesh.restamp(at));
        (1..3).for_each(|at| mesh.tick(at));
        let start = Instant::now();
        for local in &locals {
            mesh.hubs[0].stamp(local, mesh.now);
        }
        spent[0] += start.elapsed();
        effects.clear();
        let start = Instant::now();
        mesh.hubs[0].tick(mesh.now, &mut effects);
        spent[1] += start.elapsed();
        let beats: Vec<_> = effects.frames.drain(..).map(|frame| (0, frame)).collect();
        let (here, there): (Vec<_>, Vec<_>) = std::mem::take(&mut mesh.flight)
            .into_iter()
            .chain(beats)
            .partition(|(_, sent)| sent.to == node(0));
        mesh.flight = there.into();
        mesh.settle_timing(0, here, &mut spent[2], &mut effects);
        shortest = std::array::from_fn(|step| shortest[step].min(spent[step]));
    }
    let [stamps, tick, hearing] = shortest;
    println!("1,000 stamps {stamps:?}, tick {tick:?}, 2 beats and 2 answers heard {hearing:?}");
    assert!(tick < Duration::from_millis(1));
}

impl Mesh {
    /// Delivers `here` and what follows to hub `at`, adding up the time that it takes there.
    #[expect(
        clippy::disallowed_methods,
        reason = "this measures the code from outside"
    )]
    fn settle_timing(
        &mut self,
        at: u8,
        here: Vec<(u8, OutgoingFrame)>,
        spent: &mut Duration,
        effects: &mut BeatEffects,
    ) {
        self.flight.extend(here);
        while let Some((from, sent)) = self.flight.pop_front() {
            if sent.to != node(at) {
                self.deliver(from, sent);
                continue;
            }
            let start = Instant::now();
            hand(
                &mut self.hubs[usize::from(at)],
                from,
                sent,
                self.now,
                effects,
            );
            *spent += start.elapsed();
            let frames = effects.frames.drain(..).map(|frame| (at, frame));
            self.flight.extend(frames);
        }
    }
}
