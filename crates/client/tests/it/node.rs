//! One node of the small mesh.

use quinn::{Connection, Endpoint, VarInt};
use tetrarch_client::transport::{FrameReceiver, FrameSender, ReceiveTimeouts};
use tetrarch_wire::{
    ChannelConfig, ChannelUid, Epoch, Frame, Link, NodeId, Seq, StoreId, Voter, VoterId,
    frame::{
        AdminRequest, AdminResponse, AppendedRun, ChannelEntry, ChannelStatus, CreateChannel,
        Deliver, Fetch, FetchResponse, NodeStatus, Placement, Produce, ProduceAck, ProduceOutcome,
        ReadIndexResponse, Refused, RetryReason, StartFrom, StatusPage, Subscribe,
    },
};

use crate::mesh::{Fault, Shared, World};

pub(crate) async fn serve(endpoint: Endpoint, shared: Shared, index: usize) {
    while let Some(incoming) = endpoint.accept().await {
        let shared = shared.clone();
        tokio::spawn(async move {
            if let Ok(connection) = incoming.await {
                while let Ok((sending, receiving)) = connection.accept_bi().await {
                    let stream = Stream {
                        connection: connection.clone(),
                        sender: FrameSender::new(sending),
                        receiver: FrameReceiver::new(receiving, ReceiveTimeouts::ACCEPTED),
                        shared: shared.clone(),
                        index,
                    };
                    tokio::spawn(stream.serve());
                }
            }
        });
    }
}

struct Stream {
    connection: Connection,
    sender: FrameSender,
    receiver: FrameReceiver,
    shared: Shared,
    index: usize,
}

impl Stream {
    async fn serve(mut self) {
        while let Ok(Some(frame)) = self.receiver.next().await {
            if let Frame::Subscribe(subscribe) = frame {
                return self.deliver(subscribe).await;
            }
            for answer in self.answer(frame) {
                if self.sender.send(&answer).await.is_err() {
                    return;
                }
            }
        }
    }

    fn lose(&self) -> Vec<Frame> {
        self.connection.close(VarInt::from_u32(9), b"lost");
        Vec::new()
    }

    fn answer(&self, frame: Frame) -> Vec<Frame> {
        if self.shared.lock().mute[self.index] {
            return Vec::new();
        }
        match frame {
            Frame::Produce(produce) => self.produce(&produce),
            Frame::Metadata(metadata) => {
                let world = self.shared.lock();
                let response = world.metadata(metadata.request, &metadata.channels);
                vec![Frame::MetadataResponse(response)]
            }
            Frame::Fetch(fetch) => vec![self.fetch(fetch)],
            Frame::ReadIndex(read) => {
                let world = self.shared.lock();
                if world.leader != Some(self.index) {
                    return vec![Frame::Refused(refused(&world, read.request))];
                }
                vec![Frame::ReadIndexResponse(ReadIndexResponse {
                    request: read.request,
                    epoch: world.log.epoch,
                    commit: world.log.end().seq,
                })]
            }
            Frame::Admin(request) => self.admin(&request),
            other => panic!("{other:?}"),
        }
    }

