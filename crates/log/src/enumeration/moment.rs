//! One moment of a script at which the power goes, and everything that can come of it: images, a
//! process that was killed in its place, and starts on either that are cut themselves.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use super::choice::{Effort, Sweep, alike, decided};
use super::image::Judge;
use super::life::Life;
use super::place::{End, Place};
use super::promise::Ledger;
use super::said;
use super::scripts::Script;
use super::tally::{Tally, Violation};
use crate::StoreOptions;
use crate::channel::lock;
use crate::disk::{CrashDisk, Digests, Step};

/// Images that were looked at, each with what was promised then.
pub(crate) type Seen = Mutex<HashSet<(u64, u64)>>;

/// How much is tried at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Depth {
    /// How many images of the moment itself.
    pub(crate) images: Effort,
    /// How many images of each cut of a start.
    pub(crate) again: Effort,
    /// Which steps of the starts after it are cut; `None`: the starts are not cut.
    pub(crate) starts: Option<StartSteps>,
    /// Nothing was tried at this moment before.
    pub(crate) is_first: bool,
}

/// Every so many steps of a start, from one on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StartSteps {
    pub(crate) every: u64,
    pub(crate) from: u64,
    /// They were not cut before.
    pub(crate) are_new: bool,
}

/// A script that has ended, by its end or by that of the power.
pub(crate) struct Ended {
    pub(crate) disk: CrashDisk,
    pub(crate) ledger: Ledger,
    options: StoreOptions,
}

impl Script {
    /// Lives until so many steps were taken after what is prepared; `None`: to the end.
    pub(crate) fn live_until(&self, step: Option<u64>) -> Ended {
        let mut life = Life::new((self.options)());
        let prepared = (self.prepare)(&mut life);
        assert!(prepared.is_some(), "{} is not prepared", self.name);
        if let Some(step) = step {
            life.disk.cut_power_at(life.disk.steps() + step);
        }
        life.disk.tell_steps();
        let lived = (self.live)(&mut life);
        assert!(
            step.is_some() || lived.is_some(),
            "{} ends early",
            self.name
        );
        life.stop();
        Ended {
            disk: life.disk,
            ledger: life.ledger,
            options: life.options,
        }
    }

    /// The steps that are cut.
    pub(crate) fn steps(&self) -> Vec<Step> {
        self.live_until(None).disk.told()
    }

    /// Makes the image of a place and looks at it.
    pub(crate) fn look_at(&self, place: &Place) {
        let ended = self.live_until(Some(place.step));
        let mut disk = place.end.of(&ended.disk);
        if let Some((step, end)) = &place.again {
            disk.cut_power_at(*step);
            drop(ended.judge().open(&disk));
            disk = end.of(&disk);
        }
        ended.judge().look(&disk, place.how());
    }
}

impl End {
    fn of(&self, disk: &CrashDisk) -> CrashDisk {
        match self {
            Self::Kill => disk.killed(),
            Self::Cut(decisions) => decided(disk, decisions),
        }
    }
}

impl Place {
    /// Which of the ways to go on is tried.
    fn how(&self) -> u64 {
        let decisions = |end: &End| match end {
            End::Kill => 1,
            End::Cut(decisions) => decisions.iter().sum(),
        };
        let again = self.again.as_ref();
        let again = again.map_or(0, |(step, end)| *step + decisions(end) as u64);
        self.step + decisions(&self.end) as u64 + again
    }
}

impl Ended {
    pub(crate) fn judge(&self) -> Judge<'_> {
        Judge {
            ledger: &self.ledger,
            options: &self.options,
        }
    }
}

/// One moment of a script.
pub(crate) struct Moment<'a> {
    pub(crate) script: &'a Script,
    pub(crate) step: u64,
    /// What the power did not let happen.
    pub(crate) before: Option<&'a Step>,
    pub(crate) seen: &'a Seen,
}

