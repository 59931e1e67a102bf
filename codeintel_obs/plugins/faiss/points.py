"""The table of points: which methods and functions of FAISS are steps, of which kind, and what describes them.

Each kind has its Python method first. The raw C++ methods (``_c``, ``_ex``, until 1.12 ``Ex``), which that method calls
and a program may call itself, and what ``faiss.contrib.torch_utils`` makes of it (``_numpy``) follow as optional ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from codeintel_obs.plugins.faiss import describe as told
from codeintel_obs.steps import Point

_TORCH: Final = ("faiss.contrib.torch_utils",)
INDEXES: Final = ("Index", "IndexBinary")


def _methods(kind: str, names: str, bases: Iterable[str] = INDEXES, **described: Any) -> Iterator[Point]:
    """Yield a point for each of ``names`` on each of ``bases`` and its subclasses; only the very first is required."""
    optional = described.pop("optional", False)
    for base in bases:
        for name in names.split():
            yield Point(
                module="faiss",
                name=f"{base}.{name}",
                kind=f"faiss.{kind}",
                every_class=True,
                outermost=True,
                patched_by=_TORCH,
                optional=optional,
                **described,
            )
            optional = True


def _functions(kind: str, names: str, *, optional: bool = False, **described: Any) -> Iterator[Point]:
    """Yield a point for each of the module's functions ``names``; only the first is required."""
    for name in names.split():
        yield Point(
            module="faiss",
            name=name,
            kind=f"faiss.{kind}",
            outermost=True,
            patched_by=_TORCH,
            optional=optional,
            **described,
        )
        optional = True


_ON_INDEX: Final[dict[str, Any]] = {"failed": told.failed_index}
_READS: Final[dict[str, Any]] = {**_ON_INDEX, "after": told.after_index}
_QUERIES: Final = told.sizes(nq=(0, "x"), k=(1, "k"))
_RAW_QUERIES: Final = told.sizes(nq=(0, "n"), k=(2, "k"))
_VECTORS: Final = told.sizes(n=(0, "x"))
_SEARCHED: Final = told.searched()
_IN_RANGE: Final = told.sizes(nq=(0, "x"), radius=(1, "thresh"))
_RAW_RANGE: Final = told.sizes(nq=(0, "n"), radius=(2, "radius"))

SEARCHES: Final = (
    *_methods("search", "search search_numpy", before=_QUERIES, after=_SEARCHED, **_ON_INDEX),
    *_methods("search", "search_c", before=_RAW_QUERIES, after=told.searched(5), optional=True, **_ON_INDEX),
    *_methods(
        "search",
        "search_ex searchEx",
        before=told.sizes(nq=(0, "n"), k=(3, "k")),
        after=told.searched(6),
        optional=True,
        **_ON_INDEX,
    ),
    *_methods("search", "search1", optional=True, **_READS),
    *_methods("search_subset", "search_subset", before=_RAW_QUERIES, optional=True, **_READS),
    *_methods(
        "search_preassigned",
        "search_preassigned search_preassigned_numpy",
        before=_QUERIES,
        after=_SEARCHED,
        **_ON_INDEX,
    ),
    *_methods("search_preassigned", "search_preassigned_c", before=_RAW_QUERIES, optional=True, **_READS),
    *_methods(
        "search_and_reconstruct",
        "search_and_reconstruct search_and_reconstruct_numpy",
        before=_QUERIES,
        after=_SEARCHED,
        **_ON_INDEX,
    ),
    *_methods("search_and_reconstruct", "search_and_reconstruct_c", before=_RAW_QUERIES, optional=True, **_READS),
    *_methods(
        "search_and_return_codes",
        "search_and_return_codes",
        before=_QUERIES,
        after=_SEARCHED,
        optional=True,
        **_ON_INDEX,
    ),
    *_methods("search_and_return_codes", "search_and_return_codes_c", before=_RAW_QUERIES, optional=True, **_READS),
    *_methods("search_level_0", "search_level_0", before=_RAW_QUERIES, optional=True, **_READS),
    *_methods(
        "range_search",
        "range_search range_search_numpy",
        before=_IN_RANGE,
        after=told.searched_in_range(),
        **_ON_INDEX,
    ),
    *_methods(
        "range_search",
        "range_search_c",
        before=_RAW_RANGE,
        after=told.searched_in_range(4),
        optional=True,
        **_ON_INDEX,
    ),
    *_methods(
        "range_search_preassigned",
        "range_search_preassigned",
        before=_IN_RANGE,
        after=told.searched_in_range(),
        **_ON_INDEX,
    ),
    *_methods("range_search_preassigned", "range_search_preassigned_c", before=_RAW_RANGE, optional=True, **_READS),
    *_methods("assign", "assign assign_numpy", before=_QUERIES, after=told.after_assign, **_ON_INDEX),
    *_methods("assign", "assign_c", before=told.sizes(nq=(0, "n"), k=(3, "k")), optional=True, **_READS),
)

