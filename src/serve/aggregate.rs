//! `/aggregations` and `/aggregate`: numbers of the Items that a search finds.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType};
use axum::extract::{Path, RawQuery, Request, State};
use axum::{Extension, Json};
use chrono::{DateTime, SecondsFormat, Utc};
use datafusion::common::Result as DataFusionResult;
use datafusion::execution::FunctionRegistry;
use datafusion::functions_aggregate::expr_fn::{count, max, min};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, ScalarUDF, ident, lit};
use earthcatalog_plans::model::items::timestamp;
use earthcatalog_plans::query::cells::cells_of;
use earthcatalog_plans::search::{Search, search_plan};
use futures::TryStreamExt;
use serde_json::{Value, json};

use super::App;
use super::collections::collection_of;
use super::error::ApiError;
use super::limits::body;
use super::links::{Base, JSON, link};
use super::parameters::Asked;
use super::reader::{View, items};

/// Buckets of a frequency, at most; the Items of others are the overflow.
const MOST_BUCKETS: usize = 10_000;

/// Parameters besides those of a search.
const OWN: [&str; 3] = [AGGREGATIONS, INTERVAL, PRECISION];
const AGGREGATIONS: &str = "aggregations";
const INTERVAL: &str = "datetime_frequency_interval";
const PRECISION: &str = "geometry_geohex_grid_frequency_precision";

/// Calendar intervals of `datetime_frequency`.
const INTERVALS: [&str; 4] = ["year", "month", "week", "day"];

/// A number, or some, of the Items that a search finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aggregation {
    TotalCount,
    DatetimeMin,
    DatetimeMax,
    CollectionFrequency,
    DatetimeFrequency,
    /// By each H3 cell that the footprint touches, as stac-server names it.
    GeohexFrequency,
}

impl Aggregation {
    const ALL: [Self; 6] = [
        Self::TotalCount,
        Self::DatetimeMin,
        Self::DatetimeMax,
        Self::CollectionFrequency,
        Self::DatetimeFrequency,
        Self::GeohexFrequency,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::TotalCount => "total_count",
            Self::DatetimeMin => "datetime_min",
            Self::DatetimeMax => "datetime_max",
            Self::CollectionFrequency => "collection_frequency",
            Self::DatetimeFrequency => "datetime_frequency",
            Self::GeohexFrequency => "geometry_geohex_grid_frequency",
        }
    }

    /// Whether Items are counted by a key.
    fn is_frequency(self) -> bool {
        matches!(self, Self::CollectionFrequency | Self::DatetimeFrequency | Self::GeohexFrequency)
    }

    fn data_type(self) -> &'static str {
        match self {
            Self::TotalCount => "integer",
            Self::DatetimeMin | Self::DatetimeMax => "datetime",
            Self::CollectionFrequency | Self::DatetimeFrequency | Self::GeohexFrequency => "frequency_distribution",
        }
    }

    /// The aggregate of all Items, or by what they are counted, which may be a list.
    fn expression(self, question: &Question) -> Expr {
        match self {
            Self::TotalCount => count(lit(1)),
            Self::DatetimeMin => min(ident("datetime")),
            Self::DatetimeMax => max(ident("datetime")),
            Self::CollectionFrequency => ident("collection"),
            Self::DatetimeFrequency => {
                question.date_trunc.call(vec![lit(question.interval.as_str()), ident("datetime")])
            }
            Self::GeohexFrequency => cells_of(ident("geometry"), question.precision),
        }
    }
}

/// What was asked for.
struct Question {
    search: Search,
    aggregations: Vec<Aggregation>,
    interval: String,
    /// Resolution of cells.
    precision: u8,
    /// That of the session, which takes times of all years.
    date_trunc: Arc<ScalarUDF>,
}

