/* SPDX-License-Identifier: Apache-2.0 */
/* OpenAI requests, and what an Anthropic model is to get for them; for
 * test_codec_anthropic.c.  Bodies have ' for ". */
#ifndef WEIR_TESTS_ANTHROPIC_REQUESTS_H
#define WEIR_TESTS_ANTHROPIC_REQUESTS_H

static const struct {
    const char *name, *model, *asked, *wanted, *lost;
} REQUESTS[] = {
    {"max_tokens is a model's cap, not 4096", "claude-sonnet-4-5",
     "{'model':'x','messages':[{'role':'user','content':'hi'}]}",
     "{'model':'claude-sonnet-4-5','max_tokens':64000,"
     "'messages':[{'role':'user','content':[{'type':'text','text':'hi'}]}]}",
     ""},
    {"a limit above a model's is clamped", "claude-sonnet-4-5",
     "{'model':'x','messages':[{'role':'user','content':'hi'}],"
     "'max_tokens':99999999}",
     "{'model':'claude-sonnet-4-5','max_tokens':64000,"
     "'messages':[{'role':'user','content':[{'type':'text','text':'hi'}]}]}",
     "clamped=max_tokens"},
    {"system messages go beside, wherever they stood", "claude-sonnet-4-5",
     "{'model':'x','messages':[{'role':'system','content':'a'},"
     "{'role':'user','content':'hi'},{'role':'developer','content':'b'}]}",
     "{'model':'claude-sonnet-4-5','max_tokens':64000,"
     "'messages':[{'role':'user','content':[{'type':'text','text':'hi'}]}],"
     "'system':[{'type':'text','text':'a'},{'type':'text','text':'b'}]}",
     "role=messages[2]"},
    {"only a system message asks itself", "claude-sonnet-4-5",
     "{'model':'x','messages':[{'role':'system','content':'a'}]}",
     "{'model':'claude-sonnet-4-5','max_tokens':64000,"
     "'messages':[{'role':'user','content':[{'type':'text','text':'a'}]}],"
     "'system':[{'type':'text','text':'a'}]}",
     "role=messages[0]"},
    {"results of parallel calls are first in one user message right after",
     "claude-sonnet-4-5",
     "{'model':'x','messages':[{'role':'user','content':'q'},"
     "{'role':'assistant','content':null,'tool_calls':[{'id':'a',"
     "'type':'function','function':{'name':'f',"
     "'arguments':'{\\'x\\':1.50}'}},{'id':'b','type':'function',"
     "'function':{'name':'g','arguments':''}}]},{'role':'tool',"
     "'tool_call_id':'a','content':'1'},{'role':'tool','tool_call_id':'b',"
     "'content':[{'type':'text','text':'2'}]},{'role':'user','content':'go "
     "on'}]}",
     "{'model':'claude-sonnet-4-5','max_tokens':64000,"
     "'messages':[{'role':'user','content':[{'type':'text','text':'q'}]},"
     "{'role':'assistant','content':[{'type':'tool_use','id':'a','name':'f',"
     "'input':{'x':1.50}},{'type':'tool_use','id':'b','name':'g',"
     "'input':{}}]},{'role':'user','content':[{'type':'tool_result',"
     "'tool_use_id':'a','content':'1'},{'type':'tool_result',"
     "'tool_use_id':'b','content':'2'},{'type':'text','text':'go on'}]}]}",
     ""},
    {"results that come behind the user's words move before them",
     "claude-sonnet-4-5",
     "{'model':'x','messages':[{'role':'user','content':'q'},"
     "{'role':'assistant','content':'ok','tool_calls':[{'id':'a',"
     "'type':'function','function':{'name':'f','arguments':'{}'}}]},"
     "{'role':'user','content':'hm'},{'role':'tool','tool_call_id':'a',"
     "'content':''}]}",
     "{'model':'claude-sonnet-4-5','max_tokens':64000,"
     "'messages':[{'role':'user','content':[{'type':'text','text':'q'}]},"
     "{'role':'assistant','content':[{'type':'text','text':'ok'},"
     "{'type':'tool_use','id':'a','name':'f','input':{}}]},{'role':'user',"
     "'content':[{'type':'tool_result','tool_use_id':'a'},{'type':'text',"
     "'text':'hm'}]}]}",
     ""},
    {"ids with other bytes are mapped", "claude-sonnet-4-5",
     "{'model':'x','messages':[{'role':'user','content':'q'},"
     "{'role':'assistant','content':'','tool_calls':[{'id':'functions.f:0',"
     "'type':'function','function':{'name':'f','arguments':'{}'}}]},"
     "{'role':'tool','tool_call_id':'functions.f:0','content':'1'}]}",
     "{'model':'claude-sonnet-4-5','max_tokens':64000,"
     "'messages':[{'role':'user','content':[{'type':'text','text':'q'}]},"
     "{'role':'assistant','content':[{'type':'tool_use',"
     "'id':'weirid_functions_x2e_f_x3a_0','name':'f','input':{}}]},"
     "{'role':'user','content':[{'type':'tool_result',"
     "'tool_use_id':'weirid_functions_x2e_f_x3a_0','content':'1'}]}]}",
     ""},
    {"arguments that are no object become an argument", "claude-sonnet-4-5",
     "{'model':'x','messages':[{'role':'user','content':'q'},"
     "{'role':'assistant','tool_calls':[{'id':'a','type':'function',"
     "'function':{'name':'f','arguments':'[1]'}}]},{'role':'tool',"
     "'tool_call_id':'a','content':'1'}]}",
     "{'model':'claude-sonnet-4-5','max_tokens':64000,"
     "'messages':[{'role':'user','content':[{'type':'text','text':'q'}]},"
     "{'role':'assistant','content':[{'type':'tool_use','id':'a','name':'f',"
     "'input':{'arguments':'[1]'}}]},{'role':'user',"
     "'content':[{'type':'tool_result','tool_use_id':'a','content':'1'}]}]}",
     "other=arguments of f"},
    {"escaped arguments are decoded", "claude-sonnet-4-5",
     "{'model':'x','messages':[{'role':'user','content':'q'},"
     "{'role':'assistant','tool_calls':[{'id':'a','type':'function',"
     "'function':{'name':'f',"
     "'arguments':'{\\'s\\':\\'\\\\\\'\\\\u00e9\\\\n\\'}'}}]},"
     "{'role':'tool','tool_call_id':'a','content':'1'}]}",
     "{'model':'claude-sonnet-4-5','max_tokens':64000,"
     "'messages':[{'role':'user','content':[{'type':'text','text':'q'}]},"
     "{'role':'assistant','content':[{'type':'tool_use','id':'a','name':'f',"
     "'input':{'s':'\\'\\u00e9\\n'}}]},{'role':'user',"
     "'content':[{'type':'tool_result','tool_use_id':'a','content':'1'}]}]}",
     ""},
    {"messages of one role are put together, empty ones left out",
     "claude-sonnet-4-5",
     "{'model':'x','messages':[{'role':'user','content':'a'},"
     "{'role':'assistant','content':''},{'role':'user','content':'b'},"
     "{'role':'user','content':''},{'role':'user','content':' \\n'},"
     "{'role':'assistant','content':'c'}]}",
     "{'model':'claude-sonnet-4-5','max_tokens':64000,"
     "'messages':[{'role':'user','content':[{'type':'text','text':'a'},"
     "{'type':'text','text':'b'}]},{'role':'assistant',"
     "'content':[{'type':'text','text':'c'}]}]}",
     ""},
    {"data URLs become base64, addresses stay", "claude-sonnet-4-5",
     "{'model':'x','messages':[{'role':'user',"
     "'content':[{'type':'image_url',"
     "'image_url':{'url':'data:image/png;base64,AAAA'}},{'type':'image_url',"
     "'image_url':{'url':'https://x.y/z.png'}},{'type':'image_url',"
     "'image_url':{'url':'data:image/tiff;base64,AAAA'}}]}]}",
     "{'model':'claude-sonnet-4-5','max_tokens':64000,"
     "'messages':[{'role':'user','content':[{'type':'image',"
     "'source':{'type':'base64','media_type':'image/png','data':'AAAA'}},"
     "{'type':'image','source':{'type':'url','url':'https://x.y/z.png'}}]}]}",
     "image=messages"},
    {"documents: PDF as base64, text as text", "claude-sonnet-4-5",
     "{'model':'x','messages':[{'role':'user','content':[{'type':'file',"
     "'file':{'filename':'a.pdf','file_data':'data:application/pdf;base64,"
     "JVBERi0='}},{'type':'file','file':{'filename':'a.txt',"
     "'file_data':'data:text/plain;base64,aGk='}},{'type':'file',"
     "'file':{'file_id':'file-1'}}]}]}",
     "{'model':'claude-sonnet-4-5','max_tokens':64000,"
     "'messages':[{'role':'user','content':[{'type':'document',"
     "'source':{'type':'base64','media_type':'application/pdf',"
     "'data':'JVBERi0='},'title':'a.pdf'},{'type':'document',"
     "'source':{'type':'text','media_type':'text/plain','data':'hi'},"
     "'title':'a.txt'}]}]}",
     "file=messages"},
    {"audio is named as lost", "claude-sonnet-4-5",
     "{'model':'x','messages':[{'role':'user','content':[{'type':'text',"
     "'text':'x'},{'type':'input_audio','input_audio':{'data':'AA',"
     "'format':'wav'}}]}]}",
     "{'model':'claude-sonnet-4-5','max_tokens':64000,"
     "'messages':[{'role':'user','content':[{'type':'text','text':'x'}]}]}",
     "audio=messages"},
    {"unsigned thinking is never replayed", "claude-sonnet-4-5",
     "{'model':'x','messages':[{'role':'user','content':'a'},"
     "{'role':'assistant','content':'b','reasoning_content':'hm'},"
     "{'role':'user','content':'c'}]}",
     "{'model':'claude-sonnet-4-5','max_tokens':64000,"
     "'messages':[{'role':'user','content':[{'type':'text','text':'a'}]},"
     "{'role':'assistant','content':[{'type':'text','text':'b'}]},"
     "{'role':'user','content':[{'type':'text','text':'c'}]}]}",
     "thinking=messages"},
    {"temperature is clamped to 1", "claude-sonnet-4-5",
     "{'model':'x','messages':[{'role':'user','content':'a'}],"
     "'temperature':1.7}",
     "{'model':'claude-sonnet-4-5','max_tokens':64000,"
     "'messages':[{'role':'user','content':[{'type':'text','text':'a'}]}],"
     "'temperature':1}",
     "clamped=temperature"},
    {"temperature or top_p, not both", "claude-sonnet-4-5",
     "{'model':'x','messages':[{'role':'user','content':'a'}],"
     "'temperature':0.5,'top_p':0.9}",
     "{'model':'claude-sonnet-4-5','max_tokens':64000,"
     "'messages':[{'role':'user','content':[{'type':'text','text':'a'}]}],"
     "'temperature':0.5}",
     "parameter=top_p"},
    {"models that decide on sampling themselves get none", "claude-opus-4-8",
     "{'model':'x','messages':[{'role':'user','content':'a'}],"
     "'temperature':0.5}",
     "{'model':'claude-opus-4-8','max_tokens':128000,"
     "'messages':[{'role':'user','content':[{'type':'text','text':'a'}]}]}",
     "parameter=temperature"},
    {"blank stop sequences are left out", "claude-sonnet-4-5",
     "{'model':'x','messages':[{'role':'user','content':'a'}],'stop':['\\n',"
     "' ','END']}",
     "{'model':'claude-sonnet-4-5','max_tokens':64000,"
     "'messages':[{'role':'user','content':[{'type':'text','text':'a'}]}],"
     "'stop_sequences':['END']}",
     "stop=stop"},
    {"one stop sequence is a list of one", "claude-sonnet-4-5",
     "{'model':'x','messages':[{'role':'user','content':'a'}],'stop':'END'}",
     "{'model':'claude-sonnet-4-5','max_tokens':64000,"
     "'messages':[{'role':'user','content':[{'type':'text','text':'a'}]}],"
     "'stop_sequences':['END']}",
     ""},
    {"tools and a forced choice", "claude-sonnet-4-5",
     "{'model':'x','messages':[{'role':'user','content':'a'}],"
     "'tools':[{'type':'function','function':{'name':'f','description':'d',"
     "'parameters':{'type':'object','properties':{}}}}],"
     "'tool_choice':'required'}",
     "{'model':'claude-sonnet-4-5','max_tokens':64000,"
     "'messages':[{'role':'user','content':[{'type':'text','text':'a'}]}],"
     "'tools':[{'name':'f','description':'d',"
     "'input_schema':{'type':'object','properties':{}}}],"
     "'tool_choice':{'type':'any'}}",
     ""},
    {"a named choice", "claude-sonnet-4-5",
     "{'model':'x','messages':[{'role':'user','content':'a'}],"
     "'tools':[{'type':'function','function':{'name':'f','description':'d',"
     "'parameters':{'type':'object','properties':{}}}}],"
     "'tool_choice':{'type':'function','function':{'name':'f'}}}",
     "{'model':'claude-sonnet-4-5','max_tokens':64000,"
     "'messages':[{'role':'user','content':[{'type':'text','text':'a'}]}],"
     "'tools':[{'name':'f','description':'d',"
     "'input_schema':{'type':'object','properties':{}}}],"
     "'tool_choice':{'type':'tool','name':'f'}}",
     ""},
    {"no choice", "claude-sonnet-4-5",
     "{'model':'x','messages':[{'role':'user','content':'a'}],"
     "'tools':[{'type':'function','function':{'name':'f','description':'d',"
     "'parameters':{'type':'object','properties':{}}}}],"
     "'tool_choice':'none'}",
     "{'model':'claude-sonnet-4-5','max_tokens':64000,"
     "'messages':[{'role':'user','content':[{'type':'text','text':'a'}]}],"
     "'tools':[{'name':'f','description':'d',"
     "'input_schema':{'type':'object','properties':{}}}],"
     "'tool_choice':{'type':'none'}}",
     ""},
    {"one call at a time", "claude-sonnet-4-5",
     "{'model':'x','messages':[{'role':'user','content':'a'}],"
     "'tools':[{'type':'function','function':{'name':'f','description':'d',"
     "'parameters':{'type':'object','properties':{}}}}],"
     "'parallel_tool_calls':false}",
     "{'model':'claude-sonnet-4-5','max_tokens':64000,"
     "'messages':[{'role':'user','content':[{'type':'text','text':'a'}]}],"
     "'tools':[{'name':'f','description':'d',"
     "'input_schema':{'type':'object','properties':{}}}],"
     "'tool_choice':{'type':'auto','disable_parallel_tool_use':true}}",
     ""},
    {"a tool without parameters takes an object", "claude-sonnet-4-5",
     "{'model':'x','messages':[{'role':'user','content':'a'}],"
     "'tools':[{'type':'function','function':{'name':'f'}}]}",
     "{'model':'claude-sonnet-4-5','max_tokens':64000,"
     "'messages':[{'role':'user','content':[{'type':'text','text':'a'}]}],"
     "'tools':[{'name':'f','input_schema':{'type':'object',"
     "'properties':{}}}]}",
     ""},
    {"a schema is the output format where the model has one",
     "claude-sonnet-4-5",
     "{'model':'x','messages':[{'role':'user','content':'a'}],"
     "'response_format':{'type':'json_schema','json_schema':{'name':'s',"
     "'schema':{'type':'object','properties':{'n':{'type':'integer',"
     "'minimum':1}},'required':['n']}}}}",
     "{'model':'claude-sonnet-4-5','max_tokens':64000,"
     "'messages':[{'role':'user','content':[{'type':'text','text':'a'}]}],"
     "'output_config':{'format':{'type':'json_schema',"
     "'schema':{'type':'object','properties':{'n':{'type':'integer'}},"
     "'required':['n'],'additionalProperties':false}}}}",
     "schema=response_format: minimum"},
    {"else it is the input of a tool that must be called", "claude-3-5-haiku",
     "{'model':'x','messages':[{'role':'user','content':'a'}],"
     "'max_tokens':100,'response_format':{'type':'json_schema',"
     "'json_schema':{'name':'s','schema':{'type':'object',"
     "'properties':{'n':{'type':'integer','minimum':1}},'required':['n']}}}}",
     "{'model':'claude-3-5-haiku','max_tokens':100,"
     "'messages':[{'role':'user','content':[{'type':'text','text':'a'}]}],"
     "'tools':[{'name':'weir_structured_answer','description':'Gives the "
     "final answer to the user, in the form that was asked for.',"
     "'input_schema':{'type':'object','properties':{'n':{'type':'integer',"
     "'minimum':1}},'required':['n']}}],'tool_choice':{'type':'tool',"
     "'name':'weir_structured_answer'}}",
     ""},
    {"JSON mode is a tool that takes any object", "claude-sonnet-4-5",
     "{'model':'x','messages':[{'role':'user','content':'a'}],"
     "'response_format':{'type':'json_object'}}",
     "{'model':'claude-sonnet-4-5','max_tokens':64000,"
     "'messages':[{'role':'user','content':[{'type':'text','text':'a'}]}],"
     "'tools':[{'name':'weir_structured_answer','description':'Gives the "
     "final answer to the user, in the form that was asked for.',"
     "'input_schema':{'type':'object'}}],'tool_choice':{'type':'tool',"
     "'name':'weir_structured_answer'}}",
     ""},
    {"with tools of the client's any of them or the answer",
     "claude-sonnet-4-5",
     "{'model':'x','messages':[{'role':'user','content':'a'}],"
     "'tools':[{'type':'function','function':{'name':'f','description':'d',"
     "'parameters':{'type':'object','properties':{}}}}],"
     "'response_format':{'type':'json_object'}}",
     "{'model':'claude-sonnet-4-5','max_tokens':64000,"
     "'messages':[{'role':'user','content':[{'type':'text','text':'a'}]}],"
     "'tools':[{'name':'f','description':'d',"
     "'input_schema':{'type':'object','properties':{}}},"
     "{'name':'weir_structured_answer','description':'Gives the final "
     "answer to the user, in the form that was asked for.',"
     "'input_schema':{'type':'object'}}],'tool_choice':{'type':'any'}}",
     ""},
    {"an effort is a budget for models that have budgets", "claude-sonnet-4-5",
     "{'model':'x','messages':[{'role':'user','content':'a'}],"
     "'reasoning_effort':'medium'}",
     "{'model':'claude-sonnet-4-5','max_tokens':64000,"
     "'messages':[{'role':'user','content':[{'type':'text','text':'a'}]}],"
     "'thinking':{'type':'enabled','budget_tokens':8192}}",
     ""},
    {"a budget leaves room for the answer", "claude-sonnet-4-5",
     "{'model':'x','messages':[{'role':'user','content':'a'}],"
     "'reasoning_effort':'high','max_tokens':2000}",
     "{'model':'claude-sonnet-4-5','max_tokens':2000,"
     "'messages':[{'role':'user','content':[{'type':'text','text':'a'}]}],"
     "'thinking':{'type':'enabled','budget_tokens':1600}}",
     "reasoning=thinking_budget"},
    {"no thinking below the smallest budget", "claude-sonnet-4-5",
     "{'model':'x','messages':[{'role':'user','content':'a'}],"
     "'reasoning_effort':'high','max_tokens':500}",
     "{'model':'claude-sonnet-4-5','max_tokens':500,"
     "'messages':[{'role':'user','content':[{'type':'text','text':'a'}]}]}",
     "reasoning=thinking_budget, reasoning=max_tokens"},
    {"an effort is an effort for models that adapt", "claude-opus-4-8",
     "{'model':'x','messages':[{'role':'user','content':'a'}],"
     "'reasoning_effort':'low'}",
     "{'model':'claude-opus-4-8','max_tokens':128000,"
     "'messages':[{'role':'user','content':[{'type':'text','text':'a'}]}],"
     "'thinking':{'type':'adaptive'},'output_config':{'effort':'low'}}",
     ""},
    {"minimal is the least there is", "claude-opus-4-8",
     "{'model':'x','messages':[{'role':'user','content':'a'}],"
     "'reasoning_effort':'minimal'}",
     "{'model':'claude-opus-4-8','max_tokens':128000,"
     "'messages':[{'role':'user','content':[{'type':'text','text':'a'}]}],"
     "'thinking':{'type':'adaptive'},'output_config':{'effort':'low'}}",
     "reasoning=reasoning_effort"},
    {"effort none asks for no thinking", "claude-sonnet-4-5",
     "{'model':'x','messages':[{'role':'user','content':'a'}],"
     "'reasoning_effort':'none'}",
     "{'model':'claude-sonnet-4-5','max_tokens':64000,"
     "'messages':[{'role':'user','content':[{'type':'text','text':'a'}]}]}",
     ""},
    {"no effort for models that refuse it", "claude-3-5-haiku",
     "{'model':'x','messages':[{'role':'user','content':'a'}],"
     "'max_tokens':9,'reasoning_effort':'high'}",
     "{'model':'claude-3-5-haiku','max_tokens':9,'messages':[{'role':'user',"
     "'content':[{'type':'text','text':'a'}]}]}",
     "reasoning=thinking"},
    {"thinking gives way to a forced tool", "claude-sonnet-4-5",
     "{'model':'x','messages':[{'role':'user','content':'a'}],"
     "'tools':[{'type':'function','function':{'name':'f','description':'d',"
     "'parameters':{'type':'object','properties':{}}}}],"
     "'tool_choice':'required','reasoning_effort':'low'}",
     "{'model':'claude-sonnet-4-5','max_tokens':64000,"
     "'messages':[{'role':'user','content':[{'type':'text','text':'a'}]}],"
     "'tools':[{'name':'f','description':'d',"
     "'input_schema':{'type':'object','properties':{}}}],"
     "'tool_choice':{'type':'any'}}",
     "reasoning=tool_choice"},
    {"thinking is off amid calls that were made without it",
     "claude-sonnet-4-5",
     "{'model':'x','messages':[{'role':'user','content':'q'},"
     "{'role':'assistant','tool_calls':[{'id':'a','type':'function',"
     "'function':{'name':'f','arguments':'{}'}}]},{'role':'tool',"
     "'tool_call_id':'a','content':'1'}],'reasoning_effort':'low'}",
     "{'model':'claude-sonnet-4-5','max_tokens':64000,"
     "'messages':[{'role':'user','content':[{'type':'text','text':'q'}]},"
     "{'role':'assistant','content':[{'type':'tool_use','id':'a','name':'f',"
     "'input':{}}]},{'role':'user','content':[{'type':'tool_result',"
     "'tool_use_id':'a','content':'1'}]}]}",
     "reasoning=messages"},
    {"temperature is not sent along with thinking", "claude-sonnet-4-5",
     "{'model':'x','messages':[{'role':'user','content':'a'}],"
     "'reasoning_effort':'low','temperature':0.2}",
     "{'model':'claude-sonnet-4-5','max_tokens':64000,"
     "'messages':[{'role':'user','content':[{'type':'text','text':'a'}]}],"
     "'thinking':{'type':'enabled','budget_tokens':1024}}",
     "parameter=temperature"},
    {"what has no place is named", "claude-sonnet-4-5",
     "{'model':'x','messages':[{'role':'user','content':'a'}],'n':2,"
     "'logprobs':true,'seed':1,'frequency_penalty':0.5,"
     "'presence_penalty':0.5,'logit_bias':{},'user':'me'}",
     "{'model':'claude-sonnet-4-5','max_tokens':64000,"
     "'messages':[{'role':'user','content':[{'type':'text','text':'a'}]}],"
     "'metadata':{'user_id':'me'}}",
     "n=n, logprobs=logprobs, parameter=seed, parameter=frequency_penalty, "
     "parameter=presence_penalty, parameter=logit_bias"},
    {"service tiers by their names here", "claude-sonnet-4-5",
     "{'model':'x','messages':[{'role':'user','content':'a'}],"
     "'service_tier':'default'}",
     "{'model':'claude-sonnet-4-5','max_tokens':64000,"
     "'messages':[{'role':'user','content':[{'type':'text','text':'a'}]}],"
     "'service_tier':'standard_only'}",
     ""},
};

