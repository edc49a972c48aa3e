//! [`delete`]: removes many objects of a store.

use std::sync::Arc;

use futures::{StreamExt, stream};
use object_store::path::Path;
use object_store::{Error, ObjectStore};

/// What became of objects that were to be deleted.
#[derive(Debug, Default)]
pub(crate) struct Deleted {
    /// By this request; what was gone already is not among them.
    pub paths: Vec<Path>,
    /// Why one could not be deleted; the others went nevertheless.
    pub failed: Option<Error>,
}

/// Deletes objects. One that is not there is no error.
pub(crate) async fn delete(store: &Arc<dyn ObjectStore>, paths: impl IntoIterator<Item = Path>) -> Deleted {
    let paths: Vec<_> = paths.into_iter().map(Ok).collect();
    let mut outcomes = store.delete_stream(stream::iter(paths).boxed());
    let mut deleted = Deleted::default();
    while let Some(outcome) = outcomes.next().await {
        match outcome {
            Ok(path) => deleted.paths.push(path),
            Err(Error::NotFound { .. }) => {}
            Err(e) => deleted.failed = deleted.failed.or(Some(e)),
        }
    }
    deleted
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;

    use super::super::faults::{Fault, Faults, Faulty};
    use super::*;

    #[tokio::test]
    async fn what_is_gone_is_no_error_and_one_that_fails_keeps_none_of_the_others() {
        let sound = Arc::new(InMemory::new());
        let put = async |n: usize| sound.put(&format!("{n}").into(), "x".into()).await.unwrap();
        for n in 0..100 {
            put(n).await;
        }
        let store: Arc<dyn ObjectStore> = sound.clone();
        let paths = || (0..100).map(|n| Path::from(format!("{n}")));
        let deleted = delete(&store, paths().chain([Path::from("never there")])).await;
        assert!(deleted.failed.is_none());
        assert_eq!(sound.list(None).count().await, 0);

        for n in 0..100 {
            put(n).await;
        }
        let faults = Arc::new(Faults::new(1, 0.1, &[Fault::Before]));
        let faulty: Arc<dyn ObjectStore> = Arc::new(Faulty::over(sound.clone(), faults));
        let deleted = delete(&faulty, paths()).await;
        let left = sound.list(None).count().await;
        assert!(deleted.failed.is_some() && left > 0 && left < 100, "{left} left");
        assert_eq!(deleted.paths.len(), 100 - left);
    }
}
