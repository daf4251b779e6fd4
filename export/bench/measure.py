"""Measure one format of a model in its own process: cold start, latency and memory.

python -m ser_images.export.bench.measure RUN FORMAT IMAGES.npy PROBABILITIES.npy
"""

import json
import os
import resource
import sys
import time
from pathlib import Path


def main() -> None:
    """Print cold start, warm latency and peak memory as JSON; write the probabilities."""
    run, format, images_path, probabilities_path = sys.argv[1:]
    import numpy as np

    from ser_images.export.models import open_model

    images = np.load(images_path)
    _, model = open_model(Path(run), format)
    model(images[:1])
    cold_s = time.time() - float(os.environ["SER_IMAGES_STARTED"])
    probabilities, seconds = [], []
    for image in images:
        start = time.perf_counter()
        probabilities.append(model(image[None])[0])
        seconds.append(time.perf_counter() - start)
    np.save(probabilities_path, np.array(probabilities))
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"cold_s": cold_s, "warm_ms": 1000 * float(np.median(seconds)), "peak_mb": peak_mb}))


if __name__ == "__main__":
    main()
