//! The catalog on this node: a copy that follows the channel `__meta`, what this node must hold
//! because of it, and the way in which a command becomes part of it.

mod evacuate;
mod follow;
mod propose;
mod report;
mod view;

pub(crate) use evacuate::Evacuation;
pub(crate) use follow::{Follower, LostChannels, opening_of_lost, opening_of_new, order_to_open};
pub(crate) use propose::{ProposalError, propose};
pub(crate) use report::{ReportHandle, Reports};
pub(crate) use view::CatalogView;