CHANGES: Final = (
    *_methods("add", "add add_c add_ex addEx add_numpy add_core add_core_o", before=_VECTORS, **_READS),
    *_methods(
        "add_with_ids",
        "add_with_ids add_with_ids_c add_with_ids_ex add_with_idsEx add_with_ids_numpy",
        before=_VECTORS,
        **_READS,
    ),
    *_methods("add_sa_codes", "add_sa_codes add_sa_codes_c", before=_VECTORS, **_READS),
    *_methods(
        "train",
        "train train_c train_ex trainEx train_numpy train_with_queries train_inplace train_inplace_c",
        before=_VECTORS,
        after=told.after_train,
        **_ON_INDEX,
    ),
    *_methods("remove_ids", "remove_ids remove_ids_c remove_ids_numpy", after=told.after_remove, **_ON_INDEX),
    *_methods("update_vectors", "update_vectors update_vectors_numpy", before=told.items(0, "keys"), **_READS),
    *_methods("update_vectors", "update_vectors_c", before=_VECTORS, optional=True, **_READS),
    *_methods("merge_from", "merge_from", before=told.before_merge, **_READS),
    *_methods("reset", "reset", **_READS),
    *_methods("permute_entries", "permute_entries permute_entries_c", **_READS),
    *_methods("copy_subset_to", "copy_subset_to", **_READS),
    *_methods("make_direct_map", "make_direct_map set_direct_map_type", **_READS),
    *_methods("construct_rev_map", "construct_rev_map", **_READS),
    *_methods("build", "build build_c", bases=("IndexNSG",), **_READS),
    *_methods("init_level_0", "init_level_0_from_knngraph init_level_0_from_entry_points", **_READS),
    *_methods("reorder_links", "reorder_links", **_READS),
    *_methods("link_singletons", "link_singletons", **_READS),
    *_methods("flip_to_ivf", "flip_to_ivf", **_READS),
    *_methods("transfer_to_ivfpq", "transfer_to_IVFPQ", **_READS),
    *_methods("precompute_table", "precompute_table", **_READS),
)

CODES: Final = (
    *_methods("reconstruct", "reconstruct reconstruct_c reconstruct_numpy reconstruct_from_offset", **_READS),
    *_methods(
        "reconstruct_batch",
        "reconstruct_batch reconstruct_batch_c",
        before=told.items(0, "key"),
        **_READS,
    ),
    *_methods(
        "reconstruct_n",
        "reconstruct_n reconstruct_n_c reconstruct_n_numpy",
        before=told.sizes(n=(1, "ni")),
        **_READS,
    ),
    *_methods("sa_encode", "sa_encode sa_encode_c sa_encode_numpy", before=_VECTORS, **_READS),
    *_methods("sa_decode", "sa_decode sa_decode_c sa_decode_numpy", before=told.sizes(n=(0, "codes")), **_READS),
)

_OBJECT: Final[dict[str, Any]] = {"before": _VECTORS, "after": told.after_object, "failed": told.failed_object}
_NO_SIZE: Final[dict[str, Any]] = {"after": told.after_object, "failed": told.failed_object}

