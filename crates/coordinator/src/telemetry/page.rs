//! One scrape: the table's rows with the values of their series. Names of metrics and labels come
//! from the table alone; whoever writes a series gives values.

use std::fmt::{self, Write as _};

use prometheus_client::encoding::{
    DescriptorEncoder, EncodeGaugeValue, EncodeLabelSet, LabelSetEncoder, MetricEncoder, NoLabelSet,
};

use super::{definition::Definition, histogram::Histogram};

/// A scrape that is being written.
pub(super) struct Page<'a> {
    encoder: DescriptorEncoder<'a>,
}

impl<'a> Page<'a> {
    pub(super) const fn new(encoder: DescriptorEncoder<'a>) -> Self {
        Self { encoder }
    }

    /// Writes one metric: its heading, then the series that `write` gives.
    pub(super) fn metric(
        &mut self,
        definition: &Definition,
        write: impl FnOnce(&mut Series<'_>) -> fmt::Result,
    ) -> fmt::Result {
        let unit = definition.unit.registered();
        let encoder = self.encoder.encode_descriptor(
            definition.stem(),
            definition.help,
            unit.as_ref(),
            definition.kind.metric_type(),
        )?;
        write(&mut Series {
            encoder,
            names: definition.labels,
        })
    }
}

/// The series of one metric.
pub(super) struct Series<'a> {
    encoder: MetricEncoder<'a>,
    names: &'static [&'static str],
}

impl Series<'_> {
    pub(super) fn counter(&mut self, values: &[&str], value: u64) -> fmt::Result {
        self.with(values, |encoder| {
            encoder.encode_counter::<NoLabelSet, _, f64>(&value, None)
        })
    }

    /// A counter of seconds.
    pub(super) fn seconds(&mut self, values: &[&str], value: f64) -> fmt::Result {
        self.with(values, |encoder| {
            encoder.encode_counter::<NoLabelSet, _, f64>(&value, None)
        })
    }

    pub(super) fn gauge(&mut self, values: &[&str], value: impl EncodeGaugeValue) -> fmt::Result {
        self.with(values, |encoder| encoder.encode_gauge(&value))
    }

    /// A gauge of a number that the exposition may not be able to write in full.
    pub(super) fn number(&mut self, values: &[&str], value: u64) -> fmt::Result {
        self.gauge(values, i64::try_from(value).unwrap_or(i64::MAX))
    }

    pub(super) fn histogram(&mut self, values: &[&str], value: &Histogram) -> fmt::Result {
        let shown = value.shown();
        self.with(values, |encoder| {
            encoder.encode_histogram::<NoLabelSet>(shown.sum, shown.count, &shown.buckets, None)
        })
    }

    pub(super) fn info(&mut self, values: &[&str]) -> fmt::Result {
        let labels = self.labels(values);
        self.encoder.encode_info(&labels)
    }

    fn with(
        &mut self,
        values: &[&str],
        write: impl FnOnce(&mut MetricEncoder<'_>) -> fmt::Result,
    ) -> fmt::Result {
        let labels = self.labels(values);
        if self.names.is_empty() {
            return write(&mut self.encoder);
        }
        write(&mut self.encoder.encode_family(&labels)?)
    }

    fn labels<'v>(&self, values: &'v [&'v str]) -> Labels<'v> {
        debug_assert_eq!(self.names.len(), values.len(), "one value for each label");
        Labels {
            names: self.names,
            values,
        }
    }
}

/// Names of labels with their values.
struct Labels<'v> {
    names: &'static [&'static str],
    values: &'v [&'v str],
}

impl EncodeLabelSet for Labels<'_> {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        for (name, value) in self.names.iter().zip(self.values) {
            let mut label = encoder.encode_label();
            let mut key = label.encode_label_key()?;
            key.write_str(name)?;
            let mut text = key.encode_label_value()?;
            escape(value, &mut text)?;
            text.finish()?;
        }
        Ok(())
    }
}

/// Some values are chosen by others, such as the name of a client. They must not be able to end
/// the label or the line.
fn escape(value: &str, out: &mut impl fmt::Write) -> fmt::Result {
    for character in value.chars() {
        match character {
            '\\' => out.write_str("\\\\")?,
            '"' => out.write_str("\\\"")?,
            '\n' => out.write_str("\\n")?,
            other => out.write_char(other)?,
        }
    }
    Ok(())
}

/// Whoever has series to show.
pub(super) trait Show {
    fn show(&self, page: &mut Page<'_>) -> fmt::Result;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_end_its_label_or_its_line() {
        let mut out = String::new();
        escape("a\"} 1\n# EOF\\", &mut out).unwrap();
        assert_eq!(out, "a\\\"} 1\\n# EOF\\\\");
    }
}
