//! The functions that `\df` lists: those of earthcatalog first, each with its signature.

/// Signatures of the functions of earthcatalog, and what they return; `docs/reference/functions.md` says more.
const OURS: &[(&str, &str)] = &[
    ("stac_item(*)", "the STAC Item that a row was made from, as JSON text"),
    ("item_digest(*)", "a digest of all values of a row"),
    ("json_get(json, key)", "a member or element as JSON text; also json -> key"),
    ("json_get_text(json, key)", "a member or element as text; also json ->> key"),
    ("json_get_scalar(json, key)", "as json_get_text; null for objects and lists"),
    ("json_set(json, key, value)", "a JSON object with a member set to JSON, a number or a boolean; null removes it"),
    ("json_set_text(json, key, text)", "as json_set, of a text or a time"),
    ("member_column(column, new, old, properties)", "what UPDATE writes into a column with JSON, checked"),
    ("try_number(text)", "a number as JSON writes it; null for any other text"),
    ("try_timestamp(text)", "a time in RFC 3339 or close to it; null for any other text"),
    ("resolve_href(base, href)", "an address in a document at a URL, as a URL"),
    ("casei(text)", "the text without regard to case"),
    ("accenti(text)", "the text without accents"),
    ("a_equals(a, b)", "whether two JSON lists are equal as sets"),
    ("a_contains(a, b)", "whether a JSON list has all that another one has"),
    ("a_containedby(a, b)", "whether another JSON list has all that one has"),
    ("a_overlaps(a, b)", "whether two JSON lists have something in common"),
    ("h3_cells(geometry, resolution)", "list of all cells that share a point with a geometry"),
    ("h3_latlng_to_cell(lat, lng, resolution)", "the cell at a position"),
    ("h3_cell_to_latlng(cell)", "struct of lat and lng: the centre of a cell"),
    ("h3_cell_to_boundary(cell)", "the outline of a cell"),
    ("h3_cell_to_parent(cell, resolution)", "the coarser cell that a cell belongs to"),
    ("h3_cell_to_children(cell, resolution)", "list of the finer cells that a cell is made of"),
    ("h3_grid_disk(cell, k)", "list of the cells at most k steps away"),
    ("h3_grid_distance(a, b)", "the steps from a cell to another; null where H3 cannot tell"),
    ("h3_get_resolution(cell)", "the resolution of a cell"),
    ("h3_is_valid_cell(text)", "whether a text is a cell"),
    ("h3_cell_area(cell, unit)", "the area of a cell in 'km^2', 'm^2' or 'rads^2'"),
    ("h3_compact_cells(cells)", "list of the fewest cells that cover the same"),
    ("h3_uncompact_cells(cells, resolution)", "list of the cells of one resolution that cover the same"),
    ("ST_Intersects(a, b)", "whether two geometries share a point"),
    ("ST_Disjoint(a, b)", "whether two geometries share no point"),
    ("ST_Contains(a, b)", "whether b lies in a"),
    ("ST_Within(a, b)", "whether a lies in b"),
    ("ST_Covers(a, b)", "whether no point of b is outside a"),
    ("ST_CoveredBy(a, b)", "whether no point of a is outside b"),
    ("ST_Equals(a, b)", "whether two geometries have the same points"),
    ("ST_Touches(a, b)", "whether two geometries share points of their boundaries alone"),
    ("ST_Crosses(a, b)", "whether two geometries share some inner points, and not all"),
    ("ST_Overlaps(a, b)", "whether two geometries of one dimension share some points, and not all"),
    ("ST_Distance(a, b)", "the least distance, in degrees"),
    ("ST_DWithin(a, b, distance)", "whether the least distance is at most so many degrees"),
    ("ST_DistanceSphere(a, b)", "the least distance on a sphere, in metres"),
    ("ST_DistanceSpheroid(a, b)", "the least distance on WGS 84, in metres"),
    ("ST_LengthSpheroid(geometry)", "the length of lines on WGS 84, in metres"),
    ("ST_PerimeterSpheroid(geometry)", "the perimeter of polygons on WGS 84, in metres"),
    ("ST_AreaSpheroid(geometry)", "the area of polygons on WGS 84, in square metres"),
    ("ST_Perimeter(geometry)", "the perimeter of polygons, in degrees"),
    ("ST_XMin(geometry)", "the least longitude"),
    ("ST_YMin(geometry)", "the least latitude"),
    ("ST_XMax(geometry)", "the greatest longitude"),
    ("ST_YMax(geometry)", "the greatest latitude"),
    ("ST_X(point)", "the longitude of a point"),
    ("ST_Y(point)", "the latitude of a point"),
    ("ST_Centroid(geometry)", "the centre of a geometry"),
    ("ST_IsValid(geometry)", "whether a geometry is valid"),
    ("ST_Envelope(geometry)", "the box round a geometry"),
    ("ST_ConvexHull(geometry)", "the smallest convex geometry that holds another"),
    ("ST_OrientedEnvelope(geometry)", "the rectangle of least area that holds a geometry"),
    ("ST_MakeValid(geometry)", "the geometry without polygons that cross themselves"),
    ("ST_StartPoint(line)", "where a line begins"),
    ("ST_EndPoint(line)", "where a line ends"),
    ("ST_Union(geometry)", "aggregate: what geometries cover together"),
    ("ST_Collect(geometry)", "aggregate: geometries as one, with what overlaps"),
    ("ST_Extent(geometry)", "aggregate: the box round geometries"),
    ("ST_Distance_Sphere(a, b)", "DuckDB's name of ST_DistanceSphere"),
    ("ST_Distance_Spheroid(a, b)", "DuckDB's name of ST_DistanceSpheroid"),
    ("ST_Length_Spheroid(geometry)", "DuckDB's name of ST_LengthSpheroid"),
    ("ST_Perimeter_Spheroid(geometry)", "DuckDB's name of ST_PerimeterSpheroid"),
    ("ST_Area_Spheroid(geometry)", "DuckDB's name of ST_AreaSpheroid"),
    ("ST_Union_Agg(geometry)", "DuckDB's name of ST_Union"),
    ("ST_Extent_Agg(geometry)", "DuckDB's name of ST_Extent"),
    ("ST_MakeEnvelope(xmin, ymin, xmax, ymax)", "a box, with xmin > xmax over the antimeridian"),
    ("ST_GeomFromText(wkt)", "a geometry from WKT"),
    ("ST_GeomFromGeoJSON(json)", "a geometry from GeoJSON"),
    ("ST_AsGeoJSON(geometry)", "a geometry as GeoJSON"),
    ("items_at(snapshot or time)", "table: items as of then"),
    ("item_cells_at(snapshot or time)", "table: item_cells as of then"),
    ("stac_search(table, parameters)", "table: the Items that a STAC search finds"),
    ("h3_fanout(table, resolution or table)", "table: the rows of a table, one per cell"),
    ("changes(table, since)", "table: the Items that were added, changed or removed since a state"),
    ("buckets(table, n)", "table: rows of the buckets with at least n files"),
    ("ingested(table)", "table: the objects that were ingested"),
];

