"""The engine."""

from collections.abc import Mapping, Sequence
from typing import Any, final

__version__: str

def main(words: Sequence[str]) -> int:
    """Run the command ``earthcatalog`` with these words, its name first; its exit code."""

def search_parameters(parameters: str) -> str:
    """The parameters of a search, JSON as in the body of a POST, as the engine takes them.

    Raises ``InputError``, which names the parameter that is wrong.
    """

@final
class Warehouse:
    """A warehouse, which is opened when it is first asked something. Many threads may use one."""

    def __new__(cls, options: Mapping[str, Any]) -> Warehouse: ...
    def command(self, name: str, options: Mapping[str, Any]) -> str:
        """Run a command; its report as JSON, empty where there is nothing to report.

        Option ``progress`` is called with how far it is: done, all, their unit, and a note.
        """

    def sql(self, query: str, parameters: Mapping[str, str | int | float | bool | None]) -> Rows:
        """Plan the statements of ``query``, of which the last one has the rows."""

    def search(self, parameters: str, columns: str) -> Rows:
        """Plan a search; its rows have ``columns``, which are SQL."""

    def count(self, parameters: str) -> int:
        """How many Items a search finds."""

@final
class Rows:
    """The rows of a question, once."""

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""

    @property
    def writes(self) -> bool:
        """Whether reading them writes files: ``COPY`` does."""

    def next_batch(self) -> Batch | None:
        """The next batch; ``None`` behind the last one."""

    def next_items(self) -> bytes | None:
        """The Items of the next batch as NDJSON; ``None`` behind the last one."""

    def next_hrefs(self, asset: str | None = None) -> bytes | None:
        """The addresses of the assets in the next batch, one a line; ``None`` behind the last one."""

    def __arrow_c_schema__(self) -> object: ...
    def __arrow_c_stream__(self, requested_schema: object = None) -> object: ...

@final
class Batch:
    """Some rows, which other libraries take as they are."""

    def __len__(self) -> int: ...
    def __arrow_c_schema__(self) -> object: ...
    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]: ...
