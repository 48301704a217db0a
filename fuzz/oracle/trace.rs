//! What happens in a life, told as it happens, for whoever wants to see how an input came to break
//! something: `TETRARCH_FUZZ_TRACE=1`.

use std::sync::LazyLock;

static IS_WANTED: LazyLock<bool> =
    LazyLock::new(|| std::env::var_os("TETRARCH_FUZZ_TRACE").is_some());

#[allow(clippy::print_stderr, reason = "it was asked for")]
pub(crate) fn say(what: impl FnOnce() -> String) {
    if *IS_WANTED {
        eprintln!("{}", what());
    }
}
