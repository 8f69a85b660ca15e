/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layout.c - where every field of a public struct lies.  From 0.1.0 on lines are only added: a
 * field behind the others moves nothing, and the struct then spans more.
 */
#include <axl/adapter.h>
#include <axl/config.h>
#include <axl/context.h>
#include <axl/dataset.h>
#include <axl/file.h>
#include <axl/generate.h>
#include <axl/job.h>
#include <axl/loader.h>
#include <axl/model.h>
#include <axl/optimizer.h>
#include <axl/plan.h>
#include <axl/run.h>
#include <axl/schedule.h>
#include <axl/status.h>
#include <axl/sweep.h>
#include <axl/template.h>
#include <axl/tokenizer.h>
#include <axl/trainer.h>

#define HOLDS(type, field, at) _Static_assert(offsetof(type, field) == (at), #type "." #field)
#define SPANS(type, size) _Static_assert(sizeof(type) == (size), #type)

HOLDS(axl_adapter_options, size, 0);
HOLDS(axl_adapter_options, target_modules, 8);
HOLDS(axl_adapter_options, n_target_modules, 16);
HOLDS(axl_adapter_options, seed, 24);
HOLDS(axl_adapter_options, alpha, 32);
HOLDS(axl_adapter_options, dropout, 40);
HOLDS(axl_adapter_options, rank, 48);
HOLDS(axl_adapter_options, rslora, 52);
HOLDS(axl_adapter_options, target_regex, 56);
HOLDS(axl_adapter_options, exclude_modules, 64);
HOLDS(axl_adapter_options, n_exclude_modules, 72);
HOLDS(axl_adapter_options, exclude_regex, 80);
HOLDS(axl_adapter_options, layers_to_transform, 88);
HOLDS(axl_adapter_options, n_layers_to_transform, 96);
HOLDS(axl_adapter_options, layers_pattern, 104);
HOLDS(axl_adapter_options, n_layers_pattern, 112);
HOLDS(axl_adapter_options, rank_pattern, 120);
HOLDS(axl_adapter_options, rank_pattern_ranks, 128);
HOLDS(axl_adapter_options, n_rank_pattern, 136);
HOLDS(axl_adapter_options, alpha_pattern, 144);
HOLDS(axl_adapter_options, alpha_pattern_alphas, 152);
HOLDS(axl_adapter_options, n_alpha_pattern, 160);
HOLDS(axl_adapter_options, bias, 168);
HOLDS(axl_adapter_options, init_lora_weights, 176);
HOLDS(axl_adapter_options, lora_bias, 184);
HOLDS(axl_adapter_options, use_dora, 188);
HOLDS(axl_adapter_options, modules_to_save, 192);
HOLDS(axl_adapter_options, n_modules_to_save, 200);
HOLDS(axl_adapter_options, ensure_weight_tying, 208);
HOLDS(axl_adapter_options, reserved0, 212);
HOLDS(axl_adapter_options, trainable_tokens, 216);
HOLDS(axl_adapter_options, n_trainable_tokens, 224);
HOLDS(axl_adapter_options, trainable_head_tokens, 232);
HOLDS(axl_adapter_options, n_trainable_head_tokens, 240);
SPANS(axl_adapter_options, 248);

HOLDS(axl_tensor_info, size, 0);
HOLDS(axl_tensor_info, name, 8);
HOLDS(axl_tensor_info, rows, 16);
HOLDS(axl_tensor_info, cols, 24);
SPANS(axl_tensor_info, 32);

HOLDS(axl_adapter_info, size, 0);
HOLDS(axl_adapter_info, base_model_name, 8);
HOLDS(axl_adapter_info, target_modules, 16);
HOLDS(axl_adapter_info, n_target_modules, 24);
HOLDS(axl_adapter_info, alpha, 32);
HOLDS(axl_adapter_info, dropout, 40);
HOLDS(axl_adapter_info, rank, 48);
HOLDS(axl_adapter_info, rslora, 52);
HOLDS(axl_adapter_info, target_regex, 56);
HOLDS(axl_adapter_info, bias, 64);
HOLDS(axl_adapter_info, init_lora_weights, 72);
HOLDS(axl_adapter_info, lora_bias, 80);
HOLDS(axl_adapter_info, use_dora, 84);
HOLDS(axl_adapter_info, modules_to_save, 88);
HOLDS(axl_adapter_info, n_modules_to_save, 96);
HOLDS(axl_adapter_info, ensure_weight_tying, 104);
HOLDS(axl_adapter_info, reserved0, 108);
HOLDS(axl_adapter_info, trainable_tokens, 112);
HOLDS(axl_adapter_info, n_trainable_tokens, 120);
HOLDS(axl_adapter_info, trainable_head_tokens, 128);
HOLDS(axl_adapter_info, n_trainable_head_tokens, 136);
SPANS(axl_adapter_info, 144);

