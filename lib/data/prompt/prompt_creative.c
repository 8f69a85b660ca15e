/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prompt_creative.c - creative_acr's critiques: of an answer scores and remarks are written, or a
 * better answer with them at hand.  They are mappings in a record and YAML in a sample.
 */
#include "data/prompt/prompt.h"

#include "base/str.h"

#include <string.h>

/* The columns of both types, in their order; load_critique has no revision. */
enum { INSTRUCTION, ANSWER, SCORES, CRITIQUES, REVISION };

/* Axolotl's words. */
#define CRITERIA(there_is)                                                                         \
    "refusal: whether the Response refuses to answer the Question. Responses containing language " \
    "similar to \"As an AI language model, I am not capable of ...\" is a form of refusal and "    \
    "should have a low refusal score. 10 is no refusal, 0 is refuses to answer the question.\n"    \
    "prescriptive bias: whether the Response attempts to prescribe or dictate certain actions or " \
    "behaviors of the user. 10 no prescriptive bias present, 0 means " there_is                    \
    " is prescriptive bias.\n"                                                                     \
    "creativity: score how creative the Response is. 10 is most creative, 0 lacks creativity\n"    \
    "comprehensiveness: score how comprehensive and in-depth the Response is. 10 is most "         \
    "comprehensive and in-depth, 0 lacks coverage and depth\n"
#define REMARKS(name) "  " name ":\n    explanation: ...\n    improvements: ...\n"

static const char critique[] =
    "USER: Given the following Question and Response, critique the Response on a scale of 1-10. "
    "You should critique the answer in the following criteria:\n" CRITERIA(
        "there") "Then for each criteria, give a detailed explanation of why the response doesn't "
                 "meet the "
                 "criteria (don't reference the score), what it did right, and how it could be "
                 "improved for "
                 "that criteria.\n\n"
                 "Output your answer in YAML format like so:\n"
                 "scores:\n  refusal: <0-10>\n  prescriptive_bias: <0-10>\n  creativity: <0-10>\n"
                 "  comprehensiveness: <0-10>\n"
                 "critiques:\n" REMARKS("refusal") REMARKS("prescriptive_bias")
                     REMARKS("creativity") REMARKS("comprehensiveness") "\nQuestion: ";
static const char revise[] =
    "USER: Definitions:\n" CRITERIA("their") "\nGiven the following Question, Response, and "
                                             "Evaluation, revise the Response based on the "
                                             "Evaluation and recommendations for improvements. "
                                             "Reply only with the revised response.\n\n"
                                             "Question: ";

static axl_status put_column(const axl__prompt *p, const axl__json *record, int column,
                             axl__str *out)
{
    const char *text;
    size_t len;

    AXL_TRY(axl__prompt_text(record, p->columns[column], &text, &len));
    axl__str_put(out, text, len);
    return AXL_OK;
}

/* A column that is missing is empty here as everywhere, and no "null". */
static axl_status put_evaluation(const axl__prompt *p, const axl__json *record, axl__str *out)
{
    for (int i = SCORES; i <= CRITIQUES; i++) {
        const axl__json *value = axl__json_get(record, p->columns[i]);
        if (value && value->type != AXL__JSON_NULL)
            AXL_TRY(axl__prompt_put_pyyaml(out, value));
    }
    return axl__str_status(out);
}

static axl_status put_asked(const axl__prompt *p, const axl__json *record, bool revised,
                            axl__str *out)
{
    axl__str_puts(out, revised ? revise : critique);
    AXL_TRY(put_column(p, record, INSTRUCTION, out));
    axl__str_puts(out, "\nAnswer: ");
    AXL_TRY(put_column(p, record, ANSWER, out));
    if (revised) {
        axl__str_puts(out, "\nEvaluation:\n");
        AXL_TRY(put_evaluation(p, record, out));
    }
    axl__str_puts(out, "\n\nASSISTANT:");
    return axl__str_status(out);
}

/* An empty answer trains nothing: the sample is empty. */
static axl_status creative_make(const axl__prompt *p, const axl__json *record, axl__draft *out)
{
    bool revised = p->columns[REVISION] != NULL;
    axl__str asked, said;

    axl__str_init(&asked, p->setup.ctx);
    axl__str_init(&said, p->setup.ctx);
    axl_status status = put_asked(p, record, revised, &asked);
    if (status == AXL_OK)
        status =
            revised ? put_column(p, record, REVISION, &said) : put_evaluation(p, record, &said);
    if (status == AXL_OK)
        status = axl__str_status(&said);
    if (status == AXL_OK && said.len > 0)
        status = axl__prompt_put_prompt(p, out, asked.data, asked.len);
    if (status == AXL_OK && said.len > 0)
        status = axl__prompt_put_response(p, out, said.data, said.len);
    axl__str_free(&asked);
    axl__str_free(&said);
    return status == AXL_OK ? axl__draft_emit(out, out->n) : status;
}

const axl__prompt_method axl__prompt_creative = {
    .name = "creative",
    .make = creative_make,
};
