//! What the page for operators tells them to type.

use std::path::Path;

use super::run::tetrarch;

const PAGE: &str = include_str!("../../../../docs/operations.md");

/// The commands of the program that a page names, in code within a line or on lines of their own.
fn commands(page: &str) -> Vec<&str> {
    let mut is_block = false;
    let mut commands = Vec::new();
    for line in page.lines() {
        if line.starts_with("```") {
            is_block = !is_block;
        } else if is_block {
            commands.extend(line.split('#').next());
        } else {
            commands.extend(line.split('`').skip(1).step_by(2));
        }
    }
    let ours = commands.into_iter().map(str::trim);
    ours.filter(|command| command.starts_with("tetrarch "))
        .collect()
}

/// The help of a command, which is the first two words or only the first.
fn help(words: &[&str]) -> String {
    let help = |words: &[&str]| tetrarch(Path::new("."), &[words, &["--help"]].concat());
    let of_the_first = help(&words[..1]).ok();
    if of_the_first.contains("\nCommands:") {
        help(&words[..2]).ok()
    } else {
        of_the_first
    }
}

#[test]
fn commands_on_the_page_for_operators_exist_with_their_options() {
    let commands = commands(PAGE);
    assert!(commands.len() > 10, "{commands:?}");
    for command in commands {
        let words: Vec<&str> = command.split_whitespace().skip(1).collect();
        let help = help(&words);
        for option in words.iter().filter(|word| word.starts_with("--")) {
            let is_there = help.split([' ', ',', '\n']).any(|word| word == *option);
            assert!(is_there, "{command}: there is no {option}\n{help}");
        }
    }
}

#[test]
fn commands_are_found_in_lines_and_in_blocks() {
    let page = "Ask `tetrarch status` or `/livez`.\n```\ntetrarch sub a # a comment\ngrep b\n```\n";
    assert_eq!(commands(page), ["tetrarch status", "tetrarch sub a"]);
}
