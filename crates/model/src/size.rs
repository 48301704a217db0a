//! The size of a model, as it is given on the command line.

use clap::Args;
use tetrarch_model::quorum;

#[derive(Args)]
pub(crate) struct Size {
    /// How many nodes vote
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(2..=3))]
    voters: u8,
    /// The highest number of an epoch
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=7))]
    epochs: u8,
    /// How many events are published
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=7))]
    entries: u8,
    /// How many crashes there are
    #[arg(long, default_value_t = 0)]
    crashes: u8,
    /// How many times a node is parked
    #[arg(long, default_value_t = 0)]
    parks: u8,
}

impl Size {
    pub(crate) fn quorum(&self) -> Result<quorum::Bounds, String> {
        if self.epochs + self.entries > 8 {
            return Err("at most 8 epochs and entries together".into());
        }
        Ok(quorum::Bounds {
            voters: self.voters,
            epochs: self.epochs,
            entries: self.entries,
            crashes: self.crashes,
            parks: self.parks,
        })
    }
}
