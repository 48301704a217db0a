//! What a run should have come through, beside the changes of roles.

/// Something that should have happened somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Mark {
    /// A suffix was sealed.
    Sealed,
    /// It was cut.
    Cut,
    /// An event of a fork was appended again.
    Republished,
    /// An event was given up.
    GivenUp,
    /// A fork was dropped.
    Dropped,
    /// A leader began a later epoch than a replica had seen.
    Outdone,
}
