"""A server's process starts without collections and has short pauses, and leaves the interpreter as it was."""

import gc
import subprocess
import sys
import weakref

from service.commands.interpreter import no_collections, short_pauses


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


def test_what_survives_a_collection_of_the_second_generation_is_visited_by_each_fifth_full_one() -> None:
    with short_pauses():
        gc.collect()
        frozen = gc.get_freeze_count()
        gone = weakref.ref(left := Referable())
        left.itself = left
        gc.collect(1)
        assert gc.get_freeze_count() > frozen
        del left
        gc.collect()
        assert gone() is not None
        for _ in range(4):
            gc.collect()
        assert gone() is None


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
