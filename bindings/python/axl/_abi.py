# SPDX-License-Identifier: Apache-2.0
"""The C declarations of axl 0.1.0 for ctypes; tests/abi/make-python-abi writes them."""
import ctypes as c
from typing import Any, Tuple

AXL_LABEL_IGNORE = -100
AXL_VERSION = "0.1.0"
AXL_ABI_VERSION = 0
AXL_SEVERITY_ERROR = 1
AXL_SEVERITY_WARNING = 2
AXL_CONFIG_YAML = 0
AXL_CONFIG_JSON = 1
AXL_ANSWER_IMPLEMENTED = 0
AXL_ANSWER_NO_EFFECT = 1
AXL_ANSWER_UNSUPPORTED = 2
AXL_ANSWER_DEPRECATED = 3
AXL_LOG_ERROR = 1
AXL_LOG_WARNING = 2
AXL_LOG_INFO = 3
AXL_LOG_DEBUG = 4
AXL_SPLIT_TRAIN = 0
AXL_SPLIT_VALIDATION = 1
AXL_ROLE_PLAIN = 0
AXL_ROLE_CHOSEN = 1
AXL_ROLE_REJECTED = 2
AXL_ROLE_DESIRABLE = 3
AXL_ROLE_UNDESIRABLE = 4
AXL_ROLE_STEPS = 5
AXL_TEXT_PROMPT = 0
AXL_TEXT_RESPONSE = 1
AXL_TEXT_MASKED = 2
AXL_TEXT_TRAINED = 3
AXL_FINISH_EOS = 1
AXL_FINISH_STOP = 2
AXL_FINISH_LENGTH = 3
AXL_COMPUTE_AUTO = 0
AXL_COMPUTE_F32 = 1
AXL_COMPUTE_BF16 = 2
AXL_COMPUTE_STORED = 3
AXL_WEIGHTS_STORED = 0
AXL_WEIGHTS_NF4 = 1
AXL_WEIGHTS_FP4 = 2
AXL_WEIGHTS_INT8 = 3
AXL_TENSOR_F32 = 1
AXL_TENSOR_BF16 = 2
AXL_TENSOR_F16 = 3
AXL_RUN_BEGIN = 1
AXL_RUN_STEP = 2
AXL_RUN_EVALUATION = 3
AXL_RUN_SAVE = 4
AXL_RUN_END = 5
AXL_SCHEDULE_CONSTANT = 0
AXL_SCHEDULE_LINEAR = 1
AXL_SCHEDULE_COSINE = 2
AXL_SCHEDULE_POLYNOMIAL = 3
AXL_SCHEDULE_COSINE_WITH_RESTARTS = 4
AXL_SCHEDULE_INVERSE_SQRT = 5
AXL_SCHEDULE_COSINE_AFTER_WARMUP = 6
AXL_SCHEDULE_WARMUP_STABLE_DECAY = 7
AXL_SCHEDULE_REX = 8
AXL_SCHEDULE_ONE_CYCLE = 9
AXL_SCHEDULE_REDUCE_ON_PLATEAU = 10
AXL_SHAPE_DEFAULT = 0
AXL_SHAPE_LINEAR = 1
AXL_SHAPE_COSINE = 2
AXL_SHAPE_ONE_MINUS_SQRT = 3
AXL_SHAPE_QUADRATIC = 4
AXL_OK = 0
AXL_END = 1
AXL_ERR_INTERNAL = -1
AXL_ERR_NOMEM = -2
AXL_ERR_INVALID = -3
AXL_ERR_ABI = -4
AXL_ERR_BUSY = -5
AXL_ERR_CANCELLED = -6
AXL_ERR_CONFIG = -7
AXL_ERR_NOT_FOUND = -8
AXL_ERR_IO = -9
AXL_ERR_FORMAT = -10
AXL_ERR_DATA = -11
AXL_ERR_UNSUPPORTED = -12
AXL_ERR_NUMERIC = -13
AXL_ERR_DEVICE = -14
AXL_ERR_FORKED = -15
AXL_TOKENIZE_NO_SPECIAL = 1
AXL_DECODE_SKIP_SPECIAL = 2
AXL_LOSS_TOKENS = 0
AXL_LOSS_MICRO_BATCHES = 1
AXL_PRUNE_MAGNITUDE = 0
AXL_PRUNE_RANDOM = 1


class Struct(c.Structure):
    """A public struct; its first field is its size."""
    _defaults_: Tuple[Any, ...] = ()

    @classmethod
    def init(cls) -> Any:
        """The struct as its _INIT macro leaves it."""
        made = cls()
        for (name, *_), value in zip(cls._fields_, (c.sizeof(cls), *cls._defaults_)):
            if value is not None:
                setattr(made, name, value)
        return made


class axl_adapter(c.Structure):
    """Opaque."""


class axl_cancel(c.Structure):
    """Opaque."""


class axl_config(c.Structure):
    """Opaque."""


class axl_context(c.Structure):
    """Opaque."""


class axl_dataset(c.Structure):
    """Opaque."""


class axl_diagnostics(c.Structure):
    """Opaque."""


class axl_draft(c.Structure):
    """Opaque."""


class axl_job(c.Structure):
    """Opaque."""


class axl_loader(c.Structure):
    """Opaque."""


class axl_model(c.Structure):
    """Opaque."""


class axl_run(c.Structure):
    """Opaque."""


class axl_sweep(c.Structure):
    """Opaque."""


class axl_template(c.Structure):
    """Opaque."""


class axl_tokenizer(c.Structure):
    """Opaque."""


class axl_trainer(c.Structure):
    """Opaque."""


class axl_adapter_options(Struct):
    pass


class axl_tensor_info(Struct):
    pass


class axl_adapter_info(Struct):
    pass


class axl_diagnostic(Struct):
    pass


class axl_config_options(Struct):
    pass


class axl_config_key_info(Struct):
    pass


class axl_progress(Struct):
    pass


class axl_context_options(Struct):
    pass


class axl_sample(Struct):
    pass


class axl_dataset_stats(Struct):
    pass


class axl_record_source(Struct):
    pass


class axl_file(Struct):
    pass


class axl_generation(Struct):
    pass


class axl_generate_options(Struct):
    pass


class axl_job_options(Struct):
    pass


class axl_batch(Struct):
    pass


class axl_loader_options(Struct):
    pass


class axl_loader_cursor(Struct):
    pass


class axl_model_options(Struct):
    pass


class axl_model_info(Struct):
    pass


class axl_tensor_data(Struct):
    pass


class axl_optimizer_options(Struct):
    pass


class axl_plan(Struct):
    pass


class axl_run_record(Struct):
    pass


class axl_run_options(Struct):
    pass


