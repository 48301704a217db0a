//! A change of role in the log: one event, with everything that an operator wants to know.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex},
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use super::*;

type Fields = BTreeMap<&'static str, String>;

/// Keeps the fields of every event.
#[derive(Clone, Default)]
struct Journal(Arc<Mutex<Vec<Fields>>>);

impl Subscriber for Journal {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Collect(Fields::new());
        event.record(&mut fields);
        fields
            .0
            .insert("level", event.metadata().level().to_string());
        self.0.lock().unwrap().push(fields.0);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

struct Collect(Fields);

impl Visit for Collect {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

fn told(work: impl FnOnce(&ChannelTelemetry)) -> Vec<Fields> {
    let journal = Journal::default();
    let channel = telemetry().channel("orders");
    tracing::subscriber::with_default(journal.clone(), || work(&channel));
    journal.0.lock().unwrap().clone()
}

#[test]
fn a_change_of_role_is_one_event_with_all_its_facts() {
    let signal = TransitionSignal::ElectionWon;
    let change = change(ReplicaRole::Candidate, ReplicaRole::Leader, signal);
    let events = told(|channel| channel.transition(&change));
    let expected = [
        ("channel", "orders"),
        ("from", "Candidate"),
        ("to", "Leader"),
        ("signal", "ElectionWon"),
        ("epoch", "7/abababab"),
        ("reason", "because"),
        ("tail", "12"),
        ("durable", "11"),
        ("commit", "10"),
        ("message", "role changed"),
        ("level", "INFO"),
    ];
    assert_eq!(
        events,
        [expected
            .map(|(name, value)| (name, value.to_owned()))
            .into()]
    );
}

#[test]
fn a_change_that_does_not_exist_is_an_error_in_the_log() {
    let (from, to) = (ReplicaRole::Idle, ReplicaRole::Leader);
    let error = StateTransition::apply(from, to, TransitionSignal::ElectionWon).unwrap_err();
    let events = told(|channel| channel.transition_rejected(&error));
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["level"], "ERROR");
    assert_eq!(events[0]["reason"], "invalid_pair");
}

#[test]
fn closing_what_is_idle_is_not_told() {
    let signal = TransitionSignal::ChannelClose;
    let change = change(ReplicaRole::Idle, ReplicaRole::Idle, signal);
    assert_eq!(told(|channel| channel.transition(&change)), []);
}