/* Requests of this dialect for another of its models. */
static const struct {
    const char *name, *model, *asked, *wanted;
} OWN[] = {
    {"another model gets no thinking, and all else as it was",
     "claude-haiku-4-5",
     "{'model':'m','max_tokens':9,'x':1.0,'messages':[{'role':'user',"
     "'content':'q'},{'role':'assistant','content':[{'type':'thinking',"
     "'thinking':'hm','signature':'S'},{'type':'text','text':'a','citations':"
     "[]}]},{'role':'user','content':'b'}]}",
     "{'model':'claude-haiku-4-5','max_tokens':9,'x':1.0,'messages':[{'role':"
     "'user','content':'q'},{'role':'assistant','content':[{'type':'text',"
     "'text':'a','citations':[]}]},{'role':'user','content':'b'}]}"},
    {"a budget becomes adaptive where that is all there is", "claude-opus-4-8",
     "{'model':'m','max_tokens':9000,'temperature':0.5,'thinking':{'type':"
     "'enabled','budget_tokens':2000},'messages':[{'role':'user','content':"
     "'q'}]}",
     "{'model':'claude-opus-4-8','max_tokens':9000,'thinking':{'type':"
     "'adaptive','display':'summarized'},'messages':[{'role':'user',"
     "'content':'q'}]}"},
    {"adaptive becomes a budget where there is only that", "claude-haiku-4-5",
     "{'model':'m','max_tokens':9000,'thinking':{'type':'adaptive'},"
     "'messages':[{'role':'user','content':'q'}]}",
     "{'model':'claude-haiku-4-5','max_tokens':9000,'thinking':{'type':"
     "'enabled','budget_tokens':8192},'messages':[{'role':'user','content':"
     "'q'}]}"},
    {"cache_control survives", "claude-haiku-4-5",
     "{'model':'m','max_tokens':9,'system':[{'type':'text','text':'s',"
     "'cache_control':{'type':'ephemeral','ttl':'1h'}}],'messages':[{'role':"
     "'user','content':[{'type':'text','text':'q','cache_control':{'type':"
     "'ephemeral'}}]}]}",
     "{'model':'claude-haiku-4-5','max_tokens':9,'system':[{'type':'text',"
     "'text':'s','cache_control':{'type':'ephemeral','ttl':'1h'}}],"
     "'messages':[{'role':'user','content':[{'type':'text','text':'q',"
     "'cache_control':{'type':'ephemeral'}}]}]}"},
};

