//! The task behind a producer. It owns the requests that are on their way and sends them in
//! order. When one is not carried out, all that follow would be out of order, so the task stops
//! sending, finds the leader, and sends everything that is unsettled again, in order and with the
//! same producer seqs. Only what has certainly failed, or was tried for too long, is given up.

use std::{
    collections::VecDeque,
    future::{Future, pending},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use tetrarch_wire::{
    ChannelUid, Frame, NodeId, ProducerEpoch, ProducerId, ProducerSeq,
    frame::{ChannelRoute, Produce, ProduceOutcome},
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until, timeout, timeout_at},
};

use super::{ProducerOptions, ack::Appended, flight::Flight, gather::Gather};
use crate::{
    Error, Result,
    backoff::Backoff,
    core::{Core, unexpected},
    error::is_passing,
    net::{Answer, Lane, NodeConnection, ReplyTo},
};

const WHAT: &str = "produce request";
/// Silence after which requests are sent again even if nobody knows another leader.
const SILENCE: Duration = Duration::from_secs(2);
/// How long a first try to reach the leader may take. Others may know a new one by then.
const FIRST_PATIENCE: Duration = Duration::from_millis(150);
const MOST_PATIENCE: Duration = Duration::from_secs(5);

type Probe = Pin<Box<dyn Future<Output = Result<ChannelRoute>> + Send>>;

/// Whether requests leave.
#[derive(Debug)]
enum Flow {
    /// They leave on this stream.
    Open(Arc<NodeConnection>, Lane),
    /// They wait until a moment; then the leader is looked for.
    Paused(Instant),
}

pub(super) struct ProducerTask {
    core: Arc<Core>,
    gather: Arc<Gather>,
    options: ProducerOptions,
    channel: String,
    uid: ChannelUid,
    producer: ProducerId,
    epoch: ProducerEpoch,
    next: ProducerSeq,
    flights: VecDeque<Flight>,
    answers: mpsc::UnboundedReceiver<(u64, Answer)>,
    answer_to: mpsc::UnboundedSender<(u64, Answer)>,
    flow: Flow,
    backoff: Backoff,
    patience: Duration,
    avoid: Option<NodeId>,
    /// When an answer last settled something, or everything was sent again.
    progress: Instant,
    /// When other nodes are asked about the leader, if nothing is answered until then.
    probe_at: Instant,
    probe: Option<Probe>,
    last_trouble: Option<Error>,
}

impl ProducerTask {
    pub(super) fn new(
        core: Arc<Core>,
        gather: Arc<Gather>,
        channel: &str,
        uid: ChannelUid,
        producer: ProducerId,
        options: ProducerOptions,
    ) -> Self {
        // Bounded by `max_in_flight`: every request is answered at most once.
        let (answer_to, answers) = mpsc::unbounded_channel();
        let now = Instant::now();
        Self {
            core,
            gather,
            options,
            channel: channel.to_owned(),
            uid,
            producer,
            epoch: ProducerEpoch::default(),
            next: ProducerSeq::new(1),
            flights: VecDeque::new(),
            answers,
            answer_to,
            flow: Flow::Paused(now),
            backoff: Backoff::new(Duration::from_millis(5), Duration::from_millis(250)),
            patience: FIRST_PATIENCE,
            avoid: None,
            progress: now,
            probe_at: now,
            probe: None,
            last_trouble: None,
        }
    }

    /// Works until the producer is closed and everything is settled, or it is dropped or fenced.
    pub(super) async fn run(mut self) {
        self.resume().await;
        loop {
            self.expire();
            if self.gather.failure().is_some() {
                break;
            }
            self.fill().await;
            let is_drained = self.flights.is_empty() && self.gather.oldest().is_none();
            if is_drained && self.gather.is_closing() {
                break;
            }
            self.wait().await;
        }
        let closed = Error::Closed { what: "producer" };
        let error = self.gather.failure().unwrap_or(closed);
        self.gather.fail(&error);
        for flight in std::mem::take(&mut self.flights) {
            let (unit, error) = flight.into_failure(&self.channel, |_| error.clone());
            self.gather.settle(&unit, Err(error));
        }
    }

    async fn wait(&mut self) {
        let wake_at = self.wake_at();
        let takes_work = self.flights.is_empty() || self.may_fill();
        tokio::select! {
            answer = self.answers.recv() => if let Some((number, answer)) = answer {
                self.answered(number, answer);
                while let Ok((number, answer)) = self.answers.try_recv() {
                    self.answered(number, answer);
                }
            },
            () = self.gather.work(), if takes_work => {}
            () = self.gather.ended() => {}
            route = probed(&mut self.probe) => self.probed(route),
            () = sleep_until(wake_at) => self.woken().await,
        }
    }

