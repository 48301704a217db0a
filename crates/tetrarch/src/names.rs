//! What nodes and clients may be called: their names are parts of URIs, directories and variables.

/// Most characters in a name.
const MAX: usize = 63;

/// Whether `name` may name a node or a client.
///
/// # Errors
/// The rule that it breaks, as the end of a sentence.
pub fn check_node_name(name: &str) -> Result<(), String> {
    let inner = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let first = name.chars().next();
    if first.is_some_and(|c| c.is_ascii_alphanumeric())
        && name.len() <= MAX
        && name.chars().all(inner)
    {
        return Ok(());
    }
    Err(format!(
        "must be 1 to {MAX} letters, digits, '.', '_' or '-', beginning with a letter or digit, \
         not `{name}`"
    ))
}

/// For clap: the name, or why it is none.
///
/// # Errors
/// The rule that it breaks.
pub fn parse_name(name: &str) -> Result<String, String> {
    check_node_name(name).map(|()| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_leave_a_directory_or_a_uri_are_refused() {
        for good in ["n1", "eu-west.1", "A_b"] {
            assert_eq!(check_node_name(good), Ok(()));
        }
        let long = "x".repeat(64);
        for bad in ["", ".", "..", "a/b", "-a", "ä", "a b", "a%2f", &long] {
            assert!(check_node_name(bad).is_err(), "{bad}");
        }
    }
}
