//! A timeline as a picture: a lane for each node, in it a band for each channel in the colour of the
//! role, faults as red marks, and, where the stretch is short enough to tell them apart, messages as
//! lines from lane to lane.

use std::fmt::Write;

use tetrarch_wire::ReplicaRole;

use super::{Mark, Timeline};

const WIDTH: f64 = 1600.0;
const LEFT: f64 = 60.0;
const BAND: f64 = 14.0;
const GAP: f64 = 34.0;
const TOP: f64 = 40.0;
/// Longer stretches are drawn without messages.
const MESSAGES_WITHIN: u64 = 10_000_000_000;

/// Draws what happened in this stretch of time.
pub(crate) fn draw(timeline: &Timeline, (from, to): (u64, u64), title: &str) -> String {
    let picture = Picture {
        from,
        to: to.max(from + 1),
        channels: timeline.channels(),
    };
    let height = picture.lane(timeline.nodes()) + 20.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {:.0} {height:.0}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n<text x=\"4\" y=\"16\">{}</text>\n",
        WIDTH + LEFT + 10.0,
        escaped(title)
    );
    for node in 0..timeline.nodes() {
        picture.lane_of(timeline, node, &mut svg);
    }
    picture.marks(timeline, &mut svg);
    svg.push_str("</svg>\n");
    svg
}

struct Picture {
    from: u64,
    to: u64,
    channels: usize,
}

impl Picture {
    fn x(&self, at: u64) -> f64 {
        let within = at.clamp(self.from, self.to) - self.from;
        LEFT + WIDTH * within as f64 / (self.to - self.from) as f64
    }

    /// Where the lane of a node begins.
    fn lane(&self, node: usize) -> f64 {
        TOP + node as f64 * (self.channels as f64 * BAND + GAP)
    }

    /// The roles of one node.
    fn lane_of(&self, timeline: &Timeline, node: usize, svg: &mut String) {
        let y = self.lane(node);
        push(
            svg,
            format_args!("<text x=\"4\" y=\"{:.0}\">n{node}</text>\n", y + 11.0),
        );
        let mut since: Vec<Option<(u64, ReplicaRole, u64)>> = vec![None; self.channels];
        for entry in timeline.entries.iter().filter(|entry| entry.node == node) {
            match entry.mark {
                Mark::Role {
                    channel,
                    role,
                    epoch,
                } => {
                    self.band(since[channel], entry.at, (node, channel), svg);
                    since[channel] = Some((entry.at, role, epoch));
                }
                Mark::Down => {
                    for (channel, open) in since.iter_mut().enumerate() {
                        self.band(open.take(), entry.at, (node, channel), svg);
                    }
                }
                Mark::Up | Mark::Suspended | Mark::Resumed | Mark::Fault(_) | Mark::Sent { .. } => {
                }
            }
        }
        for (channel, open) in since.into_iter().enumerate() {
            self.band(open, self.to, (node, channel), svg);
        }
    }

    fn band(
        &self,
        open: Option<(u64, ReplicaRole, u64)>,
        end: u64,
        (node, channel): (usize, usize),
        svg: &mut String,
    ) {
        let Some((begin, role, epoch)) = open.filter(|_| end >= self.from) else {
            return;
        };
        if begin > self.to {
            return;
        }
        let (x, width) = (self.x(begin), self.x(end) - self.x(begin));
        let y = self.lane(node) + channel as f64 * BAND;
        push(
            svg,
            format_args!(
                "<rect x=\"{x:.1}\" y=\"{y:.0}\" width=\"{:.1}\" height=\"{:.0}\" fill=\"{}\">\
                 <title>n{node} c{channel} {} in epoch {epoch}, {:.3} s</title></rect>\n",
                width.max(0.5),
                BAND - 2.0,
                colour(role),
                role.name(),
                begin as f64 / 1e9
            ),
        );
    }

    fn marks(&self, timeline: &Timeline, svg: &mut String) {
        let with_messages = self.to - self.from <= MESSAGES_WITHIN;
        let within = |at: u64| (self.from..=self.to).contains(&at);
        for entry in timeline.entries.iter().filter(|entry| within(entry.at)) {
            let (x, y) = (self.x(entry.at), self.lane(entry.node));
            let (what, colour) = match &entry.mark {
                Mark::Fault(what) => (what.as_str(), "#d11"),
                Mark::Suspended => ("is suspended", "#a60"),
                Mark::Resumed => ("goes on", "#a60"),
                Mark::Up => ("starts", "#080"),
                Mark::Down => ("ends", "#000"),
                Mark::Role { .. } => continue,
                Mark::Sent { to, arrives, what } => {
                    if with_messages {
                        self.message((x, y), (*to, *arrives), what, svg);
                    }
                    continue;
                }
            };
            push(
                svg,
                format_args!(
                    "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.0}\" y2=\"{y:.0}\" \
                     stroke=\"{colour}\" stroke-width=\"2\"><title>{:.3} s: {}</title></line>\n",
                    y - 12.0,
                    entry.at as f64 / 1e9,
                    escaped(what)
                ),
            );
        }
    }

    fn message(
        &self,
        (x, y): (f64, f64),
        (to, arrives): (usize, u64),
        what: &str,
        svg: &mut String,
    ) {
        let target = self.lane(to);
        push(
            svg,
            format_args!(
                "<line x1=\"{x:.1}\" y1=\"{y:.0}\" x2=\"{:.1}\" y2=\"{target:.0}\" \
                 stroke=\"#46a\" stroke-width=\"0.4\"><title>{what}</title></line>\n",
                self.x(arrives)
            ),
        );
    }
}

const fn colour(role: ReplicaRole) -> &'static str {
    match role {
        ReplicaRole::Leader => "#2a7de1",
        ReplicaRole::Replica => "#9fd3a8",
        ReplicaRole::Candidate => "#f2b134",
        ReplicaRole::Idle => "#d8d8d8",
    }
}

fn push(svg: &mut String, what: std::fmt::Arguments<'_>) {
    svg.write_fmt(what).expect("a string takes everything");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_lasts_until_the_next_one_or_the_end_of_the_process() {
        let mut timeline = Timeline::default();
        let role = |role| Mark::Role {
            channel: 0,
            role,
            epoch: 3,
        };
        timeline.note(0, 1, role(ReplicaRole::Replica));
        timeline.note(50, 1, role(ReplicaRole::Leader));
        timeline.note(100, 1, Mark::Down);
        timeline.note(100, 0, Mark::Fault("a & b".to_owned()));
        let svg = draw(&timeline, (0, 200), "a run");
        let width = |colour: &str| format!("width=\"400.0\" height=\"12\" fill=\"{colour}\"");
        assert!(svg.contains(&width("#9fd3a8")), "{svg}");
        assert!(svg.contains(&width("#2a7de1")), "{svg}");
        assert!(svg.contains("a &amp; b"));
        assert_eq!(svg.matches("<rect").count(), 3, "two roles and the ground");
    }
}
