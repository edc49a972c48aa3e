//! The columns of Items, and an Item as a row of them.

use std::collections::{BTreeMap, BTreeSet};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{Result, exec_datafusion_err};
use earthcatalog_plans::sink::COVERING;
use serde_json::{Map, Value};

use super::shape::Shape;

/// Members of an Item that have columns of these names, in their order; the other columns are properties.
const MEMBERS: [&str; 8] = ["type", "stac_version", "stac_extensions", "id", "bbox", "links", "assets", "collection"];

/// What is a member, too, and comes from elsewhere; and the column with the bounds of geometries.
const NO_COLUMNS: [&str; 3] = ["geometry", "properties", COVERING];

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
    /// The bbox of some Item does not cover its geometry.
    needs_covering: bool,
}

/// Items that a file does not hold exactly.
#[derive(Debug, Default)]
pub(in super::super) struct Lost {
    pub items: u64,
    /// The members and properties in which they differ.
    pub members: BTreeSet<String>,
}

impl Columns {
    /// Widens the columns so that they hold this Item, whose geometry has these bounds.
    pub fn observe(&mut self, item: &[u8], bounds: Option<[f64; 4]>) -> Result<()> {
        let row = Row::parse(item)?;
        self.needs_covering |= bounds.is_some_and(|bounds| !row.covers(bounds));
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

    /// Whether rows cannot be chosen by column `bbox`.
    pub fn needs_covering(&self) -> bool {
        self.needs_covering
    }

    /// Columns, and members of columns, whose values are of several types.
    pub fn mixed(&self) -> Vec<String> {
        let mut found = vec![];
        let members = self.members.iter().map(|(name, shape)| (*name, shape));
        let properties = self.properties.iter().map(|(name, shape)| (name.as_str(), shape));
        members.chain(properties).for_each(|(name, shape)| shape.find_mixed(name, &mut found));
        found
    }

    /// Appends an Item as a JSON object of columns, on one line. If a reader does not get it back as it was, or it is not
    /// exact any more, it is counted in `lost`.
    pub fn write(&self, item: &[u8], is_exact: bool, out: &mut Vec<u8>, lost: &mut Lost) -> Result<()> {
        let mut row = Row::parse(item)?;
        let mut columns = Map::new();
        for (name, mut value) in row.members {
            let Some(shape) = self.members.get(name) else { continue };
            let is_fit = if name == "bbox" { fit_sides(&mut value) } else { shape.fit(&mut value) };
            if !is_fit {
                row.lost.push(name.to_owned());
            }
            let is_left_out = matches!((name, shape), ("assets", Shape::Object(assets)) if assets.is_empty());
            if !is_left_out && (name == "bbox" || shape.data_type().is_some()) {
                columns.insert(name.to_owned(), value);
            }
        }
        for (name, mut value) in row.properties {
            let Some(shape) = self.properties.get(&name) else { continue };
            // The one property that readers give as null where there is none.
            if !(shape.fit(&mut value) || name == "datetime" && value.is_null()) {
                row.lost.push(name.clone());
            }
            if shape.data_type().is_some() {
                columns.insert(name, value);
            }
        }
        serde_json::to_writer(&mut *out, &columns).map_err(|e| exec_datafusion_err!("cannot write an Item: {e}"))?;
        out.push(b'\n');
        if !is_exact || !row.lost.is_empty() {
            lost.items += 1;
            lost.members.extend(row.lost);
        }
        Ok(())
    }
}

/// An Item, taken apart.
struct Row {
    members: Vec<(&'static str, Value)>,
    properties: Map<String, Value>,
    /// Members and properties without a column.
    lost: Vec<String>,
}

impl Row {
    fn parse(item: &[u8]) -> Result<Self> {
        let item: Map<String, Value> =
            serde_json::from_slice(item).map_err(|e| exec_datafusion_err!("an Item is not a JSON object: {e}"))?;
        let mut row = Self { members: vec![], properties: Map::new(), lost: vec![] };
        for (name, value) in item {
            match (MEMBERS.into_iter().find(|member| *member == name), name.as_str(), value) {
                (Some("bbox"), _, value) => match sides(&value) {
                    Some(bbox) => row.members.push(("bbox", bbox)),
                    None => row.lost.push(name),
                },
                (Some(member), _, value) => row.members.push((member, value)),
                (None, "properties", Value::Object(properties)) => row.properties = properties,
                (None, "geometry", geometry) if is_plain(&geometry) => {}
                // There is no column for it: what is no member is a property to readers.
                (None, ..) => row.lost.push(name),
            }
        }
        let is_taken = |name: &str| MEMBERS.contains(&name) || NO_COLUMNS.contains(&name);
        let taken: Vec<_> = row.properties.keys().filter(|name| is_taken(name)).cloned().collect();
        for name in taken {
            row.properties.remove(&name);
            row.lost.push(format!("properties.{name}"));
        }
        Ok(row)
    }

