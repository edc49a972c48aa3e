"""PyIceberg as another engine on the table: changes it, and says what is in it.

usage: other_engine.py CATALOG WAREHOUSE STEP...

Each STEP is done in its order. `read` prints, as one line of JSON, the rows as a list of objects without geometry and bounds.
"""

import json
import os
import sys
import uuid
from datetime import date, datetime, timedelta
from urllib.parse import unquote, urlparse

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.expressions import EqualTo
from pyiceberg.manifest import (
    DataFile, DataFileContent, FileFormat, ManifestContent, ManifestEntry, ManifestEntryStatus, ManifestWriterV2,
)
from pyiceberg.table.snapshots import Operation, Summary, update_snapshot_summaries
from pyiceberg.table.update.snapshot import _FastAppendFiles
from pyiceberg.transforms import MonthTransform, YearTransform
from pyiceberg.types import DateType, LongType, StringType

catalog_path, warehouse, *steps = sys.argv[1:]
catalog = SqlCatalog("earthcatalog", uri=f"sqlite:///{catalog_path}", warehouse=warehouse)
name = "earthcatalog.items"


def rows(table, **options):
    return table.scan(**options).to_arrow()


def rewritten(table, column, values):
    """The table with other values in a column, as an engine fills one: every row is written again."""
    read = rows(table)
    at = read.schema.get_field_index(column)
    field = read.schema.field(at)
    table.overwrite(read.set_column(at, field, values(read).cast(field.type)))


def add_and_fill(table):
    with table.update_schema() as update:
        update.add_column("quality", LongType())
        update.add_column("remark", StringType())
    rewritten(table, "quality", lambda read: pc.cast(pc.utf8_length(pc.cast(read["id"], pa.string())), pa.int64()))
    rewritten(table, "remark", lambda read: pa.array([f"about {id}" for id in read["id"].to_pylist()]))


def add_a_date(table):
    with table.update_schema() as update:
        update.add_column("checked", DateType())
    rewritten(table, "checked", lambda read: pa.array([date(2024, 5, 1)] * read.num_rows, pa.date32()))


def add_a_sequence(table):
    with table.update_schema() as update:
        update.add_column("sequence", LongType())


def drop_column(table, column):
    with table.update_schema() as update:
        update.delete_column(column)


def rename_column(table, before, after):
    with table.update_schema() as update:
        update.rename_column(before, after)


def drop_checked(table):
    drop_column(table, "checked")


def drop(table):
    drop_column(table, "scene_2_id")


def drop_and_add(table):
    drop(table)
    with catalog.load_table(name).update_schema() as update:
        update.add_column("scene_2_id", StringType())


def rename(table):
    rename_column(table, "platform", "mission")


def rename_id(table):
    rename_column(table, "id", "identifier")


def swap_names(table):
    for before, after in [("scene_1_id", "scene"), ("scene_2_id", "scene_1_id"), ("scene", "scene_2_id")]:
        rename_column(catalog.load_table(name), before, after)


def widen(table):
    with table.update_schema() as update:
        update.update_column("percent_valid_pixels", LongType())


def repartition(table, gone, transform, added):
    with table.update_spec() as update:
        update.remove_field(gone)
        update.add_field("datetime", transform, added)


def by_month(table):
    repartition(table, "year", MonthTransform(), "month")


def by_year(table):
    repartition(table, "month", YearTransform(), "year")


def append(table, id="appended"):
    """One more Item, as a copy of one that is there."""
    read = rows(table).slice(0, 1)
    at = read.schema.get_field_index("id")
    table.append(read.set_column(at, read.schema.field(at), pa.array([id], read.schema.field(at).type)))


def append_another(table):
    append(table, "extra 7")


def delete(table):
    table.delete(EqualTo("id", "b"))


class ManifestOfDeletes(ManifestWriterV2):
    """PyIceberg reads deletions by position, and writes none."""

    def content(self):
        return ManifestContent.DELETES

    @property
    def _meta(self):
        return {**super()._meta, "content": "deletes"}


