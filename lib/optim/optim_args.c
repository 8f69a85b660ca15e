/* SPDX-License-Identifier: Apache-2.0 */
/* optim_args.c - "key=value,key=value" into the settings of a method. */
#include "optim_method.h"

#include "base/num.h"
#include "config/schema.h"

#include <math.h>
#include <string.h>

enum { TEXT_MAX = 64 };

typedef enum { NUMBER, SWITCH } arg_type;

/* All arguments of all methods, in the order of names.  Which of them a method takes is in
 * optimizer_names.h, by the arguments of its constructor in torch, bitsandbytes or schedulefree. */
static const struct {
    const char *name;
    arg_type type;
    size_t at;
    const char *range;
} arguments[] = {
    { "alpha", NUMBER, offsetof(axl__optim_settings, alpha), ">= 0" },
    { "beta1", NUMBER, offsetof(axl__optim_settings, beta1), "in [0, 1)" },
    { "beta2", NUMBER, offsetof(axl__optim_settings, beta2), "in [0, 1)" },
    { "beta3", NUMBER, offsetof(axl__optim_settings, beta3), "in [0, 1)" },
    { "centered", SWITCH, offsetof(axl__optim_settings, centered), NULL },
    { "clip_threshold", NUMBER, offsetof(axl__optim_settings, clip_threshold), "> 0" },
    { "dampening", NUMBER, offsetof(axl__optim_settings, dampening), "in [0, 1]" },
    { "eps", NUMBER, offsetof(axl__optim_settings, eps), "> 0" },
    { "lr_decay", NUMBER, offsetof(axl__optim_settings, lr_decay), ">= 0" },
    { "momentum", NUMBER, offsetof(axl__optim_settings, momentum), "in [0, 1)" },
    { "nesterov", SWITCH, offsetof(axl__optim_settings, nesterov), NULL },
    { "ns_steps", NUMBER, offsetof(axl__optim_settings, ns_steps), "in [0, 100]" },
    { "r", NUMBER, offsetof(axl__optim_settings, r), ">= 0" },
    { "t_alpha", NUMBER, offsetof(axl__optim_settings, t_alpha), ">= 0" },
    { "t_beta3", NUMBER, offsetof(axl__optim_settings, t_beta3), ">= 0" },
    { "weight_lr_power", NUMBER, offsetof(axl__optim_settings, weight_lr_power), ">= 0" },
};
enum { N_ARGUMENTS = sizeof arguments / sizeof arguments[0] };

static axl_status args_bad_value(const char *key, const char *value, const char *wanted)
{
    return axl__fail(AXL_ERR_INVALID, "optim_args: %s must be %s, got \"%s\"", key, wanted, value);
}

static axl_status args_set(axl__optim_settings *s, size_t i, const char *value)
{
    static const char on[] = "true, True, 1, yes", off[] = "false, False, 0, no";
    void *out = (char *)s + arguments[i].at;
    double number;

    if (arguments[i].type == SWITCH) {
        if (!axl__schema_has_value(on, value) && !axl__schema_has_value(off, value))
            return args_bad_value(arguments[i].name, value, "true or false");
        *(bool *)out = axl__schema_has_value(on, value);
        return AXL_OK;
    }
    if (!axl__parse_double(value, strlen(value), &number) || !isfinite(number))
        return args_bad_value(arguments[i].name, value, "a number");
    if (arguments[i].range && !axl__schema_in_range(arguments[i].range, number))
        return args_bad_value(arguments[i].name, value, arguments[i].range);
    *(double *)out = number;
    return AXL_OK;
}

/* The text up to the stop without its spaces; false when it is too long. */
static bool args_take(const char **at, char stop, char out[TEXT_MAX])
{
    size_t n = 0;

    for (; **at && **at != stop && **at != ','; ++*at) {
        if (**at == ' ')
            continue;
        if (n == TEXT_MAX - 1)
            return false;
        out[n++] = **at;
    }
    out[n] = '\0';
    return true;
}

static axl_status args_read_one(axl__optim_settings *s, const axl__optimizer_name *o,
                                const char **at)
{
    char key[TEXT_MAX], value[TEXT_MAX];
    const char *begin = *at;

    if (!args_take(at, '=', key) || **at != '=' || !(++*at, args_take(at, ',', value)))
        return axl__fail(AXL_ERR_INVALID, "optim_args: expected key=value, found \"%.64s\"", begin);
    for (size_t i = 0; i < N_ARGUMENTS; i++)
        if (strcmp(arguments[i].name, key) == 0 && axl__schema_has_value(o->args, key))
            return args_set(s, i, value);
    return axl__fail(AXL_ERR_INVALID, "optim_args: %s takes %s, found \"%s\"", o->name, o->args,
                     key);
}

axl_status axl__optim_args_read(axl__optim_settings *s, const axl__optimizer_name *o,
                                const char *text)
{
    if (!o->args)
        return axl__fail(AXL_ERR_INVALID, "optim_args: %s takes none", o->name);
    while (*text) {
        AXL_TRY(args_read_one(s, o, &text));
        text += *text == ',';
    }
    return AXL_OK;
}