    fn has_work(&self) -> bool {
        !self.flights.is_empty() || self.gather.oldest().is_some()
    }

    fn may_fill(&self) -> bool {
        matches!(self.flow, Flow::Open(..)) && self.flights.len() < self.options.max_in_flight
    }

    fn deadline_of(&self, since: Instant) -> Instant {
        since + self.options.deliver_within
    }

    /// When the first of what is unsettled has been tried for too long.
    fn deadline(&self) -> Option<Instant> {
        let first = self.flights.front().map(|flight| flight.unit.since);
        first
            .into_iter()
            .chain(self.gather.oldest())
            .min()
            .map(|since| self.deadline_of(since))
    }

    fn wake_at(&self) -> Instant {
        // Nothing depends on this one: it only keeps the type simple.
        let far = Instant::now() + Duration::from_secs(3_600);
        let deadline = self.deadline().unwrap_or(far);
        let next = match self.flow {
            Flow::Paused(until) if self.has_work() => until,
            Flow::Open(..) if !self.flights.is_empty() && self.probe.is_none() => self.probe_at,
            Flow::Paused(_) | Flow::Open(..) => far,
        };
        next.min(deadline)
    }

    async fn woken(&mut self) {
        let now = Instant::now();
        match self.flow {
            Flow::Paused(until) if now >= until && self.has_work() => self.resume().await,
            Flow::Open(..) if now >= self.probe_at && self.probe.is_none() => self.stalled(),
            Flow::Paused(_) | Flow::Open(..) => {}
        }
    }

    /// Sends what has gathered, as far as there is room on the way.
    async fn fill(&mut self) {
        while self.may_fill() {
            let Some(unit) = self.gather.take() else {
                return;
            };
            if self.flights.is_empty() {
                self.progressed();
            }
            let base = self.next;
            self.next = base.plus(unit.block.count().into());
            self.flights.push_back(Flight::new(unit, self.epoch, base));
            self.transmit(self.flights.len() - 1).await;
        }
    }

    /// Hands a request to the stream. One that takes nothing for a while is not waited for: the
    /// leader may have moved.
    async fn transmit(&mut self, index: usize) {
        let Flow::Open(connection, lane) = &self.flow else {
            return;
        };
        let (lane, node) = (lane.clone(), connection.node());
        let number = self.core.number();
        let flight = &mut self.flights[index];
        flight.sent(number);
        let frame = Frame::Produce(Produce {
            request: number,
            channel: self.uid,
            producer: self.producer,
            producer_epoch: flight.epoch,
            base_producer_seq: flight.base,
            events: flight.unit.block.clone(),
        });
        let reply = ReplyTo::Many(self.answer_to.clone());
        let within = self.options.stall_after;
        if timeout(within, lane.request(number, frame, reply))
            .await
            .is_err()
        {
            let trouble = Error::Timeout {
                what: WHAT,
                node: self.node_name(),
                after: within,
            };
            self.flights[index].refused(trouble);
            self.avoid = Some(node);
            self.pause(None);
        }
    }

    fn answered(&mut self, number: u64, answer: Answer) {
        let is_it = |flight: &Flight| flight.number == Some(number);
        let Some(index) = self.flights.iter().position(is_it) else {
            // An earlier try; a later one is on its way.
            return;
        };
        let node = self.node_name();
        match answer {
            Ok(Frame::ProduceAck(ack)) => self.judge(index, &node, ack.outcome),
            Ok(Frame::Refused(refused)) => {
                let error = Error::refused(WHAT, &node, refused);
                if error.can_retry() {
                    self.try_again(index, error);
                } else {
                    self.give_up(index, error);
                }
            }
            Ok(other) => self.lost(index, unexpected(&node, WHAT, &other)),
            Err(lost) => self.lost(index, Error::lost(WHAT, &node, &lost)),
        }
    }

