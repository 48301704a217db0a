//! The durable store of one node.