HOLDS(axl_diagnostic, size, 0);
HOLDS(axl_diagnostic, id, 8);
HOLDS(axl_diagnostic, severity, 16);
HOLDS(axl_diagnostic, line, 20);
HOLDS(axl_diagnostic, column, 24);
HOLDS(axl_diagnostic, reserved, 28);
HOLDS(axl_diagnostic, file, 32);
HOLDS(axl_diagnostic, key, 40);
HOLDS(axl_diagnostic, message, 48);
HOLDS(axl_diagnostic, text, 56);
SPANS(axl_diagnostic, 64);

HOLDS(axl_config_options, size, 0);
HOLDS(axl_config_options, base_dir, 8);
HOLDS(axl_config_options, overrides, 16);
HOLDS(axl_config_options, n_overrides, 24);
HOLDS(axl_config_options, diagnostics, 32);
HOLDS(axl_config_options, own_data, 40);
HOLDS(axl_config_options, reserved0, 44);
SPANS(axl_config_options, 48);

HOLDS(axl_config_key_info, size, 0);
HOLDS(axl_config_key_info, name, 8);
HOLDS(axl_config_key_info, type, 16);
HOLDS(axl_config_key_info, fallback, 24);
HOLDS(axl_config_key_info, values, 32);
HOLDS(axl_config_key_info, range, 40);
HOLDS(axl_config_key_info, reason, 48);
HOLDS(axl_config_key_info, use_instead, 56);
HOLDS(axl_config_key_info, description, 64);
HOLDS(axl_config_key_info, answer, 72);
HOLDS(axl_config_key_info, reserved, 76);
SPANS(axl_config_key_info, 80);

HOLDS(axl_progress, size, 0);
HOLDS(axl_progress, phase, 8);
HOLDS(axl_progress, done, 16);
HOLDS(axl_progress, total, 24);
HOLDS(axl_progress, job, 32);
SPANS(axl_progress, 40);

HOLDS(axl_context_options, size, 0);
HOLDS(axl_context_options, alloc, 8);
HOLDS(axl_context_options, realloc, 16);
HOLDS(axl_context_options, free, 24);
HOLDS(axl_context_options, alloc_user, 32);
HOLDS(axl_context_options, log, 40);
HOLDS(axl_context_options, log_user, 48);
HOLDS(axl_context_options, progress, 56);
HOLDS(axl_context_options, progress_user, 64);
HOLDS(axl_context_options, parallel_for, 72);
HOLDS(axl_context_options, parallel_user, 80);
HOLDS(axl_context_options, plugin_dir, 88);
HOLDS(axl_context_options, hub_cache, 96);
HOLDS(axl_context_options, hub_token, 104);
HOLDS(axl_context_options, isa, 112);
HOLDS(axl_context_options, threads, 120);
HOLDS(axl_context_options, log_level, 124);
HOLDS(axl_context_options, allow_network, 128);
HOLDS(axl_context_options, no_onednn, 132);
SPANS(axl_context_options, 136);

HOLDS(axl_sample, size, 0);
HOLDS(axl_sample, input_ids, 8);
HOLDS(axl_sample, labels, 16);
HOLDS(axl_sample, source, 24);
HOLDS(axl_sample, row, 32);
HOLDS(axl_sample, length, 40);
HOLDS(axl_sample, n_trained, 44);
HOLDS(axl_sample, part, 48);
HOLDS(axl_sample, role, 52);
HOLDS(axl_sample, pair, 56);
HOLDS(axl_sample, reserved0, 60);
SPANS(axl_sample, 64);

