//! The direction of dependencies: a pure crate can do nothing that it has no crate for.

use crate::workspace::Graph;

/// What a package may be built from.
struct Rule {
    package: &'static str,
    /// Packages of this workspace.
    ours: &'static [&'static str],
    /// All other packages, where they are few enough to be listed.
    others: Option<&'static [&'static str]>,
    /// Packages that it must not even reach through others.
    never: &'static [&'static str],
}

/// No runtime, no network, no chance of their own.
const IMPURE: &[&str] = &[
    "tokio",
    "quinn",
    "rand",
    "rand_core",
    "getrandom",
    "fastrand",
    "mio",
    "socket2",
];

const RULES: [Rule; 13] = [
    // Switches for mistakes, and nothing else.
    Rule {
        package: "tetrarch-mutant",
        ours: &[],
        others: Some(&[]),
        never: IMPURE,
    },
    Rule {
        package: "tetrarch-wire",
        ours: &[],
        others: Some(&[
            "blake3",
            "bytes",
            "crc32c",
            "postcard",
            "serde",
            "thiserror",
        ]),
        never: IMPURE,
    },
    Rule {
        package: "tetrarch-fsm",
        ours: &["tetrarch-wire"],
        others: Some(&["thiserror"]),
        never: IMPURE,
    },
    Rule {
        package: "tetrarch-replica",
        ours: &["tetrarch-wire", "tetrarch-fsm", "tetrarch-mutant"],
        others: Some(&["bytes", "postcard", "serde", "thiserror"]),
        never: IMPURE,
    },
    Rule {
        package: "tetrarch-log",
        ours: &["tetrarch-wire", "tetrarch-mutant"],
        others: Some(&["bytes", "postcard", "rustix", "serde", "thiserror"]),
        never: IMPURE,
    },
    Rule {
        package: "tetrarch-client",
        ours: &["tetrarch-wire"],
        others: None,
        never: &["axum", "clap"],
    },
    Rule {
        package: "tetrarch-coordinator",
        ours: &[
            "tetrarch-wire",
            "tetrarch-fsm",
            "tetrarch-replica",
            "tetrarch-log",
            "tetrarch-client",
        ],
        others: None,
        never: &["axum", "clap"],
    },
    Rule {
        package: "tetrarch-gateway",
        ours: &[],
        others: None,
        never: &["clap"],
    },
    Rule {
        package: "tetrarch",
        ours: &[
            "tetrarch-wire",
            "tetrarch-fsm",
            "tetrarch-replica",
            "tetrarch-log",
            "tetrarch-client",
            "tetrarch-coordinator",
            "tetrarch-gateway",
        ],
        others: None,
        never: &[],
    },
    // It runs what ships in place of a node's process, and nothing of the process itself.
    Rule {
        package: "tetrarch-sim",
        ours: &[
            "tetrarch-wire",
            "tetrarch-fsm",
            "tetrarch-replica",
            "tetrarch-log",
            "tetrarch-mutant",
        ],
        others: Some(&["bytes", "clap", "serde_json"]),
        never: IMPURE,
    },
    Rule {
        package: "tetrarch-model",
        ours: &["tetrarch-wire", "tetrarch-fsm", "tetrarch-replica"],
        others: Some(&["clap", "stateright"]),
        never: &["tokio", "quinn"],
    },
    // They drive the binary from outside, and speak to it as a client or a stranger would. The table of
    // roles is what they tick off.
    Rule {
        package: "tetrarch-tests",
        ours: &["tetrarch-wire", "tetrarch-fsm", "tetrarch-client"],
        others: None,
        never: &[],
    },
    Rule {
        package: "xtask",
        ours: &["tetrarch-fsm"],
        others: Some(&["serde_json"]),
        never: &["tokio"],
    },
];

/// What breaks a rule.
///
/// # Errors
/// If cargo cannot describe the workspace.
pub(super) fn findings() -> Result<Vec<String>, String> {
    Ok(check(&Graph::load()?, &RULES))
}

fn check(graph: &Graph, rules: &[Rule]) -> Vec<String> {
    let mut findings = Vec::new();
    for member in &graph.members {
        match rules.iter().find(|rule| rule.package == member) {
            Some(rule) => findings.extend(rule.check(graph)),
            None => findings.push(format!(
                "{member} has no rule that says what it may be built from"
            )),
        }
    }
    findings
}

impl Rule {
    fn check(&self, graph: &Graph) -> Vec<String> {
        let package = self.package;
        let mut findings = Vec::new();
        for dependency in graph.dependencies.get(package).into_iter().flatten() {
            let allowed = if graph.members.contains(dependency) {
                self.ours.contains(&dependency.as_str())
            } else {
                let others = self.others;
                others.is_none_or(|others| others.contains(&dependency.as_str()))
            };
            if !allowed {
                findings.push(format!("{package} must not depend on {dependency}"));
            }
        }
        for reached in graph.closure(package) {
            if self.never.contains(&reached) {
                findings.push(format!("{package} must not even reach {reached}"));
            }
        }
        findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(&str, &str)]) -> Graph {
        let mut graph = Graph {
            members: ["tetrarch-wire", "tetrarch-fsm"].map(str::to_owned).into(),
            ..Graph::default()
        };
        for (from, to) in edges {
            let entry = graph.dependencies.entry((*from).to_owned());
            entry.or_default().insert((*to).to_owned());
        }
        graph
    }

    #[test]
    fn the_workspace_keeps_its_direction() {
        assert_eq!(findings().unwrap(), Vec::<String>::new());
    }

    #[test]
    fn an_allowed_dependency_is_no_finding() {
        let graph = graph(&[("tetrarch-fsm", "tetrarch-wire")]);
        assert!(check(&graph, &RULES).is_empty());
    }

    #[test]
    fn an_arrow_that_points_back_is_found() {
        let graph = graph(&[("tetrarch-wire", "tetrarch-fsm")]);
        let findings = check(&graph, &RULES);
        assert_eq!(findings, ["tetrarch-wire must not depend on tetrarch-fsm"]);
    }

    #[test]
    fn a_runtime_is_found_however_far_away_it_is() {
        for impure in ["tokio", "quinn", "rand"] {
            let graph = graph(&[
                ("tetrarch-wire", "bytes"),
                ("bytes", "innocent"),
                ("innocent", impure),
            ]);
            let expected = format!("tetrarch-wire must not even reach {impure}");
            assert_eq!(check(&graph, &RULES), [expected]);
        }
    }

    #[test]
    fn a_package_without_a_rule_is_found() {
        let mut graph = graph(&[]);
        graph.members.insert("new".into());
        assert_eq!(check(&graph, &RULES).len(), 1);
    }

    #[test]
    fn the_four_pure_crates_are_kept_from_runtime_network_and_chance() {
        for package in ["wire", "fsm", "replica", "log"] {
            let name = format!("tetrarch-{package}");
            let rule = RULES.iter().find(|rule| rule.package == name).unwrap();
            for impure in ["tokio", "quinn", "rand"] {
                assert!(rule.never.contains(&impure), "{name} {impure}");
            }
        }
    }
}