    fn judge(&mut self, index: usize, node: &str, outcome: ProduceOutcome) {
        let channel = self.channel.clone();
        let node = node.to_owned();
        match outcome {
            ProduceOutcome::Appended {
                epoch,
                runs,
                link: _,
                copies,
                degraded,
            } => self.appended(
                index,
                Appended {
                    epoch,
                    runs,
                    copies,
                    degraded,
                },
            ),
            ProduceOutcome::Retry {
                reason,
                after_ms,
                leader,
            } => {
                let error = Error::Refused {
                    what: WHAT,
                    node,
                    reason,
                    retry_after: Some(Duration::from_millis(after_ms.into())),
                    leader,
                    detail: format!("channel '{channel}'"),
                };
                if is_passing(reason) || error.denies_holding() {
                    self.try_again(index, error);
                } else {
                    self.give_up(index, error);
                }
            }
            ProduceOutcome::Indeterminate => {
                let why = "the leader does not know whether it was appended".to_owned();
                self.flights[index].lost(Error::Lost {
                    what: WHAT,
                    node,
                    why,
                });
                self.pause(None);
            }
            ProduceOutcome::StorageFull => {
                self.try_again(index, Error::StorageFull { channel, node });
            }
            ProduceOutcome::OutOfOrder { expected } => {
                let sent = self.flights[index].base;
                let error = Error::OutOfOrder {
                    channel,
                    expected,
                    sent,
                };
                self.try_again(index, error);
            }
            ProduceOutcome::Fenced { current } => {
                let ours = self.epoch;
                self.gather.fail(&Error::Fenced {
                    channel,
                    ours,
                    current,
                });
            }
            ProduceOutcome::TooLarge { limit } => {
                self.give_up(index, Error::TooLarge { channel, limit });
            }
            ProduceOutcome::Denied => self.give_up(index, Error::Denied { channel, node }),
            ProduceOutcome::UnknownChannel => {
                self.core.directory.forget_route(&channel);
                self.try_again(index, Error::UnknownChannel { channel, node });
            }
        }
    }

    fn appended(&mut self, index: usize, appended: Appended) {
        let counted: u64 = appended.runs.iter().map(|run| u64::from(run.count)).sum();
        if counted != u64::from(self.flights[index].unit.block.count()) {
            let why = format!("its acknowledgement counts {counted} events");
            let node = self.node_name();
            return self.lost(index, Error::Protocol { node, why });
        }
        if let Some(flight) = self.flights.remove(index) {
            self.gather.settle(&flight.unit, Ok(Arc::new(appended)));
        }
        self.progressed();
        self.backoff.reset();
        self.last_trouble = None;
    }

    fn progressed(&mut self) {
        self.progress = Instant::now();
        self.probe_at = self.progress + self.options.stall_after;
    }

    /// The request was certainly not carried out, but may be later or elsewhere.
    fn try_again(&mut self, index: usize, error: Error) {
        if error.denies_holding() {
            self.core.directory.forget_route(&self.channel);
        }
        let hint = error.leader();
        match (hint, &self.flow) {
            (Some(leader), _) => self.core.directory.set_leader(&self.channel, leader),
            (None, Flow::Open(connection, _)) if error.denies_leading() => {
                let node = connection.node();
                self.core.directory.forget_leader(&self.channel, node);
            }
            (None, Flow::Open(..) | Flow::Paused(_)) => {}
        }
        let wait = error.retry_after();
        self.last_trouble = Some(error.clone());
        self.flights[index].refused(error);
        self.pause(wait);
    }

    /// The stream ended before the answer came.
    fn lost(&mut self, index: usize, error: Error) {
        if let Flow::Open(connection, _) = &self.flow {
            self.avoid = Some(connection.node());
        }
        self.last_trouble = Some(error.clone());
        self.flights[index].lost(error);
        self.pause(None);
    }

    /// Stops sending, once for all requests that meet the same trouble.
    fn pause(&mut self, at_least: Option<Duration>) {
        if let Flow::Open(..) = self.flow {
            let wait = self.backoff.next().max(at_least.unwrap_or_default());
            self.flow = Flow::Paused(Instant::now() + wait);
            self.probe = None;
        }
    }

    /// The request will never be carried out. What was sent after it cannot be appended under the
    /// producer seqs that it has, so a new incarnation begins.
    fn give_up(&mut self, index: usize, error: Error) {
        if let Some(mut flight) = self.flights.remove(index) {
            flight.refused(error.clone());
            let (unit, error) = flight.into_failure(&self.channel, |_| error.clone());
            self.gather.settle(&unit, Err(error));
        }
        self.begin_anew();
    }

    /// Moves to the next producer epoch: what may have been appended is given up, what certainly
    /// was not gets new producer seqs.
    fn begin_anew(&mut self) {
        self.epoch = ProducerEpoch::new(self.epoch.get().saturating_add(1));
        self.next = ProducerSeq::new(1);
        for mut flight in std::mem::take(&mut self.flights) {
            if flight.may_be_appended() {
                let (unit, error) = flight.into_failure(&self.channel, |_| Error::Closed {
                    what: "producer's incarnation",
                });
                self.gather.settle(&unit, Err(error));
            } else {
                flight.epoch = self.epoch;
                flight.base = self.next;
                self.next = self.next.plus(flight.unit.block.count().into());
                self.flights.push_back(flight);
            }
        }
        self.pause(None);
    }

