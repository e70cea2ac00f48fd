"""A server's process has short pauses, and leaves the interpreter as it was."""

import gc
import sys

from service.commands.interpreter import short_pauses


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
