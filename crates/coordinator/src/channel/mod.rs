//! The actors that own the channels. Each channel lives in one worker; a worker is one task that
//! feeds its channels' inputs to the protocol core and carries the effects out, in order.

mod actor;
mod effects;
mod forks;
mod inbox;
mod mending;
mod reading;
mod tickets;
mod upkeep;
mod worker;

pub(crate) use forks::report_of;
pub(crate) use inbox::{
    ChannelOpening, ClientInput, Command, Inbox, PeerInput, ProduceInput, ReadReply, ReadRequest,
    StoreAnswer, Workers, inbox,
};
pub(crate) use tickets::{Outbox, ProduceRoute};
pub(crate) use worker::{Worker, WorkerContext};
