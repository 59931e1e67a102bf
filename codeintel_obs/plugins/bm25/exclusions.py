"""bm25s's public names that are no point, each group with its reason: ``module:name``, or ``fnmatch`` patterns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_GROUPS: Final[Mapping[str, str]] = {
    "makes an object; what it compiles, indexes or tokenizes meanwhile goes through points": """
        bm25s:BM25.__init__ bm25s.tokenization:Tokenizer.__init__ bm25s.high_level:BM25Search.__init__
        bm25s.high_level:index
    """,
    "goes through Tokenizer.tokenize and BM25.retrieve, which are points": "bm25s.high_level:BM25Search.search",
    "looks tokens up in a dictionary in memory": """
        bm25s:BM25.get_tokens_ids bm25s.tokenization:Tokenizer.get_vocab_dict bm25s.tokenization:Tokenizer.decode
        bm25s.tokenization:Tokenizer.to_tokenized_tuple bm25s.tokenization:Tokenizer.reset_vocab
        bm25s.tokenization:convert_tokenized_to_string_list
    """,
    "chooses the compiled function; numba compiles it at its first call": "bm25s:BM25.activate_numba_*",
    "one query's part of a search or of a build, which are points": """
        bm25s:get_unique_tokens bm25s:is_list_of_list_of_type bm25s.selection:* bm25s.numba.*:*
    """,
    "data that came back": "bm25s:Results.*",
    "one line of a corpus file that the application opened; its search is the point": "bm25s.utils.corpus:*",
    "reads a text file with Python's own csv and json; nothing of BM25 is done": "bm25s.high_level:load",
    "writes or reads JSON for the points that save and load": "bm25s.utils.json_functions:*",
    "prepares a call to the hub; the calls themselves are points": """
        bm25s.hf:batch_tokenize bm25s.hf:is_dir_empty bm25s.hf:can_save_locally
    """,
    "downloads and scores public benchmarks; no part of a search": "bm25s.utils.beir:* bm25s.utils.benchmark:*",
    "a program around the points": "bm25s.cli:* bm25s.mcp.server:* bm25s.terminal*:* bm25s.high_level.setup:*",
}

EXCLUSIONS: Final = {name: reason for reason, names in _GROUPS.items() for name in names.split()}
