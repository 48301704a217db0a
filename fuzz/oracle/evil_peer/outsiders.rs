//! Nodes of the mesh that have nothing to say in the channel: whatever they say changes nothing (I23).

use tetrarch_replica::Input;
use tetrarch_wire::VoterId;

use super::{life::Life, node::Node};

impl Life<'_> {
    /// What a node says that has nothing to say here must change nothing (I23).
    pub(super) fn give_from(&mut self, from: VoterId, input: Input) {
        if !self.witness.is_outsider(from, self.known.follows) {
            self.witness.has_spoken(from);
            self.give(input);
            return;
        }
        // What only the passing of time decides is decided first.
        self.give(Input::Tick);
        if !self.witness.is_outsider(from, self.known.follows) {
            return;
        }
        let before = state(&self.node);
        self.give(input);
        let after = state(&self.node);
        assert!(before == after, "I23: {}", difference(&before, &after));
        self.count("outsiders");
    }
}

/// All that the replica knows, but how many messages it has refused.
fn state(node: &Node) -> String {
    let mut state = format!("{:?}", node.replica);
    let count = state.rfind("refused: ").expect("it counts what it refuses");
    let digits = count + "refused: ".len();
    let end = state[digits..].find(|c: char| !c.is_ascii_digit());
    state.replace_range(digits..end.map_or(state.len(), |end| digits + end), "");
    state
}

/// Where two states begin to differ.
fn difference(before: &str, after: &str) -> String {
    let same = before.bytes().zip(after.bytes());
    let same = same.take_while(|(one, other)| one == other).count();
    let around = |text: &str| {
        let from = same.saturating_sub(40);
        text.chars().skip(from).take(160).collect::<String>()
    };
    format!(
        "an outsider changed\n{}\nto\n{}",
        around(before),
        around(after)
    )
}
