/* SPDX-License-Identifier: Apache-2.0 */
/*
 * magic.h - what a live handle begins with: a number of its kind, 0 once it is freed.  The numbers
 * make common mistakes speak (NULL, another handle, a freed one) and are no safety.  A test
 * compares them all.
 */
#ifndef AXL_BASE_MAGIC_H
#define AXL_BASE_MAGIC_H

#define AXL__MAGICS(X)                                                                             \
    X(ADAPTER, 0x41584C41)                                                                         \
    X(CONFIG, 0x41584C47)                                                                          \
    X(CONTEXT, 0x41584C43)                                                                         \
    X(DATASET, 0x41584C44)                                                                         \
    X(LOADER, 0x41584C4C)                                                                          \
    X(MODEL, 0x41584C4D)                                                                           \
    X(RUN, 0x41584C52)                                                                             \
    X(SWEEP, 0x41584C57)                                                                           \
    X(TEMPLATE, 0x41584C4A)                                                                        \
    X(TOKENIZER, 0x41584C54)                                                                       \
    X(TRAINER, 0x41584C53)

#define AXL__MAGIC_IS(handle, number) AXL__MAGIC_##handle = (number),
enum { AXL__MAGICS(AXL__MAGIC_IS) };

#endif