class axl_evaluation(Struct):
    pass


class axl_schedule_options(Struct):
    pass


class axl_buffer(Struct):
    pass


class axl_sweep_run(Struct):
    pass


class axl_template_options(Struct):
    pass


class axl_tokenizer_options(Struct):
    pass


class axl_trainer_options(Struct):
    pass


class axl_step_stats(Struct):
    pass


class axl_logits(Struct):
    pass


class axl_loss_options(Struct):
    pass


axl_log_fn = c.CFUNCTYPE(None, c.c_void_p, c.c_uint32, c.c_char_p)
axl_progress_fn = c.CFUNCTYPE(c.c_int, c.c_void_p, c.POINTER(axl_progress))
axl_task_fn = c.CFUNCTYPE(None, c.c_void_p, c.c_uint64)
axl_parallel_for_fn = c.CFUNCTYPE(None, c.c_void_p, c.c_uint64, axl_task_fn, c.c_void_p)
axl_next_record_fn = c.CFUNCTYPE(c.c_int, c.c_void_p, c.POINTER(c.c_char_p), c.POINTER(c.c_size_t))
axl_rewind_records_fn = c.CFUNCTYPE(c.c_int, c.c_void_p)
axl_release_records_fn = c.CFUNCTYPE(None, c.c_void_p)
axl_dataset_type_fn = c.CFUNCTYPE(c.c_int, c.c_void_p, c.POINTER(axl_draft), c.c_void_p, c.c_size_t)
axl_file_fn = c.CFUNCTYPE(c.c_int, c.c_void_p, c.POINTER(axl_file))
axl_text_fn = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_void_p, c.c_size_t)
axl_tensor_fn = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_char_p, c.POINTER(axl_tensor_data))
axl_tensor_out_fn = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_char_p, c.POINTER(axl_tensor_data))
axl_record_fn = c.CFUNCTYPE(c.c_int, c.c_void_p, c.POINTER(axl_run_record))
axl_loss_fn = c.CFUNCTYPE(c.c_int, c.c_void_p, c.POINTER(axl_logits))

