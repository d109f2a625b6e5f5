"""Takes and gives back pottery's Redlock on the servers at the given ports; prints median and 99th percentile of a pair in
microseconds, and pairs per second."""

import sys
import time

from pottery import Redlock
from redis import Redis

masters = {Redis(host="127.0.0.1", port=int(port)) for port in sys.argv[1:]}
micros = []
began = time.perf_counter()
for _ in range(300):
    start = time.perf_counter()
    lock = Redlock(key="pottery", masters=masters, auto_release_time=30)
    assert lock.acquire()
    lock.release()
    micros.append((time.perf_counter() - start) * 1e6)
took = time.perf_counter() - began
micros.sort()
print(micros[len(micros) // 2], micros[len(micros) * 99 // 100], len(micros) / took)
