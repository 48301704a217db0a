//! The decisions that the promises rest on, as functions of their facts alone: when a vote may be
//! given and given again, how much is acknowledged, what is committed, and where a log may be cut.
//!
//! The replica calls exactly these. They are public so that a model of the protocol can explore
//! what follows from them without saying them a second time.

pub use crate::{
    available::{held_by, next_epoch},
    catchup::may_cut,
    election::may_vote,
    limbo::may_leave_limbo,
    log_state::common_end,
    replication::{committed_by_count, to_acknowledge},
};
