-- Questions in SQL whose answers are compared with DuckDB's over the same rows: tests/differential.rs.
--
-- A question begins with its name in a comment of its own:
--   in order       the answer is compared row by row, else as a bag of rows: ORDER BY leaves no two rows equal
--   fails: WORDS   earthcatalog gives no answer, and says these words; DuckDB is not asked, or fails too
-- `-- duckdb` stands before the same question in DuckDB's dialect, where the two differ. There, integers are divided as
-- integers, and nulls are sorted as in PostgreSQL; functions that DuckDB has under another name are macros, and those of
-- geometries are shapely's (questions_duckdb.py).


-- # Aggregates

-- count_all_and_some
SELECT count(*) AS n, count(platform) AS named, count(DISTINCT platform) AS platforms, count(DISTINCT collection) AS collections,
    count(*) - count(datetime) AS untimed
FROM items;

-- sums_and_means_by_group
SELECT collection, count(*) AS n, sum(eo_cloud_cover) AS s, avg(eo_cloud_cover) AS a, min(gsd) AS g, max(proj_epsg) AS p
FROM items GROUP BY collection;

-- aggregates_of_no_rows
SELECT count(*) AS n, count(DISTINCT platform) AS d, sum(gsd) AS s, min(datetime) AS m, avg(gsd) AS a, bool_and(gsd > 1) AS b,
    string_agg(platform, ',') AS t
FROM items WHERE id = 'no such Item';

-- groups_of_no_rows
SELECT platform, count(*) AS n FROM items WHERE id = 'no such Item' GROUP BY platform;

-- filtered_aggregates
SELECT collection, count(*) FILTER (WHERE gsd > 1) AS coarse, sum(eo_cloud_cover) FILTER (WHERE platform LIKE 'S%') AS s,
    avg(gsd) FILTER (WHERE false) AS never, count(*) FILTER (WHERE platform IS NULL OR gsd IS NULL) AS unknown
FROM items GROUP BY collection;

-- one_distinct_count_with_a_filter
SELECT count(DISTINCT platform) FILTER (WHERE gsd > 10) AS n FROM items;

-- one_distinct_count_with_a_filter_by_group
SELECT collection, count(DISTINCT platform) FILTER (WHERE eo_cloud_cover > 20) AS n FROM items GROUP BY collection;

-- distinct_aggregates_with_other_filters
SELECT count(DISTINCT platform) FILTER (WHERE gsd > 10) AS a, count(DISTINCT platform) AS b,
    count(DISTINCT collection) FILTER (WHERE platform IS NULL) AS c, sum(DISTINCT gsd) FILTER (WHERE gsd < 100) AS d, sum(gsd) AS e
FROM items;

-- distinct_sums_and_extremes
SELECT stac_version, sum(DISTINCT gsd) AS s, avg(DISTINCT gsd) AS a, min(DISTINCT platform) AS lo, max(DISTINCT platform) AS hi
FROM items GROUP BY stac_version;

-- one_distinct_beside_min_and_max
SELECT collection, count(DISTINCT proj_epsg) AS n, min(gsd) AS lo, max(gsd) AS hi, sum(gsd) AS s FROM items GROUP BY collection;

-- count_of_distinct_rows
SELECT count(*) AS n FROM (SELECT DISTINCT collection, platform, gsd FROM items) AS d;

-- groups_by_an_expression
SELECT coalesce(upper(substr(platform, 1, 2)), '-') AS family, gsd IS NULL AS unknown, count(*) AS n
FROM items GROUP BY coalesce(upper(substr(platform, 1, 2)), '-'), gsd IS NULL;

-- groups_by_ordinal_having
SELECT collection, platform, count(*) AS n FROM items GROUP BY 1, 2 HAVING count(*) > 5 AND max(gsd) IS NULL;

-- having_without_groups
SELECT count(*) AS n FROM items HAVING count(*) > 1000000;

-- rollup
SELECT collection, platform, count(*) AS n, sum(gsd) AS s, grouping(collection) AS gc, grouping(platform) AS gp
FROM items GROUP BY ROLLUP (collection, platform);

-- cube
SELECT platform, sat_orbit_state, count(*) AS n, max(datetime) AS latest, grouping(platform, sat_orbit_state) AS g
FROM items GROUP BY CUBE (platform, sat_orbit_state);

-- grouping_sets
SELECT collection, platform, stac_version, count(*) AS n
FROM items GROUP BY GROUPING SETS ((collection, platform), (stac_version), (platform), ());

-- grouping_sets_beside_a_column
SELECT stac_version, platform, gsd, count(*) AS n FROM items GROUP BY stac_version, GROUPING SETS ((platform), (gsd), ());

-- rollup_with_distinct_counts
SELECT stac_version, sat_orbit_state, count(DISTINCT platform) AS n FROM items GROUP BY ROLLUP (stac_version, sat_orbit_state);

-- rollup_having
SELECT platform, sat_orbit_state, count(*) AS n FROM items GROUP BY ROLLUP (platform, sat_orbit_state)
HAVING grouping(sat_orbit_state) = 1 AND count(*) > 10;

-- statistics
SELECT platform, stddev_samp(eo_cloud_cover) AS a, stddev_pop(eo_cloud_cover) AS b, var_samp(eo_cloud_cover) AS c,
    var_pop(eo_cloud_cover) AS d, median(eo_cloud_cover) AS e
FROM items GROUP BY platform;

-- regressions
SELECT corr(xmin, ymin) AS r, covar_samp(xmin, ymin) AS cs, covar_pop(xmin, ymin) AS cp, regr_slope(ymin, xmin) AS slope,
    regr_intercept(ymin, xmin) AS intercept, regr_r2(ymin, xmin) AS r2, regr_count(view_sun_elevation, eo_cloud_cover) AS n
FROM items;

-- percentiles
SELECT percentile_cont(0.25) WITHIN GROUP (ORDER BY eo_cloud_cover) AS a, percentile_cont(0.5) WITHIN GROUP (ORDER BY gsd DESC) AS b,
    percentile_cont(1) WITHIN GROUP (ORDER BY xmax) AS c, round(percentile_cont(0.9) WITHIN GROUP (ORDER BY gsd DESC), 4) AS d
FROM items;

-- boolean_and_bit_aggregates
SELECT collection, bool_and(gsd > 10) AS every, bool_or(gsd > 10) AS some, bit_and(proj_epsg) AS a, bit_or(proj_epsg) AS o, bit_xor(proj_epsg) AS x
FROM items GROUP BY collection;

-- texts_in_order
SELECT collection, string_agg(id, '|' ORDER BY id DESC, platform) FILTER (WHERE gsd > 100) AS coarse FROM items GROUP BY collection;

-- distinct_texts_in_order
SELECT collection, string_agg(DISTINCT stac_version, ',' ORDER BY stac_version) AS versions FROM items GROUP BY collection;

-- arrays_in_order
SELECT platform, array_agg(sat_relative_orbit ORDER BY sat_relative_orbit DESC NULLS LAST, id) AS orbits
FROM items WHERE platform LIKE 's%' GROUP BY platform;

-- the_first_and_the_last_of_a_group
SELECT collection, first_value(id ORDER BY datetime, id) AS oldest, last_value(id ORDER BY datetime NULLS FIRST, id) AS newest
FROM items GROUP BY collection;
-- duckdb
SELECT collection, first(id ORDER BY datetime, id) AS oldest, last(id ORDER BY datetime NULLS FIRST, id) AS newest
FROM items GROUP BY collection;

-- extremes_of_times_and_texts
SELECT min(datetime) AS a, max(end_datetime) AS b, min(id) AS c, max(platform) AS d, max(start_datetime) FILTER (WHERE platform IS NULL) AS e FROM items;

-- an_aggregate_of_aggregates
SELECT max(n) AS largest, avg(n) AS mean, sum(n) AS total FROM (SELECT collection, count(*) AS n FROM items GROUP BY collection) AS c;

-- mean_of_integers
SELECT avg(sat_relative_orbit) AS a, sum(sat_relative_orbit) AS s, sum(sat_relative_orbit) / count(sat_relative_orbit) AS q FROM items;


-- # Windows

-- ranks -- in order
SELECT collection, id, n, row_number() OVER w AS number, rank() OVER w AS rank, dense_rank() OVER (PARTITION BY collection ORDER BY n DESC) AS dense
FROM (SELECT collection, id, count(*) AS n FROM item_cells GROUP BY collection, id) AS c
WINDOW w AS (PARTITION BY collection ORDER BY n DESC, id)
ORDER BY collection, number;

