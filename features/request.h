/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One LLM request, whatever dialect it came in: the canonical view that
 * features, constraints and codecs read.  It *borrows*: every span points
 * into the received bytes (or into a text the caller keeps), arrays and
 * decoded strings live in the request's arena.  Each codec fills it; the one
 * for OpenAI chat, in which datasets are written too, stands here.
 *
 * Long texts are kept as written (features/text.h), so that reading a request
 * costs no copy and the extractor decodes only as much as its cap.
 */
#ifndef WEIR_FEATURES_REQUEST_H
#define WEIR_FEATURES_REQUEST_H

#include "base/arena.h"
#include "base/json.h"
#include "features/text.h"

enum role {
    ROLE_SYSTEM, /* also OpenAI's "developer" */
    ROLE_USER,
    ROLE_ASSISTANT,
    ROLE_TOOL, /* also OpenAI's "function" */
};

enum part_kind {
    PART_TEXT,
    PART_IMAGE,
    PART_AUDIO,
    PART_FILE, /* documents: PDF and the like */
    PART_TOOL_CALL,
    PART_TOOL_RESULT,
    PART_THINKING,
    PART_REFUSAL,
    PART_OTHER, /* something this version does not know: see raw */
};

struct part {
    enum part_kind kind;
    struct text text;  /* text, thinking, refusal, result; call: arguments;
                          file: a document that is given as text */
    bool text_is_json; /* call and result: text is a JSON value as it stands,
                          not the inside of a string */
    struct span name;  /* call and result: function; file: its name */
    struct span id;    /* tool call and tool result: the call's id */
    /* image, audio, file: an address, or data with its type, or both where
     * the address was fetched */
    struct span url;       /* https or data URL as written; or a file's id */
    struct span media;     /* MIME type, "image/png"; or empty */
    struct span data;      /* base64, or empty */
    struct span signature; /* thinking, call: the provider's, opaque; goes
                              back byte for byte to the same provider only */
    bool redacted;         /* thinking that only its provider can read: the
                              signature is all there is */
    struct span cache;     /* JSON of cache_control, or empty */
    struct part *parts;    /* (arena) result or file made of parts; or NULL */
    size_t n_parts;
    bool is_error;   /* tool result that says it failed */
    struct span raw; /* the part as JSON, where it stands as a value */
};

struct message {
    enum role role;
    struct part *parts; /* (arena) [n_parts] */
    size_t n_parts;
    struct span name;
    struct span raw; /* the message as JSON; where a dialect's one message
                        became two (results and what the user said), both
                        have the same; a system prompt beside the messages:
                        its value, which is no object */
};

struct tool {
    struct span name;
    struct text description;
    struct span schema; /* JSON of the parameters, or empty */
    bool strict;
    bool builtin;      /* a tool of the provider's own (web search, ...):
                          only raw says what it is */
    struct span cache; /* JSON of cache_control, or empty */
    struct span raw;
};

enum output_format { FORMAT_TEXT, FORMAT_JSON, FORMAT_JSON_SCHEMA };
enum tool_choice { CHOICE_AUTO, CHOICE_NONE, CHOICE_REQUIRED, CHOICE_NAMED };

struct params {
    int64_t max_tokens; /* -1: not said */
    double temperature; /* NAN: not said */
    double top_p;       /* NAN: not said */
    int64_t n;          /* answers wanted, 1 when not said */
    bool stream;
    bool stream_usage; /* stream_options.include_usage */
    bool logprobs;
    enum output_format format;
    struct span schema; /* JSON of the wanted output, or empty */
    enum tool_choice tool_choice;
    struct span tool_name;   /* CHOICE_NAMED */
    int parallel_tool_calls; /* -1 not said, 0, 1 */
    struct span reasoning;   /* effort as written: minimal, low, ...; or
                                empty */
    int64_t thinking_budget; /* tokens; 0: off; -1: not said; -2: the model
                                decides */
    bool show_thinking;      /* summaries of it are asked for */
    int64_t top_k;           /* -1: not said */
    int64_t seed;            /* INT64_MIN: not said */
    int64_t top_logprobs;    /* -1: not said */
    double frequency_penalty, presence_penalty; /* NAN: not said */
    struct span schema_name; /* of the wanted output, or empty */
    int schema_strict;       /* -1 not said, 0, 1 */
    struct span service_tier;
    struct span stop;     /* JSON: string or array, or NULL */
    struct span user;     /* end user's id, or empty */
    struct span metadata; /* JSON object, or empty */
};

/* All that a request can leave unsaid, unsaid: what readers begin with. */
struct params params_unsaid(void);

/* A member of the body that has no place above: kept for the same dialect,
 * named in a warning for another. */
struct extra {
    struct span name;  /* as written, without quotes */
    struct span value; /* JSON */
};

struct request {
    struct span body;         /* (borrowed) the whole JSON text */
    struct span model;        /* decoded */
    struct span model_raw;    /* where the model's value stands in body, with
                                 its quotes: what a verbatim copy replaces */
    struct message *messages; /* (arena) system messages are among them */
    size_t n_messages;
    struct tool *tools; /* (arena) */
    size_t n_tools;
    struct params params;
    bool embeds; /* texts to be embedded: no conversation, no answer in words */
    struct extra *extras; /* (arena) top-level members, in their order */
    size_t n_extras;
    /* What the operator knows and the text does not; empty when unknown. */
    struct span task;     /* x-weir-task, or a dataset row's task: a hint
                             only where the caller chooses to give it */
    struct span key_name; /* name of the inbound key */
};

/*
 * Reads an OpenAI chat-completions body.  Wrong types of known fields are
 * errors that name the field ("messages[3].role: wanted a string, found a
 * number"); unknown fields are left alone.  `model` and a non-empty
 * `messages` must be there.  Arena full: ERR_MEMORY.
 */
MUST_USE bool request_from_openai(struct span body, struct arena *a,
                                  struct request *r, struct err *e);

/* The JSON pieces of a dataset row; all but messages may be empty. */
struct request_pieces {
    struct span messages; /* array of messages */
    struct span tools;    /* array of tools */
    struct span params;   /* object of parameters */
};

/* The same from pieces: without model, and body is empty. */
MUST_USE bool request_from_parts(struct request_pieces p, struct arena *a,
                                 struct request *r, struct err *e);

#endif
