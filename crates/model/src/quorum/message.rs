//! What was ever said. Messages form a set that only grows: any of them may be heard now, later,
//! again, in another order or never, which is all that a network may do to them.

use std::hash::{Hash, Hasher};

use super::Log;

/// A message. Who it is for does not matter: whoever it concerns may hear it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Message {
    /// `candidate`, whose log is durably `log`, asks for votes.
    VoteRequest {
        /// Number of the epoch that it stands for.
        n: u8,
        /// Who asks.
        candidate: u8,
        /// Its log.
        log: Log,
    },
    /// `voter` gives its vote.
    Vote {
        /// Number of the epoch.
        n: u8,
        /// Who gives it.
        voter: u8,
        /// To whom.
        candidate: u8,
    },
    /// The last batch of `log`, which is the leader's log up to there.
    Append {
        /// Number of the leader's epoch.
        n: u8,
        /// Who leads it.
        leader: u8,
        /// What its log holds up to and including the batch.
        log: Log,
    },
    /// `voter` holds `log` durably, and it is a prefix of the leader's.
    Ack {
        /// Number of the leader's epoch.
        n: u8,
        /// Who says so.
        voter: u8,
        /// What it holds.
        log: Log,
    },
    /// Everything up to `seq` of the leader's log is committed.
    Committed {
        /// Number of the leader's epoch.
        n: u8,
        /// Who leads it.
        leader: u8,
        /// Up to where.
        seq: u8,
    },
}

/// Two words, and not one for each field: states are hashed by the million.
impl Hash for Message {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let (small, log) = match *self {
            Self::VoteRequest { n, candidate, log } => ([0, n, candidate, 0], log),
            Self::Vote {
                n,
                voter,
                candidate,
            } => ([1, n, voter, candidate], Log::default()),
            Self::Append { n, leader, log } => ([2, n, leader, 0], log),
            Self::Ack { n, voter, log } => ([3, n, voter, 0], log),
            Self::Committed { n, leader, seq } => ([4, n, leader, seq], Log::default()),
        };
        hasher.write_u32(u32::from_le_bytes(small));
        log.hash(hasher);
    }
}

impl Message {
    /// Who said it, and in which epoch.
    #[must_use]
    pub const fn sender(&self) -> (u8, u8) {
        match *self {
            Self::VoteRequest { n, candidate, .. } => (candidate, n),
            Self::Vote { n, voter, .. } | Self::Ack { n, voter, .. } => (voter, n),
            Self::Append { n, leader, .. } | Self::Committed { n, leader, .. } => (leader, n),
        }
    }
}

impl Message {
    fn outdates(&self, earlier: &Self) -> bool {
        match (*self, *earlier) {
            (
                Self::Ack { n, voter, log },
                Self::Ack {
                    n: then,
                    voter: who,
                    log: less,
                },
            ) => (n, voter) == (then, who) && less.is_prefix_of(log),
            (
                Self::Committed { n, seq, .. },
                Self::Committed {
                    n: then, seq: less, ..
                },
            ) => n == then && less <= seq,
            (
                Self::VoteRequest { .. }
                | Self::Vote { .. }
                | Self::Append { .. }
                | Self::Ack { .. }
                | Self::Committed { .. },
                _,
            ) => false,
        }
    }
}

/// Everything that was said, in a fixed order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Messages(Vec<Message>);

impl Messages {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Message> {
        self.0.iter()
    }

    /// Whether it was said.
    #[must_use]
    pub fn contains(&self, message: &Message) -> bool {
        self.0.binary_search(message).is_ok()
    }

    /// It is said. Who acknowledges, or commits, further than before in the same epoch makes what
    /// it said before needless: that could only have been heard before.
    pub fn insert(&mut self, message: Message) {
        self.0.retain(|earlier| !message.outdates(earlier));
        if let Err(place) = self.0.binary_search(&message) {
            self.0.insert(place, message);
        }
    }

    /// Forgets what is not `live`.
    pub fn retain(&mut self, live: impl Fn(&Message) -> bool) {
        self.0.retain(live);
    }

    /// How many voters gave their vote to `candidate` in the epoch `n`, not counting its own.
    #[must_use]
    pub fn votes_for(&self, candidate: u8, n: u8) -> usize {
        let votes = self.iter().filter(|message| match message {
            Message::Vote {
                n: given,
                candidate: to,
                ..
            } => (*given, *to) == (n, candidate),
            Message::VoteRequest { .. }
            | Message::Append { .. }
            | Message::Ack { .. }
            | Message::Committed { .. } => false,
        });
        votes.count()
    }

    /// How far `voter` acknowledged in the epoch `n` what is `accepted` as a part of the leader's
    /// log.
    #[must_use]
    pub fn acked_by(&self, voter: u8, n: u8, accepted: impl Fn(Log) -> bool) -> u8 {
        let acked = self.iter().filter_map(|message| match message {
            Message::Ack {
                n: in_epoch,
                voter: from,
                log: held,
            } if (*in_epoch, *from) == (n, voter) && accepted(*held) => Some(held.len()),
            Message::Ack { .. }
            | Message::VoteRequest { .. }
            | Message::Vote { .. }
            | Message::Append { .. }
            | Message::Committed { .. } => None,
        });
        acked.max().unwrap_or(0)
    }
}