/// The name of a function by its signature, as SQL has it.
fn name(signature: &str) -> String {
    signature.split('(').next().unwrap_or_default().to_lowercase()
}

/// A query for the functions with `part` in their names: of earthcatalog, and then all others; without a part, the former
/// alone.
pub(super) fn list_sql(part: &str) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let ours = OURS.iter().enumerate().map(|(i, (signature, returns))| {
        format!("({i}, {}, {}, {})", quoted(&name(signature)), quoted(signature), quoted(returns))
    });
    let ours = ours.collect::<Vec<_>>().join(", ");
    let others = match part.is_empty() {
        true => String::new(),
        false => "UNION ALL
            SELECT 1000, routine_name, coalesce(first_value(syntax_example), concat(routine_name, '(…)')),
                coalesce(first_value(description), '')
            FROM information_schema.routines WHERE routine_name NOT IN (SELECT name FROM ours) GROUP BY routine_name"
            .to_owned(),
    };
    format!(
        "WITH ours AS (SELECT * FROM (VALUES {ours}) AS ours(rank, name, function, returns))
         SELECT function, returns FROM (SELECT * FROM ours {others}) AS functions
         WHERE strpos(name, {}) > 0 OR {} = '' ORDER BY rank, name",
        quoted(&part.to_lowercase()),
        quoted(part)
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn functions_that_nobody_else_describes_are_listed_and_those_that_are_listed_exist() {
        let session = earthcatalog_plans::session::session(1).unwrap();
        let state = session.state();
        // DataFusion's own, and told by their names.
        let is_clock = |name: &String| ["now", "current_timestamp"].contains(&name.as_str());
        let described = |name: &String| is_clock(name) || state.scalar_functions()[name].documentation().is_some();
        let ours: BTreeSet<_> = OURS.iter().map(|(signature, _)| name(signature)).collect();
        let missing: Vec<_> = state.scalar_functions().keys().filter(|f| !described(f) && !ours.contains(*f)).collect();
        assert!(missing.is_empty(), "{missing:?}");
        // Those of the warehouse come with it.
        let known = |name: &String| {
            let is_table = state.table_functions().contains_key(name) || name.ends_with("_at");
            is_table || state.scalar_functions().contains_key(name) || state.aggregate_functions().contains_key(name)
        };
        let unknown: Vec<_> = ours.iter().filter(|name| !known(name)).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }
}
