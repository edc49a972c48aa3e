//! A table of Iceberg that another program keeps, such as the Python earthcatalog: its data files, as a folder of them.

use std::sync::Arc;

use datafusion::common::{DataFusionError, Result, plan_datafusion_err, plan_err};
use url::Url;

use super::files::FilesOfItems;
use super::refuse_since;
use crate::source::format::Format;
use crate::source::keys::KeyBase;
use crate::source::planner::{Listed, Planner};
use crate::table::catalog::tables_in;
use crate::table::data_files::data_files;
use crate::table::location::{to_location, to_url};

/// Ends of the names of metadata files.
const METADATA: &str = ".metadata.json";

/// Ends of the names of SQLite catalogs.
const CATALOGS: [&str; 3] = [".db", ".sqlite", ".sqlite3"];

/// Whether a name is that of a table's metadata, or of a catalog.
pub(in super::super) fn is_table(name: &str) -> bool {
    name.ends_with(METADATA) || CATALOGS.iter().any(|end| name.ends_with(end))
}

/// Plans the data files that the current snapshot of a table names, and no others.
///
/// Errors: `location` is neither a table's metadata nor a catalog with one table; the table has delete files, or what it
/// consists of cannot be read.
pub(in super::super) async fn plan(location: &Url, planner: &mut Planner<'_>) -> Result<()> {
    refuse_since(location, planner.options)?;
    let metadata = metadata_of(location).await?;
    let keys = Arc::new(KeyBase::try_new(location, None)?);
    planner.start_file(location, Arc::clone(&keys), true);
    let mut of_items = FilesOfItems::default();
    for file in data_files(&metadata).await? {
        let url = to_url(&file.location)?;
        let listed = Listed { key: url.as_str(), ..Listed::default() };
        match planner.lists_objects {
            true => planner.push(&listed, 1)?,
            false => of_items.add(Format::StacGeoparquet, &listed),
        }
    }
    planner.end_file();
    of_items.plan(&keys, planner).await.map_err(|e| match e.find_root() {
        DataFusionError::ObjectStore(cause) if matches!(**cause, object_store::Error::NotFound { .. }) => {
            plan_datafusion_err!(
                "{location} names a data file that is gone ({cause}); to do without it, name the folder of those that are left"
            )
        }
        _ => e,
    })
}

/// Location of the metadata of the table at `location`.
async fn metadata_of(location: &Url) -> Result<String> {
    if location.path().ends_with(METADATA) {
        return Ok(to_location(location)?);
    }
    let mut tables = tables_in(location).await?;
    match tables.len() {
        0 => plan_err!("{location} is a catalog that names no table; is another one meant?"),
        1 => Ok(tables.remove(0).metadata_location),
        _ => {
            let names = tables.iter().map(|t| format!("{}.{} ({})", t.namespace, t.name, t.metadata_location));
            let names = names.collect::<Vec<_>>().join(", ");
            plan_err!("{location} names several tables; give the location of the metadata of one of them: {names}")
        }
    }
}
