"""The flow of two steps of the benchmark, for Prefect.

`serve LIMIT` has runs of it started, so many at once, each in a process of its own, as Prefect does. `call COUNT CALLERS`
runs it in this process, and prints in milliseconds how long each run took to begin and how long all of them took.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from prefect import flow, task


@task
def a(value):
    return value


@task
def b(value):
    return value


@flow(name="two")
def two(asked: float = 0.0):
    begun = time.time() - asked
    b(a(1))
    return begun * 1000


def call(count, callers):
    two(time.time())
    began = time.time()
    with ThreadPoolExecutor(callers) as pool:
        begun = list(pool.map(lambda _: two(time.time()), range(count)))
    print(json.dumps({"begun": begun, "all": (time.time() - began) * 1000}))


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        two.serve(name="bench", limit=int(sys.argv[2]))
    else:
        call(int(sys.argv[2]), int(sys.argv[3]))
