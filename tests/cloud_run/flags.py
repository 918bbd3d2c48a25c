#!/usr/bin/env python3
"""Prints what the real gcloud knows of some commands, for the one that tests use: flags.tsv.

    tests/cloud_run/flags.py "redis instances create" …  >tests/cloud_run/flags.tsv

A line a flag: command, name, type, "required" for a positional argument that must be there, choices. A positional argument's name
is in capitals. Needs neither an account nor the network.
"""

import json
import subprocess
import sys

# Of every command; the rest of the global ones is not used.
GLOBAL = {"project", "format", "quiet"}


def flags(node, found):
    for argument in node.get("arguments", []):
        if "group" in argument:
            flags(argument["group"], found)
        elif not argument.get("global") or argument["name"] in GLOBAL:
            found.append(argument)


for command in sorted(set(sys.argv[1:])):
    lint = ["gcloud", "meta", "lint-gcloud-commands", f"--command-string=gcloud {command}"]
    answer = json.loads(subprocess.run(lint, capture_output=True, check=True, text=True).stdout)[0]
    if "args_structure" not in answer or "Invalid choice" in (answer.get("error_message") or ""):
        sys.exit(f"gcloud {command}: {answer.get('error_message')}")
    found = []
    flags(answer["args_structure"], found)
    for flag in sorted(found, key=lambda flag: flag["name"]):
        kind = flag.get("type", "string").rsplit(":", 1)[-1]
        kind = kind if kind in ("bool", "int", "list", "dict") else "string"
        choices = [] if kind in ("list", "dict") else map(str, flag.get("choices", []))
        required = flag.get("positional", False) and flag.get("required", False)
        print(command, flag["name"], kind, "required" * required, ",".join(choices), sep="\t")
