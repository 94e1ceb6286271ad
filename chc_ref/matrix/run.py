"""Running jobs: in processes here, or wherever an executor takes them."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager

from chc_ref.matrix.jobs import Job, Memory, Result, run


@contextmanager
def processes(number: int | None) -> Iterator[Executor]:
    """Give an executor on this machine's processors; by default on all of them."""
    context = multiprocessing.get_context("spawn")  # a fork would copy a thread's locks
    with ProcessPoolExecutor(number or os.cpu_count(), mp_context=context) as executor:
        yield executor


def results(
    jobs: Iterable[Job],
    executor: Callable[[], Executor],
    memory: Memory | None,
    done: Callable[[Result], None],
) -> dict[Job, Result]:
    """Give the results of jobs, remembered ones first; what is new is remembered.

    Args:
        jobs: each different from the others.
        executor: asked for only when something is not remembered.
        memory: None to run everything.
        done: told of each result, in order of coming.

    """
    found: dict[Job, Result] = {}
    left: list[Job] = []
    for job in jobs:
        known = memory.get(job) if memory else None
        if known is None:
            left.append(job)
        else:
            found[job] = known
            done(known)
    if not left:
        return found
    pool = executor()
    futures = {pool.submit(run, job) for job in left}
    for future in as_completed(futures):
        result = future.result()
        found[result.job] = result
        if memory:
            memory.put(result)
        done(result)
    return found
