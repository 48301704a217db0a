//! `tetrarch fsm`, and the manners of the command line in general.

use std::path::Path;

use super::run::tetrarch;

#[test]
fn the_table_is_printed_for_people_pictures_and_programs() {
    let here = Path::new(".");
    let markdown = tetrarch(here, &["fsm"]).ok();
    assert!(markdown.contains("CapabilitySelected") && markdown.contains('|'));
    let mermaid = tetrarch(here, &["fsm", "--format", "mermaid"]).ok();
    assert!(mermaid.starts_with("stateDiagram-v2"));
    let json = tetrarch(here, &["fsm", "--json"]).ok();
    let table: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(table["transitions"].as_array().unwrap().len(), 17);
    assert_eq!(json, tetrarch(here, &["fsm", "--format", "json"]).ok());
}

#[test]
fn a_command_line_that_makes_no_sense_is_2_and_says_so_on_stderr() {
    let ran = tetrarch(Path::new("."), &["fsn"]);
    assert_eq!(ran.code, 2);
    assert_eq!(ran.out, "");
    assert!(ran.err.contains("fsm"), "a suggestion: {}", ran.err);
}

#[test]
fn the_help_lists_the_exit_codes() {
    let help = tetrarch(Path::new("."), &["--help"]).ok();
    for code in 0..=6 {
        assert!(help.contains(&format!("\n  {code}  ")), "{help}");
    }
}
