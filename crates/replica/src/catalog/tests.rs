//! The fold, what it asks of a voter, and the genesis.

use std::collections::BTreeSet;

use proptest::prelude::*;
use tetrarch_wire::{
    ChannelClass, ChannelConfig, ChannelUid, ClusterId, DecodeError, MinCopies, NodeId, Retention,
    Seq, StoreId, Voter, VoterId,
    frame::{CatalogCommand, ChannelEntry, LabelFilter},
    limits,
};

use super::*;

fn voter(byte: u8) -> Voter {
    Voter {
        node: NodeId::from_bytes([byte; 16]),
        store: StoreId::from_bytes([byte; 16]),
    }
}

fn entry(name: &str, nonce: u8, voters: &[u8]) -> ChannelEntry {
    let voters: Vec<Voter> = voters.iter().map(|byte| voter(*byte)).collect();
    ChannelEntry {
        name: name.to_owned(),
        uid: ChannelUid::derive(name, &[nonce; 16]),
        first_leader: voters[0].id(),
        genesis: ChannelConfig::genesis(ChannelClass::Quorum, voters).unwrap(),
        retention: Retention::FOREVER,
        filter: LabelFilter::default(),
    }
}

fn create(name: &str, nonce: u8) -> CatalogCommand {
    CatalogCommand::Create(entry(name, nonce, &[1, 2, 3]))
}

const ONE_HOUR: Retention = Retention {
    max_age_ms: Some(3_600_000),
    max_bytes: None,
    max_events: None,
};

#[test]
fn a_second_create_of_a_name_is_recorded_and_told_who_has_it() {
    let mut catalog = Catalog::default();
    let first = entry("orders", 1, &[1, 2, 3]);
    let created = catalog.apply(Seq::new(2), &CatalogCommand::Create(first.clone()));
    assert_eq!(created, CatalogChange::Created(first.clone()));
    let again = catalog.apply(Seq::new(3), &create("orders", 2));
    let taken = CatalogRefusal::NameTaken {
        name: "orders".to_owned(),
        uid: first.uid,
    };
    assert_eq!(again, CatalogChange::Refused(taken));
    assert_eq!(catalog.applied(), Seq::new(3));
    assert_eq!(catalog.by_name("orders"), Some(&first));
    assert_eq!(catalog.len(), 1);
}

#[test]
fn an_event_that_was_folded_before_changes_nothing() {
    let mut catalog = Catalog::default();
    catalog.apply(Seq::new(5), &create("orders", 1));
    let before = catalog.clone();
    let delete = CatalogCommand::Delete {
        uid: ChannelUid::derive("orders", &[1; 16]),
    };
    let change = catalog.apply(Seq::new(5), &delete);
    let repeated = CatalogRefusal::Repeated {
        seq: Seq::new(5),
        applied: Seq::new(5),
    };
    assert_eq!(change, CatalogChange::Refused(repeated));
    assert_eq!(catalog, before);
}

#[test]
fn a_deleted_name_may_return_but_its_uid_may_not() {
    let mut catalog = Catalog::default();
    let uid = ChannelUid::derive("orders", &[1; 16]);
    catalog.apply(Seq::new(1), &create("orders", 1));
    let deleted = catalog.apply(Seq::new(2), &CatalogCommand::Delete { uid });
    assert_eq!(
        deleted,
        CatalogChange::Deleted(entry("orders", 1, &[1, 2, 3]))
    );
    assert!(catalog.is_empty() && catalog.by_name("orders").is_none());
    assert_eq!(
        catalog.apply(Seq::new(3), &create("orders", 1)),
        CatalogChange::Refused(CatalogRefusal::UidTaken { uid })
    );
    assert_eq!(
        catalog.apply(Seq::new(4), &CatalogCommand::Delete { uid }),
        CatalogChange::Refused(CatalogRefusal::UnknownChannel { uid })
    );
    assert!(matches!(
        catalog.apply(Seq::new(5), &create("orders", 2)),
        CatalogChange::Created(_)
    ));
}

