//! Which power cuts are tried at one moment: all of them where they are few. Where they are many,
//! those that lose, keep and tear everything and those that differ from these in one thing; every
//! combination of lost, kept and torn blocks if there are no more than four of them, and of names if
//! there are no more than six; then what differs in two things, and what is drawn.

use crate::disk::{CrashDisk, Fate, PowerCut};

/// Blocks of which all combinations are tried in any case.
const BLOCKS: usize = 4;
/// Names and lengths of which all combinations are tried in any case.
const NAMES: usize = 6;
/// What a decision about a name or a length has.
const TWO: usize = 2;

/// One power cut: what is decided, in the order of the questions. 0 is what was durable, 1 what was
/// changed last; a block has more.
struct Decisions<'a> {
    choose: &'a mut dyn FnMut(usize, usize) -> usize,
    made: Vec<usize>,
    outcomes: Vec<usize>,
}

impl Decisions<'_> {
    fn next(&mut self, outcomes: usize) -> usize {
        let decision = (self.choose)(self.made.len(), outcomes).min(outcomes - 1);
        self.made.push(decision);
        self.outcomes.push(outcomes);
        decision
    }
}

impl PowerCut for Decisions<'_> {
    fn keeps_name(&mut self) -> bool {
        self.next(TWO) == 1
    }

    fn keeps_length(&mut self) -> bool {
        self.next(TWO) == 1
    }

    fn block(&mut self, versions: usize) -> Fate {
        Fate::nth(self.next(Fate::count(versions)))
    }
}

/// The disk after the power cut that these decisions describe; what is not decided is lost.
pub(crate) fn decided(disk: &CrashDisk, decisions: &[usize]) -> CrashDisk {
    let mut choose = |place: usize, _: usize| decisions.get(place).copied().unwrap_or(0);
    disk.cut(&mut Decisions {
        choose: &mut choose,
        made: Vec::new(),
        outcomes: Vec::new(),
    })
}

/// What is decided if everything is decided alike, as far as there are so many outcomes.
pub(crate) fn alike(disk: &CrashDisk, decision: usize) -> Vec<usize> {
    let mut decisions = Decisions {
        choose: &mut |_, _| decision,
        made: Vec::new(),
        outcomes: Vec::new(),
    };
    drop(disk.cut(&mut decisions));
    decisions.made
}

/// How many are tried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// All of them, if there are no more than this.
    pub(crate) all_upto: usize,
    /// Else at most so many that were not seen before.
    pub(crate) images: usize,
    /// What is drawn.
    pub(crate) seed: u64,
}

/// What a sweep hands out: an image, with the decisions that lead to it. The answer says whether it
/// was a new one.
pub(crate) type Each<'a> = dyn FnMut(CrashDisk, &[usize]) -> bool + 'a;

/// A sweep over the power cuts of one moment.
pub(crate) struct Sweep<'a> {
    disk: &'a CrashDisk,
    effort: Effort,
    each: &'a mut Each<'a>,
    tried: usize,
    new: usize,
    most: usize,
}

impl<'a> Sweep<'a> {
    pub(crate) fn new(disk: &'a CrashDisk, effort: Effort, each: &'a mut Each<'a>) -> Self {
        Self {
            disk,
            effort,
            each,
            tried: 0,
            new: 0,
            most: effort.images.max(1),
        }
    }

    /// Tries them, and says how many it has tried. If it is not the first time, those that were drawn
    /// are others, and where all could be tried, they were.
    pub(crate) fn run(mut self, is_first: bool) -> usize {
        let lost = self.attempt(&mut |_, _| 0);
        let kept = self.attempt(&mut |_, _| 1);
        let count = |outcomes: &[usize]| {
            outcomes
                .iter()
                .fold(1, |all: usize, one| all.saturating_mul(*one))
        };
        if count(&lost).max(count(&kept)) <= self.effort.all_upto {
            self.most = usize::MAX / 4;
            if is_first {
                self.all(&mut Options::Upto);
            }
        } else {
            self.some(&lost, &kept);
        }
        self.tried
    }

