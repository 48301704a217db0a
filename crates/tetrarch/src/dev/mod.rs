//! A mesh of three nodes to play with. A node that ends is started again after a while, so that
//! killing one is part of the play.

use std::path::Path;
use std::time::Duration;

use tokio::time::sleep;

use crate::error::Error;
use crate::interrupt::unless_interrupted;
use crate::local::{Home, LocalMesh};
use crate::output;

/// How many nodes there are.
const NODES: usize = 3;
/// How long they may take to come up.
const START: Duration = Duration::from_secs(30);
/// How long they may take to stop.
const STOP: Duration = Duration::from_secs(20);
/// How often they are looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// For how long a node that ended is left alone.
const ABSENCE: Duration = Duration::from_secs(5);

/// Runs the mesh until Ctrl-C.
///
/// # Errors
/// If the nodes cannot be started, or do not stop in good order.
pub async fn run(directory: Option<&Path>) -> Result<(), Error> {
    let home = Home::open(directory)?;
    let mut mesh = LocalMesh::found_or_open(home, NODES, "dev")?;
    let lived = unless_interrupted(Box::pin(live(&mut mesh))).await;
    match lived {
        Err(Error::Interrupted) => {
            output::say("\nstopping");
            mesh.stop(STOP)
        }
        other => other,
    }
}

async fn live(mesh: &mut LocalMesh) -> Result<(), Error> {
    output::say("starting three nodes");
    mesh.start_all()?;
    mesh.client(START).await?.close().await;
    introduce(mesh);
    loop {
        sleep(LOOK_AGAIN).await;
        for name in mesh.take_ended()? {
            output::say(format_args!(
                "{name} ended; it is started again in {ABSENCE:?}"
            ));
            sleep(ABSENCE).await;
            mesh.start(&name)?;
            output::say(format_args!("{name} is started again"));
        }
    }
}

/// Says what there is to try.
fn introduce(mesh: &LocalMesh) {
    let program = std::env::args()
        .next()
        .unwrap_or_else(|| "tetrarch".to_owned());
    let context = format!("--mesh {}", mesh.directory().display());
    output::say("three nodes are running; try, in another terminal:\n");
    for command in [
        "channel create greetings",
        "pub greetings <<< 'hello, mesh'",
        "sub greetings --from start --follow",
        "status",
        "bench --shape pipelined",
    ] {
        output::say(format_args!("  {program} {command} {context}"));
    }
    output::say("\nor kill one of them:\n");
    for (name, process) in mesh.processes() {
        output::say(format_args!("  kill -9 {process}   # {name}"));
    }
    output::say("\nCtrl-C stops them");
}
