//! A timeline in words.

use super::{Mark, Timeline};

/// What happened in this stretch of time, a line each. Messages are left out: a trace has them.
pub(crate) fn tell(timeline: &Timeline, (from, to): (u64, u64)) -> String {
    let mut lines = String::new();
    for entry in timeline
        .entries
        .iter()
        .filter(|entry| (from..=to).contains(&entry.at))
    {
        let Some(what) = words(&entry.mark) else {
            continue;
        };
        let seconds = entry.at as f64 / 1e9;
        lines.push_str(&format!("{seconds:12.6}  n{}  {what}\n", entry.node));
    }
    lines
}

fn words(mark: &Mark) -> Option<String> {
    Some(match mark {
        Mark::Up => "starts".to_owned(),
        Mark::Down => "ends".to_owned(),
        Mark::Suspended => "is suspended".to_owned(),
        Mark::Resumed => "goes on".to_owned(),
        Mark::Role {
            channel,
            role,
            epoch,
        } => format!("c{channel} {} in epoch {epoch}", role.name()),
        Mark::Fault(what) => format!("! {what}"),
        Mark::Sent { .. } => return None,
    })
}
