/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preference.h - from the texts of a prompt and its answers to samples, as Axolotl 0.19 drops and
 * cuts them (utils/data/rl.py) and TRL 1.9.0 encodes them for the trainer of each task.
 */
#ifndef AXL_DATA_PROMPT_PREFERENCE_H
#define AXL_DATA_PROMPT_PREFERENCE_H

#include "data/prompt/prompt.h"

/* The answers to one prompt. */
typedef struct axl__answers {
    axl__str prompt;
    axl__str answer[2]; /* (n) chosen and rejected; of judged answers one */
    bool lacking[2];    /* the record has no such answer: it is dropped without being encoded */
    uint32_t n;
} axl__answers;

void axl__answers_init(axl__answers *a, axl_context *ctx, uint32_t n);
void axl__answers_free(axl__answers *a);

/* Emits a sample for each answer; empty ones where an answer or a text is lacking.  role: of the
 * first; the second of two is rejected. */
axl_status axl__answers_put(const axl__prompt *p, axl__draft *out, axl__answers *a, uint32_t role);

/* As a reward model's: a sample of all ids, of which the last carries the reward. */
axl_status axl__reward_put(axl__draft *out, const int32_t *ids, size_t n, uint32_t role);

#endif
