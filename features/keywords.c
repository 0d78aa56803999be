/* SPDX-License-Identifier: Apache-2.0 */
#include "features/keywords.h"

#include <string.h>

/*
 * Words and phrases of at most KEYWORDS_PHRASE_MAX tokens, separated by '|'.
 * They are compared as tokens of the folded text, so case and composition do
 * not matter; in scripts without spaces each character is a token.  A phrase
 * may stand in several groups.
 */
static const struct {
    const char *name;
    const char *phrases;
} groups[] = {
    {"code",
     "def|return|print|python|int|string|array|list|class|assert|import|"
     "algorithm|function|javascript|typescript|java|rust|golang|c + +|"
     "compile|compiler|bug|debug|refactor|unit test|unit tests|stack trace|"
     "segfault|regex|api|endpoint|json|yaml|html|css|docker|kubernetes|git|"
     "commit|pull request|bash|shell|script|struct|const|void|null|async|"
     "await|lambda|loop|recursion|variable|method|library|framework|react|"
     "django|node|npm|代码|函数|编程|コード|関数|код|функция|código|"
     "quellcode|programme"},
    {"sql",
     "select|insert|update|delete|join|where|group by|order by|sql|query|"
     "table|column|postgres|postgresql|mysql|sqlite|database|primary key|"
     "foreign key|schema|having|数据库|データベース"},
    {"math",
     "function|matrix|group|integer|prime|probability|equation|polynomial|"
     "theorem|graph|vector|ring|field|real|integral|derivative|limit|"
     "eigenvalue|triangle|circle|angle|radius|sqrt|frac|sin|cos|tan|log|"
     "modulo|remainder|divisor|permutation|combination|sequence|"
     "数学|方程|积分|概率|方程式|確率|уравнение|ecuación|gleichung"},
    {"calculate",
     "calculate|compute|find|determine|evaluate|solve|how|many|much|sum|"
     "product|total|number|value|average|percent|percentage|difference|"
     "计算|求|計算|вычислить|calcular|berechne|calculer"},
    {"reasoning",
     "step by step|think|reason|reasoning|prove|proof|deduce|infer|logic|"
     "logical|puzzle|therefore|hence|implies|contradiction|assume|suppose|"
     "analyze|analyse|justify|derive|strategy|plan|trade off|tradeoff|"
     "pros and cons|root cause|weigh|证明|推理|分析|証明|докажи|demuestra|"
     "beweise|démontrer"},
    {"explain",
     "why|explain|describe|because|reason|how|cause|causes|what is|what are|"
     "meaning|define|definition|difference between|解释|説明|объясни|explica|"
     "erkläre|expliquez|explique"},
    {"extraction",
     "extract|extraction|entities|entity|ner|parse|identify all|list all|"
     "find all|pull out|field|fields|key value|names of|dates|invoice|"
     "receipt|resume|return json|as json|提取|抽出|извлеки|extraer|"
     "extrahiere|extraire"},
    {"transform",
     "convert|transform|reformat|rewrite|rephrase|paraphrase|format|"
     "normalize|normalise|csv|markdown|xml|table|fix the grammar|proofread|"
     "correct|shorten|改写|转换|変換|書き直|переведи в|reescribe|umwandeln"},
    {"translation",
     "translate|translation|translated|into english|into french|into german|"
     "into spanish|into chinese|into japanese|to english|to french|"
     "to german|to spanish|to chinese|to japanese|to italian|to korean|"
     "to portuguese|to russian|to arabic|翻译|翻訳|번역|переведи|перевод|"
     "traduce|traducir|übersetze|traduire|traduisez|traduz"},
    {"creative",
     "story|poem|poetry|haiku|sonnet|song|lyrics|novel|character|fiction|"
     "imagine|creative|slogan|tagline|joke|limerick|screenplay|dialogue|"
     "once upon a|rhyme|blog post|essay|brainstorm|诗|故事|物語|詩|рассказ|"
     "стих|poema|cuento|gedicht|geschichte|poème|histoire"},
    {"summary",
     "summarize|summarise|summary|tl|tldr|abstract|key points|"
     "main points|bullet points|condense|in brief|takeaways|minutes|recap|"
     "总结|摘要|要約|요약|резюме|кратко|resumen|resume|zusammenfassung|"
     "fasse|résumé|résume|résumez"},
    {"classification",
     "classify|classification|categorize|categorise|category|categories|"
     "label|labels|sentiment|positive|negative|neutral|intent|spam|toxic|"
     "moderation|yes or no|true or false|one of the|which of the|分类|分類|"
     "классифицируй|clasifica|klassifiziere|classer"},
    {"writing",
     "write|draft|compose|email|e mail|letter|memo|report|article|"
     "cover letter|announcement|press release|post|tone|professional|polite|"
     "formal|写|書い|письмо|escribe|correo|schreibe|écris|rédige"},
    {"agent",
     "tool|tools|call|execute|run|browser|search|fetch|open|click|file|"
     "files|directory|repository|repo|task|todo|subtask|agent|workspace|"
     "terminal|command|sudo|install|deploy"},
    {"chat",
     "hello|hi|hey|thanks|thank you|please|sorry|good morning|how are you|"
     "ok|okay|yes|no|bye|你好|谢谢|こんにちは|ありが|привет|спасибо|hola|"
     "gracias|hallo|danke|bonjour|merci"},
    {"format",
     "json|yaml|xml|csv|markdown|table|bullet|list|only|exactly|must|format|"
     "output|respond with|answer with|no more than|at most|words|sentences|"
     "characters|schema"},
    {"role", "you are a|you are an|act as|your task|your job|as an expert|"
             "instructions|rules|guidelines|assistant"},
    {"context",
     "context|passage|document|documents|article|according to|based on|"
     "given the|following text|the text|excerpt|source|sources|cite|"
     "retrieved|paragraph"},
    {"negation",
     "not|except|false|incorrect|least|never|no|nor|cannot|without"},
    {"law",
     "court|plaintiff|defendant|statute|contract|liable|law|suit|sued|legal|"
     "trial|clause|compliance|gdpr|attorney|jurisdiction"},
    {"moral", "moral|wrong|ethical|scenario|morally"},
    {"science",
     "energy|mass|velocity|pressure|temperature|acid|electron|atom|cell|"
     "gene|protein|molecule|force|physics|chemistry|biology|quantum"},
    {"medicine",
     "patient|disease|treatment|symptoms|blood|drug|clinical|diagnosis|"
     "syndrome|year|old|woman|man|dose|therapy|medical"},
    {"time", "when|year|century|first|during|after|before|date"},
    {"which", "which|what|who|where"},
    {"statement", "statement|statements|true|i|ii|iii|both|neither"},
    {"all", "all|none|above|following"},
    {"best", "best|most|likely|primarily|mainly|according"},
    {"money", "price|cost|demand|supply|market|tax|income|rate|interest|money|"
              "revenue|profit|budget|invest|stock"},
    {"person", "i|me|my|you|your|we"},
    /* What went wrong: also looked for in the last tool result. */
    {"err_failed",
     "error|errors|failed|failure|fatal|panic|aborted|exit code 1|"
     "exit status 1|unsuccessful|ошибка|错误|エラー|fehler|erreur"},
    {"err_exception",
     "exception|traceback|typeerror|valueerror|keyerror|referenceerror|"
     "syntaxerror|nullpointerexception|segmentation fault|stack trace|"
     "assertionerror|attributeerror|importerror|modulenotfounderror"},
    {"err_missing",
     "not found|no such file|does not exist|undefined|unknown command|"
     "404|enoent|missing|cannot find|no results|no matches"},
    {"err_denied",
     "permission denied|access denied|forbidden|unauthorized|401|403|"
     "not allowed|eacces|read only"},
    {"err_timeout",
     "timeout|timed out|deadline exceeded|connection refused|etimedout|"
     "econnrefused|429|rate limit|503|unavailable"},
    {"err_invalid",
     "invalid|malformed|syntax error|parse error|unexpected token|bad request|"
     "400|validation|type mismatch"},
};

