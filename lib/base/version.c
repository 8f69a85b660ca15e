/* SPDX-License-Identifier: Apache-2.0 */
/* version.c - what the loaded library is. */
#include <axl/status.h>

const char *axl_version(void)
{
    return AXL_VERSION;
}

uint32_t axl_abi_version(void)
{
    return AXL_ABI_VERSION;
}