HOLDS(axl_dataset_stats, size, 0);
HOLDS(axl_dataset_stats, rows_read, 8);
HOLDS(axl_dataset_stats, rows, 16);
HOLDS(axl_dataset_stats, tokens, 24);
HOLDS(axl_dataset_stats, trained_tokens, 32);
HOLDS(axl_dataset_stats, dropped_too_long, 40);
HOLDS(axl_dataset_stats, dropped_too_short, 48);
HOLDS(axl_dataset_stats, dropped_no_trained, 56);
HOLDS(axl_dataset_stats, from_cache, 64);
HOLDS(axl_dataset_stats, dropped_duplicates, 72);
SPANS(axl_dataset_stats, 80);

HOLDS(axl_record_source, size, 0);
HOLDS(axl_record_source, next, 8);
HOLDS(axl_record_source, rewind, 16);
HOLDS(axl_record_source, release, 24);
HOLDS(axl_record_source, user, 32);
SPANS(axl_record_source, 40);

HOLDS(axl_file, size, 0);
HOLDS(axl_file, name, 8);
HOLDS(axl_file, data, 16);
HOLDS(axl_file, length, 24);
SPANS(axl_file, 32);

HOLDS(axl_generation, size, 0);
HOLDS(axl_generation, n_prompt, 8);
HOLDS(axl_generation, n_new, 16);
HOLDS(axl_generation, finish, 24);
HOLDS(axl_generation, reserved0, 28);
SPANS(axl_generation, 32);

HOLDS(axl_generate_options, size, 0);
HOLDS(axl_generate_options, text, 8);
HOLDS(axl_generate_options, text_user, 16);
HOLDS(axl_generate_options, stop, 24);
HOLDS(axl_generate_options, n_stop, 32);
HOLDS(axl_generate_options, stop_ids, 40);
HOLDS(axl_generate_options, n_stop_ids, 48);
HOLDS(axl_generate_options, result, 56);
HOLDS(axl_generate_options, seed, 64);
HOLDS(axl_generate_options, temperature, 72);
HOLDS(axl_generate_options, top_p, 80);
HOLDS(axl_generate_options, min_p, 88);
HOLDS(axl_generate_options, repetition_penalty, 96);
HOLDS(axl_generate_options, top_k, 104);
HOLDS(axl_generate_options, max_new_tokens, 108);
HOLDS(axl_generate_options, greedy, 112);
HOLDS(axl_generate_options, reserved0, 116);
SPANS(axl_generate_options, 120);

HOLDS(axl_job_options, size, 0);
HOLDS(axl_job_options, progress, 8);
HOLDS(axl_job_options, progress_user, 16);
SPANS(axl_job_options, 24);

HOLDS(axl_batch, size, 0);
HOLDS(axl_batch, input_ids, 8);
HOLDS(axl_batch, labels, 16);
HOLDS(axl_batch, positions, 24);
HOLDS(axl_batch, cu_seqlens, 32);
HOLDS(axl_batch, weights, 40);
HOLDS(axl_batch, roles, 48);
HOLDS(axl_batch, pairs, 56);
HOLDS(axl_batch, n_tokens, 64);
HOLDS(axl_batch, n_seqs, 68);
HOLDS(axl_batch, n_trained, 72);
HOLDS(axl_batch, last_of_step, 76);
SPANS(axl_batch, 80);

HOLDS(axl_loader_options, size, 0);
HOLDS(axl_loader_options, seed, 8);
HOLDS(axl_loader_options, micro_batch_size, 16);
HOLDS(axl_loader_options, gradient_accumulation_steps, 20);
HOLDS(axl_loader_options, sequence_len, 24);
HOLDS(axl_loader_options, sample_packing, 28);
HOLDS(axl_loader_options, shuffle, 32);
HOLDS(axl_loader_options, real_batches, 36);
HOLDS(axl_loader_options, keep_order, 40);
HOLDS(axl_loader_options, group_by_length, 44);
HOLDS(axl_loader_options, num_epochs, 48);
HOLDS(axl_loader_options, max_steps, 56);
SPANS(axl_loader_options, 64);

