/* SPDX-License-Identifier: Apache-2.0 */
/*
 * same_fields.h - whether two structs hold the same, member by member: what lies in the gaps
 * between members says nothing.  For aggregates of scalars, pointers and such aggregates.
 */
#ifndef AXL_KERNELS_CUDA_SAME_FIELDS_H
#define AXL_KERNELS_CUDA_SAME_FIELDS_H

#include <stddef.h>
#include <type_traits>

struct any_value {
    template <class T> operator T() const;
};

/* How many members T has: as many values as its braces take. */
template <class T, class... Values> constexpr size_t n_fields(long, Values...)
{
    return sizeof...(Values);
}
template <class T, class... Values>
constexpr auto n_fields(int, Values... v) -> decltype(T{ v..., any_value() }, size_t())
{
    return n_fields<T>(0, v..., any_value());
}

/* fn(every member). */
template <class T, class Fn> bool with_fields(const T &t, Fn fn)
{
    constexpr size_t n = n_fields<T>(0);

#define WITH(count, ...)                                                                           \
    if constexpr (n == (count)) {                                                                  \
        const auto &[__VA_ARGS__] = t;                                                             \
        return fn(__VA_ARGS__);                                                                    \
    }
    WITH(2, a, b)
    WITH(3, a, b, c)
    WITH(4, a, b, c, d)
    WITH(5, a, b, c, d, e)
    WITH(6, a, b, c, d, e, f)
    WITH(7, a, b, c, d, e, f, g)
    WITH(8, a, b, c, d, e, f, g, h)
    WITH(9, a, b, c, d, e, f, g, h, i)
    WITH(10, a, b, c, d, e, f, g, h, i, j)
    WITH(11, a, b, c, d, e, f, g, h, i, j, k)
    WITH(12, a, b, c, d, e, f, g, h, i, j, k, l)
    WITH(13, a, b, c, d, e, f, g, h, i, j, k, l, m)
    WITH(14, a, b, c, d, e, f, g, h, i, j, k, l, m, o)
    WITH(15, a, b, c, d, e, f, g, h, i, j, k, l, m, o, p)
    WITH(16, a, b, c, d, e, f, g, h, i, j, k, l, m, o, p, q)
    WITH(17, a, b, c, d, e, f, g, h, i, j, k, l, m, o, p, q, r)
    WITH(18, a, b, c, d, e, f, g, h, i, j, k, l, m, o, p, q, r, s)
#undef WITH
    static_assert(n >= 2 && n <= 18, "a struct with more members");
}

template <class T> bool same_fields(const T &x, const T &y)
{
    if constexpr (std::is_class<T>::value)
        return with_fields(x, [&](const auto &...of_x) {
            return with_fields(
                y, [&](const auto &...of_y) { return (same_fields(of_x, of_y) && ...); });
        });
    else
        return x == y;
}

#endif
