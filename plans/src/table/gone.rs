//! [`unless_gone`]: what lies beside the table, where another engine may have deleted it.

use iceberg::io::FileIO;

use super::error::Result;

/// What `read` found; `None` if it failed because there is nothing at `location`: whoever deleted that knew nothing of us, and
/// what it said is unknown from then on.
pub(crate) async fn unless_gone<T>(
    io: &FileIO,
    location: &str,
    read: impl Future<Output = Result<T>>,
) -> Result<Option<T>> {
    match read.await {
        Ok(found) => Ok(Some(found)),
        Err(e) => match io.exists(location).await {
            Ok(false) => Ok(None),
            _ => Err(e),
        },
    }
}
