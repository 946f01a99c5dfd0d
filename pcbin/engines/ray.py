"""The engine that spreads work over a Ray cluster: the one at RAY_ADDRESS, or one that is running here, or one started
for the purpose. Knows nothing of clouds."""

from __future__ import annotations

import logging
import os
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

from pcbin.errors import ExtraError, PcbinError

try:
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray
    import ray.exceptions
except ImportError as error:
    raise ExtraError.of("ray", "ray") from error

from pcbin.engines import Engine, failed

AHEAD = 4  # tasks for each processor of the cluster that are handed out before the first of them is awaited
PATIENCE = 10.0  # seconds until the head of a cluster must have answered
RETRIES = 3  # of a task whose worker or node died


def engine(jobs: int) -> Engine:
    """Raises PcbinError where there is no cluster at the address that was named."""
    if not ray.is_initialized():
        address = os.environ.get("RAY_ADDRESS")
        if address:
            _require(address)
        try:
            _connect(address or "auto")
        except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
            if address:
                raise _unreachable(address) from error
            _start()
    return _spread


def _start() -> None:
    try:
        _connect("local", include_dashboard=False, _node_ip_address="127.0.0.1")
    except Exception as error:  # Ray raises just that
        said = " ".join(str(error).split())[:200]
        raise PcbinError(
            f"no Ray cluster could be started here ({said})", remedy="start one: ray start --head"
        ) from error


def _require(address: str) -> None:
    """Raises PcbinError where nothing listens at host:port, which Ray itself would wait minutes for."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if host and port.isdecimal():
        try:
            socket.create_connection((host.strip("[]"), int(port)), PATIENCE).close()
        except (OSError, OverflowError) as error:
            raise _unreachable(address) from error


def _unreachable(address: str) -> PcbinError:
    return PcbinError(f"no Ray cluster answers at {address}", remedy="check RAY_ADDRESS and that the cluster runs")


def _connect(address: str, **options: Any) -> None:
    ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **options)


def _spread(
    function: Callable[[Any], Iterable[Any]],
    items: Iterable[Any],
    lost: Callable[[Any, str], Any] | None = None,
) -> Iterator[Any]:
    work = ray.put(function)  # travels once to each node, with the model that it holds
    waiting: deque[tuple[Any, Any]] = deque()
    try:
        for item in items:
            waiting.append((item, _work.remote(work, item, os.getcwd())))
            if len(waiting) > AHEAD * max(1, int(ray.cluster_resources().get("CPU", 1))):
                yield from _results(*waiting.popleft(), lost)
        while waiting:
            yield from _results(*waiting.popleft(), lost)
    finally:
        for _, task in waiting:
            with suppress(Exception):  # the cluster may be gone
                ray.cancel(task, force=True)


@ray.remote(num_cpus=1, max_retries=RETRIES)  # type: ignore[untyped-decorator]
def _work(function: Callable[[Any], Iterable[Any]], item: Any, directory: str) -> list[Any]:
    with suppress(OSError):  # where a node does not have it, paths have to be whole
        os.chdir(directory)
    return list(function(item))


def _results(item: Any, task: Any, lost: Callable[[Any, str], Any] | None) -> list[Any]:
    try:
        found: list[Any] = ray.get(task)
        return found
    except ray.exceptions.RayTaskError as error:
        raised = error.cause
        if isinstance(raised, PcbinError):
            raise raised from None
        if isinstance(raised, ImportError):
            cause = f"a node of the cluster lacks what pcbin needs ({raised})"
            raise ExtraError(cause, remedy="install the same pcbin on all of them") from error
        cause = failed(raised)
    except ray.exceptions.RayError as error:
        why = "out of memory" if isinstance(error, ray.exceptions.OutOfMemoryError) else "killed, or its node went away"
        cause = f"its worker died {RETRIES + 1} times ({why})"
    if lost is None:
        raise PcbinError(cause, remedy="give the cluster's workers more memory, or try again")
    return [lost(item, cause)]
