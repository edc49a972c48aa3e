//! A scan of Parquet files that are known by location and size.

use std::cmp::Reverse;
use std::sync::Arc;

use chrono::DateTime;
use datafusion::catalog::Session;
use datafusion::common::{Result, ScalarValue, Statistics, exec_err, project_schema};
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use object_store::ObjectMeta;
use url::Url;

use super::balanced::balanced;
use super::by_field_id::by_field_id;
use super::checked_scan::checked_scan;
use crate::stores::stores;

/// What is read of the end of a file at first, in bytes: footers of one row group are 10 kB long, and page indexes lie before
/// them. DataFusion's own guess, 512 KiB, is most files as a whole.
const FOOTER_GUESS: usize = 32 << 10;

/// One file to scan.
#[derive(Debug, Clone)]
pub(crate) struct ScanFile {
    pub url: Url,
    pub bytes: u64,
    pub sequence: i64,
    pub statistics: Option<Arc<Statistics>>,
}

/// A scan of `files`, of which each has the columns of the file schema or some of them, in about as many groups of
/// about the same size as the session has partitions. A partition column is the file's sequence number. Columns with a field
/// id are found by that, others by their names.
///
/// Errors: files in more than one store.
pub(crate) async fn parquet_scan(
    session: &dyn Session,
    schema: TableSchema,
    files: Vec<ScanFile>,
    statistics: Statistics,
    projection: Option<&Vec<usize>>,
    limit: Option<usize>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let store_of = |url: &Url| format!("{}://{}", url.scheme(), url.authority());
    let Some(store) = files.first().map(|file| store_of(&file.url)) else {
        return Ok(Arc::new(EmptyExec::new(project_schema(schema.table_schema(), projection)?)));
    };
    if let Some(other) = files.iter().find(|file| store_of(&file.url) != store) {
        return exec_err!("{} is not in {store}, where other files of the table are", other.url);
    }
    let sequenced = !schema.table_partition_cols().is_empty();
    let groups = file_groups(files, sequenced, session.config().target_partitions())?;
    let mut options = session.default_table_options().parquet;
    // Rows are wide: what a filter does not read is decoded only of the rows that it keeps, and cheap filters come first.
    options.global.pushdown_filters = true;
    options.global.reorder_filters = true;
    options.global.metadata_size_hint = Some(FOOTER_GUESS);
    let format = ParquetFormat::new().with_options(options);
    let source = format.file_source(schema);
    let scan = FileScanConfigBuilder::new(ObjectStoreUrl::parse(store)?, source)
        .with_file_groups(groups)
        .with_statistics(statistics)
        .with_projection_indices(projection.cloned())?
        .with_limit(limit)
        .build();
    by_field_id(checked_scan(format.create_physical_plan(session, scan).await?)?)
}

/// At most `groups` groups of about the same size.
fn file_groups(mut files: Vec<ScanFile>, sequenced: bool, groups: usize) -> Result<Vec<FileGroup>> {
    files.sort_by(|a, b| Reverse(a.bytes).cmp(&Reverse(b.bytes)).then_with(|| a.url.cmp(&b.url)));
    let group = |mut files: Vec<ScanFile>| {
        files.sort_by(|a, b| a.url.cmp(&b.url));
        Ok(FileGroup::new(files.into_iter().map(|file| partitioned_file(file, sequenced)).collect::<Result<_>>()?))
    };
    // Opening a small file costs as much as reading 64 KiB or so.
    balanced(files, groups, |file| file.bytes.max(1 << 16)).into_iter().map(group).collect()
}

fn partitioned_file(file: ScanFile, sequenced: bool) -> Result<PartitionedFile> {
    let (_, location) = stores().locate(&file.url)?;
    // Files are never written twice, so that the cache of footers needs no time to tell versions apart.
    let last_modified = DateTime::UNIX_EPOCH;
    let mut scanned = PartitionedFile::new_from_meta(ObjectMeta {
        location,
        last_modified,
        size: file.bytes,
        e_tag: None,
        version: None,
    });
    if sequenced {
        scanned.partition_values = vec![ScalarValue::Int64(Some(file.sequence))];
    }
    Ok(match file.statistics {
        Some(statistics) => scanned.with_statistics(statistics),
        None => scanned,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_of_about_the_same_size_and_the_same_every_time() {
        let file = |name: usize, megabytes: u64| ScanFile {
            url: Url::parse(&format!("memory://b/{name}.parquet")).unwrap(),
            bytes: megabytes << 20,
            sequence: 1,
            statistics: None,
        };
        let files: Vec<_> = [9, 1, 1, 5, 3, 1].into_iter().enumerate().map(|(i, mb)| file(i, mb)).collect();
        let sizes = |groups: &[FileGroup]| -> Vec<u64> {
            groups.iter().map(|g| g.iter().map(|f| f.object_meta.size >> 20).sum()).collect()
        };
        let groups = file_groups(files.clone(), false, 2).unwrap();
        assert_eq!(sizes(&groups), [10, 10]);
        let reversed = file_groups(files.into_iter().rev().collect(), false, 2).unwrap();
        let paths = |groups: &[FileGroup]| -> Vec<String> {
            groups.iter().flat_map(|g| g.iter().map(|f| f.path().to_string())).collect()
        };
        assert_eq!(paths(&groups), paths(&reversed));
        assert_eq!(file_groups(vec![file(0, 1)], true, 8).unwrap().len(), 1);
    }
}
