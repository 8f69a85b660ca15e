/* SPDX-License-Identifier: Apache-2.0 */
/* report_priv.h - shared by the files of the report alone. */
#ifndef AXL_REPORT_REPORT_PRIV_H
#define AXL_REPORT_REPORT_PRIV_H

extern const char axl__report_style[]; /* CSS */

#endif
