"""What one writes in an afternoon: FastAPI and langchain-qdrant in its local mode, with the weights that North has; in a venv of its own.

    python service.py MODEL_FOLDER CHUNKS PORT QUERY_PREFIX THREADS

The chunks have made-up vectors, as those that North is measured with: a search costs the same.
"""

import sys
import uuid

import numpy as np
import onnxruntime
import uvicorn
from fastapi import FastAPI
from langchain_core.embeddings import Embeddings
from langchain_qdrant import QdrantVectorStore
from pydantic import BaseModel
from qdrant_client import QdrantClient, models
from tokenizers import Tokenizer

folder, chunks, port, prefix, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], int(sys.argv[5])


class Onnx(Embeddings):
    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(f"{folder}/model.onnx", options, providers=["CPUExecutionProvider"])
        self.tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
        self.tokenizer.enable_truncation(512)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        found = self.tokenizer.encode(prefix + text)
        ids, mask, types = (np.array([one], np.int64) for one in (found.ids, found.attention_mask, found.type_ids))
        feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
        names = {one.name for one in self.session.get_inputs()}
        states = self.session.run(None, {name: value for name, value in feeds.items() if name in names})[0]
        vector = (states * mask[..., None]).sum(1)[0] / mask.sum()
        return (vector / np.linalg.norm(vector)).tolist()


class Search(BaseModel):
    query: str
    top_k: int = 10


client = QdrantClient(":memory:")
embeddings = Onnx()
size = len(embeddings.embed_query("a"))
client.create_collection("chunks", vectors_config=models.VectorParams(size=size, distance=models.Distance.COSINE))
draw = np.random.default_rng(7)
for start in range(0, chunks, 500):
    vectors = draw.standard_normal((min(500, chunks - start), size)).astype(np.float32)
    payloads = [
        {"page_content": "Some words. " * 80, "metadata": {"document": number // 20}} for number in range(start, start + len(vectors))
    ]
    client.upsert("chunks", models.Batch(ids=[str(uuid.uuid4()) for _ in vectors], vectors=vectors.tolist(), payloads=payloads))
store = QdrantVectorStore(client, "chunks", embeddings)
app = FastAPI()


@app.post("/search")
def search(asked: Search) -> list[dict[str, object]]:
    found = store.similarity_search_with_score(asked.query, k=asked.top_k)
    return [{"text": one.page_content, "document": one.metadata["document"], "score": float(score)} for one, score in found]


uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")
