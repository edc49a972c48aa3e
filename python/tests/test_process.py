"""A good part of a Python process: signals, threads, forks, and nothing that leaks."""

import os
import signal
import subprocess
import sys
import threading
import time

import pyarrow as pa
import pytest
from conftest import write_objects

import earthcatalog

#: For what must come, and what must not hang.
LONGEST = 120


def wait_for(what, child):
    ends = time.monotonic() + LONGEST
    while not what():
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < ends
        time.sleep(0.01)


def script(text, *arguments):
    words = [sys.executable, "-c", text, *map(str, arguments)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def assert_ends_at_ctrl_c(child):
    """Of a script that says when it is ready, and exits with 7 when it is interrupted."""
    assert child.stdout.readline() == "ready\n", child.stderr.read()
    time.sleep(0.3)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=LONGEST)
    assert child.returncode == 7, (out, err)


BACKFILL = """
import earthcatalog, sys
inventory, catalog, warehouse = sys.argv[1:]
warehouse = earthcatalog.open(catalog=catalog, warehouse=warehouse, workers=1)
try:
    warehouse.backfill(inventory, chunk_size=2)
except KeyboardInterrupt as interrupt:
    print(type(interrupt.__cause__).__name__, interrupt.__cause__)
    # The process is as good as before.
    assert earthcatalog.open(catalog=catalog).sql("SELECT 1 AS n").to_arrow()["n"].to_pylist() == [1]
    sys.exit(7)
"""


def test_ctrl_c_stops_a_backfill_which_then_goes_on_where_it_was(place, tmp_path):
    # Given a backfill that has done some of its chunks,
    objects = write_objects(tmp_path / "objects", 400)
    child = script(BACKFILL, objects, place["catalog"], place["warehouse"])
    done = lambda: len(list((place["warehouse"] / "_checkpoints").glob("*/**/*"))) > 20
    wait_for(done, child)

    # when Ctrl-C comes, then it stops soon, and says what was kept;
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=LONGEST)
    assert child.returncode == 7, (out, err)
    assert "EarthcatalogError interrupted; nothing is committed yet, and the chunks that are done are kept" in out

    # and the same call does the rest only, once.
    warehouse = earthcatalog.open(**place)
    assert warehouse.info()["rows"] == 0
    report = warehouse.backfill(objects, chunk_size=2)
    assert report["chunks"] == 200 and 0 < report["chunks_resumed"] < 200
    assert report["items"] == 400 and warehouse.search().matched() == 400


@pytest.mark.parametrize(
    "wait",
    [
        "warehouse.sql(query).to_arrow()",
        "pyarrow.table(warehouse.sql(query))",
        "next(iter(warehouse.sql(query)))",
    ],
)
def test_ctrl_c_ends_a_question(catalog, wait):
    text = f"""
import earthcatalog, pyarrow, sys
warehouse = earthcatalog.open(catalog=sys.argv[1])
query = "SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b WHERE a.value + b.value = 7"
warehouse.sql(query)
print("ready", flush=True)
try:
    {wait}
except KeyboardInterrupt:
    assert warehouse.sql("SELECT 1 AS n").to_arrow()["n"].to_pylist() == [1]
    sys.exit(7)
"""
    assert_ends_at_ctrl_c(script(text, catalog))


@pytest.mark.parametrize(
    "query",
    [
        "SELECT value FROM generate_series(1, 1000000000000)",
        "SELECT 1 AS value UNION ALL SELECT value FROM generate_series(1, 1000000000000) WHERE value < 0",
    ],
)
def test_ctrl_c_ends_a_question_that_another_library_reads_and_is_not_lost(catalog, query):
    # Batches that come one after the other, and one with nothing behind it: pyarrow has an error of its own for what ends them.
    text = f"""
import earthcatalog, pyarrow, sys
rows = earthcatalog.open(catalog=sys.argv[1]).sql({query!r})
reader = pyarrow.RecordBatchReader.from_stream(rows)
reader.read_next_batch()
print("ready", flush=True)
try:
    try:
        reader.read_all()
    except OSError as error:
        print(error)
        while True: pass
except KeyboardInterrupt:
    sys.exit(7)
"""
    assert_ends_at_ctrl_c(script(text, catalog))


def test_signals_stay_those_of_python(demo):
    # A command does not take over what a program does at SIGTERM.
    demo.info()
    demo.compact(dry_run=True)
    demo.expire(dry_run=True)
    seen = []
    before = signal.signal(signal.SIGTERM, lambda *_: seen.append(True))
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert seen == [True]


