//! The columns of Items, and an Item as a row of them.

use std::collections::BTreeMap;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{Result, exec_datafusion_err};
use serde_json::{Map, Value};

use super::shape::Shape;

/// Members of an Item that have columns of these names, in their order; the other columns are properties.
const MEMBERS: [&str; 8] = ["type", "stac_version", "stac_extensions", "id", "bbox", "links", "assets", "collection"];

/// What is a member, too, and comes from elsewhere.
const NO_COLUMNS: [&str; 2] = ["geometry", "properties"];

/// Properties that readers expect as times.
const TIMES: [&str; 8] =
    ["datetime", "start_datetime", "end_datetime", "created", "updated", "expires", "published", "unpublished"];

/// The bounds of a footprint, in GeoJSON's order; flat ones have no `z`.
const BOUNDS: [&str; 6] = ["xmin", "ymin", "zmin", "xmax", "ymax", "zmax"];

/// The columns that hold all Items so far.
#[derive(Debug, Default)]
pub(super) struct Columns {
    members: BTreeMap<&'static str, Shape>,
    properties: BTreeMap<String, Shape>,
}

impl Columns {
    /// Widens the columns so that they hold this Item.
    pub fn observe(&mut self, item: &[u8]) -> Result<()> {
        let row = Row::parse(item)?;
        for (name, value) in &row.members {
            self.members.entry(name).or_default().observe(value, false);
        }
        for (name, value) in &row.properties {
            match self.properties.get_mut(name) {
                Some(shape) => shape.observe(value, TIMES.contains(&name.as_str())),
                None => {
                    let shape = self.properties.entry(name.clone()).or_default();
                    shape.observe(value, TIMES.contains(&name.as_str()));
                }
            }
        }
        Ok(())
    }

    /// The columns, without `geometry`: members first, then properties by name.
    pub fn schema(&self) -> SchemaRef {
        let members = MEMBERS.into_iter().filter_map(|name| {
            let data_type = match (name, self.members.get(name)) {
                // These are always there, be there no Item at all.
                ("id" | "type" | "stac_version", None) => DataType::Utf8,
                ("bbox", _) => self.bbox(),
                // As the Python package has it, whose readers know it: no column where no Item has an asset.
                ("assets", Some(Shape::Object(assets))) if assets.is_empty() => return None,
                (_, shape) => shape?.data_type()?,
            };
            Some(Field::new(name, data_type, name != "id"))
        });
        let properties =
            self.properties.iter().filter_map(|(name, shape)| Some(Field::new(name, shape.data_type()?, true)));
        SchemaRef::new(Schema::new(members.chain(properties).collect::<Vec<_>>()))
    }

    fn bbox(&self) -> DataType {
        let has_z = match self.members.get("bbox") {
            Some(Shape::Object(sides)) => sides.contains_key("zmin"),
            _ => false,
        };
        let sides = BOUNDS.into_iter().filter(|side| has_z || !side.starts_with('z'));
        DataType::Struct(sides.map(|side| Field::new(side, DataType::Float64, true)).collect())
    }

    /// Appends an Item as a JSON object of columns, on one line; whether a reader gets it back as it was.
    pub fn write(&self, item: &[u8], out: &mut Vec<u8>) -> Result<bool> {
        let mut row = Row::parse(item)?;
        let mut columns = Map::new();
        for (name, mut value) in row.members {
            let Some(shape) = self.members.get(name) else { continue };
            row.is_exact &= name == "bbox" || shape.fit(&mut value);
            let is_left_out = matches!((name, shape), ("assets", Shape::Object(assets)) if assets.is_empty());
            if !is_left_out && (name == "bbox" || shape.data_type().is_some()) {
                columns.insert(name.to_owned(), value);
            }
        }
        for (name, mut value) in row.properties {
            let Some(shape) = self.properties.get(&name) else { continue };
            // The one property that readers give as null where there is none.
            row.is_exact &= shape.fit(&mut value) || name == "datetime" && value.is_null();
            if shape.data_type().is_some() {
                columns.insert(name, value);
            }
        }
        serde_json::to_writer(&mut *out, &columns).map_err(|e| exec_datafusion_err!("cannot write an Item: {e}"))?;
        out.push(b'\n');
        Ok(row.is_exact)
    }
}