    /// Gives up what was tried for too long.
    fn expire(&mut self) {
        let limit = self.options.deliver_within;
        let last = self.last_trouble.as_ref();
        let why = last.map_or_else(|| "no leader was found".to_owned(), ToString::to_string);
        let mut is_broken = false;
        while let Some(flight) = self.pop_expired(limit) {
            let count = flight.unit.block.count();
            let (unit, error) =
                flight.into_failure(&self.channel, |why| self.not_appended(count, why));
            self.gather.settle(&unit, Err(error));
            is_broken = true;
        }
        if is_broken {
            self.begin_anew();
        }
        self.gather
            .expire(limit, |count| self.not_appended(count, why.clone()));
    }

    fn pop_expired(&mut self, limit: Duration) -> Option<Flight> {
        let first = self.flights.front()?;
        if first.unit.since.elapsed() >= limit {
            self.flights.pop_front()
        } else {
            None
        }
    }

    fn not_appended(&self, count: u32, why: String) -> Error {
        Error::NotAppended {
            channel: self.channel.clone(),
            count,
            after: self.options.deliver_within,
            why,
        }
    }

    /// Finds the leader and sends everything that is unsettled again.
    async fn resume(&mut self) {
        let now = Instant::now();
        let limit = self.deadline().unwrap_or(now + MOST_PATIENCE);
        let located = match timeout_at(limit, self.locate()).await {
            Ok(located) => located,
            Err(_) => return,
        };
        match located {
            Ok((connection, lane)) => {
                self.flow = Flow::Open(connection, lane);
                self.avoid = None;
                self.patience = FIRST_PATIENCE;
                self.progressed();
                for index in 0..self.flights.len() {
                    self.transmit(index).await;
                }
            }
            Err(error) => {
                tracing::debug!(%error, channel = self.channel, "no leader was reached");
                self.last_trouble = Some(error);
                self.flow = Flow::Paused(Instant::now() + self.backoff.next());
            }
        }
    }

    async fn locate(&mut self) -> Result<(Arc<NodeConnection>, Lane)> {
        let within = self.patience;
        self.patience = (within * 2).min(MOST_PATIENCE);
        let reached = timeout(within, self.core.leader_of(&self.channel, self.avoid));
        let connection = match reached.await {
            Ok(reached) => reached?,
            Err(_) => {
                // Only the first tries are short; a new leader may be known by the next.
                return Err(Error::Timeout {
                    what: "connection attempt",
                    node: "(leader)".to_owned(),
                    after: within,
                });
            }
        };
        let route = self.core.route(&self.channel).await?;
        if route.uid != self.uid {
            let gone = Error::UnknownChannel {
                channel: format!("{} (it was created anew)", self.channel),
                node: connection.name().to_owned(),
            };
            self.gather.fail(&gone);
            return Err(gone);
        }
        match connection.producing(self.uid).await {
            Ok(lane) => Ok((connection, lane)),
            Err(lost) => {
                self.avoid = Some(connection.node());
                Err(Error::lost(WHAT, connection.name(), &lost))
            }
        }
    }

    /// Nothing was answered for a while: ask the other nodes who leads.
    fn stalled(&mut self) {
        let Flow::Open(connection, _) = &self.flow else {
            return;
        };
        let core = Arc::clone(&self.core);
        let channel = self.channel.clone();
        let avoid = connection.node();
        self.probe = Some(Box::pin(async move {
            core.refresh(&channel, Some(avoid)).await
        }));
    }

    fn probed(&mut self, route: Result<ChannelRoute>) {
        self.probe = None;
        let now = Instant::now();
        self.probe_at = now + self.options.stall_after / 3;
        let Flow::Open(connection, _) = &self.flow else {
            return;
        };
        let silent_node = connection.node();
        let has_moved = match route {
            Ok(route) => route.leader.is_some_and(|leader| leader != silent_node),
            Err(error) => {
                tracing::debug!(%error, channel = self.channel, "nobody knows the leader");
                false
            }
        };
        let is_silent = now >= self.progress + SILENCE;
        if is_silent {
            self.core.pool.distrust(silent_node);
        }
        if has_moved || is_silent {
            tracing::debug!(channel = self.channel, has_moved, "sending again");
            self.flow = Flow::Paused(now);
        }
    }

    fn node_name(&self) -> String {
        match &self.flow {
            Flow::Open(connection, _) => connection.name().to_owned(),
            Flow::Paused(_) => "(leader)".to_owned(),
        }
    }
}

/// What a probe finds; never, while there is none.
async fn probed(probe: &mut Option<Probe>) -> Result<ChannelRoute> {
    match probe {
        Some(probe) => probe.await,
        None => pending().await,
    }
}
