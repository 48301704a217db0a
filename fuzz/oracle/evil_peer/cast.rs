//! Who is who: the honest replica, the voters beside it, and nodes that are none.

use std::time::Duration;

use tetrarch_replica::Settings;
use tetrarch_wire::{ChannelClass, ChannelConfig, ChannelUid, NodeId, StoreId, Voter, VoterId};

use super::Cursor;

/// The nodes of a life, and the channel that it is about.
pub(crate) struct Cast {
    /// The honest replica.
    pub(crate) me: VoterId,
    /// Every voter of the genesis.
    pub(crate) voters: Vec<VoterId>,
    /// Nodes of the mesh that do not hold the channel.
    pub(crate) outsiders: [VoterId; 2],
    pub(crate) genesis: ChannelConfig,
    pub(crate) channel: ChannelUid,
    pub(crate) settings: Settings,
}

impl Cast {
    pub(crate) fn choose(cursor: &mut Cursor<'_>) -> Self {
        let voters: Vec<Voter> = (1..=cursor.pick(&[3, 5, 3, 3, 1, 5, 3, 3]))
            .map(voter)
            .collect();
        let genesis = ChannelConfig::genesis(ChannelClass::Quorum, voters)
            .expect("a few different voters are a genesis");
        let ids = genesis.voter_ids().to_vec();
        Self {
            me: cursor.pick(&ids),
            voters: ids,
            outsiders: [voter(8).id(), voter(9).id()],
            genesis,
            channel: ChannelUid::derive("fuzz", &[0; 16]),
            settings: small(cursor.happens(128)),
        }
    }

    /// Anybody, the other voters most often.
    pub(crate) fn somebody(&self, cursor: &mut Cursor<'_>) -> VoterId {
        match cursor.byte() {
            outsider @ 0..=15 => self.outsiders[usize::from(outsider & 1)],
            16 => self.me,
            17 => VoterId::NONE,
            number => self.peer(usize::from(number)),
        }
    }

    /// One of the other voters; if there are none, somebody else.
    pub(crate) fn peer(&self, number: usize) -> VoterId {
        let peers: Vec<VoterId> = self.peers().collect();
        match peers.get(number % peers.len().max(1)) {
            Some(peer) => *peer,
            None => self.outsiders[number % 2],
        }
    }

    pub(crate) fn peers(&self) -> impl Iterator<Item = VoterId> + '_ {
        let voters = self.voters.iter().copied();
        voters.filter(|voter| *voter != self.me)
    }
}

/// The node of this number, and its store.
pub(crate) fn voter(number: u8) -> Voter {
    Voter {
        node: NodeId::from_bytes([number; 16]),
        store: StoreId::from_bytes([number; 16]),
    }
}

/// Windows and bounds so small that a short life reaches all of them.
fn small(stand_first: bool) -> Settings {
    Settings {
        heartbeat: Duration::from_millis(150),
        unacked_bytes: 2_048,
        unacked_batches: 6,
        unacked_requests: 6,
        window_bytes: 1_024,
        window_batches: 3,
        recent_bytes: 512,
        persist_bytes: 512,
        outstanding_persists: 2,
        sync_bytes: 512,
        producer_window: 2,
        max_producers: 3,
        stand_first,
        ..Settings::default()
    }
}