#[test]
fn deletions_are_remembered_up_to_their_bound() {
    let mut catalog = Catalog::default();
    let mut seq = Seq::ZERO;
    let mut uids = Vec::new();
    for number in 0..=MAX_TOMBSTONES {
        let entry = entry(&format!("c{number}"), 1, &[1]);
        uids.push(entry.uid);
        seq = seq.next();
        catalog.apply(seq, &CatalogCommand::Create(entry.clone()));
        seq = seq.next();
        catalog.apply(seq, &CatalogCommand::Delete { uid: entry.uid });
    }
    assert!(!catalog.was_deleted(uids[0]));
    assert!(catalog.was_deleted(uids[1]));
    assert!(catalog.was_deleted(uids[MAX_TOMBSTONES]));
}

#[test]
fn an_entry_that_breaks_a_rule_is_refused_by_every_node() {
    let mut stranger = entry("orders", 1, &[1, 2, 3]);
    stranger.first_leader = voter(4).id();
    let mut later = entry("orders", 1, &[1, 2, 3]);
    later.genesis.seq = Seq::new(7);
    let mut labels = entry("orders", 1, &[1]);
    labels.filter.require = vec![("zone".to_owned(), "x".repeat(2_000))];
    for bad in [stranger, later, labels, entry("__meta", 1, &[1])] {
        let mut catalog = Catalog::default();
        let change = catalog.apply(Seq::new(1), &CatalogCommand::Create(bad));
        assert!(
            matches!(
                change,
                CatalogChange::Refused(CatalogRefusal::Invalid { .. })
            ),
            "{change:?}"
        );
        assert!(catalog.is_empty());
    }
}

fn place(uid: ChannelUid, nodes: &[u8]) -> CatalogCommand {
    let voters = nodes.iter().map(|byte| voter(*byte)).collect();
    CatalogCommand::Place { uid, voters }
}

#[test]
fn who_is_not_wanted_any_more_holds_the_channel_until_the_move_is_complete() {
    let mut catalog = Catalog::default();
    let uid = ChannelUid::derive("orders", &[1; 16]);
    let holds = |catalog: &Catalog, byte| catalog.assignments(voter(byte).id()).count() == 1;
    catalog.apply(Seq::new(1), &create("orders", 1));
    catalog.apply(Seq::new(2), &place(uid, &[1, 2, 4]));
    let set = catalog.replica_set(uid).unwrap();
    assert!(!set.is_settled() && set.wants(voter(4).id()) && !set.wants(voter(3).id()));
    assert!((1..=4).all(|byte| holds(&catalog, byte)));
    // What is wanted changes on the way; what was complete before that is not any more.
    catalog.apply(Seq::new(3), &place(uid, &[2, 4, 5]));
    let stale = CatalogCommand::Placed { uid, version: 1 };
    let change = catalog.apply(Seq::new(4), &stale);
    let is_refused = matches!(
        change,
        CatalogChange::Refused(CatalogRefusal::Outdated { version: 1, .. })
    );
    assert!(is_refused, "{change:?}");
    assert!((1..=5).all(|byte| holds(&catalog, byte)));
    catalog.apply(Seq::new(5), &CatalogCommand::Placed { uid, version: 2 });
    assert!(catalog.replica_set(uid).unwrap().is_settled());
    assert!((1..=5).all(|byte| holds(&catalog, byte) == [2, 4, 5].contains(&byte)));
    let held = BTreeSet::from([uid]);
    let changes = catalog.reconcile(voter(1).id(), &held);
    assert_eq!(changes, [AssignmentChange::Released { uid }]);
    // It may come back.
    let change = catalog.apply(Seq::new(6), &place(uid, &[1, 2, 4]));
    assert!(matches!(change, CatalogChange::Placed(..)), "{change:?}");
    assert!((1..=5).all(|byte| holds(&catalog, byte) == [1, 2, 4, 5].contains(&byte)));
}

