# SPDX-License-Identifier: Apache-2.0
"""docs/dialects.md and the code say the same: the table of kinds is that of
router/codec/lossy.c, and each dialect's section names the kinds that its files
can give, no more and no fewer.  Prints what differs."""
import glob
import re

PAGE = open("docs/dialects.md").read()
SOURCE = open("router/codec/lossy.c").read()
ROW = r'\[(LOSSY_\w+)\] = \{"(\w+)",\s*((?:"[^"]*"\s*)+)\}'
# Of one dialect's model to its client's form: said where they come from.
KINDS = {}
for const, name, text in re.findall(ROW, SOURCE):
    sentence = "".join(re.findall(r'"([^"]*)"', text))
    KINDS[const] = name
    if f"| `{name}` | {sentence} |" not in PAGE:
        print(f"docs/dialects.md: wanted the row | `{name}` | {sentence} |")

for section in re.split(r"\n## ", PAGE)[1:]:
    title = section.split("\n")[0]
    files = re.search(r"^Files: (.*?)\. Row:", section, re.M)
    if not files:
        continue
    code = ""
    for pattern in files.group(1).split(", "):
        pattern = pattern.split("/")[-1]
        found = sorted(glob.glob("router/codec/" + pattern))
        if not found:
            print(f"docs/dialects.md: {title}: no file router/codec/{pattern}")
        for path in found:
            code += open(path).read()
    given = {KINDS[c] for c in re.findall(r"LOSSY_[A-Z_]+", code) if c in KINDS}
    said = {k for k in re.findall(r"`(\w+)(?:=\w+)?`", section) if k in KINDS.values()}
    for kind in sorted(given - said):
        print(f"docs/dialects.md: {title}: wanted `{kind}`, which its files give")
    for kind in sorted(said - given):
        print(f"docs/dialects.md: {title}: `{kind}` is given by none of its files")
