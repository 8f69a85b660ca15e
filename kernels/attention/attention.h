/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attention.h - causal softmax attention within the sequences of a packed batch, heads grouped.
 * q, out, dq, dout (Tq, H*D); k, v, dk, dv (Tk, G*D); lse, delta (H,Tq), the latter where scratch
 * begins; g = h / (H/G).
 * With n_q queries and n_k >= n_q keys in a sequence, query i sees the keys j <= i + n_k - n_q,
 * with a window those of them with j > i + n_k - n_q - window:
 *
 *   s[h,i,j]   = scale q[i,h,:] . k[j,g,:]
 *   lse[h,i]   = log(sum_j exp(s[h,i,j]))
 *   out[i,h,:] = sum_j exp(s[h,i,j] - lse[h,i]) v[j,g,:]
 *
 * where with a soft cap s[h,i,j] becomes c tanh(s[h,i,j] / c); and, with P = exp(s - lse) and
 * delta[h,i] = dout[i,h,:] . out[i,h,:]:
 *
 *   dS[h,i,j] = P[h,i,j] (dout[i,h,:] . v[j,g,:] - delta[h,i]) scale, times 1 - (s[h,i,j] / c)^2
 *   dq[i,h,:] = sum_j dS[h,i,j] k[j,g,:]
 *   dk[j,g,:] = sum_h,i dS[h,i,j] q[i,h,:]
 *   dv[j,g,:] = sum_h,i P[h,i,j] dout[i,h,:]
 *
 * A sink of its head is one more score of every query, whose value is 0: lse[h,i] becomes
 * log(exp(sinks[h]) + sum_j exp(s[h,i,j])), the rest stays as it is, and
 *
 *   dsinks[h] += -sum_i exp(sinks[h] - lse[h,i]) delta[h,i]
 */
#ifndef AXL_KERNELS_ATTENTION_H
#define AXL_KERNELS_ATTENTION_H

#include "kernels/reference.h"

enum { AXL__MAX_HEAD_DIM = 512 }; /* gemma-3 has 256 */

#endif