impl Moment<'_> {
    /// Tries all that the depth demands.
    pub(crate) fn explore(&self, depth: &Depth) -> Tally {
        let mut tally = Tally::default();
        let killed = self.place(End::Kill, None);
        let lived = self.caught(&killed, &mut tally, || {
            self.script.live_until(Some(self.step))
        });
        let Some(ended) = lived else { return tally };
        if depth.is_first {
            tally.cuts += 1;
            tally.kills += 1;
            self.look(&ended, &ended.disk.killed(), &killed, &mut tally);
        }
        let place = |decisions: &[usize]| self.place(End::Cut(decisions.to_vec()), None);
        let is_first = depth.is_first;
        self.sweep(
            &ended,
            &ended.disk,
            (depth.images, is_first),
            &place,
            &mut tally,
        );
        if let Some(steps) = depth.starts {
            for end in Self::ends(&ended) {
                self.cut_start(&ended, &end, steps, depth.again, &mut tally);
            }
        }
        tally
    }

    /// Looks at images of a disk that were not seen before.
    fn sweep(
        &self,
        ended: &Ended,
        disk: &CrashDisk,
        (effort, is_first): (Effort, bool),
        place: &dyn Fn(&[usize]) -> Place,
        tally: &mut Tally,
    ) {
        let promised = ended.ledger.digest();
        let mut known = Digests::default();
        let mut images = 0;
        let tried = Sweep::new(disk, effort, &mut |image, decisions| {
            let key = (image.digest(&mut known), promised);
            let is_new = lock(self.seen).insert(key);
            if is_new {
                images += 1;
                self.look(ended, &image, &place(decisions), tally);
            }
            is_new
        })
        .run(is_first);
        tally.add_images(self.script.name, images, tried as u64);
    }

    /// What a start that is cut begins with.
    fn ends(ended: &Ended) -> Vec<End> {
        let alike = [0, 1, usize::MAX].map(|decision| End::Cut(alike(&ended.disk, decision)));
        let mut ends = vec![End::Kill];
        ends.extend(alike);
        ends.dedup();
        ends
    }

    /// Cuts a start on what an end has left, step by step.
    fn cut_start(
        &self,
        ended: &Ended,
        end: &End,
        steps: StartSteps,
        effort: Effort,
        tally: &mut Tally,
    ) {
        let begun = end.of(&ended.disk);
        for step in (steps.from..).step_by(usize::try_from(steps.every).unwrap_or(1)) {
            let disk = begun.killed();
            disk.cut_power_at(step);
            let killed = self.place(end.clone(), Some((step, End::Kill)));
            let opened = self.caught(&killed, tally, || drop(ended.judge().open(&disk)));
            if opened.is_none() || !disk.is_off() {
                return;
            }
            if *end == End::Kill {
                tally.kills += 1;
                self.look(ended, &disk.killed(), &killed, tally);
            }
            tally.cuts += u64::from(steps.are_new);
            let place = |decisions: &[usize]| {
                let again = (step, End::Cut(decisions.to_vec()));
                self.place(end.clone(), Some(again))
            };
            self.sweep(ended, &disk, (effort, true), &place, tally);
        }
    }

    fn place(&self, end: End, again: Option<(u64, End)>) -> Place {
        Place {
            script: self.script.name.to_owned(),
            step: self.step,
            end,
            again,
        }
    }

    /// Looks at one image.
    fn look(&self, ended: &Ended, image: &CrashDisk, place: &Place, tally: &mut Tally) {
        let judge = ended.judge();
        if let Some(outcome) = self.caught(place, tally, || judge.look(image, place.how())) {
            tally.add_outcome(outcome);
        }
    }

    /// A panic, of the store or of the judge, is a violation.
    fn caught<T>(&self, place: &Place, tally: &mut Tally, work: impl FnOnce() -> T) -> Option<T> {
        let done = catch_unwind(AssertUnwindSafe(work));
        done.map_err(|panic| {
            let before = self.before.map(ToString::to_string);
            tally.violations.push(Violation {
                place: place.to_string(),
                before: before.unwrap_or_else(|| "the end".to_owned()),
                why: said(&*panic),
            });
        })
        .ok()
    }
}
