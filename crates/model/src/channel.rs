//! What a search and a walk must know of a model.

use std::{fmt::Debug, hash::Hash};

use stateright::{Model, Property};

/// The model of a channel.
pub trait Channel:
    Model<
        State: Clone + Debug + Hash + PartialEq + Send + Sync,
        Action: Copy + Debug + PartialEq + Send + Sync,
    > + Clone
    + Send
    + Sync
    + 'static
{
    /// How many kinds of steps there are.
    const KINDS: usize;

    /// What kind of step it is, and whose.
    fn kind(action: &Self::Action) -> (usize, u8);

    /// What must hold in every state.
    fn always() -> Vec<Property<Self>>;
}