/* What is wrong with a request, and what is said of it. */
static const struct {
    const char *asked, *message;
} MISTAKES[] = {
    {"[]", "body: wanted an object, found an array"},
    {"{}", "model: wanted a string, found nothing"},
    {"{'model':1}", "model: wanted a string, found a number"},
    {"{'model':'m'}", "messages: wanted an array, found nothing"},
    {"{'model':'m','messages':[]}",
     "messages: wanted at least one message, found none"},
    {"{'model':'m','messages':[{'role':'tool','content':'a'}]}",
     "messages[0].role: wanted user, assistant or system, found a string"},
    {"{'model':'m','messages':[{'role':'user','content':1}]}",
     "messages[0].content: wanted a string or an array of blocks, found a "
     "number"},
    {"{'model':'m','messages':[{'role':'user','content':[{'type':'text'}]}]}",
     "messages[0].content[0].text: wanted a value, found nothing"},
    {"{'model':'m','messages':[{'role':'user','content':[{'type':'image',"
     "'source':{'type':'base64','data':1}}]}]}",
     "messages[0].content[0].source.data: wanted a string, found a number"},
    {"{'model':'m','messages':[{'role':'assistant','content':[{'type':"
     "'tool_use','id':'a','name':'f','input':'{}'}]}]}",
     "messages[0].content[0].input: wanted an object, found a string"},
    {"{'model':'m','max_tokens':'9','messages':[{'role':'user','content':"
     "'q'}]}",
     "max_tokens: wanted a whole number of at least 0, found a string"},
    {"{'model':'m','tools':[{'name':'f'}],'messages':[{'role':'user',"
     "'content':'q'}]}",
     "tools[0].input_schema: wanted an object, found nothing"},
    {"{'model':'m','tool_choice':{'type':'some'},'messages':[{'role':'user',"
     "'content':'q'}]}",
     "tool_choice.type: wanted auto, any, tool or none, found a string"},
};

#endif
