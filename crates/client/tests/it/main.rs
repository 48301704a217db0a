//! The client against real QUIC on loopback, with certificates made for the occasion.

mod authority;
mod frames;
mod tls;
