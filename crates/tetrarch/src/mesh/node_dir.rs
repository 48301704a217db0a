//! The directory of one node: its configuration, certificate and key, and whom it trusts.

use std::collections::BTreeMap;
use std::path::Path;

use super::Staging;
use super::authority::{Authority, Subject};
use super::files::{self, PUBLIC, SECRET};
use super::founding::NodeSpec;
use crate::config;
use crate::error::Error;

/// Makes a new node directory, whole or not at all. Its data directory is not part of it.
///
/// # Errors
/// If there is one already, or it cannot be made.
pub fn create(dir: &Path, spec: &NodeSpec, authority: &Authority, days: u32) -> Result<(), Error> {
    let staging = Staging::begin(dir)?;
    write(staging.path(), spec, authority, days)?;
    staging.finish()
}

/// Writes the files of a node into an existing directory.
///
/// # Errors
/// If they cannot be made or written.
pub fn write(dir: &Path, spec: &NodeSpec, authority: &Authority, days: u32) -> Result<(), Error> {
    let credentials = authority.issue(Subject::Node(&spec.name), days)?;
    files::create(&dir.join("ca.pem"), authority.cert().as_bytes(), PUBLIC)?;
    files::create(&dir.join("node.pem"), credentials.cert.as_bytes(), PUBLIC)?;
    files::create(&dir.join("node.key"), credentials.key.as_bytes(), SECRET)?;
    let text = configuration(spec, authority.trust());
    files::create(&dir.join("node.toml"), text.as_bytes(), PUBLIC)
}

/// Gives a node a new certificate and key in place of its old ones.
///
/// # Errors
/// If they cannot be made or written.
pub fn renew(dir: &Path, name: &str, authority: &Authority, days: u32) -> Result<(), Error> {
    let credentials = authority.issue(Subject::Node(name), days)?;
    files::replace(&dir.join("node.key"), credentials.key.as_bytes(), SECRET)?;
    files::replace(&dir.join("node.pem"), credentials.cert.as_bytes(), PUBLIC)
}

fn configuration(spec: &NodeSpec, trust: &str) -> String {
    let heading = format!(
        "Node {} of the mesh {trust}. Lines that are commented out show the defaults. Any of them \
         can be overridden by a variable: TETRARCH_, the section, _ and the key, in capitals.",
        spec.name
    );
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let values = BTreeMap::from([
        ("node.name".to_owned(), quoted(&spec.name)),
        ("node.data_dir".to_owned(), quoted("data")),
        (
            "listen.address".to_owned(),
            quoted(&spec.address.to_string()),
        ),
        ("tls.ca".to_owned(), quoted("ca.pem")),
        ("tls.cert".to_owned(), quoted("node.pem")),
        ("tls.key".to_owned(), quoted("node.key")),
    ]);
    config::template(&heading, &config::keys(), &values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, HostPort};
    use std::path::PathBuf;

    #[test]
    fn the_written_configuration_is_accepted_and_complete() {
        let spec = NodeSpec {
            name: "n1".into(),
            address: HostPort::parse("127.0.0.1:7101").unwrap(),
        };
        let text = configuration(&spec, "x.tetrarch");
        let file = config::parse(&text, PathBuf::from("/d"), &Environment::new()).unwrap();
        assert_eq!(file.node.name, "n1");
        assert_eq!(file.listen.address, Some(spec.address));
        assert_eq!(file.tls.key, PathBuf::from("/d/node.key"));
        for key in config::keys() {
            assert!(
                text.contains(&format!("{} = ", key.name)) || key.section.is_none(),
                "{}",
                key.name
            );
        }
    }

    #[test]
    fn the_defaults_that_are_shown_can_be_written_as_shown() {
        let spec = NodeSpec::parse("n1=h:1").unwrap();
        let text = configuration(&spec, "x.tetrarch");
        let uncommented: String = text
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(rest) if rest.split_once(" = ").is_some_and(|(key, _)| is_key(key)) => rest,
                _ => line,
            })
            .map(|line| format!("{line}\n"))
            .collect();
        assert_ne!(text, uncommented);
        let read = |text: &str| config::parse(text, PathBuf::new(), &Environment::new());
        let (mut written, plain) = (read(&uncommented).unwrap(), read(&text).unwrap());
        written.node.labels.clear();
        written.listen.advertise = None;
        written.listen.admin_address = None;
        written.storage.wal_file_bytes = None;
        written.storage.max_bytes = None;
        written.peers.clear();
        assert_eq!(written, plain);
    }

    fn is_key(text: &str) -> bool {
        config::keys().iter().any(|key| key.name == text)
    }
}
