"""Bergson's own collection of gradients, timed: reads a task, then answers each line with the seconds of a pass."""

import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # Whatever else is printed is no answer.

import torch
from bergson.collection import collect_gradients
from bergson.config.config import IndexConfig
from bergson.gradients import GradientProcessor
from datasets import Dataset
from transformers import AutoModelForCausalLM


def answer(text):
    print(text, file=answers, flush=True)


task = json.loads(sys.stdin.readline())
torch.set_num_threads(os.cpu_count() or 1)
model = AutoModelForCausalLM.from_pretrained(task["model"], dtype=torch.float32)
# As Bergson's own build sets a model up: no weight's gradient is computed, and the backward pass reaches the first layer.
model.requires_grad_(False)
model.get_input_embeddings().requires_grad_(True)
texts = task["texts"]
data = Dataset.from_dict({"input_ids": texts, "labels": texts, "length": [len(text) for text in texts]})
batches = [list(range(first, first + task["batch"])) for first in range(0, len(texts), task["batch"])]
processor = GradientProcessor(projection_dim=task["projectionDim"])
answer("ready")
for _ in sys.stdin:
    directory = tempfile.mkdtemp()
    config = IndexConfig(run_path=str(Path(directory) / "run"), projection_dim=task["projectionDim"])
    begun = time.perf_counter()
    collect_gradients(model, data, processor, config, batches=batches)
    answer(time.perf_counter() - begun)
    shutil.rmtree(directory)
