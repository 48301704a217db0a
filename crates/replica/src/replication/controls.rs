//! Control batches on their way to take effect: a configuration does so when it is appended,
//! everything else when it is committed.

use std::collections::VecDeque;

use tetrarch_wire::{ChannelConfig, ForkId, Seq, VoterId, batch::Control};

/// Configurations of the log, and control batches that are not committed yet.
#[derive(Debug)]
pub(crate) struct Controls {
    /// The configurations, oldest first; the last one is in force.
    configs: Vec<ChannelConfig>,
    waiting: VecDeque<(Seq, Decision)>,
    /// The highest trim point that is committed.
    trim_point: Seq,
    /// Counts the changes of the configuration in force.
    configured: u64,
}

/// What a committed control batch decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Everything up to here may go.
    Trim(Seq),
    /// A fork is in the log.
    Settled(Seq, ForkId),
    /// The channel ends.
    Delete,
}

impl Controls {
    /// Those of a log whose committed part says `config` and `trim_point`.
    pub(crate) fn new(config: ChannelConfig, trim_point: Seq) -> Self {
        Self {
            configs: vec![config],
            waiting: VecDeque::new(),
            trim_point,
            configured: 0,
        }
    }

    pub(crate) fn config(&self) -> &ChannelConfig {
        self.configs.last().expect("the first one is never removed")
    }

    /// The latest configuration up to `commit`.
    pub(crate) fn config_at(&self, commit: Seq) -> &ChannelConfig {
        let mut configs = self.configs.iter().rev();
        let known = configs.find(|config| config.seq <= commit);
        known.unwrap_or(&self.configs[0])
    }

    /// Whether one of the configurations that are known names `voter`.
    pub(crate) fn has_named(&self, voter: VoterId) -> bool {
        self.configs.iter().any(|config| config.contains(voter))
    }

    /// Whether a configuration that comes after `seq` names `voter`.
    pub(crate) fn name_after(&self, voter: VoterId, seq: Seq) -> bool {
        let mut configs = self.configs.iter();
        configs.any(|config| config.seq > seq && config.contains(voter))
    }

    /// The log begins anew: what is committed before it says `config` and `trim_point`.
    pub(crate) fn begin(&mut self, mut config: ChannelConfig, trim_point: Seq) {
        config.class = self.config().class;
        self.configs = vec![config];
        self.waiting.clear();
        self.trim_point = self.trim_point.max(trim_point);
        self.configured += 1;
    }

    /// Counts the changes of the configuration in force.
    pub(crate) const fn configured(&self) -> u64 {
        self.configured
    }

    /// The highest trim point that is committed.
    pub(crate) const fn trim_point(&self) -> Seq {
        self.trim_point
    }

    /// Whether a trim point is in the log that is not committed yet.
    pub(crate) fn is_trim_under_way(&self) -> bool {
        let mut waiting = self.waiting.iter();
        waiting.any(|(_, decision)| match decision {
            Decision::Trim(_) => true,
            Decision::Settled(..) | Decision::Delete => false,
        })
    }

    /// A control batch that ends at `seq` was appended.
    pub(crate) fn apply(&mut self, seq: Seq, control: Option<&Control>) {
        match control {
            Some(Control::Config(config)) => {
                let mut config = config.clone();
                config.seq = seq;
                // Of the class of its genesis for good: no leader changes what an acknowledgement means.
                config.class = self.config().class;
                self.configs.push(config);
                self.configured += 1;
            }
            Some(Control::TrimPoint { upto }) => {
                // It speaks of what lies before it, whatever it says.
                let upto = (*upto).min(seq.previous());
                self.waiting.push_back((seq, Decision::Trim(upto)));
            }
            Some(Control::ForkResolved { fork }) => {
                self.waiting.push_back((seq, Decision::Settled(seq, *fork)));
            }
            Some(Control::Delete) => self.waiting.push_back((seq, Decision::Delete)),
            Some(
                Control::Noop { .. } | Control::EpochStart { .. } | Control::ProducerExpire { .. },
            )
            | None => {}
        }
    }

    /// Everything after `after` was cut.
    pub(crate) fn truncate(&mut self, after: Seq) {
        while self.configs.len() > 1 && self.config().seq > after {
            self.configs.pop();
            self.configured += 1;
        }
        while self.waiting.back().is_some_and(|(seq, _)| *seq > after) {
            self.waiting.pop_back();
        }
    }

    /// The next decision that is committed now.
    pub(crate) fn next_committed(&mut self, commit: Seq) -> Option<Decision> {
        let (seq, decision) = *self.waiting.front()?;
        if seq > commit {
            return None;
        }
        self.waiting.pop_front();
        if let Decision::Trim(upto) = decision {
            self.trim_point = self.trim_point.max(upto);
        }
        Some(decision)
    }
}

#[cfg(test)]
mod tests {
    use tetrarch_wire::{ChannelClass, MinCopies, NodeId, StoreId, Voter};

    use super::*;

    fn config(class: ChannelClass) -> ChannelConfig {
        let voter = Voter {
            node: NodeId::from_bytes([1; 16]),
            store: StoreId::from_bytes([1; 16]),
        };
        ChannelConfig::genesis(class, vec![voter]).unwrap()
    }

    #[test]
    fn a_channel_keeps_the_class_of_its_genesis() {
        let available = ChannelClass::Available(MinCopies::ONE);
        for (born, told) in [
            (ChannelClass::Quorum, available),
            (available, ChannelClass::Quorum),
        ] {
            let mut controls = Controls::new(config(born), Seq::ZERO);
            controls.apply(Seq::new(3), Some(&Control::Config(config(told))));
            assert_eq!(controls.config().class, born);
            assert_eq!(controls.config().seq, Seq::new(3), "the rest is taken");
            controls.begin(config(told), Seq::ZERO);
            assert_eq!(controls.config().class, born);
        }
    }
}