#define GROUPS (sizeof groups / sizeof groups[0])
_Static_assert(GROUPS <= KEYWORDS_GROUPS_MAX, "room for every group");

static void set(struct keywords *k, uint64_t hash, unsigned group)
{
    uint32_t i = (uint32_t)hash & (KEYWORDS_SLOTS - 1);

    while (k->slot[i].groups && k->slot[i].hash != hash)
        i = (i + 1) & (KEYWORDS_SLOTS - 1);
    k->slot[i].hash = hash;
    k->slot[i].groups |= 1ULL << group;
    k->maybe[hash >> 56] |= 1ULL << (hash >> 50 & 63);
}

static uint64_t phrase_hash(struct words *w, struct span phrase)
{
    uint64_t h;

    words_clear(w);
    words_add(w, phrase, KEYWORDS_PHRASE_MAX);
    h = w->tokens[0].hash;
    for (uint32_t i = 1; i < w->n_tokens; i++)
        h = words_chain(h, w->tokens[i].hash);
    return h;
}

void keywords_init(struct keywords *k, struct words *w)
{
    memset(k, 0, sizeof *k);
    for (unsigned g = 0; g < (unsigned)GROUPS; g++) {
        struct span rest = span_of(groups[g].phrases);

        while (rest.ptr)
            set(k, phrase_hash(w, span_cut(&rest, '|')), g);
    }
    words_clear(w);
}

static uint64_t look_up(const struct keywords *k, uint64_t hash)
{
    uint32_t i = (uint32_t)hash & (KEYWORDS_SLOTS - 1);

    while (k->slot[i].groups) {
        if (k->slot[i].hash == hash)
            return k->slot[i].groups;
        i = (i + 1) & (KEYWORDS_SLOTS - 1);
    }
    return 0;
}

static inline bool maybe(const struct keywords *k, uint64_t hash)
{
    return k->maybe[hash >> 56] >> (hash >> 50 & 63) & 1;
}

static void count(const struct keywords *k, const uint64_t *hashes, uint32_t n,
                  uint32_t *counts)
{
    for (uint32_t i = 0; i < n; i++) {
        uint64_t found = look_up(k, hashes[i]);

        for (; found; found &= found - 1)
            counts[__builtin_ctzll(found)]++;
    }
}

/* First what may be a phrase, without a branch; few are looked up. */
void keywords_count(const struct keywords *k, const struct words *w,
                    uint32_t *counts)
{
    enum { ROOM = 256, A_TOKEN = 3 };
    uint64_t one = 0, two = 0; /* chains that end in the token before */
    uint64_t found[ROOM + A_TOKEN];
    uint32_t n = 0;

    for (uint32_t i = 0; i < w->n_tokens; i++) {
        const struct token *t = &w->tokens[i];
        uint64_t pair = words_chain(one, t->hash);
        uint64_t three = words_chain(two, t->hash);

        found[n] = t->hash;
        n += maybe(k, t->hash);
        found[n] = pair;
        n += maybe(k, pair) & !t->apart;
        found[n] = three;
        n += maybe(k, three) & !t->apart;
        one = t->hash;
        two = pair;
        if (n >= ROOM) {
            count(k, found, n, counts);
            n = 0;
        }
    }
    count(k, found, n, counts);
}

const char *keywords_group(unsigned i)
{
    return i < GROUPS ? groups[i].name : NULL;
}
