//! How frames share a connection without waiting for each other. Votes and handovers have the one
//! bidirectional stream to themselves; pushed batches are spread over sixteen ordered streams by
//! channel, so that a large batch of one channel delays only a sixteenth of the others; catch-up
//! has a stream that sends only when nothing else wants to.

use tetrarch_replica::Lane;
use tetrarch_wire::{ChannelUid, frame::FrameType};

/// Ordered streams that pushed batches are spread over, in each direction.
const DATA: u8 = 16;

/// One ordered stream of frames, in one direction. A unidirectional stream begins with the number
/// of its track, as one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Track(u8);

impl Track {
    /// The bulk lane.
    pub(super) const BULK: Self = Self(DATA);
    /// The control lane: the bidirectional stream.
    pub(super) const CONTROL: Self = Self(DATA + 1);
    /// How many of them are unidirectional streams.
    pub(super) const UNIDIRECTIONAL: u8 = DATA + 1;

    /// Every track.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        (0..=Self::CONTROL.0).map(Self)
    }

    /// The track that the frames of `channel` take in `lane`. The uid of a channel is a hash, so
    /// its first byte spreads channels evenly.
    pub(super) const fn of(lane: Lane, channel: &ChannelUid) -> Self {
        match lane {
            Lane::Control => Self::CONTROL,
            Lane::Data => Self(channel.as_bytes()[0] % DATA),
            Lane::Bulk => Self::BULK,
        }
    }

    /// The track of a unidirectional stream that begins with `tag`.
    pub(super) const fn from_tag(tag: u8) -> Option<Self> {
        if tag < Self::UNIDIRECTIONAL {
            Some(Self(tag))
        } else {
            None
        }
    }

    /// The byte that a unidirectional stream of this track begins with.
    pub(super) const fn tag(self) -> u8 {
        self.0
    }

    /// Its place among [`Self::all`].
    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }

    /// The lane that it is a part of.
    pub(super) const fn lane(self) -> Lane {
        match self {
            Self::CONTROL => Lane::Control,
            Self::BULK => Lane::Bulk,
            Self(_) => Lane::Data,
        }
    }

    /// What QUIC sends first: larger goes before smaller.
    pub(super) const fn priority(self) -> i32 {
        match self.lane() {
            Lane::Control => 1,
            Lane::Data => 0,
            Lane::Bulk => -1,
        }
    }
}

/// What a frame between nodes is for, which says where it may travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The connection itself: only at its beginning.
    Handshake,
    /// A sign of life: a datagram, or the control lane.
    Beat,
    /// The end of the connection: the control lane.
    Farewell,
    /// Votes, handovers and what leaders tell the catalog: any lane, but made for control.
    Election,
    /// Log and catch-up: data and bulk.
    Log,
    /// Between clients and nodes: never on a connection of the mesh.
    Client,
}

/// What frames of this type are for.
pub(super) const fn purpose(frame: FrameType) -> Purpose {
    match frame {
        FrameType::Hello | FrameType::HelloAck => Purpose::Handshake,
        FrameType::NodeBeat
        | FrameType::BeatAck
        | FrameType::TableRequest
        | FrameType::TablePage => Purpose::Beat,
        FrameType::Close | FrameType::Goodbye => Purpose::Farewell,
        FrameType::VoteRequest
        | FrameType::VoteResponse
        | FrameType::TransferPrepare
        | FrameType::TransferNow
        | FrameType::Placed => Purpose::Election,
        FrameType::Append
        | FrameType::AppendAck
        | FrameType::AppendNack
        | FrameType::FindPoint
        | FrameType::PointResponse
        | FrameType::SyncRequest
        | FrameType::SyncChunk
        | FrameType::SyncNack
        | FrameType::RepairRequest
        | FrameType::RepairResponse
        | FrameType::SegOffer
        | FrameType::SegRequest
        | FrameType::SegData
        | FrameType::SnapshotRequest
        | FrameType::SnapshotChunk
        | FrameType::ForkReport
        | FrameType::ForkPull
        | FrameType::ForkChunk => Purpose::Log,
        FrameType::Refused
        | FrameType::Credit
        | FrameType::Produce
        | FrameType::ProduceAck
        | FrameType::Fetch
        | FrameType::FetchResponse
        | FrameType::ReadIndex
        | FrameType::ReadIndexResponse
        | FrameType::Metadata
        | FrameType::MetadataResponse
        | FrameType::Subscribe
        | FrameType::Deliver
        | FrameType::SubscribeCredit
        | FrameType::Forward
        | FrameType::Admin
        | FrameType::AdminResponse => Purpose::Client,
    }
}

/// Whether a frame of this type may travel in `lane` once the connection stands.
pub(super) const fn carries(lane: Lane, frame: FrameType) -> bool {
    match (lane, purpose(frame)) {
        (Lane::Control, Purpose::Beat | Purpose::Farewell)
        | (Lane::Control | Lane::Data | Lane::Bulk, Purpose::Election)
        | (Lane::Data | Lane::Bulk, Purpose::Log) => true,
        (_, Purpose::Handshake | Purpose::Client)
        | (Lane::Control, Purpose::Log)
        | (Lane::Data | Lane::Bulk, Purpose::Beat | Purpose::Farewell) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_track_has_its_own_index_and_only_streams_have_tags() {
        let indices: Vec<_> = Track::all().map(Track::index).collect();
        assert_eq!(indices, (0..18).collect::<Vec<_>>());
        let tagged: Vec<_> = (0..=u8::MAX).filter_map(Track::from_tag).collect();
        assert_eq!(tagged.len(), usize::from(Track::UNIDIRECTIONAL));
        assert!(tagged.iter().all(|track| track.lane() != Lane::Control));
        assert_eq!(Track::from_tag(Track::CONTROL.tag()), None);
    }

    #[test]
    fn channels_spread_over_all_data_tracks() {
        let mut used = [false; DATA as usize];
        for number in 0..1_000u32 {
            let uid = ChannelUid::derive(&number.to_string(), &[0; 16]);
            let track = Track::of(Lane::Data, &uid);
            assert_eq!(track.lane(), Lane::Data);
            used[track.index()] = true;
        }
        assert_eq!(used, [true; DATA as usize]);
    }

    #[test]
    fn each_lane_carries_what_it_is_for() {
        let count = |lane| {
            let carried = FrameType::ALL.iter().filter(|frame| carries(lane, **frame));
            carried.count()
        };
        assert_eq!(count(Lane::Control), 11);
        assert_eq!(count(Lane::Data), 23);
        assert_eq!(count(Lane::Bulk), 23);
        assert!(!carries(Lane::Control, FrameType::Append));
        assert!(!carries(Lane::Data, FrameType::NodeBeat));
        assert!(!carries(Lane::Data, FrameType::Produce));
    }
}
