//! `earthcatalog export`: whole Items, as they were, each once.

mod hrefs;
mod stac_geoparquet;

use std::fmt;
use std::time::Instant;

use arrow::array::AsArray;
use chrono::{DateTime, Utc};
use datafusion::common::DataFusionError;
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::prelude::SessionContext;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::Token;
use earthcatalog_plans::model::items::{ItemSchema, ItemSchemaError, NotItems};
use earthcatalog_plans::query::{Geometry, PlaceError, in_time_sql, place_sql};
use earthcatalog_plans::scan::records::About;
use earthcatalog_plans::search::{Fields, Search, SearchError};
use earthcatalog_plans::table::CollectionDocument;
use futures::TryStreamExt;
use serde_json::{Map, Value};
use thiserror::Error;

pub use self::hrefs::HrefsWriter;
use self::stac_geoparquet::Written;
pub use self::stac_geoparquet::{Encoding, write as write_stac_geoparquet};
use crate::output::{ItemsWriter, NamedFormat, Output, OutputError, RowWriter, Sink};
use crate::reason::reason;
use crate::report::{count, counted};
use crate::rows::Row;
use crate::script::{Arguments, Planned, Script, ScriptError, Statement};

/// How Items are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ExportFormat {
    /// One Item per line
    Ndjson,
    /// One FeatureCollection
    #[value(alias = "geojson")]
    Itemcollection,
    /// A stac-geoparquet file
    #[value(alias = "geoparquet")]
    StacGeoparquet,
}

impl NamedFormat for ExportFormat {
    const ENDINGS: &'static [(&'static str, Self)] = &[
        ("ndjson", Self::Ndjson),
        ("jsonl", Self::Ndjson),
        ("json", Self::Itemcollection),
        ("geojson", Self::Itemcollection),
        ("parquet", Self::StacGeoparquet),
        ("geoparquet", Self::StacGeoparquet),
    ];

    fn compresses_itself(self) -> bool {
        self == Self::StacGeoparquet
    }
}

/// Which Items are exported.
#[derive(Debug, Clone)]
pub enum Question {
    /// Rows of a query, of which each is an Item.
    Sql(String),
    /// Items that meet some conditions.
    Items(ItemsQuestion),
    /// Those that a STAC search finds.
    Search(SearchQuestion),
}

/// Conditions on Items, all of which they must meet; those that are not given are met by all.
#[derive(Debug, Clone, Default)]
pub struct ItemsQuestion {
    /// They intersect it.
    pub place: Option<Geometry>,
    /// Their instant or interval shares a moment with the time from here …
    pub start: Option<DateTime<Utc>>,
    /// … to here.
    pub end: Option<DateTime<Utc>>,
    /// They have one of these ids.
    pub ids: Option<Vec<String>>,
    /// They are of one of these collections.
    pub collections: Option<Vec<String>>,
    /// This is true of them: an expression of SQL over the columns of `items`.
    pub condition: Option<String>,
}

/// A STAC search.
#[derive(Debug, Clone, Default)]
pub struct SearchQuestion {
    /// A JSON object, without `fields`.
    pub parameters: String,
    /// What is written of each Item; `None` is all.
    pub fields: Option<Fields>,
}

impl SearchQuestion {
    /// Of the parameters of a search, `fields` among them; an error names the one that is wrong.
    pub fn from_parameters(mut parameters: Map<String, Value>) -> Result<Self, SearchError> {
        let fields = Search::try_from(parameters.clone())?.fields;
        parameters.shift_remove("fields");
        Ok(Self { parameters: Value::Object(parameters).to_string(), fields })
    }

    /// The statement that selects `columns` of the Items that are found.
    pub fn statement(&self, columns: &str) -> Result<Statement, ScriptError> {
        let sql = format!("-- $search VARCHAR\nSELECT {columns} FROM stac_search(items, $search)");
        let arguments = Arguments::new().with("search", &self.parameters);
        let mut statements = Script::parse("search", &sql)?.bind(&arguments)?;
        // The script has one.
        Ok(statements.remove(0))
    }
}

