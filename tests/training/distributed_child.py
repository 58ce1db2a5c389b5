"""One process of several that train the toy together; the first writes the course. Run by test_distributed.py."""

import os
import sys

from vasa_jax.training import distributed

if __name__ == "__main__":
    distributed.initialize(distributed.find(os.environ))

    import jax

    from experiments.equality import course
    from experiments.equality.cases import Case
    from tests.training import toy
    from vasa_jax.training.partition import MeshPartitioner

    layout = {"data": 2, "fsdp": 4} if sys.argv[2:] == ["fsdp"] else {"data": -1}
    made = course.train(Case(toy.config(), toy.make(), toy.batch), MeshPartitioner(layout, min_size=64), 5)
    if distributed.primary():
        made.save(sys.argv[1])
    print(f"process {jax.process_index()} of {jax.process_count()}, {jax.local_device_count()} devices of its own")
