/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event_file.c - see event_file.h.  A frame is the length, its checksum, the message, its checksum
 * (TFRecord); a message is the subset below of TensorFlow's event.proto and summary.proto, written
 * in the order of the field numbers, as protobuf's own writers do.
 *
 *   Event           { double wall_time = 1; int64 step = 2; string file_version = 3;
 *                     Summary summary = 5; SessionLog session_log = 7; }
 *   Summary         { repeated Value value = 1; }
 *   Value           { string tag = 1; float simple_value = 2; Tensor tensor = 8;
 *                     SummaryMetadata metadata = 9; }
 *   SessionLog      { Status status = 1; }                 (START is 1)
 *   SummaryMetadata { PluginData plugin_data = 1; }        PluginData { string plugin_name = 1; }
 *   Tensor          { DataType dtype = 1; Shape shape = 2; repeated bytes string_val = 8; }
 *   Shape           { repeated Dim dim = 2; }              Dim { int64 size = 1; }
 */
#include "event_file.h"

#include "base/num.h"
#include "base/os.h"

#include <string.h>

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };
enum { DT_STRING = 7, SESSION_START = 1 };

/* ---- protobuf ---- */

static void event_put_varint(axl__str *s, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        axl__str_putc(s, (char)(v | 0x80));
    axl__str_putc(s, (char)v);
}

static void event_put_tag(axl__str *s, unsigned field, unsigned wire)
{
    event_put_varint(s, field << 3 | wire);
}

static void event_put_int(axl__str *s, unsigned field, uint64_t v)
{
    event_put_tag(s, field, WIRE_VARINT);
    event_put_varint(s, v);
}

static void event_put_bytes(axl__str *s, unsigned field, const void *data, size_t len)
{
    event_put_tag(s, field, WIRE_BYTES);
    event_put_varint(s, len);
    axl__str_put(s, data, len);
}

/* Fixed widths are little-endian in the format and on every machine that axl builds for. */
static void event_put_double(axl__str *s, unsigned field, double v)
{
    event_put_tag(s, field, WIRE_64);
    axl__str_put(s, &v, sizeof v);
}

static void event_put_float(axl__str *s, unsigned field, float v)
{
    event_put_tag(s, field, WIRE_32);
    axl__str_put(s, &v, sizeof v);
}

/* ---- frames ---- */

/* CRC-32C, reflected; a table would not pay for a few hundred bytes a record. */
static uint32_t crc32c(const unsigned char *data, size_t len)
{
    uint32_t crc = 0xFFFFFFFFu;

    for (size_t i = 0; i < len; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
    }
    return ~crc;
}

/* TFRecord's masked checksum, so that a checksum of data that holds checksums stays a good one. */
static uint32_t event_crc(const void *data, size_t len)
{
    uint32_t crc = crc32c(data, len);

    return (crc >> 15 | crc << 17) + 0xA282EAD8u;
}

/* Frames the message and frees it. */
static void event_put_frame(axl__str *out, axl__str *message)
{
    uint64_t len = message->len;
    uint32_t len_crc = event_crc(&len, sizeof len);
    uint32_t data_crc = event_crc(axl__str_text(message), message->len);

    axl__str_put(out, &len, sizeof len);
    axl__str_put(out, &len_crc, sizeof len_crc);
    axl__str_put(out, message->data, message->len);
    axl__str_put(out, &data_crc, sizeof data_crc);
    out->failed |= message->failed;
    axl__str_free(message);
}

static void event_begin(axl__str *e, axl_context *ctx, double when, uint64_t step)
{
    axl__str_init(e, ctx);
    event_put_double(e, 1, when);
    if (step > 0)
        event_put_int(e, 2, step);
}

/* The string as field `field` of out, and freed. */
static void event_put_message(axl__str *out, unsigned field, axl__str *inner)
{
    event_put_bytes(out, field, inner->data, inner->len);
    out->failed |= inner->failed;
    axl__str_free(inner);
}

/* ---- events ---- */

/* Readers refuse a file that does not begin with this. */
void axl__event_put_version(axl__str *out, double when)
{
    static const char version[] = "brain.Event:2";
    axl__str e;

    event_begin(&e, out->ctx, when, 0);
    event_put_bytes(&e, 3, version, sizeof version - 1);
    event_put_frame(out, &e);
}

void axl__event_put_start(axl__str *out, double when, uint64_t step)
{
    axl__str e, log;

    event_begin(&e, out->ctx, when, step);
    axl__str_init(&log, out->ctx);
    event_put_int(&log, 1, SESSION_START);
    event_put_message(&e, 7, &log);
    event_put_frame(out, &e);
}

void axl__event_put_scalars(axl__str *out, double when, uint64_t step,
                            const axl__event_scalar *scalars, size_t n)
{
    axl__str e, summary, value;

    event_begin(&e, out->ctx, when, step);
    axl__str_init(&summary, out->ctx);
    for (size_t i = 0; i < n; i++) {
        axl__str_init(&value, out->ctx);
        event_put_bytes(&value, 1, scalars[i].tag, strlen(scalars[i].tag));
        event_put_float(&value, 2, (float)scalars[i].value);
        event_put_message(&summary, 1, &value);
    }
    event_put_message(&e, 5, &summary);
    event_put_frame(out, &e);
}

