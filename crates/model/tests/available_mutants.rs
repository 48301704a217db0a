//! Each known mistake in a channel of class `available` is noticed, by every state and by walks;
//! and the walks that notice them find nothing where there is nothing.

use tetrarch_model::{
    available::{Available, Bounds, Meeting, Mutant},
    walks,
};

fn dies(mutant: Mutant) {
    let kill = mutant.attempt();
    assert!(kill.is_certain(), "{kill:#?}");
}

#[test]
fn a_loser_that_resumes_from_its_own_tail_is_noticed() {
    dies(Mutant::ResumeFromOwnTail);
}

#[test]
fn a_dropped_suffix_is_noticed() {
    dies(Mutant::SkipTo);
}

#[test]
fn cutting_before_the_fork_is_durable_is_noticed() {
    dies(Mutant::CutBeforeForkIsDurable);
}

#[test]
fn an_epoch_without_its_leader_is_noticed() {
    dies(Mutant::EpochWithoutLeader);
}

#[test]
fn comparing_numbers_of_epochs_is_noticed() {
    dies(Mutant::PartByNumber);
}

#[test]
fn republishing_without_dedup_is_noticed() {
    dies(Mutant::RepublishWithoutDedup);
}

#[test]
fn dropping_a_fork_before_its_events_are_durable_is_noticed() {
    dies(Mutant::DropBeforeDurable);
}

#[test]
fn an_epoch_that_a_crash_loses_is_noticed() {
    dies(Mutant::EpochLostOnCrash);
}

#[test]
fn cutting_more_than_was_sealed_is_noticed() {
    dies(Mutant::CutMoreThanSealed);
}

#[test]
fn acknowledging_a_duplicate_at_once_is_noticed() {
    dies(Mutant::DuplicateAckedAtOnce);
}

#[test]
fn acknowledging_before_the_sync_is_noticed() {
    dies(Mutant::AckBeforeSync);
}

#[test]
fn republishing_without_the_origin_is_noticed() {
    dies(Mutant::OriginNotCarried);
}

#[test]
fn a_declared_loss_that_stays_in_a_fork_is_noticed() {
    dies(Mutant::LossNotCarriedOver);
}

#[test]
fn a_leader_that_outdoes_no_later_epoch_is_noticed() {
    dies(Mutant::LateEpochNotOutdone);
}

#[test]
fn an_origin_without_the_leader_is_noticed() {
    dies(Mutant::OriginWithoutLeader);
}

#[test]
fn a_fork_named_by_its_beginning_is_noticed() {
    dies(Mutant::ForkNamedByItsBeginning);
}

#[test]
fn a_fork_dropped_on_the_leaders_word_is_noticed() {
    dies(Mutant::DropOnLeadersWord);
}

#[test]
fn every_mutant_has_its_test() {
    assert_eq!(Mutant::ALL.len(), 17);
}

fn find_nothing(meeting: Meeting) {
    let bounds = Bounds::new(3, 4, 2, 2).retries(2).crashes(2).discards(1);
    let model = Available::new(bounds.expiries(1).meeting(meeting));
    let walked = walks(&model, 0..5_000, 120);
    if let Some((seed, violation)) = walked.violation {
        let (property, steps) = (violation.property, violation.steps);
        panic!("seed {seed}: {property}: {steps:#?}");
    }
    assert!(walked.steps > 200_000, "{} steps", walked.steps);
}

#[test]
fn walks_without_a_mistake_find_nothing() {
    find_nothing(Meeting::LongerLog);
}

#[test]
fn walks_where_the_later_epoch_leads_find_nothing() {
    find_nothing(Meeting::LaterEpoch);
}
