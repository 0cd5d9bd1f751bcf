"""Real architectures with random weights, made on the device: how fast they are, not what they say, is the question. And tokenizers: the
real ones of the encoders; for chat one word a token, so that a prompt has exactly so many."""

from __future__ import annotations

from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    BertConfig,
    Cohere2Config,
    LlamaConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    XLMRobertaConfig,
)

SMALL = {"hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 1536, "max_position_embeddings": 512}
LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
E5_SMALL = BertConfig(vocab_size=250037, **SMALL)
"""intfloat/multilingual-e5-small"""
MINILM_L12 = BertConfig(vocab_size=30522, num_labels=1, **SMALL)
"""cross-encoder/ms-marco-MiniLM-L12-v2"""
BGE_M3 = XLMRobertaConfig(vocab_size=250002, max_position_embeddings=8194, type_vocab_size=1, pad_token_id=1, num_labels=1, **LARGE)
"""BAAI/bge-m3, and with a head BAAI/bge-reranker-v2-m3 (568M)"""
LLAMA_8B = LlamaConfig(
    vocab_size=128256,
    hidden_size=4096,
    intermediate_size=14336,
    num_hidden_layers=32,
    num_attention_heads=32,
    num_key_value_heads=8,
    max_position_embeddings=131072,
    rms_norm_eps=1e-5,
    rope_parameters={"rope_type": "default", "rope_theta": 500000.0},
    eos_token_id=None,
    bos_token_id=None,
)
"""meta-llama/Llama-3.1-8B-Instruct (without its rope scaling, which costs nothing)"""
COMMAND_R7B = Cohere2Config(
    vocab_size=256000,
    hidden_size=4096,
    intermediate_size=14336,
    num_hidden_layers=32,
    num_attention_heads=32,
    num_key_value_heads=8,
    max_position_embeddings=132096,
    sliding_window=4096,
    rope_parameters={"rope_type": "default", "rope_theta": 50000.0},
    eos_token_id=None,
    bos_token_id=None,
)
"""CohereLabs/c4ai-command-r7b-12-2024: three layers with a window of 4,096, then one without"""


def encoder(config: Any, *, score: bool) -> PreTrainedModel:
    auto = AutoModelForSequenceClassification if score else AutoModel
    return _random(auto, config, **({} if score else {"add_pooling_layer": False}))


def chat(config: Any) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    words = Tokenizer(WordLevel({f"w{number}": number for number in range(config.vocab_size)}, unk_token="w0"))
    words.pre_tokenizer = WhitespaceSplit()
    template = "{% for message in messages %}{{ message.content }}{% endfor %}"
    return _random(AutoModelForCausalLM, config), PreTrainedTokenizerFast(tokenizer_object=words, chat_template=template)


def prompt(tokens: int, vocabulary: int) -> str:
    return " ".join(f"w{number}" for number in torch.randint(1, vocabulary, (tokens,)).tolist())


def parameters(model: PreTrainedModel) -> int:
    """Of all matrices that each token passes through: tables of tokens and places are only looked up in."""
    return sum(module.weight.numel() for module in model.modules() if isinstance(module, torch.nn.Linear))


def _random(auto: Any, config: Any, **more: Any) -> PreTrainedModel:
    torch.manual_seed(0)
    with torch.device("cuda"):
        return auto.from_config(config, dtype=torch.bfloat16, **more).eval()
