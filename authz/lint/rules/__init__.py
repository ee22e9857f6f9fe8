"""The rules, one file per subject. A new file is named in SUBJECTS, a new rule is one function in its file."""

SUBJECTS = (
    "reading",
    "policies",
    "attachment",
    "routes",
    "authorization",
    "chain",
    "headers",
    "oauth2",
    "cluster",
    "sight",
)
