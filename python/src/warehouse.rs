//! [`Warehouse`]: what `earthcatalog.open` gives.

use std::mem::ManuallyDrop;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::prelude::SessionContext;
use earthcatalog::arguments::{read_place, values};
use earthcatalog::commands::CommandError;
use earthcatalog::export::{self, SearchQuestion};
use earthcatalog::query;
use earthcatalog::script::{Arguments, ParameterType, Planned, Script};
use earthcatalog_plans::query::place_geojson;
use earthcatalog_plans::session::session_within;
use futures::TryStreamExt;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyString};
use serde_json::{Map, Value};

use crate::commands::{Command, Place};
use crate::errors;
use crate::options::Options;
use crate::rows::Rows;
use crate::runtime::{AtSignal, wait, wait_watched};

/// A warehouse, which is opened when it is first asked something. Many threads may use one.
#[pyclass(frozen, module = "earthcatalog._earthcatalog")]
pub struct Warehouse {
    place: Place,
    opened: Mutex<Option<Opened>>,
}

/// Sessions in which the tables of the warehouse are known.
#[derive(Clone)]
struct Opened {
    /// The process that opened them: in a child that is forked off, what belongs to the threads of its parent is let be.
    process: u32,
    sessions: ManuallyDrop<Arc<Sessions>>,
}

struct Sessions {
    /// For rows of few columns.
    narrow: SessionContext,
    /// For rows of whole Items, sorted within bounds of memory.
    wide: SessionContext,
}

impl Drop for Opened {
    fn drop(&mut self) {
        if self.process == std::process::id() {
            // SAFETY: it is not used again.
            unsafe { ManuallyDrop::drop(&mut self.sessions) }
        }
    }
}

impl Sessions {
    async fn open(place: &Place) -> Result<Self, CommandError> {
        place.at.check()?;
        let (catalog, warehouse) = (&place.at.catalog, place.at.warehouse.as_deref());
        let narrow = session_within(place.resources.workers(), place.resources.memory)?;
        let wide = place.resources.pipeline_session()?;
        export::expect_wide_rows(&wide);
        for session in [&narrow, &wide] {
            place.cluster.attach(session).await?;
            query::open(session, catalog, warehouse).await?;
        }
        Ok(Self { narrow, wide })
    }
}

impl Warehouse {
    fn known(&self) -> Option<Arc<Sessions>> {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.as_ref().map(|opened| Arc::clone(&opened.sessions))
    }

    /// The sessions, which are opened when they are first asked for.
    fn sessions(&self, py: Python<'_>) -> PyResult<Arc<Sessions>> {
        if let Some(sessions) = self.known() {
            return Ok(sessions);
        }
        let place = self.place.clone();
        let open = async move || Sessions::open(&place).await.map(Arc::new).map_err(errors::command);
        let sessions = wait(py, AtSignal::Drop, open)?;
        let opened = Opened { process: std::process::id(), sessions: ManuallyDrop::new(Arc::clone(&sessions)) };
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = Some(opened);
        Ok(sessions)
    }
}

#[pymethods]
impl Warehouse {
    /// Options: `catalog`, `warehouse`, `workers`, `memory` and `cluster`.
    #[new]
    fn new(options: &Bound<'_, PyDict>) -> PyResult<Self> {
        Ok(Self { place: Place::new(&Options(options))?, opened: Mutex::default() })
    }

    /// Runs a command; its report as JSON, empty where there is nothing to report. Option `progress` is called with how far
    /// it is: done, all, their unit, and a note.
    fn command(&self, py: Python<'_>, name: &str, options: &Bound<'_, PyDict>) -> PyResult<String> {
        let command = Command::new(name, &self.place, &Options(options))?;
        let watcher = options.get_item("progress")?.filter(|watcher| !watcher.is_none());
        wait_watched(py, command.at_signal(), watcher.as_ref(), async move || {
            command.run().await.map_err(errors::command)
        })
    }

