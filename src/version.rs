//! Which build this is: its version, its commit, and the versions of its engines.

/// The commit that this was built from; `unknown` outside a git checkout.
pub const COMMIT: &str = env!("EARTHCATALOG_GIT_HASH");

/// All of it on one line.
pub const SHORT: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (",
    env!("EARTHCATALOG_GIT_HASH"),
    ", DataFusion ",
    env!("DATAFUSION_VERSION"),
    ", Ballista ",
    env!("BALLISTA_VERSION"),
    ", Iceberg ",
    env!("ICEBERG_VERSION"),
    ")"
);

/// All of it, one a line.
pub const LONG: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\ncommit     ",
    env!("EARTHCATALOG_GIT_HASH"),
    "\nDataFusion ",
    env!("DATAFUSION_VERSION"),
    "\nBallista   ",
    env!("BALLISTA_VERSION"),
    "\nIceberg    ",
    env!("ICEBERG_VERSION"),
);
