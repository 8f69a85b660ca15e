/* SPDX-License-Identifier: Apache-2.0 */
/*
 * data_stream.h - training data that is read while it is trained: a window of so many records at a
 * time is a data set of its own.  The windows follow from the config alone, so that a place is a
 * window's number: to come back to it the records before it are read over and not encoded.
 */
#ifndef AXL_DATA_DATA_STREAM_H
#define AXL_DATA_DATA_STREAM_H

#include "data/dataset.h"
#include "data/read/source.h"

#include <axl/dataset.h>

#include <stdbool.h>

typedef struct axl__data_stream axl__data_stream;
typedef struct axl__data_stream_reader axl__data_stream_reader;

/* Whether the config's training data is streamed. */
bool axl__is_streamed(const axl_config *cfg);

/* Finds the files and opens their prompts; nothing is kept, whatever `use` says. */
axl_status axl__data_stream_open(axl__data_stream **out, const axl_config *cfg,
                                 const axl_tokenizer *tok, const axl__data_use *use);
/* Of a host's records, which are what the index-th entry of datasets or pretraining_dataset says.
 * No record is asked for yet. */
axl_status axl__data_stream_open_fed(axl__data_stream **out, const axl_config *cfg,
                                     const axl_tokenizer *tok, uint32_t index,
                                     const axl_record_source *source);
axl__data_stream *axl__data_stream_ref(axl__data_stream *stream);
void axl__data_stream_free(axl__data_stream *stream); /* drops a reference; NULL is fine */

/* Of a host's records: is called with the source's user when the stream is freed. */
void axl__data_stream_on_release(axl__data_stream *stream, axl_release_records_fn release);

/* A number that other files or settings do not have, by chance alone; of a file its path and size
 * count, since nobody reads all of it beforehand. */
uint64_t axl__data_stream_print(const axl__data_stream *stream);
/* Whether the records are a host's, of which the number says nothing. */
bool axl__data_stream_is_fed(const axl__data_stream *stream);

/* One reader a loader: it has a place, but for a host's records, whose place is the stream's.  It
 * takes its own reference. */
axl_status axl__data_stream_reader_new(axl__data_stream_reader **out, axl__data_stream *stream);
void axl__data_stream_reader_free(axl__data_stream_reader *reader); /* NULL is fine */

/* The rows of a window, which may be none.  Behind the last record the first follows; where a host
 * cannot go back to it, *over is set and the window is none, with no rows.  AXL_ERR_DATA as for
 * data that is not streamed, and where none of all records gives a row; AXL_ERR_INVALID: the
 * records ended before the one in front of the window; AXL_ERR_UNSUPPORTED: the window was read and
 * the host cannot go back; AXL_ERR_BUSY: another reader of a host's records is at it. */
axl_status axl__data_stream_read(axl__data_stream_reader *reader, uint64_t window,
                                 axl_dataset **out, bool *over);
/* For who has the window already: AXL_ERR_UNSUPPORTED where the one behind it cannot be read. */
axl_status axl__data_stream_follows(axl__data_stream_reader *reader, uint64_t window);

#endif