#[test]
fn a_place_that_nobody_can_take_is_refused() {
    let mut catalog = Catalog::default();
    let uid = ChannelUid::derive("orders", &[1; 16]);
    let unknown = catalog.apply(Seq::new(1), &place(uid, &[1]));
    let is_unknown = |change: &CatalogChange| {
        matches!(
            change,
            CatalogChange::Refused(CatalogRefusal::UnknownChannel { .. })
        )
    };
    assert!(is_unknown(&unknown), "{unknown:?}");
    catalog.apply(Seq::new(2), &create("orders", 1));
    let before = catalog.replica_set(uid).cloned();
    for (seq, bad) in (3..).zip([&[][..], &[1, 2, 2]]) {
        let change = catalog.apply(Seq::new(seq), &place(uid, bad));
        let is_invalid = matches!(
            change,
            CatalogChange::Refused(CatalogRefusal::Invalid { .. })
        );
        assert!(is_invalid, "{change:?}");
    }
    assert_eq!(catalog.replica_set(uid).cloned(), before);
    // Two complete exchanges are as many as may be under way.
    let nodes: Vec<u8> = (10..).take(limits::MAX_VOTERS).collect();
    catalog.apply(Seq::new(5), &place(uid, &nodes));
    let others: Vec<u8> = (30..).take(limits::MAX_VOTERS).collect();
    let change = catalog.apply(Seq::new(6), &place(uid, &others));
    let is_too_much = matches!(
        change,
        CatalogChange::Refused(CatalogRefusal::TooManyMoves { .. })
    );
    assert!(is_too_much, "{change:?}");
}

#[test]
fn what_a_store_holds_beyond_its_assignments_is_named_and_never_silently_dropped() {
    let mut catalog = Catalog::default();
    let (kept, gone, elsewhere) = (
        entry("kept", 1, &[1, 2, 3]),
        entry("gone", 1, &[1, 2, 3]),
        entry("elsewhere", 1, &[2, 3, 4]),
    );
    for (seq, entry) in (1..).zip([&kept, &gone, &elsewhere]) {
        catalog.apply(Seq::new(seq), &CatalogCommand::Create(entry.clone()));
    }
    catalog.apply(Seq::new(4), &CatalogCommand::Delete { uid: gone.uid });
    let never_known = ChannelUid::derive("never", &[9; 16]);
    let held = BTreeSet::from([gone.uid, elsewhere.uid, never_known]);
    let changes = catalog.reconcile(voter(1).id(), &held);
    assert_eq!(changes.len(), 4);
    for expected in [
        AssignmentChange::Assigned(kept),
        AssignmentChange::Deleted { uid: gone.uid },
        AssignmentChange::Unassigned { uid: elsewhere.uid },
        AssignmentChange::Unassigned { uid: never_known },
    ] {
        assert!(changes.contains(&expected), "{expected:?} in {changes:?}");
    }
}

