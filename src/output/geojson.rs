//! Rows as a GeoJSON FeatureCollection (RFC 7946): STAC Items, where the rows are such, else features.

use std::io::Write;

use arrow::array::{Array, BinaryViewArray};
use arrow::datatypes::{Field, Schema};
use arrow::json::writer::{LineDelimited, Writer, WriterBuilder};
use arrow::record_batch::RecordBatch;
use datafusion::common::{DataFusionError, exec_datafusion_err, plan_datafusion_err};
use earthcatalog_plans::model::items::{ItemSchema, RowItems, wkb_of, write_geometry};
use earthcatalog_plans::search::Fields;
use serde_json::{Map, Value};

use super::{OutputError, RowWriter};

/// The writer for rows of this schema.
///
/// Errors: no column `geometry`, or one that holds no geometries.
pub(super) fn writer(schema: &Schema) -> Result<Box<dyn RowWriter>, OutputError> {
    let is_items = ItemSchema::from_table(schema).is_ok_and(|items| items.check_items(schema).is_ok());
    Ok(match is_items {
        true => Box::new(ItemsWriter::collection()),
        false => Box::new(FeatureWriter::try_new(schema)?),
    })
}

/// What is around the features, and between them.
#[derive(Debug, Default)]
struct Collection {
    has_features: bool,
}

impl Collection {
    fn next(&mut self) -> &'static [u8] {
        match std::mem::replace(&mut self.has_features, true) {
            true => b",\n",
            false => b"{\"type\":\"FeatureCollection\",\"features\":[\n",
        }
    }

    fn end(&self) -> &'static [u8] {
        match self.has_features {
            true => b"\n]}\n",
            false => b"{\"type\":\"FeatureCollection\",\"features\":[]}\n",
        }
    }
}

/// Writes rows of table `items` as the Items that they were, or as some of their fields, one a line.
#[derive(Debug)]
pub struct ItemsWriter {
    /// `None`: the lines stand alone.
    collection: Option<Collection>,
    /// `None`: whole Items.
    fields: Option<Fields>,
}

impl ItemsWriter {
    /// Writes one ItemCollection.
    pub fn collection() -> Self {
        Self { collection: Some(Collection::default()), fields: None }
    }

    /// Writes NDJSON.
    pub fn lines() -> Self {
        Self { collection: None, fields: None }
    }

    /// Writes these fields of the Items.
    pub fn with_fields(self, fields: Option<Fields>) -> Self {
        Self { fields, ..self }
    }
}

/// What `fields` leave of the Item that `text` has from byte `start` on.
pub fn select_fields(fields: &Fields, text: &mut Vec<u8>, start: usize) -> Result<(), OutputError> {
    let failed = |e: serde_json::Error| exec_datafusion_err!("an Item is no JSON: {e}");
    let item: Map<String, Value> = serde_json::from_slice(&text[start..]).map_err(failed)?;
    text.truncate(start);
    serde_json::to_writer(text, &fields.select(item)).map_err(failed)?;
    Ok(())
}