HOLDS(axl_loader_cursor, size, 0);
HOLDS(axl_loader_cursor, epoch, 8);
HOLDS(axl_loader_cursor, batch, 16);
SPANS(axl_loader_cursor, 24);

HOLDS(axl_model_options, size, 0);
HOLDS(axl_model_options, backend, 8);
HOLDS(axl_model_options, compute, 16);
HOLDS(axl_model_options, read, 20);
HOLDS(axl_model_options, name, 24);
HOLDS(axl_model_options, weights, 32);
HOLDS(axl_model_options, plain_scales, 36);
HOLDS(axl_model_options, keep_modules, 40);
HOLDS(axl_model_options, n_keep_modules, 48);
HOLDS(axl_model_options, seed, 56);
HOLDS(axl_model_options, reinit, 64);
HOLDS(axl_model_options, reserved0, 68);
SPANS(axl_model_options, 72);

HOLDS(axl_model_info, size, 0);
HOLDS(axl_model_info, n_params, 8);
HOLDS(axl_model_info, weights_bytes, 16);
HOLDS(axl_model_info, n_layers, 24);
HOLDS(axl_model_info, hidden_size, 28);
HOLDS(axl_model_info, intermediate_size, 32);
HOLDS(axl_model_info, n_heads, 36);
HOLDS(axl_model_info, n_kv_heads, 40);
HOLDS(axl_model_info, head_dim, 44);
HOLDS(axl_model_info, vocab_size, 48);
HOLDS(axl_model_info, max_seq_len, 52);
HOLDS(axl_model_info, compute, 56);
HOLDS(axl_model_info, tied_head, 60);
HOLDS(axl_model_info, weights, 64);
HOLDS(axl_model_info, reserved0, 68);
SPANS(axl_model_info, 72);

HOLDS(axl_tensor_data, size, 0);
HOLDS(axl_tensor_data, data, 8);
HOLDS(axl_tensor_data, length, 16);
HOLDS(axl_tensor_data, shape, 24);
HOLDS(axl_tensor_data, n_dims, 32);
HOLDS(axl_tensor_data, type, 36);
SPANS(axl_tensor_data, 40);

HOLDS(axl_optimizer_options, size, 0);
HOLDS(axl_optimizer_options, name, 8);
HOLDS(axl_optimizer_options, args, 16);
HOLDS(axl_optimizer_options, beta1, 24);
HOLDS(axl_optimizer_options, beta2, 32);
HOLDS(axl_optimizer_options, beta3, 40);
HOLDS(axl_optimizer_options, epsilon, 48);
HOLDS(axl_optimizer_options, epsilon2, 56);
HOLDS(axl_optimizer_options, weight_decay, 64);
HOLDS(axl_optimizer_options, loraplus_lr_ratio, 72);
HOLDS(axl_optimizer_options, loraplus_lr_embedding, 80);
HOLDS(axl_optimizer_options, embedding_lr, 88);
HOLDS(axl_optimizer_options, embedding_lr_scale, 96);
HOLDS(axl_optimizer_options, lr_group_modules, 104);
HOLDS(axl_optimizer_options, lr_group_rates, 112);
HOLDS(axl_optimizer_options, n_lr_group_modules, 120);
HOLDS(axl_optimizer_options, warmup_steps, 128);
SPANS(axl_optimizer_options, 136);

HOLDS(axl_plan, size, 0);
HOLDS(axl_plan, weights_bytes, 8);
HOLDS(axl_plan, activation_bytes, 16);
HOLDS(axl_plan, optimizer_bytes, 24);
HOLDS(axl_plan, peak_rss_bytes, 32);
HOLDS(axl_plan, host_limit_bytes, 40);
HOLDS(axl_plan, device_bytes, 48);
HOLDS(axl_plan, device_limit_bytes, 56);
HOLDS(axl_plan, steps, 64);
HOLDS(axl_plan, tokens_per_step, 72);
HOLDS(axl_plan, seconds, 80);
SPANS(axl_plan, 88);

