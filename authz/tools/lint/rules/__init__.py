"""The rules, one file per subject. A new file is named in RULE_FILES, a new rule is one function in its file."""

RULE_FILES = (
    "config_errors",
    "policy_rules",
    "attachment",
    "routes",
    "authorization",
    "filter_order",
    "headers",
    "oauth2",
    "cluster",
    "first_steps",
    "not_in_file",
)
