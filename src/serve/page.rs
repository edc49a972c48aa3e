//! A page of the Items that a search finds: one FeatureCollection, written while it is sent.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use datafusion::catalog::TableProvider;
use datafusion::common::Result as DataFusionResult;
use datafusion::common::runtime::SpawnedTask;
use datafusion::physical_plan::SendableRecordBatchStream;
use earthcatalog_plans::query::ItemsTable;
use earthcatalog_plans::scan::rows_to_read;
use earthcatalog_plans::search::{Fields, Page, Position, Search};
use futures::TryStreamExt;
use serde_json::{Map, Value, json};
use url::form_urlencoded::Serializer;

use super::App;
use super::answer::{Pieces, WriteBody, streamed};
use super::error::ApiError;
use super::feature::Features;
use super::links::{Base, GEOJSON, JSON, link};
use super::matched::matched;
use super::parameters::{Asked, Given};
use super::reader::{View, items};
use super::token::Token;
use crate::export::BATCH_ROWS;
use crate::output::{Output, OutputError};

/// Rows that are read for a page, whatever it shows of them.
const FEW_ROWS: u64 = 5_000;

/// Where the pages of a search are.
pub(super) struct Place {
    pub base: Base,
    /// Without parameters.
    pub href: String,
    /// The one whose Items are asked for.
    pub collection: Option<String>,
}

/// A page of what was asked for.
pub(super) async fn page(app: &App, view: &View, asked: Asked, place: Place) -> Result<Response, ApiError> {
    let fingerprint = asked.fingerprint(&place.href);
    let token = asked.token.as_deref().map(Token::read).transpose()?;
    let table = match &token {
        Some(token) => {
            token.check(fingerprint)?;
            view.at(token.snapshot).ok_or_else(|| ApiError::gone(token.snapshot))?
        }
        None => Arc::clone(&view.items),
    };
    let mut search = asked.sorted()?;
    search.fields = search.fields.map(Fields::with_identity);
    let position = |token: &Token| {
        let position = Position::from_json(&token.position, &search, &table.schema());
        position.ok_or_else(|| ApiError::parameter("token", "it is of another table; begin the search again"))
    };
    let position = token.as_ref().map(position).transpose()?;

    let permit = app.permit().await?;
    let limit = asked.limit();
    // One more tells whether there is a next page.
    let wanted = Search { limit: Some(limit + 1), ..search.clone() };
    let (page, first, rows) = match (begin(app, view, &table, &wanted, position.as_ref()).await, &token) {
        (Ok(begun), _) => begun,
        // The files of the snapshot may have been deleted since.
        (Err(_), Some(token)) if app.reader.has_expired(token.snapshot).await => {
            return Err(ApiError::gone(token.snapshot));
        }
        (Err(error), _) => return Err(error),
    };
    // Items that are all on this page need not be counted.
    let is_full = first.as_ref().is_some_and(|first| first.num_rows() >= BATCH_ROWS.min(limit + 1));
    let count = match &token {
        Some(token) => Count::Known(token.matched),
        None if is_full => {
            let (app, search) = (app.clone(), search.clone());
            Count::Counting(SpawnedTask::spawn(async move { matched(&app.reader, table, &search).await }))
        }
        None => Count::OfPage,
    };
    let snapshot = token.map(|token| token.snapshot).or(view.snapshot()).unwrap_or_default();
    let features = Features { base: place.base.clone(), fields: search.fields };
    let writer = Writer { page, features, limit, written: 0, last: None, has_more: false };
    let end = End { place, asked, snapshot, fingerprint, count };
    let body = streamed(permit, app.options.timeout, Begun { first, rows, writer, end });
    Ok(([(header::CONTENT_TYPE, GEOJSON)], body).into_response())
}

/// A page, its first rows, and those behind them.
type Rows = (Page, Option<RecordBatch>, SendableRecordBatchStream);

/// Begins a page. Of a search that would read much, the newest Items first, only the newest years are looked at, if they
/// have enough of them.
async fn begin(
    app: &App,
    view: &View,
    table: &Arc<ItemsTable>,
    wanted: &Search,
    after: Option<&Position>,
) -> Result<Rows, ApiError> {
    let new = |since| {
        let table = Arc::clone(table) as Arc<dyn TableProvider>;
        Page::new(&items(), table, wanted, after, since).map_err(ApiError::planning)
    };
    let page = new(None)?;
    let plan = app.reader.plan(&page.plan).await?;
    let limit = wanted.limit.unwrap_or(usize::MAX);
    // Of more, it takes several batches to tell whether they are enough.
    if Page::is_newest_first(wanted) && limit <= BATCH_ROWS {
        let since = match rows_to_read(&plan).map_err(ApiError::planning)? {
            Some(rows) if rows <= FEW_ROWS => None,
            rows => {
                let all = app.reader.overview(view).await.map_err(ApiError::running)?;
                // Of the rows that would be read, as large a share is in these years as of all rows.
                let share = rows.map_or(1.0, |rows| rows as f64 / all.rows.max(1) as f64);
                all.since((FEW_ROWS as f64 / share) as u64, after.and_then(Position::time))
            }
        };
        if let Some(since) = since {
            let page = new(Some(since))?;
            let mut rows = app.reader.rows(&page.plan).await?;
            let first = rows.try_next().await.map_err(ApiError::running)?;
            if first.as_ref().is_some_and(|first| first.num_rows() >= limit) {
                return Ok((page, first, rows));
            }
        }
    }
    let mut rows = app.reader.begin(plan)?;
    let first = rows.try_next().await.map_err(ApiError::running)?;
    Ok((page, first, rows))
}

