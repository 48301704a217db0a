//! `tetrarch bench`: how fast it is.

use std::path::PathBuf;
use std::time::Duration;

use crate::bench::{self, MovePlan, MoveReport, Plan, Report, Shape, Site};
use crate::error::Error;
use crate::interrupt::unless_interrupted;
use crate::{output, runtime};

/// Payloads have room for the time at which they were handed over.
const LEAST_SIZE: u64 = 8;
/// And must fit into an event.
const MOST_SIZE: u64 = tetrarch_wire::limits::MAX_EVENT_BYTES as u64 - 64;

/// Measures throughput and latency, on a mesh that it starts and stops or on one that runs. TLS is
/// on, and an event counts when a majority of nodes has it on disk.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Starts a mesh of so many nodes.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=9))]
    nodes: u8,
    /// Uses the mesh of this directory, which runs already, instead.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["nodes", "idle", "moving"])]
    mesh: Option<PathBuf>,
    /// Spreads the load over so many channels.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    channels: u32,
    /// Bytes of each payload.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u64).range(LEAST_SIZE..=MOST_SIZE))]
    size: u64,
    /// Measures this shape of load; else all, one after the other.
    #[arg(long, value_enum)]
    shape: Option<Shape>,
    /// Producers of the shape `producers`.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    producers: u32,
    /// Events on their way in the shape `pipelined`, all channels together.
    #[arg(long, default_value_t = 4_096, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    in_flight: u32,
    /// Events that are handed over at once in the shape `pipelined`.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=4_096))]
    batch: u32,
    /// For how many seconds each load is measured.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// For how many seconds each load runs before it is measured.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(0..=600))]
    warmup: u64,
    /// Publishes nothing: measures what the channels cost while they are idle.
    #[arg(long, conflicts_with = "shape")]
    idle: bool,
    /// Exchanges a replica under load, a follower and then the leader, on four nodes: what that does to
    /// those who publish, one at `--rate` and then four at saturation. `--seconds` are those before.
    #[arg(long = "move", conflicts_with_all = ["shape", "idle", "nodes", "channels", "producers"])]
    moving: bool,
    /// Events a second of the one producer of `--move`.
    #[arg(long, default_value_t = 500, requires = "moving", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// MiB in the channel before a replica of it is exchanged by `--move`.
    #[arg(long, value_name = "MIB", default_value_t = 200, requires = "moving", value_parser = clap::value_parser!(u64).range(0..=10_240))]
    preload: u64,
    /// Prints JSON: one object, or an array of them if several shapes are measured.
    #[arg(long)]
    json: bool,
}

/// Runs it.
///
/// # Errors
/// If the mesh cannot be started or reached, or a node ends.
pub fn run(args: &Args) -> Result<(), Error> {
    if args.idle {
        return idle(args);
    }
    if args.moving {
        return moves(args);
    }
    let plan = args.plan();
    let measure = bench::run(&plan, |report| match args.json {
        true => Ok(()),
        false => output::data(format_args!("{report}\n")),
    });
    let reports = runtime::run(unless_interrupted(measure))?;
    match (&reports[..], args.json) {
        ([report], true) => output::json(report)?,
        (reports, true) => output::json(&reports)?,
        (_, false) => {}
    }
    refuse_failures(&reports)
}

fn idle(args: &Args) -> Result<(), Error> {
    let measured = Duration::from_secs(args.seconds);
    let measure = bench::run_idle(args.nodes.into(), args.channels as usize, measured);
    let report = runtime::run(unless_interrupted(measure))?;
    if args.json {
        output::json(&report)
    } else {
        output::data(report)
    }
}

fn moves(args: &Args) -> Result<(), Error> {
    let plan = args.move_plan();
    let measure = bench::run_moves(&plan, |report| match args.json {
        true => Ok(()),
        false => output::data(format_args!("{report}\n")),
    });
    let reports = runtime::run(unless_interrupted(measure))?;
    if args.json {
        output::json(&reports)?;
    }
    reports.iter().try_for_each(MoveReport::refuse_failures)
}

fn refuse_failures(reports: &[Report]) -> Result<(), Error> {
    let failed: u64 = reports.iter().map(|report| report.failed).sum();
    match failed {
        0 => Ok(()),
        failed => Err(Error::Unacknowledged(failed)),
    }
}

impl Args {
    fn plan(&self) -> Plan {
        let site = match &self.mesh {
            Some(directory) => Site::Running(directory.clone()),
            None => Site::Own(self.nodes.into()),
        };
        let shapes = match self.shape {
            Some(shape) => vec![shape],
            None => vec![Shape::Pipelined, Shape::Producers, Shape::Single],
        };
        Plan {
            site,
            shapes,
            channels: self.channels as usize,
            size: self.size(),
            producers: self.producers as usize,
            in_flight: self.in_flight as usize,
            batch: self.batch as usize,
            warmup: Duration::from_secs(self.warmup),
            measured: Duration::from_secs(self.seconds),
        }
    }

    fn move_plan(&self) -> MovePlan {
        MovePlan {
            size: self.size(),
            rate: self.rate,
            in_flight: self.in_flight as usize,
            batch: self.batch as usize,
            preload: self.preload << 20,
            warmup: Duration::from_secs(self.warmup),
            measured: Duration::from_secs(self.seconds),
        }
    }

    fn size(&self) -> usize {
        usize::try_from(self.size).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn parse(line: &str) -> Result<Plan, clap::Error> {
        let words = std::iter::once("bench").chain(line.split_whitespace());
        Line::try_parse_from(words).map(|line| line.args.plan())
    }

    #[test]
    fn all_shapes_are_measured_unless_one_is_named() {
        let plan = parse("--nodes 3 --channels 1 --size 256").unwrap();
        assert_eq!(plan.site, Site::Own(3));
        assert_eq!(
            plan.shapes,
            [Shape::Pipelined, Shape::Producers, Shape::Single]
        );
        assert_eq!(parse("--shape single").unwrap().shapes, [Shape::Single]);
    }

    #[test]
    fn a_running_mesh_takes_the_place_of_one_of_ours() {
        let plan = parse("--mesh somewhere").unwrap();
        assert_eq!(plan.site, Site::Running("somewhere".into()));
        assert!(parse("--mesh somewhere --nodes 3").is_err());
        assert!(parse("--mesh somewhere --idle").is_err());
    }

    #[test]
    fn a_move_has_its_own_mesh_and_loads() {
        let words = "bench --move --rate 100 --preload 3".split_whitespace();
        let plan = Line::try_parse_from(words).unwrap().args.move_plan();
        assert_eq!((plan.rate, plan.preload), (100, 3 << 20));
        for line in [
            "--move --nodes 3",
            "--move --shape single",
            "--move --idle",
            "--rate 100",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn impossible_values_are_refused() {
        for line in [
            "--size 7",
            "--channels 0",
            "--nodes 10",
            "--shape square",
            "--batch 0",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
