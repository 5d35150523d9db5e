"""Progress bars on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Final, Self

from rich.console import Console, RenderableType
from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, Task, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

#: Seconds before work is shown: what is done sooner would only flicker.
_QUIET: Final = 0.5


class _Download(DownloadColumn):
    """Bytes, for work that counts them."""

    def render(self, task: Task) -> Text:
        return super().render(task) if task.fields["is_count"] else Text()


class _LongWork(Progress):
    def get_renderables(self) -> Iterator[RenderableType]:
        yield self.make_tasks_table([task for task in self.tasks if (task.elapsed or 0) >= _QUIET])


class _Bar:
    def __init__(self, bars: Progress, task: TaskID) -> None:
        self._bars, self._task = bars, task

    def advance(self, count: int) -> None:
        self._bars.advance(self._task, count)


class Bars:
    """A :class:`~lbdart_cdk.core.progress.Display` with a bar for each work that takes longer."""

    def __init__(self, console: Console | None = None) -> None:
        self._bars = _LongWork(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
            BarColumn(),
            _Download(),
            console=console or Console(stderr=True),
            transient=True,
            redirect_stdout=False,
        )

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def refresh(self) -> None:
        """Show now how far the work is."""
        self._bars.refresh()

    @contextmanager
    def counted(self, what: str, total: int) -> Iterator[_Bar]:
        """Show a bar that grows."""
        with self._shown(what, total or None, is_count=True) as task:
            yield _Bar(self._bars, task)

    @contextmanager
    def announced(self, what: str) -> Iterator[None]:
        """Show that something goes on."""
        with self._shown(what, None, is_count=False):
            yield

    @contextmanager
    def _shown(self, what: str, total: float | None, *, is_count: bool) -> Iterator[TaskID]:
        task = self._bars.add_task(what, total=total, is_count=is_count)
        try:
            yield task
        finally:
            self._bars.remove_task(task)