impl Question {
    fn new(asked: Asked, app: &App, view: &View) -> Result<Self, ApiError> {
        let resolution = resolution(view);
        let list = match asked.own.get(AGGREGATIONS) {
            None | Some(Value::Null) => vec![],
            Some(Value::String(list)) => list.split(',').map(|name| name.trim().to_owned()).collect(),
            Some(Value::Array(list)) => list.iter().map(|name| name.as_str().unwrap_or_default().to_owned()).collect(),
            Some(other) => return Err(ApiError::parameter(AGGREGATIONS, format!("{other} is not a list of names"))),
        };
        let named = |name: &String| {
            let known = Aggregation::ALL.map(Aggregation::name).join(", ");
            let found = Aggregation::ALL.into_iter().find(|aggregation| aggregation.name() == name);
            found.ok_or_else(|| ApiError::parameter(AGGREGATIONS, format!("there is no {name:?}; there are {known}")))
        };
        let interval = match asked.own.get(INTERVAL) {
            None | Some(Value::Null) => "month",
            Some(interval) => interval.as_str().filter(|interval| INTERVALS.contains(interval)).ok_or_else(|| {
                ApiError::parameter(INTERVAL, format!("{interval} is none of {}", INTERVALS.join(", ")))
            })?,
        };
        let precision = match asked.own.get(PRECISION) {
            None | Some(Value::Null) => resolution,
            // Each footprint was covered in the table's cells; finer ones may be too many.
            Some(given) => {
                let number = given.as_str().map_or_else(|| given.as_u64(), |text| text.parse().ok());
                let known = number.and_then(|number| u8::try_from(number).ok()).filter(|given| *given <= resolution);
                known.ok_or_else(|| {
                    let reason =
                        format!("{given} is not a resolution of H3 from 0 to {resolution}, which the table has");
                    ApiError::parameter(PRECISION, reason)
                })?
            }
        };
        // How Items come, and what of them, makes no difference.
        let search = Search { sortby: vec![], fields: None, limit: None, ..asked.search };
        Ok(Self {
            aggregations: list.iter().map(named).collect::<Result<_, _>>()?,
            interval: interval.to_owned(),
            precision,
            search,
            date_trunc: app.reader.narrow().udf("date_trunc").map_err(ApiError::planning)?,
        })
    }
}

/// `GET /aggregations`.
pub(super) async fn aggregations(base: Base) -> Json<Value> {
    listed(&base, &base.href(&["aggregations"]))
}

/// `GET /collections/{id}/aggregations`.
pub(super) async fn aggregations_of(
    State(app): State<App>,
    Extension(view): Extension<Arc<View>>,
    base: Base,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    collection_of(&app, &view, &id).await?;
    Ok(listed(&base, &base.href(&["collections", &id, "aggregations"])))
}

fn listed(base: &Base, at: &str) -> Json<Value> {
    let each = |aggregation: Aggregation| json!({"name": aggregation.name(), "data_type": aggregation.data_type()});
    let links = [link("root", &base.root(), JSON), link("self", at, JSON)];
    Json(json!({"aggregations": Aggregation::ALL.map(each), "links": links}))
}

/// `GET /aggregate`.
pub(super) async fn aggregate(
    State(app): State<App>,
    Extension(view): Extension<Arc<View>>,
    base: Base,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let question = Question::new(Asked::from_query(query.as_deref(), &OWN)?, &app, &view)?;
    answer(&app, &view, question, &base, &base.href(&["aggregate"])).await
}

/// `POST /aggregate`.
pub(super) async fn aggregate_body(
    State(app): State<App>,
    Extension(view): Extension<Arc<View>>,
    base: Base,
    request: Request,
) -> Result<Json<Value>, ApiError> {
    let question = Question::new(Asked::from_body(&body(request).await?, &OWN)?, &app, &view)?;
    answer(&app, &view, question, &base, &base.href(&["aggregate"])).await
}

/// `GET /collections/{id}/aggregate`.
pub(super) async fn aggregate_of(
    State(app): State<App>,
    Extension(view): Extension<Arc<View>>,
    base: Base,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let question = Question::new(Asked::from_query(query.as_deref(), &OWN)?.within(&id), &app, &view)?;
    collection_of(&app, &view, &id).await?;
    answer(&app, &view, question, &base, &base.href(&["collections", &id, "aggregate"])).await
}