#[test]
fn pages_of_a_listing_join_to_the_whole_in_the_order_of_the_names() {
    let mut catalog = Catalog::default();
    for (seq, name) in (1..).zip(["delta", "alpha", "charlie", "echo", "bravo", "foxtrot"]) {
        catalog.apply(Seq::new(seq), &create(name, 1));
    }
    let mut names = Vec::new();
    let mut after = None;
    let mut pages = 0;
    loop {
        let page = catalog.list(after.as_deref(), 2);
        names.extend(page.channels.into_iter().map(|entry| entry.name));
        pages += 1;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(
        names,
        ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot"]
    );
    assert_eq!(pages, 3);
    assert!(catalog.iter().map(|entry| &entry.name).eq(&names));
    assert_eq!(catalog.list(Some("foxtrot"), 5), CatalogPage::default());
}

fn founding(count: u8) -> Genesis {
    let nodes = (1..=count)
        .map(|byte| GenesisNode {
            name: format!("n{byte}"),
            node: voter(byte).node,
            store: voter(byte).store,
            address: format!("10.0.0.{byte}:7400"),
        })
        .collect();
    Genesis::new(ClusterId::from_bytes([9; 16]), [7; 16], nodes).unwrap()
}

#[test]
fn a_genesis_round_trips_and_any_difference_changes_its_hash() {
    let genesis = founding(3);
    let read = Genesis::decode(&genesis.encode()).unwrap();
    assert_eq!(read, genesis);
    assert_eq!(read.hash(), genesis.hash());
    assert_ne!(founding(4).hash(), genesis.hash());
    let mut longer = genesis.encode().to_vec();
    longer.push(0);
    assert!(matches!(
        Genesis::decode(&longer),
        Err(DecodeError::TrailingBytes { count: 1, .. })
    ));
}

#[test]
fn at_most_five_founders_vote_in_meta() {
    for (nodes, founders) in [(1, 1), (2, 2), (3, 3), (5, 5), (6, 5), (9, 5)] {
        let genesis = founding(nodes);
        assert_eq!(genesis.founders().len(), founders);
        let voters: BTreeSet<VoterId> = genesis
            .meta_config()
            .voters()
            .iter()
            .map(Voter::id)
            .collect();
        let expected: BTreeSet<VoterId> = genesis
            .founders()
            .iter()
            .map(|node| node.voter().id())
            .collect();
        assert_eq!(voters, expected);
        let entry = genesis.meta_entry();
        assert_eq!(entry.uid, ChannelUid::derive("__meta", &[7; 16]));
        assert!(entry.genesis.contains(entry.first_leader));
    }
}

#[test]
fn a_genesis_without_nodes_or_with_the_same_node_twice_is_refused() {
    let founded = |nodes: Vec<GenesisNode>| {
        Genesis::new(ClusterId::from_bytes([9; 16]), [7; 16], nodes).err()
    };
    let invalid = |why| {
        Some(DecodeError::Invalid {
            what: "genesis",
            why,
        })
    };
    assert_eq!(founded(Vec::new()), invalid("it names no node"));
    let node = founding(1).nodes()[0].clone();
    let mut twin = node.clone();
    twin.node = voter(2).node;
    twin.store = voter(2).store;
    let twins = vec![node.clone(), twin.clone()];
    assert_eq!(
        founded(twins),
        invalid("two nodes in it have the same name")
    );
    twin.name = "n2".to_owned();
    twin.store = node.store;
    let twins = vec![node.clone(), twin.clone()];
    assert_eq!(
        founded(twins),
        invalid("two nodes in it have the same store")
    );
    twin.store = voter(2).store;
    twin.node = node.node;
    assert_eq!(
        founded(vec![node, twin]),
        invalid("two nodes in it have the same id")
    );
}

proptest! {
    #[test]
    fn no_bytes_make_the_genesis_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(genesis) = Genesis::decode(&bytes) {
            prop_assert_eq!(Genesis::decode(&genesis.encode()), Ok(genesis));
        }
    }

    /// The fold holds its own rules whatever is written, and two nodes that read the same agree.
    #[test]
    fn the_fold_is_deterministic_and_keeps_its_indexes(
        commands in prop::collection::vec((0u8..4, 0u8..3, 0u8..3, 0u64..3), 0..80)
    ) {
        let (mut one, mut other) = (Catalog::default(), Catalog::default());
        let mut seq = Seq::ZERO;
        for (name, nonce, kind, step) in commands {
            seq = seq.plus(step);
            let name = format!("c{name}");
            let uid = ChannelUid::derive(&name, &[nonce; 16]);
            let command = match kind {
                0 => create(&name, nonce),
                1 => CatalogCommand::AlterRetention { uid, retention: ONE_HOUR },
                _ => CatalogCommand::Delete { uid },
            };
            prop_assert_eq!(one.apply(seq, &command), other.apply(seq, &command));
            prop_assert_eq!(one.applied(), seq);
            prop_assert_eq!(one.iter().count(), one.len());
            for entry in one.iter() {
                prop_assert_eq!(one.get(entry.uid), Some(entry));
                prop_assert!(!one.was_deleted(entry.uid));
            }
        }
        prop_assert_eq!(one, other);
    }
}