-- shares_and_tiles
SELECT platform, n, percent_rank() OVER (ORDER BY n) AS p, cume_dist() OVER (ORDER BY n) AS c, ntile(4) OVER (ORDER BY n, platform) AS t
FROM (SELECT platform, count(*) AS n FROM items GROUP BY platform) AS p;

-- ranks_with_ties
SELECT DISTINCT platform, gsd, rank() OVER (PARTITION BY platform ORDER BY gsd DESC NULLS LAST) AS r, dense_rank() OVER (PARTITION BY platform ORDER BY gsd DESC NULLS LAST) AS d
FROM items;

-- neighbours_in_time
SELECT id, collection, lag(datetime) OVER w AS before, lead(id, 2, 'none') OVER w AS after
FROM items WINDOW w AS (PARTITION BY collection ORDER BY datetime, id);

-- values_of_a_frame
SELECT collection, id, first_value(id) OVER w AS f, last_value(id) OVER w AS l, nth_value(id, 3) OVER w AS n
FROM items WINDOW w AS (PARTITION BY collection ORDER BY id, datetime ROWS BETWEEN 2 PRECEDING AND 1 FOLLOWING);

-- last_value_of_the_default_frame
SELECT collection, id, last_value(id) OVER (PARTITION BY collection ORDER BY id) AS l, count(*) OVER (PARTITION BY collection) AS n FROM items;

