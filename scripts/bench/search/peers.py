"""What scripts/bench/search.ts runs in Python: making stores, forgetting cached files, and the peers that search.

    peers.py make DIRECTORY ROWS WIDTH      a gradient store in Bergson's layout, and queries.f32 beside it
    peers.py forget FILE                    drops the file's pages from the page cache
    peers.py numpy|faiss|bergson DIRECTORY  loads the store, says {"loaded": ms}; then for each line with a number of
                                            queries on stdin says {"ms": …, "examples": […], "scores": […]}
"""

import json
import os
import resource
import sys
import time

import numpy as np

K = 10


def make(directory, rows, width):
    """
    Rows near 48 directions, of which the j-th weighs j^-1/2, around 2,000 centers: what few effective parameters and
    kinds of examples come to. A hundredth of each squared norm is noise in all directions. Norms are lognormal with
    sigma 0.7: the largest of a million is 28 times the median.
    """
    rng = np.random.default_rng(1)
    intrinsic, centers = 48, 2000
    basis = np.linalg.qr(rng.standard_normal((width, intrinsic)))[0].T.astype(np.float32)
    weights = (np.arange(1, intrinsic + 1) ** -0.5).astype(np.float32)
    around = rng.standard_normal((centers, intrinsic)).astype(np.float32)

    def draw(count):
        near = around[rng.integers(0, centers, count)]
        x = ((near + 0.7 * rng.standard_normal((count, intrinsic), dtype=np.float32)) * weights) @ basis
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        x += 0.1 / np.sqrt(width) * rng.standard_normal((count, width), dtype=np.float32)
        return x * np.exp(0.7 * rng.standard_normal((count, 1), dtype=np.float32))

    os.makedirs(directory)
    draw(64).tofile(os.path.join(directory, "queries.f32"))
    with open(os.path.join(directory, "gradients.bin"), "wb") as file:
        for first in range(0, rows, 10_000):
            draw(min(10_000, rows - first)).astype(np.float16).tofile(file)
    info = {"attribute_tokens": False, "num_items": rows, "num_grads": rows}
    info |= {"grad_sizes": {f"layer_{i}": width // 8 for i in range(8)}, "base_dtype": "float16"}
    with open(os.path.join(directory, "info.json"), "w") as file:
        json.dump(info, file, indent=2)


def forget(path):
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def stored(directory):
    info = json.load(open(os.path.join(directory, "info.json")))
    width = sum(info["grad_sizes"].values())
    rows = np.memmap(os.path.join(directory, "gradients.bin"), dtype=np.float16, mode="r")
    return rows.reshape(info["num_grads"], width), info["grad_sizes"]


def load_numpy(directory):
    rows = stored(directory)[0].astype(np.float32)

    def search(queries):
        scores = queries @ rows.T
        best = np.argpartition(scores, -K, axis=1)[:, -K:]
        order = np.argsort(-np.take_along_axis(scores, best, 1), axis=1)
        best = np.take_along_axis(best, order, 1)
        return np.take_along_axis(scores, best, 1), best

    return search


def load_faiss(directory):
    import faiss

    rows = stored(directory)[0]
    index = faiss.IndexFlatIP(rows.shape[1])
    for first in range(0, len(rows), 10_000):
        index.add(rows[first : first + 10_000].astype(np.float32))
    return lambda queries: index.search(queries, K)


def load_bergson(directory):
    from pathlib import Path

    import torch
    from bergson import Attributor, GradientProcessor

    GradientProcessor().save(Path(directory))  # of rows that nothing was done to
    attributor = Attributor(directory, device="cpu", dtype=torch.float32)
    sizes = stored(directory)[1]

    def search(queries):
        parts = torch.split(torch.from_numpy(queries), list(sizes.values()), dim=1)
        found = attributor.search(dict(zip(sizes, parts)), K)
        return found[0].numpy(), found[1].numpy()

    return search


def own_peak():
    """As scripts/bench/peak-memory.ts has it."""
    if os.path.exists("/proc/self/status"):
        status = open("/proc/self/status").read()
        kilobytes = int(status.split("VmHWM:")[1].split()[0])
    else:
        kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes * 1024 / 1e6


def serve(load, directory):
    start = time.perf_counter()
    search = load(directory)
    print(json.dumps({"loaded": 1000 * (time.perf_counter() - start)}), flush=True)
    queries = np.fromfile(os.path.join(directory, "queries.f32"), dtype=np.float32).reshape(64, -1)
    for line in sys.stdin:
        asked = np.ascontiguousarray(queries[: int(line)])
        start = time.perf_counter()
        scores, examples = search(asked)
        answer = {"ms": 1000 * (time.perf_counter() - start)}
        answer |= {"examples": examples.tolist(), "scores": np.asarray(scores, dtype=float).tolist()}
        answer["peakMegabytes"] = own_peak()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    what, directory = sys.argv[1:3]
    if what == "make":
        make(directory, int(sys.argv[3]), int(sys.argv[4]))
    elif what == "forget":
        forget(directory)
    else:
        serve({"numpy": load_numpy, "faiss": load_faiss, "bergson": load_bergson}[what], directory)