HOLDS(axl_run_record, size, 0);
HOLDS(axl_run_record, step, 8);
HOLDS(axl_run_record, total_steps, 16);
HOLDS(axl_run_record, n_tokens, 24);
HOLDS(axl_run_record, n_trained, 32);
HOLDS(axl_run_record, n_skipped, 40);
HOLDS(axl_run_record, peak_rss_bytes, 48);
HOLDS(axl_run_record, epoch, 56);
HOLDS(axl_run_record, loss, 64);
HOLDS(axl_run_record, grad_norm, 72);
HOLDS(axl_run_record, learning_rate, 80);
HOLDS(axl_run_record, tokens_per_second, 88);
HOLDS(axl_run_record, eval_loss, 96);
HOLDS(axl_run_record, eval_perplexity, 104);
HOLDS(axl_run_record, eval_seconds, 112);
HOLDS(axl_run_record, seconds, 120);
HOLDS(axl_run_record, eta_seconds, 128);
HOLDS(axl_run_record, path, 136);
HOLDS(axl_run_record, event, 144);
HOLDS(axl_run_record, reserved0, 148);
SPANS(axl_run_record, 152);

HOLDS(axl_run_options, size, 0);
HOLDS(axl_run_options, record, 8);
HOLDS(axl_run_options, record_user, 16);
HOLDS(axl_run_options, resume, 24);
HOLDS(axl_run_options, train, 32);
HOLDS(axl_run_options, validation, 40);
SPANS(axl_run_options, 48);

HOLDS(axl_evaluation, size, 0);
HOLDS(axl_evaluation, rows, 8);
HOLDS(axl_evaluation, tokens, 16);
HOLDS(axl_evaluation, loss, 24);
HOLDS(axl_evaluation, perplexity, 32);
SPANS(axl_evaluation, 40);

HOLDS(axl_schedule_options, size, 0);
HOLDS(axl_schedule_options, kind, 8);
HOLDS(axl_schedule_options, warmup_shape, 12);
HOLDS(axl_schedule_options, decay_shape, 16);
HOLDS(axl_schedule_options, three_phases, 20);
HOLDS(axl_schedule_options, warmup_steps, 24);
HOLDS(axl_schedule_options, total_steps, 32);
HOLDS(axl_schedule_options, min_ratio, 40);
HOLDS(axl_schedule_options, constant_ratio, 48);
HOLDS(axl_schedule_options, n_cycles, 56);
HOLDS(axl_schedule_options, power, 64);
HOLDS(axl_schedule_options, warmup_start, 72);
HOLDS(axl_schedule_options, timescale, 80);
HOLDS(axl_schedule_options, stable_steps, 88);
HOLDS(axl_schedule_options, decay_steps, 96);
HOLDS(axl_schedule_options, pct_start, 104);
HOLDS(axl_schedule_options, div_factor, 112);
HOLDS(axl_schedule_options, final_div_factor, 120);
HOLDS(axl_schedule_options, base_momentum, 128);
HOLDS(axl_schedule_options, max_momentum, 136);
HOLDS(axl_schedule_options, restart_steps, 144);
HOLDS(axl_schedule_options, restart_warmup_steps, 152);
HOLDS(axl_schedule_options, restart_anneal_steps, 160);
HOLDS(axl_schedule_options, restart_ratio, 168);
HOLDS(axl_schedule_options, factor, 176);
HOLDS(axl_schedule_options, threshold, 184);
HOLDS(axl_schedule_options, min_change, 192);
HOLDS(axl_schedule_options, patience, 200);
HOLDS(axl_schedule_options, cooldown, 208);
HOLDS(axl_schedule_options, threshold_absolute, 216);
HOLDS(axl_schedule_options, greater_is_better, 220);
SPANS(axl_schedule_options, 224);

HOLDS(axl_buffer, size, 0);
HOLDS(axl_buffer, data, 8);
HOLDS(axl_buffer, length, 16);
HOLDS(axl_buffer, reserved, 24);
SPANS(axl_buffer, 32);

HOLDS(axl_sweep_run, size, 0);
HOLDS(axl_sweep_run, name, 8);
HOLDS(axl_sweep_run, overrides, 16);
HOLDS(axl_sweep_run, n_overrides, 24);
SPANS(axl_sweep_run, 32);

HOLDS(axl_template_options, size, 0);
HOLDS(axl_template_options, time, 8);
HOLDS(axl_template_options, max_steps, 16);
HOLDS(axl_template_options, max_output, 24);
HOLDS(axl_template_options, max_memory, 32);
HOLDS(axl_template_options, max_depth, 40);
HOLDS(axl_template_options, reserved0, 44);
SPANS(axl_template_options, 48);

