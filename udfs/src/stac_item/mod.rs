//! `stac_item(*)`: the Item that a row was made from.

mod rows;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::StringViewBuilder;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, exec_datafusion_err, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use earthcatalog_stac_rows::item::{ItemColumns, Role};
pub use earthcatalog_stac_rows::item::{write_geometry, write_with_links};
pub use earthcatalog_stac_rows::{PROPERTY_KEY, is_ignored};
pub use rows::RowItems;

pub(crate) const NAME: &str = "stac_item";

/// `stac_item(*) -> Utf8View`: the STAC Item (JSON text) that a row of table `items` was made from, member for member
/// equal as JSON values.
///
/// The arguments are columns of the table, told apart by their names and by the field metadata `stac.property`, which
/// names the property that a promoted column holds; a star stands for all of them. A column that is not given is
/// absent from the Item. Texts in `assets`, `links`, `properties` and `extra` are passed through as they are.
///
/// Never null. Errors: a column that is no column of an Item, and texts or geometries that cannot be read.
pub fn stac_item_udf() -> ScalarUDF {
    ScalarUDF::from(StacItem { signature: Signature::variadic_any(Volatility::Immutable) })
}

/// Metadata of the returned field: the columns that the arguments were when the call was planned.
const COLUMNS_KEY: &str = "stac_item.columns";

/// Name and property of each column, as JSON.
fn planned_columns(fields: &[FieldRef]) -> Result<String> {
    let columns: Vec<_> = fields.iter().map(|f| (f.name(), f.metadata().get(PROPERTY_KEY))).collect();
    serde_json::to_string(&columns).map_err(|e| exec_datafusion_err!("stac_item: {e}"))
}

