//! Bodies and listings that go on where they broke off.

use std::ops::Range;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{Error, GetOptions, GetRange, GetResult, ObjectMeta, ObjectStore, Result};

use super::retry::{ATTEMPTS, Retrying, is_transient};

/// The bytes of an object that are still to come.
pub(super) struct Body {
    store: Retrying,
    path: Path,
    options: GetOptions,
    meta: ObjectMeta,
    range: Range<u64>,
    rest: Range<u64>,
    pieces: BoxStream<'static, Result<Bytes>>,
    /// Attempts without a byte since.
    attempt: u32,
}

impl Body {
    pub fn stream(
        store: Retrying,
        path: Path,
        options: GetOptions,
        result: GetResult,
    ) -> BoxStream<'static, Result<Bytes>> {
        let (meta, range) = (result.meta.clone(), result.range.clone());
        let (rest, pieces) = (range.clone(), result.into_stream());
        let body = Self { store, path, options, meta, range, rest, pieces, attempt: 1 };
        let resumed = stream::try_unfold(body, |mut body| async move {
            let piece = body.next().await.map_err(|e| body.store.service.advise(e))?;
            Ok(piece.map(|piece| (piece, body)))
        });
        resumed.boxed()
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            let error = match self.pieces.next().await {
                Some(Ok(piece)) => {
                    self.rest.start += piece.len() as u64;
                    self.attempt = if piece.is_empty() { self.attempt } else { 1 };
                    return Ok(Some(piece));
                }
                // Whatever goes wrong after the last byte.
                None | Some(Err(_)) if self.rest.is_empty() => return Ok(None),
                None => self.broken(format!("{} bytes before its end", self.rest.end - self.rest.start)),
                Some(Err(e)) => e,
            };
            if self.attempt == ATTEMPTS || !matches!(error, Error::Generic { .. }) {
                return Err(error);
            }
            self.store.wait(self.attempt).await;
            self.attempt += 1;
            self.resume().await?;
        }
    }

    async fn resume(&mut self) -> Result<()> {
        // Without an ETag there is nothing to hold a range against; such servers often know no ranges, either.
        let range = self.meta.e_tag.is_some().then(|| GetRange::Bounded(self.rest.clone()));
        let delivered = if range.is_some() { 0 } else { self.rest.start - self.range.start };
        let options = GetOptions {
            range: range.or_else(|| self.options.range.clone()),
            if_match: self.meta.e_tag.clone(),
            if_none_match: None,
            ..self.options.clone()
        };
        let resumed = self.store.repeat(|| self.store.inner.get_opts(&self.path, options.clone())).await?;
        if resumed.meta != self.meta {
            return Err(self.broken("and is another one now".to_owned()));
        }
        self.pieces = without_first(resumed.into_stream(), delivered);
        Ok(())
    }

    fn broken(&self, how: String) -> Error {
        Error::Generic { store: "earthcatalog", source: format!("{} broke off {how}", self.path).into() }
    }
}

