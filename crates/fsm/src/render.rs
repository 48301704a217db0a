//! The table of roles as text: Markdown for people, Mermaid for a picture, JSON for programs. All
//! three walk the one `const` table, so that none of them can say anything else.

use tetrarch_wire::ReplicaRole;

use crate::{LEGAL_TRANSITIONS, TransitionSignal, Verdict, verdict};

/// How many cells of the matrix have each verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Transitions that exist.
    pub legal: usize,
    /// Reachable pairs of roles, by another signal.
    pub mismatch: usize,
    /// Pairs of roles that no signal connects.
    pub invalid: usize,
}

impl Counts {
    /// Counts the cells that these signals span with every pair of roles.
    #[must_use]
    pub fn of(signals: &[TransitionSignal]) -> Self {
        let mut counts = Self::default();
        for from in ReplicaRole::ALL {
            for to in ReplicaRole::ALL {
                for signal in signals {
                    counts.add(verdict(from, to, *signal));
                }
            }
        }
        counts
    }

    /// All cells.
    #[must_use]
    pub const fn total(self) -> usize {
        self.legal + self.mismatch + self.invalid
    }

    const fn add(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Legal => self.legal += 1,
            Verdict::SignalMismatch => self.mismatch += 1,
            Verdict::InvalidPair => self.invalid += 1,
        }
    }
}

/// The table as Markdown: the transitions one by one, then the matrix of pairs.
#[must_use]
pub fn markdown() -> String {
    let mut out = String::new();
    for line in counts_lines().into_iter().chain(transition_lines()) {
        out += &line;
        out.push('\n');
    }
    out.push('\n');
    for line in matrix_lines() {
        out += &line;
        out.push('\n');
    }
    out
}

/// The table as a Mermaid state diagram.
#[must_use]
pub fn mermaid() -> String {
    let mut out = String::from("stateDiagram-v2\n    [*] --> Idle\n");
    for from in ReplicaRole::ALL {
        for to in ReplicaRole::ALL {
            let signals = signals_between(from, to);
            if !signals.is_empty() {
                out += &format!("    {from} --> {to} : {}\n", signals.join("<br/>"));
            }
        }
    }
    out
}

/// The table as JSON: roles with their wire values, signals in order, counts, and transitions.
#[must_use]
pub fn json() -> String {
    let roles = ReplicaRole::ALL.map(|role| {
        format!(
            "    {{\"name\": \"{role}\", \"value\": {}}}",
            u8::from(role)
        )
    });
    let signals = TransitionSignal::ALL.map(|signal| format!("    \"{signal}\""));
    let transitions = LEGAL_TRANSITIONS.map(|(from, to, signal)| {
        format!("    {{\"from\": \"{from}\", \"to\": \"{to}\", \"signal\": \"{signal}\"}}")
    });
    let counts = Counts::of(&TransitionSignal::ALL);
    let mut out = String::from("{\n");
    out += &list("roles", &roles);
    out += &list("signals", &signals);
    out += &format!(
        "  \"cells\": {{\"total\": {}, \"legal\": {}, \"signal_mismatch\": {}, \"invalid_pair\": {}}},\n",
        counts.total(),
        counts.legal,
        counts.mismatch,
        counts.invalid
    );
    out += list("transitions", &transitions).trim_end_matches(",\n");
    out += "\n}\n";
    out
}

fn list(name: &str, rows: &[String]) -> String {
    format!("  \"{name}\": [\n{}\n  ],\n", rows.join(",\n"))
}

fn counts_lines() -> [String; 4] {
    let all = Counts::of(&TransitionSignal::ALL);
    let ten = Counts::of(TransitionSignal::original());
    let row = |name: &str, counts: Counts| {
        format!(
            "| {name} | {} | {} | {} | {} |",
            counts.total(),
            counts.legal,
            counts.mismatch,
            counts.invalid
        )
    };
    [
        "| signals | cells | legal | `SignalMismatch` | `InvalidPair` |".into(),
        "|---|---:|---:|---:|---:|".into(),
        row("all twelve", all),
        row("the original ten", ten),
    ]
}

fn transition_lines() -> Vec<String> {
    let mut lines = vec![
        String::new(),
        "| # | from | to | signal |".into(),
        "|---:|---|---|---|".into(),
    ];
    for (index, (from, to, signal)) in LEGAL_TRANSITIONS.into_iter().enumerate() {
        lines.push(format!("| {} | {from} | {to} | `{signal}` |", index + 1));
    }
    lines
}

fn matrix_lines() -> Vec<String> {
    let mut head = String::from("| from \\ to |");
    let mut rule = String::from("|---|");
    for to in ReplicaRole::ALL {
        head += &format!(" {to} |");
        rule += "---|";
    }
    let mut lines = vec![head, rule];
    for from in ReplicaRole::ALL {
        let mut line = format!("| **{from}** |");
        for to in ReplicaRole::ALL {
            let signals = signals_between(from, to);
            let cell = if signals.is_empty() {
                "–".into()
            } else {
                signals.join("<br>")
            };
            line += &format!(" {cell} |");
        }
        lines.push(line);
    }
    lines
}

fn signals_between(from: ReplicaRole, to: ReplicaRole) -> Vec<&'static str> {
    TransitionSignal::ALL
        .into_iter()
        .filter(|signal| verdict(from, to, *signal) == Verdict::Legal)
        .map(TransitionSignal::name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_transition_is_in_every_rendering() {
        let (markdown, mermaid, json) = (markdown(), mermaid(), json());
        for (from, to, signal) in LEGAL_TRANSITIONS {
            assert!(markdown.contains(&format!("| {from} | {to} | `{signal}` |")));
            let edge = format!("{from} --> {to} : ");
            let line = mermaid.lines().find(|line| line.contains(&edge)).unwrap();
            assert!(line.contains(signal.name()), "{line}");
            assert!(json.contains(&format!(
                "{{\"from\": \"{from}\", \"to\": \"{to}\", \"signal\": \"{signal}\"}}"
            )));
        }
    }

    #[test]
    fn nothing_but_the_transitions_is_rendered() {
        assert_eq!(json().matches("\"from\"").count(), LEGAL_TRANSITIONS.len());
        let edges: usize = mermaid()
            .lines()
            .filter(|line| line.contains(" : "))
            .map(|line| 1 + line.matches("<br/>").count())
            .sum();
        assert_eq!(edges, LEGAL_TRANSITIONS.len());
    }

    #[test]
    fn the_counts_stand_in_the_renderings() {
        assert!(markdown().contains("| all twelve | 192 | 17 | 91 | 84 |"));
        assert!(markdown().contains("| the original ten | 160 | 13 | 77 | 70 |"));
        assert!(json().contains(
            "\"cells\": {\"total\": 192, \"legal\": 17, \"signal_mismatch\": 91, \"invalid_pair\": 84}"
        ));
    }
}