axl_adapter_options._fields_ = [
    ("size", c.c_size_t),
    ("target_modules", c.POINTER(c.c_char_p)),
    ("n_target_modules", c.c_size_t),
    ("seed", c.c_uint64),
    ("alpha", c.c_double),
    ("dropout", c.c_double),
    ("rank", c.c_uint32),
    ("rslora", c.c_uint32),
    ("target_regex", c.c_char_p),
    ("exclude_modules", c.POINTER(c.c_char_p)),
    ("n_exclude_modules", c.c_size_t),
    ("exclude_regex", c.c_char_p),
    ("layers_to_transform", c.POINTER(c.c_uint32)),
    ("n_layers_to_transform", c.c_size_t),
    ("layers_pattern", c.POINTER(c.c_char_p)),
    ("n_layers_pattern", c.c_size_t),
    ("rank_pattern", c.POINTER(c.c_char_p)),
    ("rank_pattern_ranks", c.POINTER(c.c_uint32)),
    ("n_rank_pattern", c.c_size_t),
    ("alpha_pattern", c.POINTER(c.c_char_p)),
    ("alpha_pattern_alphas", c.POINTER(c.c_double)),
    ("n_alpha_pattern", c.c_size_t),
    ("bias", c.c_char_p),
    ("init_lora_weights", c.c_char_p),
    ("lora_bias", c.c_uint32),
    ("use_dora", c.c_uint32),
    ("modules_to_save", c.POINTER(c.c_char_p)),
    ("n_modules_to_save", c.c_size_t),
    ("ensure_weight_tying", c.c_uint32),
    ("reserved0", c.c_uint32),
    ("trainable_tokens", c.POINTER(c.c_uint32)),
    ("n_trainable_tokens", c.c_size_t),
    ("trainable_head_tokens", c.POINTER(c.c_uint32)),
    ("n_trainable_head_tokens", c.c_size_t),
]
axl_adapter_options._defaults_ = (
    None, 0, 42, 16.0, 0.0, 16, 0, None, None, 0, None, None, 0, None, 0, None, None, 0, None, None,
    0, None, None, 0, 0, None, 0, 0, 0, None, 0, None, 0,
)
axl_tensor_info._fields_ = [
    ("size", c.c_size_t),
    ("name", c.c_char_p),
    ("rows", c.c_uint64),
    ("cols", c.c_uint64),
]
axl_adapter_info._fields_ = [
    ("size", c.c_size_t),
    ("base_model_name", c.c_char_p),
    ("target_modules", c.POINTER(c.c_char_p)),
    ("n_target_modules", c.c_size_t),
    ("alpha", c.c_double),
    ("dropout", c.c_double),
    ("rank", c.c_uint32),
    ("rslora", c.c_uint32),
    ("target_regex", c.c_char_p),
    ("bias", c.c_char_p),
    ("init_lora_weights", c.c_char_p),
    ("lora_bias", c.c_uint32),
    ("use_dora", c.c_uint32),
    ("modules_to_save", c.POINTER(c.c_char_p)),
    ("n_modules_to_save", c.c_size_t),
    ("ensure_weight_tying", c.c_uint32),
    ("reserved0", c.c_uint32),
    ("trainable_tokens", c.POINTER(c.c_uint32)),
    ("n_trainable_tokens", c.c_size_t),
    ("trainable_head_tokens", c.POINTER(c.c_uint32)),
    ("n_trainable_head_tokens", c.c_size_t),
]
axl_adapter_info._defaults_ = (
    None, None, 0, 0.0, 0.0, 0, 0, None, None, None, 0, 0, None, 0, 0, 0, None, 0, None, 0,
)
axl_diagnostic._fields_ = [
    ("size", c.c_size_t),
    ("id", c.c_char_p),
    ("severity", c.c_uint32),
    ("line", c.c_uint32),
    ("column", c.c_uint32),
    ("reserved", c.c_uint32),
    ("file", c.c_char_p),
    ("key", c.c_char_p),
    ("message", c.c_char_p),
    ("text", c.c_char_p),
]
axl_config_options._fields_ = [
    ("size", c.c_size_t),
    ("base_dir", c.c_char_p),
    ("overrides", c.POINTER(c.c_char_p)),
    ("n_overrides", c.c_size_t),
    ("diagnostics", c.POINTER(c.POINTER(axl_diagnostics))),
    ("own_data", c.c_uint32),
    ("reserved0", c.c_uint32),
]
axl_config_key_info._fields_ = [
    ("size", c.c_size_t),
    ("name", c.c_char_p),
    ("type", c.c_char_p),
    ("fallback", c.c_char_p),
    ("values", c.c_char_p),
    ("range", c.c_char_p),
    ("reason", c.c_char_p),
    ("use_instead", c.c_char_p),
    ("description", c.c_char_p),
    ("answer", c.c_uint32),
    ("reserved", c.c_uint32),
]
axl_progress._fields_ = [
    ("size", c.c_size_t),
    ("phase", c.c_char_p),
    ("done", c.c_uint64),
    ("total", c.c_uint64),
    ("job", c.POINTER(axl_job)),
]
axl_context_options._fields_ = [
    ("size", c.c_size_t),
    ("alloc", c.CFUNCTYPE(c.c_void_p, c.c_void_p, c.c_size_t)),
    ("realloc", c.CFUNCTYPE(c.c_void_p, c.c_void_p, c.c_void_p, c.c_size_t)),
    ("free", c.CFUNCTYPE(None, c.c_void_p, c.c_void_p)),
    ("alloc_user", c.c_void_p),
    ("log", axl_log_fn),
    ("log_user", c.c_void_p),
    ("progress", axl_progress_fn),
    ("progress_user", c.c_void_p),
    ("parallel_for", axl_parallel_for_fn),
    ("parallel_user", c.c_void_p),
    ("plugin_dir", c.c_char_p),
    ("hub_cache", c.c_char_p),
    ("hub_token", c.c_char_p),
    ("isa", c.c_char_p),
    ("threads", c.c_uint32),
    ("log_level", c.c_uint32),
    ("allow_network", c.c_uint32),
    ("no_onednn", c.c_uint32),
]
axl_context_options._defaults_ = (
    None, None, None, None, None, None, None, None, None, None, None, None, None, None, 0, 2, 0, 0,
)
axl_sample._fields_ = [
    ("size", c.c_size_t),
    ("input_ids", c.POINTER(c.c_int32)),
    ("labels", c.POINTER(c.c_int32)),
    ("source", c.c_char_p),
    ("row", c.c_uint64),
    ("length", c.c_uint32),
    ("n_trained", c.c_uint32),
    ("part", c.c_uint32),
    ("role", c.c_uint32),
    ("pair", c.c_uint32),
    ("reserved0", c.c_uint32),
]
axl_dataset_stats._fields_ = [
    ("size", c.c_size_t),
    ("rows_read", c.c_uint64),
    ("rows", c.c_uint64),
    ("tokens", c.c_uint64),
    ("trained_tokens", c.c_uint64),
    ("dropped_too_long", c.c_uint64),
    ("dropped_too_short", c.c_uint64),
    ("dropped_no_trained", c.c_uint64),
    ("from_cache", c.c_uint64),
    ("dropped_duplicates", c.c_uint64),
]
axl_record_source._fields_ = [
    ("size", c.c_size_t),
    ("next", axl_next_record_fn),
    ("rewind", axl_rewind_records_fn),
    ("release", axl_release_records_fn),
    ("user", c.c_void_p),
]
axl_file._fields_ = [
    ("size", c.c_size_t),
    ("name", c.c_char_p),
    ("data", c.c_void_p),
    ("length", c.c_size_t),
]
axl_generation._fields_ = [
    ("size", c.c_size_t),
    ("n_prompt", c.c_uint64),
    ("n_new", c.c_uint64),
    ("finish", c.c_uint32),
    ("reserved0", c.c_uint32),
]
axl_generate_options._fields_ = [
    ("size", c.c_size_t),
    ("text", axl_text_fn),
    ("text_user", c.c_void_p),
    ("stop", c.POINTER(c.c_char_p)),
    ("n_stop", c.c_size_t),
    ("stop_ids", c.POINTER(c.c_int32)),
    ("n_stop_ids", c.c_size_t),
    ("result", c.POINTER(axl_generation)),
    ("seed", c.c_uint64),
    ("temperature", c.c_double),
    ("top_p", c.c_double),
    ("min_p", c.c_double),
    ("repetition_penalty", c.c_double),
    ("top_k", c.c_uint32),
    ("max_new_tokens", c.c_uint32),
    ("greedy", c.c_uint32),
    ("reserved0", c.c_uint32),
]
axl_generate_options._defaults_ = (
    None, None, None, 0, None, 0, None, 42, 0.9, 0.95, 0.0, 1.1, 40, 1024, 0, 0,
)
axl_job_options._fields_ = [
    ("size", c.c_size_t),
    ("progress", axl_progress_fn),
    ("progress_user", c.c_void_p),
]
axl_batch._fields_ = [
    ("size", c.c_size_t),
    ("input_ids", c.POINTER(c.c_int32)),
    ("labels", c.POINTER(c.c_int32)),
    ("positions", c.POINTER(c.c_int32)),
    ("cu_seqlens", c.POINTER(c.c_int32)),
    ("weights", c.POINTER(c.c_float)),
    ("roles", c.POINTER(c.c_uint32)),
    ("pairs", c.POINTER(c.c_uint32)),
    ("n_tokens", c.c_uint32),
    ("n_seqs", c.c_uint32),
    ("n_trained", c.c_uint32),
    ("last_of_step", c.c_uint32),
]
axl_loader_options._fields_ = [
    ("size", c.c_size_t),
    ("seed", c.c_uint64),
    ("micro_batch_size", c.c_uint32),
    ("gradient_accumulation_steps", c.c_uint32),
    ("sequence_len", c.c_uint32),
    ("sample_packing", c.c_uint32),
    ("shuffle", c.c_uint32),
    ("real_batches", c.c_uint32),
    ("keep_order", c.c_uint32),
    ("group_by_length", c.c_uint32),
    ("num_epochs", c.c_double),
    ("max_steps", c.c_uint64),
]
axl_loader_options._defaults_ = (
    42, 1, 1, 2048, 0, 1, 0, 0, 0, 1.0, 0,
)
axl_loader_cursor._fields_ = [
    ("size", c.c_size_t),
    ("epoch", c.c_uint64),
    ("batch", c.c_uint64),
]
axl_model_options._fields_ = [
    ("size", c.c_size_t),
    ("backend", c.c_char_p),
    ("compute", c.c_uint32),
    ("read", c.c_uint32),
    ("name", c.c_char_p),
    ("weights", c.c_uint32),
    ("plain_scales", c.c_uint32),
    ("keep_modules", c.POINTER(c.c_char_p)),
    ("n_keep_modules", c.c_size_t),
    ("seed", c.c_uint64),
    ("reinit", c.c_uint32),
    ("reserved0", c.c_uint32),
]
axl_model_options._defaults_ = (
    None, 0, 0, None, 0, 0, None, 0, 42, 0, 0,
)
axl_model_info._fields_ = [
    ("size", c.c_size_t),
    ("n_params", c.c_uint64),
    ("weights_bytes", c.c_uint64),
    ("n_layers", c.c_uint32),
    ("hidden_size", c.c_uint32),
    ("intermediate_size", c.c_uint32),
    ("n_heads", c.c_uint32),
    ("n_kv_heads", c.c_uint32),
    ("head_dim", c.c_uint32),
    ("vocab_size", c.c_uint32),
    ("max_seq_len", c.c_uint32),
    ("compute", c.c_uint32),
    ("tied_head", c.c_uint32),
    ("weights", c.c_uint32),
    ("reserved0", c.c_uint32),
]
axl_tensor_data._fields_ = [
    ("size", c.c_size_t),
    ("data", c.c_void_p),
    ("length", c.c_size_t),
    ("shape", c.POINTER(c.c_uint64)),
    ("n_dims", c.c_uint32),
    ("type", c.c_uint32),
]
axl_optimizer_options._fields_ = [
    ("size", c.c_size_t),
    ("name", c.c_char_p),
    ("args", c.c_char_p),
    ("beta1", c.c_double),
    ("beta2", c.c_double),
    ("beta3", c.c_double),
    ("epsilon", c.c_double),
    ("epsilon2", c.c_double),
    ("weight_decay", c.c_double),
    ("loraplus_lr_ratio", c.c_double),
    ("loraplus_lr_embedding", c.c_double),
    ("embedding_lr", c.c_double),
    ("embedding_lr_scale", c.c_double),
    ("lr_group_modules", c.POINTER(c.c_char_p)),
    ("lr_group_rates", c.POINTER(c.c_double)),
    ("n_lr_group_modules", c.c_size_t),
    ("warmup_steps", c.c_uint64),
]
axl_optimizer_options._defaults_ = (
    None, None, -1.0, -1.0, -1.0, -1.0, -1.0, 0.0, 0.0, 1e-6, 0.0, 0.0, None, None, 0, 0,
)
axl_plan._fields_ = [
    ("size", c.c_size_t),
    ("weights_bytes", c.c_uint64),
    ("activation_bytes", c.c_uint64),
    ("optimizer_bytes", c.c_uint64),
    ("peak_rss_bytes", c.c_uint64),
    ("host_limit_bytes", c.c_uint64),
    ("device_bytes", c.c_uint64),
    ("device_limit_bytes", c.c_uint64),
    ("steps", c.c_uint64),
    ("tokens_per_step", c.c_uint64),
    ("seconds", c.c_double),
]
axl_plan._defaults_ = (
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0.0,
)
axl_run_record._fields_ = [
    ("size", c.c_size_t),
    ("step", c.c_uint64),
    ("total_steps", c.c_uint64),
    ("n_tokens", c.c_uint64),
    ("n_trained", c.c_uint64),
    ("n_skipped", c.c_uint64),
    ("peak_rss_bytes", c.c_uint64),
    ("epoch", c.c_double),
    ("loss", c.c_double),
    ("grad_norm", c.c_double),
    ("learning_rate", c.c_double),
    ("tokens_per_second", c.c_double),
    ("eval_loss", c.c_double),
    ("eval_perplexity", c.c_double),
    ("eval_seconds", c.c_double),
    ("seconds", c.c_double),
    ("eta_seconds", c.c_double),
    ("path", c.c_char_p),
    ("event", c.c_uint32),
    ("reserved0", c.c_uint32),
]
axl_run_options._fields_ = [
    ("size", c.c_size_t),
    ("record", axl_record_fn),
    ("record_user", c.c_void_p),
    ("resume", c.c_char_p),
    ("train", c.POINTER(axl_dataset)),
    ("validation", c.POINTER(axl_dataset)),
]
axl_evaluation._fields_ = [
    ("size", c.c_size_t),
    ("rows", c.c_uint64),
    ("tokens", c.c_uint64),
    ("loss", c.c_double),
    ("perplexity", c.c_double),
]
axl_evaluation._defaults_ = (
    0, 0, 0.0, 0.0,
)
axl_schedule_options._fields_ = [
    ("size", c.c_size_t),
    ("kind", c.c_uint32),
    ("warmup_shape", c.c_uint32),
    ("decay_shape", c.c_uint32),
    ("three_phases", c.c_uint32),
    ("warmup_steps", c.c_uint64),
    ("total_steps", c.c_uint64),
    ("min_ratio", c.c_double),
    ("constant_ratio", c.c_double),
    ("n_cycles", c.c_double),
    ("power", c.c_double),
    ("warmup_start", c.c_double),
    ("timescale", c.c_uint64),
    ("stable_steps", c.c_int64),
    ("decay_steps", c.c_uint64),
    ("pct_start", c.c_double),
    ("div_factor", c.c_double),
    ("final_div_factor", c.c_double),
    ("base_momentum", c.c_double),
    ("max_momentum", c.c_double),
    ("restart_steps", c.c_uint64),
    ("restart_warmup_steps", c.c_uint64),
    ("restart_anneal_steps", c.c_uint64),
    ("restart_ratio", c.c_double),
    ("factor", c.c_double),
    ("threshold", c.c_double),
    ("min_change", c.c_double),
    ("patience", c.c_uint64),
    ("cooldown", c.c_uint64),
    ("threshold_absolute", c.c_uint32),
    ("greater_is_better", c.c_uint32),
]
axl_schedule_options._defaults_ = (
    0, 0, 0, 0, 0, 0, 0.0, 0.0, 0.0, 1.0, 0.0, 0, -1, 0, -1.0, 25.0, 1e4, 0.85, 0.95, 0, 10, 1,
    0.001, 0.1, 1e-4, 0.0, 10, 0, 0, 0,
)
axl_buffer._fields_ = [
    ("size", c.c_size_t),
    ("data", c.c_void_p),
    ("length", c.c_size_t),
    ("reserved", c.c_void_p),
]
axl_sweep_run._fields_ = [
    ("size", c.c_size_t),
    ("name", c.c_char_p),
    ("overrides", c.POINTER(c.c_char_p)),
    ("n_overrides", c.c_size_t),
]
axl_template_options._fields_ = [
    ("size", c.c_size_t),
    ("time", c.c_int64),
    ("max_steps", c.c_uint64),
    ("max_output", c.c_uint64),
    ("max_memory", c.c_uint64),
    ("max_depth", c.c_uint32),
    ("reserved0", c.c_uint32),
]
axl_template_options._defaults_ = (
    -1, 0, 0, 0, 0, 0,
)
axl_tokenizer_options._fields_ = [
    ("size", c.c_size_t),
    ("type", c.c_char_p),
    ("bos_token", c.c_char_p),
    ("eos_token", c.c_char_p),
    ("unk_token", c.c_char_p),
    ("pad_token", c.c_char_p),
    ("legacy", c.c_int32),
    ("reserved0", c.c_uint32),
    ("tokens", c.POINTER(c.c_char_p)),
    ("n_tokens", c.c_size_t),
    ("special_tokens", c.POINTER(c.c_char_p)),
    ("n_special_tokens", c.c_size_t),
    ("override_ids", c.POINTER(c.c_int32)),
    ("override_texts", c.POINTER(c.c_char_p)),
    ("n_overrides", c.c_size_t),
    ("pattern", c.c_char_p),
    ("mistral_common", c.c_uint32),
    ("reserved1", c.c_uint32),
]
axl_tokenizer_options._defaults_ = (
    None, None, None, None, None, -1, 0, None, 0, None, 0, None, None, 0, None, 0, 0,
)
axl_trainer_options._fields_ = [
    ("size", c.c_size_t),
    ("learning_rate", c.c_double),
    ("optimizer", c.POINTER(axl_optimizer_options)),
    ("max_grad_norm", c.c_double),
    ("neftune_noise_alpha", c.c_double),
    ("schedule", c.POINTER(axl_schedule_options)),
    ("relora_steps", c.c_uint64),
    ("relora_prune_ratio", c.c_double),
    ("seed", c.c_uint64),
    ("relora_prune", c.c_uint32),
    ("loss_average", c.c_uint32),
    ("gradient_accumulation_steps", c.c_uint32),
    ("checkpointing", c.c_uint32),
    ("max_tokens", c.c_uint32),
    ("lisa_layers", c.c_uint32),
    ("label_smoothing", c.c_double),
    ("lisa_steps", c.c_uint64),
    ("unfrozen_parameters", c.POINTER(c.c_char_p)),
    ("n_unfrozen_parameters", c.c_size_t),
    ("graphs", c.c_uint32),
    ("reserved", c.c_uint32),
]
axl_trainer_options._defaults_ = (
    2e-4, None, 1.0, 0.0, None, 0, 0.9, 42, 0, 0, 1, 0, 0, 0, 0.0, 0, None, 0, 1, 0,
)
axl_step_stats._fields_ = [
    ("size", c.c_size_t),
    ("step", c.c_uint64),
    ("loss", c.c_double),
    ("grad_norm", c.c_double),
    ("learning_rate", c.c_double),
    ("n_tokens", c.c_uint64),
    ("n_trained", c.c_uint64),
]
axl_step_stats._defaults_ = (
    0, 0.0, 0.0, 0.0, 0, 0,
)
axl_logits._fields_ = [
    ("size", c.c_size_t),
    ("batch", c.POINTER(axl_batch)),
    ("rows", c.POINTER(c.c_int32)),
    ("logits", c.POINTER(c.c_float)),
    ("loss", c.c_double),
    ("first", c.c_uint64),
    ("total", c.c_uint64),
    ("n_rows", c.c_uint32),
    ("vocab_size", c.c_uint32),
]
axl_loss_options._fields_ = [
    ("size", c.c_size_t),
    ("loss", axl_loss_fn),
    ("user", c.c_void_p),
    ("logits", c.POINTER(c.c_float)),
    ("terms", c.c_uint64),
    ("all_rows", c.c_uint32),
    ("reserved0", c.c_uint32),
]

