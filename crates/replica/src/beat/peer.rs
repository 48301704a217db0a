//! One peer: both tables of the pair, the beats that are on their way, and how long they take.

use std::{collections::VecDeque, time::Duration};

use tetrarch_wire::{
    Boot, Frame, NodeId, VoterId,
    frame::{NodeBeat, TablePage, TableRequest},
    limits,
};

use super::{
    BeatEffects, BeatSettings, BeatWay, OwnFacts, PeerFact, Roll,
    heard::{HeardTable, Withdrawn},
    led::LedTable,
    paging,
};
use crate::Moment;

/// Most beats of which is remembered when they were sent; an older one is acknowledged in vain.
const MAX_UNACKNOWLEDGED: usize = 256;

/// A beat that was sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct SentBeat {
    number: u64,
    pub(super) at: Moment,
    /// The table's generation at that time.
    pub(super) generation: u64,
}

/// What a beat says of the node that sends it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Speaker {
    pub(super) boot: Boot,
    pub(super) own: OwnFacts,
    pub(super) settings: BeatSettings,
}

/// The state of one pair of nodes.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) node: NodeId,
    pub(super) voter: VoterId,
    pub(super) boot: Boot,
    pub(super) up: bool,
    pub(super) led: LedTable,
    pub(super) heard: HeardTable,
    pub(super) fact: Option<PeerFact>,
    /// A beat is wanted before the next interval.
    pub(super) urgent: bool,
    next_number: u64,
    sent: VecDeque<SentBeat>,
    last_sent: Option<Moment>,
    rtt: Option<Duration>,
    /// The generation of a whole table that is on its way over the control stream. Beats follow it
    /// there until it is confirmed, so that none overtakes it.
    table_underway: Option<u64>,
    /// The last beat whose rows went over the control stream. Beats follow it there until it is
    /// acknowledged: a datagram that overtook it would make it outdated.
    control_underway: Option<u64>,
    table_asked_at: Option<Moment>,
    table_sent_at: Option<Moment>,
    /// The channels that were heard with the last whole table, and the standing of this node's
    /// channels that it was heard under.
    pub(super) heard_roll: Option<(Roll, u64)>,
    /// The roll of which nothing was refused.
    pub(super) unrefused_roll: Option<Roll>,
    /// The channels of the last acknowledgement, if it counted for the whole table of this
    /// generation.
    pub(super) acked_roll: Option<(Roll, u64)>,
}

impl Peer {
    pub(super) fn new(node: NodeId, voter: VoterId, boot: Boot) -> Self {
        Self {
            node,
            voter,
            boot,
            up: true,
            led: LedTable::default(),
            heard: HeardTable::default(),
            fact: None,
            urgent: false,
            next_number: 1,
            sent: VecDeque::new(),
            last_sent: None,
            rtt: None,
            table_underway: None,
            control_underway: None,
            table_asked_at: None,
            table_sent_at: None,
            heard_roll: None,
            unrefused_roll: None,
            acked_roll: None,
        }
    }

    /// The number that the next beat will have.
    pub(super) const fn next_number(&self) -> u64 {
        self.next_number
    }

    /// There is no connection any more; or a new one, over which nothing was sent yet.
    pub(super) fn disconnect(&mut self) {
        self.up = false;
        self.urgent = false;
        self.sent.clear();
        self.table_underway = None;
        self.control_underway = None;
        self.table_asked_at = None;
        self.table_sent_at = None;
        self.forget_rolls();
        self.led.reconnected();
        self.heard.reconnected();
    }

    /// Says everything of every channel anew with the next beat and acknowledgement.
    pub(super) fn forget_rolls(&mut self) {
        self.heard_roll = None;
        self.acked_roll = None;
    }

    /// When an urgent beat may go out. `None` if none is wanted.
    pub(super) fn urgent_at(&self, spacing: Duration) -> Option<Moment> {
        let earliest = self
            .last_sent
            .map_or(Moment::default(), |at| at.plus(spacing));
        (self.up && self.urgent).then_some(earliest)
    }

    /// Sends one beat.
    pub(super) fn beat(&mut self, speaker: &Speaker, now: Moment, effects: &mut BeatEffects) {
        let number = self.next_number;
        let underway = self.table_underway.or(self.control_underway);
        let control_only = underway.is_some() || self.is_overdue(speaker, now);
        let news = self.led.news_for(number);
        let budget = speaker.settings.datagram_budget;
        let (way, pages) = paging::paginate(news, budget, control_only);
        let count = u16::try_from(pages.len()).unwrap_or(u16::MAX);
        for (page, rows) in (0..count).zip(pages) {
            if way == BeatWay::Control && !rows.is_empty() {
                self.led.carried(&rows, number);
                self.control_underway = Some(number);
            }
            let beat = NodeBeat {
                page,
                pages: count,
                rows,
                ..self.header(speaker, now)
            };
            effects.send(self.node, way, Frame::NodeBeat(beat));
        }
        self.note_sent(now);
    }