void axl__event_put_text(axl__str *out, double when, const char *tag, const char *text, size_t len)
{
    static const unsigned char one_string[] = { 0x12, 0x02, 0x08, 0x01 }; /* dim { size: 1 } */
    static const char plugin[] = "\x0A\x04text";                          /* plugin_name: "text" */
    axl__str e, summary, value, part;

    event_begin(&e, out->ctx, when, 0);
    axl__str_init(&summary, out->ctx);
    axl__str_init(&value, out->ctx);
    event_put_bytes(&value, 1, tag, strlen(tag));
    axl__str_init(&part, out->ctx);
    event_put_int(&part, 1, DT_STRING);
    event_put_bytes(&part, 2, one_string, sizeof one_string);
    event_put_bytes(&part, 8, text, len);
    event_put_message(&value, 8, &part);
    axl__str_init(&part, out->ctx);
    event_put_bytes(&part, 1, plugin, sizeof plugin - 1);
    event_put_message(&value, 9, &part);
    event_put_message(&summary, 1, &value);
    event_put_message(&e, 5, &summary);
    event_put_frame(out, &e);
}

/* ---- where it lies ---- */

static const char file_prefix[] = "events.out.tfevents.";

/* The time in an event file's name; -1: it is no such file. */
static int64_t event_time_of_name(const char *name)
{
    const char *digits = name + sizeof file_prefix - 1;
    int64_t t;

    if (!axl__starts_with(name, file_prefix))
        return -1;
    return axl__parse_int(digits, strcspn(digits, "."), &t) ? t : -1;
}

/* Names tell the times: a copy of a folder has other times of its files.  What cannot be listed has
 * none. */
static int64_t event_newest_in(axl_context *ctx, const char *dir)
{
    char **names;
    size_t n;
    int64_t newest = -1;

    if (axl__path_kind_of(dir) != AXL__PATH_DIR || axl__list_dir(ctx, dir, &names, &n) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        int64_t t = event_time_of_name(names[i]);
        newest = t > newest ? t : newest;
    }
    axl__free(ctx, names);
    return newest;
}

/* The folder of runs/ with the newest event file; NULL where there is none. */
static axl_status event_newest_folder(axl_context *ctx, const char *runs, char **out)
{
    char **names;
    size_t n;
    int64_t best = -1;
    axl_status status = AXL_OK;

    *out = NULL;
    if (axl__path_kind_of(runs) != AXL__PATH_DIR)
        return AXL_OK;
    AXL_TRY(axl__list_dir(ctx, runs, &names, &n));
    for (size_t i = 0; i < n && status == AXL_OK; i++) {
        char *dir = axl__format(ctx, "%s/%s", runs, names[i]);
        int64_t t = dir ? event_newest_in(ctx, dir) : -1;
        if (!dir)
            status = axl__fail_nomem();
        if (t > best) {
            best = t;
            axl__free(ctx, *out);
            *out = dir;
        } else {
            axl__free(ctx, dir);
        }
    }
    axl__free(ctx, names);
    return status;
}

/* transformers' name for a run's folder, "Jan02_15-04-05_host"; in UTC, since the local time would
 * need the environment. */
static char *event_new_folder(axl_context *ctx, const char *runs, const char *host, int64_t now)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    axl__date d = axl__utc(now);

    return axl__format(ctx, "%s/%.3s%02d_%02d-%02d-%02d_%s", runs, months + 3 * (d.month - 1),
                       d.day, d.hour, d.minute, d.second, host);
}

/* The first name of the folder that is free. */
static char *event_free_name(axl_context *ctx, const char *dir, const char *host, int64_t now)
{
    for (unsigned n = 0;; n++) {
        char *path = axl__format(ctx, "%s/%s%010lld.%s.%lld.%u", dir, file_prefix, (long long)now,
                                 host, (long long)axl__process_id(), n);
        if (!path || axl__path_kind_of(path) == AXL__PATH_NONE)
            return path;
        axl__free(ctx, path);
    }
}

/* A link in a folder's place may lead elsewhere. */
static axl_status event_check_inside(const char *path, const char *output_dir)
{
    if (axl__path_kind_of(path) == AXL__PATH_NONE || axl__path_is_in(path, output_dir))
        return AXL_OK;
    return axl__fail(AXL_ERR_INVALID, "%s leads out of output_dir", path);
}

axl_status axl__event_file_path(char **out, axl_context *ctx, const char *output_dir, bool resume,
                                int64_t now)
{
    char host[AXL__HOST_MAX];
    char *runs = axl__format(ctx, "%s/runs", output_dir), *dir = NULL;
    axl_status status = runs ? AXL_OK : axl__fail_nomem();

    *out = NULL;
    axl__host_name(host);
    if (status == AXL_OK)
        status = event_check_inside(runs, output_dir);
    if (status == AXL_OK && resume)
        status = event_newest_folder(ctx, runs, &dir);
    if (status == AXL_OK && !dir) {
        dir = event_new_folder(ctx, runs, host, now);
        status = dir ? axl__make_dirs(ctx, dir) : axl__fail_nomem();
    }
    if (status == AXL_OK)
        status = event_check_inside(dir, output_dir);
    if (status == AXL_OK) {
        *out = event_free_name(ctx, dir, host, now);
        status = *out ? AXL_OK : axl__fail_nomem();
    }
    axl__free(ctx, dir);
    axl__free(ctx, runs);
    return status;
}
