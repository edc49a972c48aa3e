//! [`Rows`]: the rows of a question, batch by batch.

use std::ffi::CStr;
use std::io;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use arrow::array::{Array, StructArray};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ffi::{FFI_ArrowArray, FFI_ArrowSchema};
use arrow::ffi_stream::FFI_ArrowArrayStream;
use arrow::record_batch::{RecordBatch, RecordBatchReader};
use earthcatalog::export::HrefsWriter;
use earthcatalog::output::{ItemsWriter, OutputError, RowWriter};
use earthcatalog::script::{Effect, Planned, ScriptError};
use earthcatalog_plans::search::Fields;
use futures::TryStreamExt;
use pyo3::exceptions::PyNotImplementedError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyCapsule, PyTuple};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::errors::{self, EarthcatalogError};
use crate::runtime::{PAUSE, handle, threads};
use crate::signals;

/// Names of the capsules. Source: the PyCapsule interface of Arrow's format specification.
const SCHEMA: &CStr = c"arrow_schema";
const ARRAY: &CStr = c"arrow_array";
const STREAM: &CStr = c"arrow_array_stream";

/// Batches that are ready before they are asked for.
const AHEAD: usize = 2;

/// The rows of a question, once: each batch goes to whoever asks for it first. Nothing is read before that, and nothing
/// further once this is gone.
#[pyclass(frozen, module = "earthcatalog._earthcatalog")]
pub struct Rows {
    inner: Arc<Inner>,
    writes: bool,
    /// What is written of Items; `None` is all.
    fields: Option<Fields>,
}

struct Inner {
    schema: SchemaRef,
    /// The process that asked.
    process: u32,
    state: Mutex<ManuallyDrop<State>>,
}

enum State {
    Planned(Box<Planned>),
    Running {
        /// The first batch, where it was waited for before somebody took it.
        first: Option<RecordBatch>,
        batches: mpsc::Receiver<Result<RecordBatch, ScriptError>>,
        reader: JoinHandle<()>,
    },
    Ended,
}

/// What came of waiting for a batch for a while.
enum Waited {
    Batch(RecordBatch),
    End,
    /// Nothing yet.
    Pause,
    Failed(ScriptError),
    /// There are no threads for it, or one of them panicked.
    Lost(String),
}

impl Inner {
    fn wait(&self) -> Waited {
        let handle = match handle() {
            Ok(handle) => handle,
            Err(error) => return Waited::Lost(error.to_string()),
        };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let planned = match std::mem::replace(&mut **state, State::Ended) {
            State::Planned(planned) => planned,
            begun => {
                **state = begun;
                return Self::next(&mut state, handle);
            }
        };
        let (send, batches) = mpsc::channel(AHEAD);
        let reader = handle.spawn(async move {
            let read = async {
                let mut rows = planned.execute()?;
                while let Some(batch) = rows.try_next().await.map_err(|e| planned.failed(e))? {
                    if send.send(Ok(batch)).await.is_err() {
                        break;
                    }
                }
                Ok(())
            };
            if let Err(error) = read.await {
                // Where nobody listens any more, nobody misses it.
                drop(send.send(Err(error)).await);
            }
        });
        **state = State::Running { first: None, batches, reader };
        Self::next(&mut state, handle)
    }

    fn next(state: &mut State, handle: &tokio::runtime::Handle) -> Waited {
        let State::Running { first, batches, reader } = state else { return Waited::End };
        if let Some(batch) = first.take() {
            return Waited::Batch(batch);
        }
        let waited = match handle.block_on(async { timeout(PAUSE, batches.recv()).await }) {
            Ok(Some(Ok(batch))) => return Waited::Batch(batch),
            Err(_) => return Waited::Pause,
            Ok(Some(Err(error))) => Waited::Failed(error),
            Ok(None) => match handle.block_on(reader) {
                Ok(()) => Waited::End,
                Err(error) => Waited::Lost(format!("the engine panicked: {error}")),
            },
        };
        *state = State::Ended;
        waited
    }

    /// Gives back a batch, which is the next one again.
    fn put_back(&self, batch: RecordBatch) {
        if let State::Running { first, .. } = &mut **self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            *first = Some(batch);
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // In a child that is forked off, what belongs to the threads of its parent is let be.
        if self.process == std::process::id() {
            let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
            // SAFETY: it is not used again.
            if let State::Running { reader, .. } = unsafe { ManuallyDrop::take(state) } {
                reader.abort();
            }
        }
    }
}

impl Rows {
    pub fn new(planned: Planned, fields: Option<Fields>) -> Self {
        let writes = matches!(planned.effect, Effect::Files);
        let (schema, state) = (planned.plan.schema(), State::Planned(Box::new(planned)));
        let state = Mutex::new(ManuallyDrop::new(state));
        Self { inner: Arc::new(Inner { schema, process: std::process::id(), state }), writes, fields }
    }

    fn wait(&self, py: Python<'_>) -> PyResult<Option<RecordBatch>> {
        loop {
            match py.detach(|| self.inner.wait()) {
                Waited::Batch(batch) => return Ok(Some(batch)),
                Waited::End => return Ok(None),
                Waited::Pause => py.check_signals()?,
                Waited::Failed(error) => return Err(errors::question(error)),
                Waited::Lost(why) => return Err(EarthcatalogError::new_err(why)),
            }
        }
    }