    /// Tries one, and tells between how many outcomes it has decided.
    fn attempt(&mut self, choose: &mut dyn FnMut(usize, usize) -> usize) -> Vec<usize> {
        let mut decisions = Decisions {
            choose,
            made: Vec::new(),
            outcomes: Vec::new(),
        };
        let image = self.disk.cut(&mut decisions);
        let Decisions { made, outcomes, .. } = decisions;
        self.tried += 1;
        self.new += usize::from((self.each)(image, &made));
        outcomes
    }

    fn is_done(&self) -> bool {
        self.new >= self.most || self.tried >= 4 * self.most
    }

    fn some(&mut self, lost: &[usize], kept: &[usize]) {
        self.attempt(&mut |_, outcomes| outcomes - 1);
        for (base, outcomes) in [(0, lost), (1, kept)] {
            self.one_differs(base, outcomes);
        }
        let is_block = |outcomes: usize| outcomes > TWO;
        let blocks = kept.iter().filter(|one| is_block(**one)).count();
        for base in [1, 0] {
            if blocks <= BLOCKS {
                self.all(&mut |outcomes| match is_block(outcomes) {
                    true => Options::Upto(3),
                    false => Options::Only(base),
                });
            }
            if kept.len() - blocks <= NAMES {
                self.all(&mut |outcomes| match is_block(outcomes) {
                    true => Options::Only(base),
                    false => Options::Upto(outcomes),
                });
            }
        }
        for (base, outcomes) in [(0, lost), (1, kept)] {
            self.two_differ(base, outcomes);
        }
        let mut draw = Draw::new(self.effort.seed);
        while !self.is_done() {
            let leaning = draw.below(4);
            self.attempt(&mut |_, outcomes| match (leaning, draw.below(6)) {
                (0, 1..) => 0,
                (1, 1..) => 1,
                _ => draw.below(outcomes),
            });
        }
    }

    fn one_differs(&mut self, base: usize, outcomes: &[usize]) {
        for (place, outcomes) in outcomes.iter().enumerate() {
            for other in (0..*outcomes).filter(|other| *other != base) {
                if self.is_done() {
                    return;
                }
                self.attempt(&mut |at, _| if at == place { other } else { base });
            }
        }
    }

    fn two_differ(&mut self, base: usize, outcomes: &[usize]) {
        for second in 0..outcomes.len() {
            for first in 0..second {
                for one in (0..outcomes[first]).filter(|one| *one != base) {
                    for two in (0..outcomes[second]).filter(|two| *two != base) {
                        if self.is_done() {
                            return;
                        }
                        self.attempt(&mut |at, _| match at {
                            at if at == first => one,
                            at if at == second => two,
                            _ => base,
                        });
                    }
                }
            }
        }
    }

    /// Every combination of these options.
    fn all(&mut self, options: &mut dyn FnMut(usize) -> Options) {
        let mut open: Vec<(usize, usize)> = Vec::new();
        loop {
            let mut asked = 0;
            self.attempt(&mut |_, outcomes| {
                let count = match options(outcomes) {
                    Options::Only(decision) => return decision,
                    Options::Upto(count) => count,
                };
                asked += 1;
                if open.len() < asked {
                    open.push((0, count));
                }
                open[asked - 1].0
            });
            open.truncate(asked);
            while open.last().is_some_and(|(one, count)| one + 1 == *count) {
                open.pop();
            }
            match open.last_mut() {
                Some((decision, _)) if !self.is_done() => *decision += 1,
                _ => return,
            }
        }
    }
}

/// What is tried of one decision.
#[derive(Clone, Copy, Debug)]
enum Options {
    /// This one.
    Only(usize),
    /// The first so many.
    Upto(usize),
}

/// Numbers by chance, the same for the same seed.
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or(0) % bound
    }
}