async fn answer(app: &App, view: &View, question: Question, base: &Base, at: &str) -> Result<Json<Value>, ApiError> {
    let _permit = app.permit().await?;
    let found = search_plan(&items(), view.items.clone(), &question.search).map_err(ApiError::planning)?;
    let mut values = single_values(app, &question, found.clone()).await?.into_iter();
    let mut aggregations = vec![];
    for aggregation in &question.aggregations {
        let (name, data_type) = (aggregation.name(), aggregation.data_type());
        let mut document = json!({"name": name, "data_type": data_type});
        if aggregation.is_frequency() {
            let plan = frequency(*aggregation, &question, found.clone()).map_err(ApiError::planning)?;
            let rows = rows(app, &plan).await?;
            let (buckets, overflow) = buckets(*aggregation, &rows).map_err(ApiError::running)?;
            document["buckets"] = buckets.into();
            document["overflow"] = overflow.into();
        } else {
            document["value"] = values.next().unwrap_or_default();
        }
        aggregations.push(document);
    }
    let links = [link("root", &base.root(), JSON), link("self", at, JSON)];
    Ok(Json(json!({"type": "AggregationCollection", "aggregations": aggregations, "links": links})))
}

/// Of the cells of the table.
fn resolution(view: &View) -> u8 {
    view.items.warehouse().h3_resolution()
}

async fn rows(app: &App, plan: &LogicalPlan) -> Result<Vec<RecordBatch>, ApiError> {
    app.reader.narrow_rows(plan).await?.try_collect().await.map_err(ApiError::running)
}

/// What is asked of all Items together, in the order of the question: the Items are read once for all of it.
async fn single_values(app: &App, question: &Question, found: LogicalPlan) -> Result<Vec<Value>, ApiError> {
    let single = question.aggregations.iter().filter(|aggregation| !aggregation.is_frequency());
    let expressions: Vec<Expr> =
        (0..).zip(single).map(|(i, of)| of.expression(question).alias(i.to_string())).collect();
    if expressions.is_empty() {
        return Ok(vec![]);
    }
    let plan = LogicalPlanBuilder::from(found).aggregate(Vec::<Expr>::new(), expressions);
    let plan = plan.and_then(LogicalPlanBuilder::build).map_err(ApiError::planning)?;
    let rows = rows(app, &plan).await?;
    let row = rows.iter().find(|batch| batch.num_rows() > 0);
    let columns = row.map(RecordBatch::columns).unwrap_or_default();
    columns.iter().map(|column| value(column, 0)).collect::<Result<_, _>>().map_err(ApiError::running)
}

/// Each key with its number of Items, the last one being null.
fn frequency(aggregation: Aggregation, question: &Question, found: LogicalPlan) -> DataFusionResult<LogicalPlan> {
    let key = aggregation.expression(question).alias("key");
    let mut found = LogicalPlanBuilder::from(found).project([key])?;
    if aggregation == Aggregation::GeohexFrequency {
        found = found.unnest_column("key")?;
    }
    found
        .aggregate(vec![ident("key")], vec![count(lit(1)).alias("items")])?
        .sort([ident("key").sort(true, false)])?
        .build()
}

/// The keys of a frequency, and how many Items are in none of them.
fn buckets(aggregation: Aggregation, rows: &[RecordBatch]) -> DataFusionResult<(Vec<Value>, i64)> {
    let (mut buckets, mut overflow) = (vec![], 0);
    for batch in rows {
        let items = batch.column(1).as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            let (key, frequency) = (value(batch.column(0), row)?, items.value(row));
            match key.is_null() || buckets.len() == MOST_BUCKETS {
                true => overflow += frequency,
                false => buckets.push(json!({"key": key, "data_type": key_type(aggregation), "frequency": frequency})),
            }
        }
    }
    Ok((buckets, overflow))
}

fn key_type(aggregation: Aggregation) -> &'static str {
    if aggregation == Aggregation::DatetimeFrequency { "datetime" } else { "string" }
}

/// A number, a text, or a time in RFC 3339.
fn value(column: &dyn Array, row: usize) -> DataFusionResult<Value> {
    if column.is_null(row) {
        return Ok(Value::Null);
    }
    Ok(match column.data_type() {
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).into(),
        DataType::Timestamp(..) => {
            let micros = cast(column, &timestamp())?;
            let micros = micros.as_primitive::<TimestampMicrosecondType>().value(row);
            let time: Option<DateTime<Utc>> = DateTime::from_timestamp_micros(micros);
            time.map(|time| time.to_rfc3339_opts(SecondsFormat::AutoSi, true)).into()
        }
        _ => cast(column, &DataType::Utf8View)?.as_string_view().value(row).into(),
    })
}
