"""Running jobs: in processes here, or on a Dask cluster, with the same results."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from typing import Any

from chc_ref.errors import ToolError, UsageError
from chc_ref.matrix.jobs import Job, Memory, Result, run


@contextmanager
def processes(number: int | None) -> Iterator[Executor]:
    """Give an executor on this machine's processors; by default on all of them."""
    context = multiprocessing.get_context("spawn")  # a fork would copy a thread's locks
    with ProcessPoolExecutor(number or os.cpu_count(), mp_context=context) as executor:
        yield executor


LOCAL = "local"
"""Name of a cluster that is started here, for this run."""
PATIENCE_S = 10
RETRIES = 3
"""A job whose worker is lost is run again by another one, so often."""


@contextmanager
def cluster(address: str, number: int | None) -> Iterator[Executor]:
    """Give an executor on a Dask cluster.

    Args:
        address: of its scheduler; "local" starts one here, with a process for each worker.
        number: of workers of such a one; by default one for each processor.

    Raises:
        UsageError: Dask is not installed, or no scheduler answers at that address.

    """
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        mend = "install chc_ref with its extra: chc_ref[cluster]"
        raise UsageError(f"--scheduler needs dask.distributed; {mend}") from None
    with ExitStack() as stack:
        found: Any = address
        if address == LOCAL:
            workers = LocalCluster(
                n_workers=number or os.cpu_count(),
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address=None,
            )
            found = stack.enter_context(workers)
        try:
            client = stack.enter_context(Client(found, timeout=PATIENCE_S))
        except (OSError, ValueError) as error:
            raise UsageError(f"no scheduler answers at {address!r}: {error}") from None
        yield client.get_executor(retries=RETRIES, pure=False)


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
        try:
            result = future.result()
        except BrokenExecutor:
            mend = "if memory was wanting, --processes 1 takes less"
            raise ToolError(f"a process that searched was ended from outside; {mend}") from None
        found[result.job] = result
        if memory:
            memory.put(result)
        done(result)
    return found
