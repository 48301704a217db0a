//! The decisions of a channel of class `available`, as functions of their facts alone: who goes on
//! leading, in which epoch, what may be cut, what is republished and when a fork may go.
//!
//! They speak of what stands in frames and batches and know nothing of the model, so that the
//! replica can take them over as they are.

use tetrarch_wire::{
    Epoch, LogPosition, NodeId, ProducerEpoch, ProducerId, ProducerSeq, Seq, VoterId,
};

/// A leader that met another and stands still: where its log ends, all of it durable, and whose
/// log it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StandingStill {
    /// The end of its log.
    pub tail: Seq,
    /// The node.
    pub node: NodeId,
}

/// Which of two leaders that stand still steps down: the one with the shorter log, so that less
/// must be republished; of equally long ones that of the greater node. Both sides come to the same
/// answer. The epochs of their last batches say nothing: each leader has begun one of its own.
#[must_use]
pub fn steps_down(own: StandingStill, other: StandingStill) -> bool {
    own.tail < other.tail || own.tail == other.tail && own.node > other.node
}

/// The epoch in which `me` begins to lead, or leads on after it met another leader or heard of a
/// later epoch: its number is higher than all that were heard of. It must be durable before
/// anything is written in it.
#[must_use]
pub fn next_epoch(seen: impl IntoIterator<Item = Epoch>, me: VoterId) -> Epoch {
    let highest = seen.into_iter().map(|epoch| epoch.n).max();
    Epoch::new(highest.unwrap_or(0) + 1, me)
}

/// What a fork holds: the part of a log after `base`, up to and including `tail`. The links make
/// this its name: two forks with the same are the same, and of any two others neither stands for
/// the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ForkName {
    /// The last position that stays in the main log.
    pub base: LogPosition,
    /// The end of what is sealed.
    pub tail: LogPosition,
}

/// Whether `cut` may be cut off a log: only if exactly that is sealed durably, or if there is no
/// record in it, as after a leadership in which nothing was published. A fork that was sealed
/// before the log grew does not count.
#[must_use]
pub fn may_cut_sealed(
    cut: ForkName,
    has_records: bool,
    mut durable: impl Iterator<Item = ForkName>,
) -> bool {
    !has_records || durable.any(|fork| fork == cut)
}

/// What makes an event that event, wherever it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKey {
    /// Its producer numbered it.
    Numbered {
        /// The producer.
        producer: ProducerId,
        /// Its incarnation.
        epoch: ProducerEpoch,
        /// The number.
        number: ProducerSeq,
    },
    /// Nobody numbered it: where it was written first. The leader belongs to the epoch: two of
    /// them may have written at the same seq of the same number.
    Placed {
        /// The epoch.
        epoch: Epoch,
        /// The seq in it.
        seq: Seq,
    },
}

/// What must be found again when a log is cut or a fork is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Record {
    /// An event.
    Event(EventKey),
    /// An operator gave the event up.
    DeclaredLost(EventKey),
}

impl Record {
    /// The event it is about.
    #[must_use]
    pub const fn key(&self) -> &EventKey {
        match self {
            Self::Event(key) | Self::DeclaredLost(key) => key,
        }
    }
}

/// The first record of a fork that is to be appended to the main log: the first whose event the
/// log neither holds nor declares lost. `settled` must know the whole log as it was issued, not
/// only what a window remembers. Asking again after each append is how to go on after a crash.
pub fn next_to_republish<T>(
    fork: impl IntoIterator<Item = (Record, T)>,
    settled: impl Fn(&EventKey) -> bool,
) -> Option<(Record, T)> {
    let mut records = fork.into_iter();
    records.find(|(record, _)| !settled(record.key()))
}

/// Whether a store may drop its copy of a fork: once the part of its *own* log that is durable and
/// known to be in the leader's history settles every record. So no store ever holds less than it
/// did, and as many stores hold an event as its producer was told.
#[must_use]
pub fn may_drop(
    fork: impl IntoIterator<Item = Record>,
    settled_here: impl Fn(&EventKey) -> bool,
) -> bool {
    fork.into_iter().all(|record| settled_here(record.key()))
}

#[cfg(test)]
mod tests {
    use tetrarch_wire::Link;

    use super::*;

    fn still(tail: u64, node: u8) -> StandingStill {
        StandingStill {
            tail: Seq::new(tail),
            node: NodeId::from_bytes([node; 16]),
        }
    }

    #[test]
    fn of_two_leaders_one_steps_down() {
        assert!(steps_down(still(4, 1), still(5, 2)));
        assert!(steps_down(still(5, 2), still(5, 1)));
        let all = (1..4).flat_map(|tail| (1..4).map(move |node| still(tail, node)));
        for (one, other) in all
            .clone()
            .flat_map(|one| all.clone().map(move |other| (one, other)))
        {
            let both = [steps_down(one, other), steps_down(other, one)];
            assert_eq!(
                both.iter().filter(|steps| **steps).count(),
                usize::from(one != other)
            );
        }
    }

    #[test]
    fn a_new_epoch_is_above_all_that_were_seen() {
        let voter = |byte| VoterId::from_bytes([byte; 16]);
        let seen = [
            Epoch::new(3, voter(9)),
            Epoch::new(5, voter(1)),
            Epoch::NONE,
        ];
        assert_eq!(next_epoch(seen, voter(2)), Epoch::new(6, voter(2)));
        assert_eq!(next_epoch([], voter(2)), Epoch::new(1, voter(2)));
    }

    fn at(seq: u64, link: u8) -> LogPosition {
        LogPosition {
            seq: Seq::new(seq),
            epoch: Epoch::NONE,
            link: Link::from_bytes([link; 16]),
        }
    }

    #[test]
    fn only_what_is_sealed_to_its_end_is_cut() {
        let name = |base, tail| ForkName { base, tail };
        let sealed = || [name(at(3, 1), at(5, 2))].into_iter();
        let may_cut = |cut| may_cut_sealed(cut, true, sealed());
        assert!(may_cut(name(at(3, 1), at(5, 2))));
        assert!(!may_cut(name(at(3, 1), at(6, 3))), "it grew");
        assert!(!may_cut(name(at(3, 1), at(5, 4))), "another log");
        assert!(!may_cut(name(at(2, 1), at(5, 2))), "too little");
        assert!(may_cut_sealed(name(at(3, 1), at(6, 3)), false, sealed()));
    }

    #[test]
    fn a_fork_is_republished_from_where_the_log_lacks_it_and_dropped_when_it_does_not() {
        let key = |leader, seq| EventKey::Placed {
            epoch: Epoch::new(4, VoterId::from_bytes([leader; 16])),
            seq: Seq::new(seq),
        };
        let fork = [Record::Event(key(1, 7)), Record::DeclaredLost(key(1, 8))];
        let next = |settled: &[EventKey]| {
            let numbered = fork.into_iter().zip(0..);
            next_to_republish(numbered, |key| settled.contains(key)).map(|(_, index)| index)
        };
        assert_eq!(next(&[]), Some(0));
        assert_eq!(next(&[key(1, 7)]), Some(1));
        assert_eq!(
            next(&[key(2, 7), key(1, 8)]),
            Some(0),
            "another leader's event"
        );
        assert_eq!(next(&[key(1, 8), key(1, 7)]), None);
        assert!(may_drop(fork, |_| true));
        assert!(!may_drop(fork, |known| *known == key(1, 7)));
    }
}
