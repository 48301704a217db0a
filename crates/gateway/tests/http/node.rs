//! A node that is as the test wants it.

use std::{
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};

use tetrarch_gateway::{ChannelHealth, ChannelState, Gateway, Limits, NodeHealth, Reason};

/// What the node answers.
#[derive(Default)]
pub(crate) struct Node {
    pub(crate) not_live: Vec<Reason>,
    pub(crate) not_ready: Vec<Reason>,
    pub(crate) channels: Vec<ChannelHealth>,
    pub(crate) panics: bool,
    /// Questions about readiness and metrics wait for it.
    pub(crate) gate: Option<Arc<Latch>>,
}

/// Closed until it is opened.
#[derive(Default)]
pub(crate) struct Latch {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Latch {
    pub(crate) fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }

    fn wait(&self) {
        let open = self.open.lock().unwrap();
        drop(self.opened.wait_while(open, |open| !*open).unwrap());
    }
}

/// Opens the latch when a test ends, also when it fails: its threads would never end otherwise.
pub(crate) struct OpenAtEnd(pub(crate) Arc<Latch>);

impl Drop for OpenAtEnd {
    fn drop(&mut self) {
        self.0.open();
    }
}

fn result(reasons: &[Reason]) -> Result<(), Vec<Reason>> {
    if reasons.is_empty() {
        Ok(())
    } else {
        Err(reasons.to_vec())
    }
}

impl NodeHealth for Node {
    fn live(&self) -> Result<(), Vec<Reason>> {
        result(&self.not_live)
    }

    fn ready(&self) -> Result<(), Vec<Reason>> {
        assert!(!self.panics, "the test wants it");
        if let Some(gate) = &self.gate {
            gate.wait();
        }
        result(&self.not_ready)
    }

    fn channel_health(&self, name: &str) -> Option<ChannelHealth> {
        self.channels
            .iter()
            .find(|channel| channel.channel == name)
            .cloned()
    }

    fn metrics(&self) -> String {
        if let Some(gate) = &self.gate {
            gate.wait();
        }
        "# EOF\n".to_owned()
    }
}

pub(crate) fn reason(code: &'static str) -> Reason {
    Reason {
        code,
        what: format!("{code} is the matter"),
        remedy: "wait".to_owned(),
    }
}

pub(crate) fn channel(name: &str, state: ChannelState) -> ChannelHealth {
    ChannelHealth {
        channel: name.to_owned(),
        state,
        role: "Replica",
        leader: Some("n1".to_owned()),
        reasons: Vec::new(),
    }
}

/// Limits that a test does not meet by accident.
pub(crate) fn roomy() -> Limits {
    Limits {
        answer_time: Duration::from_secs(60),
        ..Limits::default()
    }
}

pub(crate) async fn start(node: Node, limits: Limits) -> Gateway {
    let any_port = "127.0.0.1:0".parse().unwrap();
    Gateway::bind(any_port, Arc::new(node), limits)
        .await
        .unwrap()
}
