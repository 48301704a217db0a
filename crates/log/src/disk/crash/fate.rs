//! What a power cut does to everything that was not synced, and who decides it.

use std::sync::Arc;

use super::inode::Block;
use crate::disk::BLOCK;

/// What a sector is: the unit within which a torn block is not torn.
const SECTOR: usize = 512;

/// What a power cut did to one block. Of a block that was written more than once since it was
/// synced there are several earlier versions, the oldest first: the kernel writes when it likes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is as it was before.
    Lost {
        /// Which of the earlier versions it is.
        version: usize,
    },
    /// It is as it was written last.
    Kept,
    /// Some of its sectors are as written last, the others as before.
    Torn {
        /// Which of the earlier versions the others are of.
        version: usize,
        /// Which sectors.
        tear: Tear,
    },
}

/// Which sectors of a torn block are new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tear {
    /// The first half.
    FirstHalf,
    /// The second half.
    SecondHalf,
    /// The first one.
    FirstSector,
}

impl Tear {
    const ALL: [Self; 3] = [Self::FirstHalf, Self::SecondHalf, Self::FirstSector];

    pub(super) fn mix(self, before: &Block, after: &Block) -> Block {
        let new = match self {
            Self::FirstHalf => 0..BLOCK / 2,
            Self::SecondHalf => BLOCK / 2..BLOCK,
            Self::FirstSector => 0..SECTOR,
        };
        let mut block = Arc::clone(before);
        Arc::make_mut(&mut block)[new.clone()].copy_from_slice(&after[new]);
        block
    }
}

impl Fate {
    /// In how many ways a block with so many earlier versions can come out of a power cut.
    #[must_use]
    pub const fn count(versions: usize) -> usize {
        1 + versions * (1 + Tear::ALL.len())
    }

    /// One of them: 0 is what was durable, 1 what was written last, then torn blocks of these two,
    /// then the same with later versions.
    #[must_use]
    pub fn nth(index: usize) -> Self {
        let each = 1 + Tear::ALL.len();
        if index == 1 {
            return Self::Kept;
        }
        let place = index.saturating_sub(1);
        let version = place / each;
        match place % each {
            0 => Self::Lost { version },
            tear => Self::Torn {
                version,
                tear: Tear::ALL[tear - 1],
            },
        }
    }
}

/// Decides what a power cut has kept of what was not synced. It is asked about the names first, in
/// the order in which they were changed, then about the files that have a name, their lengths and
/// then their blocks.
pub trait PowerCut {
    /// Whether a creation, a renaming or a removal has happened.
    fn keeps_name(&mut self) -> bool;

    /// Whether a file has the length that it was given last; otherwise it has the one that was
    /// synced.
    fn keeps_length(&mut self) -> bool;

    /// What became of a block with so many earlier versions.
    fn block(&mut self, versions: usize) -> Fate;
}

/// Draws every decision.
pub(super) struct Drawn<'a>(pub(super) &'a mut dyn FnMut(usize) -> usize);

impl PowerCut for Drawn<'_> {
    fn keeps_name(&mut self) -> bool {
        (self.0)(2) == 1
    }

    fn keeps_length(&mut self) -> bool {
        (self.0)(2) != 0
    }

    fn block(&mut self, versions: usize) -> Fate {
        let fate = (self.0)(3) % 3;
        if fate == 1 {
            return Fate::Kept;
        }
        let version = match versions {
            1 => 0,
            several => (self.0)(several) % several,
        };
        if fate == 0 {
            return Fate::Lost { version };
        }
        let tear = Tear::ALL[(self.0)(Tear::ALL.len()) % Tear::ALL.len()];
        Fate::Torn { version, tear }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_another_fate() {
        for versions in 1..4 {
            let all: Vec<Fate> = (0..Fate::count(versions)).map(Fate::nth).collect();
            assert_eq!(all[0], Fate::Lost { version: 0 });
            assert_eq!(all[1], Fate::Kept);
            for (index, fate) in all.iter().enumerate() {
                assert!(!all[..index].contains(fate), "{fate:?}");
                let (Fate::Lost { version } | Fate::Torn { version, .. }) = fate else {
                    continue;
                };
                assert!(*version < versions);
            }
        }
    }
}
