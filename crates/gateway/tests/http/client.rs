//! A raw HTTP client: it sends what it is given.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// Longer than anything here takes on a busy machine, and shorter than every default limit that a
/// test shortens.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// An answer, cut in its parts.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    fn parse(text: &str) -> Self {
        let (head, body) = text
            .split_once("\r\n\r\n")
            .unwrap_or_else(|| panic!("got {text:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self {
            status,
            head: head.to_ascii_lowercase(),
            body: body.to_owned(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .find(|(found, _)| *found == name)
            .map(|(_, value)| value)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

pub(crate) async fn connect(address: SocketAddr) -> TcpStream {
    timeout(SOON, TcpStream::connect(address))
        .await
        .unwrap()
        .unwrap()
}

/// Everything that comes until the other end closes.
pub(crate) async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    timeout(SOON, stream.read_to_end(&mut bytes))
        .await
        .unwrap()
        .unwrap();
    String::from_utf8(bytes).unwrap()
}

/// One request on a connection of its own.
pub(crate) async fn send(address: SocketAddr, head: &str) -> Answer {
    let mut stream = connect(address).await;
    stream.write_all(head.as_bytes()).await.unwrap();
    Answer::parse(&rest(&mut stream).await)
}

pub(crate) async fn get(address: SocketAddr, path: &str) -> Answer {
    send(address, &request("GET", path, "")).await
}

pub(crate) async fn get_json(address: SocketAddr, path: &str) -> Answer {
    send(
        address,
        &request("GET", path, "Accept: application/json\r\n"),
    )
    .await
}

pub(crate) fn request(method: &str, path: &str, headers: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n{headers}\r\n")
}
