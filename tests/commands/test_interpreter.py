"""A server's process starts without collections and has short pauses, and leaves the interpreter as it was."""

import asyncio
import gc
import subprocess
import sys
import weakref
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

from service.commands.interpreter import WholeCollections, collect_regularly, no_collections, short_pauses


class Referable:
    """An object that may refer to itself."""

    itself: "Referable"


def test_what_was_loaded_before_is_collected_no_more_and_threads_wait_a_millisecond() -> None:
    thresholds, seconds, frozen = gc.get_threshold(), sys.getswitchinterval(), gc.get_freeze_count()
    with short_pauses():
        assert gc.get_freeze_count() > frozen + 10_000
        assert gc.get_threshold() > thresholds
        assert sys.getswitchinterval() <= 0.001
    assert (gc.get_threshold(), sys.getswitchinterval(), gc.get_freeze_count()) == (thresholds, seconds, 0)


def test_garbage_of_the_block_is_still_collected() -> None:
    with short_pauses():
        cycle: list[object] = []
        cycle.append(cycle)
        del cycle
        assert gc.collect() >= 1


def frozen_garbage() -> "weakref.ref[Referable]":
    """An object that was in use at a collection, and is garbage now."""
    gone = weakref.ref(left := Referable())
    left.itself = left
    frozen = gc.get_freeze_count()
    gc.collect(1)
    assert gc.get_freeze_count() > frozen
    return gone


@contextmanager
def whole_collections() -> Iterator[list[bool]]:
    """Note of each collection whether it visits what was frozen before."""
    noted: list[bool] = []

    def note(phase: str, _info: object) -> None:
        if phase == "start":
            noted.append(gc.get_freeze_count() == 0)

    gc.callbacks.append(note)
    try:
        yield noted
    finally:
        gc.callbacks.remove(note)


def test_one_of_so_many_collections_visits_what_was_in_use_at_an_earlier_one() -> None:
    with short_pauses(WholeCollections(collections=6)):
        gc.collect()
        gone = frozen_garbage()
        for _ in range(3):
            gc.collect()
        assert gone() is not None
        gc.collect()
        assert gone() is None


def test_garbage_is_collected_once_so_many_objects_were_frozen_however_few_collections_there_were() -> None:
    with short_pauses(WholeCollections(frozen=1_000)):
        gc.collect()
        gone = frozen_garbage()
        gc.collect()
        assert gone() is not None
        kept = [[number] for number in range(1_000)]
        gc.collect(1)
        gc.collect()
        assert gone() is None
        assert len(kept) == 1_000


def test_no_collection_visits_everything_while_thousands_of_streams_open() -> None:
    with short_pauses(), whole_collections() as noted:
        kept = [[[number]] for number in range(200_000)]
    assert len(noted) > 100
    assert not any(noted)
    assert len(kept) == 200_000


def test_objects_that_were_frozen_and_freed_since_do_not_count() -> None:
    with short_pauses(WholeCollections(frozen=5_000)), whole_collections() as noted:
        for _ in range(10):
            kept = [[number] for number in range(1_000)]
            gc.collect(1)
            del kept
        gc.collect()
    assert not any(noted)


def test_a_collection_of_everything_does_not_cause_the_next_one() -> None:
    with short_pauses(WholeCollections(frozen=1_000)), whole_collections() as noted:
        kept = [[number] for number in range(1_000)]
        gc.collect(1)
        for _ in range(3):
            gc.collect()
    assert noted[-3:] == [True, False, False]
    assert len(kept) == 1_000


def test_a_thread_that_fills_a_tuple_is_not_disturbed_by_the_collections_of_another() -> None:
    filled, enough = list[tuple[int, ...]](), Event()

    def fill() -> None:
        while not enough.is_set():
            filled[:] = [tuple(number for number in range(20)) for _ in range(50)]

    with short_pauses(), ThreadPoolExecutor(1) as pool:
        filling = pool.submit(fill)
        for _ in range(20):
            # So many that the thread, which is in the middle of a tuple, has its turn as soon as the lock is free.
            kept = [[number] for number in range(100_000)]
            gc.collect(1)
        enough.set()
        filling.result()
    assert len(kept) == 100_000
    assert len(filled) == 50


async def test_what_lives_on_is_frozen_regularly_even_where_as_much_is_freed_as_made() -> None:
    slept, collected, enough = list[float](), list[int](), asyncio.Event()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await asyncio.sleep(0)
        if len(slept) > 40:
            enough.set()
            await asyncio.Event().wait()

    def note(phase: str, info: Mapping[str, int]) -> None:
        if phase == "stop":
            collected.append(info["generation"])

    with short_pauses():
        task = asyncio.create_task(collect_regularly(sleep))
        gc.callbacks.append(note)
        await enough.wait()
        gc.callbacks.remove(note)
        task.cancel()
    assert set(slept) == {0.2}
    assert (collected.count(1), collected.count(2)) == (39, 1)


def test_nothing_is_collected_while_modules_are_loaded() -> None:
    with no_collections():
        assert not gc.isenabled()
        with no_collections():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_the_service_alone_loads_neither_the_sandbox_nor_the_demo_host_app() -> None:
    loads = "import sys, service.commands.serve; print(*(name for name in sys.modules if name.startswith('service.')))"
    loaded = subprocess.run([sys.executable, "-c", loads], capture_output=True, text=True, check=True).stdout.split()
    assert "service.app" in loaded
    assert [name for name in loaded if name.startswith(("service.sandbox", "service.demo"))] == []