/// Why Items could not be exported.
#[derive(Debug, Error)]
pub enum ExportError {
    #[error("--geometry: {0}")]
    Place(#[from] PlaceError),
    #[error(transparent)]
    Script(#[from] ScriptError),
    #[error("--where takes one condition: {0}")]
    Condition(String),
    #[error("--query takes one statement, and {0} were given")]
    Statements(usize),
    #[error("--query: {0}")]
    NotItems(#[from] NotItems),
    #[error("stac-geoparquet holds whole Items; leave --fields out, or write ndjson")]
    PartOfItems,
    #[error(transparent)]
    Schema(#[from] ItemSchemaError),
    #[error("{}", reason(.0))]
    Query(#[from] DataFusionError),
    #[error(transparent)]
    Output(OutputError),
}

impl From<OutputError> for ExportError {
    fn from(error: OutputError) -> Self {
        match error {
            OutputError::Query(error) => Self::Query(error),
            other => Self::Output(other),
        }
    }
}

/// What was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Exported {
    pub items: u64,
    /// Items that the format cannot hold exactly.
    pub inexact: u64,
    /// The members and properties in which those differ.
    pub inexact_members: Vec<String>,
    /// Columns that are JSON text, because their values are of several types.
    pub text_columns: Vec<String>,
    pub seconds: f64,
}

/// Rows of whole Items in a batch: a merge of what went to disk holds several batches, of some kilobytes a row.
pub const BATCH_ROWS: usize = 256;

/// Prepares `session` for rows of whole Items.
pub fn expect_wide_rows(session: &SessionContext) {
    let state = session.state_ref();
    let mut state = state.write();
    *state.config_mut() = state.config().clone().with_batch_size(BATCH_ROWS);
}

/// Writes the Items in question to `sink`, which stays open. `session` knows the tables of the warehouse.
///
/// Errors: a query whose rows are not whole Items.
pub async fn export(
    session: &SessionContext,
    question: &Question,
    format: ExportFormat,
    sink: &mut Sink<'_>,
) -> Result<Exported, ExportError> {
    let started = Instant::now();
    let (rows, planned) = ask(session, question).await?;
    let fields = match question {
        Question::Search(search) => search.fields.clone(),
        _ => None,
    };
    let failed = |e| match e {
        OutputError::Query(e) => ExportError::Script(planned.failed(e)),
        e => e.into(),
    };
    let written = match format {
        ExportFormat::Ndjson => write(rows, ItemsWriter::lines().with_fields(fields), sink).await,
        ExportFormat::Itemcollection => write(rows, ItemsWriter::collection().with_fields(fields), sink).await,
        ExportFormat::StacGeoparquet if fields.is_some() => return Err(ExportError::PartOfItems),
        ExportFormat::StacGeoparquet => {
            let documents = documents(session).await?;
            write_stac_geoparquet(rows, session, Encoding::Parquet, &documents, sink).await
        }
    };
    let Written { items, lost, mixed } = written.map_err(failed)?;
    Ok(Exported {
        items,
        inexact: lost.items,
        inexact_members: lost.members.into_iter().collect(),
        text_columns: mixed,
        seconds: started.elapsed().as_secs_f64(),
    })
}

impl fmt::Display for Exported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {:.3} s", counted(self.items, "Item"), self.seconds)?;
        if self.inexact > 0 {
            let members = if self.inexact_members.is_empty() {
                String::new()
            } else {
                format!(" ({})", named(&self.inexact_members))
            };
            write!(
                f,
                "; stac-geoparquet cannot hold all members of {} of them exactly{members}; ndjson can",
                count(self.inexact)
            )?;
        }
        if !self.text_columns.is_empty() {
            let columns = named(&self.text_columns);
            write!(f, "; these are JSON text, because their values are of several types: {columns}")?;
        }
        Ok(())
    }
}

/// The first of some names, and how many there are beside them.
fn named(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let mut text = names[..names.len().min(SHOWN)].join(", ");
    if names.len() > SHOWN {
        text += &format!(" and {} more", names.len() - SHOWN);
    }
    text
}

async fn write(
    mut rows: SendableRecordBatchStream,
    mut writer: impl RowWriter,
    sink: &mut Sink<'_>,
) -> Result<Written, OutputError> {
    let mut items = 0;
    while let Some(batch) = rows.try_next().await? {
        items += batch.num_rows() as u64;
        writer.write(&batch, sink.buffer())?;
        sink.flush_if_full().await?;
    }
    writer.finish(sink.buffer())?;
    Ok(Written { items, ..Written::default() })
}

async fn ask(
    session: &SessionContext,
    question: &Question,
) -> Result<(SendableRecordBatchStream, Planned), ExportError> {
    let statements = match question {
        Question::Sql(text) => Script::parse("--query", text)?.bind(&Arguments::new())?,
        Question::Items(items) => Script::parse("export", &items.sql()?)?.bind(&Arguments::new())?,
        Question::Search(search) => vec![search.statement("*")?],
    };
    let [statement] = &statements[..] else { return Err(ExportError::Statements(statements.len())) };
    let planned = match (statement.plan(session).await, question) {
        // The statement is ours; of it, only the condition can be wrong.
        (Err(error), Question::Items(ItemsQuestion { condition: Some(condition), .. })) => {
            let alone = Script::parse("--where", &format!("SELECT * FROM items WHERE {condition}"))?;
            let statements = alone.bind(&Arguments::new())?;
            return Err(match statements[0].plan(session).await {
                Err(of_condition) => of_condition.into(),
                Ok(_) => error.into(),
            });
        }
        (planned, _) => planned?,
    };
    let rows = planned.execute()?;
    let items = ItemSchema::from_table(session.table("items").await?.schema().as_arrow())?;
    items.check_items(&rows.schema())?;
    Ok((rows, planned))
}

/// The Collections that were given for the Items of the warehouse.
async fn documents(session: &SessionContext) -> Result<Vec<CollectionDocument>, DataFusionError> {
    let mut documents = vec![];
    for batch in session.table(About::Collections.table("items")).await?.collect().await? {
        let texts = batch.column_by_name("document").map(|column| column.as_string_view().clone());
        let json = texts.iter().flat_map(|texts| texts.iter().flatten()).map(serde_json::from_str::<Value>);
        documents.extend(json.filter_map(|json| CollectionDocument::try_from(json.ok()?).ok()));
    }
    Ok(documents)
}

/// How many Items a search finds.
pub async fn count_items(session: &SessionContext, search: &SearchQuestion) -> Result<u64, ExportError> {
    let planned = search.statement("count(*) AS items")?.plan(session).await?;
    let rows: Vec<_> = planned.execute()?.try_collect().await.map_err(|e| planned.failed(e))?;
    let row = rows.first().and_then(|batch| Row::nth(batch, 0));
    Ok(row.and_then(|row| row.number("items")).unwrap_or_default())
}

/// Writes the addresses of the assets of the Items that a search finds, one a line: of all assets, or of those called
/// `asset`. `sink` stays open.
pub async fn export_hrefs(
    session: &SessionContext,
    search: &SearchQuestion,
    asset: Option<&str>,
    sink: &mut Sink<'_>,
) -> Result<(), ExportError> {
    let planned = search.statement("assets, links")?.plan(session).await?;
    let written = write(planned.execute()?, HrefsWriter { asset }, sink).await;
    written.map(drop).map_err(|e| match e {
        OutputError::Query(e) => ExportError::Script(planned.failed(e)),
        e => e.into(),
    })
}

impl ItemsQuestion {
    /// The query for the Items, in the order of their ids: the same Items make the same file.
    fn sql(&self) -> Result<String, ExportError> {
        let mut conditions = vec![];
        if let Some(place) = &self.place {
            conditions.push(format!("ST_Intersects(geometry, {})", place_sql(place)?));
        }
        conditions.extend(in_time_sql(self.start, self.end)?);
        let quoted = |value: &String| format!("'{}'", value.replace('\'', "''"));
        let listed = |values: &Vec<String>| values.iter().map(quoted).collect::<Vec<_>>().join(", ");
        conditions.extend(self.ids.as_ref().map(|ids| format!("id IN ({})", listed(ids))));
        conditions.extend(self.collections.as_ref().map(|names| format!("collection IN ({})", listed(names))));
        if let Some(condition) = &self.condition {
            check_condition(condition)?;
            // On lines of its own: it may end with a comment.
            conditions.push(format!("(\n{condition}\n)"));
        }
        let filter = if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
        Ok(format!("SELECT * FROM items{filter} ORDER BY id"))
    }
}

/// Errors unless a text is one expression of SQL.
fn check_condition(text: &str) -> Result<(), ExportError> {
    let parsed = Parser::new(&GenericDialect {}).try_with_sql(text).and_then(|mut parser| {
        parser.parse_expr()?;
        parser.expect_token(&Token::EOF)
    });
    parsed.map(drop).map_err(|e| ExportError::Condition(reason(&e.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_becomes_conditions() {
        let place = earthcatalog_plans::query::parse_place("1,2,3,4").ok();
        let question = ItemsQuestion { place, start: "2020-01-01T00:00:00Z".parse().ok(), ..ItemsQuestion::default() };
        let sql = question.sql().unwrap();
        assert!(sql.starts_with("SELECT * FROM items WHERE ST_Intersects(geometry, ST_GeomFromWKB(X'0103"), "{sql}");
        assert!(sql.ends_with("')) AND ((\"datetime\" >= '2020-01-01T00:00:00.000000Z') OR (end_datetime >= '2020-01-01T00:00:00.000000Z')) ORDER BY id"), "{sql}");
        assert_eq!(ItemsQuestion::default().sql().unwrap(), "SELECT * FROM items ORDER BY id");
        let question = ItemsQuestion {
            ids: Some(vec!["a".into(), "it's".into()]),
            collections: Some(vec!["c".into()]),
            condition: Some("a OR b -- either".into()),
            ..ItemsQuestion::default()
        };
        assert_eq!(
            question.sql().unwrap(),
            "SELECT * FROM items WHERE id IN ('a', 'it''s') AND collection IN ('c') AND (\na OR b -- either\n) ORDER BY id"
        );
    }

    #[test]
    fn a_condition_is_one_expression() {
        for wrong in ["a = 1) OR (b = 2", "", "a = 1; DROP TABLE items", "a b"] {
            let question = ItemsQuestion { condition: Some(wrong.into()), ..ItemsQuestion::default() };
            let error = question.sql().unwrap_err().to_string();
            assert!(error.starts_with("--where takes one condition: "), "{wrong}: {error}");
        }
    }
}