impl RowWriter for ItemsWriter {
    fn write(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> Result<(), OutputError> {
        let items = RowItems::try_new(batch)?;
        let mut text = vec![];
        for row in 0..batch.num_rows() {
            text.clear();
            text.extend_from_slice(self.collection.as_mut().map_or(b"", Collection::next));
            let start = text.len();
            items.write(row, &mut text)?;
            if let Some(fields) = &self.fields {
                select_fields(fields, &mut text, start)?;
            }
            if self.collection.is_none() {
                text.push(b'\n');
            }
            out.write_all(&text)?;
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut dyn Write) -> Result<(), OutputError> {
        Ok(out.write_all(self.collection.as_ref().map_or(b"", Collection::end))?)
    }
}

/// Writes rows as features: `geometry`, `id` if there is one, and the rest as properties.
#[derive(Debug)]
struct FeatureWriter {
    collection: Collection,
    geometry: usize,
    field: Field,
    id: Option<usize>,
    properties: Vec<usize>,
}

impl FeatureWriter {
    fn try_new(schema: &Schema) -> Result<Self, OutputError> {
        let no_geometry = || {
            plan_datafusion_err!(
                "GeoJSON needs a column named geometry, and the result has no such column; select one, or write another format"
            )
        };
        let geometry = schema.index_of("geometry").map_err(|_| no_geometry())?;
        let id = schema.index_of("id").ok();
        let properties = (0..schema.fields().len()).filter(|i| *i != geometry && Some(*i) != id).collect();
        Ok(Self { collection: Collection::default(), geometry, field: schema.field(geometry).clone(), id, properties })
    }
}

impl RowWriter for FeatureWriter {
    fn write(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> Result<(), OutputError> {
        let geometries: BinaryViewArray = wkb_of(batch.column(self.geometry), &self.field)?;
        let properties = objects(batch, &self.properties, true)?;
        let ids = objects(batch, self.id.as_slice(), false)?;
        let mut feature = vec![];
        for row in 0..batch.num_rows() {
            feature.clear();
            feature.extend_from_slice(self.collection.next());
            feature.extend_from_slice(b"{\"type\":\"Feature\",");
            // {"id":…}, or {} where it is null.
            if let Some(id) = ids[row].strip_prefix('{').and_then(|id| id.strip_suffix('}')).filter(|id| !id.is_empty())
            {
                feature.extend_from_slice(id.as_bytes());
                feature.push(b',');
            }
            feature.extend_from_slice(b"\"geometry\":");
            match geometries.is_valid(row) {
                true => write_geometry(&mut feature, geometries.value(row))
                    .map_err(|e| exec_datafusion_err!("column geometry is not readable as WKB: {e}"))?,
                false => feature.extend_from_slice(b"null"),
            }
            feature.extend_from_slice(b",\"properties\":");
            feature.extend_from_slice(properties[row].as_bytes());
            feature.push(b'}');
            out.write_all(&feature)?;
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut dyn Write) -> Result<(), OutputError> {
        Ok(out.write_all(self.collection.end())?)
    }
}

/// The columns of each row as a JSON object.
fn objects(batch: &RecordBatch, columns: &[usize], nulls: bool) -> Result<Vec<String>, OutputError> {
    if columns.is_empty() {
        return Ok(vec!["{}".to_owned(); batch.num_rows()]);
    }
    let rows = batch.project(columns).map_err(DataFusionError::from)?;
    let mut writer: Writer<_, LineDelimited> = WriterBuilder::new().with_explicit_nulls(nulls).build(vec![]);
    writer.write(&rows).map_err(DataFusionError::from)?;
    let text = String::from_utf8(writer.into_inner()).map_err(|e| exec_datafusion_err!("{e}"))?;
    Ok(text.lines().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::SessionContext;
    use serde_json::json;

    use super::*;
    use crate::output::{Format, write};

    async fn features(sql: &str) -> Result<Value, OutputError> {
        let session: SessionContext = earthcatalog_plans::session::session(2).unwrap();
        let rows = session.sql(sql).await.unwrap().execute_stream().await.unwrap();
        let mut out = vec![];
        write(rows, Format::Geojson, &mut out).await?;
        Ok(serde_json::from_slice(&out).unwrap())
    }

    #[tokio::test]
    async fn a_row_with_a_geometry_is_a_feature_with_the_rest_as_properties() {
        let sql = "SELECT id, ST_GeomFromText(wkt) AS geometry, name, n \
                   FROM (VALUES (7, 'POINT(1 2.5)', 'é\n', NULL), (NULL, NULL, NULL, 1.5)) AS t(id, wkt, name, n)";
        assert_eq!(
            features(sql).await.unwrap(),
            json!({"type": "FeatureCollection", "features": [
                {"type": "Feature", "id": 7, "geometry": {"type": "Point", "coordinates": [1.0, 2.5]},
                 "properties": {"name": "é\n", "n": null}},
                {"type": "Feature", "geometry": null, "properties": {"name": null, "n": 1.5}},
            ]})
        );
    }

    #[tokio::test]
    async fn a_result_without_rows_is_a_collection_without_features() {
        let none = features("SELECT ST_GeomFromText('POINT(1 2)') AS geometry WHERE false").await.unwrap();
        assert_eq!(none, json!({"type": "FeatureCollection", "features": []}));
    }

    #[tokio::test]
    async fn rows_without_geometries_are_refused() {
        let error = features("SELECT 1 AS n").await.unwrap_err().to_string();
        assert!(error.contains("GeoJSON needs a column named geometry, and the result has no such column"), "{error}");
        let error = features("SELECT 'POINT(1 2)' AS geometry").await.unwrap_err().to_string();
        assert!(error.contains("geometry is Utf8, which is no geometry"), "{error}");
    }
}
