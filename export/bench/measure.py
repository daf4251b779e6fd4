"""One form of a model in a process of its own: how soon it answers, how fast, and in how much memory.

python -m ser_images.export.bench.measure RUN FORM PICTURES.npy PROBABILITIES.npy
"""

import json
import os
import resource
import sys
import time
from pathlib import Path


def main() -> None:
    """Print cold start, warm latency and peak memory as JSON; write the probabilities."""
    run, form, pictures_path, probabilities_path = sys.argv[1:]
    import numpy as np

    from ser_images.export.models import open_model

    pictures = np.load(pictures_path)
    _, model = open_model(Path(run), form)
    model(pictures[:1])
    cold_s = time.time() - float(os.environ["SER_IMAGES_STARTED"])
    said, seconds = [], []
    for picture in pictures:
        start = time.perf_counter()
        said.append(model(picture[None])[0])
        seconds.append(time.perf_counter() - start)
    np.save(probabilities_path, np.array(said))
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"cold_s": cold_s, "warm_ms": 1000 * float(np.median(seconds)), "peak_mb": peak_mb}))


if __name__ == "__main__":
    main()
