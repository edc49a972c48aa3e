//! Collections from the bounds of columns that manifests record of each file.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Float64Type, TimestampMicrosecondType};
use datafusion::common::Result;
use datafusion::prelude::SessionContext;

use super::Extent;
use crate::query::ItemsTable;
use crate::table::manifests::files::LiveFiles;

/// The extent of each collection; `None` where the bounds do not tell, as where a file has Items of several, or rows of it are deleted.
pub(super) async fn extents(session: &SessionContext, table: &ItemsTable) -> Result<Option<BTreeMap<String, Extent>>> {
    let mut extents = BTreeMap::<String, Extent>::new();
    let state = session.state();
    for files in table.versions().live_files_with_bounds(&state).await? {
        if !table.versions().deleted_rows(&state, &files.files).await?.is_empty() {
            return Ok(None);
        }
        for i in 0..files.files.len() {
            let file = File::new(&files, i);
            let Some((collection, extent)) = file.recorded() else { return Ok(None) };
            extents.entry(collection.to_owned()).or_default().include(&extent);
        }
    }
    Ok(Some(extents))
}

/// One of the files of a manifest.
pub(crate) struct File<'a> {
    files: &'a LiveFiles,
    i: usize,
}

/// What is recorded of a column: its least and its greatest value, or that it has none.
type Range<T> = Option<[T; 2]>;

impl<'a> File<'a> {
    pub fn new(files: &'a LiveFiles, i: usize) -> Self {
        Self { files, i }
    }

    /// The collection of all rows, and where and when they are; `None` where the bounds do not tell.
    pub fn recorded(&self) -> Option<(&'a str, Extent)> {
        self.collection().zip(self.extent())
    }

    /// The one that all rows are of.
    fn collection(&self) -> Option<&'a str> {
        let bounds = self.files.bounds("collection")?;
        let at = |column: &'a dyn Array| column.is_valid(self.i).then(|| column.as_string_view().value(self.i));
        let has_nulls = bounds.nulls.is_null(self.i) || bounds.nulls.value(self.i) > 0;
        // A bound that was cut is either missing, or not that of the other side.
        at(bounds.min.as_ref()).filter(|min| !has_nulls && at(bounds.max.as_ref()) == Some(*min))
    }

    fn extent(&self) -> Option<Extent> {
        let number = |name| self.range(name, |column, i| column.as_primitive::<Float64Type>().value(i));
        let time = |name| self.range(name, |column, i| column.as_primitive::<TimestampMicrosecondType>().value(i));
        let [xmin, ymin, xmax, ymax] = [number("xmin")?, number("ymin")?, number("xmax")?, number("ymax")?];
        let bbox = || Some([xmin?[0], ymin?[0], xmax?[1], ymax?[1]]);
        let mut extent = Extent { bbox: bbox(), interval: [None; 2] };
        let [datetime, start, end] = [time("datetime")?, time("start_datetime")?, time("end_datetime")?];
        for interval in [
            datetime.map(|[first, last]| [Some(first), Some(last)]),
            start.map(|[first, _]| [Some(first), None]),
            end.map(|[_, last]| [None, Some(last)]),
        ] {
            extent.include(&Extent { bbox: None, interval: interval.unwrap_or_default() });
        }
        Some(extent)
    }

    /// `None`: it is not recorded.
    fn range<T>(&self, column: &str, value: impl Fn(&dyn Array, usize) -> T) -> Option<Range<T>> {
        let bounds = self.files.bounds(column)?;
        if bounds.nulls.is_valid(self.i) && bounds.nulls.value(self.i) == self.files.files[self.i].rows {
            return Some(None);
        }
        let is_known = bounds.min.is_valid(self.i) && bounds.max.is_valid(self.i);
        is_known.then(|| Some([value(bounds.min.as_ref(), self.i), value(bounds.max.as_ref(), self.i)]))
    }
}