fn without_first(pieces: BoxStream<'static, Result<Bytes>>, bytes: u64) -> BoxStream<'static, Result<Bytes>> {
    if bytes == 0 {
        return pieces;
    }
    let rest = pieces.scan(bytes, |left, piece| {
        let piece = piece.map(|mut piece| {
            let first = piece.len().min(*left as usize);
            *left -= first as u64;
            piece.split_off(first)
        });
        std::future::ready(Some(piece))
    });
    rest.boxed()
}

/// The objects that are still to be listed.
pub(super) struct Listing {
    store: Retrying,
    prefix: Option<Path>,
    /// Listed last.
    last: Option<Path>,
    entries: Option<BoxStream<'static, Result<ObjectMeta>>>,
    /// Whether what was listed came in the order in which a listing can be resumed.
    in_order: bool,
    /// Attempts without an object since.
    attempt: u32,
}

impl Listing {
    /// What is below `prefix`, and comes after `offset`.
    pub fn stream(
        store: Retrying,
        prefix: Option<Path>,
        offset: Option<Path>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let listing = Self { store, prefix, last: offset, entries: None, in_order: true, attempt: 1 };
        let entries = stream::unfold(Some(listing), |listing| async move {
            let mut listing = listing?;
            match listing.next().await {
                Ok(Some(entry)) => Some((Ok(entry), Some(listing))),
                Ok(None) => None,
                Err(e) => Some((Err(listing.store.service.advise(e)), None)),
            }
        });
        entries.boxed()
    }

    async fn next(&mut self) -> Result<Option<ObjectMeta>> {
        loop {
            let entries = match &mut self.entries {
                Some(entries) => entries,
                entries => entries.insert(match &self.last {
                    Some(last) => self.store.inner.list_with_offset(self.prefix.as_ref(), last),
                    None => self.store.inner.list(self.prefix.as_ref()),
                }),
            };
            match entries.next().await.transpose() {
                Ok(Some(entry)) => {
                    self.in_order &= self.last.as_ref().is_none_or(|last| *last < entry.location);
                    self.last = Some(entry.location.clone());
                    self.attempt = 1;
                    return Ok(Some(entry));
                }
                Ok(None) => return Ok(None),
                Err(e) if self.attempt == ATTEMPTS || !self.in_order || !is_transient(&e) => return Err(e),
                Err(_) => {
                    self.store.wait(self.attempt).await;
                    self.attempt += 1;
                    self.entries = None;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt;
    use object_store::ObjectStoreExt;

    use super::super::faults::{Fault, Operation};
    use super::super::retry::tests::{SEEDS, failing};
    use super::*;

    fn bytes(length: usize) -> Bytes {
        (0..length).map(|i| (i % 251) as u8).collect::<Vec<_>>().into()
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_resumed_where_it_did() {
        let long = bytes(100_000);
        for seed in SEEDS {
            let (store, sound, faults) = failing(seed, 0.5, &[Fault::Body]);
            sound.put(&"a".into(), long.clone().into()).await.unwrap();
            for _ in 0..5 {
                assert_eq!(store.get(&"a".into()).await.unwrap().bytes().await.unwrap(), long);
                assert_eq!(store.get_range(&"a".into(), 7..70_000).await.unwrap(), long.slice(7..70_000));
            }
            assert!(faults.requests(Operation::Get, "a") > 10);
        }
    }

    #[tokio::test]
    async fn an_object_that_is_replaced_while_it_is_read_is_never_a_mixture() {
        let (store, sound, _) = failing(0, 1., &[Fault::Body]);
        sound.put(&"a".into(), bytes(1000).into()).await.unwrap();
        let begun = store.get(&"a".into()).await.unwrap();
        sound.put(&"a".into(), vec![0; 1000].into()).await.unwrap();
        assert!(begun.bytes().await.is_err());
    }

    #[tokio::test]
    async fn an_error_after_the_last_byte_is_none() {
        let (store, sound, _) = failing(0, 0., &[]);
        sound.put(&"a".into(), "abc".into()).await.unwrap();
        let mut result = sound.get(&"a".into()).await.unwrap();
        let late = Error::Generic { store: "test", source: "the connection was reset".into() };
        let pieces = stream::iter([Ok(Bytes::from("abc")), Err(late)]).boxed();
        result.payload = object_store::GetResultPayload::Stream(pieces);
        let body = Body::stream(store, "a".into(), GetOptions::default(), result);
        assert_eq!(body.try_collect::<Vec<_>>().await.unwrap().concat(), b"abc");
    }

    #[tokio::test]
    async fn without_ranges_what_came_before_is_left_out() {
        for delivered in [0, 1, 3, 4, 6] {
            let pieces = ["abc", "", "d", "ef"].map(|piece| Ok(Bytes::from(piece)));
            let rest = without_first(stream::iter(pieces).boxed(), delivered);
            let rest = rest.try_collect::<Vec<_>>().await.unwrap().concat();
            assert_eq!(rest, &b"abcdef"[delivered as usize..]);
        }
    }

    #[tokio::test]
    async fn a_listing_that_breaks_off_goes_on_and_repeats_nothing() {
        for seed in SEEDS {
            let (store, sound, _) = failing(seed, 0.6, &[Fault::Body, Fault::Before]);
            for n in 0..100 {
                sound.put(&format!("f/{n:03}").into(), "x".into()).await.unwrap();
            }
            let listed: Result<Vec<_>> = store.list(None).map_ok(|meta| meta.location.to_string()).try_collect().await;
            // At this rate some give up.
            if let Ok(listed) = listed {
                assert_eq!(listed, (0..100).map(|n| format!("f/{n:03}")).collect::<Vec<_>>());
            }
        }
    }
}
