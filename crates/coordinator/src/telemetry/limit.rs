//! Which channels have series of their own. A node may hold thousands of channels and a metrics
//! store pays for each series, so channels are chosen by a pattern and up to a number; the others
//! share the series of [`OTHER`].

/// The value of the label `channel` under which all channels without series of their own appear.
/// No channel can have this name: names that begin with two underscores belong to the mesh.
pub const OTHER: &str = "__other__";

/// Which channels have series of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesLimit {
    /// Only channels with such a name.
    pub pattern: Pattern,
    /// At most so many.
    pub max_channels: usize,
}

impl Default for SeriesLimit {
    /// Every channel, up to five hundred: about ten thousand series on a node.
    fn default() -> Self {
        Self {
            pattern: Pattern::new("*"),
            max_channels: 500,
        }
    }
}

impl SeriesLimit {
    /// Whether one more channel may have series of its own, when `taken` have them already. The
    /// mesh's own channels always may: they are few, and everything hangs on them.
    pub(super) fn admits(&self, channel: &str, taken: usize) -> bool {
        channel.starts_with("__") || (taken < self.max_channels && self.pattern.matches(channel))
    }
}

/// A pattern of names: `*` stands for any characters, also none, and `?` for any single one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// Every text is a pattern.
    #[must_use]
    pub fn new(pattern: impl Into<String>) -> Self {
        Self(pattern.into())
    }

    /// The text of the pattern.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the whole of `name` is such a name. Takes at most time proportional to the product
    /// of the two lengths: only the last `*` is ever tried again.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let pattern: Vec<char> = self.0.chars().collect();
        let name: Vec<char> = name.chars().collect();
        let (mut at, mut seen) = (0, 0);
        let mut retry = None;
        while seen < name.len() {
            match pattern.get(at) {
                Some('*') => {
                    retry = Some((at + 1, seen));
                    at += 1;
                }
                Some(wanted) if *wanted == '?' || *wanted == name[seen] => {
                    at += 1;
                    seen += 1;
                }
                _ => {
                    let Some((after_star, swallowed)) = retry else {
                        return false;
                    };
                    retry = Some((after_star, swallowed + 1));
                    (at, seen) = (after_star, swallowed + 1);
                }
            }
        }
        pattern[at..].iter().all(|rest| *rest == '*')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        let cases = [
            ("*", "orders", true),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("orders", "orders", true),
            ("orders", "orders.eu", false),
            ("eu/*", "eu/orders", true),
            ("eu/*", "us/orders", false),
            ("*.v?", "orders.v2", true),
            ("*.v?", "orders.v", false),
            ("*a*b*c", "xxaxxbxxbc", true),
            ("*a*b*c", "xxaxxbxxbcd", false),
            ("a**", "a", true),
            ("*ab", "aab", true),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(
                Pattern::new(pattern).matches(name),
                expected,
                "{pattern} and {name}"
            );
        }
    }

    #[test]
    fn the_number_and_the_pattern_both_limit_and_the_mesh_is_exempt() {
        let limit = SeriesLimit {
            pattern: Pattern::new("eu/*"),
            max_channels: 2,
        };
        assert!(limit.admits("eu/a", 1));
        assert!(!limit.admits("eu/a", 2));
        assert!(!limit.admits("us/a", 0));
        assert!(limit.admits("__meta", 2));
    }
}
