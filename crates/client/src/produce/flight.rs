//! One request of a producer on its way, and what is known about it so far.

use tetrarch_wire::{ProducerEpoch, ProducerSeq};

use super::gather::Unit;
use crate::Error;

/// A request that was sent at least once and is not settled.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) unit: Unit,
    /// The producer's incarnation when it was sent.
    pub(super) epoch: ProducerEpoch,
    /// Producer seq of its first event.
    pub(super) base: ProducerSeq,
    /// Number of the latest try, while that is unanswered.
    pub(super) number: Option<u64>,
    /// Whether some try may have been carried out without our knowing.
    maybe: bool,
    /// What the latest try met.
    trouble: Option<Error>,
}

impl Flight {
    pub(super) const fn new(unit: Unit, epoch: ProducerEpoch, base: ProducerSeq) -> Self {
        Self {
            unit,
            epoch,
            base,
            number: None,
            maybe: false,
            trouble: None,
        }
    }

    /// It is sent, again or for the first time.
    pub(super) const fn sent(&mut self, number: u64) {
        self.maybe |= self.number.is_some();
        self.number = Some(number);
    }

    /// The latest try was certainly not carried out.
    pub(super) fn refused(&mut self, trouble: Error) {
        self.number = None;
        self.trouble = Some(trouble);
    }

    /// The latest try may or may not have been carried out.
    pub(super) fn lost(&mut self, trouble: Error) {
        self.maybe = true;
        self.refused(trouble);
    }

    /// Whether its events may be in the log.
    pub(super) const fn may_be_appended(&self) -> bool {
        self.maybe || self.number.is_some()
    }

    /// What its senders are told when it is given up: that its fate is unknown, unless every try
    /// was certainly refused.
    pub(super) fn into_failure(
        self,
        channel: &str,
        otherwise: impl Fn(String) -> Error,
    ) -> (Unit, Error) {
        let why = self
            .trouble
            .as_ref()
            .map_or_else(|| "no answer came".to_owned(), ToString::to_string);
        let error = if self.may_be_appended() {
            Error::Indeterminate {
                channel: channel.to_owned(),
                first: self.base,
                count: self.unit.block.count(),
                why,
            }
        } else {
            match self.trouble {
                Some(
                    error @ (Error::StorageFull { .. }
                    | Error::OutOfOrder { .. }
                    | Error::TooLarge { .. }
                    | Error::Denied { .. }),
                ) => error,
                Some(_) | None => otherwise(why),
            }
        };
        (self.unit, error)
    }
}
