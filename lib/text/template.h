/* SPDX-License-Identifier: Apache-2.0 */
/* template.h - what the rest of this folder asks of axl/template.h's own file. */
#ifndef AXL_TEXT_TEMPLATE_H
#define AXL_TEXT_TEMPLATE_H

#include "jinja/jinja.h"

#include <axl/template.h>

/* How a host wants a template rendered; NULL: the defaults.  AXL_ERR_INVALID, AXL_ERR_ABI. */
axl_status axl__template_options_read(const axl_template_options *given, axl__jinja_options *out);

#endif