STRUCTS = [
    axl_adapter_options,
    axl_tensor_info,
    axl_adapter_info,
    axl_diagnostic,
    axl_config_options,
    axl_config_key_info,
    axl_progress,
    axl_context_options,
    axl_sample,
    axl_dataset_stats,
    axl_record_source,
    axl_file,
    axl_generation,
    axl_generate_options,
    axl_job_options,
    axl_batch,
    axl_loader_options,
    axl_loader_cursor,
    axl_model_options,
    axl_model_info,
    axl_tensor_data,
    axl_optimizer_options,
    axl_plan,
    axl_run_record,
    axl_run_options,
    axl_evaluation,
    axl_schedule_options,
    axl_buffer,
    axl_sweep_run,
    axl_template_options,
    axl_tokenizer_options,
    axl_trainer_options,
    axl_step_stats,
    axl_logits,
    axl_loss_options,
]

# name: (result, [arguments])
FUNCTIONS = {
    "axl_abi_sizeof": (c.c_size_t, [c.c_char_p]),
    "axl_abi_version": (c.c_uint32, []),
    "axl_adapter_combine": (c.c_int, [c.POINTER(c.POINTER(axl_adapter)),
        c.POINTER(c.POINTER(axl_adapter)), c.POINTER(c.c_double), c.c_size_t, c.c_char_p]),
    "axl_adapter_count": (c.c_size_t, [c.POINTER(axl_adapter)]),
    "axl_adapter_free": (None, [c.POINTER(axl_adapter)]),
    "axl_adapter_from_config": (c.c_int, [c.POINTER(c.POINTER(axl_adapter)),
        c.POINTER(axl_config), c.POINTER(axl_model)]),
    "axl_adapter_get_info": (c.c_int, [c.POINTER(axl_adapter), c.POINTER(axl_adapter_info)]),
    "axl_adapter_get_tensor": (c.c_int, [c.POINTER(axl_adapter), c.c_size_t,
        c.POINTER(axl_tensor_info)]),
    "axl_adapter_merge": (c.c_int, [c.POINTER(axl_adapter)]),
    "axl_adapter_new": (c.c_int, [c.POINTER(c.POINTER(axl_adapter)), c.POINTER(axl_model),
        c.POINTER(axl_adapter_options)]),
    "axl_adapter_open": (c.c_int, [c.POINTER(c.POINTER(axl_adapter)), c.POINTER(axl_model),
        c.c_char_p]),
    "axl_adapter_open_files": (c.c_int, [c.POINTER(c.POINTER(axl_adapter)),
        c.POINTER(axl_model), c.POINTER(axl_file), c.c_size_t]),
    "axl_adapter_read": (c.c_int, [c.POINTER(axl_adapter), c.c_size_t, c.POINTER(c.c_float)]),
    "axl_adapter_save": (c.c_int, [c.POINTER(axl_adapter), c.c_char_p]),
    "axl_adapter_save_files": (c.c_int, [c.POINTER(axl_adapter), axl_file_fn, c.c_void_p]),
    "axl_adapter_save_merged": (c.c_int, [c.POINTER(axl_adapter), c.c_char_p]),
    "axl_adapter_write": (c.c_int, [c.POINTER(axl_adapter), c.c_size_t, c.POINTER(c.c_float)]),
    "axl_buffer_free": (None, [c.POINTER(axl_buffer)]),
    "axl_cancel_clear": (None, [c.POINTER(axl_cancel)]),
    "axl_cancel_free": (None, [c.POINTER(axl_cancel)]),
    "axl_cancel_new": (c.c_int, [c.POINTER(c.POINTER(axl_cancel)), c.POINTER(axl_context)]),
    "axl_cancel_raise": (None, [c.POINTER(axl_cancel)]),
    "axl_config_dump": (c.c_int, [c.POINTER(axl_config), c.c_uint32, c.POINTER(axl_buffer)]),
    "axl_config_free": (None, [c.POINTER(axl_config)]),
    "axl_config_get_bool": (c.c_int, [c.POINTER(axl_config), c.c_char_p, c.POINTER(c.c_int)]),
    "axl_config_get_count": (c.c_int, [c.POINTER(axl_config), c.c_char_p,
        c.POINTER(c.c_size_t)]),
    "axl_config_get_double": (c.c_int, [c.POINTER(axl_config), c.c_char_p,
        c.POINTER(c.c_double)]),
    "axl_config_get_int": (c.c_int, [c.POINTER(axl_config), c.c_char_p, c.POINTER(c.c_int64)]),
    "axl_config_get_source": (c.c_int, [c.POINTER(axl_config), c.c_char_p,
        c.POINTER(c.c_uint32), c.POINTER(c.c_uint32)]),
    "axl_config_get_string": (c.c_int, [c.POINTER(axl_config), c.c_char_p,
        c.POINTER(c.c_char_p)]),
    "axl_config_open": (c.c_int, [c.POINTER(c.POINTER(axl_config)), c.POINTER(axl_context),
        c.c_char_p, c.POINTER(axl_config_options)]),
    "axl_config_parse": (c.c_int, [c.POINTER(c.POINTER(axl_config)), c.POINTER(axl_context),
        c.c_char_p, c.c_size_t, c.c_char_p, c.POINTER(axl_config_options)]),
    "axl_config_schema_count": (c.c_size_t, []),
    "axl_config_schema_find": (c.c_int, [c.c_char_p, c.POINTER(axl_config_key_info)]),
    "axl_config_schema_get": (c.c_int, [c.c_size_t, c.POINTER(axl_config_key_info)]),
    "axl_context_free": (None, [c.POINTER(axl_context)]),
    "axl_context_isa": (c.c_char_p, [c.POINTER(axl_context)]),
    "axl_context_new": (c.c_int, [c.POINTER(c.POINTER(axl_context)),
        c.POINTER(axl_context_options)]),
    "axl_context_threads": (c.c_uint32, [c.POINTER(axl_context)]),
    "axl_dataset_count": (c.c_uint64, [c.POINTER(axl_dataset)]),
    "axl_dataset_describe_types": (c.c_int, [c.POINTER(axl_context), c.c_uint32,
        c.POINTER(axl_buffer)]),
    "axl_dataset_free": (None, [c.POINTER(axl_dataset)]),
    "axl_dataset_from_config": (c.c_int, [c.POINTER(c.POINTER(axl_dataset)),
        c.POINTER(axl_config), c.POINTER(axl_tokenizer), c.c_uint32]),
    "axl_dataset_from_records": (c.c_int, [c.POINTER(c.POINTER(axl_dataset)),
        c.POINTER(axl_config), c.POINTER(axl_tokenizer), c.c_uint32, axl_next_record_fn,
        c.c_void_p]),
    "axl_dataset_from_samples": (c.c_int, [c.POINTER(c.POINTER(axl_dataset)),
        c.POINTER(axl_context), c.POINTER(axl_sample), c.c_size_t]),
    "axl_dataset_get_lengths": (c.c_int, [c.POINTER(axl_dataset), c.POINTER(c.c_uint32),
        c.c_uint64]),
    "axl_dataset_get_sample": (c.c_int, [c.POINTER(axl_dataset), c.c_uint64,
        c.POINTER(axl_sample)]),
    "axl_dataset_get_stats": (c.c_int, [c.POINTER(axl_dataset), c.POINTER(axl_dataset_stats)]),
    "axl_dataset_prepare": (c.c_int, [c.POINTER(c.POINTER(axl_dataset)),
        c.POINTER(c.POINTER(axl_dataset)), c.POINTER(axl_config), c.POINTER(axl_tokenizer),
        c.POINTER(axl_buffer)]),
    "axl_dataset_prompt": (c.c_int, [c.POINTER(axl_context), c.POINTER(axl_config), c.c_char_p,
        c.c_char_p, c.POINTER(axl_buffer)]),
    "axl_dataset_register_type": (c.c_int, [c.POINTER(axl_context), c.c_char_p, c.c_char_p,
        axl_dataset_type_fn, c.c_void_p]),
    "axl_dataset_stream_records": (c.c_int, [c.POINTER(c.POINTER(axl_dataset)),
        c.POINTER(axl_config), c.POINTER(axl_tokenizer), c.c_uint32,
        c.POINTER(axl_record_source)]),
    "axl_describe": (c.c_int, [c.POINTER(axl_context), c.c_uint32, c.POINTER(axl_buffer)]),
    "axl_diagnostics_count": (c.c_size_t, [c.POINTER(axl_diagnostics)]),
    "axl_diagnostics_error_count": (c.c_size_t, [c.POINTER(axl_diagnostics)]),
    "axl_diagnostics_free": (None, [c.POINTER(axl_diagnostics)]),
    "axl_diagnostics_get": (c.c_int, [c.POINTER(axl_diagnostics), c.c_size_t,
        c.POINTER(axl_diagnostic)]),
    "axl_draft_end_sample": (c.c_int, [c.POINTER(axl_draft)]),
    "axl_draft_put_ids": (c.c_int, [c.POINTER(axl_draft), c.POINTER(c.c_int32),
        c.POINTER(c.c_int32), c.c_size_t]),
    "axl_draft_put_text": (c.c_int, [c.POINTER(axl_draft), c.c_uint32, c.c_char_p, c.c_size_t]),
    "axl_evaluate": (c.c_int, [c.POINTER(axl_config), c.POINTER(axl_evaluation)]),
    "axl_feature_supported": (c.c_int, [c.c_char_p]),
    "axl_generate": (c.c_int, [c.POINTER(axl_model), c.POINTER(axl_adapter),
        c.POINTER(axl_tokenizer), c.c_char_p, c.c_size_t, c.POINTER(axl_generate_options),
        c.POINTER(axl_buffer)]),
    "axl_generate_ids": (c.c_int, [c.POINTER(axl_model), c.POINTER(axl_adapter),
        c.POINTER(axl_tokenizer), c.POINTER(c.c_int32), c.c_size_t,
        c.POINTER(axl_generate_options), c.POINTER(axl_buffer)]),
    "axl_job_cancel": (None, [c.POINTER(axl_job)]),
    "axl_job_clear": (None, [c.POINTER(axl_job)]),
    "axl_job_enter": (c.c_int, [c.POINTER(axl_job)]),
    "axl_job_free": (None, [c.POINTER(axl_job)]),
    "axl_job_leave": (None, []),
    "axl_job_new": (c.c_int, [c.POINTER(c.POINTER(axl_job)), c.POINTER(axl_context),
        c.POINTER(axl_job_options)]),
    "axl_last_error": (c.c_char_p, []),
    "axl_loader_batches_per_epoch": (c.c_uint64, [c.POINTER(axl_loader)]),
    "axl_loader_fill": (c.c_double, [c.POINTER(axl_loader)]),
    "axl_loader_free": (None, [c.POINTER(axl_loader)]),
    "axl_loader_from_config": (c.c_int, [c.POINTER(c.POINTER(axl_loader)),
        c.POINTER(axl_config), c.POINTER(axl_dataset), c.c_uint32]),
    "axl_loader_get_cursor": (c.c_int, [c.POINTER(axl_loader), c.POINTER(axl_loader_cursor)]),
    "axl_loader_get_total_steps": (c.c_int, [c.POINTER(axl_loader), c.POINTER(c.c_uint64)]),
    "axl_loader_new": (c.c_int, [c.POINTER(c.POINTER(axl_loader)), c.POINTER(axl_dataset),
        c.POINTER(axl_loader_options)]),
    "axl_loader_next": (c.c_int, [c.POINTER(axl_loader), c.POINTER(axl_batch)]),
    "axl_loader_set_cursor": (c.c_int, [c.POINTER(axl_loader), c.POINTER(axl_loader_cursor)]),
    "axl_model_batch_hidden": (c.c_int, [c.POINTER(axl_model), c.POINTER(axl_adapter),
        c.POINTER(axl_batch), c.c_uint32, c.POINTER(c.c_float)]),
    "axl_model_batch_logits": (c.c_int, [c.POINTER(axl_model), c.POINTER(axl_adapter),
        c.POINTER(axl_batch), c.POINTER(c.c_int32), c.c_size_t, c.POINTER(c.c_float)]),
    "axl_model_batch_losses": (c.c_int, [c.POINTER(axl_model), c.POINTER(axl_adapter),
        c.POINTER(axl_batch), c.POINTER(c.c_float)]),
    "axl_model_estimate": (c.c_int, [c.POINTER(axl_context), c.c_char_p,
        c.POINTER(axl_model_options), c.POINTER(axl_adapter_options),
        c.POINTER(axl_trainer_options), c.POINTER(axl_plan)]),
    "axl_model_free": (None, [c.POINTER(axl_model)]),
    "axl_model_from_config": (c.c_int, [c.POINTER(c.POINTER(axl_model)),
        c.POINTER(axl_config)]),
    "axl_model_get_info": (c.c_int, [c.POINTER(axl_model), c.POINTER(axl_model_info)]),
    "axl_model_logits": (c.c_int, [c.POINTER(axl_model), c.POINTER(axl_adapter),
        c.POINTER(c.c_int32), c.c_size_t, c.POINTER(c.c_float)]),
    "axl_model_open": (c.c_int, [c.POINTER(c.POINTER(axl_model)), c.POINTER(axl_context),
        c.c_char_p, c.POINTER(axl_model_options)]),
    "axl_model_open_files": (c.c_int, [c.POINTER(c.POINTER(axl_model)), c.POINTER(axl_context),
        c.POINTER(axl_file), c.c_size_t, c.POINTER(axl_model_options)]),
    "axl_model_open_tensors": (c.c_int, [c.POINTER(c.POINTER(axl_model)),
        c.POINTER(axl_context), c.c_char_p, c.c_size_t, axl_tensor_fn, c.c_void_p,
        c.POINTER(axl_model_options)]),
    "axl_model_resize_embeddings": (c.c_int, [c.POINTER(axl_model), c.POINTER(axl_config),
        c.c_uint32]),
    "axl_model_save": (c.c_int, [c.POINTER(axl_model), c.c_char_p]),
    "axl_model_save_tensors": (c.c_int, [c.POINTER(axl_model), axl_file_fn, axl_tensor_out_fn,
        c.c_void_p]),
    "axl_run_adapter": (c.POINTER(axl_adapter), [c.POINTER(axl_run)]),
    "axl_run_check": (c.c_int, [c.POINTER(axl_config), c.POINTER(c.POINTER(axl_diagnostics))]),
    "axl_run_evaluate": (c.c_int, [c.POINTER(axl_run), c.POINTER(axl_evaluation)]),
    "axl_run_free": (None, [c.POINTER(axl_run)]),
    "axl_run_model": (c.POINTER(axl_model), [c.POINTER(axl_run)]),
    "axl_run_new": (c.c_int, [c.POINTER(c.POINTER(axl_run)), c.POINTER(axl_config),
        c.POINTER(axl_run_options)]),
    "axl_run_output_dir": (c.c_char_p, [c.POINTER(axl_run)]),
    "axl_run_plan": (c.c_int, [c.POINTER(axl_config), c.POINTER(axl_plan)]),
    "axl_run_tokenizer": (c.POINTER(axl_tokenizer), [c.POINTER(axl_run)]),
    "axl_run_train": (c.c_int, [c.POINTER(axl_run)]),
    "axl_run_trainer": (c.POINTER(axl_trainer), [c.POINTER(axl_run)]),
    "axl_schedule_from_config": (c.c_int, [c.POINTER(axl_schedule_options),
        c.POINTER(axl_config), c.c_uint64]),
    "axl_schedule_share": (c.c_int, [c.POINTER(axl_schedule_options), c.c_uint64,
        c.POINTER(c.c_double)]),
    "axl_status_name": (c.c_char_p, [c.c_int]),
    "axl_sweep_count": (c.c_size_t, [c.POINTER(axl_sweep)]),
    "axl_sweep_free": (None, [c.POINTER(axl_sweep)]),
    "axl_sweep_get": (c.c_int, [c.POINTER(axl_sweep), c.c_size_t, c.POINTER(axl_sweep_run)]),
    "axl_sweep_open": (c.c_int, [c.POINTER(c.POINTER(axl_sweep)), c.POINTER(axl_context),
        c.c_char_p]),
    "axl_sweep_parse": (c.c_int, [c.POINTER(c.POINTER(axl_sweep)), c.POINTER(axl_context),
        c.c_char_p, c.c_size_t, c.c_char_p]),
    "axl_template_free": (None, [c.POINTER(axl_template)]),
    "axl_template_new": (c.c_int, [c.POINTER(c.POINTER(axl_template)), c.POINTER(axl_context),
        c.c_char_p, c.c_size_t, c.c_char_p]),
    "axl_template_open": (c.c_int, [c.POINTER(c.POINTER(axl_template)), c.POINTER(axl_context),
        c.c_char_p]),
    "axl_template_open_builtin": (c.c_int, [c.POINTER(c.POINTER(axl_template)),
        c.POINTER(axl_context), c.c_char_p]),
    "axl_template_render": (c.c_int, [c.POINTER(axl_template), c.c_char_p, c.c_size_t,
        c.POINTER(axl_template_options), c.POINTER(axl_buffer)]),
    "axl_tokenizer_apply_chat_template": (c.c_int, [c.POINTER(axl_tokenizer), c.c_char_p,
        c.c_size_t, c.POINTER(axl_template_options), c.POINTER(axl_buffer)]),
    "axl_tokenizer_bos": (c.c_int32, [c.POINTER(axl_tokenizer)]),
    "axl_tokenizer_decode": (c.c_int, [c.POINTER(axl_tokenizer), c.POINTER(c.c_int32),
        c.c_size_t, c.c_uint32, c.POINTER(axl_buffer)]),
    "axl_tokenizer_encode": (c.c_int, [c.POINTER(axl_tokenizer), c.c_char_p, c.c_size_t,
        c.c_uint32, c.POINTER(axl_buffer)]),
    "axl_tokenizer_encode_batch": (c.c_int, [c.POINTER(axl_tokenizer), c.POINTER(c.c_char_p),
        c.POINTER(c.c_size_t), c.c_size_t, c.c_uint32, c.POINTER(axl_buffer),
        c.POINTER(axl_buffer)]),
    "axl_tokenizer_encode_with_offsets": (c.c_int, [c.POINTER(axl_tokenizer), c.c_char_p,
        c.c_size_t, c.c_uint32, c.POINTER(axl_buffer), c.POINTER(axl_buffer)]),
    "axl_tokenizer_eos": (c.c_int32, [c.POINTER(axl_tokenizer)]),
    "axl_tokenizer_free": (None, [c.POINTER(axl_tokenizer)]),
    "axl_tokenizer_from_config": (c.c_int, [c.POINTER(c.POINTER(axl_tokenizer)),
        c.POINTER(axl_config)]),
    "axl_tokenizer_get_token": (c.c_int, [c.POINTER(axl_tokenizer), c.c_int32,
        c.POINTER(axl_buffer)]),
    "axl_tokenizer_get_turn_end": (c.c_int, [c.POINTER(axl_tokenizer), c.POINTER(axl_buffer)]),
    "axl_tokenizer_id": (c.c_int32, [c.POINTER(axl_tokenizer), c.c_char_p]),
    "axl_tokenizer_open": (c.c_int, [c.POINTER(c.POINTER(axl_tokenizer)),
        c.POINTER(axl_context), c.c_char_p, c.POINTER(axl_tokenizer_options)]),
    "axl_tokenizer_open_files": (c.c_int, [c.POINTER(c.POINTER(axl_tokenizer)),
        c.POINTER(axl_context), c.POINTER(axl_file), c.c_size_t,
        c.POINTER(axl_tokenizer_options)]),
    "axl_tokenizer_pad": (c.c_int32, [c.POINTER(axl_tokenizer)]),
    "axl_tokenizer_save": (c.c_int, [c.POINTER(axl_tokenizer), c.c_char_p]),
    "axl_tokenizer_save_files": (c.c_int, [c.POINTER(axl_tokenizer), axl_file_fn, c.c_void_p]),
    "axl_tokenizer_vocab_size": (c.c_uint32, [c.POINTER(axl_tokenizer)]),
    "axl_trainer_count": (c.c_size_t, [c.POINTER(axl_trainer)]),
    "axl_trainer_evaluate": (c.c_int, [c.POINTER(axl_trainer), c.POINTER(axl_batch),
        c.POINTER(c.c_double)]),
    "axl_trainer_export": (c.c_int, [c.POINTER(axl_trainer), c.c_char_p]),
    "axl_trainer_forward_backward": (c.c_int, [c.POINTER(axl_trainer), c.POINTER(axl_batch),
        c.POINTER(c.c_double)]),
    "axl_trainer_forward_backward_with": (c.c_int, [c.POINTER(axl_trainer),
        c.POINTER(axl_batch), c.POINTER(axl_loss_options), c.POINTER(c.c_double)]),
    "axl_trainer_free": (None, [c.POINTER(axl_trainer)]),
    "axl_trainer_from_config": (c.c_int, [c.POINTER(c.POINTER(axl_trainer)),
        c.POINTER(axl_config), c.POINTER(axl_model), c.POINTER(axl_adapter), c.c_uint64]),
    "axl_trainer_get_tensor": (c.c_int, [c.POINTER(axl_trainer), c.c_size_t,
        c.POINTER(axl_tensor_info)]),
    "axl_trainer_learning_rate": (c.c_double, [c.POINTER(axl_trainer)]),
    "axl_trainer_load": (c.c_int, [c.POINTER(axl_trainer), c.POINTER(axl_loader), c.c_char_p]),
    "axl_trainer_new": (c.c_int, [c.POINTER(c.POINTER(axl_trainer)), c.POINTER(axl_model),
        c.POINTER(axl_adapter), c.POINTER(axl_trainer_options)]),
    "axl_trainer_read": (c.c_int, [c.POINTER(axl_trainer), c.c_size_t, c.POINTER(c.c_float)]),
    "axl_trainer_read_gradient": (c.c_int, [c.POINTER(axl_trainer), c.c_size_t,
        c.POINTER(c.c_float)]),
    "axl_trainer_ready": (c.c_int, [c.POINTER(axl_trainer)]),
    "axl_trainer_report_metric": (c.c_int, [c.POINTER(axl_trainer), c.c_double]),
    "axl_trainer_save": (c.c_int, [c.POINTER(axl_trainer), c.POINTER(axl_loader), c.c_char_p]),
    "axl_trainer_set_learning_rate": (c.c_int, [c.POINTER(axl_trainer), c.c_double]),
    "axl_trainer_step": (c.c_int, [c.POINTER(axl_trainer), c.POINTER(axl_step_stats)]),
    "axl_trainer_steps": (c.c_uint64, [c.POINTER(axl_trainer)]),
    "axl_trainer_write": (c.c_int, [c.POINTER(axl_trainer), c.c_size_t, c.POINTER(c.c_float)]),
    "axl_trainer_write_gradient": (c.c_int, [c.POINTER(axl_trainer), c.c_size_t,
        c.POINTER(c.c_float)]),
    "axl_trainer_zero_grad": (None, [c.POINTER(axl_trainer)]),
    "axl_version": (c.c_char_p, []),
}
