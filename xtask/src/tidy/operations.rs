//! The page for operators: it has a section for each signal and for nothing else, each says which
//! transitions it drives and what to do, and every metric that it names exists.

use std::{collections::BTreeSet, fs};

use tetrarch_fsm::{LEGAL_TRANSITIONS, TransitionSignal};

use crate::workspace;

const PAGE: &str = "docs/operations.md";
/// Generated from the table in the code, and compared with it by a test.
const METRICS: &str = "docs/metrics.md";
/// Under this heading each signal has its section.
const HEADING: &str = "## Reading transitions\n";
/// What each section says, in this order.
const PARTS: [&str; 5] = [
    "- **Normal",
    "- **A problem",
    "- **Causes",
    "- **Look",
    "- **Do",
];

/// What breaks a rule.
///
/// # Errors
/// If a page cannot be read.
pub(super) fn findings() -> Result<Vec<String>, String> {
    let read = |page: &str| {
        let path = workspace::root().join(page);
        fs::read_to_string(path).map_err(|error| format!("{page}: {error}"))
    };
    Ok(check(&read(PAGE)?, &read(METRICS)?))
}

fn check(page: &str, metrics: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let sections = sections(page);
    for signal in TransitionSignal::ALL {
        let name = signal.name();
        let mut told = sections.iter().filter(|(title, _)| *title == name);
        match (told.next(), told.next()) {
            (Some((_, text)), None) => findings.extend(check_section(signal, text)),
            (Some(_), Some(_)) => findings.push(format!("{PAGE} has two sections for {name}")),
            (None, _) => findings.push(format!("{PAGE} has no section for the signal {name}")),
        }
    }
    for (title, _) in &sections {
        if !TransitionSignal::ALL.iter().any(|one| one.name() == *title) {
            findings.push(format!(
                "{PAGE} has a section for {title}, which is no signal"
            ));
        }
    }
    let unknown = names(page).into_iter();
    let unknown = unknown.filter(|name| !metrics.contains(&format!("| `{name}` |")));
    findings.extend(unknown.map(|name| format!("{PAGE} names {name}, which is no metric")));
    findings
}

/// Title and text of each section on a signal.
fn sections(page: &str) -> Vec<(&str, &str)> {
    let Some((_, chapter)) = page.split_once(HEADING) else {
        return Vec::new();
    };
    let chapter = chapter.split_once("\n## ").map_or(chapter, |(own, _)| own);
    let sections = chapter.split("\n### ").skip(1);
    sections.filter_map(|text| text.split_once('\n')).collect()
}

fn check_section(signal: TransitionSignal, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let drives = drives(signal);
    if !text.trim_start().starts_with(&drives) {
        findings.push(format!(
            "{PAGE}: the section {signal} must begin with \"{drives}\""
        ));
    }
    let places: Vec<Option<usize>> = PARTS.iter().map(|part| text.find(part)).collect();
    if places.contains(&None) || !places.is_sorted() {
        let parts = PARTS.map(|part| part.trim_start_matches("- **")).join(", ");
        findings.push(format!(
            "{PAGE}: the section {signal} must say, in this order: {parts}"
        ));
    }
    findings
}

/// The transitions of a signal in words, as its section begins.
fn drives(signal: TransitionSignal) -> String {
    let transitions = LEGAL_TRANSITIONS.into_iter();
    let transitions = transitions.filter(|(.., driven_by)| *driven_by == signal);
    let pairs: Vec<String> = transitions
        .map(|(from, to, _)| format!("{from} → {to}"))
        .collect();
    format!("Drives {}.", pairs.join(", "))
}

/// Every metric that a page names.
fn names(page: &str) -> BTreeSet<&str> {
    let is_outside = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    let words = page.split(is_outside);
    words.filter(|word| word.starts_with("tetrarch_")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> String {
        fs::read_to_string(workspace::root().join(PAGE)).unwrap()
    }

    fn metrics() -> String {
        fs::read_to_string(workspace::root().join(METRICS)).unwrap()
    }

    #[test]
    fn the_page_for_operators_is_complete() {
        assert_eq!(findings().unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_signal_without_a_section_and_a_section_without_a_signal_are_found() {
        for signal in TransitionSignal::ALL {
            let title = format!("\n### {signal}\n");
            let renamed = page().replace(&title, "\n### Unheard\n");
            let findings = check(&renamed, &metrics());
            assert_eq!(findings.len(), 2, "{findings:?}");
            assert!(findings[0].contains(signal.name()), "{findings:?}");
            assert!(findings[1].contains("Unheard"), "{findings:?}");
            let twice = page().replace(&title, &format!("{title}{title}"));
            assert!(check(&twice, &metrics())[0].contains("two sections"));
        }
    }

    #[test]
    fn a_section_that_names_other_transitions_or_lacks_a_part_is_found() {
        let wrong = page().replace("Drives Candidate → Leader.", "Drives Candidate → Replica.");
        let findings = check(&wrong, &metrics());
        assert!(findings[0].contains("ElectionWon"), "{findings:?}");
        for part in PARTS {
            let without = page().replacen(part, "- **Other", 1);
            assert_eq!(check(&without, &metrics()).len(), 1, "{part}");
        }
    }

    #[test]
    fn a_metric_that_does_not_exist_is_found() {
        let wrong = page() + "`tetrarch_channel_mood{channel}`";
        let findings = check(&wrong, &metrics());
        assert_eq!(
            findings,
            ["docs/operations.md names tetrarch_channel_mood, which is no metric"]
        );
    }
}