def test_32_threads_ask_at_once(demo, catalog):
    expected = demo.search(bbox=[12, 77, 28, 80.5], sortby="id").to_arrow()
    counts = demo.sql("SELECT platform, count(*) AS n FROM items GROUP BY platform ORDER BY platform").to_arrow()
    shared = earthcatalog.open(catalog=catalog)
    failures, start = [], threading.Barrier(32)

    def ask(i):
        try:
            start.wait()
            own = shared if i % 2 else earthcatalog.open(catalog=catalog)
            assert own.search(bbox=[12, 77, 28, 80.5], sortby="id").to_arrow().equals(expected)
            asked = own.sql("SELECT platform, count(*) AS n FROM items GROUP BY platform ORDER BY platform")
            assert pa.table(asked).equals(counts)
            assert own.search().matched() == sum(counts["n"].to_pylist())
        except BaseException as error:  # noqa: BLE001 (a thread would keep it)
            failures.append(error)

    threads = [threading.Thread(target=ask, args=[i]) for i in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONGEST * 3)
    assert not any(thread.is_alive() for thread in threads)
    assert failures == []


def test_threads_may_share_the_rows_of_one_answer(demo):
    batches = demo.sql("SELECT value FROM generate_series(1, 200000)")._rows()
    rows, lock = [], threading.Lock()

    def read():
        while (batch := batches.next_batch()) is not None:
            with lock:
                rows.append(len(batch))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONGEST)
    assert sum(rows) == 200_000


def test_other_threads_of_python_go_on_meanwhile(demo):
    turns = 0
    waiting = threading.Thread(target=lambda: demo.sql("SELECT count(*) FROM generate_series(1, 3000000)").to_arrow())
    waiting.start()
    while waiting.is_alive():
        turns += 1
    assert turns > 1_000


def open_files():
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="files of a process are counted in /proc")
def test_a_thousand_times_opened_and_closed_leave_no_file_and_no_thread(catalog):
    def once(i):
        warehouse = earthcatalog.open(catalog=catalog)
        if i % 20 == 0:
            assert warehouse.search(max_items=1).to_arrow(["id"]).num_rows == 1
            assert warehouse.sql("SELECT 1 AS n").to_arrow().num_rows == 1

    for i in range(40):
        once(i)
    files, threads = open_files(), len(os.listdir("/proc/self/task"))
    for i in range(1_000):
        once(i)
    # Threads that wait for files come and go.
    assert open_files() <= files + 4
    assert len(os.listdir("/proc/self/task")) <= threads + 24


FORK = """
import os, sys, earthcatalog
warehouse = earthcatalog.open(catalog=sys.argv[1])
before = warehouse.search().matched()
begun = warehouse.sql("SELECT id FROM items")._rows()
assert len(begun.next_batch()) > 0
child = os.fork()
if child == 0:
    for ask in (begun.next_batch, warehouse.search().matched, earthcatalog.open(catalog=sys.argv[1]).info):
        try:
            ask()
        except earthcatalog.EarthcatalogError as error:
            assert "forked" in str(error) and "spawn" in str(error), error
        else:
            os._exit(3)
    del begun, ask, warehouse
    sys.exit(0)
_, status = os.waitpid(child, 0)
assert warehouse.search().matched() == before
sys.exit(os.waitstatus_to_exitcode(status))
"""


def test_a_child_that_is_forked_off_after_use_is_told_so(catalog):
    child = script(FORK, catalog)
    out, err = child.communicate(timeout=LONGEST)
    assert child.returncode == 0, (out, err)


PROCESSES = """
import concurrent.futures, multiprocessing, sys, earthcatalog

def ask(warehouse):
    return warehouse.search().matched()

def counts(method):
    processes = concurrent.futures.ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method))
    with processes:
        return list(processes.map(ask, [warehouse] * 3))

if __name__ == "__main__":
    warehouse = earthcatalog.open(catalog=sys.argv[1])
    before = counts("fork")
    assert counts("spawn") == counts("forkserver") == before == [ask(warehouse)] * 3
    # The engine has worked here now, which those that are spawned do not inherit.
    assert counts("spawn") == counts("forkserver") == before
"""


def test_processes_that_are_spawned_or_forked_before_use_answer(catalog, tmp_path):
    program = tmp_path / "processes.py"
    program.write_text(PROCESSES)
    words = [sys.executable, program, catalog]
    ran = subprocess.run(words, check=False, capture_output=True, text=True, timeout=LONGEST * 3)
    assert ran.returncode == 0, ran.stderr


def test_the_process_ends_while_a_question_is_open(catalog):
    text = """
import sys, earthcatalog, pyarrow
warehouse = earthcatalog.open(catalog=sys.argv[1])
reader = pyarrow.RecordBatchReader.from_stream(warehouse.sql("SELECT * FROM items, generate_series(1, 100000)"))
next(iter(reader))
"""
    child = script(text, catalog)
    out, err = child.communicate(timeout=LONGEST)
    assert child.returncode == 0 and err == "", (out, err)
