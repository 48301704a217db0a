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
    write: Option<FailingWrites>,
    reads: Option<String>,
}

/// Writes that will fail.
#[derive(Clone, Debug)]
struct FailingWrites {
    name: String,
    left: u32,
    bytes: usize,
    errno: i32,
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

    pub(super) fn fail_next_writes(&mut self, name: &str, left: u32, bytes: usize, errno: i32) {
        self.write = Some(FailingWrites {
            name: name.to_owned(),
            left,
            bytes,
            errno,
        });
    }

    pub(super) fn fail_nothing_more(&mut self) {
        self.sync = None;
        self.write = None;
        self.reads = None;
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
        match &mut self.write {
            Some(failing) if failing.left > 0 && concerns(path, &failing.name) => {
                failing.left -= 1;
                let written = std::mem::take(&mut failing.bytes).min(bytes);
                (written, Err(io::Error::from_raw_os_error(failing.errno)))
            }
            _ => (bytes, Ok(())),
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