-- first_values_that_are_not_null
SELECT id, collection, first_value(gsd) IGNORE NULLS OVER (PARTITION BY collection ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS f,
    lag(gsd) IGNORE NULLS OVER (PARTITION BY collection ORDER BY id) AS l
FROM items;
-- duckdb
SELECT id, collection, first_value(gsd IGNORE NULLS) OVER (PARTITION BY collection ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS f,
    lag(gsd IGNORE NULLS) OVER (PARTITION BY collection ORDER BY id) AS l
FROM items;

-- running_sums_over_rows
SELECT id, collection, sum(eo_cloud_cover) OVER (PARTITION BY collection ORDER BY id ROWS UNBOUNDED PRECEDING) AS s,
    avg(eo_cloud_cover) OVER (PARTITION BY collection ORDER BY id ROWS BETWEEN 3 PRECEDING AND CURRENT ROW) AS a,
    min(eo_cloud_cover) OVER (PARTITION BY collection ORDER BY id ROWS BETWEEN CURRENT ROW AND 4 FOLLOWING) AS m,
    count(eo_cloud_cover) OVER (PARTITION BY collection ORDER BY id ROWS BETWEEN 5 FOLLOWING AND 9 FOLLOWING) AS c
FROM items;

-- running_sums_over_peers
SELECT id, gsd, sum(gsd) OVER (ORDER BY gsd) AS s, count(*) OVER (ORDER BY gsd RANGE BETWEEN 1 PRECEDING AND 1 FOLLOWING) AS near,
    count(*) OVER (ORDER BY gsd DESC RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS above
FROM items;

-- a_month_before_each_item
SELECT id, count(*) OVER (PARTITION BY platform ORDER BY datetime RANGE BETWEEN INTERVAL '30 days' PRECEDING AND CURRENT ROW) AS n
FROM items WHERE datetime IS NOT NULL;

-- groups_of_peers
SELECT id, stac_version, count(*) OVER (ORDER BY stac_version GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING) AS n FROM items;

-- filtered_windows
SELECT id, count(*) FILTER (WHERE gsd > 1) OVER (PARTITION BY collection ORDER BY id) AS n,
    sum(gsd) FILTER (WHERE platform IS NOT NULL) OVER (PARTITION BY collection) AS s
FROM items;

-- windows_over_groups
SELECT collection, count(*) AS n, sum(count(*)) OVER (ORDER BY count(*), collection) AS running, rank() OVER (ORDER BY count(*) DESC) AS r,
    CAST(count(*) AS DOUBLE) / sum(count(*)) OVER () AS share
FROM items GROUP BY collection;

-- the_newest_of_each_collection
SELECT collection, id, datetime FROM items
QUALIFY row_number() OVER (PARTITION BY collection ORDER BY datetime DESC NULLS LAST, id) = 1;

-- the_two_finest_of_each_platform
SELECT platform, gsd FROM (
    SELECT platform, gsd, row_number() OVER (PARTITION BY platform ORDER BY gsd, id) AS n FROM items
) AS r WHERE n <= 2;

-- the_first_ranks_with_ties
SELECT platform, gsd, count(*) AS n FROM (SELECT platform, gsd, rank() OVER (PARTITION BY platform ORDER BY gsd) AS r FROM items) AS r
WHERE r = 1 GROUP BY platform, gsd;

-- moving_lists
SELECT id, array_agg(sat_relative_orbit) OVER (PARTITION BY platform ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS o
FROM items WHERE sat_relative_orbit > 140;


-- # Joins

-- inner_join_of_a_table_with_itself
SELECT a.id AS a, b.id AS b FROM items AS a JOIN items AS b ON a.platform = b.platform AND a.datetime < b.datetime AND a.collection = b.collection
WHERE a.collection = 'landsat-c2l1';

-- left_join_with_a_condition_on_the_left
SELECT a.id, b.n FROM items AS a LEFT JOIN (SELECT collection, count(*) AS n FROM items GROUP BY collection) AS b
    ON a.collection = b.collection AND a.gsd > 10;

-- left_join_with_a_condition_on_the_right
SELECT p.platform, p.n, i.id FROM (SELECT platform, count(*) AS n FROM items GROUP BY platform) AS p
LEFT JOIN items AS i ON p.platform = i.platform AND i.eo_cloud_cover > 95;

-- left_join_filtered_behind
SELECT a.id FROM items AS a LEFT JOIN items AS b ON a.id = b.collection WHERE b.id IS NULL AND a.gsd > 100;

-- right_join
SELECT p.platform, c.collection FROM (SELECT DISTINCT platform FROM items WHERE gsd > 10) AS p
RIGHT JOIN (SELECT DISTINCT platform, collection FROM items) AS c ON c.platform = p.platform;

-- full_join
SELECT a.platform AS a, b.platform AS b, a.n AS an, b.n AS bn
FROM (SELECT platform, count(*) AS n FROM items WHERE gsd > 1 GROUP BY platform) AS a
FULL JOIN (SELECT platform, count(*) AS n FROM items WHERE eo_cloud_cover < 50 GROUP BY platform) AS b ON a.platform = b.platform;

-- full_join_of_both_columns
SELECT coalesce(a.platform, b.platform) AS platform, a.n AS an, b.n AS bn
FROM (SELECT platform, count(*) AS n FROM items WHERE gsd > 1 GROUP BY platform) AS a
FULL JOIN (SELECT platform, count(*) AS n FROM items WHERE eo_cloud_cover < 50 GROUP BY platform) AS b ON a.platform = b.platform;

-- full_join_using -- fails: coalesce(a.x, b.x)
SELECT platform FROM (SELECT DISTINCT platform FROM items WHERE gsd > 1) AS a FULL JOIN (SELECT DISTINCT platform FROM items) AS b USING (platform);

-- right_join_using -- fails: coalesce(a.x, b.x)
SELECT platform FROM (SELECT DISTINCT platform FROM items WHERE gsd > 1) AS a RIGHT JOIN (SELECT DISTINCT platform FROM items) AS b USING (platform);

-- natural_full_join -- fails: coalesce(a.x, b.x)
SELECT * FROM (SELECT DISTINCT platform FROM items WHERE gsd > 1) AS a NATURAL FULL JOIN (SELECT DISTINCT platform FROM items) AS b;

-- left_join_using
SELECT platform, b.n FROM (SELECT DISTINCT platform FROM items) AS a
LEFT JOIN (SELECT platform, count(*) AS n FROM items WHERE eo_cloud_cover < 50 GROUP BY platform) AS b USING (platform);

-- full_join_with_a_second_condition
SELECT a.o AS a, b.o AS b FROM (SELECT DISTINCT sat_relative_orbit AS o, platform FROM items) AS a
FULL JOIN (SELECT DISTINCT sat_relative_orbit AS o, platform FROM items) AS b ON a.platform = b.platform AND a.o < b.o - 20;

-- join_of_nulls
SELECT a.platform, count(*) AS n FROM (SELECT DISTINCT platform, gsd FROM items) AS a
JOIN (SELECT DISTINCT platform, stac_version FROM items) AS b ON a.platform IS NOT DISTINCT FROM b.platform GROUP BY a.platform;

-- cross_join
SELECT count(*) AS n, count(DISTINCT a.platform) AS p, sum(b.gsd) AS s
FROM (SELECT DISTINCT platform FROM items) AS a CROSS JOIN (SELECT DISTINCT gsd FROM items) AS b;

-- join_on_an_inequality
SELECT a.platform, count(*) AS n FROM (SELECT platform, min(gsd) AS g FROM items GROUP BY platform) AS a
JOIN (SELECT platform, max(gsd) AS g FROM items GROUP BY platform) AS b ON a.g > b.g GROUP BY a.platform;

-- join_on_ranges
SELECT a.id AS a, count(*) AS n FROM items AS a JOIN items AS b
    ON b.datetime BETWEEN a.start_datetime AND a.end_datetime AND a.id <> b.id
WHERE a.gsd > 100 GROUP BY a.id;

-- join_on_an_expression
SELECT count(*) AS n FROM (SELECT DISTINCT platform FROM items) AS a JOIN (SELECT DISTINCT platform FROM items) AS b
    ON lower(replace(a.platform, '_', '-')) = lower(replace(b.platform, '_', '-'));

-- join_of_three
SELECT a.collection, count(*) AS n FROM (SELECT DISTINCT collection, platform FROM items) AS a
JOIN (SELECT DISTINCT platform, gsd FROM items) AS b ON a.platform = b.platform
LEFT JOIN (SELECT gsd, count(*) AS n FROM items GROUP BY gsd) AS c ON b.gsd = c.gsd GROUP BY a.collection;

-- semi_and_anti_joins
SELECT 'semi' AS kind, platform, count(*) AS n FROM items LEFT SEMI JOIN (SELECT platform AS p FROM items WHERE gsd > 10) AS b ON platform = p GROUP BY platform
UNION ALL
SELECT 'anti', platform, count(*) FROM items LEFT ANTI JOIN (SELECT platform AS p FROM items WHERE gsd > 10) AS b ON platform = p GROUP BY platform;
-- duckdb
SELECT 'semi' AS kind, platform, count(*) AS n FROM items SEMI JOIN (SELECT platform AS p FROM items WHERE gsd > 10) AS b ON platform = p GROUP BY platform
UNION ALL
SELECT 'anti', platform, count(*) FROM items ANTI JOIN (SELECT platform AS p FROM items WHERE gsd > 10) AS b ON platform = p GROUP BY platform;

-- semi_join_with_a_second_condition
SELECT a.id FROM items AS a LEFT SEMI JOIN items AS b ON a.platform = b.platform AND a.gsd < b.gsd;
-- duckdb
SELECT a.id FROM items AS a SEMI JOIN items AS b ON a.platform = b.platform AND a.gsd < b.gsd;

-- lateral_join
SELECT c.collection, l.n, l.g FROM (SELECT DISTINCT collection FROM items) AS c
CROSS JOIN LATERAL (SELECT count(*) AS n, max(gsd) AS g FROM items AS i WHERE i.collection = c.collection) AS l;

-- left_lateral_join
SELECT c.platform, l.collection FROM (SELECT DISTINCT platform FROM items) AS c
LEFT JOIN LATERAL (SELECT DISTINCT i.collection FROM items AS i WHERE i.platform = c.platform AND i.gsd > 10) AS l ON true;

-- unnested_lists
SELECT extension, count(*) AS n FROM (SELECT unnest(stac_extensions) AS extension FROM items) AS e GROUP BY extension;

-- unnested_lists_beside_a_column
SELECT stac_version, unnest(stac_extensions) AS extension FROM items WHERE gsd > 10;

-- rows_of_cells_and_items
SELECT i.platform, count(DISTINCT c.grid_partition) AS cells, count(*) AS n
FROM items AS i JOIN item_cells AS c ON i.id = c.id AND i.collection IS NOT DISTINCT FROM c.collection GROUP BY i.platform;

-- natural_join
SELECT count(*) AS n FROM (SELECT DISTINCT platform, gsd FROM items) AS a NATURAL JOIN (SELECT DISTINCT platform, stac_version FROM items) AS b;


-- # Subqueries

-- exists
SELECT id FROM items AS a WHERE EXISTS (SELECT 1 FROM items AS b WHERE b.platform = a.platform AND b.gsd > a.gsd);

-- not_exists
SELECT id FROM items AS a WHERE NOT EXISTS (SELECT 1 FROM items AS b WHERE b.platform = a.platform AND b.datetime > a.datetime);

-- exists_or_a_condition
SELECT id FROM items AS a WHERE gsd > 1000 OR EXISTS (SELECT 1 FROM items AS b WHERE b.collection = a.platform) OR platform IS NULL AND gsd < 1;

-- exists_in_select -- fails: Exists
SELECT id, EXISTS (SELECT 1 FROM items AS b WHERE b.platform = a.platform AND b.gsd > 20) AS e FROM items AS a;

-- exists_without_correlation
SELECT count(*) AS n FROM items WHERE EXISTS (SELECT 1 FROM items WHERE gsd > 1000000) OR gsd > 100;

-- exists_with_an_aggregate -- fails: (SELECT count(*) …) = x
SELECT count(*) AS n FROM items AS a WHERE EXISTS (SELECT count(*) FROM items AS b WHERE b.platform = a.id);

-- in_an_aggregate -- fails: (SELECT count(*) …) = x
SELECT count(*) AS n FROM items AS a WHERE 0 IN (SELECT count(*) FROM items AS b WHERE b.platform = a.id);

-- exists_with_an_offset -- fails: row_number()
SELECT id FROM items AS a WHERE EXISTS (SELECT 1 FROM items AS b WHERE b.platform = a.platform OFFSET 100);

-- correlated_in_with_a_limit -- fails: InSubquery
SELECT id FROM items AS a WHERE gsd IN (SELECT b.gsd FROM items AS b WHERE b.platform = a.platform ORDER BY b.gsd, b.id LIMIT 1);

-- exists_with_a_limit
SELECT id FROM items AS a WHERE EXISTS (SELECT 1 FROM items AS b WHERE b.platform = a.platform AND b.gsd > 10 LIMIT 1);

-- a_correlated_scalar_with_a_limit -- fails: ScalarSubquery
SELECT id, (SELECT b.gsd FROM items AS b WHERE b.platform = a.platform ORDER BY b.gsd, b.id LIMIT 1) AS g FROM items AS a;

-- a_lateral_join_with_a_limit -- fails: OuterReferenceColumn
SELECT c.platform, l.gsd FROM (SELECT DISTINCT platform FROM items) AS c
CROSS JOIN LATERAL (SELECT i.gsd FROM items AS i WHERE i.platform = c.platform ORDER BY i.gsd, i.id LIMIT 2) AS l;

-- correlated_in_two_levels
SELECT id FROM items AS a WHERE EXISTS (
    SELECT 1 FROM items AS b WHERE b.platform = a.platform AND b.gsd = (SELECT max(c.gsd) FROM items AS c WHERE c.platform = b.platform) AND b.id <> a.id);

-- in_of_an_expression_and_an_aggregate
SELECT id FROM items WHERE gsd IN (SELECT max(gsd) FROM items GROUP BY platform) AND datetime NOT IN (SELECT max(datetime) FROM items GROUP BY collection HAVING max(datetime) IS NOT NULL);

-- correlated_in_with_groups
SELECT id FROM items AS a WHERE gsd IN (SELECT max(b.gsd) FROM items AS b WHERE b.platform = a.platform GROUP BY b.collection);

-- in_a_subquery
SELECT id FROM items WHERE platform IN (SELECT platform FROM items WHERE gsd > 10);

-- not_in_a_subquery
SELECT id FROM items WHERE platform NOT IN (SELECT platform FROM items WHERE gsd > 10 AND platform IS NOT NULL);

-- not_in_a_subquery_with_nulls
SELECT id FROM items WHERE platform NOT IN (SELECT platform FROM items WHERE gsd > 100);

-- not_in_a_subquery_of_ids
SELECT id FROM items WHERE id NOT IN (SELECT id FROM items WHERE gsd > 10) OR platform = 'terra';

-- not_in_a_subquery_without_rows
SELECT count(*) AS n FROM items WHERE platform NOT IN (SELECT platform FROM items WHERE gsd > 1000000);

-- in_a_subquery_as_a_value -- fails: EXISTS
SELECT id, platform IN (SELECT platform FROM items WHERE gsd > 10) AS i FROM items;

-- not_in_a_subquery_as_a_value -- fails: NOT EXISTS
SELECT id, platform NOT IN (SELECT platform FROM items WHERE gsd > 100) AS i FROM items;

-- in_a_subquery_that_is_unknown -- fails: NOT EXISTS
SELECT id FROM items WHERE (platform IN (SELECT platform FROM items WHERE gsd > 100)) IS NULL;

-- in_a_subquery_or_a_condition
SELECT id FROM items WHERE platform IN (SELECT platform FROM items WHERE gsd > 10) OR gsd < 1;

-- not_of_in_a_subquery -- fails: NOT EXISTS
SELECT id FROM items WHERE NOT (platform IN (SELECT platform FROM items WHERE gsd > 100) AND gsd > 10);

-- not_in_a_subquery_or_a_condition -- fails: NOT EXISTS
SELECT id FROM items WHERE platform NOT IN (SELECT platform FROM items WHERE gsd > 100) OR gsd < 1;

-- not_exists_or_a_condition
SELECT id FROM items AS a WHERE NOT EXISTS (SELECT 1 FROM items AS b WHERE b.gsd > 100 AND b.platform = a.platform) OR gsd < 1;

-- not_around_in_a_subquery
SELECT id FROM items WHERE NOT (platform IN (SELECT platform FROM items WHERE gsd > 10 AND platform IS NOT NULL)) AND gsd IN (SELECT gsd FROM items WHERE gsd < 1);

-- correlated_in
SELECT id FROM items AS a WHERE gsd IN (SELECT b.gsd FROM items AS b WHERE b.platform = a.platform AND b.id <> a.id);

-- in_with_a_limit
SELECT count(*) AS n FROM items WHERE platform IN (SELECT platform FROM items WHERE platform IS NOT NULL ORDER BY platform DESC, id LIMIT 3);

-- correlated_not_in -- fails: NOT EXISTS
SELECT id FROM items AS a WHERE gsd NOT IN (SELECT b.gsd FROM items AS b WHERE b.platform = a.platform AND b.id <> a.id);

-- equal_to_any -- fails: IN (SELECT
SELECT id FROM items WHERE platform = ANY (SELECT platform FROM items WHERE gsd > 10);

-- greater_than_all -- fails: max(
SELECT id FROM items WHERE gsd > ALL (SELECT gsd FROM items WHERE platform LIKE 's%');

-- a_scalar_subquery
SELECT id, gsd - (SELECT avg(gsd) FROM items) AS d FROM items WHERE gsd > (SELECT avg(gsd) FROM items);

-- a_scalar_subquery_without_rows
SELECT count(*) AS n, (SELECT gsd FROM items WHERE id = 'no such Item') AS g FROM items;

-- a_scalar_subquery_of_more_rows -- fails: more than one row
SELECT id, (SELECT gsd FROM items) AS g FROM items;

-- correlated_counts
SELECT DISTINCT platform, (SELECT count(*) FROM items AS b WHERE b.platform = a.platform AND b.gsd > 10) AS n FROM items AS a;

-- correlated_counts_compared
SELECT id FROM items AS a WHERE (SELECT count(*) FROM items AS b WHERE b.collection = a.collection AND b.gsd > 10) = 0;

-- correlated_counts_by_an_inequality -- fails: ScalarSubquery
SELECT id FROM items AS a WHERE (SELECT count(*) FROM items AS b WHERE b.collection = a.collection AND b.gsd > a.gsd) = 0;

-- correlated_extremes
SELECT id FROM items AS a WHERE datetime = (SELECT max(datetime) FROM items AS b WHERE b.platform = a.platform);

-- correlated_by_two_columns
SELECT id, (SELECT max(b.eo_cloud_cover) FROM items AS b WHERE b.platform = a.platform AND b.collection = a.collection) AS m FROM items AS a;

-- correlated_coalesce
SELECT DISTINCT collection, coalesce((SELECT max(gsd) FROM items AS b WHERE b.collection = a.collection), -1) AS m FROM items AS a;

-- correlated_sum_of_an_expression
SELECT DISTINCT platform, (SELECT sum(b.gsd * 2) + 1 FROM items AS b WHERE b.platform = a.platform) AS s FROM items AS a;

-- subqueries_in_subqueries
SELECT id FROM items WHERE collection IN (
    SELECT collection FROM items WHERE platform IN (SELECT platform FROM items GROUP BY platform HAVING count(*) > 300));

-- a_subquery_in_case
SELECT id, CASE WHEN gsd > (SELECT median(gsd) FROM items) THEN 'coarse' WHEN gsd IS NULL THEN 'unknown' ELSE 'fine' END AS k FROM items;

-- a_subquery_in_having
SELECT platform, count(*) AS n FROM items GROUP BY platform HAVING count(*) > (SELECT count(*) / 50 FROM items);

-- rows_in_a_subquery
SELECT count(*) AS n FROM items AS a WHERE EXISTS (SELECT 1 FROM items AS b WHERE b.gsd > 10 AND b.platform IS NOT DISTINCT FROM a.platform);


-- # Set operations

-- union
SELECT platform, gsd FROM items WHERE gsd > 10 UNION SELECT platform, gsd FROM items WHERE eo_cloud_cover > 50;

-- union_all_of_different_types
SELECT gsd AS x FROM items WHERE gsd > 10 UNION ALL SELECT proj_epsg FROM items WHERE proj_epsg > 32700 UNION ALL SELECT NULL;

-- intersect
SELECT platform FROM items WHERE gsd > 10 INTERSECT SELECT platform FROM items WHERE eo_cloud_cover IS NULL;

-- except
SELECT platform, gsd FROM items EXCEPT SELECT platform, gsd FROM items WHERE platform LIKE 's%' OR gsd IS NULL;

-- intersect_all -- fails: row_number()
SELECT platform FROM items WHERE gsd > 10 INTERSECT ALL SELECT platform FROM items WHERE eo_cloud_cover > 50;

-- intersect_of_numbered_rows
SELECT platform, row_number() OVER (PARTITION BY platform) AS n FROM items WHERE gsd > 10
INTERSECT SELECT platform, row_number() OVER (PARTITION BY platform) FROM items WHERE eo_cloud_cover > 50;
-- duckdb
SELECT platform, row_number() OVER (PARTITION BY platform) AS n FROM (
    SELECT platform FROM items WHERE gsd > 10 INTERSECT ALL SELECT platform FROM items WHERE eo_cloud_cover > 50);

-- except_all -- fails: row_number()
SELECT platform FROM items EXCEPT ALL SELECT platform FROM items WHERE gsd > 10;

-- except_all_of_distinct_rows
SELECT DISTINCT platform FROM items EXCEPT ALL SELECT platform FROM items WHERE gsd > 10;

-- set_operations_bind
SELECT platform FROM items WHERE gsd > 10 UNION ALL SELECT platform FROM items WHERE gsd > 100
INTERSECT SELECT platform FROM items WHERE platform IS NULL OR platform > 'm';

-- set_operations_in_parentheses
(SELECT stac_version AS v FROM items EXCEPT SELECT '1.0.0') UNION ALL (SELECT platform FROM items INTERSECT SELECT id FROM items);

-- groups_of_a_union
SELECT kind, p, count(*) AS n FROM (
    SELECT 'coarse' AS kind, platform AS p FROM items WHERE gsd > 10 UNION ALL SELECT 'cloudy', platform FROM items WHERE eo_cloud_cover > 50
) AS u GROUP BY kind, p;

-- union_in_order -- in order
SELECT platform AS p FROM items WHERE gsd > 10 UNION SELECT collection FROM items WHERE eo_cloud_cover > 50 ORDER BY p DESC LIMIT 7 OFFSET 1;


-- # Common table expressions

-- a_cte_used_twice
WITH p AS (SELECT platform, count(*) AS n FROM items GROUP BY platform)
SELECT a.platform, a.n - b.n AS d FROM p AS a JOIN p AS b ON a.platform > b.platform WHERE a.n > 20 AND b.n > 20;

-- ctes_that_shadow_a_table
WITH items AS (SELECT * FROM items WHERE gsd > 10), n AS (SELECT count(*) AS n FROM items) SELECT * FROM n;

-- numbers_by_recursion
WITH RECURSIVE n (i, f) AS (SELECT 1 AS i, 1 AS f UNION ALL SELECT i + 1, f * (i + 1) FROM n WHERE i < 12) SELECT i, f FROM n;

-- months_by_recursion
WITH RECURSIVE m AS (
    SELECT TIMESTAMP '2024-01-31 00:00:00' AS t UNION ALL SELECT t + INTERVAL '1 month' FROM m WHERE t < TIMESTAMP '2024-12-01 00:00:00'
) SELECT t FROM m;

-- a_chain_by_recursion
WITH RECURSIVE steps AS (
    SELECT id, datetime, 0 AS depth FROM items WHERE collection = 'sentinel-2-c1-l2a' AND datetime = (SELECT min(datetime) FROM items WHERE collection = 'sentinel-2-c1-l2a')
    UNION ALL
    SELECT i.id, i.datetime, s.depth + 1 FROM steps AS s JOIN items AS i ON i.datetime > s.datetime AND i.collection = 'sentinel-2-c1-l2a'
    WHERE s.depth < 2
) SELECT depth, count(*) AS n, max(datetime) AS latest FROM steps GROUP BY depth;

-- what_can_be_reached_by_recursion
WITH RECURSIVE near AS (
    SELECT 1 AS n UNION SELECT (n * 3) % 17 FROM near
) SELECT count(*) AS n, sum(n) AS s FROM near;


-- # Order, limits, distinct rows

-- nulls_last_by_default -- in order
SELECT DISTINCT platform FROM items ORDER BY platform LIMIT 100;

-- nulls_first_when_descending -- in order
SELECT DISTINCT platform FROM items ORDER BY platform DESC LIMIT 5;

-- nulls_first -- in order
SELECT DISTINCT gsd FROM items ORDER BY gsd NULLS FIRST LIMIT 3;

-- nulls_last_when_descending -- in order
SELECT DISTINCT gsd FROM items ORDER BY gsd DESC NULLS LAST;

-- order_by_more_columns -- in order
SELECT collection, id, datetime FROM items ORDER BY collection DESC NULLS LAST, datetime NULLS FIRST, id DESC LIMIT 200 OFFSET 50;

-- order_by_an_expression -- in order
SELECT id, collection FROM items ORDER BY length(id) % 7, coalesce(collection, id), id LIMIT 300;

-- order_by_an_alias_that_hides_a_column -- in order
SELECT -gsd AS gsd, id, collection FROM items WHERE gsd IS NOT NULL ORDER BY gsd, id, collection LIMIT 50;

-- order_by_what_is_not_selected -- in order
SELECT id FROM items ORDER BY xmin, ymin, datetime, id, collection LIMIT 100;

-- order_by_an_aggregate -- in order
SELECT collection FROM items GROUP BY collection ORDER BY count(*) DESC, collection LIMIT 20;

-- the_first_groups_by_their_extremes -- in order
SELECT platform, min(gsd) AS m FROM items GROUP BY platform ORDER BY m NULLS FIRST, platform LIMIT 20;

-- a_limit_in_a_subquery -- in order
SELECT id, collection, datetime FROM (SELECT id, collection, datetime FROM items ORDER BY datetime DESC NULLS LAST, id, collection LIMIT 40) AS s ORDER BY id DESC, collection LIMIT 10 OFFSET 5;

-- limits_at_the_end
SELECT count(*) AS n FROM (SELECT id FROM items ORDER BY id OFFSET 3000) AS s;

-- no_rows_wanted
SELECT id FROM items LIMIT 0;

-- distinct_on -- in order
SELECT DISTINCT ON (collection) collection, id, datetime FROM items ORDER BY collection, datetime DESC NULLS LAST, id;

-- distinct_of_nulls_and_lists
SELECT DISTINCT stac_extensions, gsd IS NULL AS g FROM items;


-- # Conditions

-- three_values
SELECT gsd > 10 AS a, NOT gsd > 10 AS b, gsd > 10 AND platform = 'terra' AS c, gsd > 10 OR platform = 'terra' AS d,
    gsd > 10 IS TRUE AS e, (gsd > 10) IS NOT TRUE AS f, (gsd > 10) IS UNKNOWN AS g, count(*) AS n
FROM items GROUP BY 1, 2, 3, 4, 5, 6, 7;

-- case_and_coalesce
SELECT id, CASE WHEN eo_cloud_cover < 10 THEN 'clear' WHEN eo_cloud_cover < 60 THEN 'some' WHEN eo_cloud_cover IS NOT NULL THEN 'cloudy' END AS sky,
    CASE platform WHEN 'terra' THEN 1 WHEN NULL THEN 2 ELSE 3 END AS k,
    coalesce(constellation, platform, collection, '?') AS name, nullif(gsd, 10) AS g, CASE WHEN gsd = 0 THEN 0 ELSE 1 / gsd END AS inverse
FROM items;

-- greatest_and_least
SELECT id, greatest(xmin, ymin, gsd) AS hi, least(xmin, ymin, gsd) AS lo, greatest(start_datetime, datetime, created) AS t FROM items;

-- distinct_from
SELECT count(*) FILTER (WHERE platform IS DISTINCT FROM constellation) AS a, count(*) FILTER (WHERE platform <> constellation) AS b,
    count(*) FILTER (WHERE platform IS NOT DISTINCT FROM constellation) AS c, count(*) FILTER (WHERE NOT (platform = constellation)) AS d
FROM items;

-- in_a_list_with_null
SELECT count(*) FILTER (WHERE platform IN ('terra', 'aqua', NULL)) AS a, count(*) FILTER (WHERE platform NOT IN ('terra', 'aqua', NULL)) AS b,
    count(*) FILTER (WHERE platform NOT IN ('terra', 'aqua')) AS c, count(*) FILTER (WHERE (platform IN ('terra', NULL)) IS NULL) AS d
FROM items;

-- between_and_its_opposite
SELECT count(*) FILTER (WHERE gsd BETWEEN 10 AND 30) AS a, count(*) FILTER (WHERE gsd NOT BETWEEN 10 AND 30) AS b,
    count(*) FILTER (WHERE gsd BETWEEN 30 AND 10) AS c, count(*) FILTER (WHERE platform BETWEEN 'a' AND 'sentinel-2a') AS d,
    count(*) FILTER (WHERE datetime BETWEEN '2015-01-01' AND '2020-06-30T12:00:00Z') AS e
FROM items;

-- conditions_of_columns
SELECT count(*) AS n FROM items WHERE xmax - xmin > ymax - ymin AND NOT (gsd < eo_cloud_cover) AND bbox['xmin'] = xmin;

-- conditions_that_say_the_same_twice
SELECT count(*) AS n FROM items WHERE (gsd > 10 AND platform = 'terra') OR (gsd > 10 AND platform = 'aqua') OR (gsd > 10 AND platform IS NULL);

-- conditions_that_exclude_each_other
SELECT count(*) FILTER (WHERE gsd > 10 AND gsd < 5) AS a, count(*) FILTER (WHERE gsd > 10 OR gsd <= 10) AS b,
    count(*) FILTER (WHERE gsd = gsd) AS c, count(*) FILTER (WHERE platform <> platform) AS d, count(*) FILTER (WHERE gsd > 5 AND gsd > 10) AS e
FROM items;

-- numbers_compared_across_types
SELECT count(*) FILTER (WHERE proj_epsg = 32613.0) AS a, count(*) FILTER (WHERE proj_epsg > 32612.5) AS b, count(*) FILTER (WHERE gsd = 10) AS c,
    count(*) FILTER (WHERE sat_relative_orbit IN (98, 141.0)) AS d
FROM items;


-- # Times

-- truncated_times
SELECT id, date_trunc('year', datetime) AS y, date_trunc('quarter', datetime) AS q, date_trunc('month', datetime) AS m, date_trunc('week', datetime) AS w,
    date_trunc('day', datetime) AS d, date_trunc('hour', datetime) AS h, date_trunc('minute', datetime) AS mi, date_trunc('second', datetime) AS s,
    date_trunc('millisecond', datetime) AS ms, date_trunc('microsecond', datetime) AS us
FROM items;

-- truncated_ends
SELECT id, date_trunc('year', end_datetime) AS y, date_trunc('month', start_datetime) AS m, date_trunc('day', end_datetime) AS d FROM items WHERE end_datetime IS NOT NULL;

-- parts_of_times
SELECT id, extract(year FROM datetime) AS y, extract(quarter FROM datetime) AS q, extract(month FROM datetime) AS m, extract(week FROM datetime) AS w,
    extract(day FROM datetime) AS d, extract(doy FROM datetime) AS doy, extract(dow FROM datetime) AS dow, extract(hour FROM datetime) AS h,
    extract(minute FROM datetime) AS mi, date_part('year', end_datetime) AS e
FROM items;

-- parts_of_seconds
SELECT id, extract(second FROM datetime) AS s, extract(millisecond FROM datetime) AS ms, extract(microsecond FROM datetime) AS us, extract(epoch FROM datetime) AS e
FROM items;

-- items_by_year_and_month
SELECT date_part('year', datetime) AS y, date_part('month', datetime) AS m, count(*) AS n FROM items GROUP BY 1, 2;

-- microseconds_are_kept
SELECT id, datetime, created, updated, start_datetime, end_datetime FROM items WHERE datetime <> date_trunc('second', datetime) OR updated > created;

-- times_compared_with_texts
SELECT count(*) FILTER (WHERE datetime >= '2020-01-01') AS a, count(*) FILTER (WHERE datetime < '9999-12-31') AS b,
    count(*) FILTER (WHERE end_datetime > '2999-12-31T00:00:00Z') AS c, count(*) FILTER (WHERE datetime < '0001-06-01') AS d,
    count(*) FILTER (WHERE datetime = '2020-12-11T22:38:32.125Z') AS e
FROM items;

-- times_compared_with_times
SELECT count(*) FILTER (WHERE datetime >= TIMESTAMP '2020-09-15 16:13:03') AS a, count(*) FILTER (WHERE datetime < DATE '3000-01-01') AS b,
    count(*) FILTER (WHERE datetime >= TIMESTAMPTZ '2020-09-15T18:13:03+02:00') AS c
FROM items;

-- spans_compared
SELECT count(*) FILTER (WHERE end_datetime - start_datetime > INTERVAL '364 days') AS a, count(*) FILTER (WHERE end_datetime - start_datetime <= INTERVAL '25 hours') AS b,
    count(*) FILTER (WHERE end_datetime - start_datetime BETWEEN INTERVAL '1 second' AND INTERVAL '1 month') AS c,
    count(*) FILTER (WHERE end_datetime - start_datetime > INTERVAL '1 year') AS d, count(*) FILTER (WHERE updated - created = INTERVAL '0 seconds') AS e
FROM items;

-- spans_of_constants
SELECT INTERVAL '25 hours' > INTERVAL '1 day' AS a, INTERVAL '24 hours' = INTERVAL '1 day' AS b, INTERVAL '31 days' > INTERVAL '1 month' AS c, INTERVAL '1 year' < INTERVAL '11 months' AS d;

-- times_between_dates
SELECT id FROM items WHERE datetime BETWEEN DATE '2019-12-31' AND DATE '2020-12-31' AND CAST(datetime AS DATE) <> DATE '2020-06-01';

-- times_and_intervals
SELECT id, datetime + INTERVAL '1 day' AS a, datetime - INTERVAL '36 hours' AS b, datetime + INTERVAL '1 month' AS c, datetime - INTERVAL '13 months' AS d,
    datetime + INTERVAL '0.000001 seconds' AS e, datetime + INTERVAL '1 year 2 months 3 days 4 hours 5 minutes 6 seconds' AS f
FROM items WHERE datetime > '1900-01-01';

-- ends_of_months
SELECT t, t + INTERVAL '1 month' AS a, t - INTERVAL '1 month' AS b, t + INTERVAL '1 year' AS c, date_trunc('month', t) + INTERVAL '1 month' - INTERVAL '1 day' AS d
FROM (VALUES (TIMESTAMP '2024-01-31 23:59:59.999999'), (TIMESTAMP '2024-02-29 00:00:00'), (TIMESTAMP '2023-03-31 12:00:00'), (TIMESTAMP '1970-01-01 00:00:00'),
    (TIMESTAMP '1969-12-31 23:59:59.999999'), (TIMESTAMP '9998-12-31 00:00:00'), (TIMESTAMP '0001-02-01 00:00:00')) AS v(t);

-- spans_of_times
SELECT id, end_datetime - start_datetime AS span, round(extract(epoch FROM end_datetime) - extract(epoch FROM start_datetime), 3) AS seconds FROM items WHERE start_datetime > '1700-01-01' AND end_datetime < '2200-01-01';

-- dates
SELECT id, CAST(datetime AS DATE) AS d, CAST(end_datetime AS DATE) AS e, CAST(CAST(datetime AS DATE) AS VARCHAR) AS t FROM items;

-- bins_of_time
SELECT date_bin(INTERVAL '15 minutes', datetime) AS b, count(*) AS n FROM items WHERE datetime IS NOT NULL GROUP BY 1;
-- duckdb
SELECT time_bucket(INTERVAL '15 minutes', datetime, TIMESTAMPTZ '1970-01-01T00:00:00Z') AS b, count(*) AS n FROM items WHERE datetime IS NOT NULL GROUP BY 1;

-- times_as_text
SELECT id, to_char(datetime, '%Y-%m-%dT%H:%M:%S') AS t, to_char(datetime, '%j %d/%m/%y') AS u FROM items WHERE datetime > '1000-01-01';
-- duckdb
SELECT id, strftime(datetime, '%Y-%m-%dT%H:%M:%S') AS t, strftime(datetime, '%j %d/%m/%y') AS u FROM items WHERE datetime > '1000-01-01';

-- text_as_times
SELECT CAST(t AS TIMESTAMP) AS a, CAST(t AS DATE) AS d FROM (VALUES ('2020-02-29 12:34:56.789012'), ('0001-01-01 00:00:00'), ('9999-12-31 23:59:59.999999'), (NULL)) AS v(t);

-- seconds_as_times
SELECT to_timestamp(s) AS t FROM (VALUES (0), (-1), (1600000000), (-62135596800), (253402300799)) AS v(s);

-- months_between
SELECT m, count(id) AS n FROM (
    SELECT unnest(generate_series(TIMESTAMP '2020-01-01 00:00:00', TIMESTAMP '2020-12-01 00:00:00', INTERVAL '1 month')) AS m
) AS s LEFT JOIN items ON date_trunc('month', CAST(datetime AS TIMESTAMP)) = CAST(m AS TIMESTAMP) GROUP BY m;

-- the_latest_second
SELECT max(datetime) - min(datetime) > INTERVAL '100 years' AS long, extract(year FROM max(end_datetime)) AS y FROM items;


-- # JSON

-- members_as_text
SELECT id, properties ->> 'title' AS t, properties ->> 'license' AS l, properties ->> 'no such member' AS n FROM items;

-- members_of_members
SELECT id, assets -> 'thumbnail' ->> 'href' AS h, assets -> 'thumbnail' -> 'roles' ->> 0 AS r, links -> 0 ->> 'rel' AS rel FROM items;

-- conditions_on_members
SELECT id FROM items WHERE properties ->> 'eo:cloud_cover' IS NULL AND properties ->> 's2:mgrs_tile' IS NOT NULL AND json_get(assets, 'thumbnail') ->> 'href' LIKE 'http%';
-- duckdb
SELECT id FROM items WHERE (properties ->> 'eo:cloud_cover') IS NULL AND (properties ->> 's2:mgrs_tile') IS NOT NULL AND (assets -> 'thumbnail' ->> 'href') LIKE 'http%';

-- members_that_are_numbers
SELECT id, CAST(properties ->> 'view:off_nadir' AS DOUBLE) AS v, CAST(properties ->> 'view:sun_azimuth' AS DOUBLE) > 150 AS s FROM items;

-- groups_by_a_member
SELECT properties ->> 'mission' AS m, count(*) AS n, count(DISTINCT properties ->> 'license') AS l FROM items GROUP BY 1;

-- json_of_constants
SELECT t ->> 'a' AS a, t -> 'b' AS b, t -> 'b' ->> 1 AS b1, t -> 'b' ->> -1 AS bn, t -> 'c' ->> 'd:e' AS d, t ->> 'f' AS f, t -> 'g' ->> 'h' AS g
FROM (VALUES ('{"a":"x\"y\u00e9\n","b":[1,2.5,null],"c":{"d:e":true},"f":null}'), ('{"a":1000,"b":[],"g":"text"}'), ('{}'), (NULL)) AS v(t);


-- # Texts

-- parts_of_texts
SELECT id, substr(id, 3) AS a, substr(id, 2, 4) AS b, left(id, 3) AS c, right(id, 3) AS d, left(id, -3) AS e, split_part(id, '_', 2) AS f,
    split_part(id, '_', -1) AS g, strpos(id, '2') AS h, position('S' IN id) AS i
FROM items;

-- parts_before_the_beginning
SELECT substr(id, -2, 5) AS a, substr(id, 0, 3) AS b, right(id, -2) AS c FROM items;
-- duckdb
SELECT substr(id, 1, 2) AS a, substr(id, 1, 2) AS b, substr(id, 3) AS c FROM items;

-- texts_changed
SELECT id, upper(platform) AS a, lower(platform) AS b, reverse(platform) AS c, replace(platform, 'el', '-') AS d, lpad(platform, 12, '*') AS e, rpad(platform, 5, '*') AS f,
    trim(' ' || platform || '  ') AS g, ltrim(platform, 'sS') AS h, rtrim(platform, '12ab') AS i, repeat(platform, 2) AS j, translate(platform, 'st-', 'ST') AS k
FROM items WHERE platform IS NOT NULL;

-- texts_joined
SELECT id, platform || '/' || constellation AS a, concat(platform, '/', constellation) AS b, concat_ws('/', platform, constellation, collection) AS c,
    length(id) AS d, ascii(id) AS e, md5(id) AS f, starts_with(id, 'S2') AS g
FROM items;

-- texts_of_letters_beyond_ascii
SELECT t, length(t) AS n, octet_length(t) AS o, upper(replace(t, 'ß', '')) AS u, lower(t) AS l, reverse(t) AS r, substr(t, 2, 2) AS s, strpos(t, 'é') AS p, left(t, 1) AS f
FROM (VALUES ('éa'), ('aéb'), ('straße'), ('ÀÉ'), ('日本語'), ('')) AS v(t);
-- duckdb
SELECT t, length(t) AS n, strlen(t) AS o, upper(replace(t, 'ß', '')) AS u, lower(t) AS l, reverse(t) AS r, substr(t, 2, 2) AS s, strpos(t, 'é') AS p, left(t, 1) AS f
FROM (VALUES ('éa'), ('aéb'), ('straße'), ('ÀÉ'), ('日本語'), ('')) AS v(t);

-- like
SELECT count(*) FILTER (WHERE platform LIKE 'sentinel-2%') AS a, count(*) FILTER (WHERE platform LIKE '%2_') AS b, count(*) FILTER (WHERE platform NOT LIKE 'S%') AS c,
    count(*) FILTER (WHERE platform ILIKE 'SENTINEL%') AS d, count(*) FILTER (WHERE platform NOT ILIKE '%landsat%') AS e, count(*) FILTER (WHERE platform LIKE '') AS f,
    count(*) FILTER (WHERE id LIKE '%\_%\_%' ESCAPE '\') AS g, count(*) FILTER (WHERE platform LIKE '%') AS h
FROM items;

-- like_with_an_escape_of_its_own -- fails: escape
SELECT count(*) FROM items WHERE id LIKE '%!%%' ESCAPE '!';

-- like_of_a_column
SELECT count(*) AS n FROM items WHERE id LIKE '%' || platform || '%' OR collection ILIKE platform || '%';

-- like_of_line_ends_and_wide_letters
SELECT t, t LIKE 'a_b' AS a, t LIKE 'a%b' AS b, t ILIKE 'A_B' AS c, t LIKE '_' AS d FROM (VALUES ('aéb'), (chr(97) || chr(10) || 'b'), ('ab'), ('日'), ('')) AS v(t);

-- regular_expressions
SELECT count(*) FILTER (WHERE platform ~ '^[sS]entinel-[12][ab]$') AS a, count(*) FILTER (WHERE platform !~ '[0-9]') AS b,
    count(*) FILTER (WHERE regexp_like(id, '^S2[AB]_\d{2}')) AS c
FROM items;
-- duckdb
SELECT count(*) FILTER (WHERE regexp_matches(platform, '^[sS]entinel-[12][ab]$')) AS a, count(*) FILTER (WHERE NOT regexp_matches(platform, '[0-9]')) AS b,
    count(*) FILTER (WHERE regexp_matches(id, '^S2[AB]_\d{2}')) AS c
FROM items;

-- regular_expressions_without_case
SELECT count(*) FILTER (WHERE platform ~* 'SENTINEL') AS a, count(*) FILTER (WHERE platform !~* 'sentinel') AS b FROM items;
-- duckdb
SELECT count(*) FILTER (WHERE regexp_matches(platform, 'SENTINEL', 'i')) AS a, count(*) FILTER (WHERE NOT regexp_matches(platform, 'sentinel', 'i')) AS b FROM items;

-- texts_replaced_by_expression
SELECT id, regexp_replace(id, '[0-9]+', '#') AS a, regexp_replace(id, '[0-9]+', '#', 'g') AS b, regexp_replace(platform, '(\w+)-(\w+)', '\2:\1') AS c FROM items;

-- texts_compared
SELECT count(*) FILTER (WHERE id < 'S2') AS a, count(*) FILTER (WHERE platform > constellation) AS b, min(upper(platform)) AS c, max(lower(id)) AS d FROM items;


-- # Numbers

-- division_and_remainder
SELECT a, b, a / b AS q, a % b AS r, -a / b AS n, (a * 1.0) / b AS f FROM (VALUES (7, 2), (-7, 2), (7, -2), (-7, -2), (0, 5), (NULL, 1)) AS v(a, b);

-- division_by_zero_of_integers -- fails: Divide by zero
SELECT sat_relative_orbit / (sat_relative_orbit - sat_relative_orbit) AS q FROM items;

-- division_by_zero_of_floats
SELECT a, a / 0e0 AS q, a % 2.5e0 AS r FROM (VALUES (1e0), (-1e0), (0e0), (5.5e0)) AS v(a);
-- duckdb
SELECT a, CAST(q AS DOUBLE) AS q, a % 2.5e0 AS r FROM (VALUES (1e0, 'inf'), (-1e0, '-inf'), (0e0, 'nan'), (5.5e0, 'inf')) AS v(a, q);

-- division_by_zero_that_is_not_reached
SELECT id, CASE WHEN sat_relative_orbit % 7 = 0 THEN 0 ELSE 100 / (sat_relative_orbit % 7) END AS q FROM items WHERE sat_relative_orbit IS NOT NULL;

-- integers_that_become_large
SELECT CAST(proj_epsg AS BIGINT) * 1000000000 + sat_relative_orbit AS a, sum(CAST(proj_epsg AS BIGINT) * 10000000000) OVER () AS s FROM items;

-- numbers_that_are_none
SELECT a, a = a AS same, a > 1e308 AS more, a < 0 AS less, a = 'NaN'::DOUBLE AS n, isnan(a) AS i FROM (VALUES ('NaN'::DOUBLE), ('Infinity'::DOUBLE), ('-Infinity'::DOUBLE), (1e0), (NULL)) AS v(a);

-- numbers_that_are_none_in_aggregates
SELECT max(a) AS hi, min(a) AS lo, sum(a) AS s, count(DISTINCT a) AS n FROM (VALUES ('NaN'::DOUBLE), ('NaN'::DOUBLE), (1e0), (NULL)) AS v(a);

-- numbers_that_are_none_in_order -- in order
SELECT a FROM (VALUES (1e0), ('NaN'::DOUBLE), ('Infinity'::DOUBLE), (NULL), ('-Infinity'::DOUBLE)) AS v(a) ORDER BY a;

-- zero_with_a_sign
SELECT a = b AS e, a < b AS l, a >= b AS g, a IN (0e0) AS i, a = 0 AS z FROM (VALUES (0e0, -0e0), (-0e0, 0e0)) AS v(a, b);

-- zeros_with_a_sign_in_groups
SELECT a, count(*) AS n FROM (VALUES (0e0), (-0e0), (0e0)) AS v(a) GROUP BY a;

-- zeros_with_a_sign_in_joins
SELECT count(*) AS n FROM (VALUES (0e0), (1e0)) AS v(a) JOIN (VALUES (-0e0), (1e0)) AS w(b) ON a = b;

-- rounding
SELECT a, round(a) AS r, floor(a) AS f, ceil(a) AS c, trunc(a) AS t, abs(a) AS b, signum(a) AS s FROM (VALUES (2.5e0), (-2.5e0), (0.5e0), (1.4999999e0), (-0.4e0), (1e20)) AS v(a);
-- duckdb
SELECT a, round(a) AS r, floor(a) AS f, ceil(a) AS c, trunc(a) AS t, abs(a) AS b, sign(a) AS s FROM (VALUES (2.5e0), (-2.5e0), (0.5e0), (1.4999999e0), (-0.4e0), (1e20)) AS v(a);

-- rounding_to_places
SELECT id, round(xmin, 2) AS a, round(ymin, 0) AS b, round(xmax, -1) AS c FROM items;

-- functions_of_numbers
SELECT id, sqrt(gsd) AS a, ln(gsd) AS b, log10(gsd) AS c, exp(gsd / 1000) AS d, power(gsd, 2) AS e, sin(radians(ymin)) AS f, atan2(ymin, xmin) AS g, degrees(acos(cos(radians(ymin)))) AS h
FROM items WHERE gsd > 0;

-- numbers_from_texts
SELECT CAST(t AS DOUBLE) AS d, CAST(t AS VARCHAR) AS s FROM (VALUES ('1'), ('-0.5'), ('1e3'), ('.5'), (NULL)) AS v(t);

-- texts_that_are_no_numbers -- fails: Cannot cast string
SELECT CAST(platform AS DOUBLE) AS d FROM items;

-- texts_that_may_be_numbers
SELECT TRY_CAST(stac_version AS DOUBLE) AS v, count(*) AS n FROM items GROUP BY 1;

-- casts_that_do_not_fit -- fails: Can't cast value
SELECT CAST(proj_epsg AS SMALLINT) AS s, CAST(proj_epsg * 10 AS TINYINT) AS t FROM items;

-- decimals
SELECT CAST(gsd AS DECIMAL(10, 2)) AS d, sum(CAST(gsd AS DECIMAL(10, 2))) OVER () AS s, CAST(gsd AS DECIMAL(10, 2)) * 2 AS m FROM items WHERE gsd IS NOT NULL;


-- # Places

-- items_at_a_point
SELECT id FROM items WHERE ST_Intersects(geometry, ST_Point(-105.2, 40.1));

-- items_of_a_box
SELECT id, collection FROM items WHERE ST_Intersects(geometry, ST_MakeEnvelope(-110, 30, -80, 41)) AND datetime >= '2015-01-01';

-- items_within_a_box
SELECT id, collection FROM items WHERE ST_Within(geometry, ST_MakeEnvelope(-110, 30, -80, 41));

-- items_of_two_places
SELECT id, collection FROM items WHERE ST_Intersects(geometry, ST_Point(-105.2, 40.1)) OR ST_Intersects(geometry, ST_Point(10, 50)) AND NOT ST_Intersects(geometry, ST_Point(100, 50));

-- items_that_cover_two_places
SELECT id, collection FROM items WHERE ST_Intersects(geometry, ST_Point(-60, 10)) AND ST_Intersects(geometry, ST_Point(60, 20));

-- relations_to_a_polygon
SELECT id, collection, ST_Intersects(geometry, place) AS i, ST_Disjoint(geometry, place) AS d, ST_Within(geometry, place) AS w, ST_Contains(geometry, place) AS c,
    ST_Covers(geometry, place) AS v, ST_CoveredBy(geometry, place) AS b
FROM (SELECT *, ST_GeomFromText('POLYGON((-120 20, -60 20, -80 50, -120 45, -120 20))') AS place FROM items) AS p;

-- distances
SELECT id, collection, ST_Distance(geometry, ST_Point(0, 0)) AS d, ST_DWithin(geometry, ST_Point(-100, 40), 10.0) AS w FROM items;

-- near_a_place
SELECT id, collection FROM items WHERE ST_DWithin(geometry, ST_Point(-100, 40), 5.0) AND NOT ST_Intersects(geometry, ST_Point(-100, 40));

-- measures
SELECT id, collection, ST_Area(geometry) AS a, ST_XMin(geometry) AS w, ST_YMin(geometry) AS s, ST_XMax(geometry) AS e, ST_YMax(geometry) AS n FROM items;

-- # A ring of the Item that is left out crosses itself: it has no one centre.

-- centres
SELECT id, collection, ST_X(ST_Centroid(geometry)) AS x, ST_Y(ST_Centroid(geometry)) AS y FROM items
WHERE id <> 'LC08_L2SR_084024_20160111_20201016_02_T1';

-- counts_by_place
SELECT ST_Intersects(geometry, ST_MakeEnvelope(-180, 0, 180, 90)) AS north, ST_Intersects(geometry, ST_MakeEnvelope(-180, -90, 180, 0)) AS south, count(*) AS n, avg(gsd) AS g
FROM items GROUP BY 1, 2;

-- a_join_of_places
SELECT p.name, count(*) AS n FROM (VALUES ('rockies', -105.2, 40.1), ('europe', 10, 50), ('nowhere', NULL, 0)) AS p(name, x, y)
JOIN items AS i ON ST_Intersects(i.geometry, ST_Point(CAST(p.x AS DOUBLE), CAST(p.y AS DOUBLE))) GROUP BY p.name;

-- places_in_a_subquery
SELECT id FROM items AS a WHERE EXISTS (SELECT 1 FROM items AS b WHERE b.collection = 'naip' AND b.id < 'm_28' AND ST_Intersects(a.geometry, b.geometry) AND a.id <> b.id);

-- bounds_and_members
SELECT id FROM items WHERE bbox['xmin'] < -100 AND bbox['ymax'] > 40 AND xmax - xmin < 2;

-- items_without_a_place
SELECT id, collection, xmin, ST_Area(geometry) AS a FROM items WHERE geometry IS NULL OR xmin IS NULL;

-- measures_on_the_globe
SELECT id, collection, ST_AreaSpheroid(geometry) AS a, ST_PerimeterSpheroid(geometry) AS p, ST_Perimeter(geometry) AS d
FROM items WHERE ST_Perimeter(geometry) BETWEEN 0.1 AND 30;

-- distances_on_the_globe
SELECT id, collection, ST_DistanceSphere(ST_Point(xmin, ymin), ST_Point(-105.2, 40.1)) AS s, ST_DistanceSpheroid(ST_Point(xmin, ymin), ST_Point(-105.2, 40.1)) AS e
FROM items;

-- boxes_and_hulls
SELECT id, collection, ST_Area(ST_Envelope(geometry)) AS e, ST_XMax(ST_Envelope(geometry)) AS x, ST_Area(ST_ConvexHull(geometry)) AS h FROM items;

-- rings_that_cross_themselves
SELECT id, collection, ST_IsValid(geometry) AS v, ST_IsValid(ST_MakeValid(geometry)) AS m, round(ST_Area(ST_MakeValid(geometry)), 5) AS a FROM items;

-- places_together
SELECT collection, round(ST_Area(ST_Union(geometry)), 4) AS u, ST_Area(ST_Collect(geometry)) AS c, ST_XMin(ST_Extent(geometry)) AS w, ST_YMax(ST_Extent(geometry)) AS n
FROM items GROUP BY collection;
-- duckdb
SELECT collection, round(ST_Area(ST_UnionOf(list(geometry))), 4) AS u, sum(ST_Area(geometry)) AS c, min(xmin) AS w, max(ymax) AS n FROM items GROUP BY collection;

-- places_together_of_some
SELECT round(ST_Area(ST_Union(geometry) FILTER (WHERE gsd > 10)), 4) AS u, ST_Union(geometry) FILTER (WHERE false) IS NULL AS n,
    ST_Area(ST_Collect(DISTINCT geometry)) AS c
FROM items;
-- duckdb
SELECT round(ST_Area(ST_UnionOf(list(geometry) FILTER (WHERE gsd > 10))), 4) AS u, true AS n, (SELECT sum(ST_Area(geometry)) FROM (SELECT DISTINCT geometry FROM items)) AS c
FROM items;

-- cells
SELECT grid_partition, h3_get_resolution(grid_partition) AS r, h3_is_valid_cell(grid_partition) AS v, round(h3_cell_area(grid_partition, 'km^2') / 100) AS a,
    array_length(h3_cell_to_children(grid_partition, 4)) AS c, h3_grid_distance(grid_partition, '81267ffffffffff') AS d
FROM (SELECT DISTINCT grid_partition FROM item_cells) AS cells;
-- duckdb
SELECT grid_partition, h3_get_resolution(grid_partition) AS r, h3_is_valid_cell(grid_partition) AS v, round(h3_cell_area(grid_partition, 'km^2') / 100) AS a,
    len(h3_cell_to_children(grid_partition, 4)) AS c, h3_grid_distance(grid_partition, '81267ffffffffff') AS d
FROM (SELECT DISTINCT grid_partition FROM item_cells) AS cells;

-- cells_of_a_collection
SELECT collection, h3_compact_cells(array_agg(DISTINCT grid_partition)) AS c, array_length(h3_uncompact_cells(h3_compact_cells(array_agg(DISTINCT grid_partition)), 3)) AS n
FROM item_cells GROUP BY collection;
-- duckdb
SELECT collection, h3_compact_cells(list(DISTINCT grid_partition)) AS c, len(h3_uncompact_cells(h3_compact_cells(list(DISTINCT grid_partition)), 3)) AS n
FROM item_cells GROUP BY collection;
