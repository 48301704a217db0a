//! Where in an enumeration something is: `trim:57:0110` is the script `trim`, cut before its 57th
//! step, with these decisions; `trim:57:kill/12:00` is a process that was killed there, and the power
//! cut before the 12th step of the start after that.

use std::fmt;
use std::str::FromStr;

/// What ended something before its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The process was killed.
    Kill,
    /// The power was cut, with these decisions about what it has kept.
    Cut(Vec<usize>),
}

/// One image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) script: String,
    pub(crate) step: u64,
    pub(crate) end: End,
    /// The start after that was cut too.
    pub(crate) again: Option<(u64, End)>,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill => f.write_str("kill"),
            Self::Cut(decisions) => decisions
                .iter()
                .map(|one| char::from_digit(u32::try_from(*one).unwrap_or(u32::MAX), 36))
                .try_for_each(|digit| write!(f, "{}", digit.unwrap_or('?'))),
        }
    }
}

impl FromStr for End {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "kill" {
            return Ok(Self::Kill);
        }
        let digits = text.chars().map(|digit| digit.to_digit(36));
        let decisions = digits.map(|digit| digit.map(|digit| digit as usize));
        let decisions: Option<Vec<usize>> = decisions.collect();
        decisions
            .map(Self::Cut)
            .ok_or_else(|| format!("'{text}' is not a list of decisions"))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.script, self.step, self.end)?;
        match &self.again {
            Some((step, end)) => write!(f, "/{step}:{end}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is not a place: SCRIPT:STEP:DECISIONS[/STEP:DECISIONS]");
        let (first, second) = match text.split_once('/') {
            Some((first, second)) => (first, Some(second)),
            None => (text, None),
        };
        let (script, rest) = first.split_once(':').ok_or_else(wrong)?;
        let moment = |text: &str| {
            let (step, end) = text.split_once(':').ok_or_else(wrong)?;
            let step = step.parse().map_err(|_| wrong())?;
            Ok::<(u64, End), String>((step, end.parse()?))
        };
        let (step, end) = moment(rest)?;
        Ok(Self {
            script: script.to_owned(),
            step,
            end,
            again: second.map(moment).transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_back() {
        for text in ["trim:57:01k0", "rot:3:kill", "a:1:/2:0", "a:1:kill/22:000"] {
            let place: Place = text.parse().unwrap();
            assert_eq!(place.to_string(), text);
        }
        for text in ["trim", "trim:x:0", "trim:1:-", "trim:1:0/2"] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }
}