    fn produce(&self, produce: &Produce) -> Vec<Frame> {
        let ack = |outcome| {
            Frame::ProduceAck(ProduceAck {
                request: produce.request,
                outcome,
            })
        };
        let retry = |world: &World, reason| ProduceOutcome::Retry {
            reason,
            after_ms: 1,
            leader: world.leader_id(),
        };
        let outcome = self.shared.change(|world| {
            if world.leader != Some(self.index) {
                let reason = match world.leader {
                    Some(_) => RetryReason::NotLeader,
                    None => RetryReason::NoLeader,
                };
                return Ok(vec![retry(world, reason)]);
            }
            world.requests += 1;
            let fault = world.faults.pop_front().unwrap_or(Fault::Serve);
            match fault {
                Fault::LoseRequest => Err(()),
                Fault::Refuse => Ok(vec![retry(world, RetryReason::QueueFull)]),
                Fault::Full => Ok(vec![ProduceOutcome::StorageFull]),
                Fault::Deny => Ok(vec![ProduceOutcome::Denied]),
                Fault::LoseAnswer => {
                    world.log.produce(produce);
                    Err(())
                }
                Fault::Forget => {
                    world.log.produce(produce);
                    Ok(vec![ProduceOutcome::Indeterminate])
                }
                Fault::Swallow => {
                    world.log.produce(produce);
                    Ok(Vec::new())
                }
                Fault::AnswerTwice => {
                    let outcome = world.log.produce(produce);
                    Ok(vec![outcome.clone(), outcome])
                }
                Fault::Serve if world.forgets => Ok(vec![pretend(produce)]),
                Fault::Serve => Ok(vec![world.log.produce(produce)]),
            }
        });
        match outcome {
            Ok(outcomes) => outcomes.into_iter().map(ack).collect(),
            Err(()) => self.lose(),
        }
    }

    fn fetch(&self, fetch: Fetch) -> Frame {
        let world = self.shared.lock();
        let commit = world.log.end().seq;
        let batches = match fetch.from {
            StartFrom::Now => Vec::new(),
            from => world.log.read(wanted(from, commit)),
        };
        Frame::FetchResponse(FetchResponse {
            request: fetch.request,
            commit,
            log_start: world.log.start,
            batches,
        })
    }

    /// Delivers within the credit, until the stream or the node ends.
    async fn deliver(mut self, subscribe: Subscribe) {
        let mut changes = self.shared.changes();
        let mut next = wanted(subscribe.from, self.shared.lock().log.end().seq);
        let mut credit = subscribe.credit;
        loop {
            let (ready, log_start, commit) = {
                let world = self.shared.lock();
                let mute = world.mute[self.index];
                let ready = if mute {
                    Vec::new()
                } else {
                    world.log.read(next)
                };
                (ready, world.log.start, world.log.end().seq)
            };
            for batch in ready {
                let size = batch.size() as u64;
                if size > credit {
                    break;
                }
                credit -= size;
                next = batch.last_seq().next();
                let deliver = Frame::Deliver(Deliver {
                    commit,
                    log_start,
                    batches: vec![batch],
                });
                if self.sender.send(&deliver).await.is_err() {
                    return;
                }
            }
            tokio::select! {
                changed = changes.changed() => changed.unwrap(),
                frame = self.receiver.next() => match frame {
                    Ok(Some(Frame::SubscribeCredit(more))) => credit += more.bytes,
                    _ => return,
                },
            }
        }
    }

    fn admin(&self, request: &AdminRequest) -> Vec<Frame> {
        let (answer, is_lost) = self.shared.change(|world| {
            let answer = if world.leader == Some(self.index) {
                administer(world, request)
            } else {
                let refused = refused(world, request.request());
                AdminResponse::Refused(match request {
                    // Who does not hold the channel does not know who leads it.
                    AdminRequest::Relinquish { .. } => Refused {
                        retry_after_ms: None,
                        leader: None,
                        ..refused
                    },
                    _ => refused,
                })
            };
            let is_lost = world.lose_admin_answers > 0 && world.leader == Some(self.index);
            if is_lost {
                world.lose_admin_answers -= 1;
            }
            (answer, is_lost)
        });
        if is_lost {
            return self.lose();
        }
        vec![Frame::AdminResponse(answer)]
    }
}

/// What a node that keeps nothing would say.
fn pretend(produce: &Produce) -> ProduceOutcome {
    ProduceOutcome::Appended {
        epoch: Epoch::NONE,
        runs: vec![AppendedRun {
            first: Seq::new(produce.base_producer_seq.get()),
            count: produce.events.count(),
            duplicate: false,
        }],
        link: Link::genesis(b""),
        copies: 2,
        degraded: false,
    }
}

fn wanted(from: StartFrom, commit: Seq) -> Seq {
    match from {
        StartFrom::Start => Seq::FIRST,
        StartFrom::Now => commit.next(),
        StartFrom::Seq(seq) => seq,
        StartFrom::After(position) => position.seq.next(),
    }
}

