//! The series of channels, metric by metric.

use std::{fmt, time::Duration};

use tetrarch_wire::ReplicaRole;

use super::{
    lag::Lag,
    set::{ChannelSet, Shown},
    summary::{Position, Summary, Totals},
};
use crate::telemetry::{
    definition::Definition,
    labels::Label,
    page::{Page, Series, Show},
    table,
};

/// A metric, and how its value is read.
type Read<T, V> = (&'static Definition, fn(&T) -> V);

impl Show for ChannelSet {
    fn show(&self, page: &mut Page<'_>) -> fmt::Result {
        let (counted, shown) = self.summaries();
        page.metric(&table::CHANNELS, |series| series.number(&[], counted.open))?;
        page.metric(&table::CHANNELS_FOLDED, |series| {
            series.number(&[], counted.folded)
        })?;
        show_roles(page, &shown)?;
        show_positions(page, &shown)?;
        show_totals(page, &shown)?;
        show_lag(page, &shown)?;
        show_subscriptions(page, &shown)
    }
}

fn show_roles(page: &mut Page<'_>, shown: &Shown) -> fmt::Result {
    each(
        page,
        &table::CHANNEL_ROLE,
        shown,
        |series, channel, summary| {
            <ReplicaRole as Label>::ALL.iter().try_for_each(|role| {
                series.number(&[channel, role.name()], summary.roles[role.index()])
            })
        },
    )?;
    each(
        page,
        &table::CHANNEL_HALTED,
        shown,
        |series, channel, summary| {
            let mut halted = summary.halted.iter();
            halted.try_for_each(|(reason, count)| series.number(&[channel, reason], *count))
        },
    )?;
    each(
        page,
        &table::CHANNEL_LIMBO,
        shown,
        |series, channel, summary| series.number(&[channel], summary.limbo),
    )?;
    let kept: [Read<Summary, u64>; 2] = [
        (&table::CHANNEL_FORKS, |summary| summary.forks),
        (&table::CHANNEL_FORK_EVENTS, |summary| summary.fork_events),
    ];
    kept.into_iter().try_for_each(|(definition, value)| {
        each(page, definition, shown, |series, channel, summary| {
            series.number(&[channel], value(summary))
        })
    })
}

fn show_positions(page: &mut Page<'_>, shown: &Shown) -> fmt::Result {
    let metrics: [Read<Position, u64>; 5] = [
        (&table::CHANNEL_EPOCH, |position| position.epoch),
        (&table::CHANNEL_LOG_START, |position| position.log_start),
        (&table::CHANNEL_TAIL, |position| position.tail),
        (&table::CHANNEL_DURABLE, |position| position.durable),
        (&table::CHANNEL_COMMIT, |position| position.commit),
    ];
    metrics.into_iter().try_for_each(|(definition, value)| {
        each(
            page,
            definition,
            shown,
            |series, channel, summary| match &summary.position {
                Some(position) => series.number(&[channel], value(position)),
                None => Ok(()),
            },
        )
    })
}

fn show_totals(page: &mut Page<'_>, shown: &Shown) -> fmt::Result {
    let metrics: [Read<Totals, u64>; 7] = [
        (&table::APPENDED_EVENTS, |totals| totals.appended_events),
        (&table::APPENDED_BYTES, |totals| totals.appended_bytes),
        (&table::DELIVERED_EVENTS, |totals| totals.delivered_events),
        (&table::DELIVERED_BYTES, |totals| totals.delivered_bytes),
        (&table::SEALED_EVENTS, |totals| totals.sealed_events),
        (&table::REPUBLISHED_EVENTS, |totals| {
            totals.republished_events
        }),
        (&table::KNOWN_EVENTS, |totals| totals.known_events),
    ];
    metrics.into_iter().try_for_each(|(definition, value)| {
        each(page, definition, shown, |series, channel, summary| {
            series.counter(&[channel], value(&summary.totals))
        })
    })?;
    each(
        page,
        &table::CHANNEL_LEADERLESS,
        shown,
        |series, channel, summary| {
            series.seconds(&[channel], summary.totals.leaderless.as_secs_f64())
        },
    )
}

fn show_lag(page: &mut Page<'_>, shown: &Shown) -> fmt::Result {
    let numbers: [Read<Lag, Option<u64>>; 2] = [
        (&table::LAG_EVENTS, |lag| lag.events),
        (&table::LAG_BYTES, |lag| lag.bytes),
    ];
    numbers.into_iter().try_for_each(|(definition, value)| {
        each_lag(
            page,
            definition,
            shown,
            |series, labels, lag, _| match value(lag) {
                Some(value) => series.number(labels, value),
                None => Ok(()),
            },
        )
    })?;
    each_lag(
        page,
        &table::LAG_SECONDS,
        shown,
        |series, labels, lag, _| match lag.time {
            Some(time) => series.gauge(labels, time.as_secs_f64()),
            None => Ok(()),
        },
    )?;
    each_lag(page, &table::LAG_AGE, shown, |series, labels, _, age| {
        series.gauge(labels, age.as_secs_f64())
    })
}

fn show_subscriptions(page: &mut Page<'_>, shown: &Shown) -> fmt::Result {
    each(
        page,
        &table::SUBSCRIPTIONS,
        shown,
        |series, channel, summary| series.number(&[channel], summary.subscriptions),
    )?;
    each(
        page,
        &table::SUBSCRIPTION_LAG,
        shown,
        |series, channel, summary| {
            let mut clients = summary.subscription_lag.iter();
            clients.try_for_each(|(client, lag)| series.number(&[channel, client], *lag))
        },
    )
}

fn each(
    page: &mut Page<'_>,
    definition: &Definition,
    shown: &Shown,
    write: impl Fn(&mut Series<'_>, &str, &Summary) -> fmt::Result,
) -> fmt::Result {
    page.metric(definition, |series| {
        shown
            .iter()
            .try_for_each(|(channel, summary)| write(series, channel, summary))
    })
}

fn each_lag(
    page: &mut Page<'_>,
    definition: &Definition,
    shown: &Shown,
    write: impl Fn(&mut Series<'_>, &[&str], &Lag, Duration) -> fmt::Result,
) -> fmt::Result {
    each(page, definition, shown, |series, channel, summary| {
        let mut replicas = summary.lag.iter();
        replicas.try_for_each(|(replica, (lag, age))| write(series, &[channel, replica], lag, *age))
    })
}