/// An Item, taken apart.
struct Row {
    members: Vec<(&'static str, Value)>,
    properties: Map<String, Value>,
    is_exact: bool,
}

impl Row {
    fn parse(item: &[u8]) -> Result<Self> {
        let item: Map<String, Value> =
            serde_json::from_slice(item).map_err(|e| exec_datafusion_err!("an Item is not a JSON object: {e}"))?;
        let mut row = Self { members: vec![], properties: Map::new(), is_exact: true };
        for (name, value) in item {
            match (MEMBERS.into_iter().find(|member| *member == name), name.as_str(), value) {
                (Some("bbox"), _, value) => match sides(&value) {
                    Some(bbox) => row.members.push(("bbox", bbox)),
                    None => row.is_exact = false,
                },
                (Some(member), _, value) => row.members.push((member, value)),
                (None, "properties", Value::Object(properties)) => row.properties = properties,
                (None, "geometry", geometry) => row.is_exact &= is_plain(&geometry),
                // There is no column for it: what is no member is a property to readers.
                (None, ..) => row.is_exact = false,
            }
        }
        let taken = |name: &str| MEMBERS.contains(&name) || NO_COLUMNS.contains(&name);
        let before = row.properties.len();
        row.properties.retain(|name, _| !taken(name));
        row.is_exact &= row.properties.len() == before;
        Ok(row)
    }
}

/// The bounds as an object; `None` if they are not four or six numbers.
fn sides(bbox: &Value) -> Option<Value> {
    let sides = bbox.as_array().filter(|sides| sides.iter().all(Value::is_number))?;
    let names = BOUNDS.into_iter().filter(|name| sides.len() == 6 || !name.starts_with('z'));
    let is_box = [4, 6].contains(&sides.len());
    is_box.then(|| names.zip(sides).map(|(name, side)| (name.to_owned(), side.clone())).collect::<Map<_, _>>().into())
}

/// Whether a geometry is no more than its type and coordinates.
fn is_plain(geometry: &Value) -> bool {
    match geometry {
        Value::Object(members) => members.keys().all(|name| ["type", "coordinates", "geometries"].contains(&&**name)),
        other => other.is_null(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rows(items: &[Value]) -> (String, Vec<(Value, bool)>) {
        let texts: Vec<_> = items.iter().map(|item| item.to_string().into_bytes()).collect();
        let mut columns = Columns::default();
        texts.iter().for_each(|text| columns.observe(text).unwrap());
        let row = |text: &Vec<u8>| {
            let mut out = vec![];
            let is_exact = columns.write(text, &mut out).unwrap();
            (serde_json::from_slice(&out).unwrap(), is_exact)
        };
        let names: Vec<_> = columns.schema().fields().iter().map(|field| field.name().clone()).collect();
        (names.join(" "), texts.iter().map(row).collect())
    }

    #[test]
    fn an_item_is_a_row_of_its_members_and_properties() {
        let item = json!({
            "type": "Feature", "stac_version": "1.1.0", "id": "a", "bbox": [1, 2, 3, 4.5], "links": [], "assets": {},
            "geometry": {"type": "Point", "coordinates": [1, 2]},
            "properties": {"datetime": null, "eo:cloud_cover": 5, "b": {"c": [1]}},
        });
        let (names, rows) = rows(&[item]);
        assert_eq!(names, "type stac_version id bbox links b eo:cloud_cover");
        let expected = json!({
            "type": "Feature", "stac_version": "1.1.0", "id": "a", "links": [],
            "bbox": {"xmin": 1, "ymin": 2, "xmax": 3, "ymax": 4.5}, "eo:cloud_cover": 5, "b": {"c": [1]},
        });
        assert_eq!(rows, [(expected, true)]);
    }

    #[test]
    fn what_has_no_place_in_such_a_file_is_told() {
        let with = |name: &str, value: Value| {
            let mut item = json!({"type": "Feature", "id": "a", "properties": {}});
            item[name] = value;
            item
        };
        for item in [
            with("foreign", json!(1)),
            with("bbox", json!([1, 2])),
            with("properties", json!({"id": 7})),
            with("properties", json!({"gsd": null})),
            with("geometry", json!({"type": "Point", "coordinates": [1, 2], "note": 1})),
        ] {
            let (_, rows) = rows(std::slice::from_ref(&item));
            assert!(!rows[0].1, "{item}");
        }
        assert!(rows(&[with("properties", json!({"datetime": null}))]).1[0].1);
    }
}
