//! What the core reads back of the mesh: how it began, and which channels it has.

use std::collections::BTreeSet;

use tetrarch_replica::catalog::{
    Catalog, CatalogChange, CatalogRefusal, Genesis, MAX_FOUNDERS, MAX_GENESIS_NODES,
};
use tetrarch_wire::{
    ChannelClass, ChannelConfig, ChannelUid, NodeId, Retention, Seq, StoreId, Voter, VoterId,
    frame::{CatalogCommand, ChannelEntry, LabelFilter},
};

use crate::cursor::Cursor;

/// The founding of a mesh: what is read can be written, reads back as itself, and is one that could
/// have been made.
pub fn genesis(bytes: &[u8]) {
    let Ok(genesis) = Genesis::decode(bytes) else {
        return;
    };
    let again = Genesis::decode(&genesis.encode()).expect("what was written can be read");
    assert_eq!(again, genesis);
    assert_eq!(again.hash(), genesis.hash());
    assert!((1..=MAX_GENESIS_NODES).contains(&genesis.nodes().len()));
    assert!(genesis.founders().len() <= MAX_FOUNDERS);
    let made = Genesis::new(
        genesis.cluster(),
        *genesis.nonce(),
        genesis.nodes().to_vec(),
    );
    assert_eq!(made.as_ref(), Ok(&genesis));
    let entry = genesis.meta_entry();
    assert!(entry.genesis.contains(entry.first_leader));
}

/// The catalog: whatever is folded in, it holds together afterwards, and every node that has folded
/// the same has the same.
pub fn catalog(bytes: &[u8]) {
    let mut cursor = Cursor::new(bytes);
    let (mut catalog, mut other) = (Catalog::default(), Catalog::default());
    let mut seq = Seq::ZERO;
    while !cursor.is_empty() {
        seq = match cursor.byte() {
            0..=239 => seq.next(),
            240..=249 => seq,
            250..=255 => Seq::new(cursor.number()),
        };
        let command = command(&mut cursor);
        let before = catalog.clone();
        let change = catalog.apply(seq, &command);
        if let CatalogChange::Refused(refusal) = &change {
            let applied = catalog.applied();
            let is_repeated = matches!(refusal, CatalogRefusal::Repeated { .. });
            assert_eq!(is_repeated, seq <= before.applied());
            assert_eq!(applied, before.applied().max(seq));
            assert!(
                before.iter().eq(catalog.iter()),
                "a refusal changed something"
            );
        }
        // Others read it from the log.
        let read = command
            .encode()
            .ok()
            .map(|bytes| CatalogCommand::decode(&bytes));
        if let Some(Ok(read)) = read {
            assert_eq!(read, command);
        }
        assert_eq!(other.apply(seq, &command), change);
        assert_eq!(catalog, other);
        holds_together(&catalog);
    }
}

fn holds_together(catalog: &Catalog) {
    let all: Vec<&ChannelEntry> = catalog.iter().collect();
    assert_eq!(all.len(), catalog.len());
    assert!(all.is_sorted_by(|one, next| one.name < next.name));
    for entry in &all {
        assert_eq!(catalog.by_name(&entry.name), Some(*entry));
        assert_eq!(catalog.get(entry.uid), Some(*entry));
        assert!(
            !catalog.was_deleted(entry.uid),
            "a deleted channel came back"
        );
        assert!(entry.genesis.contains(entry.first_leader));
    }
    let mut listed = Vec::new();
    let mut after = None;
    loop {
        let page = catalog.list(after.as_deref(), 2);
        listed.extend(page.channels);
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert!(
        listed.iter().eq(all.iter().copied()),
        "the pages are not the list"
    );
    let voter = voter(1).id();
    let held: BTreeSet<ChannelUid> = (0..4).map(uid).collect();
    let named = catalog.reconcile(voter, &held).len();
    assert!(named <= catalog.len() + held.len());
}

fn command(cursor: &mut Cursor<'_>) -> CatalogCommand {
    let uid = uid(cursor.byte() % 4);
    match cursor.byte() {
        0..=159 => CatalogCommand::Create(entry(uid, cursor)),
        160..=199 => CatalogCommand::AlterRetention {
            uid,
            retention: Retention {
                max_age_ms: cursor.happens(128).then(|| cursor.number()),
                max_bytes: None,
                max_events: Some(cursor.number()),
            },
        },
        200..=239 => CatalogCommand::Delete { uid },
        240..=255 => CatalogCommand::Drain {
            node: voter(cursor.byte() % 5).node,
            is_drained: cursor.happens(160),
        },
    }
}

fn entry(uid: ChannelUid, cursor: &mut Cursor<'_>) -> ChannelEntry {
    let names = ["a", "b", "c/d", "", "__meta", "no spaces", "ü"];
    let voters: Vec<Voter> = (1..=1 + cursor.byte() % 5).map(voter).collect();
    let first_leader = voters[cursor.below(voters.len())].id();
    let genesis = ChannelConfig::genesis(ChannelClass::Quorum, voters);
    let mut genesis = genesis.expect("a few different voters are a genesis");
    if cursor.happens(16) {
        genesis.seq = Seq::new(cursor.number());
    }
    let labels = cursor.pick(&[0_usize, 1, 2, 40]);
    let require = (0..labels).map(|number| (format!("l{number}"), "v".to_owned()));
    ChannelEntry {
        name: cursor.pick(&names).to_owned(),
        uid,
        genesis,
        retention: Retention::FOREVER,
        filter: LabelFilter {
            require: require.collect(),
        },
        first_leader: if cursor.happens(16) {
            VoterId::NONE
        } else {
            first_leader
        },
    }
}

fn uid(number: u8) -> ChannelUid {
    ChannelUid::from_bytes([number; 32])
}

fn voter(number: u8) -> Voter {
    Voter {
        node: NodeId::from_bytes([number; 16]),
        store: StoreId::from_bytes([number; 16]),
    }
}
