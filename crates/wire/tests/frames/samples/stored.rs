//! What is written into logs and the catalog: bytes that outlive every connection.

use bytes::Bytes;
use tetrarch_wire::{
    ChannelClass, ChannelConfig, ProducerId, Retention, Seq, StoreId, Voter,
    batch::{BatchDraft, Control},
    frame::{CatalogCommand, ChannelEntry, LabelFilter},
};

use super::{batches, epoch, node, position, uid, voter};

/// Every stored value and its bytes, under a name.
pub(crate) fn stored() -> Vec<(String, Bytes)> {
    let mut values = vec![
        ("config".into(), config().encode()),
        ("batch.data".into(), batches()[0].chunks().concat()),
    ];
    for (name, control) in controls() {
        let batch = BatchDraft::control(&control).seal(&position(), epoch(), 1_700_000_000_000);
        values.push((format!("batch.{name}"), batch.chunks().concat()));
    }
    for (name, command) in commands() {
        let bytes = command.encode().unwrap();
        values.push((format!("catalog.{name}"), bytes.into()));
    }
    values
}

/// The pieces of a batch as one byte string.
trait Concat {
    fn concat(&self) -> Bytes;
}

impl Concat for [&Bytes; 2] {
    fn concat(&self) -> Bytes {
        [&self[0][..], &self[1][..]].concat().into()
    }
}

fn config() -> ChannelConfig {
    let voters = [1, 2, 3].map(|byte| Voter {
        node: node(byte),
        store: StoreId::from_bytes([0x50 + byte; 16]),
    });
    ChannelConfig::genesis(ChannelClass::Quorum, voters.to_vec()).unwrap()
}

pub(super) fn filter() -> LabelFilter {
    LabelFilter {
        require: vec![("zone".into(), "a".into())],
    }
}

pub(crate) fn entry() -> ChannelEntry {
    ChannelEntry {
        name: "orders".into(),
        uid: uid(),
        genesis: config(),
        retention: Retention {
            max_age_ms: None,
            max_bytes: Some(1 << 30),
            max_events: None,
        },
        filter: filter(),
        first_leader: voter(1),
    }
}

fn controls() -> [(&'static str, Control); 6] {
    [
        ("noop", Control::Noop { count: 3 }),
        (
            "epoch_start",
            Control::EpochStart {
                observed_prev_high: Seq::new(299),
            },
        ),
        ("config", Control::Config(config())),
        (
            "trim_point",
            Control::TrimPoint {
                upto: Seq::new(100),
            },
        ),
        (
            "producer_expire",
            Control::ProducerExpire {
                producers: vec![ProducerId::from_bytes([0xAB; 16])],
            },
        ),
        ("delete", Control::Delete),
    ]
}

fn commands() -> [(&'static str, CatalogCommand); 6] {
    [
        ("create", CatalogCommand::Create(entry())),
        (
            "alter_retention",
            CatalogCommand::AlterRetention {
                uid: uid(),
                retention: Retention::FOREVER,
            },
        ),
        ("delete", CatalogCommand::Delete { uid: uid() }),
        (
            "place",
            CatalogCommand::Place {
                uid: uid(),
                voters: entry().genesis.voters().to_vec(),
            },
        ),
        (
            "placed",
            CatalogCommand::Placed {
                uid: uid(),
                version: 3,
            },
        ),
        (
            "drain",
            CatalogCommand::Drain {
                node: node(4),
                is_drained: true,
            },
        ),
    ]
}
