"""Public names of FAISS that are not steps, each with its reason. Patterns of ``Class.method`` and of functions."""

from __future__ import annotations

from typing import Final

_BY_REASON: Final = {
    "a container of numbers for C++, no work of its own": """
        *Vector.* AlignedTable*.* MaybeOwnedVector*.* SwigPyIterator.* Tensor2D.* Int32Tensor2D.* BufferList.*
        Repeats.* VisitedTable*.* MmappedFileMappingOwner.* *_maxheap_array_t.* *_minheap_array_t.* ResultHeap.*
        Nhood.*
    """,
    "a hash table or bit string of the caller's own, no index": """
        MapLong2Long.* MapInt64ToInt64.* CodeSet.* BitstringReader.* BitstringWriter.* pack_bitstrings
        unpack_bitstrings bincode_hist ivec_hist bucket_sort matrix_bucket_sort_inplace hashtable_int64_to_int64_*
    """,
    "one of a search's inner objects: called once per vector or list, by C++, with raw pointers": """
        *DistanceComputer.* *InvertedListScanner.* IDSelector*.* PyCallback*.* *InvertedLists*.[!m]*
        InvertedLists.merge_from InvertedListsIterator.* InvertedListsIOHook.* DirectMap*.* CodePacker*.* Panorama.*
        Combiner*.* RangeSearch*.* RangeQueryResult.* FastScanDistancePostProcessing.* SlidingIndexWindow.*
        PermutationObjective.* HNSW.* NSG.* NSG_Graph_int.* NNDescent.* Level1Quantizer.* IndexIVFInterface.*
        Version.* ClusteringInitialization.*
    """,
    "a codec behind an index or quantizer, with raw pointers; their train, encode and decode are points": """
        PQEncoder*.* PQDecoder*.* EnumeratedVectors.* ZnSphere*.* QINCo*.* NeuralNetCodec.* Linear.* Embedding.*
        *IcmEncoder*.* LSQTimer*.* PolysemousTraining.* ReproduceDistancesObjective.* SimulatedAnnealing*.*
    """,
    "a step of a quantizer's own train, encode or decode, which are points": """
        *Quantizer.clear_transposed_centroids *Quantizer.sync_transposed_centroids *Quantizer.compute_[Lbdisu]*
        *Quantizer.compute_ce* *Quantizer.compute_code *Quantizer.compute_code_* *Quantizer.compute_codeb*
        *Quantizer.compute_codes_[aw]* *Quantizer.compute_codes_core *Quantizer.decode_[!c]* *Quantizer.decode_core
        *Quantizer.encode_* *Quantizer.evaluate *Quantizer.get_* *Quantizer.icm_* *Quantizer.init
        *Quantizer.initialize_from *Quantizer.knn_centroids_* *Quantizer.memory_per_point *Quantizer.pack_codes
        *Quantizer.perturb_* *Quantizer.refine_* *Quantizer.retrain_* *Quantizer.select_* *Quantizer.set_*
        *Quantizer.subquantizer *Quantizer.train_norm *Quantizer.update_codebooks
    """,
    "a search among a quantizer's own codes, with raw pointers": """
        ProductQuantizer.search ProductQuantizer.search_ip ProductQuantizer.search_sdc
    """,
    "counters and statistics": """
        *Stats.* OperatingPoints.* AutoTuneCriterion.* OneRecallAtRCriterion.* IntersectionCriterion.*
    """,
    "settings and sizes: reads or writes a few numbers": """
        ParameterSpace.[!e]* SearchParameters*.* *SearchParameters.* SIMDConfig.* *TimeoutCallback.*
        InterruptCallback.* PythonInterruptCallback.* Kmeans.reset *Kmeans.set_index Index*.get_*
        Index*.set_numeric_type ResidualCoarseQuantizer.set_beam_factor Index*.sa_code_size Index*.fast_scan_code_size
        Index*.hashtable_size Index*.compute_per_vector_storage_size Index*.train_encoder_num_vectors
        Index*.lookup_table_is_3d Index*.check_* Index*.display *.check_identical *.print_if_verbose
        LinearTransform.set_is_orthonormal
    """,
    "a random number generator": "*RandomGenerator.*",
    "changes which indexes or lists belong together; no vector is touched": """
        Index*.add_replica Index*.add_shard Index*.add_sub_index Index*.addIndex Index*.remove_replica
        Index*.remove_shard Index*.sync* ThreadedIndexBase*.[!r]* ThreadedIndexBase*.removeIndex
        ThreadedIndexBase*.runOnIndex Index*.prepend_transform Index*.replace_invlists Index*.replace_vt
        Index*.clear_l2norms
    """,
    "a stage of an index's search, with raw pointers; the search is the point": """
        Index*.apply_chain Index*.reverse_chain Index*.apply_preprocess Index*.compute_LUT* Index*.compute_float_LUT
        Index*.compute_quantized_LUT Index*.compute_residual* *.compute_residual Index*.compute_distance_subset
        Index*.range_search_dispatch_implem Index*.search_dispatch_implem Index*.search_implem_* Index*.postprocess_*
        Index*.search_core_polysemous Index*.hamming_distance_* *.compute_residual_n
    """,
    "a stage of an index's train or add, with raw pointers; those are points": """
        Index*.train_encoder Index*.encode_vectors Index*.decode_vectors Index*.encode Index*.encode_multiple
        Index*.decode_multiple Index*.init Index*.init_code_packer Index*.init_fastscan Index*.compute_codes
        Index*.estimate_norm_scale Index*.shrink_level_0_neighbors Index*.update_permutation
        Index*.transfer_thresholds Index*.find_duplicates Index*.reconstruct_orig_invlists
        ResidualCoarseQuantizer.initialize_from Clustering.post_process_centroids
    """,
    "a part of a transform's construction; its train and apply are points": """
        PCAMatrix.copy_from PCAMatrix.prepare_Ab RandomRotationMatrix.init HadamardRotation.init
        LinearTransform.transform_transpose
    """,
    "a stream that read_index and write_index take; those are the points": "*IOReader.* *IOWriter.*",
    "the machinery behind clone_index and index_cpu_to_gpu, which are points": "*Cloner.*",
    "arithmetic on the caller's own arrays, no index and no search": """
        fvec* bvec* ivec* bitvec* byte_rand float_rand float_randn int64_rand int64_rand_max rand rand_perm* randint
        randn lrand rand_smooth_vectors* kmin kmax normalize_L2 checksum eval_intersection merge_knn_results*
        matrix_qr real_to_binary binary_to_real reflection inner_product_to_L2sqr imbalance_factor ranklist_*
        hash_bytes simd_histogram_* smawk chi2_quantile_wh normal_quantile popcount*
    """,
    "distances and neighbours over raw pointers: the building blocks of knn, knn_hamming and the indexes": """
        knn_L2sqr* knn_inner_product* knn_extra_metrics pairwise_L2sqr pairwise_extra_distances pairwise_indexed_*
        range_search_L2sqr range_search_inner_product hamming* hammings* crosshamming_* generalized_hamming*
        match_hamming_thres search_neighbors_to_add search_from_candidate* greedy_update_nearest
        should_refine_candidate hnsw_add_vertices_deterministic search_centroid search_and_return_centroids
        get_extra_distance_computer get_distance_computer storage_distance_computer
    """,
    "a piece of a quantizer's arithmetic over raw pointers": """
        aq_* beam_search_* compute_* quantize_LUT_and_bias refine_beam_* round_* extract_* set_bit_* precompute_*
        ivf_residual_* initialize_IVFPQ_precomputed_table packed_code_size populate_block_aux_* unpack_sign_bits_*
        super_kmeans_assign_iteration* approx_topk_by_mode *_partition_fuzzy code_size decode quantizer_type_for_bits
        is_eden_quantizer_type nb_bits_for_qtype
    """,
    "types, pointers and conversions between Python and C++": """
        cast_* downcast_* try_extract_index_ivf swig_ptr rev_swig_ptr swig_version memcpy vector_to_array
        vector_float_to_array copy_array_to_vector array_to_AlignedTable copy_array_to_AlignedTable
        AlignedTable_to_array obj metric_type_* to_simd_level to_string fourcc* lo_* is_similarity_metric
        get_numeric_type_size *.original_init super_kmeans_assign_iteration_c
    """,
    "about the library and the process, not about an index": """
        get_version get_compile_options compiled_simd_levels supported_instruction_sets get_num_gpus get_mem_usage_kb
        getmillisecs get_cycles omp_* check_openmp gpu_profiler_* gpu_sync_all_devices get_deserialization_*
        set_deserialization_* get_invlist_range set_invlist_range check_compatible_for_merge merge_result_table_with
    """,
    "how FAISS's Python keeps references alive while it is imported": "add_ref_in_* add_to_referenced_objects",
    "Python code over public names of faiss, each of which is a step": "contrib.*",
}

_GPU: Final = {
    "settings, streams and memory of a device": """
        GpuResources*.* StandardGpuResources*.* AllocInfo.* AllocRequest.* Gpu*.get* Gpu*.set* allocTypeToString
        memorySpaceToString make*Alloc should_use_cuvs
    """,
    "which class an index has": "isGpuIndex isGpuIndexImplemented tryCastGpuIndex",
    "settings of a search on a device; the searches are points": "GpuParameterSpace.*",
    "the machinery behind index_cpu_to_gpu_multiple, which is a point": "ToGpuClonerMultiple.*",
}

_OLDER: Final = {
    "public until 1.12: receives a search's results inside C++": "*ResultHandler*.*",
    "not FAISS's: packaging's class, which 1.10 imports": "Version",
}

EXCLUSIONS: Final = {
    pattern: reason for reason, patterns in (_BY_REASON | _GPU | _OLDER).items() for pattern in patterns.split()
}
