"""Everything public in FAISS is a point or stands in the exclusions, in the installed build and in the GPU wheel."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from fnmatch import fnmatchcase

import faiss
import pytest

from codeintel_obs.plugins.faiss.instrumentor import FaissInstrumentor

POINTS = FaissInstrumentor.points
METHODS = {tuple(point.name.split(".")) for point in POINTS if point.every_class}
FUNCTIONS = {point.name for point in POINTS if not point.every_class}

# Read off the wheel of faiss-gpu 1.15.1, which is too large to install for a test: what it has beyond faiss-cpu.
# Each line: class(classes that it inherits from): public methods in its own namespace.
GPU_CLASSES = """
AllocInfo(): toString
AllocRequest(AllocInfo): toString
GpuIcmEncoder(IcmEncoder): encode set_binary_term
GpuIcmEncoderFactory(IcmEncoderFactory): get
GpuIndex(Index): add add_c add_ex add_sa_codes add_sa_codes_c add_with_ids add_with_ids_c add_with_ids_ex assign
  assign_c compute_residual compute_residual_n getDevice getMinPagingSize getResources range_search range_search_c
  reconstruct reconstruct_batch reconstruct_batch_c reconstruct_c reconstruct_n reconstruct_n_c remove_ids
  remove_ids_c sa_decode sa_decode_c sa_encode sa_encode_c search search_and_reconstruct search_and_reconstruct_c
  search_c search_ex setMinPagingSize train train_c
GpuIndexBinaryFlat(IndexBinary): add add_c add_with_ids add_with_ids_c assign assign_c copyFrom copyTo getDevice
  getResources range_search range_search_c reconstruct reconstruct_c reconstruct_n reconstruct_n_c remove_ids
  remove_ids_c reset search search_c train train_c
GpuIndexFlat(GpuIndex Index): add add_c compute_residual compute_residual_n copyFrom copyTo getGpuData getNumVecs
  reconstruct reconstruct_batch reconstruct_batch_c reconstruct_c reconstruct_n reconstruct_n_c reset train train_c
GpuIndexFlatIP(GpuIndexFlat GpuIndex Index): copyFrom copyTo
GpuIndexFlatL2(GpuIndexFlat GpuIndex Index): copyFrom copyTo
GpuIndexIVF(GpuIndex Index IndexIVFInterface Level1Quantizer): add_core copyFrom copyTo getListIndices getListLength
  getListVectorData getNumLists range_search_preassigned range_search_preassigned_c search_preassigned
  search_preassigned_c updateQuantizer
GpuIndexIVFFlat(GpuIndexIVF GpuIndex Index IndexIVFInterface Level1Quantizer): copyFrom copyTo reclaimMemory
  reconstruct_n reconstruct_n_c reserveMemory reset train train_c updateQuantizer
GpuIndexIVFPQ(GpuIndexIVF GpuIndex Index IndexIVFInterface Level1Quantizer): copyFrom copyTo getBitsPerCode
  getCentroidsPerSubQuantizer getNumSubQuantizers getPrecomputedCodes reclaimMemory reserveMemory reset
  setPrecomputedCodes train train_c updateQuantizer
GpuIndexIVFScalarQuantizer(GpuIndexIVF GpuIndex Index IndexIVFInterface Level1Quantizer): copyFrom copyTo
  reclaimMemory reserveMemory reset train train_c updateQuantizer
GpuParameterSpace(ParameterSpace): initialize set_index_parameter
GpuResources(): allocMemory deallocMemory getAlternateStreams getAlternateStreamsCurrentDevice getAsyncCopyStream
  getAsyncCopyStreamCurrentDevice getBlasHandle getBlasHandleCurrentDevice getDefaultStream
  getDefaultStreamCurrentDevice getPinnedMemory getTempMemoryAvailable getTempMemoryAvailableCurrentDevice
  initializeForDevice setDefaultStream supportsBFloat16 supportsBFloat16CurrentDevice syncDefaultStream
  syncDefaultStreamCurrentDevice
GpuResourcesProvider(): getResources
GpuResourcesProviderFromInstance(GpuResourcesProvider): getResources
GpuResourcesVector(): at clear data push_back resize size swap
StandardGpuResources(GpuResourcesProvider): getDefaultStream getMemoryInfo getResources getTempMemoryAvailable
  noTempMemory revertDefaultStream setDefaultNullStreamAllDevices setDefaultStream setLogMemoryAllocations
  setPinnedMemory setTempMemory supportsBFloat16 supportsBFloat16CurrentDevice syncDefaultStreamCurrentDevice
StandardGpuResourcesImpl(GpuResources): allocMemory deallocMemory getAlternateStreams getAsyncCopyStream
  getBlasHandle getDefaultStream getMemoryInfo getPinnedMemory getTempMemoryAvailable initializeForDevice
  noTempMemory revertDefaultStream setDefaultNullStreamAllDevices setDefaultStream setLogMemoryAllocations
  setPinnedMemory setTempMemory supportsBFloat16
ToCPUCloner(Cloner): clone_Index merge_index
ToGpuCloner(Cloner GpuClonerOptions): clone_Index
ToGpuClonerMultiple(Cloner GpuMultipleClonerOptions GpuClonerOptions): clone_Index clone_Index_to_shards
  copy_ivf_shard
