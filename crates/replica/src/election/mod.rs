//! Who leads (protocol §6, §7). `silence` decides when a leader counts as gone, `rank` who stands
//! first, `standing` begins a round, `round` counts its answers, and `vote_granting` is the only
//! place where a vote is given, by the rules of `ballot`. `thrash` slows elections down that follow
//! one another too fast.

mod ballot;
mod rank;
mod round;
mod silence;
mod standing;
#[cfg(test)]
mod tests;
mod thrash;
mod vote_granting;

pub use ballot::may_vote;
pub(crate) use round::Candidacy;
pub(crate) use silence::Silence;
pub(crate) use thrash::Thrash;