def delete_by_position(table):
    """As engines that merge on read do it: the rows of Items whose id ends in b or 7, a file of deletions for each data file."""
    by_spec = {}
    for task in table.scan().plan_files():
        ids = pq.ParquetFile(urlparse(task.file.file_path).path).read(["id"])["id"].to_pylist()
        gone = [row for row, id in enumerate(ids) if id[-1] in "b7"]
        if not gone:
            continue
        location = f"{table.location()}/data/deletes-{uuid.uuid4()}.parquet"
        field = lambda name, kind, id: pa.field(name, kind, False, {"PARQUET:field_id": str(id)})
        schema = pa.schema([field("file_path", pa.string(), 2147483546), field("pos", pa.int64(), 2147483545)])
        rows = pa.table([pa.array([task.file.file_path] * len(gone)), pa.array(gone, pa.int64())], schema=schema)
        path = urlparse(location).path
        os.makedirs(os.path.dirname(path), exist_ok=True)
        pq.write_table(rows, path)
        deletes = DataFile.from_args(
            content=DataFileContent.POSITION_DELETES, file_path=location, file_format=FileFormat.PARQUET,
            partition=task.file.partition, record_count=len(gone), file_size_in_bytes=os.path.getsize(path),
        )
        deletes.spec_id = task.file.spec_id
        by_spec.setdefault(task.file.spec_id, []).append(deletes)
    with table.transaction() as transaction:
        DeleteByPosition(by_spec, operation=Operation.DELETE, transaction=transaction, io=table.io).commit()


class DeleteByPosition(_FastAppendFiles):
    def __init__(self, by_spec, **arguments):
        super().__init__(**arguments)
        self.by_spec = by_spec

    def _manifests(self):
        metadata, made = self._transaction.table_metadata, []
        for spec, files in self.by_spec.items():
            output = self.new_manifest_output()
            with ManifestOfDeletes(metadata.specs()[spec], metadata.schema(), output, self._snapshot_id, "deflate") as writer:
                for file in files:
                    entry = ManifestEntry.from_args(status=ManifestEntryStatus.ADDED, snapshot_id=self._snapshot_id, data_file=file)
                    writer.add_entry(entry)
            made.append(writer.to_manifest_file())
        return made + self._existing_manifests()

    def _summary(self, snapshot_properties={}):
        files = [file for files in self.by_spec.values() for file in files]
        before = self._transaction.table_metadata.snapshot_by_id(self._parent_snapshot_id).summary
        added = {
            "added-delete-files": len(files),
            "added-position-deletes": sum(file.record_count for file in files),
            "added-files-size": sum(file.file_size_in_bytes for file in files),
        }
        summary = Summary(operation=self._operation, **{name: str(number) for name, number in added.items()})
        return update_snapshot_summaries(summary=summary, previous_summary=before)


def tag_and_branch(table):
    snapshot = table.current_snapshot().snapshot_id
    with table.manage_snapshots() as manage:
        manage.create_tag(snapshot, "kept")
        manage.create_branch(snapshot, "work")


def roll_back(table):
    before = table.current_snapshot().parent_snapshot_id
    with table.manage_snapshots() as manage:
        manage.rollback_to_snapshot(before)


def expire(table):
    table.maintenance.expire_snapshots().older_than(datetime.now() + timedelta(days=1)).commit()


def remove_orphans(table):
    """As engines do it: what Iceberg's metadata does not name goes."""
    def local(location):
        return os.path.realpath(unquote(urlparse(location).path))

    named = {local(table.metadata_location)} | {local(entry.metadata_file) for entry in table.metadata.metadata_log}
    for snapshot in table.metadata.snapshots:
        named.add(local(snapshot.manifest_list))
        for manifest in snapshot.manifests(table.io):
            named.add(local(manifest.manifest_path))
            named |= {local(entry.data_file.file_path) for entry in manifest.fetch_manifest_entry(table.io)}
    named |= {local(statistics.statistics_path) for statistics in table.metadata.statistics}
    for folder, _, files in os.walk(warehouse):
        for file in files:
            # Hidden files and folders are nobody's but their owner's.
            path = os.path.join(folder, file)
            if any(part.startswith((".", "_")) for part in os.path.relpath(path, warehouse).split(os.sep)):
                continue
            if os.path.realpath(path) not in named:
                os.remove(path)


def read(table):
    hidden = {"geometry", "bbox", "xmin", "ymin", "xmax", "ymax", "stac_extensions", "assets", "links"}
    read = rows(table)
    shown = read.drop_columns([column for column in read.column_names if column in hidden]).to_pylist()
    print(json.dumps(sorted(shown, key=str), default=str))


for step in steps:
    globals()[step](catalog.load_table(name))