OTHERS: Final = (
    *_methods("train", "train", bases=("VectorTransform",), **_OBJECT),
    *_methods("train", "train", bases=("Quantizer", "Clustering"), **_OBJECT),
    *_methods("train", "train", bases=("ProgressiveDimClustering", "SuperKMeans"), optional=True, **_OBJECT),
    *_methods(
        "train",
        "train_c",
        bases=("VectorTransform", "Quantizer", "Clustering", "SuperKMeans"),
        optional=True,
        **_OBJECT,
    ),
    *_methods("train", "train_encoded train_encoded_c", bases=("Clustering",), optional=True, **_OBJECT),
    *_methods("train", "train_exact train_exact_c", bases=("Clustering1D",), optional=True, **_OBJECT),
    *_methods(
        "train",
        "train",
        bases=("Kmeans",),
        before=_VECTORS,
        after=told.after_kmeans,
        failed=told.failed_object,
    ),
    *_methods("assign", "assign", bases=("Kmeans",), before=told.sizes(nq=(0, "x")), optional=True, **_NO_SIZE),
    *_methods("apply", "apply apply_py", bases=("VectorTransform",), **_OBJECT),
    *_methods("apply", "apply_noalloc", bases=("VectorTransform",), optional=True, **_OBJECT),
    *_methods("reverse_transform", "reverse_transform reverse_transform_c", bases=("VectorTransform",), **_OBJECT),
    *_methods("compute_codes", "compute_codes", bases=("Quantizer",), **_OBJECT),
    *_methods("compute_codes", "compute_codes_c", bases=("Quantizer",), optional=True, **_NO_SIZE),
    *_methods("decode", "decode", bases=("Quantizer",), before=told.sizes(n=(0, "codes")), **_NO_SIZE),
    *_methods("decode", "decode_c", bases=("Quantizer",), optional=True, **_NO_SIZE),
    *_methods(
        "explore",
        "explore",
        bases=("ParameterSpace",),
        before=told.sizes(nq=(1, "xq")),
        after=told.after_explore,
        failed=told.failed_given,
    ),
    *_methods(
        "explore",
        "explore_c",
        bases=("ParameterSpace",),
        before=told.sizes(nq=(1, "nq")),
        after=told.after_explore,
        optional=True,
    ),
    *_methods(
        "merge_ondisk",
        "merge_from_multiple merge_from_1",
        bases=("OnDiskInvertedLists",),
        before=told.sizes(lists=(1, "n_il")),
    ),
)

_OF_INDEX: Final[dict[str, Any]] = {"failed": told.failed_given}
_GIVEN: Final[dict[str, Any]] = {**_OF_INDEX, "after": told.after_given}
_MADE: Final[dict[str, Any]] = {"after": told.after_made}

