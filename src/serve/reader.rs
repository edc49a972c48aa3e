//! [`Reader`]: the warehouse, as requests see it; [`View`]: one state of it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use datafusion::common::{Result, TableReference};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream, execute_stream};
use datafusion::prelude::{SessionConfig, SessionContext};
use earthcatalog_plans::collections::{Collection, collections};
use earthcatalog_plans::overview::{Overview, overview};
use earthcatalog_plans::query::ItemsTable;
use earthcatalog_plans::table::{CollectionDocument, TableState, Warehouse};
use tokio::sync::OnceCell;

use super::error::ApiError;
use super::log::log;
use crate::export::expect_wide_rows;

/// Snapshots other than the newest of which tables stay open: paging goes on in them.
const OPEN_SNAPSHOTS: usize = 8;

/// Between two looks at the catalog, whatever is asked for.
const LEAST_PAUSE: Duration = Duration::from_millis(10);

/// The warehouse of a service.
pub(super) struct Reader {
    /// For rows of whole Items.
    session: SessionContext,
    /// For all else.
    narrow: SessionContext,
    catalog: String,
    newest: RwLock<Arc<View>>,
}

/// A state of the table. Requests that see the same one share what was read of it.
pub(super) struct View {
    /// Names the state.
    pub tag: String,
    state: Arc<TableState>,
    /// Follows the catalog.
    table: ItemsTable,
    /// Of the newest snapshot.
    pub items: Arc<ItemsTable>,
    collections: OnceCell<Vec<Collection>>,
    overview: OnceCell<Overview>,
    /// By snapshot, the last opened last.
    earlier: Mutex<VecDeque<(i64, Arc<ItemsTable>)>>,
}

impl View {
    fn new(warehouse: &Warehouse, table: ItemsTable) -> Self {
        let state = warehouse.loaded();
        Self {
            tag: state.metadata_location.clone(),
            items: Arc::new(table.in_state(Arc::clone(&state), None)),
            state,
            table,
            collections: OnceCell::new(),
            overview: OnceCell::new(),
            earlier: Mutex::default(),
        }
    }

    /// The newest snapshot, if there is one.
    pub fn snapshot(&self) -> Option<i64> {
        self.state.metadata.current_snapshot_id()
    }

    /// The Collections that were given for the Items.
    pub fn documents(&self) -> Vec<CollectionDocument> {
        CollectionDocument::all(&self.state.metadata)
    }

    /// The Items as of a snapshot; `None` where the table does not retain it.
    pub fn at(&self, snapshot: i64) -> Option<Arc<ItemsTable>> {
        if self.snapshot() == Some(snapshot) {
            return Some(Arc::clone(&self.items));
        }
        self.state.metadata.snapshot_by_id(snapshot)?;
        let mut earlier = self.earlier.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, items)) = earlier.iter().find(|(id, _)| *id == snapshot) {
            return Some(Arc::clone(items));
        }
        let items = Arc::new(self.table.in_state(Arc::clone(&self.state), Some(snapshot)));
        if earlier.len() == OPEN_SNAPSHOTS {
            earlier.pop_front();
        }
        earlier.push_back((snapshot, Arc::clone(&items)));
        Some(items)
    }
}

impl Reader {
    /// Opens the table of `catalog`, whose files are below `warehouse`, if one is named.
    pub async fn open(session: SessionContext, catalog: &str, warehouse: Option<&str>) -> Result<Self> {
        let opened = Warehouse::open_in(catalog, warehouse).await?;
        let narrow = SessionContext::new_with_state(session.state());
        let batch_size = SessionConfig::new().batch_size();
        let state = narrow.state_ref();
        *state.write().config_mut() = narrow.copied_config().with_batch_size(batch_size);
        expect_wide_rows(&session);
        let view = View::new(&opened, ItemsTable::new(opened.clone()));
        Ok(Self { session, narrow, catalog: catalog.to_owned(), newest: RwLock::new(Arc::new(view)) })
    }

    /// The newest state that was seen.
    pub fn view(&self) -> Arc<View> {
        Arc::clone(&self.newest.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks whether the table has changed.
    pub async fn refresh(&self) -> Result<()> {
        let before = self.view();
        let now = before.table.warehouse().load().await?;
        if now.metadata_location == before.tag {
            return Ok(());
        }
        // Another engine may have changed the columns.
        let warehouse = Warehouse::open(&self.catalog).await?;
        let view = View::new(&warehouse, before.table.opened_again(warehouse.clone()));
        // Nobody who asks for it has to wait then.
        self.collections(&view).await?;
        *self.newest.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(view);
        Ok(())
    }

    /// Looks for changes for ever, once the collections are known.
    pub async fn follow(&self, every: Duration) {
        // Whoever asks for them meanwhile waits for the same work.
        if let Err(error) = self.collections(&self.view()).await {
            log(format_args!("error: cannot tell the collections yet: {}", crate::reason::reason(&error)));
        }
        let mut last: Option<String> = None;
        loop {
            tokio::time::sleep(every.max(LEAST_PAUSE)).await;
            let failed = self.refresh().await.err().map(|e| crate::reason::reason(&e));
            // A catalog that cannot be reached is said once, not all the time.
            if let Some(reason) = failed.as_ref().filter(|_| failed != last) {
                log(format_args!("error: cannot look for a new snapshot: {reason}"));
            }
            last = failed;
        }
    }

    /// The collections of a state.
    pub async fn collections<'a>(&self, view: &'a View) -> Result<&'a [Collection]> {
        let find = || collections(&self.narrow, &view.items, &view.state);
        Ok(view.collections.get_or_try_init(find).await?)
    }

    /// What the metadata of a state says of its rows.
    pub async fn overview<'a>(&self, view: &'a View) -> Result<&'a Overview> {
        view.overview.get_or_try_init(|| overview(&self.narrow, &view.items)).await
    }

    /// Whether a snapshot can no longer be read.
    pub async fn has_expired(&self, snapshot: i64) -> bool {
        // What cannot be asked now is as it was.
        let _ = self.refresh().await;
        self.view().state.metadata.snapshot_by_id(snapshot).is_none()
    }

    /// Session with the stores and the memory of all, for rows of whole Items.
    pub fn session(&self) -> &SessionContext {
        &self.session
    }

    /// The same, for rows of few columns.
    pub fn narrow(&self) -> &SessionContext {
        &self.narrow
    }

    /// The rows of a plan of whole Items.
    pub async fn rows(&self, plan: &LogicalPlan) -> Result<SendableRecordBatchStream, ApiError> {
        self.begin(self.plan(plan).await?)
    }

    /// How a plan of whole Items is run.
    pub async fn plan(&self, plan: &LogicalPlan) -> Result<Arc<dyn ExecutionPlan>, ApiError> {
        self.session.state().create_physical_plan(plan).await.map_err(ApiError::planning)
    }

    /// The rows of what [`Self::plan`] gave.
    pub fn begin(&self, plan: Arc<dyn ExecutionPlan>) -> Result<SendableRecordBatchStream, ApiError> {
        execute_stream(plan, self.session.task_ctx()).map_err(ApiError::running)
    }

    /// The rows of a plan of few columns.
    pub async fn narrow_rows(&self, plan: &LogicalPlan) -> Result<SendableRecordBatchStream, ApiError> {
        let plan = self.narrow.state().create_physical_plan(plan).await.map_err(ApiError::planning)?;
        execute_stream(plan, self.narrow.task_ctx()).map_err(ApiError::running)
    }
}

/// The name of the table in plans.
pub(super) fn items() -> TableReference {
    TableReference::bare("items")
}