fn refused(world: &World, request: u64) -> Refused {
    Refused {
        request,
        reason: RetryReason::NotLeader,
        retry_after_ms: Some(1),
        leader: world.leader_id(),
        detail: "not the leader".to_owned(),
    }
}

fn administer(world: &mut World, request: &AdminRequest) -> AdminResponse {
    let number = request.request();
    let refuse = |reason| {
        AdminResponse::Refused(Refused {
            request: number,
            reason,
            retry_after_ms: None,
            leader: None,
            detail: "no".to_owned(),
        })
    };
    match request {
        AdminRequest::CreateChannel { channel, .. } => {
            if world.channels.iter().any(|one| one.name == channel.name) {
                return refuse(RetryReason::Exists);
            }
            let entry = entry(channel);
            world.channels.push(entry.clone());
            world.channels.sort_by(|one, two| one.name.cmp(&two.name));
            AdminResponse::Created {
                request: number,
                channel: entry,
            }
        }
        AdminRequest::DeleteChannel { name, .. } => {
            let before = world.channels.len();
            world.channels.retain(|one| one.name != *name);
            if world.channels.len() == before {
                return refuse(RetryReason::UnknownChannel);
            }
            AdminResponse::Done { request: number }
        }
        AdminRequest::ListChannels { after, .. } => {
            let after = after.clone().unwrap_or_default();
            let mut rest = world.channels.iter().filter(|one| one.name > after);
            let page: Vec<ChannelEntry> = rest.by_ref().take(2).cloned().collect();
            let next = rest.next().and(page.last()).map(|last| last.name.clone());
            AdminResponse::Channels {
                request: number,
                channels: page,
                next,
            }
        }
        AdminRequest::AlterChannel { .. }
        | AdminRequest::Relinquish { .. }
        | AdminRequest::Drain { .. } => AdminResponse::Done { request: number },
        AdminRequest::MoveChannel { .. } => AdminResponse::Moving {
            request: number,
            placement: UNMOVED,
        },
        AdminRequest::Status { after, .. } => AdminResponse::Status {
            request: number,
            page: status(world, after.as_deref()),
        },
    }
}

const UNMOVED: Placement = Placement {
    version: 0,
    is_settled: true,
};

fn entry(channel: &CreateChannel) -> ChannelEntry {
    let voters = (0..channel.replicas).map(|index| Voter {
        node: NodeId::from_bytes([index; 16]),
        store: StoreId::from_bytes([index; 16]),
    });
    ChannelEntry {
        name: channel.name.clone(),
        uid: ChannelUid::derive(&channel.name, &[0; 16]),
        genesis: ChannelConfig::genesis(channel.class, voters.collect()).unwrap(),
        retention: channel.retention,
        filter: channel.filter.clone(),
        first_leader: VoterId::NONE,
    }
}

fn status(world: &World, after: Option<&str>) -> StatusPage {
    let after = after.unwrap_or_default();
    let mut rest = world.channels.iter().filter(|one| *one.name > *after);
    let page: Vec<ChannelStatus> = rest
        .by_ref()
        .take(1)
        .map(|one| ChannelStatus {
            name: one.name.clone(),
            uid: one.uid,
            class: one.genesis.class,
            retention: one.retention,
            epoch: None,
            leader: None,
            log_start: None,
            tail: None,
            commit: None,
            halted: None,
            limbo: None,
            placement: UNMOVED,
            replicas: Vec::new(),
        })
        .collect();
    let next = rest.next().and(page.last()).map(|last| last.name.clone());
    let nodes = world.nodes.iter().map(|node| NodeStatus {
        name: node.name.clone(),
        id: node.node,
        address: node.address.clone(),
        alive: true,
        disk_level: None,
        free_bytes: None,
        is_drained: false,
    });
    StatusPage {
        asked: "n1".to_owned(),
        nodes: nodes.collect(),
        channels: page,
        next,
    }
}