/// Neither survives that two sides of a partition decide it on their own.
#[test]
fn a_channel_of_the_class_available_is_neither_moved_nor_trimmed() {
    let mut catalog = Catalog::default();
    let voters = vec![voter(1), voter(2), voter(3)];
    let class = ChannelClass::Available(MinCopies::ONE);
    let entry = ChannelEntry {
        genesis: ChannelConfig::genesis(class, voters).unwrap(),
        ..entry("telemetry", 1, &[1, 2, 3])
    };
    let uid = entry.uid;
    let limited = ChannelEntry {
        retention: ONE_HOUR,
        ..entry.clone()
    };
    let forbids = |change: &CatalogChange| {
        matches!(
            change,
            CatalogChange::Refused(CatalogRefusal::ClassForbids { .. })
        )
    };
    let change = catalog.apply(Seq::new(1), &CatalogCommand::Create(limited));
    assert!(forbids(&change), "{change:?}");
    let change = catalog.apply(Seq::new(2), &CatalogCommand::Create(entry));
    assert!(matches!(change, CatalogChange::Created(_)), "{change:?}");
    let alter = |retention| CatalogCommand::AlterRetention { uid, retention };
    let change = catalog.apply(Seq::new(3), &alter(ONE_HOUR));
    assert!(forbids(&change), "{change:?}");
    let change = catalog.apply(Seq::new(4), &place(uid, &[1, 2, 4]));
    assert!(forbids(&change), "{change:?}");
    let set = catalog.replica_set(uid).unwrap();
    assert!(set.is_settled(), "{set:?}");
    let change = catalog.apply(Seq::new(5), &alter(Retention::FOREVER));
    let is_changed = matches!(change, CatalogChange::RetentionChanged(_));
    assert!(is_changed, "{change:?}");
}

#[test]
fn who_is_drained_is_remembered_until_it_is_not_any_more() {
    let (mut catalog, node) = (Catalog::default(), voter(2).node);
    let drain = |is_drained| CatalogCommand::Drain { node, is_drained };
    for (seq, is_drained) in [(2, true), (3, true), (4, false), (5, false)] {
        let change = catalog.apply(Seq::new(seq), &drain(is_drained));
        assert_eq!(change, CatalogChange::Drained { node, is_drained });
        assert_eq!(catalog.drained().contains(&node), is_drained);
    }
}

#[test]
fn no_more_nodes_are_drained_than_a_mesh_has() {
    let mut catalog = Catalog::default();
    let drain = |index: usize| CatalogCommand::Drain {
        node: NodeId::from_spiffe_uri(&index.to_string()),
        is_drained: true,
    };
    for index in 0..limits::MAX_NODES {
        let seq = Seq::new(2 + index as u64);
        let change = catalog.apply(seq, &drain(index));
        assert!(
            matches!(change, CatalogChange::Drained { .. }),
            "{change:?}"
        );
    }
    let last = Seq::new(2 + limits::MAX_NODES as u64);
    let refused = CatalogRefusal::TooManyDrained {
        limit: limits::MAX_NODES,
    };
    let change = catalog.apply(last, &drain(limits::MAX_NODES));
    assert_eq!(change, CatalogChange::Refused(refused));
    let known = catalog.apply(last.next(), &drain(0));
    assert!(
        matches!(known, CatalogChange::Drained { .. }),
        "it is one of them"
    );
}
