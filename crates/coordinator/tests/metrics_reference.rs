//! `docs/metrics.md` says what the table of metrics says.

use std::{fs, path::Path};

use tetrarch_coordinator::telemetry::reference_markdown;

#[test]
fn the_reference_is_what_the_table_generates() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    let written = fs::read_to_string(&path).unwrap();
    assert!(
        written == reference_markdown(),
        "docs/metrics.md is not what the table says; write it again with\n  \
         cargo run -p tetrarch-coordinator --example metrics_reference > docs/metrics.md"
    );
}
