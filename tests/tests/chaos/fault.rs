//! What can be done to a mesh, drawn by lot.

use std::time::Duration;

use tetrarch_tests::{Dice, LinkFaults};

/// A kind of fault, before it is known whom it hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A node is killed, and started again.
    Kill,
    /// All nodes are killed, and started again.
    KillAll,
    /// A node stands still.
    Pause,
    /// Links lose, double, delay and reorder.
    Degrade,
    /// What one node sends to another does not arrive; the other way it does.
    CutOneWay,
    /// No node hears one node, or it hears none, or both.
    Isolate,
    /// Two groups hear nothing of each other, but both hear the one node between them.
    Bridge,
    /// The leader is asked to hand over.
    Relinquish,
}

/// A fault that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// These nodes are killed at once, and started again.
    Kill(Vec<usize>),
    /// This node stands still.
    Pause(usize),
    /// These ways have these faults.
    Links(Vec<(usize, usize)>, LinkFaults),
    /// The leader is asked to hand over.
    Relinquish,
}

/// A fault, and how long it lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Drawn {
    /// What kind it was drawn as.
    pub(crate) kind: Kind,
    /// What happens.
    pub(crate) fault: Fault,
    /// For how long.
    pub(crate) lasting: Duration,
}

/// Faults drawn without putting them back until all were drawn, so that a short run sees each kind.
#[derive(Debug)]
pub(crate) struct Lots {
    dice: Dice,
    kinds: &'static [Kind],
    left: Vec<Kind>,
    nodes: usize,
}

impl Lots {
    /// Lots of these kinds for a mesh of so many nodes.
    pub(crate) const fn new(dice: Dice, kinds: &'static [Kind], nodes: usize) -> Self {
        Self {
            dice,
            kinds,
            left: Vec::new(),
            nodes,
        }
    }

    /// The next fault, and the milliseconds until the one after it.
    pub(crate) fn draw(&mut self, interval: (u64, u64)) -> (Drawn, Duration) {
        if self.left.is_empty() {
            self.left.extend(self.kinds);
        }
        let kind = self.left.swap_remove(self.dice.place(self.left.len()));
        let drawn = drawn(&mut self.dice, kind, self.nodes);
        let (least, most) = interval;
        (drawn, Duration::from_millis(self.dice.between(least, most)))
    }
}

/// Whom a fault of this kind hits, how hard, and for how long.
fn drawn(dice: &mut Dice, kind: Kind, nodes: usize) -> Drawn {
    let node = dice.place(nodes);
    let (fault, least, most) = match kind {
        Kind::Kill => (Fault::Kill(vec![node]), 100, 2_500),
        Kind::KillAll => (Fault::Kill((0..nodes).collect()), 50, 500),
        Kind::Pause => (Fault::Pause(node), 1_000, 5_000),
        Kind::Degrade => (degrade(dice, nodes), 1_000, 5_000),
        Kind::CutOneWay => {
            let to = (node + 1 + dice.place(nodes - 1)) % nodes;
            (Fault::Links(vec![(node, to)], LinkFaults::CUT), 500, 4_000)
        }
        Kind::Isolate => (isolate(dice, node, nodes), 500, 4_000),
        Kind::Bridge => (bridge(node, nodes), 500, 4_000),
        Kind::Relinquish => (Fault::Relinquish, 0, 0),
    };
    Drawn {
        kind,
        fault,
        lasting: Duration::from_millis(dice.between(least, most)),
    }
}

fn degrade(dice: &mut Dice, nodes: usize) -> Fault {
    let ways = ways(nodes, |_, _| dice.per_mille(600));
    let faults = LinkFaults {
        cut: false,
        loss: dice.between(0, 250),
        duplicates: dice.between(0, 200),
        delay: Duration::from_millis(dice.between(0, 60)),
        jitter: Duration::from_millis(dice.between(1, 60)),
    };
    Fault::Links(ways, faults)
}

/// Deaf, dumb, or both.
fn isolate(dice: &mut Dice, node: usize, nodes: usize) -> Fault {
    let (deaf, dumb) = match dice.below(4) {
        0 => (true, false),
        1 => (false, true),
        _ => (true, true),
    };
    let ways = ways(nodes, |from, to| {
        (dumb && from == node) || (deaf && to == node)
    });
    Fault::Links(ways, LinkFaults::CUT)
}

fn bridge(middle: usize, nodes: usize) -> Fault {
    let side = |node: usize| (node + nodes - middle) % nodes <= nodes / 2;
    let ways = ways(nodes, |from, to| {
        from != middle && to != middle && side(from) != side(to)
    });
    Fault::Links(ways, LinkFaults::CUT)
}

fn ways(nodes: usize, mut is_hit: impl FnMut(usize, usize) -> bool) -> Vec<(usize, usize)> {
    let pairs = (0..nodes).flat_map(|from| (0..nodes).map(move |to| (from, to)));
    pairs
        .filter(|(from, to)| from != to && is_hit(*from, *to))
        .collect()
}

#[test]
fn a_seed_draws_the_same_faults_again_and_every_kind_in_turn() {
    const KINDS: &[Kind] = &[Kind::Kill, Kind::Degrade, Kind::Isolate, Kind::Bridge];
    let draw = |seed| {
        let mut lots = Lots::new(Dice::new(seed), KINDS, 5);
        (0..20).map(|_| lots.draw((1, 9))).collect::<Vec<_>>()
    };
    assert_eq!(draw(3), draw(3));
    assert_ne!(draw(3), draw(4));
    for round in draw(3).chunks(KINDS.len()) {
        assert!(
            KINDS
                .iter()
                .all(|kind| round.iter().any(|(drawn, _)| drawn.kind == *kind))
        );
    }
}

#[test]
fn a_bridge_leaves_one_node_that_hears_all() {
    let Fault::Links(cut, faults) = bridge(1, 3) else {
        panic!("a bridge is made of links");
    };
    assert!(faults.cut);
    assert_eq!(cut, [(0, 2), (2, 0)]);
    let Fault::Links(cut, _) = bridge(4, 5) else {
        panic!("a bridge is made of links");
    };
    assert_eq!(cut.len(), 8, "two nodes on either side: {cut:?}");
    assert!(cut.iter().all(|(from, to)| *from != 4 && *to != 4));
}
