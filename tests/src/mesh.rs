//! A mesh made by `tetrarch init` in a temporary directory.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{Output, Port, node::NodeProcess, tetrarch, wait::eventually, wait::eventually_some};

/// How a mesh is made.
#[derive(Clone, Debug)]
pub struct MeshOptions {
    /// How many nodes.
    pub nodes: usize,
    /// Variables in every node's environment, which override its `node.toml`.
    pub environment: Vec<(&'static str, &'static str)>,
}

impl Default for MeshOptions {
    fn default() -> Self {
        Self {
            nodes: 3,
            environment: Vec::new(),
        }
    }
}

/// A mesh and its directory, which goes when it is dropped.
#[derive(Debug)]
pub struct Mesh {
    /// The nodes, by name: n1, n2, ….
    pub nodes: Vec<NodeProcess>,
    root: TempDir,
    _ports: Vec<Port>,
}

impl Mesh {
    /// Makes a mesh of three nodes and waits until it is ready.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&MeshOptions::default())
    }

    /// Makes a mesh and waits until it is ready.
    #[must_use]
    pub fn start_with(options: &MeshOptions) -> Self {
        let mut mesh = Self::init(options);
        for node in &mut mesh.nodes {
            node.start();
        }
        mesh.wait_ready();
        mesh
    }

    /// Makes a mesh and starts nothing.
    ///
    /// # Panics
    /// If `tetrarch init` fails.
    #[must_use]
    pub fn init(options: &MeshOptions) -> Self {
        let root = TempDir::with_prefix("tetrarch-test-").expect("there is a temporary directory");
        let dir = root.path().join("mesh");
        let ports: Vec<Port> = (0..options.nodes).map(|_| Port::reserve()).collect();
        let addresses: Vec<SocketAddr> = ports.iter().map(Port::address).collect();
        let mut arguments = vec!["init".to_owned(), dir.display().to_string()];
        for (index, address) in addresses.iter().enumerate() {
            arguments.push("--node".to_owned());
            arguments.push(format!("n{}={address}", index + 1));
        }
        let made = tetrarch(&arguments);
        assert_eq!(made.code, Some(0), "init failed: {}", made.stderr);
        let nodes = addresses.iter().enumerate().map(|(index, address)| {
            let name = format!("n{}", index + 1);
            let node_dir = dir.join(&name);
            NodeProcess::new(&name, *address, &node_dir, &options.environment)
        });
        Self {
            nodes: nodes.collect(),
            root,
            _ports: ports,
        }
    }

    /// Leaves everything where it is when the mesh goes, and says where: a failure is to be looked at.
    pub fn keep(&mut self) -> PathBuf {
        self.root.disable_cleanup(true);
        self.root.path().to_owned()
    }

    /// The directory that `tetrarch init` made.
    #[must_use]
    pub fn dir(&self) -> PathBuf {
        self.root.path().join("mesh")
    }

    /// A place for the scenario's own files.
    #[must_use]
    pub fn scratch(&self) -> &Path {
        self.root.path()
    }

    /// Waits until every node that runs is ready.
    pub fn wait_ready(&mut self) {
        for node in &mut self.nodes {
            if node.is_running() {
                eventually(&format!("{} is ready", node.name), || node.is_ready());
            }
        }
    }

    /// The directory of a client that begins with these nodes and turns to others only when they fail.
    ///
    /// # Panics
    /// If it cannot be made.
    #[must_use]
    pub fn client_beside(&self, nodes: &[usize]) -> PathBuf {
        let names: Vec<&str> = nodes
            .iter()
            .map(|index| &*self.nodes[*index].name)
            .collect();
        let dir = self.dir().join(format!("beside-{}", names.join("-")));
        std::fs::create_dir(&dir).expect("a directory can be made");
        let client = self.dir().join("client");
        for entry in std::fs::read_dir(&client).expect("the mesh has a client") {
            let entry = entry.expect("a directory can be read");
            std::fs::copy(entry.path(), dir.join(entry.file_name())).expect("a file can be copied");
        }
        let path = dir.join("client.toml");
        let text = std::fs::read_to_string(&path).expect("the client has a context");
        let is_kept = |line: &&str| {
            let node = line.split_once(" = ").map(|(name, _)| name);
            !node.is_some_and(|name| self.nodes.iter().any(|one| one.name == name))
                || node.is_some_and(|name| names.contains(&name))
        };
        let kept: Vec<&str> = text.lines().filter(is_kept).collect();
        std::fs::write(&path, kept.join("\n")).expect("a file can be written");
        dir
    }

    /// Runs a command in this mesh.
    #[must_use]
    pub fn run(&self, arguments: &[&str]) -> Output {
        let mut all: Vec<String> = arguments
            .iter()
            .map(|&argument| argument.to_owned())
            .collect();
        all.push("--mesh".to_owned());
        all.push(self.dir().display().to_string());
        tetrarch(&all)
    }

    /// Creates a channel on three nodes and waits until it has a leader.
    pub fn create_channel(&self, name: &str) {
        let created = self.run(&["channel", "create", name, "--replicas", "3"]);
        assert_eq!(created.code, Some(0), "create failed: {}", created.stderr);
        let _leader: usize = self.leader_of(name);
    }

    /// What `tetrarch status` says of a channel.
    #[must_use]
    pub fn channel_status(&self, channel: &str) -> Option<Value> {
        let output = self.run(&["status", "--json"]);
        let status: Value = serde_json::from_str(&output.stdout).ok()?;
        let mut channels = status["channels"].as_array()?.iter();
        channels.find(|status| status["name"] == channel).cloned()
    }

    /// Waits until a channel has a leader that runs, and returns the place of its node.
    #[must_use]
    pub fn leader_of(&self, channel: &str) -> usize {
        eventually_some(&format!("{channel} has a leader"), || {
            let status = self.channel_status(channel)?;
            let name = status["leader"].as_str()?.to_owned();
            let index = self.nodes.iter().position(|node| node.name == name)?;
            let role = format!("tetrarch_channel_role{{channel=\"{channel}\",role=\"Leader\"}}");
            (self.nodes[index].metric(&role) > 0.0).then_some(index)
        })
    }

    /// The places of the nodes that hold a channel, as the catalog has it.
    #[must_use]
    pub fn holders_of(&self, channel: &str) -> Vec<usize> {
        let status = eventually_some(&format!("{channel} is known"), || {
            self.channel_status(channel)
        });
        let names: Vec<String> = status["replicas"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|replica| replica["node"].as_str().map(str::to_owned))
            .collect();
        let places = 0..self.nodes.len();
        places
            .filter(|index| names.contains(&self.nodes[*index].name))
            .collect()
    }

    /// Moves a channel to these nodes and waits until that is done.
    pub fn move_channel(&self, channel: &str, to: &[usize]) {
        let names: Vec<&str> = to.iter().map(|index| &*self.nodes[*index].name).collect();
        let moved = self.run(&["channel", "move", channel, "--to", &names.join(",")]);
        assert_eq!(moved.code, Some(0), "move failed: {}", moved.stderr);
    }

    /// Every payload of a channel, in order, as one node tells it.
    ///
    /// # Panics
    /// If the node does not deliver `count` events.
    #[must_use]
    pub fn read_back(&self, node: usize, channel: &str, count: usize) -> Vec<String> {
        let name = &self.nodes[node].name;
        let count_text = count.to_string();
        let read = self.run(&[
            "sub",
            channel,
            "--from",
            "start",
            "--count",
            &count_text,
            "--json",
            "--node",
            name,
        ]);
        let lines = read.expect_success(&format!("reading {channel} from {name}"));
        lines
            .lines()
            .map(|line| {
                let event: Value = serde_json::from_str(line).expect("an event is JSON");
                event["payload"]
                    .as_str()
                    .expect("a payload is text")
                    .to_owned()
            })
            .collect()
    }

    /// Checks that every node that runs tells exactly `expected`.
    ///
    /// # Panics
    /// If one does not.
    pub fn check_every_node(&mut self, channel: &str, expected: &[String]) {
        for index in 0..self.nodes.len() {
            if !self.nodes[index].is_running() {
                continue;
            }
            let told = self.read_back(index, channel, expected.len());
            let differs = told
                .iter()
                .zip(expected)
                .position(|(told, wanted)| told != wanted);
            assert_eq!(
                differs, None,
                "{} tells another story",
                self.nodes[index].name
            );
            assert_eq!(told.len(), expected.len());
        }
    }
}
