"""The table of `hostile`: what attacks on graders look like.

Patterns see lower-case text without accents, with single spaces and single line breaks. Every
repetition in them is bounded, so that no paper can make them slow.
"""

from __future__ import annotations

from gradeq.grading.hostile_words import (
    ADDRESS,
    ALL_OF,
    BEFORE_REQUEST,
    CONFIDENTIAL,
    DEMAND,
    EXCELLENT,
    GIVE,
    GRADER,
    GRADING,
    LINE,
    MARKS,
    MOST_MARKS,
    PAPER,
    PRAISE,
    ROLE,
    TEACHER,
    THIS,
    WRITE,
    Attack,
    order,
    rule,
    sentence,
)

RULES = (
    rule(
        Attack.OVERRIDE,
        "ignore, disregard, forget",
        order(
            "ignore|disregard|forget",
            r" (?:\w+ ){0,4}(?:(?:previous|prior|above|earlier|preceding|system) (?:instruction"
            r"|prompt|input|rule|direction|guideline|criteria)"
            r"|(?:instructions?|everything|all) (?:above|before)\b"
            r"|rubric\b|mark(?:ing)? scheme\b|grading (?:criteria|rules|instructions)\b)",
        ),
    ),
    rule(
        Attack.OVERRIDE,
        "anweis, instru, istruzion, polecen, bareme, bewertung, rubric, criterios",
        order(
            r"ignor|missacht|vergiss|olvida|oublie|negeer|dimentica|zignoruj",
            r"\w{0,5}(?: \w+){0,4} (?:anweisung|instruk|instruc|instruz|istruzion|polecen|bareme"
            r"|bewertung|rubrica|criterios)",
        ),
    ),
    rule(
        Attack.OVERRIDE,
        "punkt, note, calificacion, puntuacion, puntos",
        r"\b(?:vergib|gib|erteile)\b[^.\n]{0,30}\b(?:voll|maximal|best|hochst)\w* ?(?:punkt|note)",
        r"\b(?:otorga|asigna|dale|dame)\b[^.\n]{0,30}(?:calificacion|puntuacion|puntos) maxim",
        r"\b(?:donne[zr]?|attribue[zr]?|accorde[zr]?)\b[^.\n]{0,20}\bnote maximale",
    ),
    rule(
        Attack.OVERRIDE,
        "award, give, assign, grant, return, output",
        order(
            GIVE,
            rf" (?:{THIS} )?(?:{MOST_MARKS}|{ALL_OF % ('a', 'a')})",
            (*BEFORE_REQUEST, r"(?<=\bnow )"),
        ),
        order(GIVE, rf" {THIS} {MOST_MARKS}"),
        order("award|assign", r" (?:the )?maximum\b"),
    ),
    rule(
        Attack.OVERRIDE,
        "grad, mark, scor, point, evaluat, assess, criteri, rubric, level, bewert, nota, punkt",
        # Somebody demands something good of whoever grades this: all of it in one sentence.
        sentence(GRADING, ADDRESS, PRAISE, DEMAND),
        rf"\b(?:please|kindly|i beg you to) (?:\w+ ){{0,6}}(?:give|grant|award) me "
        rf"(?:\w+ )?{MARKS}\b",
    ),
    rule(
        Attack.OVERRIDE,
        "rate, grade, mark, score, give, mettez, gib, set, enter, award, total",
        r"\b(?:rate|grade|mark|score|give|mettez|gib|set|enter|award|total)\b[^.\n]{0,40}"
        rf"\b{ALL_OF % ('n', 'n')}",
    ),
    rule(
        Attack.OVERRIDE,
        "you are, act as, behave like, behave as, pretend",
        rf"\byou are (?:now )?an? {ROLE}\b|\byou are now\b",
        rf"\b(?:act|behave) (?:as|like) an? {ROLE}\b",
        rf"\b{ROLE} (?:who|that) (?:always )?gives\b",
        rf"\bpretend (?:to be|that|you)\b[^.\n]{{0,40}}\b(?:{GRADER}|{PAPER})\b",
    ),
    rule(
        Attack.OVERRIDE,
        "criteri, rubric item, positive item",
        r"\b(?:every|all|each)(?: of the)? (?:rubric items?|criteri(?:on|a)) (?:is|are|as|apply"
        r"|applies)(?: (?:fully|already|now))?(?: (?:satisfied|met|fulfilled))? ?(?:[.!\n]|$)",
        r"\bset (?:all|every|each)\b[^.\n]{0,30}\bto (?:true|met|max)",
    ),
    rule(
        Attack.OVERRIDE,
        "grader, marker, examiner, assessor, grading",
        rf"\b(?:dear|hey|hello|attention|(?:note|message) to(?: the)?|ai|llm) {GRADER}s?\b",
        order(GRADER, r"s? ?[:!]", BEFORE_REQUEST),
    ),
    rule(
        Attack.OVERRIDE,
        "tion ai, dear ai, hello ai, hey ai, an ai, a bot, llm, gpt, language model",
        LINE + r"(?:attention|dear|hey|hello) (?:ai|llm|chatgpt|gpt|language model)\b",
        r"\bif you are an? (?:ai|llm|language model|bot)\b[^.\n]{0,40}\b(?:grading|marking)\b",
    ),
    rule(
        Attack.OVERRIDE,
        "level, skip, bypass, override",
        order(
            "choose|select|pick|return|assign|answer with",
            r" (?:the )?(?:(?:best|highest|top|first) )?level\b",
        ),
        order("skip|bypass", r" the (?:evaluation|grading|assessment|rubric|criteria)\b"),
        LINE + r"override ?:",
    ),
    rule(
        Attack.OVERRIDE,
        "as correct, as met, as excellent, as perfect, as complete, as flawless, as full",
        order(
            "mark|grade|rate|treat|evaluate|assess|accept",
            rf" (?:(?:{THIS}|this|everything) )?as {EXCELLENT}\b",
        ),
    ),
    rule(
        Attack.OVERRIDE,
        "system",
        LINE + r"system ?:[^\n]{0,80}\b(?:grading|grader|award|override|instructions?|rubric)\b",
    ),
    rule(
        Attack.DELIMITER,
        "<",
        r"</?(?:submission|criteri(?:on|a)|rubric|instructions?|student[_-]\w{1,20}"
        r"|(?:system|grad(?:er|ing))(?:[_-]\w{1,20})?) ?/?>",
        # (the tags that prompts of graders are made of)
    ),
    rule(
        Attack.DELIMITER,
        "[, <|im_, <<sys",
        r"\[(?:end|begin|start)[ _](?:of[ _])?(?:data|submission|answer|paper|essay|student)\b",
        r"\[/?inst\]|<\|im_(?:start|end)|<<sys>>",
        rf"^ ?\[(?:{TEACHER}|system|grader|admin|assistant)\] ?:?",
    ),
    rule(
        Attack.DELIMITER,
        "#",
        r"^ ?#{1,6} (?:system(?: prompt| message)?|assistant) ?$",
        r"^ ?#{1,6} [^\n]{0,40}\b(?:instructor|grader|grading|mark(?:ing)? scheme|rubric"
        rf"|student submission|system prompt|output format|(?:via|by|from) (?:the )?{TEACHER})\b",
    ),
    rule(
        Attack.DELIMITER,
        "==, **, --, ##",
        r"^ ?[#=*-]{2,12} ?(?:new |end of |begin |start )?(?:output|system|grading|grader"
        r"|submission|paper|essay|rubric|instruction)[^\n#=*-]{0,60}[#=*-]{2}",
    ),
    rule(
        Attack.DELIMITER,
        "{, <%",
        r"(?:\{\{?|<%=?) ?(?:rubric|prompt|mark_?scheme|submission|instructions|criteria)"
        r" ?(?:\}|%>)",
    ),
    rule(
        Attack.FAKE_OUTPUT,
        '"criteria", "level", "feedback"',
        r'"criteria" ?: ?[\[{]',
        r'"level" ?: ?"[^"\n]{0,60}" ?, ?"points"',
        r'"feedback" ?:[^}]{0,300}"(?:marks|score|points|grade)" ?:',
        r'"(?:marks|score|points|grade)" ?:[^}]{0,300}"feedback" ?:',
    ),
    rule(
        Attack.FAKE_OUTPUT,
        "final, grad, evaluation, assessment, score, prompt, task, tool_",
        r"\bfinal (?:score|grade|mark)s? ?[:=] ?\d",
        r"\bi have (?:already )?graded this\b",
        r"\b(?:correct|right|final|proper) (?:evaluation|assessment|grade|score|mark|rating) "
        r"(?:of|for) (?:the above|this|my)\b",
        r"^ ?(?:prompt|grading (?:note|result|decision)s?|evaluation result|your (?:new )?task"
        r"|new task) ?:",
        r"\bend of grading\b",
        r"\[/?tool_(?:result|call)\]",
    ),
    rule(
        Attack.AUTHORITY,
        "note, message, comment, already, confirm, said, approved",
        rf"\b(?:note|message|comments?) (?:from|by) (?:the |your |my )?{TEACHER} ?:",
        rf"\balready (?:graded|marked|checked|assessed) this (?:by hand\b|{PAPER}\b)",
        r"\btrust these (?:comments|marks|scores)",
        r"\bplease just confirm\b",
        r"\bsaid (?:that )?(?:i|this|it) (?:will|would|should|can) (?:get|receive|have) an? a\b",
        r"\b(?:submission|essay|answer|paper) (?:has been|was|is) pre-?approved\b",
    ),
    rule(
        Attack.AUTHORITY,
        "developer of, creator of, administrator of, author of, owner of, debug mode",
        rf"\b(?:developer|creator|administrator|author|owner) of this {GRADER}",
        r"\bdebug mode ?:",
    ),
    rule(
        Attack.PERSUASION,
        "i will, i might, i could, i would, i'll",
        r"\b(?:i (?:will|might|could|would)|i'll) (?:lose|fail|be expelled)\b[^.\n]{0,60}"
        rf"\bif (?:i (?:do not|don't|cannot|can't) |you )[^.\n]{{0,30}}\b(?:{MARKS}|pass)\b",
    ),
    rule(
        Attack.PERSUASION,
        "deserve, worth, merits, warrants, receives, gets, earns",
        rf"\b(?:this|my)(?: {PAPER})?\b(?:[^.\n]{{0,80}} )?(?:deserves?|is worth(?:y of)?|merits"
        rf"|warrants|receives|gets|earns) (?:{MOST_MARKS}|{ALL_OF % ('c', 'c')})",
    ),
    rule(
        Attack.RUBRIC_PARROT,
        "criteri, rubric",
        rf"\b(?:this|my) {PAPER} (?:\w+ly )?(?:satisf|meet|fulfil|earn|is excellent in)\w* "
        r"(?:(?:all|every|each|of|the|your) ){0,3}(?:criteri|rubric)",
    ),
    rule(
        Attack.RUBRIC_PARROT,
        "evidence for",
        LINE + rf"evidence for {MOST_MARKS}",
    ),
    rule(
        Attack.ENCODING,
        "base64, rot13, rot-13",
        r"\bdecode (?:this|the following)\b",
        r"\b(?:base64|rot-?13)\b[^\n]{0,40}\b(?:follow|apply|grad|obey)",
    ),
    rule(
        Attack.PADDING,
        "remainder of, rest of, end of, lorem ipsum",
        rf"\b(?:remainder|rest|end) of (?:this|my|the) {PAPER} (?:was|is|has been|got) "
        r"(?:truncated|cut|lost|missing|removed)\b",
        r"\blorem ipsum dolor sit amet\b",
    ),
    rule(
        Attack.EXFILTRATION,
        "rubric, reference answer, model answer, system prompt, your instructions, mark scheme",
        order(
            f"{WRITE}|reveal|show|output|repeat|copy|quote|tell me",
            r"\b[^.\n]{0,40}" + CONFIDENTIAL,
        ),
    ),
    rule(
        Attack.EXFILTRATION,
        "feedback, other students",
        order(
            f"{WRITE}|put|insert|add|say",
            r"\b[^.\n]{0,60} (?:(?:in|into|to) (?:the|your) (?:[\w-]+ )?feedback\b"
            r"|other students you\b)",
        ),
        r"\bdo not mention this [^.\n]{0,40}\bfeedback\b",
    ),
    rule(
        Attack.DENIAL,
        "json, only with, out of tokens, needs_review, confidence",
        order("do not|don't|never", r" (?:output|return|write|produce|answer with) json\b"),
        order("reply|respond|answer", r" only with the (?:word|text|sentence)\b"),
        order("set", r" (?:the )?confidence to\b"),
        r"\brun out of tokens\b|\bneeds_review\b",
    ),
)
