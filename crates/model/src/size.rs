//! The size of a model, as it is given on the command line.

use clap::{Args, ValueEnum};
use tetrarch_model::{available, quorum};

/// The class of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Class {
    /// What is acknowledged is on a majority
    Quorum,
    /// Writes are taken on each side of a partition
    Available,
}

#[derive(Args)]
pub(crate) struct Size {
    /// Which model
    #[arg(long, value_enum, default_value_t = Class::Quorum)]
    pub(crate) class: Class,
    /// How many nodes hold the channel
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(2..=3))]
    voters: u8,
    /// The highest number of an epoch
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=7))]
    epochs: u8,
    /// How many events of a producer are published
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=7))]
    entries: u8,
    /// How many crashes there are
    #[arg(long, default_value_t = 0)]
    crashes: u8,
    /// How many times a node is parked (quorum)
    #[arg(long, default_value_t = 0)]
    parks: u8,
    /// How many times a node forgets a part of what was durable (quorum)
    #[arg(long, default_value_t = 0)]
    rots: u8,
    /// How many events without a producer are published (available)
    #[arg(long, default_value_t = 0)]
    plain: u8,
    /// How many times a client publishes an event again elsewhere (available)
    #[arg(long, default_value_t = 0)]
    retries: u8,
    /// How many events are given up (available)
    #[arg(long, default_value_t = 0)]
    discards: u8,
    /// How many times a leader waits in vain for the one it met (available)
    #[arg(long, default_value_t = 0)]
    expiries: u8,
    /// Of two leaders that meet, the one with the earlier epoch steps down (available)
    #[arg(long)]
    later_epoch_leads: bool,
}

impl Size {
    pub(crate) fn available(&self) -> Result<available::Bounds, String> {
        let bounds = available::Bounds {
            nodes: self.voters,
            epochs: self.epochs,
            numbered: self.entries,
            plain: self.plain,
            retries: self.retries,
            crashes: self.crashes,
            discards: self.discards,
            expiries: self.expiries,
            meeting: if self.later_epoch_leads {
                available::Meeting::LaterEpoch
            } else {
                available::Meeting::LongerLog
            },
        };
        if bounds.epochs > available::Available::MOST_EPOCHS {
            return Err("at most 6 epochs: a healing needs one more".into());
        }
        if bounds.events() > available::Entry::MOST {
            return Err("at most 7 events, with a producer or without".into());
        }
        if bounds.longest() > available::Log::MOST {
            return Err("at most 13 epochs, events and discards together".into());
        }
        if self.parks > 0 || self.rots > 0 {
            return Err("nobody is parked and nothing rots in this model".into());
        }
        Ok(bounds)
    }

    pub(crate) fn quorum(&self) -> Result<quorum::Bounds, String> {
        if self.epochs + self.entries > 8 {
            return Err("at most 8 epochs and entries together".into());
        }
        let others = [self.plain, self.retries, self.discards, self.expiries];
        if self.later_epoch_leads || others.iter().any(|count| *count > 0) {
            return Err("an option that needs --class available".into());
        }
        Ok(quorum::Bounds {
            voters: self.voters,
            epochs: self.epochs,
            entries: self.entries,
            crashes: self.crashes,
            parks: self.parks,
            rots: self.rots,
        })
    }
}
