//! `earthcatalog migrate`: takes over a warehouse of the Python earthcatalog, or another Iceberg table of Items.

use std::io::Write;

use clap::Args;
use earthcatalog_plans::runtime::MaxRejects;
use earthcatalog_plans::stores::{StoreError, below, folder_url, stores};
use object_store::ObjectStoreExt;
use url::Url;

use super::CommandError;
use super::backfill::{self, BackfillArgs};
use crate::arguments::values;
use crate::arguments::{
    ArgumentError, ClusterArgs, ReportFormat, ResourceArgs, SourceArgs, WarehouseArgs, check_existing,
};
use crate::verbosity::note;

/// Names of the catalog in a folder of a warehouse: that of the Python earthcatalog, and ours.
const CATALOGS: [&str; 2] = ["earthcatalog.db", "catalog.db"];

/// Flags of `migrate`.
#[derive(Debug, Clone, Args)]
pub struct MigrateArgs {
    /// What is taken over: the SQLite catalog of a table (earthcatalog.db), its metadata (….metadata.json), or a folder with
    /// a catalog or with data files
    #[arg(long, value_name = "FILE|DIR|URL")]
    pub from: String,
    #[command(flatten)]
    pub at: WarehouseArgs,
    /// H3 resolution of the cells of a new table [default: 1]
    #[arg(long, value_name = "0..15", value_parser = clap::value_parser!(u8).range(0..=15))]
    pub h3_resolution: Option<u8>,
    /// Properties that get a column of their own in a new table [default: those of ITS_LIVE]
    #[arg(long, value_name = "NAME TYPE,…")]
    pub columns: Option<String>,
    /// Rows per chunk, the unit of work of one thread [default: 10000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub chunk_size: Option<u64>,
    /// Reject Items whose footprint touches more cells [default: 10000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1 << 22))]
    pub max_item_cells: Option<u64>,
    /// Commit nothing if more rows are rejected than this number, or share
    #[arg(long, value_name = "N|P%", value_parser = values::max_rejects)]
    pub max_rejects: Option<MaxRejects>,
    /// Discard what an earlier start of the same run has done
    #[arg(long)]
    pub restart: bool,
    /// Say what the command would do, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub cluster: ClusterArgs,
    #[command(flatten)]
    pub resources: ResourceArgs,
    /// Format of the report
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub output: ReportFormat,
}

/// What a warehouse is read by.
#[derive(Debug, PartialEq)]
enum Found {
    /// The files that its table names: its catalog or metadata.
    Table(Url),
    /// All files below a folder.
    Folder(Url),
}

/// A backfill of which the inventory is the old table: it can be killed and started again, merges the rows of an Item in
/// the cells of the old table into one, and commits at the end.
pub async fn run(args: &MigrateArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    let from = check_existing("from", &args.from)?;
    let found = find(from).await.map_err(|source| ArgumentError::Location { flag: "from", source: source.into() })?;
    let (inventory, suffix) = match &found {
        Found::Table(table) => (table, None),
        Found::Folder(folder) => {
            note(format_args!(
                "{folder} has no catalog ({}): all Parquet files below it are read",
                CATALOGS.join(", ")
            ));
            (folder, Some(".parquet".to_owned()))
        }
    };
    let source = SourceArgs {
        inventory: inventory.to_string(),
        suffix,
        at: args.at.clone(),
        h3_resolution: args.h3_resolution,
        columns: args.columns.clone(),
        chunk_size: args.chunk_size,
        max_item_cells: args.max_item_cells,
        max_rejects: args.max_rejects,
        ..SourceArgs::default()
    };
    let backfill = BackfillArgs {
        source,
        restart: args.restart,
        dry_run: args.dry_run,
        cluster: args.cluster.clone(),
        resources: args.resources.clone(),
        output: args.output,
        ..BackfillArgs::default()
    };
    backfill::run(&backfill, out).await
}

async fn find(url: Url) -> Result<Found, StoreError> {
    if !url.path().ends_with('/') && !url.to_file_path().is_ok_and(|path| path.is_dir()) {
        return Ok(Found::Table(url));
    }
    let folder = folder_url(url.as_str())?;
    for name in CATALOGS {
        let catalog = below(&folder, name)?;
        let (store, path) = stores().locate(&catalog)?;
        match store.head(&path).await {
            Ok(_) => return Ok(Found::Table(catalog)),
            Err(object_store::Error::NotFound { .. }) => {}
            Err(source) => return Err(StoreError::Open { url: catalog, source: source.into() }),
        }
    }
    Ok(Found::Folder(folder))
}

#[cfg(test)]
mod tests {
    use earthcatalog_plans::stores::location_url;

    use super::*;

    #[tokio::test]
    async fn a_folder_is_read_by_its_catalog_where_there_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = location_url(folder.path().to_str().unwrap()).unwrap();
        let url = folder_url(path.as_str()).unwrap();
        assert_eq!(find(path.clone()).await.unwrap(), Found::Folder(url.clone()));
        std::fs::write(folder.path().join("catalog.db"), "").unwrap();
        std::fs::write(folder.path().join("earthcatalog.db"), "").unwrap();
        let catalog = below(&url, "earthcatalog.db").unwrap();
        assert_eq!(find(path.clone()).await.unwrap(), Found::Table(catalog.clone()));
        assert_eq!(find(catalog.clone()).await.unwrap(), Found::Table(catalog));
    }
}
