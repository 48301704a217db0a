//! What a process has consumed, as the kernel tells it under `/proc`.

use std::path::PathBuf;
use std::time::Duration;

use crate::error::Error;

/// Where the fields of `stat` are, counted behind the name of the program.
const USER_TICKS: usize = 11;
const SYSTEM_TICKS: usize = 12;
const RESIDENT_PAGES: usize = 21;

/// Consumption of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Usage {
    /// Time on a processor since it began.
    pub(super) cpu: Duration,
    /// Memory that it occupies now.
    pub(super) rss_bytes: u64,
}

impl Usage {
    /// The consumption of a process.
    ///
    /// # Errors
    /// If there is no such process, or this is not Linux.
    pub(super) fn of(process: u32) -> Result<Self, Error> {
        let path = PathBuf::from(format!("/proc/{process}/stat"));
        let stat = std::fs::read_to_string(&path).map_err(Error::file("read", &path))?;
        Self::parse(&stat).ok_or_else(|| Error::Malformed {
            path,
            why: "it is not what Linux writes there".into(),
        })
    }

    /// Reads a line of `stat`. The program's name may contain anything, so fields are counted
    /// behind its closing parenthesis.
    fn parse(stat: &str) -> Option<Self> {
        let (_, fields) = stat.rsplit_once(')')?;
        let fields: Vec<_> = fields.split_whitespace().collect();
        let field = |index: usize| fields.get(index)?.parse::<u64>().ok();
        let ticks = field(USER_TICKS)? + field(SYSTEM_TICKS)?;
        let page = u64::try_from(rustix::param::page_size()).ok()?;
        Some(Self {
            cpu: Duration::from_millis(ticks * 1_000 / rustix::param::clock_ticks_per_second()),
            rss_bytes: field(RESIDENT_PAGES)? * page,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_behind_a_name_with_blanks_and_parentheses() {
        let mut fields = vec!["0"; 30];
        fields[USER_TICKS] = "150";
        fields[SYSTEM_TICKS] = "50";
        fields[RESIDENT_PAGES] = "3";
        let stat = format!("7 (a ) b) {}", fields.join(" "));
        let usage = Usage::parse(&stat).unwrap();
        let ticks = rustix::param::clock_ticks_per_second();
        assert_eq!(usage.cpu, Duration::from_millis(200_000 / ticks));
        assert_eq!(usage.rss_bytes, 3 * rustix::param::page_size() as u64);
        assert_eq!(Usage::parse("garbage"), None);
    }

    #[test]
    fn this_process_occupies_memory() {
        assert!(Usage::of(std::process::id()).unwrap().rss_bytes > 0);
    }
}