FUNCTIONS: Final = (
    *_functions("knn", "knn knn_numpy", before=told.sizes(nq=(0, "xq"), n=(1, "xb"), k=(2, "k")), after=told.after_knn),
    *_functions("knn_hamming", "knn_hamming", before=_QUERIES, after=told.after_knn),
    *_functions("pairwise_distances", "pairwise_distances", after=told.after_pairwise),
    *_functions(
        "search_with_parameters",
        "search_with_parameters",
        before=told.sizes(nq=(1, "x"), k=(2, "k")),
        after=told.after_search_of,
        **_OF_INDEX,
    ),
    *_functions(
        "search_with_parameters",
        "search_with_parameters_c",
        before=told.sizes(nq=(1, "n"), k=(3, "k")),
        optional=True,
        **_GIVEN,
    ),
    *_functions(
        "range_search_with_parameters",
        "range_search_with_parameters",
        before=told.sizes(nq=(1, "x"), radius=(2, "radius")),
        after=told.after_range_search_of,
        **_OF_INDEX,
    ),
    *_functions(
        "range_search_with_parameters",
        "range_search_with_parameters_c",
        before=told.sizes(nq=(1, "n"), radius=(3, "radius")),
        optional=True,
        **_GIVEN,
    ),
    *_functions("kmeans_clustering", "kmeans_clustering", before=told.sizes(d=(0, "d"), n=(1, "n"), k=(2, "k"))),
    *_functions("kmeans1d", "kmeans1d", before=told.sizes(n=(1, "n"), k=(2, "nclusters"))),
    *_functions("index_factory", "index_factory", before=told.before_factory, **_MADE),
    *_functions("index_binary_factory", "index_binary_factory", before=told.before_factory, **_MADE),
    *_functions("read_index", "read_index", before=told.path_at(0, "fname"), **_MADE),
    *_functions("read_index_binary", "read_index_binary", before=told.path_at(0, "fname"), **_MADE),
    *_functions("read_vector_transform", "read_VectorTransform", before=told.path_at(0, "fname"), **_MADE),
    *_functions("read_product_quantizer", "read_ProductQuantizer", before=told.path_at(0, "fname"), **_MADE),
    *_functions("read_inverted_lists", "read_InvertedLists", before=told.path_at(0, "reader")),
    *_functions("write_index", "write_index", before=told.path_at(1, "fname"), **_GIVEN),
    *_functions("write_index_binary", "write_index_binary", before=told.path_at(1, "fname"), **_GIVEN),
    *_functions("write_vector_transform", "write_VectorTransform", before=told.path_at(1, "fname"), **_GIVEN),
    *_functions("write_product_quantizer", "write_ProductQuantizer", before=told.path_at(1, "fname"), **_GIVEN),
    *_functions("write_inverted_lists", "write_InvertedLists", before=told.path_at(1, "f")),
    *_functions("serialize_index", "serialize_index serialize_index_binary", after=told.after_serialized, **_OF_INDEX),
    *_functions("deserialize_index", "deserialize_index deserialize_index_binary", **_MADE),
    *_functions("clone_index", "clone_index clone_binary_index clone_Quantizer", **_MADE),
    *_functions("merge_into", "merge_into", **_GIVEN),
    *_functions(
        "shard_centroids",
        "shard_ivf_index_centroids shard_binary_ivf_index_centroids",
        before=told.sizes(shards=(1, "shard_count")),
        optional=True,
        **_GIVEN,
    ),
)

_TO_GPU: Final[dict[str, Any]] = {
    "before": told.before_to_gpu,
    "after": told.after_to_gpu,
    "failed": told.failed_to_gpu,
}
_DEVICE: Final = ("GpuIndex", "GpuIndexBinaryFlat")

GPU: Final = (
    *_functions("to_gpu", "index_cpu_to_all_gpus index_cpu_to_gpus_list index_cpu_to_gpu_multiple_py", **_TO_GPU),
    *_functions("to_gpu", "index_cpu_to_gpu index_cpu_to_gpu_multiple", optional=True, **_TO_GPU),
    *_functions("to_gpu", "index_binary_cpu_to_gpu index_binary_cpu_to_gpu_multiple", optional=True, **_TO_GPU),
    *_functions("to_cpu", "index_gpu_to_cpu index_binary_gpu_to_cpu", optional=True, **_MADE),
    *_functions(
        "knn_gpu",
        "knn_gpu knn_gpu_numpy",
        before=told.sizes(nq=(1, "xq"), n=(2, "xb"), k=(3, "k")),
        after=told.after_knn,
    ),
    *_functions("knn_gpu", "bfKnn bfKnn_tiling bruteForceKnn", optional=True),
    *_functions(
        "pairwise_distance_gpu",
        "pairwise_distance_gpu pairwise_distance_gpu_numpy",
        after=told.after_pairwise,
    ),
    *_methods("copy_from", "copyFrom", bases=_DEVICE, optional=True, **_READS),
    *_methods("copy_to", "copyTo", bases=_DEVICE, optional=True, **_READS),
    *_methods("update_quantizer", "updateQuantizer", bases=("GpuIndex",), optional=True, **_READS),
    *_methods("reclaim_memory", "reclaimMemory", bases=("GpuIndex",), optional=True, **_READS),
    *_methods("reserve_memory", "reserveMemory", bases=("GpuIndex",), optional=True, **_READS),
)

POINTS: Final = (*SEARCHES, *CHANGES, *CODES, *OTHERS, *FUNCTIONS, *GPU)
