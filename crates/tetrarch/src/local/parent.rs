//! A node that was started for a while ends with the process that started it, however that ends.

use std::io::Read;

use rustix::process::{Signal, set_parent_process_death_signal};

use crate::error::Error;
use crate::exit::Exit;

/// Makes this process end as soon as standard input, which its parent holds open, comes to an end.
/// On Linux the kernel sees to it as well, even if this process is stopped.
///
/// # Errors
/// If the thread that waits for it cannot be started.
pub fn end_with_parent() -> Result<(), Error> {
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(|error| Error::Process {
        what: "watch its parent",
        source: error.into(),
    })?;
    let watch = || {
        let mut byte = [0];
        // Nothing is ever sent: whatever comes back, the parent is gone.
        while std::io::stdin().read(&mut byte).is_ok_and(|read| read > 0) {}
        std::process::exit(Exit::Failed as i32);
    };
    std::thread::Builder::new()
        .name("parent".into())
        .spawn(watch)
        .map(|_| ())
        .map_err(|source| Error::Process {
            what: "watch its parent",
            source,
        })
}
