/* SPDX-License-Identifier: Apache-2.0 */
/* readers.c - the table of file formats, and which of them a file is. */
#include "data/read/reader.h"

#include "base/str.h"

#include <string.h>

const axl__reader *const axl__readers[] = {
    &axl__read_parquet, &axl__read_arrow,      &axl__read_feather,    &axl__read_csv,
    &axl__read_text,    &axl__read_json_array, &axl__read_json_lines,
};
const size_t axl__n_readers = sizeof axl__readers / sizeof axl__readers[0];

bool axl__readers_claim(const char *name)
{
    for (size_t i = 0; i < axl__n_readers; i++)
        if (strstr(name, axl__readers[i]->suffix))
            return true;
    return false;
}

void axl__readers_put_formats(axl__str *out)
{
    const char *last = "";

    for (size_t i = 0; i < axl__n_readers; i++) {
        const axl__reader *r = axl__readers[i];
        if (strcmp(r->format, last) == 0)
            continue;
        axl__str_putf(out, "%s%s", *last ? ", " : "", r->format);
        last = r->format;
    }
}

/* Whether "a, b" has the format. */
static bool names_format(const char *formats, const char *format)
{
    size_t len = strlen(format);

    for (const char *at = formats; (at = strstr(at, format)); at += len)
        if ((at == formats || at[-1] == ' ') && (at[len] == ',' || at[len] == '\0'))
            return true;
    return false;
}

const char *axl__readers_format(const char *name)
{
    for (size_t i = 0; i < axl__n_readers; i++)
        if (strstr(name, axl__readers[i]->suffix))
            return axl__readers[i]->format;
    return axl__readers[axl__n_readers - 1]->format;
}

/* The format that Axolotl's loader takes: ds_type, else by a part of the path, else JSON. */
static const char *format_of(const char *path, const char *format)
{
    return format ? format : axl__readers_format(path);
}

static bool is_of(const axl__reader *r, const char *format)
{
    return strcmp(r->format, format) == 0 || names_format(r->format, format);
}

axl_status axl__reader_fail_packed(const axl__reader *r, const char *path, const char *suffix)
{
    return axl__fail(AXL_ERR_UNSUPPORTED,
                     "%s: %s files are read as they are, not compressed as a whole (%s)", path,
                     r->format, suffix);
}

static axl_status check_packed(const axl__reader *r, const char *path)
{
    static const axl__packing *const packings[] = { &axl__gzip, &axl__zstd };

    for (size_t i = 0; r->binary && i < sizeof packings / sizeof packings[0]; i++)
        if (axl__ends_with(path, packings[i]->suffix))
            return axl__reader_fail_packed(r, path, packings[i]->suffix);
    return AXL_OK;
}

axl_status axl__source_check(const char *path, const char *format)
{
    static const char *const packed[] = { ".xz", ".bz2", ".zip" };

    format = format_of(path, format);
    for (size_t i = 0; i < sizeof packed / sizeof packed[0]; i++)
        if (axl__ends_with(path, packed[i]))
            return axl__fail(AXL_ERR_UNSUPPORTED,
                             "%s: of compressed files only .gz and .zst are read", path);
    if (axl__zstd.lacks && axl__ends_with(path, axl__zstd.suffix))
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "%s: this build of axl cannot read .zst files: it was made without %s",
                         path, axl__zstd.lacks);
    for (size_t i = 0; i < axl__n_readers; i++)
        if (is_of(axl__readers[i], format))
            return check_packed(axl__readers[i], path);
    return axl__fail(AXL_ERR_UNSUPPORTED, "%s: %s files are not read; convert it to jsonl", path,
                     format);
}

const axl__reader *axl__readers_pick(const char *path, const char *format, const char *text,
                                     size_t len)
{
    format = format_of(path, format);
    for (size_t i = 0; i < axl__n_readers; i++) {
        const axl__reader *r = axl__readers[i];
        if (is_of(r, format) && (!r->knows || r->knows(text, len)))
            return r;
    }
    return NULL;
}
