//! The faults that a [`super::CrashDisk`] was told to have.

use std::io;
use std::path::Path;

use rustix::io::Errno;

/// Faults that wait for their occasion, and the power.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    steps: u64,
    power_ends: Option<u64>,
    sync: Option<String>,
    write: Option<(String, usize, i32)>,
    reads: Option<String>,
}

impl Faults {
    pub(super) fn steps(&self) -> u64 {
        self.steps
    }

    pub(super) fn cut_power_at(&mut self, step: u64) {
        self.power_ends = Some(step);
    }

    pub(super) fn fail_next_sync(&mut self, name: &str) {
        self.sync = Some(name.to_owned());
    }

    pub(super) fn fail_next_write(&mut self, name: &str, bytes: usize, errno: i32) {
        self.write = Some((name.to_owned(), bytes, errno));
    }

    pub(super) fn fail_reads(&mut self, name: Option<&str>) {
        self.reads = name.map(str::to_owned);
    }

    /// One more step; it is not taken if the power is off.
    pub(super) fn step(&mut self) -> io::Result<()> {
        self.check_power()?;
        self.steps += 1;
        Ok(())
    }

    pub(super) fn check_power(&self) -> io::Result<()> {
        if self.power_ends.is_some_and(|end| self.steps >= end) {
            return Err(io::Error::other("the power is off"));
        }
        Ok(())
    }

    /// How many bytes of a write come through, and what it answers.
    pub(super) fn check_write(&mut self, path: &Path, bytes: usize) -> (usize, io::Result<()>) {
        match self.write.take_if(|(name, _, _)| concerns(path, name)) {
            Some((_, limit, errno)) => (limit.min(bytes), Err(io::Error::from_raw_os_error(errno))),
            None => (bytes, Ok(())),
        }
    }

    pub(super) fn check_sync(&mut self, path: &Path) -> io::Result<()> {
        match self.sync.take_if(|name| concerns(path, name)) {
            Some(_) => Err(Errno::IO.into()),
            None => Ok(()),
        }
    }

    pub(super) fn check_read(&self, path: &Path) -> io::Result<()> {
        match &self.reads {
            Some(name) if concerns(path, name) => Err(Errno::IO.into()),
            _ => Ok(()),
        }
    }
}

fn concerns(path: &Path, name: &str) -> bool {
    path.to_string_lossy().contains(name)
}