HOLDS(axl_tokenizer_options, size, 0);
HOLDS(axl_tokenizer_options, type, 8);
HOLDS(axl_tokenizer_options, bos_token, 16);
HOLDS(axl_tokenizer_options, eos_token, 24);
HOLDS(axl_tokenizer_options, unk_token, 32);
HOLDS(axl_tokenizer_options, pad_token, 40);
HOLDS(axl_tokenizer_options, legacy, 48);
HOLDS(axl_tokenizer_options, reserved0, 52);
HOLDS(axl_tokenizer_options, tokens, 56);
HOLDS(axl_tokenizer_options, n_tokens, 64);
HOLDS(axl_tokenizer_options, special_tokens, 72);
HOLDS(axl_tokenizer_options, n_special_tokens, 80);
HOLDS(axl_tokenizer_options, override_ids, 88);
HOLDS(axl_tokenizer_options, override_texts, 96);
HOLDS(axl_tokenizer_options, n_overrides, 104);
HOLDS(axl_tokenizer_options, pattern, 112);
HOLDS(axl_tokenizer_options, mistral_common, 120);
HOLDS(axl_tokenizer_options, reserved1, 124);
SPANS(axl_tokenizer_options, 128);

HOLDS(axl_trainer_options, size, 0);
HOLDS(axl_trainer_options, learning_rate, 8);
HOLDS(axl_trainer_options, optimizer, 16);
HOLDS(axl_trainer_options, max_grad_norm, 24);
HOLDS(axl_trainer_options, neftune_noise_alpha, 32);
HOLDS(axl_trainer_options, schedule, 40);
HOLDS(axl_trainer_options, relora_steps, 48);
HOLDS(axl_trainer_options, relora_prune_ratio, 56);
HOLDS(axl_trainer_options, seed, 64);
HOLDS(axl_trainer_options, relora_prune, 72);
HOLDS(axl_trainer_options, loss_average, 76);
HOLDS(axl_trainer_options, gradient_accumulation_steps, 80);
HOLDS(axl_trainer_options, checkpointing, 84);
HOLDS(axl_trainer_options, max_tokens, 88);
HOLDS(axl_trainer_options, lisa_layers, 92);
HOLDS(axl_trainer_options, label_smoothing, 96);
HOLDS(axl_trainer_options, lisa_steps, 104);
HOLDS(axl_trainer_options, unfrozen_parameters, 112);
HOLDS(axl_trainer_options, n_unfrozen_parameters, 120);
HOLDS(axl_trainer_options, graphs, 128);
HOLDS(axl_trainer_options, reserved, 132);
SPANS(axl_trainer_options, 136);

HOLDS(axl_step_stats, size, 0);
HOLDS(axl_step_stats, step, 8);
HOLDS(axl_step_stats, loss, 16);
HOLDS(axl_step_stats, grad_norm, 24);
HOLDS(axl_step_stats, learning_rate, 32);
HOLDS(axl_step_stats, n_tokens, 40);
HOLDS(axl_step_stats, n_trained, 48);
SPANS(axl_step_stats, 56);

HOLDS(axl_logits, size, 0);
HOLDS(axl_logits, batch, 8);
HOLDS(axl_logits, rows, 16);
HOLDS(axl_logits, logits, 24);
HOLDS(axl_logits, loss, 32);
HOLDS(axl_logits, first, 40);
HOLDS(axl_logits, total, 48);
HOLDS(axl_logits, n_rows, 56);
HOLDS(axl_logits, vocab_size, 60);
SPANS(axl_logits, 64);

HOLDS(axl_loss_options, size, 0);
HOLDS(axl_loss_options, loss, 8);
HOLDS(axl_loss_options, user, 16);
HOLDS(axl_loss_options, logits, 24);
HOLDS(axl_loss_options, terms, 32);
HOLDS(axl_loss_options, all_rows, 40);
HOLDS(axl_loss_options, reserved0, 44);
SPANS(axl_loss_options, 48);

int main(void)
{
    return 0;
}