    /// The lines that `writer` makes of the next batch; `None` behind the last one.
    fn lines<'py>(&self, py: Python<'py>, mut writer: impl RowWriter + Send) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let Some(batch) = self.wait(py)? else { return Ok(None) };
        let text = py.detach(move || {
            let mut text = vec![];
            writer.write(&batch, &mut text)?;
            Ok::<_, OutputError>(text)
        });
        Ok(Some(PyBytes::new(py, &text.map_err(errors::question)?)))
    }
}

#[pymethods]
impl Rows {
    /// The next batch, an object with `__arrow_c_array__`; `None` behind the last one.
    fn next_batch(&self, py: Python<'_>) -> PyResult<Option<Batch>> {
        Ok(self.wait(py)?.map(Batch))
    }

    /// The Items of the next batch as NDJSON; `None` behind the last one. Of rows that are whole Items only.
    fn next_items<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        self.lines(py, ItemsWriter::lines().with_fields(self.fields.clone()))
    }

    /// The addresses of the assets in the next batch, one a line: of all, or of those called `asset`; `None` behind the
    /// last one. Of rows whose columns are `assets` and `links` only.
    #[pyo3(signature = (asset=None))]
    fn next_hrefs<'py>(&self, py: Python<'py>, asset: Option<&str>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        self.lines(py, HrefsWriter { asset })
    }

    /// Names of the columns.
    #[getter]
    fn columns(&self) -> Vec<String> {
        self.inner.schema.fields().iter().map(|field| field.name().clone()).collect()
    }

    /// Whether reading them writes files: `COPY` does.
    #[getter]
    fn writes(&self) -> bool {
        self.writes
    }

    /// The columns and their types, as a capsule `arrow_schema`.
    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        schema_capsule(py, &self.inner.schema)
    }

    /// The rows, as a capsule `arrow_array_stream`. Another schema than ours is not made: the interface leaves that open.
    ///
    /// The first batch is waited for here, and not by the library that takes the capsule: what fails until then, or is
    /// interrupted, is an exception of ours, for which a stream in C has but a text.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        _ = requested_schema;
        threads()?;
        if let Some(batch) = self.wait(py)? {
            self.inner.put_back(batch);
        }
        let reader = Box::new(Reader { rows: Arc::clone(&self.inner), asked: Instant::now() });
        PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(reader), STREAM)
    }
}

/// Reads rows for a library in C, which may call from any thread, with Python's lock or without.
struct Reader {
    rows: Arc<Inner>,
    /// When Python was last asked for signals.
    asked: Instant,
}

impl Reader {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>, String> {
        loop {
            // Where batches come one after the other there is no pause, and who takes them all does not ask either.
            if self.asked.elapsed() >= PAUSE {
                if signals::are_raised() {
                    return Err("interrupted".to_owned());
                }
                self.asked = Instant::now();
            }
            match self.rows.wait() {
                Waited::Batch(batch) => return Ok(Some(batch)),
                Waited::End => return Ok(None),
                Waited::Pause => {}
                Waited::Failed(error) => return Err(error.to_string()),
                Waited::Lost(why) => return Err(why),
            }
        }
    }
}

impl Iterator for Reader {
    type Item = Result<RecordBatch, ArrowError>;

    /// No panic goes up into C, and no error has a zero byte, which C's texts cannot have.
    fn next(&mut self) -> Option<Self::Item> {
        let batch = catch_unwind(AssertUnwindSafe(|| self.next_batch()));
        let batch = batch.unwrap_or_else(|_| Err("the engine panicked; standard error has the message".to_owned()));
        let failed = |why: String| ArrowError::IoError(why.replace('\0', " "), io::ErrorKind::Other.into());
        batch.map_err(failed).transpose()
    }
}

impl RecordBatchReader for Reader {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.rows.schema)
    }
}

/// Some rows, which other libraries take as they are.
#[pyclass(frozen, module = "earthcatalog._earthcatalog")]
pub struct Batch(RecordBatch);

#[pymethods]
impl Batch {
    /// The rows, as capsules `arrow_schema` and `arrow_array`.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_array__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        _ = requested_schema;
        let array = FFI_ArrowArray::new(&StructArray::from(self.0.clone()).into_data());
        let array = PyCapsule::new_with_value(py, array, ARRAY)?;
        PyTuple::new(py, [schema_capsule(py, &self.0.schema())?, array])
    }

    /// The columns and their types, as a capsule `arrow_schema`.
    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        schema_capsule(py, &self.0.schema())
    }

    /// The number of rows.
    fn __len__(&self) -> usize {
        self.0.num_rows()
    }
}

fn schema_capsule<'py>(py: Python<'py>, schema: &SchemaRef) -> PyResult<Bound<'py, PyCapsule>> {
    let schema =
        FFI_ArrowSchema::try_from(schema.as_ref()).map_err(|e| PyNotImplementedError::new_err(e.to_string()))?;
    PyCapsule::new_with_value(py, schema, SCHEMA)
}
