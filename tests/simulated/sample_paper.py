"""A paper, and how it is asked to be marked."""

KEY = "key-of-a-school"
LEVELS = ["convincing", "sound", "thin", "none", "cannot_assess"]
SCHEMA = {
    "type": "object",
    "properties": {
        "criteria": {
            "type": "object",
            "properties": {
                "evidence": {
                    "type": "object",
                    "properties": {
                        "reason": {"type": "string"},
                        "evidence": {"type": "array", "items": {"type": "string"}},
                        "level": {"type": "string", "enum": LEVELS},
                    },
                    "required": ["reason", "evidence", "level"],
                    "additionalProperties": False,
                }
            },
            "required": ["evidence"],
            "additionalProperties": False,
        },
        "feedback": {"type": "string"},
    },
    "required": ["criteria", "feedback"],
    "additionalProperties": False,
}
PAPER = (
    "Schools should start later, because teenagers need nine hours of sleep. For example, a survey "
    "of 214 students at our school showed that 61 percent sleep less than seven hours.\n"
    "However, parents say that they must be at work at eight. That is true, but the library could "
    "open early for those who need it."
)
USER = f"Mark this paper.\n=== PAPER c0ffee BEGIN ===\n{PAPER}\n=== PAPER c0ffee END ===\n"
SYSTEM = "You mark essays. Question: Should schools start later in the morning?"
