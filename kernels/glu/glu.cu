/* SPDX-License-Identifier: Apache-2.0 */
/* glu.cu - see glu.h.  Bound by its bytes: the exponential and the division hide behind them. */
#include "kernels/cuda/elementwise_cuda.h"

#include "glu.h"

/* sigma(x) and its derivative, where act(x) = x sigma(x). */
template <axl_activation act> __device__ __forceinline__ float gate_of(float x, float *slope);

template <> __device__ __forceinline__ float gate_of<AXL_SILU>(float x, float *slope)
{
    float s = 1.0f / (1.0f + expf(-x));

    *slope = s * (1.0f - s);
    return s;
}

template <> __device__ __forceinline__ float gate_of<AXL_GELU>(float x, float *slope)
{
    *slope = 0.39894228040143268f * expf(-0.5f * x * x); /* 1 / sqrt(2 pi) */
    return normcdff(x);
}

template <> __device__ __forceinline__ float gate_of<AXL_GELU_TANH>(float x, float *slope)
{
    const float two_sqrt_2_pi = 1.5957691216057308f, cube = 0.044715f;
    float s = gate_of<AXL_SILU>(two_sqrt_2_pi * (x + cube * x * x * x), slope);

    *slope = *slope > 0.0f ? *slope * two_sqrt_2_pi * (1.0f + 3.0f * cube * x * x) : *slope;
    return s;
}

template <class T, axl_activation act> struct glu_forward {
    matrix<T> gate, up, y;

    template <int N> __device__ void run(int64_t row, int64_t col) const
    {
        chunk<N> g = gate.template load<N>(row, col), u = up.template load<N>(row, col);

        for (int i = 0; i < N; i++) {
            float slope;
            g.v[i] = g.v[i] * gate_of<act>(g.v[i], &slope) * u.v[i];
        }
        y.store(row, col, g);
    }
};

template <class T, axl_activation act> struct glu_backward {
    matrix<T> gate, up, dy, dgate, dup;

    template <int N> __device__ void run(int64_t row, int64_t col) const
    {
        chunk<N> g = gate.template load<N>(row, col), u = up.template load<N>(row, col);
        chunk<N> d = dy.template load<N>(row, col);

        for (int i = 0; i < N; i++) {
            float slope, s = gate_of<act>(g.v[i], &slope), x = g.v[i], grad = d.v[i];
            g.v[i] = grad * u.v[i] * (s + x * slope);
            u.v[i] = grad * x * s;
        }
        dgate.store(row, col, g);
        dup.store(row, col, u);
    }
};

template <class Fn> static axl_status with_activation(axl_activation act, Fn fn)
{
    switch (act) {
    case AXL_SILU: return fn(constant<axl_activation, AXL_SILU>());
    case AXL_GELU: return fn(constant<axl_activation, AXL_GELU>());
    default: return fn(constant<axl_activation, AXL_GELU_TANH>());
    }
}

axl_status axl__cuda_glu_forward(axl_device *dev, const axl_glu_args *a)
{
    bool chunks = whole_chunks(a->gate) && whole_chunks(a->up) && whole_chunks(a->y);

    return axl__cuda_with_type(a->y.dtype, [&](auto t) {
        typedef decltype(t) T;
        return with_activation(a->act, [&](auto act) {
            return axl__cuda_elementwise(dev,
                                         glu_forward<T, act.value>{ matrix_of<T>(a->gate),
                                                                    matrix_of<T>(a->up),
                                                                    matrix_of<T>(a->y) },
                                         a->y.rows, a->y.cols, chunks);
        });
    });
}

axl_status axl__cuda_glu_backward(axl_device *dev, const axl_glu_backward_args *a)
{
    bool chunks = whole_chunks(a->gate) && whole_chunks(a->up) && whole_chunks(a->dy) &&
                  whole_chunks(a->dgate) && whole_chunks(a->dup);

    return axl__cuda_with_type(a->dy.dtype, [&](auto t) {
        typedef decltype(t) T;
        return with_activation(a->act, [&](auto act) {
            return axl__cuda_elementwise(
                dev,
                glu_backward<T, act.value>{ matrix_of<T>(a->gate), matrix_of<T>(a->up),
                                            matrix_of<T>(a->dy), matrix_of<T>(a->dgate),
                                            matrix_of<T>(a->dup) },
                a->dy.rows, a->dy.cols, chunks);
        });
    });
}