    fn header(&self, speaker: &Speaker, now: Moment) -> NodeBeat {
        NodeBeat {
            boot: speaker.boot,
            number: self.next_number,
            page: 0,
            pages: 1,
            mono_ns: now.as_nanos(),
            echo: self.fact.map(|fact| {
                let age = now.since(fact.heard_at).as_micros();
                (self.heard.number(), u32::try_from(age).unwrap_or(u32::MAX))
            }),
            disk_level: speaker.own.disk_level,
            free_bytes: speaker.own.free_bytes,
            wal_stall_ms: speaker.own.wal_stall_ms,
            table_generation: self.led.generation(),
            table_count: u32::try_from(self.led.len()).unwrap_or(u32::MAX),
            table_hash: self.led.hash(),
            rows: Vec::new(),
        }
    }

    fn note_sent(&mut self, now: Moment) {
        if self.sent.len() == MAX_UNACKNOWLEDGED {
            self.sent.pop_front();
        }
        self.sent.push_back(SentBeat {
            number: self.next_number,
            at: now,
            generation: self.led.generation(),
        });
        self.next_number += 1;
        self.last_sent = Some(now);
        self.urgent = false;
    }

    /// Whether an acknowledgement is missing for longer than a round trip explains: the next beat
    /// takes the control stream (protocol §5).
    fn is_overdue(&self, speaker: &Speaker, now: Moment) -> bool {
        let round_trip = self.rtt.unwrap_or_default() * 2;
        let patience = round_trip.max(speaker.settings.interval / 2);
        self.sent
            .front()
            .is_some_and(|oldest| now.since(oldest.at) > patience)
    }

    /// The beat that is acknowledged, if it was sent on this connection and neither it nor a later
    /// one was acknowledged before.
    pub(super) fn take_acknowledged(&mut self, number: u64) -> Option<SentBeat> {
        let index = self.sent.iter().position(|sent| sent.number == number)?;
        if self.control_underway.is_some_and(|sent| number >= sent) {
            self.control_underway = None;
        }
        self.sent.drain(..=index).next_back()
    }

    /// The table of this generation is held by the peer.
    pub(super) fn confirm_table(&mut self, generation: u64) {
        if self.table_underway.is_some_and(|sent| generation >= sent) {
            self.table_underway = None;
        }
    }

    /// The peer was restarted, or is another voter now: what it said before is void. What it had
    /// led is returned.
    pub(super) fn restart(&mut self, voter: VoterId, boot: Boot) -> Vec<Withdrawn> {
        if self.voter != voter {
            self.led.clear();
        }
        self.led.peer_restarted(self.next_number);
        self.fact = None;
        self.voter = voter;
        self.boot = boot;
        self.heard.restart()
    }

    /// A measured round trip, smoothed over about eight of them.
    pub(super) fn measure(&mut self, round_trip: Duration) {
        self.rtt = Some(match self.rtt {
            Some(rtt) => (rtt * 7 + round_trip) / 8,
            None => round_trip,
        });
    }

    /// The round trip that a beat's echo shows, if its own acknowledgement was lost.
    pub(super) fn measure_echo(&mut self, beat: &NodeBeat, now: Moment) {
        let Some((number, delay_us)) = beat.echo else {
            return;
        };
        let sent_at = self.sent.iter().find(|sent| sent.number == number);
        if let Some(sent) = sent_at {
            let held = Duration::from_micros(delay_us.into());
            self.measure(now.since(sent.at).saturating_sub(held));
        }
    }

    pub(super) const fn rtt(&self) -> Option<Duration> {
        self.rtt
    }

    /// Asks for the whole table, at most once an interval.
    pub(super) fn ask_for_table(
        &mut self,
        interval: Duration,
        now: Moment,
        effects: &mut BeatEffects,
    ) {
        if is_within(self.table_asked_at, interval, now) {
            return;
        }
        self.table_asked_at = Some(now);
        let request = TableRequest {
            generation_seen: self.heard.generation(),
        };
        effects.send(self.node, BeatWay::Control, Frame::TableRequest(request));
    }

    /// Sends the whole table, at most once an interval and only to a peer that lacks it.
    pub(super) fn send_table(
        &mut self,
        request: TableRequest,
        speaker: &Speaker,
        now: Moment,
        effects: &mut BeatEffects,
    ) {
        let generation = self.led.generation();
        let recently = is_within(self.table_sent_at, speaker.settings.interval, now);
        if recently || request.generation_seen == generation {
            return;
        }
        self.table_sent_at = Some(now);
        self.table_underway = Some(generation);
        let rows: Vec<_> = self.led.rows().map(|row| row.beat).collect();
        let pages = rows.len().div_ceil(limits::MAX_BEAT_ROWS).max(1);
        let pages = u32::try_from(pages).unwrap_or(u32::MAX);
        let mut rest = rows.as_slice();
        for page in 0..pages {
            let (rows, later) = rest.split_at(rest.len().min(limits::MAX_BEAT_ROWS));
            rest = later;
            let page = TablePage {
                boot: speaker.boot,
                generation,
                page,
                pages,
                rows: rows.to_vec(),
            };
            effects.send(self.node, BeatWay::Control, Frame::TablePage(page));
        }
    }
}

fn is_within(last: Option<Moment>, interval: Duration, now: Moment) -> bool {
    last.is_some_and(|last| now.since(last) < interval)
}
