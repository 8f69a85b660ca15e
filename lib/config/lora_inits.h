/* SPDX-License-Identifier: Apache-2.0 */
/* lora_inits.h - the ways of PEFT for an adapter to begin, and which there are here. */
#ifndef AXL_CONFIG_LORA_INITS_H
#define AXL_CONFIG_LORA_INITS_H

typedef enum axl__lora_init_answer {
    AXL__LORA_INIT_KNOWN,
    AXL__LORA_INIT_REFUSED, /* PEFT has it */
    AXL__LORA_INIT_UNKNOWN
} axl__lora_init_answer;

/* *why, of a refused one: what it would take, and what to use. */
axl__lora_init_answer axl__lora_init_find(const char *name, const char **why);

/* "must be one of ..." */
extern const char axl__lora_init_choices[];

#endif
