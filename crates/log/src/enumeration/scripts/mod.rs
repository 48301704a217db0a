//! The scripts. Together they take every durable step that a store takes, each in the company of
//! what it depends on. What a script prepares is not cut; what it lives is cut after every step.

mod files;
mod forks;
mod starts;
mod writes;

use super::life::{Life, Lived};
use super::sizes::{bare, tiny};
use crate::StoreOptions;

/// One of them.
#[derive(Clone, Copy, Debug)]
pub struct Script {
    /// What it is called.
    pub name: &'static str,
    pub(crate) options: fn() -> StoreOptions,
    pub(crate) prepare: fn(&mut Life) -> Lived,
    pub(crate) live: fn(&mut Life) -> Lived,
}

/// All of them.
#[must_use]
pub fn scripts() -> Vec<Script> {
    let script = |name, prepare, live| Script {
        name,
        options: bare,
        prepare,
        live,
    };
    let mut all = vec![
        script("format", nothing, format),
        script("append", started, writes::append),
        script("mend", started, writes::mend),
        script("votes", started, writes::votes),
        script("truncate", filled, writes::truncate),
        script("trim", filled, writes::trim),
        script("snapshots", filled, writes::snapshots),
        script("begin", filled, writes::begin),
        script("seal", filled, forks::seal),
        script("drop-fork", filled, forks::drop),
        script("checkpoint", started, files::checkpoint),
        script("recycle", started, files::recycle),
        script("delete", filled, files::delete),
        script("come-back", filled, files::come_back),
        script(
            "delete-again",
            files::full_with_one_to_delete,
            files::delete_again,
        ),
        script("restart", filled, starts::restart),
        script("resize", filled, starts::resize),
        script("meanwhile", filled, starts::meanwhile),
        script("rot", starts::rotten, starts::live_with_rot),
        script(
            "rot-all",
            starts::rotten_beyond_telling,
            starts::live_with_rot,
        ),
    ];
    all.push(Script {
        options: tiny,
        ..script("ballast", filled, files::ballast)
    });
    all.push(Script {
        options: tiny,
        ..script("everything", started, everything)
    });
    all
}

fn nothing(_: &mut Life) -> Lived {
    Some(())
}

fn started(life: &mut Life) -> Lived {
    life.format()?;
    life.start()
}

/// Two channels with a few segments each, and something in the WAL only.
fn filled(life: &mut Life) -> Lived {
    started(life)?;
    life.commit(|group| {
        group
            .open(1)
            .vote(1, 1)
            .append(1, 4, 900)
            .open(2)
            .append(2, 2, 100)
    })?;
    life.commit(|group| group.append(1, 5, 1100))?;
    life.flush_all()?;
    life.commit(|group| group.append(1, 1, 700).append(2, 3, 300))
}

/// Making a directory a store, and its first start.
fn format(life: &mut Life) -> Lived {
    life.format()?;
    life.start()?;
    life.commit(|group| group.open(1).append(1, 1, 50))
}

/// A life with all of it.
fn everything(life: &mut Life) -> Lived {
    life.commit(|group| group.open(1).open(2).vote(2, 1))?;
    life.commit(|group| group.append(1, 3, 900).append(2, 2, 60))?;
    life.commit(|group| group.append(1, 6, 1500).open(3))?;
    life.flush()?;
    life.commit(|group| group.append(3, 4, 300).vote(1, 2))?;
    life.flush_all()?;
    life.commit(|group| group.truncate(1, 5).append(1, 3, 700))?;
    life.commit(|group| group.truncate(1, 6).append(1, 2, 700))?;
    life.save_snapshot(2, 2, 70)?;
    life.flush_all()?;
    life.restart()?;
    life.commit(|group| group.append(2, 4, 2000).vote(1, 3))?;
    life.commit(|group| group.append(2, 4, 2000))?;
    life.flush()?;
    life.commit(|group| group.trim(2, 5))?;
    life.commit(|group| group.delete(3))?;
    life.save_snapshot(2, 40, 70)?;
    life.commit(|group| group.begin(2, 40).hint(2, 40))?;
    life.flush()?;
    for _ in 0..4 {
        life.commit(|group| group.append(1, 2, 1800).append(2, 1, 100))?;
    }
    life.restart()?;
    life.commit(|group| group.append(1, 1, 100))?;
    life.flush_all()?;
    life.commit(|group| group.append(2, 1, 100))?;
    life.restart()
}
