//! Which kinds of durable steps the scripts take: a step that no script takes is never cut.

use std::collections::BTreeSet;

use super::scripts::Script;
use crate::disk::{Change, Step};

impl Script {
    /// The kinds of steps that are cut: what is changed, and of what kind of file.
    #[must_use]
    pub fn kinds(&self) -> BTreeSet<(Change, String)> {
        let steps = self.steps();
        steps.iter().map(|step| (step.change, kind(step))).collect()
    }
}

/// A path with what is individual in it left out.
fn kind(step: &Step) -> String {
    let text = step.path.to_string_lossy();
    let parts = text.split('/').map(|part| {
        let is_individual = |byte: u8| byte.is_ascii_hexdigit() || byte == b'.' || byte == b'-';
        let (name, end) = part.rsplit_once('.').unwrap_or((part, ""));
        if name.len() >= 16 && name.bytes().all(is_individual) {
            return if end.is_empty() || end.bytes().all(|byte| byte.is_ascii_digit()) {
                "…".to_owned()
            } else {
                format!("….{end}")
            };
        }
        if let Some(rest) = part.strip_prefix("fork-") {
            let is_id = |digit: char| digit.is_ascii_hexdigit();
            return format!("fork-…{}", rest.trim_start_matches(is_id));
        }
        match part.strip_prefix("seg-") {
            Some(rest) => format!(
                "seg-…{}",
                rest.trim_start_matches(|digit: char| digit.is_ascii_digit())
            ),
            None => part.to_owned(),
        }
    });
    parts.collect::<Vec<String>>().join("/")
}