"""
# Public in versions that the plugin supports, and gone from the newest.
OLDER = {"SIMDResultHandler.handle", "StoreResultHandler.set_block_origin", "Version"}
GPU_FUNCTIONS = """
allocTypeToString bfKnn bfKnn_tiling bruteForceKnn cast_cudastream_t_to_integer cast_integer_to_cudastream_t
index_binary_cpu_to_gpu index_binary_cpu_to_gpu_multiple index_binary_gpu_to_cpu index_cpu_to_gpu
index_cpu_to_gpu_multiple index_gpu_to_cpu isGpuIndex isGpuIndexImplemented makeDevAlloc makeSpaceAlloc
makeTempAlloc memorySpaceToString should_use_cuvs tryCastGpuIndex
"""


def kinds_of(name, owners=()):
    """Return how a function, or a method of the first of ``owners``, is classified: one of two, or both, or not."""
    dotted = f"{owners[0]}.{name}" if owners else name
    watched = any((owner, name) in METHODS for owner in owners) if owners else name in FUNCTIONS
    reasons = [reason for pattern, reason in FaissInstrumentor.exclusions.items() if fnmatchcase(dotted, pattern)]
    return (["point"] if watched else []) + (["excluded"] if reasons else [])


def public_methods(cls):
    """Return the names of the public callables in a class's own namespace."""
    own = vars(cls).items()
    return [
        name
        for name, value in own
        if not name.startswith("_")
        and not isinstance(value, property)
        and (callable(value) or isinstance(value, (staticmethod, classmethod)))
    ]


def installed_classes():
    return {id(value): value for value in vars(faiss).values() if inspect.isclass(value)}.values()


def gpu_methods():
    """Yield owner names and method of every line of the wheel's list."""
    for line in re.sub(r"\n  ", " ", GPU_CLASSES.strip()).splitlines():
        cls, bases, methods = re.fullmatch(r"(\w+)\((.*)\): (.*)", line).groups()
        yield from (((cls, *bases.split()), method) for method in methods.split())


def test_every_method_of_every_class_is_classified_once():
    """Each public callable in the own namespace of each class of faiss is a point or excluded with a reason."""
    found = {
        f"{cls.__name__}.{name}": kinds_of(name, [base.__name__ for base in cls.__mro__])
        for cls in installed_classes()
        for name in public_methods(cls)
    }
    assert len(found) > 1500
    assert {name: kinds for name, kinds in found.items() if len(kinds) != 1} == {}


def test_every_function_is_classified_once():
    """Each public function of faiss is a point or excluded with a reason."""
    names = [
        name
        for name, value in vars(faiss).items()
        if callable(value) and not inspect.isclass(value) and not name.startswith("_")
    ]
    assert len(names) > 200
    assert {name: kinds for name in names if len(kinds := kinds_of(name)) != 1} == {}


def test_every_name_of_contrib_is_classified():
    """What faiss.contrib defines in Python is covered by an exclusion: it works through names of faiss."""
    import faiss.contrib as contrib

    modules = [each.name for each in pkgutil.iter_modules(contrib.__path__) if not each.name.startswith("torch")]
    names = []
    for module in modules:
        found = vars(importlib.import_module(f"faiss.contrib.{module}"))
        names += [f"contrib.{module}.{name}" for name, value in found.items() if inspect.isfunction(value)]
    assert "contrib.ondisk.merge_ondisk" in names
    assert {name: kinds for name in names if (kinds := kinds_of(name)) != ["excluded"]} == {}


def test_every_method_of_the_gpu_wheel_is_classified_once():
    """The GPU classes, which need a GPU to run, are classified from the wheel."""
    found = {f"{owners[0]}.{name}": kinds_of(name, owners) for owners, name in gpu_methods()}
    assert found["GpuIndexFlat.copyFrom"] == ["point"]
    assert {name: kinds for name, kinds in found.items() if len(kinds) != 1} == {}


def test_every_function_of_the_gpu_wheel_is_classified_once():
    """The functions that only the GPU wheel has are classified too."""
    names = GPU_FUNCTIONS.split()
    assert kinds_of("index_cpu_to_gpu") == ["point"]
    assert {name: kinds for name in names if len(kinds := kinds_of(name)) != 1} == {}


def test_a_name_that_nobody_classified_is_found():
    """The classification can fail: a new method of a known class, and a new function, have no place in it."""
    assert kinds_of("search_by_magic", ["IndexFlat", "Index"]) == []
    assert kinds_of("conjure") == []


def test_no_exclusion_is_left_over():
    """Each pattern excludes something that the newest build, the GPU wheel or an older version has."""
    names = {f"{cls.__name__}.{name}" for cls in installed_classes() for name in public_methods(cls)}
    names |= {f"{owners[0]}.{name}" for owners, name in gpu_methods()} | set(GPU_FUNCTIONS.split())
    names |= set(vars(faiss)) | {"contrib.ondisk.merge_ondisk"} | OLDER
    unused = [pattern for pattern in FaissInstrumentor.exclusions if not any(fnmatchcase(n, pattern) for n in names)]
    assert unused == []


@pytest.mark.parametrize("point", [point for point in POINTS if not point.optional], ids=lambda point: point.name)
def test_a_required_point_is_in_the_installed_build(point):
    """What is not declared optional is there: a kind cannot go unwatched without a fact that says so."""
    base, _, name = point.name.rpartition(".")
    if not base:
        assert callable(getattr(faiss, name))
        return
    family = [cls for cls in installed_classes() if issubclass(cls, getattr(faiss, base))]
    assert any(name in vars(cls) for cls in family)


def test_every_payload_key_of_a_point_is_declared():
    """A key that the table does not declare would count as a text and vanish below content level ``all``."""
    from codeintel_obs.plugins.faiss import describe

    source = inspect.getsource(describe) + inspect.getsource(
        importlib.import_module("codeintel_obs.plugins.faiss.points")
    )
    used = set(re.findall(r'"([a-z_A-Z]+)": ', source)) | set(re.findall(r"(\w+)=\(\d, ", source))
    assert used - {"failed", "after", "before"} <= set(FaissInstrumentor.fields)
