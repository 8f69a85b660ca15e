/* SPDX-License-Identifier: Apache-2.0 */
/* model_card.h - the README.md of a result: what it is, how it was made, the YAML that made it. */
#ifndef AXL_REPORT_MODEL_CARD_H
#define AXL_REPORT_MODEL_CARD_H

#include "report.h"

void axl__model_card_put(axl__str *out, const axl__run_summary *run);

#endif
