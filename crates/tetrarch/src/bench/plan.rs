//! What is to be measured.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use serde::Serialize;

/// How events are offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// One producer a channel that keeps many events on their way.
    Pipelined,
    /// Many producers, each with one event on its way.
    Producers,
    /// One producer with one event on its way.
    Single,
}

/// Where it is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Site {
    /// On a mesh of so many nodes, started for the purpose.
    Own(usize),
    /// On a mesh that runs already; its directory.
    Running(PathBuf),
}

/// Everything that can be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Where.
    pub site: Site,
    /// Loads, one after the other.
    pub shapes: Vec<Shape>,
    /// Channels that share a load.
    pub channels: usize,
    /// Bytes of each payload.
    pub size: usize,
    /// Producers, where there are many.
    pub producers: usize,
    /// Events on their way, where there are many.
    pub in_flight: usize,
    /// Events that are handed over at once, where there are many.
    pub batch: usize,
    /// For how long a load runs before anything counts.
    pub warmup: Duration,
    /// For how long it counts.
    pub measured: Duration,
}

/// The load of one measurement, as it is reported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Load {
    /// How events are offered.
    pub shape: Shape,
    /// Events on their way at any time.
    pub events_in_flight: usize,
    /// Events that are handed over at once.
    pub events_per_batch: usize,
    /// Producers.
    pub producers: usize,
    /// Channels.
    pub channels: usize,
    /// Bytes of each payload.
    pub size: usize,
}

impl Plan {
    /// The load of a shape. What is on its way is shared out evenly among the channels, and each
    /// channel's part is handed over in four batches or more, so that some are always on their way.
    #[must_use]
    pub fn load(&self, shape: Shape) -> Load {
        let (channels, size) = (self.channels, self.size);
        let (producers, events_in_flight, events_per_batch) = match shape {
            Shape::Pipelined => {
                let share = (self.in_flight / channels).max(1);
                let batch = self.batch.min(share.div_ceil(4));
                (channels, share * channels, batch)
            }
            Shape::Producers => (self.producers, self.producers, 1),
            Shape::Single => (1, 1, 1),
        };
        Load {
            shape,
            events_in_flight,
            events_per_batch,
            producers,
            channels: channels.min(producers),
            size,
        }
    }
}

impl Load {
    /// Events on their way for each producer.
    #[must_use]
    pub fn share(&self) -> usize {
        (self.events_in_flight / self.producers.max(1)).max(1)
    }

    /// The load in words.
    #[must_use]
    pub fn title(&self) -> String {
        let channels = match self.channels {
            1 => "one channel".to_owned(),
            many => format!("{many} channels"),
        };
        let who = match (self.shape, self.producers) {
            (Shape::Pipelined, 1) => "one pipelined producer".to_owned(),
            (Shape::Pipelined, many) => format!("{many} pipelined producers"),
            (Shape::Producers, many) => format!("{many} producers, one event each in flight"),
            (Shape::Single, _) => "one event at a time".to_owned(),
        };
        let flight = match self.shape {
            Shape::Pipelined => format!(
                ", {} events in flight, {} a batch",
                self.events_in_flight, self.events_per_batch
            ),
            Shape::Producers | Shape::Single => String::new(),
        };
        format!("{who}{flight}, {} B, {channels}", self.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(channels: usize) -> Plan {
        Plan {
            site: Site::Own(3),
            shapes: vec![Shape::Pipelined],
            channels,
            size: 256,
            producers: 1_000,
            in_flight: 4_096,
            batch: 64,
            warmup: Duration::ZERO,
            measured: Duration::from_secs(1),
        }
    }

    #[test]
    fn what_is_in_flight_is_shared_out_among_the_channels() {
        let load = plan(100).load(Shape::Pipelined);
        assert_eq!((load.producers, load.share()), (100, 40));
        assert_eq!((load.events_in_flight, load.events_per_batch), (4_000, 10));
        let load = plan(10_000).load(Shape::Pipelined);
        assert_eq!((load.share(), load.events_per_batch), (1, 1));
    }

    #[test]
    fn a_single_producer_needs_a_single_channel() {
        let load = plan(7).load(Shape::Single);
        assert_eq!((load.channels, load.events_in_flight), (1, 1));
        assert_eq!(plan(7).load(Shape::Producers).channels, 7);
    }

    #[test]
    fn a_load_says_what_it_is() {
        let title = plan(1).load(Shape::Pipelined).title();
        assert_eq!(
            title,
            "one pipelined producer, 4096 events in flight, 64 a batch, 256 B, one channel"
        );
    }
}