    /// Plans the statements of `query`, of which the last one has the rows; those before run to their end. A parameter
    /// `$name` of a statement has the value that `parameters` gives it.
    fn sql(&self, py: Python<'_>, query: String, parameters: &Bound<'_, PyDict>) -> PyResult<Rows> {
        let (mut declared, mut arguments) = (vec![], Arguments::new());
        for (name, value) in parameters {
            let name = name.extract::<String>()?;
            let (kind, text) = parameter(&name, &value)?;
            arguments = arguments.with_option(&name, text);
            declared.push((name, kind));
        }
        let sessions = self.sessions(py)?;
        let planned = wait(py, AtSignal::Drop, async move || {
            let script = Script::parse("SQL", &query).map_err(|e| errors::script(&e))?;
            let script = declared.iter().fold(script, |script, (name, kind)| script.with_parameter(name, *kind));
            let statements = script.bind(&arguments).map_err(|e| errors::script(&e))?;
            let Some((last, before)) = statements.split_last() else {
                return Err(errors::input("there is no statement in the text"));
            };
            for statement in before {
                let planned = query::plan(&sessions.narrow, statement).await.map_err(errors::question)?;
                let rows = planned.execute().map_err(errors::question)?;
                let ended = rows.try_for_each(|_| std::future::ready(Ok(()))).await;
                ended.map_err(|e| errors::question(planned.failed(e)))?;
            }
            query::plan(&sessions.narrow, last).await.map_err(errors::question)
        });
        Ok(Rows::new(planned?, None))
    }

    /// Plans a search; its rows have `columns`, which are SQL. `parameters` is JSON, as [`search_parameters`] returns it.
    fn search(&self, py: Python<'_>, parameters: &str, columns: String) -> PyResult<Rows> {
        let search = question(parameters)?;
        let fields = search.fields.clone();
        let sessions = self.sessions(py)?;
        let planned = wait(py, AtSignal::Drop, async move || {
            let statement = search.statement(&columns).map_err(|e| errors::script(&e))?;
            let planned: Result<Planned, _> = statement.plan(&sessions.wide).await;
            planned.map_err(errors::question)
        });
        Ok(Rows::new(planned?, fields))
    }

    /// How many Items a search finds.
    fn count(&self, py: Python<'_>, parameters: &str) -> PyResult<u64> {
        let search = question(parameters)?;
        let sessions = self.sessions(py)?;
        wait(py, AtSignal::Drop, async move || {
            export::count_items(&sessions.narrow, &search).await.map_err(errors::question)
        })
    }
}

/// The parameters of a search, JSON as in the body of a POST, as the engine takes them: times may be days, months and
/// years, and places WKT, as on the command line.
///
/// # Errors
/// `InputError`: names the parameter that is wrong.
#[pyfunction]
pub fn search_parameters(parameters: &str) -> PyResult<String> {
    let mut parameters: Map<String, Value> =
        serde_json::from_str(parameters).map_err(|e| errors::input(format!("the parameters are no JSON: {e}")))?;
    if let Some(Value::String(datetime)) = parameters.get("datetime") {
        let interval = values::interval(datetime).map_err(|e| errors::input(format!("datetime: {e}")))?;
        parameters.insert("datetime".to_owned(), interval.into());
    }
    if let Some(Value::String(place)) = parameters.get("intersects") {
        let wrong = |reason: String| errors::input(format!("intersects: {reason}"));
        let place = place_geojson(&read_place(place).map_err(wrong)?).map_err(|e| wrong(e.to_string()))?;
        parameters.insert("intersects".to_owned(), serde_json::from_str(&place).map_err(|e| wrong(e.to_string()))?);
    }
    SearchQuestion::from_parameters(parameters.clone()).map_err(errors::input)?;
    Ok(Value::Object(parameters).to_string())
}

fn question(parameters: &str) -> PyResult<SearchQuestion> {
    let parameters = serde_json::from_str(parameters).map_err(|e| errors::input(e.to_string()))?;
    SearchQuestion::from_parameters(parameters).map_err(errors::input)
}

/// The type of a parameter of a statement, and its value; `None` is NULL.
fn parameter(name: &str, value: &Bound<'_, PyAny>) -> PyResult<(ParameterType, Option<String>)> {
    let text = || value.str().map(|text| Some(text.to_string()));
    if value.is_none() {
        return Ok((ParameterType::Text, None));
    }
    // True and False are numbers, too.
    if value.is_instance_of::<PyBool>() {
        return Ok((ParameterType::Boolean, text()?));
    }
    if value.is_instance_of::<PyInt>() {
        return Ok((ParameterType::Integer, text()?));
    }
    if value.is_instance_of::<PyFloat>() {
        return Ok((ParameterType::Number, text()?));
    }
    if value.is_instance_of::<PyString>() {
        return Ok((ParameterType::Text, text()?));
    }
    let kind = value.get_type().name()?.to_string();
    Err(errors::input(format!("{name}: a parameter of SQL is a str, int, float, bool or None, not {kind}")))
}
