//! Reads the counters of nodes on this machine from their metrics pages.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::LocalMesh;
use crate::config::HostPort;
use crate::error::Error;

/// How long a node may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The page.
const PATH: &str = "/metrics";

impl LocalMesh {
    /// The sum of a counter over all its labels and all running nodes.
    ///
    /// # Errors
    /// If a node does not tell.
    pub fn sum_counter(&self, name: &str) -> Result<u64, Error> {
        let running = self.nodes.iter().filter(|node| node.process.is_some());
        running
            .map(|node| {
                let page = read_page(&node.address).map_err(|source| Error::Resolve {
                    address: format!("http://{}{PATH}", node.address),
                    source,
                })?;
                Ok(sum(&page, name))
            })
            .sum()
    }
}

fn read_page(address: &HostPort) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address.to_string())?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "GET {PATH} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.1 200 ") => Ok(body.to_owned()),
        Some((head, _)) => Err(std::io::Error::other(
            head.lines().next().unwrap_or("").to_owned(),
        )),
        None => Err(std::io::ErrorKind::UnexpectedEof.into()),
    }
}

/// The sum of a counter over all its labels.
fn sum(page: &str, name: &str) -> u64 {
    page.lines()
        .filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            let is_it = rest.starts_with('{') || rest.starts_with(' ');
            let value = rest.rsplit_once(['}', ' '])?.1;
            is_it.then(|| value.trim().parse::<u64>().ok()).flatten()
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_summed_over_its_labels_and_no_other_is_taken_for_it() {
        let page = "# TYPE a_total counter\na_total{x=\"1\"} 3\na_total{x=\"2 }\"} 4\na_totals 9\n";
        assert_eq!(sum(page, "a_total"), 7);
        assert_eq!(sum("a_total 5\n", "a_total"), 5);
        assert_eq!(sum(page, "b_total"), 0);
    }
}
