//! QUIC as this project uses it: tuned endpoints, dialling with errors that say which end refused
//! what, and streams that carry frames.

mod dial;
mod error;
mod receiver;
mod sender;
mod socket;
mod tuning;

pub use dial::{HANDSHAKE_TIMEOUT, dial};
pub use error::{DialError, ReceiveError, RefusedBy, SendError, Trouble};
pub use receiver::{FrameReceiver, ReceiveTimeouts};
pub use sender::FrameSender;
pub use socket::bind;
pub use tuning::{Tuning, transport_config};
