//! What position delete files say.

use std::collections::{HashMap, HashSet};

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use futures::{StreamExt, TryStreamExt, stream};
use parquet::arrow::ProjectionMask;

use super::delete_file::DeleteFile;
use super::{CONCURRENCY, Deletes, delete_file};
use crate::table::error::{Result, WarehouseError};
use crate::table::manifests::files::LiveFile;
use crate::table::written_by_any::open;

/// The names that Iceberg prescribes.
const COLUMNS: [&str; 2] = ["file_path", "pos"];

/// The rows of data files that position delete files name, by location.
pub(super) async fn of(deletes: &Deletes, files: &[&LiveFile]) -> Result<HashMap<String, Vec<u64>>> {
    let mut concerned = HashMap::<&str, (&DeleteFile, HashSet<&str>)>::new();
    for file in files {
        for of in deletes.about(file).filter(|of| of.is_by_position()) {
            concerned.entry(&of.location).or_insert_with(|| (of, HashSet::new())).1.insert(&file.location);
        }
    }
    let reads: Vec<_> = concerned.into_values().map(|(of, about)| read(of, about)).collect();
    let mut read = stream::iter(reads).buffer_unordered(CONCURRENCY);
    let mut rows = HashMap::<String, Vec<u64>>::new();
    while let Some(of_file) = read.try_next().await? {
        for (location, of_file) in of_file {
            rows.entry(location).or_default().extend(of_file);
        }
    }
    Ok(rows)
}

/// What one of them says of the files `about`.
async fn read(of: &DeleteFile, about: HashSet<&str>) -> Result<HashMap<String, Vec<u64>>> {
    let unreadable = delete_file(&of.location);
    let builder = open(&of.location, of.bytes).await.map_err(&unreadable)?;
    let found = COLUMNS.map(|name| builder.schema().index_of(name));
    let [Ok(path), Ok(position)] = found else {
        let reason = format!("it has no columns {} and {}", COLUMNS[0], COLUMNS[1]);
        return Err(WarehouseError::DeleteFile { location: of.location.clone(), reason });
    };
    let mask = ProjectionMask::roots(builder.parquet_schema(), [path, position]);
    let mut batches = builder.with_projection(mask).build().map_err(|e| unreadable(e.into()))?;
    let mut rows = HashMap::<String, Vec<u64>>::new();
    while let Some(batch) = batches.try_next().await.map_err(|e| unreadable(e.into()))? {
        let [paths, positions] = COLUMNS.map(|name| batch.column_by_name(name).cloned());
        let (Some(paths), Some(positions)) = (paths, positions) else { continue };
        let paths = cast(&paths, &DataType::Utf8).map_err(|e| unreadable(e.into()))?;
        let positions = cast(&positions, &DataType::Int64).map_err(|e| unreadable(e.into()))?;
        let (paths, positions) = (paths.as_string::<i32>(), positions.as_primitive::<Int64Type>());
        for (path, position) in paths.iter().zip(positions) {
            let Some((path, position)) = path.zip(position) else { continue };
            if about.contains(path) {
                rows.entry(path.to_owned()).or_default().extend(u64::try_from(position));
            }
        }
    }
    Ok(rows)
}
