//! Each known mistake is noticed, in every way that is meant to notice it; and the walks that
//! notice them find nothing where there is nothing.

use tetrarch_model::{
    quorum::{Bounds, Mutant, Quorum},
    walks,
};

fn dies(mutant: Mutant) {
    let kill = mutant.attempt();
    assert!(kill.is_certain(), "{kill:#?}");
}

#[test]
fn a_vote_that_a_crash_loses_is_noticed() {
    dies(Mutant::VoteLostOnCrash);
}

#[test]
fn a_vote_without_a_look_at_the_log_is_noticed() {
    dies(Mutant::GrantWithoutLogCheck);
}

#[test]
fn counting_before_the_sync_is_noticed() {
    dies(Mutant::CountBeforeFsync);
}

#[test]
fn a_vote_for_mere_length_is_noticed() {
    dies(Mutant::LongerTailWins);
}

#[test]
fn counting_copies_of_an_older_epoch_is_noticed() {
    dies(Mutant::CommitOldEpochByCount);
}

#[test]
fn cutting_to_the_high_watermark_is_noticed() {
    dies(Mutant::TruncateToHighWatermark);
}

#[test]
fn a_wiped_disk_that_votes_is_noticed() {
    dies(Mutant::WipedDiskKeepsIdentity);
}

#[test]
fn acknowledging_by_seq_alone_is_noticed() {
    dies(Mutant::CompareSeqAlone);
}

#[test]
fn appending_without_comparing_is_noticed() {
    dies(Mutant::AppendWithoutComparing);
}

#[test]
fn rot_that_is_taken_for_a_torn_end_is_noticed() {
    dies(Mutant::RotAsTorn);
}

#[test]
fn a_vote_in_limbo_is_noticed() {
    dies(Mutant::LimboVotes);
}

#[test]
fn leaving_limbo_at_the_commit_position_is_noticed() {
    dies(Mutant::LeavesLimboAtCommit);
}

#[test]
fn a_claim_that_forgets_an_epoch_is_noticed() {
    dies(Mutant::LimboRemembersEpoch);
}

#[test]
fn every_mutant_has_its_test() {
    assert_eq!(Mutant::ALL.len(), 13);
}

#[test]
fn walks_without_a_mistake_find_nothing() {
    let bounds = Bounds::new(4, 3).crashes(2).parks(2).rots(1);
    let walked = walks(&Quorum::new(bounds), 0..20_000, 120);
    if let Some((seed, violation)) = walked.violation {
        panic!(
            "seed {seed}: {}: {:#?}",
            violation.property, violation.steps
        );
    }
    assert!(walked.steps > 400_000, "{} steps", walked.steps);
}

#[test]
fn a_walk_is_determined_by_its_seed() {
    let model = Quorum::new(Bounds::new(3, 1).crashes(1)).with(Mutant::VoteLostOnCrash);
    let once = walks(&model, 0..10_000, 120);
    let twice = walks(&model, 0..10_000, 120);
    let told = |walked: tetrarch_model::Walked| walked.violation.map(|(seed, v)| (seed, v.steps));
    assert_eq!(once.steps, twice.steps);
    assert_eq!(told(once), told(twice));
}