/// The fields of the arguments with the names that they had when the call was planned: a Parquet scan puts a literal,
/// which has no name, in place of a column that is constant in a file.
fn as_planned(args: &ScalarFunctionArgs) -> Result<Vec<Field>> {
    let planned = args.return_field.metadata().get(COLUMNS_KEY).map_or("[]", String::as_str);
    let planned: Vec<(String, Option<String>)> =
        serde_json::from_str(planned).map_err(|e| exec_datafusion_err!("stac_item: {e}"))?;
    let mut fields: Vec<_> = args.arg_fields.iter().map(|field| field.as_ref().clone()).collect();
    if planned.len() == fields.len() {
        for (field, (name, property)) in fields.iter_mut().zip(planned) {
            field.set_name(name);
            field.set_metadata(property.map(|property| (PROPERTY_KEY.to_owned(), property)).into_iter().collect());
        }
    }
    Ok(fields)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct StacItem {
    signature: Signature,
}

impl ScalarUDFImpl for StacItem {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        for field in args.arg_fields {
            // A star that is not expanded yet has no type.
            if field.data_type() != &DataType::Null && Role::from_field(field).is_none() {
                return plan_err!(
                    "stac_item: column {} ({}) is no column of an Item; name the columns to use, as in stac_item(id, geometry, properties)",
                    field.name(),
                    field.data_type()
                );
            }
        }
        let metadata = HashMap::from([(COLUMNS_KEY.to_owned(), planned_columns(args.arg_fields)?)]);
        Ok(Arc::new(Field::new(NAME, DataType::Utf8View, false).with_metadata(metadata)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let mut columns = ItemColumns::default();
        for (value, field) in args.args.iter().zip(as_planned(&args)?) {
            let Some(role) = Role::from_field(&field) else {
                return exec_err!("stac_item: column {} is no column of an Item", field.name());
            };
            columns.add(role, &value.to_array(args.number_rows)?)?;
        }
        let mut items = StringViewBuilder::with_capacity(args.number_rows);
        let mut text = Vec::new();
        for row in 0..args.number_rows {
            text.clear();
            let item = columns.write_item(row, &mut text).and_then(|()| Ok(str::from_utf8(&text)?));
            items.append_value(item.map_err(|e| exec_datafusion_err!("stac_item: {e}"))?);
        }
        Ok(ColumnarValue::Array(Arc::new(items.finish())))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use arrow::array::AsArray;
    use arrow::array::{
        ArrayRef, BinaryViewArray, Float64Array, Int32Array, ListBuilder, RecordBatch, StringViewArray,
        TimestampMicrosecondArray,
    };
    use arrow::datatypes::{Schema, TimeUnit};
    use datafusion::prelude::SessionContext;
    use serde_json::{Value, json};

    use super::*;
    use crate::register;

    fn text(name: &str, value: Option<&str>) -> (Field, ArrayRef) {
        (Field::new(name, DataType::Utf8View, true), Arc::new(StringViewArray::from(vec![value])))
    }

    fn property(property: &str, (field, array): (Field, ArrayRef)) -> (Field, ArrayRef) {
        (field.with_metadata(HashMap::from([(PROPERTY_KEY.into(), property.into())])), array)
    }

    fn geometry(wkb: Option<&[u8]>) -> (Field, ArrayRef) {
        (Field::new("geometry", DataType::BinaryView, true), Arc::new(BinaryViewArray::from(vec![wkb])))
    }

    fn time(name: &str, micros: i64) -> (Field, ArrayRef) {
        let field = Field::new(name, DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true);
        (field, Arc::new(TimestampMicrosecondArray::from(vec![micros]).with_timezone("UTC")))
    }

    fn bounds(values: [f64; 4]) -> Vec<(Field, ArrayRef)> {
        let bound = |(name, value)| -> (Field, ArrayRef) {
            (Field::new(name, DataType::Float64, true), Arc::new(Float64Array::from(vec![value])))
        };
        ["xmin", "ymin", "xmax", "ymax"].into_iter().zip(values).map(bound).collect()
    }

    fn point() -> Vec<u8> {
        [&[1, 1, 0, 0, 0][..], &(-45.0f64).to_le_bytes(), &68.5f64.to_le_bytes()].concat()
    }

    async fn query(columns: Vec<(Field, ArrayRef)>, sql: &str) -> Result<Vec<Value>> {
        let session = SessionContext::new();
        register(&session)?;
        let (fields, arrays): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
        session.register_batch("t", RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)?;
        let batches = session.sql(sql).await?.collect().await?;
        let items = batches.iter().flat_map(|b| b.column(0).as_string_view().iter().flatten());
        Ok(items.map(|text| serde_json::from_str(text).unwrap()).collect())
    }

    /// The Item of one row.
    async fn item(columns: Vec<(Field, ArrayRef)>) -> Value {
        query(columns, "SELECT stac_item(*) FROM t").await.unwrap().remove(0)
    }

    #[tokio::test]
    async fn a_row_becomes_the_item_that_it_was_made_from() {
        let mut extensions = ListBuilder::new(StringViewBuilder::new());
        extensions.append_value([Some("https://example.com/projection.json")]);
        let extensions: ArrayRef = Arc::new(extensions.finish());
        let mut columns = vec![
            text("id", Some("a \"quoted\" id")),
            text("grid_partition", Some("810e3ffffffffff")),
            text("collection", Some("itslive-granules")),
            geometry(Some(&point())),
            time("datetime", 1_500_000),
            property("proj:code", text("proj_code", Some("EPSG:3413"))),
            property("version", text("version", None)),
            property("percent", (Field::new("p", DataType::Int32, true), Arc::new(Int32Array::from(vec![85])))),
            text("stac_version", Some("1.1.0")),
            (Field::new("stac_extensions", extensions.data_type().clone(), true), extensions),
            text("assets", Some(r#"{"data": {"href": "a.nc"}}"#)),
            text("links", Some("[]")),
            text("properties", Some(r#"{"updated": "2020-01-01", "eo:bands": [1, 2.5]}"#)),
            text("extra", Some(r#"{"foreign": {"a": 1}}"#)),
        ];
        columns.extend(bounds([-45.0, 68.5, -45.0, 68.5]));
        let expected = json!({
            "type": "Feature",
            "stac_version": "1.1.0",
            "stac_extensions": ["https://example.com/projection.json"],
            "id": "a \"quoted\" id",
            "collection": "itslive-granules",
            "geometry": {"type": "Point", "coordinates": [-45.0, 68.5]},
            "bbox": [-45.0, 68.5, -45.0, 68.5],
            "properties": {
                "datetime": "1970-01-01T00:00:01.500000Z",
                "proj:code": "EPSG:3413",
                "percent": 85,
                "updated": "2020-01-01",
                "eo:bands": [1, 2.5],
            },
            "links": [],
            "assets": {"data": {"href": "a.nc"}},
            "foreign": {"a": 1},
        });
        assert_eq!(item(columns).await, expected);
    }

    #[tokio::test]
    async fn what_is_kept_as_text_wins_over_the_columns() {
        let mut columns = vec![
            text("id", Some("x")),
            geometry(Some(&point())),
            time("datetime", 0),
            property("percent", text("percent", Some("85"))),
            text("links", Some("[]")),
            text("properties", Some(r#"{"datetime": "1970-01-01", "percent": 85.0}"#)),
            text(
                "extra",
                Some(
                    r#"{"geometry": {"type": "Point", "coordinates": [-45, 68.5], "note": 1}, "links": null, "earthcatalog:absent": ["bbox"]}"#,
                ),
            ),
        ];
        columns.extend(bounds([-45.0, 68.5, -45.0, 68.5]));
        let expected = json!({
            "type": "Feature",
            "id": "x",
            "geometry": {"type": "Point", "coordinates": [-45, 68.5], "note": 1},
            "properties": {"datetime": "1970-01-01", "percent": 85.0},
            "links": null,
        });
        assert_eq!(item(columns).await, expected);
    }

    #[tokio::test]
    async fn nulls_are_absent_members_but_for_geometry_and_properties() {
        let columns = || vec![text("id", Some("x")), geometry(None), text("assets", None), text("properties", None)];
        let expected = json!({"type": "Feature", "id": "x", "geometry": null, "properties": {}});
        assert_eq!(item(columns()).await, expected);
        let mut marked = columns();
        marked.push(text("extra", Some(r#"{"earthcatalog:absent": ["geometry", "properties"]}"#)));
        assert_eq!(item(marked).await, json!({"type": "Feature", "id": "x"}));
        let mut overlaid = columns();
        overlaid.push(text("extra", Some(r#"{"properties": null}"#)));
        assert_eq!(item(overlaid).await, json!({"type": "Feature", "id": "x", "geometry": null, "properties": null}));
    }

    #[tokio::test]
    async fn stars_names_and_aliases_all_work() {
        let columns = || vec![text("id", Some("x")), text("links", Some("[]"))];
        let expected = vec![json!({"type": "Feature", "id": "x", "properties": {}, "links": []})];
        for sql in [
            "SELECT stac_item(*) FROM t",
            "SELECT stac_item(t.*) FROM t",
            "SELECT stac_item(u.*) AS item FROM t AS u",
            "SELECT stac_item(id, links) FROM t",
            "SELECT item FROM (SELECT stac_item(*) AS item FROM t) WHERE item LIKE '%Feature%'",
            "SELECT stac_item(*) FROM t WHERE stac_item(*) IS NOT NULL ORDER BY id",
            "SELECT stac_item(t.*) FROM t JOIN (VALUES ('x')) AS o(k) ON t.id = o.k",
            "SELECT stac_item(*) FROM (SELECT DISTINCT id, links FROM t)",
        ] {
            assert_eq!(query(columns(), sql).await.unwrap(), expected, "{sql}");
        }
        let name = "SELECT \"stac_item(*)\" FROM (SELECT stac_item(*) FROM t)";
        assert_eq!(query(columns(), name).await.unwrap(), expected);
    }

    #[tokio::test]
    async fn errors_name_the_column() {
        let unknown = query(vec![text("id", Some("x")), text("mystery", None)], "SELECT stac_item(*) FROM t").await;
        let unknown = unknown.unwrap_err().to_string();
        assert!(
            unknown.contains("column mystery (Utf8View) is no column of an Item; name the columns to use"),
            "{unknown}"
        );
        let broken = query(vec![text("properties", Some("{"))], "SELECT stac_item(*) FROM t").await;
        let broken = broken.unwrap_err().to_string();
        assert!(broken.contains("stac_item: column properties has text that is no JSON object"), "{broken}");
    }
}
