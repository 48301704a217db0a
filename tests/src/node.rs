//! One node process, and the signals that it is sent.

use std::{
    fs::{File, OpenOptions},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Stdio},
};

use rustix::process::{Pid, kill_process};

use crate::{binary, http};

/// What is done to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// It is asked to stop.
    Term,
    /// It stands still.
    Stop,
    /// It goes on.
    Continue,
    /// It reads its certificates again.
    Hangup,
}

impl From<Signal> for rustix::process::Signal {
    fn from(signal: Signal) -> Self {
        match signal {
            Signal::Term => Self::TERM,
            Signal::Stop => Self::STOP,
            Signal::Continue => Self::CONT,
            Signal::Hangup => Self::HUP,
        }
    }
}

/// One node of a mesh: its configuration, and its process while it runs. Killed when dropped.
#[derive(Debug)]
pub struct NodeProcess {
    /// Its name.
    pub name: String,
    /// Where it listens, for nodes and clients over UDP, for HTTP over TCP.
    pub address: SocketAddr,
    dir: PathBuf,
    environment: Vec<(&'static str, String)>,
    child: Option<Child>,
}

impl NodeProcess {
    /// A node that does not run yet; `dir` holds its `node.toml`, which `environment` overrides.
    #[must_use]
    pub fn new(
        name: &str,
        address: SocketAddr,
        dir: &Path,
        environment: &[(&'static str, &'static str)],
    ) -> Self {
        Self {
            name: name.to_owned(),
            address,
            dir: dir.to_owned(),
            environment: environment
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned()))
                .collect(),
            child: None,
        }
    }

    /// Sets a variable of its environment, which overrides its `node.toml` from the next start on.
    pub fn set_variable(&mut self, name: &'static str, value: String) {
        self.environment.push((name, value));
    }

    /// Starts the process. What it logs is added to `node.log` beside its configuration.
    ///
    /// # Panics
    /// If it runs already or cannot be started.
    pub fn start(&mut self) {
        assert!(!self.is_running(), "{} runs already", self.name);
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_path());
        let log = log.expect("a node's log can be written");
        let child = binary::command(["serve", "--config"])
            .arg(self.dir.join("node.toml"))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("a node can be started");
        self.child = Some(child);
    }

    /// Whether the process runs.
    pub fn is_running(&mut self) -> bool {
        match self.child.as_mut().map(Child::try_wait) {
            Some(Ok(None)) => true,
            Some(Ok(Some(_)) | Err(_)) | None => false,
        }
    }

    /// Kills the process at once, as a power cut does to it.
    ///
    /// # Panics
    /// If there is none.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("a node that is killed runs");
        child.kill().expect("a child can be killed");
        child.wait().expect("a killed child ends");
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// If there is no process.
    pub fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("a node that is signalled runs");
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a child has a pid"), signal.into())
            .expect("a child can be signalled");
    }

    /// Waits for the process to end by itself, and returns its exit code.
    ///
    /// # Panics
    /// If there is no process.
    pub fn wait(&mut self) -> Option<i32> {
        let mut child = self.child.take().expect("a node that is waited for runs");
        child.wait().expect("a child can be waited for").code()
    }

    /// What the node has logged since the first start.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_else(|error| error.to_string())
    }

    /// The directory with its configuration, keys and data.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether it says that it is ready.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        http::get(self.address, "/readyz").is_some_and(|(status, _)| status == 200)
    }

    /// The value of the metrics line that begins with `series`; 0 if there is none.
    #[must_use]
    pub fn metric(&self, series: &str) -> f64 {
        let Some((200, page)) = http::get(self.address, "/metrics") else {
            return 0.0;
        };
        let line = page.lines().find_map(|line| line.strip_prefix(series));
        line.and_then(|value| value.trim().parse().ok())
            .unwrap_or(0.0)
    }

    /// The sum over all series of a metric; 0 if there are none.
    #[must_use]
    pub fn metric_sum(&self, metric: &str) -> f64 {
        let Some((200, page)) = http::get(self.address, "/metrics") else {
            return 0.0;
        };
        let series = page.lines().filter_map(|line| line.strip_prefix(metric));
        let values = series.filter_map(|rest| rest.rsplit(' ').next()?.parse::<f64>().ok());
        values.sum()
    }

    /// Puts a file into the data directory that counts against what the node may take
    /// (`storage.max_bytes`), and occupies nothing; returns it.
    ///
    /// # Panics
    /// If it cannot be made.
    #[must_use]
    pub fn take_room(&self, bytes: u64) -> PathBuf {
        let path = self.dir.join("data/deleted/filling");
        let file = File::create(&path).expect("a file can be made");
        file.set_len(bytes).expect("a hole can be made");
        path
    }

    fn log_path(&self) -> PathBuf {
        self.dir.join("node.log")
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        if self.is_running() {
            self.kill();
        }
        if std::thread::panicking() {
            let log = self.log();
            let skip = log.lines().count().saturating_sub(40);
            let tail: Vec<&str> = log.lines().skip(skip).collect();
            eprintln_log(&self.name, &tail);
        }
    }
}

#[expect(
    clippy::print_stderr,
    reason = "a failed test shows what its nodes logged last"
)]
fn eprintln_log(name: &str, tail: &[&str]) {
    eprintln!("--- the last lines of {name}:\n{}", tail.join("\n"));
}
