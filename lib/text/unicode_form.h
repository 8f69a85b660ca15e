/* SPDX-License-Identifier: Apache-2.0 */
/* unicode_form.h - Unicode's normalization forms, as the normalizers of tokenizers make them. */
#ifndef AXL_TEXT_UNICODE_FORM_H
#define AXL_TEXT_UNICODE_FORM_H

#include "aligned.h"

typedef enum { AXL__FORM_D, AXL__FORM_KD, AXL__FORM_C, AXL__FORM_KC } axl__unicode_form;

/* Appends the form of all of in's text. */
axl_status axl__put_form(axl__unicode_form form, const axl__aligned *in, axl__aligned *out);

#endif
