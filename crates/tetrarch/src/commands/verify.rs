//! `tetrarch verify`: checks a data directory that no node has open.

use std::path::PathBuf;

use serde::Serialize;
use tetrarch_log::{Finding, RealDisk, VerifyReport};

use crate::error::Error;
use crate::output;

/// Checks every checksum, link and file of a data directory that no node has open. Changes
/// nothing.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The data directory.
    dir: PathBuf,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Shown {
    node: String,
    store: String,
    intact: bool,
    channels: usize,
    segments: usize,
    forks: usize,
    batches: u64,
    bytes: u64,
    wal_groups: usize,
    findings: Vec<ShownFinding>,
}

#[derive(Debug, Serialize)]
struct ShownFinding {
    path: String,
    channel: Option<String>,
    loss: bool,
    what: String,
}

/// Runs it.
///
/// # Errors
/// If there is no store, a node has it open, or something in it is lost.
pub fn run(args: &Args) -> Result<(), Error> {
    let report = tetrarch_log::verify(&RealDisk, &args.dir)?;
    let shown = Shown::from(&report);
    if args.json {
        output::json(&shown)?;
    } else {
        print(&shown)?;
    }
    if report.is_intact() {
        return Ok(());
    }
    let dir = args.dir.display();
    Err(Error::DamagedStore(format!(
        "the store in {dir} is damaged"
    )))
}

fn print(shown: &Shown) -> Result<(), Error> {
    let verdict = if shown.intact { "intact" } else { "damaged" };
    output::data(format_args!(
        "{verdict}: store {} of node {}",
        shown.store, shown.node
    ))?;
    output::data(format_args!(
        "{} channels, {} segments, {} forks, {} batches, {} bytes, {} groups in the write-ahead log",
        shown.channels, shown.segments, shown.forks, shown.batches, shown.bytes, shown.wal_groups
    ))?;
    for finding in &shown.findings {
        let weight = if finding.loss { "lost" } else { "heals" };
        output::data(format_args!("{weight}: {}: {}", finding.path, finding.what))?;
    }
    Ok(())
}

impl From<&VerifyReport> for Shown {
    fn from(report: &VerifyReport) -> Self {
        Self {
            node: report.identity.name.clone(),
            store: report.identity.store.to_string(),
            intact: report.is_intact(),
            channels: report.channels,
            segments: report.segments,
            forks: report.forks,
            batches: report.batches,
            bytes: report.bytes,
            wal_groups: report.groups,
            findings: report.findings.iter().map(Into::into).collect(),
        }
    }
}

impl From<&Finding> for ShownFinding {
    fn from(finding: &Finding) -> Self {
        Self {
            path: finding.path.display().to_string(),
            channel: finding.channel.map(|uid| uid.to_string()),
            loss: finding.kind.is_loss(),
            what: finding.kind.to_string(),
        }
    }
}
