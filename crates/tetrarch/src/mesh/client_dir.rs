//! The directory of one client: its context, certificate and key, and whom it trusts.

use std::path::Path;

use tetrarch_replica::catalog::Genesis;

use super::Staging;
use super::authority::{Authority, Subject};
use super::context::{Context, FILE};
use super::files::{self, PUBLIC, SECRET};
use crate::error::Error;

/// Makes a new client directory, whole or not at all.
///
/// # Errors
/// If there is one already, or it cannot be made.
pub fn create(
    dir: &Path,
    name: &str,
    genesis: &Genesis,
    authority: &Authority,
    days: u32,
) -> Result<(), Error> {
    let staging = Staging::begin(dir)?;
    write(staging.path(), name, genesis, authority, days)?;
    staging.finish()
}

/// Writes the files of a client into an existing empty directory.
///
/// # Errors
/// If they cannot be made or written.
pub fn write(
    dir: &Path,
    name: &str,
    genesis: &Genesis,
    authority: &Authority,
    days: u32,
) -> Result<(), Error> {
    let credentials = authority.issue(Subject::Client(name), days)?;
    files::create(&dir.join("ca.pem"), authority.cert().as_bytes(), PUBLIC)?;
    files::create(&dir.join("client.pem"), credentials.cert.as_bytes(), PUBLIC)?;
    files::create(&dir.join("client.key"), credentials.key.as_bytes(), SECRET)?;
    let path = dir.join(FILE);
    let text = context(genesis)
        .render()
        .map_err(|error| Error::Malformed {
            path: path.clone(),
            why: error.to_string(),
        })?;
    files::create(&path, text.as_bytes(), PUBLIC)
}

fn context(genesis: &Genesis) -> Context {
    Context {
        cluster: genesis.cluster().to_string(),
        ca: "ca.pem".into(),
        cert: "client.pem".into(),
        key: "client.key".into(),
        nodes: genesis
            .nodes()
            .iter()
            .map(|node| (node.name.clone(), node.address.clone()))
            .collect(),
    }
}
