//! How fast a mesh is, measured from outside through the client, with everything on that a user
//! has on: TLS, and an acknowledgement only after a majority has synced.
//!
//! `plan` says what is measured, `stand` is the mesh that it is measured on. `course` runs one
//! load: `pipelined` or `closed_loop` publishes, `delivery` subscribes, `tally` counts what falls
//! into the `window`, `usage` asks the kernel what the nodes consumed. `idle` measures channels on
//! which nothing happens, `moving` what a move does to those who publish. `report` is what comes of it.

mod channels;
mod closed_loop;
mod course;
mod delivery;
mod idle;
mod moving;
mod pipelined;
mod plan;
mod report;
mod stamp;
mod stand;
mod tally;
mod usage;
mod window;

pub use course::run;
pub use idle::run as run_idle;
pub use moving::{MovePlan, MoveReport, run as run_moves};
pub use plan::{Plan, Shape, Site};
pub use report::Report;
