//! One node process that this one started.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::error::Error;

/// How many lines of a node's log are shown when it ends by itself.
const LOG_LINES: usize = 12;
/// How often a process is looked at while waiting for its end.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A running `tetrarch serve`. Dropping it kills it.
#[derive(Debug)]
pub struct NodeProcess {
    name: String,
    log: PathBuf,
    child: Child,
}

impl NodeProcess {
    /// Starts a node; what it says goes to the end of its log.
    ///
    /// # Errors
    /// If this program cannot be run again, or the log cannot be written.
    pub fn start(name: &str, config: &Path, log: &Path) -> Result<Self, Error> {
        let failed = |what| move |source| Error::Process { what, source };
        let program = std::env::current_exe().map_err(failed("find itself"))?;
        let said = File::options()
            .create(true)
            .append(true)
            .open(log)
            .map_err(Error::file("write", log))?;
        let mut command = Command::new(program);
        for (variable, _) in std::env::vars_os() {
            if variable.to_string_lossy().starts_with("TETRARCH_") {
                command.env_remove(variable);
            }
        }
        let child = command
            .args(["serve", "--end-with-parent", "--config"])
            .arg(config)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(said)
            // Ctrl-C is for the parent, which then stops its nodes in good order.
            .process_group(0)
            .spawn()
            .map_err(failed("start a node"))?;
        Ok(Self {
            name: name.to_owned(),
            log: log.to_path_buf(),
            child,
        })
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it is still running.
    ///
    /// # Errors
    /// If it is not, with the end of its log.
    pub fn check(&mut self) -> Result<(), Error> {
        match self.child.try_wait().map_err(|source| self.lost(source))? {
            None => Ok(()),
            Some(status) => Err(Error::NodeEnded {
                name: self.name.clone(),
                status: status.to_string(),
                log: last_lines(&self.log),
            }),
        }
    }

    /// Asks it to stop in good order.
    ///
    /// # Errors
    /// If the signal cannot be sent.
    pub fn ask_to_stop(&mut self) -> Result<(), Error> {
        self.check()?;
        kill_process(Pid::from_child(&self.child), Signal::TERM)
            .map_err(|error| self.lost(error.into()))
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// If it takes longer than `limit` or ends in failure; it is killed then.
    pub fn wait(mut self, limit: Duration) -> Result<(), Error> {
        let begun = Instant::now();
        loop {
            match self.child.try_wait().map_err(|source| self.lost(source))? {
                Some(status) if status.success() => return Ok(()),
                Some(_) => return self.check(),
                None if begun.elapsed() > limit => {
                    return Err(Error::NodeEnded {
                        name: self.name.clone(),
                        status: format!("not within {limit:?} of being asked to"),
                        log: last_lines(&self.log),
                    });
                }
                None => std::thread::sleep(LOOK_AGAIN),
            }
        }
    }

    fn lost(&self, source: std::io::Error) -> Error {
        tracing::debug!(node = self.name, "the process cannot be reached");
        Error::Process {
            what: "reach a node process",
            source,
        }
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        // Either fails only if the process has been waited for already.
        if self.child.kill().is_ok() && self.child.wait().is_err() {
            tracing::warn!(node = self.name, "the process cannot be waited for");
        }
    }
}

fn last_lines(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_else(|error| error.to_string());
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].join("\n  ")
}
