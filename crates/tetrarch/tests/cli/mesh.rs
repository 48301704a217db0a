//! Meshes of real node processes, for as long as a test runs.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tetrarch_tests::Port;

use super::run::{Ran, program, tetrarch};

const PATIENCE: Duration = Duration::from_secs(30);

/// A mesh in a directory of its own, `mesh` below it.
pub struct Mesh {
    pub dir: TempDir,
    pub nodes: Vec<Node>,
    _ports: Vec<Port>,
}

/// A node process. It is killed when it is dropped.
pub struct Node {
    child: Child,
}

impl Mesh {
    /// Founds a mesh of this many nodes, and starts none.
    pub fn found(count: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ports: Vec<Port> = (0..count).map(|_| Port::reserve()).collect();
        let nodes: Vec<_> = ports
            .iter()
            .enumerate()
            .map(|(index, port)| format!("n{}={}", index + 1, port.address()))
            .collect();
        let mut args = vec!["init", "mesh"];
        args.extend(nodes.iter().flat_map(|node| ["--node", node]));
        tetrarch(dir.path(), &args).ok();
        Self {
            dir,
            nodes: Vec::new(),
            _ports: ports,
        }
    }

    /// Founds a mesh, starts it, and waits until it has a leader.
    pub fn start(count: usize) -> Self {
        let mut mesh = Self::found(count);
        for index in 1..=count {
            let node = mesh.serve(&format!("n{index}"));
            mesh.nodes.push(node);
        }
        mesh.run(&["channel", "create", "probe"]).ok();
        mesh
    }

    /// Starts one node.
    pub fn serve(&self, name: &str) -> Node {
        let child = program(self.dir.path())
            .args(["serve", "--end-with-parent", "--config"])
            .arg(self.path(&format!("{name}/node.toml")))
            .env("TETRARCH_STORAGE_WAL_FILE_BYTES", "2MiB")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(self.path(&format!("{name}/log"))).unwrap())
            .spawn()
            .unwrap();
        Node { child }
    }

    /// Runs a node that is expected not to start.
    pub fn serve_in_vain(&self, name: &str, variables: &[(&str, &str)]) -> Ran {
        let output = program(self.dir.path())
            .args(["serve", "--config"])
            .arg(self.path(&format!("{name}/node.toml")))
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        output.into()
    }

    /// Runs the program beside the mesh directory.
    pub fn run(&self, args: &[&str]) -> Ran {
        tetrarch(self.dir.path(), args)
    }

    /// Runs the program with an input.
    pub fn feed(&self, args: &[&str], input: &[u8]) -> Ran {
        let path = self.dir.path().join("input");
        std::fs::write(&path, input).unwrap();
        let output = program(self.dir.path())
            .args(args)
            .stdin(std::fs::File::open(path).unwrap())
            .output()
            .unwrap();
        output.into()
    }

    /// The JSON that a command prints, which must be one value.
    pub fn json(&self, args: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.run(args).ok()).unwrap()
    }

    /// A path in the mesh directory.
    pub fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join("mesh").join(path)
    }

    /// What a node has logged.
    pub fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(&format!("{name}/log"))).unwrap()
    }
}

impl Node {
    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([name, &self.child.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
    }

    /// Waits for the end of the process; gives its exit code.
    pub fn wait(mut self) -> i32 {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().expect("it was not killed");
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Looks again and again, until something is there.
pub fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "it does not come about");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Changes one byte in the middle of a file.
pub fn rot(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    std::fs::write(path, bytes).unwrap();
}