    /// Whether the bbox has all that is within these bounds.
    fn covers(&self, [xmin, ymin, xmax, ymax]: [f64; 4]) -> bool {
        let bbox = self.members.iter().find(|(name, _)| *name == "bbox").map(|(_, bbox)| bbox);
        let side = |name: &str| bbox.and_then(|bbox| bbox.get(name)?.as_f64());
        side("xmin").is_some_and(|side| side <= xmin)
            && side("ymin").is_some_and(|side| side <= ymin)
            && side("xmax").is_some_and(|side| side >= xmax)
            && side("ymax").is_some_and(|side| side >= ymax)
    }
}

/// The bounds as an object; `None` if they are not four or six numbers.
fn sides(bbox: &Value) -> Option<Value> {
    let sides = bbox.as_array().filter(|sides| sides.iter().all(Value::is_number))?;
    let names = BOUNDS.into_iter().filter(|name| sides.len() == 6 || !name.starts_with('z'));
    let is_box = [4, 6].contains(&sides.len());
    is_box.then(|| names.zip(sides).map(|(name, side)| (name.to_owned(), side.clone())).collect::<Map<_, _>>().into())
}

/// Makes the sides floats; whether all of them are so exactly.
fn fit_sides(bbox: &mut Value) -> bool {
    let Value::Object(sides) = bbox else { return false };
    sides.values_mut().fold(true, |exact, side| Shape::Number.fit(side) & exact)
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

    /// Names of the columns, and each Item's row with what it loses.
    fn rows(items: &[Value]) -> (String, Vec<(Value, Vec<String>)>) {
        let texts: Vec<_> = items.iter().map(|item| item.to_string().into_bytes()).collect();
        let mut columns = Columns::default();
        texts.iter().for_each(|text| columns.observe(text, None).unwrap());
        let row = |text: &Vec<u8>| {
            let (mut out, mut lost) = (vec![], Lost::default());
            columns.write(text, true, &mut out, &mut lost).unwrap();
            assert_eq!(lost.items, u64::from(!lost.members.is_empty()));
            (serde_json::from_slice(&out).unwrap(), lost.members.into_iter().collect())
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
        assert_eq!(rows, [(expected, vec![])]);
    }

    #[test]
    fn what_has_no_place_in_such_a_file_is_told() {
        let with = |name: &str, value: Value| {
            let mut item = json!({"type": "Feature", "id": "a", "properties": {}});
            item[name] = value;
            item
        };
        for (item, lost) in [
            (with("foreign", json!(1)), "foreign"),
            (with("bbox", json!([1, 2])), "bbox"),
            (with("bbox", json!([1, 2, 3, 9_007_199_254_740_993_u64])), "bbox"),
            (with("properties", json!({"id": 7})), "properties.id"),
            (with("properties", json!({"geometry_bbox": 7})), "properties.geometry_bbox"),
            (with("properties", json!({"gsd": null})), "gsd"),
            (with("geometry", json!({"type": "Point", "coordinates": [1, 2], "note": 1})), "geometry"),
        ] {
            let (_, rows) = rows(std::slice::from_ref(&item));
            assert_eq!(rows[0].1, [lost], "{item}");
        }
        assert!(rows(&[with("properties", json!({"datetime": null}))]).1[0].1.is_empty());
    }

    #[test]
    fn a_covering_is_needed_where_a_bbox_does_not_cover() {
        let needed = |bbox: Value, bounds| {
            let item = json!({"type": "Feature", "id": "a", "bbox": bbox}).to_string();
            let mut columns = Columns::default();
            columns.observe(item.as_bytes(), bounds).unwrap();
            columns.needs_covering()
        };
        let bounds = Some([1., 2., 3., 4.]);
        assert!(!needed(json!([1, 2, 3, 4]), bounds) && !needed(json!([0, 0, -9, 9.5, 9, 9]), bounds));
        assert!(!needed(json!(null), None));
        for bbox in [json!(null), json!([1, 2, 3]), json!([3, 2, 1, 4]), json!([1, 2.5, 3, 4]), json!(["1", 2, 3, 4])] {
            assert!(needed(bbox.clone(), bounds), "{bbox}");
        }
    }

    #[test]
    fn columns_of_several_types_are_named() {
        let item = |value: Value| json!({"type": "Feature", "id": "a", "assets": {"a": {"x": value}}, "properties": {"p": value, "q": [value]}});
        let mut columns = Columns::default();
        for value in [json!(1), json!("x")] {
            columns.observe(item(value).to_string().as_bytes(), None).unwrap();
        }
        assert_eq!(columns.mixed(), ["assets.a.x", "p", "q"]);
    }
}
