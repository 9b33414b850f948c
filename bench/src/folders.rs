//! Where the bench finds things, and where it puts its own.

use std::path::{Path, PathBuf};

/// The folder of the project.
pub fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("bench/ is a folder of the project")
}

/// The folder of what the bench makes.
pub fn target() -> PathBuf {
    checkout().join("target/bench")
}
