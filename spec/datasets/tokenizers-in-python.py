"""Trains a tokenizer of each family and writes what Python's library makes of many texts: python THIS FOLDER."""

import json
import random
import sys
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

FOLDER = Path(sys.argv[1])
WORDS = "the river rises in hills and runs through valley to sea mill miller's flour Zürich café 日本 語 🙂 naïve 12 345".split()
ODD = ["", " ", "\n\n", "\t", "\u2028", "\u00a0", "é", "e\u0301", "ﬁ", "👩‍👩‍👧", "<|end|>", "<s>", "x" * 300, "ＡＢ", "\u0000", "İ"]
random.seed(0)


def text(longest: int) -> str:
    parts = [random.choice(WORDS if random.random() < 0.9 else ODD) for _ in range(random.randrange(longest))]
    return random.choice([" ", "  ", ""]).join(parts)


CORPUS = [text(60) for _ in range(400)]
TEXTS = [text(longest) for longest in (3, 20, 200) for _ in range(100)] + ODD


def between(tokenizer: Tokenizer, first: str, last: str) -> None:
    ids = [(token, tokenizer.token_to_id(token)) for token in (first, last)]
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{first} $A {last}", special_tokens=ids)


def byte_level() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = ["<|end|>"]
    trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def byte_fallback() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    special = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=700, special_tokens=special, limit_alphabet=40, show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    between(tokenizer, "<s>", "</s>")
    return tokenizer


def unigram() -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=300, unk_token="<unk>", special_tokens=["<unk>", "<s>", "</s>"], show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    between(tokenizer, "<s>", "</s>")
    return tokenizer


def word_piece() -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[UNK]", "[CLS]", "[SEP]"]
    tokenizer.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=400, special_tokens=special, show_progress=False))
    between(tokenizer, "[CLS]", "[SEP]")
    return tokenizer


for make in [byte_level, byte_fallback, unigram, word_piece]:
    file = str(FOLDER / f"{make.__name__}.json")
    make().save(file)
    # As anyone has it: numbers read from a file can be off by a bit from those written, and long runs of a letter are then cut elsewhere.
    tokenizer = Tokenizer.from_file(file)
    whole = [tokenizer.encode(text).ids for text in TEXTS]
    tokenizer.enable_truncation(16)
    truncated = [tokenizer.encode(text).ids for text in TEXTS]
    rows = [{"text": text, "ids": ids, "truncated": cut} for text, ids, cut in zip(TEXTS, whole, truncated)]
    (FOLDER / f"{make.__name__}.expected.json").write_text(json.dumps(rows))
