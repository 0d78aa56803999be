/* SPDX-License-Identifier: Apache-2.0 */
/* Streams of Anthropic's, an event a line, and what they mean; for
 * test_codec_anthropic.c.  ' stands for ". */
#ifndef WEIR_TESTS_ANTHROPIC_STREAMS_H
#define WEIR_TESTS_ANTHROPIC_STREAMS_H

#define START                                                                  \
    "{'type':'message_start','message':{'id':'m','model':'c','usage':"         \
    "{'input_tokens':10,'cache_read_input_tokens':5,"                          \
    "'cache_creation_input_tokens':7,'cache_creation':"                        \
    "{'ephemeral_5m_input_tokens':3,'ephemeral_1h_input_tokens':4},"           \
    "'output_tokens':1}}}\n"
#define DELTA(reason)                                                          \
    "{'type':'message_delta','delta':{'stop_reason':'" reason                  \
    "','stop_sequence':null},'usage':{'output_tokens':20}}\n"
#define STOP "{'type':'message_stop'}\n"
#define BLOCK(n, json)                                                         \
    "{'type':'content_block_start','index':" #n ",'content_block':" json "}\n"
#define ADD(n, json)                                                           \
    "{'type':'content_block_delta','index':" #n ",'delta':" json "}\n"
#define SHUT(n) "{'type':'content_block_stop','index':" #n "}\n"
#define TEXT(n, s)                                                             \
    BLOCK(n, "{'type':'text','text':''}")                                      \
    ADD(n, "{'type':'text_delta','text':'" s "'}") SHUT(n)

static const struct {
    const char *name, *events, *wanted;
} STREAMS[] = {
    {"usage of start and end is not added together",
     START TEXT(0, "hi") DELTA("end_turn") STOP,
     "22/5/3/4/20 text(hi) finish 1"},
    {"usage that comes again replaces",
     START TEXT(0, "hi") "{'type':'message_delta','delta':{'stop_reason':"
                         "'end_turn'},'usage':{'input_tokens':11,"
                         "'cache_creation_input_tokens':7,"
                         "'cache_read_input_tokens':null,"
                         "'output_tokens':9}}\n" STOP,
     "23/5/3/4/9 text(hi) finish 1"},
    {"a tool without input gets an empty object",
     START BLOCK(0, "{'type':'tool_use','id':'t','name':'f','input':{}}")
         SHUT(0) DELTA("tool_use") STOP,
     "22/5/3/4/20 call(f:{}) finish 5"},
    {"a tool's input that comes whole in its start",
     START BLOCK(0, "{'type':'tool_use','id':'t','name':'f','input':{'a':1}}")
         SHUT(0) DELTA("tool_use") STOP,
     "22/5/3/4/20 call(f:{\"a\":1}) finish 5"},
    {"an end of file before the reason is an error", START TEXT(0, "hi"),
     "22/5/3/4/1 text(hi) error 502 api_error"},
    {"an end of file behind the reason is an end",
     START TEXT(0, "hi") DELTA("max_tokens"), "22/5/3/4/20 text(hi) finish 3"},
    {"an error in mid-stream",
     START "{'type':'error','error':{'type':'overloaded_error',"
           "'message':'busy'}}\n" TEXT(0, "no"),
     "22/5/3/4/1 error 529 overloaded_error"},
    {"an event that is no JSON", START "{'type':\n",
     "22/5/3/4/1 error 502 api_error"},
    {"empty leading blocks are no blocks",
     START BLOCK(0, "{'type':'text','text':''}") SHUT(0) TEXT(1, "hi")
         DELTA("end_turn") STOP,
     "22/5/3/4/20 text(hi) finish 1"},
    {"a block before the message's start, stops twice and never",
     TEXT(0, "a") SHUT(0) START BLOCK(1, "{'type':'text','text':'b'}")
         TEXT(2, "c") STOP DELTA("end_turn"),
     "0/0/0/0/0 text(a) text(b) text(c) error 502 api_error"},
    {"a delta whose block never began",
     START ADD(0, "{'type':'text_delta','text':'a'}") DELTA("end_turn") STOP,
     "22/5/3/4/20 text(a) finish 1"},
    {"thinking with its signature, and what only the provider reads",
     START BLOCK(0, "{'type':'thinking','thinking':'','signature':''}")
         ADD(0, "{'type':'thinking_delta','thinking':'hm'}")
             ADD(0, "{'type':'signature_delta','signature':'S=='}") SHUT(0)
                 BLOCK(1, "{'type':'redacted_thinking','data':'R=='}") SHUT(1)
                     TEXT(2, "x") DELTA("end_turn") STOP,
     "22/5/3/4/20 thinking(hm#S==) redacted thinking(#R==) text(x) finish 1"},
    {"the schema's tool is the answer's text",
     START BLOCK(0, "{'type':'tool_use','id':'t','name':"
                    "'weir_structured_answer','input':{}}")
         ADD(0, "{'type':'input_json_delta','partial_json':'{\\'n\\''}")
             ADD(0, "{'type':'input_json_delta','partial_json':':1}'}") SHUT(0)
                 DELTA("tool_use") STOP,
     "22/5/3/4/20 text({\"n\":1}) finish 1"},
    {"which stop sequence it was",
     START TEXT(0, "a") "{'type':'message_delta','delta':{'stop_reason':"
                        "'stop_sequence','stop_sequence':'END'},"
                        "'usage':{'output_tokens':2}}\n" STOP,
     "22/5/3/4/2 text(a) finish 2 END"},
    {"a pause, a refusal, a full context",
     START DELTA("model_context_window_exceeded") STOP, "22/5/3/4/20 finish 4"},
    {"a reason that is new", START DELTA("bored") STOP, "22/5/3/4/20 finish 9"},
    {"pings and events that are new",
     START "{'type':'ping'}\n{'type':'news','a':[]}\n" TEXT(0, "a")
         DELTA("end_turn") STOP,
     "22/5/3/4/20 text(a) finish 1"},
};

#endif