/// A page that has begun.
struct Begun {
    first: Option<RecordBatch>,
    rows: SendableRecordBatchStream,
    writer: Writer,
    end: End,
}

impl WriteBody for Begun {
    async fn write(mut self, out: &mut Pieces) -> Result<(), OutputError> {
        out.buffer().extend_from_slice(br#"{"type":"FeatureCollection","features":["#);
        let mut next = self.first;
        while let Some(batch) = next {
            self.writer.write(&batch, out.buffer())?;
            out.flush_if_full().await?;
            next = self.rows.try_next().await?;
        }
        self.end.write(self.writer, out.buffer()).await
    }
}

/// Writes Items, up to a number of them.
struct Writer {
    page: Page,
    features: Features,
    limit: usize,
    written: usize,
    /// Of the last Item of a full page.
    last: Option<Position>,
    has_more: bool,
}

impl Writer {
    fn write(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), OutputError> {
        let rows = batch.num_rows().min(self.limit - self.written);
        self.has_more |= rows < batch.num_rows();
        let mut is_first = self.written == 0;
        let between = || if std::mem::take(&mut is_first) { &b""[..] } else { b"," };
        self.features.write(&self.page, batch, rows, out, between)?;
        self.written += rows;
        if rows > 0 && self.written == self.limit {
            self.last = Some(self.page.position(batch, rows - 1)?);
        }
        Ok(())
    }
}

/// What comes behind the Items.
struct End {
    place: Place,
    asked: Asked,
    snapshot: i64,
    fingerprint: u64,
    count: Count,
}

/// How many Items a search finds.
enum Count {
    /// As many as there are on the only page.
    OfPage,
    Known(Option<u64>),
    Counting(SpawnedTask<DataFusionResult<Option<u64>>>),
}

impl End {
    async fn write(self, page: Writer, out: &mut Vec<u8>) -> Result<(), OutputError> {
        let (limit, returned) = (page.limit, page.written as u64);
        let matched = match self.count {
            Count::Known(matched) => matched,
            _ if !page.has_more => Some(returned),
            Count::OfPage => None,
            // Nothing is wrong with the Items if they cannot be counted.
            Count::Counting(task) => task.join_unwind().await.ok().and_then(Result::ok).flatten(),
        };
        let token = page.last.filter(|_| page.has_more).map(|position| {
            let (snapshot, search) = (self.snapshot, self.fingerprint);
            Token { snapshot, search, matched, position: position.to_json() }.to_string()
        });
        let mut end = Map::new();
        end.insert("links".into(), links(&self.place, &self.asked, token.as_deref()).into());
        end.insert("numberReturned".into(), returned.into());
        end.extend(matched.map(|matched| ("numberMatched".to_owned(), matched.into())));
        let mut context = json!({"returned": returned, "limit": limit});
        if let Some(matched) = matched {
            context["matched"] = matched.into();
        }
        end.insert("context".into(), context);
        // Its members, in the object that is open.
        let end = Value::Object(end).to_string();
        out.extend_from_slice(b"],");
        out.extend_from_slice(end.strip_prefix('{').unwrap_or(&end).as_bytes());
        Ok(())
    }
}

/// The links of a page, with one to the next where there is a token for it.
fn links(place: &Place, asked: &Asked, next: Option<&str>) -> Vec<Value> {
    let mut links = vec![link("root", &place.base.root(), JSON)];
    if let Some(collection) = &place.collection {
        let at = place.base.collection(collection);
        links.extend(["parent", "collection"].map(|rel| link(rel, &at, JSON)));
    }
    match &asked.given {
        Given::Query(pairs) => {
            let href = |token: Option<&str>| {
                let mut query = Serializer::new(String::new());
                query.extend_pairs(pairs).extend_pairs(token.map(|token| ("token", token)));
                let query = query.finish();
                if query.is_empty() { place.href.clone() } else { format!("{}?{query}", place.href) }
            };
            links.push(link("self", &href(asked.token.as_deref()), GEOJSON));
            links.extend(next.map(|next| {
                let mut next = link("next", &href(Some(next)), GEOJSON);
                next["method"] = "GET".into();
                next
            }));
        }
        Given::Body(members) => {
            links.push(link("self", &place.href, GEOJSON));
            links.extend(next.map(|token| {
                let mut body = members.clone();
                body.insert("token".into(), token.into());
                let mut next = link("next", &place.href, GEOJSON);
                next["method"] = "POST".into();
                next["body"] = body.into();
                // It is all of the body, not something to be put into the one before.
                next["merge"] = false.into();
                next
            }));
        }
    }
    links
}
