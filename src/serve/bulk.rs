//! All Items that a search finds in one answer, as they were ingested: NDJSON, stac-geoparquet, Arrow.

use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::prelude::SessionContext;
use earthcatalog_plans::search::{Fields, search_plan};
use earthcatalog_plans::table::CollectionDocument;
use futures::{StreamExt, TryStreamExt, stream};

use super::App;
use super::answer::{Pieces, WriteBody, streamed};
use super::error::ApiError;
use super::parameters::Asked;
use super::reader::{View, items};
use crate::export::{Encoding, write_stac_geoparquet};
use crate::output::{ItemsWriter, Output, OutputError, RowWriter};

/// A format that holds as many Items as there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bulk {
    Lines,
    Parquet,
    Arrow,
}

impl Bulk {
    const ALL: [Self; 3] = [Self::Lines, Self::Parquet, Self::Arrow];

    fn media_type(self) -> &'static str {
        match self {
            Self::Lines => "application/x-ndjson",
            Self::Parquet => "application/vnd.apache.parquet",
            Self::Arrow => "application/vnd.apache.arrow.stream",
        }
    }

    /// The one that a client wants; `None`: it wants pages, or says nothing that is known here.
    pub fn accepted(headers: &HeaderMap) -> Option<Self> {
        let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let mut best = (0.0, None);
        for range in accepted.flat_map(|value| value.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let media_type = parts.next().unwrap_or_default().to_ascii_lowercase();
            let quality = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok()).unwrap_or(1.0);
            let bulk = Self::ALL.into_iter().find(|bulk| bulk.media_type() == media_type);
            let is_page =
                ["*/*", "application/*", "application/json", "application/geo+json"].contains(&media_type.as_str());
            if quality > best.0 && (bulk.is_some() || is_page) {
                best = (quality, bulk);
            }
        }
        best.1
    }

    /// The Items that were asked for, `limit` of them, or all.
    pub async fn answer(self, app: &App, view: &View, asked: Asked) -> Result<Response, ApiError> {
        if asked.token.is_some() {
            return Err(ApiError::parameter("token", "this format has no pages; leave it out"));
        }
        let search = asked.search;
        if search.fields.is_some() && self != Self::Lines {
            return Err(ApiError::parameter(
                "fields",
                "this format holds whole Items; leave it out, or ask for NDJSON",
            ));
        }
        let permit = app.permit().await?;
        let plan = search_plan(&items(), view.items.clone(), &search).map_err(ApiError::planning)?;
        let mut rows = app.reader.rows(&plan).await?;
        let schema = rows.schema();
        let first = rows.try_next().await.map_err(ApiError::running)?;
        let rows = stream::iter(first.map(Ok)).chain(rows);
        let rows = Box::pin(RecordBatchStreamAdapter::new(schema, rows));
        let begun = Begun {
            bulk: self,
            rows,
            fields: search.fields,
            documents: view.documents(),
            session: app.reader.session().clone(),
        };
        let body = streamed(permit, app.options.timeout, begun);
        Ok(([(header::CONTENT_TYPE, self.media_type())], body).into_response())
    }
}

/// An answer that has begun.
struct Begun {
    bulk: Bulk,
    rows: SendableRecordBatchStream,
    fields: Option<Fields>,
    documents: Vec<CollectionDocument>,
    session: SessionContext,
}

impl WriteBody for Begun {
    async fn write(mut self, out: &mut Pieces) -> Result<(), OutputError> {
        let encoding = match self.bulk {
            Bulk::Lines => {
                let mut writer = ItemsWriter::lines().with_fields(self.fields);
                while let Some(batch) = self.rows.try_next().await? {
                    writer.write(&batch, out.buffer())?;
                    out.flush_if_full().await?;
                }
                return Ok(());
            }
            Bulk::Parquet => Encoding::Parquet,
            Bulk::Arrow => Encoding::ArrowStream,
        };
        write_stac_geoparquet(self.rows, &self.session, encoding, &self.documents, out).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_client_gets_what_it_would_rather_have() {
        let accepted = |accept: &'static str| {
            Bulk::accepted(&HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]))
        };
        assert_eq!(accepted("application/vnd.apache.parquet"), Some(Bulk::Parquet));
        assert_eq!(accepted("application/geo+json, application/x-ndjson"), None);
        assert_eq!(accepted("application/geo+json;q=0.5, application/x-ndjson; q=0.8"), Some(Bulk::Lines));
        assert_eq!(accepted("text/html, APPLICATION/VND.APACHE.ARROW.STREAM;q=0.1"), Some(Bulk::Arrow));
        assert_eq!([accepted("*/*"), accepted("image/png"), accepted("")], [None; 3]);
        assert_eq!(Bulk::accepted(&HeaderMap::new()), None);
    }
}
