//! Prints the reference of all metrics, as `docs/metrics.md` holds it.

use std::io::{self, Write as _};

fn main() -> io::Result<()> {
    io::stdout().write_all(tetrarch_coordinator::telemetry::reference_markdown().as_bytes())
}
