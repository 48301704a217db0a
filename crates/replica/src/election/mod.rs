//! Who leads (protocol §6, §7). `silence` decides when a leader counts as gone, `rank` who stands
//! first, `standing` begins a round, `round` counts its answers, and `vote_granting` is the only
//! place where a vote is given. `thrash` slows elections down that follow one another too fast.

mod rank;
mod round;
mod silence;
mod standing;
#[cfg(test)]
mod tests;
mod thrash;
mod vote_granting;

pub(crate) use round::Candidacy;
pub(crate) use silence::Silence;
pub(crate) use thrash::Thrash;
